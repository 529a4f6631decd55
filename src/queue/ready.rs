//! What is ready to be sent, for the scheduler, and the passing of time: URLs whose time has come, and URLs whose
//! deadline has passed.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::chain::Walk;
use super::claim::full;
use super::seat::Seat;
use super::tally::Moves;
use super::{chain, wish_orders};
use crate::model::{FileId, Lane, Reason, ReasonKind, Time, UrlState, from_millis, to_millis};
use crate::schedule::{HostRooms, Ready};
use crate::store::{Readers, Result, Sql, WriteTx, query, query_scalar};
use crate::words::Stored;

/// Most rows of each kind that one [`tidy_tx`] changes, so that its transaction stays short.
const TIDY_ROWS_MAX: i64 = 10_000;

/// Waiting prefetches that are settled in a transaction.
const WALK_ROWS: u32 = 1_000;

/// What an answer says about a domain is believed for at most this long.
const HOLDS_MAX: TimeDelta = TimeDelta::hours(6);

const READY: Sql = Sql::both(
    "
    select count(*), coalesce(sum(u.priority = 0), 0), min(u.url_id), min(u.deadline),
           coalesce(sum(h.standing in ('refused', 'offline')), 0)
    from (select priority, url_id, deadline, host_id
          from urls
          where lane = ?3 and state = 0 and wait_until is null and parked = 0 and suspect = 0
            and iif(deadline is null, true, deadline > ?2)
          order by priority, deadline is null, deadline, url_id
          limit ?1) as u
    join hosts as h on h.host_id = u.host_id",
);

/// What of that is of other domains than these.
const READY_OPEN: Sql = Sql::both(
    "
    select count(*), coalesce(sum(u.priority = 0), 0), min(u.deadline)
    from (select priority, url_id, deadline
          from urls
          where lane = ?3 and state = 0 and wait_until is null and parked = 0 and suspect = 0
            and iif(deadline is null, true, deadline > ?2)
            and host_id not in (select cast(value as bigint) from json_each(?4))
          order by priority, deadline is null, deadline, url_id
          limit ?1) as u",
);

const ARRIVED: Sql =
    Sql::both("select f.dropped_at from urls as u join files as f on f.file_id = u.file_id where u.url_id = ?1");

const SUSPECTS: Sql = Sql::both(
    "
    select coalesce(sum(u.state = 0 and u.suspect = 1), 0), coalesce(sum(u.state = 0 and u.suspect = 2), 0),
           coalesce(sum(u.state = 0 and u.suspect = 1 and u.priority = 0), 0),
           coalesce(sum(u.state = 0 and h.standing in ('refused', 'offline')), 0)
    from urls as u indexed by urls_suspect join hosts as h on h.host_id = u.host_id
    where u.suspect > 0 and u.lane = ?1",
);

/// Of prefetching alone: purges wait for none.
const AWAITS_PURGE: Sql = Sql::both(
    "
    select count(*)
    from (select 1 from urls indexed by urls_after
          where after_id is not null and state in (0, 6) and state = 0 limit ?1) as waiting",
);

const PARKED: Sql = Sql::both(
    "
    select coalesce(cast(sum(pending) as bigint), 0), exists (select 1 from hosts where unpark = 1)
    from hosts indexed by hosts_blocked where standing in ('refused', 'offline')",
);

/// The next time of a URL, or of a wish that will be stronger than the one that governs its URL now.
const NEXT: Sql = Sql::both(
    "
    select min(at) from (select min(wait_until) as at from urls where wait_until is not null
                         union all select min(starts_at) from wishes where starts_at is not null) as times",
);

const NEXT_DEADLINE: Sql = Sql::both(
    "
    select min(at) from (select min(deadline) as at from urls where state = 0 and deadline is not null
                         union all select min(ends_at) from wishes where ends_at is not null) as times",
);

const WAKE: Sql = Sql::both(
    "
    update urls set wait_until = null
    where url_id in (
        select url_id from urls where wait_until is not null and wait_until <= ?1 order by wait_until limit ?2)",
);

/// Waits that are longer than possible and are not the URL's own `not_before`: a wrong clock wrote them.
const OVERLONG: Sql = Sql::both(
    "
    select exists (select 1 from urls indexed by urls_waiting
                   where wait_until > ?1 and (not_before is null or not_before < wait_until))",
);

const CLAMP: Sql = Sql::both(
    "
    update urls set wait_until = max(coalesce(not_before, 0), ?2)
    where wait_until > ?1 and (not_before is null or not_before < wait_until)",
);

const CLAMP_HOSTS: Sql = Sql::both("update hosts set holds_until = ?1 where holds_until > ?1");

/// A URL that several lines ask for ends with the last of its wishes.
const EXPIRE: Sql = Sql::both(
    "
    update urls set state = 4, wait_until = null, reason = ?3, reason_code = ?4, reason_with = null, ended_at = ?1
    where url_id in (select url_id from urls where state = 0 and deadline is not null and deadline <= ?1
                       and not exists (select 1 from wishes as w where w.url_id = urls.url_id and w.kind = 0)
                     order by deadline limit ?2)
    returning url_id, suspect, file_id, host_id, priority, lane, first_step",
);

const EXPIRED_SUSPECTS: Sql = Sql::both("update urls set suspect = 0 where suspect > 0 and state = 4");

/// Reads the head of a lane's queue, counting up to `limit` URLs. URLs whose deadline is not after `earliest`, the
/// lower
/// bound of the time, are no longer ready.
pub async fn ready(pool: &Readers, lane: Lane, limit: u32, earliest: Time) -> Result<Ready> {
    let mut conn = pool.acquire().await?;
    let head = query(READY).bind(limit).bind(to_millis(earliest)).bind(lane.number()).fetch_one(&mut conn).await?;
    let oldest: Option<i64> = head.get(2);
    let oldest_at: Option<i64> = match oldest {
        Some(id) => query_scalar(ARRIVED).bind(id).fetch_optional(&mut conn).await?,
        None => None,
    };
    let next_at: Option<i64> = query_scalar(NEXT).fetch_one(&mut conn).await?;
    let expires_at: Option<i64> = query_scalar(NEXT_DEADLINE).fetch_one(&mut conn).await?;
    let suspects = query(SUSPECTS).bind(lane.number()).fetch_one(&mut conn).await?;
    let awaits = match lane {
        Lane::Prefetch => query_scalar(AWAITS_PURGE).bind(limit).fetch_one(&mut conn).await?,
        Lane::Purge | Lane::PurgeDirectory => 0,
    };
    let parked = query(PARKED).fetch_one(&mut conn).await?;
    Ok(Ready {
        blocked: head.get::<u32, _>(4) + suspects.get::<u32, _>(3),
        suspects: suspects.get(0),
        held_suspects: suspects.get(1),
        urgent_suspects: suspects.get(2),
        parked: parked.get(0),
        unparkable: parked.get(1),
        awaits_purge: awaits,
        urls: head.get(0),
        minute_full: 0,
        minute_at: None,
        minute_limit: 0,
        urgent: head.get(1),
        oldest_at: oldest_at.map(from_millis),
        deadline: head.get::<Option<i64>, _>(3).map(from_millis),
        next_at: next_at.map(from_millis),
        expires_at: expires_at.map(from_millis),
    })
}

/// The same, where URLs of domains without room are not ready.
pub async fn ready_in(pool: &Readers, lane: Lane, limit: u32, earliest: Time, rooms: &HostRooms) -> Result<Ready> {
    let mut ready = ready(pool, lane, limit, earliest).await?;
    let full = full(rooms);
    if full.is_empty() || ready.urls == 0 {
        return Ok(ready);
    }
    let open = query(READY_OPEN).bind(limit).bind(to_millis(earliest)).bind(lane.number());
    let open = open.bind(serde_json::json!(full).to_string()).fetch_one(pool).await?;
    let urls: u32 = open.get(0);
    ready.minute_full = ready.urls.saturating_sub(urls);
    (ready.urls, ready.urgent) = (urls, open.get(1));
    ready.deadline = open.get::<Option<i64>, _>(2).map(from_millis);
    Ok(ready)
}

/// Whether URLs wait longer than `longest` from now for a reason other than their own `not_before`.
pub async fn has_overlong_waits(pool: &Readers, now: Time, longest: TimeDelta) -> Result<bool> {
    query_scalar(OVERLONG).bind(to_millis(now + longest)).fetch_one(pool).await
}

/// Ends such waits, and blocks on domains that last longer than that.
pub async fn clamp_waits_tx(tx: &mut WriteTx<'_>, now: Time, longest: TimeDelta) -> Result<()> {
    let clamp = query(CLAMP).bind(to_millis(now + longest)).bind(to_millis(now));
    clamp.execute(tx.conn()).await?;
    query(CLAMP_HOSTS).bind(to_millis(now + HOLDS_MAX)).execute(tx.conn()).await?;
    Ok(())
}

/// What the passing of time changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tidied {
    /// URLs that expired, by file.
    pub expired: BTreeMap<FileId, i64>,
}

/// Whether a prefetch waits for its purge, or is held because of it.
pub async fn awaits_purges(readers: &Readers) -> Result<bool> {
    query_scalar(chain::ANY).fetch_one(readers).await
}

/// Settles prefetches that wait for their purge, a thousand of them from `walk` on. Returns where to go on; none at the
/// end. Each follows its purge in the transaction that ends the purge: this finds one that nobody told.
pub async fn settle_waiting_tx(tx: &mut WriteTx<'_>, walk: Walk, now: Time) -> Result<Option<Walk>> {
    let mut moves = Moves::default();
    let next = tx.bulk(|conn| chain::settle_some(conn, walk, WALK_ROWS, now, &mut moves)).await?;
    moves.apply(tx.conn()).await?;
    Ok(next)
}

/// Makes URLs ready whose time has come, and expires URLs whose deadline has passed: ten thousand of each at most.
pub async fn tidy_tx(tx: &mut WriteTx<'_>, now: Time) -> Result<Tidied> {
    let mut moves = Moves::default();
    let mut by_file = tx.bulk(|conn| wish_orders::pass_time(conn, now, TIDY_ROWS_MAX, &mut moves)).await?;
    let conn = tx.conn();
    let why = Stored::from(&Reason::from(ReasonKind::DeadlinePassed));
    let expire = query(EXPIRE).bind(to_millis(now)).bind(TIDY_ROWS_MAX).bind(why.text).bind(why.code);
    let expired = expire.fetch_all(&mut *conn).await?;
    let ids: Vec<i64> = expired.iter().map(|row| row.get("url_id")).collect();
    for row in &expired {
        let seat = Seat::of(row);
        *by_file.entry(seat.file).or_default() += 1;
        let from = if row.get::<i64, _>("suspect") == 2 { UrlState::Held } else { UrlState::Pending };
        moves.shift(seat, from, UrlState::Expired);
    }
    if !expired.is_empty() {
        query(EXPIRED_SUSPECTS).execute(&mut *conn).await?;
    }
    tx.bulk(|conn| chain::purges_ended(conn, ids, now, &mut moves)).await?;
    let conn = tx.conn();
    moves.apply(&mut *conn).await?;
    query(WAKE).bind(to_millis(now)).bind(TIDY_ROWS_MAX).execute(conn).await?;
    Ok(Tidied { expired: by_file })
}
