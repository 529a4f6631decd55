//! The sandbox's account: what it received and counted, independent of what any client believes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::scenario::{QuotaRules, QuotaUnit};
use crate::model::{BudgetDay, Time, rfc3339};

/// What `GET /_sandbox/account` shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountView {
    /// The time now by the service's clock, RFC 3339. All days and moments here are by that clock.
    pub now: String,
    /// The day now, at the offset of the account's `day_starts`.
    pub day: String,
    /// What the quota counts, `requests` or `urls`.
    pub quota_unit: String,
    /// The day's quota.
    pub quota: u64,
    /// What is left of it.
    pub quota_left: u64,
    /// Its days.
    pub days: BTreeMap<String, DayView>,
    /// Every call, in order.
    pub calls: Vec<CallView>,
    /// Every URL accepted, and how often.
    pub accepted: BTreeMap<String, u64>,
}

/// What happened on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayView {
    /// Calls of `PreloadVodObjectCaches` that reached the operation, accepted or refused.
    pub requests_seen: u64,
    /// Those accepted.
    pub requests_accepted: u64,
    /// URLs in them.
    pub urls_accepted: u64,
    /// What was counted on the quota.
    pub quota_used: u64,
}

/// A call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallView {
    /// When it came, RFC 3339.
    pub at: String,
    /// When it was performed, which may be later; none if the gateway did not let it through to its operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performed_at: Option<String>,
    /// The day on which it was performed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The operation.
    pub operation: String,
    /// Its nonce.
    pub nonce: String,
    /// SHA-256 of its body's bytes, in hexadecimal: a copy has the same.
    pub body_sha256: String,
    /// URLs in it.
    pub urls: usize,
    /// HTTP status of the answer; 0 if there was none.
    pub status: u16,
    /// `OK` or the error's code as the operation returned it, even if the answer was then lost; empty while the call
    /// waits to be performed.
    pub code: String,
    /// The scenario's fault for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Its task IDs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_ids: Option<String>,
}

#[derive(Debug)]
pub(super) struct Account {
    rules: QuotaRules,
    days: BTreeMap<String, DayView>,
    calls: Vec<CallView>,
    accepted: HashMap<Arc<str>, u64>,
}

impl Account {
    pub(super) fn new(rules: QuotaRules, now: Time) -> Self {
        let day = BudgetDay::of(now, rules.day_starts).to_string();
        let used = DayView { quota_used: rules.used, ..DayView::default() };
        Self { days: BTreeMap::from([(day, used)]), rules, calls: Vec::new(), accepted: HashMap::new() }
    }

    /// The name of the day at `now`.
    pub(super) fn day_name(&self, now: Time) -> String {
        BudgetDay::of(now, self.rules.day_starts).to_string()
    }

    fn day(&mut self, now: Time) -> &mut DayView {
        self.days.entry(self.day_name(now)).or_default()
    }

    /// Changes the quota of every day.
    pub(super) fn set_quota(&mut self, per_day: u64) {
        self.rules.per_day = per_day;
    }

    pub(super) fn quota(&self) -> u64 {
        self.rules.per_day
    }

    pub(super) fn quota_left(&mut self, now: Time) -> u64 {
        let per_day = self.rules.per_day;
        per_day.saturating_sub(self.day(now).quota_used)
    }

    /// What a batch costs on the quota.
    pub(super) fn cost(&self, urls: usize) -> u64 {
        match self.rules.unit {
            QuotaUnit::Requests => 1,
            QuotaUnit::Urls => urls as u64,
        }
    }

    /// Somebody else spends one, if any is left.
    pub(super) fn spend_elsewhere(&mut self, now: Time) {
        self.spend_so_much_elsewhere(1, now);
    }

    /// Somebody else has a batch accepted, as far as the quota allows.
    pub(super) fn prefetched_elsewhere(&mut self, urls: usize, now: Time) {
        self.spend_so_much_elsewhere(self.cost(urls), now);
    }

    fn spend_so_much_elsewhere(&mut self, cost: u64, now: Time) {
        let cost = cost.min(self.quota_left(now));
        self.day(now).quota_used += cost;
    }

    /// A call reached the operation and was refused there.
    pub(super) fn refused(&mut self, urls: usize, now: Time) {
        let cost = if self.rules.counts_refused { self.cost(urls) } else { 0 };
        let day = self.day(now);
        day.requests_seen += 1;
        day.quota_used += cost;
    }

    /// A batch was accepted.
    pub(super) fn accepted(&mut self, urls: &[Arc<str>], now: Time) {
        let cost = self.cost(urls.len());
        let day = self.day(now);
        day.requests_seen += 1;
        day.requests_accepted += 1;
        day.urls_accepted += urls.len() as u64;
        day.quota_used += cost;
        for url in urls {
            *self.accepted.entry(Arc::clone(url)).or_default() += 1;
        }
    }

    /// Records a call; returns its place in the list.
    pub(super) fn note(&mut self, call: CallView) -> usize {
        self.calls.push(call);
        self.calls.len() - 1
    }

    /// The record of a call.
    pub(super) fn noted(&mut self, call: usize) -> &mut CallView {
        &mut self.calls[call]
    }

    pub(super) fn view(&mut self, now: Time) -> AccountView {
        AccountView {
            now: rfc3339(now),
            day: self.day_name(now),
            quota_unit: match self.rules.unit {
                QuotaUnit::Requests => "requests".to_owned(),
                QuotaUnit::Urls => "urls".to_owned(),
            },
            quota: self.quota(),
            quota_left: self.quota_left(now),
            days: self.days.clone(),
            calls: self.calls.clone(),
            accepted: self.accepted.iter().map(|(url, times)| (url.to_string(), *times)).collect(),
        }
    }
}

impl CallView {
    pub(super) fn new(now: Time, operation: &str, nonce: &str) -> Self {
        Self {
            at: rfc3339(now),
            performed_at: None,
            day: None,
            operation: operation.to_owned(),
            nonce: nonce.to_owned(),
            body_sha256: String::new(),
            urls: 0,
            status: 0,
            code: String::new(),
            fault: None,
            task_ids: None,
        }
    }
}
