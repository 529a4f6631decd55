//! The notices that are waiting to be told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Event;
use crate::model::{FileId, Time, rfc3339, to_millis};
use crate::queue;
use crate::store::{Readers, Result, Sql, WriteTx, query};

/// Most files that one transaction reports as finished.
const FILES_MAX: u32 = 100;

const ADD: Sql = Sql::both("insert into notices (at, event) values (?1, ?2)");

const NEXT: Sql = Sql::both(
    "
    select notice_id, event, tries from notices indexed by notices_unsent
    where sent_at is null and notice_id not in (select cast(value as bigint) from json_each(?1))
    order by notice_id limit 50",
);

const TRY: Sql = Sql::both("update notices set tries = tries + 1 where notice_id = ?1");

const DONE: Sql = Sql::both("update notices set sent_at = ?2 where notice_id = ?1");

const PRUNE: Sql = Sql::both("delete from notices where sent_at < ?1");

/// A notice to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) id: i64,
    /// The JSON object, on one line.
    pub(super) event: String,
    /// How often it was tried.
    pub(super) tries: u32,
}

/// Stores a notice, to be told soon.
pub async fn add_tx(tx: &mut WriteTx<'_>, event: &Event, now: Time) -> Result<()> {
    let mut object = json!(event);
    if let Value::Object(object) = &mut object {
        object.insert("at".to_owned(), rfc3339(now).into());
    }
    query(ADD).bind(to_millis(now)).bind(object.to_string()).execute(tx.conn()).await?;
    Ok(())
}

/// Stores a notice for each file that has finished.
pub async fn finish_files_tx(tx: &mut WriteTx<'_>, tracked: bool, now: Time) -> Result<()> {
    for file in queue::finish_files_tx(tx, tracked, FILES_MAX, now).await? {
        let event = Event::FileFinished {
            file: file.name,
            label: file.label,
            queued: file.queued,
            merged: file.merged,
            refused: file.refused,
            submitted: file.submitted,
            complete: file.complete,
            failed: file.failed,
            unconfirmed: file.unconfirmed,
            expired: file.expired,
            rejected_why: file.rejected_why,
            rejected_zh: file.rejected_zh,
            cancelled: file.cancelled,
            merged_urls: file.merged_urls,
        };
        add_tx(tx, &event, now).await?;
    }
    Ok(())
}

/// Stores a notice, once, for each file with pending URLs whose deadline is not after `until`.
pub async fn near_deadlines_tx(tx: &mut WriteTx<'_>, until: Time, now: Time) -> Result<()> {
    for near in queue::near_deadlines_tx(tx, until).await? {
        let event = Event::DeadlineNear { file: near.name, deadline: rfc3339(near.deadline), pending: near.pending };
        add_tx(tx, &event, now).await?;
    }
    Ok(())
}

/// Stores a notice for each file with the number of its expired URLs.
pub async fn missed_tx(tx: &mut WriteTx<'_>, expired: &BTreeMap<FileId, i64>, now: Time) -> Result<()> {
    for (file, urls) in expired {
        let file = queue::file_name_tx(tx, *file).await?;
        add_tx(tx, &Event::DeadlineMissed { file, urls: *urls }, now).await?;
    }
    Ok(())
}

/// The next notice to tell, except those with these numbers. The one with the fewest tries goes first, so that a
/// failing one does not hold up the others.
pub(super) async fn next(pool: &Readers, without: &[i64]) -> Result<Option<Notice>> {
    let rows = query(NEXT).bind(json!(without).to_string()).fetch_all(pool).await?;
    let notices = rows.into_iter().map(|row| Notice { id: row.get(0), event: row.get(1), tries: row.get(2) });
    Ok(notices.min_by_key(|notice| notice.tries))
}

/// Counts a try before it is made, so that the number of tries is bounded across crashes too.
pub(super) async fn try_tx(tx: &mut WriteTx<'_>, notice: i64) -> Result<()> {
    query(TRY).bind(notice).execute(tx.conn()).await?;
    Ok(())
}

/// The notice was told, or given up.
pub(super) async fn done_tx(tx: &mut WriteTx<'_>, notice: i64, now: Time) -> Result<()> {
    query(DONE).bind(notice).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets notices that were told before `before`.
pub(super) async fn prune_tx(tx: &mut WriteTx<'_>, before: Time) -> Result<()> {
    query(PRUNE).bind(to_millis(before)).execute(tx.conn()).await?;
    Ok(())
}
