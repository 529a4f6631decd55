//! Hosts that share a PostgreSQL server, beside one with SQLite: the spool's stage of each runs in this process, as the
//! daemon runs it. The server is this benchmark's own, with its usual settings; on both engines a commit is on the
//! disk.

mod leader;
#[allow(dead_code, unreachable_pub, reason = "it is the tests', which use other parts of it")]
#[path = "../../tests/it/support/postgres.rs"]
mod postgres;

use std::fs;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Server;
use prefetchd::clock::Clock;
use prefetchd::config::Config;
use prefetchd::spool::{Folders, Spool};
use prefetchd::stage::{Heartbeat, Name, Settings, Tools, Wakes};
use prefetchd::status::Board;
use prefetchd::store::{Store, query_scalar};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Hosts that read at once.
const HOSTS: u64 = 3;

/// Opens on a database with one host's lines.
const OPENS_ALONE: usize = 5;

/// How long a host waits after it found nothing to do.
const IDLE: Duration = Duration::from_millis(5);

/// Where hosts keep their queue.
#[derive(Clone, Copy)]
enum Engine<'s> {
    Lite,
    Server(&'s str),
}

/// What one host is: a spool in a folder of its own, and its connections.
struct Host {
    dir: TempDir,
    name: String,
    config: Config,
    store: Arc<Store>,
    spool: Spool,
}

impl Host {
    async fn new(engine: Engine<'_>, name: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "[spool]\ndir = \"{0}/spool\"\n[database]\nurl = \"sqlite:{0}/prefetchd.db\"\n\
             [budget]\nrequests_per_day = 1000000\n",
            dir.path().display()
        );
        let config = Config::from_toml(&text).unwrap();
        let store = Arc::new(match engine {
            Engine::Lite => Store::open(&dir.path().join("prefetchd.db")).await.unwrap(),
            Engine::Server(url) => Store::open_server(url, &name).await.unwrap(),
        });
        let folders = Folders::under(&config.spool.dir);
        folders.create().unwrap();
        let tools = Tools {
            store: Arc::clone(&store),
            clock: Clock::system(),
            settings: Arc::new(Settings { config: config.clone(), path: None }),
            pulse: Heartbeat::default().pulse(Name::Spool),
            wakes: Wakes::default(),
            stop: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        };
        let spool = Spool::new(tools, folders, Board::new(Arc::clone(&store)));
        Self { dir, name, config, store, spool }
    }

    /// Writes a list that nobody reads yet. `seed` says which URLs it has.
    fn list(&self, lines: u64, seed: u64) {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut file = BufWriter::new(fs::File::create(self.dir.path().join("list.txt")).unwrap());
        for n in 0..lines {
            file.write_all(super::line("scattered", n, &mut chance).as_bytes()).unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
    }

    /// Seconds from the list's rename to its receipt.
    async fn read(&mut self, file: u64) -> f64 {
        let name = format!("{}-{file}.txt", self.name);
        let started = Instant::now();
        fs::rename(self.dir.path().join("list.txt"), self.dir.path().join("spool/incoming").join(&name)).unwrap();
        loop {
            let wait = self.spool.pass(&CancellationToken::new()).await.unwrap();
            let done = query_scalar("select count(*) from files where name = ?1 and phase = 2").bind(&name);
            if done.fetch_one(self.store.read()).await.unwrap_or(0) > 0 {
                return started.elapsed().as_secs_f64();
            }
            tokio::time::sleep(wait.min(IDLE)).await;
        }
    }
}

/// As the daemon has it.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What a host alone does: lines a second of a list with new URLs and of the same list again, and the median
/// milliseconds of the leader's opens between the two.
struct Alone {
    new: f64,
    again: f64,
    open: f64,
}

fn one(engine: Engine<'_>, lines: u64) -> Alone {
    runtime().block_on(async {
        let mut host = Host::new(engine, "one".to_owned()).await;
        host.list(lines, 1);
        let new = lines as f64 / host.read(0).await;
        let opens = leader::open(&host.store, &host, OPENS_ALONE).await;
        host.list(lines, 1);
        let again = lines as f64 / host.read(1).await;
        Alone { new, again, open: opens[opens.len() / 2] * 1_000.0 }
    })
}

/// Lines a second of hosts that read at once, in all, each so many lines.
fn several(url: &str, lines: u64) -> f64 {
    let began = std::sync::Barrier::new(usize::try_from(HOSTS).unwrap());
    let took = std::thread::scope(|scope| {
        let host = |n: u64| {
            let began = &began;
            move || {
                runtime().block_on(async {
                    let mut host = Host::new(Engine::Server(url), format!("several-{n}")).await;
                    host.list(lines, 100 + n);
                    tokio::task::block_in_place(|| began.wait());
                    host.read(0).await
                })
            }
        };
        let hosts: Vec<_> = (0..HOSTS).map(|n| scope.spawn(host(n))).collect();
        hosts.into_iter().map(|host| host.join().unwrap()).fold(0.0, f64::max)
    });
    (HOSTS * lines) as f64 / took
}

/// Lets hosts read list after list while `work` goes on.
fn while_several_read<T>(url: &str, lines: u64, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..HOSTS {
            let is_over = &is_over;
            scope.spawn(move || {
                runtime().block_on(async {
                    let mut host = Host::new(Engine::Server(url), format!("busy-{n}")).await;
                    for file in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        host.list(lines, 1_000 * (n + 1) + file);
                        host.read(file).await;
                    }
                });
            });
        }
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

/// Prints what one host and several do, and how long the leader takes to open a batch.
pub(super) fn measure(lines: u64, pending: u64, opens: usize) {
    let Some(server) = postgres::start(true) else { return };
    let url = |name: &str| database(&server, name);
    let lite = one(Engine::Lite, lines);
    let alone = one(Engine::Server(&url("one")), lines);
    let all = several(&url("several"), lines);
    println!(
        "PostgreSQL, {lines} URLs a host: one host {:.0} lines/s, {:.2} of SQLite's {:.0}; \
         three in all {all:.0}, {:.2} of one's",
        alone.new,
        alone.new / lite.new,
        lite.new,
        all / alone.new
    );
    println!(
        "the same URLs again: {:.0} lines/s, {:.2} of SQLite's {:.0}; \
         an open of 1,000 takes {:.1} ms, SQLite's {:.1} ms",
        alone.again,
        alone.again / lite.again,
        lite.again,
        alone.open,
        lite.open
    );
    leader::measure(&url("leader"), pending, opens, lines.min(200_000));
}

fn database(server: &Server, name: &str) -> String {
    runtime().block_on(server.database(name))
}
