//! Reads a database that another process writes.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::{Conn, Error, Result, base_options, refuse_newer, wal_of};

/// Opens the database for reading only, as `status` does. This works while the daemon runs and after it has stopped,
/// also for a user who may not write the directory (RELIABILITY.md, 5 of the measured).
///
/// # Errors
///
/// [`Error::Missing`] if there is none yet; [`Error::Newer`].
pub async fn open_reader(path: &Path) -> Result<Conn> {
    if !path.exists() {
        return Err(Error::Missing(path.to_path_buf()));
    }
    refuse_newer(path).await?;
    Ok(connect_reader(path).await?.into())
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
