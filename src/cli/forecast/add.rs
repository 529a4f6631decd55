//! `prefetchd forecast --add`: makes the forecast again with a file that is not dropped yet.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::Path;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use super::Names;
use crate::cli::failure;
use crate::config::Config;
use crate::exit;
use crate::model::{Action, BudgetDay, FileId, Keys, Lane, ObjectUrl, Time};
use crate::queue;
use crate::schedule::{Behind, FileForecast, Forecast, Group};
use crate::spool::{ReadRules, Survey, SurveyError};
use crate::status::{Forecasts, Prospect};
use crate::store::Conn;
use crate::words::{self, Words, commands};

/// The new file comes after all others.
const NEW: FileId = FileId(i64::MAX);

/// URLs that are looked up at once.
const CHUNK: usize = 2_000;

/// What dropping the file would change.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Added {
    /// The file.
    pub name: String,
    /// Lines that would be queued, without repetitions.
    pub queued: u64,
    /// Lines whose URL waits or was submitted already, or appears twice in the file.
    pub merged: u64,
    /// Lines whose URL completed recently.
    pub fresh: u64,
    /// Lines that are not URLs.
    pub refused: u64,
    /// Additional requests.
    pub requests: u64,
    /// Over how many budget days its URLs are sent.
    pub days: i64,
    /// The forecast for the file: for its prefetches if it has any, else for its purges; none if nothing would be
    /// queued.
    pub forecast: Option<FileForecast>,
    /// The forecast for its purges, where it has prefetches too.
    pub purge: Option<FileForecast>,
    /// When the whole queue would be sent.
    pub queue_last_at: Option<Time>,
    /// Files that would go later or miss their deadline, the hardest hit first.
    pub displaced: Vec<Displaced>,
}

/// A file that would be displaced.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Displaced {
    pub file_id: Option<i64>,
    pub name: Option<String>,
    /// When its last URL would be sent.
    pub last_at: Option<Time>,
    /// How much later that is.
    pub later_seconds: i64,
    /// Additional URLs that would miss their deadline.
    pub missed: u64,
}

impl Added {
    /// URLs that would miss their deadlines, its own and others'.
    pub(super) fn missed(&self) -> u64 {
        // A line that is purged first is in both, and missed once.
        let own = self.forecast.iter().chain(&self.purge).map(FileForecast::missed).max().unwrap_or(0);
        own + self.displaced.iter().map(|file| file.missed).sum::<u64>()
    }
}

/// Reads the file and makes the forecast with it.
pub(super) async fn add(
    conn: &mut Conn,
    config: &Config,
    path: &Path,
    mut prospect: Prospect,
    before: &Forecasts,
    names: &Names,
    now: Time,
) -> anyhow::Result<Added> {
    let count = Count::of(conn, config, path, now).await?;
    for (number, ((keys, ready_at), urls)) in count.groups.iter().enumerate() {
        let group = Group {
            file: Some(NEW),
            priority: keys.priority,
            deadline: keys.deadline,
            ready_at: *ready_at,
            order: i64::MAX - 1_000_000 + i64::try_from(number).unwrap_or(0),
            dropped_at: now,
            urls: *urls,
            wishes: Vec::new(),
        };
        if keys.action.purges_first() {
            prospect.outlook(Lane::Purge).groups.push(group.clone());
            prospect.outlook(Lane::Prefetch).behind.push(Behind { group, purge_file: NEW });
        } else {
            prospect.outlook(keys.action.lane()).groups.push(group);
        }
    }
    let after = prospect.forecast(now);
    let mut own = after.each().filter_map(|(lane, forecast)| {
        Some((lane, forecast.files.iter().find(|file| file.file_id == Some(NEW.0))?.clone()))
    });
    let first = own.next();
    let purge = own.next().filter(|_| first.as_ref().is_some_and(|(lane, _)| *lane == Lane::Prefetch));
    let (new, purge) = (first.map(|(_, file)| file), purge.map(|(_, file)| file));
    let day = |at: Time| BudgetDay::of(at, config.budget.day_starts).date;
    let starts_at = purge.as_ref().and_then(|purge| purge.first_at);
    let days = new.as_ref().and_then(|file| {
        let first_at = [starts_at, file.first_at].into_iter().flatten().min()?;
        Some((day(file.last_at?) - day(first_at)).num_days() + 1)
    });
    let requests = |all: &Forecasts| all.each().map(|(_, forecast)| forecast.requests).sum::<u64>();
    Ok(Added {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        queued: count.groups.values().sum(),
        merged: count.merged,
        fresh: count.fresh,
        refused: count.refused,
        requests: requests(&after).saturating_sub(requests(before)),
        days: days.unwrap_or(0),
        forecast: new,
        purge,
        queue_last_at: after.of(Lane::Prefetch).last_at,
        displaced: all_displaced(before, &after, names),
    })
}

/// Files that are displaced in any lane; one that is displaced in two counts once, where it is hit harder.
fn all_displaced(before: &Forecasts, after: &Forecasts, names: &Names) -> Vec<Displaced> {
    let lanes = before.each().zip(after.each());
    let mut all: Vec<Displaced> = lanes.flat_map(|((_, before), (_, after))| displaced(before, after, names)).collect();
    all.sort_by_key(|file| std::cmp::Reverse((file.missed, file.later_seconds)));
    let mut seen = HashSet::new();
    all.retain(|file| seen.insert(file.file_id));
    all
}

fn displaced(before: &Forecast, after: &Forecast, names: &Names) -> Vec<Displaced> {
    let old: BTreeMap<Option<i64>, &FileForecast> = before.files.iter().map(|file| (file.file_id, file)).collect();
    let mut displaced = Vec::new();
    for file in &after.files {
        let Some(old) = old.get(&file.file_id) else { continue };
        let later = file.last_at.zip(old.last_at).map_or(TimeDelta::zero(), |(after, before)| after - before);
        let missed = file.missed().saturating_sub(old.missed());
        if missed > 0 || later >= TimeDelta::seconds(1) {
            displaced.push(Displaced {
                file_id: file.file_id,
                name: file.file_id.and_then(|id| names.get(&id)).map(|(name, _)| name.clone()),
                last_at: file.last_at,
                later_seconds: later.num_seconds(),
                missed,
            });
        }
    }
    displaced
}

/// What the spool would make of a file.
#[derive(Debug, Default)]
struct Count {
    groups: BTreeMap<(Keys, Option<Time>), u64>,
    merged: u64,
    fresh: u64,
    refused: u64,
}

impl Count {
    async fn of(conn: &mut Conn, config: &Config, path: &Path, now: Time) -> anyhow::Result<Self> {
        let open = |path: &Path| match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|meta| !meta.is_file()) => Err(commands::NO_REGULAR_FILE),
            opened => opened.map_err(|error| words::errors::system(&error)),
        };
        let cannot = |why: Words| failure(exit::NO_INPUT, commands::reading(&path.display().to_string(), &why));
        let file = open(path).map_err(cannot)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_survey = |error: SurveyError| match error {
            SurveyError::Io(error) => anyhow::Error::from(error).context(format!("reading {}", path.display())),
            SurveyError::NotUrls(fault) => {
                failure(exit::DATA, Words::same(path.display().to_string()).then(&words::input_fault(&fault)))
            }
        };
        let mut survey = Survey::open(file, &name, ReadRules::of(config, now)).map_err(of_survey)?;
        let keys = survey.keys().clone();
        let fresh_for = TimeDelta::from_std(config.schedule.fresh_for.get()).unwrap_or(TimeDelta::MAX);
        let mut count = Self::default();
        // By hash: two URLs with the same hash count as one in a forecast.
        let mut seen = HashSet::new();
        loop {
            let urls = survey.next_urls(CHUNK).map_err(of_survey)?;
            if urls.is_empty() {
                break;
            }
            count.add(conn, &keys, urls, &mut seen, (now - fresh_for, now)).await?;
        }
        count.refused = survey.refused();
        Ok(count)
    }

    async fn add(
        &mut self,
        conn: &mut Conn,
        keys: &Keys,
        urls: Vec<(ObjectUrl, Option<Keys>)>,
        seen: &mut HashSet<i64>,
        (fresh_since, now): (Time, Time),
    ) -> anyhow::Result<()> {
        let mut groups: BTreeMap<Keys, Vec<&ObjectUrl>> = BTreeMap::new();
        for (url, own) in &urls {
            // A label does not change when a URL is sent.
            let keys = Keys { label: None, ..own.as_ref().unwrap_or(keys).clone() };
            if seen.insert(url.key(keys.action.lane())) {
                groups.entry(keys).or_default().push(url);
            } else {
                self.merged += 1;
            }
        }
        for (keys, urls) in groups {
            let fresh_since = if keys.force { Time::MAX_UTC } else { fresh_since };
            // A purge, and a prefetch after one, joins only what still waits.
            let (lane, is_anew) = match keys.action {
                Action::Prefetch => (Lane::Prefetch, false),
                Action::Purge | Action::PurgeThenPrefetch => (Lane::Purge, true),
                Action::PurgeDirectory => (Lane::PurgeDirectory, true),
            };
            let known = queue::known(conn, (lane, is_anew), &urls, fresh_since).await?;
            self.merged += known.live;
            self.fresh += known.fresh;
            let ready_at = keys.not_before.filter(|at| *at > now);
            *self.groups.entry((keys, ready_at)).or_default() += (urls.len() as u64) - known.live - known.fresh;
        }
        self.groups.retain(|_, urls| *urls > 0);
        Ok(())
    }
}
