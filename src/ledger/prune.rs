//! Submissions whose retention has ended. The account book of their day stays whole: what they cost is still charged
//! to it, as unbooked.

use sqlx::Row;

use crate::model::{SubmissionId, Time, to_millis};
use crate::store::{Result, WriteTx};
use crate::track;

/// Rows that one [`prune_tx`] deletes at most.
const ROWS_MAX: i64 = 1_000;

const CLOSED: &str = "
    select s.submission_id, s.day, s.cost from submissions as s
    where s.closed_at < ?1
      and not exists (select 1 from urls as u where u.submission_id is not null and u.submission_id = s.submission_id)
      and not exists (select 1 from cases as c where c.submission_id = s.submission_id)
    order by s.submission_id limit ?2";

const DELETE: &str = "delete from submissions where submission_id = ?1";

const UNBOOK: &str = "update budget_days set unbooked = unbooked + ?2 where day = ?1";

/// Forgets submissions that were closed before `before` and carried nothing that is still known. Gives how many.
///
/// # Errors
///
/// What the database says.
pub async fn prune_tx(tx: &mut WriteTx<'_>, before: Time) -> Result<u64> {
    let rows = sqlx::query(CLOSED).bind(to_millis(before)).bind(ROWS_MAX).fetch_all(tx.conn()).await?;
    for row in &rows {
        let (id, day, cost): (i64, String, i64) = (row.get(0), row.get(1), row.get(2));
        track::forget_tx(tx, SubmissionId(id)).await?;
        sqlx::query(DELETE).bind(id).execute(tx.conn()).await?;
        sqlx::query(UNBOOK).bind(day).bind(cost).execute(tx.conn()).await?;
    }
    Ok(rows.len() as u64)
}
