//! What the public views tell of a report.

use std::collections::BTreeMap;

use super::super::Invocation;
use super::super::reasons::both;
use super::{
    BudgetReport, FileReport, KeyReport, LaneReport, LearnedReport, LeftReport, OldestReport, RobotReport,
    StatusReport, wal,
};
use crate::ledger;
use crate::model::{
    AccountFault, ConfigProblem, Lane, Learned, LeftWhy, PauseWhy, Priority, SpoolProblem, UrlState, WaitWhy, rfc3339,
};
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};
use crate::words::{self, Words};

/// The last day of each action beside prefetching.
const LANES: Sql = Sql::both(
    "
    select v.*, w.waiting_with from v_lanes as v
    join lane_waits as w on w.lane = case v.action when 'purge' then 2 else 3 end
    where v.action <> 'prefetch'
      and (v.day is null or v.day = (select max(day) from v_lanes as l where l.action = v.action))
    order by w.lane",
);

const STATUS: Sql = Sql::both(
    "
    select health, paused_why, waiting_for, waiting_until, spool_problem, pid, started_at,
           pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed,
           in_doubt, possible_doubles,
           parked, suspected, paused_since, pending_urgent, pending_high, pending_normal, pending_low, files_reading,
           config_problem, http_problem, time_proved, service_ahead_ms, key_source, key_generation, key_refused,
           in_flight, in_flight_limit, paused_code, waiting_code, spool_problem_code, config_problem_code,
           key_refused_code,
           (select waiting_with from lane_waits where lane = 1) as waiting_with,
           (select spool_problem_with from daemon order by host limit 1) as spool_problem_with,
           (select config_problem_with from daemon order by host limit 1) as config_problem_with
    from v_status",
);

const BUDGET: Sql = Sql::both(
    "
    select day, day_ends_at, requests_limit, requests_used, urls_limit, urls_used, exhausted_why, unit, quota, remain,
           drift, observed_at, unsure
    from v_budget order by day desc limit 1",
);

/// Those that wait come first, the most urgent of them before the others; then the latest.
const FILES: Sql = Sql::both(
    "
    select v.*, f.rejected_zh, strftime('%Y-%m-%dT%H:%M:%fZ', f.deadline / 1000.0, 'unixepoch') as deadline
    from v_files as v join files as f on f.file_id = v.file_id
    where v.file_id in (select file_id from files where pending > 0
                        order by priority, deadline is null, deadline, file_id limit ?1)
       or v.file_id in (select file_id from files order by file_id desc limit ?1)
    order by f.pending = 0, iif(f.pending = 0, 0, f.priority), iif(f.pending > 0 and f.deadline is null, 1, 0),
             iif(f.pending = 0, 0, f.deadline), iif(f.pending = 0, -f.file_id, f.file_id)
    limit ?1",
);

const BY_ID: Sql = Sql::both(
    "
    select v.*, f.rejected_zh, strftime('%Y-%m-%dT%H:%M:%fZ', f.deadline / 1000.0, 'unixepoch') as deadline
    from v_files as v join files as f on f.file_id = v.file_id
    where v.file_id in (select cast(value as bigint) from json_each(?1))",
);

const OLDEST: Sql =
    Sql::both("select name, dropped_at, pending from v_files where pending > 0 order by file_id limit 1");

const LEFT_ALONE: Sql = Sql::both("select name, why, since, why_code from v_left_alone order by since limit 20");

/// One or two failures pass by themselves.
const ROBOTS: Sql = Sql::both(
    "
    select name, failures, coalesce(failed_why, '') from v_robots where failures >= 3 order by name limit 20",
);

const DATABASE_FILE: Sql =
    Sql::two("select file from pragma_database_list where name = 'main'", "select '' where false");

/// Reads the report with the latest `files` files.
pub async fn read_report(conn: &mut Conn, files: u32) -> Result<StatusReport> {
    let row = query(STATUS).fetch_one(&mut *conn).await?;
    let budget = query(BUDGET).fetch_optional(&mut *conn).await?;
    let left = query(LEFT_ALONE).fetch_all(&mut *conn).await?;
    let oldest = query(OLDEST).fetch_optional(&mut *conn).await?;
    let files = query(FILES).bind(files).fetch_all(&mut *conn).await?;
    let database: Option<String> = query_scalar(DATABASE_FILE).fetch_optional(&mut *conn).await?;
    let learned = ledger::learned(conn).await?;
    let health: String = row.get(0);
    let (started_at, paused_since): (Option<String>, Option<String>) = (row.get("started_at"), row.get("paused_since"));
    Ok(StatusReport {
        lanes: query(LANES).fetch_all(&mut *conn).await?.iter().map(lane_report).collect(),
        at: None,
        host: None,
        leader: None,
        daemons: Vec::new(),
        is_leaderless: false,
        failures: 0,
        health_since: if health == "paused" { paused_since.clone() } else { started_at.clone() },
        health,
        database_problem: None,
        database_code: None,
        hanging: None,
        paused_why: paused(&row),
        paused_code: row.get("paused_code"),
        paused_since,
        waiting_for: waiting(&row, Lane::Prefetch),
        waiting_code: row.get("waiting_code"),
        waiting_until: row.get(3),
        spool_problem: problem(&row, "spool_problem", |code, with| {
            SpoolProblem::of_stored(code, with).as_ref().map(words::spool_problem)
        }),
        pid: row.get(5),
        started_at,
        urls: by_state(&row),
        in_doubt: row.get("in_doubt"),
        possible_doubles: row.get("possible_doubles"),
        parked: row.get("parked"),
        suspected: row.get("suspected"),
        config_problem: problem(&row, "config_problem", |code, with| {
            ConfigProblem::of_stored(code, with).as_ref().map(words::config_problem)
        }),
        http_problem: row.get::<Option<&str>, _>("http_problem").map(words::http_problem_of),
        in_flight: row.get("in_flight"),
        in_flight_limit: row.get("in_flight_limit"),
        learned: learned.iter().map(learned_report).collect(),
        time_proved: row.get("time_proved"),
        service_ahead_ms: row.get("service_ahead_ms"),
        key: row.get::<Option<&str>, _>("key_source").map(|source| KeyReport::of(source, &row)),
        files_reading: row.get("files_reading"),
        files_incoming: 0,
        orders_waiting: 0,
        robots_failing: query(ROBOTS).fetch_all(&mut *conn).await?.iter().map(robot_report).collect(),
        left_alone: left
            .iter()
            .map(|row| LeftReport { name: row.get(0), why: left_why(row.get(3), row.get(1)), since: row.get(2) })
            .collect(),
        pending: Priority::ALL.iter().map(|p| (p.to_string(), row.get(format!("pending_{p}").as_str()))).collect(),
        oldest: oldest.map(|row| OldestReport { file: row.get(0), dropped_at: row.get(1), pending: row.get(2) }),
        pace: None,
        forecast: None,
        wal: database.filter(|path| !path.is_empty()).map(|path| wal(path.as_ref())),
        needs: Vec::new(),
        by: Invocation::default(),
        budget: budget.as_ref().map(budget_day),
        files: files.iter().map(file_report).collect(),
    })
}

impl KeyReport {
    /// The key from this source, by a row of what a daemon said of it.
    pub(in crate::status) fn of(source: &str, row: &Row) -> Self {
        let refused = row.get::<Option<&str>, _>("key_refused");
        Self {
            source: words::key_source(source),
            generation: row.get("key_generation"),
            refused: refused.map(|text| key_refused(row.get("key_refused_code"), text)),
        }
    }
}

fn robot_report(row: &Row) -> RobotReport {
    RobotReport { name: row.get(0), failures: row.get(1), why: row.get(2) }
}

fn learned_report(learned: &Learned) -> LearnedReport {
    LearnedReport {
        action: learned.lane.word(),
        what: learned.what.code(),
        value: learned.what.value(),
        at: rfc3339(learned.at),
        why: words::learned(learned.what),
    }
}

/// Why nothing is submitted until somebody does something.
fn paused(row: &Row) -> Option<Words> {
    let text: String = row.get::<Option<String>, _>("paused_why")?;
    Some(match row.get("paused_code") {
        Some("stopped") => words::needs::stopped(text),
        code => words::pause(&PauseWhy::of_stored(code, &text)),
    })
}

fn waiting(row: &Row, lane: Lane) -> Option<Words> {
    let text: &str = row.get::<Option<&str>, _>("waiting_for")?;
    Some(words::wait_of(lane, &WaitWhy::of_stored(row.get("waiting_code"), row.get("waiting_with"), text)))
}

/// A problem by its code and parameters; the English text where this version does not know the code.
fn problem(row: &Row, column: &str, read: impl FnOnce(Option<&str>, Option<&str>) -> Option<Words>) -> Option<Words> {
    let text: &str = row.get::<Option<&str>, _>(column)?;
    let (code, with) = (row.get(format!("{column}_code").as_str()), row.get(format!("{column}_with").as_str()));
    Some(read(code, with).unwrap_or_else(|| Words::same(text)))
}

/// What the service says of the key: the text is its word, the code says what that means.
fn key_refused(code: Option<&str>, text: &str) -> Words {
    let fault: Option<AccountFault> = code.and_then(|code| code.parse().ok());
    fault.map_or_else(|| Words::same(text), |fault| Words { en: text.to_owned().into(), ..words::account_fault(fault) })
}

/// Why an entry is left alone.
pub(crate) fn left_why(code: Option<&str>, text: &str) -> Words {
    let why: Option<LeftWhy> = code.and_then(|code| code.parse().ok());
    why.map_or_else(|| Words::same(text), words::left_alone)
}

/// Files by their rows, in any order.
pub(crate) async fn files_by_id(conn: &mut Conn, ids: &[i64]) -> Result<Vec<FileReport>> {
    let rows = query(BY_ID).bind(serde_json::json!(ids).to_string()).fetch_all(conn).await?;
    Ok(rows.iter().map(file_report).collect())
}

fn lane_report(row: &Row) -> LaneReport {
    let text = |name: &str| row.get::<Option<String>, _>(name);
    let lane = row.get::<&str, _>("action").parse().unwrap_or(Lane::Purge);
    LaneReport {
        action: row.get("action"),
        pending: row.get("pending"),
        leased: row.get("leased"),
        held: row.get("held"),
        day: text("day"),
        urls_used: row.get::<Option<i64>, _>("urls_used").unwrap_or(0),
        urls_limit: row.get("urls_limit"),
        quota: row.get("quota"),
        remain: row.get("remain"),
        paused_why: text("paused_why").map(|why| match text("paused_code").as_deref() {
            Some("stopped") => Words::same(why),
            code => words::pause(&PauseWhy::of_stored(code, &why)),
        }),
        paused_code: text("paused_code"),
        waiting_for: waiting(row, lane),
        waiting_code: text("waiting_code"),
        waiting_until: text("waiting_until"),
        failed: 0,
        in_doubt: 0,
        possible_doubles: 0,
        has_urgent: false,
    }
}

fn budget_day(row: &Row) -> BudgetReport {
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

/// A row of [`FILES`] or [`BY_ID`].
fn file_report(row: &Row) -> FileReport {
    FileReport {
        file_id: row.get("file_id"),
        name: row.get("name"),
        progress: row.get("progress"),
        rejected_why: both(row.get("rejected_why"), row.get("rejected_zh")),
        host: row.get("host"),
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

/// The counts in a row whose columns are named after the states.
fn by_state(row: &Row) -> BTreeMap<String, i64> {
    UrlState::ALL
        .map(|state| state.to_string())
        .into_iter()
        .map(|word| (word.clone(), row.get(word.as_str())))
        .collect()
}
