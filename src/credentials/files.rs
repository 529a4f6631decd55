//! Keys in files, which nobody but their owner may read.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::{Credentials, Error, Source, from_variables};
use super::{ID_VARIABLE, SECRET_VARIABLE};

/// A file with a key is a few hundred bytes long.
const BYTES_MAX: u64 = 64 * 1024;

/// What of a mode lets others than the owner in.
const OTHERS: u32 = 0o077;

/// The key in a file of `NAME=value` lines.
pub(super) fn key_file(path: &Path) -> Result<Credentials, Error> {
    let text = private(path)?;
    let value = |name: &str| {
        let line = text.lines().filter_map(|line| line.trim().split_once('=')).find(|(key, _)| key.trim() == name);
        line.map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let place = Source::File(path.to_path_buf());
    let found = from_variables(value).map_err(|error| match error {
        Error::Incomplete { set, missing, .. } => Error::Incomplete { place, set, missing },
        error => error,
    })?;
    found.ok_or_else(|| unusable(path, &format!("it has neither {ID_VARIABLE}= nor {SECRET_VARIABLE}=")))
}

/// The text of a file that only its owner may read.
pub(super) fn private(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(|error| unusable(path, &error.to_string()))?;
    // Of the open file: what stands under the name may be another one by now.
    let meta = file.metadata().map_err(|error| unusable(path, &error.to_string()))?;
    if !meta.is_file() {
        return Err(unusable(path, "it is not a regular file"));
    }
    if meta.mode() & OTHERS != 0 {
        return Err(Error::Exposed { path: path.to_path_buf(), mode: meta.mode() & 0o7777 });
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(|error| unusable(path, &error.to_string()))?;
    Ok(text)
}

/// The text of a file, if there is one.
pub(super) fn optional(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

/// Looks whether our keys lie open where systemd loads them from. A folder that only root may enter is as it should be, and
/// nothing in it can be looked at.
pub(super) fn refuse_exposed_in(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    // Root sees into a closed folder too, which guards what is in it whatever its mode.
    if fs::metadata(folder).is_ok_and(|meta| meta.mode() & OTHERS == 0) {
        return Ok(());
    }
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("prefetchd")) {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() && meta.permissions().mode() & OTHERS != 0 {
            return Err(Error::Exposed { path: entry.path(), mode: meta.mode() & 0o7777 });
        }
    }
    Ok(())
}

pub(super) fn unusable(path: &Path, what: &str) -> Error {
    Error::Unusable { path: path.to_path_buf(), what: what.to_owned() }
}
