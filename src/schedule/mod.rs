//! Stage 3, the scheduler: pure decisions. What may be sent now, and if nothing, until when and why not.
//!
//! No clock, no I/O, no SQL: [`decide`] is a function of a [`Snapshot`], a [`Policy`] and the time, so that a year of
//! it runs in a second in a test.

mod asked_to_wait;
mod decide;
mod flight;
mod forecast;
mod isolate;
mod quota;
mod ready;

pub use asked_to_wait::{ASKED_TO_WAIT_MAX, asked_to_wait, longest_wait};
pub use decide::{Decision, Plan, decide};
pub use flight::{Flight, Full, QueueSize, flies_at_most};
pub use forecast::{
    Assumption, DayForecast, DeadlineForecast, FileForecast, FileWish, Forecast, Group, Outlook, WarmTime, forecast,
};
pub use isolate::{BadRate, Blame, Case, Cases, Found, Supply, Suspect, Test};
pub use quota::{Left, Observation, Refused, Unit, drift, learn, really_left, refusals_cost};
pub use ready::Ready;

use std::time::Duration;

use crate::config::{Config, UrlsPerDay, Window};
use crate::model::{Backoff, BudgetDay, DayStart, Lane, PauseWhy, Reason, Stopped, Time, TimeOfDay};

/// What the operator configured, as far as decisions need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The lane that it is about.
    pub lane: Lane,
    /// Hard cap on calls a budget day.
    pub requests_per_day: u32,
    /// Cap on URLs a budget day, where one is configured.
    pub urls_per_day: Option<u32>,
    /// Whether the service's word on the day's quota counts (`[budget] urls_per_day = "auto"`).
    pub auto: bool,
    /// Requests kept for urgent URLs ...
    pub reserve: u32,
    /// ... until then.
    pub reserve_until: TimeOfDay,
    /// When the day starts.
    pub day_starts: DayStart,
    /// URLs a call at most.
    pub batch_urls_max: u32,
    /// How long a batch that is not full waits when requests are scarce.
    pub linger: Duration,
    /// If not empty, what is not urgent goes only then.
    pub windows: Vec<Window>,
    /// How failures space the calls.
    pub backoff: Backoff,
    /// Requests a day for finding what was wrong in refused batches.
    pub isolate_requests_max: u32,
    /// How long a call may take: all of it has to lie on one side of the reset.
    pub call_timeout: Duration,
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        Self {
            lane: Lane::Prefetch,
            requests_per_day: config.budget.requests_per_day.get(),
            urls_per_day: match config.budget.urls_per_day {
                UrlsPerDay::Limited(n) => Some(n),
                UrlsPerDay::Auto | UrlsPerDay::Unlimited => None,
            },
            auto: config.budget.urls_per_day == UrlsPerDay::Auto,
            reserve: config.budget.reserve.get(),
            reserve_until: config.budget.reserve_until,
            day_starts: config.budget.day_starts,
            batch_urls_max: config.schedule.batch_urls_max.get(),
            linger: config.schedule.linger.get(),
            windows: config.schedule.windows.clone(),
            backoff: Backoff { min: config.retry.backoff_min.get(), max: config.retry.backoff_max.get() },
            isolate_requests_max: config.retry.isolate_requests_max.get(),
            call_timeout: config.api.timeout.get(),
        }
    }
}

/// Everything a decision depends on, beside the policy and the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The head of the queue.
    pub ready: Ready,
    /// The day that is charged and what has been spent of it.
    pub spent: Spent,
    /// What has been learned of the account.
    pub standing: Standing,
    /// What batches were refused for and is not found yet.
    pub cases: Cases,
    /// URLs on their way; none where the service's queue has never been full.
    pub flight: Option<Flight>,
}

/// What a budget day has cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The day that is charged: the greatest day seen, so that it never goes back.
    pub day: BudgetDay,
    /// Calls charged, and those of the day before that may have been performed on this one: they count on both until
    /// it is known.
    pub requests: u32,
    /// Of them, those that were spent on finding what was wrong in refused batches.
    pub isolations: u32,
    /// URLs charged, likewise.
    pub urls: u32,
    /// The service said that nothing is left today, with this code.
    pub exhausted: Option<String>,
    /// What the service last said of the day's quota.
    pub observed: Option<Observation>,
    /// A batch of so many URLs was refused for the day's quota.
    pub refused_urls: Option<u32>,
    /// Calls that were refused since the service last said what is left.
    pub refused: Refused,
    /// What was charged is not known for certain: the database is older than the marker in the spool.
    pub unsure: bool,
}

impl Spent {
    /// A day on which nothing was charged and nothing is known.
    pub fn nothing(day: BudgetDay) -> Self {
        Self {
            day,
            requests: 0,
            isolations: 0,
            urls: 0,
            exhausted: None,
            observed: None,
            refused_urls: None,
            refused: Refused::default(),
            unsure: false,
        }
    }
}

/// What has been learned of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The operator paused the submitter.
    pub stopped: Option<Stopped>,
    /// Nothing is sent before `until`, because of `why`.
    pub backing_off: Option<BackingOff>,
    /// Nothing is sent until a free call succeeds.
    pub pause: Option<Pause>,
    /// The service refused larger batches.
    pub batch_urls_max: Option<u32>,
    /// Failures in a row, for the next backoff.
    pub failures: u32,
    /// Whether somebody was told of a pause, and not yet that it is over.
    pub paused_told: bool,
    /// How often the account was found paused since a batch was last accepted.
    pub probes: u32,
    /// What the daily quota counts, once that is known.
    pub unit: Option<Unit>,
    /// Whether calls that are refused count on the daily quota, once that is known.
    pub refusals_cost: Option<bool>,
    /// Whether this key may ask for the quota, as far as is known.
    pub quota_readable: bool,
    /// Whether this key may ask for tasks, as far as is known.
    pub tasks_readable: bool,
    /// Whether this key may not ask for tasks by the service's last word, however old that is.
    pub tasks_refused: bool,
    /// Whether this key may ask for the account's domains, as far as is known.
    pub domains_readable: bool,
    /// How many URLs only the service refuses.
    pub bad_rate: BadRate,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            stopped: None,
            backing_off: None,
            pause: None,
            batch_urls_max: None,
            failures: 0,
            paused_told: false,
            probes: 0,
            unit: None,
            refusals_cost: None,
            quota_readable: true,
            tasks_readable: true,
            tasks_refused: false,
            domains_readable: true,
            bad_rate: BadRate::default(),
        }
    }
}

impl Standing {
    /// Whether a wait that is written down lasts longer than until `at`: a clock was wrong when it was written, or is
    /// now.
    pub fn waits_beyond(&self, at: Time) -> bool {
        self.backing_off.as_ref().is_some_and(|wait| wait.until > at)
            || self.pause.as_ref().is_some_and(|pause| pause.probe_at > at)
    }
}

/// A wait after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackingOff {
    /// When the next call may go.
    pub until: Time,
    /// What failed.
    pub why: Reason,
}

/// A fault of the whole account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The fault, in words.
    pub why: PauseWhy,
    /// When a free call tries whether it is over.
    pub probe_at: Time,
}
