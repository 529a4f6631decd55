//! What can happen to hosts and their server, drawn from a seed; and what holds all the same.
//!
//! The long run: `PREFETCHD_BLOWS=200 cargo test takeover::whatever -- --nocapture`; one world:
//! `PREFETCHD_BLOWS_SEED=7`.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Executor as _};

use super::cluster::{Cluster, DATABASE};
use crate::support::urls;

/// Blows that one world takes.
const BLOWS_A_WORLD: usize = 10;

/// Batches a day that are configured; the service would perform many more.
const BUDGET: u64 = 60;

/// URLs of a file; the files of a world need more batches than the day has.
const URLS: usize = 300;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The leader is killed.
    Kill,
    /// The leader is stopped in order.
    Stop,
    /// The leader stands still until another one leads, and then goes on.
    Hang,
    /// The leader hears nothing of the server until another one leads.
    Stall,
    /// All connections break.
    Cut,
    /// The leader's next commit is durable, and it is not told so.
    LoseCommit,
    /// The server crashes, and starts again with all that was committed.
    Restart,
    /// An older copy takes the place of the server.
    FailOver,
    /// Somebody begins to read and does not end, until the next blow.
    Snapshot,
}

const BLOWS: [Blow; 9] = [
    Blow::Kill,
    Blow::LoseCommit,
    Blow::FailOver,
    Blow::Hang,
    Blow::Restart,
    Blow::Stall,
    Blow::Snapshot,
    Blow::Cut,
    Blow::Stop,
];

/// Hosts, some of whom are struck. Each second world has a pooler before its server.
struct World {
    cluster: Cluster,
    chance: StdRng,
    files: usize,
    /// The server has lost commits: then nobody can count what was sent twice.
    has_lost: bool,
    snapshot: Option<PgConnection>,
}

impl World {
    fn new(seed: u64) -> Option<Self> {
        let scenario = "[quota]\nper_day = 2000\n[tasks]\ntakes = \"1s\"\nfailing_share = 0.0\n\
                        listed_after_seconds = 0.5\n[[fault]]\nshare = 0.3\naction = \"delay\"\ndelay = \"200ms\"\n\
                        [[fault]]\nshare = 0.1\naction = \"drop_after\"\n";
        let config = format!("[budget]\nrequests_per_day = {BUDGET}\n[schedule]\nbatch_urls_max = 50\n");
        let mut cluster = Cluster::new(scenario, &config, &["a", "b"], seed % 2 == 1)?;
        for name in ["a", "b"] {
            cluster.start(name);
        }
        cluster.leader();
        Some(Self { cluster, chance: StdRng::seed_from_u64(seed), files: 0, has_lost: false, snapshot: None })
    }

    fn drop_file(&mut self) {
        let host = *["a", "b"].choose(&mut self.chance).unwrap();
        let name = format!("film-{}", self.files);
        self.cluster.drop_file(host, &format!("{name}.txt"), urls(&name, URLS));
        self.files += 1;
    }

    /// Until a few more batches were sent, or for a while where there is no budget.
    fn let_it_send(&mut self) {
        let (before, more) = (self.cluster.world.preloads().len(), self.chance.random_range(1..4));
        let began = Instant::now();
        while self.cluster.world.preloads().len() < before + more && began.elapsed() < Duration::from_secs(4) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(self.chance.random_range(0..200)));
    }

    fn strike(&mut self, blow: Blow) {
        self.snapshot = None;
        let leader = self.cluster.leader();
        let other = if leader == "a" { "b" } else { "a" };
        match blow {
            Blow::Kill => {
                self.cluster.kill(&leader);
                self.cluster.waits_to_lead(other);
                self.cluster.start(&leader);
            }
            Blow::Stop => {
                self.cluster.stop(&leader);
                self.cluster.waits_to_lead(other);
                self.cluster.start(&leader);
            }
            Blow::Hang => {
                self.cluster.signal(&leader, Signal::STOP);
                self.cluster.waits_to_lead(other);
                self.cluster.signal(&leader, Signal::CONT);
            }
            Blow::Stall => {
                self.cluster.host(&leader).wire.stall();
                self.cluster.waits_to_lead(other);
                self.cluster.host(&leader).wire.open();
            }
            Blow::Cut => self.cluster.hosts.iter().for_each(|host| host.wire.cut()),
            Blow::LoseCommit => self.cluster.host(&leader).wire.lose_a_commit(),
            Blow::Restart => self.cluster.restart_the_server(),
            Blow::FailOver => {
                let copy = self.cluster.server.copy();
                self.drop_file();
                self.let_it_send();
                self.cluster.fail_over(copy);
                self.has_lost = true;
            }
            Blow::Snapshot => {
                let options = self.cluster.server.options(DATABASE);
                self.snapshot = self.cluster.world.block_on(async {
                    let mut conn = options.connect().await.ok()?;
                    conn.execute("begin isolation level repeatable read; select count(*) from urls").await.ok()?;
                    Some(conn)
                });
            }
        }
    }

    /// Nothing is on its way, and what waits, waits for the next day.
    fn drain(&self) {
        self.cluster.leader();
        self.cluster.wait("the end of all that can be sent", || {
            let left = "select leased + submitted + (select count(*) from v_files where progress = 'reading')
                            + case when waiting_code in ('requests_spent', 'urls_spent') or pending = 0 then 0
                                   else 1 end
                        from v_status";
            self.cluster.try_number(left) == Some(0)
        });
    }

    fn check(&self) {
        self.cluster.assert_account_is_kept(BUDGET, !self.has_lost);
    }
}

/// A world that takes these blows, from a seed.
pub fn live(seed: u64, blows: usize) -> Option<String> {
    let mut world = World::new(seed)?;
    let mut taken = Vec::new();
    for n in 0..blows {
        // Nine in a row are all of them once, since four and nine have no common divisor.
        let blow = BLOWS[(usize::try_from(seed).unwrap_or_default() + n * 4) % BLOWS.len()];
        world.drop_file();
        world.let_it_send();
        world.strike(blow);
        world.check();
        taken.push(blow);
    }
    world.snapshot = None;
    world.drain();
    world.check();
    world.cluster.assert_books_agree();
    let spent = world.cluster.number("select coalesce(sum(requests_used), 0)::bigint from v_budget");
    Some(format!("{taken:?}; {spent} of {BUDGET} requests charged, {} calls", world.cluster.world.preloads().len()))
}

/// How many worlds so many blows need.
pub fn worlds(blows: usize) -> usize {
    blows.div_ceil(BLOWS_A_WORLD)
}

/// Blows of the n-th world.
pub fn of_world(n: usize, blows: usize) -> usize {
    (blows - n * BLOWS_A_WORLD).min(BLOWS_A_WORLD)
}
