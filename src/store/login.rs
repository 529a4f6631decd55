//! How one is let in to the database's server.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

use super::{Error, Result};
use crate::config::{Config, ServerUrl, Tls};
use crate::credentials;

/// How long a connection may take.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The server, the role there, and its password.
#[derive(Clone)]
pub(super) struct Login {
    server: ServerUrl,
    role: String,
    password: Option<SecretString>,
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
        Ok(Self { server: server.clone(), role: credentials::role(server), password })
    }

    /// The server, to be shown.
    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// A connection that may write.
    pub(super) async fn writer(&self) -> Result<PgConnection> {
        connect(&self.options()).await
    }

    /// A connection that only reads.
    pub(super) async fn reader(&self) -> Result<PgConnection> {
        connect(&self.reading()).await
    }

    /// For connections that only read.
    pub(super) fn reading(&self) -> PgConnectOptions {
        self.options().options([("default_transaction_read_only", "on")])
    }

    /// For connections that write.
    pub(super) fn options(&self) -> PgConnectOptions {
        let server = &self.server;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&server.host)
            .port(server.port)
            .username(&self.role)
            .database(&server.database)
            .application_name("prefetchd")
            // A pooler may lend the connection to others between two transactions: nothing is left on it.
            .statement_cache_capacity(0)
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
async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connected = tokio::time::timeout(CONNECT_MAX, options.connect()).await;
    let late = || Error::Away(format!("no answer within {} s", CONNECT_MAX.as_secs()).into());
    Ok(connected.map_err(|_| late())??)
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
