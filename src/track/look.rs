//! One look at a batch: which calls it makes, and what they prove. It asks for counts first, and for rows only if
//! something failed or the counts do not fit the batch.

use std::collections::HashMap;

use chrono::TimeDelta;
use tracing::debug;

use super::book::{self, TaskSeen, Track};
use super::matching::{Fate, Patience, fates};
use super::plan::{Course, Progress, Seen, patience, progress, wants_running, wants_total};
use super::worker::{Ailing, Tracker};
use crate::model::{TaskId, Time, UrlId};
use crate::queue::{self, SentUrl};
use crate::service::{TaskQuery, TaskRow, TaskStatus, VOD, Window};

/// Most pages of one task that a look reads: a batch has 1,000 URLs, and a shared task has more.
const PAGES_MAX: u32 = 60;

/// Most URLs that a look asks for by name.
const SINGLES_MAX: usize = 20;

/// Tasks are searched for from this long before the acceptance of the batch, because clocks differ.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(2);

/// A look in progress.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) calls: u32,
    pub(super) tasks: HashMap<TaskId, TaskSeen>,
    failed_rows: Vec<TaskRow>,
    /// Rows that wait or are being fetched; none if not asked.
    running: Option<u32>,
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
        let mut look = Look::default();
        let tasks = book::tasks(self.store.read(), track.submission).await?;
        self.count(&mut look, track, &course, &tasks).await?;
        let seen = look.seen(self.now());
        let urls = queue::sent(self.store.read(), track.submission).await?;
        let verdict = progress(&course, &seen);
        debug!(submission.id = track.submission.0, ?seen, ?verdict, "tasks were asked for");
        let patience = patience(&course, track.looks, self.now(), self.first_after());
        let counts_hold = verdict != Progress::Ended || self.counts_hold(&mut look, &tasks).await?;
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

    /// How many rows a task has. Asks for one row, since zero rows cannot be asked for.
    async fn total(&mut self, look: &mut Look, task: &TaskId, status: Option<TaskStatus>) -> Result<u32, Ailing> {
        let page = self.ask(look, TaskQuery { status, page_size: 1, ..self.rows_of(task) }).await?;
        Ok(u32::try_from(page.total).unwrap_or(u32::MAX))
    }

    /// The first page of a task's rows, whenever they were made: the task may have been merged with an older one.
    fn rows_of<'t>(&self, task: &'t TaskId) -> TaskQuery<'t> {
        TaskQuery { task: Some(task), ..TaskQuery::first(Window::all(self.now())) }
    }

    /// Whether everything counted as complete is finished: `Complete` below 100 % means submitted (VOD-API.md, "Found
    /// since", 4). It reads the first, the middle and the last page of each task; once a service was seen to do so,
    /// that is not enough.
    async fn counts_hold(&mut self, look: &mut Look, tasks: &[TaskId]) -> Result<bool, Ailing> {
        for task in tasks {
            let complete = look.tasks.get(task).map_or(0, |task| task.complete);
            let last = complete.div_ceil(VOD.tasks.rows_a_page).clamp(1, PAGES_MAX);
            let mut pages = vec![1, last.div_ceil(2), last];
            pages.dedup();
            for page in pages {
                if self.says_complete_early {
                    return Ok(false);
                }
                let query = TaskQuery { status: Some(TaskStatus::Complete), page, ..self.rows_of(task) };
                let rows = self.ask(look, query).await?.rows;
                self.says_complete_early |= rows.iter().any(TaskRow::is_partly);
            }
        }
        Ok(!self.says_complete_early)
    }

    /// Reads the failed rows of a task, all pages.
    async fn ask_failed(&mut self, look: &mut Look, task: &TaskId) -> Result<(), Ailing> {
        for page in 1..=PAGES_MAX {
            let failed = TaskQuery { status: Some(TaskStatus::Failed), page, ..self.rows_of(task) };
            let listed = self.ask(look, failed).await?;
            look.tasks.entry(task.clone()).or_default().failed = u32::try_from(listed.total).unwrap_or(u32::MAX);
            let is_last = listed.rows.is_empty() || listed.total <= u64::from(page * VOD.tasks.rows_a_page);
            look.failed_rows.extend(listed.rows);
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
        (tasks, urls): (&[TaskId], &[SentUrl]),
        patience: Patience,
    ) -> Result<Vec<(UrlId, Fate)>, Ailing> {
        let mut rows: Vec<TaskRow> = Vec::new();
        for task in tasks {
            for page in 1..=PAGES_MAX {
                let listed = self.ask(look, TaskQuery { page, ..self.rows_of(task) }).await?.rows;
                let is_last = listed.len() < VOD.tasks.rows_a_page as usize;
                rows.extend(listed);
                if is_last {
                    break;
                }
            }
        }
        let unlisted = fates(urls, &rows, patience).unlisted;
        let made = Window::since(track.accepted_at - LOOK_BACK, self.now());
        for url in urls.iter().filter(|url| unlisted.contains(&url.id)).take(SINGLES_MAX) {
            let page = self.ask(look, TaskQuery { url: Some(&url.url), ..TaskQuery::first(made) }).await?;
            rows.extend(page.rows);
        }
        Ok(fates(urls, &rows, patience).ended)
    }
}
