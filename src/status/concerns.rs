//! The numbers that may concern an operator.

use std::collections::BTreeMap;

use crate::model::Lane;
use crate::store::{Conn, Readers, Result, Sql, query};
use crate::{ledger, queue};

const CONCERNS: Sql = Sql::both("select parked, spool_problem is not null from v_status");

/// The numbers that are of no single action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Concerns {
    /// Pending URLs of blocked domains, of all actions.
    pub parked: u64,
    /// Whether something keeps files from being taken.
    pub spool_problem: bool,
}

/// What is not certain in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts {
    /// Submissions whose answer never came and whose end is not known yet.
    pub in_doubt: u64,
    /// URLs that were sent again although they may have been accepted.
    pub possible_doubles: u64,
    /// URLs under suspicion after a refused batch.
    pub suspected: u64,
}

/// Reads the numbers.
pub async fn concerns(pool: &Readers) -> Result<Concerns> {
    let row = query(CONCERNS).fetch_one(pool).await?;
    Ok(Concerns { parked: row.get::<i64, _>(0).unsigned_abs(), spool_problem: row.get(1) })
}

/// What is not certain, by lane.
pub async fn doubts(conn: &mut Conn) -> Result<BTreeMap<Lane, Doubts>> {
    let mut all: BTreeMap<Lane, Doubts> = BTreeMap::new();
    for (lane, in_doubt, possible_doubles) in ledger::doubts(conn).await? {
        all.insert(lane, Doubts { in_doubt, possible_doubles, suspected: 0 });
    }
    for (lane, suspected) in queue::suspected(conn).await? {
        all.entry(lane).or_default().suspected = suspected;
    }
    Ok(all)
}
