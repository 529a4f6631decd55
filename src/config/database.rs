//! Where the database is: a file of SQLite, or a schema on a PostgreSQL server that several hosts share.
//!
//! A URL never has a password in it. What is wrong with one is told without quoting it, since it may hold one all the
//! same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::values::from_text;
use crate::model::HostName;

/// PostgreSQL's port where none is named.
const PORT: u16 = 5432;

/// `[database] url`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:PATH`
    File(PathBuf),
    /// `postgres://USER@HOST:PORT/DATABASE`
    Server(Box<ServerUrl>),
}

impl DatabaseUrl {
    /// SQLite's file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }

    /// The server.
    pub fn server(&self) -> Option<&ServerUrl> {
        match self {
            Self::File(_) => None,
            Self::Server(server) => Some(server),
        }
    }

    /// As messages name it: the path of a file, or the URL of a server.
    pub fn place(&self) -> String {
        self.file().map_or_else(|| self.to_string(), |path| path.display().to_string())
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return text.parse().map(Box::new).map(Self::Server);
        }
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && !path.contains(['?', ':']) => Ok(Self::File(PathBuf::from(path))),
            _ => Err("allowed is \"sqlite:\" and a path without `?` and `:`, or \"postgres://USER@HOST/DATABASE\""),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// A database on a PostgreSQL server, and how it is reached. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// As it was written.
    text: String,
    /// The role; none for `PGUSER`, or else the name of the user of the process.
    pub user: Option<String>,
    /// A name or an address.
    pub host: String,
    /// The port, also of a socket.
    pub port: u16,
    /// The folder of the server's socket, which is used instead of the host.
    pub socket: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// How the connection is encrypted; none for `PGSSLMODE`, or else what the driver does.
    pub tls: Option<Tls>,
    /// A certificate in PEM whose signatures are trusted beside those of the well-known authorities.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// `sslmode`, as PostgreSQL's own clients have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum Tls {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server insists.
    Allow,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, to whoever answers.
    Require,
    /// Encrypted, to a server with a certificate of a trusted authority.
    VerifyCa,
    /// The same, and the certificate is of this host.
    VerifyFull,
}

/// What the part after `?` may set.
const PARAMETERS: &str = "allowed after `?` are sslmode, sslrootcert, sslcert, sslkey, host (the folder of a socket), \
                          port and user";

const NO_PASSWORD: &str = "must be without a password, because secrets never stand in this file: set PGPASSWORD or \
                           PGPASSFILE, write ~/.pgpass, or give the unit LoadCredential=database-password";

impl FromStr for ServerUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "allowed is a URL like \"postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full\"";
        // A password with a `/` or a `#` in it makes the rest no URL: that, too, must not be called anything else.
        let url = url::Url::parse(text).map_err(|_| if has_password(text) { NO_PASSWORD } else { wrong })?;
        if url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password") {
            return Err(NO_PASSWORD);
        }
        if url.fragment().is_some() || url.cannot_be_a_base() {
            return Err(wrong);
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let database = decoded(url.path().trim_start_matches('/')).map_err(|_| wrong)?;
        if database.is_empty() || database.contains('/') {
            return Err("must name a database, as in \"postgres://USER@HOST:PORT/DATABASE\"");
        }
        let host = decoded(url.host_str().unwrap_or_default()).map_err(|_| wrong)?;
        let mut server = Self {
            text: text.to_owned(),
            user: Some(decoded(url.username()).map_err(|_| wrong)?).filter(|user| !user.is_empty()),
            socket: host.starts_with('/').then(|| PathBuf::from(&host)),
            host,
            port: url.port().unwrap_or(PORT),
            database,
            tls: None,
            ca_file: None,
            client: None,
        };
        server.set(&url)?;
        if server.host.contains(',') {
            return Err("must name one host: the address that always leads to the primary");
        }
        if server.host.is_empty() && server.socket.is_none() {
            return Err("must name a host, or the folder of a socket as in \"?host=/run/postgresql\"");
        }
        Ok(server)
    }
}

impl ServerUrl {
    /// Takes what stands after the `?`.
    fn set(&mut self, url: &url::Url) -> Result<(), &'static str> {
        let absolute = |path: &str| {
            let path = PathBuf::from(path);
            if path.is_absolute() { Ok(path) } else { Err("sslrootcert, sslcert and sslkey must be absolute paths") }
        };
        let (mut certificate, mut key) = (None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => {
                    let allowed = "sslmode is one of disable, allow, prefer, require, verify-ca and verify-full";
                    self.tls = Some(value.parse().map_err(|_| allowed)?);
                }
                "sslrootcert" => self.ca_file = Some(absolute(&value)?),
                "sslcert" => certificate = Some(absolute(&value)?),
                "sslkey" => key = Some(absolute(&value)?),
                "host" if value.starts_with('/') => self.socket = Some(PathBuf::from(&*value)),
                "host" => value.as_ref().clone_into(&mut self.host),
                "port" => {
                    let port = value.parse().ok().filter(|port| *port != 0);
                    self.port = port.ok_or("port is a number from 1 to 65535")?;
                }
                "user" if !value.is_empty() => self.user = Some(value.into_owned()),
                _ => return Err(PARAMETERS),
            }
        }
        self.client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("sslcert and sslkey belong together"),
        };
        Ok(())
    }

    /// The files of certificates and keys.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let client = self.client.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca_file.iter().chain(client).map(PathBuf::as_path)
    }

    /// Whether it is on this machine, by a socket or a loopback address.
    pub fn is_local(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        self.socket.is_some() || self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// Whether what stands before the `@` has a `:`, or a parameter is a password, however little of a URL the rest is.
fn has_password(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'))
        || rest.contains("?password=")
        || rest.contains("&password=")
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

from_text!(DatabaseUrl);
from_text!(HostName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_server_is_read_as_postgresqls_clients_read_it() {
        let url = "postgresql://warm%40er@rds.example.com:5433/pre%20fetch?sslmode=verify-full&sslrootcert=/etc/ca.pem";
        let read: DatabaseUrl = url.parse().unwrap();
        let server = read.server().unwrap();
        assert_eq!((server.user.as_deref(), server.database.as_str()), (Some("warm@er"), "pre fetch"));
        assert_eq!((server.host.as_str(), server.port, server.tls), ("rds.example.com", 5433, Some(Tls::VerifyFull)));
        assert_eq!(server.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!((read.to_string().as_str(), read.file()), (url, None));
        let local: ServerUrl = "postgres:///p?host=/run/postgresql&user=warmer".parse().unwrap();
        assert_eq!((local.socket.as_deref(), local.port), (Some(Path::new("/run/postgresql")), PORT));
        assert!(local.is_local() && local.user.as_deref() == Some("warmer"));
        for (url, is_local) in
            [("postgres://127.0.0.1/p", true), ("postgres://[::1]/p", true), ("postgres://h/p", false)]
        {
            assert_eq!(url.parse::<ServerUrl>().unwrap().is_local(), is_local, "{url}");
        }
    }

    #[test]
    fn a_password_is_refused_however_it_is_written_and_never_shown() {
        for url in [
            "postgres://u:hunter2@h/p",
            "postgres://u:hunter2/x@h/p",
            "postgres://u:hunter2#@h/p",
            "postgres://:hunter2@h/p",
            "postgres://u@h/p?password=hunter2",
            "postgres://u@h/p?sslmode=require&password=hunter2",
            "postgres://u@h/p?passw%6frd=hunter2",
        ] {
            let error = url.parse::<DatabaseUrl>().unwrap_err();
            assert!(error.contains("without a password") && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told() {
        for (url, told) in [
            ("postgres:p", "allowed is a URL like"),
            ("postgres://u@h:99999/p", "allowed is a URL like"),
            ("postgres://u@h/p#x", "allowed is a URL like"),
            ("postgres://u@h", "must name a database"),
            ("postgres://u@h/a/b", "must name a database"),
            ("postgres:///p", "must name a host"),
            ("postgres://a,b/p", "must name one host"),
            ("postgres://h/p?sslmode=on", "sslmode is one of"),
            ("postgres://h/p?sslrootcert=ca.pem", "absolute"),
            ("postgres://h/p?sslcert=/a", "belong together"),
            ("postgres://h/p?port=0", "port is a number"),
            ("postgres://h/p?pool_size=4", "allowed after `?` are"),
            ("mysql://h/p", "\"sqlite:\" and a path"),
            ("sqlite:", "\"sqlite:\" and a path"),
        ] {
            let error = url.parse::<DatabaseUrl>().unwrap_err();
            assert!(error.contains(told), "{url}: {error}");
        }
    }
}
