//! What the database says about every URL and all days, to be compared with the service's account.

use std::collections::BTreeMap;

use crate::store::{Conn, Result, Row, Sql, query, query_scalar};

const URLS: Sql = Sql::both("select url, state, task_ids from v_urls where action = 'prefetch'");

const PURGED: Sql = Sql::both("select url from v_urls where action = 'purge' and state = 'complete'");

const CALLS: Sql = Sql::both(
    "
    select submission_id, urls, outcome, sends, ended_at is not null, action from v_submissions order by 1",
);

const OFFLINE: Sql = Sql::both("select host, pending from v_hosts where standing = 'offline' order by 1");

const FINISHED: Sql = Sql::both("select name, finished_at from v_files where finished_at is not null");

const CHARGED: Sql = Sql::both("select coalesce(cast(sum(requests_used) as bigint), 0) from v_budget");

/// A URL, as in `v_urls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedUrl {
    /// The URL.
    pub url: String,
    /// Its state.
    pub state: String,
    /// Its tasks, if it has any.
    pub task_ids: Option<String>,
}

/// All URLs, and the cost of all days. Reads the whole database, so it is for small ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The URLs to be prefetched.
    pub urls: Vec<BookedUrl>,
    /// The URLs that were purged.
    pub purged: Vec<String>,
    /// Requests that were charged.
    pub charged: i64,
}

impl Books {
    /// Reads them.
    pub async fn read(conn: &mut Conn) -> Result<Self> {
        let rows = query(URLS).fetch_all(&mut *conn).await?;
        let urls = rows.iter().map(|row| BookedUrl { url: row.get(0), state: row.get(1), task_ids: row.get(2) });
        let purged = query_scalar(PURGED).fetch_all(&mut *conn).await?;
        Ok(Self { urls: urls.collect(), purged, charged: query_scalar(CHARGED).fetch_one(conn).await? })
    }
}

/// A batch, as in `v_submissions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedCall {
    /// Its number.
    pub id: i64,
    /// URLs in it.
    pub urls: i64,
    /// What became of the call; `in_doubt` if its answer was lost and nothing is known yet.
    pub outcome: String,
    /// How often it was sent; more than once only after a lost answer.
    pub sends: i64,
    /// Whether all of its URLs have ended.
    pub has_ended: bool,
    /// What is done with them: `prefetch`, `purge`.
    pub action: String,
}

/// What has happened to batches, domains and files. Reads whole views, so it is for small databases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Happened {
    /// The batches, in order.
    pub calls: Vec<BookedCall>,
    /// Domains that are offline at the service, each with its pending URLs.
    pub offline: Vec<(String, i64)>,
    /// Files of which all URLs have ended, by name, each with when that was, RFC 3339.
    pub finished: BTreeMap<String, String>,
}

impl Happened {
    /// Reads it.
    pub async fn read(conn: &mut Conn) -> Result<Self> {
        let calls = query(CALLS).fetch_all(&mut *conn).await?;
        let offline = query(OFFLINE).fetch_all(&mut *conn).await?;
        let finished = query(FINISHED).fetch_all(conn).await?;
        let call = |row: &Row| BookedCall {
            id: row.get(0),
            urls: row.get(1),
            outcome: row.get(2),
            sends: row.get(3),
            has_ended: row.get(4),
            action: row.get(5),
        };
        Ok(Self {
            calls: calls.iter().map(call).collect(),
            offline: offline.iter().map(|row| (row.get(0), row.get(1))).collect(),
            finished: finished.iter().map(|row| (row.get(0), row.get(1))).collect(),
        })
    }
}
