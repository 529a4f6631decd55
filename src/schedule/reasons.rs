//! Why nothing is sent, in the words that `status` and `v_status` show unchanged.

use std::fmt;
use std::time::Duration;

use super::Stopped;
use crate::config::in_words;
use crate::model::rfc3339;

/// Why the submitter waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitWhy {
    /// The queue is empty.
    Idle,
    /// What is queued may not be sent yet.
    NotYet,
    /// The operator paused the submitter.
    Stopped(Stopped),
    /// A call failed.
    BackingOff {
        /// What failed.
        why: String,
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
    },
    /// The service says that its quota is used up.
    QuotaUsedUp {
        /// The answer's code.
        code: String,
    },
    /// The service says that nothing remains of the day's quota.
    NothingRemains {
        /// The quota.
        quota: u64,
    },
    /// What was spent today is not known: the database was lost or is an older copy.
    LedgerUnknown,
    /// The budget day ends so soon that a call might be performed after it.
    Reset,
    /// What is left of the day is kept for urgent URLs.
    Reserved {
        /// Requests left.
        left: u32,
    },
    /// The day's requests for finding what was wrong in refused batches are spent.
    IsolationSpent {
        /// URLs that are held until then.
        urls: u32,
    },
    /// What is queued is of domains that may not be sent.
    Hosts {
        /// Its URLs.
        urls: u64,
    },
    /// The service's own queue of prefetches has no room, or too little for a call to be worth it.
    QueueFull {
        /// URLs on their way.
        in_flight: u32,
        /// As many as fit, as far as that was learned.
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
}

impl WaitWhy {
    /// Whether nothing is queued that may be sent, so that a free call takes nobody's turn.
    pub fn is_about_the_queue(&self) -> bool {
        matches!(self, Self::Idle | Self::NotYet | Self::Hosts { .. } | Self::IsolationSpent { .. })
    }

    /// Whether the day has nothing left to spend.
    pub fn is_spent(&self) -> bool {
        matches!(
            self,
            Self::RequestsSpent { .. }
                | Self::UrlsSpent { .. }
                | Self::QuotaUsedUp { .. }
                | Self::NothingRemains { .. }
        )
    }
}

impl fmt::Display for WaitWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => write!(f, "URLs: the queue is empty"),
            Self::NotYet => write!(f, "the time of what is queued: none of it may be sent yet"),
            Self::Stopped(Stopped { why, by, since }) => {
                write!(f, "`prefetchd resume`: paused by {by} since {}: {why}", rfc3339(*since))
            }
            Self::BackingOff { why, failures } => write!(f, "the next try after {failures} failure(s) in a row: {why}"),
            Self::RequestsSpent { limit } => {
                write!(f, "the next budget day: all {limit} requests of this one are spent")
            }
            Self::UrlsSpent { limit } => write!(f, "the next budget day: all {limit} URLs of this one are spent"),
            Self::QuotaUsedUp { code } => {
                write!(f, "the next budget day: the service says that today's quota is used up ({code})")
            }
            Self::NothingRemains { quota } => {
                write!(f, "the service's quota: it says that nothing remains of today's {quota}; it is asked again")
            }
            Self::LedgerUnknown => write!(
                f,
                "the next budget day: the database is older than what was spent today, and the service's quota cannot be \
                 read; `prefetchd budget confirm --requests-used N` settles it"
            ),
            Self::Reset => write!(f, "the next budget day, which begins in a moment"),
            Self::Reserved { left } => {
                write!(f, "the release of the reserve: the {left} request(s) left are kept for urgent URLs")
            }
            Self::IsolationSpent { urls } => write!(
                f,
                "the next budget day: {urls} URLs were in batches that the service refused, and today's requests for \
                 finding out which of them is wrong are spent ([retry] isolate_requests_max)"
            ),
            Self::Hosts { urls } => write!(
                f,
                "domains: the {urls} URLs left are of domains that are not online in this account; `prefetchd hosts` lists \
                 them, and they go on by themselves"
            ),
            Self::QueueFull { in_flight, limit } => write!(
                f,
                "room in the service's queue: {in_flight} URLs are in flight there and about {limit} fit; tasks are looked at, \
                 and it goes on when some of them have ended"
            ),
            Self::OutsideWindow => write!(f, "the next window of [schedule] windows"),
            Self::Lingering { urls, linger } => {
                write!(
                    f,
                    "more URLs: {urls} do not fill a batch, and requests are scarce (linger {})",
                    in_words(*linger)
                )
            }
        }
    }
}

/// Why the submitter has stopped until something changes outside: a fault of the account, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseWhy(pub String);

impl fmt::Display for PauseWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
