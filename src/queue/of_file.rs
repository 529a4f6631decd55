//! What pages show of one file, and of domains that are not well, from a bounded number of rows.

use crate::model::{FileId, Time, from_millis};
use crate::store::{Conn, Result, Row, Sql, query};

const WARM_SECONDS: Sql =
    Sql::both("select seconds, urls from file_warm where file_id = ?1 order by seconds limit 2000");

/// Why URLs of a file among these rows are not warm.
const REASONS: Sql = Sql::both(
    "
    select state, reason, code, max(reason_with) as reason_with, count(*) as urls
    from (select case u.state when 0 then iif(u.suspect = 2, 'held', 'pending') when 3 then 'failed'
                              when 4 then 'expired' when 5 then 'cancelled' when 6 then 'held'
                              else 'unconfirmed' end as state,
                 iif(u.state = 0 and u.parked = 1, h.why, u.reason) as reason,
                 coalesce(iif(u.state = 0 and u.parked = 1, h.why_code, u.reason_code), 'text') as code,
                 iif(u.state = 0 and u.parked = 1, h.why_with, u.reason_with) as reason_with
          from urls as u join hosts as h on h.host_id = u.host_id
          where u.url_id between ?2 and ?3 and u.file_id = ?1 and u.state in (0, 3, 4, 5, 6, 7)) as r
    where reason is not null group by state, reason, code order by urls desc limit 20",
);

const UNWELL: Sql = Sql::both(
    "
    select host, standing, why, why_code, why_with, since, pending from hosts
    where standing in ('refused', 'offline') order by pending desc limit ?1",
);

/// A domain whose URLs are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwellHost {
    /// Its name.
    pub host: String,
    /// Whether it is known to the account and offline; else it is refused.
    pub is_offline: bool,
    /// Why, in English, ...
    pub why: String,
    /// ... with its code ...
    pub code: Option<String>,
    /// ... and its parameters.
    pub with: Option<String>,
    /// Since when.
    pub since: Time,
    /// Its URLs that wait.
    pub pending: i64,
}

/// Domains whose URLs are not sent, those with most URLs first.
pub async fn unwell_hosts(conn: &mut Conn, most: u32) -> Result<Vec<UnwellHost>> {
    let rows = query(UNWELL).bind(most).fetch_all(conn).await?;
    let host = |row: &Row| UnwellHost {
        host: row.get(0),
        is_offline: row.get::<&str, _>(1) == "offline",
        why: row.get::<Option<String>, _>(2).unwrap_or_default(),
        code: row.get(3),
        with: row.get(4),
        since: from_millis(row.get(5)),
        pending: row.get(6),
    };
    Ok(rows.iter().map(host).collect())
}

/// Why URLs are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The state.
    pub state: String,
    /// The reason.
    pub reason: String,
    /// Its code.
    pub code: String,
    /// Its parameters.
    pub with: Option<String>,
    /// How many URLs.
    pub urls: i64,
}

/// How long the URLs of a file took from drop to warm: so many took about so many seconds, the shortest first.
pub async fn warm_seconds(conn: &mut Conn, file: FileId) -> Result<Vec<(i64, i64)>> {
    let rows = query(WARM_SECONDS).bind(file.0).fetch_all(conn).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Why URLs of a file are not warm, the most frequent reason first: of those among the rows from `rows.0` to `rows.1`.
pub async fn reasons_of_file(conn: &mut Conn, file: FileId, rows: (i64, i64)) -> Result<Vec<Because>> {
    let found = query(REASONS).bind(file.0).bind(rows.0).bind(rows.1).fetch_all(conn).await?;
    let because = |row: &Row| Because {
        state: row.get(0),
        reason: row.get(1),
        code: row.get(2),
        with: row.get(3),
        urls: row.get(4),
    };
    Ok(found.iter().map(because).collect())
}
