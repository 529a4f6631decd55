//! Everything known about one file: how it was read, what was refused, where its URLs are, when they were sent and
//! warm, and why others were not.

mod short;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Invocation;
use super::forecast::prospect;
use super::goal::Progress;
use super::lists::{Rows, object, of_host};
use super::reasons::{both, with_chinese};
use crate::config::Config;
use crate::model::{Action, FileId, Time, UrlState, from_millis, rfc3339};
use crate::queue::{self, Bounds, FileAccount};
use crate::schedule::FileForecast;
use crate::store::{Conn, Result, Sql, query};
use crate::words::{Words, line_fault, warning};

pub use short::{FileHere, FilePage};

const NAMED: Sql = Sql::both(
    "
    select f.file_id, f.name, f.stored_name as stored_as, f.lines, v.dropped_at, f.host
    from files as f join v_files as v using (file_id) where f.name = ?1 order by f.file_id desc limit 100",
);

const STORED: Sql = Sql::both(
    "
    select f.file_id, f.name, f.stored_name as stored_as, f.lines, v.dropped_at, f.host
    from files as f join v_files as v using (file_id) where f.stored_name = ?1 order by f.file_id desc limit 100",
);

const NUMBERED: Sql = Sql::both(
    "
    select f.file_id, f.name, f.stored_name as stored_as, f.lines, v.dropped_at, f.host
    from files as f join v_files as v using (file_id) where f.file_id = ?1",
);

/// The latest files whose names contain this text.
const ALIKE: Sql = Sql::both(
    "
    select f.file_id, f.name, f.stored_name as stored_as, f.lines, v.dropped_at, f.host
    from (select file_id, name, stored_name, lines, host from files order by file_id desc limit 100000) as f
    join v_files as v using (file_id) where instr(lower(f.name), lower(?1)) > 0 limit 20",
);

const WARM_SECONDS: Sql =
    Sql::both("select warm_seconds_median, warm_seconds_p95, progress from v_files where file_id = ?1");

/// When its URLs were sent and warm, and the reasons of the others; only URLs that it queued itself.
const ENDS: Sql = Sql::both(
    "
    select v.state, v.reason, v.reason_code, max(r.reason_with) as reason_with, count(*) as urls,
           min(v.submitted_at) as first_sent_at, max(v.submitted_at) as last_sent_at,
           min(v.ended_at) as first_ended_at, max(v.ended_at) as last_ended_at
    from v_urls as v join urls as r using (url_id)
    where v.file_id = ?1 and r.first_step = 0 group by v.state, v.reason, v.reason_code order by urls desc",
);

/// The first URLs that failed or are held, with the service's answer to the last call that carried them.
const FAILURES: Sql = Sql::both(
    "
    select u.line, u.url, u.state, u.reason, u.reason_code,
           (select reason_with from urls as r where r.url_id = u.url_id) as reason_with,
           u.attempts, u.submission_id, u.task_ids, s.request_id, s.code, s.message
    from v_urls as u left join v_submissions as s on s.submission_id = u.submission_id
    where u.file_id = ?1 and u.state in ('failed', 'held', 'expired', 'unconfirmed') order by u.url_id limit 10",
);

/// The same for the URLs that its lines were merged into.
const MERGED_FAILURES: Sql = Sql::both(
    "
    select w.line, w.url, w.state, u.reason, u.reason_code,
           (select reason_with from urls as r where r.url_id = w.url_id) as reason_with,
           u.attempts, u.submission_id, u.task_ids, s.request_id, s.code, s.message
    from v_wishes as w join v_urls as u using (url_id)
    left join v_submissions as s on s.submission_id = u.submission_id
    where w.file_id = ?1 and w.came = 'merged' and w.state in ('failed', 'held', 'expired', 'unconfirmed')
    order by w.line limit 10",
);

/// What became of one line, if it queued a URL: of two steps the last ...
const LINE: Sql = Sql::both(
    "
    select u.*, (select reason_with from urls as r where r.url_id = u.url_id) as reason_with
    from v_urls as u where file_id = ?1 and line = ?2 order by url_id desc limit 1",
);

/// ... or was merged into one.
const MERGED_LINE: Sql = Sql::both(
    "
    select w.came, u.*, w.line as line, w.state as state, u.file as queued_by,
           (select reason_with from urls as r where r.url_id = w.url_id) as reason_with
    from v_wishes as w join v_urls as u using (url_id) where w.file_id = ?1 and w.line = ?2 limit 1",
);

/// Pending URLs of a file that wait for their domain, and the first deadline among them.
const BLOCKED: Sql = Sql::both(
    "
    select count(*), min(u.deadline)
    from files as f join urls as u on u.file_id = f.file_id and u.url_id >= f.url_from and u.url_id <= f.url_to
    where f.file_id = ?1 and u.state = 0 and u.parked = 1",
);

/// How much of the queue is read for the forecast of one file.
const BOUNDS: Bounds = Bounds { rows: 10_000, files: 100_000 };
const STEPS_MAX: u32 = 100_000;

/// Most failures to name.
const FAILURES_MAX: usize = 10;

/// Files by their names.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Files that were dropped under this name, latest first.
    These(Rows),
    /// None; these contain it in their names.
    Alike(Rows),
}

/// Finds a file by its row, by the name under which it was dropped, or by its stored name; those of this host come
/// first.
pub async fn find(conn: &mut Conn, host: &str, name: &str, id: Option<i64>) -> Result<Found> {
    if let Some(id) = id {
        let rows = query(NUMBERED).bind(id).fetch_all(conn).await?;
        return Ok(Found::These(rows.iter().map(of_host).collect()));
    }
    for statement in [NAMED, STORED] {
        let mut rows = query(statement).bind(name).fetch_all(&mut *conn).await?;
        if !rows.is_empty() {
            rows.sort_by_key(|row| row.get::<&str, _>("host") != host);
            return Ok(Found::These(rows.iter().map(of_host).collect()));
        }
    }
    let rows = query(ALIKE).bind(name).fetch_all(conn).await?;
    Ok(Found::Alike(rows.iter().map(of_host).collect()))
}

/// URLs that wait for their domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blocked {
    /// How many.
    pub urls: i64,
    /// The first deadline among them, which passes unless somebody does something.
    pub deadline: Option<Time>,
}

impl Blocked {
    /// Those of a file.
    pub async fn of_file(conn: &mut Conn, file: i64) -> Result<Self> {
        let row = query(BLOCKED).bind(file).fetch_one(conn).await?;
        Ok(Self { urls: row.get(0), deadline: row.get::<Option<i64>, _>(1).map(from_millis) })
    }
}

/// Everything about one file.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct FileStory {
    /// Its row.
    pub file_id: i64,
    /// Its name when it was dropped.
    pub name: String,
    /// Its name in `done/` or `rejected/`.
    pub stored_as: String,
    /// In whose spool it lies; none where the database is a file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// `reading`, `done` or `rejected`.
    pub state: String,
    /// Why it was rejected.
    pub rejected_why: Option<Words>,
    /// The code of that reason.
    pub rejected_code: Option<String>,
    /// `text`, `csv` or `jsonl`, and how it is packed: from its name.
    pub format: String,
    /// Its encoding; none if all its bytes are ASCII.
    pub encoding: Option<String>,
    /// Its size.
    pub bytes: Option<u64>,
    /// The hash of its content, in hex.
    pub sha256: Option<String>,
    /// What its lines ask for; none for prefetching.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where the purges of lines are whose URL is prefetched after them, by state; empty where there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub purges: BTreeMap<String, u64>,
    /// Its priority.
    pub priority: String,
    /// Its label.
    pub label: Option<String>,
    /// Its URLs must not be sent before this, RFC 3339.
    pub not_before: Option<String>,
    /// Its URLs must not be sent after this, RFC 3339.
    pub deadline: Option<String>,
    /// Whether fresh URLs are sent again.
    pub force: bool,
    /// When it was claimed, RFC 3339.
    pub dropped_at: String,
    /// When its last line was queued, RFC 3339.
    pub read_at: Option<String>,
    /// When everything was done for it, RFC 3339.
    pub finished_at: Option<String>,
    /// Lines that are neither blank, comment nor directive.
    pub lines: u64,
    /// Lines that became URLs of the queue.
    pub queued: u64,
    /// Lines whose URL was there already.
    pub merged: u64,
    /// Where its URLs are.
    pub progress: Progress,
    /// Why lines were refused, the most frequent first.
    pub refused_reasons: Vec<Said>,
    /// The first refused lines, if their report is available.
    pub refused_lines: Vec<LineSaid>,
    /// The path of the report with all of them.
    pub refused_report: Option<String>,
    /// Warnings about it.
    pub warnings: Vec<Said>,
    /// When the first of its URLs was accepted, RFC 3339.
    pub first_sent_at: Option<String>,
    /// When the last was.
    pub last_sent_at: Option<String>,
    /// When the first was warm.
    pub first_warm_at: Option<String>,
    /// When the last one so far was.
    pub last_warm_at: Option<String>,
    /// Seconds from the drop until half of its complete URLs were warm.
    pub warm_seconds_median: Option<i64>,
    /// The same for 95 of 100.
    pub warm_seconds_p95: Option<i64>,
    /// The forecast for its pending URLs.
    pub forecast: Option<FileForecast>,
    /// Pending URLs that wait for their domain; no forecast counts them.
    #[serde(skip)]
    pub blocked: Blocked,
    /// The reasons of URLs that are not warm: `state`, `reason`, `reason_code`, `reason_zh`, `urls`.
    pub reasons: Rows,
    /// The first URLs that failed or are held, with the service's answer.
    pub failures: Rows,
    /// Other files of the same name, the latest first.
    pub others: Rows,
    /// What became of the chosen line.
    pub line: Option<Map<String, Value>>,
}

/// A reason or a warning, with the first line it applies to and the number of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// Its code.
    pub code: String,
    /// The first line; none if it applies to the file, or is not known.
    pub line: Option<u64>,
    /// How many lines it applies to.
    pub lines: u64,
    /// In English.
    pub text: String,
    /// In Chinese.
    pub text_zh: String,
}

/// A refused line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LineSaid {
    /// Its number.
    pub line: i64,
    /// Why it was refused, in both languages.
    pub reason: String,
    /// The line's text.
    pub text: String,
}

impl FileStory {
    /// Lets the commands in reasons be typed as they are typed here.
    pub fn make_pasteable(&mut self, by: &Invocation) {
        let rows = self.reasons.iter_mut().chain(&mut self.failures).chain(&mut self.line);
        for text in rows.flat_map(|row| row.iter_mut()).filter(|(column, _)| column.starts_with("reason")) {
            if let (_, Value::String(text)) = text {
                *text = by.pasteable(text);
            }
        }
    }

    /// Reads everything except what is in the spool; none if there is no such file.
    pub async fn read(conn: &mut Conn, config: &Config, file: i64, now: Time) -> Result<Option<Self>> {
        let mut accounts = queue::accounts_of(conn, &[FileId(file)]).await?;
        let Some(account) = accounts.remove(&FileId(file)) else { return Ok(None) };
        let mut story = Self::of_account(file, account);
        story.progress = Progress::of_file(conn, file, now).await?;
        let row = query(WARM_SECONDS).bind(file).fetch_one(&mut *conn).await?;
        (story.warm_seconds_median, story.warm_seconds_p95) = (row.get(0), row.get(1));
        story.state = row.get(2);
        story.read_ends(conn).await?;
        for statement in [FAILURES, MERGED_FAILURES] {
            let rows = query(statement).bind(file).fetch_all(&mut *conn).await?;
            story.failures.extend(rows.iter().map(|row| with_chinese(object(row))));
        }
        story.failures.truncate(FAILURES_MAX);
        if story.progress.count(crate::model::UrlState::Pending) > 0 {
            let forecasts = prospect(conn, config, BOUNDS, STEPS_MAX, now).await?.forecast(now);
            story.forecast = forecasts.of_file(file).cloned();
            story.blocked = Blocked::of_file(conn, file).await?;
        }
        Ok(Some(story))
    }

    /// What became of one line: it queued a URL or was merged into one. The spool's report has refused lines.
    pub async fn read_line(&self, conn: &mut Conn, line: u64) -> Result<Option<Map<String, Value>>> {
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        for statement in [LINE, MERGED_LINE] {
            let row = query(statement).bind(self.file_id).bind(line).fetch_optional(&mut *conn).await?;
            if let Some(row) = row {
                return Ok(Some(with_chinese(object(&row))));
            }
        }
        Ok(None)
    }

    fn of_account(file_id: i64, account: FileAccount) -> Self {
        let mut refusals = account.refusals;
        refusals.sort_by_key(|(reason, lines)| (std::cmp::Reverse(*lines), *reason));
        let refused = refusals.into_iter().map(|(reason, lines)| {
            let words = line_fault(reason);
            let (text, text_zh) = (words.en.into_owned(), words.zh.into_owned());
            Said { code: reason.code().to_owned(), line: None, lines, text, text_zh }
        });
        let warnings = account.warnings.iter().map(|warned| {
            let words = warning(warned);
            Said {
                code: warned.warning.code().to_owned(),
                line: (warned.line > 0).then_some(warned.line),
                lines: warned.lines,
                text: words.en.into_owned(),
                text_zh: words.zh.into_owned(),
            }
        });
        Self {
            file_id,
            refused_reasons: refused.collect(),
            warnings: warnings.collect(),
            name: account.name,
            stored_as: account.stored_name,
            host: account.host,
            rejected_why: both(account.rejected_why, account.rejected_zh),
            rejected_code: account.rejected_code,
            encoding: account.encoding,
            bytes: account.bytes,
            sha256: account.sha256,
            action: Some(account.keys.action).filter(|action| *action != Action::Prefetch).map(|a| a.word().to_owned()),
            purges: UrlState::ALL
                .iter()
                .zip(account.purges)
                .filter(|(_, n)| *n > 0)
                .map(|(state, n)| (state.to_string(), n))
                .collect(),
            priority: account.keys.priority.to_string(),
            label: account.keys.label,
            not_before: account.keys.not_before.map(rfc3339),
            deadline: account.keys.deadline.map(rfc3339),
            force: account.keys.force,
            dropped_at: rfc3339(account.dropped_at),
            read_at: account.read_at.map(rfc3339),
            finished_at: account.finished_at.map(rfc3339),
            lines: account.lines,
            queued: account.queued,
            merged: account.merged,
            ..Self::default()
        }
    }

    async fn read_ends(&mut self, conn: &mut Conn) -> Result<()> {
        let least = |slot: &mut Option<String>, at: Option<String>| match (&slot, at) {
            (Some(before), Some(at)) if *before <= at => {}
            (_, Some(at)) => *slot = Some(at),
            (_, None) => {}
        };
        let most = |slot: &mut Option<String>, at: Option<String>| {
            if at > *slot {
                *slot = at;
            }
        };
        for row in query(ENDS).bind(self.file_id).fetch_all(conn).await? {
            least(&mut self.first_sent_at, row.get("first_sent_at"));
            most(&mut self.last_sent_at, row.get("last_sent_at"));
            if row.get::<&str, _>("state") == "complete" {
                least(&mut self.first_warm_at, row.get("first_ended_at"));
                most(&mut self.last_warm_at, row.get("last_ended_at"));
            } else if row.get::<Option<String>, _>("reason").is_some() {
                let object = with_chinese(object(&row));
                let kept = ["state", "reason", "reason_code", "reason_zh", "urls"];
                self.reasons.push(object.into_iter().filter(|(name, _)| kept.contains(&name.as_str())).collect());
            }
        }
        Ok(())
    }
}
