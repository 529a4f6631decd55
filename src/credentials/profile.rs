//! The CLI's profile file, as `aliyun configure` writes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::{Owners, once_more, private, unusable};
use super::{Credentials, Error, Source, pair};

/// The modes that carry a key in the file; others would need a call to get one.
const MODES: [&str; 2] = ["AK", "StsToken"];

/// Of the file, what is needed.
#[derive(Deserialize)]
struct Profiles {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    #[serde(default)]
    mode: String,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    sts_token: Option<String>,
}

/// Where the file lies.
pub(super) fn path(home: &Path) -> PathBuf {
    home.join(".aliyun/config.json")
}

/// The key of the current profile; none if there is no such file.
pub(super) fn read(path: &Path, owners: &Owners) -> Result<Option<Credentials>, Error> {
    // A home that may not be looked into is one without a profile.
    if !path.exists() {
        return Ok(None);
    }
    once_more(|| read_whole(path, owners))
}

fn read_whole(path: &Path, owners: &Owners) -> Result<Option<Credentials>, Error> {
    let text = private(path, owners)?;
    let file: Profiles = serde_json::from_str(&text)
        .map_err(|error| unusable(path, format!("line {} is not as it should be", error.line())))?;
    let Some(profile) = file.profiles.into_iter().find(|profile| profile.name == file.current) else {
        return Err(unusable(path, "it has no current profile"));
    };
    if !MODES.contains(&profile.mode.as_str()) {
        let what = format!("its current profile has the mode {:?}; AK and StsToken are read", profile.mode);
        return Err(unusable(path, what));
    }
    pair(
        Source::Profile(path.to_path_buf()),
        ["access_key_id", "access_key_secret", "sts_token"],
        [profile.access_key_id, profile.access_key_secret, profile.sts_token],
    )
}
