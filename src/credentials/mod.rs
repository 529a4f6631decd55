//! Where keys come from. They are read afresh whenever they are needed anew, held as secrets, and never printed. The
//! [`Provider`] hands the one in use to every stage.
//!
//! The first of these places that has a key is the one:
//!
//! 1. `$CREDENTIALS_DIRECTORY`, where systemd's `LoadCredential=` puts them: the files `access-key-id`,
//!    `access-key-secret` and, for temporary ones, `security-token`;
//! 2. the file that `[credentials] file` names;
//! 3. the environment, by the official SDKs' names;
//! 4. the current profile of the CLI, `~/.aliyun/config.json`.
//!
//! A file that others than root and the service's user may read or change is refused; what systemd hands over is guarded by it.

mod files;
mod profile;
mod provider;
mod value;

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::Config;
use files::Owners;

pub use provider::{Generation, Key, KeyState, Provider};

/// The variables of the official SDKs (VOD-API.md, "Credentials").
pub const ID_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
/// The secret beside [`ID_VARIABLE`].
pub const SECRET_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
/// The token of temporary (STS) credentials.
pub const TOKEN_VARIABLE: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Where systemd says that it put a service's credentials.
const DIRECTORY_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Where `LoadCredential=` without a path finds them: for root alone.
const CREDSTORE: &str = "/etc/credstore";

/// An access key.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key's public name.
    pub access_key_id: String,
    /// The key.
    pub access_key_secret: SecretString,
    /// With temporary credentials, their token.
    pub security_token: Option<SecretString>,
}

/// The place that a key was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// systemd's directory.
    Systemd,
    /// `[credentials] file`.
    File(PathBuf),
    /// The environment.
    Environment,
    /// The CLI's profile file.
    Profile(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd => f.write_str("systemd's credentials"),
            Self::File(path) => write!(f, "the key file {}", path.display()),
            Self::Environment => f.write_str("the environment"),
            Self::Profile(path) => write!(f, "the profile {}", path.display()),
        }
    }
}

/// No usable credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is set.
    #[error(
        "no credentials: looked for access-key-id and access-key-secret among systemd's credentials, for [credentials] file, \
         in the environment for {ID_VARIABLE} and {SECRET_VARIABLE} (with {TOKEN_VARIABLE} for temporary ones), and for \
         ~/.aliyun/config.json; README.md shows how to make them"
    )]
    None,
    /// One of two is set.
    #[error("incomplete credentials: in {place}, {set} is set, {missing} is not; set both")]
    Incomplete {
        /// Where.
        place: Source,
        /// The name that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Others may read the file.
    #[error(
        "the key file {path} has mode {mode:04o}: others than its owner may read it; `chmod 600 {path}`, and change the key"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else owns the file.
    #[error("the key file {path} belongs to uid {uid}, who may change it; `{remedy}`", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// What to type.
        remedy: String,
    },
    /// Others may put another file in its place.
    #[error("the key file {path} lies in {folder}, which {why}; `{remedy}`", path = path.display(), folder = folder.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// Its owner or mode.
        why: String,
        /// What to type.
        remedy: String,
    },
    /// What stands there cannot be a key.
    #[error("in {place}, {name} {what}, which no key has; write it down again")]
    Odd {
        /// Where.
        place: Source,
        /// Of what.
        name: &'static str,
        /// What is odd, without a word of the value.
        what: &'static str,
    },
    /// The file cannot be read, or is not what it should be.
    #[error("the key file {path}: {what}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, without a word of what it holds.
        what: String,
    },
}

/// Reads the credentials from the first place that has them, and says which that was.
///
/// # Errors
///
/// Says where it looked, or what is wrong there.
pub fn load(config: &Config) -> Result<(Credentials, Source), Error> {
    load_from(&Places::of(config))
}

/// The places that are configured, and who may own what lies there.
#[derive(Debug, Clone)]
struct Places {
    file: Option<PathBuf>,
    owners: Owners,
}

impl Places {
    fn of(config: &Config) -> Self {
        Self { file: config.credentials.file.clone(), owners: Owners::of(config) }
    }
}

fn load_from(places: &Places) -> Result<(Credentials, Source), Error> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(directory) = variable(DIRECTORY_VARIABLE)
        && let Some(found) = from_directory(Path::new(&directory), Path::new(CREDSTORE))?
    {
        return Ok((found, Source::Systemd));
    }
    if let Some(path) = &places.file {
        return Ok((files::key_file(path, &places.owners)?, Source::File(path.clone())));
    }
    if let Some(found) = from_variables(Source::Environment, |name| std::env::var(name).ok())? {
        return Ok((found, Source::Environment));
    }
    if let Some(home) = variable("HOME")
        && let Some(found) = profile::read(&profile::path(Path::new(&home)), &places.owners)?
    {
        return Ok((found, Source::Profile(profile::path(Path::new(&home)))));
    }
    Err(Error::None)
}

/// What systemd loaded, if it is a key. systemd guards what it hands over; what it was loaded from is looked at here.
fn from_directory(directory: &Path, credstore: &Path) -> Result<Option<Credentials>, Error> {
    let names = ["access-key-id", "access-key-secret", "security-token"];
    let [id, secret, token] = names.map(|name| files::optional(&directory.join(name)));
    let found = pair(Source::Systemd, names, [id?, secret?, token?])?;
    if found.is_some() {
        files::refuse_exposed_in(credstore)?;
    }
    Ok(found)
}

/// The credentials in variables of this place, if there are any.
fn from_variables(place: Source, get: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, Error> {
    let names = [ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE];
    pair(place, names, names.map(get))
}

/// Name, secret and token, of which the first two are needed; an empty one counts as unset.
fn pair(place: Source, names: [&'static str; 3], values: [Option<String>; 3]) -> Result<Option<Credentials>, Error> {
    let values = values.map(|value| value.map(|text| value::bare(&text).to_owned()).filter(|text| !text.is_empty()));
    for (name, text) in names.into_iter().zip(&values) {
        if let Some(what) = text.as_deref().and_then(value::oddity) {
            return Err(Error::Odd { place, name, what });
        }
    }
    let ([id, secret, token], [id_name, secret_name, _]) = (values, names);
    match (id, secret) {
        (Some(access_key_id), Some(secret)) => Ok(Some(Credentials {
            access_key_id,
            access_key_secret: secret.into(),
            security_token: token.map(Into::into),
        })),
        (Some(_), None) => Err(Error::Incomplete { place, set: id_name, missing: secret_name }),
        (None, Some(_)) => Err(Error::Incomplete { place, set: secret_name, missing: id_name }),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
