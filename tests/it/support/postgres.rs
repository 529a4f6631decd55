//! A PostgreSQL of the tests' own: one server for all of them, on a socket in a folder of its own, which ends with the
//! test process. A benchmark starts one of its own the same way.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Where Debian puts the programs, by version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// Runs the server until this process ends, and then clears its folder away.
const UNTIL_TOLD: &str = r#"trap 'told=1; kill -INT $server' INT
"$@" & server=$!
wait
wait
[ -z "$told" ] || rm -rf "$PWD""#;

/// How long the server may take to start, on a machine that has much to do.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    folder: PathBuf,
}

/// The server, started at its first use; none where PostgreSQL is not installed, which is said.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| start(false)).as_ref()
}

impl Server {
    /// The URL of a new database of this name.
    pub async fn database(&self, name: &str) -> String {
        let mut first = self.options("postgres").connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut first).await.unwrap();
        first.close().await.unwrap();
        format!("postgres://tests@localhost/{name}?host={}", self.folder.display())
    }

    /// From now on every statement in this database, and in no other, is written into the server's log. Only
    /// connections that are made later know of it.
    pub async fn log_statements(&self, name: &str) {
        let mut first = self.options("postgres").connect().await.unwrap();
        let set = format!("alter database {name} set log_statement = 'all'");
        sqlx::query(AssertSqlSafe(set)).execute(&mut first).await.unwrap();
        first.close().await.unwrap();
    }

    /// How many statements the log has.
    pub fn logged(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ")).count()
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(&self.folder).username("tests").database(database)
    }
}

/// Starts a server; with `fsync` a commit is on the disk, as the tests need not have it.
pub fn start(fsync: bool) -> Option<Server> {
    let programs = programs_or_say()?;
    let folder = folder().keep();
    init(&programs, &folder);
    let mut run = as_nobody(Path::new("sh"), &folder);
    run.args(["-c", UNTIL_TOLD, "sh"]).arg(programs.join("postgres"));
    run.args(["-c", if fsync { "fsync=on" } else { "fsync=off" }]);
    start_in(run, &folder, "");
    Some(Server { folder })
}

/// The programs; none where they are not installed, which is said.
pub(super) fn programs_or_say() -> Option<PathBuf> {
    let programs = programs();
    if programs.is_none() {
        // Not by a macro, whose output is kept for tests that fail.
        let _ = writeln!(std::io::stderr(), "skipped without PostgreSQL in {PROGRAMS}: what is tested on it");
    }
    programs
}

pub(super) fn folder() -> tempfile::TempDir {
    // A path of a socket has 107 bytes at most.
    tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap()
}

pub(super) fn init(programs: &Path, folder: &Path) {
    let mut init = as_nobody(&programs.join("initdb"), folder);
    init.args(["--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "--locale=C.UTF-8", "-D"]);
    let said = init.arg(folder.join("data")).output().unwrap();
    assert!(said.status.success(), "initdb: {}", String::from_utf8_lossy(&said.stderr));
}

/// Runs the server in its folder, with a socket there and at these addresses, and waits until it is ready.
pub(super) fn start_in(mut run: Command, folder: &Path, listen: &str) {
    run.arg("-c").arg(format!("listen_addresses={listen}"));
    run.arg("-D").arg(folder.join("data")).arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    let log = std::fs::File::options().append(true).create(true).open(folder.join("log")).unwrap();
    run.stdout(Stdio::null()).stderr(log);
    // Its death is bound to the thread that starts it, so that thread stays.
    std::thread::spawn(move || {
        let _ = run.spawn().unwrap().wait();
    });
    let started = Instant::now();
    let is_ready = || {
        let said = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        said.lines().last().is_some_and(|line| line.trim() == "ready")
    };
    while !is_ready() {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(started.elapsed() < START_MAX, "PostgreSQL does not start: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).ok()?.flatten().map(|entry| entry.path());
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter(|path| path.join("bin/initdb").exists()).max_by_key(|path| number(path))?;
    Some(newest.join("bin"))
}

/// A program of PostgreSQL, which refuses to run as root, with `folder` as its own; it ends with the thread that starts
/// it.
pub(crate) fn as_nobody(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]).current_dir(folder).stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        let nobody = uzers::get_user_by_name("nobody").unwrap();
        std::os::unix::fs::chown(folder, Some(nobody.uid()), None).unwrap();
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.arg(program);
    command
}
