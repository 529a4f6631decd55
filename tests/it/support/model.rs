//! The pure core at work without disk or network: the submitter's decisions and reactions on a queue in memory, on a
//! clock that is a number. What the stages do with tables, this does with sets; every decision is the program's own.

#[path = "learning.rs"]
mod learning;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use prefetchd::config::Config;
use prefetchd::ledger::probe_at;
use prefetchd::model::{BudgetDay, HostId, Lane, Reading, ReasonKind, SubmissionId, Time, UrlId, WaitWhy};
use prefetchd::queue::HostStanding;
use prefetchd::schedule::Ready;
use prefetchd::schedule::{
    BackingOff, Cases, Decision, Flight, Found, Observation, Pause, Plan, Policy, QueueSize, Snapshot, Spent, Standing,
    Suspect, Unit, decide,
};
use prefetchd::service::{Class, Deferral, Quota, Reply, Submission, VOD, policy};
use prefetchd::submit::{
    AfterReplay, Circumstances, Lesson, Outcome, Reaction, after_replay, found, react, still_paused,
};

/// Somebody who answers.
pub(crate) trait Service {
    /// `PreloadVodObjectCaches`, or in another lane its operation.
    fn preload(&mut self, nonce: u64, urls: &[(UrlId, HostId)], now: Time) -> Reply;
    /// `DescribeVodRefreshQuota`.
    fn quota(&mut self, now: Time) -> Reply;
    /// `DescribeVodUserDomains`, for one domain; none where that may not be asked.
    fn is_online(&mut self, host: HostId, now: Time) -> Option<bool>;
    /// URLs whose prefetch has not ended, as looks at their tasks would tell.
    fn unfinished(&mut self, _now: Time) -> u32 {
        0
    }
    /// Whether the call with this nonce was accepted: `DescribeVodRefreshTasks`.
    fn has_task(&mut self, nonce: u64) -> bool;
}

/// While batches wait for room in the service's queue, tasks are looked at so often.
const LOOK_FOR_ROOM: TimeDelta = TimeDelta::seconds(30);

/// A call whose answer never came.
struct Doubt {
    nonce: u64,
    batch: Vec<(UrlId, HostId)>,
    suspects: u32,
    in_flight: u32,
}

/// The submitter and its queue.
pub(crate) struct Model {
    pub(crate) policy: Policy,
    config: Config,
    pub(crate) now: Time,
    ready: BTreeSet<UrlId>,
    hosts: HashMap<UrlId, HostId>,
    attempts: HashMap<UrlId, u32>,
    later: BTreeMap<Time, Vec<UrlId>>,
    standings: HashMap<HostId, HostStanding>,
    parked: HashMap<HostId, Vec<UrlId>>,
    cases: Cases,
    held_suspects: HashSet<UrlId>,
    spent: Spent,
    standing: Standing,
    size: Option<QueueSize>,
    /// What was believed of the queue before the last refusal, until what is left was asked for.
    size_before: Option<Option<QueueSize>>,
    doubt: Option<Doubt>,
    domains_at: Option<Time>,
    nonce: u64,
    draws: u64,
    /// Calls of the lane's operation, and those that cost nothing.
    pub(crate) charged: u64,
    pub(crate) free: u64,
    pub(crate) warmed: u64,
    pub(crate) failed: u64,
    pub(crate) held: u64,
}

impl Model {
    pub(crate) fn new(config: Config, now: Time) -> Self {
        Self::of_lane(config, Lane::Prefetch, now)
    }

    /// The submitter of one lane, of VOD.
    pub(crate) fn of_lane(config: Config, lane: Lane, now: Time) -> Self {
        let policy = policy(&config, lane);
        let unit = (lane != Lane::Prefetch).then_some(Unit::Urls);
        let spent = Spent::nothing(BudgetDay::of(now, policy.day_starts));
        Self {
            policy,
            config,
            now,
            ready: BTreeSet::new(),
            hosts: HashMap::new(),
            attempts: HashMap::new(),
            later: BTreeMap::new(),
            standings: HashMap::new(),
            parked: HashMap::new(),
            cases: Cases::default(),
            held_suspects: HashSet::new(),
            spent,
            standing: Standing { unit, ..Standing::default() },
            size: None,
            size_before: None,
            doubt: None,
            domains_at: None,
            nonce: 0,
            draws: 0,
            charged: 0,
            free: 0,
            warmed: 0,
            failed: 0,
            held: 0,
        }
    }

    fn operation(&self) -> &'static Submission {
        VOD.submission(self.policy.lane)
    }

    /// Queues a URL.
    pub(crate) fn enqueue(&mut self, url: UrlId, host: HostId) {
        self.hosts.insert(url, host);
        match self.standings.get(&host) {
            Some(standing) if !standing.may_go() => self.parked.entry(host).or_default().push(url),
            _ => {
                self.ready.insert(url);
            }
        }
    }

    /// Does the next thing; gives when there is more to do, if nothing is to be done before.
    pub(crate) fn step(&mut self, service: &mut impl Service) -> Option<Option<Time>> {
        let today = BudgetDay::of(self.now, self.policy.day_starts);
        if today.date > self.spent.day.date {
            self.spent = Spent::nothing(today);
            self.ready.extend(self.held_suspects.drain());
        }
        while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() <= self.now) {
            self.ready.extend(entry.remove());
        }
        let wait = self.standing.backing_off.as_ref().map(|wait| wait.until).filter(|until| *until > self.now);
        if wait.is_none() && self.standing.pause.is_none() {
            if self.domains_at.is_none_or(|at| at <= self.now) {
                self.review_domains(service);
                return None;
            }
            if let Some(doubt) = self.doubt.take() {
                self.replay(doubt, service);
                return None;
            }
        }
        let suspected = self.cases.suspected();
        let suspects: Vec<UrlId> = suspected.iter().copied().filter(|url| self.ready.contains(url)).collect();
        let ordinary = self.ready.len() - suspects.len();
        let ready = Ready {
            urls: u32::try_from(ordinary).unwrap().min(self.policy.batch_urls_max),
            suspects: u32::try_from(suspects.len()).unwrap(),
            oldest_at: Some(self.now - TimeDelta::days(1)),
            next_at: self.later.keys().next().copied(),
            ..Ready::default()
        };
        if ready.suspects > 0 && self.spent.isolations >= self.policy.isolate_requests_max {
            for url in suspects {
                self.ready.remove(&url);
                self.held_suspects.insert(url);
            }
            return None;
        }
        let mut cases = self.cases.clone();
        for member in cases.open.iter_mut().flat_map(|case| &mut case.members) {
            member.away = !self.ready.contains(&member.url);
        }
        let snapshot = Snapshot {
            ready,
            spent: self.spent.clone(),
            standing: self.standing.clone(),
            cases,
            flight: self.flight(service),
        };
        match decide(&snapshot, &self.policy, &Reading::certain(self.now)) {
            Decision::Send(plan) => self.send(&plan, &suspected, service),
            Decision::Ask => self.ask(service),
            Decision::Wait { until, why: WaitWhy::QueueFull { .. } } => {
                return Some(until.map(|until| until.min(self.now + LOOK_FOR_ROOM)));
            }
            Decision::Wait { until, .. } => return Some(until),
            Decision::Pause { probe_at, .. } if probe_at > self.now => return Some(Some(probe_at)),
            Decision::Pause { why, .. } => {
                self.free += 1;
                self.standing.pause =
                    still_paused(self.policy.lane, &service.quota(self.now).quota(self.operation()), &why).map(|why| {
                        self.standing.probes += 1;
                        Pause { why, probe_at: probe_at(self.standing.probes, self.now) }
                    });
            }
        }
        None
    }

    fn flight(&self, service: &mut impl Service) -> Option<Flight> {
        let size = self.size.clone()?;
        let unproved = self.size_before.is_some();
        Some(Flight { in_flight: service.unfinished(self.now), leaves_at: None, size, unproved })
    }

    fn review_domains(&mut self, service: &mut impl Service) {
        self.domains_at = Some(self.now + TimeDelta::hours(1));
        self.free += 1;
        let hosts: BTreeSet<HostId> = self.standings.keys().copied().chain(self.parked.keys().copied()).collect();
        for host in hosts {
            match service.is_online(host, self.now) {
                Some(true) => {
                    self.standings.insert(host, HostStanding::Good);
                    self.ready.extend(self.parked.remove(&host).unwrap_or_default());
                }
                Some(false) => self.park(host, HostStanding::Offline),
                None => {}
            }
        }
    }

    fn park(&mut self, host: HostId, standing: HostStanding) {
        self.standings.insert(host, standing);
        self.cases.explained_by(host);
        let parked: Vec<UrlId> = self.ready.iter().copied().filter(|url| self.hosts[url] == host).collect();
        for url in &parked {
            self.ready.remove(url);
        }
        for case in &mut self.cases.open {
            case.members.retain(|member| member.host != host);
        }
        self.cases.open.retain(|case| case.members.iter().any(|member| member.core));
        self.parked.entry(host).or_default().extend(parked);
    }

    fn ask(&mut self, service: &mut impl Service) {
        self.free += 1;
        let fault = match service.quota(self.now).quota(self.operation()) {
            Ok(said) => {
                self.standing.backing_off = None;
                return self.observe(said);
            }
            Err(fault) => fault,
        };
        let lesson = react(Err(&fault), &self.circumstances(&[])).lesson;
        match lesson {
            Lesson::Pause { .. } => self.learn(&lesson),
            _ if matches!(fault.class, Class::Deferred(Deferral::Unknown) | Class::Refused(_)) => {
                self.standing.quota_readable = false;
                self.standing.backing_off = None;
            }
            _ => self.back_off(ReasonKind::AskingQuota),
        }
    }

    fn observe(&mut self, Quota { a_day: quota, remains: remain }: Quota) {
        let before = self.size_before.take().filter(|_| remain == 0);
        self.size = before.unwrap_or(self.size.take());
        let Spent { requests, urls, .. } = self.spent;
        let seen = Observation { quota, remain, at: self.now, requests, urls };
        if let Some(before) = &self.spent.observed {
            self.standing.unit = self.standing.unit.or(prefetchd::schedule::learn(before, &seen));
        }
        self.spent.observed = Some(seen);
    }

    fn back_off(&mut self, why: ReasonKind) {
        let jitter = self.draw();
        self.standing.failures += 1;
        let until = self.policy.backoff.until(self.now, self.standing.failures, jitter);
        self.standing.backing_off = Some(BackingOff { until, why: why.into() });
    }

    /// Between 0 and 1, always the same for the same history.
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        (self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn circumstances(&mut self, batch: &[(UrlId, HostId)]) -> Circumstances {
        Circumstances {
            lane: self.policy.lane,
            is_test: false,
            by_service: false,
            now: self.now,
            urls: batch.len(),
            attempts: batch.iter().filter_map(|(url, _)| self.attempts.get(url)).copied().max().unwrap_or(0),
            failures: self.standing.failures,
            jitter: self.draw(),
            probes: self.standing.probes,
            attempts_max: self.config.retry.attempts_max.get(),
            backoff: self.policy.backoff,
            in_doubt: self.config.budget.in_doubt,
            auto: self.policy.auto,
            quota_readable: self.standing.quota_readable,
        }
    }

    fn send(&mut self, plan: &Plan, suspected: &HashSet<UrlId>, service: &mut impl Service) {
        let members = self.cases.open.iter().flat_map(|case| &case.members).map(|member| member.url);
        let involved = if plan.test.is_some() { members.collect() } else { suspected.clone() };
        let mut batch: Vec<UrlId> = plan.test.iter().flat_map(|test| test.suspects.clone()).collect();
        let suspects = u32::try_from(batch.len()).unwrap();
        let others = plan.test.as_ref().map_or(plan.urls_max, |test| test.others);
        batch.extend(self.ready.iter().filter(|url| !involved.contains(url)).take(others as usize).copied());
        let batch: Vec<(UrlId, HostId)> = batch.into_iter().map(|url| (url, self.hosts[&url])).collect();
        for (url, _) in &batch {
            self.ready.remove(url);
        }
        self.nonce += 1;
        self.charged += 1;
        self.spent.requests += 1;
        self.spent.urls += u32::try_from(batch.len()).unwrap();
        self.spent.isolations += u32::from(suspects > 0);
        let in_flight = service.unfinished(self.now);
        let said = service.preload(self.nonce, &batch, self.now).batch(self.operation());
        let outcome = Outcome::of(said.as_ref());
        let doubt = Doubt { nonce: self.nonce, batch, suspects, in_flight };
        if outcome.is_in_doubt() {
            self.doubt = Some(doubt);
            return self.back_off(ReasonKind::InDoubt);
        }
        let reaction = react(said.as_ref(), &self.circumstances(&doubt.batch));
        self.close(&doubt, &reaction);
    }

    fn replay(&mut self, doubt: Doubt, service: &mut impl Service) {
        self.free += 1;
        let said = service.preload(doubt.nonce, &doubt.batch, self.now).batch(self.operation());
        let outcome = Outcome::of(said.as_ref());
        let at = self.circumstances(&doubt.batch);
        match after_replay(&outcome) {
            AfterReplay::Settled => self.close(&doubt, &react(said.as_ref(), &at)),
            AfterReplay::Arrived if service.has_task(doubt.nonce) => {
                self.close(&doubt, &found(Vec::new(), &at));
            }
            AfterReplay::Arrived | AfterReplay::Refused | AfterReplay::Open => {
                self.doubt = Some(doubt);
                self.back_off(ReasonKind::InDoubt);
            }
        }
    }

    /// Steps until `until`, at the configured pace.
    pub(crate) fn run_until(&mut self, until: Time, service: &mut impl Service) {
        let pace = Duration::from_secs(1) / self.config.api.requests_per_second.get();
        while self.now < until {
            self.now = match self.step(service) {
                None => self.now + pace,
                Some(Some(at)) if at > self.now => at.min(until),
                Some(_) => (self.now + TimeDelta::seconds(5)).min(until),
            };
        }
    }
}
