//! Hands out pages. Each page is made at most once a second, by the first who asks; the others wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Map, Value};
use strum::VariantArray as _;
use tokio::sync::Mutex;

use super::health::{not_ready, standing_still};
use super::metrics::{self, Facts, LaneSeen, Seen};
use super::pages;
use super::served::Served;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{Lane, Time};
use crate::service::policy;
use crate::spool::Folders;
use crate::stage::{Heartbeat, Live, LostSince, Settings, Sign};
use crate::status::{Doubts, Found, Hosts, Invocation, StatusReport, find, read_report};
use crate::store::{self, Conn, Store, wal_of};
use crate::telemetry::one_line;
use crate::{ledger, queue, status};

/// How long a page is used.
const FRESH: Duration = Duration::from_secs(1);

/// If the database does not answer within this time, it counts as unreadable.
pub(super) const READ_MAX: Duration = Duration::from_secs(2);

/// Files in the report of `/status`, as many as `prefetchd status` shows.
const FILES: u32 = 10;

const JSON: &str = "application/json";

/// The media type of Prometheus's text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The pages that need the database.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) metrics: Served,
    pub(super) ready: Served,
    pub(super) status: Served,
}

/// Makes the pages.
#[derive(Debug)]
pub(super) struct Desk {
    store: Arc<Store>,
    clock: Clock,
    /// The configuration in force.
    live: Live,
    heartbeat: Heartbeat,
    started: Time,
    made: Mutex<Option<(Instant, Arc<Pages>)>>,
    /// Pages for people.
    pub(super) pages_made: pages::Pages,
}

impl Desk {
    pub(super) fn new(store: Arc<Store>, clock: Clock, live: Live, heartbeat: Heartbeat) -> Self {
        let (started, pages_made) = (clock.now(), pages::Pages::default());
        Self { store, live, heartbeat, started, clock, made: Mutex::new(None), pages_made }
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.live.borrow())
    }

    /// The daemon's clock.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The sign of life, as the lock file has it.
    pub(super) fn sign(&self) -> Sign {
        self.heartbeat.sign()
    }

    /// The database, if it is lost.
    pub(super) fn lost(&self) -> Option<LostSince> {
        let since = self.clock.now();
        let lost = self.store.lost()?;
        Some(self.heartbeat.lost_since().unwrap_or(LostSince { since, lost }))
    }

    /// A connection that only reads.
    pub(super) async fn reader(&self) -> store::Result<Conn> {
        self.store.read().acquire().await
    }

    /// The name of a file in this host's `done/` or `rejected/`; none of a file of another host.
    pub(super) async fn stored_name(&self, file: i64) -> store::Result<Option<String>> {
        let Found::These(rows) = find(&mut self.reader().await?, "", "", Some(file)).await? else { return Ok(None) };
        let host = |row: &Map<String, Value>| row.get("host").and_then(Value::as_str).unwrap_or_default().to_owned();
        let row = rows.first().filter(|row| host(row) == self.store.host());
        Ok(row.and_then(|row| row.get("stored_as")?.as_str().map(str::to_owned)))
    }

    /// How commands are typed by whoever reads a page.
    pub(super) fn by(&self, settings: &Settings) -> Invocation {
        Invocation::for_readers(&settings.config, settings.path.as_deref(), i64::from(std::process::id()))
    }

    /// Whether the process lives and its stages move. The database is not asked. Once the database is lost, the stages
    /// have ended, but the answer stays good: a restart would lose what the database held.
    pub(super) fn health(&self) -> Served {
        if self.store.lost().is_some() {
            return Served::check("ok\n", &[]);
        }
        Served::check("ok\n", &standing_still(&self.heartbeat.late()))
    }

    /// The pages, at most a second old.
    pub(super) async fn pages(&self) -> Arc<Pages> {
        let mut made = self.made.lock().await;
        if let Some((_, pages)) = made.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Arc::clone(pages);
        }
        let pages = Arc::new(self.make().await);
        *made = Some((Instant::now(), Arc::clone(&pages)));
        pages
    }

    async fn make(&self) -> Pages {
        let now = self.clock.now();
        let settings = self.settings();
        let database = settings.config.database.url.file();
        let read = tokio::time::timeout(READ_MAX, self.read(&settings, now)).await;
        let read = read.map_err(|_| format!("the database does not answer within {} s", READ_MAX.as_secs()));
        let read = read.and_then(|read| read.map_err(|error| error.to_string()));
        let (trouble, lost) = (self.store.trouble(), self.store.lost());
        let bytes = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        let facts = Facts {
            now,
            time: (self.clock.reading().proved, (now - self.clock.wall()).as_seconds_f64()),
            started: self.started,
            database_bytes: database.map(bytes),
            wal_bytes: database.map(|file| bytes(&wal_of(file))),
            writable: trouble.is_none() && lost.is_none(),
            lost: lost.is_some(),
            idle: self.heartbeat.idle(),
        };
        let seen = read.as_ref().map(|(seen, _)| seen);
        let standing = seen.ok().and_then(|seen| seen.lanes.first()).map(|lane| &lane.standing);
        let ails = match &lost {
            Some(lost) => vec![one_line(&lost.to_string())],
            None => not_ready(read.as_ref().err(), trouble.as_ref(), standing),
        };
        let metrics = metrics::page(&facts, seen.ok());
        Pages {
            metrics: Served::of(StatusCode::OK, METRICS, metrics),
            ready: Served::check("ready\n", &ails),
            status: match read {
                Ok((_, report)) => Served::of(StatusCode::OK, JSON, report),
                Err(_) => Served::check("", &ails),
            },
        }
    }

    /// The database failed.
    async fn read(&self, settings: &Settings, now: Time) -> store::Result<(Seen, String)> {
        let config = &settings.config;
        let pool = self.store.read();
        let mut conn = pool.acquire().await?;
        let mut report = read_report(&mut conn, FILES).await?;
        report.complete(&mut conn, config, (Some(true), Some(self.heartbeat.sign())), now).await?;
        let pid = i64::from(std::process::id());
        let folders = Folders::under(&config.spool.dir);
        report.orders_waiting = folders.count_orders(self.clock.wall());
        report.list_needs(config, &Invocation::here(config, settings.path.as_deref(), Some(pid)));
        report.files_incoming = folders.count_waiting(report.reading_here());
        let mut seen = Seen {
            census: queue::census(pool).await?,
            lanes: Vec::new(),
            concerns: status::concerns(pool).await?,
            hosts: Hosts::of(&report),
        };
        let doubts = status::doubts(&mut conn).await?;
        for lane in shown(config, &report) {
            let mut of_lane = self.lane(&mut conn, config, lane, now).await?;
            of_lane.urls = seen.census.urls.remove(&lane).unwrap_or_default();
            of_lane.waits = waits(&report, lane);
            of_lane.risk = risk(&report, lane);
            of_lane.doubts = doubts.get(&lane).copied().unwrap_or_default();
            seen.lanes.push(of_lane);
        }
        let report = serde_json::to_string_pretty(&report).expect("a report is JSON");
        Ok((seen, report + "\n"))
    }

    /// What the ledger knows of a lane.
    async fn lane(&self, conn: &mut Conn, config: &Config, lane: Lane, now: Time) -> store::Result<LaneSeen> {
        let standing = ledger::standing(conn, lane, now).await?;
        let in_flight = ledger::in_flight(conn, lane, &standing, now).await?;
        let flight = ledger::flight(conn, lane, &standing, now).await?;
        Ok(LaneSeen {
            policy: policy(config, lane),
            urls: Vec::new(),
            spent: ledger::spent(conn, lane, config.budget.day_starts, now).await?,
            standing,
            waits: None,
            risk: (0, 0),
            doubts: Doubts::default(),
            last_accepted: ledger::last_accepted(self.store.read(), lane).await?,
            flight: (in_flight, flight.map(|flight| flight.size.limit())),
            warm: status::warm_time(conn, lane).await?,
        })
    }
}

/// The lanes with numbers: prefetching, and every other one that files may ask for, or that is in use.
fn shown(config: &Config, report: &StatusReport) -> Vec<Lane> {
    let is_used = |lane: Lane| report.lanes.iter().any(|used| used.action == lane.word());
    let allowed = config.spool.actions.lanes();
    let is_shown = |lane: &Lane| *lane == Lane::Prefetch || allowed.contains(lane) || is_used(*lane);
    Lane::VARIANTS.iter().copied().filter(is_shown).collect()
}

fn risk(report: &StatusReport, lane: Lane) -> (u64, u64) {
    let Some(forecast) = &report.forecast else { return (0, 0) };
    match lane {
        Lane::Prefetch => (forecast.missed, forecast.cold),
        _ => {
            let of_lane = forecast.lanes.iter().find(|of| of.action == lane.word());
            of_lane.map_or((0, 0), |of| (of.missed, of.cold))
        }
    }
}

fn waits(report: &StatusReport, lane: Lane) -> Option<String> {
    match lane {
        Lane::Prefetch => report.waiting_code.clone(),
        _ => report.lanes.iter().find(|of| of.action == lane.word())?.waiting_code.clone(),
    }
}
