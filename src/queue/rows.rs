//! The ingest's hot statements: they add a chunk's keys and rows and look at what is known. SQLite takes them on its
//! own handle, one by one and a hundred at a time; PostgreSQL takes a thousand at a time as JSON, since each statement
//! is a journey there and back.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection};
use serde_json::json;

use super::existing::{Counts, Existing, look_up, look_up_by};
use crate::model::{FileId, HostId, Keys, Lane, to_millis};
use crate::store::{Bulk, Result, Sql, args};

/// Statements for many rows have no numbered parameters, because SQLite finds those by walking a list of all of them.
const ADD_KEYS: Sql = Sql::two(
    "insert or ignore into url_keys (url_key, url_id) values (?, ?)",
    "insert into url_keys (url_key, url_id)
     select v.url_key, v.url_id from json_to_recordset(cast(?1 as json)) as v(url_key bigint, url_id bigint)
     on conflict do nothing returning url_key",
);

/// First the values that all rows share, then those of each row.
const ADD_ROWS: Sql = Sql::two(
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, url, host_id, parked, older_id)
    select ?, ?, ?, ?, ?, ?, ?, ?, ?, v.* from (values (?, ?, ?, ?, ?, ?)) as v",
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, url, host_id, parked, older_id)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, v.*
    from json_to_recordset(cast(?10 as json))
         as v(url_id bigint, line bigint, url text, host_id bigint, parked bigint, older_id bigint)",
);

const ADD_KEY: Sql = Sql::both("insert into url_keys (url_key, url_id) values (?1, ?2) on conflict do nothing");

const ROW_OF_KEY: Sql = Sql::both("select url_id from url_keys where url_key = ?1");

/// Rows per statement on SQLite: opening the table and its indexes costs as much as a few rows.
const ROWS_A_STATEMENT: usize = 100;

/// The same on PostgreSQL.
const ROWS_A_JOURNEY: usize = 1_000;

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

/// A new row.
#[derive(Debug)]
pub(super) struct Row<'c> {
    pub(super) id: i64,
    pub(super) line: u64,
    pub(super) url: &'c str,
    pub(super) host: HostId,
    /// 1: its host may not be sent; 2: its purge comes first.
    pub(super) parked: u8,
    /// An older row with the same key.
    pub(super) older: Option<i64>,
}

/// What new rows that are added together share.
#[derive(Debug)]
pub(super) struct Shared<'c> {
    pub(super) file: FileId,
    pub(super) keys: &'c Keys,
    /// The label, where it differs from the file's.
    pub(super) label: Option<&'c str>,
    pub(super) lane: Lane,
    pub(super) first_step: bool,
}

/// The statements, on one of the engines.
pub(super) enum Hot<'c> {
    Lite(Box<Lite<'c>>),
    Postgres {
        conn: &'c Bulk,
        /// Keys that were added together, and whether each is new; of those that nobody has asked for yet.
        added: HashMap<i64, bool>,
    },
}

/// The statements on SQLite's own handle.
pub(super) struct Lite<'c> {
    add_key: CachedStatement<'c>,
    row_of_key: CachedStatement<'c>,
    known: CachedStatement<'c>,
    add: CachedStatement<'c>,
    /// For [`ROWS_A_STATEMENT`] keys and rows, if the chunk is large enough.
    many: Option<(CachedStatement<'c>, CachedStatement<'c>)>,
}

impl<'c> Hot<'c> {
    /// For a chunk of so many rows.
    pub(super) fn prepare(conn: &'c Bulk, rows: usize) -> Result<Self> {
        Ok(match conn.sqlite() {
            Some(handle) => Self::Lite(Box::new(Lite::prepare(handle, rows)?)),
            None => Self::Postgres { conn, added: HashMap::new() },
        })
    }

    /// How many keys or rows a statement takes.
    pub(super) fn together(&self) -> usize {
        match self {
            Self::Lite(_) => ROWS_A_STATEMENT,
            Self::Postgres { .. } => ROWS_A_JOURNEY,
        }
    }

    /// Adds keys, each with its row, of distinct URLs. False if some of them were known or cannot be added together:
    /// then [`Hot::add_key`] tells of each.
    pub(super) fn add_keys(&mut self, pairs: &[(i64, i64)]) -> Result<bool> {
        match self {
            Self::Lite(lite) => {
                let Some((add, _)) = lite.many.as_mut().filter(|_| pairs.len() == ROWS_A_STATEMENT) else {
                    return Ok(false);
                };
                for (n, (key, row)) in pairs.iter().enumerate() {
                    add.raw_bind_parameter(2 * n + 1, key)?;
                    add.raw_bind_parameter(2 * n + 2, row)?;
                }
                Ok(add.raw_execute()? == pairs.len())
            }
            Self::Postgres { conn, added } => {
                let pair = |(key, row): &(i64, i64)| json!({ "url_key": key, "url_id": row });
                let all = json!(pairs.iter().map(pair).collect::<Vec<_>>()).to_string();
                let new = conn.rows(ADD_KEYS, &args![all])?;
                added.clear();
                if new.len() == pairs.len() {
                    return Ok(true);
                }
                added.extend(pairs.iter().map(|(key, _)| (*key, false)));
                added.extend(new.iter().map(|row| (row.get::<i64, _>(0), true)));
                Ok(false)
            }
        }
    }

    /// Adds a key with its row; false if it is there.
    pub(super) fn add_key(&mut self, key: i64, row: i64) -> Result<bool> {
        match self {
            Self::Lite(lite) => Ok(lite.add_key.execute([key, row])? == 1),
            Self::Postgres { conn, added } => match added.remove(&key) {
                Some(is_new) => Ok(is_new),
                None => Ok(conn.run(ADD_KEY, &args![key, row])? == 1),
            },
        }
    }

    /// The last row with a key that is there.
    pub(super) fn row_of_key(&mut self, key: i64) -> Result<i64> {
        match self {
            Self::Lite(lite) => Ok(lite.row_of_key.query_row([key], |row| row.get(0))?),
            Self::Postgres { conn, .. } => Ok(conn.one(ROW_OF_KEY, &args![key])?.get(0)),
        }
    }

    /// What the row `latest` and older ones with the same key say about a URL.
    pub(super) fn look_up(&mut self, latest: i64, url: &str, counts: Counts) -> Result<Existing> {
        match self {
            Self::Lite(lite) => Ok(look_up(&mut lite.known, latest, url, counts)?),
            Self::Postgres { conn, .. } => look_up_by(conn, latest, url, counts),
        }
    }

    /// Adds rows.
    pub(super) fn add(&mut self, shared: &Shared<'_>, rows: &[Row<'_>]) -> Result<()> {
        match self {
            Self::Lite(lite) => {
                let together = if rows.len() == ROWS_A_STATEMENT { rows.len() } else { 1 };
                Ok(rows.chunks(together).try_for_each(|some| lite.add(shared, some))?)
            }
            Self::Postgres { conn, .. } => {
                let Shared { file, keys, label, lane, first_step } = shared;
                let row = |row: &Row<'_>| {
                    json!({ "url_id": row.id, "line": row.line, "url": row.url, "host_id": row.host.0,
                            "parked": row.parked, "older_id": row.older })
                };
                let rows = json!(rows.iter().map(row).collect::<Vec<_>>()).to_string();
                let not_before = keys.not_before.map(to_millis);
                let values = args![
                    file.0,
                    keys.priority.rank(),
                    not_before,
                    keys.deadline.map(to_millis),
                    not_before,
                    *label,
                    lane.number(),
                    *first_step,
                    keys.purge_force,
                    rows,
                ];
                conn.run(ADD_ROWS, &values).map(|_| ())
            }
        }
    }
}

impl<'c> Lite<'c> {
    fn prepare(conn: &'c Connection, rows: usize) -> rusqlite::Result<Self> {
        let many = |sql: Sql, row: &str| {
            conn.prepare_cached(&sql.lite().replace(row, &vec![row; ROWS_A_STATEMENT].join(", ")))
        };
        let is_large = rows >= ROWS_A_STATEMENT;
        Ok(Self {
            add_key: conn.prepare_cached(ADD_KEY.lite())?,
            row_of_key: conn.prepare_cached(ROW_OF_KEY.lite())?,
            known: conn.prepare_cached(super::existing::KNOWN.lite())?,
            add: conn.prepare_cached(ADD_ROWS.lite())?,
            many: if is_large {
                Some((many(ADD_KEYS, "(?, ?)")?, many(ADD_ROWS, "(?, ?, ?, ?, ?, ?)")?))
            } else {
                None
            },
        })
    }

    fn add(&mut self, shared: &Shared<'_>, rows: &[Row<'_>]) -> rusqlite::Result<()> {
        let add = match &mut self.many {
            Some((_, many)) if rows.len() > 1 => many,
            _ => &mut self.add,
        };
        let not_before = shared.keys.not_before.map(to_millis);
        add.raw_bind_parameter(1, shared.file.0)?;
        add.raw_bind_parameter(2, shared.keys.priority.rank())?;
        add.raw_bind_parameter(3, not_before)?;
        add.raw_bind_parameter(4, shared.keys.deadline.map(to_millis))?;
        // Whether that time has come is decided by housekeeping, which knows what is proved about the time.
        add.raw_bind_parameter(5, not_before)?;
        add.raw_bind_parameter(6, shared.label)?;
        add.raw_bind_parameter(7, shared.lane.number())?;
        add.raw_bind_parameter(8, shared.first_step)?;
        add.raw_bind_parameter(9, shared.keys.purge_force)?;
        for (n, row) in rows.iter().enumerate() {
            let column = 9 + 6 * n;
            add.raw_bind_parameter(column + 1, row.id)?;
            add.raw_bind_parameter(column + 2, row.line.cast_signed())?;
            add.raw_bind_parameter(column + 3, row.url)?;
            add.raw_bind_parameter(column + 4, row.host.0)?;
            add.raw_bind_parameter(column + 5, row.parked)?;
            add.raw_bind_parameter(column + 6, row.older)?;
        }
        add.raw_execute().map(|_| ())
    }
}
