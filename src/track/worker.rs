//! The stage: one look at a time, at the batch that has waited longest for one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::book::{self, TaskSeen, Track};
use super::desk::Desk;
use super::matching::{Fate, fates};
use super::plan::{Course, LISTED_FOR, Progress, Seen, first_look, look_for_room, next_look, progress, wants_total};
use super::untold::Untold;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Provider;
use crate::ledger::{self, Fact};
use crate::model::{TaskId, Time, UrlId};
use crate::queue::{self, Ending, SentUrl};
use crate::schedule::{Backoff, flies_at_most};
use crate::settings::{self, Live, Settings};
use crate::store::{self, Store};
use crate::submit::{AccountFault, Deferral, Outcome, pause_for_tx};
use crate::vod::{Reply, TASKS_A_PAGE, TaskPage, TaskQuery, TaskRow, TaskStatus};

/// How long a wait lasts at most before the database is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// No wait is shorter: nothing spins.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// Pages of one task that a look reads at most: a batch has 1,000 URLs, and a task that others share more.
const PAGES_MAX: u32 = 60;

/// URLs that a look asks for by name at most.
const SINGLES_MAX: usize = 20;

/// Tasks are looked for from so long before the batch was accepted on: clocks differ.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(2);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something; there may be more to do at once.
    Done,
    /// Nothing, and nothing is due before.
    Waiting(Option<Time>),
}

/// The tracker.
#[derive(Debug)]
pub struct Tracker {
    store: Arc<Store>,
    clock: Clock,
    desk: Arc<Desk>,
    keys: Provider,
    settings: Arc<Settings>,
    /// Nothing is asked before, and so many failures in a row are why.
    quiet_until: Option<Time>,
    failures: u32,
}

/// Why a look came to nothing.
enum Ailing {
    Reply(Box<Reply>),
    Store(store::Error),
}

impl From<store::Error> for Ailing {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// A look under way.
#[derive(Debug, Default)]
struct Look {
    calls: u32,
    tasks: HashMap<TaskId, TaskSeen>,
    failed_rows: Vec<TaskRow>,
}

impl Look {
    fn sum(&self, of: impl Fn(&TaskSeen) -> u32) -> u32 {
        self.tasks.values().map(of).fold(0, u32::saturating_add)
    }

    fn seen(&self, at: Time) -> Seen {
        let all_asked = !self.tasks.is_empty() && self.tasks.values().all(|task| task.listed.is_some());
        Seen {
            at,
            complete: self.sum(|task| task.complete),
            failed: self.sum(|task| task.failed),
            listed: all_asked.then(|| self.sum(|task| task.listed.unwrap_or(0))),
        }
    }
}

impl Tracker {
    /// A tracker over this store that asks at this desk.
    pub fn new(store: Arc<Store>, clock: Clock, desk: Arc<Desk>, keys: Provider, settings: Arc<Settings>) -> Self {
        Self { store, clock, desk, keys, settings, quiet_until: None, failures: 0 }
    }

    /// Steps until `shutdown`; a step that has begun is dropped then, since a look changes nothing before its end.
    pub async fn run(mut self, mut live: Live, shutdown: CancellationToken) {
        loop {
            if let Some(settings) = settings::news(&mut live) {
                self.desk.set_pace(settings.config.track.calls_per_second.get()).await;
                self.settings = settings;
            }
            let step = tokio::select! {
                () = shutdown.cancelled() => return,
                step = self.step() => step,
            };
            let sleep = match step {
                Ok(Step::Done) => continue,
                Ok(Step::Waiting(until)) => self.until(until),
                Err(error) => {
                    warn!(%error, "tasks wait: the database cannot be used");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.desk.room().wanted() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    fn until(&self, until: Option<Time>) -> Duration {
        let wait = until.map(|until| (until - self.now()).to_std().unwrap_or(Duration::ZERO));
        wait.unwrap_or(LOOK_AGAIN).clamp(WAIT_MIN, LOOK_AGAIN)
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn config(&self) -> &Config {
        &self.settings.config
    }

    /// Looks at the batch that is due, if there is one.
    ///
    /// # Errors
    ///
    /// What the database says; the look is made again.
    pub async fn step(&mut self) -> store::Result<Step> {
        let now = self.now();
        if let Some(track) = book::overdue(self.store.read(), self.clock.reading().earliest - LISTED_FOR).await? {
            self.give_up(&track, now).await?;
            return Ok(Step::Done);
        }
        if let Some(until) = self.quiet_until.filter(|until| *until > now) {
            return Ok(Step::Waiting(Some(until)));
        }
        let Some(track) = self.next(now).await? else { return Ok(Step::Waiting(None)) };
        if track.look_at > now {
            return Ok(Step::Waiting(Some(track.look_at)));
        }
        let standing = ledger::standing(&mut *self.store.read().acquire().await?, now).await?;
        if standing.pause.is_some() || !standing.tasks_readable {
            return Ok(Step::Waiting(None));
        }
        let first = first_look(track.accepted_at, self.config().track.first_after.get());
        if track.seen.is_none() && first > now && !self.desk.room().is_wanted() {
            let mut tx = self.store.write().await?;
            book::look_at_tx(&mut tx, track.submission, first).await?;
            tx.commit().await?;
            return Ok(Step::Done);
        }
        match self.look(&track).await {
            Ok(()) => {
                if standing.tasks_refused {
                    let mut tx = self.store.write().await?;
                    ledger::note_fact_tx(&mut tx, Fact::TasksReadable(true), now).await?;
                    tx.commit().await?;
                }
                if self.failures > 0 {
                    info!("tasks can be asked for again");
                }
                (self.failures, self.quiet_until) = (0, None);
                self.desk.room().make();
                Ok(Step::Done)
            }
            Err(Ailing::Store(error)) => Err(error),
            Err(Ailing::Reply(reply)) => {
                self.could_not_look(&reply, standing.probes).await?;
                Ok(Step::Done)
            }
        }
    }

    /// The batch that is looked at next; while others wait for room in the service's queue, one that takes room there.
    async fn next(&self, now: Time) -> store::Result<Option<Track>> {
        let next = book::next(self.store.read()).await?;
        if !self.desk.room().is_wanted() {
            return Ok(next);
        }
        let under_way = book::under_way(self.store.read(), now - flies_at_most(true)).await?;
        let for_room = under_way.into_iter().map(|track| {
            let look_at = look_for_room(track.accepted_at, track.seen.map(|seen| seen.at));
            Track { look_at: if track.seen.is_some() { look_at.min(track.look_at) } else { look_at }, ..track }
        });
        Ok(for_room.chain(next.filter(|next| next.seen.is_some())).min_by_key(|track| track.look_at))
    }

    /// One look: counts first, rows only where something failed or the counts do not fit.
    async fn look(&mut self, track: &Track) -> Result<(), Ailing> {
        let course = Course { accepted_at: track.accepted_at, urls: track.urls, before: track.seen };
        let mut look = Look::default();
        let tasks = book::tasks(self.store.read(), track.submission).await?;
        for task in &tasks {
            let page = self.ask(&mut look, TaskQuery { status: Some(TaskStatus::Complete), ..count(task) }).await?;
            look.tasks.entry(task.clone()).or_default().complete = narrow(page.total);
        }
        let complete = look.sum(|task| task.complete);
        if complete < track.urls && (complete > 0 || track.looks >= 2) {
            for task in &tasks {
                self.ask_failed(&mut look, task).await?;
            }
        }
        if wants_total(&course, &look.seen(self.now())) {
            for task in &tasks {
                let page = self.ask(&mut look, count(task)).await?;
                look.tasks.entry(task.clone()).or_default().listed = Some(narrow(page.total));
            }
        }
        let seen = look.seen(self.now());
        let urls = queue::sent(self.store.read(), track.submission).await?;
        let verdict = progress(&course, &seen);
        debug!(submission.id = track.submission.0, ?seen, ?verdict, "tasks were asked for");
        let ends = match verdict {
            Progress::Open => Vec::new(),
            Progress::Ended if seen.failed == 0 => Vec::new(),
            Progress::Ended => {
                let ends = fates(&urls, &look.failed_rows);
                if ends.len() == seen.failed as usize {
                    ends
                } else {
                    self.read_rows(&mut look, track, &tasks, &urls).await?
                }
            }
            Progress::Odd => self.read_rows(&mut look, track, &tasks, &urls).await?,
        };
        let failed = ends.iter().filter(|(_, fate)| matches!(fate, Fate::Failed(_))).count();
        let all_known = ends.len() == urls.len() || (verdict == Progress::Ended && failed == seen.failed as usize);
        self.write_down(track, &course, (&look, &seen, &urls), &ends, all_known).await?;
        Ok(())
    }

    /// The rows of a task that failed, all pages of them.
    async fn ask_failed(&mut self, look: &mut Look, task: &TaskId) -> Result<(), Ailing> {
        for number in 1..=PAGES_MAX {
            let failed =
                TaskQuery { task: Some(task), status: Some(TaskStatus::Failed), page: number, ..TaskQuery::FIRST };
            let page = self.ask(look, failed).await?;
            look.tasks.entry(task.clone()).or_default().failed = narrow(page.total);
            let is_last = page.rows.is_empty() || page.total <= u64::from(number * TASKS_A_PAGE);
            look.failed_rows.extend(page.rows);
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Reads the rows themselves, and asks by name for URLs that are not among them.
    async fn read_rows(
        &mut self,
        look: &mut Look,
        track: &Track,
        tasks: &[TaskId],
        urls: &[SentUrl],
    ) -> Result<Vec<(UrlId, Fate)>, Ailing> {
        let mut rows: Vec<TaskRow> = Vec::new();
        for task in tasks {
            for number in 1..=PAGES_MAX {
                let page = self.ask(look, TaskQuery { task: Some(task), page: number, ..TaskQuery::FIRST }).await?;
                let is_last = page.rows.len() < TASKS_A_PAGE as usize;
                rows.extend(page.rows);
                if is_last {
                    break;
                }
            }
        }
        let ends = fates(urls, &rows);
        let left = urls.iter().filter(|url| ends.binary_search_by_key(&url.id, |(id, _)| *id).is_err());
        let since = Some(track.accepted_at - LOOK_BACK);
        for url in left.take(SINGLES_MAX) {
            let page = self.ask(look, TaskQuery { url: Some(&url.url), since, ..TaskQuery::FIRST }).await?;
            rows.extend(page.rows);
        }
        Ok(fates(urls, &rows))
    }

    /// Writes down what the look proved.
    async fn write_down(
        &self,
        track: &Track,
        course: &Course,
        (look, seen, urls): (&Look, &Seen, &[SentUrl]),
        ends: &[(UrlId, Fate)],
        all_known: bool,
    ) -> store::Result<()> {
        let now = self.now();
        let endings: Vec<(UrlId, Ending)> = ends
            .iter()
            .filter(|(_, fate)| !all_known || *fate != Fate::Complete)
            .map(|(id, fate)| (*id, self.ending(fate, *id, urls, now)))
            .collect();
        let mut tx = self.store.write().await?;
        for (task, saw) in &look.tasks {
            book::saw_task_tx(&mut tx, track.submission, task, *saw, now).await?;
        }
        queue::end_urls_tx(&mut tx, &endings, now).await?;
        let left = urls.len() - endings.len();
        let is_over = all_known || left == 0 || (seen.listed == Some(track.urls) && seen.complete == track.urls);
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
        // Rows that ended one by one are counted no more; the numbers of the whole batch are compared with themselves.
        let kept = if endings.is_empty() { track.urls } else { narrow(left as u64).max(1) };
        book::looked_tx(
            &mut tx,
            track.submission,
            (seen, look.calls, kept),
            next.or(Some(track.accepted_at + LISTED_FOR)),
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
                why: format!("it failed at the origin: {said}; it is sent once more"),
                at: now + TimeDelta::from_std(track.retry_after.get()).unwrap_or(TimeDelta::MAX),
            },
            Fate::Failed(said) => Ending::Failed { why: format!("it failed at the origin: {said}") },
        }
    }

    /// The service lists the batch no longer: what was learned stands, and of the rest nobody will know.
    async fn give_up(&self, track: &Track, now: Time) -> store::Result<()> {
        let urls = queue::sent(self.store.read(), track.submission).await?;
        let standing = ledger::standing(&mut *self.store.read().acquire().await?, now).await?;
        let untold = match track.seen {
            _ if standing.tasks_refused => Untold::Forbidden,
            Some(_) => Untold::NoEnd,
            None => Untold::NotAsked,
        };
        let ending = Ending::Unconfirmed { why: untold.to_string() };
        let endings: Vec<(UrlId, Ending)> = urls.iter().map(|url| (url.id, ending.clone())).collect();
        let seen = track.seen.unwrap_or(Seen { at: now, complete: 0, failed: 0, listed: None });
        let mut tx = self.store.write().await?;
        queue::end_urls_tx(&mut tx, &endings, now).await?;
        ledger::end_tx(&mut tx, track.submission, now).await?;
        book::end_tasks_tx(&mut tx, track.submission, false, now).await?;
        book::looked_tx(&mut tx, track.submission, (&seen, 0, 0), None).await?;
        tx.commit().await?;
        warn!(
            submission.id = track.submission.0,
            urls = urls.len(),
            why = %untold,
            "nobody knows how these URLs ended: they are unconfirmed"
        );
        Ok(())
    }

    /// Asks, and learns the time by the answer.
    async fn ask(&mut self, look: &mut Look, query: TaskQuery<'_>) -> Result<TaskPage, Ailing> {
        let reply = self.desk.ask(&self.settings.client, &self.keys, &query).await;
        look.calls += 1;
        if let Reply::Answered(answer) = &reply
            && let Some(page) = answer.tasks().filter(|_| answer.is_success())
        {
            return Ok(page);
        }
        Err(Ailing::Reply(Box::new(reply)))
    }

    /// The service did not say: not to this key, or not now.
    async fn could_not_look(&mut self, reply: &Reply, probes: u32) -> store::Result<()> {
        let outcome = Outcome::of(reply);
        if outcome == Outcome::Deferred(Deferral::Account(AccountFault::Forbidden)) {
            warn!(
                "this key may not ask for tasks (vod:DescribeVodRefreshTasks): URLs stay submitted; allow it to see them become warm"
            );
            let mut tx = self.store.write().await?;
            ledger::note_fact_tx(&mut tx, Fact::TasksReadable(false), self.now()).await?;
            return tx.commit().await;
        }
        // A free call tries by and by whether it is mended; then tasks are asked for at once.
        if let Outcome::Deferred(Deferral::Account(fault)) = outcome {
            let mut tx = self.store.write().await?;
            pause_for_tx(&mut tx, fault, probes, self.now()).await?;
            return tx.commit().await;
        }
        if self.failures == 0 {
            warn!(%outcome, "tasks could not be asked for; it is tried again");
        }
        self.failures = self.failures.saturating_add(1);
        let retry = &self.config().retry;
        let backoff = Backoff { min: retry.backoff_min.get(), max: retry.backoff_max.get() };
        // Never at once: half of the bound, and a part of the other half by chance.
        let jitter = 0.5 + rand::random::<f64>() / 2.0;
        self.quiet_until = Some(backoff.until(self.now(), self.failures, jitter));
        Ok(())
    }
}

/// How many rows of a task there are; of the rows themselves one, since none cannot be asked for.
fn count(task: &TaskId) -> TaskQuery<'_> {
    TaskQuery { task: Some(task), page_size: 1, ..TaskQuery::FIRST }
}

fn narrow(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
