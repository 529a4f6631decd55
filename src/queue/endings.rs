//! Records how accepted URLs ended, as their tasks tell: a whole batch at once, or single URLs of it.

use std::collections::BTreeSet;

use super::seat::Seat;
use super::tally::Moves;
use super::{chain, row_state, wishes};
use crate::model::{Lane, Reason, SubmissionId, Time, UrlId, UrlState, from_millis, to_millis};
use crate::store::{Readers, Result, Sql, WriteTx, query};
use crate::words::Stored;

const SENT: Sql = Sql::both(
    "
    select url_id, url, origin_failures from urls where submission_id = ?1 and state = 1 order by url_id",
);

const GROUPS: Sql = Sql::both(
    "
    select u.file_id, u.host_id, u.priority, u.lane, u.first_step, count(*) as urls, f.dropped_at
    from urls as u indexed by urls_submission join files as f on f.file_id = u.file_id
    where u.submission_id = ?1 and u.state = 1
    group by u.file_id, u.host_id, u.priority, u.lane, u.first_step, f.dropped_at",
);

const END_ONE: Sql = Sql::both(
    "
    update urls set state = ?2, ended_at = ?3, reason = ?4, reason_code = ?5, reason_with = ?6 where url_id = ?1
    and state = 1
    returning file_id, host_id, priority, lane, first_step,
        (select dropped_at from files where files.file_id = urls.file_id) as dropped_at",
);

const AGAIN: Sql = Sql::both(
    "
    update urls set state = ?2, wait_until = ?3, reason = ?4, reason_code = ?5, reason_with = ?6,
        origin_failures = origin_failures + 1
    where url_id = ?1 and state = 1
    returning file_id, host_id, priority, lane, first_step",
);

/// Where tasks cannot be read, a file finishes without its URLs' ends; this reopens it so that they are told after all.
const TELL_AGAIN: Sql = Sql::both(
    "
    update files set receipt_final = 0
    where file_id in (select cast(value as bigint) from json_each(?1))
      and finished_at is not null and receipt_final = 1",
);

const ADD_WARM: Sql = Sql::both(
    "
    insert into file_warm (file_id, seconds, urls) values (?1, ?2, ?3)
    on conflict (file_id, seconds) do update set urls = file_warm.urls + excluded.urls",
);

/// A URL of an accepted batch whose end is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentUrl {
    /// Its row.
    pub id: UrlId,
    /// As sent.
    pub url: String,
    /// How often it was accepted before and then failed at the origin.
    pub origin_failures: u32,
}

/// How a URL of an accepted batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is warm.
    Complete,
    /// It failed for good.
    Failed {
        /// The reason, for the operator.
        why: Reason,
    },
    /// Accepted, but the service does not tell how it ended.
    Unconfirmed {
        /// Why nobody knows, for the operator.
        why: Reason,
    },
    /// Failed, and to be sent once more as ordinary work.
    Again {
        /// The reason, for the operator.
        why: Reason,
        /// The earliest time of that.
        at: Time,
    },
}

impl Ending {
    fn why(&self) -> Option<&Reason> {
        match self {
            Self::Complete => None,
            Self::Failed { why } | Self::Unconfirmed { why } | Self::Again { why, .. } => Some(why),
        }
    }
}

/// The URLs of an accepted batch whose end is not known yet, in the order in which they were sent.
pub async fn sent(pool: &Readers, submission: SubmissionId) -> Result<Vec<SentUrl>> {
    let rows = query(SENT).bind(submission.0).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| SentUrl { id: UrlId(row.get(0)), url: row.get(1), origin_failures: row.get(2) }).collect())
}

/// Completes all URLs of a batch whose end was not known, and returns how many. It touches no row of theirs: the caller
/// ends their submission in the same transaction, and that says it.
pub async fn complete_batch_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, now: Time) -> Result<i64> {
    let mut moves = Moves::default();
    let mut urls = 0;
    for row in query(GROUPS).bind(submission.0).fetch_all(tx.conn()).await? {
        let (seat, n) = (Seat::of(&row), row.get::<i64, _>("urls"));
        moves.add(seat, UrlState::Submitted, -n);
        moves.add(seat, UrlState::Complete, n);
        add_warm(tx, seat, from_millis(row.get("dropped_at")), n, now).await?;
        urls += n;
    }
    tx.bulk(|conn| {
        wishes::follow_batch(conn, submission.0, UrlState::Submitted, UrlState::Complete, &mut moves)?;
        chain::batch_completed(conn, submission.0, &mut moves)
    })
    .await?;
    let files = moves.changed_files();
    moves.apply(tx.conn()).await?;
    tell_again(tx, files).await?;
    Ok(urls)
}

/// Ends single URLs of a batch. A URL whose end is already known is left alone.
pub async fn end_urls_tx(tx: &mut WriteTx<'_>, endings: &[(UrlId, Ending)], now: Time) -> Result<()> {
    let mut moves = Moves::default();
    let mut ended: Vec<(i64, UrlState)> = Vec::new();
    for (url, ending) in endings {
        let why = ending.why().map(Stored::from);
        let (statement, state, at) = match ending {
            Ending::Complete => (END_ONE, UrlState::Complete, now),
            Ending::Failed { .. } => (END_ONE, UrlState::Failed, now),
            Ending::Unconfirmed { .. } => (END_ONE, UrlState::Unconfirmed, now),
            Ending::Again { at, .. } => (AGAIN, UrlState::Pending, *at),
        };
        let query = query(statement)
            .bind(url.0)
            .bind(row_state::number(state))
            .bind(to_millis(at))
            .bind(why.as_ref().map(|why| &why.text))
            .bind(why.as_ref().map(|why| &why.code))
            .bind(why.as_ref().and_then(|why| why.with.as_ref()));
        let Some(row) = query.fetch_optional(tx.conn()).await? else { continue };
        let seat = Seat::of(&row);
        let to = match ending {
            Ending::Complete => UrlState::Complete,
            Ending::Failed { .. } => UrlState::Failed,
            Ending::Unconfirmed { .. } => UrlState::Unconfirmed,
            Ending::Again { .. } => UrlState::Pending,
        };
        moves.shift(seat, UrlState::Submitted, to);
        ended.push((url.0, to));
        if *ending == Ending::Complete {
            add_warm(tx, seat, from_millis(row.get("dropped_at")), 1, now).await?;
        }
    }
    tx.bulk(|conn| {
        ended.iter().try_for_each(|(url, to)| wishes::follow(conn, [*url], UrlState::Submitted, *to, &mut moves))?;
        let of = |wanted: &[UrlState]| {
            ended.iter().filter(|(_, to)| wanted.contains(to)).map(|(url, _)| *url).collect::<Vec<i64>>()
        };
        chain::purges_completed(conn, of(&[UrlState::Complete]), &mut moves)?;
        chain::purges_ended(conn, of(&[UrlState::Failed, UrlState::Unconfirmed]), now, &mut moves)?;
        let again = ended.iter().filter(|(_, to)| *to == UrlState::Pending);
        wishes::review_returned(conn, again.map(|(url, _)| *url), now, &mut moves)
    })
    .await?;
    let files = moves.changed_files();
    moves.apply(tx.conn()).await?;
    tell_again(tx, files).await
}

async fn tell_again(tx: &mut WriteTx<'_>, files: BTreeSet<i64>) -> Result<()> {
    let files = serde_json::json!(files).to_string();
    query(TELL_AGAIN).bind(files).execute(tx.conn()).await?;
    Ok(())
}

/// A purge makes nothing warm.
async fn add_warm(tx: &mut WriteTx<'_>, seat: Seat, dropped_at: Time, urls: i64, now: Time) -> Result<()> {
    if seat.lane != Lane::Prefetch {
        return Ok(());
    }
    let seconds = two_digits((now - dropped_at).num_seconds().max(0));
    query(ADD_WARM).bind(seat.file.0).bind(seconds).bind(urls).execute(tx.conn()).await?;
    Ok(())
}

/// Rounds down to two digits, so that a file has few rows of warmth times.
fn two_digits(seconds: i64) -> i64 {
    let mut unit = 1;
    while seconds / unit >= 100 {
        unit *= 10;
    }
    seconds / unit * unit
}

#[cfg(test)]
mod tests {
    use super::two_digits;

    #[test]
    fn a_span_keeps_two_digits() {
        assert_eq!([0, 9, 99, 100, 1234, 259_200].map(two_digits), [0, 9, 99, 100, 1200, 250_000]);
    }
}
