//! What somebody is told.

use std::collections::BTreeMap;

use serde::Serialize;

/// Something that happened. As JSON it is one object whose `event` is the name in `snake_case`, beside `at` (RFC 3339).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The account is refused; nothing is sent.
    Paused {
        /// The fault and its remedy, in words.
        why: String,
        /// Its word.
        why_code: &'static str,
        /// In Chinese.
        why_zh: String,
    },
    /// The account is answered again.
    Resumed,
    /// Nothing is left to do for a file.
    FileFinished {
        /// As it was dropped.
        file: String,
        /// The word to find it by.
        label: Option<String>,
        /// Lines that became URLs of the queue.
        queued: i64,
        /// Lines that were merged with URLs that were there already.
        merged: i64,
        /// Lines that are no URLs.
        refused: i64,
        /// URLs that were accepted by the service and whose end nobody may know: the key may not ask for tasks.
        submitted: i64,
        /// URLs that are warm.
        complete: i64,
        /// URLs that ended as failed.
        failed: i64,
        /// URLs that were accepted, and the service never told how they ended.
        unconfirmed: i64,
        /// URLs whose deadline passed unsent.
        expired: i64,
        /// URLs that the operator ended.
        cancelled: i64,
        /// The same of the URLs that its lines were merged into: how many in which state.
        merged_urls: BTreeMap<&'static str, i64>,
        /// Why it could not be read as a URL file at all.
        rejected_why: Option<String>,
    },
    /// Lines of a file have URLs that are still pending, and their deadline is near.
    DeadlineNear {
        /// The file.
        file: String,
        /// The earliest of them, RFC 3339.
        deadline: String,
        /// How many of the file's lines have URLs that are pending.
        pending: i64,
    },
    /// Deadlines passed before the URLs could be sent.
    DeadlineMissed {
        /// The file.
        file: String,
        /// How many of its URLs expired just now.
        urls: i64,
    },
    /// Nothing is left of the day's budget, and urgent URLs wait.
    BudgetSpent {
        /// The budget day.
        day: String,
        /// Urgent URLs at the head of the queue, counted up to a batch.
        urgent: u32,
        /// What is waited for, in words.
        why: String,
        /// Its word, as in `v_status`.
        why_code: String,
        /// In Chinese.
        why_zh: String,
    },
}
