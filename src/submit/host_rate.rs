//! Learns how many URLs of a domain the service takes in a minute from an answer.

use std::collections::BTreeMap;

use tracing::info;

use super::reaction::{Lesson, Reaction};
use super::send::Opened;
use super::worker::Submitter;
use crate::ledger;
use crate::model::{HostId, Time};
use crate::store::{self, WriteTx};

impl Submitter {
    /// Learns from a batch that was refused because the minute of a domain was full, and from batches of such domains
    /// that were accepted after that.
    pub(super) async fn learn_rates_tx(
        &self,
        tx: &mut WriteTx<'_>,
        opened: &Opened,
        reaction: &Reaction,
        now: Time,
    ) -> store::Result<()> {
        let is_refused = reaction.lesson == Lesson::MinuteFull;
        if !is_refused && reaction.release.is_some() {
            return Ok(());
        }
        let lane = self.desk.policy.lane;
        let known = ledger::host_rates(tx.conn(), lane, now).await?;
        let mut batch: BTreeMap<HostId, u32> = BTreeMap::new();
        for url in &opened.batch.urls {
            *batch.entry(url.seat.host).or_default() += 1;
        }
        let changed = if is_refused { known.refused(&batch, now) } else { known.accepted(&batch, now) };
        if changed.0.is_empty() {
            return Ok(());
        }
        if is_refused {
            let (action, domains, urls) = (lane.word(), batch.len(), opened.batch.urls.len());
            info!(action, urls, domains, "the service takes fewer URLs of a domain a minute: fewer go at once");
        }
        ledger::note_host_rates_tx(tx, lane, &changed, now).await
    }
}
