//! Decides when to ask for a batch's tasks, and what the counts say. Pure.

use std::time::Duration;

use chrono::TimeDelta;

use super::matching::Patience;
use crate::model::Time;
use crate::service::TASKS_LISTED_FOR;

/// The last look comes this long before the service forgets the tasks.
const LAST_LOOK_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// The longest time between two looks.
pub(super) const WAIT_MAX: TimeDelta = TimeDelta::hours(6);

/// A look waits at most for this part of the batch's age, so that looks become fewer ...
const PART_MAX: i32 = 2;

/// ... and at least for this part: 25 calls must last for half an hour, at two or three a look.
const PART_MIN: i32 = 12;

/// While others wait for room, the first look comes this long after the acceptance, and two looks are at least this far
/// apart ...
const ROOM_WAIT_MIN: TimeDelta = TimeDelta::seconds(1);

/// ... and at most this far, ...
const ROOM_WAIT_MAX: TimeDelta = TimeDelta::seconds(60);

/// ... and in between a look waits for this part of the batch's age.
const ROOM_PART: i32 = 16;

/// What a look saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Time,
    /// URLs whose prefetch is complete.
    pub complete: u32,
    /// URLs whose prefetch failed.
    pub failed: u32,
    /// URLs that the service lists at all; none if not asked.
    pub listed: Option<u32>,
    /// URLs that wait or are being fetched; none if not asked.
    pub running: Option<u32>,
}

impl Seen {
    fn ended(&self) -> u32 {
        self.complete.saturating_add(self.failed)
    }
}

/// An accepted batch that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// When it was accepted.
    pub accepted_at: Time,
    /// URLs in it whose end is not known.
    pub urls: u32,
    /// What the last look saw.
    pub before: Option<Seen>,
}

/// What the counts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Some have not ended, or are not listed yet.
    Open,
    /// All have ended; some of them may have failed.
    Ended,
    /// The counts do not fit the batch and do not change: the rows must be read.
    Odd,
}

/// Whether a look should also ask how many are listed: to be certain of an end, and when nothing moves.
pub(super) fn wants_total(course: &Course, seen: &Seen) -> bool {
    let stands = course.before.is_some_and(|before| before.ended() == seen.ended());
    seen.ended() >= course.urls || (seen.ended() > 0 && stands)
}

/// After this many looks a batch that stands still is also asked how many still run.
const RUNNING_AFTER: u32 = 5;

/// Whether a look should also ask how many still run: rows in an unknown state are in no count, and a batch that no
/// longer moves may have some. `looks` is how many were made before.
pub(super) fn wants_running(course: &Course, looks: u32, seen: &Seen, first_after: Duration) -> bool {
    let stands = course.before.is_some_and(|before| before.ended() == seen.ended());
    stands && looks >= RUNNING_AFTER && is_late(course, seen.at, first_after) && seen.ended() < course.urls
}

/// A batch is late when its age is this many times the wait for its first look. The number of looks does not tell,
/// because looks come fast while others wait for room.
const LATE: u32 = 5;

fn is_late(course: &Course, now: Time, first_after: Duration) -> bool {
    now - course.accepted_at >= TimeDelta::from_std(first_after * LATE).unwrap_or(TimeDelta::MAX)
}

/// After this many looks an unknown state is an end.
const WORDS_END_AFTER: u32 = 6;

/// How long rows may still change, at a look that comes after `looks` others.
pub(super) fn patience(course: &Course, looks: u32, now: Time, first_after: Duration) -> Patience {
    if now >= course.accepted_at + TASKS_LISTED_FOR - LAST_LOOK_BEFORE {
        Patience::Last
    } else if looks >= WORDS_END_AFTER && is_late(course, now, first_after) {
        Patience::WordsEnd
    } else {
        Patience::Wait
    }
}

/// What a look says.
pub fn progress(course: &Course, seen: &Seen) -> Progress {
    let Some(listed) = seen.listed else { return Progress::Open };
    if listed == course.urls && seen.ended() == listed {
        return Progress::Ended;
    }
    let stands = course.before.is_some_and(|before| before.ended() == seen.ended());
    let still_known = seen.running.map(|running| seen.ended().saturating_add(running));
    if still_known.is_some_and(|known| known < listed) {
        return Progress::Odd;
    }
    if seen.ended() > course.urls || (stands && seen.ended() > 0 && seen.ended() >= listed) {
        return Progress::Odd;
    }
    Progress::Open
}

/// When a batch is first looked at (`[track] first_after`).
pub fn first_look(accepted_at: Time, first_after: Duration) -> Time {
    accepted_at + TimeDelta::from_std(first_after).unwrap_or(WAIT_MAX)
}

/// When to look at a batch while others wait for the room it takes in the service's queue: soon after its acceptance,
/// then less and less often, because every look uses `[track] calls_per_second`.
pub(super) fn look_for_room(accepted_at: Time, seen_at: Option<Time>) -> Time {
    let Some(seen_at) = seen_at else { return accepted_at + ROOM_WAIT_MIN };
    seen_at + ((seen_at - accepted_at) / ROOM_PART).clamp(ROOM_WAIT_MIN, ROOM_WAIT_MAX)
}

/// When to look again after a look that left something open: when everything will have ended at the pace of the last
/// two looks, within bounds that grow with the batch's age. None once the service no longer lists it.
pub fn next_look(course: &Course, seen: &Seen, first_after: Duration) -> Option<Time> {
    let forgotten_at = course.accepted_at + TASKS_LISTED_FOR;
    if seen.at >= forgotten_at {
        return None;
    }
    let age = (seen.at - course.accepted_at).max(TimeDelta::zero());
    let least = TimeDelta::from_std(first_after / 4).unwrap_or(WAIT_MAX).max(TimeDelta::milliseconds(100));
    let mut wait = age / PART_MAX;
    if let Some(before) = course.before {
        let (ended, took) = (seen.ended().saturating_sub(before.ended()), seen.at - before.at);
        let left = course.urls.saturating_sub(seen.ended());
        if ended > 0 && left > 0 {
            let expected = took.as_seconds_f64() / f64::from(ended) * f64::from(left);
            #[expect(clippy::cast_possible_truncation, reason = "a number beyond the bounds becomes the bound")]
            let expected = TimeDelta::milliseconds((expected * 1000.0) as i64);
            wait = wait.min(expected);
        }
    }
    let wait = wait.max(age / PART_MIN).max(least).min(WAIT_MAX);
    let last = forgotten_at - LAST_LOOK_BEFORE;
    let next = seen.at + wait;
    // Learns what it can before the service forgets it.
    Some(if seen.at < last { next.min(last) } else { next.max(forgotten_at).min(forgotten_at) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::from_millis;

    const FIRST_AFTER: Duration = Duration::from_secs(240);

    fn seen(minutes: i64, complete: u32, failed: u32, listed: Option<u32>) -> Seen {
        Seen { at: from_millis(minutes * 60_000), complete, failed, listed, running: None }
    }

    fn course(before: Option<Seen>) -> Course {
        Course { accepted_at: from_millis(0), urls: 1000, before }
    }

    #[test]
    fn only_numbers_that_fit_the_batch_end_it() {
        let end = |complete, failed, listed| progress(&course(None), &seen(30, complete, failed, listed));
        assert_eq!(end(1000, 0, Some(1000)), Progress::Ended);
        assert_eq!(end(990, 10, Some(1000)), Progress::Ended);
        assert_eq!(end(1000, 0, None), Progress::Open);
        assert_eq!(end(990, 9, Some(1000)), Progress::Open);
        // More than were sent: a shared task.
        assert_eq!(end(1200, 0, Some(1500)), Progress::Odd);
        // Fewer are listed: late at first, odd when it stays so.
        assert_eq!(end(600, 0, Some(600)), Progress::Open);
        let stands = course(Some(seen(20, 600, 0, Some(600))));
        assert_eq!(progress(&stands, &seen(30, 600, 0, Some(600))), Progress::Odd);
        assert_eq!(progress(&stands, &seen(30, 700, 0, Some(700))), Progress::Open);
    }

    #[test]
    fn rows_in_a_state_that_nobody_asks_for_are_missed_once_nothing_moves() {
        let stands = course(Some(seen(40, 600, 0, None)));
        let still = seen(60, 600, 0, Some(1000));
        assert!(!wants_running(&stands, RUNNING_AFTER - 1, &still, FIRST_AFTER));
        assert!(wants_running(&stands, RUNNING_AFTER, &still, FIRST_AFTER));
        assert!(!wants_running(&stands, RUNNING_AFTER, &seen(60, 700, 0, None), FIRST_AFTER));
        // Also if nothing has ended at all.
        let still_none = seen(60, 0, 0, None);
        assert!(wants_running(&course(Some(seen(40, 0, 0, None))), RUNNING_AFTER, &still_none, FIRST_AFTER));
        // Looks in quick succession prove nothing.
        let young = course(Some(seen(2, 600, 0, None)));
        assert!(!wants_running(&young, RUNNING_AFTER, &seen(3, 600, 0, None), FIRST_AFTER));
        assert_eq!(patience(&young, 100, from_millis(3 * 60_000), FIRST_AFTER), Patience::Wait);
        assert_eq!(patience(&young, 100, from_millis(60 * 60_000), FIRST_AFTER), Patience::WordsEnd);
        assert_eq!(progress(&stands, &Seen { running: Some(400), ..still }), Progress::Open);
        assert_eq!(progress(&stands, &Seen { running: Some(397), ..still }), Progress::Odd);
    }

    #[test]
    fn the_total_is_asked_for_where_it_decides() {
        assert!(!wants_total(&course(None), &seen(5, 0, 0, None)));
        assert!(!wants_total(&course(Some(seen(5, 100, 0, None))), &seen(8, 300, 0, None)));
        assert!(wants_total(&course(None), &seen(8, 1000, 0, None)));
        assert!(wants_total(&course(Some(seen(5, 300, 0, None))), &seen(8, 300, 0, None)));
    }

    #[test]
    fn a_look_comes_when_the_batch_will_have_ended() {
        let before = seen(10, 200, 0, None);
        // 40 a minute: the other 400 take ten minutes, and the batch is 20 minutes old.
        let next = next_look(&course(Some(before)), &seen(20, 600, 0, None), FIRST_AFTER).unwrap();
        assert_eq!(next, from_millis(30 * 60_000));
        // Nothing moved: half its age.
        let next = next_look(&course(Some(before)), &seen(20, 200, 0, None), FIRST_AFTER).unwrap();
        assert_eq!(next, from_millis(30 * 60_000));
        let next = next_look(&course(None), &seen(4, 0, 0, None), FIRST_AFTER).unwrap();
        assert_eq!(next, from_millis(6 * 60_000));
    }

    #[test]
    fn the_last_look_comes_before_the_service_forgets() {
        let day = 24 * 60;
        let next = next_look(&course(None), &seen(3 * day - 60, 10, 0, None), FIRST_AFTER).unwrap();
        assert_eq!(next, from_millis((3 * day - 10) * 60_000));
        let next = next_look(&course(None), &seen(3 * day - 10, 10, 0, None), FIRST_AFTER).unwrap();
        assert_eq!(next, from_millis(3 * day * 60_000));
        assert_eq!(next_look(&course(None), &seen(3 * day, 10, 0, None), FIRST_AFTER), None);
    }

    #[test]
    fn whoever_waits_for_room_has_it_looked_for_a_second_after_the_acceptance_and_then_less_often() {
        let at = |seconds: i64| from_millis(seconds * 1000);
        assert_eq!(look_for_room(at(0), None), at(1));
        let waits = [1, 16, 160, 600, 3600].map(|age| (look_for_room(at(0), Some(at(age))) - at(age)).num_seconds());
        assert_eq!(waits, [1, 1, 10, 37, 60]);
        // Some ninety looks within half an hour, of two or three calls each.
        let (mut seen, mut looks) = (at(1), 0);
        while seen < at(1800) {
            (seen, looks) = (look_for_room(at(0), Some(seen)), looks + 1);
        }
        assert!(looks < 100, "{looks} looks");
    }

    proptest! {
        /// A batch that ends within half an hour costs at most 25 calls, however its ends are spread, and its end is
        /// seen soon.
        #[test]
        fn a_batch_that_ends_well_costs_few_calls(first in 1_i64..25, lasts in 1_i64..29) {
            let done_at = |at: Time| {
                let minutes = (at - from_millis(0)).as_seconds_f64() / 60.0;
                (((minutes - first as f64) / lasts.min(30 - first) as f64).clamp(0.0, 1.0) * 1000.0) as u32
            };
            let (mut course, mut calls) = (course(None), 0);
            let mut at = first_look(course.accepted_at, FIRST_AFTER);
            for _ in 0..100 {
                let mut seen = Seen { at, complete: done_at(at), failed: 0, listed: None, running: None };
                // One call for complete URLs, one for failed ones if something ended.
                calls += 1 + i32::from(seen.complete > 0 && seen.complete < 1000);
                if wants_total(&course, &seen) {
                    calls += 1;
                    seen.listed = Some(1000);
                }
                if progress(&course, &seen) == Progress::Ended {
                    break;
                }
                at = next_look(&course, &seen, FIRST_AFTER).unwrap();
                prop_assert!(at > seen.at);
                course.before = Some(seen);
            }
            prop_assert!(calls <= 25, "{calls} calls");
            prop_assert!(done_at(at) == 1000 && at <= from_millis(46 * 60_000), "seen at {at}");
        }
    }
}
