//! A schema on a PostgreSQL server: opens and migrates it, and begins its transactions.
//!
//! There is one writer at a time, as with SQLite: each transaction that writes first takes a lock on the schema, which
//! ends with it. At *read committed*, what follows sees all that earlier holders committed.

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqlSafeStr as _};
use uuid::Uuid;

use super::conn::Engine;
use super::fence::Fence;
use super::login::{CONNECT_MAX, Login};
use super::{Conn, Error, Readers, Result, Sql, query};

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

/// The server and the schema: `ours` is one that a migration of ours has made.
const LOOK: &str = "
    select current_setting('server_version_num')::integer as number, current_setting('server_version') as server,
           current_schema()::text as schema,
           to_regclass('_sqlx_migrations') is not null and to_regclass('v_status') is not null
           and to_regclass('budget_days') is not null as ours,
           case when pg_is_in_recovery() then 'it is in recovery'
                when current_setting('transaction_read_only') = 'on' then 'its transactions are read-only'
           end as reads_only";

/// What a server is judged by, and what the role may not do with what the schema holds.
const INSPECT: &str = "
    select split_part(current_setting('server_version'), ' ', 1) as version,
           case when pg_is_in_recovery() then 'it is in recovery'
                when current_setting('transaction_read_only') = 'on' then 'its transactions are read-only'
           end as reads_only,
           current_setting('synchronous_commit') as synchronous_commit, current_setting('fsync') = 'on' as fsync,
           coalesce(current_setting('synchronous_standby_names', true), '') <> '' as waits_for_replicas,
           (select count(*) from pg_stat_replication) as replicas,
           cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now_ms,
           coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as is_encrypted,
           coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
           (select string_agg(c.relname::text, ', ' order by c.relname) from pg_class as c
            where c.relnamespace = current_schema()::regnamespace and c.relname <> '_sqlx_migrations'
                and case c.relkind
                    when 'r' then not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                        and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
                    when 'S' then not has_sequence_privilege(c.oid, 'usage') else false end) as lacking";

/// Some of what the schema holds, without what belongs to an extension.
const OTHERS: &str = "
    select c.relname::text from pg_class as c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (select 1 from pg_depend as d where d.objid = c.oid and d.deptype = 'e')
    order by c.relname limit 3";

const VERSION: &str = "select max(version) from _sqlx_migrations";

/// PostgreSQL 14, the oldest that is still maintained (postgresql.org/support/versioning).
const SERVER_MIN: i32 = 140_000;

/// Whether this lease is the present one, in the history of the server that its holder knows. While the transaction
/// lasts nobody can take the lease, which locks the row for an update; a renewal goes through. So either this commits
/// before the next lease is taken, or it is refused.
const FENCED: Sql = Sql::both(
    "
    select 1 from leader
    where one = 1 and fence = ?1 and until_at > clock_ms() and epoch = ?2 and epoch() = ?2
    for key share",
);

/// Counts a commit ...
const COUNT: Sql = Sql::both("update changes set n = n + 1 where one = 1");

/// ... and tells the other hosts of it, with the name of this process (?1).
const TELL_COMMIT: Sql =
    Sql::both("select cast(pg_notify('prefetchd_' || hashtext(current_schema()), 'wake ' || ?1) as text)");

/// Tells the hosts something, and commits as durably as the server can.
const TELL_HOSTS: Sql = Sql::both(
    "
    select cast(pg_notify('prefetchd_' || hashtext(current_schema()), ?1) as text),
           set_config('synchronous_commit', 'on', true)",
);

/// The channel of this schema.
pub(super) const CHANNEL: &str = "select 'prefetchd_' || hashtext(current_schema())";

/// What `Login` has set for a session, as far as it reached the server.
pub(super) const MARKED: &str = "select current_setting('prefetchd.session', true)";

/// Connections for readers: one a stage.
const READERS: u32 = 4;

/// The server.
#[derive(Debug)]
pub(super) struct Server {
    login: Login,
    /// Tells what this process says from what others say.
    process: Uuid,
}

impl Server {
    /// Connects; migrates the schema if necessary. Returns the writing connection and the reading ones, too.
    ///
    /// # Errors
    ///
    /// [`Error::Newer`], before anything is written.
    pub(super) async fn open(login: Login) -> Result<(Self, Conn, Readers)> {
        let mut writer = login.writer().await?;
        let seen = look(&mut writer, &login).await?;
        if let Some(why) = seen.reads_only {
            return Err(Error::ReadOnly(why.into()));
        }
        if seen.version != Some(newest()) {
            migrate(&mut writer).await?;
        }
        let readers = PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_MAX);
        let readers = readers.connect_lazy_with(login.reading());
        Ok((Self { login, process: Uuid::new_v4() }, writer.into(), readers.into()))
    }

    /// A connection that is not the one for transactions.
    pub(super) async fn connect(&self) -> Result<Conn> {
        Ok(self.login.writer().await?.into())
    }

    /// How another connection is made whose session lasts; none behind a pooler.
    pub(super) async fn lasting(&self) -> Result<Option<PgConnectOptions>> {
        self.login.lasting().await
    }

    /// The name of this process among those that have the database open.
    pub(super) fn process(&self) -> String {
        self.process.to_string()
    }

    /// Begins the write transaction on the connection in this place; takes it out. A new one is made if there is none.
    /// With a fence it is refused unless that lease is the present one.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if another process holds the lock for longer than five seconds; [`Error::NotLeading`], and then
    /// the lease is over.
    pub(super) async fn begin(&self, slot: &mut Option<Conn>, fence: Option<&Fence>) -> Result<Conn> {
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        let Some(fence) = fence else {
            run(&mut conn, BEGIN.to_owned()).await?;
            return Ok(conn);
        };
        // The server's own word, of digits and letters.
        let epoch: String = fence.epoch().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let fenced = FENCED.postgres().replace("$1", &fence.number().to_string()).replace("$2", &format!("'{epoch}'"));
        // One row is that of the lock.
        if run(&mut conn, format!("{BEGIN}; {fenced}")).await? > 1 {
            return Ok(conn);
        }
        fence.end();
        query("rollback").execute(&mut conn).await?;
        *slot = Some(conn);
        Err(Error::NotLeading)
    }

    /// Commits the transaction; counts that and tells it.
    pub(super) async fn commit(&self, conn: &mut Conn) -> Result<()> {
        let tell = TELL_COMMIT.postgres().replace("$1", &format!("'{}'", self.process));
        run(conn, format!("{}; {tell}; commit", COUNT.postgres())).await?;
        Ok(())
    }

    /// Tells the hosts something once the transaction is committed.
    pub(super) async fn tell_hosts(&self, conn: &mut Conn, said: &str) -> Result<()> {
        query(TELL_HOSTS).bind(said).fetch_all(conn).await?;
        Ok(())
    }
}

/// Runs several statements in one journey to the server; tells how many rows they gave in all.
async fn run(conn: &mut Conn, statements: String) -> Result<usize> {
    let Engine::Postgres(server) = conn.engine() else { return Ok(0) };
    Ok(sqlx::raw_sql(AssertSqlSafe(statements)).fetch_all(server).await?.len())
}

/// A server, to be judged.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// Its version.
    pub version: String,
    /// Why nothing can be written; none where it can.
    pub reads_only: Option<String>,
    /// When it reports a commit.
    pub synchronous_commit: String,
    /// Whether what is committed is on its disk.
    pub fsync: bool,
    /// Replicas that follow it now.
    pub replicas: i64,
    /// Whether a commit waits for one of them.
    pub waits_for_replicas: bool,
    /// How far its clock is ahead of this machine's, in milliseconds, within the time that the question took.
    pub clock_ahead_ms: i64,
    /// Whether this connection is encrypted.
    pub is_encrypted: bool,
    /// Whether the role may make tables in the schema.
    pub may_create: bool,
    /// Tables and sequences that the role may not read and write.
    pub lacking: Option<String>,
}

/// Looks at the configured server, as one that writes to it.
///
/// # Errors
///
/// It cannot be reached or asked.
pub(super) async fn inspect(login: &Login) -> Result<Inspection> {
    let mut conn = login.writer().await?;
    let asked = SystemTime::now();
    let row = sqlx::raw_sql(INSPECT).fetch_one(&mut conn).await?;
    let half = asked.elapsed().unwrap_or_default() / 2;
    let between = (asked + half).duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let between = i64::try_from(between).unwrap_or(i64::MAX);
    Ok(Inspection {
        version: row.try_get("version")?,
        reads_only: row.try_get("reads_only")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        fsync: row.try_get("fsync")?,
        replicas: row.try_get("replicas")?,
        waits_for_replicas: row.try_get("waits_for_replicas")?,
        clock_ahead_ms: row.try_get::<i64, _>("now_ms")? - between,
        is_encrypted: row.try_get("is_encrypted")?,
        may_create: row.try_get("may_create")?,
        lacking: row.try_get("lacking")?,
    })
}

/// Makes or migrates the schema, all in one transaction.
async fn migrate(conn: &mut PgConnection) -> Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    migrator().run(&mut *tx).await.map_err(|error| match error {
        // What the server says of it is what matters: that a right is missing, or that it only reads.
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Error::from(error),
        error => error.into(),
    })?;
    // Behind a pooler the next user of this session would find them there.
    sqlx::raw_sql("deallocate all").execute(&mut *tx).await?;
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
    match look(&mut conn, login).await?.version {
        Some(_) => Ok(conn.into()),
        None => Err(Error::NoSchema(login.server().to_string())),
    }
}

/// The newest version that this program knows.
fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// What was seen of a server.
struct Seen {
    /// The schema's version, if there is one.
    version: Option<i64>,
    /// Why nothing can be written.
    reads_only: Option<String>,
}

/// Looks at the server and the schema.
///
/// # Errors
///
/// [`Error::OldServer`], [`Error::Foreign`], [`Error::Newer`]
async fn look(conn: &mut PgConnection, login: &Login) -> Result<Seen> {
    let row = sqlx::raw_sql(LOOK).fetch_one(&mut *conn).await?;
    let reads_only = row.try_get("reads_only")?;
    if row.try_get::<i32, _>("number")? < SERVER_MIN {
        return Err(Error::OldServer(row.try_get("server")?));
    }
    if !row.try_get::<bool, _>("ours")? {
        let others = sqlx::raw_sql(OTHERS).fetch_all(&mut *conn).await?;
        let others = others.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>()?;
        let schema: Option<String> = row.try_get("schema")?;
        return match schema {
            None => Err(Error::Rights("there is no schema that the role may use".into())),
            Some(_) if others.is_empty() => Ok(Seen { version: None, reads_only }),
            Some(schema) => {
                let place = login.server().to_string();
                Err(Error::Foreign { place, schema, tables: others.join(", ") })
            }
        };
    }
    let found = sqlx::raw_sql(VERSION).fetch_one(&mut *conn).await?;
    match found.try_get::<Option<i64>, _>(0)? {
        Some(found) if found > newest() => Err(Error::Newer { found, known: newest() }),
        version => Ok(Seen { version, reads_only }),
    }
}
