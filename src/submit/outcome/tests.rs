use super::*;

fn answer(status: u16, body: &str) -> Reply {
    Reply::Answered(Answer { status, date: None, retry_after: None, body: body.into() })
}

fn error(status: u16, code: &str) -> Outcome {
    let body = format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m","Recommend":"r"}}"#);
    Outcome::of(&answer(status, &body))
}

/// Each row of the two error lists of VOD-API.md, with the reaction that stands there.
#[test]
fn every_documented_code_has_its_outcome() {
    use AccountFault as A;
    use Deferral as D;
    let deferred = Outcome::Deferred;
    let account = |fault| Outcome::Deferred(D::Account(fault));
    let refused = Outcome::Refused;
    for (status, code, outcome) in [
        (503, "Throttling", deferred(D::Throttled)),
        (400, "Throttling.User", deferred(D::Throttled)),
        (400, "Throttling.Api", deferred(D::Throttled)),
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
        (503, "ServiceUnavailable", deferred(D::Unavailable)),
        (500, "InternalError", deferred(D::Unavailable)),
        (500, "SomethingNew", deferred(D::Unavailable)),
        (400, "SomethingNew", deferred(D::Unknown)),
    ] {
        assert_eq!(error(status, code), outcome, "{status} {code}");
        // Some gateways answer an error with 200; the code decides all the same.
        if status < 500 {
            assert_eq!(error(200, code), outcome, "200 {code}");
        }
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
        (302, "", D::Unknown),
        (404, "<html>", D::Unknown),
        (413, "<html>", D::BatchTooLarge),
        (414, "<html>Request-URI Too Large</html>", D::BatchTooLarge),
        (429, "", D::Throttled),
        (500, "<html>", D::InDoubt),
        (502, "<html>", D::InDoubt),
        (503, "<html>", D::Unavailable),
        (504, "", D::InDoubt),
    ] {
        assert_eq!(Outcome::of(&answer(status, body)), Outcome::Deferred(deferral), "{status} {body}");
    }
    assert_eq!(Outcome::of(&Reply::NotSent("refused".into())), Outcome::Deferred(D::Unreachable));
    assert_eq!(Outcome::of(&Reply::Lost("reset".into())), Outcome::Deferred(D::InDoubt));
}

#[test]
fn an_accepted_batch_may_have_several_tasks() {
    let Outcome::Accepted { tasks } = Outcome::of(&answer(200, r#"{"RequestId":"R","PreloadTaskId":"1,2"}"#)) else {
        panic!("accepted");
    };
    assert_eq!(tasks.len(), 2);
}

#[test]
fn a_cost_is_given_back_only_where_nothing_reached_the_operation() {
    for code in
        ["Throttling", "SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound", "Forbidden.RAM", "IllegalTimestamp"]
    {
        assert!(error(400, code).gives_cost_back(), "{code}");
    }
    assert!(Outcome::of(&Reply::NotSent(String::new())).gives_cost_back());
    for code in [
        "InternalError",
        "InvalidObjectPath.Malformed",
        "QuotaExceeded.Preload",
        "OperationDenied",
        "SignatureNonceUsed",
        "New",
    ] {
        assert!(!error(400, code).gives_cost_back(), "{code}");
    }
    assert!(!Outcome::of(&Reply::Lost(String::new())).gives_cost_back());
    assert!(!Outcome::of(&answer(502, "<html>")).gives_cost_back());
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
        D::Unavailable,
        D::QuotaUsedUp,
        D::QueueFull,
        D::BatchTooLarge,
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
    let mut shown = Outcome::WORDS;
    shown.sort_unstable();
    assert_eq!(words, shown);
}
