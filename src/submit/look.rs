//! Looks for the tasks of a batch in doubt: asks for its first and last URL, reads the rows of every task that lists
//! one of them, and asks for missing URLs as long as that finds more. `fit` judges the result.

use super::fit::{Listed, Span, first_missing};
use super::send::Opened;
use super::worker::Submitter;
use crate::model::{TaskId, parse_task_ids};
use crate::service::{Fault, TaskPage, TaskQuery, TaskRow, Window};
use crate::store;
use crate::track;

/// Most URLs that one look asks for by name: the API gives a batch one ID per 500 URLs and domain.
const URLS_ASKED_MAX: usize = 20;

/// Most pages of one task that a look reads: a batch has 1,000 URLs, and a shared task has more.
const PAGES_MAX: u32 = 60;

/// The tasks found, or why the service did not answer.
pub(super) type Found = Result<Vec<Listed>, Fault>;

impl Submitter {
    /// The tasks that list URLs of a batch in doubt.
    pub(super) async fn look_for_tasks(&mut self, opened: &Opened, span: Span) -> store::Result<Found> {
        let urls: Vec<&str> = opened.batch.urls.iter().map(|url| url.url.as_str()).collect();
        let mut found: Vec<Listed> = Vec::new();
        let ends = urls.first().into_iter().chain(urls.last().filter(|_| urls.len() > 1));
        for url in ends {
            if let Err(fault) = self.add_tasks_of(url, span, opened, &mut found).await? {
                return Ok(Err(fault));
            }
        }
        for _ in 0..URLS_ASKED_MAX {
            let Some(url) = first_missing(&urls, &found, span).filter(|_| !found.is_empty()) else { break };
            let known = found.len();
            if let Err(fault) = self.add_tasks_of(url, span, opened, &mut found).await? {
                return Ok(Err(fault));
            }
            if found.len() == known {
                break;
            }
        }
        Ok(Ok(found))
    }

    /// Adds the tasks that list this URL, with all of their rows.
    async fn add_tasks_of(
        &mut self,
        url: &str,
        span: Span,
        opened: &Opened,
        found: &mut Vec<Listed>,
    ) -> store::Result<Result<(), Fault>> {
        let made = Window::since(span.from, self.now());
        let page = match self
            .ask_for_tasks(&TaskQuery { url: Some(url), ..TaskQuery::first(self.desk.policy.lane, made) })
            .await
        {
            Ok(page) => page,
            Err(fault) => return Ok(Err(fault)),
        };
        let ids: Vec<TaskId> = page.rows.iter().flat_map(|row| parse_task_ids(&row.task_id)).collect();
        for id in ids {
            if found.iter().any(|task| task.id == id) {
                continue;
            }
            let (total, rows) = match self.rows_of(&id, made).await {
                Ok(read) => read,
                Err(fault) => return Ok(Err(fault)),
            };
            let others = track::urls_of_task(self.store.read(), &id, opened.submission).await?;
            found.push(Listed { id, total, rows, others });
        }
        Ok(Ok(()))
    }

    /// How many rows a task has, and those that were read.
    async fn rows_of(&mut self, task: &TaskId, made: Window) -> Result<(u64, Vec<TaskRow>), Fault> {
        let (mut total, mut rows) = (0, Vec::new());
        for page in 1..=PAGES_MAX {
            let listed = self
                .ask_for_tasks(&TaskQuery { task: Some(task), page, ..TaskQuery::first(self.desk.policy.lane, made) })
                .await?;
            let is_last = listed.rows.len() < self.service.product().tasks_a_page as usize;
            total = total.max(listed.total);
            rows.extend(listed.rows);
            if is_last {
                break;
            }
        }
        Ok((total, rows))
    }

    async fn ask_for_tasks(&self, query: &TaskQuery<'_>) -> Result<TaskPage, Fault> {
        self.free(self.service.tasks(query)).await
    }
}
