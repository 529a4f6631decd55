//! Connections on which statements run. They are opaque, so that no type of the driver leaves this module and those
//! that hold SQL.

use std::pin::Pin;

use futures_util::Stream;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteQueryResult, SqliteRow, SqliteStatement, SqliteTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, SqlStr, Sqlite, SqliteConnection, SqlitePool};

use super::Result;

/// A connection to the database. Modules that hold SQL run their statements on it; others only pass it on.
#[derive(Debug)]
pub struct Conn(Inner);

#[derive(Debug)]
enum Inner {
    Own(Box<SqliteConnection>),
    Lent(PoolConnection<Sqlite>),
}

impl Conn {
    /// From here until the connection is dropped, all reads see one moment.
    pub async fn hold_still(&mut self) -> Result<()> {
        sqlx::query("begin").execute(self).await?;
        Ok(())
    }

    pub(super) fn sqlite(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            Inner::Own(connection) => connection,
            Inner::Lent(connection) => connection,
        }
    }

    /// Closes the connection; a borrowed one is returned.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self.0 {
            Inner::Own(connection) => connection.close().await,
            Inner::Lent(_) => Ok(()),
        }
    }
}

impl From<SqliteConnection> for Conn {
    fn from(connection: SqliteConnection) -> Self {
        Self(Inner::Own(Box::new(connection)))
    }
}

/// The read-only connections.
#[derive(Debug)]
pub struct Readers(pub(super) SqlitePool);

impl Readers {
    /// Takes one of them, for several statements.
    pub async fn acquire(&self) -> Result<Conn> {
        Ok(Conn(Inner::Lent(self.0.acquire().await?)))
    }
}

type Future<'e, T> = Pin<Box<dyn std::future::Future<Output = sqlx::Result<T>> + Send + 'e>>;

type Rows<'e> = Pin<Box<dyn Stream<Item = sqlx::Result<Either<SqliteQueryResult, SqliteRow>>> + Send + 'e>>;

impl<'c> Executor<'c> for &'c mut Conn {
    type Database = Sqlite;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        self.sqlite().fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Future<'e, Option<SqliteRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        self.sqlite().fetch_optional(query)
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [SqliteTypeInfo]) -> Future<'e, SqliteStatement>
    where
        'c: 'e,
    {
        self.sqlite().prepare_with(sql, parameters)
    }
}

impl<'c> Executor<'c> for &'c Readers {
    type Database = Sqlite;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        (&self.0).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Future<'e, Option<SqliteRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        (&self.0).fetch_optional(query)
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [SqliteTypeInfo]) -> Future<'e, SqliteStatement>
    where
        'c: 'e,
    {
        (&self.0).prepare_with(sql, parameters)
    }
}
