//! The table of warmth checks: those that are due, the results of the others, and how far submissions have been
//! sampled.

use super::warmth::Verdict;
use crate::model::{SubmissionId, Time, UrlId, from_millis, to_millis};
use crate::store::{Readers, Result, Sql, WriteTx, query, query_scalar};

const CURSOR: Sql = Sql::both("select ended_at, submission_id, seed from warmth_cursor");

const NEXT_ENDED: Sql = Sql::both(
    "
    select submission_id, ended_at from submissions indexed by submissions_ended
    where ended_at is not null and (ended_at, submission_id) > (?1, ?2) and ended_at <= ?3 and state = 1
    order by ended_at, submission_id limit 1",
);

/// A URL in state 1 is as complete as its submission; one that failed or goes again has left that state.
const COMPLETED: Sql = Sql::both("select url_id from urls where submission_id = ?1 and state in (1, 2)");

const ADD: Sql = Sql::both(
    "
    insert into warmth_checks (url_id, due_at) select cast(value as bigint), ?2 from json_each(?1) where true
    on conflict (url_id) do nothing",
);

const MOVE_CURSOR: Sql = Sql::both("update warmth_cursor set ended_at = ?1, submission_id = ?2");

const NEXT_DUE: Sql = Sql::both(
    "
    select c.url_id, c.due_at, c.tries, u.url, h.standing = 'good'
    from warmth_checks as c indexed by warmth_checks_due
    join urls as u on u.url_id = c.url_id
    join hosts as h on h.host_id = u.host_id
    where c.due_at is not null order by c.due_at, c.url_id limit 1",
);

const TRY: Sql = Sql::both("update warmth_checks set tries = tries + 1, asked_at = ?2 where url_id = ?1");

const AGAIN: Sql = Sql::both("update warmth_checks set due_at = ?2 where url_id = ?1");

const SETTLE: Sql = Sql::both(
    "
    update warmth_checks set warmth = ?2, http_status = ?3, evidence = ?4, due_at = null where url_id = ?1",
);

/// How far submissions have been sampled, in the order in which they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) ended_at: Time,
    pub(super) submission: SubmissionId,
    /// The seed of the sample.
    pub(super) seed: i64,
}

/// A submission whose tasks have all ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) submission: SubmissionId,
    pub(super) at: Time,
}

/// A URL to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) id: UrlId,
    pub(super) url: String,
    pub(super) due_at: Time,
    /// How often it was asked for.
    pub(super) tries: u32,
    /// Whether its domain is the account's and online.
    pub(super) host_is_good: bool,
}

pub(super) async fn cursor(pool: &Readers) -> Result<Cursor> {
    let row = query(CURSOR).fetch_one(pool).await?;
    Ok(Cursor { ended_at: from_millis(row.get(0)), submission: SubmissionId(row.get(1)), seed: row.get(2) })
}

/// The first submission that ended after the cursor and not after `until`.
pub(super) async fn next_ended(pool: &Readers, cursor: Cursor, until: Time) -> Result<Option<Ended>> {
    let query = query(NEXT_ENDED).bind(to_millis(cursor.ended_at)).bind(cursor.submission.0);
    let row = query.bind(to_millis(until)).fetch_optional(pool).await?;
    Ok(row.map(|row| Ended { submission: SubmissionId(row.get(0)), at: from_millis(row.get(1)) }))
}

/// Creates checks, due now, for the URLs of a submission that `is_sampled` chooses, and moves the cursor past it.
pub(super) async fn sample_tx(
    tx: &mut WriteTx<'_>,
    ended: Ended,
    is_sampled: impl Fn(i64) -> bool,
    now: Time,
) -> Result<()> {
    let urls: Vec<i64> = query_scalar(COMPLETED).bind(ended.submission.0).fetch_all(tx.conn()).await?;
    let sampled: Vec<i64> = urls.into_iter().filter(|id| is_sampled(*id)).collect();
    let sampled = serde_json::json!(sampled).to_string();
    query(ADD).bind(sampled).bind(to_millis(now)).execute(tx.conn()).await?;
    let moved = query(MOVE_CURSOR).bind(to_millis(ended.at)).bind(ended.submission.0);
    moved.execute(tx.conn()).await?;
    Ok(())
}

/// The check that is due first.
pub(super) async fn next_due(pool: &Readers) -> Result<Option<Check>> {
    let row = query(NEXT_DUE).fetch_optional(pool).await?;
    Ok(row.map(|row| Check {
        id: UrlId(row.get(0)),
        due_at: from_millis(row.get(1)),
        tries: row.get(2),
        url: row.get(3),
        host_is_good: row.get(4),
    }))
}

/// Counts a try before the call is made, so that the number of tries is bounded across crashes too.
pub(super) async fn try_tx(tx: &mut WriteTx<'_>, url: UrlId, now: Time) -> Result<()> {
    query(TRY).bind(url.0).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Schedules another try.
pub(super) async fn again_tx(tx: &mut WriteTx<'_>, url: UrlId, due_at: Time) -> Result<()> {
    query(AGAIN).bind(url.0).bind(to_millis(due_at)).execute(tx.conn()).await?;
    Ok(())
}

/// Stores the result.
pub(super) async fn settle_tx(tx: &mut WriteTx<'_>, url: UrlId, verdict: &Verdict) -> Result<()> {
    let query = query(SETTLE).bind(url.0).bind(verdict.warmth.word()).bind(verdict.http_status);
    query.bind(&verdict.evidence).execute(tx.conn()).await?;
    Ok(())
}
