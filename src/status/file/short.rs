//! The story of a file for the page in the browser: the same, from a bounded number of rows, however large the file is.

use serde_json::json;

use super::{FAILURES_MAX, FileStory};
use crate::config::Config;
use crate::model::{FileId, Time, UrlState, from_millis, rfc3339};
use crate::queue::{self, Bounds};
use crate::status::forecast::prospect;
use crate::status::goal::Progress;
use crate::status::lists::{object, of_host};
use crate::status::reasons::with_chinese;
use crate::store::{Conn, Result, Sql, query, query_scalar};

/// Where the rows of a file lie.
const ROWS: Sql = Sql::both("select url_from, url_to, name, dropped_at from files where file_id = ?1");

const LAST_FILE: Sql = Sql::both("select max(file_id) from files");

/// When its URLs were sent: of those among the rows that are looked at.
const SENT: Sql = Sql::both(
    "
    select min(s.closed_at) as first, max(s.closed_at) as last from submissions as s
    where s.state = 1 and s.submission_id in
        (select submission_id from urls where url_id between ?2 and ?3 and file_id = ?1 and submission_id is not null)",
);

/// The first URLs of each bad end, with the service's answer to the last call that carried them.
const BAD: Sql = Sql::both(
    "
    select u.line, u.url, u.state, u.reason, u.reason_code,
           (select reason_with from urls as r where r.url_id = u.url_id) as reason_with,
           u.attempts, u.submission_id, u.task_ids, s.request_id, s.code, s.message
    from v_urls as u left join v_submissions as s on s.submission_id = u.submission_id
    where u.url_id in (select url_id from (select url_id from urls where file_id = ?1 and state = 3 limit 10) as f
             union all select url_id from (select url_id from urls where file_id = ?1 and state = 4 limit 10) as e
             union all select url_id from (select url_id from urls where file_id = ?1 and state = 6 limit 10) as h
             union all select url_id from (select url_id from urls where file_id = ?1 and state = 7 limit 10) as u)
    order by u.url_id limit 10",
);

const NAMED: Sql = Sql::both(
    "
    select f.file_id, f.name, f.stored_name as stored_as, f.lines, v.dropped_at, f.host
    from files as f join v_files as v using (file_id) where f.name = ?1 and f.file_id <> ?2
    order by f.file_id desc limit 5",
);

/// Most rows of a file that are looked at.
const ROWS_MAX: i64 = 20_000;

/// How much of the queue is read for the forecast.
const BOUNDS: Bounds = Bounds { rows: 1_000, files: 1_000 };
const STEPS_MAX: u32 = 30_000;

/// The story of a file for a page, or why there is none.
#[derive(Debug, Clone)]
pub enum FilePage {
    /// There never was one of this number.
    None,
    /// Its URLs were forgotten; the name, and when it was dropped, if that is still known.
    Gone(Option<(String, Time)>),
    /// Its story, as far as the first rows tell.
    Here(Box<FileHere>),
}

/// The story of a file.
#[derive(Debug, Clone, Default)]
pub struct FileHere {
    /// What is known of it.
    pub story: FileStory,
    /// How long its URLs took from drop to warm: so many took about so many seconds, the shortest first.
    pub warm: Vec<(i64, i64)>,
    /// Set where the file has more rows than were looked at: how many those were.
    pub only_first: Option<i64>,
}

impl FilePage {
    /// Reads it.
    pub async fn read(conn: &mut Conn, config: &Config, file: i64, now: Time) -> Result<Self> {
        let Some(rows) = query(ROWS).bind(file).fetch_optional(&mut *conn).await? else {
            let last: Option<i64> = query_scalar(LAST_FILE).fetch_one(conn).await?;
            return Ok(if last.is_some_and(|last| file < last) { Self::Gone(None) } else { Self::None });
        };
        let mut accounts = queue::accounts_of(conn, &[FileId(file)]).await?;
        let Some(account) = accounts.remove(&FileId(file)) else { return Ok(Self::None) };
        let mut story = FileStory::of_account(file, account);
        story.progress = Progress::of_file(conn, file, now).await?;
        if story.queued > 0 && story.progress.all() == 0 {
            return Ok(Self::Gone(Some((rows.get(2), from_millis(rows.get(3))))));
        }
        let (from, to): (i64, i64) = (rows.get(0), rows.get(1));
        let end = to.min(from.saturating_add(ROWS_MAX - 1));
        let only_first = (end < to && story.queued > ROWS_MAX.unsigned_abs()).then_some(ROWS_MAX);
        story.read_short(conn, (from, end), config, now).await?;
        let warm = queue::warm_seconds(conn, FileId(file)).await?;
        let after = |seconds: Option<&(i64, i64)>| {
            seconds.map(|(seconds, _)| rfc3339(from_millis(rows.get::<i64, _>(3).saturating_add(seconds * 1000))))
        };
        (story.first_warm_at, story.last_warm_at) = (after(warm.first()), after(warm.last()));
        Ok(Self::Here(Box::new(FileHere { story, warm, only_first })))
    }
}

impl FileStory {
    async fn read_short(&mut self, conn: &mut Conn, (from, end): (i64, i64), config: &Config, now: Time) -> Result<()> {
        let row = query(super::WARM_SECONDS).bind(self.file_id).fetch_one(&mut *conn).await?;
        (self.warm_seconds_median, self.warm_seconds_p95) = (row.get(0), row.get(1));
        self.state = row.get(2);
        let sent = query(SENT).bind(self.file_id).bind(from).bind(end).fetch_one(&mut *conn).await?;
        let at = |at: Option<i64>| at.map(|at| rfc3339(from_millis(at)));
        (self.first_sent_at, self.last_sent_at) = (at(sent.get(0)), at(sent.get(1)));
        let because = |why: queue::Because| {
            let queue::Because { state, reason, code, with, urls } = why;
            let row = json!({
                "state": state, "reason": reason, "reason_code": code, "reason_with": with, "urls": urls
            });
            with_chinese(row.as_object().cloned().unwrap_or_default())
        };
        let reasons = queue::reasons_of_file(conn, FileId(self.file_id), (from, end)).await?;
        self.reasons = reasons.into_iter().map(because).collect();
        let bad = query(BAD).bind(self.file_id).fetch_all(&mut *conn).await?;
        self.failures = bad.iter().map(|row| with_chinese(object(row))).collect();
        if self.merged > 0 && self.merged <= ROWS_MAX.unsigned_abs() {
            let rows = query(super::MERGED_FAILURES).bind(self.file_id).fetch_all(&mut *conn).await?;
            self.failures.extend(rows.iter().map(|row| with_chinese(object(row))));
            self.failures.truncate(FAILURES_MAX);
        }
        let others = query(NAMED).bind(&self.name).bind(self.file_id).fetch_all(&mut *conn).await?;
        self.others = others.iter().map(of_host).collect();
        if self.progress.count(UrlState::Pending) > 0 {
            let forecasts = prospect(conn, config, BOUNDS, STEPS_MAX, now).await?.forecast(now);
            self.forecast = forecasts.of_file(self.file_id).cloned();
        }
        Ok(())
    }
}
