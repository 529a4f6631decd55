use super::*;
use crate::model::AccountFault;
use crate::service::{Answer, Reply, VOD};

fn error(status: u16, code: &str) -> Outcome {
    let body = format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m","Recommend":"r"}}"#).into();
    Outcome::of(Reply::Answered(Answer { status, date: None, retry_after: None, body }).batch(&VOD.prefetch).as_ref())
}

#[test]
fn what_the_service_took_is_accepted_with_its_tasks() {
    let body = r#"{"RequestId":"R","PreloadTaskId":"1,2"}"#.into();
    let reply = Reply::Answered(Answer { status: 200, date: None, retry_after: None, body });
    let Outcome::Accepted { tasks } = Outcome::of(reply.batch(&VOD.prefetch).as_ref()) else { panic!("accepted") };
    assert_eq!(tasks.len(), 2);
}

#[test]
fn what_is_not_the_batch_s_fault_is_no_attempt_of_its_urls() {
    for code in
        ["Throttling.User", "OperationDenied", "QuotaExceeded.Preload", "PreloadQueueFull", "InvalidSecurityToken.X"]
    {
        assert!(!error(400, code).counts_as_attempt(), "{code}");
    }
    for code in ["SomethingNew", "InvalidDomain.Configure_failed", "InternalError"] {
        assert!(error(400, code).counts_as_attempt(), "{code}");
    }
}

#[test]
fn every_outcome_has_one_of_the_words_that_metrics_show() {
    use Deferral as D;
    let deferrals = [
        D::Unreachable,
        D::InDoubt,
        D::NonceUsed,
        D::Throttled,
        D::MinuteFull,
        D::Unavailable,
        D::QuotaUsedUp,
        D::QueueFull,
        D::BatchTooLarge,
        D::UrlsMisplaced,
        D::ClockSkew,
        D::DomainNotConfigured,
        D::Account(AccountFault::Suspended),
        D::Unknown,
    ];
    let mut words: Vec<&str> = deferrals.into_iter().map(|deferral| Outcome::Deferred(deferral).word()).collect();
    words.push(Outcome::Accepted { tasks: Vec::new() }.word());
    words.push(Outcome::Refused(Refusal::MalformedUrl).word());
    words.sort_unstable();
    words.dedup();
    let mut shown = Outcome::words();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(words, shown);
}
