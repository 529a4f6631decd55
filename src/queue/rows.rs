//! The ingest's hot statements: they add a chunk's keys and rows and look at what is known. SQLite takes them on its
//! own handle, one by one and a hundred at a time. PostgreSQL takes arrays ([`Journeys`]), since each statement is a
//! journey there and back.

use rusqlite::{CachedStatement, Connection};

use super::existing::{Existing, Wanted, look_up};
use super::journeys::Journeys;
use crate::model::{FileId, HostId, Keys, Lane, to_millis};
use crate::store::{Bulk, ROWS_TOGETHER, Result};

/// Statements for many rows have no numbered parameters, because SQLite finds those by walking a list of all of them.
const ADD_KEYS: &str = "insert or ignore into url_keys (url_key, url_id) values (?, ?)";

/// First the values that all rows share, then those of each row.
const ADD_ROWS: &str = "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, url, host_id, parked, older_id)
    select ?, ?, ?, ?, ?, ?, ?, ?, ?, v.* from (values (?, ?, ?, ?, ?, ?)) as v";

const ADD_KEY: &str = "insert into url_keys (url_key, url_id) values (?1, ?2) on conflict do nothing";

const ROW_OF_KEY: &str = "select url_id from url_keys where url_key = ?1";

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
#[derive(Debug, Clone, Copy)]
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
    Postgres(Box<Journeys<'c>>),
}

/// The statements on SQLite's own handle.
pub(super) struct Lite<'c> {
    add_key: CachedStatement<'c>,
    row_of_key: CachedStatement<'c>,
    known: CachedStatement<'c>,
    add: CachedStatement<'c>,
    /// For [`ROWS_TOGETHER`] keys and rows, if the chunk is large enough.
    many: Option<(CachedStatement<'c>, CachedStatement<'c>)>,
}

impl<'c> Hot<'c> {
    /// For a chunk of so many rows of a file.
    pub(super) fn prepare(conn: &'c Bulk, file: FileId, rows: usize) -> Result<Self> {
        Ok(match conn.sqlite() {
            Some(handle) => Self::Lite(Box::new(Lite::prepare(handle, rows)?)),
            None => Self::Postgres(Box::new(Journeys::new(conn, file))),
        })
    }

    /// Adds keys, each with its row; no two are the same. Returns those that were there before, by their position among
    /// these, with their last row.
    pub(super) fn add_keys(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<(usize, i64)>> {
        match self {
            Self::Lite(lite) => lite.add_keys(pairs),
            Self::Postgres(journeys) => journeys.add_keys(pairs),
        }
    }

    /// The last row with each of these keys, which are there.
    pub(super) fn rows_of_keys(&mut self, keys: &[i64]) -> Result<Vec<i64>> {
        match self {
            Self::Lite(lite) => keys.iter().map(|key| lite.row_of_key(*key)).collect(),
            Self::Postgres(journeys) => journeys.rows_of_keys(keys),
        }
    }

    /// What the last rows and older ones with the same keys say about these URLs.
    pub(super) fn look_up(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Existing>> {
        match self {
            Self::Lite(lite) => wanted.iter().map(|wanted| look_up(&mut lite.known, wanted)).collect(),
            Self::Postgres(journeys) => journeys.look_up(wanted),
        }
    }

    /// Adds rows; those that wait for others are added with [`Hot::flush`].
    pub(super) fn add(&mut self, shared: Shared<'c>, rows: Vec<Row<'c>>) -> Result<()> {
        match self {
            Self::Lite(lite) => {
                let together = if rows.len() == ROWS_TOGETHER { rows.len() } else { 1 };
                Ok(rows.chunks(together).try_for_each(|some| lite.add(&shared, some))?)
            }
            Self::Postgres(journeys) => journeys.add(shared, rows),
        }
    }

    /// Adds the rows that wait.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Lite(_) => Ok(()),
            Self::Postgres(journeys) => journeys.flush(),
        }
    }
}

impl<'c> Lite<'c> {
    fn prepare(conn: &'c Connection, rows: usize) -> rusqlite::Result<Self> {
        let many = |sql: &str, row: &str| conn.prepare_cached(&sql.replace(row, &vec![row; ROWS_TOGETHER].join(", ")));
        let is_large = rows >= ROWS_TOGETHER;
        Ok(Self {
            add_key: conn.prepare_cached(ADD_KEY)?,
            row_of_key: conn.prepare_cached(ROW_OF_KEY)?,
            known: conn.prepare_cached(super::existing::KNOWN.lite())?,
            add: conn.prepare_cached(ADD_ROWS)?,
            many: if is_large {
                Some((many(ADD_KEYS, "(?, ?)")?, many(ADD_ROWS, "(?, ?, ?, ?, ?, ?)")?))
            } else {
                None
            },
        })
    }

    /// All at once, or one by one if some of them are known.
    fn add_keys(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<(usize, i64)>> {
        if let Some((add, _)) = self.many.as_mut().filter(|_| pairs.len() == ROWS_TOGETHER) {
            for (n, (key, row)) in pairs.iter().enumerate() {
                add.raw_bind_parameter(2 * n + 1, key)?;
                add.raw_bind_parameter(2 * n + 2, row)?;
            }
            if add.raw_execute()? == pairs.len() {
                return Ok(Vec::new());
            }
        }
        let mut known = Vec::new();
        for (n, (key, row)) in pairs.iter().enumerate() {
            if self.add_key.execute([key, row])? == 0 {
                // It may have been added a moment ago.
                known.extend(Some((n, self.row_of_key(*key)?)).filter(|(_, latest)| latest != row));
            }
        }
        Ok(known)
    }

    fn row_of_key(&mut self, key: i64) -> Result<i64> {
        Ok(self.row_of_key.query_row([key], |row| row.get(0))?)
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
