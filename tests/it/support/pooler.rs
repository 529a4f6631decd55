//! PgBouncer before a PostgreSQL, in transaction mode: each transaction may get another connection of the server's.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::postgres::as_nobody;

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// How long it may take to start, on a machine that has much to do.
const START_MAX: Duration = Duration::from_secs(60);

/// A running pooler, which ends with this value.
pub struct Pooler {
    folder: tempfile::TempDir,
    process: Child,
}

impl Pooler {
    /// One before the server whose socket is in this folder; none where PgBouncer is not installed, which is said.
    pub fn before(server: &Path) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            let _ = writeln!(std::io::stderr(), "skipped without {PROGRAM}: what is tested behind a pooler");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("pb").tempdir_in("/tmp").unwrap();
        let settings = format!(
            "[databases]\n* = host={} user=tests\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\nignore_startup_parameters = extra_float_digits, options\nserver_round_robin = 1\n\
             server_login_retry = 0.1\n",
            server.display(),
            folder.path().display()
        );
        fs::write(folder.path().join("settings"), settings).unwrap();
        let mut command = as_nobody(Path::new(PROGRAM), folder.path());
        let process = command.arg("-q").arg("settings").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { folder, process };
        let began = Instant::now();
        while !pooler.socket().exists() {
            assert!(began.elapsed() < START_MAX, "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    /// The socket on which it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.6432")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
