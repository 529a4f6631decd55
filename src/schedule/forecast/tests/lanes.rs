//! Lanes together: purges, and prefetches behind them, against rows that are stepped through one by one.

use super::*;
use crate::model::{CallLimits, Lane};
use crate::schedule::forecast::{Behind, forecast_lanes};

/// What is left of a purge until it is complete.
const TAKES: i64 = 6;

/// The policy of purges with so many URLs a day.
fn of_purges(config: &str) -> Policy {
    let limits = CallLimits { urls_a_call: 1_000, domains_a_call: None, a_day: 2_000 };
    Policy::of(&Config::from_toml(config).unwrap(), Lane::Purge, limits)
}

fn purges(groups: Vec<Group>) -> Outlook {
    Outlook { standing: Standing { unit: Some(Unit::Urls), ..Standing::default() }, ..outlook(groups) }
}

fn behind(groups: Vec<Group>) -> Outlook {
    let behind = groups.into_iter().map(|group| Behind { purge_file: group.file.unwrap(), group }).collect();
    Outlook { behind, ..outlook(Vec::new()) }
}

#[test]
fn a_prefetch_after_a_purge_goes_when_the_purge_of_its_batch_is_complete() {
    let (prefetches, of_purges) = (policy(), of_purges(""));
    let lanes = |purged| vec![(behind(vec![group(1, 5_000)]), &prefetches), (purges(purged), &of_purges)];
    let both = forecast_lanes(lanes(vec![group(1, 5_000)]), minutes(TAKES), now());
    // A quota of 2,000 URLs lets the last go on the third day.
    for of_lane in &both {
        assert_eq!(of_lane.days.iter().map(|day| day.urls).collect::<Vec<_>>(), [2_000, 2_000, 1_000]);
    }
    let last = both[1].last_at.unwrap() + minutes(TAKES);
    assert!(both[0].last_at.unwrap() >= last && both[0].last_at.unwrap() < last + minutes(6), "{:?}", both[0].last_at);
    // What is never purged is never prefetched, and is not forgotten.
    let never = forecast_lanes(lanes(vec![]), minutes(TAKES), now());
    assert_eq!((never[0].urls, never[0].submitted, never[0].beyond), (5_000, 0, 5_000));
}

#[test]
fn a_deadline_that_passes_behind_a_purge_is_missed() {
    let due = || Group { deadline: Some(now() + minutes(5)), ..group(1, 10) };
    let (prefetches, of_purges) = (policy(), of_purges(""));
    let lanes = vec![(behind(vec![due()]), &prefetches), (purges(vec![due()]), &of_purges)];
    let both = forecast_lanes(lanes, minutes(TAKES), now());
    assert_eq!((both[1].submitted, both[0].submitted, both[0].missed), (10, 0, 10));
}

#[test]
fn lanes_that_are_both_busy_take_turns_and_share_the_rate() {
    let (prefetches, of_purges) = (Policy { batch_urls_max: 10, ..policy() }, of_purges(""));
    let of_purges = Policy { batch_urls_max: 10, ..of_purges };
    let lanes = vec![(outlook(vec![group(1, 1_000)]), &prefetches), (purges(vec![group(2, 1_000)]), &of_purges)];
    let both = forecast_lanes(lanes, minutes(TAKES), now());
    let last = both.iter().map(|of_lane| of_lane.last_at.unwrap()).max();
    assert_eq!(last, Some(now() + TimeDelta::milliseconds(100) * 199));
}

/// A URL in a lane.
#[derive(Debug, Clone, Copy)]
struct Line {
    place: (Priority, bool, Option<Time>, i64),
    file: FileId,
    ready_at: Option<Time>,
    /// It waits for its purge, which has the same place and file.
    waits: bool,
}

/// A lane of the reference.
struct Side {
    policy: Policy,
    lines: Vec<Line>,
    snapshot: Snapshot,
    quota: u64,
    used: BTreeMap<BudgetDay, u64>,
    sent: BTreeMap<FileId, Vec<Time>>,
}

/// What a side did.
enum Did {
    Sent(Vec<Line>),
    Other,
    Waits(Option<Time>),
}

impl Side {
    fn new(policy: Policy, start: &Outlook, quota: u64, lines: Vec<Line>) -> Self {
        let (spent, standing) = (start.spent.clone(), start.standing.clone());
        let snapshot = Snapshot { ready: Ready::default(), spent, standing, cases: Cases::default(), flight: None };
        Self { policy, lines, snapshot, quota, used: BTreeMap::new(), sent: BTreeMap::new() }
    }

    fn ready(&self, now: Time) -> Vec<Line> {
        let may_go = |line: &Line| !line.waits && line.ready_at.is_none_or(|at| at <= now);
        let mut ready: Vec<Line> = self.lines.iter().copied().filter(may_go).collect();
        ready.sort_by_key(|line| line.place);
        ready
    }

    fn step(&mut self, now: Time) -> Did {
        let today = BudgetDay::of(now, self.policy.day_starts);
        if today.date > self.snapshot.spent.day.date {
            self.snapshot.spent = Spent::nothing(today);
        }
        let ready = self.ready(now);
        let head = &ready[..ready.len().min(self.policy.batch_urls_max as usize)];
        self.snapshot.ready = Ready {
            urls: u32::try_from(head.len()).unwrap(),
            urgent: u32::try_from(head.iter().filter(|line| line.place.0 == Priority::Urgent).count()).unwrap(),
            oldest_at: (!head.is_empty()).then(super::now),
            deadline: head.iter().filter_map(|line| line.place.2).min(),
            ..Ready::default()
        };
        match decide(&self.snapshot, &self.policy, &crate::model::Reading::certain(now)) {
            Decision::Send(plan) => {
                let mut batch = ready;
                batch.retain(|line| line.place.0 <= plan.weakest);
                batch.truncate(plan.urls_max as usize);
                for line in &batch {
                    self.sent.entry(line.file).or_default().push(now);
                    self.lines.retain(|other| (other.place, other.file) != (line.place, line.file));
                }
                let urls = u32::try_from(batch.len()).unwrap();
                let used = self.used.entry(today).or_default();
                *used += if self.policy.lane == Lane::Purge { u64::from(urls) } else { 1 };
                assert!(!self.policy.auto || *used <= self.quota, "the service would have refused it");
                self.snapshot.spent.requests += 1;
                self.snapshot.spent.urls += urls;
                Did::Sent(batch)
            }
            Decision::Ask => {
                let Spent { requests, urls, .. } = self.snapshot.spent;
                let remain = self.quota - self.used.get(&today).copied().unwrap_or(0);
                self.snapshot.spent.observed = Some(Observation { quota: self.quota, remain, at: now, requests, urls });
                Did::Other
            }
            Decision::Wait { until, .. } => Did::Waits(until),
            Decision::Pause { .. } => unreachable!("nothing pauses here"),
        }
    }
}

/// Both lanes, as the submitter steps through them.
struct Both {
    now: Time,
    sides: [Side; 2],
    sent_last: Option<usize>,
}

impl Both {
    fn step(&mut self, pace: TimeDelta) {
        let now = self.now;
        for side in &mut self.sides {
            side.lines.retain(|line| line.place.2.is_none_or(|deadline| deadline > now));
        }
        if self.sides.iter().all(|side| side.lines.is_empty()) {
            return;
        }
        let is_urgent = |side: &Side| side.ready(now).first().is_some_and(|line| line.place.0 == Priority::Urgent);
        let mut turns: Vec<usize> = (0..2).filter(|at| !self.sides[*at].lines.is_empty()).collect();
        turns.sort_by_key(|at| (!is_urgent(&self.sides[*at]), self.sent_last == Some(*at), *at));
        let mut next: Option<Time> = None;
        for at in turns {
            match self.sides[at].step(now) {
                Did::Sent(batch) => {
                    (self.now, self.sent_last) = (now + pace, Some(at));
                    if at == 1 {
                        let is_purged = |line: &Line| {
                            batch.iter().any(|purge| (purge.place, purge.file) == (line.place, line.file))
                        };
                        for line in self.sides[0].lines.iter_mut().filter(|line| is_purged(line)) {
                            (line.waits, line.ready_at) = (false, line.ready_at.max(Some(now + minutes(TAKES))));
                        }
                    }
                    return;
                }
                Did::Other => return,
                Did::Waits(until) => next = [next, until].into_iter().flatten().min(),
            }
        }
        let changes = self.sides.iter().flat_map(|side| &side.lines);
        let changes = changes.flat_map(|line| [line.ready_at, line.place.2]).flatten().filter(|at| *at > now);
        let next = changes.chain(next).min().expect("something changes some day");
        self.now = next.max(now + TimeDelta::milliseconds(20));
    }
}

/// Lines of a group.
fn lines(group: &Group, waits: bool) -> impl Iterator<Item = Line> {
    let (file, ready_at) = (group.file.unwrap(), group.ready_at);
    let place = (group.priority, group.deadline.is_none(), group.deadline, group.order);
    (0..group.urls).map(move |n| {
        let place = (place.0, place.1, place.2, place.3 + n.cast_signed());
        Line { place, file, ready_at, waits }
    })
}

proptest! {
    // Each case steps through days of single rows.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_forecast_of_a_purge_and_prefetch_is_what_happens_to_the_minute(
        groups in proptest::collection::vec((any_group(), 0_u8..4), 1..10), policy in any_policy(),
        purges_a_day in 20_u32..200, quota in 20_u64..300, prefetch_quota in 12_u64..300, pace in 1_i64..20_000,
    ) {
        // Each group is of its own file or shares one; most are to be purged first.
        let groups: Vec<(Group, u8)> = groups.into_iter().enumerate().map(|(n, (group, kind))| {
            (Group { order: n as i64 * 1_000, ..group }, kind)
        }).collect();
        let of = |kinds: &[u8]| -> Vec<Group> {
            groups.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(group, _)| group.clone()).collect()
        };
        // Plain purges are files of their own.
        let plain_purges: Vec<Group> = of(&[1]).into_iter().map(|group| {
            Group { file: Some(FileId(group.file.unwrap().0 + 100)), ..group }
        }).collect();
        let (plain, chained) = (of(&[0]), of(&[2, 3]));
        let config = format!("[budget.purge]\nurls_per_day = {purges_a_day}");
        let purge_policy = Policy { batch_urls_max: 17, windows: policy.windows.clone(), ..of_purges(&config) };
        let pace = TimeDelta::milliseconds(pace);
        let prefetch_policy = Policy { urls_per_day: None, ..policy };
        let mut first = Outlook { pace, quota: Some(prefetch_quota), ..behind(chained.clone()) };
        first.groups = plain.clone();
        first.standing.unit = Some(Unit::Requests);
        let purged: Vec<Group> = chained.iter().chain(&plain_purges).cloned().collect();
        let second = Outlook { pace, quota: Some(quota), ..purges(purged.clone()) };
        let mut both = Both {
            now: now(),
            sent_last: None,
            sides: [
                Side::new(
                    prefetch_policy.clone(), &first, prefetch_quota,
                    plain.iter().flat_map(|group| lines(group, false))
                        .chain(chained.iter().flat_map(|group| lines(group, true))).collect(),
                ),
                Side::new(
                    purge_policy.clone(), &second, quota,
                    purged.iter().flat_map(|group| lines(group, false)).collect(),
                ),
            ],
        };
        let told = forecast_lanes(
            vec![(first, &prefetch_policy), (second, &purge_policy)], minutes(TAKES), now(),
        );
        for _ in 0..200_000 {
            if both.sides.iter().all(|side| side.lines.is_empty()) {
                break;
            }
            both.step(pace);
        }
        prop_assert!(both.sides.iter().all(|side| side.lines.is_empty()));
        for (told, side) in told.iter().zip(&both.sides) {
            for file in &told.files {
                let sent = side.sent.get(&FileId(file.file_id.unwrap())).cloned().unwrap_or_default();
                prop_assert_eq!(file.submitted, sent.len() as u64, "{:?}", file);
                prop_assert_eq!((file.submitted + file.missed(), file.beyond), (file.urls, 0));
                for (told, was) in [(file.first_at, sent.first()), (file.last_at, sent.last())] {
                    let apart = told.zip(was.copied()).map(|(told, was)| (told - was).abs());
                    prop_assert!(apart.is_none_or(|apart| apart < minutes(1)), "{apart:?}: {told:?}, was {was:?}");
                }
            }
        }
    }
}
