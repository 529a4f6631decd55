//! What the queue knows about the URL of a line that is being queued.

use rusqlite::{Row, Statement};

use crate::model::{FileId, Keys, Lane, Priority, Time, UrlState, to_millis};

/// The eleventh column tells when the URL was accepted; it is set where the key may not ask for tasks, so that
/// nobody can learn how the URL ended.
pub(super) const KNOWN: &str = "
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
           after_id is not null or parked = 2
    from urls where url_id = ?1";

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

/// What the row `latest` and older rows with the same key say about a URL.
pub(super) fn look_up(known: &mut Statement<'_>, latest: i64, url: &str, counts: Counts) -> rusqlite::Result<Existing> {
    let fresh_since = counts.fresh_since;
    let mut found = Existing::Nothing;
    let mut next = Some(latest);
    while let Some(id) = next {
        let mut rows = known.query([id])?;
        // A pruned row ends the chain: those before it are older still.
        let Some(row) = rows.next()? else { break };
        next = row.get(2)?;
        if row.get_ref(0)?.as_str()? != url || row.get::<_, i64>(12)? != counts.lane.number() {
            continue;
        }
        let is_sent = row.get::<_, i64>(1)? != 0;
        if is_sent && counts.only_of.is_some_and(|file| row.get(3) != Ok(file.0)) {
            continue;
        }
        let (completed_at, accepted_at): (Option<i64>, Option<i64>) = (row.get(9)?, row.get(10)?);
        let sent_at: Option<i64> = row.get(13)?;
        match (row.get::<_, i64>(1)?, completed_at, accepted_at) {
            (0, ..) => return Ok(Existing::Pending(pending_row(id, row)?)),
            (1, None, None) => return Ok(Existing::Sent(id, sent_state(row)?, sent_at.unwrap_or(i64::MAX))),
            (1, None, Some(accepted_at)) if accepted_at > fresh_since => {
                return Ok(Existing::Sent(id, sent_state(row)?, sent_at.unwrap_or(accepted_at)));
            }
            // The latest counts: what was purged before it is not stale.
            (1 | 2, Some(at), _) | (7, _, Some(at)) if at > fresh_since && matches!(found, Existing::Nothing) => {
                found = Existing::Fresh(id, sent_at.unwrap_or(at));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn sent_state(row: &Row<'_>) -> rusqlite::Result<UrlState> {
    Ok(if row.get::<_, Option<i64>>(11)? == Some(0) { UrlState::Leased } else { UrlState::Submitted })
}

fn pending_row(id: i64, row: &Row<'_>) -> rusqlite::Result<PendingRow> {
    Ok(PendingRow {
        id,
        priority: Priority::from_rank(row.get(5)?),
        is_held: row.get::<_, i64>(6)? == 2,
        deadline: row.get(7)?,
        not_before: row.get(8)?,
        awaits_purge: row.get(14)?,
        is_suspect: row.get::<_, i64>(6)? > 0,
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
