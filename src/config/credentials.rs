//! `[credentials]`: where the access key comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::addresses::Endpoint;

/// `[credentials]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Which source is used.
    pub source: KeySource,
    /// A file with the access key, one `NAME=value` per line with the names of the environment; only its owner may read
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The profile of the CLI's file or of the ini file; else `ALIBABA_CLOUD_PROFILE`, else the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role that is assumed: with the OIDC token, or with the key that the source has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// How the session of an assumed role is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_session_name: Option<String>,
    /// What the role's trust policy asks for beside the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Who vouches for the OIDC token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_provider_arn: Option<String>,
    /// The file with the OIDC token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_token_file: Option<PathBuf>,
    /// Base URL of the service that assumes roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sts_endpoint: Option<Endpoint>,
}

/// `[credentials] source`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum KeySource {
    /// The first that has a key, in the order of the following ones.
    #[default]
    Auto,
    /// systemd's credentials directory.
    Systemd,
    /// `[credentials] file`
    File,
    /// The environment.
    Env,
    /// A role that is assumed with the token of an OIDC provider, as a cluster gives it to its pods.
    Oidc,
    /// The CLI's `~/.aliyun/config.json`.
    Profile,
    /// The SDKs' ini file, `~/.alibabacloud/credentials` or `~/.alibabacloud/credentials.ini`.
    Ini,
    /// The role of the ECS instance, from its metadata service.
    Ecs,
    /// `ALIBABA_CLOUD_CREDENTIALS_URI`
    Uri,
}

impl KeySource {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
