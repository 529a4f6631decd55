//! Takes a batch: picks URLs in the queue's order, then leases them to the submission that carries them.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::tally::Moves;
use super::wishes;
use crate::model::{FileId, HostId, Priority, SubmissionId, Time, UrlId, UrlState, to_millis};
use crate::store::{Result, WriteTx};

const PICK: &str = "
    select url_id, url, file_id, host_id, priority, attempts
    from urls
    where lane = 1 and state = 0 and wait_until is null and parked = 0 and suspect = 0 and priority <= ?1
      and iif(deadline is null, true, deadline > ?3)
    order by priority, deadline is null, deadline, url_id
    limit ?2";

/// The same, without the members of open cases.
const PICK_OTHERS: &str = "
    select url_id, url, file_id, host_id, priority, attempts
    from urls
    where lane = 1 and state = 0 and wait_until is null and parked = 0 and suspect = 0 and priority <= ?1
      and iif(deadline is null, true, deadline > ?3)
      and not exists (select 1 from case_members as m where m.url_id = urls.url_id)
    order by priority, deadline is null, deadline, url_id
    limit ?2";

const PICK_SUSPECTS: &str = "
    select url_id, url, file_id, host_id, priority, attempts
    from urls
    where url_id in (select value from json_each(?1))
      and state = 0 and wait_until is null and parked = 0 and suspect = 1
      and iif(deadline is null, true, deadline > ?2)";

const LEASE: &str = "
    update urls set state = 1, submission_id = ?1, attempts = attempts + 1,
        reason = null, reason_code = null, reason_with = null
    where url_id in (select value from json_each(?2))";

const LEASED: &str = "
    select url_id, url, file_id, host_id, priority, attempts
    from urls
    where submission_id = ?1 and state = 1
    order by url_id";

/// The URLs of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order in which they are sent.
    pub urls: Vec<BatchUrl>,
}

/// One URL of a batch, with what its counters need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchUrl {
    /// Its row.
    pub id: UrlId,
    /// As it is sent.
    pub url: String,
    /// The file it came in.
    pub file: FileId,
    /// Its domain.
    pub host: HostId,
    /// Its priority now.
    pub priority: Priority,
    /// Calls before this one that carried it and count as attempts.
    pub attempts: u32,
}

impl Batch {
    /// Its domains.
    pub fn hosts(&self) -> Vec<HostId> {
        let hosts: std::collections::BTreeSet<HostId> = self.urls.iter().map(|url| url.host).collect();
        hosts.into_iter().collect()
    }

    /// Moves all of it from one state to another, with the lines that were merged into it.
    pub(super) async fn shift_tx(&self, tx: &mut WriteTx<'_>, from: UrlState, to: UrlState) -> Result<Moves> {
        let mut moves = Moves::default();
        for url in &self.urls {
            moves.shift(url.file, url.host, url.priority, from, to);
        }
        tx.bulk(|conn| wishes::follow(conn, self.urls.iter().map(|url| url.id.0), from, to, &mut moves)).await?;
        Ok(moves)
    }
}

/// Picks the next `limit` URLs that are ready, have at least the priority `weakest`, and whose deadline cannot have
/// passed: it is later than `earliest`, the lower bound of the time. Changes nothing.
pub async fn pick_tx(tx: &mut WriteTx<'_>, weakest: Priority, limit: u32, earliest: Time) -> Result<Batch> {
    pick(tx, PICK, weakest, limit, earliest).await
}

/// Picks a test: these suspects, as far as they may still be sent, and up to `others` ready URLs that are in no open
/// case. Returns how many of them are suspects.
pub async fn pick_test_tx(
    tx: &mut WriteTx<'_>,
    suspects: &[UrlId],
    weakest: Priority,
    others: u32,
    earliest: Time,
) -> Result<(Batch, u32)> {
    let mut batch = pick(tx, PICK_OTHERS, weakest, others, earliest).await?;
    let ids: Vec<i64> = suspects.iter().map(|url| url.0).collect();
    let suspects = sqlx::query(PICK_SUSPECTS).bind(serde_json::json!(ids).to_string()).bind(to_millis(earliest));
    let rows = suspects.fetch_all(tx.conn()).await?;
    batch.urls.extend(rows.iter().map(batch_url));
    batch.urls.sort_by_key(|url| url.id);
    Ok((batch, u32::try_from(rows.len()).unwrap_or(u32::MAX)))
}

async fn pick(
    tx: &mut WriteTx<'_>,
    statement: &'static str,
    weakest: Priority,
    limit: u32,
    earliest: Time,
) -> Result<Batch> {
    let picked = sqlx::query(statement).bind(weakest.rank()).bind(limit).bind(to_millis(earliest));
    let rows = picked.fetch_all(tx.conn()).await?;
    let mut urls: Vec<BatchUrl> = rows.iter().map(batch_url).collect();
    // In the order in which a copy of the call will read them again.
    urls.sort_by_key(|url| url.id);
    Ok(Batch { urls })
}

/// Leases a picked batch to its submission.
pub async fn lease_tx(tx: &mut WriteTx<'_>, batch: &Batch, submission: SubmissionId) -> Result<()> {
    let ids: Vec<i64> = batch.urls.iter().map(|url| url.id.0).collect();
    sqlx::query(LEASE).bind(submission.0).bind(serde_json::json!(ids).to_string()).execute(tx.conn()).await?;
    batch.shift_tx(tx, UrlState::Pending, UrlState::Leased).await?.apply(tx.conn()).await
}

/// The batch of an open submission, as it was leased.
pub async fn leased_tx(tx: &mut WriteTx<'_>, submission: SubmissionId) -> Result<Batch> {
    let rows = sqlx::query(LEASED).bind(submission.0).fetch_all(tx.conn()).await?;
    let mut urls: Vec<BatchUrl> = rows.iter().map(batch_url).collect();
    // The call that carries it is already counted.
    urls.iter_mut().for_each(|url| url.attempts = url.attempts.saturating_sub(1));
    Ok(Batch { urls })
}

fn batch_url(row: &SqliteRow) -> BatchUrl {
    BatchUrl {
        id: UrlId(row.get(0)),
        url: row.get(1),
        file: FileId(row.get(2)),
        host: HostId(row.get(3)),
        priority: Priority::from_rank(row.get(4)),
        attempts: row.get(5),
    }
}
