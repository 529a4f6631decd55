//! Months on an account whose service takes few URLs: a queue of its own with room for a hundred, or a quota that
//! counts URLs; each against an oracle that knows both. And what it costs to learn how large such a queue is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::TimeDelta;
use prefetchd::config::Config;
use prefetchd::model::{HostId, Time, UrlId};
use prefetchd::service::Reply;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::model::{Model, Service};
use crate::{answer, error};

const CALLS_A_DAY: u64 = 500;

/// A prefetch takes 5 to 30 minutes, by file size (VOD-API.md).
const SECONDS: std::ops::Range<i64> = 300..1_800;

/// More than either limit lets through in a day.
const DROPPED_A_DAY: i64 = 20_000;

/// The service: a quota of calls or of URLs, and a queue.
struct Narrow {
    chance: StdRng,
    counts_urls: bool,
    queue: usize,
    day: Option<(chrono::NaiveDate, u64)>,
    /// When each URL in the queue is through.
    flying: BinaryHeap<Reverse<Time>>,
    calls: u64,
    full: u64,
    refused: u64,
}

impl Narrow {
    fn new(seed: u64, counts_urls: bool, queue: usize) -> Self {
        let chance = StdRng::seed_from_u64(seed);
        Self { chance, counts_urls, queue, day: None, flying: BinaryHeap::new(), calls: 0, full: 0, refused: 0 }
    }

    fn used(&mut self, now: Time) -> &mut u64 {
        let date = (now + TimeDelta::hours(8)).date_naive();
        let day = self.day.get_or_insert((date, 0));
        if day.0 != date {
            *day = (date, 0);
        }
        &mut day.1
    }

    fn land(&mut self, now: Time) {
        while self.flying.peek().is_some_and(|end| end.0 <= now) {
            self.flying.pop();
        }
    }

    /// Takes so many URLs; false if there is no room.
    fn take(&mut self, urls: usize, now: Time) -> bool {
        self.land(now);
        if self.flying.len() + urls > self.queue {
            return false;
        }
        for _ in 0..urls {
            let end = now + TimeDelta::seconds(self.chance.random_range(SECONDS));
            self.flying.push(Reverse(end));
        }
        true
    }
}

impl Service for Narrow {
    fn preload(&mut self, _nonce: u64, urls: &[(UrlId, HostId)], now: Time) -> Reply {
        self.calls += 1;
        let cost = if self.counts_urls { urls.len() as u64 } else { 1 };
        if *self.used(now) + cost > CALLS_A_DAY {
            self.refused += 1;
            return error(now, 400, "QuotaExceeded.Preload");
        }
        // A refused call counts, too, where calls are counted: the dearest reading.
        if !self.take(urls.len(), now) {
            *self.used(now) += u64::from(!self.counts_urls);
            self.full += 1;
            return error(now, 403, "PreloadQueueFull");
        }
        *self.used(now) += cost;
        answer(now, 200, r#"{"PreloadTaskId":"1","RequestId":"R"}"#)
    }

    fn quota(&mut self, now: Time) -> Reply {
        let left = CALLS_A_DAY - (*self.used(now)).min(CALLS_A_DAY);
        answer(now, 200, &format!(r#"{{"RequestId":"R","PreloadQuota":"{CALLS_A_DAY}","PreloadRemain":"{left}"}}"#))
    }

    fn is_online(&mut self, _host: HostId, _now: Time) -> Option<bool> {
        Some(true)
    }

    fn unfinished(&mut self, now: Time) -> u32 {
        self.land(now);
        u32::try_from(self.flying.len()).unwrap_or(u32::MAX)
    }

    fn has_task(&mut self, _nonce: u64) -> bool {
        false
    }
}

/// All of it.
pub(crate) fn all(seed: u64, days: i64) {
    println!("learning how many URLs the service's own queue takes (calls refused for it, of all)");
    learning(seed, "100", &[(100, 2_000)]);
    learning(seed, "7", &[(7, 200)]);
    learning(seed, "100, 7, 100, no end", &[(100, 1_000), (7, 200), (100, 3_000), (usize::MAX, 100_000)]);
    month(seed, days, false, 100);
    month(seed, days, true, usize::MAX);
    month(seed, days, true, 100);
}

/// A month; the oracle spreads the day's calls evenly and fills with each exactly the room that there is.
fn month(seed: u64, days: i64, counts_urls: bool, queue: usize) {
    let start: Time = "2026-11-01T16:00:00Z".parse().unwrap();
    let mut service = Narrow::new(seed, counts_urls, queue);
    let mut model = Model::new(Config::from_toml("").unwrap(), start);
    for hour in 0..days * 24 {
        let now = start + TimeDelta::hours(hour);
        for url in hour * DROPPED_A_DAY / 24..(hour + 1) * DROPPED_A_DAY / 24 {
            model.enqueue(UrlId(url), HostId(url % 30));
        }
        model.run_until(now + TimeDelta::hours(1), &mut service);
    }
    let best = oracle(seed, days, counts_urls, queue);
    let quota = if counts_urls { "500 URLs a day" } else { "500 calls a day" };
    let queue = if queue == usize::MAX { "no end".to_owned() } else { format!("{queue} URLs") };
    println!("a month (seed {seed}, {days} days) with {quota} and a service's queue of {queue}");
    println!(
        "  prefetchd  {:>8} URLs with {:>6} calls, {} refused for the full queue and {} for the quota: {:5.1} % of the \
         oracle",
        model.warmed,
        service.calls,
        service.full,
        service.refused,
        100.0 * model.warmed as f64 / best as f64,
    );
    println!("  oracle     {best:>8} URLs");
}

fn oracle(seed: u64, days: i64, counts_urls: bool, queue: usize) -> u64 {
    let start: Time = "2026-11-01T16:00:00Z".parse().unwrap();
    if queue == usize::MAX {
        return days as u64 * if counts_urls { CALLS_A_DAY } else { DROPPED_A_DAY as u64 };
    }
    let mut service = Narrow::new(seed, counts_urls, queue);
    let every = TimeDelta::days(1) / CALLS_A_DAY as i32;
    let (mut sent, mut now) = (0, start);
    while now < start + TimeDelta::days(days) {
        let room = queue - service.unfinished(now) as usize;
        let left = (CALLS_A_DAY - *service.used(now)) as usize;
        let urls = if counts_urls { room.min(left) } else { room };
        if urls > 0 && service.take(urls, now) {
            *service.used(now) += if counts_urls { urls as u64 } else { 1 };
            sent += urls as u64;
        }
        now += every;
    }
    sent
}

/// Calls that are refused until the sizes are learned one after the other, each while so many URLs go through.
fn learning(seed: u64, name: &str, sizes: &[(usize, i64)]) {
    let start: Time = "2026-11-01T16:00:00Z".parse().unwrap();
    let mut service = Narrow::new(seed, false, 0);
    let mut model = Model::new(Config::from_toml("").unwrap(), start);
    let (mut next, mut wasted) = (0, Vec::new());
    for (size, urls) in sizes {
        service.queue = *size;
        let (full, goal) = (service.full, model.warmed + *urls as u64);
        for url in next..next + urls {
            model.enqueue(UrlId(url), HostId(url % 30));
        }
        next += urls;
        let (started, calls) = (model.now, service.calls);
        while model.warmed < goal && model.now < started + TimeDelta::days(30) {
            model.run_until(model.now + TimeDelta::minutes(1), &mut service);
        }
        wasted.push(format!("{} of {}", service.full - full, service.calls - calls));
    }
    println!("  {name}: refused {}", wasted.join(", then "));
}
