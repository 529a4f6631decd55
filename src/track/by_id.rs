//! A look at a batch by the IDs of its tasks, where the product can be asked so: all rows at once, ten tasks a call, at
//! six times the pace of lists. Whatever is doubtful is left to the list: a task that is not told of, a URL that no row
//! names, a question that is refused.

use std::collections::HashMap;

use chrono::TimeDelta;
use tracing::{debug, warn};

use super::book::{self, TaskSeen, Track};
use super::look::{Look, Proof};
use super::matching::{Fate, Patience, fates};
use super::plan::{Course, Seen, patience};
use super::worker::{Ailing, Tracker};
use crate::ledger;
use crate::model::{AccountFault, TaskId, Time};
use crate::queue::{self, SentUrl};
use crate::service::{BODY_BYTES_MAX, Class, Deferral, Fault, IDS_A_CALL, TaskRow, TaskStatus};

/// A row takes this many bytes beside its URL, at most.
const ROW_BYTES: usize = 400;

/// The part of the longest answer that is counted on, because a task may have rows of other batches.
const ANSWER_PART: usize = 2;

/// After this many looks a URL that no row names is searched for in the list: before that it may be listed late.
const LISTED_AFTER: u32 = 2;

/// How long tasks are listed after they could not be asked for by ID.
const LISTED_FOR: TimeDelta = TimeDelta::hours(1);

/// How many IDs go in a call, so that its answer is not too long.
fn ids_a_call(urls: &[SentUrl], tasks: usize) -> usize {
    let bytes: usize = urls.iter().map(|url| url.url.len() + ROW_BYTES).sum();
    let each = bytes.div_ceil(tasks.max(1)).max(1);
    (BODY_BYTES_MAX / ANSWER_PART / each).clamp(1, IDS_A_CALL)
}

/// Whether the list may answer what a question by ID did not: the fault is not the account's, and not one of time or
/// pace. The permission for the list is another one.
fn may_be_listed(fault: &Fault) -> bool {
    match fault.class {
        Class::Deferred(Deferral::Account(fault)) => fault == AccountFault::Forbidden,
        Class::Deferred(deferral) => {
            !matches!(deferral, Deferral::Unreachable | Deferral::Throttled | Deferral::ClockSkew)
        }
        Class::Refused(_) => true,
    }
}

/// What the rows of a batch's tasks prove; none if they do not name all of its URLs and should by now. Once the batch
/// is late, what has ended ends by itself; before that the batch ends at a stroke.
fn proof(urls: &[SentUrl], rows: &[TaskRow], (looks, patience): (u32, Patience), at: Time) -> Option<Proof> {
    let told = fates(urls, rows, patience);
    if !told.unlisted.is_empty() && looks >= LISTED_AFTER {
        return None;
    }
    let count = |is: fn(&Fate) -> bool| told.ended.iter().filter(|(_, fate)| is(fate)).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let listed = urls.len() - told.unlisted.len();
    let seen = Seen {
        at,
        complete: number(count(|fate| *fate == Fate::Complete)),
        failed: number(count(|fate| matches!(fate, Fate::Failed(_)))),
        listed: Some(number(listed)),
        running: Some(number(listed - told.ended.len())),
    };
    let all_known = told.ended.len() == urls.len();
    let ends = if all_known || patience != Patience::Wait { told.ended } else { Vec::new() };
    Some(Proof { seen, ends, all_known, counts_hold: all_known })
}

/// What the rows say of each task.
fn by_task(tasks: &[TaskId], rows: &[TaskRow]) -> HashMap<TaskId, TaskSeen> {
    let mut seen: HashMap<TaskId, TaskSeen> = HashMap::new();
    for task in tasks {
        let of_task = || rows.iter().filter(|row| row.task_id == task.as_str());
        let count = |is: &dyn Fn(&TaskRow) -> bool| u32::try_from(of_task().filter(|row| is(row)).count()).ok();
        let is = |row: &TaskRow, status| row.status() == Some(status);
        let complete = count(&|row| is(row, TaskStatus::Complete) && !row.is_partly());
        let failed = count(&|row| is(row, TaskStatus::Failed));
        let (complete, failed) = (complete.unwrap_or(u32::MAX), failed.unwrap_or(u32::MAX));
        seen.insert(task.clone(), TaskSeen { complete, failed, listed: count(&|_| true) });
    }
    seen
}

impl Tracker {
    /// Makes a look by ID, and stores what it proved. False if the list has to be looked at instead.
    pub(super) async fn look_by_id(&mut self, track: &Track, course: &Course) -> Result<bool, Ailing> {
        let product = self.service.product();
        let Some(action) = product.actions.tasks_by_id else { return Ok(false) };
        let foreign = ledger::set_aside(self.store.read(), track.submission).await?;
        let mut tasks = book::tasks(self.store.read(), track.submission).await?;
        tasks.retain(|task| !foreign.contains(task));
        if tasks.is_empty() || self.lists_until.is_some_and(|until| until > self.now()) {
            return Ok(false);
        }
        let urls = queue::sent(self.store.read(), track.submission).await?;
        let (mut look, mut rows) = (Look::of(track.lane), Vec::new());
        for ids in tasks.chunks(ids_a_call(&urls, tasks.len())) {
            look.calls += 1;
            let asking = self.service.tasks_by_id(ids);
            match self.pulse.during(self.service.free_call_max(), asking).await {
                Ok(told) => rows.extend(told.rows),
                Err(fault) if may_be_listed(&fault) => {
                    let (outcome, permission) = (fault.class, product.permission(action));
                    warn!(%outcome, permission, "tasks could not be asked for by ID; they are listed for an hour");
                    self.lists_until = Some(self.now() + LISTED_FOR);
                    return Ok(false);
                }
                Err(fault) => return Err(Ailing::Fault(Box::new(fault))),
            }
        }
        // A row without an ID is of one of those that were asked for.
        rows.retain(|row| row.task_id.is_empty() || tasks.iter().any(|task| task.as_str() == row.task_id));
        let now = self.now();
        let patience = patience(course, track.looks, now, self.first_after());
        let Some(proof) = proof(&urls, &rows, (track.looks, patience), now) else { return Ok(false) };
        debug!(submission.id = track.submission.0, seen = ?proof.seen, "tasks were asked for by ID");
        look.tasks = by_task(&tasks, &rows);
        self.write_down(track, course, (&look, &urls), &proof).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{UrlId, from_millis, parse_task_ids};

    fn url(id: i64) -> SentUrl {
        SentUrl { id: UrlId(id), url: format!("https://a.example.com/{id}"), origin_failures: 0 }
    }

    fn row(id: i64, status: &str, process: &str) -> TaskRow {
        TaskRow {
            task_id: "7".to_owned(),
            object_path: format!("http://A.example.com/{id}"),
            status: Some(status.to_owned()),
            process: Some(process.to_owned()),
            ..TaskRow::default()
        }
    }

    fn prove(rows: &[TaskRow], looks: u32, patience: Patience) -> Option<(Seen, usize, bool)> {
        let urls: Vec<SentUrl> = (1..=3).map(url).collect();
        let proof = proof(&urls, rows, (looks, patience), from_millis(0))?;
        Some((proof.seen, proof.ends.len(), proof.all_known))
    }

    #[test]
    fn rows_that_name_every_url_and_its_end_end_the_batch() {
        let rows = [row(1, "Complete", "100%"), row(2, "Complete", "100"), row(3, "Failed", "0%")];
        let (seen, ends, all_known) = prove(&rows, 0, Patience::Wait).unwrap();
        assert_eq!((seen.complete, seen.failed, seen.listed, seen.running), (2, 1, Some(3), Some(0)));
        assert_eq!((ends, all_known), (3, true));
        let seen = by_task(&parse_task_ids("7,8"), &rows);
        assert_eq!(seen[&parse_task_ids("7")[0]], TaskSeen { complete: 2, failed: 1, listed: Some(3) });
        assert_eq!(seen[&parse_task_ids("8")[0]], TaskSeen { complete: 0, failed: 0, listed: Some(0) });
    }

    #[test]
    fn while_something_runs_nothing_ends_unless_the_batch_is_late() {
        // Complete below 100 % is submitted, and no more.
        let rows = [row(1, "Complete", "100%"), row(2, "Complete", "99.37%"), row(3, "Refreshing", "10")];
        let (seen, ends, all_known) = prove(&rows, 3, Patience::Wait).unwrap();
        assert_eq!((seen.complete, seen.running, ends, all_known), (1, Some(2), 0, false));
        let (_, ends, all_known) = prove(&rows, 9, Patience::WordsEnd).unwrap();
        assert_eq!((ends, all_known), (1, false));
    }

    #[test]
    fn a_url_that_no_row_names_is_waited_for_and_then_searched_for_in_the_list() {
        let rows = [row(1, "Complete", "100%"), row(2, "Complete", "100%"), row(4, "Complete", "100%")];
        let (seen, ends, _) = prove(&rows, 1, Patience::Wait).unwrap();
        assert_eq!((seen.listed, ends), (Some(2), 0));
        assert!(prove(&rows, LISTED_AFTER, Patience::Wait).is_none());
        assert!(prove(&[], LISTED_AFTER, Patience::Wait).is_none());
    }

    #[test]
    fn so_many_ids_go_in_a_call_that_its_answer_is_not_too_long() {
        let long = |n: i64| SentUrl { url: format!("https://a.example.com/{}", "x".repeat(1_000)), ..url(n) };
        let batch: Vec<SentUrl> = (0..1_000).map(long).collect();
        assert_eq!(ids_a_call(&batch, 2), 1);
        assert_eq!(ids_a_call(&batch, 20), 7);
        assert_eq!(ids_a_call(&batch[..10], 2), IDS_A_CALL);
        assert_eq!(ids_a_call(&[], 0), IDS_A_CALL);
    }

    #[test]
    fn the_list_is_looked_at_where_it_may_answer_what_the_question_did_not() {
        let of = |class| may_be_listed(&Fault::of_class(class));
        let account = |fault| Class::Deferred(Deferral::Account(fault));
        assert!(of(account(AccountFault::Forbidden)) && of(Class::Deferred(Deferral::Unknown)));
        assert!(of(Class::Deferred(Deferral::InDoubt)), "the answer may have been too long");
        for class in [account(AccountFault::Suspended), account(AccountFault::BadToken)] {
            assert!(!of(class));
        }
        assert!(!of(Class::Deferred(Deferral::Throttled)) && !of(Class::Deferred(Deferral::Unreachable)));
    }
}
