//! Closes a batch: its URLs are submitted, or go back to the queue, are held, or fail.

use std::collections::HashMap;

use super::claim::Batch;
use super::tally::Moves;
use super::{chain, row_state, wishes};
use crate::model::{Lane, Reason, SubmissionId, Time, UrlId, UrlState, to_millis};
use crate::store::{Result, Sql, WriteTx, query};
use crate::words::Stored;

/// Puts the batch's rows back to `pending` or `held`; takes back an attempt that does not count.
const RELEASE: Sql = Sql::both(
    "
    update urls set state = ?2, attempts = attempts - ?3, wait_until = ?4, reason = ?5, reason_code = ?6,
    reason_with = ?7,
        suspect = case when ?2 = 0 then suspect else 0 end
    where submission_id = ?1 and state = 1",
);

/// Ends those that have no attempt left.
const EXHAUSTED: Sql = Sql::both(
    "
    update urls set state = ?2, wait_until = null, ended_at = ?3, suspect = 0
    where submission_id = ?1 and state = 0 and attempts >= ?4
    returning url_id",
);

/// Where a batch's URLs go when it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseTo {
    /// Back into the queue; not before `wait_until`, if that is given.
    Pending {
        /// The earliest time of the next claim.
        wait_until: Option<Time>,
        /// The state of those that have no attempt left: [`UrlState::Failed`] or [`UrlState::Held`].
        exhausted: UrlState,
    },
    /// Held for the operator.
    Held,
}

/// What happens to a batch's URLs when it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where they go.
    pub to: ReleaseTo,
    /// Whether the call counts as one of their attempts.
    pub counts: bool,
    /// The most attempts a URL may have (`[retry] attempts_max`).
    pub attempts_max: u32,
    /// The reason, for the operator.
    pub reason: Reason,
}

/// The batch was accepted, and its submission is closed. Its rows are left alone: their submission says that they are
/// submitted.
pub async fn settle_submitted_tx(tx: &mut WriteTx<'_>, batch: &Batch, now: Time) -> Result<()> {
    let mut moves = batch.shift_tx(tx, UrlState::Leased, UrlState::Submitted).await?;
    if batch.urls.first().is_some_and(|url| url.seat.lane == Lane::Purge) {
        let urls = batch.urls.iter().map(|url| url.id.0);
        tx.bulk(|conn| chain::purges_accepted(conn, urls, now, &mut moves)).await?;
    }
    moves.apply(tx.conn()).await
}

/// From now on this key may not ask for tasks: prefetches whose purge was accepted are held, and say why.
pub async fn purges_untold_tx(tx: &mut WriteTx<'_>, now: Time) -> Result<()> {
    let mut moves = Moves::default();
    tx.bulk(|conn| chain::purges_untold(conn, now, &mut moves)).await?;
    moves.apply(tx.conn()).await
}

/// The batch was not accepted: its URLs go where `release` says.
pub async fn release_tx(
    tx: &mut WriteTx<'_>,
    batch: &Batch,
    submission: SubmissionId,
    release: &Release,
    now: Time,
) -> Result<()> {
    let (state, wait_until) = match release.to {
        ReleaseTo::Pending { wait_until, .. } => (UrlState::Pending, wait_until),
        ReleaseTo::Held => (UrlState::Held, None),
    };
    let reason = Stored::from(&release.reason);
    query(RELEASE)
        .bind(submission.0)
        .bind(row_state::number(state))
        .bind(i64::from(!release.counts))
        .bind(wait_until.map(to_millis))
        .bind(reason.text)
        .bind(reason.code)
        .bind(reason.with)
        .execute(tx.conn())
        .await?;
    let mut moves = batch.shift_tx(tx, UrlState::Leased, state).await?;
    if let ReleaseTo::Pending { exhausted, .. } = release.to
        && release.counts
    {
        let rows = query(EXHAUSTED)
            .bind(submission.0)
            .bind(row_state::number(exhausted))
            .bind((exhausted == UrlState::Failed).then(|| to_millis(now)))
            .bind(release.attempts_max)
            .fetch_all(tx.conn())
            .await?;
        let ids: Vec<UrlId> = rows.iter().map(|row| UrlId(row.get(0))).collect();
        shift_some(batch, ids.iter().copied(), exhausted, &mut moves);
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        tx.bulk(|conn| {
            wishes::follow(conn, ids.iter().copied(), UrlState::Pending, exhausted, &mut moves)?;
            chain::purges_ended(conn, ids, now, &mut moves)
        })
        .await?;
    }
    if state == UrlState::Held {
        let ids = batch.urls.iter().map(|url| url.id.0);
        tx.bulk(|conn| chain::purges_ended(conn, ids, now, &mut moves)).await?;
    }
    // While the batch was away, lines may have been merged and wishes may have ended.
    tx.bulk(|conn| wishes::review_returned(conn, batch.urls.iter().map(|url| url.id.0), now, &mut moves)).await?;
    moves.apply(tx.conn()).await
}

fn shift_some(batch: &Batch, ids: impl Iterator<Item = UrlId>, to: UrlState, moves: &mut Moves) {
    let by_id: HashMap<UrlId, usize> = batch.urls.iter().enumerate().map(|(at, url)| (url.id, at)).collect();
    for url in ids.filter_map(|id| by_id.get(&id)).map(|at| &batch.urls[*at]) {
        moves.shift(url.seat, UrlState::Pending, to);
    }
}
