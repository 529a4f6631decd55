//! The reply to a call: how far the call got, and what each operation reads in its answer.

use std::time::Duration;

use serde_json::Value;

use super::body::{Body, field, number, rows, text};
use super::fault::Fault;
use super::limits::Submission;
use super::tasks::TaskPage;
use crate::model::{TaskId, Time, parse_task_ids};

/// The field of an answer that contains domains.
const DOMAINS: &str = "Domains";

/// The reply to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No byte can have been sent: the name was not found, the connection was refused, TLS failed.
    NotSent(String),
    /// The call was or may have been sent, and no whole answer came.
    Lost(String),
    /// A whole answer.
    Answered(Answer),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The service's time, from the header `Date`.
    pub date: Option<Time>,
    /// How long the service asks to be left alone, from the headers `x-acs-retry-after` and `Retry-After`.
    pub retry_after: Option<Duration>,
    /// At most [`super::BODY_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// A batch was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its tasks, at least one.
    pub tasks: Vec<TaskId>,
    /// The request ID of the call; none if the task was found without an answer, or if the answer has none.
    pub request_id: Option<String>,
    /// The answer's status; none if the task was found without an answer.
    pub http_status: Option<u16>,
}

/// What is left of the day, in whatever unit the service counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The quota of a day.
    pub a_day: u64,
    /// What is left of today's.
    pub remains: u64,
}

/// A page of the account's domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainPage {
    /// Its rows.
    pub rows: Vec<DomainRow>,
    /// How many there are in all.
    pub total: u64,
}

/// A domain of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRow {
    /// Its name; a name that begins with a dot or with `*.` covers all names below it.
    pub name: String,
    /// `online`, `offline`, `configuring`, `configure_failed`, `checking` or `check_failed`.
    pub status: String,
}

impl Reply {
    /// How far the call got, in the word of the metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "not_sent",
            Self::Lost(_) => "lost",
            Self::Answered(_) => "answered",
        }
    }

    /// The answer, if the service itself gave it: every answer of its operations is JSON with a `RequestId`
    /// (VOD-API.md, "Gateway errors").
    pub fn of_the_service(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Body::read(&answer.body).filter(Body::is_the_services).map(|_| answer),
            Self::NotSent(_) | Self::Lost(_) => None,
        }
    }

    /// The result of a batch: a 2xx counts as accepted only with a task ID.
    ///
    /// # Errors
    ///
    /// The fault. Unless the answer proves a refusal, the batch may have been accepted.
    pub fn batch(&self, submission: &Submission) -> Result<Accepted, Fault> {
        let said = self.read(|body, status| {
            let ids = submission.task_ids.iter().find_map(|name| text(body.value(), name))?;
            let tasks = parse_task_ids(&ids);
            let accepted = Accepted { tasks, request_id: body.request_id(), http_status: Some(status) };
            (!accepted.tasks.is_empty()).then_some(accepted)
        });
        said.map_err(Fault::of_a_batch)
    }

    /// The result of asking for the quota: what it says about one operation.
    ///
    /// # Errors
    ///
    /// The fault.
    pub fn quota(&self, submission: &Submission) -> Result<Quota, Fault> {
        let [a_day, remains] = submission.quota;
        self.read(|body, _| {
            Some(Quota { a_day: number(body.value(), a_day)?, remains: number(body.value(), remains)? })
        })
    }

    /// The result of asking for tasks.
    ///
    /// # Errors
    ///
    /// The fault.
    pub fn tasks(&self) -> Result<TaskPage, Fault> {
        self.read(|body, _| TaskPage::read(body.value()))
    }

    /// The result of asking for domains.
    ///
    /// # Errors
    ///
    /// The fault.
    pub fn domains(&self) -> Result<DomainPage, Fault> {
        self.read(|body, _| {
            field(body.value(), DOMAINS)?;
            let rows = rows(body.value(), DOMAINS).map(DomainRow::read).collect::<Option<_>>()?;
            Some(DomainPage { rows, total: number(body.value(), "TotalCount")? })
        })
    }

    /// Reads a result. An answer that is not provably the service's has none.
    fn read<T>(&self, read: impl FnOnce(&Body, u16) -> Option<T>) -> Result<T, Fault> {
        let told = match self {
            Self::Answered(answer) if (200..300).contains(&answer.status) => {
                let body = Body::read(&answer.body).filter(Body::is_the_services);
                body.and_then(|body| read(&body, answer.status))
            }
            _ => None,
        };
        told.ok_or_else(|| Fault::of(self))
    }
}

impl DomainRow {
    fn read(row: &Value) -> Option<Self> {
        Some(Self { name: text(row, "DomainName")?, status: text(row, "DomainStatus")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Class, Deferral, VOD};

    fn answered(body: &str) -> Reply {
        Reply::Answered(Answer { status: 200, date: None, retry_after: None, body: body.into() })
    }

    #[test]
    fn an_accepted_batch_may_have_several_tasks_and_they_may_be_numbers() {
        for (body, count) in [
            (r#"{"RequestId":"R","PreloadTaskId":"1,2"}"#, 2),
            (r#"{"requestId":"R","preloadTaskId":"1"}"#, 1),
            (r#"{"RequestId":"R","PreloadTaskId":95248880}"#, 1),
            (r#"{"RequestId":"R","PushTaskId":95248880}"#, 1),
        ] {
            let accepted = answered(body).batch(&VOD.prefetch).unwrap();
            assert_eq!((accepted.tasks.len(), accepted.request_id.as_deref()), (count, Some("R")), "{body}");
        }
    }

    #[test]
    fn each_operation_reads_its_own_fields() {
        let body = r#"{"RequestId":"R","UrlQuota":"2000","UrlRemain":1990,"DirQuota":100,"dirRemain":"99"}"#;
        assert_eq!(answered(body).quota(&VOD.purge), Ok(Quota { a_day: 2_000, remains: 1_990 }));
        assert_eq!(answered(body).quota(&VOD.purge_directory), Ok(Quota { a_day: 100, remains: 99 }));
        assert!(answered(body).quota(&VOD.prefetch).is_err());
        // Examples of DCDN's purges have the field of prefetches (SIBLING-APIS.md, A).
        for body in [r#"{"RequestId":"R","RefreshTaskId":"1,2"}"#, r#"{"RequestId":"R","PushTaskId":"1,2"}"#] {
            assert_eq!(answered(body).batch(&VOD.purge).unwrap().tasks.len(), 2, "{body}");
        }
    }

    #[test]
    fn a_quota_is_what_it_is_however_it_is_spelled_and_never_a_fault() {
        let quota = Quota { a_day: 500, remains: 17 };
        for body in [
            r#"{"RequestId":"R","PreloadQuota":"500","PreloadRemain":"17"}"#,
            r#"{"requestId":"R","preloadQuota":500,"preloadRemain":17}"#,
        ] {
            assert_eq!(answered(body).quota(&VOD.prefetch), Ok(quota), "{body}");
        }
        let fault = answered(r#"{"RequestId":"R","PreloadQuota":"500"}"#).quota(&VOD.prefetch).unwrap_err();
        assert!(fault.is_the_services && fault.code.is_none() && fault.http_status == Some(200));
    }

    #[test]
    fn domains_are_read_however_they_are_spelled_and_half_a_row_is_none() {
        let row = DomainRow { name: "vod.example.com".to_owned(), status: "online".to_owned() };
        for body in [
            r#""TotalCount":1,"Domains":{"PageData":[{"DomainName":"vod.example.com","DomainStatus":"online"}]}}"#,
            r#""totalCount":"1","domains":{"pageData":[{"domainName":"vod.example.com","domainStatus":"online"}]}}"#,
        ] {
            let body = format!(r#"{{"RequestId":"R",{body}"#);
            assert_eq!(answered(&body).domains(), Ok(DomainPage { rows: vec![row.clone()], total: 1 }), "{body}");
        }
        assert_eq!(answered(r#"{"RequestId":"R","TotalCount":0,"Domains":{}}"#).domains().unwrap().rows, []);
        for body in [
            r#"{"RequestId":"R","TotalCount":1,"Domains":{"PageData":[{"DomainName":"a"}]}}"#,
            r#"{"RequestId":"R","TotalCount":0}"#,
            "[]",
        ] {
            assert!(answered(body).domains().is_err(), "{body}");
        }
    }

    #[test]
    fn no_result_is_read_in_an_answer_that_is_not_provably_the_services() {
        let accepted = answered(r#"{"PreloadTaskId":"77"}"#).batch(&VOD.prefetch);
        assert_eq!(accepted.unwrap_err().class, Class::Deferred(Deferral::InDoubt));
        assert!(answered(r#"{"PreloadQuota":"500","PreloadRemain":"0"}"#).quota(&VOD.prefetch).is_err());
        assert!(answered(r#"{"TotalCount":0,"Domains":{"PageData":[]}}"#).domains().is_err());
        assert!(answered(r#"{"TotalCount":0,"Tasks":{"Task":[]}}"#).tasks().is_err());
    }

    #[test]
    fn only_json_with_a_request_id_is_provably_the_services() {
        assert!(answered(r#"{"requestId":"R"}"#).of_the_service().is_some());
        let xml = "<Error><RequestId>R</RequestId><Code>Throttling</Code></Error>";
        for body in [r#"{"RequestId":""}"#, r#"{"Code":"Throttling"}"#, "<html>", xml] {
            assert!(answered(body).of_the_service().is_none(), "{body}");
        }
    }
}
