//! Exponential backoff with full jitter: a random wait up to a bound that doubles with each failure in a row, so that
//! callers that failed together do not come back together.

use std::time::Duration;

use chrono::TimeDelta;

use super::Time;

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first wait.
    pub min: Duration,
    /// Bound of every later one.
    pub max: Duration,
}

impl Backoff {
    /// The longest wait after so many failures in a row, at least one.
    pub fn bound(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.min.saturating_mul(factor).min(self.max)
    }

    /// The end of the longest wait that begins `now`, after `failures` in a row: for waits that nobody else waits for,
    /// so that they need no jitter.
    pub fn bound_from(&self, now: Time, failures: u32) -> Time {
        now + TimeDelta::from_std(self.bound(failures)).unwrap_or(TimeDelta::MAX)
    }

    /// When the next call may go after `failures` in a row, the last one at `now`. `jitter` is drawn from [0, 1).
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
            let bound = BACKOFF.bound_from(now, failures) - now;
            prop_assert_eq!(BACKOFF.until(now, failures, 0.0), now);
            prop_assert!(BACKOFF.until(now, failures, 0.99) - now > bound * 9 / 10);
        }
    }
}
