//! A schema on a PostgreSQL server: opens and migrates it, and begins its transactions.
//!
//! There is one writer at a time, as with SQLite: each transaction that writes first takes a lock on the schema, which
//! ends with it. At *read committed*, what follows sees all that earlier holders committed.

use std::str::FromStr as _;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, SqlSafeStr as _};

use super::conn::Engine;
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

/// The same lock for a whole session, while it migrates.
const LOCK: &str = "select pg_advisory_lock(4711, hashtext(current_schema()))";
const UNLOCK: &str = "select pg_advisory_unlock(4711, hashtext(current_schema()))";

/// Connections for readers: one a stage.
const READERS: u32 = 4;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    options: PgConnectOptions,
}

impl Server {
    /// Connects; migrates the schema if necessary. Returns the writing connection and the reading ones, too.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`], before anything is written.
    pub(super) async fn open(url: &str) -> Result<(Self, Conn, Readers)> {
        let options = PgConnectOptions::from_str(url)?.application_name("prefetchd").disable_statement_logging();
        let mut writer = options.connect().await?;
        refuse_newer(&mut writer).await?;
        sqlx::query(LOCK).execute(&mut writer).await?;
        migrator().run(&mut writer).await?;
        sqlx::query(UNLOCK).execute(&mut writer).await?;
        let reading = options.clone().options([("default_transaction_read_only", "on")]);
        let readers = PgPoolOptions::new().max_connections(READERS).connect_lazy_with(reading);
        Ok((Self { options }, writer.into(), readers.into()))
    }

    /// Begins the write transaction on the connection in this place; takes it out. A new one is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds.
    pub(super) async fn begin(&self, slot: &mut Option<Conn>) -> Result<Conn> {
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => self.options.connect().await?.into(),
        };
        if let Engine::Postgres(server) = conn.engine() {
            sqlx::raw_sql(BEGIN).execute(server).await?;
        }
        Ok(conn)
    }
}

fn migrator() -> Migrator {
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*text).into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect());
    migrator.set_locking(false);
    migrator
}

/// Refuses, without writing, a schema that a newer version has migrated.
async fn refuse_newer(conn: &mut PgConnection) -> Result<()> {
    let made: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *conn).await?;
    if made {
        let found: Option<i64> =
            sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut *conn).await?;
        let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
        if let Some(found) = found.filter(|found| *found > known) {
            return Err(Error::Newer { found, known });
        }
    }
    Ok(())
}
