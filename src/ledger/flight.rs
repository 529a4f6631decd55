//! URLs in flight, and what is known about the service's own queue of prefetches (`schedule::Flight`). Stored as two
//! facts: the size as JSON and, until a refusal is proved to be about the queue, the estimate before it.

use crate::model::{Lane, Time, from_millis, to_millis};
use crate::schedule::{Flight, QueueSize, Standing, flies_at_most};
use crate::store::{Conn, Result, Sql, WriteTx, query, query_scalar};

/// URLs of batches that are followed, except those that were seen to end and those with times that a wrong clock wrote.
const FOLLOWED: Sql = Sql::both(
    "
    select coalesce(cast(sum(max(min(t.urls, s.urls - t.complete - t.failed), 0)) as bigint), 0), min(t.accepted_at)
    from tracks as t indexed by tracks_accepted join submissions as s using (submission_id)
    where t.look_at is not null and t.accepted_at > ?1 and t.accepted_at <= ?2 and s.lane = ?3",
);

const OPEN: Sql =
    Sql::both("select coalesce(cast(sum(urls) as bigint), 0) from submissions where state = 0 and lane = ?1");

const KNOWN: Sql = Sql::both(
    "
    select fact, value from facts where lane = ?1 and fact in ('in_flight_size', 'in_flight_before')",
);

const NOTE: Sql = Sql::both(
    "
    insert into facts (lane, fact, value, observed_at) values (?4, ?1, ?2, ?3)
    on conflict (lane, fact) do update set value = excluded.value, observed_at = excluded.observed_at",
);

const FORGET: Sql = Sql::both("delete from facts where lane = ?2 and fact = ?1");

const SIZE: &str = "in_flight_size";

const BEFORE: &str = "in_flight_before";

/// What the facts say.
#[derive(Debug, Default)]
struct FlightFacts {
    size: Option<QueueSize>,
    /// The estimate before the last refusal, while it is not proved that this was about the queue.
    before: Option<Option<QueueSize>>,
}

async fn known(conn: &mut Conn, lane: Lane) -> Result<FlightFacts> {
    let mut known = FlightFacts::default();
    for row in query(KNOWN).bind(lane.number()).fetch_all(conn).await? {
        let (fact, value): (String, String) = (row.get(0), row.get(1));
        // A value of a newer version that this one does not understand is learned anew.
        match fact.as_str() {
            SIZE => known.size = serde_json::from_str(&value).ok(),
            _ => known.before = serde_json::from_str(&value).ok(),
        }
    }
    Ok(known)
}

/// The URLs in flight, and when the first of them was accepted.
async fn on_their_way(conn: &mut Conn, lane: Lane, standing: &Standing, now: Time) -> Result<(u32, Option<Time>)> {
    let flies = flies_at_most(!standing.tasks_refused);
    let query = query(FOLLOWED).bind(to_millis(now - flies)).bind(to_millis(now + flies)).bind(lane.number());
    let followed = query.fetch_one(&mut *conn).await?;
    let open: i64 = query_scalar(OPEN).bind(lane.number()).fetch_one(conn).await?;
    let urls = u32::try_from(followed.get::<i64, _>(0).saturating_add(open)).unwrap_or(u32::MAX);
    Ok((urls, followed.get::<Option<i64>, _>(1).map(from_millis)))
}

/// How many URLs are in flight.
pub async fn in_flight(conn: &mut Conn, lane: Lane, standing: &Standing, now: Time) -> Result<u32> {
    Ok(on_their_way(conn, lane, standing, now).await?.0)
}

/// The URLs in flight and the size of the service's queue; none if it has never been full.
pub async fn flight(conn: &mut Conn, lane: Lane, standing: &Standing, now: Time) -> Result<Option<Flight>> {
    let known = known(conn, lane).await?;
    let Some(size) = known.size else { return Ok(None) };
    let (in_flight, first_at) = on_their_way(conn, lane, standing, now).await?;
    let leaves_at = first_at.map(|at| at + flies_at_most(!standing.tasks_refused));
    Ok(Some(Flight { in_flight, leaves_at, size, unproved: known.before.is_some() }))
}

/// A batch of `urls` was refused because the service's queue was full, with `in_flight` URLs in flight. The earlier
/// estimate is kept until it is proved that the day's quota was not the reason. Returns the new estimate.
pub async fn queue_was_full_tx(
    tx: &mut WriteTx<'_>,
    lane: Lane,
    in_flight: u32,
    urls: u32,
    now: Time,
) -> Result<QueueSize> {
    let known = known(tx.conn(), lane).await?;
    let size = QueueSize::after_refusal(known.size.as_ref(), in_flight, urls, now);
    note_tx(tx, lane, BEFORE, &known.before.unwrap_or(known.size), now).await?;
    note_tx(tx, lane, SIZE, &size, now).await?;
    Ok(size)
}

/// A batch of `urls` was accepted with `in_flight` URLs in flight. True if that leaves no limit to mind.
pub async fn queue_had_room_tx(tx: &mut WriteTx<'_>, lane: Lane, in_flight: u32, urls: u32, now: Time) -> Result<bool> {
    let Some(size) = known(tx.conn(), lane).await?.size else { return Ok(false) };
    match size.after_acceptance(in_flight, urls, now) {
        Some(after) if after == size => return Ok(false),
        Some(after) => note_tx(tx, lane, SIZE, &after, now).await?,
        None => {
            forget_tx(tx, lane, SIZE).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The service said whether anything is left of the day. If nothing is, the last refusal was about that, and taught
/// nothing about the queue.
pub async fn queue_is_judged_tx(tx: &mut WriteTx<'_>, lane: Lane, is_left: bool, now: Time) -> Result<()> {
    let Some(before) = known(tx.conn(), lane).await?.before else { return Ok(()) };
    match before {
        _ if is_left => {}
        Some(size) => note_tx(tx, lane, SIZE, &size, now).await?,
        None => forget_tx(tx, lane, SIZE).await?,
    }
    forget_tx(tx, lane, BEFORE).await
}

async fn note_tx(tx: &mut WriteTx<'_>, lane: Lane, fact: &str, value: &impl serde::Serialize, now: Time) -> Result<()> {
    let value = serde_json::to_string(value).expect("numbers are JSON");
    let note = query(NOTE).bind(fact).bind(value).bind(to_millis(now)).bind(lane.number());
    note.execute(tx.conn()).await?;
    Ok(())
}

async fn forget_tx(tx: &mut WriteTx<'_>, lane: Lane, fact: &str) -> Result<()> {
    query(FORGET).bind(fact).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}
