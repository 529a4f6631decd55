//! Faults drawn from a seed, and the books checked against the sandbox's own account after each cycle.
//!
//! The stages run step by step in this process, with real files, a real database and real HTTP, on a clock that the test
//! moves. A crash is a step that is dropped wherever it is; then everything is opened anew. A failing seed is printed, and
//! replays what is drawn: `PREFETCHD_CHAOS_SEED=7 cargo test chaos`. The long run:
//! `PREFETCHD_CHAOS_CYCLES=5000 cargo test --release chaos -- --nocapture`.

#![expect(clippy::print_stdout, reason = "a run tells its seed and how it ended")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use prefetchd::clock::Clock;
use prefetchd::config::Config;
use prefetchd::credentials::{Credentials, Provider, Source};
use prefetchd::ledger::{self, Marker};
use prefetchd::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, AccountView, Sandbox, Scenario, serve};
use prefetchd::schedule::Policy;
use prefetchd::spool::{Folders, Ingest, Spool};
use prefetchd::status::Board;
use prefetchd::store::{Store, open_reader};
use prefetchd::submit::{Step, Submitter};
use prefetchd::vod::{Client, http_builder};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::Row as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const BUDGET: u32 = 40;

/// What goes wrong at the service; every stage of a call is in it.
fn scenario(seed: u64, unit: &str) -> String {
    let mut text = format!(
        "seed = {seed}\n[quota]\nunit = \"{unit}\"\nper_day = {}\nothers_share = 0.02\n\
         [limits]\ncalls_per_second = 100000\n[tasks]\nlisted_after_seconds = 20.0\nids_per_batch = 2\n",
        if unit == "urls" { 1500 } else { 50 }
    );
    for fault in [
        "action = \"drop_before\"",
        "action = \"drop_after\"",
        "action = \"truncate\"",
        "action = \"garbage\"",
        "action = \"html\"\nstatus = 502",
        "action = \"error\"\ncode = \"Throttling.User\"",
        "action = \"error\"\ncode = \"ServiceUnavailable\"",
        "action = \"error\"\ncode = \"SignatureNonceUsed\"",
    ] {
        text.push_str(&format!("[[fault]]\nshare = 0.04\n{fault}\n"));
    }
    text.push_str("[[fault]]\nshare = 0.005\naction = \"delay\"\ndelay = \"1500ms\"\n");
    for operation in ["DescribeVodRefreshTasks", "DescribeVodRefreshQuota"] {
        text.push_str(&format!("[[fault]]\noperation = \"{operation}\"\nshare = 0.05\naction = \"drop_after\"\n"));
    }
    text
}

/// One life of the daemon's stages.
struct Life {
    spool: Spool,
    submitter: Submitter,
}

struct Chaos {
    dir: tempfile::TempDir,
    config: Config,
    endpoint: String,
    clock: Clock,
    chance: StdRng,
    dropped: BTreeSet<String>,
    files: usize,
    crashes: usize,
    steps: usize,
}

impl Chaos {
    async fn new(seed: u64, unit: &str) -> Self {
        let clock = Clock::standing_at("2026-11-23T01:00:00Z".parse().unwrap());
        let scenario: Scenario = toml::from_str(&scenario(seed, unit)).unwrap();
        let sandbox = Sandbox::bind("127.0.0.1:0".parse().unwrap(), &scenario, clock.clone()).await.unwrap();
        let endpoint = format!("http://{}", sandbox.address().unwrap());
        tokio::spawn(serve(sandbox, CancellationToken::new()));
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "[api]\nendpoint = \"{endpoint}\"\nrequests_per_second = 100\ntimeout = \"1s\"\n\
             [spool]\ndir = \"{0}/spool\"\n[database]\nurl = \"sqlite:{0}/prefetchd.db\"\n\
             [budget]\nrequests_per_day = {BUDGET}\n[schedule]\nbatch_urls_max = 50\nlinger = \"1m\"\n",
            dir.path().display()
        );
        Self {
            config: Config::from_toml(&config).unwrap(),
            dir,
            endpoint,
            clock,
            chance: StdRng::seed_from_u64(seed),
            dropped: BTreeSet::new(),
            files: 0,
            crashes: 0,
            steps: 0,
        }
    }

    fn database(&self) -> &Path {
        self.config.database.url.path()
    }

    /// Everything is opened anew, as after a crash.
    async fn life(&self) -> Life {
        let store = Arc::new(Store::open(self.database()).await.unwrap());
        let folders = Folders::under(&self.config.spool.dir);
        folders.create().unwrap();
        if let Some(mark) = Marker::in_spool(&self.config.spool.dir).read().unwrap() {
            let lost = ledger::reconcile(&store, &Policy::from(&self.config), mark).await.unwrap();
            assert!(!lost, "the database knows every charge that the marker knows");
        }
        let board = Board::new(Arc::clone(&store));
        let ingest = Ingest::new(Arc::clone(&store), folders.clone(), &self.config, self.clock.clone());
        let queued = Arc::new(Notify::new());
        let spool =
            Spool::new(Arc::clone(&store), folders, ingest, board.clone(), self.clock.clone(), queued, &self.config);
        let credentials = Credentials {
            access_key_id: ACCESS_KEY_ID.into(),
            access_key_secret: ACCESS_KEY_SECRET.to_owned().into(),
            security_token: None,
        };
        let keys = Provider::new(&self.config, (credentials, Source::Environment));
        let client = Client::new(&self.config.api).unwrap();
        let submitter = Submitter::new(store, board, self.clock.clone(), client, keys, &self.config);
        Life { spool, submitter }
    }

    /// Drops a file of new and of known URLs, and some that are none.
    fn drop_file(&mut self) {
        self.files += 1;
        let mut list = String::new();
        for _ in 0..self.chance.random_range(1..80) {
            let url = format!("https://vod.example.com/{:05}.ts", self.chance.random_range(0..20_000));
            list.push_str(&url);
            list.push('\n');
            self.dropped.insert(url);
        }
        list.push_str("no url at all\n");
        let incoming = self.config.spool.dir.join("incoming");
        fs::create_dir_all(&incoming).unwrap();
        let hidden = incoming.join(".next");
        fs::write(&hidden, list).unwrap();
        // Long since settled, so that the scan takes it whether or not inotify was heard.
        fs::File::options().append(true).open(&hidden).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::rename(hidden, incoming.join(format!("file-{:05}.txt", self.files))).unwrap();
    }

    /// Some steps, some of which end in a crash. True if it is alive at the end.
    async fn live(&mut self, life: &mut Life, steps: u32, crashes: bool) -> bool {
        for _ in 0..steps {
            self.steps += 1;
            let crash = crashes && self.chance.random_range(0..6) == 0;
            let patience = Duration::from_micros(if crash { self.chance.random_range(0..30_000) } else { 60_000_000 });
            if self.chance.random_range(0..4) == 0 {
                let pass = tokio::time::timeout(patience, life.spool.pass(&CancellationToken::new())).await;
                let Ok(passed) = pass else { return false };
                passed.unwrap();
            }
            match tokio::time::timeout(patience, life.submitter.step()).await {
                Err(_) => return false,
                Ok(Err(error)) => panic!("{error}"),
                Ok(Ok(Step::Waiting { until })) => {
                    let wait = until.map_or(TimeDelta::minutes(10), |until| until - self.clock.now());
                    assert!(wait >= TimeDelta::zero(), "it waits until {until:?}, which is over: it spins");
                    self.clock.advance(wait.clamp(TimeDelta::milliseconds(1), TimeDelta::hours(2)));
                }
                Ok(Ok(_)) => self.clock.advance(TimeDelta::milliseconds(self.chance.random_range(1..20_000))),
            }
        }
        true
    }

    async fn account(&self) -> AccountView {
        let client = http_builder(true).build().unwrap();
        let response = client.get(format!("{}/_sandbox/account", self.endpoint)).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// The invariants, against the sandbox's own account.
    async fn check(&self) {
        let account = self.account().await;
        let mut conn = open_reader(self.database()).await.unwrap();
        let days =
            sqlx::query("select day, requests_used, requests_limit from v_budget").fetch_all(&mut conn).await.unwrap();
        let charged: BTreeMap<String, (i64, i64)> =
            days.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        for (day, seen) in &account.days {
            let (charged, limit) = charged.get(day).copied().unwrap_or((0, i64::from(BUDGET)));
            let seen = i64::try_from(seen.requests_seen).unwrap();
            assert!(
                seen <= charged && charged <= limit,
                "{day}: the server saw {seen}, {charged} are charged, of {limit}"
            );
        }
        let sums = "select count(*) from v_budget as b
                    where requests_used <> unbooked + (select coalesce(sum(cost), 0) from v_submissions as s where s.day = b.day)";
        let wrong: i64 = sqlx::query_scalar(sums).fetch_one(&mut conn).await.unwrap();
        assert_eq!(wrong, 0, "the meter is not what the submissions cost");
        let rows = sqlx::query("select url, state, submission_id from v_urls").fetch_all(&mut conn).await.unwrap();
        let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            states.entry(row.get(0)).or_default().push(row.get(1));
        }
        assert!(states.keys().all(|url| self.dropped.contains(url)), "a URL that nobody dropped");
        for (url, states) in &states {
            assert_eq!(states.len(), 1, "{url} is queued twice: {states:?}");
        }
        for url in account.accepted.keys() {
            assert!(states.contains_key(url), "{url} was accepted and is not in the database");
        }
        let doubles: u64 = account.accepted.values().map(|times| times - 1).sum();
        let counted: i64 =
            sqlx::query_scalar("select possible_doubles from v_status").fetch_one(&mut conn).await.unwrap();
        assert!(doubles <= counted.unsigned_abs(), "{doubles} doubles, {counted} counted");
        for state in ["pending", "leased", "submitted", "held", "failed"] {
            let counted: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select {state} from v_status")))
                .fetch_one(&mut conn)
                .await
                .unwrap();
            let real = states.values().filter(|states| states[0] == state).count();
            assert_eq!(counted, i64::try_from(real).unwrap(), "{state}");
        }
    }

    /// Runs until nothing waits any more, and says how everything ended.
    async fn drain(&mut self) -> String {
        let mut life = self.life().await;
        for _ in 0..400 {
            life.spool.pass(&CancellationToken::new()).await.unwrap();
            self.live(&mut life, 20, false).await;
            let mut conn = open_reader(self.database()).await.unwrap();
            let row = sqlx::query("select pending + leased, submitted, held, failed, possible_doubles from v_status");
            let row = row.fetch_one(&mut conn).await.unwrap();
            if row.get::<i64, _>(0) == 0 {
                let account = self.account().await;
                let submitted: BTreeSet<String> =
                    sqlx::query_scalar("select url from v_urls where state = 'submitted'")
                        .fetch_all(&mut conn)
                        .await
                        .unwrap()
                        .into_iter()
                        .collect();
                assert!(
                    submitted.iter().all(|url| account.accepted.contains_key(url)),
                    "submitted, and never accepted"
                );
                let urls: i64 = sqlx::query_scalar("select count(*) from v_urls").fetch_one(&mut conn).await.unwrap();
                assert_eq!(urls, i64::try_from(self.dropped.len()).unwrap(), "every valid URL is there");
                let doubles: u64 = account.accepted.values().map(|times| times - 1).sum();
                return format!(
                    "{} URLs of {} files over {} days: {} submitted, {} held, {} failed; {doubles} doubles, {} counted as possible",
                    self.dropped.len(),
                    self.files,
                    account.days.len(),
                    row.get::<i64, _>(1),
                    row.get::<i64, _>(2),
                    row.get::<i64, _>(3),
                    row.get::<i64, _>(4),
                );
            }
        }
        let mut conn = open_reader(self.database()).await.unwrap();
        let row = sqlx::query("select waiting_for, waiting_until, pending, leased, in_doubt, paused_why from v_status");
        let row = row.fetch_one(&mut conn).await.unwrap();
        panic!(
            "it does not come to an end: at {} it waits for {:?} until {:?}, {} pending, {} leased, {} in doubt, paused: {:?}",
            self.clock.now(),
            row.get::<Option<String>, _>(0),
            row.get::<Option<String>, _>(1),
            row.get::<i64, _>(2),
            row.get::<i64, _>(3),
            row.get::<i64, _>(4),
            row.get::<Option<String>, _>(5),
        );
    }
}

fn run(seed: u64, unit: &str, cycles: u32) {
    println!("chaos: PREFETCHD_CHAOS_SEED={seed}, quota in {unit}, {cycles} cycles");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut chaos = Chaos::new(seed, unit).await;
        let mut life = chaos.life().await;
        for _ in 0..cycles {
            if chaos.chance.random_range(0..2) == 0 {
                chaos.drop_file();
            }
            let steps = chaos.chance.random_range(1..12);
            if !chaos.live(&mut life, steps, true).await {
                chaos.crashes += 1;
                drop(life);
                life = chaos.life().await;
            }
            chaos.check().await;
        }
        drop(life);
        let end = chaos.drain().await;
        chaos.check().await;
        println!("chaos: {} crashes in {} steps; {end}", chaos.crashes, chaos.steps);
        drop(chaos.dir);
    });
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_happens_the_books_hold_where_the_quota_counts_requests() {
    let cycles = u32::try_from(from_environment("PREFETCHD_CHAOS_CYCLES", 150)).unwrap();
    run(from_environment("PREFETCHD_CHAOS_SEED", rand::random_range(0..1_000_000)), "requests", cycles);
}

#[test]
fn whatever_happens_the_books_hold_where_the_quota_counts_urls() {
    let cycles = u32::try_from(from_environment("PREFETCHD_CHAOS_CYCLES", 150)).unwrap();
    run(from_environment("PREFETCHD_CHAOS_SEED", rand::random_range(0..1_000_000)), "urls", cycles);
}
