//! The configuration: one TOML file. Every key is optional; an unknown key or a bad value is an error that names its
//! line. The shipped `config/prefetchd.toml` lists every key with its default; a test compares it with this module.

mod addresses;
mod conditions;
mod credentials;
mod database;
mod mistakes;
mod product;
mod robots;
mod sections;
mod values;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use addresses::{Endpoint, ProxyUrl};
pub use credentials::{KeySource, Keys};
pub use database::{DatabaseUrl, ServerUrl, Tls};
pub use robots::{Robot, RobotKind, Template};
pub use sections::{
    Api, Area, Budget, Database, DirectoryBudget, Http, InDoubt, Level, Log, LogFormat, Notify, PurgeBudget, Retry,
    Schedule, Signature, Spool, Track, Ui,
};
pub use values::{Actions, HostPort, Number, Share, Span, UrlsPerDay, Window, in_words};

/// The last place where the configuration is looked for.
pub const SYSTEM_PATH: &str = "/etc/prefetchd/prefetchd.toml";

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The service and how it is called.
    pub api: Api,
    /// The folders of dropped files.
    pub spool: Spool,
    /// The database with queue and ledger.
    pub database: Database,
    /// What a day may cost.
    pub budget: Budget,
    /// When batches are sent, and how full.
    pub schedule: Schedule,
    /// What happens after a failure.
    pub retry: Retry,
    /// Where the access key is, if systemd does not provide it.
    pub credentials: Keys,
    /// Following what was accepted.
    pub track: Track,
    /// Whom to notify.
    pub notify: Notify,
    /// Metrics and health.
    pub http: Http,
    /// The log.
    pub log: Log,
    /// How it speaks to people.
    pub ui: Ui,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key, or has a value that is not allowed.
    #[error("in the configuration {path}: {what}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Key, line, and what is allowed.
        what: String,
    },
}

impl Config {
    /// Reads the configuration from the file `named`, else from the first of the usual places (DESIGN.md), else takes
    /// the defaults.
    ///
    /// # Errors
    ///
    /// A file that was named cannot be read, or a file that exists is not valid.
    pub fn load(named: Option<&Path>) -> Result<(Self, Option<PathBuf>), Error> {
        let Some(path) = named.map(Path::to_path_buf).or_else(find) else {
            return Ok((Self::default(), None));
        };
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let config = Self::from_toml(&text).map_err(|what| Error::Invalid { path: path.clone(), what })?;
        Ok((config, Some(path)))
    }

    /// Reads the configuration from TOML text.
    ///
    /// # Errors
    ///
    /// The message names each key that is wrong, its line, and what is allowed there.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let (config, mut mistakes) = mistakes::read(text);
        // What is left where mistakes are blanked is looked at, too: all is told at once.
        let config = config.map(|mut config| {
            config.set_defaults_of_product(|section, key| line_of(text, section, key).is_some());
            config
        });
        for (section, key, what) in config.iter().flat_map(conditions::wrong) {
            if mistakes.sections.iter().any(|wrong| wrong == section) {
                continue;
            }
            let line = line_of(text, section, key).map(|line| format!(" (line {line})")).unwrap_or_default();
            mistakes.told.push(format!("[{section}] {key}{line}: {what}"));
        }
        match config {
            Some(config) if mistakes.told.is_empty() => Ok(config),
            _ => Err(mistakes.told.join("\n")),
        }
    }

    /// What a running daemon takes from a reloaded configuration: everything except what it opened or was started with,
    /// which stays. Also returns the names of the keys whose change waits for a restart.
    pub fn reloaded(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut waiting = Vec::new();
        let mut stays = |key, changed: bool| {
            if changed {
                waiting.push(key);
            }
        };
        stays("[api] product", self.api.product != running.api.product);
        stays("[api] endpoint", self.api.endpoint != running.api.endpoint);
        stays("[spool] dir", self.spool.dir != running.spool.dir);
        stays("[database] url", self.database.url != running.database.url);
        stays("[database] host", self.database.host != running.database.host);
        stays("[http] listen", self.http.listen != running.http.listen);
        stays("[log] format", self.log.format != running.log.format);
        if self.api.product != running.api.product {
            // What belongs to the other product waits with it.
            self.api.clone_from(&running.api);
        }
        self.api.endpoint.clone_from(&running.api.endpoint);
        self.spool.dir.clone_from(&running.spool.dir);
        self.database.url.clone_from(&running.database.url);
        self.database.host.clone_from(&running.database.host);
        self.http.listen = running.http.listen;
        self.log.format = running.log.format;
        (self, waiting)
    }
}

impl Config {
    /// The file or folder whose owner is the service's user: the database, or the spool where that is on a server.
    pub fn of_the_service(&self) -> &Path {
        self.database.url.file().unwrap_or(&self.spool.dir)
    }
}

/// Section, key, and what is wrong there.
type Wrong = (&'static str, &'static str, String);

/// The places to look for a configuration when none is named, in order.
fn find() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set("PREFETCHD_CONFIG") {
        return Some(path.into());
    }
    set("CONFIGURATION_DIRECTORY")
        .map(|dir| Path::new(&dir).join("prefetchd.toml"))
        .into_iter()
        .chain([PathBuf::from(SYSTEM_PATH)])
        .find(|path| path.exists())
}

/// The line of a key, counted from 1.
fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let table = document.get_ref().get(section)?.get_ref().as_table()?;
    let (key, _) = table.iter().find(|(name, _)| name.get_ref().as_ref() == key)?;
    Some(text[..key.span().start].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;
