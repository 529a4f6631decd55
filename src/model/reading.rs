//! The service's time, as far as it is known: an interval.

use std::time::Duration;

use chrono::TimeDelta;

use super::Time;

/// What is known of the service's time at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The best guess: this machine's clock, moved into the bounds. For signatures, and for what is only shown.
    pub now: Time,
    /// It is this time at least.
    pub earliest: Time,
    /// It is this time at most.
    pub latest: Time,
    /// Whether an answer of the service bears it out. If not, the bounds are so far apart that nothing depends on them.
    pub proved: bool,
    /// Whether a free call should be made before a call that costs.
    pub wants_word: bool,
}

impl Reading {
    /// A time that is beyond doubt: a forecast's, a test's.
    pub fn certain(now: Time) -> Self {
        Self { now, earliest: now, latest: now, proved: true, wants_word: false }
    }

    /// Whether `at` has surely come.
    pub fn is_past(&self, at: Time) -> bool {
        self.earliest >= at
    }

    /// Whether it is surely before `at` during all of the next `for_so_long`.
    pub fn stays_before(&self, at: Time, for_so_long: Duration) -> bool {
        let longest = TimeDelta::from_std(for_so_long).unwrap_or(TimeDelta::MAX);
        self.latest.checked_add_signed(longest).is_some_and(|end| end < at)
    }

    /// When, by this machine's best guess, `at` will surely have come: in whole seconds, so that it stays what it is
    /// while the bounds widen.
    pub fn surely_at(&self, at: Time) -> Time {
        let behind = if self.proved { self.now - self.earliest } else { TimeDelta::zero() };
        at + TimeDelta::milliseconds((behind.num_milliseconds() + 999) / 1000 * 1000)
    }
}
