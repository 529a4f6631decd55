//! The database: opened, migrated, one connection that writes and a few that read.
//!
//! Who owns which table is said in `migrations/`; this module only knows how to open them all. Everything that writes
//! goes through [`Store::write`], one transaction at a time, so that what a transaction has checked still holds when
//! it commits. A commit that reports an error may be durable all the same (fsync failed, the rows were there): the
//! connection is dropped, the next user opens a new one and reads what is true.

mod bulk;
mod conn;
mod file;
mod guard;
mod origin;
mod reader;
mod room;
mod way;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection, SqlSafeStr, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

pub use bulk::Bulk;
pub use conn::{Conn, Readers};
use file::give_name;
pub use file::{beside, real_path, refuse_linked, wal_of};
pub use guard::{Guard, Look};
use origin::Origin;
pub use origin::{Loss, Lost};
use reader::connect_reader;
use reader::data_version;
pub use reader::open_reader;
use room::LogLimits;
pub use room::WAL_BYTES;

/// The schema's steps, in order: number, name, text.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "queue and ledger", include_str!("../migrations/0001_queue_and_ledger.sql")),
    (2, "evidence and wishes", include_str!("../migrations/0002_evidence_and_wishes.sql")),
];

/// SQLite before this has a bug that corrupts a WAL database when it is reset (RELIABILITY.md, 1 of the measured).
const SQLITE_VERSION_MIN: i64 = 3_051_003;

/// How long a statement waits for a lock that another process holds before it reports [`Error::Busy`].
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The same, for a connection that did not wait for a moment.
const BUSY_TIMEOUT_AGAIN: &str = "pragma busy_timeout = 5000";

/// Connections for readers: one a stage.
const READERS: u32 = 4;

/// Page cache of the writing connection, negative: in KiB.
const CACHE_KIB: &str = "-24576";

/// The word of [`Error::Busy`].
pub const LOCKED: &str = "locked";

/// The word of [`Error::Full`].
pub const FULL: &str = "full";

/// The word of [`Error::Lost`].
pub const LOST: &str = "lost";

/// What the driver said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the lock.
    #[error("the database is locked by another process ({0})")]
    Busy(#[source] Cause),
    /// No room.
    #[error("the disk under the database is full ({0})")]
    Full(#[source] Cause),
    /// The file is damaged. It is neither deleted nor replaced.
    #[error("the database is corrupt ({0}); restore it from a backup or run `sqlite3 … .recover`")]
    Corrupt(#[source] Cause),
    /// A newer program made it.
    #[error("the database's schema is version {found}, this program knows up to {known}; install a newer prefetchd")]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// It has not been made yet.
    #[error("there is no database at {0} yet; `prefetchd run` makes it")]
    Missing(PathBuf),
    /// It is not the file any more that was opened.
    #[error("the database is lost: {0}")]
    Lost(Loss),
    /// Its file has several names.
    #[error(
        "the database {path} has {names} names (hard links), and each would have a log and a lock of its own; remove the others"
    )]
    Linked {
        /// The name that was opened.
        path: PathBuf,
        /// How many there are.
        names: u64,
    },
    /// The SQLite library has a known bug.
    #[error("SQLite {0} corrupts databases; 3.51.3 or newer is needed")]
    OldLibrary(String),
    /// Migrating failed.
    #[error("migrating the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Anything else.
    #[error("the database: {0}")]
    Other(#[source] Cause),
}

impl Error {
    /// Its word, for programs: it never changes its meaning.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Busy(_) => LOCKED,
            Self::Full(_) => FULL,
            Self::Corrupt(_) => "corrupt",
            Self::Newer { .. } => "newer",
            Self::Missing(_) => "missing",
            Self::Lost(_) => LOST,
            Self::Linked { .. } => "linked",
            Self::OldLibrary(_) => "old_library",
            Self::Migrate(_) => "migrate",
            Self::Other(_) => "other",
        }
    }

    /// By SQLite's result code, if it gave one.
    fn of(code: Option<i64>, cause: Cause) -> Self {
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Busy(cause),
            Some(11 | 26) => Self::Corrupt(cause),
            Some(13) => Self::Full(cause),
            _ => Self::Other(cause),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i64>().ok());
        Self::of(code, error.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| i64::from(error.extended_code));
        Self::of(code, error.into())
    }
}

/// The result of using the database.
pub type Result<T> = std::result::Result<T, Error>;

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
    trouble: Trouble,
    /// What the log of the writing connection is held to; nothing for a new connection.
    limits: std::sync::Mutex<Option<LogLimits>>,
    /// How lately it was written: see [`Store::rest`].
    stir: AtomicU8,
    way: way::Way,
}

/// Why the last write failed; nothing once one was durable again. Whoever could not write tries until it can.
#[derive(Debug, Default)]
struct Trouble(std::sync::Mutex<Option<String>>);

impl Trouble {
    fn note<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.set(Some(error.to_string()));
        }
        result
    }

    fn set(&self, trouble: Option<String>) {
        *self.0.lock().expect("no holder of the note panics") = trouble;
    }
}

/// It was written since somebody last looked ...
const WRITTEN: u8 = 2;
/// ... and since the look before, and not after it.
const CALM: u8 = 1;

impl Store {
    /// Opens the database for the daemon and for commands that change it; makes and migrates it first.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`] before anything is written, [`Error::Corrupt`], or what the disk says.
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
        migrator().run(&mut writer).await?;
        give_name(&mut writer).await?;
        // What was migrated is copied back at once: on a small disk there may be no room for both later.
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
            trouble: Trouble::default(),
            limits: std::sync::Mutex::default(),
            stir: AtomicU8::new(WRITTEN),
            way: way::Way::default(),
        })
    }

    /// Begins the one write transaction; waits for the one before. Nothing is kept unless it is committed.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when another process holds the lock for longer than five seconds, or what the disk says.
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
        match sqlx::query("begin immediate").execute(&mut connection).await {
            Ok(_) => Ok(WriteTx { slot, connection: Some(connection), trouble: &self.trouble }),
            Err(error) => {
                // A refused `begin` leaves no transaction behind; after any other failure the connection is not reused.
                let error = Error::from(error);
                if matches!(error, Error::Busy(_)) {
                    *slot = Some(connection);
                }
                Err(error)
            }
        }
    }

    /// A new connection after a failure. On a full disk the log may be what fills it: it is copied back and cut to
    /// nothing, if there is room for that.
    async fn reopen(&self) -> Result<SqliteConnection> {
        let mut connection = SqliteConnection::connect_with(&self.options).await?;
        self.origin.check()?;
        *self.limits() = None;
        // Readers that are in the way are not waited for; what is tried next says whether there is room.
        for statement in ["pragma busy_timeout = 0", "pragma wal_checkpoint(truncate)", BUSY_TIMEOUT_AGAIN] {
            match sqlx::query(statement).execute(&mut connection).await.map_err(Error::from) {
                Ok(_) | Err(Error::Full(_) | Error::Busy(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(connection)
    }

    /// Holds the log to a part of the room that is left.
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

    /// Why nothing can be written, as the last try said; none while writing works.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.0.lock().expect("no holder of the note panics").clone()
    }

    /// What became of the database, if it is not the file any more that was opened: then nothing is written, and it
    /// must not be opened again.
    pub fn lost(&self) -> Option<Lost> {
        self.origin.lost()
    }

    /// Cancelled once the database is lost.
    pub fn when_lost(&self) -> CancellationToken {
        self.origin.told().clone()
    }

    /// Gives the writing connection's page cache back once nothing was written between two calls of this: what the
    /// cache was for is over. Called now and then by who waits.
    pub async fn rest(&self) {
        let was = self.stir.load(Ordering::Relaxed);
        self.stir.store(was.saturating_sub(1), Ordering::Relaxed);
        if was == CALM
            && let Ok(mut slot) = self.writer.try_lock()
            && let Some(connection) = slot.as_mut()
        {
            // Only housekeeping: a connection that fails is found out by who needs it.
            let _ = sqlx::query("pragma shrink_memory").execute(connection).await;
        }
    }

    /// Connections that only read; what they see is committed.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Closes every connection, so that the WAL is copied back into the database file.
    pub async fn close(self) {
        self.readers.0.close().await;
        if let Some(writer) = self.writer.into_inner() {
            // The last copy of the WAL is only housekeeping: what was committed is in the WAL already.
            let _ = writer.close().await;
        }
    }
}

/// The write transaction. Dropped without [`WriteTx::commit`] it takes its connection with it, which rolls back.
#[derive(Debug)]
pub struct WriteTx<'a> {
    slot: MutexGuard<'a, Option<Conn>>,
    connection: Option<Conn>,
    trouble: &'a Trouble,
}

impl WriteTx<'_> {
    /// The connection, for statements inside this transaction.
    pub fn conn(&mut self) -> &mut Conn {
        self.connection
            .as_mut()
            .expect("only commit and roll_back take the connection, and they consume the transaction")
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    ///
    /// After an error its outcome is unknown: it may be durable all the same. Nothing may be concluded from it; the
    /// database has to be read again.
    pub async fn commit(mut self) -> Result<()> {
        let ended = self.end("commit").await;
        self.trouble.note(ended)?;
        self.trouble.set(None);
        Ok(())
    }

    /// Undoes the transaction and keeps the connection for the next one.
    ///
    /// # Errors
    ///
    /// What the disk says; the transaction is undone all the same.
    pub async fn roll_back(mut self) -> Result<()> {
        self.end("rollback").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<()> {
        let mut connection = self.connection.take().expect("a transaction ends once");
        sqlx::query(statement).execute(&mut connection).await?;
        *self.slot = Some(connection);
        Ok(())
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

/// Looks, without writing, whether a newer program has migrated the database.
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
