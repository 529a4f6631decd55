//! Stage 3, the scheduler: pure decisions about what may be sent now, and if nothing, until when and why not.
//!
//! It uses no clock, I/O or SQL: [`decide`] is a function of a [`Snapshot`], a [`Policy`] and the time, so that a test
//! runs a year of it in a second.

mod asked_to_wait;
mod decide;
mod flight;
mod forecast;
mod isolate;
mod quota;
mod rate;
mod ready;

pub use asked_to_wait::{ASKED_TO_WAIT_MAX, asked_to_wait, longest_wait};
pub use decide::{Decision, Plan, decide};
pub use flight::{Flight, Full, QueueSize, flies_at_most};
pub use forecast::{
    Assumption, Behind, DayForecast, DeadlineForecast, FileForecast, FileWish, Forecast, Group, Outlook, PURGE_TAKES,
    Sent, WarmTime, forecast, forecast_lanes,
};
pub use isolate::{BadRate, Blame, Case, Cases, Found, Supply, Suspect, Test};
pub use quota::{Left, Observation, Refused, Unit, drift, learn, really_left, refusals_cost};
pub use rate::{HostRate, HostRates, HostRooms};
pub use ready::Ready;

use std::time::Duration;

use chrono::TimeDelta;

use crate::config::{Config, Signature, UrlsPerDay, Window};
use crate::model::{
    Backoff, BudgetDay, CallLimits, DayStart, Lane, PauseWhy, Reason, ReasonKind, Stopped, Time, TimeOfDay,
};

/// The part of the configuration that decisions need.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The lane that it is about.
    pub lane: Lane,
    /// Most calls in a budget day.
    pub requests_per_day: u32,
    /// Most URLs in a budget day, if configured.
    pub urls_per_day: Option<u32>,
    /// Most URLs on a day about which the service says nothing, where URLs are what is counted.
    pub urls_unless_told: Option<u32>,
    /// Whether the service's word on the day's quota limits it (`[budget] urls_per_day = "auto"`).
    pub auto: bool,
    /// Requests, or of purges URLs, reserved for urgent URLs ...
    pub reserve: u32,
    /// ... until this time of day.
    pub reserve_until: TimeOfDay,
    /// When the day starts.
    pub day_starts: DayStart,
    /// Most URLs in a call.
    pub batch_urls_max: u32,
    /// Most domains in a call.
    pub batch_domains_max: Option<u32>,
    /// Whether URLs go in the query where the service looks for them there.
    pub urls_may_move: bool,
    /// How long a batch that is not full waits while requests are scarce.
    pub linger: Duration,
    /// If not empty, URLs that are not urgent go only within these.
    pub windows: Vec<Window>,
    /// The waits after failures.
    pub backoff: Backoff,
    /// Requests per day for isolation: finding what was wrong in refused batches.
    pub isolate_requests_max: u32,
    /// The timeout of a call: all of it must lie on one side of the reset.
    pub call_timeout: Duration,
}

impl Policy {
    /// The policy of a lane, whose operation takes as much as `limits` say.
    pub fn of(config: &Config, lane: Lane, limits: CallLimits) -> Self {
        let all = Self { lane, batch_domains_max: limits.domains_a_call, ..Self::from(config) };
        let (per_day, reserve) = match lane {
            Lane::Prefetch => return all,
            Lane::Purge => (config.budget.purge.urls_per_day, config.budget.purge.reserve),
            Lane::PurgeDirectory => {
                (config.budget.purge_directory.directories_per_day, config.budget.purge_directory.reserve)
            }
        };
        Self {
            // Their quota counts URLs or directories, however many calls it takes.
            requests_per_day: u32::MAX,
            urls_per_day: limited(per_day),
            urls_unless_told: (per_day == UrlsPerDay::Auto).then_some(limits.a_day),
            // A number of the operator's caps what the service says is left: it does not replace it, because a batch
            // that is larger than what is left is refused as a whole, on every day.
            auto: per_day != UrlsPerDay::Unlimited,
            reserve: reserve.get(),
            batch_urls_max: all.batch_urls_max.min(limits.urls_a_call),
            ..all
        }
    }
}

fn limited(per_day: UrlsPerDay) -> Option<u32> {
    match per_day {
        UrlsPerDay::Limited(n) => Some(n),
        UrlsPerDay::Auto | UrlsPerDay::Unlimited => None,
    }
}

/// The policy of prefetching.
impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        Self {
            lane: Lane::Prefetch,
            requests_per_day: config.budget.requests_per_day.get(),
            urls_per_day: limited(config.budget.urls_per_day),
            urls_unless_told: None,
            auto: config.budget.urls_per_day == UrlsPerDay::Auto,
            reserve: config.budget.reserve.get(),
            reserve_until: config.budget.reserve_until,
            day_starts: config.budget.day_starts,
            batch_urls_max: config.schedule.batch_urls_max.get(),
            batch_domains_max: None,
            urls_may_move: config.api.signature == Signature::V3,
            linger: config.schedule.linger.get(),
            windows: config.schedule.windows.clone(),
            backoff: Backoff { min: config.retry.backoff_min.get(), max: config.retry.backoff_max.get() },
            isolate_requests_max: config.retry.isolate_requests_max.get(),
            call_timeout: config.api.timeout.get(),
        }
    }
}

/// Everything that a decision depends on, besides the policy and the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The head of the queue.
    pub ready: Ready,
    /// The day that is charged, and what has been spent of it.
    pub spent: Spent,
    /// What is known about the account.
    pub standing: Standing,
    /// Refused batches in which something bad is still to be found.
    pub cases: Cases,
    /// URLs in flight; none if the service's queue has never been full.
    pub flight: Option<Flight>,
}

/// What a budget day has cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The day that is charged: the latest day seen, so that it never goes back.
    pub day: BudgetDay,
    /// Calls charged to it, and those of the day before that may have been performed on this one: they count on both
    /// days until it is known.
    pub requests: u32,
    /// How many of them were spent on isolation.
    pub isolations: u32,
    /// URLs charged, counted likewise.
    pub urls: u32,
    /// Set when the service said that nothing is left today: the code of that answer.
    pub exhausted: Option<String>,
    /// The service's last word on the day's quota.
    pub observed: Option<Observation>,
    /// Set when a batch was refused for the day's quota: its number of URLs.
    pub refused_urls: Option<u32>,
    /// Calls that were refused since the service last said how much is left.
    pub refused: Refused,
    /// URLs of the day's refused calls, which the service may have counted: they count against a configured number of
    /// URLs.
    pub maybe_counted: u32,
    /// Requests and URLs that the day had when it was last entered in the ledger; none before that.
    pub limits: Option<(u32, Option<u32>)>,
    /// The charge is not certain, because the database is older than the marker in the spool.
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
            maybe_counted: 0,
            limits: None,
            unsure: false,
        }
    }
}

/// What is known about the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The operator paused the submitter.
    pub stopped: Option<Stopped>,
    /// A wait after a failure.
    pub backing_off: Option<BackingOff>,
    /// The longest that this wait may last; none in what an earlier version wrote.
    pub backoff_longest: Option<TimeDelta>,
    /// Nothing is sent until a free call succeeds.
    pub pause: Option<Pause>,
    /// Set when the service refused larger batches.
    pub batch_urls_max: Option<u32>,
    /// The service looks for URLs in the query of a call that is signed by V3, which holds about so many.
    pub query_urls_max: Option<u32>,
    /// Failures in a row, which determine the next backoff.
    pub failures: u32,
    /// Whether somebody was told about a pause and not yet about its end.
    pub paused_told: bool,
    /// How often the account was found paused since a batch was last accepted.
    pub probes: u32,
    /// What the daily quota counts, once known.
    pub unit: Option<Unit>,
    /// Whether refused calls count on the daily quota, once known.
    pub refusals_cost: Option<bool>,
    /// Whether this key may ask for the quota; true until refused.
    pub quota_readable: bool,
    /// Whether this key may ask for tasks; true until refused.
    pub tasks_readable: bool,
    /// Whether the service's last word, however old, is that this key may not ask for tasks.
    pub tasks_refused: bool,
    /// Whether this key may ask for the account's domains; true until refused.
    pub domains_readable: bool,
    /// The share of URLs that only the service recognizes as bad.
    pub bad_rate: BadRate,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            stopped: None,
            backing_off: None,
            backoff_longest: None,
            pause: None,
            batch_urls_max: None,
            query_urls_max: None,
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
    /// Whether nothing has been answered since a call was lost: then a free call tells whether the network and the
    /// service work, before another batch is charged.
    pub fn is_untested(&self) -> bool {
        let kind = self.backing_off.as_ref().map(|wait| wait.why.kind);
        matches!(kind, Some(ReasonKind::InDoubt | ReasonKind::AskingQuota))
    }

    /// Whether a stored wait lasts longer from now than it could when it was written, or than `longest`: a clock was
    /// wrong then, or is wrong now.
    pub fn waits_too_long(&self, now: Time, longest: TimeDelta) -> bool {
        let own = self.backoff_longest.unwrap_or(longest).min(longest);
        self.backing_off.as_ref().is_some_and(|wait| wait.until > now + own)
            || self.pause.as_ref().is_some_and(|pause| pause.probe_at > now + longest)
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

/// A pause because of a fault of the whole account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The fault.
    pub why: PauseWhy,
    /// When a free call tests whether it is over.
    pub probe_at: Time,
}
