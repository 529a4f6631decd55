//! The numbers that may concern an operator.

use crate::store::{Readers, Result, Sql, query};

const CONCERNS: Sql = Sql::both(
    "
    select in_doubt, possible_doubles, parked, suspected, spool_problem is not null from v_status",
);

/// The numbers, as in `v_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Concerns {
    /// Submissions whose answer never came and whose end is not known yet.
    pub in_doubt: u64,
    /// URLs that were sent again although they may have been accepted.
    pub possible_doubles: u64,
    /// Pending URLs of blocked domains.
    pub parked: u64,
    /// URLs under suspicion after a refused batch.
    pub suspected: u64,
    /// Whether something keeps files from being taken.
    pub spool_problem: bool,
}

/// Reads the numbers.
pub async fn concerns(pool: &Readers) -> Result<Concerns> {
    let row = query(CONCERNS).fetch_one(pool).await?;
    let count = |at: usize| row.get::<i64, _>(at).unsigned_abs();
    Ok(Concerns {
        in_doubt: count(0),
        possible_doubles: count(1),
        parked: count(2),
        suspected: count(3),
        spool_problem: row.get(4),
    })
}
