//! Tests of the scenario's lies, one by one.

use super::*;

impl Caller {
    fn preload(&mut self, urls: &str) -> Parameters {
        self.signed(PRELOAD, &[("ObjectPath", urls)])
    }

    /// Sends a batch and returns the `Date` of its answer.
    fn date(&mut self) -> Option<String> {
        let call = self.preload("vod.example.com/a");
        self.hand_over(&call).date
    }

    fn view(&mut self) -> AccountView {
        self.gateway.view(self.now)
    }

    /// Statuses of the tasks of a URL, newest first.
    fn statuses(&mut self, url: &str) -> Vec<String> {
        let (_, body) = self.call(TASKS, &[("ObjectPath", url)]);
        let rows = body["Tasks"]["Task"].as_array().unwrap();
        rows.iter().map(|row| row["Status"].as_str().unwrap().to_owned()).collect()
    }

    /// The code of a batch's answer, `OK` if it was accepted.
    fn outcome(&mut self, urls: &str) -> String {
        let (status, code) = self.refused(PRELOAD, &[("ObjectPath", urls)]);
        if status == 200 { "OK".to_owned() } else { code }
    }
}

/// A batch's URLs.
fn batch(name: &str, count: usize) -> String {
    (0..count).map(|n| format!("vod.example.com/{name}/{n}\n")).collect()
}

#[test]
fn a_date_is_false_only_in_the_answers_that_a_fault_names() {
    let mut caller = Caller::new(
        "[[fault]]\ncalls = [1]\naction = \"pass\"\ndate = \"2037-01-01T00:00:00Z\"\n\
         [[fault]]\ncalls = [2]\naction = \"html\"\ndate = \"+1d\"\n\
         [[fault]]\ncalls = [3]\naction = \"pass\"\ndate = \"-25s\"\n\
         [[fault]]\ncalls = [4]\naction = \"pass\"\ndate = \"none\"\n\
         [[fault]]\ncalls = [5]\naction = \"pass\"\ndate = \"9999-12-31T23:59:59Z\"\n",
    );
    let dates: Vec<_> = (0..6).map(|_| caller.date()).collect();
    let dates: Vec<_> = dates.iter().map(Option::as_deref).collect();
    assert_eq!(
        dates,
        [
            Some("Thu, 01 Jan 2037 00:00:00 GMT"),
            Some("Tue, 24 Nov 2026 01:00:00 GMT"),
            Some("Mon, 23 Nov 2026 00:59:35 GMT"),
            None,
            Some("Fri, 31 Dec 9999 23:59:59 GMT"),
            Some("Mon, 23 Nov 2026 01:00:00 GMT"),
        ]
    );
    assert_eq!(caller.view().accepted["vod.example.com/a"], 5, "all but the gateway's page were processed");
}

#[test]
fn a_fault_of_any_operation_counts_all_calls() {
    let mut caller = Caller::new("[[fault]]\noperation = \"*\"\ncalls = [2]\naction = \"error\"\ncode = \"Boo\"");
    let codes = ["DescribeVodRefreshQuota", TASKS, TASKS].map(|operation| caller.refused(operation, &[]).1);
    assert_eq!(codes, ["", "Boo", ""]);
}

#[test]
fn the_services_clock_may_be_ahead_and_then_its_day_its_date_and_its_checks_are() {
    // 16:00 UTC is midnight at UTC+8.
    let mut caller = Caller::new("[clock]\noffset = \"25s\"");
    caller.now = "2026-11-23T15:59:40Z".parse().unwrap();
    assert_eq!(caller.date().as_deref(), Some("Mon, 23 Nov 2026 16:00:05 GMT"));
    let view = caller.view();
    assert_eq!((view.day.as_str(), view.now.as_str()), ("2026-11-24", "2026-11-23T16:00:05Z"));
    assert_eq!(view.days["2026-11-24"].requests_seen, 1);
    let call = view.calls.last().unwrap();
    assert_eq!((call.at.as_str(), call.day.as_deref()), ("2026-11-23T16:00:05Z", Some("2026-11-24")));
    let mut behind = Caller::new("[clock]\noffset = \"-16m\"\ndate = false");
    assert_eq!(behind.outcome("vod.example.com/a"), "InvalidTimeStamp.Expired");
    assert_eq!(behind.date(), None);
}

#[test]
fn a_late_call_is_performed_on_the_day_that_is_then_and_with_the_quota_of_then() {
    let mut caller = Caller::new("[quota]\nper_day = 1\n[[fault]]\ncalls = [1, 2]\naction = \"late\"\ndelay = \"30s\"");
    caller.now = "2026-11-23T15:59:50Z".parse().unwrap();
    let late = caller.preload("vod.example.com/a");
    assert!(caller.hand_over(&late).is_dropped());
    let view = caller.view();
    assert_eq!((view.calls[0].code.as_str(), view.days["2026-11-23"].requests_seen), ("", 0));
    let too_late = caller.preload("vod.example.com/b");
    caller.hand_over(&too_late);
    caller.now += TimeDelta::minutes(1);
    let view = caller.view();
    let noted: Vec<_> = view.calls.iter().map(|call| (call.code.as_str(), call.performed_at.as_deref())).collect();
    let at = Some("2026-11-23T16:00:20Z");
    assert_eq!(noted, [("OK", at), ("QuotaExceeded.Preload", at)]);
    assert_eq!(view.calls[0].day.as_deref(), Some("2026-11-24"));
    assert_eq!(view.days["2026-11-24"].requests_seen, 2);
    assert_eq!(view.days["2026-11-23"].requests_seen, 0);
}

#[test]
fn of_a_late_call_and_its_copy_the_one_that_is_performed_first_counts() {
    let mut caller = Caller::new("[[fault]]\ncalls = [1]\naction = \"late\"\ndelay = \"1m\"");
    let call = caller.preload("vod.example.com/a");
    caller.hand_over(&call);
    caller.now += TimeDelta::seconds(30);
    assert_eq!(caller.send(&call).0, 200, "the copy comes before");
    caller.now += TimeDelta::minutes(1);
    let view = caller.view();
    let codes: Vec<_> = view.calls.iter().map(|call| (call.code.as_str(), call.performed_at.is_some())).collect();
    assert_eq!(codes, [("SignatureNonceUsed", false), ("OK", true)]);
    assert_eq!(view.accepted["vod.example.com/a"], 1);
    assert_eq!(view.calls[0].body_sha256, view.calls[1].body_sha256);

    let mut caller = Caller::new("[[fault]]\ncalls = [1]\naction = \"late\"\ndelay = \"1m\"");
    let call = caller.preload("vod.example.com/a");
    caller.hand_over(&call);
    caller.now += TimeDelta::minutes(2);
    assert_eq!(caller.send(&call).1["Code"], "SignatureNonceUsed", "the copy comes after");
    assert_eq!(caller.view().accepted["vod.example.com/a"], 1);
}

#[test]
fn a_nonce_that_was_spent_at_once_is_performed_once_whatever_becomes_of_its_copies() {
    let mut caller =
        Caller::new("[[fault]]\ncalls = [1, 2, 3]\naction = \"late\"\ndelay = \"1m\"\nspends_nonce = true");
    let call = caller.preload("vod.example.com/a");
    for _ in 0..3 {
        caller.hand_over(&call);
        caller.now += TimeDelta::seconds(10);
    }
    caller.now += TimeDelta::minutes(2);
    let view = caller.view();
    let codes: Vec<_> = view.calls.iter().map(|call| call.code.as_str()).collect();
    assert_eq!(codes, ["OK", "SignatureNonceUsed", "SignatureNonceUsed"]);
    assert_eq!(view.accepted["vod.example.com/a"], 1);
}

#[test]
fn a_late_call_whose_timestamp_is_stale_by_then_is_refused() {
    let mut caller = Caller::new("[[fault]]\ncalls = [1]\naction = \"late\"\ndelay = \"16m\"");
    let call = caller.preload("vod.example.com/a");
    caller.hand_over(&call);
    caller.now += TimeDelta::minutes(20);
    let view = caller.view();
    assert_eq!((view.calls[0].code.as_str(), view.accepted.len()), ("InvalidTimeStamp.Expired", 0));
}

#[test]
fn the_answer_of_a_late_call_may_be_held_until_it_is_performed() {
    let mut caller = Caller::new("[[fault]]\naction = \"late\"\ndelay = \"5s\"\nhold = true");
    let call = caller.preload("vod.example.com/a");
    let sent = caller.hand_over(&call);
    assert_eq!((sent.delay.as_secs(), caller.view().accepted.len()), (5, 0));
    caller.now += TimeDelta::seconds(5);
    let answer = caller.gateway.held(sent.held.unwrap(), caller.now).unwrap();
    assert_eq!((answer.status, answer.date.as_deref()), (200, Some("Mon, 23 Nov 2026 01:00:05 GMT")));
    assert!(!answer.is_dropped() && caller.gateway.held(0, caller.now).is_none());
}

#[test]
fn somebody_elses_prefetch_of_a_batchs_first_url_makes_a_task_even_where_the_call_is_lost() {
    let mut caller = Caller::new(
        "[[fault]]\ncalls = [1]\naction = \"drop_before\"\n\
         [[foreign]]\nfirst_url_of_call = 1\ncount = 2\nafter = \"-1h\"\n[[foreign]]\nurls = [\"vod.example.com/x\"]",
    );
    let call = caller.preload("vod.example.com/a\nvod.example.com/b\nvod.example.com/c");
    caller.hand_over(&call);
    assert_eq!(
        ["a", "b", "c", "x"].map(|name| caller.statuses(&format!("vod.example.com/{name}")).len()),
        [1, 1, 0, 1]
    );
    let (_, body) = caller.call(TASKS, &[("ObjectPath", "vod.example.com/a")]);
    assert_eq!(body["Tasks"]["Task"][0]["CreationTime"], "2026-11-23T00:00:00Z");
    let view = caller.view();
    assert_eq!((view.accepted.len(), view.quota_left, view.days["2026-11-23"].requests_seen), (0, 498, 0));
}

#[test]
fn tasks_may_be_odd_by_url_or_by_task_and_end_with_any_word() {
    let mut caller = Caller::new(
        "[limits]\ncalls_per_second = 1000\n[tasks]\ntakes = \"2s\"\n\
         [[task]]\nurl_contains = \"/t\"\nstatus = \"Timeout\"\n\
         [[task]]\nurl_contains = \"/c\"\nprocess = \"99.37%\"\n[[task]]\nurl_contains = \"/u\"\nunlisted = true\n\
         [[task]]\nurl_contains = \"/l\"\nlisted_after = \"1h\"\n[[task]]\nurl_contains = \"/s\"\ntakes = \"1h\"\n\
         [[task]]\nshare = 0.5\nwhole_tasks = true\nstatus = \"Canceled\"",
    );
    let named = |name: &str| format!("vod.example.com/{name}");
    let all = ["t", "c", "u", "l", "s"].map(named).join("\n");
    assert_eq!(caller.outcome(&all), "OK");
    for n in 0..20 {
        assert_eq!(caller.outcome(&batch(&format!("p{n}"), 3)), "OK");
    }
    caller.now += TimeDelta::seconds(2);
    let ends = ["t", "c", "u", "l", "s"].map(|name| caller.statuses(&named(name)).join(","));
    assert_eq!(ends, ["Timeout", "Complete", "", "", "Pending"]);
    let (_, body) = caller.call(TASKS, &[("ObjectPath", &named("c"))]);
    assert_eq!(body["Tasks"]["Task"][0]["Process"], "99.37%");
    let whole: Vec<_> = (0..20)
        .map(|n| {
            let ends = [0, 1, 2].map(|at| caller.statuses(&named(&format!("p{n}/{at}"))).join(","));
            assert!(ends.iter().all(|end| *end == ends[0]), "all of a task or none: {ends:?}");
            ends[0].clone()
        })
        .collect();
    assert!(whole.iter().any(|end| end == "Complete") && whole.iter().any(|end| end == "Canceled"), "{whole:?}");
    caller.now += TimeDelta::hours(1);
    assert_eq!(caller.statuses(&named("l")), ["Complete"]);
}

#[test]
fn a_stale_answer_tells_what_was_so_at_the_look_before() {
    let mut caller = Caller::new("[tasks]\ntakes = \"2s\"\nstale = true");
    caller.outcome("vod.example.com/a");
    caller.now += TimeDelta::minutes(1);
    let looks = [(); 2].map(|()| caller.statuses("vod.example.com/a").join(","));
    assert_eq!(looks, ["Pending", "Complete"]);
}

#[test]
fn tasks_may_be_forbidden_and_times_may_be_demanded_in_pairs() {
    let mut caller = Caller::new("[tasks]\nstrict_times = true");
    let (start, end) = (("StartTime", "2026-11-23T00:00:00Z"), ("EndTime", "2026-11-24T00:00:00Z"));
    assert_eq!(caller.refused(TASKS, &[start]), (400, "MissingTimeParameter".to_owned()));
    assert_eq!(caller.refused(TASKS, &[end]).1, "MissingTimeParameter");
    assert_eq!(caller.call(TASKS, &[start, end]).0, 200);
    let mut caller = Caller::new("[tasks]\nreadable = false");
    assert_eq!(caller.refused(TASKS, &[]), (403, "Forbidden.RAM".to_owned()));
}

#[test]
fn answers_may_be_spelled_otherwise() {
    let quota = |scenario: &str| Caller::new(scenario).call("DescribeVodRefreshQuota", &[]).1;
    let odd = quota("[answers]\nmissing = [\"DirQuota\"]\nnumbers_swapped = true\nblock_remain = \"BlockRemain\"");
    assert_eq!((&odd["PreloadRemain"], &odd["BlockRemain"]), (&json!(500), &json!(300)));
    assert!(odd.get("DirQuota").is_none() && odd.get("blockRemain").is_none(), "{odd}");
    assert_eq!(quota("[answers]\nlower_case = \"all\"")["preloadRemain"], "500");
    assert_eq!(quota("[answers]\nlower_case = \"all\"\nshare = 0.0")["PreloadRemain"], "500");

    let mut caller = Caller::new("[answers]\nlower_case = \"errors\"\nnumbers_swapped = true");
    assert_eq!(caller.call(TASKS, &[]).1["TotalCount"], "0");
    let (_, error) = caller.call(PRELOAD, &[]);
    assert_eq!((&error["code"], &error["Code"]), (&json!("MissingParameter"), &Value::Null));
}

#[test]
fn the_account_changes_after_a_time_or_after_so_many_batches() {
    let mut caller = Caller::new(
        "[limits]\nqueue_urls = 3\n[tasks]\ntakes = \"10s\"\n[[change]]\nafter = \"3s\"\nqueue_urls = 5\nper_day = 2\n\
         [[change]]\nafter_calls = 4\nsuspended = true\ntasks_readable = false\n\
         quota_readable = false\nurls_per_call = 1",
    );
    assert_eq!([("a", 3), ("b", 1)].map(|(name, n)| caller.outcome(&batch(name, n))), ["OK", "PreloadQueueFull"]);
    caller.now += TimeDelta::seconds(3);
    assert_eq!(caller.outcome(&batch("b", 2)), "OK");
    assert_eq!(caller.view().quota_left, 0);
    assert_eq!(caller.refused(TASKS, &[]), (200, String::new()));
    assert_eq!(caller.outcome(&batch("c", 1)), "QuotaExceeded.Preload", "the fourth call is as before");
    assert_eq!(caller.refused(TASKS, &[]).1, "Forbidden.RAM");
    assert_eq!(caller.refused("DescribeVodRefreshQuota", &[]).1, "Forbidden.RAM");
    assert_eq!(caller.outcome(&batch("c", 1)), "OperationDenied.Suspended");
}

#[test]
fn keys_change_and_a_copy_signed_with_the_old_one_is_refused() {
    let mut caller = Caller::new(
        "[[change]]\nafter_calls = 1\naccess_key_secret = \"new\"\n\
         [[change]]\nafter = \"1h\"\naccess_key_id = \"other\"",
    );
    assert_eq!(caller.outcome("vod.example.com/a"), "OK");
    assert_eq!(caller.outcome("vod.example.com/b"), "SignatureDoesNotMatch");
    caller.secret = "new";
    assert_eq!(caller.outcome("vod.example.com/b"), "OK");
    caller.now += TimeDelta::hours(1);
    assert_eq!(caller.outcome("vod.example.com/c"), "InvalidAccessKeyId.NotFound");
}

#[test]
fn a_late_call_sees_the_changes_that_came_before_it_and_not_those_after() {
    let mut caller = Caller::new(
        "[[fault]]\naction = \"late\"\ndelay = \"2s\"\n[[change]]\nafter = \"1s\"\nsuspended = true\n\
         [[change]]\nafter = \"3s\"\nsuspended = false",
    );
    let call = caller.preload("vod.example.com/a");
    caller.hand_over(&call);
    caller.now += TimeDelta::seconds(9);
    assert_eq!(caller.view().calls[0].code, "OperationDenied.Suspended");
}

#[test]
fn a_scenario_that_contradicts_itself_is_refused_with_its_section() {
    for (text, section) in [
        ("[[change]]\nsuspended = true", "[[change]]"),
        ("[[change]]\nafter = \"1s\"\nafter_calls = 2", "[[change]]"),
        ("[[foreign]]\ncount = 2", "[[foreign]]"),
        ("[[foreign]]\nurls = [\"vod.example.com/a\"]\nshare = 0.5", "[[foreign]]"),
        ("[[task]]\nshare = 2.0", "[[task]]"),
        ("[[fault]]\naction = \"pass\"\ndate = \"soon\"", "is no date"),
        ("[clock]\noffset = \"late\"", "`late`"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let error = Scenario::load(file.path()).unwrap_err();
        assert!(error.contains(section), "{text}: {error}");
    }
}

#[test]
fn an_error_may_be_xml_and_ask_to_be_left_alone() {
    let mut caller = Caller::new(
        "[answers]\nxml_errors = true\n[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"A<B&C\"\n\
        retry_after = \"3s\"",
    );
    let call = caller.preload("vod.example.com/a");
    let sent = caller.hand_over(&call);
    assert!(sent.body.contains("<Code>A&lt;B&amp;C</Code>") && sent.kind.starts_with("text/xml"), "{sent:?}");
    assert_eq!(sent.retry_after, std::time::Duration::from_secs(3));
    let call = caller.preload("vod.example.com/b");
    let accepted = caller.hand_over(&call);
    assert!(accepted.body.starts_with('{') && accepted.retry_after.is_zero(), "{accepted:?}");
}
