//! How one is let in to the database's server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Row as _};

use super::{Error, Result};
use crate::config::{Config, ServerUrl, Tls};
use crate::credentials;

/// How long a connection may take.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What is set for a session that only reads ...
const READS: (&str, &str) = ("default_transaction_read_only", "on");

/// ... and for one that writes, to see whether anything can be set.
const MARK: (&str, &str) = ("prefetchd.session", "own");

/// What poolers say to settings that they do not know: PgBouncer the first (its manual, `ignore_startup_parameters`).
const REFUSED: [&str; 3] = ["08P01", "0A000", "42704"];

/// The server, the role there, and its password.
#[derive(Clone)]
pub(super) struct Login {
    server: ServerUrl,
    role: String,
    password: Option<SecretString>,
    /// Whether nothing can be set for a session, since a pooler stands between that refuses it; clones share it.
    is_plain: Arc<AtomicBool>,
    /// Whether one stands between that takes no notice of what is set.
    is_pooled: Arc<AtomicBool>,
}

impl Login {
    /// As the configuration and the environment have it.
    ///
    /// # Errors
    ///
    /// [`super::Error::Password`]
    pub(super) fn of(server: &ServerUrl, config: &Config) -> Result<Self> {
        for path in server.files() {
            // Whoever must not read it would be told nothing but that.
            let readable = std::fs::File::open(path);
            readable.map_err(|error| Error::Tls(format!("{}: {error}", path.display()).into()))?;
        }
        let password = credentials::database_password(server, config)?;
        Ok(Self {
            server: server.clone(),
            role: credentials::role(server),
            password,
            is_plain: Arc::default(),
            is_pooled: Arc::default(),
        })
    }

    /// The server, to be shown.
    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// A connection that may write.
    pub(super) async fn writer(&self) -> Result<PgConnection> {
        self.connect(MARK).await
    }

    /// A connection that only reads.
    pub(super) async fn reader(&self) -> Result<PgConnection> {
        self.connect(READS).await
    }

    /// For connections that only read, once one that writes has shown what can be set.
    pub(super) fn reading(&self) -> PgConnectOptions {
        self.with(READS)
    }

    /// How to connect for a session that lasts as long as the connection; none where a pooler hands out another one for
    /// each transaction: what was set at the start is not seen through it.
    pub(super) async fn lasting(&self) -> Result<Option<PgConnectOptions>> {
        if !self.is_plain.load(Ordering::Relaxed) && !self.is_pooled.load(Ordering::Relaxed) {
            let mut conn = self.writer().await?;
            let mark: Option<String> = sqlx::raw_sql(super::postgres::MARKED).fetch_one(&mut conn).await?.try_get(0)?;
            self.is_pooled.store(mark.is_none_or(|mark| mark.is_empty()), Ordering::Relaxed);
        }
        let is_own = !self.is_plain.load(Ordering::Relaxed) && !self.is_pooled.load(Ordering::Relaxed);
        Ok(is_own.then(|| self.with(MARK)))
    }

    /// Connects with something set for the session; without it where a pooler stands between that refuses it.
    async fn connect(&self, setting: (&str, &str)) -> Result<PgConnection> {
        match connect(&self.with(setting)).await {
            Err(sqlx::Error::Database(error)) if REFUSED.contains(&error.code().as_deref().unwrap_or_default()) => {
                self.is_plain.store(true, Ordering::Relaxed);
                let again = connect(&self.with(setting)).await;
                // It may have been something else that was refused.
                self.is_plain.store(again.is_ok(), Ordering::Relaxed);
                Ok(again?)
            }
            connected => Ok(connected?),
        }
    }

    fn with(&self, setting: (&str, &str)) -> PgConnectOptions {
        if self.is_plain.load(Ordering::Relaxed) { self.options() } else { self.options().options([setting]) }
    }

    /// For connections that write.
    fn options(&self) -> PgConnectOptions {
        let server = &self.server;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&server.host)
            .port(server.port)
            .username(&self.role)
            .database(&server.database)
            .application_name("prefetchd")
            // A pooler may lend the connection to others between two transactions: nothing is left on it.
            .statement_cache_capacity(0)
            // What a pooler may refuse, and no version since 12 needs.
            .extra_float_digits(None)
            .disable_statement_logging();
        if let Some(folder) = &server.socket {
            options = options.socket(folder);
        }
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        if let Some(tls) = server.tls {
            options = options.ssl_mode(mode(tls));
        }
        if let Some(path) = &server.ca_file {
            options = options.ssl_root_cert(path);
        }
        if let Some((certificate, key)) = &server.client {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options
    }
}

/// A server that is not there may leave an attempt without an answer.
async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", CONNECT_MAX.as_secs()));
    tokio::time::timeout(CONNECT_MAX, options.connect()).await.map_err(|_| late())?
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password.
        f.debug_struct("Login").field("server", &self.server).field("role", &self.role).finish_non_exhaustive()
    }
}

fn mode(tls: Tls) -> PgSslMode {
    match tls {
        Tls::Disable => PgSslMode::Disable,
        Tls::Allow => PgSslMode::Allow,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
        Tls::VerifyFull => PgSslMode::VerifyFull,
    }
}
