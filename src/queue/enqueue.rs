//! Adds lines to the queue. The spool calls it with a chunk of one file, in the transaction that also moves the file's
//! mark: after a crash both are there or neither is.
//!
//! It works in two passes, each in the order of the table it writes: first the chunk's keys in key order, which shows
//! the URLs that are known, then the new rows in the file's order. So a chunk visits each page once, however large the
//! queue is.

use std::collections::HashMap;

use super::chain;
use super::chunk_hosts::{ChunkHosts, HOSTS_MAX};
use super::existing::{Counts, Existing, Wanted};
use super::new_urls::{NewRow as NewUrlRow, NewUrls};
use super::rows::{self, Hot, KINDS, Shared, kind};
use super::stale::Stale;
use super::tally::Moves;
use super::wishes::{self, Kind, NewWish};
use crate::model::{FileId, HostId, Keys, Lane, Time, UrlState, to_millis};
use crate::store::{Bulk, Column, Result, Sql, args};

const LAST_URL: Sql = Sql::both("select coalesce(max(url_id), 0) from urls");

/// The range of rows that holds a file's URLs; set at its first chunk and widened by later ones.
const FILE_RANGE: Sql = Sql::both(
    "
    update files set url_from = iif(url_from = 0, ?2, url_from), url_to = ?3 where file_id = ?1",
);

/// An empty range.
const NO_FILE_RANGE: Sql = Sql::both("update files set url_to = 0 where file_id = ?1 and url_from = 0");

/// A directory that is to be purged with `Force`, whoever asked for it first.
const FORCE: Sql = Sql::two(
    "update urls set purge_force = 1 where url_id = ?1 and state = 0",
    "update urls set purge_force = 1
     from unnest((select cast(?1 as bigint[]))) as v (url_id) where urls.url_id = v.url_id and urls.state = 0",
);

const SET_KEY: Sql = Sql::two(
    "update url_keys set url_id = ?2 where url_key = ?1",
    "update url_keys set url_id = v.url_id
     from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[]))) as v (url_key, url_id)
     where url_keys.url_key = v.url_key",
);

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
            Some(before) if before.key == row.key => repeats.push(at),
            _ => firsts.push(at),
        }
    }
    for some in firsts.chunks(conn.together()) {
        queue.take_keys(some)?;
    }
    queue.add_new()?;
    // By now a URL that appears twice in the chunk finds the row of its first line, and so does one with the same key.
    for some in repeats.chunks(conn.together()) {
        queue.take_repeats(some)?;
    }
    queue.finish()
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
    hosts: ChunkHosts<'c>,
    /// The first and the last new row.
    range: Option<(i64, i64)>,
    moves: Moves,
    /// Requests of lines whose URL is known.
    wishes: Vec<NewWish<'c>>,
    /// Rows that another wish may govern now.
    review: Vec<i64>,
    /// Directories that are purged with `Force` now.
    forced: Vec<Option<i64>>,
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
            hot: Hot::prepare(conn, file, urls.len())?,
            last: conn.one(LAST_URL, &[])?.get(0),
            is_new: vec![false; urls.len()],
            older: HashMap::new(),
            ready: Default::default(),
            purges: HashMap::new(),
            chained: Vec::new(),
            stale: Stale::new(conn)?,
            hosts: ChunkHosts::new(conn, file, now),
            range: None,
            moves: Moves::default(),
            wishes: Vec::new(),
            review: Vec::new(),
            forced: Vec::new(),
            enqueued: Enqueued::default(),
        })
    }

    fn keys_of(&self, at: usize) -> &'c Keys {
        self.urls.rows[at].keys.as_deref().unwrap_or(self.keys)
    }

    fn id_of(&self, at: usize) -> i64 {
        self.last + 1 + i64::try_from(at).expect("a chunk is bounded")
    }

    /// Adds the keys of lines, no two of which have the same; merges those whose URL is known.
    fn take_keys(&mut self, lines: &[u32]) -> Result<()> {
        let pair = |at: &u32| (self.urls.rows[*at as usize].key, self.last + 1 + i64::from(*at));
        let pairs: Vec<(i64, i64)> = lines.iter().map(pair).collect();
        let known = self.hot.add_keys(&pairs)?;
        lines.iter().for_each(|at| self.is_new[*at as usize] = true);
        let known: Vec<(usize, i64)> = known.into_iter().map(|(n, latest)| (lines[n] as usize, latest)).collect();
        let found = self.look_up(&known)?;
        let mut anew = Vec::new();
        for ((at, latest), existing) in known.into_iter().zip(found) {
            self.is_new[at] = !self.merge(at, existing)?;
            if self.is_new[at] {
                self.older.insert(at, latest);
                anew.push(at);
            }
        }
        self.set_keys(&anew)
    }

    /// Merges lines whose key the chunk has met before, or adds a row of their own.
    fn take_repeats(&mut self, lines: &[u32]) -> Result<()> {
        let keys: Vec<i64> = lines.iter().map(|at| self.urls.rows[*at as usize].key).collect();
        let latest = self.hot.rows_of_keys(&keys)?;
        let known: Vec<(usize, i64)> = lines.iter().map(|at| *at as usize).zip(latest).collect();
        let found = self.look_up(&known)?;
        // The last row that was added here, by its key: what was found before is not the latest of it any more.
        let mut added: HashMap<i64, i64> = HashMap::new();
        for ((at, latest), existing) in known.into_iter().zip(found) {
            let key = self.urls.rows[at].key;
            let (latest, existing) = match added.get(&key) {
                None => (latest, existing),
                Some(latest) => (*latest, self.look_up(&[(at, *latest)])?.pop().unwrap_or(Existing::Nothing)),
            };
            if !self.merge(at, existing)? {
                self.is_new[at] = true;
                self.older.insert(at, latest);
                self.set_keys(&[at])?;
                self.add(at)?;
                self.flush_all()?;
                added.insert(key, self.id_of(at));
            }
        }
        Ok(())
    }

    /// What is known of these lines' URLs, each with the last row with its key.
    fn look_up(&mut self, known: &[(usize, i64)]) -> Result<Vec<Existing>> {
        let wanted = |(at, latest): &(usize, i64)| {
            let (keys, row) = (self.keys_of(*at), &self.urls.rows[*at]);
            let counts = Counts {
                lane: row.lane,
                fresh_since: if keys.force { i64::MAX } else { to_millis(self.fresh_since) },
                only_of: is_anew(row).then_some(self.file),
            };
            Wanted { latest: *latest, url: self.urls.url(row), counts }
        };
        let wanted: Vec<Wanted<'c>> = known.iter().map(wanted).collect();
        let found = self.hot.look_up(&wanted)?;
        let may_be_stale = known.iter().zip(&found).filter(|((at, _), existing)| {
            matches!(existing, Existing::Fresh(..) | Existing::Sent(..)) && !is_anew(&self.urls.rows[*at])
        });
        self.stale.learn(may_be_stale.map(|((at, _), _)| self.urls.url(&self.urls.rows[*at])))?;
        Ok(found)
    }

    /// Lets the keys of lines that are queued anew lead to their rows.
    fn set_keys(&self, lines: &[usize]) -> Result<()> {
        let keys: Vec<_> = lines.iter().map(|at| Some(self.urls.rows[*at].key)).collect();
        let ids: Vec<_> = lines.iter().map(|at| Some(self.id_of(*at))).collect();
        self.conn.run_each(SET_KEY, &[], &[Column::Ints(&keys), Column::Ints(&ids)]).map(|_| ())
    }

    /// Merges a line with what is known of its URL; false if no row with its key counts.
    fn merge(&mut self, at: usize, existing: Existing) -> Result<bool> {
        let (keys, row) = (self.keys_of(at), &self.urls.rows[at]);
        let (url, state) = match existing {
            Existing::Nothing => return Ok(false),
            Existing::Fresh(_, sent_at) | Existing::Sent(_, _, sent_at)
                if !is_anew(row) && self.stale.is_stale(self.urls.url(row), sent_at) =>
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
                    self.forced.push(Some(known.id));
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

    /// Adds a row for each line whose URL is new.
    fn add_new(&mut self) -> Result<()> {
        let lines = 0..self.urls.rows.len();
        for from in lines.clone().step_by(HOSTS_MAX) {
            let some = || (from..lines.end.min(from + HOSTS_MAX)).filter(|at| self.is_new[*at]);
            // Where each would be a journey, all of them are met at once.
            if self.conn.sqlite().is_none() {
                let names: Vec<&str> = some().map(|at| self.urls.host(&self.urls.rows[at])).collect();
                self.hosts.meet(names, &mut self.moves)?;
            }
            some().collect::<Vec<_>>().into_iter().try_for_each(|at| self.add(at))?;
        }
        self.flush_all()
    }

    /// Adds a row, together with waiting ones that have the same keys.
    fn add(&mut self, at: usize) -> Result<()> {
        let keys = self.keys_of(at);
        let row = &self.urls.rows[at];
        let kind = kind(row.lane, row.first_step);
        let others = self.ready[kind].first().map(|first| self.keys_of(first.at));
        if self.ready[kind].len() == self.conn.together() || others.is_some_and(|others| !std::ptr::eq(others, keys)) {
            self.flush(kind)?;
        }
        let id = self.id_of(at);
        let (host, parked) = self.hosts.of(self.urls.host(row), id, (row, keys.priority), &mut self.moves)?;
        self.range = Some(widened(self.range, id));
        let parked = if row.after_purge { 2 } else { u8::from(parked) };
        self.ready[kind].push(NewRow { at, host, parked });
        if row.after_purge {
            self.chained.push((at, id));
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
        (0..KINDS.len()).try_for_each(|kind| self.flush(kind))?;
        self.hot.flush()
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
        let rows: Vec<rows::Row<'c>> = rows.iter().map(row).collect();
        self.hot.add(shared, rows)
    }

    /// Writes the counters, and the ranges of rows of the file and its hosts.
    fn finish(mut self) -> Result<Enqueued> {
        match self.range {
            Some((first, last)) => self.conn.run(FILE_RANGE, &args![self.file.0, first, last])?,
            None => self.conn.run(NO_FILE_RANGE, &args![self.file.0])?,
        };
        self.hosts.settle(&mut self.moves)?;
        self.chain()?;
        self.conn.run_each(FORCE, &[], &[Column::Ints(&self.forced)])?;
        wishes::record(self.conn, self.file, self.wishes, &mut self.moves)?;
        wishes::review(self.conn, self.review, self.now, &mut self.moves)?;
        self.moves.apply_bulk(self.conn)?;
        Ok(self.enqueued)
    }
}

/// Whether it asks for the URL as it is now: a purge does, and a prefetch after one.
fn is_anew(row: &NewUrlRow) -> bool {
    row.lane != Lane::Prefetch || row.after_purge
}

/// The range widened by one row.
pub(super) fn widened(range: Option<(i64, i64)>, row: i64) -> (i64, i64) {
    range.map_or((row, row), |(first, last)| (first.min(row), last.max(row)))
}
