//! Tasks: each URL of an accepted batch, from `Pending` over `Refreshing` to `Complete` or `Failed` on a clock that runs
//! faster than the service's.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::scenario::TaskRules;
use super::signature::Parameters;
use crate::model::{Time, rfc3339};

/// A prefetch takes 5 to 30 minutes by file size (VOD-API.md).
const MINUTES: (f64, f64) = (5.0, 30.0);

/// Of the way, the part in which a task is `Pending`.
const PENDING_PART: f64 = 0.1;

/// The API lists tasks of the last three days only.
const LISTED_FOR: TimeDelta = TimeDelta::days(3);

/// Rows a page at most; more is an error.
const PAGE_SIZE_MAX: usize = 50;

#[derive(Debug)]
struct Task {
    id: String,
    url: Arc<str>,
    created: Time,
    done: Time,
    fails: bool,
}

impl Task {
    /// Status and progress at `now`.
    fn state(&self, now: Time) -> (&'static str, u8) {
        let whole = (self.done - self.created).as_seconds_f64().max(f64::MIN_POSITIVE);
        let part = ((now - self.created).as_seconds_f64() / whole).clamp(0.0, 1.0);
        match part {
            _ if now >= self.done && self.fails => ("Failed", 0),
            _ if now >= self.done => ("Complete", 100),
            part if part < PENDING_PART => ("Pending", 0),
            part => ("Refreshing", (part * 100.0) as u8),
        }
    }
}

/// All tasks of the account.
#[derive(Debug)]
pub(super) struct Tasks {
    rules: TaskRules,
    seed: u64,
    rows: Vec<Task>,
    by_url: HashMap<Arc<str>, Vec<usize>>,
    by_id: HashMap<String, Vec<usize>>,
    next_id: u64,
}

impl Tasks {
    pub(super) fn new(rules: TaskRules, seed: u64) -> Self {
        Self { rules, seed, rows: Vec::new(), by_url: HashMap::new(), by_id: HashMap::new(), next_id: 95_248_880 }
    }

    /// URLs whose tasks have not ended.
    pub(super) fn unfinished(&self, now: Time) -> usize {
        self.rows.iter().filter(|task| task.done > now).count()
    }

    /// Takes a batch; gives its task IDs as the API writes them.
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
        ids.join(",")
    }

    fn unfinished_task_of(&self, url: &Arc<str>, now: Time) -> Option<String> {
        let rows = self.by_url.get(url)?;
        rows.iter().map(|at| &self.rows[*at]).find(|task| task.done > now).map(|task| task.id.clone())
    }

    fn add(&mut self, id: &str, url: &Arc<str>, now: Time) {
        let chance = |salt: u64| xxh3_64_with_seed(url.as_bytes(), self.seed ^ salt) as f64 / u64::MAX as f64;
        let minutes = MINUTES.0 + (MINUTES.1 - MINUTES.0) * chance(1);
        let seconds = minutes * 60.0 / self.rules.speed;
        let fails = self.rules.failing.iter().any(|part| url.contains(part)) || chance(2) < self.rules.failing_share;
        let done = now + TimeDelta::milliseconds((seconds * 1000.0) as i64);
        let at = self.rows.len();
        self.rows.push(Task { id: id.to_owned(), url: Arc::clone(url), created: now, done, fails });
        self.by_url.entry(Arc::clone(url)).or_default().push(at);
        self.by_id.entry(id.to_owned()).or_default().push(at);
    }

    /// `DescribeVodRefreshTasks`: the answer's own fields, or an error's code and message.
    pub(super) fn describe(&self, parameters: &Parameters, now: Time) -> Result<Value, (&'static str, String)> {
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
        let listed_after = TimeDelta::milliseconds((self.rules.listed_after_seconds * 1000.0) as i64);
        let fits = |task: &&Task| {
            task.created + listed_after <= now
                && task.created + LISTED_FOR > now
                && get("TaskId").is_none_or(|id| id.split(',').any(|id| id == task.id))
                && get("ObjectPath").is_none_or(|url| url == &*task.url)
                && get("ObjectType").is_none_or(|kind| kind.eq_ignore_ascii_case("preload"))
                && get("DomainName").is_none_or(|domain| super::operations::host_of(&task.url) == domain)
                && get("Status").is_none_or(|status| status == task.state(now).0)
                && start.is_none_or(|start| task.created >= start)
                && end.is_none_or(|end| task.created <= end)
        };
        let rows = self.candidates(get("TaskId"), get("ObjectPath"));
        let fitting: Vec<&Task> = rows.into_iter().filter(fits).collect();
        let shown = fitting
            .iter()
            .skip((page - 1).saturating_mul(size))
            .take(size)
            .map(|task| row(task, now, self.rules.respelled));
        Ok(json!({
            "TotalCount": fitting.len().saturating_add_signed(self.rules.total_off as isize),
            "PageNumber": page,
            "PageSize": size,
            "Tasks": { "Task": shown.collect::<Vec<_>>() },
        }))
    }

    /// The rows that a filter can find, newest first, as the service lists them.
    fn candidates(&self, ids: Option<&str>, url: Option<&str>) -> Vec<&Task> {
        let mut rows: Vec<usize> = match (url, ids) {
            (Some(url), _) => self.by_url.get(url).cloned().unwrap_or_default(),
            (None, Some(ids)) => ids.split(',').filter_map(|id| self.by_id.get(id)).flatten().copied().collect(),
            (None, None) => (0..self.rows.len()).collect(),
        };
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.into_iter().map(|at| &self.rows[at]).collect()
    }
}

/// The same URL with its scheme, its host and its percent-encoding written in another way.
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
        "Process": format!("{progress}%"),
        "CreationTime": rfc3339(task.created),
    });
    if status == "Failed" {
        row["Description"] = json!("Origin Return StatusCode 5XX");
    }
    row
}
