//! Where keys come from. They are read afresh whenever they are needed anew, held as secrets, and never printed.

use secrecy::SecretString;

/// The variables of the official SDKs (VOD-API.md, "Credentials").
pub const ID_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
/// The secret beside [`ID_VARIABLE`].
pub const SECRET_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
/// The token of temporary (STS) credentials.
pub const TOKEN_VARIABLE: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

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

/// No usable credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is set.
    #[error(
        "no credentials: looked in the environment for {ID_VARIABLE} and {SECRET_VARIABLE} \
         (with {TOKEN_VARIABLE} for temporary ones); set both"
    )]
    None,
    /// One of two is set.
    #[error("incomplete credentials: {set} is set in the environment, {missing} is not; set both")]
    Incomplete {
        /// The variable that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
}

impl Credentials {
    /// Reads the credentials from the environment.
    ///
    /// # Errors
    ///
    /// Says where it looked.
    pub fn load() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the credentials from variables; an empty one counts as unset.
    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        match (get(ID_VARIABLE), get(SECRET_VARIABLE)) {
            (Some(access_key_id), Some(secret)) => Ok(Self {
                access_key_id,
                access_key_secret: secret.into(),
                security_token: get(TOKEN_VARIABLE).map(Into::into),
            }),
            (Some(_), None) => Err(Error::Incomplete { set: ID_VARIABLE, missing: SECRET_VARIABLE }),
            (None, Some(_)) => Err(Error::Incomplete { set: SECRET_VARIABLE, missing: ID_VARIABLE }),
            (None, None) => Err(Error::None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(set: &[(&str, &str)]) -> Result<Credentials, Error> {
        Credentials::from_variables(|name| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn both_halves_are_needed_and_an_error_says_where_it_looked() {
        assert_eq!(from(&[]).unwrap_err(), Error::None);
        assert!(Error::None.to_string().contains(ID_VARIABLE));
        let half = from(&[(ID_VARIABLE, "id"), (SECRET_VARIABLE, " ")]).unwrap_err();
        assert_eq!(half, Error::Incomplete { set: ID_VARIABLE, missing: SECRET_VARIABLE });
        let whole = from(&[(ID_VARIABLE, "id"), (SECRET_VARIABLE, "s3cr3t"), (TOKEN_VARIABLE, "t0k3n")]).unwrap();
        let shown = format!("{whole:?}");
        assert!(whole.security_token.is_some() && !shown.contains("s3cr3t") && !shown.contains("t0k3n"), "{shown}");
    }
}
