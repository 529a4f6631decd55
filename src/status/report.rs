//! The report that `prefetchd status` prints and `--json` writes, read from the public views alone.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use crate::model::UrlState;
use crate::store::Result;

const STATUS: &str = "
    select health, paused_why, waiting_for, waiting_until, spool_problem, pid, started_at,
           pending, leased, submitted, complete, failed, expired, cancelled, held, in_doubt, possible_doubles,
           parked, suspected, config_problem, http_problem
    from v_status";

const BUDGET: &str = "
    select day, day_ends_at, requests_limit, requests_used, urls_limit, urls_used, exhausted_why, unit, quota, remain,
           drift, observed_at, unsure
    from v_budget order by day desc limit 1";

const FILES: &str = "
    select file_id, name, progress, rejected_why, label, priority, dropped_at, lines, queued, merged, refused,
           pending, leased, submitted, complete, failed, expired, cancelled, held
    from v_files order by file_id desc limit ?1";

/// Everything that `status` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// `running`, `paused`, `stopping`, `stopped`, or `not running` if the daemon is gone without having said so.
    pub health: String,
    /// The daemon's process, while it runs.
    pub pid: Option<i64>,
    /// Since when it runs, RFC 3339.
    pub started_at: Option<String>,
    /// A fault of the account, with its remedy.
    pub paused_why: Option<String>,
    /// What is wrong with the spool.
    pub spool_problem: Option<String>,
    /// What of the configuration, read afresh, is not in force.
    pub config_problem: Option<String>,
    /// Why metrics and health are not served.
    pub http_problem: Option<String>,
    /// What the submitter waits for.
    pub waiting_for: Option<String>,
    /// Until when, RFC 3339.
    pub waiting_until: Option<String>,
    /// Submissions whose end is not known yet.
    pub in_doubt: i64,
    /// URLs sent anew although they may have been accepted.
    pub possible_doubles: i64,
    /// Pending URLs of domains that may not be sent.
    pub parked: i64,
    /// URLs that may be what a batch was refused for.
    pub suspected: i64,
    /// URLs by state.
    pub urls: BTreeMap<String, i64>,
    /// The latest budget day, once something was charged.
    pub budget: Option<BudgetReport>,
    /// The latest files, newest first.
    pub files: Vec<FileReport>,
}

/// A budget day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetReport {
    /// Its date at the offset of `day_starts`.
    pub day: String,
    /// When it ends, RFC 3339.
    pub day_ends_at: String,
    /// Requests it may cost.
    pub requests_limit: i64,
    /// Requests charged.
    pub requests_used: i64,
    /// URLs it may cost; none if that is not limited.
    pub urls_limit: Option<i64>,
    /// URLs charged.
    pub urls_used: i64,
    /// The service's word that nothing is left.
    pub exhausted_why: Option<String>,
    /// What the service's quota counts, `requests` or `urls`, once that is known.
    pub unit: Option<String>,
    /// The service's quota.
    pub quota: Option<i64>,
    /// What the service last said is left of it.
    pub remain: Option<i64>,
    /// Spent of it by others.
    pub drift: Option<i64>,
    /// When the service said so, RFC 3339.
    pub observed_at: Option<String>,
    /// Whether what was spent is not known for certain.
    pub unsure: bool,
}

/// A dropped file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Its row.
    pub file_id: i64,
    /// As it was dropped.
    pub name: String,
    /// `reading`, `done` or `rejected`.
    pub progress: String,
    /// Why it was rejected.
    pub rejected_why: Option<String>,
    /// The word to find it by.
    pub label: Option<String>,
    /// Its priority.
    pub priority: String,
    /// When it was claimed, RFC 3339.
    pub dropped_at: String,
    /// Lines taken as URLs, good or bad.
    pub lines: i64,
    /// Rows added.
    pub queued: i64,
    /// Lines whose URL was live already.
    pub merged: i64,
    /// Lines refused.
    pub refused: i64,
    /// Its URLs by state.
    pub urls: BTreeMap<String, i64>,
}

/// Reads the report with the latest `files` files.
///
/// # Errors
///
/// What the database says.
pub async fn read_report(conn: &mut SqliteConnection, files: u32) -> Result<StatusReport> {
    let row = sqlx::query(STATUS).fetch_one(&mut *conn).await?;
    let budget = sqlx::query(BUDGET).fetch_optional(&mut *conn).await?;
    let files = sqlx::query(FILES).bind(files).fetch_all(&mut *conn).await?;
    Ok(StatusReport {
        health: row.get(0),
        paused_why: row.get(1),
        waiting_for: row.get(2),
        waiting_until: row.get(3),
        spool_problem: row.get(4),
        pid: row.get(5),
        started_at: row.get(6),
        urls: by_state(&row, 7),
        in_doubt: row.get(15),
        possible_doubles: row.get(16),
        parked: row.get(17),
        suspected: row.get(18),
        config_problem: row.get(19),
        http_problem: row.get(20),
        budget: budget.map(|row| BudgetReport {
            day: row.get(0),
            day_ends_at: row.get(1),
            requests_limit: row.get(2),
            requests_used: row.get(3),
            urls_limit: row.get(4),
            urls_used: row.get(5),
            exhausted_why: row.get(6),
            unit: row.get(7),
            quota: row.get(8),
            remain: row.get(9),
            drift: row.get(10),
            observed_at: row.get(11),
            unsure: row.get(12),
        }),
        files: files
            .iter()
            .map(|row| FileReport {
                file_id: row.get(0),
                name: row.get(1),
                progress: row.get(2),
                rejected_why: row.get(3),
                label: row.get(4),
                priority: row.get(5),
                dropped_at: row.get(6),
                lines: row.get(7),
                queued: row.get(8),
                merged: row.get(9),
                refused: row.get(10),
                urls: by_state(row, 11),
            })
            .collect(),
    })
}

/// The eight counts that stand in a row from column `from` on, in the order of [`UrlState::ALL`].
fn by_state(row: &sqlx::sqlite::SqliteRow, from: usize) -> BTreeMap<String, i64> {
    UrlState::ALL.iter().enumerate().map(|(at, state)| (state.to_string(), row.get(from + at))).collect()
}
