//! Learns the size of the service's own queue of prefetches from an answer.

use tracing::info;

use super::reaction::{Lesson, Reaction};
use super::send::Opened;
use super::worker::Submitter;
use crate::ledger;
use crate::model::Time;
use crate::store::{self, WriteTx};

impl Submitter {
    /// Learns from a batch that was refused because the queue was full, and from accepted batches after that.
    pub(super) async fn learn_queue_tx(
        &self,
        tx: &mut WriteTx<'_>,
        opened: &Opened,
        reaction: &Reaction,
        now: Time,
    ) -> store::Result<()> {
        let urls = u32::try_from(opened.batch.urls.len()).unwrap_or(u32::MAX);
        if reaction.lesson == Lesson::QueueFull {
            let in_flight = match opened.in_flight {
                Some(in_flight) => in_flight,
                None => {
                    let standing = ledger::standing(tx.conn(), self.desk.policy.lane, now).await?;
                    ledger::in_flight(tx.conn(), self.desk.policy.lane, &standing, now).await?
                }
            };
            let size = ledger::queue_was_full_tx(tx, self.desk.policy.lane, in_flight, urls, now).await?;
            let next = size.aim(now);
            info!(in_flight, urls, next, "the service's queue of prefetches was full: fewer URLs go at once");
        } else if let (None, Some(in_flight)) = (&reaction.release, opened.in_flight)
            && ledger::queue_had_room_tx(tx, self.desk.policy.lane, in_flight, urls, now).await?
        {
            info!("the service's queue of prefetches takes as many as are sent: no limit applies any more");
        }
        Ok(())
    }
}
