//! A world: a sandbox that lies, a spool, a database, and lives of the daemon's stages one after another.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prefetchd::clock::Clock;
use prefetchd::config::Config;
use prefetchd::credentials::{self, Provider};
use prefetchd::housekeeping::{self, Housekeeping};
use prefetchd::ledger::{self, Marker};
use prefetchd::model::{Lane, Time};
use prefetchd::net::http_builder;
use prefetchd::sandbox::{ACCESS_KEY_ID, AccountView, Sandbox, Scenario, TaskView, serve};
use prefetchd::service::{Service, policy};
use prefetchd::spool::{Folders, Spool};
use prefetchd::stage::{Heartbeat, Name, Settings, Tools, Wakes};
use prefetchd::status::Board;
use prefetchd::store::{Conn, Store, open_reader};
use prefetchd::submit::{Step, Submitter};
use prefetchd::track::{self, Tracker};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;

use super::files::Wish;
use super::lies::{Lies, start};

/// Prefetches a day, in calls.
pub const BUDGET: u32 = 15;

/// Purges a day, in URLs.
pub const PURGES: u32 = 70;

/// The same of directories.
pub const DIRECTORIES: u32 = 6;

/// No wait that is decided on is longer: a day, a deadline or a `not_before` of half a day, and the clocks' difference.
const WAIT_MAX: TimeDelta = TimeDelta::hours(26);

/// One life of the daemon's stages.
pub struct Life {
    spool: Spool,
    housekeeping: Housekeeping,
    submitter: Submitter,
    tracker: Tracker,
    clock: Clock,
}

pub struct Chaos {
    dir: tempfile::TempDir,
    /// The URL of the database, where it is on a server, and connections to read it.
    server: Option<String>,
    reader: Option<Store>,
    pub config: Config,
    endpoint: String,
    lies: Lies,
    /// The service's clock.
    service: Clock,
    /// The machine's clocks.
    machine: Clock,
    pub chance: StdRng,
    pub dropped: BTreeMap<(Lane, String), Wish>,
    pub files: usize,
    pub crashes: usize,
    pub steps: usize,
}

impl Chaos {
    /// A world with its database at `server`, or in a file.
    pub async fn new(seed: u64, unit: &str, server: Option<String>) -> Self {
        let lies = Lies::draw(seed, unit);
        let service = Clock::standing_at(start());
        let scenario: Scenario = toml::from_str(&lies.scenario).unwrap();
        let sandbox = Sandbox::bind("127.0.0.1:0".parse().unwrap(), &scenario, service.clone()).await.unwrap();
        let endpoint = format!("http://{}", sandbox.address().unwrap());
        tokio::spawn(serve(sandbox, CancellationToken::new()));
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "[api]\nendpoint = \"{endpoint}\"\nrequests_per_second = 100\ntimeout = \"1s\"\n\
             [credentials]\nfile = \"{0}/key\"\n[track]\ncalls_per_second = 100\nretry_failed = 0\n\
             [spool]\ndir = \"{0}/spool\"\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n\
             [database]\nurl = \"sqlite:{0}/prefetchd.db\"\n\
             [budget]\nrequests_per_day = {BUDGET}\n[budget.purge]\nurls_per_day = {PURGES}\n\
             [budget.purge_directory]\ndirectories_per_day = {DIRECTORIES}\n\
             [schedule]\nbatch_urls_max = 25\nlinger = \"1m\"\nfresh_for = \"240h\"\n",
            dir.path().display()
        );
        let world = Self {
            config: Config::from_toml(&config).unwrap(),
            dir,
            reader: match &server {
                Some(url) => Some(Store::open_server(url, "").await.unwrap()),
                None => None,
            },
            server,
            endpoint,
            machine: Clock::of_a_machine(start() + lies.skew),
            service,
            lies,
            chance: StdRng::seed_from_u64(seed),
            dropped: BTreeMap::new(),
            files: 0,
            crashes: 0,
            steps: 0,
        };
        world.write_key();
        world
    }

    fn database(&self) -> &Path {
        self.config.database.url.file().unwrap()
    }

    async fn store(&self) -> Store {
        match &self.server {
            Some(url) => Store::open_server(url, "").await.unwrap(),
            None => Store::open(self.database()).await.unwrap(),
        }
    }

    /// A connection that reads what is committed.
    pub async fn conn(&self) -> Conn {
        match &self.reader {
            Some(store) => store.read().acquire().await.unwrap(),
            None => open_reader(self.database()).await.unwrap(),
        }
    }

    /// The operator writes down the key that the service takes, or will in a quarter of an hour.
    fn write_key(&self) {
        let secret = self.lies.secret(self.service.wall() - start() + TimeDelta::minutes(15));
        let key = self.dir.path().join("key");
        let text = format!("ALIBABA_CLOUD_ACCESS_KEY_ID={ACCESS_KEY_ID}\nALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}\n");
        if fs::read_to_string(&key).ok().as_ref() != Some(&text) {
            let next = self.dir.path().join("key.next");
            fs::write(&next, text).unwrap();
            fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
            fs::rename(next, key).unwrap();
        }
    }

    /// Everything is opened anew, as after a crash.
    pub async fn life(&self) -> Life {
        let clock = self.machine.after_a_restart();
        let store = Arc::new(self.store().await);
        let folders = Folders::under(&self.config.spool.dir);
        folders.create().unwrap();
        for lane in Lane::VARIANTS {
            let Some(mark) = Marker::in_spool(&self.config.spool.dir, *lane).read().unwrap() else { continue };
            let policy = policy(&self.config, *lane);
            let lost = ledger::reconcile(&store, &policy, Some(mark), chrono::Utc::now()).await.unwrap();
            assert!(!lost, "the database knows every charge that the marker of {} knows", lane.word());
        }
        let board = Board::new(Arc::clone(&store));
        let keys = Provider::new(credentials::prepare(&self.config).unwrap());
        let service = Service::new(&self.config, clock.clone(), keys).unwrap();
        let settings = Arc::new(Settings { config: self.config.clone(), path: None });
        let wakes = Wakes::default();
        let tools = |name| Tools {
            store: Arc::clone(&store),
            clock: clock.clone(),
            settings: Arc::clone(&settings),
            pulse: Heartbeat::default().pulse(name),
            wakes: wakes.clone(),
            stop: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        };
        let housekeeping = Housekeeping::new(tools(Name::Housekeeping));
        let spool = Spool::new(tools(Name::Spool), folders, board.clone());
        let submitter = Submitter::new(tools(Name::Submitter), board, service.clone());
        let tracker = Tracker::new(tools(Name::Tracker), service, submitter.room());
        Life { spool, housekeeping, submitter, tracker, clock }
    }

    fn pass_time(&self, by: TimeDelta) {
        self.machine.advance(by);
        self.service.advance(by);
        self.write_key();
    }

    /// Somebody sets the machine's clock, never by as many days as a false date is off by (`lies.rs`).
    fn set_clock(&mut self) {
        let by = [-90_000, -300, -20, 20, 300, 90_000].choose(&mut self.chance).copied().unwrap();
        self.machine.set(TimeDelta::seconds(by));
    }

    /// Some steps, some of which end in a crash. True if it is alive at the end.
    pub async fn live(&mut self, life: &mut Life, steps: u32, crashes: bool) -> bool {
        let mut look_at: Option<Time> = None;
        for _ in 0..steps {
            self.steps += 1;
            if crashes && self.chance.random_range(0..50) == 0 {
                self.set_clock();
            }
            let crash = crashes && self.chance.random_range(0..6) == 0;
            let patience = Duration::from_micros(if crash { self.chance.random_range(0..30_000) } else { 60_000_000 });
            if self.chance.random_range(0..4) == 0 {
                let pass = tokio::time::timeout(patience, life.spool.pass(&CancellationToken::new())).await;
                let Ok(passed) = pass else { return false };
                passed.unwrap();
            }
            if self.chance.random_range(0..2) == 0 {
                match tokio::time::timeout(patience, life.tracker.step()).await {
                    Err(_) => return false,
                    Ok(step) => match step.unwrap() {
                        track::Step::Done => {}
                        track::Step::Waiting(until) => look_at = until,
                    },
                }
            }
            let Ok(tidied) = tokio::time::timeout(patience, tidy(&mut life.housekeeping)).await else { return false };
            let (_, due) = tidied;
            match tokio::time::timeout(patience, life.submitter.step()).await {
                Err(_) => return false,
                Ok(Err(error)) => panic!("{error}"),
                Ok(Ok(Step::Waiting { until })) => {
                    // As its bell would have it, housekeeping comes before any wait.
                    let Ok(tidied) = tokio::time::timeout(patience, tidy(&mut life.housekeeping)).await else {
                        return false;
                    };
                    if !tidied.0 {
                        let until = [until, due, tidied.1].into_iter().flatten().min();
                        self.wait(&life.clock, until, look_at).await;
                    }
                }
                Ok(Ok(_)) => {
                    let by = TimeDelta::milliseconds(self.chance.random_range(1..20_000));
                    self.pass_time(by);
                }
            }
        }
        true
    }

    /// Time passes until something is due, as far as the stages know.
    async fn wait(&self, clock: &Clock, until: Option<Time>, look_at: Option<Time>) {
        let reading = clock.reading();
        let wait = until.map_or(TimeDelta::minutes(10), |until| until - reading.now);
        if wait < TimeDelta::zero() || (reading.proved && wait > WAIT_MAX) {
            let mut conn = self.conn().await;
            let why: String = prefetchd::store::query_scalar("select coalesce(waiting_for, '') from v_status")
                .fetch_one(&mut conn)
                .await
                .unwrap();
            panic!("it waits until {until:?} (a wait that is over spins, one too long stalls): {why:?}; {reading:?}");
        }
        let look = look_at.map_or(wait, |at| at - reading.now);
        self.pass_time(wait.min(look).clamp(TimeDelta::milliseconds(1), TimeDelta::hours(2)));
    }

    /// The service's time.
    pub fn service_time(&self) -> Time {
        self.service.wall()
    }

    pub async fn account(&self) -> AccountView {
        self.witness("account").await
    }

    /// What the service made of everything that it accepted.
    pub async fn tasks(&self) -> Vec<TaskView> {
        self.witness("tasks").await
    }

    async fn witness<T: serde::de::DeserializeOwned>(&self, page: &str) -> T {
        let client = http_builder(true).build().unwrap();
        let response = client.get(format!("{}/_sandbox/{page}", self.endpoint)).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// The spool reads what is there.
    pub async fn read_all(&self, life: &mut Life) {
        life.spool.pass(&CancellationToken::new()).await.unwrap();
    }
}

/// Housekeeping does all that there is to do. True if there was something; and when there is more.
async fn tidy(housekeeping: &mut Housekeeping) -> (bool, Option<Time>) {
    let mut has_tidied = false;
    loop {
        match housekeeping.step().await.unwrap() {
            housekeeping::Step::Done => has_tidied = true,
            housekeeping::Step::Waiting { until, .. } => return (has_tidied, until),
        }
    }
}
