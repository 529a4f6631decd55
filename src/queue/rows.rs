//! The statements that add a chunk's rows and keys, one by one and a hundred at a time, and the kinds of rows.

use rusqlite::{CachedStatement, Connection};

use crate::model::Lane;

/// Statements for many rows have no numbered parameters, because SQLite finds those by walking a list of all of them.
pub(super) const ADD_KEY: &str = "insert or ignore into url_keys (url_key, url_id) values (?, ?)";

/// First the values that all rows share, then those of each row.
pub(super) const ADD_ONE: &str = "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, url, host_id, parked, older_id)
    select ?, ?, ?, ?, ?, ?, ?, ?, ?, v.* from (values (?, ?, ?, ?, ?, ?)) as v";

/// Rows per insert statement: opening the table and its indexes costs as much as a few rows.
pub(super) const ROWS_A_STATEMENT: usize = 100;

/// What a new row can be: its lane, and whether it is the purge before a prefetch.
pub(super) const KINDS: [(Lane, bool); 4] =
    [(Lane::Prefetch, false), (Lane::Purge, false), (Lane::Purge, true), (Lane::PurgeDirectory, false)];

pub(super) fn kind(lane: Lane, first_step: bool) -> usize {
    match lane {
        Lane::Prefetch => 0,
        Lane::Purge => 1 + usize::from(first_step),
        Lane::PurgeDirectory => 3,
    }
}

/// Statements that take [`ROWS_A_STATEMENT`] rows.
pub(super) struct Many<'c> {
    pub(super) add_keys: CachedStatement<'c>,
    pub(super) add: CachedStatement<'c>,
}

impl<'c> Many<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        let with_rows = |statement: &str, row: &str| statement.replace(row, &vec![row; ROWS_A_STATEMENT].join(", "));
        Ok(Self {
            add_keys: conn.prepare_cached(&with_rows(ADD_KEY, "(?, ?)"))?,
            add: conn.prepare_cached(&with_rows(ADD_ONE, "(?, ?, ?, ?, ?, ?)"))?,
        })
    }
}
