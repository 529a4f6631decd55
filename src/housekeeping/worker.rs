//! The stage: one chore at a time, first those for which others wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tracing::warn;

use super::retention::Retention;
use crate::model::{Lane, Time};
use crate::queue::Walk;
use crate::schedule::Ready;
use crate::stage::{Pulse, Settings, Stage, Then, Tools, look_again};
use crate::{ledger, notify, queue, store};

/// The shortest wait, so that nothing spins.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// How often a little is pruned while there is something to prune.
const PRUNE_AGAIN: Duration = Duration::from_millis(250);

/// How often prefetches that wait for a purge are settled.
const SETTLE_AGAIN: Duration = Duration::from_secs(600);

/// A deadline is near when it is at most this far away ...
const DEADLINE_NEAR: TimeDelta = TimeDelta::minutes(30);

/// ... and this is checked this often.
const TELL_AGAIN: TimeDelta = TimeDelta::seconds(60);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more to do at once.
    Done,
    /// Nothing was done.
    Waiting {
        /// When to look again, by the service's time.
        until: Option<Time>,
        /// Whether to prune a little more soon.
        prunes: bool,
    },
}

/// The stage.
#[derive(Debug)]
pub struct Housekeeping {
    tools: Tools,
    retention: Retention,
    /// When to prune a little next.
    prune_at: Instant,
    /// When to check deadlines again.
    tell_at: Option<Time>,
    /// When to look again for prefetches that wait for a purge which has ended, and from where.
    settle_at: Instant,
    walk: Walk,
}

impl Stage for Housekeeping {
    fn pulse(&self) -> &Pulse {
        &self.tools.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        self.retention = Retention::new(&settings.config);
        self.prune_at = Instant::now();
        self.tools.settings = settings;
    }

    async fn advance(&mut self) -> store::Result<Then> {
        match self.step().await? {
            Step::Done => Ok(Then::Go),
            Step::Waiting { until, prunes } => {
                let longest = if prunes { PRUNE_AGAIN } else { look_again(&self.tools.store) };
                let wait = until.map(|at| (at - self.tools.clock.now()).to_std().unwrap_or(Duration::ZERO));
                Ok(Then::Wait(wait.unwrap_or(longest).clamp(WAIT_MIN, longest)))
            }
        }
    }

    async fn woken(&mut self) {
        self.tools.wakes.housekeeping().await;
    }
}

impl Housekeeping {
    /// The stage, for the queue.
    pub fn new(tools: Tools) -> Self {
        let retention = Retention::new(&tools.settings.config);
        let (prune_at, settle_at) = (Instant::now(), Instant::now());
        let walk = Walk::default();
        Self { tools, retention, prune_at, tell_at: None, settle_at, walk }
    }

    /// Does the next chore.
    ///
    /// # Errors
    ///
    /// The database failed; the chore is found again.
    pub async fn step(&mut self) -> store::Result<Step> {
        let now = self.tools.clock.now();
        if self.tell_at.is_none_or(|at| at <= now) {
            self.tell_deadlines(now).await?;
        }
        let clock = self.tools.clock.reading();
        let urls_max = self.tools.settings.config.schedule.batch_urls_max.get();
        let mut ready = queue::ready(self.tools.store.read(), Lane::Prefetch, urls_max, clock.earliest).await?;
        let loads = queue::loads(self.tools.store.read()).await?;
        let others = |load: &&queue::LaneLoad| load.lane != Lane::Prefetch && (load.pending > 0 || load.held_suspects);
        for load in loads.iter().filter(others) {
            ready.blocked += queue::ready(self.tools.store.read(), load.lane, urls_max, clock.earliest).await?.blocked;
        }
        let due = [ready.next_at, ready.expires_at].into_iter().flatten().min();
        if due.is_some_and(|at| clock.is_past(at)) {
            self.pass_time(clock.earliest).await?;
            return Ok(Step::Done);
        }
        if self.finish_files(now).await? || self.park(&ready).await? {
            return Ok(Step::Done);
        }
        if self.settle_waiting(clock.earliest).await? {
            return Ok(Step::Done);
        }
        let prunes = self.prune().await?;
        // What only seems due is no reason to look again, because nothing happens until the time is proved.
        let due = due.filter(|at| clock.proved || *at > now).map(|at| clock.surely_at(at));
        Ok(Step::Waiting { until: due, prunes })
    }

    /// Now and then settles prefetches whose purge has ended without their knowing. True if there may be more.
    async fn settle_waiting(&mut self, now: Time) -> store::Result<bool> {
        if self.settle_at > Instant::now() || !queue::awaits_purges(self.tools.store.read()).await? {
            return Ok(false);
        }
        let mut tx = self.tools.store.write().await?;
        let next = queue::settle_waiting_tx(&mut tx, self.walk, now).await?;
        tx.commit().await?;
        self.walk = next.unwrap_or_default();
        if next.is_none() {
            self.settle_at = Instant::now() + SETTLE_AGAIN;
        }
        Ok(next.is_some())
    }

    /// Tells once for each file that its deadline is near while URLs are still pending.
    async fn tell_deadlines(&mut self, now: Time) -> store::Result<()> {
        let mut tx = self.tools.store.write().await?;
        notify::near_deadlines_tx(&mut tx, now + DEADLINE_NEAR, now).await?;
        tx.commit().await?;
        self.tell_at = Some(now + TELL_AGAIN);
        Ok(())
    }

    /// Wakes URLs whose time has certainly come, and expires those whose deadline has certainly passed.
    async fn pass_time(&self, now: Time) -> store::Result<()> {
        let mut tx = self.tools.store.write().await?;
        let tidied = queue::tidy_tx(&mut tx, now).await?;
        notify::missed_tx(&mut tx, &tidied.expired, now).await?;
        tx.commit().await?;
        self.tools.wakes.may_go();
        if !tidied.expired.is_empty() {
            let urls: i64 = tidied.expired.values().sum();
            warn!(urls, "URLs expired: their deadline passed before they could be sent");
        }
        Ok(())
    }

    /// Finishes files for which everything is done. False if there are none.
    async fn finish_files(&self, now: Time) -> store::Result<bool> {
        let store = &self.tools.store;
        let is_tracked =
            ledger::standing(&mut store.read().acquire().await?, Lane::Prefetch, now).await?.tasks_readable;
        if !queue::has_finished_files(store.read(), is_tracked).await? {
            return Ok(false);
        }
        let mut tx = store.write().await?;
        notify::finish_files_tx(&mut tx, is_tracked, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Parks URLs that may not be sent, and brings back those that may again. False if there are none.
    async fn park(&self, ready: &Ready) -> store::Result<bool> {
        if ready.blocked == 0 && !ready.unparkable {
            return Ok(false);
        }
        let mut tx = self.tools.store.write().await?;
        queue::park_tx(&mut tx).await?;
        tx.commit().await?;
        self.tools.wakes.may_go();
        Ok(true)
    }

    /// Prunes a little when it is time. True if there may be more.
    async fn prune(&mut self) -> store::Result<bool> {
        if self.prune_at > Instant::now() {
            return Ok(self.prune_at <= Instant::now() + PRUNE_AGAIN);
        }
        let has_more = self.retention.step(&self.tools.store, self.tools.clock.surely()).await?;
        self.prune_at = Instant::now() + if has_more { PRUNE_AGAIN } else { look_again(&self.tools.store) };
        Ok(has_more)
    }
}
