//! Lines become rows. Called by the spool with a chunk of one file, in the transaction that also moves the file's
//! mark of what has been read: after a crash both are there or neither is.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::tally::Moves;
use crate::model::{FileId, HostId, ObjectUrl, Priority, Time, UrlId, UrlState, to_millis};
use crate::store::{Result, WriteTx};

/// Rows handed over in one statement; more gains nothing (PERFORMANCE.md, "Statement size").
const ROWS_A_STATEMENT: usize = 2_000;

const ADD_HOSTS: &str = "
    insert into hosts (host, since) select value, ?2 from json_each(?1) where true on conflict (host) do nothing";

const HOST_IDS: &str = "
    select host, host_id, standing in ('refused', 'offline')
    from hosts where host in (select value from json_each(?1))";

const LAST_URL: &str = "select coalesce(max(url_id), 0) from urls";

const ADDED: &str = "
    select host_id, priority, count(*), min(url_id), max(url_id)
    from urls where url_id > ?1 group by host_id, priority";

/// Between which rows a file's URLs lie: known from its first chunk on.
const FILE_RANGE: &str = "
    update files set url_from = iif(url_from = 0, ?2, url_from), url_to = ?3 where file_id = ?1";

/// None yet.
const NO_FILE_RANGE: &str = "update files set url_to = 0 where file_id = ?1 and url_from = 0";

const HOST_RANGES: &str = "
    update hosts set url_from = iif(url_from = 0, j.lo, url_from), url_to = j.hi
    from (select value ->> 0 as id, min(value ->> 1) as lo, max(value ->> 2) as hi from json_each(?1) group by 1) as j
    where hosts.host_id = j.id";

const ADDED_LINES: &str = "select line from urls where url_id > ?1";

/// Pending URLs that were dropped again with a stronger priority, an earlier deadline or an earlier time.
const WEAKER: &str = "
    select u.url_id, u.file_id, u.host_id, u.priority, u.suspect
    from (select value ->> 0 as url_key, value ->> 1 as url from json_each(?1)) as j
    join urls as u on u.url_key = j.url_key and u.url = j.url and u.state in (0, 1, 2)
    where u.state = 0
      and (u.priority > ?2 or coalesce(?3 < coalesce(u.deadline, ?3 + 1), false)
           or (u.not_before is not null and u.not_before > coalesce(?4, 0)))";

/// Of URLs that were not added, those that completed lately and are not queued again since.
const FRESH: &str = "
    select count(*)
    from (select value ->> 0 as url_key, value ->> 1 as url from json_each(?1)) as j
    where exists (select 1 from urls as u
                  where u.url_key = j.url_key and u.url = j.url and u.state in (0, 1, 2) and u.state = 2 and u.ended_at > ?2)
      and not exists (select 1 from urls as u
                      where u.url_key = j.url_key and u.url = j.url and u.state in (0, 1, 2) and u.state <> 2)";

const STRENGTHEN: &str = "
    update urls set
        priority   = min(priority, ?2),
        deadline   = coalesce(min(deadline, ?3), deadline, ?3),
        wait_until = case when wait_until = not_before then min(not_before, ?4) else wait_until end,
        not_before = min(not_before, ?4)
    where url_id = ?1";

/// What the user asked of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    /// Urgent goes first.
    pub priority: Priority,
    /// A word to find it by.
    pub label: Option<String>,
    /// Not to be sent before.
    pub not_before: Option<Time>,
    /// Not to be sent after.
    pub deadline: Option<Time>,
    /// To be sent even if it is fresh.
    pub force: bool,
}

/// A checked line.
#[derive(Debug)]
pub struct NewUrl {
    /// Its number in the file, from 1.
    pub line: u64,
    /// The URL on it.
    pub url: ObjectUrl,
    /// What is asked of it, where that is not what is asked of its file.
    pub keys: Option<Arc<Keys>>,
}

/// What became of the lines of a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Rows added.
    pub queued: u64,
    /// Lines whose URL was pending, leased or submitted already, or stood twice in the chunk.
    pub merged: u64,
    /// Lines whose URL completed lately.
    pub fresh: u64,
}

/// A line with the hash of its URL.
type Keyed = (i64, NewUrl);

/// Queues the URLs of a chunk that are not live already and did not complete after `fresh_since`; where one is live and
/// still pending, the stronger priority, the earlier deadline and the earlier time win.
///
/// # Errors
///
/// What the database says; the caller's transaction is to be dropped then.
pub async fn enqueue_tx(
    tx: &mut WriteTx<'_>,
    file: FileId,
    keys: &Keys,
    urls: Vec<NewUrl>,
    fresh_since: Time,
    now: Time,
) -> Result<Enqueued> {
    let lines = urls.len() as u64;
    // In the order of the index, so that a chunk walks its pages once. The row numbers keep the order of arrival: lines of
    // a chunk are in order, so that the one `n` lines after the first is row `last + 1 + n`.
    let first_line = urls.first().map_or(0, |new| new.line);
    let (groups, again) = in_order(keys, urls);

    let conn = tx.conn();
    let last: i64 = sqlx::query_scalar(LAST_URL).fetch_one(&mut *conn).await?;
    let hosts = host_ids(conn, groups.values().flatten(), now).await?;
    let row_of = |new: &NewUrl| last + 1 + i64::try_from(new.line - first_line).unwrap_or(i64::MAX);
    let (mut queued, mut unique) = (0, 0);
    for (group_keys, rows) in &groups {
        let own_label = group_keys.label.as_deref().filter(|_| group_keys.label != keys.label);
        let fresh_since = if group_keys.force { i64::MAX } else { to_millis(fresh_since) };
        unique += rows.len() as u64;
        for rows in rows.chunks(ROWS_A_STATEMENT) {
            let asked = Asked { file, keys: group_keys, own_label, fresh_since, now };
            queued += insert(conn, &asked, rows, &hosts, row_of).await?;
        }
    }
    let mut moves = Moves::default();
    let mut ranges: Vec<(i64, i64, i64)> = Vec::new();
    for row in sqlx::query(ADDED).bind(last).fetch_all(&mut *conn).await? {
        let priority = Priority::from_rank(row.get(1));
        moves.add(file, HostId(row.get(0)), priority, UrlState::Pending, row.get(2));
        ranges.push((row.get(0), row.get(3), row.get(4)));
    }
    note_ranges(conn, file, &ranges).await?;
    let mut fresh = 0;
    if queued < unique || !again.is_empty() {
        let added: Vec<i64> = sqlx::query_scalar(ADDED_LINES).bind(last).fetch_all(&mut *conn).await?;
        let added: HashSet<i64> = added.into_iter().collect();
        for (group_keys, rows) in groups.iter().chain(&again) {
            let fresh_since = if group_keys.force { i64::MAX } else { to_millis(fresh_since) };
            let known = rows.iter().filter(|(_, new)| !added.contains(&i64::try_from(new.line).unwrap_or(i64::MAX)));
            let known: Vec<(i64, &str)> = known.map(|(key, new)| (*key, new.url.as_str())).collect();
            let known = serde_json::json!(known).to_string();
            fresh += sqlx::query_scalar::<_, i64>(FRESH).bind(&known).bind(fresh_since).fetch_one(&mut *conn).await?;
            strengthen(conn, group_keys, &known, &mut moves, now).await?;
        }
    }
    moves.apply(conn).await?;
    let fresh = fresh.unsigned_abs();
    Ok(Enqueued { queued, fresh, merged: lines - queued - fresh })
}

/// Widens what is known of where the URLs of a file and of its hosts lie, by the first and last row that each host got.
async fn note_ranges(conn: &mut SqliteConnection, file: FileId, hosts: &[(i64, i64, i64)]) -> Result<()> {
    let first = hosts.iter().map(|(_, first, _)| *first).min();
    let last = hosts.iter().map(|(_, _, last)| *last).max();
    let (Some(first), Some(last)) = (first, last) else {
        sqlx::query(NO_FILE_RANGE).bind(file.0).execute(conn).await?;
        return Ok(());
    };
    sqlx::query(FILE_RANGE).bind(file.0).bind(first).bind(last).execute(&mut *conn).await?;
    sqlx::query(HOST_RANGES).bind(serde_json::json!(hosts).to_string()).execute(conn).await?;
    Ok(())
}

/// Lines with the same keys, each group in the order of the index.
type Groups = BTreeMap<Keys, Vec<Keyed>>;

/// The lines of a chunk by their keys, and those whose URL stands in the chunk before them.
fn in_order(file: &Keys, urls: Vec<NewUrl>) -> (Groups, Groups) {
    let mut keyed: Vec<Keyed> = urls.into_iter().map(|new| (new.url.key(), new)).collect();
    keyed.sort_by(|(a_key, a), (b_key, b)| (a_key, a.url.as_str(), a.line).cmp(&(b_key, b.url.as_str(), b.line)));
    let (mut groups, mut again) = (Groups::new(), Groups::new());
    let mut before: Option<ObjectUrl> = None;
    for (key, new) in keyed {
        let keys = new.keys.as_deref().unwrap_or(file);
        let to = if before.as_ref() == Some(&new.url) { &mut again } else { &mut groups };
        before = Some(new.url.clone());
        match to.get_mut(keys) {
            Some(rows) => rows.push((key, new)),
            None => drop(to.insert(keys.clone(), vec![(key, new)])),
        }
    }
    (groups, again)
}

/// What is the same for the rows of one statement.
struct Asked<'a> {
    file: FileId,
    keys: &'a Keys,
    own_label: Option<&'a str>,
    fresh_since: i64,
    now: Time,
}

/// By name: its row, and whether its URLs are parked.
type HostIds = std::collections::HashMap<String, (i64, bool)>;

async fn host_ids(conn: &mut SqliteConnection, keyed: impl Iterator<Item = &Keyed>, now: Time) -> Result<HostIds> {
    let names: HashSet<&str> = keyed.map(|(_, new)| new.url.host()).collect();
    let names = serde_json::json!(names).to_string();
    sqlx::query(ADD_HOSTS).bind(&names).bind(to_millis(now)).execute(&mut *conn).await?;
    let rows = sqlx::query(HOST_IDS).bind(&names).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

async fn insert(
    conn: &mut SqliteConnection,
    asked: &Asked<'_>,
    rows: &[Keyed],
    hosts: &HostIds,
    row_of: impl Fn(&NewUrl) -> i64,
) -> Result<u64> {
    let not_before = asked.keys.not_before.map(to_millis);
    let mut query = sqlx::query(AssertSqlSafe(insert_statement(rows.len())))
        .bind(asked.file.0)
        .bind(asked.keys.priority.rank())
        .bind(not_before)
        .bind(asked.keys.deadline.map(to_millis))
        .bind(not_before.filter(|at| *at > to_millis(asked.now)))
        .bind(asked.own_label);
    for (key, new) in rows {
        let (host, parked) = hosts.get(new.url.host()).copied().unzip();
        query = query
            .bind(i64::try_from(new.line).unwrap_or(i64::MAX))
            .bind(new.url.as_str())
            .bind(key)
            .bind(host)
            .bind(row_of(new))
            .bind(parked);
    }
    Ok(query.bind(asked.fresh_since).execute(conn).await?.rows_affected())
}

/// The insert of `rows` rows, those left out whose URL is live or fresh. Its parameters have no numbers: SQLite looks
/// numbered ones up by walking a list of all of them, which for thousands takes most of the time.
fn insert_statement(rows: usize) -> String {
    let values = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!(
        "insert into urls
             (url_id, file_id, line, url, url_key, host_id, priority, not_before, deadline, wait_until, label, parked)
         select v.column5, ?, v.column1, v.column2, v.column3, v.column4, ?, ?, ?, ?, ?, v.column6
         from (values {values}) as v
         where not exists (select 1 from urls as u
                           where u.url_key = v.column3 and u.url = v.column2 and u.state in (0, 1, 2)
                             and (u.state <> 2 or u.ended_at > ?))"
    )
}

/// Gives the pending ones of these URLs what is stronger in these keys.
async fn strengthen(conn: &mut SqliteConnection, keys: &Keys, known: &str, moves: &mut Moves, now: Time) -> Result<()> {
    let (priority, deadline) = (keys.priority.rank(), keys.deadline.map(to_millis));
    // Without a time of its own the new line may go at once.
    let not_before = keys.not_before.map_or_else(|| to_millis(now), to_millis);
    let weaker =
        sqlx::query(WEAKER).bind(known).bind(priority).bind(deadline).bind(not_before).fetch_all(&mut *conn).await?;
    for row in weaker {
        let (id, file, host) = (UrlId(row.get(0)), FileId(row.get(1)), HostId(row.get(2)));
        let old = Priority::from_rank(row.get(3));
        sqlx::query(STRENGTHEN).bind(id.0).bind(priority).bind(deadline).bind(not_before).execute(&mut *conn).await?;
        let state = if row.get::<i64, _>(4) == 2 { UrlState::Held } else { UrlState::Pending };
        moves.add(file, host, old, state, -1);
        moves.add(file, host, old.min(keys.priority), state, 1);
    }
    Ok(())
}
