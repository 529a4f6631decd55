//! Accounts of dropped files: what became of their lines, and whether their receipts say so.

use std::collections::HashMap;

use super::files::{count, ids};
use crate::model::{
    Action, Effect, FileId, Keys, Lane, LineFault, Priority, Time, UrlState, Warned, Warning, from_millis,
};
use crate::store::{Conn, Readers, Result, Row, Sql, WriteTx, query, query_scalar};

const ACCOUNT: Sql = Sql::both(
    "
    select name, stored_name, label, priority, not_before, deadline, force, bytes, sha256, dropped_at, read_at,
           lines, queued, merged, fresh, refused, rejected_why, finished_at,
           pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed, file_id,
           rejected_code, rejected_zh, encoding,
           merged_pending, merged_leased, merged_submitted, merged_complete, merged_failed, merged_expired,
           merged_cancelled, merged_held, merged_unconfirmed, action, purge_force,
           purge_pending, purge_leased, purge_submitted, purge_complete, purge_failed, purge_expired,
           purge_cancelled, purge_held, purge_unconfirmed, host
    from files where file_id in (select cast(value as bigint) from json_each(?1))",
);

const FINAL_RECEIPTS: Sql = Sql::both(
    "
    select file_id, stored_name, exists (select 1 from files as later
                                         where later.host = files.host and later.stored_name = files.stored_name
                                           and later.file_id > files.file_id)
    from files indexed by files_final
    where host = ?1 and finished_at is not null and phase = 2 and receipt_final = 0 limit 100",
);

/// Unfinished files among the last that were dropped on a host, with the counts of their URLs.
const MOVING: Sql = Sql::both(
    "
    select file_id, stored_name,
           cast(json_array(pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed,
                      merged_pending, merged_leased, merged_submitted, merged_complete, merged_failed, merged_expired,
                      merged_cancelled, merged_held, merged_unconfirmed) as text),
           pending + merged_pending < queued + merged
    from (select * from files where host = ?2 order by file_id desc limit ?1) as latest
    where phase = 2 and finished_at is null",
);

/// Skips a file that was opened again, or whose URLs have moved on, since the receipt's numbers were read.
const RECEIPTS_WRITTEN: Sql = Sql::both(
    "
    update files set receipt_final = 1
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as submitted from json_each(?1)) as j
    where files.file_id = j.id and files.submitted + files.merged_submitted = j.submitted
      and files.finished_at is not null",
);

/// The lanes of the first rows of files, or of what the files ask for if they have none: of a file of a million lines a
/// thousand tell enough.
const LANES: Sql = Sql::both(
    "
    select distinct lane from
        (select u.lane from files as f cross join urls as u on u.url_id between f.url_from and f.url_to
         where f.file_id in (select cast(value as bigint) from json_each(?1)) and u.file_id = f.file_id
           and u.first_step = 0
         limit 1000) as first_rows",
);

const ACTIONS: Sql =
    Sql::both("select distinct action from files where file_id in (select cast(value as bigint) from json_each(?1))");

const ACCOUNT_REFUSALS: Sql = Sql::both(
    "
    select code, cast(sum(lines) as bigint), file_id from file_refusals
    where file_id in (select cast(value as bigint) from json_each(?1)) group by file_id, code",
);

const ACCOUNT_WARNINGS: Sql = Sql::both(
    "
    select code, found, line, lines, file_id from file_warnings
    where file_id in (select cast(value as bigint) from json_each(?1)) order by file_id, line, code, found",
);

/// What became of a file's lines, for its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAccount {
    /// Its name when it was dropped.
    pub name: String,
    /// Its name in `done/` or `rejected/`.
    pub stored_name: String,
    /// In whose spool it lies; empty where the database is a file.
    pub host: String,
    /// What its directives ask for.
    pub keys: Keys,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// The hash of its content, in hex.
    pub sha256: Option<String>,
    /// When it was claimed.
    pub dropped_at: Time,
    /// When its last line was committed.
    pub read_at: Option<Time>,
    /// Lines taken as URLs, good or bad.
    pub lines: u64,
    /// Rows added to the queue.
    pub queued: u64,
    /// Lines whose URL was live already.
    pub merged: u64,
    /// Lines whose URL completed recently.
    pub fresh: u64,
    /// Lines refused.
    pub refused: u64,
    /// Refused lines by reason.
    pub refusals: Vec<(LineFault, u64)>,
    /// Warnings about it.
    pub warnings: Vec<Warned>,
    /// Why the file as a whole was refused.
    pub rejected_why: Option<String>,
    /// The code of that reason; none in rows of earlier versions.
    pub rejected_code: Option<String>,
    /// The reason in Chinese.
    pub rejected_zh: Option<String>,
    /// Its encoding; none if all its bytes are ASCII.
    pub encoding: Option<String>,
    /// When everything was done for it.
    pub finished_at: Option<Time>,
    /// How many of its URLs are in each state, in the order of [`UrlState::ALL`].
    pub urls: [u64; UrlState::ALL.len()],
    /// The same for the URLs that its lines were merged into.
    pub merged_urls: [u64; UrlState::ALL.len()],
    /// The same for the purges of lines whose URL is prefetched after them.
    pub purges: [u64; UrlState::ALL.len()],
    /// What its URLs are once everything was done for them.
    pub effect: Effect,
}

/// Reads the accounts of files.
pub async fn accounts(pool: &Readers, files: &[FileId]) -> Result<HashMap<FileId, FileAccount>> {
    accounts_of(&mut pool.acquire().await?, files).await
}

/// The same, as this connection sees it.
pub async fn accounts_of(conn: &mut Conn, files: &[FileId]) -> Result<HashMap<FileId, FileAccount>> {
    let files = ids(files);
    let rows = query(ACCOUNT).bind(&files).fetch_all(&mut *conn).await?;
    let mut accounts: HashMap<FileId, FileAccount> =
        rows.iter().map(|row| (FileId(row.get(27)), account(row))).collect();
    for row in query(ACCOUNT_REFUSALS).bind(&files).fetch_all(&mut *conn).await? {
        if let Some(account) = accounts.get_mut(&FileId(row.get(2))) {
            account.refusals.push((LineFault::of_code(row.get(0)), count(&row, 1)));
        }
    }
    for row in query(ACCOUNT_WARNINGS).bind(&files).fetch_all(&mut *conn).await? {
        let warning = Warning::of_code(row.get(0));
        if let Some((account, warning)) = accounts.get_mut(&FileId(row.get(4))).zip(warning) {
            let (line, lines) = (count(&row, 2), count(&row, 3));
            account.warnings.push(Warned { warning, line, lines, found: row.get(1) });
        }
    }
    for (file, account) in &mut accounts {
        account.effect = effect_of(conn, &[file.0]).await?;
    }
    Ok(accounts)
}

/// What the URLs of these files are once everything was done for them, by their first rows.
pub async fn effect_of(conn: &mut Conn, files: &[i64]) -> Result<Effect> {
    let files = serde_json::json!(files).to_string();
    let lanes: Vec<i64> = query_scalar(LANES).bind(&files).fetch_all(&mut *conn).await?;
    if !lanes.is_empty() {
        return Ok(Effect::of(lanes.into_iter().map(Lane::of_number)));
    }
    let actions: Vec<i64> = query_scalar(ACTIONS).bind(&files).fetch_all(conn).await?;
    Ok(Effect::of(actions.into_iter().map(|action| Action::of_number(action).lane())))
}

fn account(row: &Row) -> FileAccount {
    FileAccount {
        name: row.get(0),
        stored_name: row.get(1),
        host: row.get("host"),
        keys: Keys {
            label: row.get(2),
            priority: Priority::from_rank(row.get(3)),
            not_before: row.get::<Option<i64>, _>(4).map(from_millis),
            deadline: row.get::<Option<i64>, _>(5).map(from_millis),
            force: row.get(6),
            action: Action::of_number(row.get("action")),
            purge_force: row.get("purge_force"),
        },
        bytes: row.get::<Option<i64>, _>(7).map(i64::unsigned_abs),
        sha256: row.get(8),
        dropped_at: from_millis(row.get(9)),
        read_at: row.get::<Option<i64>, _>(10).map(from_millis),
        lines: count(row, 11),
        queued: count(row, 12),
        merged: count(row, 13),
        fresh: count(row, 14),
        refused: count(row, 15),
        refusals: Vec::new(),
        warnings: Vec::new(),
        rejected_why: row.get(16),
        rejected_code: row.get(28),
        rejected_zh: row.get(29),
        encoding: row.get(30),
        finished_at: row.get::<Option<i64>, _>(17).map(from_millis),
        urls: std::array::from_fn(|at| count(row, 18 + at)),
        merged_urls: std::array::from_fn(|at| count(row, 31 + at)),
        purges: std::array::from_fn(|at| count(row, 42 + at)),
        effect: Effect::default(),
    }
}

/// A file that has not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovingFile {
    /// Its row.
    pub file: FileId,
    /// Its name in `done/`.
    pub stored_name: String,
    /// The counts of its URLs, as text to compare.
    pub counts: String,
    /// Whether some of its URLs are no longer pending.
    pub has_moved: bool,
}

/// Unfinished files among the last `files_max` that were dropped on this host.
pub async fn moving(pool: &Readers, host: &str, files_max: u32) -> Result<Vec<MovingFile>> {
    let rows = query(MOVING).bind(files_max).bind(host).fetch_all(pool).await?;
    let file = |row: &Row| MovingFile {
        file: FileId(row.get(0)),
        stored_name: row.get(1),
        counts: row.get(2),
        has_moved: row.get(3),
    };
    Ok(rows.iter().map(file).collect())
}

/// Finished files of this host whose receipts do not say so yet, and whether a later file has the same stored name, so
/// that the receipt there is not theirs.
pub async fn without_final_receipt(pool: &Readers, host: &str) -> Result<Vec<(FileId, String, bool)>> {
    let rows = query(FINAL_RECEIPTS).bind(host).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (FileId(row.get(0)), row.get(1), row.get(2))).collect())
}

/// Notes that the receipts say how these files ended, as in their accounts. A file that has changed since gets its
/// receipt written again.
pub async fn receipts_written_tx(tx: &mut WriteTx<'_>, files: &HashMap<FileId, FileAccount>) -> Result<()> {
    let submitted = UrlState::Submitted as usize;
    let said = |account: &FileAccount| account.urls[submitted] + account.merged_urls[submitted];
    let said: Vec<(i64, u64)> = files.iter().map(|(file, account)| (file.0, said(account))).collect();
    query(RECEIPTS_WRITTEN).bind(serde_json::json!(said).to_string()).execute(tx.conn()).await?;
    Ok(())
}
