//! The daemon's notice board: a row of each host that says whether its daemon runs and what is wrong there, and one of
//! each lane that says what it waits for, until when and why. It is written
//! only when it changes, so that a waiting daemon costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use strum::IntoStaticStr;
use tokio::sync::{Mutex, Notify};

use crate::clock::Clock;
use crate::model::{ConfigProblem, Lane, LeadProblem, LeftWhy, Reading, SpoolProblem, Time, WaitWhy, to_millis};
use crate::stage::Name;
use crate::store::{Conn, Result, Sql, Store, query, query_scalar};
use crate::words::Stored;

const SAY_HEALTH: Sql = Sql::both(
    "
    insert into daemon (host, health, version, pid, started_at) values (?4, ?1, ?5, ?2, ?3)
    on conflict (host) do update set
        health = excluded.health, version = excluded.version, pid = excluded.pid,
        started_at = coalesce(excluded.started_at, daemon.started_at),
        spool_problem = null, spool_problem_code = null, spool_problem_with = null,
        config_problem = null, config_problem_code = null, config_problem_with = null, http_problem = null,
        key_source = null, key_generation = null, key_refused = null, key_refused_code = null",
);

const SAY_WAITING: Sql = Sql::both(
    "
    update lane_waits set waiting_for = ?1, waiting_code = ?2, waiting_with = ?3, waiting_until = ?4 where lane = ?5",
);

const FORGET_LANE_WAITS: Sql = Sql::both(
    "
    update lane_waits set waiting_for = null, waiting_code = null, waiting_with = null, waiting_until = null
    where waiting_for is not null",
);

const SAY_TIME: Sql = Sql::both("update daemon set time_proved = ?1, service_ahead_ms = ?2 where host = ?3");

const SAY_SPOOL_PROBLEM: Sql = Sql::both(
    "
    update daemon set spool_problem = ?1, spool_problem_code = ?2, spool_problem_with = ?3 where host = ?4",
);

const FORGET_LEFT_ALONE: Sql = Sql::both("delete from left_alone where host = ?1");

const SAY_LEFT_ALONE: Sql = Sql::both(
    "
    insert into left_alone (host, name, why, since, why_code) values (?5, ?1, ?2, ?3, ?4)
    on conflict (host, name) do update set why = excluded.why, why_code = excluded.why_code, since = excluded.since",
);

const SAY_CONFIG_PROBLEM: Sql = Sql::both(
    "
    update daemon set config_problem = ?1, config_problem_code = ?2, config_problem_with = ?3 where host = ?4",
);

const SAY_KEY: Sql = Sql::both(
    "
    update daemon set key_source = ?1, key_generation = ?2, key_refused = ?3, key_refused_code = ?4 where host = ?5",
);

const SAY_HTTP_PROBLEM: Sql = Sql::both("update daemon set http_problem = ?1 where host = ?2");

const SIGN_OF_LIFE: Sql = Sql::two(
    "
    update daemon set
        seen_at = unixepoch('now') * 1000, version = ?2, policy = ?3,
        lead_problem = ?4, lead_problem_code = ?5, lead_problem_with = ?6
    where host = ?1",
    "
    update daemon set
        seen_at = clock_ms(), version = ?2, policy = ?3,
        lead_problem = ?4, lead_problem_code = ?5, lead_problem_with = ?6
    where host = ?1",
);

const SERVICE_AHEAD: Sql = Sql::both("select max(service_ahead_ms) from daemon");

/// The clock for commands: the service's time, as far as the daemon knows it.
pub async fn told_clock(conn: &mut Conn) -> Result<Clock> {
    Ok(Clock::told(query_scalar(SERVICE_AHEAD).fetch_one(conn).await?))
}

/// Writes that a host lives, which policy it has, and why it would not lead. Takes no writers' lock.
pub async fn sign_of_life(conn: &mut Conn, host: &str, policy: &str, lead_problem: Option<&LeadProblem>) -> Result<()> {
    let said = lead_problem.map(Stored::from);
    query(SIGN_OF_LIFE)
        .bind(host)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(policy)
        .bind(said.as_ref().map(|said| &said.text))
        .bind(said.as_ref().map(|said| &said.code))
        .bind(said.as_ref().and_then(|said| said.with.as_ref()))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Health {
    /// It runs.
    Running,
    /// It finishes what it has begun and stops.
    Stopping,
    /// It was stopped properly.
    Stopped,
}

impl Health {
    fn word(self) -> &'static str {
        self.into()
    }
}

/// What the submitter waits for, and until when.
type Waiting = (Option<WaitWhy>, Option<Time>);

/// What is known about the time: whether it is proved, and how far the service's clock is ahead of this machine's, in
/// milliseconds.
type TimeSaid = (bool, i64);

/// The lead of the service's clock is written anew when it has changed by this much, in milliseconds.
const AHEAD_CHANGED_MS: i64 = 1_000;

/// The notice board.
#[derive(Debug, Clone)]
pub struct Board {
    store: Arc<Store>,
    said: Arc<Mutex<BTreeMap<Lane, Waiting>>>,
    time_said: Arc<Mutex<Option<TimeSaid>>>,
    /// The last problem that each stage found with the spool; the first one in the order of the pipeline is shown.
    spool_problems: Arc<Mutex<BTreeMap<Name, SpoolProblem>>>,
    changed: Arc<Notify>,
}

impl Board {
    /// An empty board.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            said: Arc::default(),
            time_said: Arc::default(),
            spool_problems: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// The same board for the leader's stages, which write under its lease. What is still said of the lanes is that of
    /// the leader before.
    pub fn under(&self, store: Arc<Store>) -> Self {
        Self { store, said: Arc::default(), time_said: Arc::default(), ..self.clone() }
    }

    /// Nobody waits for anything any more: a term begins or ends.
    pub async fn forget_waits(&self) -> Result<()> {
        let mut tx = self.store.write().await?;
        query(FORGET_LANE_WAITS).execute(tx.conn()).await?;
        tx.commit().await
    }

    /// Resolves when something on it has changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Writes whether the daemon runs; without `started_at` the old value stays.
    pub async fn health(&self, health: Health, started_at: Option<Time>) -> Result<()> {
        let mut tx = self.store.write().await?;
        query(SAY_HEALTH)
            .bind(health.word())
            .bind((health != Health::Stopped).then(std::process::id))
            .bind(started_at.map(to_millis))
            .bind(self.store.host())
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(tx.conn())
            .await?;
        // On a server that is said at the ends of a term.
        if !self.store.is_shared() {
            query(FORGET_LANE_WAITS).execute(tx.conn()).await?;
        }
        tx.commit().await
    }

    /// Writes what the submitter waits for in a lane; none while it sends, or has nothing to do there.
    pub async fn waiting(&self, lane: Lane, why: Option<WaitWhy>, until: Option<Time>) -> Result<()> {
        let saying = (why, until);
        let mut said = self.said.lock().await;
        // At the start nothing is said of the others.
        if said.get(&lane).map_or(lane != Lane::Prefetch && saying.0.is_none(), |said| *said == saying) {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        let why = saying.0.as_ref().map(|why| Stored::of_wait(lane, why));
        query(SAY_WAITING)
            .bind(why.as_ref().map(|why| &why.text))
            .bind(why.as_ref().map(|why| &why.code))
            .bind(why.as_ref().and_then(|why| why.with.as_ref()))
            .bind(saying.1.map(to_millis))
            .bind(lane.number())
            .execute(tx.conn())
            .await?;
        tx.commit().await?;
        said.insert(lane, saying);
        self.changed.notify_one();
        Ok(())
    }

    /// Writes what is known about the service's time, for other processes: whether it is proved, and how far it is from
    /// `wall`, this machine's clock.
    pub async fn time(&self, clock: &Reading, wall: Time) -> Result<()> {
        let ahead_ms = (clock.now - wall).num_milliseconds();
        let mut said = self.time_said.lock().await;
        if said.is_some_and(|(proved, ms)| proved == clock.proved && (ms - ahead_ms).abs() < AHEAD_CHANGED_MS) {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        let ahead = clock.proved.then_some(ahead_ms);
        query(SAY_TIME).bind(clock.proved).bind(ahead).bind(self.store.host()).execute(tx.conn()).await?;
        tx.commit().await?;
        *said = Some((clock.proved, ahead_ms));
        Ok(())
    }

    /// Writes what this stage finds wrong with the spool; none if all is well.
    pub async fn spool_problem(&self, stage: Name, problem: Option<SpoolProblem>) -> Result<()> {
        let mut problems = self.spool_problems.lock().await;
        match problem {
            Some(problem) => problems.insert(stage, problem),
            None => problems.remove(&stage),
        };
        let mut tx = self.store.write().await?;
        self.problem(SAY_SPOOL_PROBLEM, problems.values().next().map(Stored::from), tx.conn()).await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(())
    }

    /// Writes which entries of `incoming/` are left alone, why, and when each was last changed.
    pub async fn left_alone(&self, entries: &[(String, LeftWhy, Time)]) -> Result<()> {
        let mut tx = self.store.write().await?;
        query(FORGET_LEFT_ALONE).bind(self.store.host()).execute(tx.conn()).await?;
        for (name, why, since) in entries {
            let Stored { code, text, .. } = (*why).into();
            let query = query(SAY_LEFT_ALONE).bind(name).bind(text).bind(to_millis(*since)).bind(code);
            query.bind(self.store.host()).execute(tx.conn()).await?;
        }
        tx.commit().await
    }

    /// Writes which part of the reloaded configuration is not in force; none if all of it is.
    pub async fn config_problem(&self, problem: Option<&ConfigProblem>) -> Result<()> {
        let mut tx = self.store.write().await?;
        self.problem(SAY_CONFIG_PROBLEM, problem.map(Stored::from), tx.conn()).await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(())
    }

    /// Writes where the access key comes from, its generation, and what the service says if it refuses it.
    pub async fn key(&self, source: &str, generation: u64, refused: Option<(&str, &str)>) -> Result<()> {
        let mut tx = self.store.write().await?;
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let refused = refused.unzip();
        let say = query(SAY_KEY).bind(source).bind(generation).bind(refused.1).bind(refused.0);
        say.bind(self.store.host()).execute(tx.conn()).await?;
        tx.commit().await?;
        self.changed.notify_one();
        Ok(())
    }

    /// Writes why metrics and health are not served; none if they are.
    pub async fn http_problem(&self, problem: Option<&str>) -> Result<()> {
        let mut tx = self.store.write().await?;
        query(SAY_HTTP_PROBLEM).bind(problem).bind(self.store.host()).execute(tx.conn()).await?;
        tx.commit().await
    }

    /// Binds a problem, or that there is none, in the order text, code, parameters.
    async fn problem(&self, statement: Sql, stored: Option<Stored>, conn: &mut Conn) -> Result<()> {
        let said = stored.map_or_else(Default::default, |said| (Some(said.text), Some(said.code), said.with));
        let (text, code, with) = said;
        query(statement).bind(text).bind(code).bind(with).bind(self.store.host()).execute(conn).await?;
        Ok(())
    }
}
