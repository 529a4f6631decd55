//! A small honest service: it performs each nonce once, while its timestamp is fresh, and counts by its own clock.

use chrono::TimeDelta;
use prefetchd::model::{BudgetDay, DayStart, Time};

/// A timestamp is fresh for so long.
const FRESH: TimeDelta = TimeDelta::minutes(15);

/// A copy of a call that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Copy {
    /// Which call it is a copy of: its nonce.
    pub call: usize,
    pub signed_at: Time,
    pub sent_at: Time,
    /// The generation of the key that it is signed with.
    pub key: u8,
}

/// A call that was performed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Performed {
    pub call: usize,
    pub sent_at: Time,
    pub at: Time,
}

/// A task: somebody's prefetch of the first, or of both URLs of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    pub batch: usize,
    pub created: Time,
    pub whole: bool,
}

/// What it answers to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Accepted,
    QueueFull,
    NonceUsed,
    Stale,
    WrongKey,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Service {
    /// Its key.
    pub key: u8,
    /// Calls performed.
    pub performed: Vec<Performed>,
    pub tasks: Vec<Task>,
    /// Copies that come late, or never.
    pub under_way: Vec<Copy>,
    nonces: Vec<usize>,
}

impl Service {
    pub fn new() -> Self {
        Self { key: 1, performed: Vec::new(), tasks: Vec::new(), under_way: Vec::new(), nonces: Vec::new() }
    }

    /// Performs a call at `now`, which lists `batch`. Where its queue is full the call is performed and refused.
    pub fn perform(&mut self, copy: &Copy, batch: usize, full: bool, now: Time) -> Said {
        if copy.key != self.key {
            return Said::WrongKey;
        }
        if (now - copy.signed_at).abs() > FRESH {
            return Said::Stale;
        }
        if self.nonces.contains(&copy.call) {
            return Said::NonceUsed;
        }
        self.nonces.push(copy.call);
        self.performed.push(Performed { call: copy.call, sent_at: copy.sent_at, at: now });
        if full {
            return Said::QueueFull;
        }
        self.tasks.push(Task { batch, created: now, whole: true });
        Said::Accepted
    }

    /// Calls performed on the day of `at`.
    pub fn performed_on(&self, day: &BudgetDay) -> usize {
        self.performed.iter().filter(|call| BudgetDay::of(call.at, DayStart::default()).date == day.date).count()
    }

    /// How often a batch was accepted for one of our calls.
    pub fn accepted(&self, batch: usize) -> usize {
        self.tasks.iter().filter(|task| task.batch == batch && task.whole).count()
    }
}
