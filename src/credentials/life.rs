//! The life of a short-lived key, and when to renew it; pure. Moments are readings of the boot-time clock, which nobody
//! sets and which counts the time that a machine sleeps.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::{Backoff, Time};

/// A key is renewed this long before its end ...
const RENEW_BEFORE: Duration = Duration::from_secs(15 * 60);

/// ... or after half of its life, if that is shorter than this.
const SHORT: Duration = Duration::from_secs(30 * 60);

/// Renewals are spread over this share of the remaining time, so that many hosts do not ask at once.
const SPREAD: f64 = 0.1;

/// A key is no longer used this shortly before its end, because a call takes a while ...
const LAST_MOMENT_MAX: Duration = Duration::from_secs(5);

/// ... or in this last share of its life.
const LAST_MOMENT_SHARE: u32 = 10;

/// The waits before a source without another key is asked again.
const READ_AGAIN: Backoff = Backoff { min: Duration::from_secs(5), max: Duration::from_secs(60) };

/// The life of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) began: Duration,
    pub(super) lasts: Duration,
}

impl Life {
    pub(super) fn ends(self) -> Duration {
        self.began.saturating_add(self.lasts)
    }

    /// Whether a call that is signed with it at `now` can still arrive in time.
    pub(super) fn is_on(self, now: Duration) -> bool {
        let last_moment = LAST_MOMENT_MAX.min(self.lasts / LAST_MOMENT_SHARE);
        now.saturating_add(last_moment) < self.ends()
    }

    /// When to renew it. `jitter` is between 0 and 1.
    pub(super) fn renew_at(self, jitter: f64) -> Duration {
        let before = if self.lasts < SHORT { self.lasts / 2 } else { RENEW_BEFORE };
        let earlier = before.mul_f64(SPREAD * jitter.clamp(0.0, 1.0));
        self.ends().saturating_sub(before).saturating_sub(earlier)
    }
}

/// How long a key lives that ends at `expires`. It is measured by the clock of the key's giver, from the `Date` of the
/// answer, which works even if that clock is wrong; or else by this machine's clock, `now`. It is never longer than
/// requested.
pub(super) fn lasts(expires: Time, date: Option<Time>, now: Time, longest: Option<Duration>) -> Option<Duration> {
    let left = |at: Time| (expires - at).to_std().ok().filter(|left| !left.is_zero());
    let lasts = date.and_then(left).or_else(|| left(now))?;
    Some(longest.map_or(lasts, |longest| lasts.min(longest)))
}

/// How long to wait after this many attempts that brought no other key. `jitter` is between 0 and 1.
pub(super) fn backoff(in_vain: u32, jitter: f64) -> Duration {
    READ_AGAIN.bound(in_vain).mul_f64(1.0 + SPREAD * jitter.clamp(0.0, 1.0))
}

/// What this machine's clock will show when a key ends, for display.
pub(super) fn ends_at(life: Life, now: Duration, wall: Time) -> Time {
    let left = TimeDelta::from_std(life.ends().saturating_sub(now)).unwrap_or(TimeDelta::MAX);
    wall.checked_add_signed(left).unwrap_or(Time::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_renewed_a_quarter_of_an_hour_before_its_end_and_a_short_one_at_half() {
        let life = |minutes: u32| Life { began: MINUTE * 100, lasts: MINUTE * minutes };
        assert_eq!(life(60).renew_at(0.0), MINUTE * 145);
        assert_eq!(life(60).renew_at(1.0), MINUTE * 145 - Duration::from_secs(90));
        assert_eq!(life(30).renew_at(0.0), MINUTE * 115);
        assert_eq!(life(20).renew_at(0.0), MINUTE * 110);
        assert!(life(60).is_on(MINUTE * 159) && !life(60).is_on(MINUTE * 160 - Duration::from_secs(4)));
    }

    #[test]
    fn the_clock_of_who_gave_it_counts_even_where_it_is_an_hour_off() {
        let (expires, now) = (at("2026-11-25T07:00:00Z"), at("2026-11-25T06:00:00Z"));
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        assert_eq!(lasts(expires, Some(now), now, None), hours(1));
        // This machine is an hour behind, or ahead.
        assert_eq!(lasts(expires, Some(now), at("2026-11-25T05:00:00Z"), None), hours(1));
        assert_eq!(lasts(expires, Some(now), at("2026-11-25T07:00:00Z"), None), hours(1));
        // Only the `Date` is behind: the requested hour counts. It is ahead: this machine's clock counts.
        assert_eq!(lasts(expires, Some(at("2026-11-25T05:00:00Z")), now, hours(1)), hours(1));
        assert_eq!(lasts(expires, Some(at("2026-11-25T07:00:00Z")), now, None), hours(1));
        assert_eq!(lasts(expires, None, expires, None), None);
    }

    #[test]
    fn attempts_in_vain_come_at_longer_and_longer_intervals() {
        for (in_vain, seconds) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (40, 60)] {
            assert_eq!(backoff(in_vain, 0.0), Duration::from_secs(seconds), "{in_vain}");
            assert_eq!(backoff(in_vain, 1.0), Duration::from_secs(seconds).mul_f64(1.1), "{in_vain}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_renewed_while_it_lives(lasts in 1_u64..100_000_000, jitter in 0.0..=1.0) {
            let life = Life { began: MINUTE, lasts: Duration::from_millis(lasts) };
            let renewed = life.renew_at(jitter);
            prop_assert!(renewed >= life.began && renewed < life.ends());
            prop_assert!(life.is_on(renewed) && !life.is_on(life.ends()));
        }
    }
}
