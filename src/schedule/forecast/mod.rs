//! The forecast: runs the scheduler's own [`decide`](super::decide) forward over the queue and the budget, as if
//! nothing went wrong and nothing more were dropped.
//!
//! Lanes take turns on one clock (`lanes`). It works on groups of URLs that behave alike, and one step is one batch, so
//! that ten million URLs are some ten thousand steps. Each decision is carried out at once: a batch is accepted, the
//! service answers with the quota it would have, a pause ends at its next probe. Waits are skipped.

mod lanes;
mod run;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Flight, Policy, Spent, Standing};
use crate::model::{FileId, Lane, Priority, Time};

/// The longest that a prefetch takes by the service's documents (VOD-API.md: 5 to 30 minutes, by file size).
const WARM_MINUTES_MAX: i64 = 30;

/// A purge takes effect after five to six minutes (SIBLING-APIS.md, A).
pub const PURGE_TAKES: TimeDelta = TimeDelta::minutes(6);

/// The measured time from the submission of a URL until it is warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WarmTime {
    /// Half of the URLs are warm by then, in seconds.
    pub median_seconds: i64,
    /// Nineteen of twenty are warm by then, in seconds.
    pub p95_seconds: i64,
    /// How many tasks were measured.
    pub tasks: i64,
}

/// URLs of one file that behave alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their file; none for files that are counted together.
    pub file: Option<FileId>,
    /// Their priority.
    pub priority: Priority,
    /// They must be sent before this time.
    pub deadline: Option<Time>,
    /// They must not be sent before this; none if they may go.
    pub ready_at: Option<Time>,
    /// Grows in order of arrival.
    pub order: i64,
    /// When their file was claimed.
    pub dropped_at: Time,
    /// How many there are.
    pub urls: u64,
    /// Where several lines named them: the live wishes, one per file; else empty.
    pub wishes: Vec<FileWish>,
}

/// URLs that become ready once their purges, which are still to be sent, are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The URLs.
    pub group: Group,
    /// The file whose rows the purges are.
    pub purge_file: FileId,
}

/// What a file wants of URLs that several lines named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileWish {
    /// The file.
    pub file: FileId,
    /// Its priority for them.
    pub priority: Priority,
    /// The URLs must be sent before this time.
    pub deadline: Option<Time>,
}

impl FileWish {
    /// Orders wishes by strength; the smallest is the strongest.
    pub fn rank(&self) -> (Priority, bool, Option<Time>) {
        (self.priority, self.deadline.is_none(), self.deadline)
    }
}

/// Where a forecast starts.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The pending URLs.
    pub groups: Vec<Group>,
    /// Prefetches that wait for a purge which is still to be sent.
    pub behind: Vec<Behind>,
    /// The day that is charged, and what has been spent of it.
    pub spent: Spent,
    /// What is known about the account.
    pub standing: Standing,
    /// URLs in flight, if the service's queue is known to be limited.
    pub flight: Option<Flight>,
    /// The service's last word on the daily quota, on whatever day.
    pub quota: Option<u64>,
    /// Shortest time between two calls.
    pub pace: TimeDelta,
    /// Most steps: one is a batch, a question or a wait.
    pub steps_max: u32,
    /// Measured on this account.
    pub warm: Option<WarmTime>,
}

/// The forecast for the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Forecast {
    /// The moment from which it starts.
    pub at: Time,
    /// How many URLs it covers.
    pub urls: u64,
    /// When the last one is submitted; none if nothing is.
    pub last_at: Option<Time>,
    /// How many requests that takes.
    pub requests: u64,
    /// URLs that are submitted.
    pub submitted: u64,
    /// URLs whose deadline passes before they can be sent.
    pub missed: u64,
    /// URLs that are sent in time but are not warm by their deadline.
    pub cold: u64,
    /// URLs that would go after [`Forecast::ends_at`], where the forecast stops.
    pub beyond: u64,
    /// When it stops.
    pub ends_at: Time,
    /// What each budget day costs.
    pub days: Vec<DayForecast>,
    /// Each batch, by file: when it is sent, and how many URLs of the file are in it.
    #[serde(skip)]
    pub sends: Vec<Sent>,
    /// What becomes of each file, in the order in which their last URLs are sent.
    #[serde(skip)]
    pub files: Vec<FileForecast>,
    /// What it assumes.
    pub assumed: Vec<Assumption>,
}

/// URLs of a file in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The file that queued them; none for files that are counted together.
    pub file: Option<FileId>,
    /// When they are sent.
    pub at: Time,
    /// How many they are.
    pub urls: u64,
    /// By what they went: priority, deadline, and not-before where they had to wait for it.
    pub by: (Priority, Option<Time>, Option<Time>),
}

/// What a budget day will cost beyond what it has cost already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DayForecast {
    /// Its date at the offset of `day_starts`.
    pub day: String,
    /// Requests.
    pub requests: u64,
    /// URLs.
    pub urls: u64,
}

/// What will become of the pending URLs of a file, including those that came with another file and that its lines also
/// want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileForecast {
    /// Its row; none for files that are counted together.
    pub file_id: Option<i64>,
    /// Its pending URLs.
    pub urls: u64,
    /// The strongest priority among them.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub priority: Priority,
    /// When the first one is submitted.
    pub first_at: Option<Time>,
    /// When the last one is.
    pub last_at: Option<Time>,
    /// When nineteen of twenty of its last URLs should be warm.
    pub warm_by: Option<Time>,
    /// URLs that are submitted.
    pub submitted: u64,
    /// URLs that would go after the forecast's end.
    pub beyond: u64,
    /// What becomes of its deadlines, the earliest first.
    pub deadlines: Vec<DeadlineForecast>,
}

/// What will become of a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeadlineForecast {
    /// The deadline.
    pub deadline: Time,
    /// URLs with this deadline.
    pub urls: u64,
    /// How many of them cannot be sent before it.
    pub missed: u64,
    /// How many of them are sent before it but are not warm by then.
    pub cold: u64,
}

/// An assumption about something that cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assumption {
    /// The account is paused, and the next probe ends the pause.
    PauseEnds,
    /// The quota counts requests; this is not known yet.
    UnitIsRequests,
    /// The quota is as large as the configured budget; the service has not been asked yet.
    QuotaIsBudget,
    /// The service's queue stays as small as it is now, and a URL stays in it for the median time until warm.
    QueueStaysSmall,
    /// A URL is warm half an hour after its submission, as the service's documents say; nothing was measured yet.
    WarmInHalfAnHour,
}

impl FileForecast {
    /// URLs whose deadline passes before they can be sent.
    pub fn missed(&self) -> u64 {
        self.deadlines.iter().map(|deadline| deadline.missed).sum()
    }
}

/// Runs the scheduler of one lane forward from `now`.
pub fn forecast(outlook: Outlook, policy: &Policy, now: Time) -> Forecast {
    let alone = lanes::Lanes::new(vec![(outlook, policy)], TimeDelta::zero(), now);
    alone.run().pop().expect("a lane has a forecast")
}

/// Runs the scheduler forward from `now` for all lanes together, which take turns and share the rate of calls. A
/// prefetch behind a purge goes when that is complete, `purge_takes` after its batch was sent; one whose purge is never
/// sent never goes. The forecasts are in the order of the lanes.
pub fn forecast_lanes(lanes: Vec<(Outlook, &Policy)>, purge_takes: TimeDelta, now: Time) -> Vec<Forecast> {
    lanes::Lanes::new(lanes, purge_takes, now).run()
}

/// How long a submitted URL takes until it should be warm, or purged.
fn warm_after(lane: Lane, warm: Option<WarmTime>) -> TimeDelta {
    let usual = if lane == Lane::Prefetch { TimeDelta::minutes(WARM_MINUTES_MAX) } else { PURGE_TAKES };
    warm.map_or(usual, |warm| TimeDelta::seconds(warm.p95_seconds))
}

/// How long a submitted URL takes up room in the service's queue.
fn flies_for(warm: Option<WarmTime>) -> TimeDelta {
    warm.map_or(TimeDelta::minutes(WARM_MINUTES_MAX), |warm| TimeDelta::seconds(warm.median_seconds.max(1)))
}

/// The sums for a file while the forecast runs.
#[derive(Debug)]
struct FileSum {
    urls: u64,
    priority: Priority,
    first_at: Option<Time>,
    last_at: Option<Time>,
    submitted: u64,
    missed: u64,
    deadlines: BTreeMap<Time, DeadlineForecast>,
}

impl FileSum {
    fn of<'g>(groups: impl IntoIterator<Item = &'g Group>) -> BTreeMap<Option<FileId>, Self> {
        let mut files: BTreeMap<Option<FileId>, Self> = BTreeMap::new();
        for group in groups {
            for (file, deadline) in wanted_by(group) {
                files.entry(file).or_insert_with(|| Self::new(group.priority)).add(group, deadline);
            }
        }
        files
    }

    fn new(priority: Priority) -> Self {
        Self { urls: 0, priority, first_at: None, last_at: None, submitted: 0, missed: 0, deadlines: BTreeMap::new() }
    }

    fn add(&mut self, group: &Group, deadline: Option<Time>) {
        self.urls += group.urls;
        self.priority = self.priority.min(group.priority);
        if let Some(deadline) = deadline {
            self.deadline(deadline).urls += group.urls;
        }
    }

    /// Adds this many sent URLs, unless the file's own deadline for them has passed.
    fn send(&mut self, urls: u64, deadline: Option<Time>, now: Time, warm_after: TimeDelta) {
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.miss(urls, deadline);
            return;
        }
        self.first_at.get_or_insert(now);
        self.last_at = Some(now);
        self.submitted += urls;
        if let Some(deadline) = deadline {
            self.deadline(deadline).cold += if now + warm_after > deadline { urls } else { 0 };
        }
    }

    fn miss(&mut self, urls: u64, deadline: Option<Time>) {
        self.missed += urls;
        if let Some(deadline) = deadline {
            self.deadline(deadline).missed += urls;
        }
    }

    fn deadline(&mut self, deadline: Time) -> &mut DeadlineForecast {
        self.deadlines.entry(deadline).or_insert(DeadlineForecast { deadline, urls: 0, missed: 0, cold: 0 })
    }

    fn finish(self, file: Option<FileId>, warm_after: TimeDelta) -> FileForecast {
        FileForecast {
            file_id: file.map(|file| file.0),
            urls: self.urls,
            priority: self.priority,
            first_at: self.first_at,
            last_at: self.last_at,
            warm_by: self.last_at.map(|at| at + warm_after),
            submitted: self.submitted,
            beyond: self.urls - self.submitted - self.missed,
            deadlines: self.deadlines.into_values().collect(),
        }
    }
}

/// The files that want a group, each with its deadline for it.
fn wanted_by(group: &Group) -> Vec<(Option<FileId>, Option<Time>)> {
    if group.wishes.is_empty() {
        vec![(group.file, group.deadline)]
    } else {
        group.wishes.iter().map(|wish| (Some(wish.file), wish.deadline)).collect()
    }
}

fn as_text<S: serde::Serializer>(priority: &Priority, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(priority)
}

#[cfg(test)]
mod tests;
