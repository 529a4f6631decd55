//! The sections of the configuration, with their defaults and the bounds of each key.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::values::{HostPort, Number, Share, Span, UrlsPerDay, Window, from_text};
use crate::model::{DayStart, TextEncoding, TimeOfDay, UrlRules};

/// Seconds.
const DAY: u64 = 86_400;

/// `[api]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Base URL of the service; plain `http` only to a loopback address, unless `allow_http`.
    pub endpoint: Endpoint,
    /// Whether `http` may be spoken to other machines, where everybody on the way can read and replay calls.
    pub allow_http: bool,
    /// Certificates in PEM that are trusted beside the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The proxy of all calls to other machines; else the one of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// How calls prove who makes them.
    pub signature: Signature,
    /// Sent explicitly, because documents disagree about the default (VOD-API.md).
    pub area: Area,
    /// Warm only the layer nearest the origin.
    pub l2_preload: bool,
    /// Request headers the CDN uses towards the origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_header: Option<BTreeMap<String, Vec<String>>>,
    /// Calls a second at most.
    pub requests_per_second: Number<1, 100>,
    /// Total deadline of one call, from connecting to the last byte of its answer.
    pub timeout: Span<1, 600>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::default(),
            allow_http: false,
            ca_file: None,
            proxy: None,
            signature: Signature::V1,
            area: Area::Domestic,
            l2_preload: false,
            with_header: None,
            requests_per_second: Number::fixed(10),
            timeout: Span::seconds(30),
        }
    }
}

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// Holds `incoming/`, `work/`, `done/` and `rejected/`.
    pub dir: PathBuf,
    /// Longest URL after normalising, in bytes (VOD-API.md: 1,024 in sibling products).
    pub url_bytes_max: Number<16, 8192>,
    /// If given, URLs of other hosts are refused at once.
    pub domains: Vec<String>,
    /// How the bytes of files mean text, where they do not say so themselves.
    pub encoding: TextEncoding,
    /// How long `done/` and `rejected/` are kept.
    pub keep: Span<3_600, { 3650 * DAY }>,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/spool/prefetchd"),
            url_bytes_max: Number::fixed(1024),
            domains: Vec::new(),
            encoding: TextEncoding::Auto,
            keep: Span::seconds(30 * DAY),
        }
    }
}

impl Spool {
    /// What lines are checked against.
    pub fn url_rules(&self) -> UrlRules {
        UrlRules {
            url_bytes_max: self.url_bytes_max.get() as usize,
            domains: self.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        }
    }
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:` and a path.
    pub url: DatabaseUrl,
    /// How long ended URLs and their submissions are kept.
    pub keep: Span<{ 4 * DAY }, { 3650 * DAY }>,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: DatabaseUrl(PathBuf::from("/var/lib/prefetchd/prefetchd.db")), keep: Span::seconds(90 * DAY) }
    }
}

/// `[budget]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Hard cap on calls of `PreloadVodObjectCaches` a budget day (VOD-API.md: 500 an account).
    pub requests_per_day: Number<1, 1_000_000>,
    /// Cap on URLs a budget day.
    pub urls_per_day: UrlsPerDay,
    /// Requests kept for urgent URLs until `reserve_until`.
    pub reserve: Number<0, 1_000_000>,
    /// When what is left of the reserve is released.
    pub reserve_until: TimeOfDay,
    /// When the service's day starts.
    pub day_starts: DayStart,
    /// What becomes of a batch whose answer never came, where tasks may not be queried.
    pub in_doubt: InDoubt,
    /// How long an accepted task may take to be listed; after that a batch in doubt counts as not accepted.
    pub in_doubt_wait: Span<1, DAY>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            requests_per_day: Number::fixed(500),
            urls_per_day: UrlsPerDay::Auto,
            reserve: Number::fixed(0),
            reserve_until: TimeOfDay(chrono::NaiveTime::from_hms_opt(20, 0, 0).expect("20:00 is a time of day")),
            day_starts: DayStart::default(),
            in_doubt: InDoubt::Resubmit,
            in_doubt_wait: Span::seconds(300),
        }
    }
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// URLs a call at most (VOD-API.md: 1,000).
    pub batch_urls_max: Number<1, 1000>,
    /// How long a batch that is not full waits for more URLs when requests are scarce.
    pub linger: Span<0, DAY>,
    /// How long a completed URL counts as fresh.
    pub fresh_for: Span<0, { 365 * DAY }>,
    /// If given, only then; urgent ignores it.
    pub windows: Vec<Window>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            batch_urls_max: Number::fixed(1000),
            linger: Span::seconds(300),
            fresh_for: Span::seconds(DAY),
            windows: Vec::new(),
        }
    }
}

/// `[retry]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Real attempts of a URL.
    pub attempts_max: Number<1, 100>,
    /// First step of the exponential backoff.
    pub backoff_min: Span<1, 3_600>,
    /// Its longest step.
    pub backoff_max: Span<1, DAY>,
    /// A day's requests for finding what was wrong in refused batches.
    pub isolate_requests_max: Number<0, 1_000_000>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: Number::fixed(5),
            backoff_min: Span::seconds(2),
            backoff_max: Span::seconds(900),
            isolate_requests_max: Number::fixed(40),
        }
    }
}

/// `[track]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Track {
    /// Calls a second of `DescribeVodRefreshTasks`; sibling products allow 5 (VOD-API.md, "Limits").
    pub calls_per_second: Number<1, 100>,
    /// A batch is looked at for the first time so long after it was accepted.
    pub first_after: Span<1, DAY>,
    /// How often a URL that failed at the origin is sent once more.
    pub retry_failed: Number<0, 10>,
    /// So long after it failed.
    pub retry_after: Span<1, { 7 * DAY }>,
    /// Share of the completed URLs that are asked for through the CDN; none unless set.
    pub verify: Share,
    /// Of these, how many a second at most.
    pub verify_per_second: Number<1, 10>,
    /// Where they are asked for, instead of where DNS says. Named by the operator, so that it may be a private address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_via: Option<HostPort>,
}

impl Default for Track {
    fn default() -> Self {
        Self {
            calls_per_second: Number::fixed(3),
            first_after: Span::seconds(240),
            retry_failed: Number::fixed(1),
            retry_after: Span::seconds(1_800),
            verify: Share::NONE,
            verify_per_second: Number::fixed(1),
            verify_via: None,
        }
    }
}

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// A program and its arguments; gets one JSON object on its standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where metrics and health are served; nowhere unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Whether `listen` may be an address that other machines reach.
    pub allow_remote: bool,
    /// Names and addresses under which it is asked, beside those of this machine.
    pub hosts: Vec<String>,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least important events that are written; `PREFETCHD_LOG` overrides it.
    pub level: Level,
    /// How they are written.
    pub format: LogFormat,
}

/// `[log] level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Level {
    /// What keeps the daemon from working.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened: a few dozen events on a quiet day.
    #[default]
    Info,
    /// Every URL.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// `[log] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// With its fields to the journal where standard error is the journal's, else as text.
    #[default]
    Auto,
    /// An object a line.
    Json,
}

/// `[api] area`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Area {
    /// Mainland China.
    Domestic,
    /// Elsewhere.
    Overseas,
}

impl Area {
    /// The value of the parameter `Area`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// `[api] signature`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// HMAC-SHA1 in the form (VOD-API.md, "Signature").
    V1,
    /// ACS3-HMAC-SHA256 in headers (SIBLING-APIS.md, H).
    V3,
}

/// `[budget] in_doubt`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum InDoubt {
    /// Send the URLs anew under a new charge.
    Resubmit,
    /// Keep them for the operator.
    Hold,
}

/// The service's base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(url::Url);

impl Endpoint {
    /// The URL that is called.
    pub fn url(&self) -> &url::Url {
        &self.0
    }

    /// Whether calls go unencrypted over a network.
    pub fn is_open(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    /// As it stands in the header `Host`.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is an address of this machine.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        "https://vod.cn-shanghai.aliyuncs.com".parse().expect("the default endpoint is a URL")
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| {
            format!("`{text}` is no endpoint: {why}; allowed is a URL like \"https://vod.cn-shanghai.aliyuncs.com\"")
        };
        let endpoint = Self(url::Url::parse(text).map_err(|error| wrong(&error.to_string()))?);
        match endpoint.0.scheme() {
            "https" | "http" => {}
            _ => return Err(wrong("its scheme is not https")),
        }
        if endpoint.0.host_str().is_none_or(str::is_empty)
            || endpoint.0.path() != "/"
            || endpoint.0.query().is_some()
            || endpoint.0.fragment().is_some()
        {
            return Err(wrong("it has a path or query"));
        }
        if !endpoint.0.username().is_empty() || endpoint.0.password().is_some() {
            return Err(wrong("it has user info, and secrets never stand in this file"));
        }
        Ok(endpoint)
    }
}

/// A proxy's base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl(url::Url);

impl ProxyUrl {
    /// The proxy.
    pub fn url(&self) -> &url::Url {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            |why: &str| format!("it is no proxy: {why}; allowed is a URL like \"http://proxy.example.com:3128\"");
        let url = url::Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why =
                "it has user info, and secrets never stand in this file: set HTTPS_PROXY in the environment instead";
            return Err(wrong(why));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// `sqlite:PATH`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl(PathBuf);

impl DatabaseUrl {
    /// The database file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.contains(['?', ':']) => Ok(Self(PathBuf::from(path))),
            _ => Err(format!("`{text}` is no database; allowed is \"sqlite:\" and a path without `?` and `:`")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.0.display())
    }
}

from_text!(Endpoint);
from_text!(ProxyUrl);
from_text!(DatabaseUrl);
