//! Which URLs are in the queue already, for somebody who only asks.

use sqlx::{Row, SqliteConnection};

use crate::model::{ObjectUrl, Time, to_millis};
use crate::store::Result;

/// The rule of `enqueue`: pending, leased and submitted ones are merged; of the complete ones, those of late are fresh.
const KNOWN: &str = "
    select coalesce(sum(live), 0), coalesce(sum(fresh and not live), 0)
    from (select exists (select 1 from urls as u
                         where u.url_key = j.value ->> 0 and u.url = j.value ->> 1 and u.state in (0, 1, 2)
                           and u.state <> 2) as live,
                 exists (select 1 from urls as u
                         where u.url_key = j.value ->> 0 and u.url = j.value ->> 1 and u.state in (0, 1, 2)
                           and u.state = 2 and u.ended_at > ?2) as fresh
          from json_each(?1) as j)";

/// How many of some URLs would not be queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Pending, leased or submitted: they would be merged.
    pub live: u64,
    /// Completed lately.
    pub fresh: u64,
}

/// Counts those of some thousand URLs, no two the same, that are known.
///
/// # Errors
///
/// What the database says.
pub async fn known(conn: &mut SqliteConnection, urls: &[&ObjectUrl], fresh_since: Time) -> Result<Known> {
    let urls: Vec<(i64, &str)> = urls.iter().map(|url| (url.key(), url.as_str())).collect();
    let urls = serde_json::json!(urls).to_string();
    let row = sqlx::query(KNOWN).bind(urls).bind(to_millis(fresh_since)).fetch_one(conn).await?;
    let count = |at: usize| u64::try_from(row.get::<i64, _>(at)).unwrap_or(0);
    Ok(Known { live: count(0), fresh: count(1) })
}
