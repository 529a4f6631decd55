//! The numbers for monitoring: how many URLs are in which state, and how far the files have come. They are read from
//! counters.

use std::collections::BTreeMap;

use crate::model::{Lane, Priority, Time, UrlState, from_millis};
use crate::store::{Conn, Readers, Result, Row, Sql, query, query_scalar};

const URLS: Sql = Sql::both(
    "
    select lane, priority, pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed
    from tally order by lane, priority",
);

const FILES_IN_PROGRESS: Sql =
    Sql::both("select count(*) from files indexed by files_unfinished where phase in (0, 1, 3)");

const OLDEST_PENDING: Sql = Sql::both("select min(dropped_at) from files indexed by files_waiting where pending > 0");

const FAILED: Sql = Sql::both("select lane, cast(sum(failed) as bigint) from tally group by lane order by lane");

/// Only lanes that have some.
const SUSPECTED: Sql = Sql::both(
    "
    select lane, count(*) from urls indexed by urls_suspect where suspect > 0 group by lane order by lane",
);

const LOADS: Sql = Sql::both(
    "
    select t.lane, t.pending, t.leased,
           exists (select 1 from urls as u
                   where u.lane = t.lane and u.state = 0 and u.wait_until is null and u.parked = 0 and u.suspect = 0
                     and u.priority = 0) as urgent,
           exists (select 1 from urls as u indexed by urls_suspect
                   where u.suspect > 0 and u.suspect = 2 and u.state = 0 and u.lane = t.lane) as held_suspects
    from (select lane, cast(sum(pending) as bigint) as pending, cast(sum(leased) as bigint) as leased
          from tally group by lane) as t
    order by t.lane",
);

/// What a lane has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLoad {
    /// The lane.
    pub lane: Lane,
    /// URLs that are pending, whether they may go now or not.
    pub pending: i64,
    /// Whether urgent ones among them may go now.
    pub urgent: bool,
    /// URLs in submissions whose end is not known.
    pub leased: i64,
    /// Whether suspects are held until the next day.
    pub held_suspects: bool,
}

/// What each lane has to do.
pub async fn loads(pool: &Readers) -> Result<Vec<LaneLoad>> {
    loads_of(&mut pool.acquire().await?).await
}

/// The same, as this connection sees it.
pub async fn loads_of(conn: &mut Conn) -> Result<Vec<LaneLoad>> {
    let rows = query(LOADS).fetch_all(conn).await?;
    let load = |row: &Row| LaneLoad {
        lane: Lane::of_number(row.get(0)),
        pending: row.get("pending"),
        urgent: row.get("urgent"),
        leased: row.get("leased"),
        held_suspects: row.get("held_suspects"),
    };
    Ok(rows.iter().map(load).collect())
}

/// URLs under suspicion after a refused batch, by lane.
pub async fn suspected(conn: &mut Conn) -> Result<Vec<(Lane, u64)>> {
    let rows = query(SUSPECTED).fetch_all(conn).await?;
    let count = |row: &Row| (Lane::of_number(row.get(0)), row.get::<i64, _>(1).unsigned_abs());
    Ok(rows.iter().map(count).collect())
}

/// URLs of each lane that failed and are still on the books, from counters.
pub async fn failed(conn: &mut Conn) -> Result<Vec<(Lane, i64)>> {
    let rows = query(FAILED).fetch_all(conn).await?;
    Ok(rows.iter().map(|row| (Lane::of_number(row.get(0)), row.get(1))).collect())
}

/// The numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// URLs by lane and priority, in the order of [`UrlState::ALL`].
    pub urls: BTreeMap<Lane, Vec<(Priority, [u64; UrlState::ALL.len()])>>,
    /// Files that are being read or put away.
    pub files_in_progress: u64,
    /// When the oldest file that has pending URLs was claimed.
    pub oldest_pending: Option<Time>,
}

/// Reads the numbers, and no row of the queue.
pub async fn census(pool: &Readers) -> Result<Census> {
    let rows = query(URLS).fetch_all(pool).await?;
    let mut urls: BTreeMap<Lane, Vec<_>> = BTreeMap::new();
    for row in &rows {
        let counts = std::array::from_fn(|at| row.get::<i64, _>(at + 2).unsigned_abs());
        urls.entry(Lane::of_number(row.get(0))).or_default().push((Priority::from_rank(row.get(1)), counts));
    }
    let files: i64 = query_scalar(FILES_IN_PROGRESS).fetch_one(pool).await?;
    let oldest: Option<i64> = query_scalar(OLDEST_PENDING).fetch_one(pool).await?;
    Ok(Census { urls, files_in_progress: files.unsigned_abs(), oldest_pending: oldest.map(from_millis) })
}
