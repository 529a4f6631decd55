//! Decides which source of keys is used, from the configuration and a snapshot of the environment. It follows the order
//! of the official SDKs (SIBLING-APIS.md, G), with systemd's credentials and `[credentials] file` before them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use super::error::Error;
use super::way::{Metadata, Role};
use super::{ID_VARIABLE, SECRET_VARIABLE};
use crate::config::{Endpoint, KeySource, Keys};

const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";
const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const SESSION: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
const EXTERNAL_ID: &str = "ALIBABA_CLOUD_EXTERNAL_ID";
const OIDC_PROVIDER: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const CLI_DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
const CLI_FILE: &str = "ALIBABA_CLOUD_CONFIG_FILE";
const INI_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
const ECS_ROLE: &str = "ALIBABA_CLOUD_ECS_METADATA";
const ECS_DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const STS_REGION: &str = "ALIBABA_CLOUD_STS_REGION";
const VPC: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";

/// Tests put a metadata service of their own here; only an address of this machine is accepted.
const METADATA: &str = "PREFETCHD_METADATA_ENDPOINT";

/// The metadata service of every ECS instance.
const METADATA_URL: &str = "http://100.100.100.200";

/// The session name by default.
const SESSION_DEFAULT: &str = "prefetchd";

/// How long a role is assumed, by default and at least, in seconds (SIBLING-APIS.md, G).
pub(super) const ROLE_SECONDS: u32 = 3_600;
pub(super) const ROLE_SECONDS_MIN: u32 = 900;

/// What there is to choose from.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// Variables with a value.
    pub(super) variables: BTreeMap<String, String>,
    /// The folder of systemd's credentials, if it has a part of a key.
    pub(super) systemd: Option<PathBuf>,
    /// Which of the candidate files exist.
    pub(super) files: Vec<PathBuf>,
    /// Whether this machine says that it is an ECS instance.
    pub(super) is_ecs: bool,
}

/// The source that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Systemd(PathBuf),
    File(PathBuf),
    Environment,
    Oidc(Oidc),
    Profile { path: PathBuf, name: Option<String> },
    Ini { path: PathBuf, name: String },
    Ecs(Metadata),
    Uri(Url),
}

/// The parts of an OIDC role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Oidc {
    pub(super) role_arn: String,
    pub(super) provider: String,
    pub(super) token_file: PathBuf,
}

/// The inputs of the decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain<'a> {
    pub(super) keys: &'a Keys,
    pub(super) world: &'a World,
}

/// The files to look for: whether they exist is a part of the [`World`].
pub(super) fn candidates(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let under_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let cli = variable(CLI_FILE).map(PathBuf::from).or_else(|| under_home(".aliyun/config.json"));
    let ini = match variable(INI_FILE) {
        Some(path) => vec![PathBuf::from(path)],
        None => INI_NAMES.iter().filter_map(|name| under_home(name)).collect(),
    };
    cli.into_iter().chain(ini).collect()
}

/// Python and Java read the first, Go and Node the second (SIBLING-APIS.md, G).
const INI_NAMES: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];

impl Chain<'_> {
    /// Decides for a source.
    pub(super) fn decide(&self) -> Result<Place, Error> {
        let absent = |what: String| Error::Absent { source_word: self.keys.source.word(), what };
        match self.keys.source {
            KeySource::Auto => self.first()?.ok_or(Error::None),
            KeySource::Systemd => self.systemd().ok_or_else(|| {
                absent(
                    "$CREDENTIALS_DIRECTORY has no access-key-id and access-key-secret; put them where \
                        LoadCredential= of the service finds them, and `sudo systemctl restart prefetchd`"
                        .to_owned(),
                )
            }),
            KeySource::File => self.file().ok_or_else(|| absent("[credentials] file is not set; set it".to_owned())),
            KeySource::Env => {
                self.environment().ok_or_else(|| absent(format!("set {ID_VARIABLE} and {SECRET_VARIABLE}")))
            }
            KeySource::Oidc => self.oidc().map_err(|missing| {
                absent(format!("{} are not set; set them, or the keys of [credentials] for them", missing.join(", ")))
            }),
            KeySource::Profile => self.profile().ok_or_else(|| {
                absent("there is no ~/.aliyun/config.json of this user; `aliyun configure` makes it".to_owned())
            }),
            KeySource::Ini => self.ini().ok_or_else(|| {
                absent(format!(
                    "there is no ~/.{} nor ~/.{}; {INI_FILE} may name another file",
                    &INI_NAMES[0][1..],
                    &INI_NAMES[1][1..]
                ))
            }),
            KeySource::Ecs => self.metadata().map(Place::Ecs),
            KeySource::Uri => self.uri()?.ok_or_else(|| absent(format!("set {URI}"))),
        }
    }

    fn first(&self) -> Result<Option<Place>, Error> {
        let at_hand = self.systemd().or_else(|| self.file()).or_else(|| self.environment());
        let at_hand = at_hand.or_else(|| self.oidc().ok());
        if let Some(place) = at_hand.or_else(|| self.profile()).or_else(|| self.ini()) {
            return Ok(Some(place));
        }
        let is_instance = self.world.is_ecs || self.get(ECS_ROLE).is_some();
        if is_instance && !self.is_true(ECS_DISABLED) {
            return self.metadata().map(|metadata| Some(Place::Ecs(metadata)));
        }
        self.uri()
    }

    fn systemd(&self) -> Option<Place> {
        self.world.systemd.clone().map(Place::Systemd)
    }

    fn file(&self) -> Option<Place> {
        self.keys.file.clone().map(Place::File)
    }

    fn environment(&self) -> Option<Place> {
        let is_set = |name| self.get(name).is_some();
        (is_set(ID_VARIABLE) || is_set(SECRET_VARIABLE)).then_some(Place::Environment)
    }

    /// The OIDC role, or its missing parts.
    fn oidc(&self) -> Result<Place, Vec<&'static str>> {
        let keys = self.keys;
        let token_file = keys.oidc_token_file.clone().or_else(|| self.get(OIDC_TOKEN).map(PathBuf::from));
        let role_arn = self.or_variable(keys.role_arn.as_ref(), ROLE_ARN);
        let provider = self.or_variable(keys.oidc_provider_arn.as_ref(), OIDC_PROVIDER);
        match (role_arn, provider, token_file) {
            (Some(role_arn), Some(provider), Some(token_file)) => {
                Ok(Place::Oidc(Oidc { role_arn, provider, token_file }))
            }
            (role, provider, file) => {
                let parts =
                    [(role.is_none(), ROLE_ARN), (provider.is_none(), OIDC_PROVIDER), (file.is_none(), OIDC_TOKEN)];
                Err(parts.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, name)| name).collect())
            }
        }
    }

    fn profile(&self) -> Option<Place> {
        let is_off = self.keys.source == KeySource::Auto && self.is_true(CLI_DISABLED);
        let path = self.existing(|path| !self.is_ini(path)).filter(|_| !is_off)?;
        Some(Place::Profile { path, name: self.profile_name() })
    }

    fn ini(&self) -> Option<Place> {
        let path = self.existing(|path| self.is_ini(path))?;
        Some(Place::Ini { path, name: self.profile_name().unwrap_or_else(|| "default".to_owned()) })
    }

    fn profile_name(&self) -> Option<String> {
        self.or_variable(self.keys.profile.as_ref(), PROFILE)
    }

    fn existing(&self, is: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let files = candidates(|name| self.get(name).map(str::to_owned));
        files.into_iter().find(|path| is(path) && self.world.files.contains(path))
    }

    fn is_ini(&self, path: &Path) -> bool {
        self.get(INI_FILE).map(Path::new) == Some(path) || INI_NAMES.iter().any(|name| path.ends_with(name))
    }

    /// The instance's metadata service.
    pub(super) fn metadata(&self) -> Result<Metadata, Error> {
        let text = self.get(METADATA).unwrap_or(METADATA_URL);
        let url = Url::parse(text).ok().filter(|url| text == METADATA_URL || is_loopback(url));
        let wrong = || Error::Absent {
            source_word: self.keys.source.word(),
            what: format!("{METADATA} is for tests, and takes an address of this machine only; unset it"),
        };
        Ok(Metadata {
            url: url.ok_or_else(wrong)?,
            role: self.get(ECS_ROLE).map(str::to_owned),
            without_token: self.get(V1_DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("false")),
        })
    }

    /// The address that answers with keys, if one is set.
    pub(super) fn uri(&self) -> Result<Option<Place>, Error> {
        let Some(text) = self.get(URI) else { return Ok(None) };
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let wrong = || Error::Absent {
            source_word: KeySource::Uri.word(),
            what: format!("{URI} is no http or https URL; correct it"),
        };
        url.map(|url| Some(Place::Uri(url))).ok_or_else(wrong)
    }

    /// The role to assume with the source's key, if the configuration names one.
    pub(super) fn role(&self) -> Option<Role> {
        self.keys.role_arn.as_ref().map(|arn| self.role_of(arn, None, None))
    }

    /// A role with everything configured for its session; `region` and `in_vpc` come from the profile.
    pub(super) fn role_of(&self, arn: &str, region: Option<&str>, in_vpc: Option<bool>) -> Role {
        Role {
            arn: arn.to_owned(),
            session: self
                .or_variable(self.keys.role_session_name.as_ref(), SESSION)
                .unwrap_or_else(|| SESSION_DEFAULT.to_owned()),
            external_id: self.or_variable(self.keys.external_id.as_ref(), EXTERNAL_ID),
            policy: None,
            seconds: ROLE_SECONDS,
            sts: self.sts(region, in_vpc),
        }
    }

    /// The endpoint for assuming roles.
    fn sts(&self, region: Option<&str>, in_vpc: Option<bool>) -> Endpoint {
        let region = region.filter(|region| !region.is_empty()).or_else(|| self.get(STS_REGION));
        let is_name = |region: &&str| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let regional = region.filter(is_name).and_then(|region| {
            let vpc = if in_vpc.unwrap_or_else(|| self.is_true(VPC)) { "-vpc" } else { "" };
            format!("https://sts{vpc}.{region}.aliyuncs.com").parse().ok()
        });
        let everywhere = || "https://sts.aliyuncs.com".parse().expect("it is a URL");
        self.keys.sts_endpoint.clone().or(regional).unwrap_or_else(everywhere)
    }

    fn or_variable(&self, configured: Option<&String>, name: &str) -> Option<String> {
        configured.cloned().or_else(|| self.get(name).map(str::to_owned))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.world.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
