use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::ReasonKind;

/// A service that refuses bad URLs, and a queue in front of it.
struct World {
    bad_urls: HashSet<UrlId>,
    bad_hosts: HashSet<HostId>,
    hosts: BTreeMap<UrlId, HostId>,
    ordinary: Vec<UrlId>,
    cases: Cases,
    accepted: HashSet<UrlId>,
    found: Vec<Found>,
    calls: i64,
    /// Calls until the last one was found.
    search: i64,
    rate: BadRate,
}

impl World {
    fn new(urls: &[i64], bad_urls: impl IntoIterator<Item = i64>, bad_hosts: &[i64], hosts: i64) -> Self {
        Self {
            bad_urls: bad_urls.into_iter().map(UrlId).collect(),
            bad_hosts: bad_hosts.iter().map(|host| HostId(*host)).collect(),
            hosts: urls.iter().map(|url| (UrlId(*url), HostId(url % hosts))).collect(),
            ordinary: urls.iter().map(|url| UrlId(*url)).collect(),
            cases: Cases::default(),
            accepted: HashSet::new(),
            found: Vec::new(),
            calls: 0,
            search: 0,
            rate: BadRate::default(),
        }
    }

    /// Makes one call: a test if there is one to make, else an ordinary batch. False when nothing is left.
    fn call(&mut self, full: u32) -> bool {
        let suspected = self.cases.suspected();
        let ordinary: Vec<UrlId> = self.ordinary.iter().copied().filter(|url| !suspected.contains(url)).collect();
        // Members that are not suspected do not travel along with another test: a bad one among them would spoil that
        // test too.
        let involved = |url: &UrlId| self.cases.open.iter().any(|case| case.members.iter().any(|one| one.url == *url));
        let others: Vec<UrlId> = ordinary.iter().copied().filter(|url| !involved(url)).collect();
        let mut riders = ordinary;
        let supply = Supply { urls_max: full, full, others: u32::try_from(others.len()).unwrap(), bad_rate: self.rate };
        let mut batch = Vec::new();
        let mut room = full.min(self.rate.batch_worth_while());
        if let Some(test) = self.cases.next_test(&supply) {
            assert!(!test.suspects.is_empty() && test.suspects.len() + test.others as usize <= full as usize);
            assert!(test.suspects.iter().all(|url| suspected.contains(url)));
            batch = test.suspects;
            room = test.others;
            riders = others;
        }
        batch.extend(riders.into_iter().take(room as usize));
        if batch.is_empty() {
            return false;
        }
        self.calls += 1;
        let with_hosts: Vec<(UrlId, HostId)> = batch.iter().map(|url| (*url, self.hosts[url])).collect();
        let blame = if with_hosts.iter().any(|(_, host)| self.bad_hosts.contains(host)) {
            Some(Blame::Host)
        } else {
            batch.iter().any(|url| self.bad_urls.contains(url)).then_some(Blame::Url)
        };
        let found = match blame {
            None => {
                self.rate = self.rate.seen(u32::try_from(batch.len()).unwrap(), 0);
                self.accepted.extend(&batch);
                let batch: HashSet<UrlId> = batch.into_iter().collect();
                self.ordinary.retain(|url| !batch.contains(url));
                self.cases.accepted(&with_hosts);
                None
            }
            Some(blame) => {
                let members =
                    with_hosts.iter().map(|(url, host)| Suspect { url: *url, host: *host, core: false, away: false });
                let case = Case {
                    id: SubmissionId(self.calls),
                    blame,
                    why: ReasonKind::MalformedUrl.into(),
                    unsure: false,
                    members: members.collect(),
                };
                self.cases.refused(case, &HashSet::new())
            }
        };
        if let Some(found) = &found {
            match found {
                Found::Url { url, .. } => {
                    self.rate = self.rate.seen(0, 1);
                    self.ordinary.retain(|other| other != url);
                }
                Found::Host { host, .. } => self.ordinary.retain(|url| self.hosts[url] != *host),
            }
        }
        if found.is_some() {
            self.search = self.calls;
        }
        self.found.extend(found);
        true
    }

    fn run(&mut self, full: u32) {
        let bound = self.ordinary.len() * 40 + 100;
        while self.call(full) {
            assert!(self.calls < i64::try_from(bound).unwrap(), "it does not come to an end");
        }
    }

    fn found_urls(&self) -> BTreeSet<i64> {
        self.found
            .iter()
            .filter_map(|found| if let Found::Url { url, .. } = found { Some(url.0) } else { None })
            .collect()
    }
}

#[test]
fn one_bad_url_among_a_thousand_is_found_within_eleven_extra_requests() {
    let urls: Vec<i64> = (0..1000).collect();
    for bad in (0..1000).step_by(7) {
        let mut world = World::new(&urls, [bad], &[], 1);
        world.run(1000);
        assert_eq!(world.found_urls(), BTreeSet::from([bad]));
        assert_eq!(world.accepted.len(), 999);
        // Not counting the batch itself. What was left untested then goes in two or three batches, since one bad URL
        // was seen.
        assert!(world.search <= 1 + 11, "{} calls for {bad}", world.search);
        assert!(world.calls <= world.search + 3, "{} calls for {bad}", world.calls);
    }
}

#[test]
fn with_others_in_the_queue_few_requests_are_wasted() {
    let urls: Vec<i64> = (0..20_000).collect();
    let mut wasted = 0;
    for at in 0..20 {
        let mut world = World::new(&urls, [5_000 + at * 50], &[], 1);
        world.run(1000);
        assert_eq!(world.found_urls().len(), 1);
        assert!(world.calls - 20 <= 11, "{} extra requests", world.calls - 20);
        wasted += world.calls - 20;
    }
    assert!(wasted <= 20 * 6, "{wasted} requests wasted on 20 bad URLs");
}

#[test]
fn a_bad_domain_is_found_among_others_and_takes_only_its_own_urls() {
    let urls: Vec<i64> = (0..1000).collect();
    for bad in 0..16 {
        let mut world = World::new(&urls, [], &[bad], 16);
        world.run(1000);
        assert!(matches!(&world.found[..], [Found::Host { host, .. }] if host.0 == bad), "{:?}", world.found);
        assert_eq!(world.accepted.len(), 1000 - urls.iter().filter(|url| *url % 16 == bad).count());
        // 16 domains take four tests and one that convicts; the untested rest goes in two batches at most.
        assert!(world.calls <= 1 + 5 + 2, "{} calls", world.calls);
    }
}

fn case(id: i64, blame: Blame, members: &[(i64, i64)]) -> Case {
    let member = |(url, host): &(i64, i64)| Suspect { url: UrlId(*url), host: HostId(*host), core: false, away: false };
    let members = members.iter().map(member).collect();
    Case { id: SubmissionId(id), blame, why: ReasonKind::MalformedUrl.into(), unsure: false, members }
}

const SUPPLY: Supply = Supply { urls_max: 10, full: 10, others: 5, bad_rate: BadRate { good: 0.0, bad: 0.0 } };

#[test]
fn domains_of_which_nothing_is_known_are_tried_before_good_ones() {
    let mut cases = Cases::default();
    let good = HashSet::from([HostId(1), HostId(3)]);
    assert_eq!(cases.refused(case(1, Blame::Host, &[(1, 1), (2, 2), (3, 3)]), &good), None);
    assert_eq!(cases.suspected(), HashSet::from([UrlId(2)]));
    // If that one is innocent, it was one of the others.
    cases.accepted(&[(UrlId(2), HostId(2))]);
    assert_eq!(cases.suspected(), HashSet::from([UrlId(1), UrlId(3)]));
}

#[test]
fn nobody_is_convicted_by_elimination() {
    let mut cases = Cases::default();
    assert_eq!(cases.refused(case(1, Blame::Url, &[(1, 1), (2, 1)]), &HashSet::new()), None);
    cases.accepted(&[(UrlId(1), HostId(1))]);
    assert_eq!(cases.next_test(&SUPPLY), Some(Test { suspects: vec![UrlId(2)], others: 0 }));
    // The refusal was a mistake of the service: accepted alone, it is as good as the other.
    let mut lucky = cases.clone();
    lucky.accepted(&[(UrlId(2), HostId(1))]);
    assert_eq!(lucky, Cases::default());
    let found = cases.refused(case(2, Blame::Url, &[(2, 1)]), &HashSet::new());
    assert!(matches!(found, Some(Found::Url { url: UrlId(2), .. })));
    assert_eq!(cases, Cases::default());
}

#[test]
fn what_is_in_flight_or_waits_is_not_tested() {
    let mut waiting = case(1, Blame::Url, &[(1, 1), (2, 1), (3, 1)]);
    waiting.members.iter_mut().for_each(|member| (member.core, member.away) = (true, member.url != UrlId(2)));
    let cases = Cases { open: vec![waiting] };
    assert_eq!(cases.next_test(&SUPPLY), Some(Test { suspects: vec![UrlId(2)], others: 0 }));
}

#[test]
fn the_more_is_bad_the_smaller_the_batches() {
    let rate = |good, bad| BadRate { good, bad };
    assert!(rate(0.0, 0.0).batch_worth_while() > 10_000);
    assert!((60..80).contains(&rate(100_000.0, 1_000.0).batch_worth_while()));
    assert!((600..800).contains(&rate(100_000.0, 100.0).batch_worth_while()));
    // A bad file passes, and is forgotten.
    let mut rate = (0..50).fold(BadRate::default(), |rate, _| rate.seen(69, 1));
    assert!((40..110).contains(&rate.batch_worth_while()), "{rate:?}");
    let mut batches = 0;
    while rate.batch_worth_while() < 1000 {
        rate = rate.seen(rate.batch_worth_while(), 0);
        batches += 1;
    }
    assert!(batches < 40, "{batches} batches until the size is what it was");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever are bad: exactly those are found, all the others are accepted, and nobody is convicted without proof.
    #[test]
    fn exactly_the_bad_ones_are_found(
        urls in 1_i64..600,
        bad in proptest::collection::btree_set(0_i64..600, 0..12),
        hosts in 1_i64..12,
        bad_hosts in proptest::collection::vec(0_i64..12, 0..4),
        full in 1_u32..300,
        good in 0.0_f64..1e6,
        seen_bad in 0.0_f64..100.0,
    ) {
        let all: Vec<i64> = (0..urls).collect();
        let bad: BTreeSet<i64> = bad.into_iter().filter(|url| *url < urls).collect();
        let mut world = World::new(&all, bad.clone(), &bad_hosts, hosts);
        world.rate = BadRate { good, bad: seen_bad };
        world.run(full);
        prop_assert_eq!(&world.cases, &Cases::default());
        for url in all {
            let is_bad = bad.contains(&url);
            let host_is_bad = bad_hosts.contains(&(url % hosts));
            prop_assert_eq!(world.accepted.contains(&UrlId(url)), !is_bad && !host_is_bad, "{}", url);
        }
        prop_assert!(world.found_urls().is_subset(&bad));
    }

    /// One bad URL in a batch costs at most as many tests as their number has binary digits, plus one that convicts it.
    #[test]
    fn without_others_the_tests_are_as_many_as_binary_digits(urls in 2_i64..=1000, bad in 0_i64..1000) {
        let all: Vec<i64> = (0..urls).collect();
        let bad = bad % urls;
        let mut world = World::new(&all, [bad], &[], 1);
        world.run(1000);
        let digits = i64::from((urls as u64).next_power_of_two().trailing_zeros());
        prop_assert_eq!(world.found_urls(), BTreeSet::from([bad]));
        prop_assert!(world.search <= 1 + digits + 1, "{} calls for {} URLs", world.search, urls);
    }

    /// Each of several bad URLs in one batch costs at most a little more than one alone.
    #[test]
    fn every_bad_url_costs_its_own_search_only(bad in proptest::collection::btree_set(0_i64..1000, 1..6)) {
        let all: Vec<i64> = (0..1000).collect();
        let mut world = World::new(&all, bad.clone(), &[], 1);
        world.run(1000);
        prop_assert_eq!(world.found_urls(), bad.clone());
        prop_assert!(world.calls <= 14 * bad.len() as i64 + 4, "{} calls for {} bad ones", world.calls, bad.len());
    }
}
