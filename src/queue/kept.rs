//! Files that were put away on a host, which somebody may still write to.

use super::files::{OpenFile, open_file};
use crate::model::FileId;
use crate::store::{Readers, Result, Row, Sql, WriteTx, query};

/// Files that were put away, with their state then.
const KEPT: Sql = Sql::both(
    "
    select file_id, stored_name, bytes, changed_at from files
    where host = ?3 and phase in (2, 4) and file_id > ?1 order by file_id limit ?2",
);

/// The latest file of a stored name: the one that lies there.
const KEPT_AS: Sql = Sql::both(
    "
    select file_id, stored_name, bytes, changed_at, phase in (2, 4) from files
    where stored_name = ?1 and host = ?2 order by file_id desc limit 1",
);

/// Only one file of a name is read at a time.
const REOPEN: Sql = Sql::both(
    "
    update files set phase = 0, rejected_why = null, rejected_code = null, rejected_zh = null
    where file_id = ?1 and phase in (2, 4)
    returning file_id, name, stored_name, phase, read_bytes, refused_bytes, lines, rejected_why, priority, deadline,
              dropped_at, read_at is not null, encoding, iif(changed_at is null, null, bytes), sha256",
);

/// A file that was put away, with its state when its end was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Its row.
    pub id: FileId,
    /// Its name in `done/` or `rejected/`.
    pub stored_name: String,
    /// Its size then; none if it was rejected unread.
    pub bytes: Option<u64>,
    /// Its time of change then, in milliseconds since 1970; none if it was rejected, or read by a version that did not
    /// store this.
    pub changed_at: Option<i64>,
}

/// The next `limit` files of this host after this one that were put away.
pub async fn kept(pool: &Readers, host: &str, after: FileId, limit: u32) -> Result<Vec<KeptFile>> {
    let rows = query(KEPT).bind(after.0).bind(limit).bind(host).fetch_all(pool).await?;
    Ok(rows.iter().map(kept_file).collect())
}

/// The file with this stored name in this host's spool, and whether it was put away; none if the name is unknown.
pub async fn kept_as(pool: &Readers, host: &str, stored_name: &str) -> Result<Option<(KeptFile, bool)>> {
    let row = query(KEPT_AS).bind(stored_name).bind(host).fetch_optional(pool).await?;
    Ok(row.map(|row| (kept_file(&row), row.get(4))))
}

fn kept_file(row: &Row) -> KeptFile {
    KeptFile {
        id: FileId(row.get(0)),
        stored_name: row.get(1),
        bytes: row.get::<Option<i64>, _>(2).map(i64::unsigned_abs),
        changed_at: row.get(3),
    }
}

/// Reopens a file that was put away and has changed since, to be read on from its mark; none if it is already being
/// read.
pub async fn reopen_tx(tx: &mut WriteTx<'_>, file: FileId) -> Result<Option<OpenFile>> {
    let row = query(REOPEN).bind(file.0).fetch_optional(tx.conn()).await?;
    Ok(row.as_ref().map(open_file))
}
