//! What the public views tell of a report.

use std::collections::BTreeMap;

use sqlx::Row;

use super::{BudgetReport, FileReport, KeyReport, LeftReport, OldestReport, StatusReport, wal};
use crate::model::{Priority, UrlState};
use crate::store::{Conn, Result};

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

/// The counts in a row whose columns are named after the states.
fn by_state(row: &sqlx::sqlite::SqliteRow) -> BTreeMap<String, i64> {
    UrlState::ALL
        .map(|state| state.to_string())
        .into_iter()
        .map(|word| (word.clone(), row.get(word.as_str())))
        .collect()
}
