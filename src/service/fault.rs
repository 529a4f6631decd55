//! Why a call failed, as a value: what it means, what was said, and how far the call got. The only reader of error
//! codes, by VOD-API.md's table, row by row.

use std::fmt;
use std::time::Duration;

use strum::{IntoStaticStr, VariantNames};

use super::body::{Body, text};
use super::reply::{Answer, Reply};
use crate::model::{AccountFault, ReasonKind};
use crate::words;

/// Longest message of an answer that is kept, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// A call that did not bring its result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}")]
pub struct Fault {
    /// What it means.
    pub class: Class,
    /// The answer's status; none if no whole answer came.
    pub http_status: Option<u16>,
    /// The service's code.
    pub code: Option<String>,
    /// The service's message, or what failed on the way. At most 500 characters.
    pub message: Option<String>,
    /// The service's request ID of the call.
    pub request_id: Option<String>,
    /// How long the service asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the service itself answered, and not a gateway or page on the way.
    pub is_the_services: bool,
}

/// What a fault means for the request: whether it may be sent again as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may be sent again later.
    Deferred(Deferral),
    /// It must not be sent again as it is.
    Refused(Refusal),
}

/// Why a call has to be made again later. The words are those of `v_submissions`' outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Deferral {
    /// Nothing was sent: no connection.
    Unreachable,
    /// It was sent and no whole answer came, or an answer that says neither yes nor no: it may have been performed.
    InDoubt,
    /// The service has seen this call's nonce before: another copy of the call had arrived.
    #[strum(serialize = "in_doubt")]
    NonceUsed,
    /// Calls came too fast.
    Throttled,
    /// More URLs of a domain than the service takes in a minute.
    MinuteFull,
    /// The service failed.
    Unavailable,
    /// Today's quota is used up.
    QuotaUsedUp,
    /// The service's queue of prefetches is full.
    QueueFull,
    /// More URLs than a call may carry.
    BatchTooLarge,
    /// The URLs stood in the body, where the service does not look for them.
    UrlsMisplaced,
    /// The clocks differ by more than the service accepts.
    ClockSkew,
    /// The service failed to configure the domain.
    DomainNotConfigured,
    /// A fault of the whole account.
    #[strum(serialize = "account_fault")]
    Account(AccountFault),
    /// An undocumented answer.
    #[strum(serialize = "unknown_answer")]
    Unknown,
}

/// Why URLs are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A URL is malformed.
    MalformedUrl,
    /// A URL has a wildcard domain.
    WildcardDomain,
    /// A domain is not the account's.
    ForeignDomain,
    /// A domain is switched off.
    OfflineDomain,
    /// A domain may not be operated on.
    IllegalDomain,
    /// A parameter is missing: a bug of prefetchd.
    MissingParameter,
}

/// Words of a message by which an account is suspended, not one that was never activated.
const SUSPENDED: [&str; 3] = ["suspend", "overdue", "arrears"];

/// VOD-API.md's tables of errors, and its "Found since", 5 and 8. A pattern that ends in `*` matches by prefix; the
/// first row that matches counts.
const CODES: [(&str, Class); 32] = {
    use AccountFault as A;
    use Class::{Deferred, Refused};
    use Deferral as D;
    use Refusal as R;
    [
        ("Throttling*", Deferred(D::Throttled)),
        ("TooManyRequests*", Deferred(D::Throttled)),
        ("TooMany.*", Deferred(D::Throttled)),
        ("QuotaPerMinuteExceeded.Refresh", Deferred(D::MinuteFull)),
        ("QuotaPerMinuteExceeded*", Deferred(D::Throttled)),
        ("IllegalOperation*", Refused(R::IllegalDomain)),
        ("OperationDenied.Suspended", Deferred(D::Account(A::Suspended))),
        ("OperationDenied*", Deferred(D::Account(A::NotActivated))),
        ("InvalidDomain.NotFound", Refused(R::ForeignDomain)),
        ("InvalidDomain.Offline", Refused(R::OfflineDomain)),
        ("InvalidDomain.Configure_failed", Deferred(D::DomainNotConfigured)),
        ("ServiceBusy*", Deferred(D::DomainNotConfigured)),
        ("QuotaExceeded*", Deferred(D::QuotaUsedUp)),
        ("PreloadQueueFull", Deferred(D::QueueFull)),
        ("MissingParameter*", Refused(R::MissingParameter)),
        ("MissingTimeParameter*", Refused(R::MissingParameter)),
        ("InvalidObjectPath.Size.Malformed", Deferred(D::BatchTooLarge)),
        ("InvalidObjectPath.ExceedsMaximum", Deferred(D::BatchTooLarge)),
        ("SingleRequest.OverLimit*", Deferred(D::BatchTooLarge)),
        ("InvalidObjectPath.Malformed", Refused(R::MalformedUrl)),
        ("ObjectPath.Malformed", Refused(R::MalformedUrl)),
        ("InvalidExtensiveDomain*", Refused(R::WildcardDomain)),
        ("SignatureDoesNotMatch*", Deferred(D::Account(A::WrongSecret))),
        ("InvalidAccessKeyId*", Deferred(D::Account(A::UnknownKey))),
        ("Forbidden*", Deferred(D::Account(A::Forbidden))),
        ("NoPermission*", Deferred(D::Account(A::Forbidden))),
        ("InvalidSecurityToken*", Deferred(D::Account(A::BadToken))),
        ("InvalidTimeStamp*", Deferred(D::ClockSkew)),
        ("IllegalTimestamp*", Deferred(D::ClockSkew)),
        ("SignatureNonceUsed*", Deferred(D::NonceUsed)),
        ("ServiceUnavailable*", Deferred(D::Unavailable)),
        ("InternalError*", Deferred(D::Unavailable)),
    ]
};

impl Fault {
    /// The fault in a reply without the expected result.
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::NotSent(why) => Self::on_the_way(Deferral::Unreachable, why),
            Reply::Lost(why) => Self::lost(why),
            Reply::Answered(answer) => Self::of_answer(answer),
        }
    }

    /// The call may have been performed, and nobody knows; `why` tells what became of its answer.
    pub fn lost(why: &str) -> Self {
        Self::on_the_way(Deferral::InDoubt, why)
    }

    /// The call certainly did not leave this machine.
    pub fn not_sent(why: &str) -> Self {
        Self::on_the_way(Deferral::Unreachable, why)
    }

    /// A fault of which only its class is known.
    pub fn of_class(class: Class) -> Self {
        Self {
            class,
            http_status: None,
            code: None,
            message: None,
            request_id: None,
            retry_after: None,
            is_the_services: false,
        }
    }

    fn on_the_way(deferral: Deferral, why: &str) -> Self {
        Self { message: Some(bounded(why)), ..Self::of_class(Class::Deferred(deferral)) }
    }

    fn of_answer(answer: &Answer) -> Self {
        let body = Body::read(&answer.body);
        // Only the service refuses: a code without a request ID comes from something on the way.
        let code = body.as_ref().filter(|body| body.request_id().is_some()).and_then(Body::code);
        let message = body.as_ref().filter(|_| code.is_some()).and_then(|body| text(body.value(), "Message"));
        let class = match &code {
            Some(code) => class_of(code, message.as_deref().unwrap_or_default(), answer.status),
            None => Class::Deferred(without_code(answer.status)),
        };
        Self {
            class,
            http_status: Some(answer.status),
            code,
            message: message.as_deref().map(|message| bounded(without_what_was_signed(message))),
            request_id: body.as_ref().and_then(Body::request_id),
            retry_after: answer.retry_after,
            is_the_services: body.as_ref().is_some_and(Body::is_the_services),
        }
    }

    /// The same fault of a call that costs: unless the answer proves that the call was refused, it may have been
    /// performed, or may still be.
    pub(super) fn of_a_batch(self) -> Self {
        let is_known = self.proves_a_refusal() || self.class == Class::Deferred(Deferral::NonceUsed);
        if is_known { self } else { Self { class: Class::Deferred(Deferral::InDoubt), ..self } }
    }

    /// Whether the call was certainly not performed when this was said: nothing was sent, or the service itself refuses
    /// with a code that is documented for that. An undocumented code counts if its status says that the request was at
    /// fault. What fails on the way or inside the service proves nothing, whatever its status.
    fn proves_a_refusal(&self) -> bool {
        let Class::Deferred(deferral) = self.class else { return true };
        match deferral {
            Deferral::InDoubt | Deferral::NonceUsed | Deferral::Unavailable => false,
            Deferral::Throttled => self.code.is_some(),
            Deferral::Unknown => self.code.is_some() && self.http_status.is_some_and(|s| (400..500).contains(&s)),
            // Of these, only a request that is too long for a gateway has no code: it is not passed on.
            Deferral::BatchTooLarge
            | Deferral::Unreachable
            | Deferral::QuotaUsedUp
            | Deferral::QueueFull
            | Deferral::UrlsMisplaced
            | Deferral::MinuteFull
            | Deferral::ClockSkew
            | Deferral::DomainNotConfigured
            | Deferral::Account(_) => true,
        }
    }

    /// Whether the call certainly never reached the operation, so that it cost nothing (DESIGN.md, "The budget":
    /// connection refused, throttled, bad signature; any other may have reached it).
    pub fn is_surely_unperformed(&self) -> bool {
        self.class.is_surely_unperformed()
    }

    /// The account's fault, if it is one.
    pub fn of_the_account(&self) -> Option<AccountFault> {
        match self.class {
            Class::Deferred(Deferral::Account(fault)) => Some(fault),
            _ => None,
        }
    }

    /// The account's fault, if another key may help.
    pub fn of_the_key(&self) -> Option<AccountFault> {
        self.of_the_account().filter(|fault| fault.is_of_the_key())
    }

    /// Whether the service throttled the call.
    pub fn is_throttled(&self) -> bool {
        self.class == Class::Deferred(Deferral::Throttled)
    }
}

impl Class {
    /// See [`Fault::is_surely_unperformed`].
    pub fn is_surely_unperformed(self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Deferred(deferral) => match deferral {
                Deferral::Unreachable | Deferral::Throttled | Deferral::MinuteFull | Deferral::ClockSkew => true,
                Deferral::Account(fault) => !matches!(fault, AccountFault::NotActivated | AccountFault::Suspended),
                _ => false,
            },
        }
    }
}

/// The message without the string that was signed. The service repeats that string when a signature does not match, and
/// it contains the token of a temporary key.
fn without_what_was_signed(message: &str) -> &str {
    let lower = message.to_ascii_lowercase();
    let marks = ["server string to sign", "server stringtosign", "string to sign", "stringtosign", "canonicalrequest"];
    let cut = marks.iter().filter_map(|mark| lower.find(mark)).min();
    cut.map_or(message, |at| message[..at].trim_end())
}

fn bounded(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn class_of(code: &str, message: &str, status: u16) -> Class {
    // Plain, it is the sibling products' code for both: only the message tells (VOD-API.md, "Found since", 8).
    let message = message.to_ascii_lowercase();
    if code == "OperationDenied" && SUSPENDED.iter().any(|word| message.contains(word)) {
        return Class::Deferred(Deferral::Account(AccountFault::Suspended));
    }

    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => code == pattern,
    };
    let row = CODES.iter().find(|(pattern, _)| is(pattern));
    let unknown = if status >= 500 { Deferral::Unavailable } else { Deferral::Unknown };
    row.map_or(Class::Deferred(unknown), |(_, class)| *class)
}

/// An answer without a code comes from something on the way: a gateway, a proxy, an HTML page. A 2xx without the
/// expected content says neither yes nor no.
fn without_code(status: u16) -> Deferral {
    match status {
        200..300 => Deferral::InDoubt,
        // The gateway did not pass on a request that was too long for it.
        413 | 414 => Deferral::BatchTooLarge,
        429 => Deferral::Throttled,
        503 => Deferral::Unavailable,
        // The gateway passed it on, or may have.
        500.. => Deferral::InDoubt,
        _ => Deferral::Unknown,
    }
}

impl From<Class> for ReasonKind {
    fn from(class: Class) -> Self {
        match class {
            Class::Deferred(deferral) => deferral.into(),
            Class::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<Deferral> for ReasonKind {
    fn from(deferral: Deferral) -> Self {
        match deferral {
            Deferral::Unreachable => Self::Unreachable,
            Deferral::InDoubt => Self::InDoubt,
            Deferral::NonceUsed => Self::ArrivedBefore,
            Deferral::Throttled => Self::Throttled,
            Deferral::MinuteFull => Self::MinuteFull,
            Deferral::Unavailable => Self::Unavailable,
            Deferral::QuotaUsedUp => Self::QuotaUsedUp,
            Deferral::QueueFull => Self::QueueFull,
            Deferral::BatchTooLarge => Self::BatchTooLarge,
            Deferral::UrlsMisplaced => Self::UrlsMisplaced,
            Deferral::ClockSkew => Self::ClockSkew,
            Deferral::DomainNotConfigured => Self::DomainNotConfigured,
            Deferral::Account(fault) => fault.into(),
            Deferral::Unknown => Self::UnknownAnswer,
        }
    }
}

impl From<Refusal> for ReasonKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MalformedUrl => Self::MalformedUrl,
            Refusal::WildcardDomain => Self::WildcardDomain,
            Refusal::ForeignDomain => Self::ForeignDomain,
            Refusal::OfflineDomain => Self::OfflineDomain,
            Refusal::IllegalDomain => Self::IllegalDomain,
            Refusal::MissingParameter => Self::MissingParameter,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::reason_kind((*self).into()).en)
    }
}

#[cfg(test)]
mod tests;
