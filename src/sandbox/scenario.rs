//! What the sandbox is to be: an account, its limits, and faults by script. Every key is optional.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};
use crate::model::DayStart;

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Everything drawn by chance follows from it.
    pub seed: u64,
    /// Who may call.
    pub account: Account,
    /// What a day has.
    pub quota: QuotaRules,
    /// How much and how fast.
    pub limits: Limits,
    /// The account's domains; those of the demo unless given.
    #[serde(rename = "domain")]
    pub domains: Vec<Domain>,
    /// How tasks go.
    pub tasks: TaskRules,
    /// What goes wrong; the first that fits a call counts.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
}

impl Default for Scenario {
    fn default() -> Self {
        let domains = ["vod.example.com", "media.example.com", "film.example.net", "live.example.org"];
        Self {
            seed: 1,
            account: Account::default(),
            quota: QuotaRules::default(),
            limits: Limits::default(),
            domains: domains.map(|name| Domain { name: name.into(), status: "online".into() }).into(),
            tasks: TaskRules::default(),
            faults: Vec::new(),
        }
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
    /// If given, calls must carry it as `SecurityToken`.
    pub security_token: Option<String>,
}

impl Default for Account {
    fn default() -> Self {
        Self { access_key_id: ACCESS_KEY_ID.into(), access_key_secret: ACCESS_KEY_SECRET.into(), security_token: None }
    }
}

/// `[quota]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaRules {
    /// What is counted: documents disagree (VOD-API.md, "Limits").
    pub unit: QuotaUnit,
    /// So many a day.
    pub per_day: u64,
    /// Used already, by somebody else, on the day on which the sandbox starts.
    pub used: u64,
    /// Before this share of the calls somebody else spends one request, or one URL.
    pub others_share: f64,
    /// Whether calls that the operation refuses are counted too.
    pub counts_refused: bool,
    /// Whether `DescribeVodRefreshQuota` is allowed to this key.
    pub readable: bool,
    /// When the day starts.
    pub day_starts: DayStart,
}

impl Default for QuotaRules {
    fn default() -> Self {
        Self {
            unit: QuotaUnit::Requests,
            per_day: 500,
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

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// URLs a call.
    pub urls_per_call: usize,
    /// Calls of an operation within a second.
    pub calls_per_second: usize,
    /// Unfinished prefetches the account may have; more answer `PreloadQueueFull`.
    pub queue_urls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { urls_per_call: 1000, calls_per_second: 30, queue_urls: usize::MAX }
    }
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
    /// Tasks a batch is split into.
    pub ids_per_batch: usize,
    /// Whether a URL that has an unfinished task is answered with that task's ID.
    pub merge: bool,
    /// How many times faster than the service tasks go: 5 to 30 minutes, divided by this.
    pub speed: f64,
    /// After how many seconds a task is listed; the real service is late too.
    pub listed_after_seconds: f64,
    /// Whether URLs are listed in another spelling than they were sent in.
    pub respelled: bool,
    /// What `TotalCount` is off by.
    pub total_off: i64,
    /// URLs that contain one of these fail.
    pub failing: Vec<String>,
    /// The share of the others that fails.
    pub failing_share: f64,
}

impl Default for TaskRules {
    fn default() -> Self {
        Self {
            ids_per_batch: 1,
            merge: false,
            speed: 60.0,
            listed_after_seconds: 0.0,
            respelled: false,
            total_off: 0,
            failing: Vec::new(),
            failing_share: 0.0,
        }
    }
}

/// `[[fault]]`: all conditions given must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Calls of this operation; `PreloadVodObjectCaches` unless given.
    #[serde(default = "preload")]
    pub operation: String,
    /// Only these calls of the operation, counted from 1.
    pub calls: Option<Vec<u64>>,
    /// Only every so many-th call of the operation.
    pub every: Option<u64>,
    /// Only this share of the calls, drawn by the seed.
    pub share: Option<f64>,
    /// Only calls with a URL that contains this.
    pub url_contains: Option<String>,
    /// At most so many times.
    pub times: Option<u64>,
    /// What happens.
    pub action: Action,
    /// With `error`: the code.
    pub code: Option<String>,
    /// With `error`: the HTTP status; the documented one unless given.
    pub status: Option<u16>,
    /// With `delay`: how long the answer is held back.
    #[serde(default, deserialize_with = "delay")]
    pub delay: Duration,
}

fn preload() -> String {
    "PreloadVodObjectCaches".to_owned()
}

fn delay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Answers with an error instead of processing the call.
    Error,
    /// Drops the connection; the call was not processed.
    DropBefore,
    /// Processes the call and drops the connection.
    DropAfter,
    /// Processes the call and holds the answer back.
    Delay,
    /// Processes the call and breaks off in the middle of the answer.
    Truncate,
    /// Processes the call and answers 200 with bytes that mean nothing.
    Garbage,
    /// Answers with a gateway's page of HTML (status 414 unless given); the call was not processed.
    Html,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// A message that names the file, and for what is wrong in it the line.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let scenario: Self = toml::from_str(&text).map_err(|error| format!("in {}: {error}", path.display()))?;
        scenario.check().map_err(|what| format!("in {}: {what}", path.display()))?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        if self.tasks.speed.is_nan() || self.tasks.speed <= 0.0 || self.tasks.ids_per_batch == 0 {
            return Err("[tasks] speed and ids_per_batch must be above 0".to_owned());
        }
        for fault in &self.faults {
            if fault.share.is_some_and(|share| !(0.0..=1.0).contains(&share)) || fault.every == Some(0) {
                return Err("of a [[fault]], share lies between 0 and 1, and every is at least 1".to_owned());
            }
        }
        match self.faults.iter().find(|fault| fault.action == Action::Error && fault.code.is_none()) {
            Some(_) => Err("a [[fault]] with action = \"error\" needs a code".to_owned()),
            None => Ok(()),
        }
    }
}
