//! Finds what people are told about files: that they have finished, and that a deadline is near.

use std::collections::BTreeMap;

use crate::model::{FileId, Time, from_millis, to_millis};
use crate::store::{Readers, Result, Row, Sql, WriteTx, query, query_scalar};

const HAS_FINISHED: Sql = Sql::both(
    "
    select exists (select 1 from files indexed by files_finishing
                   where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
                     and merged_pending + merged_leased + merged_submitted + merged_held = 0)",
);

/// Where tasks cannot be read, `submitted` is the last state.
const HAS_SENT: Sql = Sql::both(
    "
    select exists (select 1 from files indexed by files_sent
                   where phase in (2, 4) and finished_at is null and pending + leased + held = 0
                     and merged_pending + merged_leased + merged_held = 0)",
);

const FINISH: Sql = Sql::both(
    "
    update files set finished_at = ?1
    where file_id in (select file_id from files indexed by files_finishing
                      where phase in (2, 4) and finished_at is null and pending + leased + submitted + held = 0
                        and merged_pending + merged_leased + merged_submitted + merged_held = 0 limit ?2)
    returning name, label, queued, merged, refused, submitted, failed, expired, rejected_why, complete,
        unconfirmed, cancelled, merged_submitted, merged_complete, merged_failed, merged_unconfirmed, merged_expired,
        merged_cancelled, rejected_zh",
);

const FINISH_SENT: Sql = Sql::both(
    "
    update files set finished_at = ?1
    where file_id in (select file_id from files indexed by files_sent
                      where phase in (2, 4) and finished_at is null and pending + leased + held = 0
                        and merged_pending + merged_leased + merged_held = 0 limit ?2)
    returning name, label, queued, merged, refused, submitted, failed, expired, rejected_why, complete,
        unconfirmed, cancelled, merged_submitted, merged_complete, merged_failed, merged_unconfirmed, merged_expired,
        merged_cancelled, rejected_zh",
);

/// URLs that one line asks for, and the wishes for URLs that several lines ask for, each with its line's file.
const NEAR: Sql = Sql::both(
    "
    select f.file_id, f.name, f.pending + f.merged_pending, min(near.deadline)
    from (select * from (select u.file_id, u.deadline
                         from urls as u indexed by urls_deadline join files as f on f.file_id = u.file_id
                         where u.state = 0 and u.deadline is not null and u.deadline <= ?1 and f.deadline_said = 0
                           and not exists (select 1 from wishes as w where w.url_id = u.url_id and w.kind = 0)
                         order by u.deadline limit 10000) as rows_due
          union all
          select * from (select w.file_id, w.ends_at as deadline
                         from wishes as w indexed by wishes_ends cross join urls as u on u.url_id = w.url_id
                         join files as f on f.file_id = w.file_id
                         where w.ends_at is not null and w.ends_at <= ?1 and u.state = 0 and f.deadline_said = 0
                         order by w.ends_at limit 10000) as wishes_due) as near
    join files as f on f.file_id = near.file_id
    group by f.file_id",
);

const NEAR_SAID: Sql = Sql::both("update files set deadline_said = 1 where file_id = ?1");

/// The states in which merged lines may end, in the order of [`FINISH`].
const MERGED_STATES: [&str; 6] = ["submitted", "complete", "failed", "unconfirmed", "expired", "cancelled"];

const NAME: Sql = Sql::both("select name from files where file_id = ?1");

/// A finished file, with counts of how its URLs ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedFile {
    /// The name under which it was dropped.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// Lines that became rows of the queue.
    pub queued: i64,
    /// Lines whose URL was live already.
    pub merged: i64,
    /// Lines that are not URLs.
    pub refused: i64,
    /// URLs that were accepted where nobody may ask how they ended.
    pub submitted: i64,
    /// URLs that completed.
    pub complete: i64,
    /// URLs that failed.
    pub failed: i64,
    /// URLs whose end the service never reported.
    pub unconfirmed: i64,
    /// URLs whose deadline passed before they were sent.
    pub expired: i64,
    /// Why the whole file was refused, if it was.
    pub rejected_why: Option<String>,
    /// The same in Chinese.
    pub rejected_zh: Option<String>,
    /// URLs that the operator cancelled.
    pub cancelled: i64,
    /// The URLs of its merged lines by state; zeros are left out.
    pub merged_urls: BTreeMap<&'static str, i64>,
}

/// A file with pending URLs close to their deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearDeadline {
    /// The name under which it was dropped.
    pub name: String,
    /// The earliest of their deadlines.
    pub deadline: Time,
    /// All its pending URLs and merged lines, whatever their deadline.
    pub pending: i64,
}

/// Whether a file has finished and nobody was told. `tracked` says whether tasks are followed to their end.
pub async fn has_finished_files(readers: &Readers, tracked: bool) -> Result<bool> {
    query_scalar(if tracked { HAS_FINISHED } else { HAS_SENT }).fetch_one(readers).await
}

/// Marks at most this many such files as finished, and returns them: each one once.
pub async fn finish_files_tx(
    tx: &mut WriteTx<'_>,
    tracked: bool,
    files_max: u32,
    now: Time,
) -> Result<Vec<FinishedFile>> {
    let query = query(if tracked { FINISH } else { FINISH_SENT }).bind(to_millis(now)).bind(files_max);
    let rows = query.fetch_all(tx.conn()).await?;
    Ok(rows
        .iter()
        .map(|row| FinishedFile {
            name: row.get(0),
            label: row.get(1),
            queued: row.get(2),
            merged: row.get(3),
            refused: row.get(4),
            submitted: row.get(5),
            failed: row.get(6),
            expired: row.get(7),
            rejected_why: row.get(8),
            rejected_zh: row.get(18),
            complete: row.get(9),
            unconfirmed: row.get(10),
            cancelled: row.get(11),
            merged_urls: MERGED_STATES
                .iter()
                .zip(12..)
                .map(|(state, at)| (*state, row.get::<i64, _>(at)))
                .filter(|(_, n)| *n > 0)
                .collect(),
        })
        .collect())
}

/// The files with pending URLs whose deadline is not after `until`; each one once.
pub async fn near_deadlines_tx(tx: &mut WriteTx<'_>, until: Time) -> Result<Vec<NearDeadline>> {
    let rows = query(NEAR).bind(to_millis(until)).fetch_all(tx.conn()).await?;
    for row in &rows {
        query(NEAR_SAID).bind(row.get::<i64, _>(0)).execute(tx.conn()).await?;
    }
    let near = |row: &Row| NearDeadline { name: row.get(1), pending: row.get(2), deadline: from_millis(row.get(3)) };
    Ok(rows.iter().map(near).collect())
}

/// The name under which a file was dropped.
pub async fn file_name_tx(tx: &mut WriteTx<'_>, file: FileId) -> Result<String> {
    query_scalar(NAME).bind(file.0).fetch_one(tx.conn()).await
}
