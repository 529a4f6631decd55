//! The forecast from the present database: reads its starting point, and makes the short form that `status` shows.

use std::collections::HashMap;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::ledger;
use crate::model::{Lane, Time, rfc3339};
use crate::queue::{self, Awaiting, Bounds, Pending};
use crate::schedule::{DeadlineForecast, Group, Outlook, Policy, WarmTime, after_purges, forecast};
use crate::service::policy;
use crate::store::{Conn, Result, Sql, query, query_scalar};
use crate::words::{Words, labels};

/// Names of files.
const NAMES: Sql = Sql::both(
    "
    select file_id, name, label from v_files where file_id in (select cast(value as bigint) from json_each(?1))",
);

/// A purge takes effect after five to six minutes (SIBLING-APIS.md, A).
const PURGE_TAKES: TimeDelta = TimeDelta::minutes(6);

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
#[derive(Debug)]
pub struct Prospect {
    /// The starting point.
    pub outlook: Outlook,
    /// Pending URLs of blocked domains.
    pub blocked: u64,
    /// URLs whose place in the queue is not known for certain.
    pub guessed: u64,
    /// Files that are still being read.
    pub reading: u64,
    /// URLs that go after their purge, where that is not forecast yet.
    pub(super) awaiting: Vec<Awaiting>,
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
    /// Deadlines that will not be met: first those that will be missed, then by time.
    pub risks: Vec<Risk>,
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
    let mut prospect = prospect_of(conn, config, Lane::Prefetch, (bounds, steps_max), now).await?;
    let waiting = std::mem::take(&mut prospect.awaiting);
    if waiting.is_empty() {
        return Ok(prospect);
    }
    let takes = warm_time(conn, Lane::Purge).await?.map_or(PURGE_TAKES, |took| TimeDelta::seconds(took.p95_seconds));
    let purges = prospect_of(conn, config, Lane::Purge, (bounds, steps_max), now).await?.outlook;
    let purges = forecast(purges, &policy(config, Lane::Purge), now);
    let (accepted, to_be_sent): (Vec<Awaiting>, Vec<Awaiting>) =
        waiting.into_iter().partition(|awaiting| awaiting.purged_at.is_some());
    let groups = accepted.into_iter().map(|Awaiting { group, purged_at, .. }| {
        let ready_at = group.ready_at.max(purged_at.map(|at| at + takes));
        Group { ready_at, ..group }
    });
    prospect.outlook.groups.extend(groups);
    let to_be_sent = to_be_sent.into_iter().map(|awaiting| (awaiting.group, awaiting.purge_file)).collect();
    prospect.outlook.groups.extend(after_purges(to_be_sent, &purges.sends, takes));
    Ok(prospect)
}

/// The same for one lane, without what waits for another one.
pub async fn prospect_of(
    conn: &mut Conn,
    config: &Config,
    lane: Lane,
    (bounds, steps_max): (Bounds, u32),
    now: Time,
) -> Result<Prospect> {
    let pending = queue::pending(conn, lane, bounds, now).await?;
    let standing = ledger::standing(&mut *conn, lane, now).await?;
    let outlook = Outlook {
        flight: ledger::flight(&mut *conn, lane, &standing, now).await?,
        groups: pending.groups,
        spent: ledger::spent(&mut *conn, lane, config.budget.day_starts, now).await?,
        standing,
        quota: ledger::known_quota(conn, lane).await?,
        pace: TimeDelta::seconds(1) / i32::try_from(config.api.requests_per_second.get()).unwrap_or(1),
        steps_max,
        warm: warm_time(conn, lane).await?,
    };
    let Pending { blocked, guessed, reading, awaiting, .. } = pending;
    Ok(Prospect { outlook, blocked, guessed, reading, awaiting })
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
        let Prospect { outlook, guessed, .. } = prospect(conn, config, SHORT, SHORT_STEPS, now).await?;
        let forecast = forecast(outlook, &Policy::from(config), now);
        let mut at_risk: Vec<(Option<i64>, &DeadlineForecast)> = forecast
            .files
            .iter()
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
        })
    }
}
