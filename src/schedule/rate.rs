//! How many URLs of a domain the service takes in a minute: for purges it has such a limit, whose number is not
//! documented (SIBLING-APIS.md, A).
//!
//! A batch above it is refused as a whole, costs nothing, and does not say which domain it is about. So after such a
//! refusal each of the batch's domains goes in calls of its own. One that is refused alone is tried with half as many,
//! and rests once a minute has brought that many. What is known is tried twice as large every ten minutes, because the
//! limit may have changed, or others may have used up that minute.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::{Backoff, HostId, Time, from_millis, to_millis};

/// The minute, with a second for the way of a call.
const MINUTE: TimeDelta = TimeDelta::seconds(61);

/// After so long without a refusal twice as many are tried.
const GROWS_AFTER: TimeDelta = TimeDelta::minutes(10);

/// The wait of a domain that was refused although no smaller batch than that was to be expected: others use up its
/// minutes, or its limit has fallen.
const CLOSED_WAIT: Backoff = Backoff { min: Duration::from_secs(60), max: Duration::from_secs(900) };

/// What is known about a domain. Stored as JSON in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRate {
    /// URLs to bring in a minute; none before it was refused alone.
    urls: Option<u32>,
    /// Most URLs that a minute brought since then; 0 if none.
    fits: u32,
    /// When one of these last changed, in milliseconds.
    since: i64,
    /// Refusals in a row that a smaller batch would not have avoided.
    closed: u32,
    /// Batches of the last minute that were accepted: when, and how many URLs.
    sent: Vec<(i64, u32)>,
}

impl HostRate {
    /// After a batch with other domains was refused: nobody knows for which.
    fn suspected(now: Time) -> Self {
        Self { urls: None, fits: 0, since: to_millis(now), closed: 0, sent: Vec::new() }
    }

    /// URLs that were accepted within the minute before `now`. What a wrong clock wrote does not count.
    fn in_minute(&self, now: Time) -> u32 {
        let of_minute = |at: i64| (TimeDelta::zero()..MINUTE).contains(&(now - from_millis(at)));
        self.sent.iter().filter(|(at, _)| of_minute(*at)).fold(0, |all, (_, urls)| all.saturating_add(*urls))
    }

    /// URLs to bring in a minute.
    fn aim(&self, now: Time) -> u32 {
        let Some(urls) = self.urls else { return u32::MAX };
        if self.closed > 0 {
            return urls;
        }
        let times = (now - from_millis(self.since)).num_seconds().max(0) / GROWS_AFTER.num_seconds();
        u32::try_from(times)
            .ok()
            .and_then(|times| 1_u32.checked_shl(times))
            .map_or(u32::MAX, |n| urls.saturating_mul(n))
    }

    /// When this last changed, but for what was sent.
    pub fn since(&self) -> Time {
        from_millis(self.since)
    }

    /// The limit, as far as it is known.
    pub fn limit(&self) -> Option<u32> {
        self.urls
    }

    /// How many more URLs may go now, at least 1.
    ///
    /// # Errors
    ///
    /// None may go; says until when.
    fn room(&self, now: Time) -> Result<u32, Time> {
        let since = from_millis(self.since).min(now);
        let closed_until = CLOSED_WAIT.bound_from(since, self.closed);
        if self.closed > 0 && closed_until > now {
            return Err(closed_until);
        }
        if self.urls.is_none() {
            return Ok(u32::MAX);
        }
        match self.aim(now).saturating_sub(self.in_minute(now)) {
            0 => {
                let oldest = self.sent.iter().map(|(at, _)| from_millis(*at) + MINUTE).filter(|at| *at > now).min();
                Err(oldest.map_or(now + MINUTE, |at| at.min(now + MINUTE)))
            }
            room => Ok(room),
        }
    }

    fn accepted(&mut self, urls: u32, now: Time) {
        self.sent.retain(|(at, _)| (TimeDelta::zero()..MINUTE).contains(&(now - from_millis(*at))));
        self.sent.push((to_millis(now), urls));
        let all = self.in_minute(now);
        self.closed = 0;
        self.fits = self.fits.max(all);
        // A larger number has proved itself.
        if self.urls.is_some_and(|known| all > known) {
            (self.urls, self.since) = (Some(all), to_millis(now));
        }
    }

    /// It was refused alone, with so many URLs.
    fn refused(&mut self, urls: u32, now: Time) {
        let all = self.in_minute(now).saturating_add(urls);
        let is_less_than_before = all <= self.fits;
        if is_less_than_before || urls == 1 {
            self.closed = self.closed.saturating_add(1);
        }
        if is_less_than_before {
            self.fits = 0;
        }
        self.urls = Some(if self.fits > 0 { self.fits } else { (all / 2).max(1) });
        self.since = to_millis(now);
    }
}

/// What is known about the domains of a lane that were refused for their minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRates(pub BTreeMap<HostId, HostRate>);

/// How many URLs of these domains may go now: 0 if none. Each of them goes in calls of its own.
pub type HostRooms = BTreeMap<HostId, u32>;

impl HostRates {
    /// After so long what is known is forgotten.
    pub const HOLDS: TimeDelta = TimeDelta::days(1);

    /// How many URLs of each may go now.
    pub fn rooms(&self, now: Time) -> HostRooms {
        self.0.iter().map(|(host, rate)| (*host, rate.room(now).unwrap_or(0))).collect()
    }

    /// When the first domain of which nothing may go now may go again.
    pub fn room_at(&self, now: Time) -> Option<Time> {
        self.0.values().filter_map(|rate| rate.room(now).err()).min()
    }

    /// The least that one of these domains takes in a minute, as far as is known.
    pub fn least(&self, now: Time) -> Option<u32> {
        self.0.values().filter(|rate| rate.room(now).is_err()).filter_map(HostRate::limit).min()
    }

    /// A batch with so many URLs of each domain was accepted. Returns what changed.
    pub fn accepted(&self, batch: &BTreeMap<HostId, u32>, now: Time) -> Self {
        let known = batch.iter().filter_map(|(host, urls)| Some((*host, *urls, self.0.get(host)?.clone())));
        let after = known.map(|(host, urls, mut rate)| {
            rate.accepted(urls, now);
            (host, rate)
        });
        Self(after.collect())
    }

    /// It was refused. Returns what changed.
    pub fn refused(&self, batch: &BTreeMap<HostId, u32>, now: Time) -> Self {
        let is_alone = batch.len() == 1;
        let after = batch.iter().map(|(host, urls)| {
            let mut rate = self.0.get(host).cloned().unwrap_or_else(|| HostRate::suspected(now));
            if is_alone {
                rate.refused(*urls, now);
            }
            (*host, rate)
        });
        Self(after.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId(1);

    fn at(seconds: i64) -> Time {
        from_millis(1_700_000_000_000 + seconds * 1000)
    }

    fn batch(hosts: &[(i64, u32)]) -> BTreeMap<HostId, u32> {
        hosts.iter().map(|(host, urls)| (HostId(*host), *urls)).collect()
    }

    /// A service that takes `limit` URLs of each domain in any minute, by others too.
    struct World {
        limit: u32,
        rates: HostRates,
        taken: Vec<(i64, u32)>,
        refused: u32,
    }

    impl World {
        /// Sends what may go of `left` URLs at this second; returns how many are left.
        fn step(&mut self, second: i64, mut left: u32) -> u32 {
            while left > 0 {
                let room = self.rates.rooms(at(second)).get(&HOST).copied().unwrap_or(1000);
                if room == 0 {
                    break;
                }
                let urls = left.min(room).min(1000);
                let in_minute: u32 = self.taken.iter().filter(|(t, _)| second - t < 60).map(|(_, n)| n).sum();
                let said = batch(&[(1, urls)]);
                let changed = if in_minute + urls > self.limit {
                    self.refused += 1;
                    self.rates.refused(&said, at(second))
                } else {
                    self.taken.push((second, urls));
                    left -= urls;
                    self.rates.accepted(&said, at(second))
                };
                self.rates.0.extend(changed.0);
            }
            left
        }
    }

    #[test]
    fn a_batch_that_is_refused_shrinks_until_it_fits_and_the_rest_goes_minute_by_minute() {
        for (limit, urls, minutes_max, refused_max) in [(20, 30, 2, 1), (1, 4, 5, 3), (7, 1000, 160, 40)] {
            let mut world = World { limit, rates: HostRates::default(), taken: Vec::new(), refused: 0 };
            let mut left = urls;
            let mut second = 0;
            while left > 0 && second < 60 * 60 * 4 {
                left = world.step(second, left);
                second += 1;
            }
            assert_eq!(left, 0, "{limit}");
            assert!(second <= minutes_max * 62, "{limit}: {second} s");
            assert!(world.refused <= refused_max, "{limit}: {} refusals", world.refused);
        }
    }

    #[test]
    fn a_domain_whose_minutes_others_use_up_is_asked_ever_more_rarely_and_recovers() {
        let mut world = World { limit: 0, rates: HostRates::default(), taken: Vec::new(), refused: 0 };
        for second in 0..3600 {
            assert_eq!(world.step(second, 500), 500);
        }
        // Nine refusals find out that nothing fits; then a quarter of an hour lies between two.
        assert!((9..=18).contains(&world.refused), "{}", world.refused);
        world.limit = 10_000;
        let mut left = 5000;
        let mut second = 3600;
        while left > 0 {
            left = world.step(second, left);
            second += 1;
        }
        assert!(second < 3600 * 3, "{second}");
    }

    #[test]
    fn domains_that_were_refused_together_go_alone_and_only_the_full_one_is_held_back() {
        let rates = HostRates::default().refused(&batch(&[(1, 30), (2, 5)]), at(0));
        assert_eq!(rates.rooms(at(0)), batch(&[(1, u32::MAX), (2, u32::MAX)]));
        let mut after = rates.clone();
        after.0.extend(rates.accepted(&batch(&[(2, 5)]), at(0)).0);
        after.0.extend(rates.refused(&batch(&[(1, 30)]), at(0)).0);
        assert_eq!(after.rooms(at(0)), batch(&[(1, 15), (2, u32::MAX)]));
        let sent = after.accepted(&batch(&[(1, 15)]), at(1));
        assert_eq!((sent.rooms(at(1)), sent.room_at(at(1))), (batch(&[(1, 0)]), Some(at(62))));
        assert_eq!(sent.rooms(at(62)), batch(&[(1, 15)]));
        // What a clock ahead of time wrote holds nothing back for longer than a minute.
        assert!(sent.room_at(at(-5000)).is_none_or(|until| until <= at(-5000 + 61)));
        assert_eq!(sent.0[&HOST].limit(), Some(15));
    }
}
