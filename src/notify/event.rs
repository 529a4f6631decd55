//! The events that people are told about.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// An event. As JSON it is one object whose `event` is its name in `snake_case`, with `at` (RFC 3339).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The account is refused, and nothing is sent.
    Paused {
        /// The fault and its remedy, as text.
        why: String,
        /// The code of the fault.
        why_code: &'static str,
        /// The text in Chinese.
        why_zh: String,
    },
    /// The account works again.
    Resumed,
    /// Everything is done for a file.
    FileFinished {
        /// Its name when it was dropped.
        file: String,
        /// Its label.
        label: Option<String>,
        /// Lines that became URLs of the queue.
        queued: i64,
        /// Lines that were merged with URLs that were there already.
        merged: i64,
        /// Lines that are not URLs.
        refused: i64,
        /// URLs that were accepted and whose end nobody can know, because the key may not ask for tasks.
        submitted: i64,
        /// URLs that are warm.
        complete: i64,
        /// URLs that failed.
        failed: i64,
        /// URLs that were accepted, and the service never reported their end.
        unconfirmed: i64,
        /// URLs whose deadline passed before they were sent.
        expired: i64,
        /// URLs that the operator cancelled.
        cancelled: i64,
        /// The same for the URLs that its lines were merged into: how many are in which state.
        merged_urls: BTreeMap<&'static str, i64>,
        /// Why the whole file was rejected, if it was.
        rejected_why: Option<String>,
        /// The same in Chinese.
        rejected_zh: Option<String>,
    },
    /// The deadline of pending URLs of a file is near.
    DeadlineNear {
        /// The file.
        file: String,
        /// The earliest deadline, RFC 3339.
        deadline: String,
        /// How many of the file's lines have pending URLs.
        pending: i64,
    },
    /// Deadlines passed before the URLs could be sent.
    DeadlineMissed {
        /// The file.
        file: String,
        /// How many of its URLs have just expired.
        urls: i64,
    },
    /// Nothing is left of the day's budget, and urgent URLs wait.
    BudgetSpent {
        /// Whose budget: `prefetch`, `purge` or `purge-directory`.
        action: &'static str,
        /// The budget day.
        day: String,
        /// Urgent URLs at the head of the queue, counted up to a batch.
        urgent: u32,
        /// What is waited for, as text.
        why: String,
        /// Its code, as in `v_status`.
        why_code: String,
        /// The text in Chinese.
        why_zh: String,
    },
}
