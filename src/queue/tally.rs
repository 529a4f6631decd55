//! The counters: lines of each file and URLs of each lane and priority by state, and pending URLs of each host. A line
//! is in the
//! state of its URL, unless its wish has ended on its own.
//!
//! Changes are collected during a transaction and applied once at its end, so that nobody ever has to count the queue.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hash::Hash;

use super::seat::Seat;
use crate::model::{FileId, HostId, Lane, Priority, UrlState};
use crate::store::{Bulk, Conn, Result, Sql, args, query};

const FILES: Sql = Sql::both(
    "
    update files set
        pending = pending + j.d0, leased = leased + j.d1, submitted = submitted + j.d2, complete = complete + j.d3,
        failed = failed + j.d4, expired = expired + j.d5, cancelled = cancelled + j.d6, held = held + j.d7,
        unconfirmed = unconfirmed + j.d8
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as d0,
                 cast(value ->> 2 as bigint) as d1, cast(value ->> 3 as bigint) as d2,
                 cast(value ->> 4 as bigint) as d3, cast(value ->> 5 as bigint) as d4,
                 cast(value ->> 6 as bigint) as d5, cast(value ->> 7 as bigint) as d6,
                 cast(value ->> 8 as bigint) as d7, cast(value ->> 9 as bigint) as d8
          from json_each(?1)) as j
    where files.file_id = j.id",
);

/// Merged lines of a file, by the state of their wishes.
const MERGED: Sql = Sql::both(
    "
    update files set
        merged_pending = merged_pending + j.d0, merged_leased = merged_leased + j.d1,
        merged_submitted = merged_submitted + j.d2, merged_complete = merged_complete + j.d3,
        merged_failed = merged_failed + j.d4, merged_expired = merged_expired + j.d5,
        merged_cancelled = merged_cancelled + j.d6, merged_held = merged_held + j.d7,
        merged_unconfirmed = merged_unconfirmed + j.d8
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as d0,
                 cast(value ->> 2 as bigint) as d1, cast(value ->> 3 as bigint) as d2,
                 cast(value ->> 4 as bigint) as d3, cast(value ->> 5 as bigint) as d4,
                 cast(value ->> 6 as bigint) as d5, cast(value ->> 7 as bigint) as d6,
                 cast(value ->> 8 as bigint) as d7, cast(value ->> 9 as bigint) as d8
          from json_each(?1)) as j
    where files.file_id = j.id",
);

/// Purges of lines whose URL is prefetched after them, whether rows or merged into rows.
const PURGES: Sql = Sql::both(
    "
    update files set
        purge_pending = purge_pending + j.d0, purge_leased = purge_leased + j.d1,
        purge_submitted = purge_submitted + j.d2, purge_complete = purge_complete + j.d3,
        purge_failed = purge_failed + j.d4, purge_expired = purge_expired + j.d5,
        purge_cancelled = purge_cancelled + j.d6, purge_held = purge_held + j.d7,
        purge_unconfirmed = purge_unconfirmed + j.d8
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as d0,
                 cast(value ->> 2 as bigint) as d1, cast(value ->> 3 as bigint) as d2,
                 cast(value ->> 4 as bigint) as d3, cast(value ->> 5 as bigint) as d4,
                 cast(value ->> 6 as bigint) as d5, cast(value ->> 7 as bigint) as d6,
                 cast(value ->> 8 as bigint) as d7, cast(value ->> 9 as bigint) as d8
          from json_each(?1)) as j
    where files.file_id = j.id",
);

const TALLY: Sql = Sql::both(
    "
    update tally set
        pending = pending + j.d0, leased = leased + j.d1, submitted = submitted + j.d2, complete = complete + j.d3,
        failed = failed + j.d4, expired = expired + j.d5, cancelled = cancelled + j.d6, held = held + j.d7,
        unconfirmed = unconfirmed + j.d8
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as d0,
                 cast(value ->> 2 as bigint) as d1, cast(value ->> 3 as bigint) as d2,
                 cast(value ->> 4 as bigint) as d3, cast(value ->> 5 as bigint) as d4,
                 cast(value ->> 6 as bigint) as d5, cast(value ->> 7 as bigint) as d6,
                 cast(value ->> 8 as bigint) as d7, cast(value ->> 9 as bigint) as d8
          from json_each(?1)) as j
    where tally.lane = j.id / 4 and tally.priority = j.id % 4",
);

const HOSTS: Sql = Sql::both(
    "
    update hosts set pending = pending + j.d0
    from (select cast(value ->> 0 as bigint) as id, cast(value ->> 1 as bigint) as d0 from json_each(?1)) as j
    where hosts.host_id = j.id",
);

/// A change of each state's count, in the order of [`UrlState::ALL`].
type Change = [i64; UrlState::ALL.len()];

/// How a line came to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It became the row of `urls`, because it came first.
    First,
    /// It was merged into an existing row.
    Merged,
}

/// A line, or the purge of one, in its file's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) file: FileId,
    pub(super) came: Came,
    /// It is the purge of a line whose URL is prefetched after it.
    pub(super) first_step: bool,
}

impl Line {
    /// The line that became this row.
    pub(super) fn first(seat: Seat) -> Self {
        Self { file: seat.file, came: Came::First, first_step: seat.first_step }
    }
}

/// The changes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Moves {
    files: HashMap<FileId, Change>,
    /// Changes of merged lines.
    merged: HashMap<FileId, Change>,
    /// Changes of purges before a prefetch.
    purges: HashMap<FileId, Change>,
    lanes: HashMap<(Lane, Priority), Change>,
    hosts: HashMap<HostId, Change>,
}

impl Moves {
    /// Adds `n` new URLs in a state.
    pub(super) fn add(&mut self, seat: Seat, state: UrlState, n: i64) {
        self.add_lines(Line::first(seat), state, n);
        bump(&mut self.lanes, (seat.lane, seat.priority), state, n);
        bump(&mut self.hosts, seat.host, state, n);
    }

    /// Moves one URL from one state to another.
    pub(super) fn shift(&mut self, seat: Seat, from: UrlState, to: UrlState) {
        self.add(seat, from, -1);
        self.add(seat, to, 1);
    }

    /// Gives one URL another priority.
    pub(super) fn reorder(&mut self, seat: Seat, to: Priority, state: UrlState) {
        self.add(seat, state, -1);
        self.add(Seat { priority: to, ..seat }, state, 1);
    }

    /// Moves `n` lines of a file from one state to another; no row of `urls` moves.
    pub(super) fn shift_lines(&mut self, line: Line, from: UrlState, to: UrlState, n: i64) {
        self.add_lines(line, from, -n);
        self.add_lines(line, to, n);
    }

    /// Adds `n` lines of a file to a state; negative to remove them.
    pub(super) fn add_lines(&mut self, line: Line, state: UrlState, n: i64) {
        let counters = match line.came {
            _ if line.first_step => &mut self.purges,
            Came::Merged => &mut self.merged,
            Came::First => &mut self.files,
        };
        bump(counters, line.file, state, n);
    }

    /// The files with lines that changed their state.
    pub(super) fn changed_files(&self) -> BTreeSet<i64> {
        let changed = self
            .files
            .iter()
            .chain(&self.merged)
            .chain(&self.purges)
            .filter(|(_, change)| change.iter().any(|n| *n != 0));
        changed.map(|(file, _)| file.0).collect()
    }

    /// Writes the changes.
    pub(super) async fn apply(self, conn: &mut Conn) -> Result<()> {
        for (statement, rows) in self.statements() {
            query(statement).bind(rows).execute(&mut *conn).await?;
        }
        Ok(())
    }

    /// Writes the changes, on SQLite's own handle.
    pub(super) fn apply_bulk(self, conn: &Bulk) -> Result<()> {
        self.statements().into_iter().try_for_each(|(statement, rows)| conn.run(statement, &args![rows]).map(|_| ()))
    }

    /// The statements that apply the changes, each with its parameter.
    fn statements(self) -> Vec<(Sql, String)> {
        let files = rows(self.files.into_iter().map(|(id, change)| (id.0, change)));
        let merged = rows(self.merged.into_iter().map(|(id, change)| (id.0, change)));
        let purges = rows(self.purges.into_iter().map(|(id, change)| (id.0, change)));
        let number = |(lane, priority): (Lane, Priority)| lane.number() * 4 + priority.rank();
        let lanes = rows(self.lanes.into_iter().map(|(key, change)| (number(key), change)));
        let hosts = rows(self.hosts.into_iter().map(|(id, change)| (id.0, change)));
        let all = [(FILES, files), (MERGED, merged), (PURGES, purges), (TALLY, lanes), (HOSTS, hosts)];
        all.into_iter().filter(|(_, rows)| rows != "[]").collect()
    }
}

fn bump<K: Eq + Hash>(changes: &mut HashMap<K, Change>, key: K, state: UrlState, n: i64) {
    changes.entry(key).or_default()[state as usize] += n;
}

/// The changes as JSON: one array for each key, with its differences by state.
fn rows(changes: impl Iterator<Item = (i64, Change)>) -> String {
    let mut text = String::from("[");
    for (key, change) in changes.filter(|(_, change)| change.iter().any(|n| *n != 0)) {
        let separator = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{separator}[{key}");
        for n in change {
            let _ = write!(text, ",{n}");
        }
        text.push(']');
    }
    text.push(']');
    text
}
