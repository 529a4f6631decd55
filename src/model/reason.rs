//! Why a URL, a domain or the account is in its state: a code, by which programs decide, and what the service or the
//! system said. Both are stored; the sentences are in [`crate::words`].

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::AccountFault;

/// The kind of a reason. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    // The result of the call that carried it.
    /// No connection.
    Unreachable,
    /// No whole answer came.
    InDoubt,
    /// The service had received the call before.
    ArrivedBefore,
    /// Calls came too fast.
    Throttled,
    /// The service takes no more URLs of the domain this minute.
    MinuteFull,
    /// The service failed.
    Unavailable,
    /// The day's quota is used up.
    QuotaUsedUp,
    /// The service's queue of prefetches is full.
    QueueFull,
    /// The service accepts fewer URLs per call.
    BatchTooLarge,
    /// The service misses the URLs, which stood in the body.
    UrlsMisplaced,
    /// The clocks differ too much.
    ClockSkew,
    /// The service failed to configure the domain.
    DomainNotConfigured,
    /// An undocumented answer.
    UnknownAnswer,
    /// [`AccountFault::NotActivated`]
    NotActivated,
    /// [`AccountFault::Suspended`]
    Suspended,
    /// [`AccountFault::UnknownKey`]
    UnknownKey,
    /// [`AccountFault::WrongSecret`]
    WrongSecret,
    /// [`AccountFault::Forbidden`]
    Forbidden,
    /// [`AccountFault::PurgeForbidden`]
    PurgeForbidden,
    /// [`AccountFault::BadToken`]
    BadToken,
    /// [`AccountFault::NoKey`]
    NoKey,
    /// A URL of the batch is malformed.
    MalformedUrl,
    /// A URL of the batch has a wildcard domain.
    WildcardDomain,
    /// A domain of the batch is not the account's.
    ForeignDomain,
    /// A domain of the batch is switched off.
    OfflineDomain,
    /// A domain of the batch may not be operated on.
    IllegalDomain,
    /// The service misses a parameter: a bug of prefetchd.
    MissingParameter,
    // A call whose answer was lost.
    /// The service lists no task of it.
    NoTaskListed,
    /// Its task could not be asked for.
    TasksUnreadable,
    /// The call could not leave, because the spool's marker could not be written.
    MarkerUnwritten,
    // The result of free calls.
    /// The quota could not be asked for; `said` is the code of the reason.
    AskingQuota,
    /// The service refused a batch for the day's quota; whether something is left is asked before the next try.
    QuotaDisputed,
    /// The service's answers do not agree on the time.
    TimeDisputed,
    // After the URL was accepted.
    /// The prefetch failed at the origin.
    FailedAtOrigin,
    /// The prefetch failed at the origin, and the URL is sent once more.
    SentOnceMore,
    /// The end is unknown: this key may not ask for tasks.
    TasksForbidden,
    /// The end is unknown: the service listed no end while it lists tasks.
    NoEnd,
    /// The end is unknown: nobody asked while the service lists tasks.
    NotAsked,
    /// The end is unknown: the service's word is neither complete nor failed.
    OddEnd,
    /// The end is unknown: the service called it complete at less than 100 per cent.
    PartlyComplete,
    // What happened in prefetchd.
    /// Its deadline passed before it could be sent.
    DeadlinePassed,
    /// The operator cancelled it.
    Cancelled,
    /// The purge that comes before this prefetch ended, and is not complete; `said` is how: the word of a state.
    PurgeEnded,
    /// The purge that comes before this prefetch was accepted, and this key may not ask whether it is complete.
    PurgeUntold,
    /// It is suspected, and today's requests for isolation are spent.
    IsolationSpent,
    /// It is suspected, and isolation may not use requests.
    IsolationOff,
    // Its domain.
    /// It is not online at the service.
    NotOnline,
    /// The account does not have it.
    NotInAccount,
    /// Text of an earlier or newer version.
    Text,
}

impl ReasonKind {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

impl From<AccountFault> for ReasonKind {
    fn from(fault: AccountFault) -> Self {
        match fault {
            AccountFault::NotActivated => Self::NotActivated,
            AccountFault::Suspended => Self::Suspended,
            AccountFault::UnknownKey => Self::UnknownKey,
            AccountFault::WrongSecret => Self::WrongSecret,
            AccountFault::Forbidden => Self::Forbidden,
            AccountFault::PurgeForbidden => Self::PurgeForbidden,
            AccountFault::BadToken => Self::BadToken,
            AccountFault::NoKey => Self::NoKey,
        }
    }
}

/// A reason: its kind, and what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind.
    pub kind: ReasonKind,
    /// What the service or the system said, or the whole text of [`ReasonKind::Text`]; may be empty.
    pub said: String,
}

impl Reason {
    /// A reason with what was said.
    pub fn new(kind: ReasonKind, said: impl Into<String>) -> Self {
        Self { kind, said: said.into() }
    }

    /// Reads a stored reason: code, parameters as JSON, and English text. Without a known code only the text counts.
    pub fn of_stored(code: Option<&str>, with: Option<&str>, text: &str) -> Self {
        match code.and_then(|code| code.parse().ok()) {
            None | Some(ReasonKind::Text) => Self::new(ReasonKind::Text, text),
            Some(kind) => {
                let with: Option<serde_json::Value> = with.and_then(|with| serde_json::from_str(with).ok());
                Self::new(kind, with.as_ref().and_then(|with| with.get("said")?.as_str()).unwrap_or_default())
            }
        }
    }

    /// Its parameters as JSON; none if nothing was said.
    pub fn with(&self) -> Option<String> {
        let is_prose = self.kind == ReasonKind::Text;
        (!is_prose && !self.said.is_empty()).then(|| serde_json::json!({ "said": self.said }).to_string())
    }
}

impl From<ReasonKind> for Reason {
    fn from(kind: ReasonKind) -> Self {
        Self { kind, said: String::new() }
    }
}
