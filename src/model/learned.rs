//! What the service taught about an account, because its documents disagree or are silent.

use super::lane::Lane;
use super::time::Time;

/// A thing that was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// Of which lane.
    pub lane: Lane,
    /// What.
    pub what: AccountFact,
    /// When it was seen last, by this machine's clock.
    pub at: Time,
}

/// What was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountFact {
    /// The day's quota.
    Quota(u64),
    /// Whether it counts URLs, and not calls.
    CountsUrls(bool),
    /// Whether it counts refused calls too.
    CountsRefused(bool),
    /// Most URLs that a call may have.
    UrlsACall(u32),
    /// URLs go in the query, so many a call.
    UrlsAQuery(u32),
    /// Most URLs of a domain in a minute; where domains differ, the least.
    UrlsAMinute(u32),
    /// URLs that the service's own queue takes.
    QueueUrls(u32),
}

impl AccountFact {
    /// Its code, which never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Quota(_) => "quota",
            Self::CountsUrls(_) => "unit",
            Self::CountsRefused(_) => "refusals_cost",
            Self::UrlsACall(_) => "batch_urls_max",
            Self::UrlsAQuery(_) => "query_urls_max",
            Self::UrlsAMinute(_) => "minute_urls",
            Self::QueueUrls(_) => "in_flight_limit",
        }
    }

    /// Its value, as it is stored.
    pub fn value(self) -> String {
        match self {
            Self::Quota(n) => n.to_string(),
            Self::CountsUrls(urls) => if urls { "urls" } else { "requests" }.to_owned(),
            Self::CountsRefused(cost) => cost.to_string(),
            Self::UrlsACall(n) | Self::UrlsAQuery(n) | Self::UrlsAMinute(n) | Self::QueueUrls(n) => n.to_string(),
        }
    }
}
