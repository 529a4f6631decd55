//! The daemon: the program's own decisions, and what its database does between them, told anew.

use std::sync::OnceLock;
use std::time::Duration;

use chrono::TimeDelta;
use prefetchd::clock::{Moment, ServiceClock};
use prefetchd::config::{Config, InDoubt};
use prefetchd::model::{AccountFault, Backoff, BudgetDay, DayStart, Lane, Reading, ReasonKind, Time};
use prefetchd::schedule::{
    BackingOff, Cases, Decision, Policy, Ready, Snapshot, Spent, Standing, decide, longest_wait,
};
use prefetchd::service::{Accepted, Class, Deferral, Fault};
use prefetchd::submit::{
    AfterReplay, Circumstances, Doubt, Lesson, NextStep, Outcome, after_replay, look_again_at, next_step, react,
};

use super::rules::Rules;
use super::service::{Said, Task};

/// How long a call may take.
pub const TIMEOUT: TimeDelta = TimeDelta::seconds(30);

/// How long an accepted task may take to be listed.
const LISTED_WITHIN: Duration = Duration::from_secs(300);

/// Calls a day.
pub const BUDGET: u32 = 2;

/// Batches that are to be sent.
pub const BATCHES: usize = 3;

/// What is in the database of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    pub batch: usize,
    pub signed_at: Time,
    pub key: u8,
    /// The day that was charged when it was opened, by its end.
    pub opened_on: Time,
    sent_at: Time,
    day: BudgetDayName,
    sends: u32,
    arrived: bool,
    absent_at: Option<Time>,
    next_at: Option<Time>,
    /// Open, or how it was closed: charged or not, late or not.
    closed: Option<(bool, bool)>,
    given_up: bool,
}

/// A day, by its end: what it is known by here.
type BudgetDayName = Time;

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Batch {
    Pending,
    Leased,
    Submitted,
}

/// What the daemon does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A free call, which tells the time.
    Ask,
    /// This call goes; it has just been opened.
    Send(usize),
    /// A copy of this call goes; that is written down.
    Copy(usize),
    /// It looks for the tasks of this call.
    Look(usize),
    /// Nothing until then.
    Wait(Option<Time>),
    /// Something was put in order.
    Tidied,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Daemon {
    clock: ServiceClock,
    pub key: u8,
    pub calls: Vec<Call>,
    pub batches: [Batch; BATCHES],
    pub doubles: usize,
    /// A wait that is written down.
    pub backoff: Option<Time>,
    failures: u32,
}

impl std::hash::Hash for Daemon {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // What is known of the time has no hash of its own; its words are as good.
        format!("{:?}", self.clock).hash(state);
        (self.key, &self.calls, self.batches, self.doubles, self.backoff, self.failures).hash(state);
    }
}

impl Daemon {
    pub fn new() -> Self {
        Self {
            clock: ServiceClock::default(),
            key: 1,
            calls: Vec::new(),
            batches: [Batch::Pending; BATCHES],
            doubles: 0,
            backoff: None,
            failures: 0,
        }
    }

    /// A crash and a restart: what is not in the database is gone.
    pub fn restart(&mut self) {
        self.clock = ServiceClock::default();
    }

    pub fn reading(&self, moment: Moment) -> Reading {
        self.clock.reading(moment)
    }

    /// An answer that is the service's came, with this `Date`.
    pub fn hear(&mut self, sent: Moment, received: Moment, date: Time) {
        self.clock.hear("Quota", sent, received, Some(date.trunc_to_second()));
    }

    /// What is charged to a day, and what counts on it beside.
    fn spent(&self, rules: &Rules, day: &BudgetDay) -> u32 {
        let charged = |call: &&Call| call.closed.is_none_or(|(charged, _)| charged);
        let counts = |call: &&Call| {
            let is_late = match call.closed {
                Some((_, late)) => late,
                None => false,
            };
            let in_doubt = call.closed.is_none() || call.given_up;
            let valid_past = call.signed_at + prefetchd::service::SIGNATURE_VALID > day.starts_at;
            let on_both = rules.both_days && call.day == day.starts_at && (is_late || (in_doubt && valid_past));
            call.day == day.ends_at || on_both
        };
        u32::try_from(self.calls.iter().filter(charged).filter(counts).count()).unwrap()
    }

    fn policy(rules: &Rules) -> Policy {
        static CONFIGURED: OnceLock<Policy> = OnceLock::new();
        let configured = CONFIGURED.get_or_init(|| Policy::from(&Config::from_toml("").unwrap()));
        Policy {
            requests_per_day: BUDGET,
            auto: false,
            reserve: 0,
            batch_urls_max: 1,
            linger: Duration::ZERO,
            call_timeout: if rules.margin { TIMEOUT.to_std().unwrap() } else { Duration::ZERO },
            ..configured.clone()
        }
    }

    /// One step, as far as it goes without an answer.
    pub fn step(&mut self, rules: &Rules, moment: Moment) -> Step {
        let reading = self.reading(moment);
        let policy = Self::policy(rules);
        if rules.clamp {
            let longest = reading.now + longest_wait(&policy.backoff);
            self.backoff = self.backoff.map(|until| until.min(longest));
        }
        if let Some(step) = self.resolve(&policy, &reading) {
            return step;
        }
        let today = if reading.proved { reading.earliest } else { reading.now };
        let day = BudgetDay::of(today, DayStart::default());
        let pending = self.batches.iter().filter(|batch| **batch == Batch::Pending).count();
        let snapshot = Snapshot {
            ready: Ready { urls: u32::try_from(pending).unwrap(), oldest_at: Some(today), ..Ready::default() },
            spent: Spent { requests: self.spent(rules, &day), ..Spent::nothing(day) },
            standing: Standing {
                backing_off: self.backoff.map(|until| BackingOff { until, why: ReasonKind::Unreachable.into() }),
                failures: self.failures,
                ..Standing::default()
            },
            cases: Cases::default(),
            flight: None,
        };
        match decide(&snapshot, &policy, &reading) {
            Decision::Ask => Step::Ask,
            Decision::Send(_) => self.open(&day, &policy, &reading),
            Decision::Wait { until, .. } => Step::Wait([until, self.next_doubt()].into_iter().flatten().min()),
            Decision::Pause { probe_at, .. } => Step::Wait(Some(probe_at)),
        }
    }

    fn next_doubt(&self) -> Option<Time> {
        self.calls.iter().filter(|call| call.closed.is_none()).filter_map(|call| call.next_at).min()
    }

    /// What is next for a call in doubt, if something is due.
    fn resolve(&mut self, policy: &Policy, reading: &Reading) -> Option<Step> {
        if self.backoff.is_some_and(|until| until > reading.now) {
            return None;
        }
        let is_due = |call: &Call| call.closed.is_none() && call.next_at.is_none_or(|at| at <= reading.now);
        let at = self.calls.iter().position(is_due)?;
        let key = self.key;
        let call = &mut self.calls[at];
        let doubt = Doubt {
            signed_at: call.signed_at,
            sent_at: call.sent_at,
            charged_until: call.day,
            call_timeout: policy.call_timeout,
            sends: call.sends,
            copyable: call.key == key,
            arrived: call.arrived,
            absent_at: call.absent_at,
        };
        Some(match next_step(&doubt, LISTED_WITHIN, true, reading) {
            NextStep::Replay => {
                call.sends += 1;
                call.sent_at = reading.now;
                call.next_at = None;
                Step::Copy(at)
            }
            NextStep::Look => Step::Look(at),
            NextStep::GiveUp => {
                (call.closed, call.given_up) = (Some((true, false)), true);
                let batch = call.batch;
                self.doubles += 1;
                self.batches[batch] = Batch::Pending;
                Step::Tidied
            }
        })
    }

    /// The transaction that opens a call: it decides once more by the clock, and charges.
    fn open(&mut self, day: &BudgetDay, policy: &Policy, reading: &Reading) -> Step {
        if !reading.stays_before(day.ends_at, policy.call_timeout) {
            return Step::Tidied;
        }
        let batch = self.batches.iter().position(|batch| *batch == Batch::Pending).unwrap();
        self.batches[batch] = Batch::Leased;
        let signed_at = reading.now.trunc_to_second();
        self.calls.push(Call {
            batch,
            signed_at,
            key: self.key,
            sent_at: signed_at,
            opened_on: day.ends_at,
            day: day.ends_at,
            sends: 1,
            arrived: false,
            absent_at: None,
            next_at: None,
            closed: None,
            given_up: false,
        });
        Step::Send(self.calls.len() - 1)
    }

    /// No answer came.
    pub fn lost(&mut self, at: usize, moment: Moment) {
        let until = self.back_off(moment);
        self.calls[at].next_at = Some(until);
    }

    /// A failure: nothing goes for a while, which is written down.
    pub fn back_off(&mut self, moment: Moment) -> Time {
        let backoff = Backoff { min: Duration::from_secs(20), max: Duration::from_secs(40) };
        self.failures += 1;
        let until = backoff.until(self.reading(moment).now, self.failures, 0.5);
        self.backoff = Some(until);
        until
    }

    /// What the service answered to a call, or to a copy of it.
    pub fn answered(&mut self, at: usize, said: Said, moment: Moment) {
        let deferral = match said {
            Said::Accepted => None,
            Said::QueueFull => Some(Deferral::QueueFull),
            Said::NonceUsed => Some(Deferral::NonceUsed),
            Said::Stale => Some(Deferral::ClockSkew),
            Said::WrongKey => Some(Deferral::Account(AccountFault::WrongSecret)),
        };
        let answer = match deferral {
            None => Ok(Accepted { tasks: Vec::new(), request_id: None, http_status: Some(200) }),
            Some(deferral) => Err(Fault::of_class(Class::Deferred(deferral))),
        };
        let outcome = Outcome::of(answer.as_ref());
        if said == Said::WrongKey {
            self.key += 1;
        }
        if self.calls[at].sends > 1 {
            match after_replay(&outcome) {
                AfterReplay::Settled => {}
                AfterReplay::Arrived | AfterReplay::Refused => {
                    (self.calls[at].arrived, self.calls[at].next_at) = (true, None);
                    return;
                }
                AfterReplay::Open => return self.lost(at, moment),
            }
        } else if outcome.is_in_doubt() {
            return self.lost(at, moment);
        }
        self.close(at, answer.as_ref(), moment);
    }

    fn close(&mut self, at: usize, said: Result<&Accepted, &Fault>, moment: Moment) {
        let reading = self.reading(moment);
        let circumstances = Circumstances {
            lane: Lane::Prefetch,
            is_test: false,
            by_service: false,
            now: reading.now,
            urls: 2,
            attempts: 0,
            failures: 0,
            jitter: 0.5,
            probes: 0,
            attempts_max: 5,
            backoff: Backoff { min: Duration::from_secs(20), max: Duration::from_secs(40) },
            in_doubt: InDoubt::Resubmit,
            auto: false,
            quota_readable: true,
        };
        let reaction = react(said, &circumstances);
        let call = &mut self.calls[at];
        let late = !reading.stays_before(call.day, Duration::ZERO)
            && call.signed_at + prefetchd::service::SIGNATURE_VALID > call.day;
        call.closed = Some((reaction.closing.charged, late));
        self.batches[call.batch] = if reaction.release.is_none() { Batch::Submitted } else { Batch::Pending };
        self.failures = 0;
        self.backoff = match reaction.lesson {
            Lesson::BackOff { until, .. } | Lesson::AskFirst { until, .. } => Some(until),
            Lesson::Pause { probe_at, .. }
                if said.is_ok() || said.is_err_and(|fault| fault.of_the_account().is_none()) =>
            {
                Some(probe_at)
            }
            _ => None,
        };
    }

    /// The answer to a look: these tasks list URLs of its batch.
    pub fn looked(&mut self, rules: &Rules, at: usize, listed: &[Task], moment: Moment) {
        let now = self.reading(moment).now;
        let call = &mut self.calls[at];
        let since = call.signed_at - TimeDelta::seconds(60);
        let ours = |task: &&Task| task.created >= since && (task.whole || !rules.fit);
        let Some(performed_at) = listed.iter().filter(ours).map(|task| task.created).max() else {
            let doubt = Doubt {
                signed_at: call.signed_at,
                sent_at: call.sent_at,
                charged_until: call.day,
                call_timeout: TIMEOUT.to_std().unwrap(),
                sends: call.sends,
                copyable: true,
                arrived: call.arrived,
                absent_at: call.absent_at,
            };
            call.next_at = Some(look_again_at(&doubt, LISTED_WITHIN, now));
            call.absent_at = Some(now);
            return;
        };
        let performed_on = BudgetDay::of(performed_at, DayStart::default()).ends_at;
        call.day = call.day.max(performed_on);
        call.closed = Some((true, false));
        self.batches[call.batch] = Batch::Submitted;
        self.failures = 0;
        self.backoff = None;
    }
}

/// Whole seconds, as they stand in a `Date` and in a timestamp.
trait WholeSeconds {
    fn trunc_to_second(self) -> Self;
}

impl WholeSeconds for Time {
    fn trunc_to_second(self) -> Self {
        prefetchd::model::from_millis(prefetchd::model::to_millis(self) / 1000 * 1000)
    }
}
