//! The daemon, the service, and what can come next; and what holds in every state.

use std::time::Duration;

use chrono::TimeDelta;
use prefetchd::clock::Moment;
use prefetchd::model::{BudgetDay, DayStart, Time};

use super::daemon::{BATCHES, BUDGET, Batch, Daemon, Step, TIMEOUT};
use super::rules::Rules;
use super::service::{Copy, Service, Task};

/// How often each thing may happen on one way through the search.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Spans of time that pass, while the daemon waits.
    times: u8,
    lost: u8,
    late: u8,
    slow: u8,
    crashes: u8,
    lies: u8,
    set: u8,
    keys: u8,
    foreign: u8,
    full: u8,
}

const NONE: Bounds =
    Bounds { times: 6, lost: 0, late: 0, slow: 0, crashes: 0, lies: 0, set: 0, keys: 0, foreign: 0, full: 0 };

impl Bounds {
    /// Calls that come late, or whose answer is lost, and crashes.
    pub fn late() -> Self {
        Self { lost: 1, late: 1, crashes: 1, ..NONE }
    }

    /// Answers that take as long as they may.
    pub fn slow() -> Self {
        Self { slow: 2, lost: 1, crashes: 1, ..NONE }
    }

    /// A false `Date`, and a clock that is set.
    pub fn clocks() -> Self {
        Self { lies: 1, set: 2, lost: 1, crashes: 1, ..NONE }
    }

    /// Somebody else's task, a key that is replaced, a full queue.
    pub fn foreign() -> Self {
        Self { foreign: 1, keys: 1, full: 1, lost: 2, ..NONE }
    }

    pub fn all() -> [(&'static str, Self); 4] {
        [("late", Self::late()), ("slow", Self::slow()), ("clocks", Self::clocks()), ("foreign", Self::foreign())]
    }
}

#[derive(Debug, Clone, PartialEq, Hash)]
pub struct World {
    now: Time,
    wall_ahead: TimeDelta,
    daemon: Daemon,
    service: Service,
    used: Option<Bounds>,
    /// What the daemon waits for: nothing can change but by time.
    waits: bool,
    stuck: bool,
}

fn reset() -> Time {
    "2026-11-23T16:00:00Z".parse().unwrap()
}

impl World {
    /// A minute and a half before a reset, on machines whose clock is right, slow and fast.
    pub fn starts() -> Vec<Self> {
        [0, -25, 25]
            .map(|ahead| Self {
                now: reset() - TimeDelta::seconds(90),
                wall_ahead: TimeDelta::seconds(ahead),
                daemon: Daemon::new(),
                service: Service::new(),
                used: None,
                waits: false,
                stuck: false,
            })
            .into()
    }

    fn moment(&self) -> Moment {
        let boot = self.now - (reset() - TimeDelta::days(1));
        Moment { wall: self.now + self.wall_ahead, boot: boot.to_std().unwrap_or(Duration::ZERO) }
    }

    /// All that can come next.
    pub fn next(&self, rules: &Rules, bounds: &Bounds) -> Vec<(&'static str, Self)> {
        let mut out = Vec::new();
        let left = self.used.clone().unwrap_or_else(|| bounds.clone());
        let mut base = self.clone();
        base.used = Some(left.clone());
        if !self.waits {
            base.daemon_steps(rules, &left, &mut out);
        } else {
            base.others(&left, &mut out);
        }
        out
    }

    fn with(&self, change: impl FnOnce(&mut Self, &mut Bounds)) -> Self {
        let mut world = self.clone();
        let mut left = world.used.take().unwrap();
        world.waits = false;
        change(&mut world, &mut left);
        world.used = Some(left);
        world
    }

    /// Everything but the daemon's own steps: while it waits, since its steps take no time but that of their calls.
    fn others(&self, left: &Bounds, out: &mut Vec<(&'static str, Self)>) {
        if left.times > 0 {
            let before = reset() - TimeDelta::seconds(35);
            for (name, by) in [
                ("15 s pass", TimeDelta::seconds(15)),
                ("6 min pass", TimeDelta::minutes(6)),
                ("the reset is 35 s away", before - self.now),
            ] {
                if by > TimeDelta::zero() {
                    out.push((
                        name,
                        self.with(|world, left| (world.now, left.times) = (world.now + by, left.times - 1)),
                    ));
                }
            }
        }
        for at in 0..self.service.under_way.len() {
            out.push((
                "a late call is performed",
                self.with(|world, _| {
                    let copy = world.service.under_way.remove(at);
                    let batch = world.daemon.calls[copy.call].batch;
                    world.service.perform(&copy, batch, false, world.now);
                }),
            ));
        }
        if left.crashes > 0 {
            let crashed = self.with(|world, left| {
                world.daemon.restart();
                left.crashes -= 1;
            });
            out.push(("a crash and a restart", crashed));
        }
        if left.set > 0 {
            for (name, by) in [("the clock is set a day ahead", 1), ("the clock is set a day back", -1)] {
                let set = |world: &mut Self, left: &mut Bounds| {
                    (world.wall_ahead, left.set) = (world.wall_ahead + TimeDelta::days(by), left.set - 1);
                };
                out.push((name, self.with(set)));
            }
        }
        if left.keys > 0 {
            out.push(("the key is replaced", self.with(|world, left| (world.service.key, left.keys) = (2, 0))));
        }
        if left.foreign > 0 && !self.daemon.calls.is_empty() {
            let foreign = self.with(|world, left| {
                let batch = world.daemon.calls[0].batch;
                world.service.tasks.push(Task { batch, created: world.now, whole: false });
                left.foreign -= 1;
            });
            out.push(("somebody else prefetches the first URL", foreign));
        }
    }

    /// A step of the daemon, with every fate of its call.
    fn daemon_steps(&self, rules: &Rules, left: &Bounds, out: &mut Vec<(&'static str, Self)>) {
        let stepped = |change: &dyn Fn(&mut Self, &mut Bounds, Step)| {
            self.with(|world, left| {
                let moment = world.moment();
                let step = world.daemon.step(rules, moment);
                change(world, left, step);
            })
        };
        let mut probe = self.clone();
        match probe.daemon.step(rules, self.moment()) {
            Step::Wait(until) => {
                let pending = self.daemon.batches.contains(&Batch::Pending);
                let waited = stepped(&|world, _, _| {
                    world.waits = true;
                    world.stuck = pending && until.is_none();
                });
                out.push(("it waits", waited));
            }
            Step::Tidied => out.push(("it gives up", stepped(&|_, _, _| {}))),
            Step::Ask => {
                out.push(("it asks the time", stepped(&|world, _, _| world.tell(TimeDelta::zero()))));
                if left.lost > 0 {
                    let lost = stepped(&|world, left, _| {
                        left.lost -= 1;
                        let moment = world.moment();
                        world.daemon.back_off(moment);
                    });
                    out.push(("it asks the time, and no answer comes", lost));
                }
                if left.lies > 0 {
                    for (name, by) in LIES {
                        let lied = stepped(&|world, left, _| {
                            left.lies -= 1;
                            world.tell(by);
                        });
                        out.push((name, lied));
                    }
                }
            }
            Step::Look(at) => {
                let looked = stepped(&|world, _, _| {
                    let batch = world.daemon.calls[at].batch;
                    let listed: Vec<Task> =
                        world.service.tasks.iter().filter(|task| task.batch == batch).cloned().collect();
                    world.tell(TimeDelta::zero());
                    let moment = world.moment();
                    world.daemon.looked(rules, at, &listed, moment);
                });
                out.push(("it looks for the task", looked));
            }
            Step::Send(at) | Step::Copy(at) => self.fates(at, left, &stepped, out),
        }
    }

    /// What becomes of a call.
    fn fates(&self, at: usize, left: &Bounds, stepped: &Stepped<'_>, out: &mut Vec<(&'static str, Self)>) {
        let zero = TimeDelta::zero();
        out.push(("a call is answered", stepped(&|world, _, _| world.exchange(at, false, zero, zero))));
        if left.full > 0 {
            let full = stepped(&|world, left, _| {
                left.full -= 1;
                world.exchange(at, true, zero, zero);
            });
            out.push(("a call finds the queue full", full));
        }
        if left.slow > 0 {
            let slow = stepped(&|world, left, _| {
                left.slow -= 1;
                world.exchange(at, false, TIMEOUT - TimeDelta::seconds(1), zero);
            });
            out.push(("a call is performed and answered at its timeout", slow));
        }
        if left.lies > 0 {
            for (name, by) in LIES {
                let lied = stepped(&|world, left, _| {
                    left.lies -= 1;
                    world.exchange(at, false, zero, by);
                });
                out.push((name, lied));
            }
        }
        if left.lost > 0 {
            for (name, performed) in [("a call is lost before", false), ("a call is lost after", true)] {
                let lost = stepped(&|world, left, _| {
                    left.lost -= 1;
                    if performed {
                        world.perform(at, false);
                    }
                    let moment = world.moment();
                    world.daemon.lost(at, moment);
                });
                out.push((name, lost));
            }
        }
        if left.late > 0 {
            let late = stepped(&|world, left, _| {
                left.late -= 1;
                let copy = world.copy(at);
                world.service.under_way.push(copy);
                let moment = world.moment();
                world.daemon.lost(at, moment);
            });
            out.push(("a call is under way for long", late));
        }
        if left.crashes > 0 {
            for (name, performed) in [("a crash before a call is sent", false), ("a crash before it is answered", true)]
            {
                let crashed = stepped(&|world, left, _| {
                    left.crashes -= 1;
                    if performed {
                        world.perform(at, false);
                    }
                    world.daemon.restart();
                });
                out.push((name, crashed));
            }
        }
    }

    fn copy(&self, at: usize) -> Copy {
        let call = &self.daemon.calls[at];
        Copy { call: at, signed_at: call.signed_at, sent_at: self.now, key: call.key }
    }

    fn perform(&mut self, at: usize, full: bool) -> super::service::Said {
        let (copy, batch) = (self.copy(at), self.daemon.calls[at].batch);
        self.service.perform(&copy, batch, full, self.now)
    }

    /// A call comes after so long, is performed and answered, with a `Date` that is off by `lie`.
    fn exchange(&mut self, at: usize, full: bool, after: TimeDelta, lie: TimeDelta) {
        let sent = self.moment();
        let copy = self.copy(at);
        self.now += after;
        let said = self.service.perform(&copy, self.daemon.calls[at].batch, full, self.now);
        let received = self.moment();
        self.daemon.hear(sent, received, self.now + lie);
        self.daemon.answered(at, said, received);
    }

    /// A free call is answered, with a `Date` that is off by `lie`.
    fn tell(&mut self, lie: TimeDelta) {
        let moment = self.moment();
        self.daemon.hear(moment, moment, self.now + lie);
    }

    /// What holds in every state.
    pub fn check(&self, rules: &Rules) -> Result<(), String> {
        for day in [reset() - TimeDelta::seconds(1), reset() + TimeDelta::seconds(1)] {
            let day = BudgetDay::of(day, DayStart::default());
            let performed = self.service.performed_on(&day);
            if performed > BUDGET as usize {
                return Err(format!("invariant 2: {performed} calls of {BUDGET} were performed on {day}"));
            }
        }
        let accepted: usize = (0..BATCHES).map(|batch| self.service.accepted(batch).saturating_sub(1)).sum();
        if accepted > self.daemon.doubles {
            let counted = self.daemon.doubles;
            return Err(format!("invariant 3: {accepted} batches were accepted once more, {counted} are counted"));
        }
        for call in self.service.performed.iter().filter(|call| call.at - call.sent_at <= TIMEOUT) {
            let day = BudgetDay::of(call.at, DayStart::default());
            if self.daemon.calls[call.call].opened_on != day.ends_at {
                return Err(format!(
                    "the reset: a call within its timeout was performed on {day}, and not charged to it"
                ));
            }
        }
        let reading = self.daemon.reading(self.moment());
        let wait = self.daemon.backoff.filter(|_| self.waits).map(|until| until - reading.now);
        if self.stuck || wait.is_some_and(|wait| wait > TimeDelta::hours(1)) {
            return Err(format!("invariant 4: it waits for {wait:?}, with {rules:?}"));
        }
        for batch in 0..BATCHES {
            if self.daemon.batches[batch] == Batch::Submitted && self.service.accepted(batch) == 0 {
                return Err("invariant 6: a batch is called submitted that was never accepted".to_owned());
            }
        }
        Ok(())
    }
}

/// The world after a step of the daemon and what became of it.
type Stepped<'w> = dyn Fn(&dyn Fn(&mut World, &mut Bounds, Step)) -> World + 'w;

/// What a lying `Date` is off by.
const LIES: [(&str, TimeDelta); 2] =
    [("an answer says tomorrow", TimeDelta::days(1)), ("an answer is a minute ahead", TimeDelta::minutes(1))];
