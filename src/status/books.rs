//! What the database says about every URL and all days, to be compared with the service's account.

use sqlx::Row;

use crate::store::{Conn, Result};

const URLS: &str = "select url, state, task_ids from v_urls";

const CHARGED: &str = "select coalesce(sum(requests_used), 0) from v_budget";

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
    /// The URLs.
    pub urls: Vec<BookedUrl>,
    /// Requests that were charged.
    pub charged: i64,
}

impl Books {
    /// Reads them.
    pub async fn read(conn: &mut Conn) -> Result<Self> {
        let rows = sqlx::query(URLS).fetch_all(&mut *conn).await?;
        let urls = rows.iter().map(|row| BookedUrl { url: row.get(0), state: row.get(1), task_ids: row.get(2) });
        Ok(Self { urls: urls.collect(), charged: sqlx::query_scalar(CHARGED).fetch_one(conn).await? })
    }
}
