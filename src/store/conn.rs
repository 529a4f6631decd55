//! Connections on which statements run. They are opaque, so that no type of the driver leaves this module and those
//! that hold SQL.

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool};

use super::{Result, query};

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
        query("begin").execute(self).await?;
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
