//! The second meter: what the service says is left of the day, in a unit on which documents disagree.
//!
//! Until the unit is known, no batch is larger than what is left, so that either reading is safe. The drop across a
//! batch tells the unit. From then on what is left limits what is sent, so that spending by others on the same account
//! counts too; their share shows as drift.

use chrono::TimeDelta;
use strum::IntoStaticStr;

use super::{Policy, Spent, Standing};
use crate::model::{Time, WaitWhy};

/// With the unit known, the service is asked again after this long, because others may spend too.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// What the daily quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Unit {
    /// Calls.
    Requests,
    /// URLs.
    Urls,
}

impl Unit {
    /// Its word in `v_budget`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// What the service said about a day, and what had been charged here by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The day's quota.
    pub quota: u64,
    /// What is left of it.
    pub remain: u64,
    /// When it was said.
    pub at: Time,
    /// Requests charged by then.
    pub requests: u32,
    /// URLs charged by then.
    pub urls: u32,
}

/// Calls that reached the operation and were refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub requests: u32,
    /// URLs in them.
    pub urls: u32,
}

/// What one batch may take of what is left of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Calls.
    pub requests: u32,
    /// URLs.
    pub urls: u32,
}

/// What the last word leaves, minus what was charged since; by both meters while the unit is unknown. Refused calls
/// count too, unless they are known to cost nothing.
pub(super) fn left(observed: &Observation, standing: &Standing, spent: &Spent) -> Left {
    let remain = |used: u32| u32::try_from(observed.remain.saturating_sub(u64::from(used))).unwrap_or(u32::MAX);
    let refused = spent.refused;
    let (requests_free, urls_lost) = match standing.refusals_cost {
        Some(false) => (refused.requests, 0),
        Some(true) => (0, refused.urls),
        None => (0, 0),
    };
    let requests = remain(spent.requests.saturating_sub(observed.requests).saturating_sub(requests_free));
    let urls = remain(spent.urls.saturating_sub(observed.urls).saturating_add(urls_lost));
    match standing.unit {
        Some(Unit::Requests) => Left { requests, urls: u32::MAX },
        Some(Unit::Urls) => Left { requests: u32::MAX, urls },
        None => Left { requests, urls },
    }
}

/// What is really left of the day, whoever spent the rest: of the configured limits and of the service's quota. Where
/// either meter has nothing left, neither has. [`u32::MAX`] URLs: they are not limited.
pub fn really_left(policy: &Policy, spent: &Spent, standing: &Standing) -> Left {
    let none = Left { requests: 0, urls: 0 };
    let mut all = Left {
        requests: policy.requests_per_day.saturating_sub(spent.requests),
        urls: policy
            .urls_per_day
            .map_or(u32::MAX, |limit| limit.saturating_sub(spent.urls).saturating_sub(spent.maybe_counted)),
    };
    if let Some(observed) = &spent.observed {
        let left = left(observed, standing, spent);
        // While the unit is unknown, what is left caps both; only one of them is true.
        let requests = if standing.unit.is_none() { all.requests } else { left.requests };
        all = Left { requests: all.requests.min(requests), urls: all.urls.min(left.urls) };
    }
    if spent.exhausted.is_some() || all.requests == 0 || all.urls == 0 { none } else { all }
}

/// What the drop between two words on one day tells about the unit; none if nothing certain.
///
/// With one batch of several URLs in between: a drop smaller than the batch means requests (and perhaps others
/// spending), a drop of exactly the batch means URLs. With several batches in between only exact drops tell, because
/// the service may be late.
pub fn learn(before: &Observation, after: &Observation) -> Option<Unit> {
    let drop = before.remain.checked_sub(after.remain)?;
    let requests = u64::from(after.requests.checked_sub(before.requests)?);
    let urls = u64::from(after.urls.checked_sub(before.urls)?);
    if before.quota != after.quota || requests == 0 || urls <= requests {
        return None;
    }
    match drop {
        drop if drop == urls => Some(Unit::Urls),
        drop if drop == requests || (requests == 1 && 0 < drop && drop < urls) => Some(Unit::Requests),
        _ => None,
    }
}

/// What the drop between two words on one day tells about the cost of a refused call; none if nothing certain. It tells
/// only if that call, with several URLs, is all that was charged in between.
pub fn refusals_cost(before: &Observation, after: &Observation, refused: Refused) -> Option<bool> {
    let drop = before.remain.checked_sub(after.remain)?;
    let is_all = after.requests.checked_sub(before.requests)? == 1 && after.urls == before.urls;
    if before.quota != after.quota || !is_all || refused.requests != 1 {
        return None;
    }
    match drop {
        0 => Some(false),
        drop if drop == 1 || drop == u64::from(refused.urls) => Some(true),
        _ => None,
    }
}

/// What others had spent of the day at the time of this word: what is gone and was not charged here.
pub fn drift(observed: &Observation, unit: Unit) -> u64 {
    let gone = observed.quota.saturating_sub(observed.remain);
    let ours = match unit {
        Unit::Requests => observed.requests,
        Unit::Urls => observed.urls,
    };
    gone.saturating_sub(u64::from(ours))
}

/// Whether to ask the service, in a free call, before the next batch of this day.
pub(super) fn should_ask(spent: &Spent, standing: &Standing, auto: bool, now: Time) -> bool {
    if !standing.quota_readable {
        return false;
    }
    // A day in doubt is settled by an answer alone, so one that it still has is from before the doubt.
    let Some(observed) = spent.observed.as_ref().filter(|_| !spent.unsure) else { return auto || spent.unsure };
    let changed = (observed.requests, observed.urls) != (spent.requests, spent.urls);
    auto && ((standing.unit.is_none() && changed) || now - observed.at >= ASK_AGAIN)
}

/// How long to wait when the service's word leaves nothing. It is asked again meanwhile, because a quota can be raised;
/// where it may not be asked, nothing is due before the day's end.
pub(super) fn wait_for_more(observed: &Observation, spent: &Spent, readable: bool) -> (Time, WaitWhy) {
    let asked_again = if readable { observed.at + ASK_AGAIN } else { spent.day.ends_at };
    let until = asked_again.min(spent.day.ends_at);
    (until, WaitWhy::NothingRemains { quota: observed.quota })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{BudgetDay, from_millis};

    #[test]
    fn what_others_spent_is_not_left() {
        let policy = Policy::from(&crate::config::Config::default());
        let day = BudgetDay::of(from_millis(1_000_000), policy.day_starts);
        let observed = Observation { quota: 500, remain: 2, at: from_millis(0), requests: 2, urls: 1_004 };
        let spent = Spent { requests: 3, urls: 2_004, observed: Some(observed), ..Spent::nothing(day) };
        let requests = Standing { unit: Some(Unit::Requests), ..Standing::default() };
        assert_eq!(really_left(&policy, &spent, &requests), Left { requests: 1, urls: u32::MAX });
        let urls = Standing { unit: Some(Unit::Urls), ..Standing::default() };
        assert_eq!(really_left(&policy, &spent, &urls), Left { requests: 0, urls: 0 });
        let unknown = really_left(&policy, &Spent { requests: 2, urls: 1_004, ..spent.clone() }, &Standing::default());
        assert_eq!(unknown, Left { requests: 498, urls: 2 });
        let said = Spent { exhausted: Some("QuotaExceeded".to_owned()), ..spent };
        assert_eq!(really_left(&policy, &said, &requests).requests, 0);
        assert_eq!(really_left(&policy, &Spent::nothing(said.day), &requests).requests, 500);
    }
    use crate::model::DayStart;

    fn seen(quota: u64, remain: u64, requests: u32, urls: u32) -> Observation {
        Observation { quota, remain, at: from_millis(0), requests, urls }
    }

    #[test]
    fn the_drop_across_a_batch_tells_the_unit() {
        let before = seen(500, 500, 0, 0);
        for (remain, requests, urls, unit) in [
            (499, 1, 400, Some(Unit::Requests)),
            (100, 1, 400, Some(Unit::Urls)),
            (490, 1, 400, Some(Unit::Requests)), // and nine by others
            (500, 1, 400, None),                 // the service is late
            (90, 1, 400, None),                  // others too: either reading is possible
            (499, 1, 1, None),                   // a batch of one tells nothing
            (498, 2, 300, Some(Unit::Requests)),
            (200, 2, 300, Some(Unit::Urls)),
            (350, 2, 300, None), // the service may be late by one batch
        ] {
            assert_eq!(learn(&before, &seen(500, remain, requests, urls)), unit, "{remain} {requests} {urls}");
        }
        assert_eq!(learn(&before, &seen(600, 599, 1, 400)), None, "the quota was raised meanwhile");
    }

    #[test]
    fn what_others_spend_shows_as_drift() {
        assert_eq!(drift(&seen(500, 480, 15, 9000), Unit::Requests), 5);
        assert_eq!(drift(&seen(500, 480, 1, 20), Unit::Urls), 0);
    }

    /// An account that others use too, in either unit: what is sent within `left` never exceeds the quota, and the unit
    /// is learned, never wrongly while the service is not late.
    fn history(unit: Unit, quota: u64, steps: &[(u32, u64, bool)]) -> Result<(), TestCaseError> {
        let day = BudgetDay::of(from_millis(0), DayStart::default());
        let mut spent = Spent { requests: 0, urls: 0, ..Spent::nothing(day) };
        let (mut used, mut learned) = (0, None);
        let mut observed = seen(quota, quota, 0, 0);
        for (wanted, others, ask) in steps {
            let left = left(&observed, &Standing { unit: learned, ..Standing::default() }, &spent);
            let batch = (*wanted).min(left.urls);
            // Nobody can know what others spend between the word and the batch.
            if left.requests > 0 && batch > 0 {
                let cost = if unit == Unit::Requests { 1 } else { u64::from(batch) };
                prop_assert!(used + cost <= quota, "overspent: {used} + {cost} of {quota}");
                used += cost;
                spent.requests += 1;
                spent.urls += batch;
            }
            if *ask || learned.is_none() {
                used = (used + others).min(quota);
                let now = seen(quota, quota - used, spent.requests, spent.urls);
                if let Some(unit_seen) = learn(&observed, &now).filter(|_| learned.is_none()) {
                    // Others can make a drop of requests look like one of URLs; what is then left is only smaller.
                    prop_assert!(unit_seen == unit || *others > 0);
                    learned = Some(unit_seen);
                }
                observed = now;
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_the_service_leaves_is_never_passed(
            urls in any::<bool>(), quota in 1_u64..5000,
            steps in proptest::collection::vec((1_u32..1000, 0_u64..3, any::<bool>()), 1..200),
        ) {
            history(if urls { Unit::Urls } else { Unit::Requests }, quota, &steps)?;
        }
    }
}
