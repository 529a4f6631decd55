//! What holds in states and days that are drawn.

use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

/// A million steps of a busy account: URLs come; others spend; calls are accepted, refused, given back or lost; the
/// service raises its quota; hundreds of days pass. The service's own count decides.
#[test]
fn a_million_steps_never_overspend_never_stall_and_learn_the_unit() {
    for (seed, unit) in [(1, Unit::Requests), (2, Unit::Urls)] {
        let mut chance = StdRng::seed_from_u64(seed);
        let policy = Policy { auto: true, reserve: 20, ..policy() };
        let (mut at, mut queued, mut days, mut learned) = (now(), 0_u32, 0, None);
        let mut day = BudgetDay::of(at, policy.day_starts);
        let mut spent = Spent::nothing(day);
        // What the service has counted today, for us and for others.
        let quota = 900_u64;
        let mut counted = 0_u64;
        let mut seen = 0_u32;
        for _ in 0..500_000 {
            at += TimeDelta::seconds(chance.random_range(0..120));
            queued = (queued + chance.random_range(0..300)).min(100_000);
            if BudgetDay::of(at, policy.day_starts).date > day.date {
                assert!(seen <= spent.requests && spent.requests <= policy.requests_per_day);
                day = BudgetDay::of(at, policy.day_starts);
                spent = Spent::nothing(day);
                (counted, seen, days) = (0, 0, days + 1);
            }
            if chance.random_range(0..50) == 0 && counted < quota {
                counted += 1;
            }
            let ready =
                Ready { urls: queued.min(1000), oldest_at: Some(at - TimeDelta::minutes(3)), ..Ready::default() };
            let snapshot = Snapshot {
                ready,
                spent: spent.clone(),
                standing: Standing { unit: learned, ..Standing::default() },
                cases: Cases::default(),
                flight: None,
            };
            match decided(&snapshot, &policy, at) {
                Decision::Ask => {
                    let said =
                        Observation { quota, remain: quota - counted, at, requests: spent.requests, urls: spent.urls };
                    let taught =
                        spent.observed.as_ref().and_then(|before| learn(before, &said)).filter(|_| learned.is_none());
                    learned = learned.or(taught);
                    spent.observed = Some(said);
                }
                Decision::Send(plan) => {
                    let urls = plan.urls_max.min(queued);
                    spent.requests += 1;
                    spent.urls += urls;
                    let cost = if unit == Unit::Requests { 1 } else { u64::from(urls) };
                    match chance.random_range(0..10) {
                        // Given back: the call never reached the operation.
                        0 => (spent.requests, spent.urls) = (spent.requests - 1, spent.urls - urls),
                        // Charged here, but the service never saw it.
                        1 => {}
                        // Others were faster: the service refuses the call, and it stays charged.
                        _ if counted + cost > quota => {
                            seen += 1;
                            spent.urls -= urls;
                            spent.observed = None;
                        }
                        _ => (counted, seen, queued) = (counted + cost, seen + 1, queued - urls),
                    }
                    assert!(spent.requests <= policy.requests_per_day);
                }
                Decision::Wait { until, why } => {
                    let until = until.unwrap_or(at + TimeDelta::minutes(1));
                    assert!(until > at && until - at <= TimeDelta::days(1), "{why:?}: until {until} at {at}");
                    // Something may make it worth looking sooner, so only a part of the wait passes.
                    at += (until - at) / chance.random_range(1..4);
                }
                Decision::Pause { .. } => panic!("nothing paused it"),
            }
        }
        assert_eq!(learned, Some(unit));
        assert!(days > 300, "{days} days passed");
    }
}

proptest! {
    /// In every state: no decision exceeds a limit, and every wait lies ahead and ends.
    #[test]
    fn no_decision_oversteps_or_stalls(
        urls in 0_u32..=1000, urgent in 0_u32..=1000, requests in 0_u32..700, urls_used in 0_u32..3000,
        urls_per_day in proptest::option::of(1_u32..3000), reserve in 0_u32..500, minutes in -2000_i64..4000,
        oldest in 0_i64..4000, linger in 0_u64..86_400, window in any::<bool>(), failures in 0_u32..9,
    ) {
        let mut policy = policy();
        policy.urls_per_day = urls_per_day;
        policy.reserve = reserve;
        policy.linger = Duration::from_secs(linger);
        if window {
            policy.windows = vec!["01:00-02:00".parse().unwrap()];
        }
        let at = now() + TimeDelta::minutes(minutes);
        let mut snapshot = snapshot(urls, requests);
        snapshot.ready.urgent = urgent.min(urls);
        snapshot.ready.oldest_at = Some(at - TimeDelta::minutes(oldest));
        snapshot.spent.urls = urls_used;
        snapshot.spent.day = BudgetDay::of(at, policy.day_starts);
        snapshot.standing.failures = failures;
        match decided(&snapshot, &policy, at) {
            Decision::Send(plan) => {
                prop_assert!(urls > 0 && requests < policy.requests_per_day);
                prop_assert!((1..=1000).contains(&plan.urls_max));
                if let Some(limit) = urls_per_day {
                    prop_assert!(urls_used + plan.urls_max <= limit);
                }
                let released_at = policy.day_starts.next(policy.reserve_until, snapshot.spent.day.starts_at);
                if plan.weakest == Priority::Low && at < released_at {
                    prop_assert!(policy.requests_per_day - requests > reserve);
                }
            }
            Decision::Wait { until, why } => {
                prop_assert_eq!(until.is_none(), urls == 0);
                if let Some(until) = until {
                    prop_assert!(until > at, "{why:?} is over already");
                    prop_assert!(until - at <= TimeDelta::days(1), "{why:?} is longer than a day");
                }
            }
            other => prop_assert!(false, "{other:?}: nothing paused it, and nothing is to be asked"),
        }
    }
}
