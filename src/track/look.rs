//! One look at a batch: which calls it makes, and what they prove. It asks for counts first, and for rows only if
//! something failed or the counts do not fit the batch.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use tracing::{debug, warn};

use super::book::{self, TaskSeen, Track};
use super::matching::{Fate, Patience, bare, fates};
use super::plan::{Course, Progress, Seen, patience, progress, wants_running, wants_total};
use super::worker::{Ailing, Tracker};
use crate::ledger;
use crate::model::{Lane, TaskId, Time, UrlId, parse_task_ids};
use crate::queue::{self, SentUrl};
use crate::service::{TaskQuery, TaskRow, TaskStatus, Window};

/// Most pages of one task that a look reads: a batch has 1,000 URLs, and a shared task has more.
const PAGES_MAX: u32 = 60;

/// Most URLs that a look asks for by name.
const SINGLES_MAX: usize = 20;

/// Tasks are searched for from this long before the acceptance of the batch, because clocks differ.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(2);

/// A look in progress.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) calls: u32,
    pub(super) tasks: HashMap<TaskId, TaskSeen>,
    failed_rows: Vec<TaskRow>,
    /// Rows that wait or are being fetched; none if not asked.
    running: Option<u32>,
    /// Of the batch.
    lane: Lane,
}

/// What a look proved.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) seen: Seen,
    /// URLs whose end was seen.
    pub(super) ends: Vec<(UrlId, Fate)>,
    /// Whether all other URLs are complete.
    pub(super) all_known: bool,
    /// Whether URLs counted as complete really are.
    pub(super) counts_hold: bool,
}

impl Look {
    pub(super) fn of(lane: Lane) -> Self {
        Self { calls: 0, tasks: HashMap::new(), failed_rows: Vec::new(), running: None, lane }
    }

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
            running: self.running,
        }
    }
}

impl Tracker {
    /// Makes one look, and stores what it proved.
    pub(super) async fn look(&mut self, track: &Track) -> Result<(), Ailing> {
        let course = Course { accepted_at: track.accepted_at, urls: track.urls, before: track.seen };
        if self.look_by_id(track, &course).await? {
            return Ok(());
        }
        let mut look = Look::of(track.lane);
        let foreign = ledger::set_aside(self.store.read(), track.submission).await?;
        let mut tasks = book::tasks(self.store.read(), track.submission).await?;
        tasks.retain(|task| !foreign.contains(task));
        self.count(&mut look, track, &course, &tasks).await?;
        let seen = look.seen(self.now());
        let urls = queue::sent(self.store.read(), track.submission).await?;
        // Where every task is somebody else's, only the URLs themselves can be asked for.
        let verdict = if tasks.is_empty() { Progress::Odd } else { progress(&course, &seen) };
        debug!(submission.id = track.submission.0, ?seen, ?verdict, "tasks were asked for");
        let patience = patience(&course, track.looks, self.now(), self.first_after());
        let counts_hold = verdict != Progress::Ended || self.counts_hold(&mut look, &tasks, &urls).await?;
        let ends = match verdict {
            Progress::Open => Vec::new(),
            Progress::Ended if counts_hold && seen.failed == 0 => Vec::new(),
            Progress::Ended if counts_hold => {
                let ends = fates(&urls, &look.failed_rows, patience).ended;
                if ends.len() == seen.failed as usize {
                    ends
                } else {
                    self.read_rows(&mut look, track, (&tasks, &urls), patience).await?
                }
            }
            Progress::Ended | Progress::Odd => self.read_rows(&mut look, track, (&tasks, &urls), patience).await?,
        };
        let failed = ends.iter().filter(|(_, fate)| matches!(fate, Fate::Failed(_))).count();
        let by_counts = verdict == Progress::Ended && counts_hold && failed == seen.failed as usize;
        let all_known = ends.len() == urls.len() || by_counts;
        let proof = Proof { seen, ends, all_known, counts_hold };
        Ok(self.write_down(track, &course, (&look, &urls), &proof).await?)
    }

    /// Counts how many are complete and how many failed; where it matters, also how many are listed and how many still
    /// run.
    async fn count(&mut self, look: &mut Look, track: &Track, course: &Course, tasks: &[TaskId]) -> Result<(), Ailing> {
        for task in tasks {
            let complete = self.total(look, task, Some(TaskStatus::Complete)).await?;
            look.tasks.entry(task.clone()).or_default().complete = complete;
        }
        let complete = look.sum(|task| task.complete);
        if complete < track.urls && (complete > 0 || track.looks >= 2) {
            for task in tasks {
                self.ask_failed(look, task).await?;
            }
        }
        let seen = look.seen(self.now());
        let wants_running = wants_running(course, track.looks, &seen, self.first_after());
        if wants_running || wants_total(course, &seen) {
            for task in tasks {
                let listed = self.total(look, task, None).await?;
                look.tasks.entry(task.clone()).or_default().listed = Some(listed);
            }
        }
        if wants_running {
            let mut running = 0_u32;
            for task in tasks {
                for status in [TaskStatus::Refreshing, TaskStatus::Pending] {
                    running = running.saturating_add(self.total(look, task, Some(status)).await?);
                }
            }
            look.running = Some(running);
        }
        Ok(())
    }

    fn rows_a_page(&self) -> u32 {
        self.service.product().tasks_a_page
    }

    /// How many rows a task has. Asks for one row, since zero rows cannot be asked for.
    async fn total(&mut self, look: &mut Look, task: &TaskId, status: Option<TaskStatus>) -> Result<u32, Ailing> {
        let page = self.ask(look, TaskQuery { status, page_size: 1, ..self.rows_of(look.lane, task) }).await?;
        Ok(u32::try_from(page.total).unwrap_or(u32::MAX))
    }

    /// The first page of a task's rows, whenever they were made: the task may have been merged with an older one.
    fn rows_of<'t>(&self, lane: Lane, task: &'t TaskId) -> TaskQuery<'t> {
        TaskQuery { task: Some(task), ..TaskQuery::first(lane, Window::all(self.now())) }
    }

    /// Whether everything counted as complete is the batch's, and finished: `Complete` below 100 % means submitted
    /// (VOD-API.md, "Found since", 4). It reads the first, the middle and the last page of each task, which is all of a
    /// batch of 150. No row may be of another URL, and all URLs must be named, or both ends of a larger batch. Once a
    /// service was seen to call complete what is not, counts are not enough.
    async fn counts_hold(&mut self, look: &mut Look, tasks: &[TaskId], urls: &[SentUrl]) -> Result<bool, Ailing> {
        let batch: HashSet<String> = urls.iter().map(|url| bare(&url.url)).collect();
        let mut named: HashSet<String> = look.failed_rows.iter().map(|row| bare(&row.object_path)).collect();
        let mut all_read = true;
        for task in tasks {
            let complete = look.tasks.get(task).map_or(0, |task| task.complete);
            let last = complete.div_ceil(self.rows_a_page()).clamp(1, PAGES_MAX);
            let mut pages = vec![1, last.div_ceil(2), last];
            pages.dedup();
            all_read &= pages.len() == last as usize;
            for page in pages {
                if self.says_complete_early {
                    return Ok(false);
                }
                let query = TaskQuery { status: Some(TaskStatus::Complete), page, ..self.rows_of(look.lane, task) };
                let rows = self.ask(look, query).await?.rows;
                self.says_complete_early |= rows.iter().any(TaskRow::is_partly);
                named.extend(rows.iter().map(|row| bare(&row.object_path)));
            }
        }
        let ends = [urls.first(), urls.last()].into_iter().flatten();
        let missing: Vec<&SentUrl> = ends.filter(|url| !named.contains(&bare(&url.url))).collect();
        for url in missing.iter().filter(|_| !all_read) {
            let query = TaskQuery { url: Some(&url.url), ..TaskQuery::first(look.lane, Window::all(self.now())) };
            let rows = self.ask(look, query).await?.rows;
            let own = rows.iter().filter(|row| parse_task_ids(&row.task_id).iter().any(|id| tasks.contains(id)));
            named.extend(own.map(|row| bare(&row.object_path)));
        }
        let all_named = if all_read { batch.is_subset(&named) } else { ends_are_in(urls, &named) };
        Ok(!self.says_complete_early && named.is_subset(&batch) && all_named)
    }

    /// Reads the failed rows of a task, all pages.
    async fn ask_failed(&mut self, look: &mut Look, task: &TaskId) -> Result<(), Ailing> {
        for page in 1..=PAGES_MAX {
            let failed = TaskQuery { status: Some(TaskStatus::Failed), page, ..self.rows_of(look.lane, task) };
            let listed = self.ask(look, failed).await?;
            look.tasks.entry(task.clone()).or_default().failed = u32::try_from(listed.total).unwrap_or(u32::MAX);
            let is_last = listed.rows.is_empty() || listed.total <= u64::from(page * self.rows_a_page());
            look.failed_rows.extend(listed.rows);
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Reads the rows themselves, and asks by name for URLs that are not among them. Tasks that list none of the
    /// batch's URLs are somebody else's and are set aside.
    async fn read_rows(
        &mut self,
        look: &mut Look,
        track: &Track,
        (tasks, urls): (&[TaskId], &[SentUrl]),
        patience: Patience,
    ) -> Result<Vec<(UrlId, Fate)>, Ailing> {
        let batch: HashSet<String> = urls.iter().map(|url| bare(&url.url)).collect();
        let (mut rows, mut foreign): (Vec<TaskRow>, Vec<TaskId>) = (Vec::new(), Vec::new());
        for task in tasks {
            let known = rows.len();
            for page in 1..=PAGES_MAX {
                let listed = self.ask(look, TaskQuery { page, ..self.rows_of(look.lane, task) }).await?.rows;
                let is_last = listed.len() < self.rows_a_page() as usize;
                rows.extend(listed);
                if is_last {
                    break;
                }
            }
            let own = &rows[known..];
            if track.urls as usize == urls.len()
                && !own.is_empty()
                && !own.iter().any(|row| batch.contains(&bare(&row.object_path)))
            {
                foreign.push(task.clone());
            }
        }
        self.set_aside(track, &foreign).await?;
        let unlisted: HashSet<UrlId> = fates(urls, &rows, patience).unlisted.into_iter().collect();
        let made = Window::since(track.accepted_at - LOOK_BACK, self.now());
        let unlisted: Vec<&SentUrl> = urls.iter().filter(|url| unlisted.contains(&url.id)).collect();
        // Other ones at each look, so that none waits for those that are never listed.
        let first = (track.looks as usize).wrapping_mul(SINGLES_MAX).checked_rem(unlisted.len()).unwrap_or(0);
        for url in unlisted.iter().cycle().skip(first).take(SINGLES_MAX.min(unlisted.len())) {
            let page = self.ask(look, TaskQuery { url: Some(&url.url), ..TaskQuery::first(track.lane, made) }).await?;
            rows.extend(page.rows);
        }
        Ok(fates(urls, &rows, patience).ended)
    }

    /// The service named tasks for a batch that list none of its URLs.
    async fn set_aside(&self, track: &Track, foreign: &[TaskId]) -> Result<(), Ailing> {
        if foreign.is_empty() {
            return Ok(());
        }
        let mut all = ledger::set_aside(self.store.read(), track.submission).await?;
        all.extend(foreign.iter().cloned());
        let mut tx = self.store.write().await?;
        ledger::set_aside_tx(&mut tx, track.submission, &all).await?;
        tx.commit().await?;
        let tasks = foreign.iter().map(TaskId::as_str).collect::<Vec<_>>().join(",");
        warn!(submission.id = track.submission.0, tasks, "tasks that list no URL of the batch are set aside");
        Ok(())
    }
}

fn ends_are_in(urls: &[SentUrl], named: &HashSet<String>) -> bool {
    [urls.first(), urls.last()].into_iter().flatten().all(|url| named.contains(&bare(&url.url)))
}
