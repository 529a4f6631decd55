//! Isolation: finds the URL or the domain for which a batch was refused, in as few requests as possible.
//!
//! This is group testing, where each test costs a request. Unlike in ordinary group testing an accepted test is not
//! lost, because it has warmed its URLs. So a test is filled up with ordinary URLs: if it is accepted, it was a batch
//! like any other, and only refused tests are wasted.
//!
//! A [`Case`] is a refused submission: at least one of its members is bad. Its *core* are the members under suspicion;
//! the others only travelled along. A test takes a part of the core. If it is accepted, the rest of the core remains.
//! If it is refused, it becomes a case of its own, and the rest of the core goes back to ordinary work as soon as
//! nothing is known against it. Nobody is convicted by elimination, only by a refusal of its own, because an answer may
//! be wrong once.
//!
//! Everything here is a function of values; the queue owns the tables behind it.

use std::collections::{BTreeSet, HashSet};

use crate::model::{HostId, Reason, SubmissionId, UrlId};

/// The price, in requests, of one more call between the refusal and the result. Without it the cheapest way would be to
/// try suspects one by one over days.
const LATENCY_PRICE: f64 = 0.1;

/// What a refusal was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// A URL of the batch.
    Url,
    /// A domain of the batch.
    Host,
}

/// A member of a refused batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The URL.
    pub url: UrlId,
    /// Its domain.
    pub host: HostId,
    /// Whether it is a suspect, or only travelled along.
    pub core: bool,
    /// Whether it cannot be tested now, because it is in a submission whose end is not known or waits for its time.
    pub away: bool,
}

/// A refused submission in which something bad is still to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The submission.
    pub id: SubmissionId,
    /// What the batch was refused for.
    pub blame: Blame,
    /// The reason, for the operator.
    pub why: Reason,
    /// The service never clearly refused it, so a URL that is found is held for the operator instead of failed.
    pub unsure: bool,
    /// The members that have not been accepted since.
    pub members: Vec<Suspect>,
}

/// All open cases, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cases {
    /// In order of their submissions.
    pub open: Vec<Case>,
}

/// What is available for a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supply {
    /// Most URLs that a test may carry.
    pub urls_max: u32,
    /// URLs of a full batch.
    pub full: u32,
    /// Ordinary URLs that could travel along: those in no open case.
    pub others: u32,
    /// The share of URLs that only the service recognizes as bad.
    pub bad_rate: BadRate,
}

/// The next test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The suspects in it.
    pub suspects: Vec<UrlId>,
    /// Ordinary URLs that travel along, at most.
    pub others: u32,
}

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// This URL is bad.
    Url {
        /// The URL.
        url: UrlId,
        /// The reason, for the operator.
        why: Reason,
        /// Whether the operator has to decide.
        unsure: bool,
    },
    /// This domain is bad.
    Host {
        /// The domain.
        host: HostId,
        /// The reason, for the operator.
        why: Reason,
    },
}

impl Case {
    fn core(&self) -> impl Iterator<Item = &Suspect> {
        self.members.iter().filter(|member| member.core)
    }

    fn hosts(&self) -> BTreeSet<HostId> {
        self.members.iter().map(|member| member.host).collect()
    }

    fn has(&self, found: &Found) -> bool {
        match found {
            Found::Url { url, .. } => self.members.iter().any(|member| member.url == *url),
            Found::Host { host, .. } => self.blame == Blame::Host && self.members.iter().any(|m| m.host == *host),
        }
    }

    /// The bad one, if the refusal can only have been about one.
    fn found(&self) -> Option<Found> {
        let only = self.members.first()?;
        let why = self.why.clone();
        match self.blame {
            Blame::Url if self.members.len() == 1 => Some(Found::Url { url: only.url, why, unsure: self.unsure }),
            Blame::Host if self.hosts().len() == 1 => Some(Found::Host { host: only.host, why }),
            _ => None,
        }
    }

    /// The next test of this case; leaves out suspects that are tested `elsewhere` first.
    fn test(&self, supply: &Supply, elsewhere: &HashSet<UrlId>) -> Option<Test> {
        let core: Vec<&Suspect> = self.core().filter(|s| !s.away && !elsewhere.contains(&s.url)).collect();
        match self.blame {
            Blame::Url if core.len() > 1 => {
                let (part, others) = split(core.len(), supply);
                Some(Test { suspects: core.iter().take(part).map(|suspect| suspect.url).collect(), others })
            }
            Blame::Url => core.first().map(|suspect| Test { suspects: vec![suspect.url], others: 0 }),
            Blame::Host => test_hosts(&core, supply.urls_max),
        }
    }
}

/// A test of half the domains, each with as many URLs as fit.
fn test_hosts(core: &[&Suspect], urls_max: u32) -> Option<Test> {
    let hosts: BTreeSet<HostId> = core.iter().map(|suspect| suspect.host).collect();
    let tested: BTreeSet<HostId> = hosts.iter().copied().take(hosts.len().div_ceil(2)).collect();
    let room = (urls_max as usize / tested.len().max(1)).max(1);
    let mut suspects = Vec::new();
    for host in tested {
        suspects.extend(core.iter().filter(|suspect| suspect.host == host).take(room).map(|suspect| suspect.url));
    }
    suspects.truncate(urls_max as usize);
    (!suspects.is_empty()).then_some(Test { suspects, others: 0 })
}

impl Cases {
    /// The next test; none if nothing is suspected or nothing can be tested now. The case that is nearest to its end
    /// comes first. A URL that is suspected in several cases is tested in the latest one, which is the smallest.
    pub fn next_test(&self, supply: &Supply) -> Option<Test> {
        let mut elsewhere = HashSet::new();
        let mut tests: Vec<(usize, Test)> = Vec::new();
        for case in self.open.iter().rev() {
            tests.extend(case.test(supply, &elsewhere).map(|test| (case.core().count(), test)));
            elsewhere.extend(case.core().map(|suspect| suspect.url));
        }
        tests.into_iter().min_by_key(|(core, _)| *core).map(|(_, test)| test)
    }

    /// The URLs that are kept out of ordinary batches.
    pub fn suspected(&self) -> HashSet<UrlId> {
        self.open.iter().flat_map(Case::core).map(|suspect| suspect.url).collect()
    }

    /// A batch was accepted: nothing in it is bad.
    pub fn accepted(&mut self, batch: &[(UrlId, HostId)]) {
        let urls: HashSet<UrlId> = batch.iter().map(|(url, _)| *url).collect();
        let hosts: HashSet<HostId> = batch.iter().map(|(_, host)| *host).collect();
        for case in &mut self.open {
            case.members.retain(|member| match case.blame {
                Blame::Url => !urls.contains(&member.url),
                Blame::Host => !hosts.contains(&member.host),
            });
        }
        self.turn_to_the_rest();
    }

    /// A batch was refused; `case` says for what, and its members are the batch. Domains in `known_good` are suspected
    /// last, because nothing bad is known about them. Returns who was found.
    pub fn refused(&mut self, mut case: Case, known_good: &HashSet<HostId>) -> Option<Found> {
        let found = case.found();
        if let Some(found) = &found {
            self.open.retain(|case| !case.has(found));
            self.turn_to_the_rest();
            return Some(found.clone());
        }
        let batch: HashSet<UrlId> = case.members.iter().map(|member| member.url).collect();
        let is_tested =
            |open: &Case| open.blame == case.blame && open.core().any(|suspect| batch.contains(&suspect.url));
        // The latest, because a URL that is suspected in several cases is tested in that one.
        if let Some(at) = self.open.iter().rposition(is_tested) {
            let tested = &self.open[at];
            let part: HashSet<UrlId> = tested.core().map(|suspect| suspect.url).collect();
            let known: HashSet<UrlId> = tested.members.iter().map(|member| member.url).collect();
            let is_within = batch.is_subset(&known);
            case.members.iter_mut().for_each(|member| member.core = part.contains(&member.url));
            // Then one of these is bad, and nothing is known about the rest. If others travelled along, the bad one may
            // be among them, so the rest stays suspected until somebody is found.
            if is_within {
                self.open.remove(at);
            }
        } else {
            let doubtful = |member: &Suspect| case.blame == Blame::Url || !known_good.contains(&member.host);
            let any = case.members.iter().any(doubtful);
            let core: Vec<bool> = case.members.iter().map(|member| !any || doubtful(member)).collect();
            case.members.iter_mut().zip(core).for_each(|(member, core)| member.core = core);
        }
        self.open.push(case);
        None
    }

    /// A domain turned out to be bad by other means, which explains the refusals for it.
    pub fn explained_by(&mut self, host: HostId) {
        self.open.retain(|case| case.blame != Blame::Host || !case.hosts().contains(&host));
    }

    /// Where the whole core is innocent, suspects those that travelled along.
    fn turn_to_the_rest(&mut self) {
        self.open.retain(|case| !case.members.is_empty());
        for case in self.open.iter_mut().filter(|case| case.core().next().is_none()) {
            case.members.iter_mut().for_each(|member| member.core = true);
        }
    }
}

/// The share of URLs that only the service recognizes as bad: what was seen recently, with a weak prior that it is
/// small.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BadRate {
    /// URLs that were accepted.
    pub good: f64,
    /// URLs that were convicted.
    pub bad: f64,
}

/// The prior, before anything was seen: this many good ones (its weight shrinks as bad ones are seen) ...
const BELIEF_GOOD: f64 = 1_000.0;

/// ... and so many bad ones.
const BELIEF_BAD: f64 = 0.05;

/// When more bad ones than this were seen, or more good ones than a few days bring, older counts are halved: a bad file
/// passes.
const MEMORY_BAD: f64 = 10.0;
const MEMORY_GOOD: f64 = 1_000_000.0;

impl BadRate {
    /// With these counts added.
    #[must_use]
    pub fn seen(self, good: u32, bad: u32) -> Self {
        let seen = Self { good: self.good + f64::from(good), bad: self.bad + f64::from(bad) };
        if seen.bad > MEMORY_BAD || seen.good > MEMORY_GOOD {
            Self { good: seen.good / 2.0, bad: seen.bad / 2.0 }
        } else {
            seen
        }
    }

    /// The share of bad ones.
    pub fn share(self) -> f64 {
        (self.bad + BELIEF_BAD) / (self.good + self.bad + BELIEF_GOOD / (1.0 + self.bad / 2.0))
    }

    /// The largest ordinary batch that pays off: it is refused at most every second time (an answer tells most when
    /// both outcomes are equally likely).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number beyond the bounds becomes the bound"
    )]
    pub fn batch_worth_while(self) -> u32 {
        ((std::f64::consts::LN_2 / self.share()) as u32).max(1)
    }
}

/// How many of `core` suspects, one of which is bad, go into the next test, and how many others travel along: the
/// numbers that waste the fewest requests for what they tell about the core.
fn split(core: usize, supply: &Supply) -> (usize, u32) {
    let rate = supply.bad_rate.share().clamp(1e-9, 0.5);
    let log_good = (-rate).ln_1p();
    let any_bad = |n: f64| -(n * log_good).exp_m1();
    let (all, full) = (core as f64, f64::from(supply.full.max(1)));
    let room = core.min(supply.urls_max as usize);
    // Where there is too little ordinary work to fill batches, a test costs a request whatever it says. Then it may
    // leave no more than the next lower power of two, so that the bad one is found in as many tests as the number of
    // suspects has binary digits.
    let is_plenty = supply.others >= supply.full;
    let largest_rest = core.next_power_of_two() / 2;
    let parts = (1..=core.div_ceil(2)).filter(|part| *part <= room && (is_plenty || core - part <= largest_rest));
    let mut best = (f64::INFINITY, room.min(core / 2).max(1), 0);
    for part in parts {
        let beside = supply.urls_max.saturating_sub(u32::try_from(part).unwrap_or(u32::MAX)).min(supply.others);
        for quarters in if is_plenty { 0..=4 } else { 0..=0 } {
            let others = beside / 4 * quarters + beside % 4 * (quarters / 4);
            let clean = 1.0 - any_bad(part as f64) / any_bad(all);
            let others_clean = 1.0 - any_bad(f64::from(others));
            let accepted = clean * others_clean;
            let fullness = (part as f64 + f64::from(others)) / full;
            // Others blur a refusal: it may be about one of them.
            let told = entropy(accepted) - clean * entropy(others_clean);
            let cost = (1.0 - accepted * fullness.min(1.0) + LATENCY_PRICE) / told.max(f64::MIN_POSITIVE);
            if cost < best.0 {
                best = (cost, part, others);
            }
        }
    }
    (best.1, best.2)
}

/// The information, in bits, in an answer of this probability.
fn entropy(p: f64) -> f64 {
    let part = |p: f64| if p <= 0.0 { 0.0 } else { -p * p.log2() };
    part(p) + part(1.0 - p)
}

#[cfg(test)]
mod tests;
