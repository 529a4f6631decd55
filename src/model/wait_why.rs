//! Why nothing is sent: codes with their parameters, which are stored. The sentences are in [`crate::words`].

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumCount, VariantNames};

use super::{AccountFault, Reason, Time};

/// Why the submitter waits.
#[derive(Debug, Clone, PartialEq, Eq, EnumCount, VariantNames, Serialize, Deserialize)]
#[serde(tag = "code", content = "with", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WaitWhy {
    /// The queue is empty.
    Idle,
    /// The queued URLs may not be sent yet.
    NotYet,
    /// The operator paused the submitter.
    Stopped(Stopped),
    /// The account as a whole is refused.
    Account {
        /// The fault.
        why: PauseWhy,
    },
    /// A call failed.
    BackingOff {
        /// What failed.
        why: Reason,
        /// Failures in a row.
        failures: u32,
    },
    /// The day's requests are spent.
    RequestsSpent {
        /// The cap.
        limit: u32,
    },
    /// The day's URLs are spent.
    UrlsSpent {
        /// The cap.
        limit: u32,
        /// How many of them were in refused calls, which the service may count.
        #[serde(default)]
        refused: u32,
    },
    /// The service says that its quota is used up.
    QuotaUsedUp {
        /// The code of the answer.
        code: String,
    },
    /// The service says that nothing remains of the day's quota.
    NothingRemains {
        /// The quota.
        quota: u64,
    },
    /// Today's spending is unknown, because the database was lost or is an older copy.
    LedgerUnknown,
    /// The budget day ends so soon that a call might be performed after it.
    Reset,
    /// What is left of the day is reserved for urgent URLs.
    Reserved {
        /// Requests left.
        left: u32,
    },
    /// The day's requests for isolation are spent.
    IsolationSpent {
        /// URLs that are held until then.
        urls: u32,
    },
    /// The queued URLs belong to blocked domains.
    Hosts {
        /// Its URLs.
        urls: u64,
    },
    /// The queued URLs are prefetched once their purge is complete.
    AwaitsPurge {
        /// URLs that wait, counted up to a batch.
        urls: u32,
    },
    /// The queued URLs belong to domains of which the service takes no more this minute.
    MinuteFull {
        /// URLs that wait, counted up to a batch.
        urls: u32,
        /// How many of a domain it takes, as far as is known.
        limit: u32,
    },
    /// The service's own queue of prefetches has no room, or too little to be worth a call.
    QueueFull {
        /// URLs in flight.
        in_flight: u32,
        /// How many fit, as far as is known.
        limit: u32,
    },
    /// No window is open.
    OutsideWindow,
    /// A batch that is not full waits for more URLs.
    Lingering {
        /// URLs in it.
        urls: u32,
        /// `[schedule] linger`.
        linger: Duration,
    },
    /// Text of an earlier or newer version.
    #[serde(skip)]
    Text(String),
}

/// A pause by the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The reason that was given.
    pub why: String,
    /// Who gave it.
    pub by: String,
    /// Since when.
    pub since: Time,
}

/// Why the submitter is paused until something outside changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseWhy {
    /// A fault of the account.
    Account(AccountFault),
    /// Text of an earlier or newer version.
    Text(String),
}

impl WaitWhy {
    /// Whether nothing that may be sent is queued, so that a free call takes nobody's turn.
    pub fn is_about_the_queue(&self) -> bool {
        matches!(
            self,
            Self::Idle | Self::NotYet | Self::Hosts { .. } | Self::AwaitsPurge { .. } | Self::IsolationSpent { .. }
        )
    }

    /// Whether it waits after a failure.
    pub fn is_backoff(&self) -> bool {
        matches!(self, Self::BackingOff { .. })
    }

    /// Whether the day's budget is spent.
    pub fn is_spent(&self) -> bool {
        matches!(
            self,
            Self::RequestsSpent { .. }
                | Self::UrlsSpent { .. }
                | Self::QuotaUsedUp { .. }
                | Self::NothingRemains { .. }
        )
    }

    /// Its stored form: its code, and its parameters as JSON.
    pub fn stored(&self) -> (String, Option<String>) {
        match self {
            Self::Text(_) => (TEXT.to_owned(), None),
            why => parts(why),
        }
    }

    /// Reads a stored reason: code, parameters as JSON, and English text. Without a known code only the text counts.
    pub fn of_stored(code: Option<&str>, with: Option<&str>, text: &str) -> Self {
        code.and_then(|code| of_parts(code, with)).unwrap_or_else(|| Self::Text(text.to_owned()))
    }
}

impl PauseWhy {
    /// Its word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Account(fault) => fault.word(),
            Self::Text(_) => TEXT,
        }
    }

    /// Reads a stored reason: code and English text. Without a known code only the text counts.
    pub fn of_stored(code: Option<&str>, text: &str) -> Self {
        let fault = code.and_then(|code| code.parse().ok());
        fault.map_or_else(|| Self::Text(text.to_owned()), Self::Account)
    }
}

/// The code of plain text.
const TEXT: &str = "text";

/// The tag and the content of an adjacently tagged enum.
fn parts(why: &impl Serialize) -> (String, Option<String>) {
    let mut value = serde_json::to_value(why).expect("words and numbers are JSON");
    let code = value["code"].as_str().unwrap_or(TEXT).to_owned();
    let with = value.get_mut("with").map(Value::take);
    (code, with.map(|with| with.to_string()))
}

fn of_parts<T: DeserializeOwned>(code: &str, with: Option<&str>) -> Option<T> {
    let mut value = serde_json::json!({ "code": code });
    if let Some(with) = with {
        value["with"] = serde_json::from_str(with).ok()?;
    }
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReasonKind, from_millis};

    #[test]
    fn a_wait_is_read_as_it_was_stored_and_what_is_not_known_is_prose() {
        let stopped = Stopped { why: "the origin".into(), by: "alice".into(), since: from_millis(1_500) };
        let failed = Reason::new(ReasonKind::Throttled, "Throttling.User");
        for why in [
            WaitWhy::Idle,
            WaitWhy::Stopped(stopped),
            WaitWhy::Account { why: PauseWhy::Account(AccountFault::Suspended) },
            WaitWhy::BackingOff { why: failed, failures: 3 },
            WaitWhy::QueueFull { in_flight: 70, limit: 100 },
            WaitWhy::Lingering { urls: 1, linger: Duration::from_millis(1_500) },
        ] {
            let (code, with) = why.stored();
            assert!(WaitWhy::VARIANTS.contains(&code.as_str()), "{code}");
            assert_eq!(WaitWhy::of_stored(Some(&code), with.as_deref(), "words"), why, "{code} {with:?}");
        }
        let prose = WaitWhy::Text("words".to_owned());
        assert_eq!(prose.stored(), ("text".to_owned(), None));
        for code in [None, Some("text"), Some("of_tomorrow"), Some("requests_spent")] {
            assert_eq!(WaitWhy::of_stored(code, None, "words"), prose, "{code:?}");
        }
        assert_eq!(PauseWhy::of_stored(Some("suspended"), ""), PauseWhy::Account(AccountFault::Suspended));
        assert_eq!(PauseWhy::of_stored(None, "words"), PauseWhy::Text("words".to_owned()));
    }

    #[test]
    fn the_parameters_of_a_wait_are_a_flat_object() {
        let why = WaitWhy::QueueFull { in_flight: 70, limit: 100 };
        assert_eq!(why.stored(), ("queue_full".to_owned(), Some(r#"{"in_flight":70,"limit":100}"#.to_owned())));
    }
}
