//! Why there is no key, each in one sentence that says what to do.

use std::path::PathBuf;

use super::{ID_VARIABLE, SECRET_VARIABLE, Source, TOKEN_VARIABLE};

/// No usable credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is configured.
    #[error(
        "no credentials: looked for access-key-id and access-key-secret among systemd's credentials, for \
         [credentials] file, in the environment for {ID_VARIABLE} and {SECRET_VARIABLE} (with {TOKEN_VARIABLE} for \
         temporary ones), for an OIDC role, for ~/.aliyun/config.json and ~/.alibabacloud/credentials, for an ECS \
         instance's role and ALIBABA_CLOUD_CREDENTIALS_URI; docs/credentials.md shows how to make them"
    )]
    None,
    /// The configured source does not exist.
    #[error("[credentials] source = \"{source_word}\": {what}")]
    Absent {
        /// The word in the configuration.
        source_word: &'static str,
        /// What is missing, and what to do.
        what: String,
    },
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
        "the key file {path} has mode {mode:04o}: others than its owner may read it; \
         `chmod 600 {path}`, and change the key"
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
    #[error(
        "the key file {path} lies in {folder}, which {why}; `{remedy}`",
        path = path.display(), folder = folder.display()
    )]
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
    /// The text there cannot be a key.
    #[error("in {place}, {name} {what}, which no key has; write it down again")]
    Odd {
        /// Where.
        place: Source,
        /// Which part of the key.
        name: &'static str,
        /// What is wrong, without a part of the value.
        what: &'static str,
    },
    /// The file cannot be read or is not valid.
    #[error("the key file {path}: {what}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, without a part of the content.
        what: String,
    },
    /// A source on the network does not give the key now; it may do so later.
    #[error("{place} gives no key: {what}")]
    NotGiven {
        /// Who.
        place: Source,
        /// What is wrong, and what to do.
        what: String,
    },
}

impl Error {
    /// Whether it may pass by itself, without a change of a file or the configuration.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NotGiven { .. })
    }
}
