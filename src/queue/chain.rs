//! Prefetches that wait for their purge: they go once it is complete, and are held if it ends otherwise.
//!
//! Such a row names its purge (`urls.after_id`) and has `parked = 2`. Whoever ends purges calls [`purges_completed`] or
//! [`purges_ended`] in the same transaction, so that no prefetch waits for what cannot come. Both cost one look into an
//! empty index where nothing waits.

use std::collections::{BTreeMap, BTreeSet};

use super::seat::Seat;
use super::tally::Moves;
use super::wishes;
use crate::model::{Reason, ReasonKind, Time, UrlState, to_millis};
use crate::store::{Bulk, Column, Result, Row, Sql, args};
use crate::words::Stored;

pub(super) const ANY: Sql = Sql::both(
    "select exists (select 1 from urls indexed by urls_after where after_id is not null and state in (0, 6))",
);

/// A prefetch that is sent after this purge. One that waits for another purge goes on waiting for the later one.
const AFTER: Sql = Sql::two(
    "
    update urls set after_id = ?2, parked = iif(parked = 1, 1, 2)
    where url_id = ?1 and state = 0 and (after_id is null or after_id < ?2)",
    "
    update urls set after_id = v.purge, parked = iif(urls.parked = 1, 1, 2)
    from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[]))) as v (prefetch, purge)
    where urls.url_id = v.prefetch and urls.state = 0 and (urls.after_id is null or urls.after_id < v.purge)",
);

const COMPLETED: Sql = Sql::both(
    "
    update urls set after_id = null, parked = iif(parked = 2, 0, parked), reason = null, reason_code = null,
        reason_with = null
    where after_id is not null and state in (0, 6)
      and after_id in (select cast(value as bigint) from json_each(?1)) and state = 0",
);

/// Held ones of purges that were complete after all, e.g. after a retry.
const COMPLETED_HELD: Sql = Sql::both(
    "
    select url_id, file_id, host_id, priority, lane, first_step from urls
    where after_id is not null and state in (0, 6)
      and after_id in (select cast(value as bigint) from json_each(?1)) and state = 6",
);

const RELEASE_HELD: Sql = Sql::both(
    "
    update urls set state = 0, parked = ?2, after_id = iif(?2 = 0, null, after_id), reason = null, reason_code = null,
        reason_with = null
    where url_id in (select cast(value as bigint) from json_each(?1))",
);

const WAITING_FOR: Sql = Sql::both(
    "select url_id from urls where after_id is not null and state in (0, 6)
    and after_id = ?1 and state = 0",
);

/// The order that takes the purge again drops a deadline that has passed, as for every URL that it takes.
const DROP_DEADLINE: Sql = Sql::both(
    "
    update urls set deadline = null
    where url_id in (select cast(value as bigint) from json_each(?1)) and deadline is not null and deadline <= ?2",
);

const HOLD: Sql = Sql::both(
    "
    update urls set state = 6, parked = 0, suspect = 0, reason = ?2, reason_code = ?3, reason_with = ?4
    where url_id = ?1",
);

const URLS_OF: Sql = Sql::both(
    "
    select url_id from urls indexed by urls_submission where submission_id = ?1 and state = 1",
);

/// How a purge ended, for the reason of its prefetch.
const ENDS: Sql = Sql::both(
    "
    select case state when 3 then 'failed' when 4 then 'expired' when 5 then 'cancelled' when 7 then 'unconfirmed'
           else 'held' end
    from urls where url_id = ?1",
);

/// A prefetch that waits for its purge, or is held because of it, and how that purge stands: null while it is coming,
/// its state once it has ended, 7 where it is not known any more, and 9 where it was accepted and nobody may ask how it
/// ended.
const STANDING: Sql = Sql::two(
    "
    select u.state, u.suspect, u.deadline, u.file_id, u.host_id, u.priority, u.lane, u.first_step, u.after_id,
           case when p.url_id is null then 7
                when p.state = 0 then null
                when p.state = 1 and s.state = 1 and s.ended_at is not null then 2
                when p.state = 1 and s.state = 1
                     and exists (select 1 from facts
                                 where lane = 1 and fact = 'tasks_readable' and value = 'false') then 9
                when p.state = 1 then null
                else p.state end, u.url_id
    from urls as u
    left join urls as p on p.url_id = u.after_id
    left join submissions as s on s.submission_id = p.submission_id
    where u.url_id = ?1 and u.after_id is not null and (u.state = 0 or u.state = 6)",
    "
    select u.state, u.suspect, u.deadline, u.file_id, u.host_id, u.priority, u.lane, u.first_step, u.after_id,
           case when p.url_id is null then 7
                when p.state = 0 then null
                when p.state = 1 and s.state = 1 and s.ended_at is not null then 2
                when p.state = 1 and s.state = 1
                     and exists (select 1 from facts
                                 where lane = 1 and fact = 'tasks_readable' and value = 'false') then 9
                when p.state = 1 then null
                else p.state end, u.url_id
    from unnest((select cast(?1 as bigint[]))) as v (url_id)
    join urls as u on u.url_id = v.url_id
    left join urls as p on p.url_id = u.after_id
    left join submissions as s on s.submission_id = p.submission_id
    where u.after_id is not null and (u.state = 0 or u.state = 6)
    order by u.url_id",
);

/// Whether lines want it, and whether one of them wants the purge.
const WANTED: Sql = Sql::both(
    "
    select count(*), coalesce(max(after_purge), 0) from wishes where url_id = ?1 and state = 0 and kind < 2",
);

const RELEASE: Sql = Sql::both(
    "
    update urls set state = 0, after_id = null, reason = null, reason_code = null, reason_with = null,
        parked = (select iif(standing in ('refused', 'offline'), 1, 0) from hosts as h where h.host_id = urls.host_id)
    where url_id = ?1",
);

/// Whether this key may not ask for tasks, so that nobody learns that a purge is complete.
const UNTOLD: Sql =
    Sql::both("select exists (select 1 from facts where lane = 1 and fact = 'tasks_readable' and value = 'false')");

/// Prefetches that wait for a purge that was sent.
const BEHIND_SENT: Sql = Sql::both(
    "
    select u.url_id from urls as u indexed by urls_after join urls as p on p.url_id = u.after_id
    where u.after_id is not null and u.state in (0, 6) and u.state = 0 and p.state = 1",
);

/// Waiting prefetches, by their purges.
const WAITING: Sql = Sql::both(
    "
    select after_id, url_id from urls indexed by urls_after
    where after_id is not null and state in (0, 6) and (after_id, url_id) > (?1, ?2)
    order by after_id, url_id limit ?3",
);

/// Lets prefetches wait for purges: pairs of rows. A purge of which the row is not after `last` was there before, so
/// that it may have ended by now.
pub(super) fn wait_for(conn: &Bulk, pairs: &[(i64, i64)], last: i64, now: Time, moves: &mut Moves) -> Result<()> {
    let mut latest = BTreeMap::new();
    for (prefetch, purge) in pairs {
        latest.entry(*prefetch).and_modify(|latest: &mut i64| *latest = (*latest).max(*purge)).or_insert(*purge);
    }
    let (prefetches, purges): (Vec<_>, Vec<_>) = latest.into_iter().map(|(a, b)| (Some(a), Some(b))).unzip();
    conn.run_each(AFTER, &[], &[Column::Ints(&prefetches), Column::Ints(&purges)])?;
    let known = pairs.iter().filter(|(_, purge)| *purge <= last).map(|(prefetch, _)| *prefetch);
    settle_all(conn, known, now, moves)
}

/// Where a walk over the waiting prefetches has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk(i64, i64);

/// Settles some waiting prefetches, from `walk` on. Returns where to go on; none at the end. A prefetch follows its
/// purge in the transaction that ends the purge; this finds one that nobody told.
pub(super) fn settle_some(conn: &Bulk, walk: Walk, limit: u32, now: Time, moves: &mut Moves) -> Result<Option<Walk>> {
    let found = conn.rows(WAITING, &args![walk.0, walk.1, limit])?;
    let found: Vec<Walk> = found.iter().map(|row| Walk(row.get(0), row.get(1))).collect();
    found.iter().try_for_each(|at| settle(conn, at.1, now, moves))?;
    Ok(found.last().copied().filter(|_| found.len() as u64 == u64::from(limit)))
}

/// A prefetch whose purge has ended.
struct Waiting {
    prefetch: i64,
    state: i64,
    suspect: i64,
    deadline: Option<i64>,
    seat: Seat,
    purge: i64,
    /// The state of the purge.
    ended: Option<i64>,
}

fn waiting(row: &Row) -> Waiting {
    let (state, suspect, deadline) = (row.get(0), row.get(1), row.get(2));
    Waiting {
        prefetch: row.get(10),
        state,
        suspect,
        deadline,
        seat: Seat::of(row),
        purge: row.get(8),
        ended: row.get(9),
    }
}

/// [`settle`] of many.
pub(super) fn settle_all(
    conn: &Bulk,
    prefetches: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> Result<()> {
    // Each only once: what is read of it is no longer true when it was settled.
    let prefetches: BTreeSet<i64> = prefetches.into_iter().collect();
    let prefetches: Vec<Option<i64>> = prefetches.into_iter().map(Some).collect();
    for some in prefetches.chunks(conn.together()) {
        let found = conn.rows_each(STANDING, &[], &[Column::Ints(some)])?;
        found.iter().try_for_each(|row| settle_one(conn, &waiting(row), now, moves))?;
    }
    Ok(())
}

/// Lets a prefetch go whose purge is complete or wanted by nobody any more, and holds one whose purge ended otherwise.
pub(super) fn settle(conn: &Bulk, prefetch: i64, now: Time, moves: &mut Moves) -> Result<()> {
    settle_all(conn, [prefetch], now, moves)
}

fn settle_one(conn: &Bulk, found: &Waiting, now: Time, moves: &mut Moves) -> Result<()> {
    let Waiting { prefetch, state, suspect, deadline, seat, purge, ended: Some(ended) } = *found else {
        return Ok(());
    };
    let wanted = conn.one(WANTED, &args![prefetch])?;
    let (wishes, purges): (i64, bool) = (wanted.get(0), wanted.get(1));
    let was = if state == 6 || suspect == 2 { UrlState::Held } else { UrlState::Pending };
    let to = match ended {
        2 => UrlState::Pending,
        _ if wishes > 0 && !purges => UrlState::Pending,
        _ if state == 6 || deadline.is_some_and(|at| at <= to_millis(now)) => return Ok(()),
        _ => UrlState::Held,
    };
    match to {
        UrlState::Pending => {
            conn.run(RELEASE, &args![prefetch])?;
            wishes::restore_times(conn, [prefetch])?;
        }
        _ => hold(conn, purge, prefetch, ended)?,
    }
    if was != to {
        moves.shift(seat, was, to);
        wishes::follow(conn, [prefetch], was, to, moves)?;
    }
    Ok(())
}

/// What `STANDING` says of a purge that was accepted where nobody may ask how it ended.
const ACCEPTED_UNTOLD: i64 = 9;

/// Holds a prefetch because of how its purge ended.
fn hold(conn: &Bulk, purge: i64, prefetch: i64, ended: i64) -> Result<()> {
    let end: Option<String> = conn.row(ENDS, &args![purge])?.map(|row| row.get(0));
    let end = end.unwrap_or_else(|| UrlState::Unconfirmed.to_string());
    let why = match ended {
        ACCEPTED_UNTOLD => Reason::from(ReasonKind::PurgeUntold),
        _ => Reason::new(ReasonKind::PurgeEnded, end),
    };
    let why = Stored::from(&why);
    conn.run(HOLD, &args![prefetch, why.text, why.code, why.with]).map(|_| ())
}

/// The purges of a batch that ended well as a whole.
pub(super) fn batch_completed(conn: &Bulk, submission: i64, moves: &mut Moves) -> Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    let urls: Vec<i64> = conn.rows(URLS_OF, &args![submission])?.iter().map(|row| row.get(0)).collect();
    purges_completed(conn, urls, moves)
}

/// These purges are complete: what waits for them may go.
pub(super) fn purges_completed(conn: &Bulk, purges: impl IntoIterator<Item = i64>, moves: &mut Moves) -> Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    let purges = wishes::json(purges);
    release_held(conn, &purges, 0, None, moves)?;
    conn.run(COMPLETED, &args![purges]).map(|_| ())
}

/// These purges wait again: what was held for them waits, too. Returns how many that are.
pub(super) fn purges_wait_again(
    conn: &Bulk,
    purges: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> Result<u64> {
    if !any_waits(conn)? {
        return Ok(0);
    }
    release_held(conn, &wishes::json(purges), 2, Some(now), moves)
}

/// These URLs ended, or are held for good, and are not complete: a prefetch that waits for one of them is held, and
/// says why.
pub(super) fn purges_ended(
    conn: &Bulk,
    purges: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    for purge in purges {
        let waiting: Vec<i64> = conn.rows(WAITING_FOR, &args![purge])?.iter().map(|row| row.get(0)).collect();
        waiting.into_iter().try_for_each(|prefetch| settle(conn, prefetch, now, moves))?;
    }
    Ok(())
}

/// These purges were accepted: where nobody may ask whether they are complete, what waits for them is held at once.
pub(super) fn purges_accepted(
    conn: &Bulk,
    purges: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> Result<()> {
    if conn.one(UNTOLD, &args![])?.get(0) { purges_ended(conn, purges, now, moves) } else { Ok(()) }
}

/// From now on nobody may ask whether purges are complete: what waits for one that was accepted is held.
pub(super) fn purges_untold(conn: &Bulk, now: Time, moves: &mut Moves) -> Result<()> {
    let waiting = conn.rows(BEHIND_SENT, &args![])?;
    waiting.iter().try_for_each(|row| settle(conn, row.get(0), now, moves))
}

/// `ordered_at`: somebody wants them again, so that deadlines that have passed do not count.
fn release_held(conn: &Bulk, purges: &str, parked: i64, ordered_at: Option<Time>, moves: &mut Moves) -> Result<u64> {
    let held = conn.rows(COMPLETED_HELD, &args![purges])?;
    let held: Vec<(i64, Seat)> = held.iter().map(|row| (row.get(0), Seat::of(row))).collect();
    if held.is_empty() {
        return Ok(0);
    }
    let ids = wishes::json(held.iter().map(|(url, _)| *url));
    conn.run(RELEASE_HELD, &args![&ids, parked])?;
    wishes::restore_times(conn, held.iter().map(|(url, _)| *url))?;
    if let Some(at) = ordered_at {
        conn.run(DROP_DEADLINE, &args![&ids, to_millis(at)])?;
        wishes::drop_deadlines(conn, held.iter().map(|(url, _)| *url), at)?;
    }
    for (url, seat) in &held {
        moves.shift(*seat, UrlState::Held, UrlState::Pending);
        wishes::follow(conn, [*url], UrlState::Held, UrlState::Pending, moves)?;
    }
    Ok(held.len() as u64)
}

fn any_waits(conn: &Bulk) -> Result<bool> {
    Ok(conn.one(ANY, &[])?.get(0))
}
