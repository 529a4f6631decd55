//! What is known of the service's time, from its answers. Pure: the two clocks of this machine come in as a
//! [`Moment`].
//!
//! An answer's `Date` was written between the sending and the receiving, and has whole seconds: so it bounds the
//! service's time from both sides. Bounds are kept against the boot-time clock, which nobody sets; they are
//! intersected with those of later answers and widened by the drift of that clock. An answer that contradicts what is
//! known changes nothing until a second one agrees with it: a gateway's wrong `Date`, once, is only a word.
//!
//! The result is an interval, not a point. What charges, expires or releases is decided at the end of it that can do
//! no harm (DESIGN.md, "What may be believed"): [`Reading`].

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::{Reading, Time, from_millis, to_millis};

/// The boot-time clock runs no faster or slower than this, in parts per million: the most by which the kernel slews it.
const DRIFT_PPM: i64 = 500;

/// Two machines of the service differ by no more, in milliseconds: an answer's bounds are so much wider on both sides.
const MACHINES_DIFFER_MS: i64 = 1_000;

/// `Date` has whole seconds, in milliseconds.
const DATE_STEP_MS: i64 = 1_000;

/// The first answer after a start needs no second one if this machine's clock agrees with it to so much, in
/// milliseconds.
const WALL_AGREES_MS: i64 = 30_000;

/// Where the service's answers bring no `Date`, so many of them make this machine's clock count.
const TIMELESS_ANSWERS: u32 = 3;

/// Contradictions in a row, no two of which agree, until the service's `Date` is taken for noise and the bounds stay.
const CONTRADICTIONS_MAX: u32 = 3;

/// Bounds that are further apart than this are worth a free call before anything depends on them.
const WIDE: TimeDelta = TimeDelta::seconds(30);

/// Nothing is known beyond this, when nothing is proved.
const FAR: TimeDelta = TimeDelta::days(36_500);

/// What this machine's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, which anybody may set.
    pub wall: Time,
    /// The time since boot, suspended time included, which nobody sets.
    pub boot: Duration,
}

impl Moment {
    fn boot_ms(self) -> i64 {
        i64::try_from(self.boot.as_millis()).unwrap_or(i64::MAX)
    }

    /// What the wall clock is ahead of the boot-time clock, in milliseconds.
    fn wall_ahead(self) -> i64 {
        to_millis(self.wall) - self.boot_ms()
    }
}

/// What an answer taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new: it agrees, or it does not tell the time.
    Nothing,
    /// The time is proved now.
    Proved,
    /// The service's answers do not tell the time: this machine's clock counts.
    WallCounts,
    /// It contradicts what is known, and changes nothing until a second answer agrees with it.
    Contradicts,
    /// A second answer agrees with one that contradicted what was known: the service's time is another, by so much.
    Leapt(TimeDelta),
}

/// Bounds of what the service's clock is ahead of the boot-time clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// When they held, by the boot-time clock.
    at: i64,
    low: i64,
    high: i64,
}

impl Bounds {
    fn of_answer(sent: Moment, received: Moment, date: Time) -> Self {
        let date = to_millis(date);
        Self {
            at: received.boot_ms(),
            low: date - received.boot_ms() - MACHINES_DIFFER_MS,
            high: date - sent.boot_ms() + DATE_STEP_MS + MACHINES_DIFFER_MS,
        }
    }

    fn of_wall(moment: Moment) -> Self {
        let ahead = moment.wall_ahead();
        Self { at: moment.boot_ms(), low: ahead - WALL_AGREES_MS, high: ahead + WALL_AGREES_MS }
    }

    fn at(self, boot_ms: i64) -> Self {
        let drift = (boot_ms - self.at).abs().saturating_mul(DRIFT_PPM) / 1_000_000 + 1;
        Self { at: boot_ms, low: self.low - drift, high: self.high + drift }
    }

    /// What both allow; none if they contradict each other.
    fn meet(self, other: Self) -> Option<Self> {
        let at = self.at.max(other.at);
        let (a, b) = (self.at(at), other.at(at));
        let met = Self { at, low: a.low.max(b.low), high: a.high.min(b.high) };
        (met.low <= met.high).then_some(met)
    }

    fn middle(self) -> i64 {
        i64::midpoint(self.low, self.high)
    }
}

/// What is known of the service's time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceClock {
    proved: Option<Bounds>,
    /// An answer that contradicts what is known, or the first one if this machine's clock does not agree with it.
    word: Option<Bounds>,
    contradictions: u32,
    timeless: u32,
    /// What the wall clock was ahead of the boot-time clock when an answer was heard last: if it leaps, the boot-time
    /// clock may have stood still (a machine that was frozen), and the service is asked.
    wall_ahead: Option<i64>,
}

impl ServiceClock {
    /// Takes an answer that is provably the service's, with its `Date`, if it has one.
    pub fn hear(&mut self, sent: Moment, received: Moment, date: Option<Time>) -> Heard {
        self.wall_ahead = Some(received.wall_ahead());
        let Some(date) = date else { return self.hear_no_time(received) };
        self.timeless = 0;
        let answer = Bounds::of_answer(sent, received, date);
        if let Some(met) = self.proved.and_then(|known| known.meet(answer)) {
            (self.proved, self.word, self.contradictions) = (Some(met), None, 0);
            return Heard::Nothing;
        }
        let wall_agrees = self.proved.is_none() && Bounds::of_wall(received).meet(answer).is_some();
        let second = self.word.and_then(|word| word.meet(answer));
        let Some(taken) = second.or(wall_agrees.then_some(answer)) else {
            self.word = Some(answer);
            self.contradictions = self.contradictions.saturating_add(1);
            return Heard::Contradicts;
        };
        let before = self.proved.replace(taken);
        (self.word, self.contradictions) = (None, 0);
        before.map_or(Heard::Proved, |before| Heard::Leapt(TimeDelta::milliseconds(taken.middle() - before.middle())))
    }

    /// Takes the service's time from somebody who knows it: `there.wall` is that time, and nothing contradicts it yet.
    pub fn take(&mut self, there: Moment) {
        let (at, ahead) = (there.boot_ms(), there.wall_ahead());
        self.proved = Some(Bounds { at, low: ahead - MACHINES_DIFFER_MS, high: ahead + MACHINES_DIFFER_MS });
    }

    fn hear_no_time(&mut self, received: Moment) -> Heard {
        if self.proved.is_some() {
            return Heard::Nothing;
        }
        self.timeless = self.timeless.saturating_add(1);
        if self.timeless < TIMELESS_ANSWERS {
            return Heard::Nothing;
        }
        self.proved = Some(Bounds::of_wall(received));
        Heard::WallCounts
    }

    /// What is known at a moment.
    pub fn reading(&self, moment: Moment) -> Reading {
        let now = moment.wall;
        let leapt = self.wall_ahead.is_some_and(|ahead| (moment.wall_ahead() - ahead).abs() > WALL_AGREES_MS);
        let Some(bounds) = self.proved.map(|bounds| bounds.at(moment.boot_ms())) else {
            return Reading { now, earliest: now - FAR, latest: now + FAR, proved: false, wants_word: true };
        };
        let earliest = from_millis(moment.boot_ms() + bounds.low);
        let latest = from_millis(moment.boot_ms() + bounds.high);
        let unsettled = self.word.is_some() && self.contradictions < CONTRADICTIONS_MAX;
        // Bounds of the wall clock are wide from the first on, and no answer will narrow them.
        let wide = latest - earliest > WIDE && self.timeless == 0;
        Reading {
            now: now.clamp(earliest, latest),
            earliest,
            latest,
            proved: true,
            wants_word: unsettled || leapt || wide,
        }
    }
}

#[cfg(test)]
mod tests;
