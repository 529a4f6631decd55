//! The service's time as far as it is known: an interval.

use std::time::Duration;

use chrono::TimeDelta;

use super::Time;

/// What is known about the service's time at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The best guess: this machine's clock, moved into the bounds. For signatures and for display.
    pub now: Time,
    /// The time is at least this.
    pub earliest: Time,
    /// The time is at most this.
    pub latest: Time,
    /// Whether an answer of the service has confirmed it. If not, the bounds are so wide that nothing depends on them.
    pub proved: bool,
    /// Whether a free call should be made before a call that costs.
    pub wants_word: bool,
    /// Whether it rests on one answer alone, so that the bounds reach as far as this machine's clock. Where the two
    /// differ about something, a second answer is worth a free call.
    pub lone: bool,
}

impl Reading {
    /// A certain time, for forecasts and tests.
    pub fn certain(now: Time) -> Self {
        Self { now, earliest: now, latest: now, proved: true, wants_word: false, lone: false }
    }

    /// Whether `at` has certainly come.
    pub fn is_past(&self, at: Time) -> bool {
        self.earliest >= at
    }

    /// Whether it is certainly before `at` during all of the next `for_so_long`.
    pub fn stays_before(&self, at: Time, for_so_long: Duration) -> bool {
        let longest = TimeDelta::from_std(for_so_long).unwrap_or(TimeDelta::MAX);
        self.latest.checked_add_signed(longest).is_some_and(|end| end < at)
    }

    /// When, by this machine's best guess, `at` will certainly have come; in whole seconds, so that it stays the same
    /// while the bounds widen.
    pub fn surely_at(&self, at: Time) -> Time {
        let behind = if self.proved { self.now - self.earliest } else { TimeDelta::zero() };
        at + TimeDelta::milliseconds((behind.num_milliseconds() + 999) / 1000 * 1000)
    }
}
