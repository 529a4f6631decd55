//! The database: opens and migrates it, with one connection that writes and a few that read.
//!
//! `migrations/` says who owns which table; this module only opens them. All writing goes through [`Store::write`], one
//! transaction at a time, so that what a transaction has checked still holds when it commits. A commit that reports an
//! error may be durable all the same (fsync failed, but the rows were there). So the connection is dropped, and the
//! next user opens a new one and reads what is true.

mod bulk;
mod conn;
mod error;
mod fence;
mod file;
mod guard;
mod line;
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
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DatabaseUrl};

pub use bulk::Bulk;
pub(crate) use bulk::ROWS_TOGETHER;
pub use conn::{Conn, Readers};
pub use error::{Error, FULL, LOCKED, LOST, NOT_LEADING, Result};
pub use fence::Fence;
pub use file::{beside, real_path, refuse_linked, wal_of};
pub use guard::{DatabaseState, Guard};
pub use line::{Listener, Told};
use lite::{Lite, base_options, refuse_newer};
use login::Login;
use origin::Origin;
pub use origin::{HEADER_BYTES, Loss, Lost};
pub use postgres::Inspection;
use postgres::Server;
use reader::data_version;
pub use reader::{inspect, look_at, open_reader, open_reader_of};
pub use room::WAL_BYTES;
pub use row::{At, Get, Row};
pub(crate) use sql::args;
pub use sql::{Column, Parameter, Place, Query, Scalar, Sql, Text, Value, query, query_scalar};
use tx::LastFailure;
pub use tx::WriteTx;

/// The open database, as one user of it sees it. All of them share its connections.
#[derive(Debug)]
pub struct Store {
    db: Arc<Database>,
    /// The lease without which nothing is written.
    fence: Option<Fence>,
}

/// The database itself.
#[derive(Debug)]
struct Database {
    home: Home,
    /// Whose rows this process writes; empty where the database is a file.
    host: String,
    origin: Arc<Origin>,
    writer: Mutex<Option<Conn>>,
    readers: Readers,
    trouble: LastFailure,
    way: way::Way,
    /// Commits of this process that were counted in `changes`.
    commits: AtomicI64,
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
        let (writer, way, host) = (Mutex::new(Some(writer)), way::Way::default(), host.to_owned());
        let (trouble, commits) = (LastFailure::default(), AtomicI64::new(0));
        Self { db: Arc::new(Database { home, host, origin, writer, readers, trouble, way, commits }), fence: None }
    }

    /// The same database for a stage of the leader: it writes only while this lease is the present one. Where the
    /// database is a file nobody else could lead, and nothing is asked.
    pub fn under(&self, fence: Fence) -> Self {
        Self { db: Arc::clone(&self.db), fence: Some(fence) }
    }

    /// Whether the database is on a server, so that other hosts may use it too.
    pub fn is_shared(&self) -> bool {
        matches!(self.db.home, Home::Postgres(_))
    }

    /// Whether a call may leave at `now`, by the boot-time clock: the lease is surely this host's.
    pub fn acts(&self, now: Duration) -> bool {
        self.fence.as_ref().is_none_or(|fence| fence.acts(now))
    }

    /// The number of the lease under which this writes; none without one.
    pub fn fence(&self) -> Option<i64> {
        self.fence.as_ref().map(Fence::number)
    }

    /// What was found makes it impossible to go on under this lease: it is over.
    pub fn give_up_lead(&self) {
        if let Some(fence) = &self.fence {
            fence.end();
        }
    }

    /// How many commits of this process others can count.
    pub fn commits(&self) -> i64 {
        self.db.commits.load(Ordering::SeqCst)
    }

    /// Begins the write transaction; waits for the one before. Nothing is kept unless it is committed.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds; [`Error::NotLeading`] if the
    /// lease is another one by now.
    pub async fn write(&self) -> Result<WriteTx<'_>> {
        self.db.trouble.note(self.begin(self.fence.as_ref()).await)
    }

    /// The same for what may be written without the lease, too: an answer that only this process has, and that the
    /// statement itself refuses if somebody else has dealt with its call.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], as of [`Store::write`].
    pub async fn write_late(&self) -> Result<WriteTx<'_>> {
        self.db.trouble.note(self.begin(None).await)
    }

    async fn begin(&self, fence: Option<&Fence>) -> Result<WriteTx<'_>> {
        let mut slot = self.db.writer.lock().await;
        self.db.origin.check()?;
        let connection = match &self.db.home {
            Home::Lite(lite) => lite.begin(&mut slot).await?,
            Home::Postgres(server) => server.begin(&mut slot, fence).await?,
        };
        Ok(WriteTx { slot, connection: Some(connection), db: &self.db })
    }

    /// Whose rows this process writes: the name of its host, which is empty where the database is a file.
    pub fn host(&self) -> &str {
        &self.db.host
    }

    /// Why the last write failed; none while writing works.
    pub fn trouble(&self) -> Option<String> {
        self.db.trouble.get()
    }

    /// What became of the database, if it is no longer the file that was opened: then nothing is written, and it must
    /// not be opened again.
    pub fn lost(&self) -> Option<Lost> {
        self.db.origin.lost()
    }

    /// Somebody has found that the database is not what it was: nothing more is written to it.
    pub fn lose(&self, loss: Loss) {
        self.db.origin.lose(loss);
    }

    /// Cancelled once the database is lost.
    pub fn when_lost(&self) -> CancellationToken {
        self.db.origin.told().clone()
    }

    /// Frees what the writing connection has cached if nothing was written between two calls of this. Waiting stages
    /// call it now and then.
    pub async fn rest(&self) {
        if let Home::Lite(lite) = &self.db.home {
            lite.rest(&self.db.writer).await;
        }
    }

    /// The read-only connections; they see what is committed.
    pub fn read(&self) -> &Readers {
        &self.db.readers
    }

    /// Closes every connection, so that a WAL is copied back into the database file, unless somebody else still uses
    /// them.
    pub async fn close(self) {
        let Some(db) = Arc::into_inner(self.db) else { return };
        db.readers.close().await;
        if let Some(writer) = db.writer.into_inner() {
            // The last copy of the WAL is only tidying up: what was committed is in the WAL already.
            let _ = writer.close().await;
        }
    }
}

#[cfg(test)]
mod tests;
