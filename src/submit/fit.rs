//! Decides whether tasks that list URLs of a batch in doubt belong to the batch. Pure.
//!
//! The call's answer never came, and the service lists tasks with its URLs. Somebody else with the same account (the
//! console, a script) may have made them, and then our call may never have been performed: a batch that is closed
//! because of a foreign task is never sent. So a task settles a batch only if it fits: it was created within the call's
//! window by the service's clock, and its rows are the batch's. The cases:
//!
//! - *One task, the batch's.* It lists every URL of the batch.
//! - *Split.* The service gives a batch several IDs, one per 500 URLs or one per domain: together they list every URL.
//! - *Merged.* One ID for several calls of a second and a domain: its rows are the batch's and others'. It lists every
//!   URL of the batch, and what else it lists does not matter. Where the other call was ours as well, the ID is known
//!   as that submission's; those of its rows that are the other submission's URLs prove nothing of this one.
//! - *Listed late.* Some of the batch's rows are there, the others come: not yet. The doubt goes on, and the next look
//!   tells.
//! - *Foreign.* It lists some of the URLs, or was made before the call: the doubt goes on. If it lists all of them,
//!   made within the window, they are prefetched, whoever asked for that.
//! - *Not all rows can be read* (a merged task of more rows than are read): both ends of the batch are listed, and as
//!   many rows as the batch has URLs.

use std::cmp::Reverse;
use std::collections::HashSet;

use chrono::{SubsecRound as _, TimeDelta};

use crate::model::{TaskId, Time};
use crate::service::{SIGNATURE_VALID, TaskRow};
use crate::track::bare;

/// The service's clock may differ this much from the time that was assumed when the call was signed, where nothing more
/// exact was written down. It bounds the end of the window, which nothing depends on.
pub(super) const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

/// When the service can have performed a call, by its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Not earlier.
    pub from: Time,
    /// Not later.
    pub to: Time,
}

impl Span {
    /// For a call with this timestamp that was signed when the service's clock showed `earliest` or later, and whose
    /// last copy was sent at `sent_at`: it is performed before its signature is stale. Tasks show whole seconds.
    pub fn of(earliest: Time, signed_at: Time, sent_at: Time, call_timeout: std::time::Duration) -> Self {
        let answered = sent_at + TimeDelta::from_std(call_timeout).unwrap_or(SIGNATURE_VALID);
        Self { from: earliest.trunc_subsecs(0), to: answered.max(signed_at + SIGNATURE_VALID) + CLOCKS_DIFFER }
    }

    /// Whether a row was made within it. Rows without a time pass, because the question was already limited to the
    /// window.
    fn holds(self, row: &TaskRow) -> bool {
        row.creation_time.is_none_or(|at| self.from <= at && at <= self.to)
    }
}

/// Somebody else may have prefetched exactly the URLs of a batch of at most so many.
const FEW: usize = 10;

/// Whether tasks that fit a batch of `urls` URLs prove that they are prefetched, but not that our own call was
/// performed on the day that ends at `day_ends`: if they are somebody else's, it may be on its way as long as its
/// signature is valid. A batch of many is nobody else's.
pub(super) fn may_be_anothers(urls: usize, performed_at: Option<Time>, day_ends: Time) -> bool {
    urls <= FEW && performed_at.is_none_or(|at| at < day_ends)
}

/// A task as the service lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its ID.
    pub id: TaskId,
    /// How many rows it has, by the service's count.
    pub total: u64,
    /// The rows that were read.
    pub rows: Vec<TaskRow>,
    /// URLs for which another submission was given this task.
    pub others: Vec<String>,
}

/// How the tasks relate to the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// These tasks are the batch's.
    Ours {
        /// Their IDs.
        tasks: Vec<TaskId>,
        /// When the call was performed (the latest of its rows), if the service tells it.
        performed_at: Option<Time>,
    },
    /// These tasks list URLs of the batch but do not fit it.
    Foreign {
        /// Their IDs.
        tasks: Vec<TaskId>,
        /// How many of its URLs they list.
        listed: usize,
    },
    /// No task lists any of its URLs.
    NotYet,
}

/// What one task lists of a batch, within the window.
struct Part<'l> {
    task: &'l Listed,
    urls: HashSet<String>,
    performed_at: Option<Time>,
}

/// How these tasks relate to a batch of these URLs, whose call can have been performed within `span`.
pub fn fits(batch: &[&str], listed: &[Listed], span: Span) -> Fit {
    let spellings: Vec<String> = batch.iter().map(|url| bare(url)).collect();
    let parts = parts(&spellings, listed, span);
    if parts.is_empty() {
        let early: Vec<TaskId> =
            listed.iter().filter(|task| !task.rows.is_empty()).map(|task| task.id.clone()).collect();
        return if early.is_empty() { Fit::NotYet } else { Fit::Foreign { tasks: early, listed: 0 } };
    }
    let covered = covered(&spellings, &parts);
    if covered == batch.len() || ends_and_total_fit(&spellings, &parts) {
        let needed = needed(parts);
        let performed_at = needed.iter().filter_map(|part| part.performed_at).max();
        return Fit::Ours { tasks: needed.iter().map(|part| part.task.id.clone()).collect(), performed_at };
    }
    Fit::Foreign { tasks: parts.iter().map(|part| part.task.id.clone()).collect(), listed: covered }
}

/// The first URL of a batch that none of these tasks lists within the window.
pub fn first_missing<'u>(batch: &[&'u str], listed: &[Listed], span: Span) -> Option<&'u str> {
    let spellings: Vec<String> = batch.iter().map(|url| bare(url)).collect();
    let parts = parts(&spellings, listed, span);
    let at = spellings.iter().position(|url| !parts.iter().any(|part| part.urls.contains(url)))?;
    Some(batch[at])
}

/// What each task lists of the batch; tasks that list none of it are left out.
fn parts<'l>(spellings: &[String], listed: &'l [Listed], span: Span) -> Vec<Part<'l>> {
    let batch: HashSet<&String> = spellings.iter().collect();
    let part = |task: &'l Listed| {
        let others: HashSet<String> = task.others.iter().map(|url| bare(url)).collect();
        let mut part = Part { task, urls: HashSet::new(), performed_at: None };
        for row in task.rows.iter().filter(|row| span.holds(row)) {
            let url = bare(&row.object_path);
            if batch.contains(&url) && !others.contains(&url) {
                part.performed_at = part.performed_at.max(row.creation_time);
                part.urls.insert(url);
            }
        }
        (!part.urls.is_empty()).then_some(part)
    };
    listed.iter().filter_map(part).collect()
}

fn covered(spellings: &[String], parts: &[Part<'_>]) -> usize {
    spellings.iter().filter(|url| parts.iter().any(|part| part.urls.contains(*url))).count()
}

/// Leaves out tasks whose URLs larger tasks list too: somebody else's, beside the batch's.
fn needed(mut parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    parts.sort_by_key(|part| Reverse(part.urls.len()));
    let mut listed: HashSet<String> = HashSet::new();
    parts.retain(|part| {
        let adds = part.urls.iter().any(|url| !listed.contains(url));
        listed.extend(part.urls.iter().cloned());
        adds
    });
    parts.sort_by(|a, b| a.task.id.cmp(&b.task.id));
    parts
}

/// If not all rows were read: the first and the last URL must be listed, and as many rows as there are URLs.
fn ends_and_total_fit(spellings: &[String], parts: &[Part<'_>]) -> bool {
    let is_listed = |url: Option<&String>| url.is_some_and(|url| parts.iter().any(|part| part.urls.contains(url)));
    let total: u64 = parts.iter().map(|part| part.task.total.saturating_sub(part.task.others.len() as u64)).sum();
    let read: u64 = parts.iter().map(|part| part.task.rows.len() as u64).sum();
    is_listed(spellings.first()) && is_listed(spellings.last()) && read < total && total == spellings.len() as u64
}

#[cfg(test)]
mod tests;
