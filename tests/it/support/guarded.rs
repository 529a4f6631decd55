//! A PostgreSQL of one test's own that listens on a port of this machine, encrypts, and asks for passwords there.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::postgres::{as_nobody, folder, init, programs_or_say, start_in};
use super::tap::Authority;

/// How long it may take to end.
const END_MAX: Duration = Duration::from_secs(60);

/// By the socket everybody is who he says he is; by the port nobody.
const RULES: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

pub struct Guarded {
    folder: tempfile::TempDir,
    programs: PathBuf,
    pub port: u16,
}

impl Guarded {
    /// One that does not run yet, with a certificate for these names; none where PostgreSQL is not installed.
    pub fn prepared(authority: &Authority, names: &[&str]) -> Option<Self> {
        let programs = programs_or_say()?;
        let folder = folder();
        init(&programs, folder.path());
        let data = folder.path().join("data");
        let (certificate, key) = authority.issue(names);
        fs::write(data.join("pg_hba.conf"), RULES).unwrap();
        let owner = fs::metadata(data.join("pg_hba.conf")).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&path, owner.as_ref().ok().copied(), None).unwrap();
        }
        // Nobody else has it before the server: another test would ask the system, too.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Self { folder, programs, port })
    }

    /// Runs it.
    pub fn start(&self) {
        let mut run = as_nobody(&self.programs.join("postgres"), self.folder.path());
        run.args(["-c", "fsync=off", "-c", "ssl=on", "-p", &self.port.to_string()]);
        start_in(run, self.folder.path(), "127.0.0.1");
    }

    /// Ends it at once.
    pub fn stop(&self) {
        let text = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        let Some(pid) = text.lines().next().and_then(|line| Pid::from_raw(line.parse().ok()?)) else { return };
        let _ = kill_process(pid, Signal::QUIT);
        let began = Instant::now();
        while test_kill_process(pid).is_ok() {
            assert!(began.elapsed() < END_MAX, "PostgreSQL does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_file(self.folder.path().join("data/postmaster.pid"));
    }

    /// Does something as its owner.
    pub async fn run(&self, database: &str, statements: &[&str]) {
        let options = PgConnectOptions::new().socket(self.folder.path()).port(self.port).username("tests");
        let mut conn = options.database(database).connect().await.unwrap();
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(*statement)).execute(&mut conn).await.unwrap();
        }
    }

    /// The URL of a database there, by the socket, past all passwords.
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres://tests@localhost:{}/{database}?host={}", self.port, self.folder.path().display())
    }

    /// The URL of a database there, by the port.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}
