//! Answers that are spelled otherwise than most mean the same, from the first question to the last URL.

use chrono::{TimeDelta, Utc};

use crate::support::{World, urls};

/// The account's wait that is written down, in milliseconds since 1970.
const BACKOFF: &str = "select coalesce(backoff_until, 0) from account";

#[test]
fn an_account_that_answers_in_lower_case_and_numbers_is_prefetched_for_like_any_other() {
    for spelling in ["lower_case = \"all\"", "numbers_swapped = true", "lower_case = \"all\"\nnumbers_swapped = true"] {
        let scenario = format!("[answers]\n{spelling}\n[tasks]\ntakes = \"1s\"");
        let world = World::new(&scenario, "[track]\nfirst_after = \"1s\"\ncalls_per_second = 100");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 30));
        world.wait_for("select complete from v_status", 30);
        assert_eq!(world.number("select count(*) from v_submissions where outcome <> 'accepted'"), 0, "{spelling}");
        assert_eq!(world.number("select count(*) from v_budget where remain is not null"), 1, "{spelling}");
        assert_eq!(world.number("select count(*) from v_hosts where standing = 'good'"), 1, "{spelling}");
        world.assert_books_agree();
    }
}

#[test]
fn an_error_in_xml_means_what_it_means_in_json() {
    let fault = "[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"InvalidObjectPath.Malformed\"";
    let world = World::new(&format!("[answers]\nxml_errors = true\n{fault}"), "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1));
    world.wait_for("select failed from v_status", 1);
    let closed = "select outcome, code, http_status, request_id is not null from v_submissions";
    assert_eq!(world.rows(closed), [["refused", "InvalidObjectPath.Malformed", "400", "1"]]);
    assert!(world.rows("select reason from v_urls")[0][0].contains("InvalidObjectPath.Malformed"));
}

#[test]
fn whoever_is_asked_to_wait_in_milliseconds_waits() {
    for operation in ["PreloadVodObjectCaches", "DescribeVodRefreshQuota"] {
        let fault = "action = \"error\"\ncode = \"Throttling.User\"\nretry_after = \"20m\"";
        let world = World::new(&format!("[[fault]]\noperation = \"{operation}\"\ncalls = [1]\n{fault}"), "");
        let _daemon = world.daemon();
        world.drop_settled("film.txt", urls("a", 3));
        world.wait("the wait to be written down", || world.try_number(BACKOFF).is_some_and(|until| until > 0));
        let asked = Utc::now() + TimeDelta::minutes(20);
        let off = (world.number(BACKOFF) - asked.timestamp_millis()).abs();
        assert!(off < 60_000, "{operation}: it is {off} ms from what was asked for");
    }
}
