//! Tasks: each URL of an accepted batch, from `Pending` over `Refreshing` to `Complete` or `Failed` on a clock that
//! runs faster than the service's.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::account::TaskView;
use super::operations::{Refused, Said, host_of};
use super::product::{Kind, Product};
use super::scenario::{OddTask, PurgeRules, Scenario, TaskRules};
use super::signature::Parameters;
use crate::model::{Time, rfc3339};

/// A prefetch takes 5 to 30 minutes by file size (VOD-API.md).
const MINUTES: (f64, f64) = (5.0, 30.0);

/// The part of its duration for which a task is `Pending`.
const PENDING_PART: f64 = 0.1;

/// The API lists tasks of the last three days only.
const LISTED_FOR: TimeDelta = TimeDelta::days(3);

/// A purge takes 5 to 6 minutes (SIBLING-APIS.md, A).
const PURGE_MINUTES: (f64, f64) = (5.0, 6.0);

/// CDN and DCDN split the IDs of a domain's URLs after this many, and those of purges after the other many.
const URLS_AN_ID: (usize, usize) = (500, 2_000);

/// Most IDs in a question for tasks by ID.
const IDS_MAX: usize = 10;

/// The values of `ObjectType` that no task here has.
const OTHER_TYPES: [&str; 5] = ["regex", "block", "unblock", "ignoreparams", "path"];

#[derive(Debug)]
struct Task {
    kind: Kind,
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
    /// Whether somebody else asked for it.
    foreign: bool,
}

impl Task {
    /// Whether it can be found at `now`.
    fn is_listed(&self, now: Time) -> bool {
        self.created <= now && self.listed.is_some_and(|listed| listed <= now) && self.created + LISTED_FOR > now
    }

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
    product: &'static Product,
    purge: PurgeRules,
    rules: TaskRules,
    odd: Vec<OddTask>,
    seed: u64,
    rows: Vec<Task>,
    by_url: HashMap<Arc<str>, Vec<usize>>,
    by_id: HashMap<String, Vec<usize>>,
    next_id: u64,
}

impl Tasks {
    pub(super) fn new(product: &'static Product, scenario: &Scenario) -> Self {
        Self {
            product,
            purge: scenario.purge.clone(),
            rules: scenario.tasks.clone(),
            odd: scenario.odd_tasks.clone(),
            seed: scenario.seed,
            rows: Vec::new(),
            by_url: HashMap::new(),
            by_id: HashMap::new(),
            next_id: 95_248_880,
        }
    }

    /// URLs whose tasks of this kind have not ended.
    pub(super) fn unfinished(&self, kind: Kind, now: Time) -> usize {
        self.rows.iter().filter(|task| task.kind == kind && task.created <= now && task.done > now).count()
    }

    /// How many URLs of a domain were purged since then.
    pub(super) fn purged_since(&self, domain: &str, since: Time) -> usize {
        let fits = |task: &&Task| task.kind == Kind::File && task.created > since && host_of(&task.url) == domain;
        self.rows.iter().filter(fits).count()
    }

    /// The URLs whose cached copy is the one that a prefetch fetched. One that was accepted before a purge of its URL
    /// or directory had ended may have fetched the old copy again, and does not count.
    pub(super) fn warm(&self, now: Time) -> Vec<String> {
        let complete = |kind: Kind| {
            self.rows.iter().filter(move |task| task.kind == kind && task.done <= now && task.end == "Complete")
        };
        let purged: HashMap<&str, Time> = complete(Kind::File).map(|task| (resource(&task.url), task.done)).collect();
        let directories: Vec<(&str, Time)> =
            complete(Kind::Directory).map(|task| (resource(&task.url), task.done)).collect();
        let is_warm = |task: &&Task| {
            let url = resource(&task.url);
            purged.get(url).is_none_or(|done| task.created >= *done)
                && directories.iter().all(|(start, done)| !url.starts_with(start) || task.created >= *done)
        };
        let warm: BTreeSet<&str> = complete(Kind::Preload).filter(is_warm).map(|task| &*task.url).collect();
        warm.into_iter().map(str::to_owned).collect()
    }

    /// All tasks, in the order in which they were accepted, including those that are never listed.
    pub(super) fn view(&self) -> Vec<TaskView> {
        let view = |task: &Task| TaskView {
            operation: task.kind.word().to_owned(),
            url: task.url.to_string(),
            accepted_at: rfc3339(task.created),
            ends_at: rfc3339(task.done),
            ends_as: task.end.clone(),
            foreign: task.foreign,
        };
        self.rows.iter().map(view).collect()
    }

    /// Accepts a batch; returns its task IDs as the API writes them.
    pub(super) fn accept(&mut self, kind: Kind, urls: &[Arc<str>], now: Time) -> String {
        let mut ids: Vec<String> = Vec::new();
        for urls in self.parts(kind, urls) {
            let id = self.next_id.to_string();
            self.next_id += 1;
            for url in &urls {
                let id = match self.unfinished_task_of(kind, url, now) {
                    Some(old) if self.rules.merge => old,
                    _ => {
                        self.add(kind, &id, url, now);
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

    /// The same of somebody else's batch.
    pub(super) fn accept_elsewhere(&mut self, kind: Kind, urls: &[Arc<str>], now: Time) {
        let known = self.rows.len();
        self.accept(kind, urls, now);
        self.rows[known..].iter_mut().for_each(|task| task.foreign = true);
    }

    /// A batch by task IDs.
    fn parts(&self, kind: Kind, urls: &[Arc<str>]) -> Vec<Vec<Arc<str>>> {
        let part = urls.len().div_ceil(self.rules.ids_per_batch).max(1);
        let parts = urls.chunks(part).map(<[_]>::to_vec);
        if !self.product.ids_by_domain {
            return parts.collect();
        }
        let most = if kind == Kind::Preload { URLS_AN_ID.0 } else { URLS_AN_ID.1 };
        let mut by_domain = Vec::new();
        for mut part in parts {
            part.sort_by(|a, b| host_of(a).cmp(host_of(b)));
            for of_a_domain in part.chunk_by(|a, b| host_of(a) == host_of(b)) {
                by_domain.extend(of_a_domain.chunks(most).map(<[_]>::to_vec));
            }
        }
        by_domain
    }

    fn unfinished_task_of(&self, kind: Kind, url: &Arc<str>, now: Time) -> Option<String> {
        let rows = self.by_url.get(url)?;
        let mut rows = rows.iter().map(|at| &self.rows[*at]);
        rows.find(|task| task.kind == kind && task.done > now).map(|task| task.id.clone())
    }

    /// A number from 0 to 1, determined by the seed and this text.
    fn chance(&self, text: &str, salt: u64) -> f64 {
        xxh3_64_with_seed(text.as_bytes(), self.seed ^ salt) as f64 / u64::MAX as f64
    }

    /// What is odd about a URL's task.
    fn odd(&self, kind: Kind, id: &str, url: &str) -> OddTask {
        let fits = |(at, odd): &(usize, &OddTask)| {
            let drawn = if odd.whole_tasks { id } else { url };
            odd.operation.as_deref().is_none_or(|word| word == kind.word())
                && odd.url_contains.as_ref().is_none_or(|part| url.contains(part))
                && odd.share.is_none_or(|share| self.chance(drawn, 3 + *at as u64) < share)
        };
        self.odd.iter().enumerate().find(fits).map(|(_, odd)| odd.clone()).unwrap_or_default()
    }

    fn add(&mut self, kind: Kind, id: &str, url: &Arc<str>, now: Time) {
        let odd = self.odd(kind, id, url);
        let rules = &self.rules;
        let (minutes, takes, failing, failing_share) = match kind {
            Kind::Preload => (MINUTES, rules.takes, &rules.failing, rules.failing_share),
            Kind::File | Kind::Directory => (PURGE_MINUTES, self.purge.takes, &self.purge.failing, 0.0),
        };
        #[expect(clippy::cast_possible_truncation, reason = "a number beyond the bounds becomes the bound")]
        let seconds = |seconds: f64| TimeDelta::milliseconds((seconds * 1000.0) as i64);
        let minutes = minutes.0 + (minutes.1 - minutes.0) * self.chance(url, 1);
        let takes = odd.takes.or(takes).unwrap_or_else(|| seconds(minutes * 60.0 / rules.speed));
        let listed_after = odd.listed_after.unwrap_or_else(|| seconds(rules.listed_after_seconds));
        let fails = failing.iter().any(|part| url.contains(part)) || self.chance(url, 2) < failing_share;
        let end = odd.status.unwrap_or_else(|| if fails { "Failed" } else { "Complete" }.to_owned());
        let end_process = odd.process.unwrap_or_else(|| if end == "Complete" { "100%" } else { "0%" }.to_owned());
        let listed = (!odd.unlisted).then(|| now + listed_after);
        let at = self.rows.len();
        let (id_of_row, url_of_row) = (id.to_owned(), Arc::clone(url));
        let done = now + takes;
        self.rows.push(Task {
            kind,
            id: id_of_row,
            url: url_of_row,
            created: now,
            done,
            listed,
            end,
            end_process,
            seen: now,
            foreign: false,
        });
        self.by_url.entry(Arc::clone(url)).or_default().push(at);
        self.by_id.entry(id.to_owned()).or_default().push(at);
    }

    /// Lists tasks page by page.
    pub(super) fn describe(&mut self, parameters: &Parameters, now: Time) -> Said {
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
        if size > self.product.tasks_a_page {
            return Err(("InvalidParameter", format!("PageSize is at most {}", self.product.tasks_a_page)));
        }
        if (get("DomainName").is_some() || get("Status").is_some()) && get("ObjectType").is_none() {
            return Err(("MissingParameter", "ObjectType is required with DomainName or Status".to_owned()));
        }
        let (start, end) = (time("StartTime")?, time("EndTime")?);
        if (self.rules.strict_times || self.product.needs_both_times) && start.is_some() != end.is_some() {
            return Err(("MissingTimeParameter", "StartTime and EndTime are required together".to_owned()));
        }
        let kind = get("ObjectType").map(kind_of).transpose()?;
        let fits = |at: &usize| {
            let task = &self.rows[*at];
            task.is_listed(now)
                && get("TaskId").is_none_or(|id| id.split(',').any(|id| id == task.id))
                && get("ObjectPath").is_none_or(|url| url == &*task.url)
                && kind.is_none_or(|kind| kind == Some(task.kind))
                && get("DomainName").is_none_or(|domain| host_of(&task.url) == domain)
                && start.is_none_or(|start| task.created >= start)
                && end.is_none_or(|end| task.created <= end)
        };
        let asked_for: Vec<usize> =
            self.candidates(get("TaskId"), get("ObjectPath")).into_iter().filter(fits).collect();
        let with_status = |at: &&usize| {
            let task = &self.rows[**at];
            get("Status").is_none_or(|status| status == task.state(self.shown_at(task, now)).0)
        };
        let fitting: Vec<&Task> = asked_for.iter().filter(with_status).map(|at| &self.rows[*at]).collect();
        let shown = fitting.iter().skip((page - 1).saturating_mul(size)).take(size);
        let shown: Vec<Value> = shown.map(|task| self.row(task, now)).collect();
        let total = fitting.len().saturating_add_signed(isize::try_from(self.rules.total_off).unwrap_or_default());
        for at in asked_for {
            self.rows[at].seen = now;
        }
        let tasks = json!({ self.product.task_rows: shown });
        Ok(json!({ "TotalCount": total, "PageNumber": page, "PageSize": size, "Tasks": tasks }))
    }

    /// Lists all rows of at most ten tasks, without pages.
    pub(super) fn describe_by_id(&mut self, parameters: &Parameters, now: Time) -> Said {
        let ids = parameters.get("TaskId").map(String::as_str).filter(|ids| !ids.is_empty());
        let ids = ids.ok_or_else(|| ("MissingParameter", "TaskId is mandatory for this action.".to_owned()))?;
        let is_number = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if ids.split(',').count() > IDS_MAX || !ids.split(',').all(is_number) {
            return Err(("InvalidTaskId.Malformed", format!("TaskId is at most {IDS_MAX} numbers, by comma.")));
        }
        let mut found = self.candidates(Some(ids), None);
        found.retain(|at| self.rows[*at].is_listed(now));
        let shown: Vec<Value> = found.iter().map(|at| self.row(&self.rows[*at], now)).collect();
        for at in found {
            self.rows[at].seen = now;
        }
        Ok(json!({ "TotalCount": shown.len(), "Tasks": shown }))
    }

    /// The time whose state a look shows.
    fn shown_at(&self, task: &Task, now: Time) -> Time {
        if self.rules.stale { task.seen } else { now }
    }

    fn row(&self, task: &Task, now: Time) -> Value {
        let (status, progress) = task.state(self.shown_at(task, now));
        let object_type = if task.kind == Kind::Directory { self.product.directory } else { task.kind.object_type() };
        let mut row = json!({
            "TaskId": task.id,
            "ObjectPath": if self.rules.respelled { respelled(&task.url) } else { task.url.to_string() },
            "ObjectType": object_type,
            "Status": status,
            "Process": progress,
            "CreationTime": rfc3339(task.created),
        });
        if status == "Failed" {
            let why = if task.kind == Kind::Preload { "Origin Return StatusCode 5XX" } else { "Internal Error" };
            row["Description"] = json!(why);
        }
        row
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

/// The kind of tasks with this `ObjectType`; none of a type that no task has.
fn kind_of(object_type: &str) -> Result<Option<Kind>, Refused> {
    let kind = Kind::ALL.into_iter().find(|kind| object_type.eq_ignore_ascii_case(kind.object_type()));
    if kind.is_none() && !OTHER_TYPES.iter().any(|other| object_type.eq_ignore_ascii_case(other)) {
        let message = format!("ObjectType {object_type} is not supported.");
        return Err(("InvalidObjectType.ValueNotSupported", message));
    }
    Ok(kind)
}

/// A URL without its scheme: either one stands for the resource (SIBLING-APIS.md, J).
fn resource(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}
