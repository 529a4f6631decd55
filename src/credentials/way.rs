//! What a source leads to: a key, or the calls that give one.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use super::Credentials;
use crate::config::Endpoint;

/// The place that a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// systemd's directory.
    Systemd,
    /// What systemd would load for the service, read by root.
    Credstore(PathBuf),
    /// `[credentials] file`.
    File(PathBuf),
    /// The environment.
    Environment,
    /// An OIDC role.
    Oidc(String),
    /// A profile of the CLI's file.
    Profile {
        /// The file.
        path: PathBuf,
        /// The profile.
        name: String,
    },
    /// A section of the SDKs' ini file.
    Ini {
        /// The file.
        path: PathBuf,
        /// The section.
        name: String,
    },
    /// The role of the ECS instance; none if the instance tells it.
    Ecs(Option<String>),
    /// `ALIBABA_CLOUD_CREDENTIALS_URI`: scheme, host and path.
    Uri(String),
    /// A role that is assumed with the key of another source.
    Assumed {
        /// The role's name.
        role: String,
        /// The source whose key assumes it.
        with: Box<Source>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd => f.write_str("systemd's credentials"),
            Self::Credstore(path) => write!(f, "{}, as systemd loads them for the service", path.display()),
            Self::File(path) => write!(f, "the key file {}", path.display()),
            Self::Environment => f.write_str("the environment"),
            Self::Oidc(role) => write!(f, "the OIDC role {role}"),
            Self::Profile { path, name } => write!(f, "the profile {name} in {}", path.display()),
            Self::Ini { path, name } => write!(f, "the section {name} in {}", path.display()),
            Self::Ecs(Some(role)) => write!(f, "the ECS role {role}"),
            Self::Ecs(None) => f.write_str("the ECS instance's role"),
            Self::Uri(uri) => write!(f, "ALIBABA_CLOUD_CREDENTIALS_URI, {uri},"),
            Self::Assumed { role, with } => write!(f, "the role {role}, assumed with {with}"),
        }
    }
}

/// How to get a key.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// It can be read.
    Key(Credentials),
    /// Ask the instance's metadata service.
    Ecs(Metadata),
    /// Ask this address.
    Uri(Url),
    /// Assume a role with a token.
    Oidc(OidcRole),
    /// Assume a role with another key.
    Assumed(Role, Box<Way>),
}

/// The metadata service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Its base URL.
    pub(super) url: Url,
    /// The role; none if the service should tell it.
    pub(super) role: Option<String>,
    /// Whether it may be asked without a token. Then anybody who can make this machine fetch a page can get the key.
    pub(super) without_token: bool,
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session: String,
    pub(super) external_id: Option<String>,
    pub(super) policy: Option<String>,
    /// For how long, in seconds.
    pub(super) seconds: u32,
    pub(super) sts: Endpoint,
}

/// A role to assume with the token in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OidcRole {
    pub(super) role: Role,
    pub(super) provider: String,
    pub(super) token_file: PathBuf,
}

/// A source that was chosen.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) way: Way,
    pub(super) source: Source,
    /// A change of these files means another key.
    pub(super) files: Vec<PathBuf>,
}
