mod drawn;

use std::time::Duration;

use super::*;
use crate::clock::{Moment, ServiceClock};
use crate::config::Config;
use crate::model::{AccountFault, BudgetDay, HostId, ReasonKind, Stopped, SubmissionId, UrlId};
use crate::schedule::Ready;
use crate::schedule::{BackingOff, BadRate, Blame, Case, Cases, Observation, Pause, Standing, Suspect, learn};

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// The defaults, except for the service's word on the quota: its rules have tests of their own below.
fn policy() -> Policy {
    Policy { auto: false, ..Policy::from(&Config::default()) }
}

/// 04:00 at UTC+8: a sixth of the day has passed.
fn now() -> Time {
    at("2026-11-22T20:00:00Z")
}

fn decided(snapshot: &Snapshot, policy: &Policy, now: Time) -> Decision {
    decide(snapshot, policy, &Reading::certain(now))
}

fn snapshot(urls: u32, requests: u32) -> Snapshot {
    Snapshot {
        ready: Ready { urls, oldest_at: Some(now()), ..Ready::default() },
        spent: Spent { requests, ..Spent::nothing(BudgetDay::of(now(), policy().day_starts)) },
        standing: Standing::default(),
        cases: Cases::default(),
        flight: None,
    }
}

const FULL: Decision = Decision::Send(Plan { urls_max: 1000, weakest: Priority::Low, test: None });

fn until(decision: &Decision) -> Option<Time> {
    match decision {
        Decision::Wait { until, .. } => *until,
        other => panic!("{other:?} is no wait"),
    }
}

#[test]
fn an_empty_queue_waits_for_urls_and_a_full_batch_goes() {
    assert_eq!(decided(&snapshot(0, 0), &policy(), now()), Decision::Wait { until: None, why: WaitWhy::Idle });
    assert_eq!(decided(&snapshot(1000, 499), &policy(), now()), FULL);
}

/// Ten suspects of one refused batch.
fn suspected(urls: u32) -> Snapshot {
    let member = |url| Suspect { url: UrlId(url), host: HostId(1), core: true, away: false };
    let members = (0..10).map(member).collect();
    let case =
        Case { id: SubmissionId(1), blame: Blame::Url, why: ReasonKind::MalformedUrl.into(), unsure: false, members };
    let mut snapshot = Snapshot { cases: Cases { open: vec![case] }, ..snapshot(urls, 0) };
    snapshot.ready.suspects = 10;
    snapshot
}

#[test]
fn an_operators_pause_comes_before_everything_with_who_and_why() {
    let mut snapshot = snapshot(1000, 0);
    snapshot.ready.urgent = 1;
    snapshot.standing.pause = Some(Pause { why: PauseWhy::Account(AccountFault::Suspended), probe_at: now() });
    let stopped = Stopped { why: "the origin is down".into(), by: "alice (uid 1000)".into(), since: now() };
    snapshot.standing.stopped = Some(stopped.clone());
    let why = WaitWhy::Stopped(stopped);
    assert_eq!(decided(&snapshot, &policy(), now()), Decision::Wait { until: None, why });
    snapshot.standing = Standing::default();
    assert_eq!(decided(&snapshot, &policy(), now()), FULL);
}

#[test]
fn suspects_are_tested_before_ordinary_work_and_after_what_is_urgent() {
    let test = |snapshot: &Snapshot| match decided(snapshot, &policy(), now()) {
        Decision::Send(plan) => plan.test.map(|test| (test.suspects.len(), test.others)),
        other => panic!("{other:?}"),
    };
    assert_eq!(test(&suspected(0)), Some((5, 0)));
    let (part, others) = test(&suspected(1000)).unwrap();
    assert!(part <= 5 && part + others as usize == 1000, "{part} suspects and {others} others");
    let mut urgent = suspected(1000);
    urgent.ready.urgent = 1;
    assert_eq!(test(&urgent), None);
    let mut spent = suspected(1000);
    spent.spent.isolations = 40;
    assert_eq!(test(&spent), None);
}

#[test]
fn what_is_held_for_its_host_or_for_tomorrow_is_said() {
    let mut snapshot = snapshot(0, 0);
    snapshot.ready.parked = 7;
    assert_eq!(decided(&snapshot, &policy(), now()), Decision::Wait { until: None, why: WaitWhy::Hosts { urls: 7 } });
    snapshot.ready.held_suspects = 3;
    let ends = Some(snapshot.spent.day.ends_at);
    let why = WaitWhy::IsolationSpent { urls: 3 };
    assert_eq!(decided(&snapshot, &policy(), now()), Decision::Wait { until: ends, why });
}

#[test]
fn batches_are_as_large_as_the_share_of_bad_urls_lets_them() {
    let mut snapshot = snapshot(1000, 0);
    snapshot.standing.bad_rate = BadRate { good: 100_000.0, bad: 1_000.0 };
    let Decision::Send(plan) = decided(&snapshot, &policy(), now()) else { panic!("it goes") };
    assert!((60..80).contains(&plan.urls_max), "{}", plan.urls_max);
}

#[test]
fn a_spent_day_waits_for_its_end() {
    let decision = decided(&snapshot(1000, 500), &policy(), now());
    assert_eq!(
        decision,
        Decision::Wait { until: Some(at("2026-11-23T16:00:00Z")), why: WaitWhy::RequestsSpent { limit: 500 } }
    );
    let mut exhausted = snapshot(1000, 3);
    exhausted.spent.exhausted = Some("QuotaExceeded.Preload".into());
    assert_eq!(until(&decided(&exhausted, &policy(), now())), Some(at("2026-11-23T16:00:00Z")));
}

#[test]
fn a_partial_batch_goes_while_requests_are_plentiful_and_lingers_when_they_are_scarce() {
    assert_eq!(decided(&snapshot(10, 100), &policy(), now()), FULL);
    let scarce = decided(&snapshot(10, 200), &policy(), now());
    assert_eq!(until(&scarce), Some(now() + TimeDelta::minutes(5)));
    assert_eq!(decided(&snapshot(10, 200), &policy(), now() + TimeDelta::minutes(5)), FULL);
}

#[test]
fn what_is_urgent_or_due_does_not_linger() {
    let mut urgent = snapshot(10, 200);
    urgent.ready.urgent = 1;
    assert_eq!(decided(&urgent, &policy(), now()), FULL);
    let mut due = snapshot(10, 200);
    due.ready.deadline = Some(now() + TimeDelta::minutes(4));
    assert_eq!(decided(&due, &policy(), now()), FULL);
}

#[test]
fn nothing_lingers_into_the_reset_because_what_is_left_then_expires() {
    let mut patient = policy();
    patient.linger = Duration::from_secs(86_400);
    // 95 % are spent: scarce until 85 % of the day has passed, at 20:24 there.
    let snapshot = snapshot(10, 475);
    assert_eq!(until(&decided(&snapshot, &patient, now())), Some(at("2026-11-23T12:24:00Z")));
    assert_eq!(decided(&snapshot, &patient, at("2026-11-23T12:24:00Z")), FULL);
}

#[test]
fn the_reserve_is_for_urgent_urls_until_it_is_released() {
    let mut policy = policy();
    policy.reserve = 50;
    let normal = snapshot(1000, 450);
    assert_eq!(until(&decided(&normal, &policy, now())), Some(at("2026-11-23T12:00:00Z")));
    let mut urgent = normal.clone();
    urgent.ready.urgent = 3;
    let decision = decided(&urgent, &policy, now());
    assert_eq!(decision, Decision::Send(Plan { urls_max: 1000, weakest: Priority::Urgent, test: None }));
    assert_eq!(decided(&normal, &policy, at("2026-11-23T12:00:00Z")), FULL);
    assert_eq!(decided(&snapshot(1000, 449), &policy, now()), FULL);
}

#[test]
fn windows_hold_all_but_what_is_urgent() {
    let mut policy = policy();
    policy.windows = vec!["22:00-06:00".parse().unwrap(), "12:00-13:00".parse().unwrap()];
    assert_eq!(decided(&snapshot(1000, 0), &policy, now()), FULL);
    let morning = at("2026-11-23T00:00:00Z");
    assert_eq!(until(&decided(&snapshot(1000, 0), &policy, morning)), Some(at("2026-11-23T04:00:00Z")));
    let mut urgent = snapshot(1000, 0);
    urgent.ready.urgent = 1;
    assert!(matches!(decided(&urgent, &policy, morning), Decision::Send(Plan { weakest: Priority::Urgent, .. })));
}

#[test]
fn a_backoff_and_a_pause_stop_even_what_is_urgent() {
    let mut snapshot = snapshot(1000, 0);
    snapshot.ready.urgent = 5;
    snapshot.standing.failures = 2;
    snapshot.standing.backing_off =
        Some(BackingOff { until: now() + TimeDelta::seconds(9), why: ReasonKind::Throttled.into() });
    assert_eq!(until(&decided(&snapshot, &policy(), now())), Some(now() + TimeDelta::seconds(9)));
    assert_eq!(decided(&snapshot, &policy(), now() + TimeDelta::seconds(9)), FULL);
    snapshot.standing.pause = Some(Pause { why: PauseWhy::Account(AccountFault::Suspended), probe_at: now() });
    assert!(matches!(decided(&snapshot, &policy(), now()), Decision::Pause { .. }));
}

#[test]
fn what_was_learned_and_what_is_left_of_the_urls_bound_the_batch() {
    let mut snapshot = snapshot(1000, 0);
    snapshot.standing.batch_urls_max = Some(100);
    assert_eq!(
        decided(&snapshot, &policy(), now()),
        Decision::Send(Plan { urls_max: 100, weakest: Priority::Low, test: None })
    );
    let mut limited = policy();
    limited.urls_per_day = Some(2_000);
    snapshot.spent.urls = 1_993;
    assert_eq!(
        decided(&snapshot, &limited, now()),
        Decision::Send(Plan { urls_max: 7, weakest: Priority::Low, test: None })
    );
    snapshot.spent.urls = 2_000;
    assert_eq!(until(&decided(&snapshot, &limited, now())), Some(snapshot.spent.day.ends_at));
}

fn auto(urls: u32, remain: u64, unit: Option<Unit>) -> (Snapshot, Policy) {
    let mut snapshot = snapshot(urls, 0);
    snapshot.spent.observed = Some(Observation { quota: 500, remain, at: now(), requests: 0, urls: 0 });
    snapshot.standing.unit = unit;
    (snapshot, Policy { auto: true, ..policy() })
}

fn sends(snapshot: &Snapshot, policy: &Policy) -> Option<u32> {
    match decided(snapshot, policy, now()) {
        Decision::Send(plan) => Some(plan.urls_max),
        _ => None,
    }
}

#[test]
fn until_the_unit_is_known_either_reading_is_safe() {
    let (mut unknown, policy) = auto(1000, 500, None);
    assert_eq!(sends(&unknown, &policy), Some(500));
    // After a batch the service is asked before the next one.
    (unknown.spent.requests, unknown.spent.urls) = (1, 500);
    assert_eq!(decided(&unknown, &policy, now()), Decision::Ask);
    let (requests, policy) = auto(1000, 500, Some(Unit::Requests));
    assert_eq!(sends(&requests, &policy), Some(1000));
    let (urls, policy) = auto(1000, 30, Some(Unit::Urls));
    assert_eq!(sends(&urls, &policy), Some(30));
}

#[test]
fn what_others_spent_of_the_quota_is_not_spent_here_again() {
    let (mut snapshot, policy) = auto(1000, 2, Some(Unit::Requests));
    assert_eq!(sends(&snapshot, &policy), Some(1000));
    snapshot.spent.requests = 2;
    let Decision::Wait { until: Some(until), why: WaitWhy::NothingRemains { quota: 500 } } =
        decided(&snapshot, &policy, now())
    else {
        panic!("nothing remains");
    };
    // The quota may be raised, so it is asked again, but not all the time.
    assert_eq!(until, now() + TimeDelta::minutes(10));
    assert_eq!(decided(&snapshot, &policy, until), Decision::Ask);
    // If the quota can no longer be read by then, the wait must not be one that is over.
    snapshot.standing.quota_readable = false;
    let Decision::Wait { until: Some(later), .. } = decided(&snapshot, &policy, until) else { panic!("it waits") };
    assert!(later > until, "{later}");
}

#[test]
fn nothing_goes_before_the_time_is_proved_and_an_uncertain_day_is_settled() {
    let unproved = ServiceClock::default().reading(Moment { wall: now(), boot: Duration::ZERO });
    assert_eq!(decide(&snapshot(1000, 0), &policy(), &unproved), Decision::Ask);
    // An empty queue has nothing to ask for.
    assert!(matches!(decide(&snapshot(0, 0), &policy(), &unproved), Decision::Wait { why: WaitWhy::Idle, .. }));
    let mut unsure = snapshot(1000, 0);
    unsure.spent.unsure = true;
    assert_eq!(decided(&unsure, &policy(), now()), Decision::Ask);
    unsure.standing.quota_readable = false;
    assert!(matches!(decided(&unsure, &policy(), now()), Decision::Wait { why: WaitWhy::LedgerUnknown, .. }));
}

#[test]
fn a_batch_that_was_refused_for_the_quota_is_halved() {
    let mut snapshot = snapshot(1000, 0);
    snapshot.spent.refused_urls = Some(500);
    assert_eq!(sends(&snapshot, &policy()), Some(250));
    snapshot.spent.refused_urls = Some(1);
    assert_eq!(sends(&snapshot, &policy()), Some(1));
}
