//! Exponential backoff with full jitter: a random wait between nothing and a bound that doubles with each failure in
//! a row, so that callers that failed together do not come back together.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::Time;

/// An answer's `Retry-After`, a probe of a paused account and a full queue make nobody wait for longer.
pub const ASKED_TO_WAIT_MAX: TimeDelta = TimeDelta::hours(1);

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first wait (`[retry] backoff_min`).
    pub min: Duration,
    /// Bound of every later one (`[retry] backoff_max`).
    pub max: Duration,
}

/// Until when an answer asks to be left alone: for `retry_after`, of which no more is believed than an hour.
pub fn asked_to_wait(retry_after: Option<Duration>, now: Time) -> Time {
    let asked = TimeDelta::from_std(retry_after.unwrap_or_default()).unwrap_or(TimeDelta::MAX);
    now + asked.min(ASKED_TO_WAIT_MAX)
}

impl Backoff {
    /// The longest wait after so many failures in a row.
    pub fn bound(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.min.saturating_mul(factor).min(self.max)
    }

    /// The longest wait that anything is written down with: the last backoff's, or what an answer may ask for.
    pub fn longest(&self) -> TimeDelta {
        TimeDelta::from_std(self.max).unwrap_or(TimeDelta::MAX).max(ASKED_TO_WAIT_MAX)
    }

    /// When the next call may go after `failures` in a row, the last of them `now`. `jitter` is drawn from [0, 1).
    pub fn until(&self, now: Time, failures: u32, jitter: f64) -> Time {
        now + TimeDelta::from_std(self.bound(failures).mul_f64(jitter.clamp(0.0, 1.0))).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::from_millis;

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(2), max: Duration::from_secs(900) };

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        let bounds: Vec<u64> = [1, 2, 3, 9, 10, 11, u32::MAX].map(|n| BACKOFF.bound(n).as_secs()).to_vec();
        assert_eq!(bounds, [2, 4, 8, 512, 900, 900, 900]);
    }

    #[test]
    fn nobody_is_left_alone_for_longer_than_an_hour() {
        let now = from_millis(0);
        let asked = |seconds| (asked_to_wait(Some(Duration::from_secs(seconds)), now) - now).num_seconds();
        assert_eq!([0, 7, 3_600, 3_601, u64::MAX].map(asked), [0, 7, 3_600, 3_600, 3_600]);
        assert_eq!(asked_to_wait(None, now), now);
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_nothing_and_its_bound(failures in 0_u32..100, jitter in 0.0_f64..1.0) {
            let now = from_millis(0);
            let wait = (BACKOFF.until(now, failures, jitter) - now).to_std().expect("not before now");
            prop_assert!(wait <= BACKOFF.bound(failures));
        }

        #[test]
        fn the_whole_range_is_used(failures in 1_u32..20) {
            let now = from_millis(0);
            let bound = TimeDelta::from_std(BACKOFF.bound(failures)).expect("in range");
            prop_assert_eq!(BACKOFF.until(now, failures, 0.0), now);
            prop_assert!(BACKOFF.until(now, failures, 0.99) - now > bound * 9 / 10);
        }
    }
}
