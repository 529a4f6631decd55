//! The stage: one look at a time, at the batch that has waited longest for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use strum::VariantArray as _;
use tracing::{info, warn};

use super::book::{self, Track};
use super::look::{Look, Proof};
use super::matching::Fate;
use super::plan::{Course, Seen, first_look, look_for_room, next_look};
use super::room::Room;
use super::untold::Untold;
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{self, Fact};
use crate::model::{AccountFault, Backoff, Lane, Reason, ReasonKind, Time, UrlId};
use crate::queue::{self, Ending, SentUrl};
use crate::schedule::{Standing, asked_to_wait, flies_at_most};
use crate::service::{Fault, Service, TASKS_LISTED_FOR, TaskPage, TaskQuery};
use crate::stage::{Pulse, Settings, Stage, Then, Tools, look_again};
use crate::store::{self, Store};
use crate::words;

/// The shortest wait, so that nothing spins.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The wait after a failure for a batch whose three days are almost over.
const TRY_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more to do at once.
    Done,
    /// Nothing was done, and nothing is due before that time.
    Waiting(Option<Time>),
}

/// The tracker stage.
#[derive(Debug)]
pub struct Tracker {
    pub(super) store: Arc<Store>,
    clock: Clock,
    pub(super) service: Service,
    room: Arc<Room>,
    settings: Arc<Settings>,
    /// Nothing is asked before that time, because of this many failures in a row.
    quiet_until: Option<Time>,
    failures: u32,
    /// Tasks are listed until then, because they could not be asked for by ID.
    pub(super) lists_until: Option<Time>,
    /// Whether the service was seen to call unfinished URLs complete.
    pub(super) says_complete_early: bool,
    pub(super) pulse: Pulse,
}

impl Stage for Tracker {
    /// A look changes nothing before its end.
    const IS_DROPPED: bool = true;

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        self.service.apply(&settings.config);
        self.settings = settings;
    }

    async fn advance(&mut self) -> store::Result<Then> {
        Ok(match self.step().await? {
            Step::Done => Then::Go,
            Step::Waiting(until) => Then::Wait(self.until(until)),
        })
    }

    async fn woken(&mut self) {
        self.room.wanted().await;
    }
}

/// Why a look failed.
pub(super) enum Ailing {
    Fault(Box<Fault>),
    Store(store::Error),
}

impl From<store::Error> for Ailing {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// How long to rest where nothing is due before `wait`. What is accepted meanwhile is due `first_after` later, and then
/// it is looked at soon.
fn rest(wait: Option<Duration>, look_again: Duration, first_after: Duration) -> Duration {
    let longest = look_again.min(first_after / 4).max(WAIT_MIN);
    wait.unwrap_or(longest).clamp(WAIT_MIN, longest)
}

impl Tracker {
    /// The tracker. Whoever waits for room in the service's queue waits at `room`.
    pub fn new(tools: Tools, service: Service, room: Arc<Room>) -> Self {
        let Tools { store, clock, settings, pulse, .. } = tools;
        Self {
            store,
            clock,
            service,
            room,
            settings,
            quiet_until: None,
            failures: 0,
            lists_until: None,
            says_complete_early: false,
            pulse,
        }
    }

    fn until(&self, until: Option<Time>) -> Duration {
        let wait = until.map(|until| (until - self.now()).to_std().unwrap_or(Duration::ZERO));
        rest(wait, look_again(&self.store), self.first_after())
    }

    pub(super) fn first_after(&self) -> Duration {
        self.config().track.first_after.get()
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    fn config(&self) -> &Config {
        &self.settings.config
    }

    /// Looks at the batch that is due, if there is one.
    ///
    /// # Errors
    ///
    /// The database failed; the look is made again.
    pub async fn step(&mut self) -> store::Result<Step> {
        let now = self.now();
        if let Some(track) = book::overdue(self.store.read(), self.clock.reading().earliest - TASKS_LISTED_FOR).await? {
            self.give_up(&track, now).await?;
            return Ok(Step::Done);
        }
        if let Some(until) = self.quiet_until.filter(|until| *until > now) {
            return Ok(Step::Waiting(Some(until)));
        }
        let mut answered = self.answered(now).await?;
        let Some(track) = self.next(&answered, now).await? else { return Ok(Step::Waiting(None)) };
        if track.look_at > now {
            return Ok(Step::Waiting(Some(track.look_at)));
        }
        let Some(standing) = answered.remove(&track.lane) else { return Ok(Step::Waiting(None)) };
        let first = first_look(track.accepted_at, self.config().track.first_after.get());
        if track.seen.is_none() && first > now && !self.room.is_wanted() {
            let mut tx = self.store.write().await?;
            book::look_at_tx(&mut tx, track.submission, first).await?;
            tx.commit().await?;
            return Ok(Step::Done);
        }
        match self.look(&track).await {
            Ok(()) => {
                if standing.tasks_refused {
                    let mut tx = self.store.write().await?;
                    ledger::note_fact_tx(&mut tx, track.lane, Fact::TasksReadable(true), now).await?;
                    tx.commit().await?;
                }
                if self.failures > 0 {
                    info!("tasks can be asked for again");
                }
                (self.failures, self.quiet_until) = (0, None);
                self.room.make();
                Ok(Step::Done)
            }
            Err(Ailing::Store(error)) => Err(error),
            Err(Ailing::Fault(fault)) => {
                self.could_not_look(&fault, track.lane, standing.probes).await?;
                Ok(Step::Done)
            }
        }
    }

    /// The lanes in which tasks may be asked for now, with what is known: one that is paused stops no other.
    async fn answered(&self, now: Time) -> store::Result<BTreeMap<Lane, Standing>> {
        let mut answered = BTreeMap::new();
        let mut conn = self.store.read().acquire().await?;
        for lane in Lane::VARIANTS {
            let standing = ledger::standing(&mut conn, *lane, now).await?;
            if standing.pause.is_none() && standing.tasks_readable {
                answered.insert(*lane, standing);
            }
        }
        Ok(answered)
    }

    /// The batch of these lanes to look at next; while others wait for room in the service's queue, one that takes up
    /// room there.
    async fn next(&self, lanes: &BTreeMap<Lane, Standing>, now: Time) -> store::Result<Option<Track>> {
        let next = book::next(self.store.read(), lanes.keys().copied()).await?;
        if !self.room.is_wanted() || !lanes.contains_key(&Lane::Prefetch) {
            return Ok(next);
        }
        let under_way = book::under_way(self.store.read(), now - flies_at_most(true)).await?;
        let for_room = under_way.into_iter().map(|track| {
            let look_at = look_for_room(track.accepted_at, track.seen.map(|seen| seen.at));
            Track { look_at: if track.seen.is_some() { look_at.min(track.look_at) } else { look_at }, ..track }
        });
        Ok(for_room.chain(next.filter(|next| next.seen.is_some())).min_by_key(|track| track.look_at))
    }

    /// Stores what the look proved.
    pub(super) async fn write_down(
        &self,
        track: &Track,
        course: &Course,
        (look, urls): (&Look, &[SentUrl]),
        Proof { seen, ends, all_known, counts_hold }: &Proof,
    ) -> store::Result<()> {
        let now = self.now();
        let endings: Vec<(UrlId, Ending)> = ends
            .iter()
            .filter(|(_, fate)| !*all_known || *fate != Fate::Complete)
            .map(|(id, fate)| (*id, self.ending(fate, *id, urls, now)))
            .collect();
        let mut tx = self.store.write().await?;
        for (task, saw) in &look.tasks {
            book::saw_task_tx(&mut tx, track.submission, task, *saw, now).await?;
        }
        queue::end_urls_tx(&mut tx, &endings, now).await?;
        let left = urls.len() - endings.len();
        let all_complete = seen.listed == Some(track.urls) && seen.complete == track.urls;
        let is_over = *all_known || left == 0 || (*counts_hold && all_complete);
        if is_over {
            let complete = queue::complete_batch_tx(&mut tx, track.submission, now).await?;
            ledger::end_tx(&mut tx, track.submission, now).await?;
            book::end_tasks_tx(&mut tx, track.submission, true, now).await?;
            book::looked_tx(&mut tx, track.submission, (seen, look.calls, 0), None).await?;
            tx.commit().await?;
            info!(submission.id = track.submission.0, complete, failed = seen.failed, "batch ended");
            return Ok(());
        }
        let next = next_look(course, seen, self.config().track.first_after.get());
        // Rows that ended one by one are no longer counted; the counts of the whole batch are compared with earlier
        // ones of the whole batch.
        let kept = if endings.is_empty() { track.urls } else { u32::try_from(left).unwrap_or(u32::MAX).max(1) };
        book::looked_tx(
            &mut tx,
            track.submission,
            (seen, look.calls, kept),
            // Not at once: the clock must prove that three days are over.
            next.or_else(|| Some((track.accepted_at + TASKS_LISTED_FOR).max(now + TRY_AGAIN))),
        )
        .await?;
        tx.commit().await
    }

    fn ending(&self, fate: &Fate, id: UrlId, urls: &[SentUrl], now: Time) -> Ending {
        let track = &self.config().track;
        let failures = urls.iter().find(|url| url.id == id).map_or(0, |url| url.origin_failures);
        match fate {
            Fate::Complete => Ending::Complete,
            Fate::Failed(said) if failures < track.retry_failed.get() => Ending::Again {
                why: Reason::new(ReasonKind::SentOnceMore, said),
                at: now + TimeDelta::from_std(track.retry_after.get()).unwrap_or(TimeDelta::MAX),
            },
            Fate::Failed(said) => Ending::Failed { why: Reason::new(ReasonKind::FailedAtOrigin, said) },
            Fate::Untold(untold) => Ending::Unconfirmed { why: untold.into() },
        }
    }

    /// The service no longer lists the batch: what was learned stays, and nobody will know about the rest.
    async fn give_up(&self, track: &Track, now: Time) -> store::Result<()> {
        let urls = queue::sent(self.store.read(), track.submission).await?;
        let standing = ledger::standing(&mut self.store.read().acquire().await?, track.lane, now).await?;
        let untold = match track.seen {
            _ if standing.tasks_refused => Untold::Forbidden,
            Some(_) => Untold::NoEnd,
            None => Untold::NotAsked,
        };
        let why = Reason::from(&untold);
        let words = words::reason(&why);
        let ending = Ending::Unconfirmed { why };
        let endings: Vec<(UrlId, Ending)> = urls.iter().map(|url| (url.id, ending.clone())).collect();
        let seen = track.seen.unwrap_or(Seen { at: now, complete: 0, failed: 0, listed: None, running: None });
        let mut tx = self.store.write().await?;
        queue::end_urls_tx(&mut tx, &endings, now).await?;
        ledger::end_tx(&mut tx, track.submission, now).await?;
        book::end_tasks_tx(&mut tx, track.submission, false, now).await?;
        book::looked_tx(&mut tx, track.submission, (&seen, 0, 0), None).await?;
        tx.commit().await?;
        warn!(
            submission.id = track.submission.0,
            urls = urls.len(),
            why = %words.en,
            "nobody knows how these URLs ended: they are unconfirmed"
        );
        Ok(())
    }

    /// Asks the service, and learns the time from the answer.
    pub(super) async fn ask(&mut self, look: &mut Look, query: TaskQuery<'_>) -> Result<TaskPage, Ailing> {
        look.calls += 1;
        let asking = self.service.tasks(&query);
        let asked = self.pulse.during(self.service.free_call_max(), asking).await;
        asked.map_err(|fault| Ailing::Fault(Box::new(fault)))
    }

    /// The service does not answer: not to this key, or not now.
    async fn could_not_look(&mut self, fault: &Fault, lane: Lane, probes: u32) -> store::Result<()> {
        if fault.of_the_account() == Some(AccountFault::Forbidden) {
            let permission = self.service.product().permission(self.service.product().actions.tasks);
            warn!(permission, "this key may not ask for tasks, so URLs stay submitted");
            let mut tx = self.store.write().await?;
            ledger::note_fact_tx(&mut tx, lane, Fact::TasksReadable(false), self.now()).await?;
            queue::purges_untold_tx(&mut tx, self.now()).await?;
            return tx.commit().await;
        }
        // A free call tries now and then whether it is mended; then tasks are asked for at once.
        if let Some(fault) = fault.of_the_account() {
            let mut tx = self.store.write().await?;
            ledger::pause_for_tx(&mut tx, lane, fault, probes, self.now()).await?;
            return tx.commit().await;
        }
        if self.failures == 0 {
            let outcome = fault.class;
            warn!(%outcome, "tasks could not be asked for; it is tried again");
        }
        self.failures = self.failures.saturating_add(1);
        let retry = &self.config().retry;
        let backoff = Backoff { min: retry.backoff_min.get(), max: retry.backoff_max.get() };
        // Never at once: half of the bound, plus a random part of the other half.
        let jitter = 0.5 + rand::random::<f64>() / 2.0;
        let until = backoff.until(self.now(), self.failures, jitter);
        self.quiet_until = Some(until.max(asked_to_wait(fault.retry_after, self.now())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_tracker_looks_again_before_a_batch_that_was_accepted_meanwhile_is_late() {
        let (second, usual) = (Duration::from_secs(1), Duration::from_secs(240));
        let look = 5 * second;
        let rest = |wait, first_after| super::rest(wait, look, first_after);
        assert_eq!((rest(None, usual), rest(None, second)), (look, second / 4));
        assert_eq!((rest(Some(usual), usual), rest(Some(usual), second)), (look, second / 4));
        assert_eq!((rest(Some(second / 10), second), rest(Some(Duration::ZERO), second)), (second / 10, WAIT_MIN));
    }
}
