//! Forgets what ended long ago, a little at a time.

use super::seat::Seat;
use super::tally::Moves;
use super::{row_state, wishes};
use crate::model::{ObjectUrl, Time, UrlState, to_millis};
use crate::store::{Result, Row, Sql, WriteTx, args, query};

/// Most rows of each kind that one [`prune_tx`] deletes.
const ROWS_MAX: i64 = 5_000;

/// URLs that ended by themselves.
const ENDED: Sql = Sql::both(
    "
    delete from urls
    where url_id in (select url_id from urls indexed by urls_ended where ended_at is not null and ended_at < ?1
                     order by ended_at limit ?2)
    returning url_id, url, state, file_id, host_id, priority, lane, first_step",
);

/// URLs that were accepted so long ago that nothing more can be learned about them.
const SUBMITTED: Sql = Sql::both(
    "
    delete from urls
    where state = 1 and url_id in (select u.url_id from submissions as s join urls as u
    on u.submission_id = s.submission_id
                     where s.state = 1 and s.closed_at < ?1 and u.state = 1
                     order by s.submission_id limit ?2)
    returning url_id, url, case when (select s.ended_at from submissions as s
    where s.submission_id = urls.submission_id) is null then 1 else 2 end as state,
        file_id, host_id, priority, lane, first_step",
);

const DROP_KEY: Sql = Sql::both("delete from url_keys where url_key = ?1 and url_id = ?2");

/// Forgets URLs that ended, or were submitted, before `before`: five thousand of each at most. Returns how many.
pub async fn prune_tx(tx: &mut WriteTx<'_>, before: Time) -> Result<u64> {
    let before = to_millis(before);
    let mut moves = Moves::default();
    let mut keys: Vec<(i64, i64)> = Vec::new();
    let mut states: Vec<(i64, UrlState)> = Vec::new();
    for statement in [ENDED, SUBMITTED] {
        let gone = query(statement).bind(before).bind(ROWS_MAX).fetch_all(tx.conn()).await?;
        gone.iter().for_each(|row| leave(&mut moves, row));
        states.extend(gone.iter().map(|row| (row.get("url_id"), state(row))));
        keys.extend(gone.iter().map(|row| (ObjectUrl::key_of(Seat::of(row).lane, row.get("url")), row.get("url_id"))));
    }
    tx.bulk(|conn| {
        keys.iter().try_for_each(|(key, url)| conn.run(DROP_KEY, &args![*key, *url]).map(|_| ()))?;
        wishes::prune(conn, &states, &mut moves)
    })
    .await?;
    moves.apply(tx.conn()).await?;
    Ok(keys.len() as u64)
}

fn leave(moves: &mut Moves, row: &Row) {
    moves.add(Seat::of(row), state(row), -1);
}

fn state(row: &Row) -> UrlState {
    row_state::of(row.get("state"), 0)
}
