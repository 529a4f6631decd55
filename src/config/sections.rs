//! The sections of the configuration, with the default and the bounds of each key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use super::addresses::{Endpoint, ProxyUrl};
use super::database::DatabaseUrl;
use super::robots::Robot;
use super::values::{Actions, HostPort, Number, Share, Span, UrlsPerDay, Window};
use crate::model::{DayStart, HostName, Lang, ProductName, TextEncoding, TimeOfDay, UrlRules};

/// Seconds.
const DAY: u64 = 86_400;

/// `[api]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Whose operations are called.
    pub product: ProductName,
    /// Base URL of the service; `http` is allowed only to a loopback address.
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
    /// Sent explicitly unless it is unset, because documents disagree about the default (VOD-API.md).
    pub area: Area,
    /// Warm only the cache layer nearest to the origin.
    pub l2_preload: bool,
    /// Whether the cache key is derived from the domain's rules, and is not the URL itself (CDN, DCDN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_hashkey: Option<bool>,
    /// For domains in mainland China whose origins are chosen by a hash (CDN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency_hash: Option<bool>,
    /// Request headers that the CDN sends to the origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_header: Option<BTreeMap<String, Vec<String>>>,
    /// Most calls per second.
    pub requests_per_second: Number<1, 100>,
    /// Total deadline of one call, from connecting to the last byte of the answer.
    pub timeout: Span<1, 600>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            product: ProductName::Vod,
            endpoint: Endpoint::default(),
            allow_http: false,
            ca_file: None,
            proxy: None,
            signature: Signature::V1,
            area: Area::Domestic,
            l2_preload: false,
            query_hashkey: None,
            consistency_hash: None,
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
    /// The folder that contains `incoming/`, `work/`, `done/` and `rejected/`.
    pub dir: PathBuf,
    /// Longest URL after normalizing, in bytes (VOD-API.md: 1,024 in sibling products).
    pub url_bytes_max: Number<16, 8192>,
    /// If given, URLs of other hosts are refused.
    pub domains: Vec<String>,
    /// The encoding of files that do not name one.
    pub encoding: TextEncoding,
    /// How long files in `done/` and `rejected/` are kept.
    pub keep: Span<3_600, { 3650 * DAY }>,
    /// What files may ask for.
    pub actions: Actions,
    /// Whether a host's root may be purged as a directory.
    pub purge_roots: bool,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/spool/prefetchd"),
            url_bytes_max: Number::fixed(1024),
            domains: Vec::new(),
            encoding: TextEncoding::Auto,
            keep: Span::seconds(30 * DAY),
            actions: Actions::default(),
            purge_roots: false,
        }
    }
}

impl Spool {
    /// The rules for URLs.
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
    /// `sqlite:` and a path, or `postgres:` and where the server is.
    pub url: DatabaseUrl,
    /// This host's name in a database that several hosts share; by default the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// Whether this host may lead, which is to submit for all that share the database.
    pub lead: bool,
    /// How long ended URLs and their submissions are kept.
    pub keep: Span<{ 4 * DAY }, { 3650 * DAY }>,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::File(PathBuf::from("/var/lib/prefetchd/prefetchd.db")),
            host: None,
            lead: true,
            keep: Span::seconds(90 * DAY),
        }
    }
}

impl Database {
    /// This host's name in the database: none of its own with SQLite, where all belongs to one host.
    pub fn host(&self) -> HostName {
        match self.url.server() {
            Some(_) => self.host.clone().or_else(|| HostName::of_this_machine().ok()).unwrap_or_default(),
            None => HostName::default(),
        }
    }
}

/// `[budget]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Most prefetches in a budget day; by default what the product gives an account.
    pub requests_per_day: Number<1, 1_000_000>,
    /// Most URLs in a budget day.
    pub urls_per_day: UrlsPerDay,
    /// Requests reserved for urgent URLs until `reserve_until`.
    pub reserve: Number<0, 1_000_000>,
    /// When the rest of the reserve is released.
    pub reserve_until: TimeOfDay,
    /// When the service's day begins.
    pub day_starts: DayStart,
    /// What to do with a batch whose answer never came, if tasks cannot be queried.
    pub in_doubt: InDoubt,
    /// How long an accepted task may take to be listed; after that a batch in doubt counts as not accepted.
    pub in_doubt_wait: Span<1, DAY>,
    /// Purges of URLs.
    pub purge: PurgeBudget,
    /// Purges of directories.
    pub purge_directory: DirectoryBudget,
}

/// `[budget.purge]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeBudget {
    /// Most URLs in a budget day.
    pub urls_per_day: UrlsPerDay,
    /// URLs reserved for urgent purges until `reserve_until`.
    pub reserve: Number<0, 1_000_000>,
}

impl Default for PurgeBudget {
    fn default() -> Self {
        Self { urls_per_day: UrlsPerDay::Auto, reserve: Number::fixed(0) }
    }
}

/// `[budget.purge_directory]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryBudget {
    /// Most directories in a budget day.
    pub directories_per_day: UrlsPerDay,
    /// Directories reserved for urgent purges until `reserve_until`.
    pub reserve: Number<0, 1_000_000>,
}

impl Default for DirectoryBudget {
    fn default() -> Self {
        Self { directories_per_day: UrlsPerDay::Auto, reserve: Number::fixed(0) }
    }
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
            purge: PurgeBudget::default(),
            purge_directory: DirectoryBudget::default(),
        }
    }
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Most URLs in a call (VOD-API.md: 1,000).
    pub batch_urls_max: Number<1, 1000>,
    /// How long a batch that is not full waits for more URLs while requests are scarce.
    pub linger: Span<0, DAY>,
    /// How long a completed URL counts as fresh.
    pub fresh_for: Span<0, { 365 * DAY }>,
    /// If given, URLs that are not urgent are sent only within these.
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
    /// Attempts of a URL that count.
    pub attempts_max: Number<1, 100>,
    /// Bound of the first backoff.
    pub backoff_min: Span<1, 3_600>,
    /// Bound of the longest backoff.
    pub backoff_max: Span<1, DAY>,
    /// Requests per day for isolation: finding what was wrong in refused batches.
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
    /// Calls that list tasks per second; CDN and DCDN allow 5 (SIBLING-APIS.md, C). Where tasks can be asked for by ID,
    /// six times as many of those.
    pub calls_per_second: Number<1, 100>,
    /// When a batch is first looked at, counted from its acceptance.
    pub first_after: Span<1, DAY>,
    /// How often a URL that failed at the origin is sent once more.
    pub retry_failed: Number<0, 10>,
    /// When that is, counted from the failure.
    pub retry_after: Span<1, { 7 * DAY }>,
    /// Share of the completed URLs to ask for through the CDN; none by default.
    pub verify: Share,
    /// Most of these requests per second.
    pub verify_per_second: Number<1, 10>,
    /// Where to send these requests, instead of where DNS says. The operator names it, so it may be a private address.
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
    /// A program and its arguments; it gets one JSON object on its standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Chat robots that are told of events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub robot: Vec<Robot>,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// The address for metrics and health; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Whether `listen` may be an address that other machines reach.
    pub allow_remote: bool,
    /// Further names and addresses under which pages may be requested, besides those of this machine.
    pub hosts: Vec<String>,
    /// Whether pages for people are served: they name files, and show URLs of failures.
    pub pages: bool,
    /// Where a reverse proxy puts these pages: a path such as `/prefetchd`; empty for the root.
    pub base_path: String,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least important events to write; `PREFETCHD_LOG` overrides it.
    pub level: Level,
    /// The format of events.
    pub format: LogFormat,
}

/// `[ui]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ui {
    /// The language of the daemon's own texts (English if not given), and of commands whose caller asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Lang>,
}

/// `[log] level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Level {
    /// Problems that keep the daemon from working.
    Error,
    /// Problems that somebody should look at.
    Warn,
    /// Normal events: a few dozen on a quiet day.
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
    /// To the journal with its fields, if standard error is the journal's; otherwise as text.
    #[default]
    Auto,
    /// One object per line.
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
    /// Where the domain's own area is, the whole world included: the parameter is not sent (SIBLING-APIS.md, B).
    Unset,
}

impl Area {
    /// The value of the parameter `Area`; none if it is not sent.
    pub fn value(self) -> Option<&'static str> {
        (self != Self::Unset).then(|| self.into())
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
    /// Send the URLs again under a new charge.
    Resubmit,
    /// Hold them for the operator.
    Hold,
}
