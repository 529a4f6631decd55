use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::model::from_millis;

/// A queue of the service that keeps to its size, and a sender that sends a batch each time there is room.
struct Bench {
    now: Time,
    size: u32,
    /// When each batch in the service's queue has ended, and its URLs.
    flying: VecDeque<(Time, u32)>,
    takes: TimeDelta,
    learned: Option<QueueSize>,
    sent: u64,
    accepted: u32,
    refused: u32,
}

impl Bench {
    fn new(size: u32) -> Self {
        let now = from_millis(1_000_000_000_000);
        let takes = TimeDelta::minutes(10);
        Self { now, size, flying: VecDeque::new(), takes, learned: None, sent: 0, accepted: 0, refused: 0 }
    }

    fn in_flight(&self) -> u32 {
        self.flying.iter().map(|(_, urls)| urls).sum()
    }

    fn flight(&self) -> Option<Flight> {
        let leaves_at = self.flying.front().map(|(ends, _)| *ends);
        self.learned.clone().map(|size| Flight { in_flight: self.in_flight(), leaves_at, size, unproved: false })
    }

    /// Sends one batch of at most `urls`, or waits; false if a wait had no end.
    fn step(&mut self, urls: u32) -> bool {
        while self.flying.front().is_some_and(|(ends, _)| *ends <= self.now) {
            self.flying.pop_front();
        }
        let batch = match self.flight() {
            None => Ok(urls),
            Some(flight) => flight.room(self.now).and_then(|room| {
                let batch = room.min(urls);
                flight.is_worth_a_call(room, urls, false, self.now, self.now).map(|()| batch)
            }),
        };
        match batch {
            Err(full) if full.until <= self.now => return false,
            Err(full) => self.now = full.until,
            Ok(batch) => self.send(batch),
        }
        true
    }

    fn send(&mut self, urls: u32) {
        let in_flight = self.in_flight();
        if in_flight + urls > self.size {
            self.refused += 1;
            self.learned = Some(QueueSize::after_refusal(self.learned.as_ref(), in_flight, urls, self.now));
        } else {
            self.accepted += 1;
            self.sent += u64::from(urls);
            self.flying.push_back((self.now + self.takes, urls));
            self.learned = self.learned.as_ref().and_then(|size| size.after_acceptance(in_flight, urls, self.now));
        }
        self.now += TimeDelta::seconds(1);
    }

    /// Sends this many URLs in batches of at most a thousand; returns how many calls were refused.
    fn send_all(&mut self, urls: u64) -> u32 {
        let (goal, refused) = (self.sent + urls, self.refused);
        for _ in 0..1_000_000 {
            let left = u32::try_from(goal - self.sent).unwrap();
            if left == 0 {
                return self.refused - refused;
            }
            assert!(self.step(left.min(1000)), "a wait without an end at {}", self.now);
        }
        panic!("{} of {goal} URLs were sent", self.sent);
    }
}

#[test]
fn a_queue_of_a_hundred_is_learned_by_two_refusals() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.send_all(900), 2, "the first, and one more than the likely number");
    assert_eq!(bench.send_all(1_100), 1, "a try to pass it");
    let size = bench.learned.unwrap();
    assert_eq!((size.limit(), size.refused), (100, Some(101)));
}

#[test]
fn a_queue_of_seven_is_learned_and_then_passed_seldom() {
    let mut bench = Bench::new(7);
    assert!(bench.send_all(30) <= 6, "{} refused", bench.refused);
    assert_eq!(bench.learned.as_ref().unwrap().limit(), 7);
    let batches = bench.accepted;
    let later = bench.send_all(7_000);
    let share = f64::from(later) / f64::from(bench.accepted - batches);
    assert!(share < 0.02, "{later} refused of {}", bench.accepted - batches);
}

#[test]
fn a_size_that_changes_is_followed_down_and_up_until_there_is_none() {
    let mut bench = Bench::new(100);
    bench.send_all(1_000);
    bench.size = 7;
    let down = bench.send_all(100);
    assert_eq!(bench.learned.as_ref().unwrap().limit(), 7);
    bench.size = 100;
    let up = bench.send_all(2_000);
    assert_eq!(bench.learned.as_ref().unwrap().limit(), 100);
    bench.size = u32::MAX;
    let free = bench.send_all(200_000);
    assert_eq!(bench.learned, None, "no limit is left to mind");
    assert!(down <= 12 && up <= 6 && free <= 4, "{down} down, {up} up, {free} until it was free");
}

#[test]
fn a_queue_without_room_for_one_url_is_tried_ever_more_rarely() {
    let mut bench = Bench::new(0);
    let started = bench.now;
    while bench.now - started < TimeDelta::days(1) {
        assert!(bench.step(400), "a wait without an end");
    }
    assert!((20..45).contains(&bench.refused), "{} calls in a day for nothing", bench.refused);
    bench.size = 100;
    bench.send_all(1_000);
    assert!(bench.learned.unwrap().limit() >= 94);
}

#[test]
fn others_who_fill_the_queue_make_it_small_only_while_they_do() {
    let mut bench = Bench::new(100);
    bench.send_all(500);
    bench.size = 40;
    bench.send_all(500);
    let limit = bench.learned.as_ref().unwrap().limit();
    assert!((37..=40).contains(&limit), "{limit}");
    bench.size = 100;
    bench.send_all(2_000);
    let limit = bench.learned.as_ref().unwrap().limit();
    assert!((94..=100).contains(&limit), "{limit}");
}

#[test]
fn a_batch_waits_for_a_part_of_the_room_and_for_all_of_it_while_requests_are_scarce() {
    let now = from_millis(1_000_000_000_000);
    let later = now + TimeDelta::minutes(3);
    let first = QueueSize::after_refusal(None, 0, 400, now).after_acceptance(0, 100, now).unwrap();
    let size = QueueSize::after_refusal(Some(&first), 0, 101, now);
    let flight = |in_flight| Flight { in_flight, leaves_at: Some(later), size: size.clone(), unproved: false };
    let goes = |in_flight: u32, urls, hurries, plentiful_from| {
        let flight = flight(in_flight);
        let room = flight.room(now)?;
        flight.is_worth_a_call(room, urls, hurries, plentiful_from, now).map(|()| room)
    };
    assert_eq!(goes(75, 1000, false, now), Ok(25));
    assert_eq!(goes(76, 1000, false, now), Err(Full { until: later, limit: 100 }));
    assert_eq!(goes(99, 1, false, now), Ok(1), "all there is fits");
    assert_eq!(goes(100, 1, true, now), Err(Full { until: later, limit: 100 }));
    let soon = now + TimeDelta::minutes(1);
    assert_eq!(goes(75, 1000, false, soon), Err(Full { until: soon, limit: 100 }));
    assert_eq!(goes(75, 1000, true, soon), Ok(25), "what is urgent does not save requests");
    assert_eq!(goes(0, 1000, false, soon), Ok(100));
}

#[test]
fn it_is_the_same_after_a_restart() {
    let now = from_millis(1_000_000_000_000);
    let size = QueueSize::after_refusal(None, 3, 400, now).after_acceptance(3, 97, now).unwrap();
    let kept = serde_json::to_string(&size).unwrap();
    assert_eq!(serde_json::from_str::<QueueSize>(&kept).unwrap(), size);
}

proptest! {
    /// For any size, however often it changes: everything is accepted, every wait ends, and few calls are wasted: for
    /// each change twice the calls that halving the range takes, and a part of those that were accepted.
    #[test]
    fn everything_goes_through_and_few_calls_are_wasted(
        sizes in proptest::collection::vec(prop_oneof![1_u32..200, 200_u32..20_000, Just(u32::MAX)], 1..6),
        minutes in 1_i64..60,
    ) {
        let mut bench = Bench { takes: TimeDelta::minutes(minutes), ..Bench::new(1) };
        for size in sizes {
            bench.size = size;
            let accepted = bench.accepted;
            let refused = bench.send_all(u64::from(size.min(3_000)) * 8);
            let batches = bench.accepted - accepted;
            let halvings = 2 * 15;
            prop_assert!(refused <= halvings + batches / 8, "{refused} of {batches} for a queue of {size}");
        }
    }

    /// The estimate is always below what was refused, and one URL may always be tried.
    #[test]
    fn what_is_believed_lies_between_what_fitted_and_what_was_refused(
        steps in proptest::collection::vec((any::<bool>(), 0_u32..2_000, 1_u32..1_000), 1..100),
    ) {
        let mut now = from_millis(1_000_000_000_000);
        let mut size: Option<QueueSize> = None;
        for (accepted, in_flight, urls) in steps {
            now += TimeDelta::minutes(1);
            size = match &size {
                Some(size) if accepted => size.after_acceptance(in_flight, urls, now),
                known if !accepted => Some(QueueSize::after_refusal(known.as_ref(), in_flight, urls, now)),
                _ => None,
            };
            let Some(size) = &size else { continue };
            let aim = size.aim(now);
            prop_assert!(aim >= 1 && size.refused.is_none_or(|refused| size.fits < refused && aim <= refused));
            let flight = Flight { in_flight: 0, leaves_at: None, size: size.clone(), unproved: false };
            match flight.room(now) {
                Ok(room) => prop_assert!(room >= 1),
                Err(full) => prop_assert!(full.until > now && full.until <= CLOSED_WAIT.bound_from(now, u32::MAX)),
            }
        }
    }
}
