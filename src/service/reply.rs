//! What came back of a call, and how far it got.

use serde::Deserialize;

use super::tasks::TaskPage;
use crate::model::Time;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No byte can have been sent: the name was not found, the connection refused, TLS failed.
    NotSent(String),
    /// It was sent, or may have been, and no whole answer came.
    Lost(String),
    /// A whole answer.
    Answered(Answer),
}

impl Reply {
    /// How far it got, as it stands in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::Lost(_) => "lost",
            Self::Answered(_) => "answered",
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The service's clock, from the header `Date`.
    pub date: Option<Time>,
    /// Seconds, from the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// At most [`super::BODY_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// What all answers of the service have in common. Error bodies have been seen with keys in lower case.
#[derive(Debug, Deserialize)]
struct SignedBody {
    #[serde(alias = "requestId", alias = "requestid", rename = "RequestId")]
    request_id: String,
}

/// The body of an error (VOD-API.md, "Gateway errors").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorBody {
    /// E.g. `Throttling.User`.
    pub code: String,
    /// In words.
    pub message: Option<String>,
    /// The service's name for the call.
    pub request_id: Option<String>,
}

/// The body of an accepted `PreloadVodObjectCaches`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PreloadBody {
    /// One or several IDs, comma-separated.
    pub preload_task_id: String,
    /// The service's name for the call.
    pub request_id: Option<String>,
}

/// The body of `DescribeVodRefreshQuota`, as far as prefetching goes. The service writes the numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QuotaBody {
    preload_quota: String,
    preload_remain: String,
}

/// The body of `DescribeVodUserDomains`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DomainsBody {
    domains: DomainList,
    total_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DomainList {
    #[serde(default)]
    page_data: Vec<DomainRow>,
}

/// A domain of the account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainRow {
    /// Its name; one that begins with a dot or with `*.` stands for all below it.
    pub domain_name: String,
    /// `online`, `offline`, `configuring`, `configure_failed`, `checking` or `check_failed`.
    pub domain_status: String,
}

impl Answer {
    /// The day's prefetch quota and what is left of it, if the body says so.
    pub fn quota(&self) -> Option<(u64, u64)> {
        let body: QuotaBody = serde_json::from_slice(&self.body).ok()?;
        Some((body.preload_quota.trim().parse().ok()?, body.preload_remain.trim().parse().ok()?))
    }

    /// A page of tasks, if the body is one.
    pub fn tasks(&self) -> Option<TaskPage> {
        TaskPage::read(&self.body)
    }

    /// A page of the account's domains and how many there are in all, if the body says so.
    pub fn domains(&self) -> Option<(Vec<DomainRow>, u64)> {
        let body: DomainsBody = serde_json::from_slice(&self.body).ok()?;
        Some((body.domains.page_data, body.total_count))
    }

    /// Whether the service itself answered, and no gateway or page on the way: every answer of its operations is JSON
    /// with a `RequestId` (VOD-API.md, "Gateway errors").
    pub fn is_the_services(&self) -> bool {
        serde_json::from_slice::<SignedBody>(&self.body).is_ok_and(|body| !body.request_id.is_empty())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as the JSON of an error, if it is one.
    pub fn error(&self) -> Option<ErrorBody> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as the JSON of an accepted batch, if it is one.
    pub fn preload(&self) -> Option<PreloadBody> {
        serde_json::from_slice(&self.body).ok()
    }
}
