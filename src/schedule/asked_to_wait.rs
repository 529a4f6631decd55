//! How long to wait when an answer asks for it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::{Backoff, Time};

/// The longest wait that an answer's `Retry-After`, a probe of a paused account or a full queue can cause.
pub const ASKED_TO_WAIT_MAX: TimeDelta = TimeDelta::hours(1);

/// Until when to wait if an answer asks for `retry_after`; at most an hour from now.
pub fn asked_to_wait(retry_after: Option<Duration>, now: Time) -> Time {
    let asked = TimeDelta::from_std(retry_after.unwrap_or_default()).unwrap_or(TimeDelta::MAX);
    now + asked.min(ASKED_TO_WAIT_MAX)
}

/// The longest wait that is ever stored: the last of `backoff`, or what an answer may ask for.
pub fn longest_wait(backoff: &Backoff) -> TimeDelta {
    TimeDelta::from_std(backoff.max).unwrap_or(TimeDelta::MAX).max(ASKED_TO_WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    #[test]
    fn nobody_is_left_alone_for_longer_than_an_hour() {
        let now = from_millis(0);
        let asked = |seconds| (asked_to_wait(Some(Duration::from_secs(seconds)), now) - now).num_seconds();
        assert_eq!([0, 7, 3_600, 3_601, u64::MAX].map(asked), [0, 7, 3_600, 3_600, 3_600]);
        assert_eq!(asked_to_wait(None, now), now);
    }
}
