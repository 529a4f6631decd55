//! Removes rows that were kept long enough: URLs that have ended, and their submissions. Each step prunes a little, so
//! that nobody waits for it long.

use chrono::TimeDelta;
use tracing::info;

use crate::config::Config;
use crate::model::Time;
use crate::store::{self, Store};
use crate::{ledger, queue, track};

/// How often to look through the tables.
const LOOK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// What is kept, and how far the pruning has come.
#[derive(Debug)]
pub(super) struct Retention {
    keep: TimeDelta,
    look_at: Option<Time>,
    /// Whether the last step left rows to prune.
    more: bool,
}

impl Retention {
    pub(super) fn new(config: &Config) -> Self {
        let keep = TimeDelta::from_std(config.database.keep.get()).unwrap_or(TimeDelta::MAX);
        Self { keep, look_at: None, more: false }
    }

    /// Prunes a little, if there is anything to prune. True if there may be more. Lets urgent writers go first.
    pub(super) async fn step(&mut self, store: &Store, now: Time) -> store::Result<bool> {
        if self.look_at.is_none_or(|at| at <= now) {
            self.look_at = Some(now + LOOK_AGAIN);
            self.more = true;
        }
        if !self.more {
            return Ok(false);
        }
        store.give_way().await;
        let mut tx = store.write().await?;
        let mut rows = queue::prune_tx(&mut tx, now - self.keep).await?;
        for submission in ledger::outlived_tx(&mut tx, now - self.keep).await? {
            track::forget_tx(&mut tx, submission.id).await?;
            ledger::forget_tx(&mut tx, &submission).await?;
            rows += 1;
        }
        tx.commit().await?;
        self.more = rows > 0;
        if rows > 0 {
            info!(rows, "pruned rows that were kept long enough ([database] keep)");
        }
        Ok(self.more)
    }
}
