//! Adds lines to the queue. The spool calls it with a chunk of one file, in the transaction that also moves the file's
//! mark: after a crash both are there or neither is.
//!
//! It works in two passes, each in the order of the table it writes: first the chunk's keys in key order, which shows
//! the URLs that are known, then the new rows in the file's order. So a chunk visits each page once, however large the
//! queue is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::chain;
use super::existing::{Counts, Existing};
use super::new_urls::{NewRow as NewUrlRow, NewUrls};
use super::rows::{self, Hot, KINDS, Shared, kind};
use super::seat::Seat;
use super::stale::Stale;
use super::tally::Moves;
use super::wishes::{self, Kind, NewWish};
use crate::model::{FileId, HostId, Keys, Lane, Priority, Time, UrlState, to_millis};
use crate::store::{Bulk, Result, Sql, args};

const LAST_URL: Sql = Sql::both("select coalesce(max(url_id), 0) from urls");

const ADD_HOST: Sql = Sql::both("insert into hosts (host, since) values (?1, ?2) on conflict (host) do nothing");

/// The range of rows that holds a file's URLs; set at its first chunk and widened by later ones.
const FILE_RANGE: Sql = Sql::both(
    "
    update files set url_from = iif(url_from = 0, ?2, url_from), url_to = ?3 where file_id = ?1",
);

/// An empty range.
const NO_FILE_RANGE: Sql = Sql::both("update files set url_to = 0 where file_id = ?1 and url_from = 0");

const HOST_RANGE: Sql = Sql::both(
    "
    update hosts set url_from = iif(url_from = 0, ?2, url_from), url_to = ?3 where host_id = ?1",
);

const HOST: Sql = Sql::both("select host_id, standing in ('refused', 'offline') from hosts where host = ?1");

/// A directory that is to be purged with `Force`, whoever asked for it first.
const FORCE: Sql = Sql::both("update urls set purge_force = 1 where url_id = ?1 and state = 0");

const SET_KEY: Sql = Sql::both("update url_keys set url_id = ?2 where url_key = ?1");

/// Most domains of a chunk that are cached at a time, however many it names.
const HOSTS_MAX: usize = 4_096;

/// How many lines of a chunk were queued, merged and skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Rows added.
    pub queued: u64,
    /// Lines whose URL was pending, leased or submitted, or appeared before in the chunk.
    pub merged: u64,
    /// Lines whose URL completed recently, or was accepted recently where nobody can learn more.
    pub fresh: u64,
}

/// Queues the URLs of a chunk that are not live and did not complete after `fresh_since`. A line whose URL is live is
/// merged; while the URL is pending it follows the strongest of its wishes. Where the key may not ask for tasks,
/// nobody says that a URL is complete: an accepted one counts as live or fresh by the time of its acceptance.
///
/// # Errors
///
/// The database failed; the caller must drop its transaction.
pub fn enqueue(
    conn: &Bulk,
    file: FileId,
    keys: &Keys,
    urls: &NewUrls,
    fresh_since: Time,
    now: Time,
) -> Result<Enqueued> {
    let mut queue = Enqueue::new(conn, file, keys, urls, fresh_since, now)?;
    let mut firsts: Vec<u32> = Vec::with_capacity(urls.len());
    let mut repeats = Vec::new();
    for at in urls.in_key_order() {
        let row = &urls.rows[at as usize];
        let before = firsts.last().map(|before| &urls.rows[*before as usize]);
        match before {
            Some(before) if before.key == row.key && before.lane == row.lane && urls.url(before) == urls.url(row) => {
                repeats.push(at);
            }
            _ => firsts.push(at),
        }
    }
    for some in firsts.chunks(queue.hot.together()) {
        queue.take_keys(some)?;
    }
    for at in 0..urls.rows.len() {
        if queue.is_new[at] {
            queue.add(at)?;
        }
    }
    queue.flush_all()?;
    // By now a URL that appears twice in the chunk finds the row of its first line.
    for at in repeats {
        queue.take_key(at)?;
        if queue.is_new[at as usize] {
            queue.add(at as usize)?;
            queue.flush_all()?;
        }
    }
    queue.finish()
}

/// A domain of the chunk.
struct ChunkHost {
    id: HostId,
    parked: bool,
    /// New rows by kind ([`KINDS`]) and priority.
    added: [[i64; 4]; KINDS.len()],
    /// The first and the last of them.
    rows: Option<(i64, i64)>,
}

/// A new row that waits to be added together with others.
struct NewRow {
    at: usize,
    host: HostId,
    /// 1: its host may not be sent; 2: its purge comes first.
    parked: u8,
}

/// A chunk that is being added to the queue.
struct Enqueue<'c> {
    conn: &'c Bulk,
    file: FileId,
    keys: &'c Keys,
    urls: &'c NewUrls,
    fresh_since: Time,
    now: Time,
    hot: Hot<'c>,
    /// The last row before the chunk: if the line at position `at` is new, its row is `last + 1 + at`.
    last: i64,
    is_new: Vec<bool>,
    /// By position: older rows with the same key.
    older: HashMap<usize, i64>,
    /// By kind.
    ready: [Vec<NewRow>; KINDS.len()],
    /// By position of a purge: the row into which it was merged.
    purges: HashMap<usize, i64>,
    /// Prefetches, by position, that were merged into these rows and wait for their purge.
    chained: Vec<(usize, i64)>,
    stale: Stale<'c>,
    hosts: HashMap<&'c str, ChunkHost>,
    /// The first and the last new row.
    range: Option<(i64, i64)>,
    moves: Moves,
    /// Requests of lines whose URL is known.
    wishes: Vec<NewWish<'c>>,
    /// Rows that another wish may govern now.
    review: Vec<i64>,
    enqueued: Enqueued,
}

impl<'c> Enqueue<'c> {
    fn new(
        conn: &'c Bulk,
        file: FileId,
        keys: &'c Keys,
        urls: &'c NewUrls,
        fresh_since: Time,
        now: Time,
    ) -> Result<Self> {
        Ok(Self {
            conn,
            file,
            keys,
            urls,
            fresh_since,
            now,
            hot: Hot::prepare(conn, urls.len())?,
            last: conn.one(LAST_URL, &[])?.get(0),
            is_new: vec![false; urls.len()],
            older: HashMap::new(),
            ready: Default::default(),
            purges: HashMap::new(),
            chained: Vec::new(),
            stale: Stale::new(conn)?,
            hosts: HashMap::new(),
            range: None,
            moves: Moves::default(),
            wishes: Vec::new(),
            review: Vec::new(),
            enqueued: Enqueued::default(),
        })
    }

    fn keys_of(&self, at: usize) -> &'c Keys {
        self.urls.rows[at].keys.as_deref().unwrap_or(self.keys)
    }

    fn id_of(&self, at: usize) -> i64 {
        self.last + 1 + i64::try_from(at).expect("a chunk is bounded")
    }

    /// Adds the keys of lines with distinct URLs: all at once, or one by one if some of them are known.
    fn take_keys(&mut self, lines: &[u32]) -> Result<()> {
        let pair = |at: &u32| (self.urls.rows[*at as usize].key, self.last + 1 + i64::from(*at));
        let pairs: Vec<(i64, i64)> = lines.iter().map(pair).collect();
        if self.hot.add_keys(&pairs)? {
            lines.iter().for_each(|at| self.is_new[*at as usize] = true);
            return Ok(());
        }
        lines.iter().try_for_each(|at| self.take_key(*at))
    }

    /// Adds a line's key, or merges the line if its URL is known.
    fn take_key(&mut self, at: u32) -> Result<()> {
        let at = at as usize;
        let (key, id) = (self.urls.rows[at].key, self.id_of(at));
        if self.hot.add_key(key, id)? {
            self.is_new[at] = true;
            return Ok(());
        }
        let latest = self.hot.row_of_key(key)?;
        self.is_new[at] = latest == id || !self.merge(at, latest)?;
        if self.is_new[at] && latest != id {
            self.older.insert(at, latest);
            self.conn.run(SET_KEY, &args![key, id])?;
        }
        Ok(())
    }

    /// Merges a line whose URL is known; false if no row with its key counts. `latest` is the last such row.
    fn merge(&mut self, at: usize, latest: i64) -> Result<bool> {
        let (keys, row) = (self.keys_of(at), &self.urls.rows[at]);
        // A purge, and a prefetch after one, is about what the URL is now.
        let is_anew = row.lane != Lane::Prefetch || row.after_purge;
        let counts = Counts {
            lane: row.lane,
            fresh_since: if keys.force { i64::MAX } else { to_millis(self.fresh_since) },
            only_of: is_anew.then_some(self.file),
        };
        let (url, state) = match self.hot.look_up(latest, self.urls.url(row), counts)? {
            Existing::Nothing => return Ok(false),
            Existing::Fresh(_, sent_at) | Existing::Sent(_, _, sent_at)
                if !is_anew && self.stale.is_stale(self.urls.url(row), sent_at)? =>
            {
                return Ok(false);
            }
            Existing::Pending(known)
                if row.lane == Lane::Prefetch && !known.may_share(keys, row.after_purge, self.now) =>
            {
                return Ok(false);
            }
            Existing::Fresh(url, _) => {
                if row.first_step {
                    self.purges.insert(at, url);
                }
                self.enqueued.fresh += u64::from(!row.first_step);
                self.wish(at, url, Kind::Fresh, UrlState::Complete);
                return Ok(true);
            }
            Existing::Sent(url, state, _) => (url, state),
            Existing::Pending(known) => {
                if known.may_change(keys) {
                    self.review.push(known.id);
                }
                if row.after_purge {
                    self.chained.push((at, known.id));
                }
                if keys.purge_force {
                    self.conn.run(FORCE, &args![known.id])?;
                }
                (known.id, if known.is_held { UrlState::Held } else { UrlState::Pending })
            }
        };
        if row.first_step {
            self.purges.insert(at, url);
        }
        self.enqueued.merged += u64::from(!row.first_step);
        self.wish(at, url, Kind::Merged, state);
        Ok(true)
    }

    /// Collects the wish of the line at this position for a URL that is already there; `finish` writes it with the
    /// chunk's others.
    fn wish(&mut self, at: usize, url: i64, kind: Kind, state: UrlState) {
        let NewUrlRow { line, first_step, after_purge, .. } = self.urls.rows[at];
        let (keys, file_label) = (self.keys_of(at), self.keys.label.as_deref());
        self.wishes.push(NewWish { url, line, kind, keys, file_label, state, first_step, after_purge });
    }

    /// Adds a row, together with waiting ones that have the same keys.
    fn add(&mut self, at: usize) -> Result<()> {
        let keys = self.keys_of(at);
        let row = &self.urls.rows[at];
        let kind = kind(row.lane, row.first_step);
        let others = self.ready[kind].first().map(|first| self.keys_of(first.at));
        if self.ready[kind].len() == self.hot.together() || others.is_some_and(|others| !std::ptr::eq(others, keys)) {
            self.flush(kind)?;
        }
        let (host, parked) = self.host(at, keys.priority)?;
        let parked = if row.after_purge { 2 } else { u8::from(parked) };
        self.ready[kind].push(NewRow { at, host, parked });
        if row.after_purge {
            self.chained.push((at, self.id_of(at)));
        }
        self.enqueued.queued += u64::from(!row.first_step);
        Ok(())
    }

    /// Adds the waiting rows of a kind.
    fn flush(&mut self, kind: usize) -> Result<()> {
        let mut ready = std::mem::take(&mut self.ready[kind]);
        self.insert(&ready)?;
        ready.clear();
        self.ready[kind] = ready;
        Ok(())
    }

    fn flush_all(&mut self) -> Result<()> {
        (0..KINDS.len()).try_for_each(|kind| self.flush(kind))
    }

    /// Lets each prefetch after a purge wait for its own.
    fn chain(&mut self) -> Result<()> {
        // The purge of a line stands before its prefetch.
        let purge = |at: usize| self.purges.get(&(at - 1)).copied().unwrap_or_else(|| self.id_of(at - 1));
        let pairs: Vec<(i64, i64)> = self.chained.iter().map(|(at, prefetch)| (*prefetch, purge(*at))).collect();
        chain::wait_for(self.conn, &pairs, self.last, self.now, &mut self.moves)
    }

    fn insert(&mut self, rows: &[NewRow]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let keys = self.keys_of(first.at);
        let NewUrlRow { lane, first_step, .. } = self.urls.rows[first.at];
        let label = keys.label.as_deref().filter(|_| keys.label != self.keys.label);
        let shared = Shared { file: self.file, keys, label, lane, first_step };
        let row = |new: &NewRow| {
            let row = &self.urls.rows[new.at];
            let (url, older) = (self.urls.url(row), self.older.get(&new.at).copied());
            rows::Row { id: self.id_of(new.at), line: row.line, url, host: new.host, parked: new.parked, older }
        };
        let rows: Vec<rows::Row<'_>> = rows.iter().map(row).collect();
        self.hot.add(&shared, &rows)
    }

    /// The domain for a row that is added with this priority, and whether its URLs are parked.
    fn host(&mut self, at: usize, priority: Priority) -> Result<(HostId, bool)> {
        let name = self.urls.host(&self.urls.rows[at]);
        let id = self.id_of(at);
        if self.hosts.len() == HOSTS_MAX && !self.hosts.contains_key(name) {
            self.settle_hosts()?;
        }
        let host = match self.hosts.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.conn.run(ADD_HOST, &args![name, to_millis(self.now)])?;
                let found = self.conn.one(HOST, &args![name])?;
                let (id, parked) = (HostId(found.get(0)), found.get(1));
                new.insert(ChunkHost { id, parked, added: Default::default(), rows: None })
            }
        };
        let row = &self.urls.rows[at];
        host.added[kind(row.lane, row.first_step)][priority as usize] += 1;
        host.rows = Some(widened(host.rows, id));
        self.range = Some(widened(self.range, id));
        Ok((host.id, host.parked))
    }

    /// Writes the counts of new URLs by domain, and empties the cache.
    fn settle_hosts(&mut self) -> Result<()> {
        for (_, host) in self.hosts.drain() {
            if let Some((first, last)) = host.rows {
                self.conn.run(HOST_RANGE, &args![host.id.0, first, last])?;
            }
            for ((lane, first_step), added) in KINDS.into_iter().zip(host.added) {
                for (priority, added) in Priority::ALL.into_iter().zip(added).filter(|(_, added)| *added > 0) {
                    let seat = Seat { file: self.file, host: host.id, priority, lane, first_step };
                    self.moves.add(seat, UrlState::Pending, added);
                }
            }
        }
        std::mem::take(&mut self.moves).apply_bulk(self.conn)
    }

    /// Writes the counters, and the ranges of rows of the file and its hosts.
    fn finish(mut self) -> Result<Enqueued> {
        match self.range {
            Some((first, last)) => self.conn.run(FILE_RANGE, &args![self.file.0, first, last])?,
            None => self.conn.run(NO_FILE_RANGE, &args![self.file.0])?,
        };
        self.settle_hosts()?;
        self.chain()?;
        wishes::record(self.conn, self.file, self.wishes, &mut self.moves)?;
        wishes::review(self.conn, self.review, self.now, &mut self.moves)?;
        self.moves.apply_bulk(self.conn)?;
        Ok(self.enqueued)
    }
}

/// The range widened by one row.
fn widened(range: Option<(i64, i64)>, row: i64) -> (i64, i64) {
    range.map_or((row, row), |(first, last)| (first.min(row), last.max(row)))
}
