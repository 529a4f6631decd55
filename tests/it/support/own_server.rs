//! A PostgreSQL of one test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::postgres::PgConnectOptions;

use super::postgres::{as_nobody, folder, init, programs_or_say, start_in};

/// How long the server may take to end.
const END_MAX: Duration = Duration::from_secs(60);

/// A server of one test's own, which may crash, start again, and be succeeded by an older copy.
pub struct OwnServer {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl OwnServer {
    /// A new server that runs; none where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let own = Self { folder: folder(), programs: programs_or_say()? };
        init(&own.programs, own.folder.path());
        own.run(&[]);
        Some(own)
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The socket on which it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// A program of PostgreSQL for this server.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env("PGHOST", self.folder.path()).env("PGUSER", "tests");
        command
    }

    /// A connection past everything that may be between.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(self.folder.path()).username("tests").database(database)
    }

    /// It ends at once, as when power fails or the system ends it.
    pub fn crash(&self) {
        let text = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        let Some(pid) = text.lines().next().and_then(|line| Pid::from_raw(line.parse().ok()?)) else { return };
        let _ = kill_process(pid, Signal::QUIT);
        let began = Instant::now();
        while test_kill_process(pid).is_ok() {
            assert!(began.elapsed() < END_MAX, "PostgreSQL does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// It runs again, with everything that was durable.
    pub fn start_again(&self) {
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        self.run(&[]);
    }

    /// A copy of now. It lacks what is committed from here on, like a standby that lags.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: folder(), programs: self.programs.clone() };
        let mut backup = as_nobody(&self.programs.join("pg_basebackup"), copy.folder.path());
        backup.args(["--username=tests", "--wal-method=fetch", "--checkpoint=fast", "--no-sync", "-h"]);
        let said = backup.arg(self.folder.path()).arg("-D").arg(copy.folder.path().join("data")).output().unwrap();
        assert!(said.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&said.stderr));
        copy
    }

    /// The copy becomes the primary, on a history of its own.
    pub fn promote(&self) {
        std::fs::write(self.folder.path().join("data/recovery.signal"), "").unwrap();
        self.run(&["restore_command=false", "recovery_target_action=promote"]);
    }

    fn run(&self, settings: &[&str]) {
        let mut run = as_nobody(&self.programs.join("postgres"), self.folder.path());
        for setting in [&["fsync=off"], settings].concat() {
            run.args(["-c", setting]);
        }
        start_in(run, self.folder.path(), "");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.crash();
    }
}
