//! A call whose answer never came: decides what to try next. Pure.
//!
//! While its timestamp is fresh and the same bytes can be made, the call is sent again with the same nonce, which the
//! service performs at most once. If a copy is accepted, no other one is. `SignatureNonceUsed` means that one had
//! arrived; a refusal of a copy says nothing about the others. In these two cases, or when the timestamp is stale, the
//! task is searched for by a URL of the batch. A batch that is not listed within a bounded time was not accepted, as
//! far as anyone can know, and its URLs are sent again under a new charge.

use std::time::Duration;

use chrono::TimeDelta;

use super::outcome::Outcome;
use crate::model::{AccountFault, Backoff, Reading, Time};
use crate::service::{Deferral, TASKS_LISTED_FOR};

/// The service refuses a timestamp after 15 minutes (VOD-API.md, "Nonces"); a copy is sent only while the timestamp
/// certainly is younger.
const REPLAY_WITHIN: TimeDelta = TimeDelta::minutes(13);

/// Most copies of one call.
const SENDS_MAX: u32 = 6;

/// The first look for a task comes after this long; each later wait is twice as long ...
const LOOK_AFTER_MIN: Duration = Duration::from_secs(2);

/// ... up to this.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(60);

/// What is known about a submission in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// The timestamp in the call.
    pub signed_at: Time,
    /// When the last copy was sent.
    pub sent_at: Time,
    /// The first moment after the budget day that was charged: a copy performed later would cost on another day.
    pub charged_until: Time,
    /// How long a copy may be under way.
    pub call_timeout: Duration,
    /// Copies sent.
    pub sends: u32,
    /// Whether the same bytes can still be made, that is, with the same key and options.
    pub copyable: bool,
    /// Whether the service has seen the nonce.
    pub arrived: bool,
    /// When the service last answered that it lists no such task.
    pub absent_at: Option<Time>,
}

/// What to try next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Send the same bytes once more.
    Replay,
    /// Ask for the task.
    Look,
    /// Nobody will know: the URLs go on without this submission.
    GiveUp,
}

/// The next step for a submission in doubt. `listed_within` is how long an accepted task may take to be listed;
/// `tasks_readable` says whether this key may ask for tasks.
pub fn next_step(doubt: &Doubt, listed_within: Duration, tasks_readable: bool, clock: &Reading) -> NextStep {
    let age = clock.now - doubt.signed_at;
    // For the service a timestamp ahead of its clock is as good as one behind it.
    let costs_nothing_more = clock.stays_before(doubt.charged_until, doubt.call_timeout);
    if doubt.copyable && !doubt.arrived && costs_nothing_more && age.abs() < REPLAY_WITHIN && doubt.sends < SENDS_MAX {
        return NextStep::Replay;
    }
    let listed_by = doubt.sent_at + TimeDelta::from_std(listed_within).unwrap_or(TimeDelta::MAX);
    if !tasks_readable
        || clock.is_past(doubt.signed_at + TASKS_LISTED_FOR)
        || doubt.absent_at.is_some_and(|absent_at| absent_at >= listed_by)
    {
        return NextStep::GiveUp;
    }
    NextStep::Look
}

/// When to look again after a look at `now` that found nothing: soon at first, and once more when the time within which
/// a task must be listed is over.
pub fn look_again_at(doubt: &Doubt, listed_within: Duration, now: Time) -> Time {
    let waited = (now - doubt.sent_at).to_std().unwrap_or(Duration::ZERO);
    let wait = waited.clamp(LOOK_AFTER_MIN, LOOK_AFTER_MAX);
    let last = doubt.sent_at + TimeDelta::from_std(listed_within).unwrap_or(TimeDelta::MAX);
    let next = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    if now < last { next.min(last) } else { next }
}

/// What follows a look that was not answered with tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailedLook {
    /// Look again then; nothing else waits for it.
    Again(Time),
    /// The time for looking is over, and tasks cannot be asked for: nobody will know.
    GiveUp,
}

/// What follows a look at `now` that failed. `is_answered` tells that the service answers at all: while nothing does,
/// the network may be down, and a later look may tell. The waits grow with the age of the doubt, up to `longest`.
pub(super) fn after_failed_look(
    doubt: &Doubt,
    listed_within: Duration,
    is_answered: bool,
    longest: Duration,
    now: Time,
) -> FailedLook {
    let listed_by = doubt.sent_at + TimeDelta::from_std(listed_within).unwrap_or(TimeDelta::MAX);
    if now < listed_by {
        return FailedLook::Again(look_again_at(doubt, listed_within, now));
    }
    if is_answered {
        return FailedLook::GiveUp;
    }
    let waited = (now - doubt.sent_at).to_std().unwrap_or(Duration::ZERO) / 2;
    let wait = waited.max(LOOK_AFTER_MIN).min(longest.max(LOOK_AFTER_MIN));
    FailedLook::Again(now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX))
}

/// When the next copy goes after one that brought nothing, `sends` having gone: never at once, and nothing else waits
/// for it. `jitter` is drawn from [0, 1).
pub(super) fn copy_again_at(backoff: &Backoff, sends: u32, jitter: f64, now: Time) -> Time {
    backoff.until(now, sends.max(1), 0.5 + jitter / 2.0)
}

/// What the answer to a copy says about the submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterReplay {
    /// The operation has accepted this nonce, which it does once: the submission ends like any other.
    Settled,
    /// A copy had arrived.
    Arrived,
    /// The operation has refused this copy. Nobody knows whether that spends the nonce (VOD-API.md, "Found since", 7),
    /// so another copy may still be performed.
    Refused,
    /// It says nothing about the other copies.
    Open,
}

/// Reads the answer to a copy. Only an acceptance proves that no other copy is or will be performed. An answer that the
/// gateway gives before it looks at the nonce, or that may come from anywhere, means nothing.
pub fn after_replay(outcome: &Outcome) -> AfterReplay {
    match outcome {
        Outcome::Accepted { .. } => AfterReplay::Settled,
        Outcome::Refused(_) => AfterReplay::Refused,
        Outcome::Deferred(deferral) => match deferral {
            Deferral::NonceUsed => AfterReplay::Arrived,
            Deferral::QuotaUsedUp
            | Deferral::QueueFull
            | Deferral::DomainNotConfigured
            | Deferral::Account(AccountFault::NotActivated | AccountFault::Suspended) => AfterReplay::Refused,
            Deferral::Unreachable
            | Deferral::InDoubt
            | Deferral::Throttled
            | Deferral::MinuteFull
            | Deferral::Unavailable
            | Deferral::BatchTooLarge
            | Deferral::UrlsMisplaced
            | Deferral::ClockSkew
            | Deferral::Account(_)
            | Deferral::Unknown => AfterReplay::Open,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::from_millis;
    use crate::service::Refusal;

    const LISTED_WITHIN: Duration = Duration::from_secs(300);

    fn doubt(sends: u32, arrived: bool, absent_after: Option<i64>) -> Doubt {
        let at = from_millis(0);
        let absent_at = absent_after.map(|seconds| at + TimeDelta::seconds(seconds));
        let call_timeout = Duration::from_secs(3);
        Doubt {
            signed_at: at,
            sent_at: at,
            charged_until: at + TimeDelta::hours(1),
            call_timeout,
            sends,
            copyable: true,
            arrived,
            absent_at,
        }
    }

    fn after(seconds: i64, doubt: &Doubt) -> NextStep {
        next_step(doubt, LISTED_WITHIN, true, &Reading::certain(from_millis(seconds * 1000)))
    }

    #[test]
    fn a_fresh_call_is_replayed_a_stale_one_is_looked_for() {
        assert_eq!(after(10, &doubt(1, false, None)), NextStep::Replay);
        assert_eq!(after(10, &doubt(SENDS_MAX, false, None)), NextStep::Look);
        assert_eq!(after(13 * 60, &doubt(1, false, None)), NextStep::Look);
        assert_eq!(after(10, &doubt(1, true, None)), NextStep::Look);
        let at_the_reset = Doubt { charged_until: from_millis(12_000), ..doubt(1, false, None) };
        assert_eq!(after(8, &at_the_reset), NextStep::Replay);
        assert_eq!(after(10, &at_the_reset), NextStep::Look);
    }

    #[test]
    fn what_can_not_be_made_again_byte_for_byte_is_looked_for_and_never_copied() {
        let other_key = Doubt { copyable: false, ..doubt(1, false, None) };
        assert_eq!(after(10, &other_key), NextStep::Look);
        assert_eq!(after(301, &Doubt { absent_at: Some(from_millis(300_000)), ..other_key }), NextStep::GiveUp);
        let blind = next_step(&other_key, LISTED_WITHIN, false, &Reading::certain(from_millis(10_000)));
        assert_eq!(blind, NextStep::GiveUp);
    }

    #[test]
    fn what_is_not_listed_in_time_is_given_up_and_not_before() {
        assert_eq!(after(299, &doubt(1, true, Some(298))), NextStep::Look);
        assert_eq!(after(301, &doubt(1, true, Some(298))), NextStep::Look);
        assert_eq!(after(301, &doubt(1, true, Some(300))), NextStep::GiveUp);
        assert_eq!(after(3 * 86_400, &doubt(1, true, None)), NextStep::GiveUp);
        let blind = next_step(&doubt(1, true, None), LISTED_WITHIN, false, &Reading::certain(from_millis(10_000)));
        assert_eq!(blind, NextStep::GiveUp);
    }

    #[test]
    fn looks_that_fail_end_when_the_time_for_looking_is_over_and_the_service_answers() {
        let longest = Duration::from_secs(900);
        let failed = |seconds: i64, is_answered| {
            after_failed_look(&doubt(6, true, None), LISTED_WITHIN, is_answered, longest, from_millis(seconds * 1000))
        };
        let again = |seconds: i64| FailedLook::Again(from_millis(seconds * 1000));
        assert_eq!(failed(0, true), again(2));
        assert_eq!(failed(299, true), again(300));
        assert_eq!(failed(300, true), FailedLook::GiveUp);
        // A network that is down says nothing about the batch.
        assert_eq!(failed(300, false), again(450));
        assert_eq!(failed(86_400, false), again(86_400 + 900));
    }

    #[test]
    fn only_an_acceptance_settles_a_copy() {
        let after = |deferral| after_replay(&Outcome::Deferred(deferral));
        assert_eq!(after_replay(&Outcome::Accepted { tasks: Vec::new() }), AfterReplay::Settled);
        assert_eq!(after(Deferral::NonceUsed), AfterReplay::Arrived);
        assert_eq!(after(Deferral::QuotaUsedUp), AfterReplay::Refused);
        assert_eq!(after_replay(&Outcome::Refused(Refusal::MalformedUrl)), AfterReplay::Refused);
        for deferral in [
            Deferral::Throttled,
            Deferral::Unreachable,
            Deferral::Unknown,
            Deferral::Account(AccountFault::WrongSecret),
        ] {
            assert_eq!(after(deferral), AfterReplay::Open);
        }
    }

    proptest! {
        /// Whatever the service answers and however long it is silent: a doubt ends after few copies and few looks.
        #[test]
        fn every_doubt_ends_and_no_copy_goes_that_is_not_the_same_bytes(
            silences in proptest::collection::vec(0_i64..100_000, 0..50),
            arrives in any::<bool>(),
            key_changes_after in 1_u32..8,
        ) {
            let mut doubt = doubt(1, false, None);
            let (mut now, mut looks) = (from_millis(0), 0);
            let mut silences = silences.into_iter();
            for step in 0..200 {
                doubt.copyable = step < key_changes_after;
                match next_step(&doubt, LISTED_WITHIN, true, &Reading::certain(now)) {
                    NextStep::GiveUp => return Ok(()),
                    NextStep::Replay => {
                        prop_assert!(doubt.copyable);
                        doubt.sends += 1;
                        doubt.sent_at = now;
                        doubt.arrived = arrives;
                        now += TimeDelta::seconds(1);
                    }
                    NextStep::Look => {
                        looks += 1;
                        match silences.next() {
                            Some(silence) => now += TimeDelta::seconds(silence),
                            None => {
                                doubt.absent_at = Some(now);
                                let next = look_again_at(&doubt, LISTED_WITHIN, now);
                                prop_assert!(next > now);
                                now = next;
                            }
                        }
                    }
                }
                prop_assert!(doubt.sends <= SENDS_MAX && looks < 100);
            }
            prop_assert!(false, "it does not end");
        }
    }
}
