//! What to do about an outcome, as values: how to close the submission, where its URLs go, and what it teaches about
//! the account. Pure; the worker only stores it.

use chrono::TimeDelta;

use super::outcome::Outcome;
use crate::config::InDoubt;
use crate::ledger::{Closing, End, pause_why, probe_at};
use crate::model::{Backoff, Lane, PauseWhy, Reason, ReasonKind, TaskId, Time};
use crate::queue::{Evidence, HostStanding, Release, ReleaseTo};
use crate::schedule::{Blame, asked_to_wait};
use crate::service::{Accepted, Deferral, Fault, Refusal};
use crate::words;

/// Batches this small are never too large for a gateway.
const SMALL_BATCH: usize = 10;

/// A domain that the service failed to configure is blocked for this long ...
const UNCONFIGURED_HOLDS: TimeDelta = TimeDelta::hours(1);

/// ... and one that it refused or called offline for this long, unless something else is learned about it.
const REFUSAL_HOLDS: TimeDelta = TimeDelta::hours(6);

/// What a reaction depends on, besides the outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// The time.
    pub now: Time,
    /// URLs in the batch.
    pub urls: usize,
    /// Attempts that each of them has had before.
    pub attempts: u32,
    /// Failures in a row before this call.
    pub failures: u32,
    /// Drawn from [0, 1).
    pub jitter: f64,
    /// Whether the service itself answered, with a code. [`react`] sets it.
    pub by_service: bool,
    /// Whether it tests suspects.
    pub is_test: bool,
    /// The lane of the batch.
    pub lane: Lane,
    /// Free calls that have probed a paused account since a batch was last accepted.
    pub probes: u32,
    /// `[retry] attempts_max`
    pub attempts_max: u32,
    /// `[retry] backoff_min` and `backoff_max`
    pub backoff: Backoff,
    /// `[budget] in_doubt`
    pub in_doubt: InDoubt,
    /// Whether the service's word on the quota limits the day ...
    pub auto: bool,
    /// ... and this key may ask for it.
    pub quota_readable: bool,
}

/// What to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// How to close the submission.
    pub closing: Closing,
    /// Where its URLs go; none if they were accepted.
    pub release: Option<Release>,
    /// What it proves about something in the batch.
    pub evidence: Option<Evidence>,
    /// Whether to ask for the account's domains.
    pub ask_domains: bool,
    /// What it teaches about the account.
    pub lesson: Lesson,
}

/// What a call teaches about the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lesson {
    /// It works.
    Well,
    /// Nothing.
    Nothing,
    /// Send nothing before `until`.
    BackOff {
        /// When the next call may go.
        until: Time,
        /// What failed.
        why: Reason,
    },
    /// Send nothing until a free call succeeds.
    Pause {
        /// What must change.
        why: PauseWhy,
        /// When to make the first one.
        probe_at: Time,
    },
    /// Nothing is left of this day.
    DayExhausted {
        /// The answer's code.
        code: String,
    },
    /// The day's quota has no room for a batch of this many URLs: ask what is left, and try smaller batches.
    QuotaRefused {
        /// URLs in the batch.
        urls: u32,
    },
    /// Send nothing before `until`; then first ask the service, in a free call, what is left: whether it works at all,
    /// and whether waiting makes sense.
    AskFirst {
        /// When the next call may go.
        until: Time,
        /// What the service said.
        why: Reason,
    },
    /// Send no larger batch than this.
    BatchLimit(u32),
    /// A URL by itself is too large, so their size was not what was wrong with the batches before: their limit is
    /// forgotten. Send nothing before `until`.
    TooLargeAlone {
        /// When the next call may go.
        until: Time,
        /// What the service said.
        why: Reason,
    },
    /// The minute of a domain of the batch is full.
    MinuteFull,
    /// URLs go in the query of calls from now on.
    UrlsInQuery,
    /// With the URLs in flight the batch exceeded the service's queue; or nothing is left of the day, about which the
    /// service is asked.
    QueueFull,
}

impl Reaction {
    /// If the service refused the key and there is another one by now, no fault of the account is known.
    pub(super) fn or_another_key(self, is_replaced: bool) -> Self {
        if is_replaced { Self { lesson: Lesson::Nothing, ..self } } else { self }
    }
}

/// What to do after the service's answer to a batch.
pub fn react(said: Result<&Accepted, &Fault>, at: &Circumstances) -> Reaction {
    let at = &Circumstances { by_service: said.err().is_some_and(|fault| fault.code.is_some()), ..*at };
    let outcome = &Outcome::of(said);
    let closing = closing(outcome, said);
    let not_before = asked_to_wait(said.err().and_then(|fault| fault.retry_after), at.now);
    let Some(kind) = outcome.reason() else {
        return Reaction { closing, release: None, evidence: None, ask_domains: false, lesson: Lesson::Well };
    };
    let reason = Reason::new(of_lane(kind, at.lane), words_of(&closing));
    let evidence = evidence(outcome, &reason, at);
    let release = Release {
        to: destination(outcome, evidence.is_some(), at),
        // Isolation finds what is wrong in the batch; the other URLs are not at fault.
        counts: evidence.is_none() && (counts(outcome, at)),
        attempts_max: at.attempts_max,
        reason: reason.clone(),
    };
    let ask_domains = matches!(outcome, Outcome::Deferred(Deferral::DomainNotConfigured))
        || evidence.as_ref().is_some_and(|evidence| evidence.blame == Blame::Host);
    Reaction {
        lesson: lesson(outcome, &closing, reason, not_before, at),
        closing,
        release: Some(release),
        evidence,
        ask_domains,
    }
}

/// Which permission is missing depends on the lane.
pub(super) fn of_lane(kind: ReasonKind, lane: Lane) -> ReasonKind {
    match kind {
        ReasonKind::Forbidden if lane != Lane::Prefetch => ReasonKind::PurgeForbidden,
        kind => kind,
    }
}

/// Whether it counts as an attempt of the batch's URLs. A URL that is refused with no other beside it cannot be sent in
/// a smaller batch: trying it must end.
fn counts(outcome: &Outcome, at: &Circumstances) -> bool {
    let is_alone = matches!(outcome, Outcome::Deferred(Deferral::MinuteFull)) && at.urls == 1;
    is_alone || outcome.counts_as_attempt() || is_too_large_yet_small(outcome, at)
}

/// The evidence in a refusal that is about one URL or one domain and not about the rest of the batch. An answer that
/// stays the same for as many attempts as a URL has counts as one, whatever it means.
fn evidence(outcome: &Outcome, reason: &Reason, at: &Circumstances) -> Option<Evidence> {
    let spent = at.attempts + 1 >= at.attempts_max;
    let (blame, standing) = match outcome {
        Outcome::Refused(refusal) => match refusal {
            Refusal::MalformedUrl | Refusal::WildcardDomain => (Blame::Url, HostStanding::Refused),
            Refusal::ForeignDomain | Refusal::IllegalDomain => (Blame::Host, HostStanding::Refused),
            Refusal::OfflineDomain => (Blame::Host, HostStanding::Offline),
            Refusal::MissingParameter => return None,
        },
        // It is about the domain, not about the batches that name it.
        Outcome::Deferred(Deferral::DomainNotConfigured) => (Blame::Host, HostStanding::Offline),
        Outcome::Deferred(Deferral::Unknown) if spent => (Blame::Url, HostStanding::Refused),
        _ => return None,
    };
    let unsure = matches!(outcome, Outcome::Deferred(_));
    let holds = if unsure { UNCONFIGURED_HOLDS } else { REFUSAL_HOLDS };
    Some(Evidence { blame, why: reason.clone(), unsure, standing, holds })
}

/// Closes a submission whose end nobody will know, and says why: its URLs go on as `[budget] in_doubt` says, and those
/// that are sent again count as possible doubles.
pub fn give_up(why: ReasonKind, at: &Circumstances) -> Reaction {
    let mut reaction = react(Err(&Fault::lost(&words::reason_kind(why).en)), at);
    if at.in_doubt == InDoubt::Resubmit {
        reaction.closing.double_urls = u32::try_from(at.urls).unwrap_or(u32::MAX);
    }
    if let Some(release) = &mut reaction.release {
        release.reason = why.into();
    }
    reaction
}

/// Closes a submission whose task was found: it was accepted.
pub fn found(tasks: Vec<TaskId>, at: &Circumstances) -> Reaction {
    let mut reaction = react(Ok(&Accepted { tasks, request_id: None, http_status: None }), at);
    reaction.closing.message = Some("the answer was lost; the service lists its task".to_owned());
    reaction
}

fn closing(outcome: &Outcome, said: Result<&Accepted, &Fault>) -> Closing {
    let end = match outcome {
        Outcome::Accepted { .. } => End::Accepted,
        Outcome::Deferred(Deferral::InDoubt | Deferral::NonceUsed) => End::InDoubt,
        Outcome::Deferred(_) => End::Deferred,
        Outcome::Refused(_) => End::Refused,
    };
    let (http_status, request_id) = match said {
        Ok(accepted) => (accepted.http_status, accepted.request_id.clone()),
        Err(fault) => (fault.http_status, fault.request_id.clone()),
    };
    let fault = said.err();
    Closing {
        end,
        outcome: outcome.word().to_owned(),
        charged: !fault.is_some_and(Fault::is_surely_unperformed),
        http_status,
        code: fault.and_then(|fault| fault.code.clone()),
        message: fault.and_then(|fault| fault.message.clone()),
        request_id,
        tasks: said.map(|accepted| accepted.tasks.clone()).unwrap_or_default(),
        urls_charged: matches!(outcome, Outcome::Accepted { .. }) || outcome.is_in_doubt(),
        double_urls: 0,
        late: false,
        performed_at: None,
    }
}

/// What was said: the code, or the status, or what went wrong on the way.
fn words_of(closing: &Closing) -> String {
    match (&closing.code, closing.http_status, &closing.message) {
        (Some(code), ..) => code.clone(),
        (None, Some(status), _) => format!("HTTP {status}"),
        (None, None, Some(message)) => message.clone(),
        (None, None, None) => String::new(),
    }
}

fn destination(outcome: &Outcome, is_isolated: bool, at: &Circumstances) -> ReleaseTo {
    let later = at.now + TimeDelta::from_std(at.backoff.max).unwrap_or(TimeDelta::MAX);
    let wait_until = match outcome {
        _ if is_isolated => None,
        // The trouble is only this batch's: the others need not wait.
        Outcome::Deferred(Deferral::Unknown) => Some(later),
        _ if is_too_large_yet_small(outcome, at) => Some(later),
        _ => None,
    };
    match outcome {
        Outcome::Refused(_) if !is_isolated => ReleaseTo::Held,
        // It will not become smaller.
        _ if is_too_large_yet_small(outcome, at) && at.by_service => ReleaseTo::Held,
        _ if outcome.is_in_doubt() && at.in_doubt == InDoubt::Hold => ReleaseTo::Held,
        _ => ReleaseTo::Pending { wait_until, exhausted: outcome.when_exhausted() },
    }
}

/// The other limit that documents name beside 1,000 URLs a call (SIBLING-APIS.md, B).
const OTHER_LIMIT: usize = 100;

/// How many URLs a call may have after one with so many was too large. If the service itself says so, the other
/// documented limit is its own; a gateway minds bytes, not URLs.
fn smaller(urls: usize, is_the_services: bool) -> u32 {
    let smaller = if is_the_services && urls > OTHER_LIMIT { OTHER_LIMIT } else { urls / 2 };
    u32::try_from(smaller).unwrap_or(u32::MAX).max(1)
}

/// Whether a batch cannot be too large: such an answer teaches nothing about the others. A gateway minds bytes; the
/// service may have any limit (SIBLING-APIS.md, A and B).
fn is_small(at: &Circumstances) -> bool {
    at.urls <= if at.by_service { 1 } else { SMALL_BATCH }
}

fn is_too_large_yet_small(outcome: &Outcome, at: &Circumstances) -> bool {
    matches!(outcome, Outcome::Deferred(Deferral::BatchTooLarge)) && is_small(at)
}

/// The same wait, with a question at its end.
fn ask_first(lesson: Lesson) -> Lesson {
    match lesson {
        Lesson::BackOff { until, why } => Lesson::AskFirst { until, why },
        other => other,
    }
}

fn lesson(outcome: &Outcome, closing: &Closing, why: Reason, not_before: Time, at: &Circumstances) -> Lesson {
    let back_off = |why| {
        let until = at.backoff.until(at.now, at.failures.saturating_add(1), at.jitter).max(not_before);
        Lesson::BackOff { until, why }
    };
    let deferral = match outcome {
        // A refusal is about the batch; the account works.
        Outcome::Accepted { .. } | Outcome::Refused(_) => return Lesson::Well,
        Outcome::Deferred(deferral) => deferral,
    };
    match deferral {
        Deferral::DomainNotConfigured => Lesson::Nothing,
        Deferral::Unavailable => ask_first(back_off(why)),
        Deferral::BatchTooLarge if is_small(at) => match back_off(why) {
            Lesson::BackOff { until, why } if at.by_service => Lesson::TooLargeAlone { until, why },
            lesson => lesson,
        },
        // For a batch of several URLs it may mean that there is room for fewer, if the quota counts URLs; that of
        // purges does.
        Deferral::QuotaUsedUp if (at.auto || at.lane != Lane::Prefetch) && at.urls > 1 => {
            Lesson::QuotaRefused { urls: u32::try_from(at.urls).unwrap_or(u32::MAX) }
        }
        // What the service says is left is the authority: it is asked, and if something is left, another try follows.
        Deferral::QuotaUsedUp if at.auto && at.quota_readable => {
            let why = Reason { kind: ReasonKind::QuotaDisputed, ..why };
            ask_first(back_off(why))
        }
        Deferral::QuotaUsedUp => Lesson::DayExhausted { code: closing.code.clone().unwrap_or_default() },
        Deferral::BatchTooLarge => Lesson::BatchLimit(smaller(at.urls, at.by_service)),
        Deferral::Account(fault) => {
            Lesson::Pause { why: pause_why(at.lane, *fault), probe_at: probe_at(at.probes, at.now) }
        }
        Deferral::QueueFull => Lesson::QueueFull,
        // Prefetches have no such limit, and a test is not picked by it.
        Deferral::MinuteFull if at.lane == Lane::Prefetch || at.is_test => back_off(why),
        Deferral::MinuteFull => Lesson::MinuteFull,
        Deferral::UrlsMisplaced => Lesson::UrlsInQuery,
        Deferral::Unreachable
        | Deferral::InDoubt
        | Deferral::NonceUsed
        | Deferral::Throttled
        | Deferral::Unknown
        | Deferral::ClockSkew => back_off(why),
    }
}
