//! Why a URL, a domain or the account stands as it does: a code, by which programs decide, and what was said. Both are
//! stored; the sentences are in [`crate::words`].

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::AccountFault;

/// What is the matter. The word of each is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonKind {
    // What a call came to that carried it.
    /// No connection.
    Unreachable,
    /// No whole answer came.
    InDoubt,
    /// The service had seen the call before.
    ArrivedBefore,
    /// Too fast.
    Throttled,
    /// The service failed.
    Unavailable,
    /// The day's quota is used up.
    QuotaUsedUp,
    /// The service's queue of prefetches is full.
    QueueFull,
    /// The service takes fewer URLs a call.
    BatchTooLarge,
    /// The clocks differ too much.
    ClockSkew,
    /// The service failed to configure the domain.
    DomainNotConfigured,
    /// An answer that no document knows.
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
    /// The service misses a parameter: a bug here.
    MissingParameter,
    // What became of a call whose answer was lost.
    /// The service lists no task of it.
    NoTaskListed,
    /// Nobody may ask for its task.
    TasksUnreadable,
    /// It could not leave, because the spool's marker could not be written.
    MarkerUnwritten,
    // What free calls came to.
    /// What is left of the day could not be asked for; `said` is the word of what that came to.
    AskingQuota,
    /// The answers do not agree on the time.
    TimeDisputed,
    // What became of it after it was accepted.
    /// It failed at the origin.
    FailedAtOrigin,
    /// It failed at the origin, and is sent once more.
    SentOnceMore,
    /// How it ended is not told: this key may not ask for tasks.
    TasksForbidden,
    /// How it ended is not told: no end of it was listed while the service lists tasks.
    NoEnd,
    /// How it ended is not told: nobody asked while the service lists tasks.
    NotAsked,
    /// How it ended is not told: the service has a word for it that is neither complete nor failed.
    OddEnd,
    /// How it ended is not told: the service called it complete at some per cent.
    PartlyComplete,
    // What became of it here.
    /// Its deadline passed before it could be sent.
    DeadlinePassed,
    /// The operator ended it.
    Cancelled,
    /// It is suspected, and today's requests for finding out are spent.
    IsolationSpent,
    /// It is suspected, and no request may be spent on finding out.
    IsolationOff,
    // What is the matter with its domain.
    /// It is not online at the service.
    NotOnline,
    /// The account does not have it.
    NotInAccount,
    /// Prose: of a program of before, or of one that is newer.
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
            AccountFault::BadToken => Self::BadToken,
            AccountFault::NoKey => Self::NoKey,
        }
    }
}

/// What is the matter, and what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What is the matter.
    pub kind: ReasonKind,
    /// What the service or the system said, or all there is of prose; empty where that is nothing.
    pub said: String,
}

impl Reason {
    /// With what was said.
    pub fn new(kind: ReasonKind, said: impl Into<String>) -> Self {
        Self { kind, said: said.into() }
    }

    /// As it was stored: code, parameters as JSON, and English. Without a code, or with one that this program does not
    /// know, it is prose.
    pub fn of_stored(code: Option<&str>, with: Option<&str>, text: &str) -> Self {
        match code.and_then(|code| code.parse().ok()) {
            None | Some(ReasonKind::Text) => Self::new(ReasonKind::Text, text),
            Some(kind) => {
                let with: Option<serde_json::Value> = with.and_then(|with| serde_json::from_str(with).ok());
                Self::new(kind, with.as_ref().and_then(|with| with.get("said")?.as_str()).unwrap_or_default())
            }
        }
    }

    /// Its parameters, as JSON; none where nothing was said.
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
