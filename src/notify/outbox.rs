//! The notices that have not been told yet.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{Row, SqlitePool};

use super::Event;
use crate::model::{FileId, Time, from_millis, rfc3339, to_millis};
use crate::store::{Result, WriteTx};

/// Notices and files that one transaction handles at most.
const ROWS_MAX: i64 = 100;

const ADD: &str = "insert into notices (at, event) values (?1, ?2)";

const NEXT: &str = "
    select notice_id, event, tries from notices indexed by notices_unsent
    where sent_at is null and notice_id not in (select value from json_each(?1))
    order by notice_id limit 50";

const TRY: &str = "update notices set tries = tries + 1 where notice_id = ?1";

const DONE: &str = "update notices set sent_at = ?2 where notice_id = ?1";

const PRUNE: &str = "delete from notices where sent_at < ?1";

const HAS_FINISHED: &str = "
    select exists (select 1 from files indexed by files_finishing
                   where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
                     and merged_pending + merged_leased + merged_submitted + merged_held = 0)";

/// Where tasks may not be asked for, `submitted` is the last state.
const HAS_SENT: &str = "
    select exists (select 1 from files indexed by files_sent
                   where phase in (2, 4) and finished_at is null and pending + leased + held = 0
                     and merged_pending + merged_leased + merged_held = 0)";

const FINISH: &str = "
    update files set finished_at = ?1
    where file_id in (select file_id from files indexed by files_finishing
                      where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
                        and merged_pending + merged_leased + merged_submitted + merged_held = 0 limit ?2)
    returning name, label, queued, merged, refused, submitted, failed, expired, rejected_why, complete,
        unconfirmed, cancelled, merged_submitted, merged_complete, merged_failed, merged_unconfirmed, merged_expired,
        merged_cancelled";

const FINISH_SENT: &str = "
    update files set finished_at = ?1
    where file_id in (select file_id from files indexed by files_sent
                      where phase in (2, 4) and finished_at is null and pending + leased + held = 0
                        and merged_pending + merged_leased + merged_held = 0 limit ?2)
    returning name, label, queued, merged, refused, submitted, failed, expired, rejected_why, complete,
        unconfirmed, cancelled, merged_submitted, merged_complete, merged_failed, merged_unconfirmed, merged_expired,
        merged_cancelled";

/// Of URLs that one line wants, and of wishes for those that several want, each with the file of its line.
const NEAR: &str = "
    select f.file_id, f.name, f.pending + f.merged_pending, min(near.deadline)
    from (select * from (select u.file_id, u.deadline
                         from urls as u indexed by urls_deadline join files as f on f.file_id = u.file_id
                         where u.state = 0 and u.deadline is not null and u.deadline <= ?1 and f.deadline_said = 0
                           and not exists (select 1 from wishes as w where w.url_id = u.url_id and w.kind = 0)
                         order by u.deadline limit 10000)
          union all
          select * from (select w.file_id, w.ends_at as deadline
                         from wishes as w indexed by wishes_ends cross join urls as u on u.url_id = w.url_id
                         join files as f on f.file_id = w.file_id
                         where w.ends_at is not null and w.ends_at <= ?1 and u.state = 0 and f.deadline_said = 0
                         order by w.ends_at limit 10000)) as near
    join files as f on f.file_id = near.file_id
    group by f.file_id";

const NEAR_SAID: &str = "update files set deadline_said = 1 where file_id = ?1";

/// The states in which merged lines may be at the end, in the order of [`FINISH`].
const MERGED_STATES: [&str; 6] = ["submitted", "complete", "failed", "unconfirmed", "expired", "cancelled"];

const NAME: &str = "select name from files where file_id = ?1";

/// A notice to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) id: i64,
    /// The JSON object, on one line.
    pub(super) event: String,
    /// How often it was tried.
    pub(super) tries: u32,
}

/// Writes a notice down, to be told soon.
///
/// # Errors
///
/// What the database says.
pub async fn add_tx(tx: &mut WriteTx<'_>, event: &Event, now: Time) -> Result<()> {
    let mut object = json!(event);
    if let Value::Object(object) = &mut object {
        object.insert("at".to_owned(), rfc3339(now).into());
    }
    sqlx::query(ADD).bind(to_millis(now)).bind(object.to_string()).execute(tx.conn()).await?;
    Ok(())
}

/// Whether there are files with which nothing is left to do, and nobody has said so. `tracked` is whether tasks are followed to
/// their end.
///
/// # Errors
///
/// What the database says.
pub async fn has_finished_files(pool: &SqlitePool, tracked: bool) -> Result<bool> {
    Ok(sqlx::query_scalar(if tracked { HAS_FINISHED } else { HAS_SENT }).fetch_one(pool).await?)
}

/// Says of files with which nothing is left to do that they are finished.
///
/// # Errors
///
/// What the database says.
pub async fn finish_files_tx(tx: &mut WriteTx<'_>, tracked: bool, now: Time) -> Result<()> {
    let rows = sqlx::query(if tracked { FINISH } else { FINISH_SENT })
        .bind(to_millis(now))
        .bind(ROWS_MAX)
        .fetch_all(tx.conn())
        .await?;
    for row in rows {
        let event = Event::FileFinished {
            file: row.get(0),
            label: row.get(1),
            queued: row.get(2),
            merged: row.get(3),
            refused: row.get(4),
            submitted: row.get(5),
            complete: row.get(9),
            failed: row.get(6),
            unconfirmed: row.get(10),
            expired: row.get(7),
            rejected_why: row.get(8),
            cancelled: row.get(11),
            merged_urls: MERGED_STATES
                .iter()
                .zip(12..)
                .map(|(state, at)| (*state, row.get::<i64, _>(at)))
                .filter(|(_, n)| *n > 0)
                .collect(),
        };
        add_tx(tx, &event, now).await?;
    }
    Ok(())
}

/// Says once of each file that has lines whose URLs are pending and whose deadline is not after `until`.
///
/// # Errors
///
/// What the database says.
pub async fn near_deadlines_tx(tx: &mut WriteTx<'_>, until: Time, now: Time) -> Result<()> {
    let rows = sqlx::query(NEAR).bind(to_millis(until)).fetch_all(tx.conn()).await?;
    for row in rows {
        sqlx::query(NEAR_SAID).bind(row.get::<i64, _>(0)).execute(tx.conn()).await?;
        let deadline = rfc3339(from_millis(row.get(3)));
        let event = Event::DeadlineNear { file: row.get(1), deadline, pending: row.get(2) };
        add_tx(tx, &event, now).await?;
    }
    Ok(())
}

/// Says of each file how many of its URLs expired.
///
/// # Errors
///
/// What the database says.
pub async fn missed_tx(tx: &mut WriteTx<'_>, expired: &BTreeMap<FileId, i64>, now: Time) -> Result<()> {
    for (file, urls) in expired {
        let name: String = sqlx::query_scalar(NAME).bind(file.0).fetch_one(tx.conn()).await?;
        add_tx(tx, &Event::DeadlineMissed { file: name, urls: *urls }, now).await?;
    }
    Ok(())
}

/// The next notice that has not been told, without those of these numbers. The one that was tried least goes first, so
/// that one that fails holds up no other.
pub(super) async fn next(pool: &SqlitePool, without: &[i64]) -> Result<Option<Notice>> {
    let rows = sqlx::query(NEXT).bind(json!(without).to_string()).fetch_all(pool).await?;
    let notices = rows.into_iter().map(|row| Notice { id: row.get(0), event: row.get(1), tries: row.get(2) });
    Ok(notices.min_by_key(|notice| notice.tries))
}

/// It is about to be told: tries are bounded across crashes too.
pub(super) async fn try_tx(tx: &mut WriteTx<'_>, notice: i64) -> Result<()> {
    sqlx::query(TRY).bind(notice).execute(tx.conn()).await?;
    Ok(())
}

/// It was told, or given up.
pub(super) async fn done_tx(tx: &mut WriteTx<'_>, notice: i64, now: Time) -> Result<()> {
    sqlx::query(DONE).bind(notice).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets what was told before `before`.
pub(super) async fn prune_tx(tx: &mut WriteTx<'_>, before: Time) -> Result<()> {
    sqlx::query(PRUNE).bind(to_millis(before)).execute(tx.conn()).await?;
    Ok(())
}
