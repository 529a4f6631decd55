//! What is done about an outcome, as values: how the submission is closed, where its URLs go, and what is learned of
//! the account. Pure; the worker only writes it down.

use chrono::TimeDelta;

use super::outcome::Outcome;
use crate::config::InDoubt;
use crate::ledger::{Closing, End, pause_why, probe_at};
use crate::model::{Backoff, PauseWhy, Reason, ReasonKind, TaskId, Time};
use crate::queue::{Evidence, HostStanding, Release, ReleaseTo};
use crate::schedule::{Blame, asked_to_wait};
use crate::service::{Accepted, Deferral, Fault, Refusal};
use crate::words;

/// That a batch is too large is not believed of so few URLs.
const SMALL_BATCH: usize = 10;

/// A domain that the service failed to configure is tried again after this ...
const UNCONFIGURED_HOLDS: TimeDelta = TimeDelta::hours(1);

/// ... and one that it refused or called offline after this, where nothing else is heard of it.
const REFUSAL_HOLDS: TimeDelta = TimeDelta::hours(6);

/// What a reaction depends on beside the outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// The time.
    pub now: Time,
    /// URLs in the batch.
    pub urls: usize,
    /// Attempts that one of them has had before.
    pub attempts: u32,
    /// Failures in a row before this call.
    pub failures: u32,
    /// Drawn from [0, 1).
    pub jitter: f64,
    /// Free calls that tried a paused account, since a batch was last accepted.
    pub probes: u32,
    /// `[retry] attempts_max`
    pub attempts_max: u32,
    /// `[retry] backoff_min` and `backoff_max`
    pub backoff: Backoff,
    /// `[budget] in_doubt`
    pub in_doubt: InDoubt,
    /// Whether the service's word on the quota counts.
    pub auto: bool,
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// How the submission is closed.
    pub closing: Closing,
    /// Where its URLs go; nowhere when they were accepted.
    pub release: Option<Release>,
    /// What it proves about something in the batch.
    pub evidence: Option<Evidence>,
    /// Whether the account's domains should be asked for.
    pub ask_domains: bool,
    /// What is learned of the account.
    pub lesson: Lesson,
}

/// What a call teaches about the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lesson {
    /// It works.
    Well,
    /// Nothing.
    Nothing,
    /// Nothing goes before `until`.
    BackOff {
        /// When the next call may go.
        until: Time,
        /// What failed.
        why: Reason,
    },
    /// Nothing goes until a free call succeeds.
    Pause {
        /// What has to change.
        why: PauseWhy,
        /// When the first one is made.
        probe_at: Time,
    },
    /// Nothing is left of this day.
    DayExhausted {
        /// The answer's code.
        code: String,
    },
    /// The day's quota has no room for a batch of so many URLs: ask what is left, and try smaller ones.
    QuotaRefused {
        /// URLs in the batch.
        urls: u32,
    },
    /// Nothing goes before `until`, and then the service is first asked, for free, what is left: whether it works at
    /// all, and whether there is anything left to wait for.
    AskFirst {
        /// When the next call may go.
        until: Time,
        /// What the service said.
        why: Reason,
    },
    /// No batch may be larger.
    BatchLimit(u32),
    /// With what is in flight the batch was more than the service's queue takes; or nothing is left of the day, which
    /// the service is asked for.
    QueueFull,
}

impl Reaction {
    /// Where the service refused the key and there is another one by now, the account has no fault that is known.
    pub(super) fn or_another_key(self, is_replaced: bool) -> Self {
        if is_replaced { Self { lesson: Lesson::Nothing, ..self } } else { self }
    }
}

/// What to do about what the service said to a batch.
pub fn react(said: Result<&Accepted, &Fault>, at: &Circumstances) -> Reaction {
    let outcome = &Outcome::of(said);
    let closing = closing(outcome, said);
    let not_before = asked_to_wait(said.err().and_then(|fault| fault.retry_after), at.now);
    let Some(kind) = outcome.reason() else {
        return Reaction { closing, release: None, evidence: None, ask_domains: false, lesson: Lesson::Well };
    };
    let reason = Reason::new(kind, words_of(&closing));
    let evidence = evidence(outcome, &reason, at);
    let release = Release {
        to: destination(outcome, evidence.is_some(), at),
        // What is wrong in the batch is found out; the others are not at fault.
        counts: evidence.is_none() && (outcome.counts_as_attempt() || is_too_large_yet_small(outcome, at)),
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

/// What a refusal is about: one URL, or one domain, and not the rest of the batch. So is an answer that stays the same
/// for as many attempts as a URL has, whatever it means.
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

/// What to do about a submission whose end nobody will know, and why not: its URLs go on without it, as `[budget]
/// in_doubt` says, and those that are sent anew are counted as possible doubles.
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

/// What to do about a submission whose task was found: it was accepted.
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
        urls_charged: matches!(outcome, Outcome::Accepted { .. } | Outcome::Deferred(Deferral::Unavailable))
            || outcome.is_in_doubt(),
        double_urls: 0,
        late: false,
        performed_at: None,
    }
}

/// What was said: the code, else the status, else what went wrong on the way.
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
        // Only this batch's own trouble: the others need not wait.
        Outcome::Deferred(Deferral::Unknown) => Some(later),
        _ if is_too_large_yet_small(outcome, at) => Some(later),
        _ => None,
    };
    match outcome {
        Outcome::Refused(_) if !is_isolated => ReleaseTo::Held,
        _ if outcome.is_in_doubt() && at.in_doubt == InDoubt::Hold => ReleaseTo::Held,
        _ => ReleaseTo::Pending { wait_until, exhausted: outcome.when_exhausted() },
    }
}

/// A batch that is so small cannot be too large: what is said of it teaches nothing, and is its own trouble.
fn is_small(urls: usize) -> bool {
    urls <= SMALL_BATCH
}

fn is_too_large_yet_small(outcome: &Outcome, at: &Circumstances) -> bool {
    matches!(outcome, Outcome::Deferred(Deferral::BatchTooLarge)) && is_small(at.urls)
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
        Deferral::Unavailable => match back_off(why) {
            Lesson::BackOff { until, why } => Lesson::AskFirst { until, why },
            other => other,
        },
        Deferral::BatchTooLarge if is_small(at.urls) => back_off(why),
        // Of a batch of several URLs it may mean that there is room for fewer, if the quota counts URLs.
        Deferral::QuotaUsedUp if at.auto && at.urls > 1 => {
            Lesson::QuotaRefused { urls: u32::try_from(at.urls).unwrap_or(u32::MAX) }
        }
        Deferral::QuotaUsedUp => Lesson::DayExhausted { code: closing.code.clone().unwrap_or_default() },
        Deferral::BatchTooLarge => Lesson::BatchLimit(u32::try_from(at.urls / 2).unwrap_or(u32::MAX).max(1)),
        Deferral::Account(fault) => Lesson::Pause { why: pause_why(*fault), probe_at: probe_at(at.probes, at.now) },
        Deferral::QueueFull => Lesson::QueueFull,
        Deferral::Unreachable
        | Deferral::InDoubt
        | Deferral::NonceUsed
        | Deferral::Throttled
        | Deferral::Unknown
        | Deferral::ClockSkew => back_off(why),
    }
}
