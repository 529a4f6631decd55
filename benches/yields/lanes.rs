//! A month in which all lanes are in use: prefetches, purges of URLs and of directories, and films that are replaced,
//! which are purged and then prefetched. Each lane has its own quota at the service, and somebody else purges too.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{NaiveDate, TimeDelta, Timelike as _};
use prefetchd::config::Config;
use prefetchd::model::{HostId, Lane, Time, UrlId};
use prefetchd::service::{Reply, VOD};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::model::{Model, Service};
use crate::{KILLS, LOST_ANSWERS, THROTTLED, answer, error};

/// What is dropped in a day, hour by hour: of purges a little more than their quotas let through.
const PREFETCHES: i64 = 420_000;
const REPLACED: i64 = 1_500;
const PURGES: i64 = 550;
const DIRECTORIES: i64 = 110;

/// What others purge at noon: URLs and directories.
const BY_OTHERS: [u64; 2] = [25, 3];

/// A purge takes five to six minutes (SIBLING-APIS.md, A).
const TAKES: std::ops::Range<i64> = 300..360;

/// URLs from this number on are of films that are replaced.
const REPLACED_FROM: i64 = 1 << 40;

/// A day at the service.
#[derive(Clone, Copy, Default)]
struct Day {
    date: Option<NaiveDate>,
    used: u64,
    others_were_here: bool,
}

/// One operation of the service.
struct Operation {
    chance: StdRng,
    lane: Lane,
    a_day: u64,
    by_others: u64,
    taken_by_others: u64,
    day: Day,
    nonces: HashMap<u64, bool>,
    calls: u64,
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
    /// Used of the quota, by us.
    used: u64,
    /// When each replaced URL was accepted.
    replaced: Vec<(UrlId, Time)>,
}

impl Operation {
    fn new(seed: u64, lane: Lane, by_others: u64) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed ^ lane.number().unsigned_abs()),
            lane,
            a_day: u64::from(VOD.submission(lane).a_day),
            by_others,
            taken_by_others: 0,
            day: Day::default(),
            nonces: HashMap::new(),
            calls: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            used: 0,
            replaced: Vec::new(),
        }
    }

    /// What is gone of the day's quota.
    fn gone(&mut self, now: Time) -> &mut u64 {
        let local = now + TimeDelta::hours(8);
        if self.day.date != Some(local.date_naive()) {
            self.day = Day { date: Some(local.date_naive()), ..Day::default() };
        }
        if local.hour() >= 12 && !self.day.others_were_here {
            self.day.others_were_here = true;
            let taken = self.by_others.min(self.a_day - self.day.used);
            self.day.used += taken;
            self.taken_by_others += taken;
        }
        &mut self.day.used
    }

    fn refuse(&mut self, now: Time, status: u16, code: &'static str) -> Reply {
        *self.refused.entry(code).or_default() += 1;
        error(now, status, code)
    }

    fn perform(&mut self, urls: &[(UrlId, HostId)], now: Time) -> Reply {
        let cost = if self.lane == Lane::Prefetch { 1 } else { urls.len() as u64 };
        if *self.gone(now) + cost > self.a_day {
            let code = if self.lane == Lane::Prefetch { "QuotaExceeded.Preload" } else { "QuotaExceeded.Refresh" };
            return self.refuse(now, 400, code);
        }
        *self.gone(now) += cost;
        self.used += cost;
        self.accepted += 1;
        self.replaced.extend(urls.iter().filter(|(url, _)| url.0 >= REPLACED_FROM).map(|(url, _)| (*url, now)));
        let task = VOD.submission(self.lane).task_ids[0];
        answer(now, 200, &format!(r#"{{"{task}":"1","RequestId":"R"}}"#))
    }
}

impl Service for Operation {
    fn preload(&mut self, nonce: u64, urls: &[(UrlId, HostId)], now: Time) -> Reply {
        self.calls += 1;
        if self.nonces.contains_key(&nonce) {
            return error(now, 400, "SignatureNonceUsed");
        }
        if self.chance.random_bool(THROTTLED) {
            return self.refuse(now, 503, "Throttling.User");
        }
        let breaks = self.chance.random_bool(LOST_ANSWERS + KILLS);
        if breaks && self.chance.random_bool(0.5) {
            return Reply::Lost("reset".into());
        }
        let reply = self.perform(urls, now);
        let accepted = reply.batch(VOD.submission(self.lane)).is_ok();
        self.nonces.insert(nonce, accepted);
        if breaks { Reply::Lost("reset".into()) } else { reply }
    }

    fn quota(&mut self, now: Time) -> Reply {
        let left = self.a_day - *self.gone(now);
        let [quota, remain] = VOD.submission(self.lane).quota;
        answer(now, 200, &format!(r#"{{"RequestId":"R","{quota}":"{}","{remain}":"{left}"}}"#, self.a_day))
    }

    fn is_online(&mut self, _host: HostId, _now: Time) -> Option<bool> {
        Some(true)
    }

    fn has_task(&mut self, nonce: u64) -> bool {
        self.nonces.get(&nonce).copied().unwrap_or(false)
    }
}

/// A lane: its submitter, its operation, and how many URLs were dropped.
struct Side {
    model: Model,
    service: Operation,
    dropped: i64,
}

impl Side {
    fn new(seed: u64, lane: Lane, by_others: u64, start: Time) -> Self {
        let model = Model::of_lane(Config::from_toml("").unwrap(), lane, start);
        Self { model, service: Operation::new(seed, lane, by_others), dropped: 0 }
    }

    /// Drops what is due at this hour of the month, of so many a day.
    fn drop(&mut self, hour: i64, a_day: i64, from: i64) {
        for n in hour * a_day / 24..(hour + 1) * a_day / 24 {
            self.model.enqueue(UrlId(from + n), HostId(n % 7));
            self.dropped += 1;
        }
    }

    fn say(&self, name: &str, days: i64) {
        let Operation { calls, accepted, refused, used, a_day, taken_by_others, .. } = &self.service;
        let quota = *a_day * days.unsigned_abs() - taken_by_others;
        println!(
            "  {name:<15} {:>9} of {:>9} URLs with {calls:>6} calls, {:>4} wasted {refused:?}; {used:>6} of a budget \
             of {quota:>6} {}: {:5.1} %",
            self.model.warmed,
            self.dropped,
            calls - accepted,
            if self.service.lane == Lane::Prefetch { "calls" } else { "URLs" },
            100.0 * *used as f64 / quota as f64,
        );
    }
}

/// The month.
pub(crate) fn month(seed: u64, days: i64) {
    let start: Time = "2026-11-01T16:00:00Z".parse().unwrap();
    let mut chance = StdRng::seed_from_u64(seed);
    let [urls, directories] = BY_OTHERS;
    let mut prefetches = Side::new(seed, Lane::Prefetch, 0, start);
    let mut purges = Side::new(seed, Lane::Purge, urls, start);
    let mut of_directories = Side::new(seed, Lane::PurgeDirectory, directories, start);
    // Purges under way, by when they are complete; and when each was complete.
    let mut under_way: BTreeSet<(Time, UrlId)> = BTreeSet::new();
    let mut complete: HashMap<UrlId, Time> = HashMap::new();
    let mut told = 0;
    for minute in 0..days * 1440 {
        let until = start + TimeDelta::minutes(minute + 1);
        if minute % 60 == 0 {
            prefetches.drop(minute / 60, PREFETCHES, 0);
            purges.drop(minute / 60, PURGES, 0);
            purges.drop(minute / 60, REPLACED, REPLACED_FROM);
            of_directories.drop(minute / 60, DIRECTORIES, 0);
        }
        purges.model.run_until(until, &mut purges.service);
        of_directories.model.run_until(until, &mut of_directories.service);
        for (url, at) in &purges.service.replaced[told..] {
            under_way.insert((*at + TimeDelta::seconds(chance.random_range(TAKES)), *url));
        }
        told = purges.service.replaced.len();
        // A minute late at most: the submitter has come as far as this minute's start.
        let known = until - TimeDelta::minutes(1);
        while let Some((at, url)) = under_way.first().copied().filter(|(at, _)| *at <= known) {
            under_way.remove(&(at, url));
            if complete.insert(url, at).is_none() {
                prefetches.model.enqueue(url, HostId(url.0 % 7));
                prefetches.dropped += 1;
            }
        }
        prefetches.model.run_until(until, &mut prefetches.service);
    }
    let mut waits: Vec<i64> = Vec::new();
    for (url, sent) in &prefetches.service.replaced {
        let purged = complete[url];
        assert!(purged <= *sent, "{url:?} was prefetched before its purge was complete");
        waits.push((*sent - purged).num_seconds());
    }
    waits.sort_unstable();
    println!("a month (seed {seed}, {days} days) with all lanes in use, and others who purge too");
    prefetches.say("prefetch", days);
    purges.say("purge", days);
    of_directories.say("purge-directory", days);
    println!(
        "  of {} replaced URLs that were purged {} were prefetched, none before its purge was complete, half of them \
         within {} s of it",
        complete.len(),
        waits.len(),
        waits.get(waits.len() / 2).copied().unwrap_or(0),
    );
}
