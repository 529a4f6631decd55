//! What is known about the service's time, from its answers. Pure: this machine's two clocks come in as a [`Moment`].
//!
//! The `Date` of an answer was written between sending and receiving, in whole seconds, so it bounds the service's time
//! from both sides. Bounds are kept against the boot-time clock, which nobody sets. They are intersected with those of
//! later answers, and widened by the drift of that clock. An answer that contradicts the bounds changes nothing until a
//! second one agrees with it, because a gateway's `Date` may be wrong once.
//!
//! The result is an interval, not a point. Charging, expiring and releasing use the end of it that can do no harm
//! (DESIGN.md, "What may be believed"): [`Reading`].
//!
//! The first answer after a start is proof if it agrees with this machine's clock within half a minute. Until a second
//! one agrees, the interval holds both, so that neither of them alone moves the reset, a deadline or a release.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::{Reading, Time, from_millis, to_millis};

/// The boot-time clock drifts by at most this, in parts per million: the most by which the kernel slews it.
const DRIFT_PPM: i64 = 500;

/// Two machines of the service differ by at most this, in milliseconds; an answer's bounds are wider by it on both
/// sides.
const MACHINES_DIFFER_MS: i64 = 1_000;

/// `Date` has whole seconds; in milliseconds.
const DATE_STEP_MS: i64 = 1_000;

/// The first answer after a start needs no second one if it agrees with this machine's clock within this, in
/// milliseconds.
const WALL_AGREES_MS: i64 = 30_000;

/// If the service's answers have no `Date`, this machine's clock counts after this many of them.
const TIMELESS_ANSWERS: u32 = 3;

/// After this many contradictions in a row, no two of which agree, the service's `Date` counts as noise and the bounds
/// stay.
const CONTRADICTIONS_MAX: u32 = 3;

/// What an operation has borne out holds for so long against two answers of another one, in milliseconds.
const WITNESS_HOLDS_MS: i64 = 3_600_000;

/// If the bounds are further apart than this, a free call is worth making before anything depends on them.
const WIDE: TimeDelta = TimeDelta::seconds(30);

/// How far the bounds are from the wall clock when nothing is proved.
const FAR: TimeDelta = TimeDelta::days(36_500);

/// The reading of this machine's clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, which anybody may set.
    pub wall: Time,
    /// The time since boot, including suspended time; nobody sets it.
    pub boot: Duration,
}

impl Moment {
    fn boot_ms(self) -> i64 {
        i64::try_from(self.boot.as_millis()).unwrap_or(i64::MAX)
    }

    /// How far the wall clock is ahead of the boot-time clock, in milliseconds.
    fn wall_ahead(self) -> i64 {
        to_millis(self.wall) - self.boot_ms()
    }
}

/// What an answer taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new: it agrees, or tells no time.
    Nothing,
    /// The time is now proved.
    Proved,
    /// The service's answers tell no time: this machine's clock counts.
    WallCounts,
    /// It contradicts the bounds, and changes nothing until a second answer agrees with it.
    Contradicts,
    /// A second answer agrees with a contradiction: the service's time has changed by this much.
    Leapt(TimeDelta),
}

/// Bounds of the lead of the service's clock over the boot-time clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    /// When they were valid, by the boot-time clock.
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

    /// The intersection; none if they contradict each other.
    fn meet(self, other: Self) -> Option<Self> {
        let at = self.at.max(other.at);
        let (a, b) = (self.at(at), other.at(at));
        let met = Self { at, low: a.low.max(b.low), high: a.high.min(b.high) };
        (met.low <= met.high).then_some(met)
    }

    /// What holds both.
    fn hull(self, other: Self) -> Self {
        let at = self.at.max(other.at);
        let (a, b) = (self.at(at), other.at(at));
        Self { at, low: a.low.min(b.low), high: a.high.max(b.high) }
    }

    fn middle(self) -> i64 {
        i64::midpoint(self.low, self.high)
    }
}

/// What is known about the service's time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceClock {
    proved: Option<Bounds>,
    /// Whether they rest on one answer that agrees with this machine's clock.
    lone: bool,
    /// An answer that contradicts the bounds; or the first answer, if it disagrees with this machine's clock.
    word: Option<(&'static str, Bounds)>,
    contradictions: u32,
    /// The operations whose answers agreed with the bounds, and when each did so last, by the boot-time clock in
    /// milliseconds.
    witnesses: Vec<(&'static str, i64)>,
    timeless: u32,
    /// The lead of the wall clock over the boot-time clock at the last answer. If it leaps, the boot-time clock may
    /// have stood still (a frozen machine), and the service is asked.
    wall_ahead: Option<i64>,
}

impl ServiceClock {
    /// Learns from an answer of this operation that is provably the service's, with its `Date`, if it has one.
    ///
    /// Operations may have different front ends, and one of them may be wrong for good. So a second answer of the same
    /// operation does not outweigh what another operation has borne out lately: one of another operation must agree.
    pub fn hear(&mut self, operation: &'static str, sent: Moment, received: Moment, date: Option<Time>) -> Heard {
        self.wall_ahead = Some(received.wall_ahead());
        let Some(date) = date else { return self.hear_no_time(received) };
        self.timeless = 0;
        let answer = Bounds::of_answer(sent, received, date);
        if let Some(met) = self.proved.and_then(|known| known.meet(answer)) {
            (self.proved, self.lone, self.word, self.contradictions) = (Some(met), false, None, 0);
            self.bear_out(operation, received);
            return Heard::Nothing;
        }
        let wall_agrees = self.proved.is_none() && Bounds::of_wall(received).meet(answer).is_some();
        let agrees = self.word.and_then(|(by, word)| Some((by, word.meet(answer)?)));
        let second = agrees.filter(|(by, _)| *by != operation || !self.is_borne_out_by_others(operation, received));
        let Some(taken) = second.map(|(_, met)| met).or(wall_agrees.then_some(answer)) else {
            self.word = Some((operation, answer));
            self.contradictions = self.contradictions.saturating_add(1);
            return Heard::Contradicts;
        };
        let before = self.proved.replace(taken);
        (self.lone, self.word, self.contradictions) = (second.is_none(), None, 0);
        self.witnesses.clear();
        self.bear_out(operation, received);
        before.map_or(Heard::Proved, |before| Heard::Leapt(TimeDelta::milliseconds(taken.middle() - before.middle())))
    }

    /// Takes the service's time from another process: `there.wall` is that time, and nothing contradicts it yet.
    pub fn take(&mut self, there: Moment) {
        let (at, ahead) = (there.boot_ms(), there.wall_ahead());
        self.proved = Some(Bounds { at, low: ahead - MACHINES_DIFFER_MS, high: ahead + MACHINES_DIFFER_MS });
        self.lone = false;
    }

    fn bear_out(&mut self, operation: &'static str, received: Moment) {
        self.witnesses.retain(|(witness, _)| *witness != operation);
        self.witnesses.push((operation, received.boot_ms()));
    }

    fn is_borne_out_by_others(&self, operation: &'static str, received: Moment) -> bool {
        let is_other =
            |(witness, at): &(&str, i64)| *witness != operation && received.boot_ms() - at < WITNESS_HOLDS_MS;
        self.proved.is_some() && self.witnesses.iter().any(is_other)
    }

    fn hear_no_time(&mut self, received: Moment) -> Heard {
        if self.proved.is_some() && !self.lone {
            return Heard::Nothing;
        }
        self.timeless = self.timeless.saturating_add(1);
        if self.timeless < TIMELESS_ANSWERS {
            return Heard::Nothing;
        }
        let wall = Bounds::of_wall(received);
        (self.proved, self.lone) = (Some(self.proved.map_or(wall, |known| known.hull(wall))), false);
        Heard::WallCounts
    }

    /// What is known at a moment.
    pub fn reading(&self, moment: Moment) -> Reading {
        let now = moment.wall;
        let leapt = self.wall_ahead.is_some_and(|ahead| (moment.wall_ahead() - ahead).abs() > WALL_AGREES_MS);
        let Some(mut bounds) = self.proved.map(|bounds| bounds.at(moment.boot_ms())) else {
            return Reading {
                now,
                earliest: now - FAR,
                latest: now + FAR,
                proved: false,
                wants_word: true,
                lone: false,
            };
        };
        if self.lone {
            // No further than the clocks may differ: it may have been set since.
            let ahead = moment.wall_ahead().clamp(bounds.low - WALL_AGREES_MS, bounds.high + WALL_AGREES_MS);
            (bounds.low, bounds.high) = (bounds.low.min(ahead), bounds.high.max(ahead));
        }
        let earliest = from_millis(moment.boot_ms() + bounds.low);
        let latest = from_millis(moment.boot_ms() + bounds.high);
        let unsettled = self.word.is_some() && self.contradictions < CONTRADICTIONS_MAX;
        // The wall clock's bounds are always wide, and no answer will narrow them.
        let wide = latest - earliest > WIDE && self.timeless == 0;
        Reading {
            now: now.clamp(earliest, latest),
            earliest,
            latest,
            proved: true,
            wants_word: unsettled || leapt || wide,
            lone: self.lone,
        }
    }
}

#[cfg(test)]
mod tests;
