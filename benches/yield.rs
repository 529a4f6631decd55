//! Yield: URLs warmed per request spent, over a seeded month against the pure core and the service's rules on a
//! simulated clock; the price of isolation alone, against the information-theoretic bound; months on accounts whose
//! service takes few URLs (`yields/limited.rs`); and a month with all lanes in use (`yields/lanes.rs`). Run:
//! `cargo bench --bench yield`.
//!
//! `PREFETCHD_BENCH_SEED` and `PREFETCHD_BENCH_DAYS` choose another month, `PREFETCHD_BENCH_LIMITED=1` and
//! `PREFETCHD_BENCH_LANES=1` one of the last parts alone, `PREFETCHD_BENCH_SHORT=1` a day and small numbers.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers of benches are small"
)]
#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

#[path = "yields/isolation.rs"]
mod isolation;
#[path = "yields/lanes.rs"]
mod lanes;
#[path = "yields/limited.rs"]
mod limited;
#[path = "../tests/it/support/model.rs"]
mod model;

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use model::{Model, Service};
use prefetchd::config::Config;
use prefetchd::model::{HostId, ObjectUrl, ReasonKind, SubmissionId, Time, UrlId, UrlRules};
use prefetchd::schedule::{BadRate, Blame, Case, Cases, Found, Supply, Suspect};
use prefetchd::service::{Answer, Reply, VOD};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const HOSTS: i64 = 30;
const REQUESTS_A_DAY: u64 = 500;
const FULL: usize = 1000;

/// The rates of the issue: what only the service refuses, what local checks see, and what goes wrong with calls.
const BAD_URLS: f64 = 2e-6;
const BAD_LINES: f64 = 1e-3;
const LOST_ANSWERS: f64 = 0.002;
const KILLS: f64 = 0.001;
const THROTTLED: f64 = 0.01;

fn answer(now: Time, status: u16, body: &str) -> Reply {
    Reply::Answered(Answer { status, date: Some(now), retry_after: None, body: body.as_bytes().to_vec() })
}

fn error(now: Time, status: u16, code: &str) -> Reply {
    answer(now, status, &format!(r#"{{"RequestId":"R","Code":"{code}","Message":"m"}}"#))
}

/// The service's rules on a simulated clock.
struct World {
    chance: StdRng,
    bad: HashSet<UrlId>,
    /// When each host is not online: from, to.
    outages: HashMap<HostId, Vec<(Time, Time)>>,
    nonces: HashMap<u64, bool>,
    day: Option<(chrono::NaiveDate, u64)>,
    /// Calls that reached the operation.
    seen: u64,
    refused: HashMap<&'static str, u64>,
}

impl World {
    fn online(&self, host: HostId, now: Time) -> bool {
        !self.outages.get(&host).is_some_and(|outages| outages.iter().any(|(from, to)| (*from..*to).contains(&now)))
    }

    fn used(&mut self, now: Time) -> &mut u64 {
        let date = (now + TimeDelta::hours(8)).date_naive();
        let day = self.day.get_or_insert((date, 0));
        if day.0 != date {
            *day = (date, 0);
        }
        &mut day.1
    }

    fn refuse(&mut self, now: Time, status: u16, code: &'static str) -> Reply {
        *self.refused.entry(code).or_default() += 1;
        error(now, status, code)
    }

    fn perform(&mut self, urls: &[(UrlId, HostId)], now: Time) -> Reply {
        self.seen += 1;
        if *self.used(now) >= REQUESTS_A_DAY {
            return self.refuse(now, 400, "QuotaExceeded.Preload");
        }
        // A refused request is counted too: the dearest reading.
        *self.used(now) += 1;
        if urls.iter().any(|(_, host)| !self.online(*host, now)) {
            return self.refuse(now, 404, "InvalidDomain.Offline");
        }
        if urls.iter().any(|(url, _)| self.bad.contains(url)) {
            return self.refuse(now, 400, "InvalidObjectPath.Malformed");
        }
        answer(now, 200, r#"{"PreloadTaskId":"1","RequestId":"R"}"#)
    }
}

impl Service for World {
    fn preload(&mut self, nonce: u64, urls: &[(UrlId, HostId)], now: Time) -> Reply {
        if self.nonces.contains_key(&nonce) {
            return error(now, 400, "SignatureNonceUsed");
        }
        if self.chance.random_bool(THROTTLED) {
            return error(now, 503, "Throttling.User");
        }
        // The connection breaks, or the daemon is killed, before or after the call was performed.
        let breaks = self.chance.random_bool(LOST_ANSWERS + KILLS);
        if breaks && self.chance.random_bool(0.5) {
            return Reply::Lost("reset".into());
        }
        let reply = self.perform(urls, now);
        let accepted = reply.batch(&VOD.prefetch).is_ok();
        self.nonces.insert(nonce, accepted);
        if breaks { Reply::Lost("reset".into()) } else { reply }
    }

    fn quota(&mut self, now: Time) -> Reply {
        let left = REQUESTS_A_DAY - (*self.used(now)).min(REQUESTS_A_DAY);
        answer(now, 200, &format!(r#"{{"RequestId":"R","PreloadQuota":"{REQUESTS_A_DAY}","PreloadRemain":"{left}"}}"#))
    }

    fn is_online(&mut self, host: HostId, now: Time) -> Option<bool> {
        Some(self.online(host, now))
    }

    fn has_task(&mut self, nonce: u64) -> bool {
        self.nonces.get(&nonce).copied().unwrap_or(false)
    }
}

/// A month of files: more URLs than budget, each file of one host, dropped over the day.
struct Files {
    chance: StdRng,
    rules: UrlRules,
    next: i64,
    lines: u64,
    refused_here: u64,
}

impl Files {
    /// Lines of one file: its host, and its URLs that pass the local checks.
    fn next(&mut self, bad: &mut HashSet<UrlId>) -> (HostId, Vec<UrlId>) {
        let host = HostId(self.chance.random_range(0..HOSTS));
        let lines = self.chance.random_range(200..40_000);
        let mut urls = Vec::with_capacity(lines);
        for line in 0..lines {
            self.lines += 1;
            let scheme = if self.chance.random_bool(BAD_LINES) { "ftp" } else { "https" };
            let text = format!("{scheme}://h{}.example.com/{}/seg-{line:06}.ts", host.0, self.next);
            if ObjectUrl::parse(&text, &self.rules).is_err() {
                self.refused_here += 1;
                continue;
            }
            let url = UrlId(self.next);
            self.next += 1;
            if self.chance.random_bool(BAD_URLS) {
                bad.insert(url);
            }
            urls.push(url);
        }
        (host, urls)
    }
}

fn outages(chance: &mut StdRng, start: Time, days: i64) -> HashMap<HostId, Vec<(Time, Time)>> {
    let mut all: HashMap<HostId, Vec<(Time, Time)>> = HashMap::new();
    for host in 0..HOSTS {
        let outages = all.entry(HostId(host)).or_default();
        // Every fifth host is added to the account in the course of the month.
        if host % 5 == 0 {
            outages.push((start, start + TimeDelta::hours(chance.random_range(0..days * 12))));
        }
        for day in 0..days {
            if chance.random_bool(0.02) {
                let from = start + TimeDelta::days(day) + TimeDelta::minutes(chance.random_range(0..1440));
                outages.push((from, from + TimeDelta::minutes(chance.random_range(10..600))));
            }
        }
    }
    all
}

fn month(seed: u64, days: i64) {
    let start: Time = "2026-11-01T16:00:00Z".parse().unwrap();
    let mut chance = StdRng::seed_from_u64(seed);
    let outages = outages(&mut chance, start, days);
    let rules = Config::from_toml("").unwrap().spool.url_rules();
    let mut files = Files { chance: StdRng::seed_from_u64(seed + 1), rules, next: 0, lines: 0, refused_here: 0 };
    let mut world = World {
        chance,
        bad: HashSet::new(),
        outages,
        nonces: HashMap::new(),
        day: None,
        seen: 0,
        refused: HashMap::new(),
    };
    let mut model = Model::new(Config::from_toml("").unwrap(), start);
    let mut script = Script::default();
    let mut dropped = 0_u64;
    for hour in 0..days * 24 {
        let now = start + TimeDelta::hours(hour);
        // A little more than the budget of the hours so far.
        let wanted = (hour as u64 + 8) * REQUESTS_A_DAY * FULL as u64 * 103 / 100 / 24;
        while dropped < wanted {
            let (host, urls) = files.next(&mut world.bad);
            dropped += urls.len() as u64;
            script.queue.extend(urls.iter().map(|url| (*url, host)));
            urls.into_iter().for_each(|url| model.enqueue(url, host));
        }
        model.run_until(now + TimeDelta::hours(1), &mut world);
        script.run(hour, now, &world);
    }
    // The oracle knows what would be refused, and warms a full batch with each request of each day.
    let oracle = (days as u64 * REQUESTS_A_DAY * FULL as u64).min(dropped);
    let per_request = |urls: u64, requests: u64| urls as f64 / requests.max(1) as f64;
    let ours = per_request(model.warmed, model.charged);
    let best = per_request(oracle, days as u64 * REQUESTS_A_DAY);
    println!(
        "a month (seed {seed}, {days} days): {} lines, {} refused here, {dropped} queued",
        files.lines, files.refused_here
    );
    println!(
        "  refused by the service: {:?}; {} bad URLs found of {} queued",
        world.refused,
        model.failed,
        world.bad.len()
    );
    println!(
        "  prefetchd  {:>10} URLs with {:>6} requests: {ours:7.1} a request, {:5.1} % of the oracle",
        model.warmed,
        model.charged,
        100.0 * ours / best
    );
    println!("  oracle     {oracle:>10} URLs with {:>6} requests: {best:7.1} a request", days as u64 * REQUESTS_A_DAY);
    let plain = per_request(script.warmed, script.requests);
    println!(
        "  script     {:>10} URLs with {:>6} requests: {plain:7.1} a request, {:5.1} % of the oracle; {} URLs given up",
        script.warmed,
        script.requests,
        100.0 * plain / best,
        script.lost
    );
    println!(
        "  of what the oracle warms in the month: prefetchd {:.1} %, script {:.1} %",
        100.0 * model.warmed as f64 / oracle as f64,
        100.0 * script.warmed as f64 / oracle as f64
    );
}

/// The script that people use: whole batches in order, each tried five times, then given up.
#[derive(Default)]
struct Script {
    queue: std::collections::VecDeque<(UrlId, HostId)>,
    batch: Vec<(UrlId, HostId)>,
    tries: u32,
    today: u64,
    requests: u64,
    warmed: u64,
    lost: u64,
}

impl Script {
    fn run(&mut self, hour: i64, now: Time, world: &World) {
        if hour % 24 == 0 {
            self.today = 0;
        }
        for minute in 0..60 {
            let now = now + TimeDelta::minutes(minute);
            for _ in 0..30 {
                if self.today >= REQUESTS_A_DAY {
                    return;
                }
                if self.batch.is_empty() {
                    let room = FULL.min(self.queue.len());
                    self.batch = self.queue.drain(..room).collect();
                    self.tries = 0;
                }
                if self.batch.is_empty() {
                    break;
                }
                self.today += 1;
                self.requests += 1;
                self.tries += 1;
                let refused = self.batch.iter().any(|(url, host)| world.bad.contains(url) || !world.online(*host, now));
                if !refused {
                    self.warmed += self.batch.len() as u64;
                    self.batch.clear();
                } else if self.tries == 5 {
                    self.lost += self.batch.len() as u64;
                    self.batch.clear();
                } else {
                    break;
                }
            }
        }
    }
}

fn main() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let seed = number("PREFETCHD_BENCH_SEED", 1);
    let short = std::env::var_os("PREFETCHD_BENCH_SHORT").is_some();
    let (share, days) = if short { (100, 1) } else { (1, 30) };
    if number("PREFETCHD_BENCH_LIMITED", 0) > 0 {
        return limited::all(seed, number("PREFETCHD_BENCH_DAYS", days) as i64);
    }
    if number("PREFETCHD_BENCH_LANES", 0) > 0 {
        return lanes::month(seed, number("PREFETCHD_BENCH_DAYS", days) as i64);
    }
    println!("isolation alone (an accepted test is not lost: it warmed its URLs)");
    for (rate, urls) in [(1e-2, 100_000), (1e-3, 300_000), (1e-4, 1_000_000), (1e-6, 10_000_000)] {
        isolation::isolation(rate, urls / share, seed);
    }
    match number("PREFETCHD_BENCH_DAYS", days) {
        0 => {}
        days => {
            month(seed, days as i64);
            limited::all(seed, days as i64);
            if short {
                lanes::month(seed, days as i64);
            }
        }
    }
}
