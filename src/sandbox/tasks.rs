//! Tasks: each URL of an accepted batch, from `Pending` over `Refreshing` to `Complete` or `Failed` on a clock that
//! runs faster than the service's.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::scenario::{OddTask, Scenario, TaskRules};
use super::signature::Parameters;
use crate::model::{Time, rfc3339};

/// A prefetch takes 5 to 30 minutes by file size (VOD-API.md).
const MINUTES: (f64, f64) = (5.0, 30.0);

/// The part of its duration for which a task is `Pending`.
const PENDING_PART: f64 = 0.1;

/// The API lists tasks of the last three days only.
const LISTED_FOR: TimeDelta = TimeDelta::days(3);

/// Most rows in a page; asking for more is an error.
const PAGE_SIZE_MAX: usize = 50;

#[derive(Debug)]
struct Task {
    id: String,
    url: Arc<str>,
    created: Time,
    done: Time,
    /// When it is first listed; none for never.
    listed: Option<Time>,
    /// Its final status.
    end: String,
    /// Its final progress.
    end_process: String,
    /// The time whose state is shown, if looks show the state of the look before.
    seen: Time,
}

impl Task {
    /// Status and progress at `now`.
    fn state(&self, now: Time) -> (&str, String) {
        let whole = (self.done - self.created).as_seconds_f64().max(f64::MIN_POSITIVE);
        let part = ((now - self.created).as_seconds_f64() / whole).clamp(0.0, 1.0);
        match part {
            _ if now >= self.done => (&self.end, self.end_process.clone()),
            part if part < PENDING_PART => ("Pending", "0%".to_owned()),
            part => ("Refreshing", format!("{:.0}%", (part * 100.0).floor())),
        }
    }
}

/// All tasks of the account.
#[derive(Debug)]
pub(super) struct Tasks {
    rules: TaskRules,
    odd: Vec<OddTask>,
    seed: u64,
    rows: Vec<Task>,
    by_url: HashMap<Arc<str>, Vec<usize>>,
    by_id: HashMap<String, Vec<usize>>,
    next_id: u64,
}

impl Tasks {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            rules: scenario.tasks.clone(),
            odd: scenario.odd_tasks.clone(),
            seed: scenario.seed,
            rows: Vec::new(),
            by_url: HashMap::new(),
            by_id: HashMap::new(),
            next_id: 95_248_880,
        }
    }

    /// URLs whose tasks have not ended.
    pub(super) fn unfinished(&self, now: Time) -> usize {
        self.rows.iter().filter(|task| task.created <= now && task.done > now).count()
    }

    /// Accepts a batch; returns its task IDs as the API writes them.
    pub(super) fn accept(&mut self, urls: &[Arc<str>], now: Time) -> String {
        let mut ids: Vec<String> = Vec::new();
        let part = urls.len().div_ceil(self.rules.ids_per_batch).max(1);
        for urls in urls.chunks(part) {
            let id = self.next_id.to_string();
            self.next_id += 1;
            for url in urls {
                let id = match self.unfinished_task_of(url, now) {
                    Some(old) if self.rules.merge => old,
                    _ => {
                        self.add(&id, url, now);
                        id.clone()
                    }
                };
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        if self.rules.named_wrongly
            && let Some(first) = self.rows.first()
        {
            return first.id.clone();
        }
        ids.join(",")
    }

    fn unfinished_task_of(&self, url: &Arc<str>, now: Time) -> Option<String> {
        let rows = self.by_url.get(url)?;
        rows.iter().map(|at| &self.rows[*at]).find(|task| task.done > now).map(|task| task.id.clone())
    }

    /// A number from 0 to 1, determined by the seed and this text.
    fn chance(&self, text: &str, salt: u64) -> f64 {
        xxh3_64_with_seed(text.as_bytes(), self.seed ^ salt) as f64 / u64::MAX as f64
    }

    /// What is odd about a URL's task.
    fn odd(&self, id: &str, url: &str) -> OddTask {
        let fits = |(at, odd): &(usize, &OddTask)| {
            let drawn = if odd.whole_tasks { id } else { url };
            odd.url_contains.as_ref().is_none_or(|part| url.contains(part))
                && odd.share.is_none_or(|share| self.chance(drawn, 3 + *at as u64) < share)
        };
        self.odd.iter().enumerate().find(fits).map(|(_, odd)| odd.clone()).unwrap_or_default()
    }

    fn add(&mut self, id: &str, url: &Arc<str>, now: Time) {
        let odd = self.odd(id, url);
        let rules = &self.rules;
        #[expect(clippy::cast_possible_truncation, reason = "a number beyond the bounds becomes the bound")]
        let seconds = |seconds: f64| TimeDelta::milliseconds((seconds * 1000.0) as i64);
        let minutes = MINUTES.0 + (MINUTES.1 - MINUTES.0) * self.chance(url, 1);
        let takes = odd.takes.or(rules.takes).unwrap_or_else(|| seconds(minutes * 60.0 / rules.speed));
        let listed_after = odd.listed_after.unwrap_or_else(|| seconds(rules.listed_after_seconds));
        let fails = rules.failing.iter().any(|part| url.contains(part)) || self.chance(url, 2) < rules.failing_share;
        let end = odd.status.unwrap_or_else(|| if fails { "Failed" } else { "Complete" }.to_owned());
        let end_process = odd.process.unwrap_or_else(|| if end == "Complete" { "100%" } else { "0%" }.to_owned());
        let listed = (!odd.unlisted).then(|| now + listed_after);
        let at = self.rows.len();
        let (id_of_row, url_of_row) = (id.to_owned(), Arc::clone(url));
        let done = now + takes;
        self.rows.push(Task {
            id: id_of_row,
            url: url_of_row,
            created: now,
            done,
            listed,
            end,
            end_process,
            seen: now,
        });
        self.by_url.entry(Arc::clone(url)).or_default().push(at);
        self.by_id.entry(id.to_owned()).or_default().push(at);
    }

    /// `DescribeVodRefreshTasks`: the answer's own fields, or an error's code and message.
    pub(super) fn describe(&mut self, parameters: &Parameters, now: Time) -> Result<Value, (&'static str, String)> {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let number = |name: &'static str, default: usize| match get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().ok().filter(|n| *n > 0).ok_or(("InvalidParameter", format!("{name} is not valid")))
            }
        };
        let time = |name: &'static str| match get(name) {
            None => Ok(None),
            Some(text) => {
                text.parse::<Time>().map(Some).map_err(|_| ("InvalidParameter", format!("{name} is not valid")))
            }
        };
        let (page, size) = (number("PageNumber", 1)?, number("PageSize", 20)?);
        if size > PAGE_SIZE_MAX {
            return Err(("InvalidParameter", format!("PageSize is at most {PAGE_SIZE_MAX}")));
        }
        if (get("DomainName").is_some() || get("Status").is_some()) && get("ObjectType").is_none() {
            return Err(("MissingParameter", "ObjectType is required with DomainName or Status".to_owned()));
        }
        let (start, end) = (time("StartTime")?, time("EndTime")?);
        if self.rules.strict_times && start.is_some() != end.is_some() {
            return Err(("MissingTimeParameter", "StartTime and EndTime are required together".to_owned()));
        }
        let stale = self.rules.stale;
        let shown_at = |task: &Task| if stale { task.seen } else { now };
        let fits = |at: &usize| {
            let task = &self.rows[*at];
            task.created <= now
                && task.listed.is_some_and(|listed| listed <= now)
                && task.created + LISTED_FOR > now
                && get("TaskId").is_none_or(|id| id.split(',').any(|id| id == task.id))
                && get("ObjectPath").is_none_or(|url| url == &*task.url)
                && get("ObjectType").is_none_or(|kind| kind.eq_ignore_ascii_case("preload"))
                && get("DomainName").is_none_or(|domain| super::operations::host_of(&task.url) == domain)
                && start.is_none_or(|start| task.created >= start)
                && end.is_none_or(|end| task.created <= end)
        };
        let asked_for: Vec<usize> =
            self.candidates(get("TaskId"), get("ObjectPath")).into_iter().filter(fits).collect();
        let with_status = |at: &&usize| {
            let task = &self.rows[**at];
            get("Status").is_none_or(|status| status == task.state(shown_at(task)).0)
        };
        let fitting: Vec<&Task> = asked_for.iter().filter(with_status).map(|at| &self.rows[*at]).collect();
        let shown = fitting.iter().skip((page - 1).saturating_mul(size)).take(size);
        let shown: Vec<Value> = shown.map(|task| row(task, shown_at(task), self.rules.respelled)).collect();
        let total = fitting.len().saturating_add_signed(isize::try_from(self.rules.total_off).unwrap_or_default());
        for at in asked_for {
            self.rows[at].seen = now;
        }
        Ok(json!({ "TotalCount": total, "PageNumber": page, "PageSize": size, "Tasks": { "Task": shown } }))
    }

    /// The rows that a filter can find, newest first, as the service lists them.
    fn candidates(&self, ids: Option<&str>, url: Option<&str>) -> Vec<usize> {
        let mut rows: Vec<usize> = match (url, ids) {
            (Some(url), _) => self.by_url.get(url).cloned().unwrap_or_default(),
            (None, Some(ids)) => ids.split(',').filter_map(|id| self.by_id.get(id)).flatten().copied().collect(),
            (None, None) => (0..self.rows.len()).collect(),
        };
        rows.sort_unstable_by_key(|at| Reverse((self.rows[*at].created, *at)));
        rows
    }
}

/// The same URL with scheme, host and percent-encoding in another spelling.
fn respelled(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    format!("http://{}/{decoded}", host.to_ascii_uppercase())
}

fn row(task: &Task, now: Time, another_spelling: bool) -> Value {
    let (status, progress) = task.state(now);
    let mut row = json!({
        "TaskId": task.id,
        "ObjectPath": if another_spelling { respelled(&task.url) } else { task.url.to_string() },
        "ObjectType": "preload",
        "Status": status,
        "Process": progress,
        "CreationTime": rfc3339(task.created),
    });
    if status == "Failed" {
        row["Description"] = json!("Origin Return StatusCode 5XX");
    }
    row
}
