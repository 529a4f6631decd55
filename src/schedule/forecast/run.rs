//! One lane of a forecast: does what the submitter does, step by step, on sums instead of rows.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;

use super::{
    Assumption, Behind, DayForecast, FileSum, FileWish, Forecast, Group, Outlook, Sent, flies_for, wanted_by,
    warm_after,
};
use crate::model::{BudgetDay, FileId, Lane, Priority, Reading, Time, WaitWhy};
use crate::schedule::{Cases, Decision, Observation, Plan, Policy, Ready, Snapshot, Spent, Unit, decide, learn};

/// A group's place in the queue: the order of claims.
type Place = (Priority, bool, Option<Time>, i64, usize);

/// Where a group with a deadline is.
#[derive(Debug, Clone, Copy)]
enum Seat {
    /// In the queue; since when it may go, if it had to wait.
    Queue(Option<Time>),
    /// Behind a purge that is to be sent for this file.
    Behind(FileId),
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    /// A batch was sent.
    Sent,
    /// Something that takes no time; there may be more to do.
    Other,
    /// Nothing, and nothing changes in this lane before that time; if that is none, ever.
    Waits(Option<Time>),
}

/// The forecast of a lane in progress.
pub(super) struct Run<'a> {
    pub(super) policy: &'a Policy,
    pub(super) now: Time,
    started_at: Time,
    pace: TimeDelta,
    pub(super) steps_max: u32,
    quota: Option<u64>,
    warm_after: TimeDelta,
    flies_for: TimeDelta,
    /// Batches in flight and when they leave the service's queue, if that is known to be full at times.
    flying: VecDeque<(Time, u32)>,
    snapshot: Snapshot,
    ready: BTreeMap<Place, Group>,
    waiting: BTreeMap<(Time, Place), Group>,
    /// Groups that become ready once their purge is complete, by the file whose rows the purges are.
    behind: BTreeMap<(FileId, Place), Group>,
    /// Groups so far, which gives each its own place.
    groups: usize,
    /// The deadlines of all remaining groups.
    deadlines: BTreeMap<(Time, Place), Seat>,
    files: BTreeMap<Option<FileId>, FileSum>,
    /// The sum over everything; a URL that several files want is also in the sum of each.
    all: FileSum,
    days: Vec<(BudgetDay, DayForecast)>,
    last_at: Option<Time>,
    pub(super) sends: Vec<Sent>,
    assumed: Vec<Assumption>,
}

impl<'a> Run<'a> {
    pub(super) fn new(outlook: Outlook, policy: &'a Policy, now: Time) -> Self {
        let mut assumed = Vec::new();
        if policy.auto && outlook.standing.quota_readable {
            let known = outlook.standing.unit.is_some();
            assumed.extend((!known).then_some(Assumption::UnitIsRequests));
            assumed.extend(outlook.quota.is_none().then_some(Assumption::QuotaIsBudget));
        }
        let is_guessed = outlook.warm.is_none() && policy.lane == Lane::Prefetch;
        assumed.extend(is_guessed.then_some(Assumption::WarmInHalfAnHour));
        assumed.extend(outlook.flight.as_ref().map(|_| Assumption::QueueStaysSmall));
        let flies_for = flies_for(outlook.warm);
        let flying = outlook.flight.iter().map(|flight| (now + flies_for, flight.in_flight)).collect();
        let mut run = Self {
            policy,
            now,
            started_at: now,
            pace: outlook.pace,
            steps_max: outlook.steps_max,
            quota: outlook.quota,
            warm_after: warm_after(policy.lane, outlook.warm),
            flies_for,
            flying,
            snapshot: Snapshot {
                ready: Ready::default(),
                spent: outlook.spent,
                standing: outlook.standing,
                cases: Cases::default(),
                flight: outlook.flight,
            },
            ready: BTreeMap::new(),
            waiting: BTreeMap::new(),
            behind: BTreeMap::new(),
            groups: 0,
            deadlines: BTreeMap::new(),
            files: FileSum::of(outlook.groups.iter().chain(outlook.behind.iter().map(|behind| &behind.group))),
            all: FileSum::new(Priority::Low),
            days: Vec::new(),
            last_at: None,
            sends: Vec::new(),
            assumed,
        };
        for group in outlook.groups.into_iter().filter(|group| group.urls > 0) {
            run.all.add(&group, group.deadline);
            run.put(group);
        }
        for Behind { group, purge_file } in outlook.behind.into_iter().filter(|behind| behind.group.urls > 0) {
            run.all.add(&group, group.deadline);
            let place = run.place(&group);
            run.deadlines.extend(group.deadline.map(|deadline| ((deadline, place), Seat::Behind(purge_file))));
            run.behind.insert((purge_file, place), group);
        }
        run
    }

    /// A place of its own in the order of claims.
    fn place(&mut self, group: &Group) -> Place {
        self.groups += 1;
        (group.priority, group.deadline.is_none(), group.deadline, group.order, self.groups)
    }

    /// Puts a group into its place in the queue.
    fn put(&mut self, group: Group) {
        let place = self.place(&group);
        self.deadlines.extend(group.deadline.map(|deadline| ((deadline, place), Seat::Queue(group.ready_at))));
        match group.ready_at.filter(|at| *at > self.now) {
            Some(at) => self.waiting.insert((at, place), group),
            None => self.ready.insert(place, group),
        };
    }

    /// Purges that were sent are complete at `at`: the prefetches behind them may go then. Those of the same file that
    /// go by the same are theirs; where lines were merged that may be none, and then it is the file's first.
    pub(super) fn release(&mut self, purges: &Sent, at: Time) {
        let Some(file) = purges.file else { return };
        let mut urls = purges.urls;
        let first = (Priority::Urgent, false, None, i64::MIN, 0);
        while urls > 0 {
            let of_file = || self.behind.range((file, first)..).take_while(|((of, _), _)| *of == file);
            let is_theirs = |group: &Group| (group.priority, group.deadline, group.ready_at) == purges.by;
            let found = of_file().find(|(_, group)| is_theirs(group)).or_else(|| of_file().next());
            let Some((key, group)) = found.map(|(key, group)| (*key, group.clone())) else { return };
            let part = group.urls.min(urls);
            urls -= part;
            if part == group.urls {
                self.behind.remove(&key);
                group.deadline.map(|deadline| self.deadlines.remove(&(deadline, key.1)));
            } else if let Some(rest) = self.behind.get_mut(&key) {
                rest.urls -= part;
            }
            self.put(Group { urls: part, ready_at: group.ready_at.max(Some(at)), ..group });
        }
    }

    /// Whether something waits.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty() || !self.waiting.is_empty() || !self.behind.is_empty()
    }

    /// Whether urgent URLs may go now.
    pub(super) fn is_urgent(&self) -> bool {
        self.ready.keys().next().is_some_and(|place| place.0 == Priority::Urgent)
    }

    /// Lets the time be `now`, which is not earlier than before.
    pub(super) fn pass(&mut self, now: Time) {
        self.now = now;
        self.expire();
        self.wake();
    }

    /// Takes the next step at the present time.
    pub(super) fn step(&mut self) -> Did {
        let today = BudgetDay::after(Some(self.snapshot.spent.day), self.now, self.policy.day_starts);
        if today.date > self.snapshot.spent.day.date {
            self.snapshot.spent = Spent::nothing(today);
        }
        self.land();
        self.snapshot.ready = self.head();
        match decide(&self.snapshot, self.policy, &Reading::certain(self.now)) {
            Decision::Send(plan) => {
                self.send(&plan);
                Did::Sent
            }
            Decision::Ask => {
                self.answer();
                Did::Other
            }
            Decision::Pause { probe_at, .. } if probe_at > self.now => Did::Waits(self.next_change(Some(probe_at))),
            Decision::Pause { .. } => {
                self.snapshot.standing.pause = None;
                self.assumed.push(Assumption::PauseEnds);
                Did::Other
            }
            Decision::Wait { until, why } => {
                // Nobody raises the quota in a forecast, so asking again brings nothing before the day ends.
                let until = match why {
                    WaitWhy::NothingRemains { .. } => Some(self.snapshot.spent.day.ends_at),
                    _ => until,
                };
                Did::Waits(self.next_change(until))
            }
        }
    }

    /// When something changes next: a wait ends, a group becomes ready, or a deadline passes.
    fn next_change(&self, until: Option<Time>) -> Option<Time> {
        let wakes = self.waiting.keys().next().map(|(at, _)| *at);
        let expires = self.deadlines.keys().next().map(|(at, _)| *at);
        [until, wakes, expires].into_iter().flatten().min()
    }

    fn expire(&mut self) {
        while let Some(entry) = self.deadlines.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let ((deadline, place), seat) = entry.remove_entry();
            let gone = match seat {
                Seat::Queue(ready_at) => self.ready.remove(&place).or_else(|| self.waiting.remove(&(ready_at?, place))),
                Seat::Behind(file) => self.behind.remove(&(file, place)),
            };
            if let Some(group) = gone {
                self.lapse(group, deadline);
            }
        }
    }

    /// The deadline of a group's strongest wish has passed: the group follows the strongest one left, or ends with the
    /// last.
    fn lapse(&mut self, mut group: Group, deadline: Time) {
        let is_over = |at: Option<Time>| at.is_some_and(|at| at <= deadline);
        for (file, own) in wanted_by(&group).into_iter().filter(|(_, own)| is_over(*own)) {
            self.file(file).miss(group.urls, own);
        }
        group.wishes.retain(|wish| !is_over(wish.deadline));
        match group.wishes.iter().copied().min_by_key(FileWish::rank) {
            None => self.all.miss(group.urls, Some(deadline)),
            Some(next) => {
                (group.priority, group.deadline) = (next.priority, next.deadline);
                self.put(group);
            }
        }
    }

    fn file(&mut self, file: Option<FileId>) -> &mut FileSum {
        self.files.get_mut(&file).expect("every group's files are summed up")
    }

    /// Removes URLs that leave the service's queue.
    fn land(&mut self) {
        let Some(flight) = &mut self.snapshot.flight else { return };
        while self.flying.front().is_some_and(|(at, _)| *at <= self.now) {
            self.flying.pop_front();
        }
        flight.in_flight = self.flying.iter().map(|(_, urls)| urls).sum();
        flight.leaves_at = self.flying.front().map(|(at, _)| *at);
        flight.unproved = false;
    }

    fn wake(&mut self) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let place = entry.key().1;
            let group = entry.remove();
            self.ready.insert(place, group);
        }
    }

    /// The head of the queue, as the queue would report it.
    fn head(&self) -> Ready {
        let limit = self.policy.batch_urls_max;
        let mut head = Ready { next_at: self.waiting.keys().next().map(|(at, _)| *at), ..Ready::default() };
        head.expires_at = self.deadlines.keys().next().map(|(at, _)| *at);
        let mut oldest: Option<(i64, Time)> = None;
        for group in self.ready.values() {
            let room = limit - head.urls;
            if room == 0 {
                break;
            }
            let urls = u32::try_from(group.urls).unwrap_or(u32::MAX).min(room);
            head.urls += urls;
            head.urgent += if group.priority == Priority::Urgent { urls } else { 0 };
            head.deadline = [head.deadline, group.deadline].into_iter().flatten().min();
            oldest = [oldest, Some((group.order, group.dropped_at))].into_iter().flatten().min();
        }
        head.oldest_at = oldest.map(|(_, at)| at);
        head
    }

    /// Sends a batch, which is accepted.
    fn send(&mut self, plan: &Plan) {
        let (now, warm_after) = (self.now, self.warm_after);
        let mut sent = 0;
        while sent < u64::from(plan.urls_max) {
            let Some(mut entry) = self.ready.first_entry().filter(|entry| entry.key().0 <= plan.weakest) else { break };
            let place = *entry.key();
            let group = entry.get_mut();
            let urls = group.urls.min(u64::from(plan.urls_max) - sent);
            group.urls -= urls;
            sent += urls;
            let (file, by) = (group.file, (group.priority, group.deadline, group.ready_at));
            let (wanted, deadline) = (wanted_by(group), group.deadline);
            if group.urls == 0 {
                entry.remove();
                deadline.map(|deadline| self.deadlines.remove(&(deadline, place)));
            }
            self.sends.push(Sent { file, at: now, urls, by });
            self.all.send(urls, deadline, now, warm_after);
            wanted.into_iter().for_each(|(file, own)| self.file(file).send(urls, own, now, warm_after));
        }
        if self.snapshot.flight.is_some() {
            self.flying.push_back((now + self.flies_for, u32::try_from(sent).unwrap_or(u32::MAX)));
        }
        let spent = &mut self.snapshot.spent;
        spent.requests = spent.requests.saturating_add(1);
        spent.urls = spent.urls.saturating_add(u32::try_from(sent).unwrap_or(u32::MAX));
        if self.days.last().is_none_or(|(day, _)| *day != spent.day) {
            self.days.push((spent.day, DayForecast { day: spent.day.to_string(), requests: 0, urls: 0 }));
        }
        if let Some((_, day)) = self.days.last_mut() {
            day.requests += 1;
            day.urls += sent;
        }
        // A good answer ends a row of failures.
        self.snapshot.standing.failures = 0;
        self.snapshot.standing.backing_off = None;
        self.last_at = Some(now);
        self.now = now + self.pace;
    }

    /// Asks the service, which answers with the quota it would have if nobody else spent from now on.
    fn answer(&mut self) {
        let Snapshot { spent, standing, .. } = &mut self.snapshot;
        standing.backing_off = None;
        if !standing.quota_readable {
            return;
        }
        let unit = standing.unit.unwrap_or(Unit::Requests);
        let used = |requests: u32, urls: u32| u64::from(if unit == Unit::Requests { requests } else { urls });
        let (quota, remain) = match &spent.observed {
            Some(seen) => {
                let since = used(spent.requests, spent.urls).saturating_sub(used(seen.requests, seen.urls));
                (seen.quota, seen.remain.saturating_sub(since))
            }
            None => {
                let usual = self.policy.urls_unless_told.unwrap_or(self.policy.requests_per_day);
                let quota = self.quota.unwrap_or_else(|| u64::from(usual));
                (quota, quota.saturating_sub(used(spent.requests, spent.urls)))
            }
        };
        let seen = Observation { quota, remain, at: self.now, requests: spent.requests, urls: spent.urls };
        if let Some(before) = &spent.observed {
            standing.unit = standing.unit.or(learn(before, &seen));
        }
        spent.observed = Some(seen);
        spent.unsure = false;
    }

    pub(super) fn finish(mut self, ends_at: Time) -> Forecast {
        self.now = ends_at;
        let warm_after = self.warm_after;
        let all = self.all.finish(None, warm_after);
        let mut files: Vec<_> = self.files.into_iter().map(|(id, file)| file.finish(id, warm_after)).collect();
        files.sort_by_key(|file| (file.beyond > 0, file.last_at.is_none(), file.last_at, file.file_id));
        let days: Vec<DayForecast> = self.days.into_iter().map(|(_, day)| day).collect();
        let mut assumed = self.assumed;
        assumed.dedup();
        Forecast {
            at: self.started_at,
            urls: all.urls,
            last_at: self.last_at,
            requests: days.iter().map(|day| day.requests).sum(),
            submitted: all.submitted,
            missed: all.missed(),
            cold: all.deadlines.iter().map(|deadline| deadline.cold).sum(),
            beyond: all.beyond,
            ends_at: self.now,
            sends: self.sends,
            days,
            files,
            assumed,
        }
    }
}
