//! The third meter: how many URLs fit into the service's own queue of prefetches.
//!
//! For VOD its size is not documented, and it may be 100 (VOD-API.md, "Found since", 1). A batch that would exceed it
//! is refused as a whole with `PreloadQueueFull`, which may cost a request. So the size is searched for: accepted and
//! refused batches enclose it, batches are fitted to the present estimate, and each refusal halves the range that is
//! left to search. A known limit is tested now and then by the smallest step that was refused: ever more rarely while
//! that fails, and with doubled steps once it succeeds. Others may fill the queue too, and its size may change: newer
//! evidence replaces older evidence that contradicts it.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::{Backoff, Time};

/// The size that an official answer names; tried first where possible.
const LIKELY: u32 = 100;

/// A limit is known well enough when the smallest refusal exceeds it by at most this part: one more call to learn it
/// better would cost as much as the rest brings in 16 calls.
const SLACK_PART: u32 = 16;

/// A known limit is tested after this many batches that filled it; each failure in a row doubles the number ...
const TRY_AFTER_BATCHES: u32 = 8;

/// ... up to 16 times: then one call of 128 is wasted.
const TRY_DOUBLINGS_MAX: u32 = 4;

/// It is also tested after this time, however few batches fill it.
const TRY_AFTER: TimeDelta = TimeDelta::days(1);

/// A limit above this is not worth minding: a day's calls seldom have as many in flight.
const NO_LIMIT: u32 = 16_000;

/// When not even one URL fits while none of ours is on its way, one is tried after this.
const CLOSED_WAIT: Backoff = Backoff { min: Duration::from_secs(60), max: Duration::from_secs(3_600) };

/// A batch goes once there is room for this part of the limit, or for all of it if it needs less.
const WORTH_PART: u32 = 4;

/// A URL whose task cannot be asked for leaves the flight this long after its acceptance: the longest that a prefetch
/// takes (VOD-API.md: 5 to 30 minutes, by file size).
const UNSEEN_FLIES: TimeDelta = TimeDelta::minutes(30);

/// A URL whose task has not ended by then leaves the flight too: the task may be lost.
const SEEN_FLIES: TimeDelta = TimeDelta::hours(2);

/// The longest that a URL is in flight after its acceptance, unless its task is seen to end before.
pub fn flies_at_most(tasks_readable: bool) -> TimeDelta {
    if tasks_readable { SEEN_FLIES } else { UNSEEN_FLIES }
}

/// What is known about the size of the service's queue. Stored as JSON in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSize {
    /// Most URLs in flight when a batch was accepted, including that batch, since the size last fell.
    fits: u32,
    /// URLs in flight when a batch was refused, including that batch: this many are too many. None while the size
    /// grows.
    refused: Option<u32>,
    /// Batches accepted since then that left no room for more.
    filled: u32,
    /// Refusals in a row of tests of a known limit.
    held: u32,
    /// Refusals in a row of a single URL while none was in flight.
    closed: u32,
    /// When it last refused, in milliseconds since 1970.
    refused_at: i64,
}

impl QueueSize {
    /// After the first refusal.
    fn unknown() -> Self {
        Self { fits: 0, refused: None, filled: 0, held: 0, closed: 0, refused_at: 0 }
    }

    /// A batch of `urls` was refused at `now` because the queue was full, with `in_flight` URLs in flight.
    pub fn after_refusal(known: Option<&Self>, in_flight: u32, urls: u32, now: Time) -> Self {
        let mut size = known.cloned().unwrap_or_else(Self::unknown);
        let too_many = in_flight.saturating_add(urls).max(1);
        let was_tried = size.is_settled() && size.refused.is_some_and(|refused| too_many >= refused);
        size.held = if was_tried { size.held.saturating_add(1) } else { size.held };
        if too_many <= size.fits {
            // What fitted before does not fit any more: only that is known.
            (size.fits, size.held) = (0, 0);
        }
        size.refused = Some(size.refused.map_or(too_many, |refused| refused.min(too_many)));
        size.closed = if too_many == 1 { size.closed.saturating_add(1) } else { 0 };
        size.filled = 0;
        size.refused_at = now.timestamp_millis();
        size
    }

    /// A batch of `urls` was accepted with `in_flight` URLs in flight. None when there is no limit left to mind.
    pub fn after_acceptance(&self, in_flight: u32, urls: u32, now: Time) -> Option<Self> {
        let together = in_flight.saturating_add(urls);
        let mut size = self.clone();
        size.filled = if together >= self.aim(now) { self.filled.saturating_add(1) } else { self.filled };
        size.fits = self.fits.max(together);
        size.closed = 0;
        if self.refused.is_some_and(|refused| refused <= together) {
            (size.refused, size.held) = (None, 0);
        }
        (size.refused.is_some() || size.fits < NO_LIMIT).then_some(size)
    }

    /// The most URLs to have in flight: what fits, or what is tried next.
    pub fn aim(&self, now: Time) -> u32 {
        let Some(refused) = self.refused else { return self.fits.saturating_mul(2).max(1) };
        if self.is_settled() {
            return if self.may_try(now) { refused } else { self.fits.max(1) };
        }
        let possible = self.fits + 1..refused;
        match LIKELY {
            likely if possible.contains(&likely) => likely,
            // It equals the likely size: one more URL tells.
            likely if self.fits == likely => likely + 1,
            _ => self.fits + (refused - self.fits) / 2,
        }
    }

    /// What the operator is told: how many URLs fit, as certain as that can be; at least 1.
    pub fn limit(&self) -> u32 {
        self.fits.max(1)
    }

    /// Whether a further search would cost more than it can bring.
    fn is_settled(&self) -> bool {
        let slack = (self.fits / SLACK_PART).max(1);
        self.refused.is_some_and(|refused| refused.saturating_sub(self.fits) <= slack)
    }

    fn may_try(&self, now: Time) -> bool {
        let after = TRY_AFTER_BATCHES << self.held.min(TRY_DOUBLINGS_MAX);
        self.filled >= after || now.timestamp_millis() - self.refused_at >= TRY_AFTER.num_milliseconds()
    }

    /// When a single URL may be tried although not even one fitted; none if it may go now.
    fn closed_until(&self, now: Time) -> Option<Time> {
        let refused_at = crate::model::from_millis(self.refused_at).min(now);
        let until = CLOSED_WAIT.bound_from(refused_at, self.closed);
        (self.closed > 0 && until > now).then_some(until)
    }
}

/// URLs in flight, for an account whose queue has been full before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// Our URLs that were accepted and have not ended, as far as is known.
    pub in_flight: u32,
    /// When the first of them leaves the flight, unless it is seen to end before.
    pub leaves_at: Option<Time>,
    /// What is known about the queue.
    pub size: QueueSize,
    /// Whether the last refusal could mean that the day's quota is used up: then the remaining quota is asked for
    /// first.
    pub unproved: bool,
}

/// Nothing fits now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// When to look again at the latest; earlier if tasks are seen to end.
    pub until: Time,
    /// The most URLs to have in flight.
    pub limit: u32,
}

impl Flight {
    /// How many URLs fit beside those in flight; at least 1.
    ///
    /// # Errors
    ///
    /// Nothing fits now; says until when.
    pub fn room(&self, now: Time) -> Result<u32, Full> {
        let limit = self.size.aim(now);
        if let Some(until) = self.size.closed_until(now) {
            return Err(Full { until, limit: self.size.limit() });
        }
        match limit.saturating_sub(self.in_flight) {
            0 => Err(self.full(now)),
            room => Ok(room),
        }
    }

    /// Whether a batch of this many goes now or waits for more room. `plentiful_from` is when requests are no longer
    /// scarce: until then a batch should fill the limit, afterwards a part of it. If it `hurries`, it only waits for
    /// that part.
    ///
    /// # Errors
    ///
    /// It should wait; says until when.
    pub fn is_worth_a_call(
        &self,
        room: u32,
        urls: u32,
        hurries: bool,
        plentiful_from: Time,
        now: Time,
    ) -> Result<(), Full> {
        let limit = self.size.aim(now);
        let is_scarce = plentiful_from > now && !hurries;
        let worth = if is_scarce { limit } else { limit.div_ceil(WORTH_PART) };
        if room >= urls.min(worth) || self.in_flight == 0 {
            return Ok(());
        }
        let full = self.full(now);
        Err(Full { until: if is_scarce { full.until.min(plentiful_from) } else { full.until }, ..full })
    }

    fn full(&self, now: Time) -> Full {
        let at_most = now + SEEN_FLIES;
        Full { until: self.leaves_at.map_or(at_most, |at| at.clamp(now, at_most)), limit: self.size.limit() }
    }
}

#[cfg(test)]
mod tests;
