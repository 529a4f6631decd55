//! Forgets submissions whose retention has ended. The account of their day stays whole: their cost remains charged to
//! it, as unbooked.

use crate::model::{SubmissionId, Time, to_millis};
use crate::store::{Result, Row, Sql, WriteTx, query};

/// Most rows that one [`outlived_tx`] returns.
const ROWS_MAX: i64 = 1_000;

const OUTLIVED: Sql = Sql::both(
    "
    select s.submission_id, s.lane, s.day, s.cost from submissions as s
    where s.closed_at < ?1
      and not exists (select 1 from urls as u where u.submission_id is not null and u.submission_id = s.submission_id)
      and not exists (select 1 from cases as c where c.submission_id = s.submission_id)
    order by s.submission_id limit ?2",
);

const DELETE: Sql = Sql::both("delete from submissions where submission_id = ?1");

const UNBOOK: Sql = Sql::both("update budget_days set unbooked = unbooked + ?2 where lane = ?3 and day = ?1");

/// A submission whose retention has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlived {
    /// Its row.
    pub id: SubmissionId,
    /// The number of its lane.
    lane: i64,
    day: String,
    cost: i64,
}

/// Submissions that were closed before `before` and carried no URL that is still stored: a thousand at most.
pub async fn outlived_tx(tx: &mut WriteTx<'_>, before: Time) -> Result<Vec<Outlived>> {
    let rows = query(OUTLIVED).bind(to_millis(before)).bind(ROWS_MAX).fetch_all(tx.conn()).await?;
    let outlived =
        |row: &Row| Outlived { id: SubmissionId(row.get(0)), lane: row.get(1), day: row.get(2), cost: row.get(3) };
    Ok(rows.iter().map(outlived).collect())
}

/// Forgets a submission whose tasks have been forgotten.
pub async fn forget_tx(tx: &mut WriteTx<'_>, submission: &Outlived) -> Result<()> {
    query(DELETE).bind(submission.id.0).execute(tx.conn()).await?;
    let unbook = query(UNBOOK).bind(&submission.day).bind(submission.cost).bind(submission.lane);
    unbook.execute(tx.conn()).await?;
    Ok(())
}
