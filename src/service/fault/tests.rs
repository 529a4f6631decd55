use super::*;
use crate::service::VOD;

fn answer(status: u16, body: &str) -> Fault {
    Reply::Answered(Answer { status, date: None, retry_after: None, body: body.into() })
        .batch(&VOD.prefetch)
        .unwrap_err()
}

fn error(status: u16, code: &str) -> Fault {
    let body = format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m","Recommend":"r"}}"#);
    answer(status, &body)
}

/// Each row of the two error lists of VOD-API.md, with the reaction that stands there.
#[test]
fn every_documented_code_has_its_class() {
    use AccountFault as A;
    use Deferral as D;
    let deferred = Class::Deferred;
    let account = |fault| Class::Deferred(D::Account(fault));
    let refused = Class::Refused;
    for (status, code, class) in [
        (503, "Throttling", deferred(D::Throttled)),
        (400, "Throttling.User", deferred(D::Throttled)),
        (400, "Throttling.Api", deferred(D::Throttled)),
        (429, "TooManyRequests", deferred(D::Throttled)),
        (400, "TooMany.Refresh", deferred(D::Throttled)),
        (400, "QuotaPerMinuteExceeded.Refresh", deferred(D::MinuteFull)),
        (403, "ServiceBusy", deferred(D::DomainNotConfigured)),
        (403, "IllegalOperation", refused(Refusal::IllegalDomain)),
        (403, "OperationDenied", account(A::NotActivated)),
        (403, "OperationDenied.Suspended", account(A::Suspended)),
        (404, "InvalidDomain.NotFound", refused(Refusal::ForeignDomain)),
        (404, "InvalidDomain.Offline", refused(Refusal::OfflineDomain)),
        (400, "QuotaExceeded.Refresh", deferred(D::QuotaUsedUp)),
        (400, "QuotaExceeded.Preload", deferred(D::QuotaUsedUp)),
        (403, "PreloadQueueFull", deferred(D::QueueFull)),
        (500, "InvalidDomain.Configure_failed", deferred(D::DomainNotConfigured)),
        (400, "MissingParameter", refused(Refusal::MissingParameter)),
        (400, "MissingTimeParameter", refused(Refusal::MissingParameter)),
        (400, "ObjectPath.Malformed", refused(Refusal::MalformedUrl)),
        (400, "InvalidObjectPath.Malformed", refused(Refusal::MalformedUrl)),
        (400, "InvalidExtensiveDomain.ValueNotSupported", refused(Refusal::WildcardDomain)),
        (400, "InvalidObjectPath.Size.Malformed", deferred(D::BatchTooLarge)),
        (400, "SingleRequest.OverLimit", deferred(D::BatchTooLarge)),
        (400, "InvalidObjectPath.ExceedsMaximum", deferred(D::BatchTooLarge)),
        (400, "SignatureDoesNotMatch", account(A::WrongSecret)),
        (404, "InvalidAccessKeyId.NotFound", account(A::UnknownKey)),
        (403, "InvalidAccessKeyId.Inactive", account(A::UnknownKey)),
        (403, "Forbidden.RAM", account(A::Forbidden)),
        (403, "NoPermission", account(A::Forbidden)),
        (400, "InvalidSecurityToken.Expired", account(A::BadToken)),
        (400, "InvalidTimeStamp.Expired", deferred(D::ClockSkew)),
        (400, "IllegalTimestamp", deferred(D::ClockSkew)),
        (400, "SignatureNonceUsed", deferred(D::NonceUsed)),
        (400, "SomethingNew", deferred(D::Unknown)),
    ] {
        assert_eq!(error(status, code).class, class, "{status} {code}");
        assert_eq!(free(status, code).class, class, "{status} {code}");
        // Some gateways answer an error with 200; a documented code decides all the same.
        if status < 500 && code != "SomethingNew" {
            assert_eq!(error(200, code).class, class, "200 {code}");
        }
    }
    for (status, code, class) in [
        (503, "ServiceUnavailable", deferred(D::Unavailable)),
        (500, "InternalError", deferred(D::Unavailable)),
        (500, "SomethingNew", deferred(D::Unavailable)),
        (200, "SomethingNew", deferred(D::Unknown)),
    ] {
        assert_eq!(free(status, code).class, class, "{status} {code}");
        assert_eq!(error(status, code).class, deferred(D::InDoubt), "{status} {code}: it may have been performed");
    }
}

/// The fault of a free call.
fn free(status: u16, code: &str) -> Fault {
    let body = format!(r#"{{"RequestId":"R","Code":"{code}"}}"#).into();
    Reply::Answered(Answer { status, date: None, retry_after: None, body }).quota(&VOD.prefetch).unwrap_err()
}

#[test]
fn a_code_without_a_request_id_is_nobodys() {
    for (status, code) in [
        (400, "InvalidObjectPath.Malformed"),
        (400, "QuotaExceeded.Refresh"),
        (404, "InvalidDomain.NotFound"),
        (503, "Throttling"),
        (403, "Forbidden.RAM"),
    ] {
        let fault = answer(status, &format!(r#"{{"Code":"{code}"}}"#));
        assert_eq!((fault.class, fault.code), (Class::Deferred(Deferral::InDoubt), None), "{code}");
        let body = format!("<Error><Code>{code}</Code></Error>");
        assert_eq!(answer(status, &body).class, Class::Deferred(Deferral::InDoubt), "{body}");
    }
}

#[test]
fn a_plain_denial_is_told_apart_by_its_message() {
    let denied = |message: &str| {
        answer(403, &format!(r#"{{"RequestId":"R","Code":"OperationDenied","Message":"{message}"}}"#)).of_the_account()
    };
    for message in ["Your account is suspended.", "Your account has overdue payments.", "The account is in ARREARS."] {
        assert_eq!(denied(message), Some(AccountFault::Suspended), "{message}");
    }
    for message in ["", "Your CDN service was not opened.", "Operation denied."] {
        assert_eq!(denied(message), Some(AccountFault::NotActivated), "{message}");
    }
}

#[test]
fn an_answer_without_a_code_is_judged_by_what_may_have_happened() {
    use Deferral as D;
    for (status, body, deferral) in [
        (200, "", D::InDoubt),
        (200, "{}", D::InDoubt),
        (200, r#"{"RequestId":"R","PreloadTaskId":""}"#, D::InDoubt),
        (200, r#"{"RequestId":"R","Preload"#, D::InDoubt),
        (200, "<html>welcome to the hotel</html>", D::InDoubt),
        (302, "", D::InDoubt),
        (404, "<html>", D::InDoubt),
        (408, "<html>", D::InDoubt),
        (413, "<html>", D::BatchTooLarge),
        (414, "<html>Request-URI Too Large</html>", D::BatchTooLarge),
        (429, "", D::InDoubt),
        (500, "<html>", D::InDoubt),
        (502, "<html>", D::InDoubt),
        (503, "<html>", D::InDoubt),
        (504, "", D::InDoubt),
    ] {
        assert_eq!(answer(status, body).class, Class::Deferred(deferral), "{status} {body}");
    }
    assert_eq!(Fault::of(&Reply::NotSent("refused".into())).class, Class::Deferred(D::Unreachable));
    assert_eq!(Fault::of(&Reply::Lost("reset".into())).class, Class::Deferred(D::InDoubt));
}

#[test]
fn a_cost_is_given_back_only_where_nothing_reached_the_operation() {
    for code in
        ["Throttling", "SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound", "Forbidden.RAM", "IllegalTimestamp"]
    {
        assert!(error(400, code).is_surely_unperformed(), "{code}");
    }
    assert!(Fault::not_sent("").is_surely_unperformed());
    for code in [
        "InternalError",
        "InvalidObjectPath.Malformed",
        "QuotaExceeded.Preload",
        "OperationDenied",
        "SignatureNonceUsed",
        "New",
    ] {
        assert!(!error(400, code).is_surely_unperformed(), "{code}");
    }
    assert!(!Fault::lost("").is_surely_unperformed());
    assert!(!answer(502, "<html>").is_surely_unperformed());
}

#[test]
fn a_fault_says_what_was_said_whoever_said_it() {
    let xml = "<Error><RequestId>R</RequestId><Code>PreloadQueueFull</Code><Message>full</Message></Error>";
    for (body, is_the_services) in
        [(r#"{"requestId":"R","code":"PreloadQueueFull","message":"full"}"#, true), (xml, false)]
    {
        let retry_after = Some(Duration::from_millis(1_500));
        let reply = Reply::Answered(Answer { status: 403, date: None, retry_after, body: body.into() });
        let class = Class::Deferred(Deferral::QueueFull);
        let said = |text: &str| Some(text.to_owned());
        let (code, message, request_id) = (said("PreloadQueueFull"), said("full"), said("R"));
        let http_status = Some(403);
        let fault = Fault { class, http_status, code, message, request_id, retry_after, is_the_services };
        assert_eq!(reply.batch(&VOD.prefetch), Err(fault.clone()), "{body}");
        assert_eq!(reply.quota(&VOD.prefetch), Err(fault), "{body}");
    }
}

#[test]
fn a_message_is_kept_only_as_far_as_anybody_reads_it() {
    let long = "x".repeat(10_000);
    let fault = answer(400, &format!(r#"{{"RequestId":"R","Code":"New","Message":"{long}"}}"#));
    assert_eq!(fault.message.unwrap().len(), MESSAGE_CHARS_MAX);
    assert_eq!(Fault::lost(&long).message.unwrap().len(), MESSAGE_CHARS_MAX);
}

#[test]
fn what_was_signed_is_not_kept_with_a_fault() {
    let said = "It is not matched with our calculation. server string to sign is:POST&token=SECRET";
    assert_eq!(super::without_what_was_signed(said), "It is not matched with our calculation.");
    assert_eq!(super::without_what_was_signed("The key is unknown."), "The key is unknown.");
}
