//! Where keys come from. They are read again whenever another one is needed, kept as secrets, and never printed. The
//! [`Provider`] hands the key in use to every stage.
//!
//! The first of the places in `chain` that exists is the source (docs/credentials.md). It leads to a `Way`: a key that
//! can be read, or the calls (`fetch`) that give one for a while (`life`). A key that can be read is read before
//! anything starts, and an error there is the operator's to correct; a key from the network is waited for.
//!
//! A file that others than root and the service's user may read or change is refused; systemd protects what it hands
//! over.

mod chain;
mod error;
mod fetch;
mod files;
mod ini;
mod life;
mod password;
mod profile;
mod provider;
mod value;
mod way;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{Api, Config, KeySource, Keys};
use chain::{Chain, Place, World, candidates};
use files::Owners;
use life::Life;
use way::{OidcRole, Plan, Way};

pub use error::Error;
pub use fetch::OBTAINED_WITHIN;
pub use password::{database_password, role};
pub use provider::{Generation, Key, KeyState, NoKey, Provider, WAIT_MAX};
pub use way::Source;

/// The variables of the official SDKs (VOD-API.md, "Credentials").
pub const ID_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
/// The secret beside [`ID_VARIABLE`].
pub const SECRET_VARIABLE: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
/// The token of temporary (STS) credentials.
pub const TOKEN_VARIABLE: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// The common beginning of all variables that contain keys or addresses of keys.
pub const VARIABLES: &str = "ALIBABA_CLOUD_";

/// The variable in which systemd tells the folder of a service's credentials.
const DIRECTORY_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Where `LoadCredential=` without a path looks for them; only root can read there.
const CREDSTORE: &str = "/etc/credstore";

/// The names that the service's unit gives them.
const NAMES: [&str; 3] = ["access-key-id", "access-key-secret", "security-token"];

/// The kernel's file with the maker of this machine, which tells Alibaba Cloud's instances.
const VENDOR: &str = "/sys/class/dmi/id/sys_vendor";

/// An access key.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key's public ID.
    pub access_key_id: String,
    /// The secret.
    pub access_key_secret: SecretString,
    /// The token of temporary credentials.
    pub security_token: Option<SecretString>,
}

impl Credentials {
    /// The last four characters of the key's ID: enough to recognize it.
    pub fn tail(&self) -> &str {
        let id = self.access_key_id.as_str();
        id.len().checked_sub(4).and_then(|at| id.get(at..)).unwrap_or(id)
    }
}

/// The source that was chosen, and its key if it can be read without the network.
#[derive(Debug, Clone)]
pub struct Prepared {
    sources: Places,
    source: Source,
    found: Option<Found>,
}

impl Prepared {
    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// A key, and everything known about it.
#[derive(Debug, Clone)]
struct Found {
    credentials: Credentials,
    source: Source,
    /// None if the key does not end by itself.
    life: Option<Life>,
    /// A change of these files means another key.
    files: Vec<PathBuf>,
}

/// The text of a file that only root and the service's user may read or have written, such as the URL of a robot.
///
/// # Errors
///
/// It cannot be read, or others may read or change it; says what to do.
pub fn secret_file(path: &std::path::Path, config: &Config) -> Result<SecretString, Error> {
    files::once_more(|| files::private(path, &Owners::of(config))).map(SecretString::from)
}

/// A credential that systemd hands to the service (`LoadCredential=`).
///
/// # Errors
///
/// There is none of this name.
pub fn credential(name: &str) -> Result<SecretString, Error> {
    let place = std::env::var_os(DIRECTORY_VARIABLE).map(|folder| PathBuf::from(folder).join(name));
    let found = place.as_deref().map(files::optional).transpose()?.flatten();
    let what = "the unit has no such credential: `systemctl edit` it with LoadCredential=";
    found.map(SecretString::from).ok_or_else(|| files::unusable(std::path::Path::new(name), what))
}

/// Chooses the source, and reads its key if that needs no network.
///
/// # Errors
///
/// No source has a usable key; says where it looked or what is wrong there.
pub fn prepare(config: &Config) -> Result<Prepared, Error> {
    prepare_in(Places::of(config))
}

/// Like [`prepare`], but if the service's own variables are missing, root reads what systemd would load for the service
/// of this instance.
///
/// # Errors
///
/// Like [`prepare`].
pub fn prepare_as_the_service(config: &Config, instance: Option<&str>) -> Result<Prepared, Error> {
    let mut places = Places::of(config);
    if rustix::process::geteuid().is_root() {
        let prefix = instance.map_or("prefetchd.".to_owned(), |name| format!("prefetchd.{name}."));
        places.credstore = Some((PathBuf::from(CREDSTORE), prefix));
    }
    prepare_in(places)
}

fn prepare_in(sources: Places) -> Result<Prepared, Error> {
    let Plan { way, source, files } = sources.plan()?;
    let found = match way {
        Way::Key(credentials) => Some(Found { credentials, source: source.clone(), life: None, files }),
        _ => None,
    };
    Ok(Prepared { sources, source, found })
}

/// The configured sources, and who may own their files.
#[derive(Debug, Clone)]
struct Places {
    keys: Keys,
    /// The settings for calls.
    api: Api,
    owners: Owners,
    /// Where systemd would load credentials for the service, and how their names begin.
    credstore: Option<(PathBuf, String)>,
}

impl Places {
    fn of(config: &Config) -> Self {
        Self { keys: config.credentials.clone(), api: config.api.clone(), owners: Owners::of(config), credstore: None }
    }

    /// Takes the snapshot, chooses, and reads the files of the chosen source.
    fn plan(&self) -> Result<Plan, Error> {
        let (world, loaded) = self.look_around()?;
        let chain = Chain { keys: &self.keys, world: &world };
        let place = chain.decide()?;
        let is_oidc = matches!(place, Place::Oidc(_));
        let Plan { way, source, files } = self.read(place, loaded, chain)?;
        match chain.role().filter(|_| !is_oidc) {
            Some(role) => {
                let source = Source::Assumed { role: role.arn.clone(), with: Box::new(source) };
                Ok(Plan { way: Way::Assumed(role, Box::new(way)), source, files })
            }
            None => Ok(Plan { way, source, files }),
        }
    }

    /// Takes the snapshot of what there is to choose from; also returns what systemd has loaded or would load.
    fn look_around(&self) -> Result<(World, Option<(Credentials, Source)>), Error> {
        let is_ours = |name: &str| name.starts_with(VARIABLES) || name.starts_with("PREFETCHD_") || name == "HOME";
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables = variables.filter(|(name, _)| is_ours(name)).collect::<std::collections::BTreeMap<_, _>>();
        let files = candidates(|name| variables.get(name).filter(|value| !value.is_empty()).cloned());
        // A home that cannot be read counts as one without a profile.
        let files = files.into_iter().filter(|path| path.exists()).collect();
        let is_asked = matches!(self.keys.source, KeySource::Auto | KeySource::Systemd);
        let loaded = if is_asked { self.loaded()? } else { None };
        let is_ecs = std::fs::read_to_string(VENDOR).is_ok_and(|vendor| vendor.contains("Alibaba Cloud"));
        let systemd = loaded.as_ref().map(|_| PathBuf::from(CREDSTORE));
        Ok((World { variables, systemd, files, is_ecs }, loaded))
    }

    fn loaded(&self) -> Result<Option<(Credentials, Source)>, Error> {
        if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE).filter(|value| !value.is_empty())
            && let Some(found) = from_directory(Path::new(&directory), Path::new(CREDSTORE))?
        {
            return Ok(Some((found, Source::Systemd)));
        }
        let Some((folder, prefix)) = &self.credstore else { return Ok(None) };
        let source = Source::Credstore(folder.join(format!("{prefix}access-key-id")));
        let [id, secret, token] = NAMES.map(|name| files::optional(&folder.join(format!("{prefix}{name}"))));
        let found = pair(&source, NAMES, [id?, secret?, token?])?;
        if found.is_some() {
            files::refuse_exposed_in(folder)?;
        }
        Ok(found.map(|found| (found, source)))
    }

    fn read(&self, place: Place, loaded: Option<(Credentials, Source)>, chain: Chain<'_>) -> Result<Plan, Error> {
        let at_hand = |key: Credentials, source| Plan { way: Way::Key(key), source, files: Vec::new() };
        match place {
            Place::Systemd(_) => loaded.map(|(key, source)| at_hand(key, source)).ok_or(Error::None),
            Place::File(path) => {
                let key = files::key_file(&path, &self.owners)?;
                Ok(Plan { files: vec![path.clone()], ..at_hand(key, Source::File(path)) })
            }
            Place::Environment => {
                let key = from_variables(&Source::Environment, |name| std::env::var(name).ok())?.ok_or(Error::None)?;
                Ok(at_hand(key, Source::Environment))
            }
            Place::Oidc(oidc) => {
                let role = chain.role_of(&oidc.role_arn, None, None);
                let role = OidcRole { role, provider: oidc.provider, token_file: oidc.token_file };
                Ok(Plan { way: Way::Oidc(role), source: Source::Oidc(oidc.role_arn), files: Vec::new() })
            }
            Place::Profile { path, name } => profile::read(&path, name.as_deref(), &self.owners, chain),
            Place::Ini { path, name } => ini::read(&path, &name, &self.owners, chain),
            Place::Ecs(metadata) => {
                let source = Source::Ecs(metadata.role.clone());
                Ok(Plan { way: Way::Ecs(metadata), source, files: Vec::new() })
            }
            Place::Uri(url) => {
                // The part after the path may be a secret.
                let shown = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
                Ok(Plan { way: Way::Uri(url), source: Source::Uri(shown), files: Vec::new() })
            }
        }
    }
}

/// Gets the present key of a source, with all calls that this takes.
async fn obtain(places: Places) -> Result<Found, Error> {
    let at = places.clone();
    // A file on a network file system may block its reader, so the runtime's own threads are not used.
    let plan = tokio::task::spawn_blocking(move || at.plan()).await;
    // Only the end of the process cancels it; a panic aborts the process.
    let Plan { way, source, files } = plan.map_err(|_| Error::None)??;
    let (credentials, life) = fetch::Fetcher { source: &source, places: &places }.obtain(&way).await?;
    Ok(Found { credentials, source, life, files })
}

/// The time since boot, which measures the lives of keys.
fn boot() -> Duration {
    crate::clock::Clock::system().moment().boot
}

/// The key that systemd loaded, if there is one. systemd protects what it hands over; this checks the files it was
/// loaded from.
fn from_directory(directory: &Path, credstore: &Path) -> Result<Option<Credentials>, Error> {
    let [id, secret, token] = NAMES.map(|name| files::optional(&directory.join(name)));
    let found = pair(&Source::Systemd, NAMES, [id?, secret?, token?])?;
    if found.is_some() {
        files::refuse_exposed_in(credstore)?;
    }
    Ok(found)
}

/// The credentials in variables of this place, if there are any.
fn from_variables(place: &Source, get: impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, Error> {
    let names = [ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE];
    pair(place, names, names.map(get))
}

/// ID, secret and token. The first two are required; an empty value counts as unset.
fn pair(place: &Source, names: [&'static str; 3], values: [Option<String>; 3]) -> Result<Option<Credentials>, Error> {
    let values = values.map(|value| value.map(|text| value::bare(&text).to_owned()).filter(|text| !text.is_empty()));
    let place = || place.clone();
    for (name, text) in names.into_iter().zip(&values) {
        if let Some(what) = text.as_deref().and_then(value::oddity) {
            return Err(Error::Odd { place: place(), name, what });
        }
    }
    let ([id, secret, token], [id_name, secret_name, _]) = (values, names);
    match (id, secret) {
        (Some(access_key_id), Some(secret)) => Ok(Some(Credentials {
            access_key_id,
            access_key_secret: secret.into(),
            security_token: token.map(Into::into),
        })),
        (Some(_), None) => Err(Error::Incomplete { place: place(), set: id_name, missing: secret_name }),
        (None, Some(_)) => Err(Error::Incomplete { place: place(), set: secret_name, missing: id_name }),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
