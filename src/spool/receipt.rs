//! The receipt that lies beside a file in `done/` or `rejected/`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::folders::REFUSED;
use crate::model::{UrlState, rfc3339};
use crate::queue::FileAccount;

/// What became of a file, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Receipt<'a> {
    file: &'a str,
    stored_as: &'a str,
    file_id: i64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    bytes: Option<u64>,
    sha256: Option<&'a str>,
    dropped_at: String,
    read_at: Option<String>,
    priority: String,
    label: Option<&'a str>,
    not_before: Option<String>,
    deadline: Option<String>,
    force: bool,
    lines: u64,
    queued: u64,
    merged: u64,
    fresh: u64,
    refused: u64,
    refused_by_reason: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_lines: Option<String>,
    /// When nothing was left to do for it; null while something is.
    finished_at: Option<String>,
    /// How many of its URLs are in which state; those at zero are left out.
    urls: BTreeMap<String, u64>,
}

/// The receipt's text.
pub(super) fn receipt(file_id: i64, account: &FileAccount) -> String {
    let receipt = Receipt {
        file: &account.name,
        stored_as: &account.stored_name,
        file_id,
        outcome: if account.rejected_why.is_some() { "rejected" } else { "queued" },
        why: account.rejected_why.as_deref(),
        bytes: account.bytes,
        sha256: account.sha256.as_deref(),
        dropped_at: rfc3339(account.dropped_at),
        read_at: account.read_at.map(rfc3339),
        priority: account.keys.priority.to_string(),
        label: account.keys.label.as_deref(),
        not_before: account.keys.not_before.map(rfc3339),
        deadline: account.keys.deadline.map(rfc3339),
        force: account.keys.force,
        lines: account.lines,
        queued: account.queued,
        merged: account.merged,
        fresh: account.fresh,
        refused: account.refused,
        refused_by_reason: account.refusals.iter().map(|(reason, lines)| (reason.as_str(), *lines)).collect(),
        refused_lines: (account.refused > 0).then(|| format!("{}{REFUSED}", account.stored_name)),
        finished_at: account.finished_at.map(rfc3339),
        urls: UrlState::ALL
            .iter()
            .zip(account.urls)
            .filter(|(_, n)| *n > 0)
            .map(|(state, n)| (state.to_string(), n))
            .collect(),
    };
    serde_json::to_string_pretty(&receipt).expect("a receipt has only text keys") + "\n"
}
