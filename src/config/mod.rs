//! The configuration: one TOML file. Every key is optional; an unknown key or a bad value is an error that names its
//! line. The shipped `config/prefetchd.toml` lists every key with its default; a test compares it with this module.

mod addresses;
mod credentials;
mod mistakes;
mod product;
mod robots;
mod sections;
mod values;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use addresses::{DatabaseUrl, Endpoint, ProxyUrl};
pub use credentials::{KeySource, Keys};
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
        let mut config = mistakes::read(text)?;
        config.set_defaults_of_product(|section, key| line_of(text, section, key).is_some());
        config.check().map_err(|(section, key, what)| {
            let line = line_of(text, section, key).map(|line| format!(" (line {line})")).unwrap_or_default();
            format!("[{section}] {key}{line}: {what}")
        })?;
        Ok(config)
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
        stays("[http] listen", self.http.listen != running.http.listen);
        stays("[log] format", self.log.format != running.log.format);
        if self.api.product != running.api.product {
            // What belongs to the other product waits with it.
            self.api.clone_from(&running.api);
        }
        self.api.endpoint.clone_from(&running.api.endpoint);
        self.spool.dir.clone_from(&running.spool.dir);
        self.database.url.clone_from(&running.database.url);
        self.http.listen = running.http.listen;
        self.log.format = running.log.format;
        (self, waiting)
    }

    /// Checks conditions between keys.
    fn check(&self) -> Result<(), Wrong> {
        let requests = self.budget.requests_per_day.get();
        if self.budget.reserve.get() > requests {
            return Err(("budget", "reserve", format!("must be at most requests_per_day, which is {requests}")));
        }
        let backoff_min = self.retry.backoff_min.get();
        if self.retry.backoff_max.get() < backoff_min {
            return Err(("retry", "backoff_max", format!("must be at least backoff_min, {}", in_words(backoff_min))));
        }
        if self.notify.command.as_ref().is_some_and(Vec::is_empty) {
            return Err(("notify", "command", "must name a program, or be left out".to_owned()));
        }
        if let Some((key, what)) = robots::wrong(&self.notify.robot) {
            return Err(("notify", key, what));
        }
        if let Some(wrong) = self.spool.domains.iter().find(|domain| !is_host(domain)) {
            let what = format!(
                "`{wrong}` is no host name; allowed are names like \"vod.example.com\", without scheme or path"
            );
            return Err(("spool", "domains", what));
        }
        self.check_http()?;
        if !self.spool.dir.is_absolute() {
            return Err(("spool", "dir", "must be an absolute path".to_owned()));
        }
        self.check_keys()?;
        self.check_api()?;
        if !self.database.url.path().is_absolute() {
            return Err(("database", "url", "must name an absolute path".to_owned()));
        }
        Ok(())
    }
}

impl Config {
    fn check_keys(&self) -> Result<(), Wrong> {
        let keys = &self.credentials;
        for (key, path) in [("file", &keys.file), ("oidc_token_file", &keys.oidc_token_file)] {
            if path.as_ref().is_some_and(|path| !path.is_absolute()) {
                return Err(("credentials", key, "must be an absolute path".to_owned()));
            }
        }
        if keys.source == KeySource::File && keys.file.is_none() {
            let what = "\"file\" needs `file = \"/path/of/the/key\"` beside it".to_owned();
            return Err(("credentials", "source", what));
        }
        for (key, arn) in [("role_arn", &keys.role_arn), ("oidc_provider_arn", &keys.oidc_provider_arn)] {
            if let Some(arn) = arn.as_ref().filter(|arn| !arn.starts_with("acs:ram:")) {
                return Err((
                    "credentials",
                    key,
                    format!("`{arn}` is no ARN; allowed is one like \"acs:ram::1234:role/name\""),
                ));
            }
        }
        Ok(())
    }

    fn check_http(&self) -> Result<(), Wrong> {
        if let Some(wrong) = self.http.hosts.iter().find(|name| !is_host(name) && !is_ipv6(name)) {
            let what = format!(
                "`{wrong}` is no host name or address; allowed are names like \"warm.example.com\", without port"
            );
            return Err(("http", "hosts", what));
        }
        if !is_base(&self.http.base_path) {
            let what = format!(
                "`{}` is no base path; allowed are \"\" and paths like \"/prefetchd\": it begins with `/`, does not \
                 end with one, and has letters, digits, `-`, `_`, `.` and `/`",
                self.http.base_path
            );
            return Err(("http", "base_path", what));
        }
        if self.http.pages && self.http.listen.is_none() {
            return Err(("http", "pages", "needs an address: set listen too, as in \"127.0.0.1:9464\"".to_owned()));
        }
        if let Some(listen) = self.http.listen.filter(|listen| !self.http.allow_remote && !listen.ip().is_loopback()) {
            let what = format!(
                "{listen} can be reached from other machines, and whoever reaches it reads file names, labels and \
                 counts; set allow_remote = true if that is meant, or use \"127.0.0.1:{}\"",
                listen.port()
            );
            return Err(("http", "listen", what));
        }
        Ok(())
    }

    fn check_api(&self) -> Result<(), Wrong> {
        let sts = self.credentials.sts_endpoint.as_ref();
        for (section, key, endpoint) in
            [("api", "endpoint", Some(&self.api.endpoint)), ("credentials", "sts_endpoint", sts)]
        {
            if let Some(endpoint) = endpoint.filter(|endpoint| endpoint.is_open() && !self.api.allow_http) {
                let what = format!(
                    "`{endpoint}` is plain http, which is for loopback addresses only: everybody on the way could \
                     read and replay calls; set [api] allow_http = true if that is meant"
                );
                return Err((section, key, what));
            }
        }
        self.api.check_product()?;
        if self.api.ca_file.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(("api", "ca_file", "must be an absolute path".to_owned()));
        }
        Ok(())
    }
}

/// Section, key, and what is wrong there.
type Wrong = (&'static str, &'static str, String);

/// Whether it may be the name or the IPv4 address of a host.
fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Whether it may stand before the paths of the pages.
fn is_base(path: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
}

/// Whether it is an IPv6 address in brackets, as in URLs.
fn is_ipv6(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

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
