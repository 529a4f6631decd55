//! The one place where the time is read. Stage loops hold a [`Clock`] and hand the time on as a parameter.

use std::sync::Arc;
use std::sync::Mutex;

use chrono::{TimeDelta, Utc};

use crate::model::Time;

/// A clock: the system's, or one that stands where a test put it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Mutex<Time>>>);

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that only moves by [`Clock::advance`].
    pub fn standing_at(now: Time) -> Self {
        Self(Some(Arc::new(Mutex::new(now))))
    }

    /// The time now.
    pub fn now(&self) -> Time {
        match &self.0 {
            None => Utc::now(),
            Some(standing) => *standing.lock().expect("no holder of the clock panics"),
        }
    }

    /// Moves a standing clock; the system's is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Some(standing) = &self.0 {
            *standing.lock().expect("no holder of the clock panics") += by;
        }
    }
}
