//! The CLI's profile file, as `aliyun configure` writes it: a profile is a key, or says how to get one.

use std::path::Path;

use serde::Deserialize;

use super::chain::{Chain, ROLE_SECONDS, ROLE_SECONDS_MIN};
use super::files::{Owners, once_more, private, unusable};
use super::way::{OidcRole, Plan, Role, Source, Way};
use super::{Error, pair};

/// The needed part of the file.
#[derive(Deserialize)]
struct Profiles {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Profile {
    name: String,
    mode: String,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    sts_token: Option<String>,
    ram_role_arn: String,
    ram_session_name: String,
    ram_role_name: String,
    external_id: String,
    policy: String,
    expired_seconds: u32,
    sts_region: String,
    enable_vpc: Option<bool>,
    #[serde(rename = "source_profile")]
    source: String,
    oidc_provider_arn: String,
    oidc_token_file: String,
}

/// What a profile means: the named one, or else the current one.
pub(super) fn read(path: &Path, name: Option<&str>, owners: &Owners, chain: Chain<'_>) -> Result<Plan, Error> {
    once_more(|| {
        let text = private(path, owners)?;
        let file: Profiles = serde_json::from_str(&text)
            .map_err(|error| unusable(path, format!("line {} is not as it should be", error.line())))?;
        let name = name.unwrap_or(&file.current);
        let source = Source::Profile { path: path.to_path_buf(), name: name.to_owned() };
        let file = File { path, profiles: &file.profiles, chain, source: &source };
        let way = file.way(name, &mut Vec::new())?;
        Ok(Plan { way, source: source.clone(), files: vec![path.to_path_buf()] })
    })
}

/// A parsed file, and for whom.
struct File<'a> {
    path: &'a Path,
    profiles: &'a [Profile],
    chain: Chain<'a>,
    source: &'a Source,
}

impl File<'_> {
    /// `seen` are the profiles that led here.
    fn way(&self, name: &str, seen: &mut Vec<String>) -> Result<Way, Error> {
        let is_again = seen.iter().any(|before| before == name);
        seen.push(name.to_owned());
        if is_again {
            let circle = seen.join(" -> ");
            return Err(
                self.wrong(format!("its profiles name each other in a circle: {circle}; correct a source_profile"))
            );
        }
        let Some(profile) = self.profiles.iter().find(|profile| profile.name == name) else {
            let what = if name.is_empty() {
                "it has no current profile".to_owned()
            } else {
                format!(
                    "it has no profile {name:?}, which is named by `current`, a source_profile, [credentials] profile \
                         or ALIBABA_CLOUD_PROFILE"
                )
            };
            return Err(self.wrong(what));
        };
        match profile.mode.as_str() {
            "AK" | "StsToken" => self.key(profile),
            "RamRoleArn" => Ok(Way::Assumed(self.role(profile)?, Box::new(self.key(profile)?))),
            "ChainableRamRoleArn" => {
                let source = self.needed(profile, "source_profile", &profile.source)?;
                let with = self.way(&source, seen)?;
                Ok(Way::Assumed(self.role(profile)?, Box::new(with)))
            }
            "EcsRamRole" => {
                let mut metadata = self.chain.metadata()?;
                metadata.role = Some(profile.ram_role_name.clone()).filter(|name| !name.is_empty()).or(metadata.role);
                Ok(Way::Ecs(metadata))
            }
            "OIDC" => Ok(Way::Oidc(OidcRole {
                role: self.role(profile)?,
                provider: self.needed(profile, "oidc_provider_arn", &profile.oidc_provider_arn)?,
                token_file: self.needed(profile, "oidc_token_file", &profile.oidc_token_file)?.into(),
            })),
            mode => {
                let why = match mode {
                    "CloudSSO" | "OAuth" => " needs a browser",
                    "External" => " runs a program",
                    _ => " is not known",
                };
                Err(self.wrong(format!(
                    "its profile {name:?} has the mode {mode}, which{why}; read are AK, StsToken, RamRoleArn, \
                     EcsRamRole, OIDC and ChainableRamRoleArn"
                )))
            }
        }
    }

    fn key(&self, profile: &Profile) -> Result<Way, Error> {
        let names = ["access_key_id", "access_key_secret", "sts_token"];
        // The CLI leaves another mode's token in place.
        let token = profile.sts_token.clone().filter(|_| profile.mode != "AK");
        let values = [profile.access_key_id.clone(), profile.access_key_secret.clone(), token];
        let key = pair(self.source, names, values)?;
        let lacking =
            || self.wrong(format!("its profile {:?} has no access_key_id; `aliyun configure` sets it", profile.name));
        key.map(Way::Key).ok_or_else(lacking)
    }

    fn role(&self, profile: &Profile) -> Result<Role, Error> {
        let arn = self.needed(profile, "ram_role_arn", &profile.ram_role_arn)?;
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let role = self.chain.role_of(&arn, Some(&profile.sts_region), profile.enable_vpc);
        let seconds = if profile.expired_seconds == 0 { ROLE_SECONDS } else { profile.expired_seconds };
        Ok(Role {
            session: given(&profile.ram_session_name).unwrap_or(role.session),
            external_id: given(&profile.external_id).or(role.external_id),
            policy: given(&profile.policy),
            seconds: seconds.max(ROLE_SECONDS_MIN),
            ..role
        })
    }

    fn needed(&self, profile: &Profile, name: &str, value: &str) -> Result<String, Error> {
        if value.is_empty() {
            let (profile, mode) = (&profile.name, &profile.mode);
            return Err(
                self.wrong(format!("its profile {profile:?} has no {name}, which the mode {mode} needs; set it"))
            );
        }
        Ok(value.to_owned())
    }

    fn wrong(&self, what: String) -> Error {
        unusable(self.path, what)
    }
}
