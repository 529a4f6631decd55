//! The forecast from the present database: reads its starting point, and makes the short form that `status` shows.

use std::collections::HashMap;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;
use strum::VariantArray as _;

use crate::config::Config;
use crate::ledger;
use crate::model::{Lane, Time, rfc3339};
use crate::queue::{self, Awaiting, Bounds};
use crate::schedule::{
    Behind, DeadlineForecast, FileForecast, Forecast, Group, Outlook, PURGE_TAKES, Policy, WarmTime, forecast_lanes,
};
use crate::service::policy;
use crate::store::{Conn, Result, Sql, query, query_scalar};
use crate::words::{Words, labels};

/// Names of files.
const NAMES: Sql = Sql::both(
    "
    select file_id, name, label from v_files where file_id in (select cast(value as bigint) from json_each(?1))",
);

/// Seconds from submission to the end, for tasks of the latest submissions of an action.
const WARM: Sql = Sql::both(
    "
    select cast(round((julianday(t.ended_at) - julianday(s.closed_at)) * 86400) as bigint) as seconds
    from v_tasks as t join v_submissions as s on s.submission_id = t.submission_id
    where t.submission_id > (select coalesce(max(submission_id), 0) from v_submissions) - 500
      and t.ended_at is not null and t.status = 'Complete' and s.action = ?1
    order by seconds",
);

/// Fewer tasks than this tell nothing.
const WARM_TASKS_MIN: usize = 20;

/// How much of the queue `status` reads, because it must answer at once.
const SHORT: Bounds = Bounds { rows: 1_000, files: 1_000 };

/// Most steps of the forecast in `status`.
const SHORT_STEPS: u32 = 30_000;

/// Most deadlines that `status` names.
const RISKS_MAX: usize = 3;

/// Where a forecast starts, and what it leaves out.
#[derive(Debug, Clone)]
pub struct Prospect {
    /// The starting point of each lane, with its policy, in the order of the lanes.
    lanes: Vec<(Outlook, Policy)>,
    /// How long a purge takes until it is known to be complete.
    purge_takes: TimeDelta,
    /// Pending URLs of blocked domains.
    pub blocked: u64,
    /// URLs whose place in the queue is not known for certain.
    pub guessed: u64,
    /// Files that are still being read.
    pub reading: u64,
}

impl Prospect {
    /// The starting point of a lane.
    pub fn outlook(&mut self, lane: Lane) -> &mut Outlook {
        let at = self.lanes.iter().position(|(_, policy)| policy.lane == lane);
        &mut self.lanes[at.expect("it has every lane")].0
    }

    /// The forecast of all lanes, from `now`.
    pub fn forecast(self, now: Time) -> Forecasts {
        let lanes = self.lanes.iter().map(|(_, policy)| policy.lane).collect();
        let (outlooks, policies): (Vec<Outlook>, Vec<Policy>) = self.lanes.into_iter().unzip();
        Forecasts { all: forecast_lanes(outlooks.into_iter().zip(&policies).collect(), self.purge_takes, now), lanes }
    }
}

/// The forecasts of all lanes.
#[derive(Debug, Clone)]
pub struct Forecasts {
    all: Vec<Forecast>,
    lanes: Vec<Lane>,
}

impl Forecasts {
    /// That of a lane.
    pub fn of(&self, lane: Lane) -> &Forecast {
        let at = self.lanes.iter().position(|of| *of == lane);
        &self.all[at.expect("it has every lane")]
    }

    /// Each, with its lane.
    pub fn each(&self) -> impl Iterator<Item = (Lane, &Forecast)> {
        self.lanes.iter().copied().zip(&self.all)
    }

    /// What becomes of a file: of its prefetches if it has any, else of its purges.
    pub fn of_file(&self, file: i64) -> Option<&FileForecast> {
        self.all.iter().flat_map(|forecast| &forecast.files).find(|forecast| forecast.file_id == Some(file))
    }
}

/// The forecast in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ForecastReport {
    /// When the last URL is submitted, RFC 3339.
    pub last_at: Option<String>,
    /// How many requests that takes.
    pub requests: u64,
    /// How many budget days that takes, including today.
    pub days: usize,
    /// URLs that are submitted.
    pub submitted: u64,
    /// URLs whose deadline passes before they can be sent.
    pub missed: u64,
    /// URLs that are sent in time but are not warm by their deadline.
    pub cold: u64,
    /// URLs that go after `ends_at`, where the forecast stops.
    pub beyond: u64,
    /// When it stops, RFC 3339.
    pub ends_at: String,
    /// URLs whose place in the queue is not known for certain.
    pub guessed: u64,
    /// Deadlines that will not be met, of all actions: first those that will be missed, then by time.
    pub risks: Vec<Risk>,
    /// The same for the actions beside prefetching that have something to do; missing where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneForecast>,
}

/// The forecast of an action beside prefetching, in URLs or directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LaneForecast {
    /// `purge` or `purge-directory`.
    pub action: String,
    /// When the last one is submitted, RFC 3339.
    pub last_at: Option<String>,
    /// How many budget days that takes, including today.
    pub days: usize,
    /// What is submitted.
    pub submitted: u64,
    /// Whose deadline passes before it can be sent.
    pub missed: u64,
    /// Sent in time, and not ended by its deadline.
    pub cold: u64,
    /// What goes after `ends_at`.
    pub beyond: u64,
}

impl LaneForecast {
    fn of(lane: Lane, forecast: &Forecast) -> Self {
        Self {
            action: lane.word().to_owned(),
            last_at: forecast.last_at.map(rfc3339),
            days: forecast.days.len(),
            submitted: forecast.submitted,
            missed: forecast.missed,
            cold: forecast.cold,
            beyond: forecast.beyond,
        }
    }
}

/// A deadline that will not be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Risk {
    /// The file.
    pub file: Words,
    /// The deadline, RFC 3339.
    pub deadline: String,
    /// URLs with this deadline.
    pub urls: u64,
    /// How many of them cannot be sent before it.
    pub missed: u64,
    /// How many of them are sent before it but are not warm by then.
    pub cold: u64,
}

/// Reads where a forecast starts.
pub async fn prospect(conn: &mut Conn, config: &Config, bounds: Bounds, steps_max: u32, now: Time) -> Result<Prospect> {
    let took = warm_time(conn, Lane::Purge).await?;
    let purge_takes = took.map_or(PURGE_TAKES, |took| TimeDelta::seconds(took.p95_seconds));
    let mut prospect = Prospect { lanes: Vec::new(), purge_takes, blocked: 0, guessed: 0, reading: 0 };
    for lane in Lane::VARIANTS {
        let pending = queue::pending(conn, *lane, bounds, now).await?;
        let standing = ledger::standing(&mut *conn, *lane, now).await?;
        let (sent, to_be_sent): (Vec<Awaiting>, Vec<Awaiting>) =
            pending.awaiting.into_iter().partition(|awaiting| awaiting.purged_at.is_some());
        let mut groups = pending.groups;
        groups.extend(sent.into_iter().map(|Awaiting { group, purged_at, .. }| {
            let ready_at = group.ready_at.max(purged_at.map(|at| at + purge_takes));
            Group { ready_at, ..group }
        }));
        let behind = |Awaiting { group, purge_file, .. }| Behind { group, purge_file };
        let outlook = Outlook {
            flight: ledger::flight(&mut *conn, *lane, &standing, now).await?,
            groups,
            behind: to_be_sent.into_iter().map(behind).collect(),
            spent: ledger::spent(&mut *conn, *lane, config.budget.day_starts, now).await?,
            standing,
            quota: ledger::known_quota(conn, *lane).await?,
            pace: TimeDelta::seconds(1) / i32::try_from(config.api.requests_per_second.get()).unwrap_or(1),
            steps_max,
            warm: warm_time(conn, *lane).await?,
        };
        prospect.lanes.push((outlook, policy(config, *lane)));
        prospect.blocked += pending.blocked;
        prospect.guessed += pending.guessed;
        prospect.reading = pending.reading;
    }
    Ok(prospect)
}

/// The usual time from submission to the end of an action; none until enough tasks have ended.
pub async fn warm_time(conn: &mut Conn, lane: Lane) -> Result<Option<WarmTime>> {
    let seconds: Vec<i64> = query_scalar(WARM).bind(lane.word()).fetch_all(conn).await?;
    let at = |share: usize| seconds.get((seconds.len() * share / 100).min(seconds.len().saturating_sub(1))).copied();
    Ok(at(50).zip(at(95)).filter(|_| seconds.len() >= WARM_TASKS_MIN).map(|(median_seconds, p95_seconds)| WarmTime {
        median_seconds,
        p95_seconds,
        tasks: i64::try_from(seconds.len()).unwrap_or(i64::MAX),
    }))
}

/// Names and labels of files.
pub async fn names(conn: &mut Conn, files: &[i64]) -> Result<HashMap<i64, (String, Option<String>)>> {
    let rows = query(NAMES).bind(serde_json::json!(files).to_string()).fetch_all(conn).await?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

impl ForecastReport {
    /// Makes the short forecast, in bounded time.
    pub(super) async fn read(conn: &mut Conn, config: &Config, now: Time) -> Result<Self> {
        let prospect = prospect(conn, config, SHORT, SHORT_STEPS, now).await?;
        let guessed = prospect.guessed;
        let forecasts = prospect.forecast(now);
        let forecast = forecasts.of(Lane::Prefetch);
        let files = forecasts.each().flat_map(|(_, forecast)| &forecast.files);
        let mut at_risk: Vec<(Option<i64>, &DeadlineForecast)> = files
            .flat_map(|file| file.deadlines.iter().map(|deadline| (file.file_id, deadline)))
            .filter(|(_, deadline)| deadline.missed + deadline.cold > 0)
            .collect();
        at_risk.sort_by_key(|(file, deadline)| (deadline.missed == 0, deadline.deadline, *file));
        at_risk.truncate(RISKS_MAX);
        let ids: Vec<i64> = at_risk.iter().filter_map(|(file, _)| *file).collect();
        let names = names(conn, &ids).await?;
        let mut risks = Vec::new();
        for (file, deadline) in at_risk {
            let file = file.and_then(|id| names.get(&id)).map_or(labels::OTHER_FILES, |(name, _)| Words::same(name));
            let DeadlineForecast { deadline, urls, missed, cold } = deadline.clone();
            risks.push(Risk { file, deadline: rfc3339(deadline), urls, missed, cold });
        }
        Ok(Self {
            last_at: forecast.last_at.map(rfc3339),
            requests: forecast.requests,
            days: forecast.days.len(),
            submitted: forecast.submitted,
            missed: forecast.missed,
            cold: forecast.cold,
            beyond: forecast.beyond,
            ends_at: rfc3339(forecast.ends_at),
            guessed,
            risks,
            lanes: forecasts
                .each()
                .filter(|(lane, forecast)| *lane != Lane::Prefetch && forecast.urls > 0)
                .map(|(lane, forecast)| LaneForecast::of(lane, forecast))
                .collect(),
        })
    }
}
