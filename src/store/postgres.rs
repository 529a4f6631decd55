//! A schema on a PostgreSQL server: opens and migrates it, and begins its transactions.
//!
//! There is one writer at a time, as with SQLite: each transaction that writes first takes a lock on the schema, which
//! ends with it. At *read committed*, what follows sees all that earlier holders committed.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection as _, SqlSafeStr as _};

use super::conn::Engine;
use super::login::Login;
use super::{Conn, Error, Readers, Result};

/// The migrations, in order: number, name, text. Their numbers are those of SQLite's.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (4, "start", include_str!("../../migrations/postgres/0004_start.sql")),
    (5, "hosts", include_str!("../../migrations/postgres/0005_hosts.sql")),
];

/// Begins a transaction that writes. Who waits longer than five seconds for the lock is told that it is busy; who hangs
/// inside for longer than ten is ended by the server.
const BEGIN: &str = "begin; set local lock_timeout = '5s'; set local idle_in_transaction_session_timeout = '10s'; \
                     select pg_advisory_xact_lock(4711, hashtext(current_schema()))";

/// The same lock, while the schema is made or migrated, for as long as that takes.
const LOCK: &str = "select pg_advisory_xact_lock(4711, hashtext(current_schema()))";

/// Whether the role may carry an order out.
pub(super) const MAY_WRITE: &str =
    "select has_table_privilege('urls', 'update') and has_table_privilege('orders', 'insert')";

/// Connections for readers: one a stage.
const READERS: u32 = 4;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    login: Login,
}

impl Server {
    /// Connects; migrates the schema if necessary. Returns the writing connection and the reading ones, too.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`], before anything is written.
    pub(super) async fn open(login: Login) -> Result<(Self, Conn, Readers)> {
        let mut writer = login.writer().await?;
        if version(&mut writer).await? != Some(newest()) {
            migrate(&mut writer).await?;
        }
        let readers = PgPoolOptions::new().max_connections(READERS).connect_lazy_with(login.reading());
        Ok((Self { login }, writer.into(), readers.into()))
    }

    /// Begins the write transaction on the connection in this place; takes it out. A new one is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds.
    pub(super) async fn begin(&self, slot: &mut Option<Conn>) -> Result<Conn> {
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => self.login.writer().await?.into(),
        };
        if let Engine::Postgres(server) = conn.engine() {
            sqlx::raw_sql(BEGIN).execute(server).await?;
        }
        Ok(conn)
    }
}

/// Makes or migrates the schema, all in one transaction.
async fn migrate(conn: &mut PgConnection) -> Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    migrator().run(&mut *tx).await?;
    Ok(tx.commit().await?)
}

fn migrator() -> Migrator {
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*text).into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
    migrator.set_locking(false);
    migrator
}

/// Opens a connection that only reads a schema.
///
/// # Errors
///
/// [`Error::NoSchema`], [`Error::Newer`]
pub(super) async fn open_reader(login: &Login) -> Result<Conn> {
    let mut conn = login.reader().await?;
    match version(&mut conn).await? {
        Some(_) => Ok(conn.into()),
        None => Err(Error::NoSchema(login.server().to_string())),
    }
}

/// The newest version that this program knows.
fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// The version of the schema, if there is one.
///
/// # Errors
///
/// [`Error::Newer`]
async fn version(conn: &mut PgConnection) -> Result<Option<i64>> {
    let made: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *conn).await?;
    if !made {
        return Ok(None);
    }
    let found: Option<i64> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut *conn).await?;
    match found {
        Some(found) if found > newest() => Err(Error::Newer { found, known: newest() }),
        found => Ok(found),
    }
}
