//! How far a file, or all files with a label, have come, and whether it makes sense to wait for more.
//! [`Progress::verdict`] is a pure function of the counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Effect, Lane, Reason, Time, UrlState};
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};
use crate::words::{self, Words};
use crate::{ledger, queue};

/// The latest file of a name that was dropped on a host, ...
const LATEST: Sql = Sql::both("select file_id from files where name = ?1 and host = ?2 order by file_id desc limit 1");

/// ... and the one with this stored name in its `done/` or `rejected/`.
const STORED: Sql =
    Sql::both("select file_id from files where stored_name = ?1 and host = ?2 order by file_id desc limit 1");

const IS_KNOWN: Sql = Sql::both(
    "
    select exists (select 1 from files where name = ?1) or exists (select 1 from files where stored_name = ?1)",
);

const BOOKED: Sql = Sql::both("select count(*) from files where stored_name = ?1 and host = ?2");

const LABELLED: Sql = Sql::both("select file_id from v_files where label = ?1 order by file_id desc limit 100000");

const COUNTS: Sql = Sql::both(
    "
    select name, progress, rejected_why, refused, fresh,
           pending, leased, submitted, complete, failed, expired, cancelled, held, unconfirmed,
           merged_pending, merged_leased, merged_submitted, merged_complete, merged_failed, merged_expired,
           merged_cancelled, merged_held, merged_unconfirmed
    from v_files where file_id in (select cast(value as bigint) from json_each(?1)) order by file_id desc",
);

/// Lines with a label of their own, in files with another one.
const OWN_LABEL: Sql = Sql::both(
    "
    select state, count(*) from v_urls
    where url_id in (select url_id from urls where label = ?1)
      and file_id not in (select file_id from v_files where label = ?1)
    group by state",
);

/// Held URLs that go on by themselves: on the next day there are requests for isolation again.
const RETURNING: Sql = Sql::both(
    "
    select count(*) from v_urls
    where state = 'held' and reason_code = 'isolation_spent'
      and file_id in (select cast(value as bigint) from json_each(?1))",
);

/// Why URLs of files are held, including those that their lines were merged into.
const HOLDS: Sql = Sql::both(
    "
    select u.reason, u.reason_code, max(u.reason_with), count(*)
    from v_urls as v join urls as u on u.url_id = v.url_id
    where v.state = 'held'
      and (v.file_id in (select cast(value as bigint) from json_each(?1))
           or v.url_id in (select w.url_id from wishes as w
                           where w.file_id in (select cast(value as bigint) from json_each(?1))))
    group by u.reason, u.reason_code order by count(*) desc limit 5",
);

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The service has accepted every URL.
    Sent,
    /// Every URL is warm.
    Warm,
}

/// What the counts say about a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every URL has reached it.
    Reached,
    /// It can still be reached.
    Open,
    /// It cannot be reached unless somebody does something.
    Stuck,
}

/// Where the URLs of a file, or of a label, are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Progress {
    /// Files that are counted.
    pub files: i64,
    /// URLs by state, including those that lines were merged into.
    pub urls: BTreeMap<String, i64>,
    /// Lines whose URL completed recently: they are warm already.
    pub fresh: i64,
    /// Lines that are not URLs that can be prefetched. They do not prevent a goal.
    pub refused: i64,
    /// Files that are still being read.
    pub reading: i64,
    /// Files that were rejected as a whole, and why; at most ten.
    pub rejected: Vec<Rejected>,
    /// Held URLs that go on by themselves.
    pub returning: i64,
    /// Why URLs are held, the most frequent reason first, five at most; empty while something else goes on.
    pub holds: Vec<Hold>,
    /// Whether this key may not ask for tasks, so that nobody tells whether accepted URLs are warm.
    pub is_untold: bool,
    /// What a URL is for which everything was done.
    #[serde(skip)]
    pub effect: Effect,
}

/// Why URLs are held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hold {
    /// How many.
    pub urls: i64,
    /// The reason's code.
    pub code: String,
    /// The reason.
    pub why: Words,
}

/// A file that was rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rejected {
    /// Its name when it was dropped.
    pub file: String,
    /// Why.
    pub why: String,
}

/// Most rejected files to name.
const REJECTED_MAX: usize = 10;

impl Progress {
    /// URLs in a state.
    pub fn count(&self, state: UrlState) -> i64 {
        self.urls.get(<&str>::from(state)).copied().unwrap_or(0)
    }

    /// All URLs, including fresh ones.
    pub fn all(&self) -> i64 {
        self.urls.values().sum::<i64>() + self.fresh
    }

    /// URLs that have reached the goal.
    pub fn reached(&self, goal: Goal) -> i64 {
        let warm = self.count(UrlState::Complete) + self.fresh;
        match goal {
            Goal::Warm => warm,
            Goal::Sent => warm + self.count(UrlState::Submitted) + self.count(UrlState::Unconfirmed),
        }
    }

    /// URLs that can still reach the goal by themselves.
    fn moving(&self, goal: Goal) -> i64 {
        let on_its_way = if goal == Goal::Warm && !self.is_untold { self.count(UrlState::Submitted) } else { 0 };
        self.count(UrlState::Pending) + self.count(UrlState::Leased) + self.returning + on_its_way
    }

    /// Whether the goal is reached, or can still be.
    pub fn verdict(&self, goal: Goal) -> Verdict {
        match () {
            () if self.reading > 0 || self.moving(goal) > 0 => Verdict::Open,
            () if self.rejected.is_empty() && self.reached(goal) == self.all() => Verdict::Reached,
            () => Verdict::Stuck,
        }
    }

    /// The latest file of this name that was dropped on this host, or the one with this stored name in its spool.
    pub async fn latest_file(conn: &mut Conn, host: &str, name: &str) -> Result<Option<i64>> {
        for statement in [LATEST, STORED] {
            if let Some(row) = query(statement).bind(name).bind(host).fetch_optional(&mut *conn).await? {
                return Ok(Some(row.get(0)));
            }
        }
        Ok(None)
    }

    /// Whether a file of this name, or with this stored name, was dropped on any host.
    pub async fn any_file(conn: &mut Conn, name: &str) -> Result<bool> {
        query_scalar(IS_KNOWN).bind(name).fetch_one(conn).await
    }

    /// Whether a file with this stored name in this host's spool has a row.
    pub async fn is_booked(conn: &mut Conn, host: &str, stored_name: &str) -> Result<bool> {
        Ok(query_scalar::<i64>(BOOKED).bind(stored_name).bind(host).fetch_one(conn).await? > 0)
    }

    /// How far one file has come.
    pub async fn of_file(conn: &mut Conn, file: i64, now: Time) -> Result<Self> {
        Self::of_files(conn, &[file], now).await
    }

    /// How far all files with a label, and lines with that label of their own, have come; none if there are none.
    pub async fn of_label(conn: &mut Conn, label: &str, now: Time) -> Result<Option<Self>> {
        let files: Vec<i64> = query_scalar(LABELLED).bind(label).fetch_all(&mut *conn).await?;
        let mut progress = Self::of_files(conn, &files, now).await?;
        for row in query(OWN_LABEL).bind(label).fetch_all(&mut *conn).await? {
            *progress.urls.entry(row.get(0)).or_default() += row.get::<i64, _>(1);
        }
        Ok((progress.files > 0 || progress.all() > 0).then_some(progress))
    }

    async fn of_files(conn: &mut Conn, files: &[i64], now: Time) -> Result<Self> {
        let effect = queue::effect_of(conn, files).await?;
        let files = serde_json::json!(files).to_string();
        let mut progress = Self { is_untold: is_untold(conn, now).await?, effect, ..Self::default() };
        for state in UrlState::ALL {
            progress.urls.insert(state.to_string(), 0);
        }
        for row in query(COUNTS).bind(&files).fetch_all(&mut *conn).await? {
            progress.add(&row);
        }
        if progress.count(UrlState::Held) > 0 {
            progress.returning = query_scalar(RETURNING).bind(&files).fetch_one(&mut *conn).await?;
            if [Goal::Sent, Goal::Warm].iter().any(|goal| progress.verdict(*goal) == Verdict::Stuck) {
                progress.holds = holds(conn, &files).await?;
            }
        }
        Ok(progress)
    }

    fn add(&mut self, row: &Row) {
        self.files += 1;
        for state in UrlState::ALL.map(<&str>::from) {
            let count = |column: &str| row.get::<i64, _>(column);
            *self.urls.entry(state.to_owned()).or_default() += count(state) + count(&format!("merged_{state}"));
        }
        self.refused += row.get::<i64, _>("refused");
        self.fresh += row.get::<i64, _>("fresh");
        match row.get::<&str, _>("progress") {
            "reading" => self.reading += 1,
            "rejected" if self.rejected.len() < REJECTED_MAX => {
                let why: Option<String> = row.get("rejected_why");
                self.rejected.push(Rejected { file: row.get("name"), why: why.unwrap_or_default() });
            }
            _ => {}
        }
    }
}

async fn holds(conn: &mut Conn, files: &str) -> Result<Vec<Hold>> {
    let rows = query(HOLDS).bind(files).fetch_all(conn).await?;
    let hold = |row: &Row| {
        let (text, code, with) = (row.get::<Option<String>, _>(0).unwrap_or_default(), row.get(1), row.get(2));
        let why = Reason::of_stored(code, with, &text);
        Hold { urls: row.get(3), code: why.kind.code().to_owned(), why: words::reason(&why) }
    };
    Ok(rows.iter().map(hold).collect())
}

/// Whether this key may not ask for tasks.
async fn is_untold(conn: &mut Conn, now: Time) -> Result<bool> {
    Ok(ledger::standing(conn, Lane::Prefetch, now).await?.tasks_refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(counts: &[(UrlState, i64)]) -> Progress {
        let urls = counts.iter().map(|(state, n)| (state.to_string(), *n)).collect();
        Progress { files: 1, urls, ..Progress::default() }
    }

    #[test]
    fn waiting_ends_when_all_is_reached_or_nothing_can_get_better_and_not_before() {
        use UrlState::{Cancelled, Complete, Expired, Failed, Held, Leased, Pending, Submitted, Unconfirmed};
        for (counts, sent, warm) in [
            (&[(Complete, 3)][..], Verdict::Reached, Verdict::Reached),
            (&[], Verdict::Reached, Verdict::Reached),
            (&[(Complete, 3), (Submitted, 1)], Verdict::Reached, Verdict::Open),
            (&[(Complete, 3), (Unconfirmed, 1)], Verdict::Reached, Verdict::Stuck),
            (&[(Complete, 3), (Unconfirmed, 1), (Submitted, 1)], Verdict::Reached, Verdict::Open),
            (&[(Failed, 1), (Pending, 1)], Verdict::Open, Verdict::Open),
            (&[(Failed, 1), (Leased, 1)], Verdict::Open, Verdict::Open),
            (&[(Failed, 1), (Submitted, 1)], Verdict::Stuck, Verdict::Open),
            (&[(Complete, 9), (Failed, 1)], Verdict::Stuck, Verdict::Stuck),
            (&[(Complete, 9), (Expired, 1)], Verdict::Stuck, Verdict::Stuck),
            (&[(Complete, 9), (Cancelled, 1)], Verdict::Stuck, Verdict::Stuck),
            (&[(Complete, 9), (Held, 1)], Verdict::Stuck, Verdict::Stuck),
        ] {
            let progress = progress(counts);
            assert_eq!([progress.verdict(Goal::Sent), progress.verdict(Goal::Warm)], [sent, warm], "{counts:?}");
        }
    }

    #[test]
    fn what_is_read_or_comes_back_by_itself_is_waited_for_and_what_is_never_told_is_not() {
        use UrlState::{Complete, Held, Submitted};
        let reading = Progress { reading: 1, ..progress(&[(Complete, 3)]) };
        assert_eq!(reading.verdict(Goal::Warm), Verdict::Open);
        let returning = Progress { returning: 2, ..progress(&[(Held, 2)]) };
        assert_eq!(returning.verdict(Goal::Warm), Verdict::Open);
        let untold = Progress { is_untold: true, ..progress(&[(Complete, 3), (Submitted, 1)]) };
        assert_eq!([untold.verdict(Goal::Sent), untold.verdict(Goal::Warm)], [Verdict::Reached, Verdict::Stuck]);
        let rejected = vec![Rejected { file: "a.txt".to_owned(), why: String::new() }];
        assert_eq!(Progress { rejected, ..Progress::default() }.verdict(Goal::Sent), Verdict::Stuck);
        let refused = Progress { refused: 5, fresh: 2, ..progress(&[(Complete, 3)]) };
        assert_eq!(refused.verdict(Goal::Warm), Verdict::Reached);
    }
}
