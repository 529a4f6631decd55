//! Reads a database that another process writes.

use std::io::ErrorKind;
use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::login::Login;
use super::{Conn, Error, Inspection, Result, base_options, postgres, refuse_newer, wal_of};
use crate::config::{Config, DatabaseUrl};

/// Opens the database for reading only, as `status` does. This works while the daemon runs and after it has stopped,
/// also for a user who may not write the directory (RELIABILITY.md, 5 of the measured).
///
/// # Errors
///
/// Those of [`look_at`]; [`Error::Newer`].
pub async fn open_reader(path: &Path) -> Result<Conn> {
    look_at(path)?;
    refuse_newer(path).await?;
    Ok(connect_reader(path).await?.into())
}

/// The same, of the configured database.
///
/// # Errors
///
/// Those of [`open_reader`]; of a server [`Error::NoSchema`], [`Error::Newer`], and that it cannot be reached.
pub async fn open_reader_of(config: &Config) -> Result<Conn> {
    match &config.database.url {
        DatabaseUrl::File(path) => open_reader(path).await,
        DatabaseUrl::Server(server) => postgres::open_reader(&Login::of(server, config)?).await,
    }
}

/// Looks at the configured server, to be judged.
///
/// # Errors
///
/// It cannot be reached, or there is none.
pub async fn inspect(config: &Config) -> Result<Inspection> {
    match &config.database.url {
        DatabaseUrl::File(_) => Err(Error::Other("the database is a file".into())),
        DatabaseUrl::Server(server) => postgres::inspect(&Login::of(server, config)?).await,
    }
}

/// Whether there is a database that may be read. A file without a byte is none yet.
///
/// # Errors
///
/// [`Error::Missing`]; [`Error::Denied`] if the file, or a folder on the way to it, is closed to this user.
pub fn look_at(path: &Path) -> Result<()> {
    let denied = || Error::Denied(path.to_path_buf());
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(denied()),
        Err(_) => Err(Error::Missing(path.to_path_buf())),
        Ok(meta) if meta.is_file() && meta.len() == 0 && !wal_of(path).exists() => {
            Err(Error::Missing(path.to_path_buf()))
        }
        Ok(_) if rustix::fs::access(path, rustix::fs::Access::READ_OK).is_err() => Err(denied()),
        Ok(_) => Ok(()),
    }
}

pub(super) async fn connect_reader(path: &Path) -> sqlx::Result<SqliteConnection> {
    let options = base_options(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    match sqlx::query("select count(*) from sqlite_schema").execute(&mut connection).await {
        Ok(_) => Ok(connection),
        // Without a WAL nobody has the database open, so it cannot change under an immutable reader.
        Err(_) if !wal_of(path).exists() => SqliteConnection::connect_with(&options.immutable(true)).await,
        Err(error) => Err(error),
    }
}

/// SQLite's counter of commits by other connections.
pub(super) async fn data_version(conn: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("pragma data_version").fetch_one(conn).await?)
}
