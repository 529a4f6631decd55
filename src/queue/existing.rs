//! What the queue knows about the URL of a line that is being queued.

use std::collections::{BTreeSet, HashMap};

use rusqlite::Statement;

use crate::model::{FileId, Keys, Lane, Priority, Time, UrlState, to_millis};
use crate::store::{Bulk, Column, Result, Row, Sql};

/// The eleventh column tells when the URL was accepted; it is set where the key may not ask for tasks, so that
/// nobody can learn how the URL ended.
pub(super) const KNOWN: Sql = Sql::two(
    "
    select url, state, older_id, file_id, host_id, priority, suspect, deadline, not_before,
           case state when 1 then (select s.ended_at from submissions as s where s.submission_id = urls.submission_id)
                      when 2 then ended_at end,
           case when state in (1, 7)
                     and exists (select 1 from facts where lane = 1 and fact = 'tasks_readable' and value = 'false')
                then (select s.closed_at from submissions as s
                      where s.submission_id = urls.submission_id and s.state = 1) end,
           case state when 1 then (select s.state from submissions as s where s.submission_id = urls.submission_id) end,
           lane,
           case when state in (1, 2, 7)
                then (select s.opened_at from submissions as s where s.submission_id = urls.submission_id) end,
           after_id is not null or parked = 2, url_id
    from urls where url_id = ?1",
    "
    select u.* from unnest((select cast(?1 as bigint[]))) as v (id) join lateral (
        select url, state, older_id, file_id, host_id, priority, suspect, deadline, not_before,
               case state when 1 then (select s.ended_at from submissions as s
                                       where s.submission_id = urls.submission_id)
                          when 2 then ended_at end as completed_at,
               case when state in (1, 7)
                         and exists (select 1 from facts
                                     where lane = 1 and fact = 'tasks_readable' and value = 'false')
                    then (select s.closed_at from submissions as s
                          where s.submission_id = urls.submission_id and s.state = 1) end as accepted_at,
               case state when 1 then (select s.state from submissions as s
                                       where s.submission_id = urls.submission_id) end as sent_state,
               lane,
               case when state in (1, 2, 7)
                    then (select s.opened_at from submissions as s
                          where s.submission_id = urls.submission_id) end as sent_at,
               after_id is not null or parked = 2, url_id
        from urls where url_id = v.id offset 0) as u on true",
);

/// What the queue knows about a URL.
pub(super) enum Existing {
    /// No row that counts.
    Nothing,
    /// It completed recently, as this row, which was sent at this time: what was purged since is another content.
    Fresh(i64, i64),
    /// It is leased or submitted, as this row, which was sent at this time.
    Sent(i64, UrlState, i64),
    /// It is pending.
    Pending(PendingRow),
}

pub(super) struct PendingRow {
    pub(super) id: i64,
    priority: Priority,
    pub(super) is_held: bool,
    deadline: Option<i64>,
    not_before: Option<i64>,
    /// It is sent after its purge.
    pub(super) awaits_purge: bool,
    /// It may be what a batch was refused for.
    is_suspect: bool,
}

/// Which rows of a URL count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) lane: Lane,
    /// Those that completed, or were accepted where nobody can learn more, after this time.
    pub(super) fresh_since: i64,
    /// Those that are not pending count only if they came with this file: what was sent for others does not do, since
    /// the content may have changed after it.
    pub(super) only_of: Option<FileId>,
}

/// A row of [`KNOWN`], of either engine.
trait Columns {
    fn int(&self, at: usize) -> Result<Option<i64>>;
    fn is_url(&self, url: &str) -> Result<bool>;
}

impl Columns for rusqlite::Row<'_> {
    fn int(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.get(at)?)
    }

    fn is_url(&self, url: &str) -> Result<bool> {
        Ok(self.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? == url)
    }
}

impl Columns for Row {
    fn int(&self, at: usize) -> Result<Option<i64>> {
        Ok(self.get(at))
    }

    fn is_url(&self, url: &str) -> Result<bool> {
        Ok(self.get::<&str, _>(0) == url)
    }
}

/// A URL that is looked for.
pub(super) struct Wanted<'u> {
    /// The last row with its key.
    pub(super) latest: i64,
    pub(super) url: &'u str,
    pub(super) counts: Counts,
}

/// What the last row and older rows with the same key say about a URL.
pub(super) fn look_up(known: &mut Statement<'_>, wanted: &Wanted<'_>) -> Result<Existing> {
    let mut walk = Walk::new(wanted);
    while let Some(id) = walk.next {
        let mut rows = known.query([id])?;
        let Some(row) = rows.next()? else { break };
        walk.take(id, row)?;
    }
    Ok(walk.found)
}

/// The same of many URLs, each a step at a time: as many statements as the longest way has steps.
pub(super) fn look_up_all(conn: &Bulk, wanted: &[Wanted<'_>]) -> Result<Vec<Existing>> {
    let mut walks: Vec<Walk<'_>> = wanted.iter().map(Walk::new).collect();
    loop {
        let next: BTreeSet<i64> = walks.iter().filter_map(|walk| walk.next).collect();
        if next.is_empty() {
            return Ok(walks.into_iter().map(|walk| walk.found).collect());
        }
        let next: Vec<Option<i64>> = next.into_iter().map(Some).collect();
        let rows = conn.rows_each(KNOWN, &[], &[Column::Ints(&next)])?;
        let rows: HashMap<i64, &Row> = rows.iter().map(|row| (row.get(15), row)).collect();
        for walk in &mut walks {
            let Some(id) = walk.next else { continue };
            match rows.get(&id) {
                Some(row) => walk.take(id, *row)?,
                None => walk.next = None,
            }
        }
    }
}

/// The way from a row to older ones with the same key. A pruned row ends it: those before it are older still.
struct Walk<'u> {
    next: Option<i64>,
    found: Existing,
    url: &'u str,
    counts: Counts,
}

impl<'u> Walk<'u> {
    fn new(wanted: &Wanted<'u>) -> Self {
        let Wanted { latest, url, counts } = *wanted;
        Self { next: Some(latest), found: Existing::Nothing, url, counts }
    }

    fn take(&mut self, id: i64, row: &impl Columns) -> Result<()> {
        self.next = row.int(2)?;
        if !row.is_url(self.url)? || row.int(12)? != Some(self.counts.lane.number()) {
            return Ok(());
        }
        let state = row.int(1)?.unwrap_or_default();
        if state != 0 && self.counts.only_of.is_some_and(|file| row.int(3).ok().flatten() != Some(file.0)) {
            return Ok(());
        }
        let (completed_at, accepted_at, sent_at) = (row.int(9)?, row.int(10)?, row.int(13)?);
        let fresh_since = self.counts.fresh_since;
        let last = match (state, completed_at, accepted_at) {
            (0, ..) => Existing::Pending(pending_row(id, row)?),
            (1, None, None) => Existing::Sent(id, sent_state(row)?, sent_at.unwrap_or(i64::MAX)),
            (1, None, Some(accepted_at)) if accepted_at > fresh_since => {
                Existing::Sent(id, sent_state(row)?, sent_at.unwrap_or(accepted_at))
            }
            // The latest counts: what was purged before it is not stale.
            (1 | 2, Some(at), _) | (7, _, Some(at)) if at > fresh_since && matches!(self.found, Existing::Nothing) => {
                self.found = Existing::Fresh(id, sent_at.unwrap_or(at));
                return Ok(());
            }
            _ => return Ok(()),
        };
        (self.found, self.next) = (last, None);
        Ok(())
    }
}

fn sent_state(row: &impl Columns) -> Result<UrlState> {
    Ok(if row.int(11)? == Some(0) { UrlState::Leased } else { UrlState::Submitted })
}

fn pending_row(id: i64, row: &impl Columns) -> Result<PendingRow> {
    Ok(PendingRow {
        id,
        priority: Priority::from_rank(row.int(5)?.unwrap_or_default()),
        is_held: row.int(6)? == Some(2),
        deadline: row.int(7)?,
        not_before: row.int(8)?,
        awaits_purge: row.int(14)? == Some(1),
        is_suspect: row.int(6)? > Some(0),
    })
}

impl PendingRow {
    /// Whether a prefetch with these keys may be one with it, where one of the two comes after a purge and the other
    /// does not: nobody waits for another's purge that comes later than he wants his prefetch, and what is being
    /// looked for in a refused batch goes on as it is.
    pub(super) fn may_share(&self, keys: &Keys, after_purge: bool, now: Time) -> bool {
        if after_purge == self.awaits_purge {
            return true;
        }
        let is_later = |at: Option<i64>| at.is_some_and(|at| at > to_millis(now));
        let deadline = keys.deadline.map(to_millis);
        let line = (keys.priority, deadline.is_none(), deadline);
        let known = (self.priority, self.deadline.is_none(), self.deadline);
        let is_first = if after_purge { line <= known } else { known <= line };
        is_first && !is_later(self.not_before) && !is_later(keys.not_before.map(to_millis)) && !self.is_suspect
    }

    /// Whether a wish with these keys may change what governs the URL.
    pub(super) fn may_change(&self, keys: &Keys) -> bool {
        let deadline = keys.deadline.map(to_millis);
        let is_stronger =
            (keys.priority, deadline.is_none(), deadline) < (self.priority, self.deadline.is_none(), self.deadline);
        // A wish with a time of its own counts only from then on, but it may be the earliest where all of them have
        // one.
        self.not_before.is_some() || (keys.not_before.is_none() && is_stronger)
    }
}
