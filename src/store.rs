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
mod origin;
mod reader;
mod room;
mod row;
mod sql;
mod tx;
mod way;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection, SqlSafeStr, SqliteConnection};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use bulk::Bulk;
pub use conn::{Conn, Readers};
pub use error::{Error, FULL, LOCKED, LOST, Result};
use file::give_name;
pub use file::{beside, real_path, refuse_linked, wal_of};
pub use guard::{DatabaseState, Guard};
use origin::Origin;
pub use origin::{HEADER_BYTES, Loss, Lost};
use reader::connect_reader;
use reader::data_version;
pub use reader::open_reader;
use room::LogLimits;
pub use room::WAL_BYTES;
pub use row::{At, Get, Row};
pub(crate) use sql::args;
pub use sql::{Parameter, Place, Query, Scalar, Sql, Text, Value, query, query_scalar};
use tx::LastFailure;
pub use tx::WriteTx;

/// The migrations, in order: number, name, text.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "queue and ledger", include_str!("../migrations/0001_queue_and_ledger.sql")),
    (2, "evidence and wishes", include_str!("../migrations/0002_evidence_and_wishes.sql")),
    (3, "reasons", include_str!("../migrations/0003_reasons.sql")),
    (4, "lanes", include_str!("../migrations/0004_lanes.sql")),
];

/// Earlier versions of SQLite have a bug that corrupts a WAL database when the log is reset (RELIABILITY.md, 1 of the
/// measured).
const SQLITE_VERSION_MIN: i64 = 3_051_003;

/// How long a statement waits for a lock that another process holds before it reports [`Error::Busy`].
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The same, for a connection that was told not to wait.
const BUSY_TIMEOUT_AGAIN: &str = "pragma busy_timeout = 5000";

/// Connections for readers: one a stage.
const READERS: u32 = 4;

/// Page cache of the writing connection, negative: in KiB.
const CACHE_KIB: &str = "-24576";

/// The open database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The write-ahead log.
    log: PathBuf,
    origin: Arc<Origin>,
    options: SqliteConnectOptions,
    writer: Mutex<Option<Conn>>,
    readers: Readers,
    trouble: LastFailure,
    /// The present limits of the log; none for a new connection.
    limits: std::sync::Mutex<Option<LogLimits>>,
    /// How recently it was written: see [`Store::rest`].
    stir: AtomicU8,
    way: way::Way,
}

/// Written since the last look ...
const WRITTEN: u8 = 2;
/// ... or since the look before that.
const CALM: u8 = 1;

impl Store {
    /// Opens the database for the daemon and for commands that change it; creates and migrates it if necessary.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`] and [`Error::Corrupt`], before anything is written.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = base_options(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("cache_size", CACHE_KIB);
        refuse_linked(path)?;
        refuse_newer(path).await?;
        let mut writer = SqliteConnection::connect_with(&options.clone().create_if_missing(true)).await?;
        check_library(&mut writer).await?;
        // Tables that others reference are rebuilt: with foreign keys on, dropping one would empty the others. Each
        // migration checks the keys at its end.
        sqlx::query("pragma foreign_keys = off").execute(&mut writer).await?;
        migrator().run(&mut writer).await?;
        sqlx::query("pragma foreign_keys = on").execute(&mut writer).await?;
        give_name(&mut writer).await?;
        // The migrated pages are copied back at once, because a small disk may later have no room for both.
        sqlx::query("pragma wal_checkpoint(passive)").execute(&mut writer).await?;
        let origin = Arc::new(Origin::of(path));
        let opened = Arc::clone(&origin);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .after_connect(move |_, _| {
                let checked = opened.check().map_err(|error| sqlx::Error::Io(std::io::Error::other(error.to_string())));
                Box::pin(async { checked })
            })
            .connect_lazy_with(base_options(path).read_only(true).pragma("query_only", "on"));
        Ok(Self {
            path: path.to_path_buf(),
            log: wal_of(path),
            origin,
            options,
            writer: Mutex::new(Some(writer.into())),
            readers: Readers(readers),
            trouble: LastFailure::default(),
            limits: std::sync::Mutex::default(),
            stir: AtomicU8::new(WRITTEN),
            way: way::Way::default(),
        })
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
        self.stir.store(WRITTEN, Ordering::Relaxed);
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.reopen().await?.into(),
        };
        self.limit_log(connection.sqlite()).await?;
        match query("begin immediate").execute(&mut connection).await {
            Ok(_) => Ok(WriteTx { slot, connection: Some(connection), trouble: &self.trouble }),
            Err(error) => {
                // A refused `begin` leaves no transaction open; after any other failure the connection is not reused.
                if matches!(error, Error::Busy(_)) {
                    *slot = Some(connection);
                }
                Err(error)
            }
        }
    }

    /// Opens a new connection after a failure. On a full disk the log may be what fills it, so it is copied back and
    /// cut to nothing, if there is room for that.
    async fn reopen(&self) -> Result<SqliteConnection> {
        let mut connection = SqliteConnection::connect_with(&self.options).await?;
        self.origin.check()?;
        *self.limits() = None;
        // Readers in the way are not waited for; the next try shows whether there is room.
        for statement in ["pragma busy_timeout = 0", "pragma wal_checkpoint(truncate)", BUSY_TIMEOUT_AGAIN] {
            match sqlx::query(statement).execute(&mut connection).await.map_err(Error::from) {
                Ok(_) | Err(Error::Full(_) | Error::Busy(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(connection)
    }

    /// Limits the log to a part of the free room.
    async fn limit_log(&self, connection: &mut SqliteConnection) -> Result<()> {
        let Some(limits) = LogLimits::now(&self.log) else { return Ok(()) };
        if *self.limits() == Some(limits) {
            return Ok(());
        }
        for pragma in limits.pragmas().split("; ") {
            sqlx::query(sqlx::AssertSqlSafe(pragma.to_owned())).execute(&mut *connection).await?;
        }
        *self.limits() = Some(limits);
        Ok(())
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Option<LogLimits>> {
        self.limits.lock().expect("no holder of the limits panics")
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

    /// Frees the writing connection's page cache if nothing was written between two calls of this. Waiting stages call
    /// it now and then.
    pub async fn rest(&self) {
        let was = self.stir.load(Ordering::Relaxed);
        self.stir.store(was.saturating_sub(1), Ordering::Relaxed);
        if was == CALM
            && let Ok(mut slot) = self.writer.try_lock()
            && let Some(connection) = slot.as_mut()
        {
            // Only tidying up: a broken connection is noticed by its next user.
            let _ = query("pragma shrink_memory").execute(connection).await;
        }
    }

    /// The read-only connections; they see what is committed.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Closes every connection, so that the WAL is copied back into the database file.
    pub async fn close(self) {
        self.readers.0.close().await;
        if let Some(writer) = self.writer.into_inner() {
            // The last copy of the WAL is only tidying up: what was committed is in the WAL already.
            let _ = writer.close().await;
        }
    }
}

fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .optimize_on_close(false, None)
        .disable_statement_logging()
}

fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, name, text)| {
                Migration::new(*version, (*name).into(), MigrationType::Simple, (*text).into_sql_str(), false)
            })
            .collect(),
    )
}

/// Refuses, without writing, a database that a newer version has migrated.
async fn refuse_newer(path: &Path) -> Result<()> {
    if !std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Ok(());
    }
    let mut connection = connect_reader(path).await?;
    let made: i64 = sqlx::query_scalar("select count(*) from sqlite_schema where name = '_sqlx_migrations'")
        .fetch_one(&mut connection)
        .await?;
    if made > 0 {
        let found: Option<i64> =
            sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut connection).await?;
        let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
        if let Some(found) = found.filter(|found| *found > known) {
            return Err(Error::Newer { found, known });
        }
    }
    connection.close().await?;
    Ok(())
}

async fn check_library(connection: &mut SqliteConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(connection).await?;
    let number = version.split('.').filter_map(|part| part.parse::<i64>().ok()).fold(0, |sum, part| sum * 1000 + part);
    if number < SQLITE_VERSION_MIN { Err(Error::OldLibrary(version)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
