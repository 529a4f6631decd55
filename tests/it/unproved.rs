//! Answers that prove nothing about a call: a gateway's page, a failure of the service, JSON without a request ID.

use crate::support::{World, urls};

/// An answer to the first prefetch that leaves open what became of it.
const ANSWERS: [&str; 9] = [
    "action = \"html\"\nstatus = 503",
    "action = \"html\"\nstatus = 404",
    "action = \"html\"\nstatus = 408",
    "action = \"error\"\ncode = \"InternalError\"",
    "action = \"error\"\ncode = \"ServiceUnavailable\"",
    "action = \"error\"\ncode = \"SomethingNew\"\nstatus = 500",
    "action = \"error\"\ncode = \"InvalidObjectPath.Malformed\"\nanonymous = true",
    "action = \"error\"\ncode = \"QuotaExceeded.Refresh\"\nanonymous = true",
    "action = \"error\"\ncode = \"Throttling.User\"\nanonymous = true",
];

fn world(fault: &str) -> World {
    World::new(&format!("[[fault]]\n{fault}"), "[schedule]\nlinger = \"0s\"")
}

#[test]
fn what_was_performed_and_not_answered_for_is_not_sent_again() {
    for answer in ANSWERS
        .iter()
        .map(|answer| format!("{answer}\nperformed = true"))
        .chain(["action = \"pass\"\nanonymous = true".to_owned()])
    {
        let world = world(&format!("calls = [1]\n{answer}"));
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 4));
        world.wait_for("select submitted + complete from v_status", 4);
        assert_eq!(
            world.rows("select outcome, cost, double_urls from v_submissions"),
            [["accepted", "1", "0"]],
            "{answer}"
        );
        world.assert_all_accepted_once(4);
        world.assert_books_agree();
    }
}

#[test]
fn what_was_not_performed_goes_again_as_a_copy_that_costs_nothing() {
    for answer in ANSWERS {
        let world = world(&format!("calls = [1]\n{answer}"));
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 1));
        world.wait_for("select submitted + complete from v_status", 1);
        assert_eq!(world.rows("select outcome, cost, sends from v_submissions"), [["accepted", "1", "2"]], "{answer}");
        world.assert_books_agree();
    }
}

#[test]
fn an_answer_about_tasks_without_a_request_id_ends_no_url() {
    // The tasks are complete at the service; the lie says that there is none, or that they failed.
    let lie = "operation = \"DescribeVodRefreshTasks\"\naction = \"nothing\"\nanonymous = true\ntimes = 3";
    let world = World::new(
        &format!("[tasks]\ntakes = \"1s\"\n[[fault]]\n{lie}"),
        "[schedule]\nlinger = \"0s\"\n[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"",
    );
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 10));
    world.wait_for("select complete from v_status", 10);
    assert!(world.account().accepted.values().all(|times| *times == 1), "{:?}", world.account().accepted);
}

#[test]
fn one_empty_list_of_domains_parks_nothing() {
    for unproved in ["", "anonymous = true"] {
        let world =
            world(&format!("operation = \"DescribeVodUserDomains\"\ncalls = [1]\naction = \"nothing\"\n{unproved}"));
        world.drop_settled("film.txt", urls("a", 4));
        let _daemon = world.daemon();
        world.wait_for("select submitted + complete from v_status", 4);
        assert_eq!(world.number("select parked from v_status"), 0);
    }
}

#[test]
fn two_empty_lists_of_domains_are_believed() {
    let world = world("operation = \"DescribeVodUserDomains\"\naction = \"nothing\"");
    world.drop_settled("film.txt", urls("a", 4));
    let _daemon = world.daemon();
    world.wait_for("select parked from v_status", 4);
    assert!(world.preloads().is_empty());
}
