//! Ends or changes single wishes: the passing of time, and orders for a file or a label. The URL then follows the
//! strongest wish that is left ([`super::wishes::review`]), and ends with the last one.

use std::collections::{BTreeMap, BTreeSet};

use super::selection::Selection;
use super::tally::{Came, Line, Moves};
use super::wishes::{came, drop_deadlines, ended, json, restore_times, review, url_state};
use crate::model::{FileId, Priority, Time, UrlState, to_millis};
use crate::store::{Bulk, Result, Row, Sql, args};

const STARTED: Sql = Sql::both(
    "
    update wishes set starts_at = null
    where (url_id, file_id, line) in (select url_id, file_id, line from wishes indexed by wishes_starts
                                      where starts_at is not null and starts_at <= ?1 order by starts_at limit ?2)
    returning url_id",
);

/// URLs that are held for the operator do not expire, nor do those that are sent.
const LAPSED: Sql = Sql::both(
    "
    select w.url_id, w.file_id, w.line, w.kind, iif(u.state = 6, 1, u.state), u.suspect, w.first_step
    from wishes as w indexed by wishes_ends cross join urls as u on u.url_id = w.url_id
    where w.ends_at is not null and w.ends_at <= ?1 order by w.ends_at limit ?2",
);

const END: Sql = Sql::both(
    "
    update wishes set state = ?4, ended_at = ?5, starts_at = null, ends_at = null
    where url_id = ?1 and file_id = ?2 and line = ?3 and state = 0",
);

const STOP_TIME: Sql = Sql::both(
    "
    update wishes set starts_at = null, ends_at = null where url_id = ?1 and file_id = ?2 and line = ?3",
);

/// The chosen files, labels and owners; null means all.
const OF_SCOPE: Sql = Sql::both(
    "
    select w.url_id, w.file_id, w.line, w.kind, u.state, u.suspect, w.first_step, w.state
    from json_each(?1) as j
    cross join wishes as w on w.url_id = cast(j.value as bigint)
    cross join urls as u on u.url_id = w.url_id
    join files as f on f.file_id = w.file_id
    where w.kind < 2 and (f.name = ?2 or ?2 is null) and (coalesce(w.label, f.label) = ?3 or ?3 is null)
      and (f.owner_uid = ?4 or ?4 is null)",
);

const PRIORITIZE: Sql = Sql::both("update wishes set priority = ?4 where url_id = ?1 and file_id = ?2 and line = ?3");

/// A retry drops deadlines that have passed.
const REVIVE: Sql = Sql::both(
    "
    update wishes set state = 0, ended_at = null, starts_at = not_before, ends_at = deadline where url_id = ?1
    and file_id = ?2 and line = ?3",
);

/// Which wishes an order means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) file: Option<String>,
    pub(super) label: Option<String>,
    pub(super) owner: Option<u32>,
}

impl Scope {
    /// The scope of a choice, by file, label and owner. A choice by URL, domain or state alone means all wishes.
    pub(super) fn of(chosen: &Selection) -> Self {
        Self { file: chosen.file.clone(), label: chosen.label.clone(), owner: chosen.owner }
    }

    /// Whether it means all wishes for a URL.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A wish in the scope of an order.
#[derive(Debug, Clone, Copy)]
struct Scoped {
    url: i64,
    number: i64,
    line: Line,
    /// The state of its URL; none while the URL is in a batch or accepted.
    url_state: Option<UrlState>,
    /// Set if it expired or was cancelled on its own.
    ended: Option<UrlState>,
}

/// Applies the passing of time: ends wishes whose deadline has passed, and lets URLs follow wishes that count from
/// now on. At most `limit` of each. Returns how many lines of which file expired.
pub(super) fn pass_time(conn: &Bulk, now: Time, limit: i64, moves: &mut Moves) -> Result<BTreeMap<FileId, i64>> {
    let at = to_millis(now);
    let mut urls: BTreeSet<i64> = conn.rows(STARTED, &args![at, limit])?.iter().map(|row| row.get(0)).collect();
    let lapsed: Vec<Scoped> = conn.rows(LAPSED, &args![at, limit])?.iter().map(scoped).collect();
    let mut expired = BTreeMap::new();
    for wish in &lapsed {
        match wish.url_state {
            Some(state @ (UrlState::Pending | UrlState::Held)) => {
                end(conn, wish, state, UrlState::Expired, now, moves)?;
                *expired.entry(wish.line.file).or_default() += 1;
                urls.insert(wish.url);
            }
            _ => {
                conn.run(STOP_TIME, &args![wish.url, wish.line.file.0, wish.number])?;
            }
        }
    }
    review(conn, urls, now, moves)?;
    Ok(expired)
}

fn end(conn: &Bulk, wish: &Scoped, from: UrlState, to: UrlState, now: Time, moves: &mut Moves) -> Result<()> {
    let code = if to == UrlState::Expired { 4 } else { 5 };
    conn.run(END, &args![wish.url, wish.line.file.0, wish.number, code, to_millis(now)])?;
    moves.shift_lines(wish.line, from, to, 1);
    Ok(())
}

/// Ends the scope's wishes for waiting URLs; a URL ends with its last wish.
pub(super) fn cancel(conn: &Bulk, urls: &[i64], scope: &Scope, now: Time, moves: &mut Moves) -> Result<()> {
    for wish in of_scope(conn, urls, scope)?.iter().filter(|wish| wish.ended.is_none()) {
        if let Some(state @ (UrlState::Pending | UrlState::Held)) = wish.url_state {
            end(conn, wish, state, UrlState::Cancelled, now, moves)?;
        }
    }
    review(conn, urls.iter().copied(), now, moves)
}

/// Gives the scope's wishes another priority.
pub(super) fn prioritize(
    conn: &Bulk,
    urls: &[i64],
    scope: &Scope,
    priority: Priority,
    now: Time,
    moves: &mut Moves,
) -> Result<()> {
    for wish in of_scope(conn, urls, scope)?.iter().filter(|wish| wish.ended.is_none()) {
        conn.run(PRIORITIZE, &args![wish.url, wish.line.file.0, wish.number, priority.rank()])?;
    }
    review(conn, urls.iter().copied(), now, moves)
}

/// Revives wishes of URLs that go back into the queue. `ended` are the URLs that had ended, each with its state then;
/// their rows are pending already. All their wishes live again, except that of those that had ended on their own only
/// the scope's do. Returns the files whose lines are live again.
pub(super) fn retry(
    conn: &Bulk,
    urls: &[i64],
    ended: &BTreeMap<i64, UrlState>,
    scope: &Scope,
    now: Time,
    moves: &mut Moves,
) -> Result<BTreeSet<i64>> {
    let mut files = BTreeSet::new();
    let all = of_scope(conn, urls, &Scope::default())?;
    let shared: BTreeSet<i64> = all.iter().filter(|wish| wish.ended.is_none()).map(|wish| wish.url).collect();
    for wish in &all {
        let Some(was) = ended.get(&wish.url) else { continue };
        files.extend(wish.ended.is_none().then_some(wish.line.file.0));
        match (wish.line.came, wish.ended) {
            (Came::Merged, None) => moves.shift_lines(wish.line, *was, UrlState::Pending, 1),
            // Its row counted it, and it did not move with the row.
            (Came::First, Some(_)) => moves.shift_lines(wish.line, UrlState::Pending, *was, 1),
            _ => {}
        }
    }
    for wish in of_scope(conn, urls, scope)? {
        let Some(was) = wish.ended else { continue };
        // Without a scope, a wish that somebody ended stays ended, unless the URL ended by that.
        if scope.is_all() && shared.contains(&wish.url) {
            continue;
        }
        let Some(to) = wish.url_state else { continue };
        conn.run(REVIVE, &args![wish.url, wish.line.file.0, wish.number])?;
        files.insert(wish.line.file.0);
        moves.shift_lines(wish.line, was, to, 1);
    }
    restore_times(conn, ended.keys().copied())?;
    drop_deadlines(conn, urls.iter().copied(), now)?;
    review(conn, urls.iter().copied(), now, moves)?;
    Ok(files)
}

fn scoped(row: &Row) -> Scoped {
    Scoped {
        url: row.get(0),
        number: row.get(2),
        line: Line { file: FileId(row.get(1)), came: came(row.get(3)), first_step: row.get(6) },
        url_state: url_state(row.get(4), row.get(5)),
        ended: None,
    }
}

fn of_scope(conn: &Bulk, urls: &[i64], scope: &Scope) -> Result<Vec<Scoped>> {
    let parameters = args![json(urls.iter().copied()), &scope.file, &scope.label, scope.owner];
    let with_end = |row: &Row| Scoped { ended: ended(row.get(7)), ..scoped(row) };
    Ok(conn.rows(OF_SCOPE, &parameters)?.iter().map(with_end).collect())
}
