mod lanes;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Config, Window};
use crate::model::{AccountFault, BudgetDay, PauseWhy, WaitWhy};
use crate::schedule::Ready;
use crate::schedule::{Cases, Decision, Observation, Pause, Snapshot, Unit, decide, learn};

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// 04:00 at UTC+8.
fn now() -> Time {
    at("2026-11-22T20:00:00Z")
}

fn policy() -> Policy {
    Policy { auto: false, ..Policy::from(&Config::default()) }
}

fn group(file: i64, urls: u64) -> Group {
    Group {
        file: Some(FileId(file)),
        priority: Priority::Normal,
        deadline: None,
        ready_at: None,
        order: file,
        dropped_at: now(),
        urls,
        wishes: Vec::new(),
    }
}

#[test]
fn a_url_that_several_files_want_is_in_the_forecast_of_each_and_ends_with_the_last() {
    let wish = |file, priority, deadline: Option<i64>| FileWish {
        file: FileId(file),
        priority,
        deadline: deadline.map(|m| now() + minutes(m)),
    };
    let wishes = vec![wish(1, Priority::Urgent, Some(1)), wish(2, Priority::Low, None)];
    let shared = |ready: i64| Group {
        priority: Priority::Urgent,
        deadline: Some(now() + minutes(1)),
        ready_at: Some(now() + minutes(ready)),
        wishes: wishes.clone(),
        ..group(1, 10)
    };
    let policy = Policy { linger: Duration::ZERO, ..policy() };
    let of = |forecast: &Forecast, file| forecast.files.iter().find(|it| it.file_id == Some(file)).cloned().unwrap();
    // Sent in time, for both.
    let sent = forecast(outlook(vec![shared(0), group(3, 5)]), &policy, now());
    assert_eq!((sent.urls, sent.submitted, sent.missed), (15, 15, 0));
    assert_eq!((of(&sent, 1).submitted, of(&sent, 2).submitted, of(&sent, 3).urls), (10, 10, 5));
    // Too late for the first; the second waits no longer than it has to.
    let late = forecast(outlook(vec![shared(5)]), &policy, now());
    assert_eq!((late.urls, late.submitted, late.missed), (10, 10, 0));
    assert_eq!((of(&late, 1).missed(), of(&late, 1).submitted, of(&late, 2).submitted), (10, 0, 10));
}

fn outlook(groups: Vec<Group>) -> Outlook {
    Outlook {
        groups,
        behind: Vec::new(),
        spent: Spent::nothing(BudgetDay::of(now(), policy().day_starts)),
        standing: Standing::default(),
        flight: None,
        quota: None,
        pace: TimeDelta::milliseconds(100),
        steps_max: 1_000_000,
        warm: None,
    }
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

#[test]
fn ten_million_urls_are_ten_thousand_requests_and_twenty_days() {
    let forecast = forecast(outlook(vec![group(1, 10_000_000)]), &policy(), now());
    assert_eq!((forecast.requests, forecast.submitted, forecast.days.len()), (10_000, 10_000_000, 20));
    assert!(forecast.days.iter().all(|day| day.requests == 500 && day.urls == 500_000));
    // The whole day's budget goes at its start, as fast as calls may follow each other.
    assert_eq!(forecast.last_at, Some(at("2026-12-11T16:00:00Z") + TimeDelta::milliseconds(499 * 100)));
}

#[test]
fn what_is_urgent_goes_first_and_what_is_due_before_what_is_not() {
    let due = Group { deadline: Some(now() + minutes(60)), ..group(3, 10) };
    let urgent = Group { priority: Priority::Urgent, ..group(4, 10) };
    let later = Group { ready_at: Some(now() + minutes(5)), priority: Priority::Urgent, ..group(5, 10) };
    let policy = Policy { batch_urls_max: 10, ..policy() };
    let forecast = forecast(outlook(vec![group(1, 10), group(2, 10), due, urgent, later]), &policy, now());
    let order: Vec<_> = forecast.files.iter().map(|file| file.file_id.unwrap()).collect();
    assert_eq!(order, [4, 3, 1, 2, 5]);
    assert_eq!(forecast.files[4].first_at, Some(now() + minutes(5)));
}

#[test]
fn a_deadline_that_the_budget_cannot_meet_is_missed_and_one_that_is_too_near_is_cold() {
    let deadline = now() + minutes(10);
    let premiere = Group { deadline: Some(deadline), ..group(1, 50) };
    let policy = Policy { requests_per_day: 3, batch_urls_max: 10, ..policy() };
    let forecast = forecast(outlook(vec![premiere, group(2, 5)]), &policy, now());
    let file = forecast.files.iter().find(|file| file.file_id == Some(1)).unwrap();
    assert_eq!(file.deadlines, [DeadlineForecast { deadline, urls: 50, missed: 20, cold: 30 }]);
    assert_eq!((forecast.missed, forecast.cold, forecast.submitted, forecast.beyond), (20, 30, 35, 0));
    // What was missed leaves room for the others on the next day.
    assert_eq!(forecast.days.iter().map(|day| day.urls).collect::<Vec<_>>(), [30, 5]);
}

#[test]
fn what_was_measured_takes_the_place_of_half_an_hour() {
    let warm = Some(WarmTime { median_seconds: 60, p95_seconds: 120, tasks: 9 });
    let premiere = || Group { deadline: Some(now() + minutes(10)), ..group(1, 5) };
    let guessed = forecast(outlook(vec![premiere()]), &policy(), now());
    let measured = forecast(Outlook { warm, ..outlook(vec![premiere()]) }, &policy(), now());
    assert_eq!((guessed.cold, measured.cold), (5, 0));
    assert_eq!(guessed.files[0].warm_by, Some(now() + minutes(30)));
    assert_eq!(measured.files[0].warm_by, Some(now() + minutes(2)));
    assert!(guessed.assumed.contains(&Assumption::WarmInHalfAnHour) && measured.assumed.is_empty());
}

#[test]
fn a_pause_is_taken_to_end_at_its_next_try_and_that_is_said() {
    let mut paused = outlook(vec![group(1, 5)]);
    paused.standing.pause =
        Some(Pause { why: PauseWhy::Account(AccountFault::Suspended), probe_at: now() + minutes(4) });
    let forecast = forecast(paused, &policy(), now());
    assert_eq!(forecast.last_at, Some(now() + minutes(4)));
    assert!(forecast.assumed.contains(&Assumption::PauseEnds));
}

#[test]
fn a_quota_of_urls_is_spread_over_as_many_days_as_it_takes() {
    let policy = Policy { auto: true, ..policy() };
    let mut urls = Outlook { quota: Some(500), ..outlook(vec![group(1, 1_700)]) };
    urls.standing.unit = Some(Unit::Urls);
    let forecast = forecast(urls, &policy, now());
    assert_eq!(forecast.days.iter().map(|day| day.urls).collect::<Vec<_>>(), [500, 500, 500, 200]);
    assert!(!forecast.assumed.contains(&Assumption::UnitIsRequests));
}

#[test]
fn a_queue_that_never_empties_is_cut_off_and_said() {
    let policy = Policy { requests_per_day: 1, batch_urls_max: 1, ..policy() };
    let forecast = forecast(outlook(vec![group(1, 1_000_000)]), &policy, now());
    assert!(forecast.beyond > 990_000 && forecast.submitted + forecast.beyond == 1_000_000);
    assert!(forecast.ends_at > now() + TimeDelta::days(3_600));
}

/// One URL of the row-by-row simulation.
#[derive(Debug, Clone, Copy)]
struct Row {
    place: (Priority, bool, Option<Time>, i64),
    file: Option<FileId>,
    ready_at: Option<Time>,
}

/// The reference: what really happens when nothing goes wrong. It makes the same decisions on rows, a step at a time,
/// sleeps through each wait in pieces of a minute as the submitter would, and keeps its own account: the moments of
/// submission by file, requests and URLs by day.
struct Plain {
    policy: Policy,
    now: Time,
    rows: Vec<Row>,
    snapshot: Snapshot,
    account: (Unit, u64, BTreeMap<BudgetDay, u64>),
    sent: BTreeMap<Option<FileId>, Vec<Time>>,
    days: BTreeMap<BudgetDay, (u64, u64)>,
}

impl Plain {
    fn step(&mut self, pace: TimeDelta) {
        let today = BudgetDay::of(self.now, self.policy.day_starts);
        if today.date > self.snapshot.spent.day.date {
            self.snapshot.spent = Spent::nothing(today);
        }
        self.rows.retain(|row| row.place.2.is_none_or(|deadline| deadline > self.now));
        if self.rows.is_empty() {
            return;
        }
        let mut ready: Vec<Row> =
            self.rows.iter().copied().filter(|row| row.ready_at.is_none_or(|at| at <= self.now)).collect();
        ready.sort_by_key(|row| row.place);
        let head = &ready[..ready.len().min(self.policy.batch_urls_max as usize)];
        self.snapshot.ready = Ready {
            urls: u32::try_from(head.len()).unwrap(),
            urgent: u32::try_from(head.iter().filter(|row| row.place.0 == Priority::Urgent).count()).unwrap(),
            oldest_at: (!head.is_empty()).then(now),
            deadline: head.iter().filter_map(|row| row.place.2).min(),
            next_at: self.rows.iter().filter_map(|row| row.ready_at).filter(|at| *at > self.now).min(),
            ..Ready::default()
        };
        match decide(&self.snapshot, &self.policy, &crate::model::Reading::certain(self.now)) {
            Decision::Send(plan) => {
                let mut batch = ready;
                batch.retain(|row| row.place.0 <= plan.weakest);
                batch.truncate(plan.urls_max as usize);
                assert!(!batch.is_empty());
                for row in &batch {
                    self.sent.entry(row.file).or_default().push(self.now);
                    let at = self.rows.iter().position(|other| other.place == row.place && other.file == row.file);
                    self.rows.remove(at.unwrap());
                }
                let urls = batch.len() as u64;
                let cost = if self.account.0 == Unit::Requests { 1 } else { urls };
                let used = self.account.2.entry(today).or_default();
                *used += cost;
                assert!(!self.policy.auto || *used <= self.account.1, "the service would have refused it");
                self.snapshot.spent.requests += 1;
                self.snapshot.spent.urls += u32::try_from(urls).unwrap();
                let day = self.days.entry(self.snapshot.spent.day).or_default();
                *day = (day.0 + 1, day.1 + urls);
                self.now += pace;
            }
            Decision::Ask => {
                let Spent { requests, urls, observed: before, .. } = self.snapshot.spent.clone();
                let remain = self.account.1 - self.account.2.get(&today).copied().unwrap_or(0);
                let seen = Observation { quota: self.account.1, remain, at: self.now, requests, urls };
                if let Some(before) = before {
                    self.snapshot.standing.unit = self.snapshot.standing.unit.or(learn(&before, &seen));
                }
                self.snapshot.spent.observed = Some(seen);
            }
            Decision::Wait { until, why } => {
                let next = self.rows.iter().flat_map(|row| [row.ready_at, row.place.2]).flatten();
                let next = next.filter(|at| *at > self.now).chain(until).min().expect("something changes some day");
                assert!(!matches!(why, WaitWhy::Idle));
                self.now = next.max(self.now + TimeDelta::milliseconds(20));
            }
            Decision::Pause { .. } => unreachable!("nothing pauses here"),
        }
    }
}

prop_compose! {
    fn any_group()(
        file in 1_i64..5, priority in 0_i64..4, urls in 1_u64..60,
        deadline in proptest::option::of(1_i64..3_000), ready in proptest::option::of(1_i64..2_000),
    ) -> Group {
        Group {
            priority: Priority::from_rank(priority),
            deadline: deadline.map(|m| now() + minutes(m)),
            ready_at: ready.map(|m| now() + minutes(m)),
            ..group(file, urls)
        }
    }
}

prop_compose! {
    fn any_policy()(
        requests_per_day in 1_u32..40, batch_urls_max in 1_u32..25, reserve in 0_u32..10, linger in 0_u64..7_200,
        urls_per_day in proptest::option::of(20_u32..200), window in any::<bool>(), auto in any::<bool>(),
    ) -> Policy {
        Policy {
            requests_per_day,
            batch_urls_max,
            // If everything were reserved, nothing would be left for ordinary URLs.
            reserve: reserve.min(requests_per_day - 1),
            linger: Duration::from_secs(linger),
            urls_per_day,
            windows: if window { vec!["01:00-07:00".parse::<Window>().unwrap()] } else { Vec::new() },
            auto,
            ..policy()
        }
    }
}

proptest! {
    // Each case steps through days of single rows.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_forecast_is_what_really_happens_when_nothing_goes_wrong(
        groups in proptest::collection::vec(any_group(), 1..12), policy in any_policy(),
        unit in prop_oneof![Just(None), Just(Some(Unit::Requests)), Just(Some(Unit::Urls))], quota in 5_u64..300,
        spent in 0_u32..10,
    ) {
        // If everything were reserved and the windows closed before its release, ordinary URLs would wait for ever.
        let policy = Policy { reserve: policy.reserve.min(u32::try_from(quota).unwrap() - 1), ..policy };
        let groups: Vec<Group> =
            groups.into_iter().enumerate().map(|(n, group)| Group { order: n as i64 * 1_000, ..group }).collect();
        let mut start = Outlook { quota: Some(quota), ..outlook(groups.clone()) };
        start.standing.unit = unit;
        start.spent.requests = spent.min(policy.requests_per_day);
        let today = start.spent.day;
        let mut plain = Plain {
            policy: policy.clone(),
            now: now(),
            rows: groups.iter().flat_map(|group| (0..group.urls).map(|n| Row {
                place: (group.priority, group.deadline.is_none(), group.deadline, group.order + n as i64),
                file: group.file,
                ready_at: group.ready_at,
            })).collect(),
            snapshot: Snapshot {
                ready: Ready::default(),
            spent: start.spent.clone(),
            standing: start.standing.clone(),
            cases: Cases::default(),
        flight: None,
            },
            account: (unit.unwrap_or(Unit::Requests), quota, BTreeMap::new()),
            sent: BTreeMap::new(),
            days: BTreeMap::new(),
        };
        // What was spent before is in the account too, unless it exceeds it.
        if unit != Some(Unit::Urls) {
            plain.account.2.insert(today, u64::from(start.spent.requests).min(quota));
        }
        let pace = start.pace;
        let forecast = forecast(start, &policy, now());
        for _ in 0..200_000 {
            if plain.rows.is_empty() {
                break;
            }
            plain.step(pace);
        }
        prop_assert!(plain.rows.is_empty());

        for file in &forecast.files {
            let id = file.file_id.map(FileId);
            let sent = plain.sent.get(&id).cloned().unwrap_or_default();
            let of_file = groups.iter().filter(|group| group.file == id).map(|group| group.urls).sum::<u64>();
            prop_assert_eq!(file.urls, of_file);
            // Each URL exactly once: submitted, missed, or beyond.
            prop_assert_eq!(file.submitted + file.missed() + file.beyond, of_file);
            prop_assert_eq!(file.submitted, sent.len() as u64);
            prop_assert_eq!((file.first_at, file.last_at), (sent.first().copied(), sent.last().copied()));
        }
        prop_assert_eq!(forecast.urls, groups.iter().map(|group| group.urls).sum::<u64>());
        prop_assert_eq!(forecast.beyond, 0);
        let days = plain.days.iter().map(|(day, (requests, urls))| (day.to_string(), *requests, *urls));
        let days: Vec<_> = days.collect();
        let told: Vec<_> = forecast.days.iter().map(|day| (day.day.clone(), day.requests, day.urls)).collect();
        prop_assert_eq!(told, days);
        for day in &forecast.days {
            let before = if day.day == today.to_string() { spent.min(policy.requests_per_day) } else { 0 };
            prop_assert!(day.requests + u64::from(before) <= u64::from(policy.requests_per_day));
            prop_assert!(policy.urls_per_day.is_none_or(|limit| day.urls <= u64::from(limit)));
        }
    }
}
