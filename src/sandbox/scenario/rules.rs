//! The lasting part of a scenario: the clock, the account, its quota and limits, its domains, its tasks.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::values::{optional_span, signed};
use crate::model::DayStart;
use crate::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};

/// `[clock]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockRules {
    /// How far the service's clock is ahead of this machine's; negative if behind.
    #[serde(deserialize_with = "signed")]
    pub offset: TimeDelta,
    /// Whether answers have a `Date` header.
    pub date: bool,
}

impl Default for ClockRules {
    fn default() -> Self {
        Self { offset: TimeDelta::zero(), date: true }
    }
}

/// `[account]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// The key's name.
    pub access_key_id: String,
    /// The key.
    pub access_key_secret: String,
    /// If set, calls must carry it as `SecurityToken`.
    pub security_token: Option<String>,
    /// Whether batches are refused with `OperationDenied.Suspended`.
    pub suspended: bool,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            access_key_id: ACCESS_KEY_ID.into(),
            access_key_secret: ACCESS_KEY_SECRET.into(),
            security_token: None,
            suspended: false,
        }
    }
}

/// `[quota]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaRules {
    /// What the quota counts; documents disagree (VOD-API.md, "Limits").
    pub unit: QuotaUnit,
    /// The quota of a day; by default the product's.
    pub per_day: Option<u64>,
    /// How much somebody else has used on the day on which the sandbox starts.
    pub used: u64,
    /// Before this share of the calls somebody else spends one request or one URL.
    pub others_share: f64,
    /// Whether calls that the operation refuses count too.
    pub counts_refused: bool,
    /// Whether this key may ask for the quota.
    pub readable: bool,
    /// When the day starts.
    pub day_starts: DayStart,
}

impl Default for QuotaRules {
    fn default() -> Self {
        Self {
            unit: QuotaUnit::Requests,
            per_day: None,
            used: 0,
            others_share: 0.0,
            counts_refused: false,
            readable: true,
            day_starts: DayStart::default(),
        }
    }
}

/// What the daily quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotaUnit {
    /// Calls.
    Requests,
    /// URLs.
    Urls,
}

/// `[purge]`: purges of URLs and directories.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeRules {
    /// The day's quota of URLs; by default the product's.
    pub urls_per_day: Option<u64>,
    /// The day's quota of directories.
    pub directories_per_day: u64,
    /// How many URLs somebody else has purged on the day on which the sandbox starts.
    pub urls_used: u64,
    /// How many directories, likewise.
    pub directories_used: u64,
    /// Whether calls that the operation refuses count too.
    pub counts_refused: bool,
    /// Most URLs in a call.
    pub urls_per_call: usize,
    /// Most directories in a call.
    pub directories_per_call: usize,
    /// Most domains in a call; by default the product's limit.
    pub domains_per_call: Option<usize>,
    /// Most URLs of a domain in a minute; more are answered with `QuotaPerMinuteExceeded.Refresh`.
    pub urls_per_minute: Option<usize>,
    /// Whether this key may purge.
    pub allowed: bool,
    /// How long every purge takes, instead of 5 to 6 minutes divided by `[tasks] speed`.
    #[serde(deserialize_with = "optional_span")]
    pub takes: Option<TimeDelta>,
    /// Purges of URLs that contain one of these texts fail.
    pub failing: Vec<String>,
}

impl Default for PurgeRules {
    fn default() -> Self {
        // SIBLING-APIS.md, A.
        Self {
            urls_per_day: None,
            directories_per_day: 100,
            urls_used: 0,
            directories_used: 0,
            counts_refused: false,
            urls_per_call: 1_000,
            directories_per_call: 100,
            domains_per_call: None,
            urls_per_minute: None,
            allowed: true,
            takes: None,
            failing: Vec::new(),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most URLs in a prefetch.
    pub urls_per_call: usize,
    /// Most calls of an operation per second; by default the product's limits.
    pub calls_per_second: Option<usize>,
    /// Most unfinished prefetches; more are answered with `PreloadQueueFull`.
    pub queue_urls: usize,
    /// Whether a call that is signed by V3 has its URLs looked for in the query alone.
    pub urls_in_query: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { urls_per_call: 1000, calls_per_second: None, queue_urls: usize::MAX, urls_in_query: false }
    }
}

/// `[answers]`: spellings that were seen or are possible (VOD-API.md, "Found since", 9).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// The share of the answers that are spelled this way.
    pub share: f64,
    /// Keys to leave out wherever they occur.
    pub missing: Vec<String>,
    /// Whether numbers are sent as text, and text that is a number as a number: the reverse of the documents.
    pub numbers_swapped: bool,
    /// Which answers have keys that begin with a lower-case letter.
    pub lower_case: Letters,
    /// The spelling of the key `blockRemain`.
    pub block_remain: String,
    /// Whether errors are XML.
    pub xml_errors: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            share: 1.0,
            missing: Vec::new(),
            numbers_swapped: false,
            lower_case: Letters::None,
            block_remain: "blockRemain".to_owned(),
            xml_errors: false,
        }
    }
}

/// Which answers have keys that begin with a lower-case letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Letters {
    /// None.
    None,
    /// Errors.
    Errors,
    /// All.
    All,
}

/// `[[domain]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// `online`, `offline`, `configuring`, `configure_failed`, `checking` or `check_failed`.
    #[serde(default = "online")]
    pub status: String,
}

fn online() -> String {
    "online".to_owned()
}

/// `[tasks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskRules {
    /// Into how many tasks a batch is split.
    pub ids_per_batch: usize,
    /// Whether a URL with an unfinished task gets that task's ID.
    pub merge: bool,
    /// How many times faster tasks are than at the service: 5 to 30 minutes divided by this.
    pub speed: f64,
    /// How long every task takes, instead of the time by `speed`.
    #[serde(deserialize_with = "optional_span")]
    pub takes: Option<TimeDelta>,
    /// After how many seconds a task is listed; the real service also lists late.
    pub listed_after_seconds: f64,
    /// Whether this key may ask for tasks.
    pub readable: bool,
    /// Whether `StartTime` without `EndTime` is refused, as DCDN does (VOD-API.md, "Found since", 5).
    pub strict_times: bool,
    /// Whether a look shows the state of the time of the look before ("Found since", 4).
    pub stale: bool,
    /// Whether URLs are listed in another spelling than sent.
    pub respelled: bool,
    /// Whether answers name the account's first task, whoever made it, instead of the batch's.
    pub named_wrongly: bool,
    /// Added to every `TotalCount`.
    pub total_off: i64,
    /// URLs that contain one of these texts fail.
    pub failing: Vec<String>,
    /// The share of the other URLs that fails.
    pub failing_share: f64,
}

impl Default for TaskRules {
    fn default() -> Self {
        Self {
            ids_per_batch: 1,
            merge: false,
            speed: 60.0,
            takes: None,
            listed_after_seconds: 0.0,
            readable: true,
            strict_times: false,
            stale: false,
            respelled: false,
            named_wrongly: false,
            total_off: 0,
            failing: Vec::new(),
            failing_share: 0.0,
        }
    }
}

/// `[[task]]`: what is odd about the tasks of some URLs. All given conditions must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OddTask {
    /// Only tasks of this operation: `prefetch`, `purge` or `purge-directory`.
    pub operation: Option<String>,
    /// Only URLs that contain this.
    pub url_contains: Option<String>,
    /// Only this share of the URLs or tasks, drawn from the seed.
    pub share: Option<f64>,
    /// Whether `share` is drawn once for a task ID and all its URLs, instead of for each URL.
    pub whole_tasks: bool,
    /// Its final status: `Timeout`, `Canceled`, or any other word.
    pub status: Option<String>,
    /// Its final `Process`, such as `99.37%`.
    pub process: Option<String>,
    /// Whether it is never listed.
    pub unlisted: bool,
    /// After which time it is listed.
    #[serde(deserialize_with = "optional_span")]
    pub listed_after: Option<TimeDelta>,
    /// How long it takes.
    #[serde(deserialize_with = "optional_span")]
    pub takes: Option<TimeDelta>,
}
