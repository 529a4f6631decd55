//! The loop of a forecast: the lanes take turns as they do at the submitter, on one clock.

use chrono::TimeDelta;

use super::run::{Did, Run};
use super::{Forecast, Outlook};
use crate::model::{Lane, Time};
use crate::schedule::Policy;

/// The forecast stops this far ahead.
const HORIZON: TimeDelta = TimeDelta::days(3_650);

/// A wait that is already over takes this long, so that nothing spins.
const WAIT_MIN: TimeDelta = TimeDelta::milliseconds(20);

/// A forecast in progress.
pub(super) struct Lanes<'a> {
    /// Of each lane.
    runs: Vec<Run<'a>>,
    /// How long a purge takes until it is known to be complete.
    purge_takes: TimeDelta,
    started_at: Time,
    now: Time,
    sent_last: Option<Lane>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(lanes: Vec<(Outlook, &'a Policy)>, purge_takes: TimeDelta, now: Time) -> Self {
        let runs = lanes.into_iter().map(|(outlook, policy)| Run::new(outlook, policy, now)).collect();
        Self { runs, purge_takes, started_at: now, now, sent_last: None }
    }

    /// Steps until nothing is left or the forecast's limit is reached.
    pub(super) fn run(mut self) -> Vec<Forecast> {
        let steps_max = self.runs.iter().map(|run| run.steps_max).max().unwrap_or(0);
        for _ in 0..steps_max {
            let has_work = self.runs.iter().any(Run::has_work);
            if !has_work || self.now > self.started_at + HORIZON || !self.step() {
                break;
            }
        }
        let ends_at = self.now;
        self.runs.into_iter().map(|run| run.finish(ends_at)).collect()
    }

    /// The first lane in turn that can do something does it; else time passes. False if nothing more will ever happen.
    fn step(&mut self) -> bool {
        let now = self.now;
        self.runs.iter_mut().for_each(|run| run.pass(now));
        let mut next: Option<Time> = None;
        for at in self.turns() {
            let run = &mut self.runs[at];
            let sends = run.sends.len();
            match run.step() {
                Did::Sent => {
                    self.now = run.now;
                    self.sent_last = Some(run.policy.lane);
                    if run.policy.lane == Lane::Purge {
                        self.release(at, sends);
                    }
                    return true;
                }
                Did::Other => return true,
                Did::Waits(until) => next = [next, until].into_iter().flatten().min(),
            }
        }
        let Some(next) = next else { return false };
        self.now = next.max(now + WAIT_MIN);
        true
    }

    /// The lanes that have something to do: first those whose urgent URLs may go, and the one that sent last behind the
    /// others.
    fn turns(&self) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..self.runs.len()).filter(|at| self.runs[*at].has_work()).collect();
        turns.sort_by_key(|at| {
            let run = &self.runs[*at];
            (!run.is_urgent(), self.sent_last == Some(run.policy.lane), run.policy.lane)
        });
        turns
    }

    /// Purges were sent: the prefetches behind them know when they may go.
    fn release(&mut self, at: usize, sends: usize) {
        let sent = self.runs[at].sends[sends..].to_vec();
        for run in self.runs.iter_mut().filter(|run| run.policy.lane == Lane::Prefetch) {
            sent.iter().for_each(|sent| run.release(sent, sent.at + self.purge_takes));
        }
    }
}
