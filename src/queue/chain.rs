//! Prefetches that wait for their purge: they go once it is complete, and are held if it ends otherwise.
//!
//! Such a row names its purge (`urls.after_id`) and has `parked = 2`. Whoever ends purges calls [`purges_completed`] or
//! [`purges_ended`] in the same transaction, so that no prefetch waits for what cannot come. Both cost one look into an
//! empty index where nothing waits.

use rusqlite::{Connection, params};

use super::seat::Seat;
use super::tally::Moves;
use super::wishes;
use crate::model::{Reason, ReasonKind, Time, UrlState, to_millis};
use crate::words::Stored;

const ANY: &str = "select exists (select 1 from urls indexed by urls_after where after_id is not null)";

/// A prefetch that is sent after this purge. One that waits for another purge goes on waiting for the later one.
const AFTER: &str = "
    update urls set after_id = ?2, parked = iif(parked = 1, 1, 2)
    where url_id = ?1 and state = 0 and (after_id is null or after_id < ?2)";

const COMPLETED: &str = "
    update urls set after_id = null, parked = iif(parked = 2, 0, parked), reason = null, reason_code = null,
        reason_with = null
    where after_id is not null and after_id in (select value from json_each(?1)) and state = 0";

/// Held ones of purges that were complete after all, e.g. after a retry.
const COMPLETED_HELD: &str = "
    select url_id, file_id, host_id, priority, lane, first_step from urls
    where after_id is not null and after_id in (select value from json_each(?1)) and state = 6";

const RELEASE_HELD: &str = "
    update urls set state = 0, parked = ?2, after_id = iif(?2 = 0, null, after_id), reason = null, reason_code = null,
        reason_with = null
    where url_id in (select value from json_each(?1))";

/// Those whose own deadline has passed expire instead.
const HELD_NOW: &str = "
    select url_id, suspect, file_id, host_id, priority, lane, first_step from urls
    where after_id is not null and after_id in (select value from json_each(?1)) and state = 0
      and (deadline is null or deadline > ?2)";

const HOLD: &str = "
    update urls set state = 6, parked = 0, suspect = 0, reason = ?2, reason_code = ?3, reason_with = ?4
    where url_id in (select value from json_each(?1))";

const URLS_OF: &str = "
    select url_id from urls indexed by urls_submission where submission_id = ?1 and state = 1";

/// How a purge ended, for the reason of its prefetch.
const ENDS: &str = "
    select case state when 3 then 'failed' when 4 then 'expired' when 5 then 'cancelled' when 7 then 'unconfirmed'
           else 'held' end
    from urls where url_id = ?1";

/// Lets prefetches wait for purges: pairs of rows.
pub(super) fn wait_for(conn: &Connection, pairs: &[(i64, i64)]) -> rusqlite::Result<()> {
    let mut after = conn.prepare_cached(AFTER)?;
    pairs.iter().try_for_each(|(prefetch, purge)| after.execute([prefetch, purge]).map(|_| ()))
}

/// The purges of a batch that ended well as a whole.
pub(super) fn batch_completed(conn: &Connection, submission: i64, moves: &mut Moves) -> rusqlite::Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    let urls: Vec<i64> =
        conn.prepare_cached(URLS_OF)?.query_map([submission], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    purges_completed(conn, urls, moves)
}

/// These purges are complete: what waits for them may go.
pub(super) fn purges_completed(
    conn: &Connection,
    purges: impl IntoIterator<Item = i64>,
    moves: &mut Moves,
) -> rusqlite::Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    let purges = wishes::json(purges);
    release_held(conn, &purges, 0, moves)?;
    conn.prepare_cached(COMPLETED)?.execute([purges]).map(|_| ())
}

/// These purges wait again: what was held for them waits, too. Returns how many that are.
pub(super) fn purges_wait_again(
    conn: &Connection,
    purges: impl IntoIterator<Item = i64>,
    moves: &mut Moves,
) -> rusqlite::Result<u64> {
    if !any_waits(conn)? {
        return Ok(0);
    }
    release_held(conn, &wishes::json(purges), 2, moves)
}

/// These URLs ended, or are held for good, and are not complete: a prefetch that waits for one of them is held, and
/// says why.
pub(super) fn purges_ended(
    conn: &Connection,
    purges: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> rusqlite::Result<()> {
    if !any_waits(conn)? {
        return Ok(());
    }
    for purge in purges {
        let held: Vec<(i64, UrlState, Seat)> = conn
            .prepare_cached(HELD_NOW)?
            .query_map(params![wishes::json([purge]), to_millis(now)], |row| {
                let was = if row.get::<_, i64>(1)? == 2 { UrlState::Held } else { UrlState::Pending };
                Ok((row.get(0)?, was, Seat::of_bulk(row)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        if held.is_empty() {
            continue;
        }
        let end: String = conn.prepare_cached(ENDS)?.query_row([purge], |row| row.get(0))?;
        let why = Stored::from(&Reason::new(ReasonKind::PurgeEnded, end));
        let ids = wishes::json(held.iter().map(|(url, ..)| *url));
        conn.prepare_cached(HOLD)?.execute(params![ids, why.text, why.code, why.with])?;
        for (url, was, seat) in held {
            moves.shift(seat, was, UrlState::Held);
            wishes::follow(conn, [url], was, UrlState::Held, moves)?;
        }
    }
    Ok(())
}

fn release_held(conn: &Connection, purges: &str, parked: i64, moves: &mut Moves) -> rusqlite::Result<u64> {
    let held: Vec<(i64, Seat)> = conn
        .prepare_cached(COMPLETED_HELD)?
        .query_map([purges], |row| Ok((row.get(0)?, Seat::of_bulk(row)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if held.is_empty() {
        return Ok(0);
    }
    let ids = wishes::json(held.iter().map(|(url, _)| *url));
    conn.prepare_cached(RELEASE_HELD)?.execute(params![ids, parked])?;
    for (url, seat) in &held {
        moves.shift(*seat, UrlState::Held, UrlState::Pending);
        wishes::follow(conn, [*url], UrlState::Held, UrlState::Pending, moves)?;
    }
    Ok(held.len() as u64)
}

fn any_waits(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare_cached(ANY)?.query_row([], |row| row.get(0))
}
