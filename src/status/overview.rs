//! What the page in the browser shows besides the report: the spending of the day, domains that are not well, the last
//! batches, and files page by page. Every read is bounded, however large the queue is.

use std::fmt;
use std::str::FromStr;

use super::report::{FileReport, StatusReport, files_by_id};
use crate::config::Config;
use crate::model::{BudgetDay, Lane, Reason, Time, from_millis};
use crate::service::policy;
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};
use crate::words::{self, Words};
use crate::{ledger, queue};

/// What was charged, in steps of five minutes: at most 288 rows a day.
const SPENDING: Sql = Sql::both(
    "
    select unixepoch(opened_at) / 300 as step, cast(sum(cost) as bigint) as requests,
           cast(sum(iif(outcome in ('accepted', 'in_doubt', 'open', 'unavailable'), urls, 0)) as bigint) as urls
    from v_submissions where opened_at >= ?1 and opened_at < ?2 and action = ?3
    group by step order by step limit 600",
);

const BATCHES: Sql = Sql::both(
    "
    select submission_id, opened_at, ended_at, urls, cost, outcome, code, request_id, action
    from v_submissions order by submission_id desc limit ?1",
);

/// Files with pending URLs after a place in their order, the most urgent first.
const WAITING: Sql = Sql::both(
    "
    select file_id, priority, coalesce(deadline, 9223372036854775807) as due from files
    where pending > 0 and (priority, coalesce(deadline, 9223372036854775807), file_id) > (?1, ?2, ?3)
    order by priority, coalesce(deadline, 9223372036854775807), file_id limit ?4",
);

/// The other files, the latest first: those among the next five thousand rows.
const SETTLED: Sql = Sql::both(
    "
    select file_id
    from (select file_id, pending from files where file_id < ?1 order by file_id desc limit 5000) as latest
    where pending = 0 order by file_id desc limit ?2",
);

/// The row where the search for those ends.
const SETTLED_END: Sql = Sql::both(
    "
    select file_id from files where file_id < ?1 order by file_id desc limit 1 offset 5000",
);

/// Most domains and batches to show.
const HOSTS_MAX: u32 = 20;
const BATCHES_MAX: u32 = 10;

/// The seconds of a step of the spending.
const STEP_SECONDS: i64 = 300;

/// A place in the list of files: the page after it begins behind it. Written as one word, as in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesAfter {
    /// Among the files that wait, behind the one with this priority, deadline in milliseconds, and row.
    Waiting(i64, i64, i64),
    /// Among the others, below this row.
    Settled(i64),
}

impl FilesAfter {
    /// Before the first file.
    pub const START: Self = Self::Waiting(-1, i64::MIN, i64::MIN);
}

impl fmt::Display for FilesAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(priority, due, file) if *due == i64::MAX => write!(f, "w.{priority}.-.{file}"),
            Self::Waiting(priority, due, file) => write!(f, "w.{priority}.{due}.{file}"),
            Self::Settled(file) => write!(f, "d.{file}"),
        }
    }
}

impl FromStr for FilesAfter {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let number = |part: &str| part.parse::<u32>().map(i64::from).map_err(drop);
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            ["w", priority, "-", file] => Ok(Self::Waiting(number(priority)?, i64::MAX, number(file)?)),
            ["w", priority, due, file] => {
                let due = due.parse::<u64>().map_err(drop)?;
                Ok(Self::Waiting(number(priority)?, i64::try_from(due).map_err(drop)?, number(file)?))
            }
            ["d", file] => Ok(Self::Settled(number(file)?)),
            _ => Err(()),
        }
    }
}

/// What was charged in one step of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// When the step begins.
    pub at: Time,
    /// Requests.
    pub requests: i64,
    /// URLs.
    pub urls: i64,
}

/// The budget day of an action beside prefetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneDay {
    /// The action.
    pub lane: Lane,
    /// The day that is charged now.
    pub day: BudgetDay,
    /// Most URLs or directories of it, where the service does not tell; none if they are not limited.
    pub limit: Option<u32>,
    /// What was charged on it, in order of time.
    pub spending: Vec<Spending>,
}

/// A domain that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    /// Its name.
    pub host: String,
    /// Whether it is known to the account and offline; else it is refused.
    pub is_offline: bool,
    /// Why.
    pub why: Words,
    /// Since when.
    pub since: Time,
    /// Its URLs that wait.
    pub pending: i64,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchReport {
    /// Its row.
    pub submission_id: i64,
    /// Its action.
    pub action: String,
    /// When it was sent, RFC 3339.
    pub opened_at: String,
    /// When its tasks had ended, RFC 3339.
    pub ended_at: Option<String>,
    /// URLs in it.
    pub urls: i64,
    /// Requests charged.
    pub cost: i64,
    /// What became of it.
    pub outcome: String,
    /// The service's code.
    pub code: Option<String>,
    /// The service's ID of the call.
    pub request_id: Option<String>,
}

/// Everything that the first page shows.
#[derive(Debug, Clone)]
pub struct Overview {
    /// What `status` says.
    pub report: StatusReport,
    /// The budget day that is charged now.
    pub day: Option<BudgetDay>,
    /// What was charged on it, in order of time.
    pub spending: Vec<Spending>,
    /// The days of the other actions, whether they are in use or not.
    pub lanes: Vec<LaneDay>,
    /// Domains that are not well.
    pub hosts: Vec<HostReport>,
    /// The last batches, the latest first.
    pub batches: Vec<BatchReport>,
    /// Where the page of files stands; none for the first.
    pub after: Option<FilesAfter>,
    /// One page of files.
    pub files: Vec<FileReport>,
    /// Where the next page begins.
    pub next: Option<FilesAfter>,
}

impl Overview {
    /// Reads what stands beside the report: of the files at most `files` behind `after`.
    pub async fn read(
        conn: &mut Conn,
        config: &Config,
        (after, files): (Option<FilesAfter>, u32),
        now: Time,
    ) -> Result<Self> {
        let day = ledger::today(conn, Lane::Prefetch, config.budget.day_starts, now).await?;
        let spending = spending(conn, Lane::Prefetch, &day).await?;
        let mut lanes = Vec::new();
        for lane in [Lane::Purge, Lane::PurgeDirectory] {
            let day = ledger::today(conn, lane, config.budget.day_starts, now).await?;
            let policy = policy(config, lane);
            let limit = policy.urls_per_day.or(policy.urls_unless_told);
            lanes.push(LaneDay { lane, day, limit, spending: self::spending(conn, lane, &day).await? });
        }
        let hosts = queue::unwell_hosts(conn, HOSTS_MAX).await?;
        let batches = query(BATCHES).bind(BATCHES_MAX).fetch_all(&mut *conn).await?;
        let (files, next) = files_after(conn, after.unwrap_or(FilesAfter::START), files).await?;
        Ok(Self {
            day: Some(day),
            spending,
            lanes,
            hosts: hosts.into_iter().map(host).collect(),
            batches: batches.iter().map(batch).collect(),
            after,
            files,
            next,
            ..Self::of_report(StatusReport::default())
        })
    }

    /// Only what a report says, as that of a daemon whose database is lost.
    pub fn of_report(report: StatusReport) -> Self {
        Self {
            report,
            day: None,
            spending: Vec::new(),
            lanes: Vec::new(),
            hosts: Vec::new(),
            batches: Vec::new(),
            after: None,
            files: Vec::new(),
            next: None,
        }
    }
}

/// At most so many files behind a place, and the place of the next page, if there may be one.
async fn files_after(conn: &mut Conn, after: FilesAfter, most: u32) -> Result<(Vec<FileReport>, Option<FilesAfter>)> {
    let most = most as usize;
    let mut places = Vec::new();
    let mut below = i64::MAX;
    match after {
        FilesAfter::Waiting(priority, due, file) => {
            let query = query(WAITING).bind(priority).bind(due).bind(file).bind(i64::try_from(most + 1).unwrap_or(1));
            let rows = query.fetch_all(&mut *conn).await?;
            places.extend(rows.iter().map(|row| (row.get(0), FilesAfter::Waiting(row.get(1), row.get(2), row.get(0)))));
        }
        FilesAfter::Settled(file) => below = file,
    }
    let mut end = None;
    if places.len() <= most {
        let wanted = i64::try_from(most + 1 - places.len()).unwrap_or(1);
        let rows: Vec<i64> = query_scalar(SETTLED).bind(below).bind(wanted).fetch_all(&mut *conn).await?;
        places.extend(rows.into_iter().map(|file| (file, FilesAfter::Settled(file))));
        if places.len() <= most {
            end = query_scalar(SETTLED_END).bind(below).fetch_optional(&mut *conn).await?;
        }
    }
    // Files that were there when the page was made stand on one page alone.
    let next = if places.len() > most {
        places.get(most.saturating_sub(1)).map(|(_, place)| *place)
    } else {
        end.map(|file: i64| FilesAfter::Settled(file + 1))
    };
    places.truncate(most);
    let ids: Vec<i64> = places.iter().map(|(file, _)| *file).collect();
    let mut files = files_by_id(conn, &ids).await?;
    files.sort_by_key(|file| ids.iter().position(|id| *id == file.file_id));
    Ok((files, next))
}

/// A time as the views write it.
fn view_time(at: Time) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// What was charged to a day of a lane.
async fn spending(conn: &mut Conn, lane: Lane, day: &BudgetDay) -> Result<Vec<Spending>> {
    let spending = query(SPENDING).bind(view_time(day.starts_at)).bind(view_time(day.ends_at)).bind(lane.word());
    Ok(spending.fetch_all(conn).await?.iter().map(spent).collect())
}

fn spent(row: &Row) -> Spending {
    let at = from_millis(row.get::<i64, _>(0) * STEP_SECONDS * 1000);
    Spending { at, requests: row.get(1), urls: row.get(2) }
}

fn host(host: queue::UnwellHost) -> HostReport {
    let why = words::reason(&Reason::of_stored(host.code.as_deref(), host.with.as_deref(), &host.why));
    let queue::UnwellHost { host, is_offline, since, pending, .. } = host;
    HostReport { host, is_offline, why, since, pending }
}

fn batch(row: &Row) -> BatchReport {
    BatchReport {
        submission_id: row.get(0),
        opened_at: row.get(1),
        ended_at: row.get(2),
        urls: row.get(3),
        cost: row.get(4),
        outcome: row.get(5),
        code: row.get(6),
        request_id: row.get(7),
        action: row.get(8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_is_one_word_and_anything_else_is_none() {
        for place in
            [FilesAfter::Waiting(2, i64::MAX, 7), FilesAfter::Waiting(0, 1_795_000_000_000, 3), FilesAfter::Settled(9)]
        {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "w", "d", "w.1.2", "w.1.2.3.4", "d.-1", "d.x", "w.a.-.1", "W.1.-.1", "d.99999999999999999999"]
        {
            assert_eq!(text.parse::<FilesAfter>(), Err(()), "{text}");
        }
    }
}
