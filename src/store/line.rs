//! What the hosts of one server tell each other: `listen` and `notify` of PostgreSQL.
//!
//! Nothing depends on it. What is told is lost on a connection that breaks, and behind a pooler that gives each
//! transaction another connection; so whoever listens also looks, now and then.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::postgres::CHANNEL;
use super::{Conn, Home, Result, Store};

/// A connection that has told nothing for this long is asked whether it still stands ...
const ASK_AFTER: Duration = Duration::from_secs(60);

/// ... and answers within this.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Hears what the hosts tell.
pub struct Listener {
    inner: PgListener,
    /// The name of this process.
    own: String,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("own", &self.own).finish_non_exhaustive()
    }
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Another process has committed something.
    Commit,
    /// This was said, by [`super::WriteTx::tell_hosts`].
    Said(String),
    /// Something may have been missed.
    Missed,
}

impl Store {
    /// A connection of its own to the server, which waits for no transaction of this process; none where the database
    /// is a file.
    pub async fn line(&self) -> Result<Option<Conn>> {
        match &self.db.home {
            Home::Lite(_) => Ok(None),
            Home::Postgres(server) => server.connect().await.map(Some),
        }
    }

    /// Begins to listen; none where the database is a file, or behind a pooler: there a session that listens is lent to
    /// others, whom what is told would break off.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let Home::Postgres(server) = &self.db.home else { return Ok(None) };
        let Some(options) = server.lasting().await? else { return Ok(None) };
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = pool.acquire_timeout(ANSWERS_WITHIN).connect_lazy_with(options);
        let channel: String = sqlx::query_scalar(CHANNEL).fetch_one(&pool).await?;
        let mut inner = PgListener::connect_with(&pool).await?;
        inner.listen(&channel).await?;
        Ok(Some(Listener { inner, own: server.process() }))
    }
}

impl Listener {
    /// The next that others tell. After an error the listener is of no more use.
    pub async fn hear(&mut self) -> Result<Told> {
        loop {
            let Ok(heard) = tokio::time::timeout(ASK_AFTER, self.inner.try_recv()).await else {
                let asked = sqlx::query("select 1").execute(&mut self.inner);
                tokio::time::timeout(ANSWERS_WITHIN, asked).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                continue;
            };
            let Some(heard) = heard? else { return Ok(Told::Missed) };
            match heard.payload().strip_prefix("wake ") {
                Some(process) if process == self.own => {}
                Some(_) => return Ok(Told::Commit),
                None => return Ok(Told::Said(heard.payload().to_owned())),
            }
        }
    }
}
