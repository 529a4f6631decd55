//! A stage's sign of life. The stage says when it has moved, and for how long it will be busy with one thing at most;
//! the watchdog is fed only while nobody is longer away than it said.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One stage's pulse; copies are the same pulse.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    /// It has moved, and moves again soon.
    pub fn beat(&self) {
        self.away(Duration::ZERO);
    }

    /// It has moved, and what it does now may take so long: a wait, a call.
    pub fn away(&self, at_most: Duration) {
        *self.0.lock().expect("no holder of a pulse panics") = Instant::now() + at_most;
    }

    /// For how long it should have moved by now.
    pub fn overdue(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.0.lock().expect("no holder of a pulse panics"))
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_overdue_only_after_the_time_that_it_asked_for() {
        let pulse = Pulse::default();
        pulse.away(Duration::from_secs(30));
        let now = Instant::now();
        assert_eq!(pulse.overdue(now), Duration::ZERO);
        assert!(pulse.overdue(now + Duration::from_secs(31)) > Duration::ZERO);
        pulse.clone().beat();
        assert!(pulse.overdue(now + Duration::from_secs(31)) > Duration::from_secs(29));
    }
}
