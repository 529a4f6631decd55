//! The numbers of each action: a row for prefetching and for every other action that is allowed or in use.

use strum::VariantArray as _;
use strum::VariantNames as _;

use super::{Sheet, seconds, span};
use crate::model::{AccountFault, Lane, PauseWhy, Priority, Time, UrlState, WaitWhy};
use crate::schedule::{Left, Pause, Policy, Spent, Standing, Unit, WarmTime, drift, really_left};
use crate::status::Doubts;

/// What the database says of an action.
#[derive(Debug)]
pub(in crate::http) struct LaneSeen {
    pub(in crate::http) policy: Policy,
    /// URLs by priority, in the order of [`UrlState::ALL`].
    pub(in crate::http) urls: Vec<(Priority, [u64; UrlState::ALL.len()])>,
    pub(in crate::http) spent: Spent,
    pub(in crate::http) standing: Standing,
    /// The code of what it waits for.
    pub(in crate::http) waits: Option<String>,
    pub(in crate::http) doubts: Doubts,
    pub(in crate::http) last_accepted: Option<Time>,
    /// URLs in flight, and how many the service's queue takes, if known.
    pub(in crate::http) flight: (u32, Option<u32>),
    /// URLs whose deadline will be missed, and those that may not have ended by theirs, if nothing goes wrong.
    pub(in crate::http) risk: (u64, u64),
    /// How long it takes from submission to the end, of the last tasks.
    pub(in crate::http) warm: Option<WarmTime>,
}

impl LaneSeen {
    fn lane(&self) -> Lane {
        self.policy.lane
    }

    fn left(&self) -> Left {
        really_left(&self.policy, &self.spent, &self.standing)
    }
}

/// A metric with a number of each action, or none of one to which it does not apply.
type ByLane = (&'static str, &'static str, fn(&LaneSeen) -> Option<f64>);

pub(super) fn fill(sheet: &Sheet, lanes: &[LaneSeen], now: Time) {
    urls(sheet, lanes);
    for (name, help, read) in QUEUE.iter().chain(&BUDGET).chain(&QUOTA).chain(&ACCOUNT) {
        let rows: Vec<_> = lanes.iter().filter_map(|lane| Some((lane.lane(), read(lane)?))).collect();
        // Before the first is known there is no family either.
        if !rows.is_empty() {
            sheet.by_lane(name, help, rows);
        }
    }
    let until = lanes.iter().map(|lane| (lane.lane(), span(now, lane.spent.day.ends_at)));
    sheet.by_lane("prefetchd_budget_until_reset_seconds", "How long until the next budget day.", until);
    let help = "1, with what the service's quota counts, as far as it is known.";
    let units = lanes.iter().map(|lane| ([lane.lane().word(), unit_word(lane)], 1.0));
    sheet.family("prefetchd_quota_unit_info", help, ["action", "unit"], units);
    pauses(sheet, lanes);
    waits(sheet, lanes);
    let risks = lanes.iter().flat_map(|lane| {
        let (word, (missed, cold)) = (lane.lane().word(), lane.risk);
        [([word, "missed"], missed as f64), ([word, "cold"], cold as f64)]
    });
    let help = "URLs that will miss their deadline by the forecast, or (cold) be sent in time and perhaps not be warm.";
    sheet.family("prefetchd_deadline_risk_urls", help, ["action", "kind"], risks);
    let percentiles = lanes.iter().flat_map(|lane| {
        let (median, most) = lane.warm.map_or((0, 0), |warm| (warm.median_seconds, warm.p95_seconds));
        let word = lane.lane().word();
        [([word, "50"], median as f64), ([word, "95"], most as f64)]
    });
    let help = "Seconds from submission until the URL was warm, or purged, of the tasks of the last 500 submissions; 0 \
                before 20 have ended.";
    sheet.family("prefetchd_warm_seconds", help, ["action", "percentile"], percentiles);
}

const QUEUE: [ByLane; 4] = [
    ("prefetchd_suspected_urls", "URLs under suspicion after a refused batch.", |lane| {
        Some(lane.doubts.suspected as f64)
    }),
    ("prefetchd_possible_double_urls", "URLs that were sent again although they may have been accepted.", |lane| {
        Some(lane.doubts.possible_doubles as f64)
    }),
    ("prefetchd_submissions_in_doubt", "Submissions whose answer never came and whose end is not known yet.", |lane| {
        Some(lane.doubts.in_doubt as f64)
    }),
    ("prefetchd_last_accepted_timestamp_seconds", "When a batch was last accepted, in seconds since 1970.", |lane| {
        lane.last_accepted.map(seconds)
    }),
];

/// What is not limited has neither a limit nor a rest.
const BUDGET: [ByLane; 9] = [
    ("prefetchd_budget_requests_limit", "Most requests of the budget day.", |lane| {
        limited(lane.policy.requests_per_day)
    }),
    ("prefetchd_budget_requests_used", "Requests charged to the budget day.", |lane| Some(lane.spent.requests.into())),
    (
        "prefetchd_budget_requests_remaining",
        "Requests really left of the budget day: of the limit and of the service's quota, whoever spent the rest.",
        |lane| limited(lane.policy.requests_per_day).map(|_| lane.left().requests.into()),
    ),
    ("prefetchd_budget_urls_used", "URLs, or directories, charged to the budget day.", |lane| {
        Some(lane.spent.urls.into())
    }),
    (
        "prefetchd_budget_isolations_used",
        "Requests of the budget day spent on finding what was wrong in refused batches.",
        |lane| Some(lane.spent.isolations.into()),
    ),
    ("prefetchd_budget_urls_remaining", "URLs really left of the budget day, if they are limited.", |lane| {
        limited(lane.left().urls)
    }),
    ("prefetchd_budget_urls_limit", "Most URLs of the budget day, if they are limited.", |lane| {
        let untold = lane.policy.urls_unless_told.filter(|_| lane.spent.observed.is_none());
        lane.policy.urls_per_day.or(untold).map(f64::from)
    }),
    ("prefetchd_budget_exhausted", "1 once the service has said that nothing is left of the budget day.", |lane| {
        flag(lane.spent.exhausted.is_some())
    }),
    (
        "prefetchd_budget_unsure",
        "1 while the database is older than what was spent, and nobody has told how much was spent.",
        |lane| flag(lane.spent.unsure),
    ),
];

/// The service's word on the day, once it was asked.
const QUOTA: [ByLane; 4] = [
    ("prefetchd_quota", "The service's quota of the budget day, in its unit.", |lane| {
        lane.spent.observed.as_ref().map(|observed| observed.quota as f64)
    }),
    ("prefetchd_quota_remaining", "What the service last said is left of its quota.", |lane| {
        lane.spent.observed.as_ref().map(|observed| observed.remain as f64)
    }),
    ("prefetchd_quota_observed_timestamp_seconds", "When the service said so, in seconds since 1970.", |lane| {
        lane.spent.observed.as_ref().map(|observed| seconds(observed.at))
    }),
    ("prefetchd_quota_drift", "Spent of the quota by others, in its unit.", |lane| {
        let (observed, unit) = (lane.spent.observed.as_ref()?, lane.standing.unit?);
        Some(drift(observed, unit) as f64)
    }),
];

const ACCOUNT: [ByLane; 3] = [
    ("prefetchd_in_flight_urls", "URLs that were accepted, or may have been, and whose end was not seen.", |lane| {
        Some(lane.flight.0.into())
    }),
    (
        "prefetchd_in_flight_limit_urls",
        "How many URLs the service's own queue takes, as far as that was learned; 0 where it has never been full.",
        |lane| Some(lane.flight.1.unwrap_or(0).into()),
    ),
    ("prefetchd_failures_in_a_row", "Calls that failed in a row.", |lane| Some(lane.standing.failures.into())),
];

fn flag(is: bool) -> Option<f64> {
    Some(f64::from(u8::from(is)))
}

fn limited(n: u32) -> Option<f64> {
    (n < u32::MAX).then_some(n.into())
}

fn urls(sheet: &Sheet, lanes: &[LaneSeen]) {
    let states = UrlState::ALL.map(|state| state.to_string());
    let priorities = Priority::ALL.map(|priority| priority.to_string());
    let words = |of: &Priority| priorities[*of as usize].as_str();
    let urls = lanes.iter().flat_map(|lane| {
        let (states, words) = (&states, &words);
        lane.urls.iter().flat_map(move |(priority, counts)| {
            let labels = move |state| [lane.lane().word(), words(priority), state];
            states.iter().zip(counts).map(move |(state, n)| (labels(state.as_str()), *n as f64))
        })
    });
    let help = "URLs by action, priority and state (v_status, v_lanes).";
    sheet.family("prefetchd_urls", help, ["action", "priority", "state"], urls);
}

/// What the service's quota counts, with the words of `v_lanes`.
fn unit_word(lane: &LaneSeen) -> &'static str {
    match (lane.lane(), lane.standing.unit) {
        (Lane::PurgeDirectory, Some(_)) => "directories",
        (_, unit) => unit.map_or("unknown", Unit::word),
    }
}

fn pauses(sheet: &Sheet, lanes: &[LaneSeen]) {
    let rows = lanes.iter().flat_map(|lane| {
        let reason = lane.standing.pause.as_ref().map(pause_word);
        let stopped = lane.standing.stopped.is_some();
        let reasons = AccountFault::VARIANTS.iter().map(|fault| fault.word()).chain([OTHER]);
        let paused = reasons.map(move |word| (word, reason == Some(word))).chain([(STOPPED, stopped)]);
        paused.map(|(word, is)| ([lane.lane().word(), word], f64::from(u8::from(is))))
    });
    let help = "1 while submitting is paused, by a fault of the account or (stopped) by the operator.";
    sheet.family("prefetchd_paused", help, ["action", "reason"], rows);
}

/// A code of a newer version is `text`.
fn waits(sheet: &Sheet, lanes: &[LaneSeen]) {
    let rows = lanes.iter().flat_map(|lane| {
        let code = lane.waits.as_deref();
        let code = code.map(|code| if WaitWhy::VARIANTS.contains(&code) { code } else { "text" });
        let reasons = WaitWhy::VARIANTS.iter();
        reasons.map(move |word| ([lane.lane().word(), word], f64::from(u8::from(code == Some(word)))))
    });
    let help = "1 for what the action waits for before more is sent (waiting_code in v_status and v_lanes).";
    sheet.family("prefetchd_waiting", help, ["action", "reason"], rows);
}

/// A pause by the operator.
const STOPPED: &str = "stopped";

/// For a fault that is not in the list.
const OTHER: &str = "other";

fn pause_word(pause: &Pause) -> &'static str {
    match &pause.why {
        PauseWhy::Account(fault) => fault.word(),
        PauseWhy::Text(_) => OTHER,
    }
}
