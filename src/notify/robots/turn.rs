//! When a robot may be sent a message. Pure.

use std::time::Duration;

use chrono::{TimeDelta, Timelike as _};

use crate::config::RobotKind;
use crate::model::{Backoff, Time};

/// What is not urgent is told together, at most this often.
const DIGEST_EVERY: TimeDelta = TimeDelta::seconds(60);

/// What is urgent is told at once, but at most this often: 10 a minute, where the strictest robots take 20.
const URGENT_EVERY: TimeDelta = TimeDelta::seconds(6);

/// Waits after failures.
const AGAIN: Backoff = Backoff { min: Duration::from_secs(60), max: Duration::from_secs(3_600) };

/// After too many messages `DingTalk` takes none for this long.
const BLOCKED_FOR: TimeDelta = TimeDelta::minutes(10);

/// Feishu is crowded at full and half hours, and refuses then.
const CROWDED_FOR: u32 = 15;

/// What happened to the last messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// When the last one was sent, taken or not.
    pub(super) tried_at: Option<Time>,
    /// Failures since the last one that was taken.
    pub(super) failures: u32,
    /// The last one came too soon after others.
    pub(super) too_fast: bool,
}

/// When the next message may go, of which something is urgent or not. Not after an hour from now, whatever clock
/// wrote the past.
pub(super) fn next_at(kind: RobotKind, past: Past, urgent: bool, now: Time) -> Time {
    let Some(tried_at) = past.tried_at.map(|at| at.min(now)) else { return uncrowded(kind, now) };
    let wait = match past.failures {
        0 if urgent => URGENT_EVERY,
        0 => DIGEST_EVERY,
        failures => {
            let wait = TimeDelta::from_std(AGAIN.bound(failures)).unwrap_or(DIGEST_EVERY);
            if past.too_fast { wait.max(BLOCKED_FOR) } else { wait }
        }
    };
    uncrowded(kind, (tried_at + wait).max(now))
}

fn uncrowded(kind: RobotKind, at: Time) -> Time {
    if kind == RobotKind::Feishu && at.minute().is_multiple_of(30) && at.second() < CROWDED_FOR {
        return at + TimeDelta::seconds(i64::from(CROWDED_FOR - at.second()));
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    /// 2023-11-14T22:13:20Z and so many seconds.
    fn at(seconds: i64) -> Time {
        from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn digests_go_once_a_minute_and_what_is_urgent_ten_times() {
        let past = Past { tried_at: Some(at(0)), ..Past::default() };
        assert_eq!(next_at(RobotKind::Wecom, Past::default(), false, at(0)), at(0));
        assert_eq!(next_at(RobotKind::Wecom, past, false, at(1)), at(60));
        assert_eq!(next_at(RobotKind::Wecom, past, true, at(1)), at(6));
        assert_eq!(next_at(RobotKind::Wecom, past, true, at(100)), at(100));
    }

    #[test]
    fn failures_are_spaced_and_a_block_is_waited_for() {
        let past = |failures, too_fast| Past { tried_at: Some(at(0)), failures, too_fast };
        assert_eq!(next_at(RobotKind::Dingtalk, past(1, false), true, at(1)), at(60));
        assert_eq!(next_at(RobotKind::Dingtalk, past(2, false), true, at(1)), at(120));
        assert_eq!(next_at(RobotKind::Dingtalk, past(1, true), true, at(1)), at(600));
        assert_eq!(next_at(RobotKind::Dingtalk, past(40, false), true, at(1)), at(3_600));
        // A wrong clock wrote it.
        let future = Past { tried_at: Some(at(1_000_000)), failures: 40, too_fast: false };
        assert_eq!(next_at(RobotKind::Dingtalk, future, true, at(1)), at(3_601));
    }

    #[test]
    fn feishu_is_left_alone_at_full_and_half_hours() {
        // 22:30:00 is 1,000 seconds later.
        assert_eq!(next_at(RobotKind::Feishu, Past::default(), true, at(1_000)), at(1_015));
        assert_eq!(next_at(RobotKind::Feishu, Past::default(), true, at(1_014)), at(1_015));
        assert_eq!(next_at(RobotKind::Feishu, Past::default(), true, at(1_015)), at(1_015));
        assert_eq!(next_at(RobotKind::Wecom, Past::default(), true, at(1_000)), at(1_000));
    }
}
