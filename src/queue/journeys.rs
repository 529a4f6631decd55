//! The ingest's hot statements on PostgreSQL: as few journeys as can be, however many rows they are about, with the
//! rows in arrays.
//!
//! A table that is joined with arrays is looked into once for each of their rows, by its key. Otherwise the planner
//! might prefer to read a large table as a whole. That is why an array stands in `(select …)`, which hides its length,
//! and why a subquery has `offset 0`.

use std::collections::HashMap;

use super::existing::{Existing, Wanted, look_up_all};
use super::rows::{Row, Shared};
use crate::model::{FileId, to_millis};
use crate::store::{Bulk, Column, Result, Sql, args};

const ADD_KEYS: Sql = Sql::two(
    "insert into url_keys (url_key, url_id) values (?1, ?2) on conflict do nothing",
    "insert into url_keys (url_key, url_id) select * from unnest(cast(?1 as bigint[]), cast(?2 as bigint[]))
     on conflict do nothing",
);

/// The last rows with these keys, unless they are these.
const KNOWN_KEYS: Sql = Sql::two(
    "select url_key, url_id from url_keys where url_key = ?1 and url_id <> ?2",
    "
    select url_key, url_id from (
        select v.url_key, v.own, (select k.url_id from url_keys as k where k.url_key = v.url_key) as url_id
        from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[]))) as v (url_key, own)) as known
    where url_id <> own",
);

/// Rows that share everything but what each has of its own.
const ADD_ALIKE: Sql = Sql::two(
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, host_id, parked, older_id, url)
    values (?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, label, lane, first_step, purge_force,
                      url_id, line, host_id, parked, older_id, url)
    select ?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8, v.*
    from unnest(cast(?9 as bigint[]), cast(?10 as bigint[]), cast(?11 as bigint[]), cast(?12 as bigint[]),
                cast(?13 as bigint[]), cast(?14 as text[])) as v",
);

/// Any rows of a file.
const ADD_ANY: Sql = Sql::two(
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, lane, first_step, purge_force, label,
                      url_id, line, host_id, parked, older_id, url)
    values (?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    "
    insert into urls (file_id, priority, not_before, deadline, wait_until, lane, first_step, purge_force, label,
                      url_id, line, host_id, parked, older_id, url)
    select ?1, v.priority, v.not_before, v.deadline, v.not_before, v.lane, v.first_step, v.purge_force, v.label,
           v.url_id, v.line, v.host_id, v.parked, v.older_id, v.url
    from unnest(cast(?2 as bigint[]), cast(?3 as bigint[]), cast(?4 as bigint[]), cast(?5 as bigint[]),
                cast(?6 as bigint[]), cast(?7 as bigint[]), cast(?8 as text[]), cast(?9 as bigint[]),
                cast(?10 as bigint[]), cast(?11 as bigint[]), cast(?12 as bigint[]), cast(?13 as bigint[]),
                cast(?14 as text[]))
         as v (priority, not_before, deadline, lane, first_step, purge_force, label,
               url_id, line, host_id, parked, older_id, url)",
);

/// The statements.
pub(super) struct Journeys<'c> {
    conn: &'c Bulk,
    file: FileId,
    /// Rows that wait to be added, with what they share.
    waiting: Vec<(Shared<'c>, Vec<Row<'c>>)>,
    /// How many.
    rows: usize,
}

impl<'c> Journeys<'c> {
    /// For rows of this file.
    pub(super) fn new(conn: &'c Bulk, file: FileId) -> Self {
        Self { conn, file, waiting: Vec::new(), rows: 0 }
    }

    /// [`super::rows::Hot::add_keys`]
    pub(super) fn add_keys(&self, pairs: &[(i64, i64)]) -> Result<Vec<(usize, i64)>> {
        let (keys, ids): (Vec<_>, Vec<_>) = pairs.iter().map(|(key, id)| (Some(*key), Some(*id))).unzip();
        let columns = [Column::Ints(&keys), Column::Ints(&ids)];
        if self.conn.run_each(ADD_KEYS, &[], &columns)? == pairs.len() as u64 {
            return Ok(Vec::new());
        }
        let known = self.known(&columns)?;
        let known = pairs.iter().enumerate().filter_map(|(n, (key, _))| Some((n, *known.get(key)?)));
        Ok(known.collect())
    }

    /// [`super::rows::Hot::rows_of_keys`]
    pub(super) fn rows_of_keys(&self, keys: &[i64]) -> Result<Vec<i64>> {
        let columns = (ints(keys.iter().copied()), vec![Some(0); keys.len()]);
        let known = self.known(&[Column::Ints(&columns.0), Column::Ints(&columns.1)])?;
        Ok(keys.iter().map(|key| known.get(key).copied().unwrap_or_default()).collect())
    }

    fn known(&self, columns: &[Column<'_>]) -> Result<HashMap<i64, i64>> {
        let rows = self.conn.rows_each(KNOWN_KEYS, &[], columns)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// [`super::rows::Hot::look_up`]
    pub(super) fn look_up(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Existing>> {
        look_up_all(self.conn, wanted)
    }

    /// [`super::rows::Hot::add`]
    pub(super) fn add(&mut self, shared: Shared<'c>, rows: Vec<Row<'c>>) -> Result<()> {
        self.rows += rows.len();
        self.waiting.push((shared, rows));
        if self.rows < self.conn.together() { Ok(()) } else { self.flush() }
    }

    /// [`super::rows::Hot::flush`]
    pub(super) fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.rows = 0;
        match waiting.as_slice() {
            [] => Ok(()),
            [(shared, rows)] => self.add_alike(shared, rows),
            _ => self.add_any(&waiting),
        }
    }

    fn add_alike(&self, shared: &Shared<'_>, rows: &[Row<'_>]) -> Result<()> {
        let Shared { file, keys, label, lane, first_step } = *shared;
        let values = args![
            file.0,
            keys.priority.rank(),
            keys.not_before.map(to_millis),
            keys.deadline.map(to_millis),
            label,
            lane.number(),
            first_step,
            keys.purge_force,
        ];
        self.conn.run_each(ADD_ALIKE, &values, &Own::of(rows.iter()).columns()).map(|_| ())
    }

    fn add_any(&self, runs: &[(Shared<'_>, Vec<Row<'_>>)]) -> Result<()> {
        let shared = || runs.iter().flat_map(|(shared, rows)| rows.iter().map(move |_| shared));
        let of_keys = |value: fn(&Shared<'_>) -> Option<i64>| shared().map(value).collect::<Vec<_>>();
        let whole = [
            of_keys(|of| Some(of.keys.priority.rank())),
            of_keys(|of| of.keys.not_before.map(to_millis)),
            of_keys(|of| of.keys.deadline.map(to_millis)),
            of_keys(|of| Some(of.lane.number())),
            of_keys(|of| Some(of.first_step.into())),
            of_keys(|of| Some(of.keys.purge_force.into())),
        ];
        let labels: Vec<Option<&str>> = shared().map(|of| of.label).collect();
        let own = Own::of(runs.iter().flat_map(|(_, rows)| rows));
        let mut columns: Vec<Column<'_>> = whole.iter().map(|column| Column::Ints(column)).collect();
        columns.push(Column::Texts(&labels));
        columns.extend(own.columns());
        self.conn.run_each(ADD_ANY, &args![self.file.0], &columns).map(|_| ())
    }
}

/// What each row has of its own.
struct Own<'r> {
    ids: Vec<Option<i64>>,
    lines: Vec<Option<i64>>,
    hosts: Vec<Option<i64>>,
    parked: Vec<Option<i64>>,
    older: Vec<Option<i64>>,
    urls: Vec<Option<&'r str>>,
}

impl<'r> Own<'r> {
    fn of(rows: impl Iterator<Item = &'r Row<'r>> + Clone) -> Self {
        Self {
            ids: rows.clone().map(|row| Some(row.id)).collect(),
            lines: rows.clone().map(|row| Some(row.line.cast_signed())).collect(),
            hosts: rows.clone().map(|row| Some(row.host.0)).collect(),
            parked: rows.clone().map(|row| Some(row.parked.into())).collect(),
            older: rows.clone().map(|row| row.older).collect(),
            urls: rows.map(|row| Some(row.url)).collect(),
        }
    }

    fn columns(&self) -> [Column<'_>; 6] {
        let Self { ids, lines, hosts, parked, older, urls } = self;
        let [ids, lines, hosts, parked, older] = [ids, lines, hosts, parked, older].map(|column| Column::Ints(column));
        [ids, lines, hosts, parked, older, Column::Texts(urls)]
    }
}

/// A column of whole numbers.
pub(super) fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Option<i64>> {
    values.into_iter().map(Some).collect()
}
