//! The password for the database's server. It never stands in the configuration. The first of these places that has one
//! is used, as PostgreSQL's own clients do: systemd's credential `database-password`, `PGPASSWORD`, `PGPASSFILE`,
//! `~/.pgpass`.
//!
//! The driver would read the last two itself, but it would ignore a file that others may read, and it would log a line
//! that it cannot parse, with the password in it.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::files::{self, Owners};
use super::{CREDSTORE, DIRECTORY_VARIABLE, Error};
use crate::config::{Config, ServerUrl};

/// The name of systemd's credential.
const NAME: &str = "database-password";

/// The password for this server; none where nobody gives one, because the server may trust its socket or a certificate.
///
/// # Errors
///
/// A file that may hold it cannot be read, or others may read or change it; says what to do.
pub fn database_password(server: &ServerUrl, config: &Config) -> Result<Option<SecretString>, Error> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set(DIRECTORY_VARIABLE)
        && let Some(text) = files::optional(&PathBuf::from(folder).join(NAME))?
    {
        files::refuse_exposed_in(Path::new(CREDSTORE))?;
        return Ok(Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    if let Some(password) = set("PGPASSWORD").and_then(|value| value.into_string().ok()) {
        return Ok(Some(password.into()));
    }
    let named = set("PGPASSFILE").map(PathBuf::from);
    let at_home = || std::env::home_dir().map(|home| home.join(".pgpass")).filter(|path| path.exists());
    let Some(path) = named.or_else(at_home) else { return Ok(None) };
    let text = files::once_more(|| files::private(&path, &Owners::of(config)))?;
    Ok(text.lines().find_map(|line| of_line(line, server, &role(server))).map(SecretString::from))
}

/// The role that the server is asked to take this process for.
pub fn role(server: &ServerUrl) -> String {
    let of_variable = || std::env::var("PGUSER").ok().filter(|user| !user.is_empty());
    let of_process = || uzers::get_current_username().map(|name| name.to_string_lossy().into_owned());
    server.user.clone().or_else(of_variable).or_else(of_process).unwrap_or_default()
}

/// The password of a line `host:port:database:user:password`, if it is for this server. `*` stands for anything, and a
/// backslash takes the meaning from a colon.
fn of_line(line: &str, server: &ServerUrl, role: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let last = fields.len() - 1;
        match c {
            '\\' => fields[last].extend(rest.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields[last].push(c),
        }
    }
    let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
    let is = |field: &str, value: &str| field == "*" || field == value;
    // A socket goes by its folder, or by the name of this machine.
    let socket = server.socket.as_ref().map(|folder| folder.display().to_string());
    let is_host = is(&host, &server.host) || socket.is_some_and(|folder| host == folder || host == "localhost");
    let is_ours = is_host && is(&port, &server.port.to_string()) && is(&database, &server.database) && is(&user, role);
    (is_ours && !password.is_empty()).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_pgpass_is_read_as_postgresqls_clients_read_it() {
        let server: ServerUrl = "postgres://warmer@db.example.com:5433/prefetchd".parse().unwrap();
        let of = |line: &str| of_line(line, &server, "warmer");
        for line in ["db.example.com:5433:prefetchd:warmer:a b", "*:*:*:*:a b", "*:5433:*:warmer:a b"] {
            assert_eq!(of(line).as_deref(), Some("a b"), "{line}");
        }
        assert_eq!(of(r"*:*:*:*:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        for line in ["", "# *:*:*:*:a", "*:*:*:a", "other:*:*:*:a", "*:5432:*:*:a", "*:*:*:other:a", "*:*:*:*:"] {
            assert_eq!(of(line), None, "{line}");
        }
        let local: ServerUrl = "postgres:///p?host=/run/postgresql".parse().unwrap();
        for host in ["localhost", "/run/postgresql", "*"] {
            assert_eq!(of_line(&format!("{host}:*:*:*:x"), &local, "me").as_deref(), Some("x"), "{host}");
        }
    }
}
