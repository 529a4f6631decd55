//! Connections on which statements run. They are opaque, so that no type of the drivers leaves this module and those
//! that hold SQL.

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::{Error, Result, query};

/// A connection to the database. Modules that hold SQL run their statements on it; others only pass it on.
#[derive(Debug)]
pub struct Conn(Inner);

#[derive(Debug)]
enum Inner {
    Own(Box<SqliteConnection>),
    Lent(PoolConnection<Sqlite>),
    OwnPostgres(Box<PgConnection>),
    LentPostgres(PoolConnection<Postgres>),
}

/// The driver's own connection.
#[derive(Debug)]
pub(super) enum Engine<'c> {
    Lite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Conn {
    /// From here until the connection is dropped, all reads see one moment.
    pub async fn hold_still(&mut self) -> Result<()> {
        let begin = match self.engine() {
            Engine::Lite(_) => "begin",
            Engine::Postgres(_) => "begin isolation level repeatable read, read only",
        };
        query(begin).execute(self).await?;
        Ok(())
    }

    /// Whether this process's role may change a database on a server. Of a file, its mode says that.
    pub async fn may_write(&mut self) -> Result<bool> {
        match self.engine() {
            Engine::Lite(_) => Ok(true),
            Engine::Postgres(conn) => {
                Ok(sqlx::raw_sql(super::postgres::MAY_WRITE).fetch_one(conn).await?.try_get(0)?)
            }
        }
    }

    pub(super) fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Inner::Own(connection) => Engine::Lite(connection),
            Inner::Lent(connection) => Engine::Lite(connection),
            Inner::OwnPostgres(connection) => Engine::Postgres(connection),
            Inner::LentPostgres(connection) => Engine::Postgres(connection),
        }
    }

    /// Closes the connection; a borrowed one is returned.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self.0 {
            Inner::Own(connection) => connection.close().await,
            Inner::OwnPostgres(connection) => connection.close().await,
            Inner::Lent(_) | Inner::LentPostgres(_) => Ok(()),
        }
    }
}

impl From<SqliteConnection> for Conn {
    fn from(connection: SqliteConnection) -> Self {
        Self(Inner::Own(Box::new(connection)))
    }
}

impl From<PgConnection> for Conn {
    fn from(connection: PgConnection) -> Self {
        Self(Inner::OwnPostgres(Box::new(connection)))
    }
}

/// The read-only connections.
#[derive(Debug)]
pub struct Readers(Pool);

#[derive(Debug)]
enum Pool {
    Lite(SqlitePool),
    Postgres(PgPool),
}

impl Readers {
    /// Takes one of them, for several statements.
    pub async fn acquire(&self) -> Result<Conn> {
        Ok(Conn(match &self.0 {
            Pool::Lite(pool) => Inner::Lent(pool.acquire().await?),
            Pool::Postgres(pool) => Inner::LentPostgres(pool.acquire().await.map_err(|error| match error {
                sqlx::Error::PoolTimedOut => Error::Away("no connection came free".into()),
                error => error.into(),
            })?),
        }))
    }

    pub(super) async fn close(&self) {
        match &self.0 {
            Pool::Lite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl From<SqlitePool> for Readers {
    fn from(pool: SqlitePool) -> Self {
        Self(Pool::Lite(pool))
    }
}

impl From<PgPool> for Readers {
    fn from(pool: PgPool) -> Self {
        Self(Pool::Postgres(pool))
    }
}
