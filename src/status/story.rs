//! The whole story of one URL, read from the public views: from the dropped file to the end of its task, in order of
//! time.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::lists::{Rows, object, of_host};
use super::reasons::{WITH, of_parts};
use crate::model::UrlId;
use crate::store::{Conn, Result, Sql, query, query_scalar};
use crate::words::page::on_host;
use crate::words::{Words, story as words};

const URL: Sql = Sql::both("select * from v_urls where url_id = ?1");

const FILE: Sql = Sql::both("select * from v_files where file_id = ?1");

const HOST: Sql = Sql::both("select * from v_hosts where host = ?1");

const SUBMISSION: Sql = Sql::both("select * from v_submissions where submission_id = ?1");

/// What each line asks for, if several lines named the URL.
const WISHES: Sql = Sql::both("select * from v_wishes where url_id = ?1 order by file_id, line");

const TASKS: Sql = Sql::both("select * from v_tasks where submission_id = ?1");

/// Batches with this URL in which something bad is still to be found.
const CASES: Sql = Sql::both("select submission_id from case_members where url_id = ?1 order by submission_id");

const ORDERS: Sql = Sql::both("select * from v_orders where at >= ?1 order by order_id desc limit 1000");

/// What is known about a URL.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Story {
    /// In its normal spelling.
    pub url: String,
    /// Each time it was queued, the oldest first.
    pub queued: Vec<Chapter>,
    /// What happened, in order of time.
    pub events: Vec<StoryEvent>,
}

/// One time that the URL was queued.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Chapter {
    /// Its row in `v_urls`.
    pub url: Map<String, Value>,
    /// The file that queued it, from `v_files`.
    pub file: Map<String, Value>,
    /// Its domain, from `v_hosts`.
    pub host: Map<String, Value>,
    /// The last submission that carried it, and those in which it is still suspected, from `v_submissions`.
    pub submissions: Rows,
    /// The tasks of its last submission, from `v_tasks`, if that was accepted.
    pub tasks: Rows,
    /// Operators' orders that concerned it, from `v_orders`.
    pub orders: Rows,
    /// What each line asks for, from `v_wishes`; empty if only one line named it.
    pub wishes: Rows,
    /// The parameters of the reason of its state.
    #[serde(skip)]
    reason_with: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoryEvent {
    /// When, RFC 3339; none for what is true now.
    pub at: Option<String>,
    /// The kind of event, as one word.
    pub event: &'static str,
    /// The rest, as text.
    pub text: Words,
}

impl Story {
    /// Reads the story of a URL that was queued in these rows.
    pub async fn read(conn: &mut Conn, url: &str, rows: &[UrlId]) -> Result<Self> {
        let mut queued = Vec::new();
        for row in rows {
            queued.extend(Chapter::read(conn, *row).await?);
        }
        let mut events: Vec<StoryEvent> = queued.iter().flat_map(Chapter::moments).collect();
        // What is true now comes last.
        events.sort_by_key(|moment| (moment.at.is_none(), moment.at.clone()));
        events.dedup();
        Ok(Self { url: url.to_owned(), queued, events })
    }
}

impl Chapter {
    async fn read(conn: &mut Conn, row: UrlId) -> Result<Option<Self>> {
        let Some(url) = query(URL).bind(row.0).fetch_optional(&mut *conn).await? else { return Ok(None) };
        let url = object(&url);
        let file = query(FILE).bind(number(&url, "file_id")).fetch_optional(&mut *conn).await?;
        let host = query(HOST).bind(word(&url, "host")).fetch_optional(&mut *conn).await?;
        let mut ids: Vec<i64> = Vec::new();
        for case in query(CASES).bind(row.0).fetch_all(&mut *conn).await? {
            ids.push(case.get(0));
        }
        ids.extend(number(&url, "submission_id"));
        ids.sort_unstable();
        ids.dedup();
        let mut submissions = Rows::new();
        for id in ids {
            submissions.extend(query(SUBMISSION).bind(id).fetch_optional(&mut *conn).await?.as_ref().map(object));
        }
        let tasks = match word(&url, "task_ids") {
            Some(_) => query(TASKS).bind(number(&url, "submission_id")).fetch_all(&mut *conn).await?,
            None => Vec::new(),
        };
        let since = word(&url, "queued_at").unwrap_or_default().to_owned();
        let orders = query(ORDERS).bind(since).fetch_all(&mut *conn).await?;
        let orders = orders.iter().map(of_host).filter(|order| concerns(order, &url)).collect();
        let wishes = query(WISHES).bind(row.0).fetch_all(&mut *conn).await?;
        Ok(Some(Self {
            file: file.as_ref().map(of_host).unwrap_or_default(),
            host: host.as_ref().map(object).unwrap_or_default(),
            submissions,
            tasks: tasks.iter().map(object).collect(),
            orders,
            wishes: wishes.iter().map(object).collect(),
            reason_with: query_scalar(WITH).bind(row.0).fetch_optional(&mut *conn).await?.flatten(),
            url,
        }))
    }

    /// What happened, in any order.
    fn moments(&self) -> Vec<StoryEvent> {
        let url = &self.url;
        let mut moments = vec![self.dropped()];
        moments.extend(self.rules());
        moments.extend(self.domain());
        for submission in &self.submissions {
            moments.extend(told(submission));
        }
        for task in &self.tasks {
            let id = word(task, "task_id").unwrap_or_default();
            let said = words::task(id, word(task, "status").unwrap_or("unknown"), word(task, "progress"));
            moments.extend(word(task, "checked_at").map(|at| moment(Some(at), "checked", said.clone())));
            moments.extend(word(task, "ended_at").map(|at| moment(Some(at), "task", said.clone())));
        }
        for order in &self.orders {
            let (who, what) = (word(order, "who").unwrap_or_default(), word(order, "what").unwrap_or_default());
            let text = words::order(who, what, number(order, "rows").unwrap_or(0));
            moments.push(moment(word(order, "at"), command(word(order, "command")), text));
        }
        moments.extend(self.wishes.iter().map(wanted));
        let reason =
            word(url, "reason").map(|text| of_parts(word(url, "reason_code"), self.reason_with.as_deref(), text));
        let state = word(url, "state").unwrap_or_default();
        let text = words::state(state, reason.as_ref(), number(url, "attempts").unwrap_or(0));
        let ended_at = word(url, "ended_at");
        moments.push(moment(ended_at, if ended_at.is_some() { "ended" } else { "now" }, text));
        // What was dropped is the same line for both steps of a purge and prefetch.
        let action = word(url, "action").filter(|action| *action != "prefetch");
        for event in moments.iter_mut().filter(|event| matches!(event.event, "sent" | "answered" | "ended" | "now")) {
            event.text = action.map_or_else(|| event.text.clone(), |action| words::of_action(action, &event.text));
        }
        moments
    }

    fn dropped(&self) -> StoryEvent {
        let url = &self.url;
        let text = words::dropped(
            word(url, "file").unwrap_or_default(),
            number(url, "line").unwrap_or(0),
            word(url, "priority").unwrap_or_default(),
            word(url, "label"),
        );
        let text = match word(&self.file, "host") {
            Some(host) => text.and(&on_host(host)),
            None => text,
        };
        moment(word(url, "queued_at"), "dropped", text)
    }

    /// When it may be sent, and until when.
    fn rules(&self) -> Vec<StoryEvent> {
        let rule = |column, event, text| word(&self.url, column).map(|at| moment(Some(at), event, text));
        let rules =
            [rule("not_before", "not_before", words::NOT_BEFORE), rule("deadline", "deadline", words::NOT_AFTER)];
        rules.into_iter().flatten().collect()
    }

    fn domain(&self) -> Option<StoryEvent> {
        let standing = word(&self.host, "standing").filter(|standing| *standing != "unknown")?;
        let why = word(&self.host, "why").map(|text| of_parts(word(&self.host, "why_code"), None, text));
        let text = words::domain(word(&self.host, "host").unwrap_or_default(), standing, why.as_ref());
        Some(moment(word(&self.host, "since"), "domain", text))
    }
}

/// A submission: that it was sent, and what the answer was.
fn told(submission: &Map<String, Value>) -> Vec<StoryEvent> {
    let id = number(submission, "submission_id").unwrap_or(0);
    let nonce = word(submission, "nonce").unwrap_or_default();
    let sent = words::sent(id, number(submission, "urls").unwrap_or(0), nonce);
    let mut moments = vec![moment(word(submission, "opened_at"), "sent", sent)];
    if let Some(tasks) = word(submission, "set_aside") {
        moments.push(moment(word(submission, "closed_at"), "set aside", words::set_aside(tasks, id)));
    }
    if let Some(at) = word(submission, "closed_at") {
        let mut said = Vec::new();
        said.extend(number(submission, "http_status").map(|status| format!("HTTP {status}")));
        for (column, name) in [("code", ""), ("message", ""), ("request_id", "RequestId "), ("task_ids", "task ")] {
            said.extend(word(submission, column).map(|value| format!("{name}{value}")));
        }
        let outcome = word(submission, "outcome").unwrap_or_default();
        let text = words::answered(id, outcome, number(submission, "cost").unwrap_or(0), &said);
        moments.push(moment(Some(at), "answered", text));
    }
    moments
}

/// Whether an order's stored choice of URLs includes this one. The URL's state at that time is no longer known.
fn concerns(order: &Map<String, Value>, url: &Map<String, Value>) -> bool {
    let what = word(order, "what").unwrap_or_default();
    let matches = |part: &str| match part.split_once(' ') {
        Some((column @ ("url" | "file" | "label" | "host"), value)) => word(url, column) == Some(value),
        Some(("state", _)) => true,
        _ => false,
    };
    matches!(word(order, "command"), Some("retry" | "cancel" | "prioritize")) && what.split(", ").all(matches)
}

/// What one of several lines asks for.
fn wanted(wish: &Map<String, Value>) -> StoryEvent {
    let file = word(wish, "file").unwrap_or_default();
    let (line, priority) = (number(wish, "line").unwrap_or(0), word(wish, "priority").unwrap_or_default());
    let ended = word(wish, "state").filter(|state| matches!(*state, "expired" | "cancelled"));
    let text = words::wanted(file, line, priority, word(wish, "came") == Some("fresh"))
        + &words::wish(word(wish, "not_before"), word(wish, "deadline"), ended);
    moment(word(wish, "queued_at"), "wanted", text)
}

fn command(word: Option<&str>) -> &'static str {
    ["retry", "cancel", "prioritize"].into_iter().find(|command| word == Some(command)).unwrap_or("order")
}

fn moment(at: Option<&str>, event: &'static str, text: Words) -> StoryEvent {
    StoryEvent { at: at.map(str::to_owned), event, text }
}

fn word<'a>(row: &'a Map<String, Value>, column: &str) -> Option<&'a str> {
    row.get(column).and_then(Value::as_str)
}

fn number(row: &Map<String, Value>, column: &str) -> Option<i64> {
    row.get(column).and_then(Value::as_i64)
}
