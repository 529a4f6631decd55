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
//! A file with a key that others than its owner may read is refused.

mod files;
mod profile;
mod provider;

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::Keys;

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
pub fn load(config: &Keys) -> Result<(Credentials, Source), Error> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(directory) = variable(DIRECTORY_VARIABLE)
        && let Some(found) = from_directory(Path::new(&directory), Path::new(CREDSTORE))?
    {
        return Ok((found, Source::Systemd));
    }
    if let Some(path) = &config.file {
        return Ok((files::key_file(path)?, Source::File(path.clone())));
    }
    if let Some(found) = from_variables(|name| std::env::var(name).ok())? {
        return Ok((found, Source::Environment));
    }
    if let Some(home) = variable("HOME")
        && let Some(found) = profile::read(&profile::path(Path::new(&home)))?
    {
        return Ok((found, Source::Profile(profile::path(Path::new(&home)))));
    }
    Err(Error::None)
}

/// What systemd loaded, if it is a key. systemd guards what it hands over; what it was loaded from is looked at here.
fn from_directory(directory: &Path, credstore: &Path) -> Result<Option<Credentials>, Error> {
    let names = ["access-key-id", "access-key-secret", "security-token"];
    let found = [0, 1, 2].map(|at| files::optional(&directory.join(names[at])));
    let [id, secret, token] = found;
    let found = pair(Source::Systemd, [names[0], names[1]], [id?, secret?, token?])?;
    if found.is_some() {
        files::refuse_exposed_in(credstore)?;
    }
    Ok(found)
}

/// The credentials in variables, if there are any.
fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, Error> {
    pair(
        Source::Environment,
        [ID_VARIABLE, SECRET_VARIABLE],
        [get(ID_VARIABLE), get(SECRET_VARIABLE), get(TOKEN_VARIABLE)],
    )
}

/// Name, secret and token, of which the first two are needed; an empty one counts as unset.
fn pair(place: Source, names: [&'static str; 2], values: [Option<String>; 3]) -> Result<Option<Credentials>, Error> {
    let [id, secret, token] =
        values.map(|value| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()));
    let [id_name, secret_name] = names;
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
