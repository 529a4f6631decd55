//! The receipt that is written beside a file in `done/` or `rejected/`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::folders::REFUSED;
use crate::model::{Action, LineFault, UrlState, rfc3339};
use crate::queue::FileAccount;
use crate::words::{self, Words, line_fault};

/// Largest receipt, in bytes. Everything else in it is bounded, so warnings are left out first.
const RECEIPT_BYTES_MAX: usize = 64 * 1000;

/// The account of a file, as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Receipt<'a> {
    file: &'a str,
    stored_as: &'a str,
    file_id: i64,
    outcome: &'static str,
    /// What happened so far, in a sentence or two.
    says: Says,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_zh: Option<&'a str>,
    bytes: Option<u64>,
    sha256: Option<&'a str>,
    dropped_at: String,
    read_at: Option<String>,
    /// What its lines ask for unless they say it themselves; missing if that is prefetching.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
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
    /// How many lines were refused for each reason, by its English text ...
    refused_by_reason: BTreeMap<String, u64>,
    /// ... and in full, the most frequent first.
    reasons: Vec<ReasonCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_lines: Option<String>,
    /// Warnings about the file, in the order of its lines.
    warnings: &'a [WarningWords<'a>],
    /// Warnings that found no room.
    #[serde(skip_serializing_if = "is_zero")]
    warnings_left_out: usize,
    /// The encoding of the file; null if all bytes are ASCII.
    encoding: Option<&'a str>,
    /// When everything was done for it; null before that.
    finished_at: Option<String>,
    /// How many of its URLs are in each state; zeros are left out.
    urls: BTreeMap<String, u64>,
    /// The same for URLs that its lines were merged into, by what became of this file's wish for them.
    merged_urls: BTreeMap<String, u64>,
    /// The same for the purges of lines whose URL is prefetched after them; missing if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    purges: BTreeMap<String, u64>,
}

/// A sentence in both languages.
#[derive(Debug, Serialize, JsonSchema)]
struct Says {
    en: String,
    zh: String,
}

/// What happened to a file so far.
fn says(account: &FileAccount) -> Says {
    let warm =
        account.fresh + account.urls[UrlState::Complete as usize] + account.merged_urls[UrlState::Complete as usize];
    let counts = |state: UrlState| account.urls[state as usize] + account.merged_urls[state as usize];
    let all: u64 = account.fresh + UrlState::ALL.iter().map(|state| counts(*state)).sum::<u64>();
    let others = UrlState::ALL.into_iter().filter(|state| *state != UrlState::Complete && counts(*state) > 0);
    let others =
        others.map(|state| words::progress::counted(state, account.effect, &counts(state).to_string())).collect();
    let mut says = match (&account.rejected_why, &account.rejected_zh) {
        (Some(en), zh) => {
            let zh = zh.as_ref().unwrap_or(en);
            words::receipts::rejected(&account.name, &Words { en: en.clone().into(), zh: zh.clone().into() })
        }
        (None, _) => words::receipts::says(&account.name, account.effect, &warm.to_string(), &all.to_string(), others),
    };
    if account.refused > 0 {
        let report = format!("{}{REFUSED}", account.stored_name);
        says = says.also(&words::receipts::refused(&account.refused.to_string(), &report));
    }
    Says { en: says.en.into_owned(), zh: says.zh.into_owned() }
}

/// A reason and how often it occurred.
#[derive(Debug, Serialize, JsonSchema)]
struct ReasonCount {
    code: &'static str,
    lines: u64,
    en: String,
    zh: String,
}

/// A warning. `line` is the first of the `lines` it applies to; null if it applies to the whole file.
#[derive(Debug, Serialize, JsonSchema)]
struct WarningWords<'a> {
    code: &'static str,
    line: Option<u64>,
    lines: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    found: &'a str,
    en: String,
    zh: String,
}

fn reasons(account: &FileAccount) -> Vec<ReasonCount> {
    let mut refusals = account.refusals.clone();
    refusals.sort_by_key(|(reason, lines)| (std::cmp::Reverse(*lines), *reason));
    let reason = |(reason, lines): (LineFault, u64)| {
        let words = line_fault(reason);
        ReasonCount { code: reason.code(), lines, en: words.en.into_owned(), zh: words.zh.into_owned() }
    };
    refusals.into_iter().map(reason).collect()
}

fn warnings(account: &FileAccount) -> Vec<WarningWords<'_>> {
    let with_words = |warned| {
        let words = words::warning(warned);
        WarningWords {
            code: warned.warning.code(),
            line: (warned.line > 0).then_some(warned.line),
            lines: warned.lines,
            found: &warned.found,
            en: words.en.into_owned(),
            zh: words.zh.into_owned(),
        }
    };
    account.warnings.iter().map(with_words).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn by_state(counts: [u64; UrlState::ALL.len()]) -> BTreeMap<String, u64> {
    let some = UrlState::ALL.iter().zip(counts).filter(|(_, n)| *n > 0);
    some.map(|(state, n)| (state.to_string(), n)).collect()
}

/// The receipt's text.
pub(super) fn receipt(file_id: i64, account: &FileAccount) -> String {
    let warnings = warnings(account);
    let mut kept = warnings.len();
    loop {
        let text = with_warnings(file_id, account, &warnings[..kept], warnings.len() - kept);
        if text.len() <= RECEIPT_BYTES_MAX || kept == 0 {
            return text;
        }
        kept /= 2;
    }
}

/// The receipt with these warnings, saying that this many more were left out.
fn with_warnings(file_id: i64, account: &FileAccount, warnings: &[WarningWords<'_>], left_out: usize) -> String {
    let reasons = reasons(account);
    let receipt = Receipt {
        file: &account.name,
        stored_as: &account.stored_name,
        file_id,
        outcome: if account.rejected_why.is_some() { "rejected" } else { "queued" },
        says: says(account),
        why: account.rejected_why.as_deref(),
        why_code: account.rejected_code.as_deref(),
        why_zh: account.rejected_zh.as_deref(),
        bytes: account.bytes,
        sha256: account.sha256.as_deref(),
        dropped_at: rfc3339(account.dropped_at),
        read_at: account.read_at.map(rfc3339),
        action: Some(account.keys.action).filter(|action| *action != Action::Prefetch).map(Action::word),
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
        refused_by_reason: reasons.iter().map(|reason| (reason.en.clone(), reason.lines)).collect(),
        reasons,
        refused_lines: (account.refused > 0).then(|| format!("{}{REFUSED}", account.stored_name)),
        warnings,
        warnings_left_out: left_out,
        encoding: account.encoding.as_deref(),
        finished_at: account.finished_at.map(rfc3339),
        urls: by_state(account.urls),
        merged_urls: by_state(account.merged_urls),
        purges: by_state(account.purges),
    };
    serde_json::to_string_pretty(&receipt).expect("a receipt has only text keys") + "\n"
}
