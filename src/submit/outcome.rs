//! What an answer means. [`Outcome::of`] is the one place that looks at an error code; it is VOD-API.md's table, row by
//! row, as a pure function of how far the call got, the HTTP status, and the body.

use std::fmt;

use crate::model::{AccountFault, TaskId, UrlState, parse_task_ids};
use crate::service::{Answer, ErrorBody, Reply};
use crate::words;

/// What became of a call: three outcomes, as everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service took the batch.
    Accepted {
        /// Its tasks, at least one.
        tasks: Vec<TaskId>,
    },
    /// The batch may go again later.
    Deferred(Deferral),
    /// The service will not take the batch as it is.
    Refused(Refusal),
}

/// Why a batch has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deferral {
    /// Nothing was sent: no connection.
    Unreachable,
    /// It was sent and no whole answer came, or one that says neither yes nor no: it may have been accepted.
    InDoubt,
    /// The service has seen this call's nonce before: another copy of it had arrived.
    NonceUsed,
    /// Too fast.
    Throttled,
    /// The service failed.
    Unavailable,
    /// Today's quota is used up.
    QuotaUsedUp,
    /// The service's queue of prefetches is full.
    QueueFull,
    /// More URLs than a call may carry.
    BatchTooLarge,
    /// The clocks differ by more than the service accepts.
    ClockSkew,
    /// The service failed to configure the domain.
    DomainNotConfigured,
    /// A fault of the whole account.
    Account(AccountFault),
    /// An answer that no document knows.
    Unknown,
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A URL of it is malformed.
    MalformedUrl,
    /// A URL of it has a wildcard domain.
    WildcardDomain,
    /// A domain of it is not the account's.
    ForeignDomain,
    /// A domain of it is switched off.
    OfflineDomain,
    /// A domain of it may not be operated on.
    IllegalDomain,
    /// A parameter is missing: a bug here.
    MissingParameter,
}

impl Outcome {
    /// What a reply means.
    pub fn of(reply: &Reply) -> Self {
        match reply {
            Reply::NotSent(_) => Self::Deferred(Deferral::Unreachable),
            Reply::Lost(_) => Self::Deferred(Deferral::InDoubt),
            Reply::Answered(answer) if answer.is_success() => accepted(answer),
            Reply::Answered(answer) => match answer.error() {
                Some(error) => of_code(&error.code, answer.status),
                None => Self::Deferred(of_status(answer.status)),
            },
        }
    }

    /// Every word that [`Outcome::word`] can give.
    pub const WORDS: [&'static str; 13] = [
        "accepted",
        "refused",
        "unreachable",
        "in_doubt",
        "throttled",
        "unavailable",
        "quota_used_up",
        "queue_full",
        "batch_too_large",
        "clock_skew",
        "domain_not_configured",
        "account_fault",
        "unknown_answer",
    ];

    /// The word for it, as it stands in `v_submissions`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Deferred(deferral) => match deferral {
                Deferral::Unreachable => "unreachable",
                Deferral::InDoubt | Deferral::NonceUsed => "in_doubt",
                Deferral::Throttled => "throttled",
                Deferral::Unavailable => "unavailable",
                Deferral::QuotaUsedUp => "quota_used_up",
                Deferral::QueueFull => "queue_full",
                Deferral::BatchTooLarge => "batch_too_large",
                Deferral::ClockSkew => "clock_skew",
                Deferral::DomainNotConfigured => "domain_not_configured",
                Deferral::Account(_) => "account_fault",
                Deferral::Unknown => "unknown_answer",
            },
            Self::Refused(_) => "refused",
        }
    }

    /// Whether the call surely never reached the operation, so that its cost is given back (DESIGN.md, "The budget":
    /// connection refused, throttled, bad signature; any other keeps it).
    pub fn gives_cost_back(&self) -> bool {
        match self {
            Self::Accepted { .. } | Self::Refused(_) => false,
            Self::Deferred(deferral) => match deferral {
                Deferral::Unreachable | Deferral::Throttled | Deferral::ClockSkew => true,
                Deferral::Account(fault) => match fault {
                    AccountFault::UnknownKey
                    | AccountFault::WrongSecret
                    | AccountFault::Forbidden
                    | AccountFault::BadToken => true,
                    AccountFault::NotActivated | AccountFault::Suspended => false,
                },
                _ => false,
            },
        }
    }

    /// Whether it was an attempt of the batch's URLs: whether it can have been their fault, or they may have been
    /// accepted. Calls that fail for the service's or the account's sake are not.
    pub fn counts_as_attempt(&self) -> bool {
        match self {
            Self::Accepted { .. } | Self::Refused(_) => true,
            Self::Deferred(deferral) => matches!(
                deferral,
                Deferral::InDoubt
                    | Deferral::NonceUsed
                    | Deferral::Unavailable
                    | Deferral::DomainNotConfigured
                    | Deferral::Unknown
            ),
        }
    }

    /// Whether nobody knows what became of it.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Deferred(Deferral::InDoubt | Deferral::NonceUsed))
    }

    /// Where a deferred batch's URLs go when they have no attempt left.
    pub fn when_exhausted(&self) -> UrlState {
        match self {
            // The service never said that the URL is at fault: the operator decides.
            Self::Deferred(
                Deferral::Unknown
                | Deferral::Unavailable
                | Deferral::InDoubt
                | Deferral::NonceUsed
                | Deferral::BatchTooLarge,
            ) => UrlState::Held,
            _ => UrlState::Failed,
        }
    }
}

/// A 2xx counts as accepted only with a task ID; anything else with a 2xx may have been accepted.
fn accepted(answer: &Answer) -> Outcome {
    let tasks = answer.preload().map(|body| parse_task_ids(&body.preload_task_id)).unwrap_or_default();
    if !tasks.is_empty() {
        return Outcome::Accepted { tasks };
    }
    match answer.error() {
        Some(ErrorBody { code, .. }) => of_code(&code, answer.status),
        None => Outcome::Deferred(Deferral::InDoubt),
    }
}

/// The table of VOD-API.md. A pattern that ends in `*` matches by prefix; the first row that matches counts.
fn of_code(code: &str, status: u16) -> Outcome {
    use AccountFault as A;
    use Deferral as D;
    use Outcome::{Deferred, Refused};
    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => code == pattern,
    };
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| is(pattern));
    match () {
        () if is("Throttling*") => Deferred(D::Throttled),
        () if is("IllegalOperation*") => Refused(Refusal::IllegalDomain),
        () if is("OperationDenied.Suspended") => Deferred(D::Account(A::Suspended)),
        () if is("OperationDenied*") => Deferred(D::Account(A::NotActivated)),
        () if is("InvalidDomain.NotFound") => Refused(Refusal::ForeignDomain),
        () if is("InvalidDomain.Offline") => Refused(Refusal::OfflineDomain),
        () if is("InvalidDomain.Configure_failed") => Deferred(D::DomainNotConfigured),
        () if is("QuotaExceeded*") => Deferred(D::QuotaUsedUp),
        () if is("PreloadQueueFull") => Deferred(D::QueueFull),
        () if is("MissingParameter*") => Refused(Refusal::MissingParameter),
        () if any(&[
            "InvalidObjectPath.Size.Malformed",
            "InvalidObjectPath.ExceedsMaximum",
            "SingleRequest.OverLimit*",
        ]) =>
        {
            Deferred(D::BatchTooLarge)
        }
        () if is("InvalidObjectPath.Malformed") => Refused(Refusal::MalformedUrl),
        () if is("InvalidExtensiveDomain*") => Refused(Refusal::WildcardDomain),
        () if is("SignatureDoesNotMatch*") => Deferred(D::Account(A::WrongSecret)),
        () if is("InvalidAccessKeyId*") => Deferred(D::Account(A::UnknownKey)),
        () if any(&["Forbidden*", "NoPermission*"]) => Deferred(D::Account(A::Forbidden)),
        () if is("InvalidSecurityToken*") => Deferred(D::Account(A::BadToken)),
        () if any(&["InvalidTimeStamp*", "IllegalTimestamp*"]) => Deferred(D::ClockSkew),
        () if is("SignatureNonceUsed*") => Deferred(D::NonceUsed),
        () if any(&["ServiceUnavailable*", "InternalError*"]) => Deferred(D::Unavailable),
        () if status >= 500 => Deferred(D::Unavailable),
        () => Deferred(D::Unknown),
    }
}

/// An answer without a code comes from something in between: a gateway, a proxy, a page of HTML.
fn of_status(status: u16) -> Deferral {
    match status {
        // The gateway did not pass on what was too long for it.
        413 | 414 => Deferral::BatchTooLarge,
        429 => Deferral::Throttled,
        503 => Deferral::Unavailable,
        // The gateway passed it on, or may have.
        500.. => Deferral::InDoubt,
        _ => Deferral::Unknown,
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("accepted"),
            Self::Deferred(deferral) => match deferral {
                Deferral::Unreachable => f.write_str("the service could not be reached"),
                Deferral::InDoubt => f.write_str("no whole answer came: it may have been accepted"),
                Deferral::NonceUsed => f.write_str("it had arrived before: it may have been accepted"),
                Deferral::Throttled => f.write_str("the service throttles this account"),
                Deferral::Unavailable => f.write_str("the service failed"),
                Deferral::QuotaUsedUp => f.write_str("the service says that today's quota is used up"),
                Deferral::QueueFull => f.write_str("the service's queue of prefetches is full"),
                Deferral::BatchTooLarge => f.write_str("the service takes fewer URLs a call"),
                Deferral::ClockSkew => {
                    f.write_str("this machine's clock is off by more than the service accepts; set it")
                }
                Deferral::DomainNotConfigured => f.write_str("the service failed to configure a domain"),
                Deferral::Account(fault) => f.write_str(&words::account_fault(*fault).en),
                Deferral::Unknown => f.write_str("an answer that is not documented"),
            },
            Self::Refused(refusal) => f.write_str(match refusal {
                Refusal::MalformedUrl => "the service calls a URL of the batch malformed",
                Refusal::WildcardDomain => "the service finds a wildcard domain in the batch",
                Refusal::ForeignDomain => "a domain of the batch is not the account's",
                Refusal::OfflineDomain => "a domain of the batch is switched off",
                Refusal::IllegalDomain => "a domain of the batch may not be operated on",
                Refusal::MissingParameter => "the service misses a parameter: a bug of prefetchd, please report it",
            }),
        }
    }
}

#[cfg(test)]
mod tests;
