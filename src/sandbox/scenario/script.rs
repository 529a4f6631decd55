//! The changing part of a scenario: faults of single calls, somebody else's prefetches, changes of the account.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;

use super::values::{DateLie, optional_span, signed, span};

/// `[[fault]]`: all given conditions must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation it applies to: its `Action`, or of every product `prefetch` (the default), `purge`, `tasks`,
    /// `tasks-by-id`, `quota` or `domains`, or `*` for all.
    #[serde(default = "prefetch")]
    pub operation: String,
    /// Only these calls of the operation, counted from 1; for `*` counted over all calls.
    pub calls: Option<Vec<u64>>,
    /// Only every n-th call of the operation.
    pub every: Option<u64>,
    /// Only this share of the calls, drawn from the seed.
    pub share: Option<f64>,
    /// Only calls with a URL that contains this.
    pub url_contains: Option<String>,
    /// At most this many times.
    pub times: Option<u64>,
    /// What happens.
    pub action: Action,
    /// What the answer's `Date` says; by default the service's time.
    pub date: Option<DateLie>,
    /// With `error`: the code.
    pub code: Option<String>,
    /// With `error`: the HTTP status; by default the documented one.
    pub status: Option<u16>,
    /// With `delay`: how long to hold the answer back. With `late`: how long after its arrival to perform the call.
    #[serde(default, deserialize_with = "span")]
    pub delay: Duration,
    /// The value of the answer's header `x-acs-retry-after`; no such header unless given.
    #[serde(default, deserialize_with = "span")]
    pub retry_after: Duration,
    /// With `late`: whether the connection waits for the answer, instead of being dropped at once.
    #[serde(default)]
    pub hold: bool,
    /// With `late`: whether its nonce is spent when it arrives, so that a copy is told so before it is performed.
    #[serde(default)]
    pub spends_nonce: bool,
    /// With `error` and `html`: whether the call is performed all the same. With `late`: whether it is answered at once
    /// with `code`, or else with a gateway's page with `status`, instead of being dropped.
    #[serde(default)]
    pub performed: bool,
    /// Whether the answer lacks its `RequestId`.
    #[serde(default)]
    pub anonymous: bool,
}

fn prefetch() -> String {
    "prefetch".to_owned()
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Does only what the fault's other keys say, such as a false date.
    Pass,
    /// Answers with an error instead of processing the call.
    Error,
    /// Drops the connection; the call was not processed.
    DropBefore,
    /// Processes the call and drops the connection.
    DropAfter,
    /// Processes the call and holds the answer back.
    Delay,
    /// Drops the connection and performs the call later, by the clock, nonces and limits of that time.
    Late,
    /// Processes the call and breaks off in the middle of the answer.
    Truncate,
    /// Processes the call and answers 200 with meaningless bytes.
    Garbage,
    /// Answers to a question that there is nothing: no domain, no task.
    Nothing,
    /// Answers with a gateway's HTML page (status 414 by default); the call was not processed.
    Html,
}

/// `[[foreign]]`: somebody else prefetches or purges with this account. That makes tasks and uses quota and queue, but
/// is no call of ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// What they do: `prefetch`, `purge` or `purge-directory`.
    #[serde(default = "prefetch")]
    pub operation: String,
    /// These URLs, once at each start of the sandbox.
    #[serde(default)]
    pub urls: Vec<String>,
    /// The first URLs of this call of that operation, counted from 1, whatever becomes of the call. The two kinds of
    /// purges are counted together.
    pub first_url_of_call: Option<u64>,
    /// The first URLs of this share of the calls, drawn from the seed.
    pub share: Option<f64>,
    /// How many of the call's URLs.
    #[serde(default = "one")]
    pub count: usize,
    /// When the tasks are created, counted from the call's arrival or the sandbox's start; negative for earlier.
    #[serde(default, deserialize_with = "signed")]
    pub after: TimeDelta,
}

fn one() -> usize {
    1
}

/// `[[change]]`: from a moment on, the account is different.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// This long after the sandbox's start.
    #[serde(deserialize_with = "optional_span")]
    pub after: Option<TimeDelta>,
    /// After this many prefetches: the next one meets the change.
    pub after_calls: Option<u64>,
    /// `[limits] queue_urls`
    pub queue_urls: Option<usize>,
    /// `[limits] urls_per_call`
    pub urls_per_call: Option<usize>,
    /// `[quota] per_day`
    pub per_day: Option<u64>,
    /// `[purge] urls_per_day`
    pub purge_urls_per_day: Option<u64>,
    /// `[purge] directories_per_day`
    pub purge_directories_per_day: Option<u64>,
    /// `[purge] urls_per_call`
    pub purge_urls_per_call: Option<usize>,
    /// `[purge] allowed`
    pub purge_allowed: Option<bool>,
    /// `[quota] readable`
    pub quota_readable: Option<bool>,
    /// `[tasks] readable`
    pub tasks_readable: Option<bool>,
    /// `[account] access_key_id`
    pub access_key_id: Option<String>,
    /// `[account] access_key_secret`
    pub access_key_secret: Option<String>,
    /// `[account] suspended`
    pub suspended: Option<bool>,
}
