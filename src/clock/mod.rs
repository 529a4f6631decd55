//! The only place where clocks are read. Stages hold a [`Clock`] and pass the time on as a parameter.
//!
//! All stages share what one `ServiceClock` has learned from the service's answers. [`Clock::reading`] is the service's
//! time as far as it is known, for budgets, deadlines and waits; [`Clock::now`] is its best guess; [`Clock::wall`] is
//! this machine's clock alone, to compare with times of files and other processes.

mod service;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tracing::warn;

use crate::model::{Reading, Time};

pub use service::{Heard, Moment, ServiceClock};

/// A clock: the system's, or one that a test controls.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    standing: Option<Arc<Mutex<StoppedClocks>>>,
    service: Arc<Mutex<ServiceClock>>,
    /// The lead of the service's clock over this machine's when it was last logged.
    said: Arc<Mutex<TimeDelta>>,
}

/// The lead of the service's clock is logged again when it has changed by this much.
const DIFFERENCE_SAID: TimeDelta = TimeDelta::seconds(5);

/// A machine's clocks that move only when a test moves them.
#[derive(Debug)]
struct StoppedClocks {
    moment: Moment,
    /// Whether the wall clock is certain; if not, the service's answers must prove it.
    certain: bool,
}

impl Clock {
    /// The system's clocks; nothing is known about the service's time yet.
    pub fn system() -> Self {
        Self::default()
    }

    /// A certain clock that moves only by [`Clock::advance`].
    pub fn standing_at(now: Time) -> Self {
        Self::standing(now, true)
    }

    /// The clocks of a machine whose wall clock shows `wall`, which may be wrong. They move only by [`Clock::advance`]
    /// and [`Clock::set`]. Nothing is known about the service's time yet.
    pub fn of_a_machine(wall: Time) -> Self {
        Self::standing(wall, false)
    }

    fn standing(wall: Time, certain: bool) -> Self {
        let moment = Moment { wall, boot: Duration::from_secs(1_000_000) };
        Self {
            standing: Some(Arc::new(Mutex::new(StoppedClocks { moment, certain }))),
            service: Arc::default(),
            said: Arc::default(),
        }
    }

    /// The same clocks in a process that has just started and knows nothing of what the last one learned.
    pub fn after_a_restart(&self) -> Self {
        Self { standing: self.standing.clone(), service: Arc::default(), said: Arc::default() }
    }

    /// The clock of a command. The daemon told it how far the service's clock is ahead of this machine's, in
    /// milliseconds; none if unknown.
    pub fn told(ahead_ms: Option<i64>) -> Self {
        let clock = Self::system();
        if let Some(ahead_ms) = ahead_ms {
            let now = clock.moment();
            let date = Moment { wall: now.wall + TimeDelta::milliseconds(ahead_ms), ..now };
            clock.service().take(date);
        }
        clock
    }

    /// This machine's wall clock.
    pub fn wall(&self) -> Time {
        self.moment().wall
    }

    /// The best guess of the service's time.
    pub fn now(&self) -> Time {
        self.reading().now
    }

    /// The earliest time by every clock, for what is deleted by its age.
    pub fn surely(&self) -> Time {
        self.reading().earliest.min(self.wall())
    }

    /// What is known about the service's time.
    pub fn reading(&self) -> Reading {
        let certain = |standing: &Arc<Mutex<StoppedClocks>>| standing.lock().is_ok_and(|standing| standing.certain);
        if self.standing.as_ref().is_some_and(certain) {
            return Reading::certain(self.wall());
        }
        self.service().reading(self.moment())
    }

    /// Both clocks of this machine, to be read before a call is sent, for [`Clock::heard`].
    pub fn moment(&self) -> Moment {
        match &self.standing {
            None => Moment { wall: Utc::now(), boot: boot_time() },
            Some(standing) => standing.lock().expect("no holder of the clock panics").moment,
        }
    }

    /// Learns from an answer that is provably the service's, to a call that was sent at `sent`: from its `Date`, if it
    /// has one.
    pub fn heard(&self, operation: &'static str, sent: Moment, date: Option<Time>) {
        let heard = self.service().hear(operation, sent, self.moment(), date);
        match heard {
            Heard::Nothing | Heard::Proved => {}
            Heard::WallCounts => {
                warn!("the service's answers do not tell the time: this machine's clock counts; keep it right (NTP)");
            }
            Heard::Contradicts => warn!(
                date = date.map(crate::model::rfc3339),
                "an answer contradicts the known time of the service: it counts when a second one agrees"
            ),
            Heard::Leapt(by) => warn!(
                seconds = by.num_seconds(),
                "the service's clock has leapt: two answers agree, so the new time counts"
            ),
        }
        self.say_difference();
    }

    /// Logs how wrong this machine's clock is, when that has changed.
    fn say_difference(&self) {
        let reading = self.reading();
        let ahead = reading.now - self.wall();
        let mut said = self.said.lock().expect("no holder of what was said panics");
        if reading.proved && (ahead - *said).abs() >= DIFFERENCE_SAID {
            *said = ahead;
            let seconds = ahead.num_seconds();
            warn!(seconds, "this machine's clock differs from the service's, which counts");
        }
    }

    /// Moves a test's clocks on; leaves the system's alone.
    pub fn advance(&self, by: TimeDelta) {
        self.set(by);
        if let Some(standing) = &self.standing {
            standing.lock().expect("no holder of the clock panics").moment.boot += by.to_std().unwrap_or_default();
        }
    }

    /// Sets a test's wall clock forward by this much, or back; leaves the system's alone.
    pub fn set(&self, by: TimeDelta) {
        if let Some(standing) = &self.standing {
            standing.lock().expect("no holder of the clock panics").moment.wall += by;
        }
    }

    fn service(&self) -> MutexGuard<'_, ServiceClock> {
        self.service.lock().expect("no holder of what is known of the time panics")
    }
}

/// The time since boot, including suspended time; `/proc/uptime` may be hidden from a service.
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
