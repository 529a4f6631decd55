//! The database: opens and migrates it, with one connection that writes and a few that read.
//!
//! `migrations/` says who owns which table; this module only opens them. All writing goes through [`Store::write`], one
//! transaction at a time, so that what a transaction has checked still holds when it commits. A commit that reports an
//! error may be durable all the same (fsync failed, but the rows were there). So the connection is dropped, and the
//! next user opens a new one and reads what is true.

mod bulk;
mod conn;
mod error;
mod file;
mod guard;
mod lite;
mod login;
mod origin;
mod postgres;
mod reader;
mod room;
mod row;
mod sql;
mod sqlstate;
mod tx;
mod way;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DatabaseUrl};

pub use bulk::Bulk;
pub(crate) use bulk::ROWS_TOGETHER;
pub use conn::{Conn, Readers};
pub use error::{Error, FULL, LOCKED, LOST, Result};
pub use file::{beside, real_path, refuse_linked, wal_of};
pub use guard::{DatabaseState, Guard};
use lite::{Lite, base_options, refuse_newer};
use login::Login;
use origin::Origin;
pub use origin::{HEADER_BYTES, Loss, Lost};
use postgres::Server;
use reader::data_version;
pub use reader::{look_at, open_reader, open_reader_of};
pub use room::WAL_BYTES;
pub use row::{At, Get, Row};
pub(crate) use sql::args;
pub use sql::{Column, Parameter, Place, Query, Scalar, Sql, Text, Value, query, query_scalar};
use tx::LastFailure;
pub use tx::WriteTx;

/// The open database.
#[derive(Debug)]
pub struct Store {
    home: Home,
    /// Whose rows this process writes; empty where the database is a file.
    host: String,
    origin: Arc<Origin>,
    writer: Mutex<Option<Conn>>,
    readers: Readers,
    trouble: LastFailure,
    way: way::Way,
}

/// Where the database is.
#[derive(Debug)]
enum Home {
    Lite(Lite),
    Postgres(Server),
}

impl Store {
    /// Opens the database for the daemon and for commands that change it; creates and migrates it if necessary.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`] and [`Error::Corrupt`], before anything is written.
    pub async fn open(path: &Path) -> Result<Self> {
        let (lite, origin, writer, readers) = Lite::open(path).await?;
        Ok(Self::over(Home::Lite(lite), "", origin, writer, readers))
    }

    /// The same, of a schema on a PostgreSQL server, by its URL, for the host of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`], before anything is written; [`Error::Other`] if the server cannot be reached.
    pub async fn open_server(url: &str, host: &str) -> Result<Self> {
        let url = url.parse().map_err(|what: &str| Error::Other(what.into()))?;
        Self::at(Login::of(&url, &Config::default())?, host).await
    }

    /// The same, of the configured database, for the configured host.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`] and [`Store::open_server`].
    pub async fn of(config: &Config) -> Result<Self> {
        match &config.database.url {
            DatabaseUrl::File(path) => Self::open(path).await,
            DatabaseUrl::Server(server) => Self::at(Login::of(server, config)?, config.database.host().as_str()).await,
        }
    }

    async fn at(login: Login, host: &str) -> Result<Self> {
        let (server, writer, readers) = Server::open(login).await?;
        Ok(Self::over(Home::Postgres(server), host, Arc::default(), writer, readers))
    }

    fn over(home: Home, host: &str, origin: Arc<Origin>, writer: Conn, readers: Readers) -> Self {
        let (writer, way) = (Mutex::new(Some(writer)), way::Way::default());
        Self { home, host: host.to_owned(), origin, writer, readers, trouble: LastFailure::default(), way }
    }

    /// Begins the write transaction; waits for the one before. Nothing is kept unless it is committed.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds.
    pub async fn write(&self) -> Result<WriteTx<'_>> {
        self.trouble.note(self.begin().await)
    }

    async fn begin(&self) -> Result<WriteTx<'_>> {
        let mut slot = self.writer.lock().await;
        self.origin.check()?;
        let connection = match &self.home {
            Home::Lite(lite) => lite.begin(&mut slot).await?,
            Home::Postgres(server) => server.begin(&mut slot).await?,
        };
        Ok(WriteTx { slot, connection: Some(connection), trouble: &self.trouble })
    }

    /// Whether the database is on a server, where other hosts write, too.
    pub fn is_shared(&self) -> bool {
        matches!(self.home, Home::Postgres(_))
    }

    /// Whose rows this process writes: the name of its host, which is empty where the database is a file.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Why the last write failed; none while writing works.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.get()
    }

    /// What became of the database, if it is no longer the file that was opened: then nothing is written, and it must
    /// not be opened again.
    pub fn lost(&self) -> Option<Lost> {
        self.origin.lost()
    }

    /// Somebody has found that the database is not what it was: nothing more is written to it.
    pub fn lose(&self, loss: Loss) {
        self.origin.lose(loss);
    }

    /// Cancelled once the database is lost.
    pub fn when_lost(&self) -> CancellationToken {
        self.origin.told().clone()
    }

    /// Frees what the writing connection has cached if nothing was written between two calls of this. Waiting stages
    /// call it now and then.
    pub async fn rest(&self) {
        if let Home::Lite(lite) = &self.home {
            lite.rest(&self.writer).await;
        }
    }

    /// The read-only connections; they see what is committed.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Closes every connection, so that a WAL is copied back into the database file.
    pub async fn close(self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.into_inner() {
            // The last copy of the WAL is only tidying up: what was committed is in the WAL already.
            let _ = writer.close().await;
        }
    }
}

#[cfg(test)]
mod tests;
