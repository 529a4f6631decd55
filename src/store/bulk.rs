//! The writing connection without the driver's thread, for work on many rows.
//!
//! sqlx hands every statement to a thread and waits for its answer, which costs more than SQLite's insert of a row
//! (PERFORMANCE.md, "Measured here"). [`WriteTx::bulk`] runs a closure on the handle itself, inside the transaction
//! that sqlx began.

use std::cell::RefCell;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use sqlx::PgConnection;
use sqlx::sqlite::LockedSqliteHandle;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::conn::Engine;
use super::sql::{query_each, query_with};
use super::{Column, Conn, Error, Result, Row, Sql, Value, WriteTx};

/// Prepared statements that are kept during one piece of work: all those of an ingest.
const STATEMENTS: usize = 64;

/// How many rows it is best to handle together on SQLite: opening a table and its indexes costs as much as a few rows.
pub(crate) const ROWS_TOGETHER: usize = 100;

/// The same on PostgreSQL, where each statement is a journey: the rows of a chunk.
const ROWS_A_JOURNEY: usize = 10_000;

/// The connection on which statements run one after the other, without awaiting any.
#[derive(Debug)]
pub struct Bulk(Inner);

#[derive(Debug)]
enum Inner {
    Lite(Connection),
    /// Each statement is a journey to the server and back.
    Postgres(RefCell<Conn>),
}

impl Bulk {
    /// Runs a statement; tells how many rows it changed.
    pub fn run(&self, sql: Sql, values: &[Value<'_>]) -> Result<u64> {
        match &self.0 {
            Inner::Lite(conn) => Ok(conn.prepare_cached(sql.lite())?.execute(params_from_iter(values))? as u64),
            Inner::Postgres(conn) => block_on(query_with(sql, values).execute(&mut *conn.borrow_mut())),
        }
    }

    /// All rows of a statement.
    pub fn rows(&self, sql: Sql, values: &[Value<'_>]) -> Result<Vec<Row>> {
        match &self.0 {
            Inner::Lite(conn) => copied(conn, sql, values, usize::MAX),
            Inner::Postgres(conn) => block_on(query_with(sql, values).fetch_all(&mut *conn.borrow_mut())),
        }
    }

    /// The first row of a statement, if there is one.
    pub fn row(&self, sql: Sql, values: &[Value<'_>]) -> Result<Option<Row>> {
        match &self.0 {
            Inner::Lite(conn) => Ok(copied(conn, sql, values, 1)?.pop()),
            Inner::Postgres(conn) => block_on(query_with(sql, values).fetch_optional(&mut *conn.borrow_mut())),
        }
    }

    /// The first row of a statement that always gives one.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn one(&self, sql: Sql, values: &[Value<'_>]) -> Result<Row> {
        self.row(sql, values)?.ok_or_else(Error::no_row)
    }

    /// Runs a statement about many rows; tells how many it changed. `values` are the same for all rows and come first;
    /// then comes a parameter for each column. SQLite runs it for each row. PostgreSQL runs it once, and its form of
    /// the statement has arrays, which `unnest` makes rows of.
    pub fn run_each(&self, sql: Sql, values: &[Value<'_>], columns: &[Column<'_>]) -> Result<u64> {
        let rows = columns.first().map_or(0, Column::rows);
        match &self.0 {
            _ if rows == 0 => Ok(0),
            Inner::Lite(conn) => {
                let mut statement = conn.prepare_cached(sql.lite())?;
                let run = |row| Ok(statement.execute(params_from_iter(of_row(values, columns, row)))? as u64);
                (0..rows).map(run).sum()
            }
            Inner::Postgres(conn) => {
                let query = query_each(sql, values, columns);
                Ok(block_on(query.execute(on_server(&mut conn.borrow_mut())?))?.rows_affected())
            }
        }
    }

    /// All rows that a statement gives for many rows, as [`Bulk::run_each`] runs it. On PostgreSQL they come in any
    /// order.
    pub fn rows_each(&self, sql: Sql, values: &[Value<'_>], columns: &[Column<'_>]) -> Result<Vec<Row>> {
        let rows = columns.first().map_or(0, Column::rows);
        match &self.0 {
            _ if rows == 0 => Ok(Vec::new()),
            Inner::Lite(conn) => {
                let mut found = Vec::new();
                for row in 0..rows {
                    let values: Vec<Value<'_>> = of_row(values, columns, row).collect();
                    found.extend(copied(conn, sql, &values, usize::MAX)?);
                }
                Ok(found)
            }
            Inner::Postgres(conn) => {
                let query = query_each(sql, values, columns);
                let rows = block_on(query.fetch_all(on_server(&mut conn.borrow_mut())?))?;
                Ok(rows.into_iter().map(Row::from).collect())
            }
        }
    }

    /// How many rows are best handled together.
    pub(crate) fn together(&self) -> usize {
        match &self.0 {
            Inner::Lite(_) => ROWS_TOGETHER,
            Inner::Postgres(_) => ROWS_A_JOURNEY,
        }
    }

    /// SQLite's own handle, for the ingest: it binds a hundred rows at a time, and looks at rows without copying them.
    /// None on PostgreSQL.
    pub(crate) fn sqlite(&self) -> Option<&Connection> {
        match &self.0 {
            Inner::Lite(conn) => Some(conn),
            Inner::Postgres(_) => None,
        }
    }
}

/// The values of a statement for this row.
fn of_row<'v>(values: &'v [Value<'v>], columns: &'v [Column<'v>], row: usize) -> impl Iterator<Item = Value<'v>> + 'v {
    values.iter().cloned().chain(columns.iter().map(move |column| column.at(row)))
}

/// The first rows of a statement, at most this many.
fn copied(conn: &Connection, sql: Sql, values: &[Value<'_>], rows_max: usize) -> Result<Vec<Row>> {
    let mut statement = conn.prepare_cached(sql.lite())?;
    let mut found = statement.query(params_from_iter(values))?;
    let mut rows = Vec::new();
    // Most statements here find nothing, and pay for no names.
    let mut names: Option<Arc<[String]>> = None;
    while rows.len() < rows_max
        && let Some(row) = found.next()?
    {
        let names = names.get_or_insert_with(|| row.as_ref().column_names().into_iter().map(str::to_owned).collect());
        rows.push(Row::copy(names, row)?);
    }
    Ok(rows)
}

fn on_server(conn: &mut Conn) -> Result<&mut PgConnection> {
    match conn.engine() {
        Engine::Postgres(conn) => Ok(conn),
        Engine::Lite(_) => Err(Error::Other("a statement for a server was to run on a file".into())),
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    Handle::current().block_on(work)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Int(Some(value)) => ValueRef::Integer(*value),
            Value::Real(Some(value)) => ValueRef::Real(*value),
            Value::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Value::Int(None) | Value::Real(None) | Value::Text(None) => ValueRef::Null,
        }))
    }
}

impl WriteTx<'_> {
    /// Runs `work` inside this transaction. It blocks its thread, so it must be bounded: a chunk of a file, a handful
    /// of files.
    ///
    /// # Errors
    ///
    /// The database failed; the transaction must be dropped.
    pub async fn bulk<T, E>(&mut self, work: impl FnOnce(&Bulk) -> std::result::Result<T, E>) -> Result<T>
    where
        Error: From<E>,
    {
        if let Engine::Lite(conn) = self.conn().engine() {
            let mut handle = conn.lock_handle().await?;
            return blocking(|| on_handle(&mut handle, work));
        }
        // It is given back unless the work fails, and then the transaction is dropped with it.
        let bulk = Bulk(Inner::Postgres(RefCell::new(self.take())));
        let done = blocking(|| work(&bulk))?;
        if let Inner::Postgres(conn) = bulk.0 {
            self.give_back(conn.into_inner());
        }
        Ok(done)
    }
}

/// Runs what blocks its thread. Meanwhile other threads take over this thread's tasks, if there are other threads.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[expect(unsafe_code, reason = "rusqlite cannot know whose handle it is given")]
fn on_handle<T, E>(
    handle: &mut LockedSqliteHandle<'_>,
    work: impl FnOnce(&Bulk) -> std::result::Result<T, E>,
) -> Result<T>
where
    Error: From<E>,
{
    // SAFETY: both crates link the same libsqlite3-sys. While `handle` is locked, sqlx's thread does not touch the
    // connection, and it stays open: `connection` ends before the lock does, and does not close a handle that it does
    // not own.
    let connection = unsafe { Connection::from_handle(handle.as_raw_handle().as_ptr())? };
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(work(&Bulk(Inner::Lite(connection)))?)
}
