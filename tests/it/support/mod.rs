//! One harness for all: a directory, a sandbox and daemons, each a process of the built binary.

pub(crate) mod guarded;
pub(crate) mod model;
pub(crate) mod own_server;
pub(crate) mod pooler;
pub mod postgres;
mod reader;
pub(crate) mod stand_in;
pub(crate) mod tap;
pub(crate) mod web;
pub(crate) mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use prefetchd::config::DatabaseUrl;
use prefetchd::net::http_builder;
use prefetchd::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, AccountView, CallView};
use prefetchd::store::Value;
use tokio::runtime::Runtime;

use self::reader::Reader;

/// Nothing here takes so long unless it never happens.
const DEADLINE: Duration = Duration::from_secs(180);

/// The database's name.
const DATABASE: &str = "prefetchd.db";

/// The built binary.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_prefetchd");

/// A process that ends with the test.
#[derive(Debug)]
pub struct Process(Child);

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL: no destructor, no goodbye.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn stop(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap()
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A place to work in.
pub struct World {
    pub dir: tempfile::TempDir,
    endpoint: String,
    sandbox: Option<Process>,
    runtime: Runtime,
    reader: Reader,
    client: OnceLock<reqwest::Client>,
}

impl World {
    /// With a sandbox that plays `scenario`, and a configuration of which `config` is a part.
    pub fn new(scenario: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::File(dir.path().join(DATABASE));
        Self::with(dir, url, scenario, config)
    }

    /// The same, with a database of its own on the tests' PostgreSQL; none where that is not installed.
    pub fn on_server(scenario: &str, config: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let name = format!("world_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = runtime.block_on(postgres::server()?.database(&name));
        Some(Self::with(tempfile::tempdir().unwrap(), url.parse().unwrap(), scenario, config))
    }

    /// The same; what is asked here is asked of this URL, whatever the configuration has.
    pub fn asking(url: &str, scenario: &str, config: &str) -> Self {
        Self::with(tempfile::tempdir().unwrap(), url.parse().unwrap(), scenario, config)
    }

    fn with(dir: tempfile::TempDir, url: DatabaseUrl, scenario: &str, config: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (endpoint, reader) = ("http://127.0.0.1:0".to_owned(), Reader::new(url));
        let mut world = Self { dir, endpoint, sandbox: None, runtime, reader, client: OnceLock::new() };
        fs::write(world.path("scenario.toml"), scenario).unwrap();
        world.start_sandbox();
        world.configure(config);
        world
    }

    /// Starts the sandbox, on the port it had before.
    pub fn start_sandbox(&mut self) {
        let world = self;
        let out = fs::File::create(world.path("sandbox.out")).unwrap();
        let child = Command::new(PROGRAM)
            .args(["sandbox", "--listen", world.endpoint.trim_start_matches("http://"), "--scenario"])
            .arg(world.path("scenario.toml"))
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        world.sandbox = Some(Process(child));
        let announced = || {
            let text = fs::read_to_string(world.path("sandbox.out")).unwrap();
            text.strip_prefix("listening on ").and_then(|rest| rest.split_once('\n')).map(|(url, _)| url.to_owned())
        };
        world.wait("the sandbox to listen", || announced().is_some());
        world.endpoint = announced().unwrap();
    }

    /// Ends the sandbox; its account is gone with it.
    pub fn stop_sandbox(&mut self) {
        self.sandbox = None;
    }

    /// Writes the configuration; sections that `config` has too are merged by hand in the test.
    pub fn configure(&self, config: &str) {
        let mut table: toml::Table = toml::from_str(config).unwrap();
        let mut set = |section: &str, key: &str, value: String| {
            let section = table.entry(section).or_insert(toml::Table::new().into());
            section.as_table_mut().unwrap().entry(key).or_insert(value.into());
        };
        set("api", "endpoint", self.endpoint.clone());
        set("spool", "dir", self.path("spool").display().to_string());
        set("database", "url", self.reader.url().to_string());
        set("retry", "backoff_min", "1s".to_owned());
        fs::write(self.path("prefetchd.toml"), toml::to_string(&table).unwrap()).unwrap();
    }

    /// Host and port of the sandbox.
    pub fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://").trim_end_matches('/')
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        self.reader.url().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path(DATABASE)
    }

    pub fn spool(&self, name: &str) -> PathBuf {
        self.path("spool").join(name)
    }

    /// A command of the program with this configuration and the sandbox's credentials.
    pub fn command(&self, args: &[&str]) -> Command {
        Self::command_by(&self.path("prefetchd.toml"), args)
    }

    /// The same with another configuration.
    pub fn command_by(config: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .arg("--config")
            .arg(config)
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET)
            .env_remove("ALIBABA_CLOUD_SECURITY_TOKEN")
            .env_remove("PREFETCHD_LANG")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a daemon; its log is appended to `daemon.log`.
    pub fn daemon(&self) -> Process {
        Process(self.daemon_command().spawn().unwrap())
    }

    /// Stops a daemon in order: SIGTERM, and the exit code says that all was well.
    pub fn stop(&self, daemon: Process) {
        let status = daemon.stop();
        assert!(status.success(), "{status}; the daemon's log:\n{}", self.log());
    }

    pub fn daemon_command(&self) -> Command {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.path("daemon.log")).unwrap();
        let mut command = self.command(&["run", "--allow-root"]);
        command.stdout(Stdio::null()).stderr(log);
        command
    }

    /// Starts a daemon from a command made by [`World::daemon_command`].
    pub fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap())
    }

    /// Starts a daemon and waits until it runs.
    pub fn ready_daemon(&self) -> Process {
        let daemon = self.daemon();
        self.wait("the daemon to be ready", || self.count_log("ready version") > 0);
        daemon
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    pub fn count_log(&self, part: &str) -> usize {
        self.log().lines().filter(|line| line.contains(part)).count()
    }

    /// Hands a file over as one should: written under a name that is left alone, then renamed.
    pub fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        let incoming = self.spool("incoming");
        fs::create_dir_all(&incoming).unwrap();
        fs::write(incoming.join(format!(".{name}")), content).unwrap();
        fs::rename(incoming.join(format!(".{name}")), incoming.join(name)).unwrap();
    }

    /// Hands a file over that was written long ago: a daemon that starts later takes it at once.
    pub fn drop_settled(&self, name: &str, content: impl AsRef<[u8]>) {
        let hidden = self.spool("incoming").join(format!(".{name}"));
        fs::create_dir_all(self.spool("incoming")).unwrap();
        fs::write(&hidden, content).unwrap();
        fs::File::options()
            .append(true)
            .open(&hidden)
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        fs::rename(hidden, self.spool("incoming").join(name)).unwrap();
    }

    /// Waits until `is` is true; fails with the log when that takes too long.
    pub fn wait(&self, what: &str, is: impl Fn() -> bool) {
        let start = Instant::now();
        let mut ticks = self.runtime.block_on(async { tokio::time::interval(Duration::from_millis(20)) });
        let is_first = self.runtime.block_on(self.reader.keep());
        while !is() {
            assert!(start.elapsed() < DEADLINE, "waited in vain for {what}; the daemon's log:\n{}", self.log());
            self.runtime.block_on(ticks.tick());
        }
        if is_first {
            self.runtime.block_on(self.reader.let_go());
        }
    }

    /// Waits until a query's first value is `expected`.
    pub fn wait_for(&self, query: &str, expected: i64) {
        self.wait(&format!("{expected} from {query}"), || self.try_number(query) == Some(expected));
    }

    /// Waits until the daemon says that it waits for something with these words in it.
    pub fn waits_for(&self, part: &str) {
        self.wait(part, || self.rows("select coalesce(waiting_for, '') from v_status")[0][0].contains(part));
    }

    /// The first value of a query, as a number.
    pub fn number(&self, query: &str) -> i64 {
        self.try_number(query).unwrap_or_else(|| panic!("{query} gave nothing"))
    }

    /// The first value of a query, as a number, if there is a database and a row.
    pub fn try_number(&self, query: &str) -> Option<i64> {
        self.runtime.block_on(self.reader.ask(query)).ok()?.first().and_then(|row| match row.values()[0].1 {
            Value::Int(number) => number,
            _ => None,
        })
    }

    /// All rows of a query, every value as text.
    pub fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let rows = self.runtime.block_on(self.reader.ask(query)).unwrap();
        let text = |value| match value {
            Value::Int(number) => number.map(|number| number.to_string()).unwrap_or_default(),
            Value::Real(number) => number.map(|number| format!("{number:?}")).unwrap_or_default(),
            Value::Text(text) => text.unwrap_or_default().into_owned(),
        };
        rows.iter().map(|row| row.values().into_iter().map(|(_, value)| text(value)).collect()).collect()
    }

    /// Runs something on the database as another process would.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The account as the sandbox saw it: the only witness that counts.
    pub fn account(&self) -> AccountView {
        serde_json::from_slice(&self.witness("account")).unwrap()
    }

    /// The URLs whose cached copy is the one that a prefetch fetched.
    pub fn warm(&self) -> Vec<String> {
        serde_json::from_slice(&self.witness("warm")).unwrap()
    }

    fn witness(&self, page: &str) -> Vec<u8> {
        self.runtime.block_on(async {
            // Kept, since making one costs more than a call; its connections are not, since the sandbox may be another
            // by then.
            let client = self.client.get_or_init(|| http_builder(true).pool_max_idle_per_host(0).build().unwrap());
            let response = client.get(format!("{}/_sandbox/{page}", self.endpoint)).send().await.unwrap();
            response.bytes().await.unwrap().into()
        })
    }

    /// The calls of `PreloadVodObjectCaches`, in order.
    pub fn preloads(&self) -> Vec<CallView> {
        self.account().calls.into_iter().filter(|call| call.operation == "PreloadVodObjectCaches").collect()
    }

    /// Requests of `PreloadVodObjectCaches` that reached the operation, on all days.
    pub fn requests_seen(&self) -> u64 {
        self.account().days.values().map(|day| day.requests_seen).sum()
    }

    /// The database is sound, and every counter is what counting gives.
    pub fn assert_books_agree(&self) {
        assert_eq!(self.rows("pragma integrity_check"), [["ok"]]);
        assert_eq!(self.rows("pragma foreign_key_check"), Vec::<Vec<String>>::new());
        for state in prefetchd::model::UrlState::ALL {
            let counted = self.number(&format!("select count(*) from v_urls where state = '{state}'"));
            assert_eq!(self.number(&format!("select {state} from v_status")), counted, "{state} in v_status");
            // A file's own lines are where their URLs are, unless their wishes ended on their own.
            let lines = format!(
                "select count(*) from v_urls as u left join v_wishes as w on w.url_id = u.url_id and w.came = 'first'
                 where coalesce(w.state, u.state) = '{state}'"
            );
            let files = format!("select coalesce(sum({state}), 0) from v_files");
            assert_eq!(self.number(&files), self.number(&lines), "{state} in v_files");
            let merged = format!("select count(*) from v_wishes where came = 'merged' and state = '{state}'");
            let kept = format!("select coalesce(sum(merged_{state}), 0) from v_files");
            assert_eq!(self.number(&kept), self.number(&merged), "merged_{state} in v_files");
        }
        let pending = self.number("select coalesce(sum(pending), 0) from v_hosts");
        assert_eq!(pending, self.number("select pending from v_status"), "pending in v_hosts");
        for (meter, extra, sum) in [
            ("requests_used", "unbooked", "cost"),
            (
                "urls_used",
                "0",
                "case when outcome in ('accepted', 'in_doubt', 'open', 'unavailable') then urls else 0 end",
            ),
        ] {
            // Of submissions that were pruned, only the requests stand in the day's row.
            let pruned = if meter == "urls_used" { "b.unbooked = 0 and" } else { "" };
            let wrong = format!(
                "select count(*) from v_budget as b where {pruned} {meter} <> {extra} + \
                 (select coalesce(sum({sum}), 0) from v_submissions as s where s.day = b.day)"
            );
            assert_eq!(self.number(&wrong), 0, "{meter} is not what the submissions say");
        }
        assert_eq!(self.number("select count(*) from v_budget where requests_used > requests_limit"), 0, "overspent");
    }

    /// Every URL was accepted by the service, exactly once, whatever the database says.
    pub fn assert_all_accepted(&self, urls: usize) {
        let account = self.account();
        assert_eq!(account.accepted.len(), urls);
        let doubles: Vec<_> = account.accepted.iter().filter(|(_, times)| **times != 1).collect();
        assert!(doubles.is_empty(), "accepted more than once: {doubles:?}");
    }

    /// Every URL was accepted exactly once and is submitted.
    pub fn assert_all_accepted_once(&self, urls: usize) {
        self.assert_all_accepted(urls);
        assert_eq!(
            self.number("select count(*) from v_urls where state = 'submitted' and task_ids <> ''"),
            urls as i64
        );
    }
}

/// So many URLs of a film, one a line.
pub fn urls(film: &str, count: usize) -> String {
    (0..count).map(|n| format!("https://vod.example.com/{film}/seg-{n:06}.ts\n")).collect()
}

/// What a program said, for a failed assertion.
pub fn said(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Whether these tests run as root; what needs root says so when it does not.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A whole file, or a panic that names it.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
