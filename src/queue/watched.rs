//! What is kept of a file while it is read: how often its reading was begun in vain, and hosts of its URLs that are
//! not the account's.

use rusqlite::{Connection, params};
use sqlx::Row;

use crate::model::{FileId, UrlId, Warning};
use crate::store::{Readers, Result, WriteTx};

/// In one process the reading may be begun again for other reasons than a death.
const BEGIN: &str = "update files set starts = min(starts, ?2) + 1 where file_id = ?1";

const DEATHS: &str = "select file_id, starts from files where phase = 0 and starts > 0";

const NOT_DIED: &str = "update files set starts = 0 where phase = 0 and starts > 0";

const LAST_URL: &str = "select coalesce(max(url_id), 0) from urls";

/// Different hosts of a chunk that are warned of, and of a file about as many: it is enough to see that there are some.
const HOSTS_MAX: i64 = 8;

/// Only where some host is not the account's and has URLs that wait.
const HAS_FOREIGN: &str = "
    select exists (select 1 from hosts indexed by hosts_blocked where standing in ('refused', 'offline') and pending > 0)";

const FOREIGN: &str = "
    insert into file_warnings (file_id, code, found, line, lines)
    select ?1, ?3, h.host, min(u.line), count(*)
    from urls as u cross join hosts as h on h.host_id = u.host_id
    where u.url_id > ?2 and u.file_id = ?1 and h.standing in ('refused', 'offline')
      and (exists (select 1 from file_warnings as w where w.file_id = ?1 and w.code = ?3 and w.found = h.host)
           or (select count(*) from file_warnings as w where w.file_id = ?1 and w.code = ?3) < ?4)
    group by h.host_id order by min(u.line) limit ?4
    on conflict (file_id, code, found) do update set lines = lines + excluded.lines, line = min(line, excluded.line)";

/// The reading of a file begins, at which the daemon died `deaths` times before. It counts until the file's mark moves.
///
/// # Errors
///
/// What the database says.
pub fn begin_reading(conn: &Connection, file: FileId, deaths: u32) -> rusqlite::Result<()> {
    conn.prepare_cached(BEGIN)?.execute(params![file.0, deaths]).map(|_| ())
}

/// How often the daemon died while it read each of the files that are being read. To be asked at its start.
///
/// # Errors
///
/// What the database says.
pub async fn deaths(pool: &Readers) -> Result<Vec<(FileId, u32)>> {
    let rows = sqlx::query(DEATHS).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (FileId(row.get(0)), row.get(1))).collect())
}

/// The daemon ends in order: what it was reading did not kill it.
///
/// # Errors
///
/// What the database says.
pub async fn not_died_tx(tx: &mut WriteTx<'_>) -> Result<()> {
    sqlx::query(NOT_DIED).execute(tx.conn()).await?;
    Ok(())
}

/// The last URL that was queued.
///
/// # Errors
///
/// What the database says.
pub fn last_url(conn: &Connection) -> rusqlite::Result<UrlId> {
    conn.prepare_cached(LAST_URL)?.query_row([], |row| row.get(0)).map(UrlId)
}

/// Warns of the hosts of a file's URLs after this one that are not among the account's domains, or not online.
///
/// # Errors
///
/// What the database says.
pub fn warn_of_foreign_hosts(conn: &Connection, file: FileId, after: UrlId) -> rusqlite::Result<()> {
    if conn.prepare_cached(HAS_FOREIGN)?.query_row([], |row| row.get(0))? {
        conn.prepare_cached(FOREIGN)?.execute(params![file.0, after.0, Warning::ForeignHost.code(), HOSTS_MAX])?;
    }
    Ok(())
}
