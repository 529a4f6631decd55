//! Lines become rows. Called by the spool with a chunk of one file, in the transaction that also moves the file's
//! mark of what has been read: after a crash both are there or neither is.
//!
//! Three passes, each in the order in which its table is laid out: the keys of the chunk are looked up in key order, the new
//! rows are added in the file's order, their keys in key order again. So a chunk walks each page once, however large the queue is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rusqlite::{Connection, Row, Statement, params};

use super::tally::Moves;
use crate::model::{FileId, HostId, ObjectUrl, Priority, Time, UrlState, to_millis};

const LAST_URL: &str = "select coalesce(max(url_id), 0) from urls";

const ADD_HOST: &str = "insert into hosts (host, since) values (?1, ?2) on conflict (host) do nothing";

const HOST: &str = "select host_id, standing in ('refused', 'offline') from hosts where host = ?1";

const KNOWN: &str = "
    select u.url, u.state, u.ended_at, u.url_id, u.file_id, u.host_id, u.priority, u.suspect, u.deadline, u.not_before
    from url_keys as k join urls as u on u.url_id = k.url_id
    where k.url_key = ?1";

const ADD: &str = "
    insert into urls (url_id, line, url, host_id, parked, file_id, priority, not_before, deadline, wait_until, label)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const ADD_KEY: &str = "insert into url_keys (url_key, url_id) values (?1, ?2)";

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

/// Checked lines of one file, in the file's order. Their URLs stand in one text, so that a hundred thousand of them cost no more
/// than their bytes and can be cleared and filled again.
#[derive(Debug, Default)]
pub struct NewUrls {
    text: String,
    rows: Vec<NewRow>,
}

#[derive(Debug)]
struct NewRow {
    key: i64,
    line: u64,
    at: u32,
    bytes: u32,
    host_at: u8,
    host_bytes: u8,
    /// What is asked of it, where that is not what is asked of its file.
    keys: Option<Arc<Keys>>,
}

impl NewUrls {
    /// Adds the URL of a line; `keys` where they are not those of its file.
    ///
    /// # Panics
    ///
    /// When there are more than 4 GiB of text: chunks are bounded far below.
    pub fn push(&mut self, line: u64, url: &ObjectUrl, keys: Option<Arc<Keys>>) {
        let narrow = |n: usize| u32::try_from(n).expect("a chunk's text is bounded");
        let host = url.host_range();
        let [host_at, host_bytes] =
            [host.start, host.len()].map(|n| u8::try_from(n).expect("a domain has 253 bytes at most"));
        let (at, bytes) = (narrow(self.text.len()), narrow(url.as_str().len()));
        self.rows.push(NewRow { key: url.key(), line, at, bytes, host_at, host_bytes, keys });
        self.text.push_str(url.as_str());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of text.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Removes all and keeps the room.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    fn url(&self, row: &NewRow) -> &str {
        &self.text[row.at as usize..(row.at + row.bytes) as usize]
    }

    fn host(&self, row: &NewRow) -> &str {
        &self.url(row)[usize::from(row.host_at)..usize::from(row.host_at) + usize::from(row.host_bytes)]
    }

    /// Positions in the order of keys; lines with the same URL are neighbours, in the file's order.
    fn in_key_order(&self) -> Vec<u32> {
        let mut order: Vec<(i64, u32)> = (0..).zip(&self.rows).map(|(at, row)| (row.key, at)).collect();
        order.sort_unstable();
        for same in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            same.sort_by_key(|(_, at)| (self.url(&self.rows[*at as usize]), *at));
        }
        order.into_iter().map(|(_, at)| at).collect()
    }
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

/// Queues the URLs of a chunk that are not live already and did not complete after `fresh_since`; where one is live and
/// still pending, the stronger priority, the earlier deadline and the earlier time win.
///
/// # Errors
///
/// What the database says; the caller's transaction is to be dropped then.
pub fn enqueue(
    conn: &Connection,
    file: FileId,
    keys: &Keys,
    urls: &NewUrls,
    fresh_since: Time,
    now: Time,
) -> rusqlite::Result<Enqueued> {
    let mut queue = Enqueue::new(conn, file, keys, urls, fresh_since, now)?;
    let order = urls.in_key_order();
    let mut repeats = Vec::new();
    let mut is_new = vec![false; urls.len()];
    let mut before: Option<&NewRow> = None;
    for at in &order {
        let row = &urls.rows[*at as usize];
        let repeated = before.is_some_and(|before| before.key == row.key && urls.url(before) == urls.url(row));
        before = Some(row);
        if repeated {
            repeats.push(row);
        } else {
            is_new[*at as usize] = !queue.merge(row)?;
        }
    }
    let mut ids = vec![0_i64; urls.len()];
    for (at, row) in urls.rows.iter().enumerate().filter(|(at, _)| is_new[*at]) {
        ids[at] = queue.add(row)?;
    }
    for at in order.into_iter().map(|at| at as usize).filter(|at| is_new[*at]) {
        queue.add_key(&urls.rows[at], ids[at])?;
    }
    // What stands twice in the chunk finds its first line there by now.
    for row in repeats {
        if !queue.merge(row)? {
            let id = queue.add(row)?;
            queue.add_key(row, id)?;
        }
    }
    queue.finish()
}

/// A domain of the chunk.
struct ChunkHost {
    id: HostId,
    parked: bool,
    /// New rows by priority.
    added: [i64; 4],
}

/// A chunk on its way into the queue.
struct Enqueue<'c> {
    conn: &'c Connection,
    file: FileId,
    keys: &'c Keys,
    urls: &'c NewUrls,
    fresh_since: Time,
    now: Time,
    known: Statement<'c>,
    add: Statement<'c>,
    add_key: Statement<'c>,
    /// The keys that are bound in `add`.
    bound: Option<&'c Keys>,
    hosts: HashMap<&'c str, ChunkHost>,
    last: i64,
    moves: Moves,
    enqueued: Enqueued,
}

/// What is known of a URL.
enum Known {
    /// Nothing that counts.
    Nothing,
    /// It completed lately.
    Fresh,
    /// It is leased or submitted.
    Sent,
    /// It waits.
    Pending(PendingRow),
}

struct PendingRow {
    id: i64,
    file: FileId,
    host: HostId,
    priority: Priority,
    is_held: bool,
    deadline: Option<i64>,
    not_before: Option<i64>,
}

impl<'c> Enqueue<'c> {
    fn new(
        conn: &'c Connection,
        file: FileId,
        keys: &'c Keys,
        urls: &'c NewUrls,
        fresh_since: Time,
        now: Time,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            file,
            keys,
            urls,
            fresh_since,
            now,
            known: conn.prepare(KNOWN)?,
            add: conn.prepare(ADD)?,
            add_key: conn.prepare(ADD_KEY)?,
            bound: None,
            hosts: HashMap::new(),
            last: conn.query_row(LAST_URL, [], |row| row.get(0))?,
            moves: Moves::default(),
            enqueued: Enqueued::default(),
        })
    }

    fn keys_of(&self, row: &'c NewRow) -> &'c Keys {
        row.keys.as_deref().unwrap_or(self.keys)
    }

    /// Merges a line whose URL is known; false if it is new.
    fn merge(&mut self, row: &'c NewRow) -> rusqlite::Result<bool> {
        let keys = self.keys_of(row);
        let fresh_since = if keys.force { i64::MAX } else { to_millis(self.fresh_since) };
        match look_up(&mut self.known, row.key, self.urls.url(row), fresh_since)? {
            Known::Nothing => return Ok(false),
            Known::Fresh => self.enqueued.fresh += 1,
            Known::Sent => self.enqueued.merged += 1,
            Known::Pending(pending) => {
                self.enqueued.merged += 1;
                self.strengthen(&pending, keys)?;
            }
        }
        Ok(true)
    }

    /// Gives a pending row what is stronger in these keys.
    fn strengthen(&mut self, row: &PendingRow, keys: &Keys) -> rusqlite::Result<()> {
        let deadline = keys.deadline.map(to_millis);
        // Without a time of its own the new line may go at once.
        let not_before = keys.not_before.map_or_else(|| to_millis(self.now), to_millis);
        let stronger = keys.priority < row.priority
            || deadline.is_some_and(|new| row.deadline.is_none_or(|old| new < old))
            || row.not_before.is_some_and(|old| old > not_before);
        if !stronger {
            return Ok(());
        }
        self.conn.execute(STRENGTHEN, params![row.id, keys.priority.rank(), deadline, not_before])?;
        let state = if row.is_held { UrlState::Held } else { UrlState::Pending };
        self.moves.add(row.file, row.host, row.priority, state, -1);
        self.moves.add(row.file, row.host, row.priority.min(keys.priority), state, 1);
        Ok(())
    }

    /// Adds a row, without its key.
    fn add(&mut self, row: &'c NewRow) -> rusqlite::Result<i64> {
        let keys = self.keys_of(row);
        if !self.bound.is_some_and(|bound| std::ptr::eq(bound, keys)) {
            self.bind_keys(keys)?;
        }
        let (host, parked) = self.host(row, keys.priority)?;
        self.last += 1;
        self.add.raw_bind_parameter(1, self.last)?;
        self.add.raw_bind_parameter(2, row.line.cast_signed())?;
        self.add.raw_bind_parameter(3, self.urls.url(row))?;
        self.add.raw_bind_parameter(4, host.0)?;
        self.add.raw_bind_parameter(5, parked)?;
        self.add.raw_execute()?;
        self.enqueued.queued += 1;
        Ok(self.last)
    }

    fn add_key(&mut self, row: &NewRow, id: i64) -> rusqlite::Result<()> {
        self.add_key.raw_bind_parameter(1, row.key)?;
        self.add_key.raw_bind_parameter(2, id)?;
        self.add_key.raw_execute().map(|_| ())
    }

    /// What is the same for all rows with these keys.
    fn bind_keys(&mut self, keys: &'c Keys) -> rusqlite::Result<()> {
        let not_before = keys.not_before.map(to_millis);
        self.add.raw_bind_parameter(6, self.file.0)?;
        self.add.raw_bind_parameter(7, keys.priority.rank())?;
        self.add.raw_bind_parameter(8, not_before)?;
        self.add.raw_bind_parameter(9, keys.deadline.map(to_millis))?;
        self.add.raw_bind_parameter(10, not_before.filter(|at| *at > to_millis(self.now)))?;
        self.add.raw_bind_parameter(11, keys.label.as_deref().filter(|_| keys.label != self.keys.label))?;
        self.bound = Some(keys);
        Ok(())
    }

    /// The domain of a row that is added with this priority, and whether its URLs are parked.
    fn host(&mut self, row: &NewRow, priority: Priority) -> rusqlite::Result<(HostId, bool)> {
        let name = self.urls.host(row);
        let host = match self.hosts.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.conn.execute(ADD_HOST, params![name, to_millis(self.now)])?;
                let found = self.conn.query_row(HOST, [name], |row| Ok((HostId(row.get(0)?), row.get(1)?)))?;
                new.insert(ChunkHost { id: found.0, parked: found.1, added: [0; 4] })
            }
        };
        host.added[priority as usize] += 1;
        Ok((host.id, host.parked))
    }

    /// Brings the counters up to date.
    fn finish(mut self) -> rusqlite::Result<Enqueued> {
        for host in self.hosts.values() {
            for (priority, added) in Priority::ALL.into_iter().zip(host.added).filter(|(_, added)| *added > 0) {
                self.moves.add(self.file, host.id, priority, UrlState::Pending, added);
            }
        }
        self.moves.apply_bulk(self.conn)?;
        Ok(self.enqueued)
    }
}

/// What is known of the URL with this key.
fn look_up(known: &mut Statement<'_>, key: i64, url: &str, fresh_since: i64) -> rusqlite::Result<Known> {
    known.raw_bind_parameter(1, key)?;
    let mut rows = known.raw_query();
    let mut found = Known::Nothing;
    while let Some(row) = rows.next()? {
        if row.get_ref(0)?.as_str()? != url {
            continue;
        }
        match row.get::<_, i64>(1)? {
            0 => return Ok(Known::Pending(pending_row(row)?)),
            1 => return Ok(Known::Sent),
            2 if row.get::<_, i64>(2)? > fresh_since => found = Known::Fresh,
            _ => {}
        }
    }
    Ok(found)
}

fn pending_row(row: &Row<'_>) -> rusqlite::Result<PendingRow> {
    Ok(PendingRow {
        id: row.get(3)?,
        file: FileId(row.get(4)?),
        host: HostId(row.get(5)?),
        priority: Priority::from_rank(row.get(6)?),
        is_held: row.get::<_, i64>(7)? == 2,
        deadline: row.get(8)?,
        not_before: row.get(9)?,
    })
}
