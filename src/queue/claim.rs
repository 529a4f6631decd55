//! Takes a batch: picks URLs in the queue's order, then leases them to the submission that carries them.

use super::seat::Seat;
use super::tally::Moves;
use super::wishes;
use crate::model::{HostId, Lane, Priority, SubmissionId, Time, UrlId, UrlState, to_millis};
use crate::schedule::HostRooms;
use crate::store::{Result, Row, Sql, WriteTx, query};

const PICK: Sql = Sql::both(
    "
    select url_id, url, attempts, file_id, host_id, priority, lane, first_step, purge_force
    from urls
    where lane = ?4 and state = 0 and wait_until is null and parked = 0 and suspect = 0 and priority <= ?1
      and iif(deadline is null, true, deadline > ?3)
    order by priority, deadline is null, deadline, url_id
    limit ?2",
);

/// The same, without these domains.
const PICK_OPEN: Sql = Sql::both(
    "
    select url_id, url, attempts, file_id, host_id, priority, lane, first_step, purge_force
    from urls
    where lane = ?4 and state = 0 and wait_until is null and parked = 0 and suspect = 0 and priority <= ?1
      and iif(deadline is null, true, deadline > ?3)
      and host_id not in (select cast(value as bigint) from json_each(?5))
    order by priority, deadline is null, deadline, url_id
    limit ?2",
);

/// The same, without the members of open cases.
const PICK_OTHERS: Sql = Sql::both(
    "
    select url_id, url, attempts, file_id, host_id, priority, lane, first_step, purge_force
    from urls
    where lane = ?4 and state = 0 and wait_until is null and parked = 0 and suspect = 0 and priority <= ?1
      and iif(deadline is null, true, deadline > ?3)
      and not exists (select 1 from case_members as m where m.url_id = urls.url_id)
    order by priority, deadline is null, deadline, url_id
    limit ?2",
);

const PICK_SUSPECTS: Sql = Sql::both(
    "
    select url_id, url, attempts, file_id, host_id, priority, lane, first_step, purge_force
    from urls
    where url_id in (select cast(value as bigint) from json_each(?1))
      and state = 0 and wait_until is null and parked = 0 and suspect = 1
      and iif(deadline is null, true, deadline > ?2)",
);

const LEASE: Sql = Sql::both(
    "
    update urls set state = 1, submission_id = ?1, attempts = attempts + 1,
        reason = null, reason_code = null, reason_with = null
    where url_id in (select cast(value as bigint) from json_each(?2))",
);

const LEASED: Sql = Sql::both(
    "
    select url_id, url, attempts, file_id, host_id, priority, lane, first_step, purge_force
    from urls
    where submission_id = ?1 and state = 1
    order by url_id",
);

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
    /// Where it is counted.
    pub seat: Seat,
    /// The parameter `Force` of its call, where it means something: only purges of directories can do without.
    pub purge_force: bool,
    /// Calls before this one that carried it and count as attempts.
    pub attempts: u32,
}

impl Batch {
    /// Its domains.
    pub fn hosts(&self) -> Vec<HostId> {
        let hosts: std::collections::BTreeSet<HostId> = self.urls.iter().map(|url| url.seat.host).collect();
        hosts.into_iter().collect()
    }

    /// Moves all of it from one state to another, with the lines that were merged into it.
    pub(super) async fn shift_tx(&self, tx: &mut WriteTx<'_>, from: UrlState, to: UrlState) -> Result<Moves> {
        let mut moves = Moves::default();
        for url in &self.urls {
            moves.shift(url.seat, from, to);
        }
        tx.bulk(|conn| wishes::follow(conn, self.urls.iter().map(|url| url.id.0), from, to, &mut moves)).await?;
        Ok(moves)
    }
}

/// What a batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Its lane.
    pub lane: Lane,
    /// The weakest priority in it.
    pub weakest: Priority,
    /// Most URLs.
    pub urls_max: u32,
    /// Most domains, where the operation has a limit.
    pub domains_max: Option<u32>,
}

/// Picks the next URLs that are ready and fit, and whose deadline cannot have passed: it is later than `earliest`, the
/// lower bound of the time. A domain of `rooms` goes in a call of its own, with as many URLs as it has room for.
/// Changes nothing.
pub async fn pick_tx(tx: &mut WriteTx<'_>, room: Room, rooms: &HostRooms, earliest: Time) -> Result<Batch> {
    let mut urls = if full(rooms).is_empty() {
        pick(tx, PICK, room, earliest, None).await?
    } else {
        pick(tx, PICK_OPEN, room, earliest, Some(rooms)).await?
    };
    fit_minute(&mut urls, rooms);
    fit(&mut urls, room.domains_max);
    Ok(batch(urls))
}

/// Picks a test: these suspects, as far as they may still be sent, and up to `others` ready URLs that are in no open
/// case. Returns how many of them are suspects.
pub async fn pick_test_tx(
    tx: &mut WriteTx<'_>,
    suspects: &[UrlId],
    (room, rooms): (Room, &HostRooms),
    others: u32,
    earliest: Time,
) -> Result<(Batch, u32)> {
    let ids: Vec<i64> = suspects.iter().map(|url| url.0).collect();
    let ids = serde_json::json!(ids).to_string();
    let suspects = query(PICK_SUSPECTS).bind(ids).bind(to_millis(earliest));
    let mut urls: Vec<BatchUrl> = suspects.fetch_all(tx.conn()).await?.iter().map(batch_url).collect();
    let tested: std::collections::HashSet<UrlId> = urls.iter().map(|url| url.id).collect();
    let mut beside = pick(tx, PICK_OTHERS, Room { urls_max: others, ..room }, earliest, None).await?;
    beside.retain(|url| !rooms.contains_key(&url.seat.host));
    urls.extend(beside);
    fit(&mut urls, room.domains_max);
    let tested = urls.iter().filter(|url| tested.contains(&url.id)).count();
    Ok((batch(urls), u32::try_from(tested).unwrap_or(u32::MAX)))
}

/// Leaves out what cannot go with the first URL in one call: another `Force`, or one domain too many.
fn fit(urls: &mut Vec<BatchUrl>, domains_max: Option<u32>) {
    let force = urls.first().is_some_and(|url| url.purge_force);
    let domains_max = domains_max.map_or(usize::MAX, |most| most as usize);
    let mut domains = std::collections::HashSet::new();
    urls.retain(|url| {
        let has_room = domains.len() < domains_max || domains.contains(&url.seat.host);
        let fits = url.purge_force == force && has_room;
        if fits {
            domains.insert(url.seat.host);
        }
        fits
    });
}

/// Leaves out what the minute of a domain has no room for.
fn fit_minute(urls: &mut Vec<BatchUrl>, rooms: &HostRooms) {
    let first = urls.first().and_then(|url| rooms.get_key_value(&url.seat.host));
    match first {
        Some((host, room)) => {
            urls.retain(|url| url.seat.host == *host);
            urls.truncate(usize::try_from(*room).unwrap_or(usize::MAX));
        }
        None => urls.retain(|url| !rooms.contains_key(&url.seat.host)),
    }
}

/// The domains whose minute is full.
pub(super) fn full(rooms: &HostRooms) -> Vec<i64> {
    rooms.iter().filter(|(_, room)| **room == 0).map(|(host, _)| host.0).collect()
}

/// In the order in which a copy of the call will read them again.
fn batch(mut urls: Vec<BatchUrl>) -> Batch {
    urls.sort_by_key(|url| url.id);
    Batch { urls }
}

async fn pick(
    tx: &mut WriteTx<'_>,
    statement: Sql,
    room: Room,
    earliest: Time,
    without: Option<&HostRooms>,
) -> Result<Vec<BatchUrl>> {
    let picked = query(statement).bind(room.weakest.rank()).bind(room.urls_max).bind(to_millis(earliest));
    let mut picked = picked.bind(room.lane.number());
    if let Some(rooms) = without {
        picked = picked.bind(serde_json::json!(full(rooms)).to_string());
    }
    let rows = picked.fetch_all(tx.conn()).await?;
    Ok(rows.iter().map(batch_url).collect())
}

/// Leases a picked batch to its submission.
pub async fn lease_tx(tx: &mut WriteTx<'_>, batch: &Batch, submission: SubmissionId) -> Result<()> {
    let ids: Vec<i64> = batch.urls.iter().map(|url| url.id.0).collect();
    query(LEASE).bind(submission.0).bind(serde_json::json!(ids).to_string()).execute(tx.conn()).await?;
    batch.shift_tx(tx, UrlState::Pending, UrlState::Leased).await?.apply(tx.conn()).await
}

/// The batch of an open submission, as it was leased.
pub async fn leased_tx(tx: &mut WriteTx<'_>, submission: SubmissionId) -> Result<Batch> {
    let rows = query(LEASED).bind(submission.0).fetch_all(tx.conn()).await?;
    let mut urls: Vec<BatchUrl> = rows.iter().map(batch_url).collect();
    // The call that carries it is already counted.
    urls.iter_mut().for_each(|url| url.attempts = url.attempts.saturating_sub(1));
    Ok(Batch { urls })
}

fn batch_url(row: &Row) -> BatchUrl {
    let seat = Seat::of(row);
    BatchUrl {
        id: UrlId(row.get(0)),
        url: row.get(1),
        purge_force: seat.lane == Lane::PurgeDirectory && row.get("purge_force"),
        seat,
        attempts: row.get("attempts"),
    }
}
