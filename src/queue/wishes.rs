//! Wishes: what several lines ask for the same URL. Owns the table `wishes`.
//!
//! Only URLs to which a line was merged have rows here, including one for the line that came first, so that a file
//! without duplicates pays nothing. Whoever changes the state of a URL reports it with [`follow`]; when the URL waits
//! again, [`review`] puts it under its wishes. Both are free for URLs without wishes.
//!
//! In its file's counters a line is in the state of its URL, unless its wish ended on its own.
//!
//! Invariant: a waiting URL has the priority, deadline and not-before of the [`strongest`] of its live wishes. A
//! crash keeps this true, because both are written in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::seat::Seat;
use super::strongest::{Wish, strongest};
use super::tally::{Came, Line, Moves};
use super::{chain, row_state};
use crate::model::{FileId, Keys, Priority, Reason, ReasonKind, Time, UrlState, from_millis, to_millis};
use crate::store::{Bulk, Column, Result, Row, Sql, args};
use crate::words::Stored;

/// The wish of the line that came first, taken from its row at the first merge.
const ADD_FIRST: Sql = Sql::two(
    "
    insert into wishes (url_id, file_id, line, kind, priority, not_before, deadline, force, label, starts_at,
    ends_at, first_step, after_purge)
    select url_id, file_id, line, 0, priority, not_before, deadline,
           coalesce((select force from files as f where f.file_id = urls.file_id), 0), label,
           iif(state = 0 and wait_until = not_before, not_before, null), iif(state = 0, deadline, null), first_step,
           iif(after_id is not null or parked = 2, 1, 0)
    from urls where url_id = ?1
    on conflict do nothing",
    "
    insert into wishes (url_id, file_id, line, kind, priority, not_before, deadline, force, label, starts_at,
    ends_at, first_step, after_purge)
    select u.url_id, u.file_id, u.line, 0, u.priority, u.not_before, u.deadline,
           coalesce((select force from files as f where f.file_id = u.file_id), 0), u.label,
           iif(u.state = 0 and u.wait_until = u.not_before, u.not_before, null), iif(u.state = 0, u.deadline, null),
           u.first_step, iif(u.after_id is not null or u.parked = 2, 1, 0)
    from unnest((select cast(?1 as bigint[]))) as v (url_id) join urls as u on u.url_id = v.url_id
    on conflict do nothing",
);

/// First the file, then the columns of each wish.
const ADD: Sql = Sql::two(
    "
    insert into wishes (file_id, url_id, line, kind, priority, not_before, deadline, force, starts_at, ends_at,
    first_step, after_purge, label)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    on conflict do nothing",
    "
    insert into wishes (file_id, url_id, line, kind, priority, not_before, deadline, force, starts_at, ends_at,
    first_step, after_purge, label)
    select ?1, v.*
    from unnest(cast(?2 as bigint[]), cast(?3 as bigint[]), cast(?4 as bigint[]), cast(?5 as bigint[]),
                cast(?6 as bigint[]), cast(?7 as bigint[]), cast(?8 as bigint[]), cast(?9 as bigint[]),
                cast(?10 as bigint[]), cast(?11 as bigint[]), cast(?12 as bigint[]), cast(?13 as text[])) as v
    on conflict do nothing",
);

const URL: Sql = Sql::two(
    "
    select state, suspect, deadline, not_before, wait_until, file_id, host_id, priority, lane, first_step, url_id
    from urls where url_id = ?1",
    "
    select state, suspect, deadline, not_before, wait_until, file_id, host_id, priority, lane, first_step, u.url_id
    from unnest((select cast(?1 as bigint[]))) as v (url_id) join urls as u on u.url_id = v.url_id",
);

const LIVE: Sql = Sql::two(
    "select priority, not_before, deadline, starts_at, url_id from wishes
    where url_id = ?1 and state = 0 and kind < 2 order by file_id, line",
    "select w.priority, w.not_before, w.deadline, w.starts_at, w.url_id
    from unnest((select cast(?1 as bigint[]))) as v (url_id) join wishes as w on w.url_id = v.url_id
    where w.state = 0 and w.kind < 2 order by w.url_id, w.file_id, w.line",
);

/// The wish that ended last says how its URL ended.
const LAST_ENDED: Sql = Sql::both(
    "
    select state from wishes where url_id = ?1 and state > 0 order by ended_at desc, state desc limit 1",
);

const END_URL: Sql = Sql::both(
    "
    update urls set state = ?2, reason = ?3, reason_code = ?4, reason_with = null, ended_at = ?5, wait_until = null,
    parked = 0, suspect = 0
    where url_id = ?1",
);

const SET_URL: Sql = Sql::two(
    "
    update urls set priority = ?2, deadline = ?3, not_before = ?4, wait_until = ?5 where url_id = ?1",
    "
    update urls set priority = v.priority, deadline = v.deadline, not_before = v.not_before, wait_until = v.wait_until
    from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[])), (select cast(?3 as bigint[])),
                (select cast(?4 as bigint[])), (select cast(?5 as bigint[])))
         as v (url_id, priority, deadline, not_before, wait_until)
    where urls.url_id = v.url_id",
);

/// For URLs that wait again. Housekeeping then decides whether their time has come.
const RESTORE_TIMES: Sql = Sql::both(
    "
    update wishes set starts_at = not_before, ends_at = deadline where url_id = ?1 and state = 0 and kind < 2",
);

const DROP_DEADLINE: Sql = Sql::both(
    "
    update wishes set deadline = null, ends_at = null where url_id = ?1 and state = 0 and deadline <= ?2",
);

/// For URLs that no longer wait: time does not change their wishes.
const STOP_TIMES: Sql = Sql::both(
    "
    update wishes set starts_at = null, ends_at = null
    where url_id in (select cast(value as bigint) from json_each(?1))
      and (starts_at is not null or ends_at is not null)",
);

/// Lines that move with these URLs but are not counted with their rows, and lines that are counted with them but do not
/// move.
const FOLLOWERS: Sql = Sql::both(
    "
    select w.file_id, w.kind, w.first_step, count(*)
    from json_each(?1) as j cross join wishes as w on w.url_id = cast(j.value as bigint)
    where (w.kind = 1 and w.state = 0) or (w.kind = 0 and w.state > 0)
    group by w.file_id, w.kind, w.first_step",
);

const FOLLOWERS_OF_BATCH: Sql = Sql::both(
    "
    select w.file_id, w.kind, w.first_step, count(*)
    from urls as u indexed by urls_submission cross join wishes as w on w.url_id = u.url_id
    where u.submission_id = ?1 and u.state = 1 and ((w.kind = 1 and w.state = 0) or (w.kind = 0 and w.state > 0))
    group by w.file_id, w.kind, w.first_step",
);

const WISHED: Sql = Sql::both(
    "
    select distinct w.url_id from json_each(?1) as j cross join wishes as w on w.url_id = cast(j.value as bigint)
    where w.kind = 0",
);

const OF_PRUNED: Sql = Sql::both(
    "select file_id, kind, first_step, state from wishes where url_id = ?1 and (kind = 1 or (kind = 0 and state > 0))",
);

const PRUNE: Sql = Sql::both("delete from wishes where url_id = ?1");

/// How a line relates to its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Merged into a URL that was there.
    Merged,
    /// Its URL had completed recently: nothing more is asked for.
    Fresh,
}

/// A line whose URL was already there.
#[derive(Debug)]
pub(super) struct NewWish<'k> {
    pub(super) url: i64,
    pub(super) line: u64,
    pub(super) kind: Kind,
    pub(super) keys: &'k Keys,
    /// The file's label, where it differs from the keys' label.
    pub(super) file_label: Option<&'k str>,
    /// The state of its URL.
    pub(super) state: UrlState,
    /// It is the purge of a line whose URL is prefetched after it.
    pub(super) first_step: bool,
    /// It wants its URL purged first.
    pub(super) after_purge: bool,
}

/// Stores the wishes of merged lines, sorted by URL, so that each page is visited once.
pub(super) fn record(conn: &Bulk, file: FileId, mut new: Vec<NewWish<'_>>, moves: &mut Moves) -> Result<()> {
    new.sort_unstable_by_key(|wish| (wish.url, wish.line));
    for some in new.chunks(conn.together()) {
        let merged = || some.iter().filter(|wish| wish.kind == Kind::Merged);
        let mut firsts: Vec<Option<i64>> = merged().map(|wish| Some(wish.url)).collect();
        firsts.dedup();
        conn.run_each(ADD_FIRST, &[], &[Column::Ints(&firsts)])?;
        for wish in merged() {
            moves.add_lines(Line { file, came: Came::Merged, first_step: wish.first_step }, wish.state, 1);
        }
        add(conn, file, some)?;
    }
    Ok(())
}

fn add(conn: &Bulk, file: FileId, new: &[NewWish<'_>]) -> Result<()> {
    let ints = |value: fn(&NewWish<'_>) -> Option<i64>| new.iter().map(value).collect::<Vec<_>>();
    let whole = [
        ints(|wish| Some(wish.url)),
        ints(|wish| Some(wish.line.cast_signed())),
        ints(|wish| Some(if wish.kind == Kind::Merged { 1 } else { 2 })),
        ints(|wish| Some(wish.keys.priority.rank())),
        ints(|wish| wish.keys.not_before.map(to_millis)),
        ints(|wish| wish.keys.deadline.map(to_millis)),
        ints(|wish| Some(wish.keys.force.into())),
        ints(|wish| wish.keys.not_before.map(to_millis).filter(|_| wish.waits())),
        ints(|wish| wish.keys.deadline.map(to_millis).filter(|_| wish.waits())),
        ints(|wish| Some(wish.first_step.into())),
        ints(|wish| Some(wish.after_purge.into())),
    ];
    let labels: Vec<Option<&str>> = new.iter().map(NewWish::own_label).collect();
    let mut columns: Vec<Column<'_>> = whole.iter().map(|column| Column::Ints(column)).collect();
    columns.push(Column::Texts(&labels));
    conn.run_each(ADD, &args![file.0], &columns).map(|_| ())
}

impl<'k> NewWish<'k> {
    /// Its label, where it differs from its file's.
    fn own_label(&self) -> Option<&'k str> {
        self.keys.label.as_deref().filter(|label| Some(*label) != self.file_label)
    }

    /// Whether time may change it.
    fn waits(&self) -> bool {
        self.kind == Kind::Merged && matches!(self.state, UrlState::Pending | UrlState::Held)
    }
}

/// Puts waiting URLs under the strongest of their wishes; a URL without live wishes ends as its last wish did.
pub(super) fn review(conn: &Bulk, urls: impl IntoIterator<Item = i64>, now: Time, moves: &mut Moves) -> Result<()> {
    let mut seen = HashSet::new();
    let urls: Vec<Option<i64>> = urls.into_iter().filter(|url| seen.insert(*url)).map(Some).collect();
    let (mut rest, mut together) = (urls.as_slice(), conn.together());
    while !rest.is_empty() {
        let some = &rest[..together.min(rest.len())];
        let reviewed = review_some(conn, some, now, moves)?;
        if reviewed < some.len() {
            // The end of a URL may change others, so what was read of them is no longer true.
            together = 1;
        }
        rest = &rest[reviewed..];
    }
    Ok(())
}

/// Reviews these URLs up to the first that ends; tells how many that are.
fn review_some(conn: &Bulk, urls: &[Option<i64>], now: Time, moves: &mut Moves) -> Result<usize> {
    let found = conn.rows_each(URL, &[], &[Column::Ints(urls)])?;
    let found: HashMap<i64, WaitingRow> = found.iter().filter_map(|row| Some((row.get(10), waiting(row)?))).collect();
    let waiting: Vec<Option<i64>> =
        urls.iter().copied().filter(|url| url.is_some_and(|url| found.contains_key(&url))).collect();
    let mut live: HashMap<i64, Vec<Wish>> = HashMap::new();
    for row in conn.rows_each(LIVE, &[], &[Column::Ints(&waiting)])? {
        live.entry(row.get(4)).or_default().push(wish(&row));
    }
    let mut set: [Vec<Option<i64>>; 5] = Default::default();
    let (mut stay, mut ended) = (Vec::new(), None);
    for (at, url) in urls.iter().enumerate().filter_map(|(at, url)| Some((at, (*url)?))) {
        let Some(row) = found.get(&url) else { continue };
        let Some(standing) = live.get(&url).and_then(|live| strongest(live)) else {
            ended = Some((at, url));
            break;
        };
        let wish = standing.wish;
        let (deadline, not_before) = (wish.deadline.map(to_millis), wish.not_before.map(to_millis));
        // A wait that is not for a wish's time is due to a failure, and stays.
        let other_wait = row.wait_until.filter(|until| Some(*until) != row.not_before);
        let wait_until = other_wait.max(standing.wait_until.map(to_millis));
        let is = (wish.priority, deadline, not_before, wait_until);
        if is != (row.seat.priority, row.deadline, row.not_before, row.wait_until) {
            let values = [Some(url), Some(wish.priority.rank()), deadline, not_before, wait_until];
            set.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
            moves.reorder(row.seat, wish.priority, row.state);
        }
        stay.push(url);
    }
    conn.run_each(SET_URL, &[], &set.each_ref().map(|column| Column::Ints(column)))?;
    chain::settle_all(conn, stay, now, moves)?;
    let Some((at, url)) = ended else { return Ok(urls.len()) };
    end_url(conn, url, &found[&url], now, moves)?;
    Ok(at + 1)
}

fn end_url(conn: &Bulk, url: i64, row: &WaitingRow, now: Time, moves: &mut Moves) -> Result<()> {
    let last: Option<i64> = conn.row(LAST_ENDED, &args![url])?.map(|row| row.get(0));
    let (state, code, reason) = match last {
        None => return Ok(()),
        Some(4) => (UrlState::Expired, 4, ReasonKind::DeadlinePassed),
        Some(_) => (UrlState::Cancelled, 5, ReasonKind::Cancelled),
    };
    let why = Stored::from(&Reason::from(reason));
    conn.run(END_URL, &args![url, code, why.text, why.code, to_millis(now)])?;
    moves.shift(row.seat, row.state, state);
    // Its first line has ended before, like all others.
    moves.shift_lines(Line::first(row.seat), state, row.state, 1);
    chain::purges_ended(conn, [url], now, moves)
}

/// Moves the lines that were merged into these URLs from one state to another. The caller has counted the URLs' rows in
/// the files that queued them; where the wish of such a file ended on its own, that count is undone.
pub(super) fn follow(
    conn: &Bulk,
    urls: impl IntoIterator<Item = i64>,
    from: UrlState,
    to: UrlState,
    moves: &mut Moves,
) -> Result<()> {
    let urls = json(urls);
    conn.rows(FOLLOWERS, &args![&urls])?.iter().for_each(|row| follow_rows(row, from, to, moves));
    if !matches!(to, UrlState::Pending | UrlState::Held) {
        conn.run(STOP_TIMES, &args![&urls])?;
    }
    Ok(())
}

/// A whole batch was accepted or has ended: moves its lines at once.
pub(super) fn follow_batch(
    conn: &Bulk,
    submission: i64,
    from: UrlState,
    to: UrlState,
    moves: &mut Moves,
) -> Result<()> {
    conn.rows(FOLLOWERS_OF_BATCH, &args![submission])?.iter().for_each(|row| follow_rows(row, from, to, moves));
    Ok(())
}

fn follow_rows(row: &Row, from: UrlState, to: UrlState, moves: &mut Moves) {
    let line = Line { file: FileId(row.get(0)), came: came(row.get(1)), first_step: row.get(2) };
    match line.came {
        Came::Merged => moves.shift_lines(line, from, to, row.get(3)),
        Came::First => moves.shift_lines(line, to, from, row.get(3)),
    }
}

/// Those of these URLs that have wishes.
fn wished(conn: &Bulk, urls: impl IntoIterator<Item = i64>) -> Result<BTreeSet<i64>> {
    Ok(conn.rows(WISHED, &args![json(urls)])?.iter().map(|row| row.get(0)).collect())
}

/// Calls [`review`] for those of these URLs that wait again and have wishes.
pub(super) fn review_returned(
    conn: &Bulk,
    urls: impl IntoIterator<Item = i64>,
    now: Time,
    moves: &mut Moves,
) -> Result<()> {
    let urls = wished(conn, urls)?;
    restore_times(conn, urls.iter().copied())?;
    review(conn, urls, now, moves)
}

/// Lets time act again on the wishes of these URLs, as before they were sent.
pub(super) fn restore_times(conn: &Bulk, urls: impl IntoIterator<Item = i64>) -> Result<()> {
    urls.into_iter().try_for_each(|url| conn.run(RESTORE_TIMES, &args![url]).map(|_| ()))
}

/// Drops the deadlines of live wishes for these URLs that have passed.
pub(super) fn drop_deadlines(conn: &Bulk, urls: impl IntoIterator<Item = i64>, now: Time) -> Result<()> {
    urls.into_iter().try_for_each(|url| conn.run(DROP_DEADLINE, &args![url, to_millis(now)]).map(|_| ()))
}

/// Forgets the wishes of URLs that are being forgotten; each with the URL's state.
pub(super) fn prune(conn: &Bulk, urls: &[(i64, UrlState)], moves: &mut Moves) -> Result<()> {
    for (url, state) in urls {
        for row in conn.rows(OF_PRUNED, &args![*url])? {
            let line = Line { file: FileId(row.get(0)), came: came(row.get(1)), first_step: row.get(2) };
            let stood = ended(row.get(3)).unwrap_or(*state);
            moves.add_lines(line, stood, -1);
            // Its row was counted in the state of the URL.
            if line.came == Came::First {
                moves.add_lines(line, *state, 1);
            }
        }
        conn.run(PRUNE, &args![*url])?;
    }
    Ok(())
}

/// The row of a waiting URL.
struct WaitingRow {
    state: UrlState,
    seat: Seat,
    deadline: Option<i64>,
    not_before: Option<i64>,
    wait_until: Option<i64>,
}

fn waiting(row: &Row) -> Option<WaitingRow> {
    let Some(state @ (UrlState::Pending | UrlState::Held)) = url_state(row.get(0), row.get(1)) else {
        return None;
    };
    Some(WaitingRow {
        state,
        seat: Seat::of(row),
        deadline: row.get(2),
        not_before: row.get(3),
        wait_until: row.get(4),
    })
}

/// The state of a URL by its row; none if it is in a batch or was accepted.
pub(super) fn url_state(state: i64, suspect: i64) -> Option<UrlState> {
    let state = row_state::of(state, suspect);
    (!matches!(state, UrlState::Submitted | UrlState::Complete)).then_some(state)
}

/// How a wish ended on its own.
pub(super) fn ended(state: i64) -> Option<UrlState> {
    let state = row_state::of(state, 0);
    matches!(state, UrlState::Expired | UrlState::Cancelled).then_some(state)
}

/// How a line of this kind came to its row.
pub(super) fn came(kind: i64) -> Came {
    if kind == 0 { Came::First } else { Came::Merged }
}

fn wish(row: &Row) -> Wish {
    Wish {
        priority: Priority::from_rank(row.get(0)),
        not_before: row.get::<Option<i64>, _>(1).map(from_millis),
        deadline: row.get::<Option<i64>, _>(2).map(from_millis),
        counts: row.get::<Option<i64>, _>(3).is_none(),
    }
}

pub(super) fn json(ids: impl IntoIterator<Item = i64>) -> String {
    serde_json::json!(ids.into_iter().collect::<Vec<i64>>()).to_string()
}
