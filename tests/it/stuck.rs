//! A service of which one part fails for good: everything else goes on, and status says what is waited for.

use crate::support::{World, said, urls};

/// The first batch is performed and its answer is lost; no look for its tasks is answered with tasks.
fn where_tasks_cannot_be_asked_for(fault: &str) -> World {
    let scenario = format!(
        "[[fault]]\ncalls = [1]\naction = \"drop_after\"\n\
         [[fault]]\noperation = \"DescribeVodRefreshTasks\"\n{fault}"
    );
    let world = World::new(&scenario, "[budget]\nin_doubt_wait = \"8s\"\n[api]\ntimeout = \"2s\"");
    world.drop_settled("film.txt", urls("a", 5));
    world
}

#[test]
fn a_batch_in_doubt_stops_no_other_while_tasks_cannot_be_asked_for() {
    for fault in [
        "action = \"html\"\nstatus = 502",
        "action = \"error\"\ncode = \"InternalError\"\nstatus = 500",
        "action = \"error\"\ncode = \"Throttling.User\"",
        "action = \"drop_before\"",
    ] {
        let world = where_tasks_cannot_be_asked_for(fault);
        let _daemon = world.ready_daemon();
        world.wait("a look to have failed", || {
            world.account().calls.iter().any(|call| call.operation == "DescribeVodRefreshTasks")
        });
        world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("b", 4)));
        world.wait_for("select submitted from v_files where name = 'urgent.txt'", 4);
        // The looking ends after in_doubt_wait, whoever answers what.
        world.wait_for("select possible_doubles from v_status", 5);
        world.wait_for("select submitted from v_status", 9);
        let first = "select max(opened_at) < (select closed_at from v_submissions where submission_id = 1)
                     from v_submissions where submission_id = 2";
        assert_eq!(world.number(first), 1, "{fault}: others went while it was in doubt\n{}", world.log());
        assert_eq!(world.number("select backoff_failures from account"), 0, "{fault}");
        world.assert_books_agree();
    }
}

#[test]
fn a_batch_that_something_on_the_way_cuts_each_time_stops_no_other() {
    let scenario = "[[fault]]\nurl_contains = \"/odd/\"\naction = \"drop_before\"";
    let world = World::new(scenario, "");
    world.drop_settled("odd.txt", urls("odd", 1));
    let _daemon = world.ready_daemon();
    world.wait("some copies to be lost", || world.try_number("select sends from v_submissions") >= Some(4));
    assert!(world.number("select backoff_failures from account") <= 1, "{}", world.log());
    world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("b", 4)));
    world.wait_for("select submitted from v_files where name = 'urgent.txt'", 4);
    assert_eq!(world.number("select in_doubt from v_status"), 1);
}

#[test]
fn a_question_about_the_quota_that_always_fails_does_not_stop_sending() {
    for fault in ["action = \"error\"\ncode = \"InternalError\"\nstatus = 500", "action = \"drop_before\""] {
        let scenario = format!("[[fault]]\noperation = \"DescribeVodRefreshQuota\"\n{fault}");
        let world = World::new(&scenario, "[api]\ntimeout = \"2s\"\n[retry]\nbackoff_max = \"4s\"");
        world.drop_settled("film.txt", urls("a", 5));
        let _daemon = world.ready_daemon();
        world.wait_for("select submitted from v_status", 5);
        let status = world.run(&["status"]);
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(text.contains("does not tell what is left"), "{}", said(&status));
    }
}

#[test]
fn a_quota_that_is_said_to_be_used_up_while_plenty_is_left_is_tried_again() {
    let fault = "calls = [1, 2]\naction = \"error\"\ncode = \"QuotaExceeded.Refresh\"";
    let world = World::new(&format!("[[fault]]\n{fault}"), "");
    world.drop_settled("film.txt", urls("a", 1));
    let _daemon = world.daemon();
    world.wait("the service to refuse it for the quota", || {
        world.try_number("select count(*) from v_submissions where outcome = 'quota_used_up'") >= Some(1)
    });
    world.wait_for("select submitted from v_status", 1);
    assert_eq!(world.number("select count(*) from v_budget where exhausted_why is not null"), 0);
    assert_eq!(world.number("select count(*) from v_urls where reason is not null"), 0, "it was accepted after all");
    world.assert_books_agree();
}
