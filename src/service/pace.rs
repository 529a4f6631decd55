//! The pace of calls. Governor keeps the rate; throttling halves it, and each call that is not throttled restores a
//! little.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::info;

/// The slowest pace, in calls per second: backoff takes care of anything slower.
const RATE_MIN: f64 = 0.1;

/// The longest wait for a turn, at the slowest pace.
pub const TURN_MAX: Duration = Duration::from_secs(10);

/// The part of the configured rate that each call without throttling restores.
const RECOVERED_A_CALL: f64 = 0.05;

/// Where calls wait for their turn: one at a time and at one pace, whichever stage makes them.
#[derive(Debug)]
pub(super) struct Gate {
    pace: Arc<Mutex<Pace>>,
    /// Calls per second, as configured.
    rate_max: AtomicU32,
}

/// A call's turn. No other call passes the gate while it is held.
#[derive(Debug)]
pub struct Turn(OwnedMutexGuard<Pace>);

impl Gate {
    pub(super) fn new(calls_per_second: u32) -> Self {
        let pace = Pace::new(f64::from(calls_per_second));
        Self { pace: Arc::new(Mutex::new(pace)), rate_max: AtomicU32::new(calls_per_second) }
    }

    /// Sets another fastest pace, from the next turn on.
    pub(super) fn set_rate(&self, calls_per_second: u32) {
        self.rate_max.store(calls_per_second, Ordering::Relaxed);
    }

    /// Waits for the next turn.
    pub(super) async fn turn(&self) -> Turn {
        let mut pace = Arc::clone(&self.pace).lock_owned().await;
        pace.set_max(f64::from(self.rate_max.load(Ordering::Relaxed)));
        pace.until_ready().await;
        Turn(pace)
    }
}

impl Turn {
    /// The call of this turn was answered; `throttled` or not.
    pub(super) fn answered(mut self, throttled: bool) {
        if self.0.answered(throttled) {
            info!(calls_per_second = self.0.rate(), "throttled: calls go slower, and speed up again step by step");
        }
    }
}

/// The present pace.
#[derive(Debug)]
struct Pace {
    limiter: DefaultDirectRateLimiter,
    rate: f64,
    rate_max: f64,
}

impl Pace {
    /// Starts at the configured rate, which is the fastest.
    fn new(rate_max: f64) -> Self {
        Self { limiter: limiter(rate_max), rate: rate_max, rate_max }
    }

    /// Waits until the next call may go.
    async fn until_ready(&self) {
        self.limiter.until_ready().await;
    }

    /// A call was answered; `throttled` or not. True if that slowed the pace down.
    fn answered(&mut self, throttled: bool) -> bool {
        let rate = next_rate(self.rate, self.rate_max, throttled);
        if rate.to_bits() == self.rate.to_bits() {
            return false;
        }
        self.rate = rate;
        self.limiter = limiter(rate);
        // A new limiter would let the next call go at once, but it must wait its turn.
        let _ = self.limiter.check();
        throttled
    }

    /// Sets another fastest pace; a pace that was slowed down recovers from where it is.
    fn set_max(&mut self, rate_max: f64) {
        if rate_max.to_bits() == self.rate_max.to_bits() {
            return;
        }
        let rate = if self.rate.to_bits() == self.rate_max.to_bits() { rate_max } else { self.rate.min(rate_max) };
        *self = Self { limiter: limiter(rate), rate, rate_max };
    }

    /// The present rate in calls per second.
    fn rate(&self) -> f64 {
        self.rate
    }
}

/// Multiplicative decrease, additive increase.
fn next_rate(rate: f64, rate_max: f64, throttled: bool) -> f64 {
    if throttled { (rate / 2.0).max(RATE_MIN) } else { (rate + rate_max * RECOVERED_A_CALL).min(rate_max) }
}

/// One call at a time, evenly spaced.
fn limiter(rate: f64) -> DefaultDirectRateLimiter {
    let period = Duration::from_secs_f64(1.0 / rate);
    let quota = Quota::with_period(period).expect("a rate is above zero and finite");
    RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_a_turn_is_held_no_other_call_goes_and_a_new_rate_holds_from_the_next_one() {
        let gate = Gate::new(100);
        let turn = gate.turn().await;
        let next = tokio::time::timeout(Duration::from_millis(50), gate.turn());
        assert!(next.await.is_err(), "the second call has to wait for the first");
        gate.set_rate(50);
        turn.answered(false);
        let turn = gate.turn().await;
        assert!((turn.0.rate() - 50.0).abs() < 1e-9);
        turn.answered(true);
        let turn = gate.turn().await;
        assert!((turn.0.rate() - 25.0).abs() < 1e-9);
    }

    #[test]
    fn throttling_halves_the_rate_and_calls_bring_it_back() {
        let mut pace = Pace::new(10.0);
        assert!(!pace.answered(false));
        assert!(pace.answered(true) && pace.answered(true));
        assert!((pace.rate() - 2.5).abs() < 1e-9);
        for _ in 0..15 {
            assert!(!pace.answered(false));
        }
        assert!((pace.rate() - 10.0).abs() < 1e-9);
        for _ in 0..100 {
            pace.answered(true);
        }
        assert!((pace.rate() - RATE_MIN).abs() < 1e-9);
    }

    #[test]
    fn a_pace_that_changes_lets_no_call_go_early() {
        let mut pace = Pace::new(1.0);
        assert!(pace.limiter.check().is_ok());
        pace.answered(true);
        for _ in 0..5 {
            assert!(pace.limiter.check().is_err());
            pace.answered(false);
        }
    }
}
