//! Counters since the start of the process. Like the log there is one set per process, so that no stage must be handed
//! it; `http` shows it. Counters start at zero with the process, as Prometheus expects.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use crate::model::{Lane, Time};

/// Upper bounds of the buckets for the durations of calls, in seconds, up to the default of `[api] timeout`.
const CALL_SECONDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);

#[derive(Debug)]
struct Meters {
    registry: Registry,
    submissions: IntCounterVec,
    submitted_urls: IntCounterVec,
    lines: IntCounterVec,
    calls: HistogramVec,
    key_generation: IntGauge,
    key_refused: IntGauge,
    key_source_failing: IntGauge,
    key_ends: IntGauge,
}

/// Creates the counters at zero, for submissions one for each of these lanes and outcomes: a counter that exists from
/// the start shows its first increase.
pub fn start(lanes: &[Lane], outcomes: &[&str]) {
    for word in LINE_RESULTS {
        METERS.lines.with_label_values(&[word]).inc_by(0);
    }
    for (lane, outcome) in lanes.iter().flat_map(|lane| outcomes.iter().map(|outcome| (lane.word(), *outcome))) {
        for counters in [&METERS.submissions, &METERS.submitted_urls] {
            counters.with_label_values(&[lane, outcome]).inc_by(0);
        }
    }
}

/// Counts a submission of the lane that was closed with this outcome.
pub fn submission(lane: Lane, outcome: &str, urls: usize) {
    METERS.submissions.with_label_values(&[lane.word(), outcome]).inc();
    METERS.submitted_urls.with_label_values(&[lane.word(), outcome]).inc_by(urls as u64);
}

/// How many lines of a chunk were queued, merged and skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    /// New rows in the queue.
    pub queued: u64,
    /// Lines whose URL was live already.
    pub merged: u64,
    /// Lines whose URL completed recently.
    pub fresh: u64,
    /// Lines that are not URLs.
    pub refused: u64,
}

/// Counts lines that are handed to the database. If the commit fails and is repeated, they are counted twice.
pub fn lines(lines: Lines) {
    let Lines { queued, merged, fresh, refused } = lines;
    for (result, lines) in LINE_RESULTS.into_iter().zip([queued, merged, fresh, refused]) {
        METERS.lines.with_label_values(&[result]).inc_by(lines);
    }
}

/// What is told of the access key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Which one is in use; 0 while there has been none.
    pub generation: u64,
    /// Whether the service refuses it.
    pub is_refused: bool,
    /// Whether its source gave no other one when it was last asked.
    pub is_in_trouble: bool,
    /// When it ends; none of one that does not end by itself.
    pub ends_at: Option<Time>,
}

/// Tells of the access key.
pub fn key(key: &Key) {
    METERS.key_generation.set(i64::try_from(key.generation).unwrap_or(i64::MAX));
    METERS.key_refused.set(i64::from(key.is_refused));
    METERS.key_source_failing.set(i64::from(key.is_in_trouble));
    METERS.key_ends.set(key.ends_at.map_or(0, |at| at.timestamp()));
}

/// Counts a call of the service with its duration and `result`: `answered`, `not_sent` or `lost`.
pub fn call(operation: &str, result: &str, took: Duration) {
    METERS.calls.with_label_values(&[operation, result]).observe(took.as_secs_f64());
}

/// All counters, for a page of metrics.
pub fn gather() -> Vec<MetricFamily> {
    METERS.registry.gather()
}

/// What can become of a line.
const LINE_RESULTS: [&str; 4] = ["queued", "merged", "fresh", "refused"];

impl Meters {
    fn new() -> Self {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("name and labels are valid")
        };
        let submissions = counters(
            "prefetchd_submissions_total",
            "Batches that were closed since the start, by action and outcome (v_submissions).",
            &["action", "outcome"],
        );
        let submitted_urls = counters(
            "prefetchd_submission_urls_total",
            "URLs in the submissions that were closed since the start, by action and the submission's outcome.",
            &["action", "outcome"],
        );
        let lines = counters(
            "prefetchd_lines_total",
            "Lines of dropped files that were read since the start, by what became of them.",
            &["result"],
        );
        let help = "Duration of calls of the service, by operation, and by whether an answer came, the call may have \
                    been lost, or was surely not sent.";
        let calls = HistogramOpts::new("prefetchd_call_duration_seconds", help).buckets(CALL_SECONDS.to_vec());
        let calls = HistogramVec::new(calls, &["operation", "result"]).expect("name and labels are valid");
        let gauge = |name: &str, help: &str| IntGauge::new(name, help).expect("the name is valid");
        let help = "Which access key is in use: 1 for the first, one more for each replacement; 0 before there is one.";
        let key_generation = gauge("prefetchd_key_generation", help);
        key_generation.set(1);
        let key_refused = gauge("prefetchd_key_refused", "1 while the service refuses the access key in use.");
        let registry = Registry::new();
        let help = "1 while the source gives no new key although the one in use must be renewed, or there is none.";
        let key_source_failing = gauge("prefetchd_key_source_failing", help);
        let help = "When the access key in use ends, in seconds since 1970; 0 if it does not end by itself.";
        let key_ends = gauge("prefetchd_key_expiry_timestamp_seconds", help);
        for gauge in [&key_generation, &key_refused, &key_source_failing, &key_ends] {
            registry.register(Box::new(gauge.clone())).expect("each is registered once");
        }
        for counter in [&submissions, &submitted_urls, &lines] {
            registry.register(Box::new(counter.clone())).expect("each is registered once");
        }
        registry.register(Box::new(calls.clone())).expect("it is registered once");
        Self {
            registry,
            submissions,
            submitted_urls,
            lines,
            calls,
            key_generation,
            key_refused,
            key_source_failing,
            key_ends,
        }
    }
}
