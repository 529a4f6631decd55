//! Several hosts, each a daemon of the built binary with a spool and a wire of its own, one server, and the sandbox.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use crate::support::own_server::OwnServer;
use crate::support::pooler::Pooler;
use crate::support::wire::Wire;
use crate::support::{Process, World};

/// Nothing here takes so long unless it never happens.
const DEADLINE: Duration = Duration::from_secs(180);

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The database's name.
pub const DATABASE: &str = "queue";

pub struct Cluster {
    /// The sandbox, and the runtime for what is asked here.
    pub world: World,
    pub server: OwnServer,
    /// Between the wires and the server, where there is one.
    pooler: Option<Pooler>,
    pub hosts: Vec<Host>,
    conn: RefCell<Option<PgConnection>>,
    config: String,
}

/// A host.
pub struct Host {
    pub name: &'static str,
    pub dir: PathBuf,
    pub wire: Wire,
    pub daemon: Option<Process>,
}

impl Cluster {
    /// With hosts of these names, none of which runs; none where PostgreSQL, or the pooler that is asked for, is not
    /// installed.
    pub fn new(scenario: &str, config: &str, names: &[&'static str], has_pooler: bool) -> Option<Self> {
        let server = OwnServer::start()?;
        let pooler = if has_pooler { Some(Pooler::before(server.folder())?) } else { None };
        let world = World::new(scenario, "");
        let create = async {
            let mut first = server.options("postgres").connect().await.unwrap();
            sqlx::query(AssertSqlSafe(format!("create database {DATABASE}"))).execute(&mut first).await.unwrap();
        };
        world.block_on(create);
        let mut cluster =
            Self { world, server, pooler, hosts: Vec::new(), conn: RefCell::default(), config: config.to_owned() };
        for name in names {
            let dir = cluster.world.path(name);
            fs::create_dir_all(&dir).unwrap();
            let wire = Wire::to(&cluster.front());
            cluster.hosts.push(Host { name, dir, wire, daemon: None });
            cluster.configure(name, "");
        }
        Some(cluster)
    }

    /// Writes a host's configuration; `extra` overrides what all have.
    pub fn configure(&self, name: &str, extra: &str) {
        let host = self.host(name);
        let mut table: toml::Table = toml::from_str(&self.config).unwrap();
        for (section, keys) in toml::from_str::<toml::Table>(extra).unwrap() {
            let all = table.entry(section).or_insert(toml::Table::new().into()).as_table_mut().unwrap();
            all.extend(keys.as_table().unwrap().clone());
        }
        // Whoever follows the tasks looks soon.
        let track: toml::Table =
            toml::from_str("first_after = '1s'\nretry_after = '1s'\ncalls_per_second = 100").unwrap();
        table.insert("track".to_owned(), track.into());
        let mut set = |section: &str, key: &str, value: String| {
            let section = table.entry(section).or_insert(toml::Table::new().into());
            section.as_table_mut().unwrap().entry(key).or_insert(value.into());
        };
        set("api", "endpoint", format!("http://{}", self.world.address()));
        set("spool", "dir", host.dir.join("spool").display().to_string());
        set("database", "url", format!("postgres://tests@127.0.0.1:{}/{DATABASE}?sslmode=disable", host.wire.port));
        set("database", "host", name.to_owned());
        set("retry", "backoff_min", "1s".to_owned());
        fs::write(host.dir.join("prefetchd.toml"), toml::to_string(&table).unwrap()).unwrap();
    }

    pub fn host(&self, name: &str) -> &Host {
        self.hosts.iter().find(|host| host.name == name).unwrap()
    }

    fn host_mut(&mut self, name: &str) -> &mut Host {
        self.hosts.iter_mut().find(|host| host.name == name).unwrap()
    }

    /// A command on a host.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        World::command_by(&self.host(name).dir.join("prefetchd.toml"), args)
    }

    /// Starts a host's daemon.
    pub fn start(&mut self, name: &str) {
        let log = fs::File::options().append(true).create(true).open(self.host(name).dir.join("daemon.log")).unwrap();
        let mut command = self.command(name, &["run", "--allow-root"]);
        command.stdout(Stdio::null()).stderr(log);
        self.host_mut(name).daemon = Some(World::spawn(&mut command));
    }

    /// SIGKILL.
    pub fn kill(&mut self, name: &str) {
        self.host_mut(name).daemon.take().unwrap().kill();
    }

    /// SIGTERM; it ends well.
    pub fn stop(&mut self, name: &str) {
        let daemon = self.host_mut(name).daemon.take().unwrap();
        self.world.stop(daemon);
    }

    pub fn signal(&self, name: &str, signal: Signal) {
        let id = self.host(name).daemon.as_ref().unwrap().id();
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
    }

    /// Hands a file over on a host.
    pub fn drop_file(&self, name: &str, file: &str, content: impl AsRef<[u8]>) {
        let incoming = self.host(name).dir.join("spool/incoming");
        fs::create_dir_all(&incoming).unwrap();
        fs::write(incoming.join(format!(".{file}")), content).unwrap();
        fs::rename(incoming.join(format!(".{file}")), incoming.join(file)).unwrap();
    }

    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.host(name).dir.join("daemon.log")).unwrap_or_default()
    }

    /// Waits until `is` is true; fails with the logs when that takes too long.
    pub fn wait(&self, what: &str, is: impl Fn() -> bool) {
        let began = Instant::now();
        while !is() {
            if began.elapsed() > DEADLINE {
                let logs = self.hosts.iter().map(|host| format!("--- {}\n{}", host.name, self.log(host.name)));
                let logs: String = logs.collect();
                let state = self.try_rows("select * from (select row_to_json(v) from v_daemons as v) as said", true);
                panic!("waited in vain for {what}; {state:?}\n{logs}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until a query's first value is `expected`.
    pub fn wait_for(&self, query: &str, expected: i64) {
        self.wait(&format!("{expected} from {query}"), || self.try_number(query) == Some(expected));
    }

    /// Waits until one of the hosts leads, and tells which.
    pub fn leader(&self) -> String {
        self.wait("a leader", || self.try_text("select leader from v_status").is_some());
        self.try_text("select leader from v_status").unwrap_or_default()
    }

    pub fn waits_to_lead(&self, name: &str) {
        self.wait(&format!("{name} to lead"), || {
            self.try_text("select leader from v_status").is_some_and(|leader| leader == name)
        });
    }

    pub fn number(&self, query: &str) -> i64 {
        self.try_number(query).unwrap_or_else(|| panic!("{query} gave nothing"))
    }

    pub fn try_number(&self, query: &str) -> Option<i64> {
        self.try_rows(query, false)?.first()?.try_get::<i64, _>(0).ok()
    }

    fn try_text(&self, query: &str) -> Option<String> {
        self.try_rows(query, false)?.first()?.try_get::<Option<String>, _>(0).ok()?
    }

    /// The rows of a query, past all wires; none while the server does not answer.
    fn try_rows(&self, query: &str, as_text: bool) -> Option<Vec<PgRow>> {
        let query = if as_text { format!("select said::text from ({query}) as t (said)") } else { query.to_owned() };
        let mut slot = self.conn.borrow_mut();
        self.world.block_on(async {
            if slot.is_none() {
                *slot = self.server.options(DATABASE).connect().await.ok();
            }
            let said = sqlx::query(AssertSqlSafe(query)).fetch_all(slot.as_mut()?).await;
            if said.as_ref().is_err_and(|error| error.as_database_error().is_none()) {
                *slot = None;
            }
            said.ok()
        })
    }

    /// All is durable that was committed, and nothing else: the server ends at once and starts again.
    pub fn restart_the_server(&self) {
        *self.conn.borrow_mut() = None;
        self.server.crash();
        self.server.start_again();
    }

    /// A backup of the database.
    pub fn back_up(&self) -> Vec<u8> {
        let said = self.server.tool("pg_dump").args(["--format=custom", DATABASE]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        said.stdout
    }

    /// Puts a backup into the place of the database.
    pub fn put_back(&self, backup: &[u8]) {
        *self.conn.borrow_mut() = None;
        let path = self.world.path("backup");
        fs::write(&path, backup).unwrap();
        for (tool, args) in [
            ("dropdb", vec!["--force", DATABASE]),
            ("createdb", vec![DATABASE]),
            ("pg_restore", vec!["--dbname", DATABASE, path.to_str().unwrap()]),
        ] {
            let said = self.server.tool(tool).args(args).output().unwrap();
            assert!(said.status.success(), "{tool}: {}", String::from_utf8_lossy(&said.stderr));
        }
    }

    /// An older copy of the server takes its place; what was committed since is lost.
    pub fn fail_over(&mut self, copy: OwnServer) {
        *self.conn.borrow_mut() = None;
        self.server.crash();
        copy.promote();
        self.server = copy;
        if self.pooler.is_some() {
            self.pooler = Pooler::before(self.server.folder());
        }
        let front = self.front();
        for host in &self.hosts {
            host.wire.lead_to(&front);
        }
    }

    /// Where the wires lead.
    fn front(&self) -> PathBuf {
        self.pooler.as_ref().map_or_else(|| self.server.socket(), Pooler::socket)
    }

    /// Every counter is what counting gives.
    pub fn assert_books_agree(&self) {
        for state in prefetchd::model::UrlState::ALL {
            let counted = self.number(&format!("select count(*) from v_urls where state = '{state}'"));
            assert_eq!(self.number(&format!("select {state} from v_status")), counted, "{state} in v_status");
            let files = format!("select coalesce(sum({state}), 0)::bigint from v_files");
            let merged = format!("select count(*) from v_wishes where came = 'merged' and state = '{state}'");
            let kept = format!("select coalesce(sum(merged_{state}), 0)::bigint from v_files");
            assert_eq!(self.number(&kept), self.number(&merged), "merged_{state} in v_files");
            let lines = format!(
                "select count(*) from v_urls as u left join v_wishes as w on w.url_id = u.url_id and w.came = 'first'
                 where coalesce(w.state, u.state) = '{state}'"
            );
            assert_eq!(self.number(&files), self.number(&lines), "{state} in v_files");
        }
        let wrong = "select count(*) from v_budget as b where requests_used <> unbooked +
                         (select coalesce(sum(cost), 0) from v_submissions as s where s.day = b.day)";
        assert_eq!(self.number(wrong), 0, "requests_used is not what the submissions say");
        assert_eq!(self.number("select count(*) from v_budget where requests_used > requests_limit"), 0, "overspent");
    }

    /// What the service performed is within the budget; and where doubles can be counted, each URL that it accepted
    /// more than once is counted as a possible double.
    pub fn assert_account_is_kept(&self, budget: u64, are_doubles_known: bool) {
        let account = self.world.account();
        for (day, seen) in &account.days {
            assert!(seen.requests_seen <= budget, "{day}: {} of {budget} requests were performed", seen.requests_seen);
        }
        if !are_doubles_known {
            return;
        }
        let twice: BTreeMap<&String, _> = account.accepted.iter().filter(|(_, times)| **times > 1).collect();
        let counted = self.number("select coalesce(sum(double_urls), 0)::bigint from v_submissions");
        assert!(
            twice.len() as i64 <= counted,
            "{} URLs were accepted more than once, and {counted} are counted: {:?}",
            twice.len(),
            twice.iter().take(3).collect::<Vec<_>>()
        );
    }
}
