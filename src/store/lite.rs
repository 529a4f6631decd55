//! SQLite's file: opens and migrates it, limits its log, and begins its transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _, SqliteConnection};

use super::file::{give_name, refuse_linked, wal_of};
use super::origin::Origin;
use super::reader::connect_reader;
use super::room::LogLimits;
use super::{Conn, Error, Readers, Result, query};

/// The migrations, in order: number, name, text.
pub(super) const MIGRATIONS: [(i64, &str, &str); 5] = [
    (1, "queue and ledger", include_str!("../../migrations/0001_queue_and_ledger.sql")),
    (2, "evidence and wishes", include_str!("../../migrations/0002_evidence_and_wishes.sql")),
    (3, "reasons", include_str!("../../migrations/0003_reasons.sql")),
    (4, "lanes", include_str!("../../migrations/0004_lanes.sql")),
    (5, "hosts", include_str!("../../migrations/0005_hosts.sql")),
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

/// The file of the database.
#[derive(Debug)]
pub(super) struct Lite {
    pub(super) path: PathBuf,
    /// The write-ahead log.
    log: PathBuf,
    origin: Arc<Origin>,
    options: SqliteConnectOptions,
    /// The present limits of the log; none for a new connection.
    limits: std::sync::Mutex<Option<LogLimits>>,
    /// How recently it was written: see [`Lite::rest`].
    stir: AtomicU8,
}

/// Written since the last look ...
const WRITTEN: u8 = 2;
/// ... or since the look before that.
const CALM: u8 = 1;

impl Lite {
    /// Opens the file; creates and migrates it if necessary. Returns the writing connection and the reading ones, too.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`] and [`Error::Corrupt`], before anything is written.
    pub(super) async fn open(path: &Path) -> Result<(Self, Arc<Origin>, Conn, Readers)> {
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
        let lite = Self {
            path: path.to_path_buf(),
            log: wal_of(path),
            origin: Arc::clone(&origin),
            options,
            limits: std::sync::Mutex::default(),
            stir: AtomicU8::new(WRITTEN),
        };
        Ok((lite, origin, writer.into(), readers.into()))
    }

    /// Begins the write transaction on the connection in this place; takes it out. A new one is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds.
    pub(super) async fn begin(&self, slot: &mut Option<Conn>) -> Result<Conn> {
        self.stir.store(WRITTEN, Ordering::Relaxed);
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.reopen().await?.into(),
        };
        self.limit_log(&mut connection).await?;
        match query("begin immediate").execute(&mut connection).await {
            Ok(_) => Ok(connection),
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
    async fn limit_log(&self, connection: &mut Conn) -> Result<()> {
        let Some(limits) = LogLimits::now(&self.log) else { return Ok(()) };
        if *self.limits() == Some(limits) {
            return Ok(());
        }
        for pragma in limits.pragmas().split("; ") {
            query(pragma).execute(&mut *connection).await?;
        }
        *self.limits() = Some(limits);
        Ok(())
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Option<LogLimits>> {
        self.limits.lock().expect("no holder of the limits panics")
    }

    /// Frees the page cache of the connection in this place if nothing was written between two calls of this.
    pub(super) async fn rest(&self, slot: &tokio::sync::Mutex<Option<Conn>>) {
        let was = self.stir.load(Ordering::Relaxed);
        self.stir.store(was.saturating_sub(1), Ordering::Relaxed);
        if was == CALM
            && let Ok(mut slot) = slot.try_lock()
            && let Some(connection) = slot.as_mut()
        {
            // Only tidying up: a broken connection is noticed by its next user.
            let _ = query("pragma shrink_memory").execute(connection).await;
        }
    }
}

pub(super) fn base_options(path: &Path) -> SqliteConnectOptions {
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
pub(super) async fn refuse_newer(path: &Path) -> Result<()> {
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
