//! The report that `prefetchd status` prints, and writes with `--json`. [`read_report`] reads the public views;
//! [`StatusReport::complete`] adds what needs the configuration, the time and a look at the daemon itself.
//! `docs/status.json.md` lists every field.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use serde::Serialize;
use sqlx::Row;

use super::forecast::ForecastReport;
use super::needs::Need;
use crate::config::Config;
use crate::ledger;
use crate::model::{Lane, Priority, Time, UrlState, rfc3339};
use crate::schedule::{self, Policy};
use crate::stage::Sign;
use crate::store::{self, Conn, Result};

const STATUS: &str = "
    select health, paused_why, waiting_for, waiting_until, spool_problem, pid, started_at,
           pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed,
           in_doubt, possible_doubles,
           parked, suspected, paused_since, pending_urgent, pending_high, pending_normal, pending_low, files_reading,
           config_problem, http_problem, time_proved, service_ahead_ms, key_source, key_generation, key_refused,
           in_flight, in_flight_limit, paused_code, waiting_code
    from v_status";

const BUDGET: &str = "
    select day, day_ends_at, requests_limit, requests_used, urls_limit, urls_used, exhausted_why, unit, quota, remain,
           drift, observed_at, unsure
    from v_budget order by day desc limit 1";

/// Those that wait come first, the most urgent of them before the others; then the latest.
const FILES: &str = "
    select v.*, strftime('%Y-%m-%dT%H:%M:%fZ', f.deadline / 1000.0, 'unixepoch') as deadline
    from v_files as v join files as f on f.file_id = v.file_id
    where v.file_id in (select file_id from files where pending > 0
                        order by priority, deadline is null, deadline, file_id limit ?1)
       or v.file_id in (select file_id from files order by file_id desc limit ?1)
    order by f.pending = 0, iif(f.pending = 0, 0, f.priority), iif(f.pending = 0, 0, f.deadline is null),
             iif(f.pending = 0, 0, f.deadline), iif(f.pending = 0, -f.file_id, f.file_id)
    limit ?1";

const OLDEST: &str = "select name, dropped_at, pending from v_files where pending > 0 order by file_id limit 1";

const LEFT_ALONE: &str = "select name, why, since from v_left_alone order by since limit 20";

const DATABASE_FILE: &str = "select file from pragma_database_list where name = 'main'";

/// If the WAL file is this many times its usual size, somebody keeps it from being copied back.
const WAL_LONG: u64 = 4;

/// The period over which the pace is measured.
const PACE: TimeDelta = TimeDelta::hours(1);

/// Everything that `status` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// When it was read, RFC 3339.
    pub at: Option<String>,
    /// `running`, `paused`, `stopping`, `stopped`; `not running` if the daemon is gone without having stopped properly,
    /// `blocked` if it cannot use its database, `hanging` if a stage does not move, `silent` if it gives no sign of
    /// life, `database lost` if the database file is no longer the one it opened.
    pub health: String,
    /// Calls that failed in a row since a batch was last accepted.
    pub failures: u32,
    /// Since when it is so, RFC 3339.
    pub health_since: Option<String>,
    /// The problem that keeps the daemon from using its database.
    pub database_problem: Option<String>,
    /// Its code: `locked`, `full`, `lost` and others; none from a daemon of an earlier version.
    pub database_code: Option<String>,
    /// The stages that hang.
    pub hanging: Option<String>,
    /// The daemon's process, while it runs.
    pub pid: Option<i64>,
    /// When it started, RFC 3339.
    pub started_at: Option<String>,
    /// The fault of the account, with its remedy.
    pub paused_why: Option<String>,
    /// Its code; `stopped` for a pause by the operator.
    pub paused_code: Option<String>,
    /// Since when, RFC 3339.
    pub paused_since: Option<String>,
    /// What is wrong with the spool.
    pub spool_problem: Option<String>,
    /// Which part of the reloaded configuration is not in force.
    pub config_problem: Option<String>,
    /// Why metrics and health are not served.
    pub http_problem: Option<String>,
    /// Whether an answer of the service has confirmed the daemon's time.
    pub time_proved: bool,
    /// How far the service's clock is ahead of this machine's, in milliseconds; none until it is proved.
    pub service_ahead_ms: Option<i64>,
    /// The access key; none until a daemon of this version has run.
    pub key: Option<KeyReport>,
    /// What the submitter waits for.
    pub waiting_for: Option<String>,
    /// Its code.
    pub waiting_code: Option<String>,
    /// Until when, RFC 3339.
    pub waiting_until: Option<String>,
    /// Submissions whose end is not known yet.
    pub in_doubt: i64,
    /// URLs that were sent again although they may have been accepted.
    pub possible_doubles: i64,
    /// Pending URLs of blocked domains.
    pub parked: i64,
    /// URLs under suspicion after a refused batch.
    pub suspected: i64,
    /// Files that are being read; their lines that are not queued yet are in no count.
    pub files_reading: i64,
    /// Files that were handed over and are on no book yet.
    pub files_incoming: i64,
    /// What has lain in `incoming/` for an hour and is left alone, the oldest first.
    pub left_alone: Vec<LeftReport>,
    /// URLs that were or may have been accepted and have not ended: they take up room in the service's own queue.
    pub in_flight: i64,
    /// How many fit there, as far as is known; none if it has never been full.
    pub in_flight_limit: Option<i64>,
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
}

/// The access key in use; never any part of the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Where it was found.
    pub source: String,
    /// 1 for the key of the start; each replacement adds one.
    pub generation: i64,
    /// What the service says when it refuses the key.
    pub refused: Option<String>,
}

/// An entry of `incoming/` that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftReport {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
    /// When it was last changed, RFC 3339.
    pub since: String,
}

/// The file that has waited longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OldestReport {
    /// Its name when it was dropped.
    pub file: String,
    /// When it was claimed, RFC 3339.
    pub dropped_at: String,
    /// Its URLs that are still pending.
    pub pending: i64,
}

/// What was sent in the last hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaceReport {
    /// Requests charged.
    pub requests: u64,
    /// URLs accepted.
    pub urls: u64,
}

/// The write-ahead log beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WalReport {
    /// Its size.
    pub bytes: u64,
    /// Whether it is so long that somebody must be keeping it from being copied back: a reader that stays open.
    pub is_long: bool,
}

/// A budget day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Its row.
    pub file_id: i64,
    /// Its name when it was dropped.
    pub name: String,
    /// `reading`, `done` or `rejected`.
    pub progress: String,
    /// Why it was rejected.
    pub rejected_why: Option<String>,
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

/// Reads the report with the latest `files` files.
pub async fn read_report(conn: &mut Conn, files: u32) -> Result<StatusReport> {
    let row = sqlx::query(STATUS).fetch_one(&mut *conn).await?;
    let budget = sqlx::query(BUDGET).fetch_optional(&mut *conn).await?;
    let left = sqlx::query(LEFT_ALONE).fetch_all(&mut *conn).await?;
    let oldest = sqlx::query(OLDEST).fetch_optional(&mut *conn).await?;
    let files = sqlx::query(FILES).bind(files).fetch_all(&mut *conn).await?;
    let database: Option<String> = sqlx::query_scalar(DATABASE_FILE).fetch_optional(&mut *conn).await?;
    let health: String = row.get(0);
    let (started_at, paused_since): (Option<String>, Option<String>) = (row.get("started_at"), row.get("paused_since"));
    Ok(StatusReport {
        at: None,
        failures: 0,
        health_since: if health == "paused" { paused_since.clone() } else { started_at.clone() },
        health,
        database_problem: None,
        database_code: None,
        hanging: None,
        paused_why: row.get(1),
        paused_code: row.get("paused_code"),
        paused_since,
        waiting_for: row.get(2),
        waiting_code: row.get("waiting_code"),
        waiting_until: row.get(3),
        spool_problem: row.get(4),
        pid: row.get(5),
        started_at,
        urls: by_state(&row),
        in_doubt: row.get("in_doubt"),
        possible_doubles: row.get("possible_doubles"),
        parked: row.get("parked"),
        suspected: row.get("suspected"),
        config_problem: row.get("config_problem"),
        http_problem: row.get("http_problem"),
        in_flight: row.get("in_flight"),
        in_flight_limit: row.get("in_flight_limit"),
        time_proved: row.get("time_proved"),
        service_ahead_ms: row.get("service_ahead_ms"),
        key: row.get::<Option<String>, _>("key_source").map(|source| KeyReport {
            source,
            generation: row.get("key_generation"),
            refused: row.get("key_refused"),
        }),
        files_reading: row.get("files_reading"),
        files_incoming: 0,
        left_alone: left
            .iter()
            .map(|row| LeftReport { name: row.get(0), why: row.get(1), since: row.get(2) })
            .collect(),
        pending: Priority::ALL.iter().map(|p| (p.to_string(), row.get(format!("pending_{p}").as_str()))).collect(),
        oldest: oldest.map(|row| OldestReport { file: row.get(0), dropped_at: row.get(1), pending: row.get(2) }),
        pace: None,
        forecast: None,
        wal: database.filter(|path| !path.is_empty()).map(|path| wal(path.as_ref())),
        needs: Vec::new(),
        budget: budget.as_ref().map(budget_day),
        files: files.iter().map(file).collect(),
    })
}

fn budget_day(row: &sqlx::sqlite::SqliteRow) -> BudgetReport {
    BudgetReport {
        day: row.get(0),
        day_ends_at: row.get(1),
        day_starts_from: None,
        requests_limit: row.get(2),
        requests_used: row.get(3),
        requests_left: None,
        urls_left: None,
        urls_limit: row.get(4),
        urls_used: row.get(5),
        exhausted_why: row.get(6),
        unit: row.get(7),
        quota: row.get(8),
        remain: row.get(9),
        drift: row.get(10),
        observed_at: row.get(11),
        quota_untold: false,
        unsure: row.get(12),
        is_over: false,
        reserve: None,
        reserve_until: None,
    }
}

fn file(row: &sqlx::sqlite::SqliteRow) -> FileReport {
    FileReport {
        file_id: row.get("file_id"),
        name: row.get("name"),
        progress: row.get("progress"),
        rejected_why: row.get("rejected_why"),
        label: row.get("label"),
        priority: row.get("priority"),
        deadline: row.get("deadline"),
        dropped_at: row.get("dropped_at"),
        lines: row.get("lines"),
        queued: row.get("queued"),
        merged: row.get("merged"),
        refused: row.get("refused"),
        fresh: row.get("fresh"),
        urls: by_state(row),
        warm_seconds_median: row.get("warm_seconds_median"),
        warm_seconds_p95: row.get("warm_seconds_p95"),
    }
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
        let (requests, urls) = ledger::sent_since(conn, Lane::Prefetch, now - PACE).await?;
        self.pace = Some(PaceReport { requests, urls });
        if self.count(UrlState::Pending) > 0 {
            self.forecast = Some(ForecastReport::read(conn, config, now).await?);
        }
        Ok(())
    }

    fn look_at_daemon(&mut self, is_running: Option<bool>, sign: Sign, now: Time) {
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
            self.database_problem = sign.trouble.map(|trouble| trouble.text);
        } else if let Some(trouble) = sign.trouble {
            self.health = "blocked".to_owned();
            self.health_since = Some(rfc3339(trouble.since));
            (self.database_problem, self.database_code) = (Some(trouble.text), trouble.code);
        }
    }

    /// URLs in a state.
    pub fn count(&self, state: UrlState) -> i64 {
        self.urls.get(&state.to_string()).copied().unwrap_or(0)
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

fn wal(database: &std::path::Path) -> WalReport {
    let bytes = std::fs::metadata(store::wal_of(database)).map_or(0, |meta| meta.len());
    WalReport { bytes, is_long: bytes > WAL_LONG * store::WAL_BYTES }
}

/// The counts in a row whose columns are named after the states.
fn by_state(row: &sqlx::sqlite::SqliteRow) -> BTreeMap<String, i64> {
    UrlState::ALL
        .map(|state| state.to_string())
        .into_iter()
        .map(|word| (word.clone(), row.get(word.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wal_is_long_when_it_is_many_times_what_it_is_cut_back_to() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        assert_eq!(wal(&database), WalReport { bytes: 0, is_long: false });
        // Sparse files of this length, without blocks on the disk.
        let file = std::fs::File::create(store::wal_of(&database)).unwrap();
        for (bytes, is_long) in [(store::WAL_BYTES, false), (4 * store::WAL_BYTES + 1, true)] {
            file.set_len(bytes).unwrap();
            assert_eq!(wal(&database), WalReport { bytes, is_long });
        }
    }
}
