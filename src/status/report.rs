//! The report that `prefetchd status` prints, and writes with `--json`. [`read_report`] reads the public views;
//! [`StatusReport::complete`] adds what needs the configuration, the time and a look at the daemon itself.
//! `docs/status.json.md` lists every field.

mod read;
mod wal;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use schemars::JsonSchema;
use serde::Serialize;

pub use read::read_report;
pub(super) use read::{files_by_id, left_why};
pub use wal::WalReport;
use wal::wal;

use super::Invocation;
use super::concerns::doubts;
use super::daemons::DaemonReport;
use super::forecast::ForecastReport;
use super::needs::Need;
use crate::config::Config;
use crate::ledger;
use crate::model::{Lane, Time, UrlState, rfc3339};
use crate::queue;
use crate::schedule::{self, Policy};
use crate::stage::{Sign, Trouble};
use crate::store::{Conn, Result};
use crate::words::Words;
use crate::words::needs::trouble as trouble_words;

/// The period over which the pace is measured.
const PACE: TimeDelta = TimeDelta::hours(1);

/// Everything that `status` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusReport {
    /// When it was read, RFC 3339.
    pub at: Option<String>,
    /// The name of this host; missing where the database is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The host that leads: it alone submits. Missing where nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The daemons of all hosts; missing where the database is a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub daemons: Vec<DaemonReport>,
    /// Whether nobody leads for longer than a handover takes.
    #[serde(skip)]
    pub is_leaderless: bool,
    /// `running`, `paused`, `stopping`, `stopped`; `not running` if the daemon is gone without having stopped properly,
    /// `blocked` if it cannot use its database, `hanging` if a stage does not move, `silent` if it gives no sign of
    /// life, `database lost` if the database file is no longer the one it opened.
    pub health: String,
    /// Calls that failed in a row since a batch was last accepted.
    pub failures: u32,
    /// Since when it is so, RFC 3339.
    pub health_since: Option<String>,
    /// The problem that keeps the daemon from using its database.
    pub database_problem: Option<Words>,
    /// Its code: `locked`, `full`, `lost` and others; none from a daemon of an earlier version.
    pub database_code: Option<String>,
    /// The stages that hang.
    pub hanging: Option<String>,
    /// The daemon's process, while it runs.
    pub pid: Option<i64>,
    /// When it started, RFC 3339.
    pub started_at: Option<String>,
    /// The fault of the account, with its remedy.
    pub paused_why: Option<Words>,
    /// Its code; `stopped` for a pause by the operator.
    pub paused_code: Option<String>,
    /// Since when, RFC 3339.
    pub paused_since: Option<String>,
    /// The actions beside prefetching that are in use; missing where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneReport>,
    /// What is wrong with the spool.
    pub spool_problem: Option<Words>,
    /// Which part of the reloaded configuration is not in force.
    pub config_problem: Option<Words>,
    /// Why metrics and health are not served.
    pub http_problem: Option<Words>,
    /// Whether an answer of the service has confirmed the daemon's time.
    pub time_proved: bool,
    /// How far the service's clock is ahead of this machine's, in milliseconds; none until it is proved.
    pub service_ahead_ms: Option<i64>,
    /// The access key; none until a daemon of this version has run.
    pub key: Option<KeyReport>,
    /// What the submitter waits for.
    pub waiting_for: Option<Words>,
    /// Its code.
    pub waiting_code: Option<String>,
    /// Until when, RFC 3339.
    pub waiting_until: Option<String>,
    /// Submissions of prefetches whose end is not known yet.
    pub in_doubt: i64,
    /// URLs whose prefetch was sent again although it may have been accepted.
    pub possible_doubles: i64,
    /// Pending URLs of blocked domains, of all actions.
    pub parked: i64,
    /// URLs under suspicion after a refused batch, of all actions.
    pub suspected: i64,
    /// Files that are being read; their lines that are not queued yet are in no count.
    pub files_reading: i64,
    /// Files that were handed over and are on no book yet.
    pub files_incoming: i64,
    /// Orders of members in `orders/` that nobody has carried out for ten seconds.
    pub orders_waiting: i64,
    /// Robots that could not be told several times in a row.
    pub robots_failing: Vec<RobotReport>,
    /// What has lain in `incoming/` for an hour and is left alone, the oldest first.
    pub left_alone: Vec<LeftReport>,
    /// URLs that were or may have been accepted and have not ended: they take up room in the service's own queue.
    pub in_flight: i64,
    /// How many fit there, as far as is known; none if it has never been full.
    pub in_flight_limit: Option<i64>,
    /// What the service taught about this account.
    pub learned: Vec<LearnedReport>,
    /// URLs by state.
    pub urls: BTreeMap<String, i64>,
    /// Pending URLs by priority.
    pub pending: BTreeMap<String, i64>,
    /// The file that has waited longest.
    pub oldest: Option<OldestReport>,
    /// The latest budget day with a charge.
    pub budget: Option<BudgetReport>,
    /// What was sent in the last hour.
    pub pace: Option<PaceReport>,
    /// The forecast for the queue.
    pub forecast: Option<ForecastReport>,
    /// The write-ahead log.
    pub wal: Option<WalReport>,
    /// The latest files, newest first.
    pub files: Vec<FileReport>,
    /// What needs the operator, and how to settle it.
    pub needs: Vec<Need>,
    /// How commands are typed here.
    #[serde(skip)]
    pub by: Invocation,
}

/// A robot that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RobotReport {
    /// Its name in the configuration.
    pub name: String,
    /// How often it failed in a row.
    pub failures: i64,
    /// Why it failed last.
    pub why: String,
}

/// The access key in use; never any part of the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyReport {
    /// Where it was found.
    pub source: Words,
    /// 1 for the key of the start; each replacement adds one.
    pub generation: i64,
    /// What the service says when it refuses the key.
    pub refused: Option<Words>,
}

/// An entry of `incoming/` that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftReport {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: Words,
    /// When it was last changed, RFC 3339.
    pub since: String,
}

/// The file that has waited longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OldestReport {
    /// Its name when it was dropped.
    pub file: String,
    /// When it was claimed, RFC 3339.
    pub dropped_at: String,
    /// Its URLs that are still pending.
    pub pending: i64,
}

/// A thing that was learned because documents disagree or are silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LearnedReport {
    /// Of which action.
    pub action: &'static str,
    /// Code: `quota`, `unit`, `refusals_cost`, `batch_urls_max`, `query_urls_max`, `minute_urls`, `in_flight_limit`.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// When it was seen last, RFC 3339.
    pub at: String,
    /// What it means, and what it was learned from.
    pub why: Words,
}

/// What was sent in the last hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PaceReport {
    /// Requests charged.
    pub requests: u64,
    /// URLs accepted.
    pub urls: u64,
}

/// A budget day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BudgetReport {
    /// Its date at the offset of `day_starts`.
    pub day: String,
    /// When it ends, RFC 3339.
    pub day_ends_at: String,
    /// When a changed `day_starts` takes effect, RFC 3339; none if the configured one is in effect.
    pub day_starts_from: Option<String>,
    /// Most requests.
    pub requests_limit: i64,
    /// Requests charged.
    pub requests_used: i64,
    /// Requests that are really left of today, whoever spent the rest; none before the report is complete.
    pub requests_left: Option<i64>,
    /// URLs likewise; none if they are not limited.
    pub urls_left: Option<i64>,
    /// URLs it may cost; none if that is not limited.
    pub urls_limit: Option<i64>,
    /// URLs charged.
    pub urls_used: i64,
    /// The service's code that says nothing is left.
    pub exhausted_why: Option<String>,
    /// What the service's quota counts, `requests` or `urls`, once known.
    pub unit: Option<String>,
    /// The service's quota.
    pub quota: Option<i64>,
    /// What the service last said is left of it.
    pub remain: Option<i64>,
    /// How much of it others have spent.
    pub drift: Option<i64>,
    /// When the service said so, RFC 3339.
    pub observed_at: Option<String>,
    /// Whether the service does not tell what is left, though it is asked: the ledger alone counts.
    pub quota_untold: bool,
    /// Whether the number of spent requests is uncertain.
    pub unsure: bool,
    /// Whether the day is over and nothing has been charged since.
    pub is_over: bool,
    /// Requests reserved for urgent URLs ...
    pub reserve: Option<u32>,
    /// ... until this time of day, at the offset of `day_starts`.
    pub reserve_until: Option<String>,
}

/// A dropped file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileReport {
    /// Its row.
    pub file_id: i64,
    /// Its name when it was dropped.
    pub name: String,
    /// `reading`, `done` or `rejected`.
    pub progress: String,
    /// Why it was rejected.
    pub rejected_why: Option<Words>,
    /// In whose spool it lies; missing where the database is a file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Its label.
    pub label: Option<String>,
    /// Its priority.
    pub priority: String,
    /// Its deadline, RFC 3339.
    pub deadline: Option<String>,
    /// When it was claimed, RFC 3339.
    pub dropped_at: String,
    /// Lines taken as URLs, good or bad.
    pub lines: i64,
    /// Rows added to the queue.
    pub queued: i64,
    /// Lines whose URL was live already.
    pub merged: i64,
    /// Refused lines.
    pub refused: i64,
    /// Lines whose URL completed recently.
    pub fresh: i64,
    /// Seconds from the drop until half of its complete URLs were warm.
    pub warm_seconds_median: Option<i64>,
    /// The same for 95 of 100.
    pub warm_seconds_p95: Option<i64>,
    /// Its URLs by state.
    pub urls: BTreeMap<String, i64>,
}

/// An action beside prefetching that has URLs, or had some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LaneReport {
    /// `purge` or `purge-directory`.
    pub action: String,
    /// URLs or directories that wait.
    pub pending: i64,
    /// In calls whose end is not known.
    pub leased: i64,
    /// That wait for the operator.
    pub held: i64,
    /// The last budget day.
    pub day: Option<String>,
    /// What it has cost, in URLs or directories.
    pub urls_used: i64,
    /// The configured limit; none where the service's word counts.
    pub urls_limit: Option<i64>,
    /// The service's quota of a day ...
    pub quota: Option<i64>,
    /// ... and what it last said is left.
    pub remain: Option<i64>,
    /// Why nothing of it is sent.
    pub paused_why: Option<Words>,
    /// Its code.
    pub paused_code: Option<String>,
    /// What is waited for.
    pub waiting_for: Option<Words>,
    /// Its code.
    pub waiting_code: Option<String>,
    /// Until when, RFC 3339.
    pub waiting_until: Option<String>,
    /// That failed, and were neither sent again nor forgotten.
    pub failed: i64,
    /// Its submissions whose end is not known yet.
    pub in_doubt: i64,
    /// Its URLs that were sent again although they may have been accepted.
    pub possible_doubles: i64,
    /// Whether something urgent could go now, if it were for its URLs alone.
    #[serde(skip)]
    pub has_urgent: bool,
}

impl StatusReport {
    /// Adds what the views cannot know: whether the daemon lives, as far as that can be seen from here, and its sign of
    /// life; what is configured; the pace and the forecast. [`StatusReport::list_needs`] comes after it.
    pub async fn complete(
        &mut self,
        conn: &mut Conn,
        config: &Config,
        (is_running, sign): (Option<bool>, Option<Sign>),
        now: Time,
    ) -> Result<()> {
        self.at = Some(rfc3339(now));
        self.read_daemons(conn, config.database.host().as_str()).await?;
        self.look_at_daemon(is_running, sign.unwrap_or_default(), now);
        let standing = ledger::standing(conn, Lane::Prefetch, now).await?;
        self.failures = standing.failures;
        if let Some(budget) = &mut self.budget {
            budget.quota_untold = !standing.quota_readable;
            let today = ledger::today(conn, Lane::Prefetch, config.budget.day_starts, now).await?;
            if today.to_string() == budget.day {
                budget.day_ends_at = rfc3339(today.ends_at);
                budget.day_starts_from = today.is_long().then(|| rfc3339(today.ends_at));
            }
            budget.is_over = DateTime::parse_from_rfc3339(&budget.day_ends_at).is_ok_and(|ends_at| ends_at <= now);
            budget.reserve = Some(config.budget.reserve.get()).filter(|reserve| *reserve > 0);
            budget.reserve_until = budget.reserve.map(|_| config.budget.reserve_until.to_string());
            let left = really_left(conn, config, now).await?;
            budget.requests_left = Some(left.requests.into());
            budget.urls_left = (left.urls < u32::MAX).then_some(left.urls.into());
        }
        if !self.lanes.is_empty() {
            for load in queue::loads_of(conn).await?.iter().filter(|load| load.urgent) {
                let of_load = self.lanes.iter_mut().filter(|lane| lane.action == load.lane.word());
                of_load.for_each(|lane| lane.has_urgent = true);
            }
            for (of, failed) in queue::failed(conn).await? {
                let of_lane = self.lanes.iter_mut().filter(|lane| lane.action == of.word());
                of_lane.for_each(|lane| lane.failed = failed);
            }
            for (of, doubts) in doubts(conn).await? {
                for lane in self.lanes.iter_mut().filter(|lane| lane.action == of.word()) {
                    lane.in_doubt = doubts.in_doubt.cast_signed();
                    lane.possible_doubles = doubts.possible_doubles.cast_signed();
                }
            }
        }
        let (requests, urls) = ledger::sent_since(conn, Lane::Prefetch, now - PACE).await?;
        self.pace = Some(PaceReport { requests, urls });
        if self.count(UrlState::Pending) > 0 || self.lanes.iter().any(|lane| lane.pending > 0) {
            self.forecast = Some(ForecastReport::read(conn, config, now).await?);
        }
        Ok(())
    }

    pub(super) fn look_at_daemon(&mut self, is_running: Option<bool>, sign: Sign, now: Time) {
        if is_running == Some(false) {
            if self.health != "stopped" {
                self.health = "not running".to_owned();
            }
            (self.health_since, self.pid) = (None, None);
        } else if let Some(since) = sign.silent_since(now) {
            self.health = "silent".to_owned();
            self.health_since = Some(rfc3339(since));
        } else if let Some((since, stages)) = sign.hanging {
            self.health = "hanging".to_owned();
            self.health_since = Some(rfc3339(since));
            self.hanging = Some(stages);
            let words = |trouble: Trouble| trouble_words(trouble.code.as_deref(), &trouble.text);
            self.database_problem = sign.trouble.map(words);
        } else if let Some(trouble) = sign.trouble {
            self.health = "blocked".to_owned();
            self.health_since = Some(rfc3339(trouble.since));
            self.database_problem = Some(trouble_words(trouble.code.as_deref(), &trouble.text));
            self.database_code = trouble.code;
        }
    }

    /// Whether the database could be read; if not, counts say nothing.
    pub fn is_read(&self) -> bool {
        !self.urls.is_empty()
    }

    /// URLs in a state.
    pub fn count(&self, state: UrlState) -> i64 {
        self.urls.get(&state.to_string()).copied().unwrap_or(0)
    }

    /// Submissions whose end is not known yet, of all actions.
    pub fn all_in_doubt(&self) -> i64 {
        self.in_doubt + self.lanes.iter().map(|lane| lane.in_doubt).sum::<i64>()
    }

    /// URLs that were sent again although they may have been accepted, of all actions.
    pub fn all_possible_doubles(&self) -> i64 {
        self.possible_doubles + self.lanes.iter().map(|lane| lane.possible_doubles).sum::<i64>()
    }

    /// Whether a daemon runs, or may run where nobody can tell.
    pub fn has_daemon(&self) -> bool {
        !matches!(self.health.as_str(), "stopped" | "not running")
    }
}

/// What is really left of today.
async fn really_left(conn: &mut Conn, config: &Config, now: Time) -> Result<schedule::Left> {
    let standing = ledger::standing(conn, Lane::Prefetch, now).await?;
    let spent = ledger::spent(conn, Lane::Prefetch, config.budget.day_starts, now).await?;
    Ok(schedule::really_left(&Policy::from(config), &spent, &standing))
}
