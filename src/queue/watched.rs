//! Notes about a file that is being read: how often the daemon died on it, and hosts of its URLs that the account does
//! not have.

use crate::model::{FileId, UrlId, Warning};
use crate::store::{Bulk, Readers, Result, Sql, WriteTx, args, query};

/// A reading may also begin again in the same process, without a death.
const BEGIN: Sql = Sql::both("update files set starts = min(starts, ?2) + 1 where file_id = ?1");

const DEATHS: Sql =
    Sql::both("select file_id, starts from files where host = ?1 and phase in (0, 1, 3) and phase = 0 and starts > 0");

const NOT_DIED: Sql =
    Sql::both("update files set starts = 0 where host = ?1 and phase in (0, 1, 3) and phase = 0 and starts > 0");

const LAST_URL: Sql = Sql::both("select coalesce(max(url_id), 0) from urls");

/// Most hosts of a chunk to warn about, and roughly of a file: it is enough to see that there are some.
const HOSTS_MAX: i64 = 8;

/// True only if URLs wait on some host that is refused or offline.
const HAS_FOREIGN: Sql = Sql::both(
    "
    select exists (
        select 1 from hosts indexed by hosts_blocked where standing in ('refused', 'offline') and pending > 0)",
);

const FOREIGN: Sql = Sql::both(
    "
    insert into file_warnings (file_id, code, found, line, lines)
    select ?1, ?3, h.host, min(u.line), count(*)
    from urls as u cross join hosts as h on h.host_id = u.host_id
    where u.url_id > ?2 and u.file_id = ?1 and h.standing in ('refused', 'offline')
      and (exists (select 1 from file_warnings as w where w.file_id = ?1 and w.code = ?3 and w.found = h.host)
           or (select count(*) from file_warnings as w where w.file_id = ?1 and w.code = ?3) < ?4)
    group by h.host_id order by min(u.line) limit ?4
    on conflict (file_id, code, found) do update
    set lines = file_warnings.lines + excluded.lines, line = min(file_warnings.line, excluded.line)",
);

/// Notes that the reading of a file begins, on which the daemon died `deaths` times. The note counts until the file's
/// mark moves.
pub fn begin_reading(conn: &Bulk, file: FileId, deaths: u32) -> Result<()> {
    conn.run(BEGIN, &args![file.0, deaths]).map(|_| ())
}

/// How often this host's daemon died while it read each of its unfinished files. Asked once, at the start.
pub async fn deaths(pool: &Readers, host: &str) -> Result<Vec<(FileId, u32)>> {
    let rows = query(DEATHS).bind(host).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (FileId(row.get(0)), row.get(1))).collect())
}

/// This host's daemon ends in order: the files it was reading did not kill it.
pub async fn not_died_tx(tx: &mut WriteTx<'_>, host: &str) -> Result<()> {
    query(NOT_DIED).bind(host).execute(tx.conn()).await?;
    Ok(())
}

/// The row of the URL that was queued last.
pub fn last_url(conn: &Bulk) -> Result<UrlId> {
    Ok(UrlId(conn.one(LAST_URL, &[])?.get(0)))
}

/// Warns about hosts of the file's URLs after this row that are not among the account's domains or not online.
pub fn warn_of_foreign_hosts(conn: &Bulk, file: FileId, after: UrlId) -> Result<()> {
    if conn.one(HAS_FOREIGN, &args![])?.get(0) {
        conn.run(FOREIGN, &args![file.0, after.0, Warning::ForeignHost.code(), HOSTS_MAX])?;
    }
    Ok(())
}
