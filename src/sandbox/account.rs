//! The sandbox's account: what it received and counted, independent of what any client believes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::product::{Kind, Product};
use super::scenario::{PurgeRules, QuotaRules, QuotaUnit};
use crate::model::{BudgetDay, DayStart, Time, rfc3339};

/// What `GET /_sandbox/account` shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountView {
    /// The product whose account this is. Each has its own quotas and tasks.
    pub product: String,
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
    /// Every URL accepted for prefetching, and how often.
    pub accepted: BTreeMap<String, u64>,
    /// Purges of URLs.
    pub purge: MeterView,
    /// Purges of directories.
    pub purge_directory: MeterView,
}

/// What was counted of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterView {
    /// The day's quota.
    pub quota: u64,
    /// What is left of it.
    pub quota_left: u64,
    /// Every URL accepted, and how often.
    pub accepted: BTreeMap<String, u64>,
}

/// What happened on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayView {
    /// Prefetches that reached the operation, accepted or refused.
    pub requests_seen: u64,
    /// Those accepted.
    pub requests_accepted: u64,
    /// URLs in them.
    pub urls_accepted: u64,
    /// What was counted on the quota.
    pub quota_used: u64,
    /// The same of purges of URLs.
    pub purge: Counts,
    /// The same of purges of directories.
    pub purge_directory: Counts,
}

/// What happened on one day by one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that reached the operation, accepted or refused.
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

/// A task: one URL of an accepted batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskView {
    /// `prefetch`, `purge` or `purge-directory`.
    pub operation: String,
    /// Its URL.
    pub url: String,
    /// When it was accepted, RFC 3339.
    pub accepted_at: String,
    /// When it ends, or ended.
    pub ends_at: String,
    /// How it ends: `Complete`, `Failed`, or another word.
    pub ends_as: String,
    /// Whether somebody else asked for it.
    pub foreign: bool,
}

/// What is counted of one kind.
#[derive(Debug)]
struct Meter {
    unit: QuotaUnit,
    per_day: u64,
    counts_refused: bool,
    days: BTreeMap<String, Counts>,
    accepted: HashMap<Arc<str>, u64>,
}

#[derive(Debug)]
pub(super) struct Account {
    product: &'static str,
    day_starts: DayStart,
    /// By kind.
    meters: [Meter; 3],
}

impl Account {
    pub(super) fn new(product: &Product, rules: &QuotaRules, purge: &PurgeRules, now: Time) -> Self {
        let day = BudgetDay::of(now, rules.day_starts).to_string();
        let meter = |unit, per_day, used, counts_refused| Meter {
            unit,
            per_day,
            counts_refused,
            days: BTreeMap::from([(day.clone(), Counts { quota_used: used, ..Counts::default() })]),
            accepted: HashMap::new(),
        };
        let preloads = rules.per_day.unwrap_or(product.preloads_a_day);
        let purges = purge.urls_per_day.unwrap_or(product.purges_a_day);
        Self {
            product: product.name,
            day_starts: rules.day_starts,
            meters: [
                meter(rules.unit, preloads, rules.used, rules.counts_refused),
                meter(QuotaUnit::Urls, purges, purge.urls_used, purge.counts_refused),
                meter(QuotaUnit::Urls, purge.directories_per_day, purge.directories_used, purge.counts_refused),
            ],
        }
    }

    /// The name of the day at `now`.
    pub(super) fn day_name(&self, now: Time) -> String {
        BudgetDay::of(now, self.day_starts).to_string()
    }

    fn day(&mut self, kind: Kind, now: Time) -> &mut Counts {
        let day = self.day_name(now);
        self.meters[kind as usize].days.entry(day).or_default()
    }

    /// Changes the quota of every day.
    pub(super) fn set_quota(&mut self, kind: Kind, per_day: u64) {
        self.meters[kind as usize].per_day = per_day;
    }

    pub(super) fn quota(&self, kind: Kind) -> u64 {
        self.meters[kind as usize].per_day
    }

    pub(super) fn quota_left(&mut self, kind: Kind, now: Time) -> u64 {
        self.quota(kind).saturating_sub(self.day(kind, now).quota_used)
    }

    /// What a batch costs on the quota.
    pub(super) fn cost(&self, kind: Kind, urls: usize) -> u64 {
        match self.meters[kind as usize].unit {
            QuotaUnit::Requests => 1,
            QuotaUnit::Urls => urls as u64,
        }
    }

    /// Somebody else spends one prefetch, if any is left.
    pub(super) fn spend_elsewhere(&mut self, now: Time) {
        self.spend_so_much_elsewhere(Kind::Preload, 1, now);
    }

    /// Somebody else has a batch accepted, as far as the quota allows.
    pub(super) fn accepted_elsewhere(&mut self, kind: Kind, urls: usize, now: Time) {
        self.spend_so_much_elsewhere(kind, self.cost(kind, urls), now);
    }

    fn spend_so_much_elsewhere(&mut self, kind: Kind, cost: u64, now: Time) {
        let cost = cost.min(self.quota_left(kind, now));
        self.day(kind, now).quota_used += cost;
    }

    /// A call reached the operation and was refused there.
    pub(super) fn refused(&mut self, kind: Kind, urls: usize, now: Time) {
        let cost = if self.meters[kind as usize].counts_refused { self.cost(kind, urls) } else { 0 };
        let day = self.day(kind, now);
        day.requests_seen += 1;
        day.quota_used += cost;
    }

    /// A batch was accepted.
    pub(super) fn accepted(&mut self, kind: Kind, urls: &[Arc<str>], now: Time) {
        let cost = self.cost(kind, urls.len());
        let day = self.day(kind, now);
        day.requests_seen += 1;
        day.requests_accepted += 1;
        day.urls_accepted += urls.len() as u64;
        day.quota_used += cost;
        for url in urls {
            *self.meters[kind as usize].accepted.entry(Arc::clone(url)).or_default() += 1;
        }
    }

    /// The view, with these calls.
    pub(super) fn view(&mut self, calls: Vec<CallView>, now: Time) -> AccountView {
        let left = Kind::ALL.map(|kind| self.quota_left(kind, now));
        let [preload, purge, purge_directory] = &self.meters;
        let [urls, directories] = [(purge, left[1]), (purge_directory, left[2])].map(|(meter, quota_left)| MeterView {
            quota: meter.per_day,
            quota_left,
            accepted: meter.accepted(),
        });
        AccountView {
            product: self.product.to_owned(),
            now: rfc3339(now),
            day: self.day_name(now),
            quota_unit: match preload.unit {
                QuotaUnit::Requests => "requests".to_owned(),
                QuotaUnit::Urls => "urls".to_owned(),
            },
            quota: preload.per_day,
            quota_left: left[0],
            days: self.days(),
            calls,
            accepted: preload.accepted(),
            purge: urls,
            purge_directory: directories,
        }
    }

    fn days(&self) -> BTreeMap<String, DayView> {
        let names = self.meters.iter().flat_map(|meter| meter.days.keys());
        let on = |name: &String| {
            let [preload, purge, purge_directory] =
                [0, 1, 2].map(|kind: usize| self.meters[kind].days.get(name).copied().unwrap_or_default());
            let Counts { requests_seen, requests_accepted, urls_accepted, quota_used } = preload;
            DayView { requests_seen, requests_accepted, urls_accepted, quota_used, purge, purge_directory }
        };
        names.map(|name| (name.clone(), on(name))).collect()
    }
}

impl Meter {
    fn accepted(&self) -> BTreeMap<String, u64> {
        self.accepted.iter().map(|(url, times)| (url.to_string(), *times)).collect()
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
