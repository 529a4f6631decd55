//! Errors of the database.
//!
//! Whoever gets an [`Error`] drops its transaction, so that nothing of it is written, and reads the database again
//! before it goes on: after a commit that failed nobody knows whether it is durable.

use std::path::PathBuf;

use sqlx::postgres::PgDatabaseError;

use super::origin::Loss;
use super::sqlstate;
use crate::credentials;

/// The word of [`Error::Busy`].
pub const LOCKED: &str = "locked";

/// The word of [`Error::Full`].
pub const FULL: &str = "full";

/// The word of [`Error::Lost`].
pub const LOST: &str = "lost";

/// The word of [`Error::NotLeading`].
pub const NOT_LEADING: &str = "not_leading";

/// What the driver said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the lock.
    #[error("the database is locked by another process ({0})")]
    Busy(#[source] Cause),
    /// The disk is full.
    #[error("the disk under the database is full ({0})")]
    Full(#[source] Cause),
    /// The file is damaged. It is neither deleted nor replaced.
    #[error(
        "the database is corrupt ({0}); restore it from a backup, or save what can be read: `sqlite3 OLD.db .recover`"
    )]
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
    /// The server does not answer, or takes nobody now.
    #[error("the database server cannot be used now ({0})")]
    Away(#[source] Cause),
    /// The server only reads.
    #[error(
        "the database server only reads ({0}): it is a standby, or a reading endpoint; [database] url must name the \
        primary"
    )]
    ReadOnly(#[source] Cause),
    /// The server does not take the role or its password.
    #[error(
        "the database server does not let this role in ({0}); see USER in [database] url and the password \
        (docs/operate.md)"
    )]
    NotLetIn(#[source] Cause),
    /// The server has no database of this name.
    #[error("the database server has no such database ({0}); `create database` makes it")]
    NoDatabase(#[source] Cause),
    /// The role may not do what is needed.
    #[error("the role lacks a right in the database ({0}); docs/operate.md has what to grant")]
    Rights(#[source] Cause),
    /// The role only reads.
    #[error("the role may only read the database")]
    Reader,
    /// The server's certificate is not trusted, or it cannot encrypt.
    #[error("the connection to the database server is not safe ({0}); see sslmode and sslrootcert in [database] url")]
    Tls(#[source] Cause),
    /// The server's files are damaged.
    #[error("the database server reports damaged data ({0}); restore it from a backup")]
    Damaged(#[source] Cause),
    /// The server is too old.
    #[error("the database server is PostgreSQL {0}; 14 or newer is needed")]
    OldServer(String),
    /// The schema holds what prefetchd has not made.
    #[error(
        "the schema {schema} in {place} holds tables that are not prefetchd's ({tables}); give prefetchd a database, \
        or a schema, of its own"
    )]
    Foreign {
        /// The database.
        place: String,
        /// The schema.
        schema: String,
        /// Some of what is there.
        tables: String,
    },
    /// There is no schema of prefetchd in the server's database yet.
    #[error("there are no tables of prefetchd in {0} yet; `prefetchd run` makes them")]
    NoSchema(String),
    /// The password for the server cannot be read.
    #[error("the password for the database: {0}")]
    Password(#[from] credentials::Error),
    /// This user may not look at it.
    #[error("the database {0}: permission denied")]
    Denied(PathBuf),
    /// It is no longer the file that was opened.
    #[error("the database is lost: {0}")]
    Lost(Loss),
    /// The lease under which this was to be written is over. Nothing was written.
    #[error("another host leads, or nobody does: this host does not write what the leader writes")]
    NotLeading,
    /// Its file has several names.
    #[error(
        "the database {path} has {names} names (hard links), and each would have a log and a lock of its own; remove \
        the others"
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
    /// Its code, for programs, which never changes its meaning.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Busy(_) => LOCKED,
            Self::Full(_) => FULL,
            Self::Corrupt(_) => "corrupt",
            Self::Newer { .. } => "newer",
            Self::Missing(_) => "missing",
            Self::Away(_) => "away",
            Self::ReadOnly(_) => "read_only",
            Self::NotLetIn(_) => "not_let_in",
            Self::NoDatabase(_) => "no_database",
            Self::Rights(_) => "rights",
            Self::Reader => "reader",
            Self::Tls(_) => "tls",
            Self::Damaged(_) => "damaged",
            Self::OldServer(_) => "old_server",
            Self::Foreign { .. } => "foreign",
            Self::NoSchema(_) => "no_schema",
            Self::Password(_) => "password",
            Self::Denied(_) => "denied",
            Self::Lost(_) => LOST,
            Self::NotLeading => NOT_LEADING,
            Self::Linked { .. } => "linked",
            Self::OldLibrary(_) => "old_library",
            Self::Migrate(_) => "migrate",
            Self::Other(_) => "other",
        }
    }

    /// A statement that always gives a row gave none.
    pub(super) fn no_row() -> Self {
        Self::Other("a statement gave no row".into())
    }

    /// Whether it passes by itself, or by what somebody does to the server: then it is worth trying again.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy(_) | Self::Full(_) | Self::ReadOnly(_))
    }

    /// The error for SQLite's result code, if there is one.
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
        let Some(said) = error.as_database_error() else { return sqlstate::of_connection(error) };
        let code = said.code().unwrap_or_default().into_owned();
        if said.try_downcast_ref::<PgDatabaseError>().is_some() {
            return sqlstate::of(&code, said.message().to_owned());
        }
        Self::of(code.parse::<i64>().ok(), error.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| i64::from(error.extended_code));
        Self::of(code, error.into())
    }
}

/// The result of a database operation. A function that returns it can fail only because of the database, so its
/// documentation has no section on errors.
pub type Result<T> = std::result::Result<T, Error>;
