//! The page of metrics: numbers from the database as gauges, counts since the start as counters. No label has a value
//! from outside: hosts, files, labels and words of the service stay in the database.

use std::time::Duration;

use prometheus::{GaugeVec, Opts, Registry, TextEncoder};
use strum::VariantArray as _;

use crate::meters;
use crate::model::{AccountFault, PauseWhy, Time, UrlState};
use crate::queue::Census;
use crate::schedule::{Left, Observation, Pause, Policy, Spent, Standing, Unit, WarmTime, drift, really_left};
use crate::stage::Name;
use crate::status::Concerns;

/// What the database says.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) census: Census,
    pub(super) spent: Spent,
    pub(super) standing: Standing,
    pub(super) last_accepted: Option<Time>,
    /// URLs in flight, and how many the service's queue takes, if known.
    pub(super) flight: (u32, Option<u32>),
    pub(super) concerns: Concerns,
    /// URLs whose deadline will be missed, and those that may not be warm by theirs, if nothing goes wrong.
    pub(super) risk: (u64, u64),
    /// How long it takes from submission to warm, of the last tasks.
    pub(super) warm: Option<WarmTime>,
}

/// What is known without the database.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) now: Time,
    /// Whether the service's time is proved, and how far its clock is ahead of this machine's, in seconds.
    pub(super) time: (bool, f64),
    pub(super) started: Time,
    pub(super) policy: &'a Policy,
    pub(super) database_bytes: u64,
    pub(super) wal_bytes: u64,
    pub(super) writable: bool,
    pub(super) lost: bool,
    pub(super) idle: Vec<(Name, Duration)>,
}

/// The page in Prometheus's text format. If the database could not be read, its numbers are left out, and one metric
/// says so.
pub(super) fn page(facts: &Facts<'_>, seen: Option<&Seen>) -> String {
    let sheet = Sheet::default();
    process(&sheet, facts, seen.is_some());
    if let Some(seen) = seen {
        queue(&sheet, seen, facts.now);
        let left = really_left(facts.policy, &seen.spent, &seen.standing);
        budget(&sheet, &seen.spent, left, facts);
        quota(&sheet, seen.spent.observed.as_ref(), seen.standing.unit);
        account(&sheet, seen);
        ahead(&sheet, seen);
    }
    let mut families = sheet.0.gather();
    families.extend(meters::gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&families).expect("every family has a name and a value")
}

fn process(sheet: &Sheet, facts: &Facts<'_>, readable: bool) {
    let version = env!("CARGO_PKG_VERSION");
    sheet.family("prefetchd_build_info", "1, with the version of the program.", ["version"], [([version], 1.0)]);
    let started = seconds(facts.started);
    sheet.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", started);
    let (proved, ahead) = facts.time;
    let help = "1 once an answer of the service has confirmed the time; before that nothing is sent or expires.";
    sheet.flag("prefetchd_time_proved", help, proved);
    let help = "What the service's clock is ahead of this machine's; 0 before it is proved.";
    sheet.gauge("prefetchd_service_clock_ahead_seconds", help, ahead);
    let idle = facts.idle.iter().map(|(stage, idle)| ([<&str>::from(*stage)], idle.as_secs_f64()));
    let help = "How long ago each stage last did something, or found nothing to do.";
    sheet.family("prefetchd_stage_idle_seconds", help, ["stage"], idle);
    sheet.flag("prefetchd_database_readable", "1 if the database could be read for this page.", readable);
    sheet.flag("prefetchd_database_writable", "0 while the last write to the database failed.", facts.writable);
    let help = "1 once the database file was deleted, moved or replaced while the daemon ran.";
    sheet.flag("prefetchd_database_lost", help, facts.lost);
    sheet.gauge("prefetchd_database_bytes", "Size of the database file.", facts.database_bytes as f64);
    let help = "Size of the write-ahead log; it grows while a reader stays open.";
    sheet.gauge("prefetchd_database_wal_bytes", help, facts.wal_bytes as f64);
}

fn queue(sheet: &Sheet, seen: &Seen, now: Time) {
    let census = &seen.census;
    let words: Vec<(String, [u64; UrlState::ALL.len()])> =
        census.urls.iter().map(|(priority, counts)| (priority.to_string(), *counts)).collect();
    let states = UrlState::ALL.map(|state| state.to_string());
    let urls = words.iter().flat_map(|(priority, counts)| {
        states.iter().zip(counts).map(move |(state, n)| ([priority.as_str(), state.as_str()], *n as f64))
    });
    sheet.family("prefetchd_urls", "URLs by priority and state (v_status).", ["priority", "state"], urls);
    let concerns = &seen.concerns;
    for (name, help, n) in [
        ("prefetchd_parked_urls", "Pending URLs of blocked domains.", concerns.parked),
        ("prefetchd_suspected_urls", "URLs under suspicion after a refused batch.", concerns.suspected),
        (
            "prefetchd_possible_double_urls",
            "URLs that were sent again although they may have been accepted.",
            concerns.possible_doubles,
        ),
        (
            "prefetchd_submissions_in_doubt",
            "Submissions whose answer never came and whose end is not known yet.",
            concerns.in_doubt,
        ),
        ("prefetchd_files_in_progress", "Dropped files that are being read or put away.", census.files_in_progress),
    ] {
        sheet.gauge(name, help, n as f64);
    }
    let age = census.oldest_pending.map_or(0.0, |at| span(at, now));
    let help = "How long ago the oldest file with pending URLs was taken; 0 if there is none.";
    sheet.gauge("prefetchd_oldest_pending_age_seconds", help, age);
    sheet.flag("prefetchd_spool_problem", "1 while a problem keeps files from being taken.", concerns.spool_problem);
    if let Some(at) = seen.last_accepted {
        let help = "When a batch was last accepted, in seconds since 1970.";
        sheet.gauge("prefetchd_last_accepted_timestamp_seconds", help, seconds(at));
    }
}

fn budget(sheet: &Sheet, spent: &Spent, left: Left, facts: &Facts<'_>) {
    let limit = facts.policy.requests_per_day;
    for (name, help, n) in [
        ("prefetchd_budget_requests_limit", "Most requests of the budget day.", limit),
        ("prefetchd_budget_requests_used", "Requests charged to the budget day.", spent.requests),
        (
            "prefetchd_budget_requests_remaining",
            "Requests really left of the budget day: of the limit and of the service's quota, whoever spent the rest.",
            left.requests,
        ),
        ("prefetchd_budget_urls_used", "URLs charged to the budget day.", spent.urls),
        (
            "prefetchd_budget_isolations_used",
            "Requests of the budget day spent on finding what was wrong in refused batches.",
            spent.isolations,
        ),
    ] {
        sheet.gauge(name, help, f64::from(n));
    }
    if left.urls < u32::MAX {
        let help = "URLs really left of the budget day, if they are limited.";
        sheet.gauge("prefetchd_budget_urls_remaining", help, f64::from(left.urls));
    }
    if let Some(limit) = facts.policy.urls_per_day {
        sheet.gauge("prefetchd_budget_urls_limit", "Most URLs of the budget day.", f64::from(limit));
    }
    let left = span(facts.now, spent.day.ends_at);
    sheet.gauge("prefetchd_budget_until_reset_seconds", "How long until the next budget day.", left);
    let help = "1 once the service has said that nothing is left of the budget day.";
    sheet.flag("prefetchd_budget_exhausted", help, spent.exhausted.is_some());
    let help = "1 while the database is older than what was spent, and nobody has told how much was spent.";
    sheet.flag("prefetchd_budget_unsure", help, spent.unsure);
}

/// The service's word on the day, once it was asked.
fn quota(sheet: &Sheet, observed: Option<&Observation>, unit: Option<Unit>) {
    let help = "1, with what the service's quota counts, as far as it is known.";
    let word = unit.map_or("unknown", Unit::word);
    sheet.family("prefetchd_quota_unit_info", help, ["unit"], [([word], 1.0)]);
    let Some(observed) = observed else { return };
    sheet.gauge("prefetchd_quota", "The service's quota of the budget day, in its unit.", observed.quota as f64);
    let help = "What the service last said is left of its quota.";
    sheet.gauge("prefetchd_quota_remaining", help, observed.remain as f64);
    let help = "When the service said so, in seconds since 1970.";
    sheet.gauge("prefetchd_quota_observed_timestamp_seconds", help, seconds(observed.at));
    if let Some(unit) = unit {
        sheet.gauge(
            "prefetchd_quota_drift",
            "Spent of the quota by others, in its unit.",
            drift(observed, unit) as f64,
        );
    }
}

fn account(sheet: &Sheet, seen: &Seen) {
    let reason = seen.standing.pause.as_ref().map(pause_word);
    let stopped = seen.standing.stopped.is_some();
    let reasons = AccountFault::VARIANTS.iter().map(|fault| fault.word()).chain([OTHER]);
    let paused = reasons.map(|word| ([word], f64::from(u8::from(reason == Some(word)))));
    let paused = paused.chain([([STOPPED], f64::from(u8::from(stopped)))]);
    let help = "1 while submitting is paused, by a fault of the account or (stopped) by the operator.";
    sheet.family("prefetchd_paused", help, ["reason"], paused);
    let (in_flight, limit) = seen.flight;
    let help = "URLs that were accepted, or may have been, and whose end was not seen.";
    sheet.gauge("prefetchd_in_flight_urls", help, f64::from(in_flight));
    let help =
        "How many URLs the service's own queue takes, as far as that was learned; 0 where it has never been full.";
    sheet.gauge("prefetchd_in_flight_limit_urls", help, f64::from(limit.unwrap_or(0)));
    let help = "Calls that failed in a row.";
    sheet.gauge("prefetchd_failures_in_a_row", help, f64::from(seen.standing.failures));
}

/// What is to come, and how long it takes.
fn ahead(sheet: &Sheet, seen: &Seen) {
    let (missed, cold) = seen.risk;
    let rows = [(["missed"], missed as f64), (["cold"], cold as f64)];
    let help = "URLs that will miss their deadline by the forecast, or (cold) be sent in time and perhaps not be warm.";
    sheet.family("prefetchd_deadline_risk_urls", help, ["kind"], rows);
    let (median, most) = seen.warm.map_or((0, 0), |warm| (warm.median_seconds, warm.p95_seconds));
    let rows = [(["50"], median as f64), (["95"], most as f64)];
    let help = "Seconds from submission to warm, of the tasks of the last 500 submissions; 0 before 20 have ended.";
    sheet.family("prefetchd_warm_seconds", help, ["percentile"], rows);
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

/// Seconds since 1970, to the millisecond.
fn seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

/// Seconds from one moment to another; 0 if that has passed.
fn span(from: Time, to: Time) -> f64 {
    (to - from).num_milliseconds().max(0) as f64 / 1000.0
}

/// A sheet of gauges, filled once.
#[derive(Debug, Default)]
struct Sheet(Registry);

impl Sheet {
    fn family<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) {
        let gauges = GaugeVec::new(Opts::new(name, help), &labels).expect("name and labels are valid");
        for (values, value) in rows {
            gauges.with_label_values(&values).set(value);
        }
        self.0.register(Box::new(gauges)).expect("each name is used once");
    }

    fn gauge(&self, name: &str, help: &str, value: f64) {
        self.family(name, help, [], [([], value)]);
    }

    fn flag(&self, name: &str, help: &str, is: bool) {
        self.gauge(name, help, f64::from(u8::from(is)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{BudgetDay, Priority, from_millis};

    fn facts(policy: &Policy) -> Facts<'_> {
        let idle = vec![(Name::Spool, Duration::from_millis(1500))];
        let now = from_millis(1_000_000);
        Facts {
            now,
            time: (true, 0.0),
            started: from_millis(0),
            policy,
            database_bytes: 4096,
            wal_bytes: 0,
            writable: false,
            lost: false,
            idle,
        }
    }

    fn seen(pause: Option<PauseWhy>, policy: &Policy) -> Seen {
        let observed = Observation { quota: 500, remain: 490, at: from_millis(5_000), requests: 7, urls: 7_000 };
        let day = BudgetDay::of(from_millis(1_000_000), policy.day_starts);
        let pause = pause.map(|why| Pause { why, probe_at: from_millis(0) });
        Seen {
            census: Census {
                urls: vec![(Priority::Urgent, [1, 2, 3, 4, 5, 6, 7, 8, 9])],
                files_in_progress: 1,
                oldest_pending: Some(from_millis(400_000)),
            },
            spent: Spent { requests: 7, observed: Some(observed), ..Spent::nothing(day) },
            standing: Standing { pause, unit: Some(Unit::Requests), ..Standing::default() },
            last_accepted: None,
            flight: (70, Some(100)),
            concerns: Concerns { in_doubt: 2, ..Concerns::default() },
            risk: (3, 4),
            warm: Some(WarmTime { median_seconds: 300, p95_seconds: 900, tasks: 20 }),
        }
    }

    fn value(page: &str, metric: &str) -> Option<f64> {
        page.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
    }

    #[test]
    fn the_page_says_what_the_database_said() {
        meters::start(&["accepted", "throttled"]);
        let policy = Policy::from(&Config::default());
        let page = page(&facts(&policy), Some(&seen(None, &policy)));
        for (metric, expected) in [
            ("prefetchd_urls{priority=\"urgent\",state=\"pending\"}", 1.0),
            ("prefetchd_urls{priority=\"urgent\",state=\"held\"}", 8.0),
            // The service has 490 left after 7 calls: others spent three.
            ("prefetchd_budget_requests_remaining", 490.0),
            ("prefetchd_deadline_risk_urls{kind=\"missed\"}", 3.0),
            ("prefetchd_warm_seconds{percentile=\"95\"}", 900.0),
            ("prefetchd_paused{reason=\"stopped\"}", 0.0),
            ("prefetchd_quota_drift", 3.0),
            ("prefetchd_quota_unit_info{unit=\"requests\"}", 1.0),
            ("prefetchd_oldest_pending_age_seconds", 600.0),
            ("prefetchd_stage_idle_seconds{stage=\"spool\"}", 1.5),
            ("prefetchd_submissions_in_doubt", 2.0),
            ("prefetchd_in_flight_urls", 70.0),
            ("prefetchd_in_flight_limit_urls", 100.0),
            ("prefetchd_database_writable", 0.0),
            ("prefetchd_database_readable", 1.0),
            ("prefetchd_submissions_total{outcome=\"throttled\"}", 0.0),
        ] {
            assert_eq!(value(&page, metric), Some(expected), "{metric}\n{page}");
        }
        assert!(!page.contains("prefetchd_last_accepted"), "nothing was accepted yet\n{page}");
    }

    #[test]
    fn a_pause_is_one_of_a_fixed_set_of_words() {
        let policy = Policy::from(&Config::default());
        let paused = |why: Option<PauseWhy>| -> Vec<String> {
            let page = page(&facts(&policy), Some(&seen(why, &policy)));
            let lines = page.lines().filter(|line| line.starts_with("prefetchd_paused{"));
            lines.filter_map(|line| line.strip_suffix(" 1").map(str::to_owned)).collect()
        };
        assert_eq!(paused(None), Vec::<String>::new());
        for fault in AccountFault::VARIANTS {
            assert_eq!(
                paused(Some(PauseWhy::Account(*fault))),
                [format!("prefetchd_paused{{reason=\"{}\"}}", fault.word())]
            );
        }
        assert_eq!(paused(Some(PauseWhy::Text("some\"thing\n".to_owned()))), ["prefetchd_paused{reason=\"other\"}"]);
    }

    #[test]
    fn without_the_database_the_page_says_so_and_what_it_knows() {
        let policy = Policy::from(&Config::default());
        let page = page(&facts(&policy), None);
        assert_eq!(value(&page, "prefetchd_database_readable"), Some(0.0));
        assert_eq!(value(&page, "process_start_time_seconds"), Some(0.0));
        assert!(!page.contains("prefetchd_urls"), "{page}");
    }
}
