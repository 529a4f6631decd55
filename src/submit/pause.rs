//! A paused account: when a free call tries whether it is over, and what that call says.

use std::time::Duration;

use chrono::TimeDelta;

use super::outcome::{AccountFault, Deferral, Outcome};
use crate::model::Time;
use crate::schedule::PauseWhy;
use crate::vod::Reply;

/// The first free probe comes after this, each later one after twice as long ...
const PROBE_AFTER_MIN: Duration = Duration::from_secs(60);

/// ... up to this.
const PROBE_AFTER_MAX: Duration = Duration::from_secs(3_600);

pub(super) fn pause_why(fault: AccountFault) -> PauseWhy {
    PauseWhy(fault.to_string())
}

/// When the next free call tries a paused account, after so many in vain: 1, 2, 4 … 60 minutes.
pub fn probe_at(probes: u32, now: Time) -> Time {
    let wait = PROBE_AFTER_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(PROBE_AFTER_MAX);
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
}

/// What the free call says of a paused account: none if the pause is over, else why it is not. It is over when the service
/// tells the quota, or says only that this key may not ask for it; that says nothing about prefetching, which is then tried.
/// Whatever else is answered changes nothing.
pub fn still_paused(reply: &Reply, before: &PauseWhy) -> Option<PauseWhy> {
    match reply {
        Reply::Answered(answer) if answer.is_success() && answer.quota().is_some() => None,
        reply => match Outcome::of(reply) {
            Outcome::Deferred(Deferral::Account(AccountFault::Forbidden)) => None,
            Outcome::Deferred(Deferral::Account(fault)) => Some(pause_why(fault)),
            _ => Some(before.clone()),
        },
    }
}
