//! The decision.

use chrono::TimeDelta;

use super::isolate::{Supply, Test};
use super::quota::{self, Left, Unit, should_ask, wait_for_more};
use super::{Full, Policy, Snapshot, Spent, Standing};
use crate::model::{Lane, PauseWhy, Priority, Reading, Time, WaitWhy};

/// Requests are plentiful while the share that is spent is at most the share of the day that has passed plus this
/// (DESIGN.md, "The budget").
const PLENTIFUL_AHEAD: f64 = 0.1;

/// What the submitter does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Send a batch.
    Send(Plan),
    /// Ask the service, in a free call, what is left and what time it is; then decide again.
    Ask,
    /// Send nothing before `until`; if that is none, until something new is queued.
    Wait {
        /// When to look again.
        until: Option<Time>,
        /// What it waits for.
        why: WaitWhy,
    },
    /// Send nothing; at `probe_at` a free call tests whether the account works again.
    Pause {
        /// What must change.
        why: PauseWhy,
        /// When to test.
        probe_at: Time,
    },
}

/// What the next batch may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Most URLs, at least 1.
    pub urls_max: u32,
    /// The weakest priority that may be in it.
    pub weakest: Priority,
    /// If given, these suspects are in the batch, and at most that many other URLs.
    pub test: Option<Test>,
}

/// Decides what the submitter does next. `clock` tells what is known about the time.
pub fn decide(snapshot: &Snapshot, policy: &Policy, clock: &Reading) -> Decision {
    let Snapshot { ready, spent, standing, flight, .. } = snapshot;
    let now = clock.now;
    let wait = |until, why| Decision::Wait { until, why };
    if let Some(stopped) = &standing.stopped {
        return wait(None, WaitWhy::Stopped(stopped.clone()));
    }
    if let Some(pause) = &standing.pause {
        return Decision::Pause { why: pause.why.clone(), probe_at: pause.probe_at };
    }
    let may_isolate = ready.suspects > 0 && spent.isolations < policy.isolate_requests_max;
    if ready.urls == 0 && !may_isolate {
        return nothing_ready(snapshot, clock);
    }
    if let Some(backing_off) = standing.backing_off.as_ref().filter(|backing_off| backing_off.until > now) {
        let why = WaitWhy::BackingOff { why: backing_off.why.clone(), failures: standing.failures };
        return wait(Some(backing_off.until), why);
    }
    if clock.wants_word || standing.is_untested() {
        return Decision::Ask;
    }
    // A call may be performed at any moment until it times out, and all of that must lie on one side of the reset.
    if !clock.stays_before(spent.day.ends_at, policy.call_timeout) {
        // One answer and this machine's clock may differ about which day it is: a second answer tells.
        if clock.lone {
            return Decision::Ask;
        }
        return wait(Some(clock.surely_at(spent.day.ends_at)), WaitWhy::Reset);
    }
    // A full queue and a used-up quota have the same code; the remaining quota tells them apart.
    let asks_why = policy.auto && standing.quota_readable && flight.as_ref().is_some_and(|flight| flight.unproved);
    if asks_why || should_ask(spent, standing, policy.auto, now) {
        return Decision::Ask;
    }
    let mut left = match left(spent, standing, policy) {
        Ok(left) => left,
        Err((until, why)) => return wait(Some(until), why),
    };
    let (weakest, urls) = match who_may_go(spent, policy, &mut left, ready.urgent, now) {
        Ok(()) => (Priority::Low, ready.urls),
        Err(_) if ready.urgent > 0 || (may_isolate && ready.urgent_suspects > 0) => (Priority::Urgent, ready.urgent),
        Err((until, why)) => return wait(Some(until), why),
    };
    batch(snapshot, policy, &Share { left, weakest, urls, may_isolate }, clock)
}

/// Which part of the queue may go, and what it may cost.
struct Share {
    left: Left,
    weakest: Priority,
    /// Ordinary URLs that may go.
    urls: u32,
    may_isolate: bool,
}

/// The batch, as large as meters and limits allow; or why it waits for more URLs or for room.
fn batch(snapshot: &Snapshot, policy: &Policy, share: &Share, clock: &Reading) -> Decision {
    let now = clock.now;
    let Snapshot { ready, spent, standing, cases, flight } = snapshot;
    let Share { left, weakest, urls, may_isolate } = *share;
    let flying = match flight.as_ref().map_or(Ok(u32::MAX), |flight| flight.room(now)) {
        Ok(room) => room,
        Err(full) => return queue_full(snapshot, full),
    };
    let learned = standing.batch_urls_max.unwrap_or(u32::MAX);
    let in_query = standing.query_urls_max.filter(|_| policy.urls_may_move).unwrap_or(u32::MAX);
    let refused = spent.refused_urls.map_or(u32::MAX, |urls| urls / 2);
    let full = policy.batch_urls_max.min(learned).min(in_query).min(refused).max(1);
    let room = full.min(left.urls).min(flying).max(1);
    // Urgent URLs do not wait for a test of suspects, unless a suspect is urgent too.
    let first = ready.urgent_suspects > 0 || (weakest == Priority::Low && ready.urgent == 0);
    if may_isolate && first {
        let supply = Supply { urls_max: room, full, others: urls, bad_rate: standing.bad_rate };
        if let Some(test) = cases.next_test(&supply) {
            return Decision::Send(Plan { urls_max: room, weakest, test: Some(test) });
        }
    }
    if urls == 0 {
        return nothing_ready(snapshot, clock);
    }
    let urls_max = room.min(standing.bad_rate.batch_worth_while());
    let plan = Plan { urls_max, weakest, test: None };
    if let Some(flight) = flight.as_ref().filter(|_| flying == room) {
        let (wanted, hurries) = if ready.urgent > 0 { (ready.urgent, true) } else { (urls, false) };
        let scarce_until = plentiful_from(spent, policy);
        if let Err(full) = flight.is_worth_a_call(room, wanted, hurries, scarce_until, now) {
            return queue_full(snapshot, full);
        }
    }
    // Waiting for a fuller batch is worth it only to save requests.
    if urls >= urls_max || ready.urgent > 0 || standing.unit == Some(Unit::Urls) {
        return Decision::Send(plan);
    }
    match linger_until(snapshot, policy) {
        Some(until) if until > now => {
            Decision::Wait { until: Some(until), why: WaitWhy::Lingering { urls, linger: policy.linger } }
        }
        _ => Decision::Send(plan),
    }
}

/// Nothing is ready: until when to wait, and for what.
fn nothing_ready(snapshot: &Snapshot, clock: &Reading) -> Decision {
    let Snapshot { ready, spent, .. } = snapshot;
    let next_at = ready.next_at.map(|at| if at > clock.now { at } else { clock.surely_at(at) });
    let (until, why) = match ready {
        _ if ready.held_suspects > 0 => {
            (Some(spent.day.ends_at), WaitWhy::IsolationSpent { urls: ready.held_suspects })
        }
        _ if ready.minute_full > 0 => {
            (ready.minute_at, WaitWhy::MinuteFull { urls: ready.minute_full, limit: ready.minute_limit })
        }
        _ if ready.next_at.is_some() => (None, WaitWhy::NotYet),
        _ if ready.awaits_purge > 0 => (None, WaitWhy::AwaitsPurge { urls: ready.awaits_purge }),
        _ if ready.parked > 0 => (None, WaitWhy::Hosts { urls: ready.parked }),
        _ => (None, WaitWhy::Idle),
    };
    Decision::Wait { until: [until, next_at].into_iter().flatten().min(), why }
}

/// URLs in flight fill the service's queue.
fn queue_full(snapshot: &Snapshot, full: Full) -> Decision {
    let in_flight = snapshot.flight.as_ref().map_or(0, |flight| flight.in_flight);
    Decision::Wait { until: Some(full.until), why: WaitWhy::QueueFull { in_flight, limit: full.limit } }
}

/// What is left of the day; or if nothing is, until when and why.
fn left(spent: &Spent, standing: &Standing, policy: &Policy) -> Result<Left, (Time, WaitWhy)> {
    let day_ends = |why| Err((spent.day.ends_at, why));
    if spent.unsure {
        return day_ends(WaitWhy::LedgerUnknown);
    }
    if let Some(code) = &spent.exhausted {
        return day_ends(WaitWhy::QuotaUsedUp { code: code.clone() });
    }
    let limit = policy.requests_per_day;
    let mut left = Left { requests: limit.saturating_sub(spent.requests), urls: u32::MAX };
    if left.requests == 0 {
        return day_ends(WaitWhy::RequestsSpent { limit });
    }
    let untold = policy.urls_unless_told.filter(|_| spent.observed.is_none());
    if let Some(limit) = policy.urls_per_day.or(untold) {
        left.urls = limit.saturating_sub(spent.urls).saturating_sub(spent.maybe_counted);
        if left.urls == 0 {
            return day_ends(WaitWhy::UrlsSpent { limit, refused: spent.maybe_counted.min(limit) });
        }
    }
    if let Some(observed) = spent.observed.as_ref().filter(|_| policy.auto) {
        let remains = quota::left(observed, standing, spent);
        left = Left { requests: left.requests.min(remains.requests), urls: left.urls.min(remains.urls) };
        if left.requests == 0 || left.urls == 0 {
            return Err(wait_for_more(observed, spent, standing.quota_readable));
        }
    }
    Ok(left)
}

/// Whether more than urgent URLs may go now; if not, from when on, and why. Where URLs are reserved, they are left out
/// of what a batch with others may take.
fn who_may_go(spent: &Spent, policy: &Policy, left: &mut Left, urgent: u32, now: Time) -> Result<(), (Time, WaitWhy)> {
    let local = policy.day_starts.local(now).time();
    if !policy.windows.is_empty() && !policy.windows.iter().any(|window| window.contains(local)) {
        let opens = policy.windows.iter().map(|window| policy.day_starts.next(window.from, now)).min();
        return Err((opens.unwrap_or(spent.day.ends_at), WaitWhy::OutsideWindow));
    }
    // The first moment at that time of day within the budget day; from then on nothing is reserved.
    let released_at = policy.day_starts.next(policy.reserve_until, spent.day.starts_at);
    if now >= released_at {
        return Ok(());
    }
    let is_of_urls = policy.lane != Lane::Prefetch;
    let unit = if is_of_urls { left.urls } else { left.requests };
    let others = unit.saturating_sub(policy.reserve);
    if others == 0 || (is_of_urls && others < urgent.min(left.urls)) {
        return Err((released_at, WaitWhy::Reserved { left: unit }));
    }
    if is_of_urls {
        left.urls = others;
    }
    Ok(())
}

/// From when on requests are so plentiful that a batch need not be full. In the last tenth of the day they always are,
/// so that nothing lingers into the reset, when unspent requests expire.
#[expect(clippy::cast_possible_truncation, reason = "a number beyond the bounds becomes the bound")]
fn plentiful_from(spent: &Spent, policy: &Policy) -> Time {
    let share = f64::from(spent.requests) / f64::from(policy.requests_per_day.max(1));
    let day = (spent.day.ends_at - spent.day.starts_at).as_seconds_f64();
    spent.day.starts_at + TimeDelta::seconds(((share - PLENTIFUL_AHEAD) * day).ceil() as i64)
}

/// Until when a batch that is not full waits: until `linger` after its oldest URL came, but not past its earliest
/// deadline, and only while requests are scarce.
fn linger_until(snapshot: &Snapshot, policy: &Policy) -> Option<Time> {
    let linger = TimeDelta::from_std(policy.linger).unwrap_or(TimeDelta::MAX);
    let lingered = snapshot.ready.oldest_at?.checked_add_signed(linger)?;
    let due = snapshot.ready.deadline.map_or(lingered, |deadline| deadline - linger);
    Some(lingered.min(due).min(plentiful_from(&snapshot.spent, policy)))
}

#[cfg(test)]
mod tests;
