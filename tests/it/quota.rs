//! The second meter: what the service says is left, in a unit that has to be learned.

use crate::support::{World, said, urls};

#[test]
fn a_quota_in_urls_is_learned_from_the_first_batch_and_never_passed() {
    let world = World::new("[quota]\nunit = \"urls\"\nper_day = 500", "[schedule]\nbatch_urls_max = 300");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 800));
    world.waits_for("nothing remains of today's 500");
    // 300, then what is left; nothing was refused on the way.
    assert_eq!(world.rows("select urls, outcome from v_submissions"), [["300", "accepted"], ["200", "accepted"]]);
    assert_eq!(world.rows("select unit, quota, drift from v_budget"), [["urls", "500", "0"]]);
    assert_eq!(world.rows("select value from facts where fact = 'batch_urls_accepted'"), [["300"]]);
    let status = world.run(&["status"]);
    assert!(said(&status).contains("200 of 500 left") || said(&status).contains("0 of 500 left"), "{}", said(&status));
    world.assert_books_agree();
}

#[test]
fn until_the_unit_is_known_no_batch_is_larger_than_what_is_left() {
    let world = World::new("[quota]\nunit = \"urls\"\nper_day = 120", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    world.waits_for("nothing remains of today's 120");
    assert_eq!(world.rows("select urls, outcome from v_submissions"), [["120", "accepted"]]);
    assert_eq!(world.requests_seen(), 1);
    world.assert_books_agree();
}

#[test]
fn a_quota_in_requests_is_learned_and_remembered_and_drift_is_shown_once() {
    let world = World::new("[quota]\nper_day = 500\nused = 7", "[schedule]\nbatch_urls_max = 400");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1200));
    world.wait_for("select submitted from v_status", 1200);
    assert_eq!(world.rows("select unit, drift from v_budget"), [["requests", "7"]]);
    assert_eq!(world.count_log("others spend this account's quota too"), 1);
    drop(daemon);
    let _daemon = world.daemon();
    world.drop_file("more.txt", urls("b", 800));
    world.wait_for("select submitted from v_status", 2000);
    assert_eq!(world.count_log("others spend this account's quota too"), 1);
    // What is known is not asked again and again.
    let asked = world.account().calls.iter().filter(|call| call.operation == "DescribeVodRefreshQuota").count();
    assert!(asked <= 3, "asked {asked} times");
    let status: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["budget"]["drift"], 7);
}

#[test]
fn what_colleagues_spend_caps_what_is_sent() {
    let world = World::new("[quota]\nper_day = 500\nused = 497", "[schedule]\nbatch_urls_max = 10\nlinger = \"0s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 100));
    world.waits_for("nothing remains of today's 500");
    // The first batch is no larger than what is left, then the unit is known.
    assert_eq!(
        world.rows("select urls, outcome from v_submissions"),
        [["3", "accepted"], ["10", "accepted"], ["10", "accepted"]]
    );
    assert_eq!(world.requests_seen(), 3, "nothing was sent only to be refused");
}

#[test]
fn without_the_right_to_ask_the_ledger_alone_counts_and_refusals_teach() {
    let world = World::new("[quota]\nunit = \"urls\"\nper_day = 300\nreadable = false", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    // 1000, 500 and 250: the third has room; then what is left of the day is found by halves.
    world.waits_for("QuotaExceeded");
    let accepted = world.number("select submitted from v_status");
    assert_eq!(accepted, 300, "{:?}", world.rows("select urls, outcome from v_submissions"));
    assert!(world.requests_seen() <= 16, "{} requests", world.requests_seen());
    assert_eq!(world.rows("select unit from v_budget"), [["urls"]]);
    world.assert_books_agree();
    drop(daemon);
}

#[test]
fn a_lost_database_does_not_open_a_second_budget() {
    for readable in [true, false] {
        let scenario = format!("[quota]\nper_day = 10\nreadable = {readable}");
        let config = "[budget]\nrequests_per_day = 10\n[schedule]\nbatch_urls_max = 1\nlinger = \"0s\"";
        let world = World::new(&scenario, config);
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 6));
        world.wait_for("select submitted from v_status", 6);
        world.stop(daemon);
        for file in ["prefetchd.db", "prefetchd.db-wal", "prefetchd.db-shm"] {
            let _ = std::fs::remove_file(world.path(file));
        }
        let _daemon = world.daemon();
        world.wait("the second daemon to be ready", || world.count_log("ready version") == 2);
        assert_eq!(world.count_log("it was lost or restored"), 1);
        world.drop_file("more.txt", urls("b", 6));
        if !readable {
            world.waits_for("prefetchd budget confirm");
            assert_eq!(world.preloads().len(), 6);
            let output = world.run(&["status"]);
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            let output = world.run(&["budget", "confirm", "--requests-used", "7"]);
            assert!(said(&output).contains("7 requests count as spent"), "{}", said(&output));
            assert_eq!(world.run(&["budget", "confirm"]).status.code(), Some(65));
            let orders = world.rows("select command, what from v_orders");
            assert!(
                matches!(&orders[..], [order] if order[0] == "budget confirm" && order[1].starts_with("7 requests of "))
            );
        }
        let more = if readable { 4 } else { 3 };
        world.wait_for("select submitted from v_status", more);
        world.wait_for("select requests_used from v_budget", 10);
        world.assert_books_agree();
        assert_eq!(world.requests_seen(), 6 + more.unsigned_abs());
    }
}

/// Six of ten requests are spent, and the database knows two of them and what the service said then.
fn with_an_older_copy(lose_marker: bool) -> (World, crate::support::Process) {
    let world = World::new(
        "[quota]\nper_day = 10",
        "[budget]\nrequests_per_day = 10\n[schedule]\nbatch_urls_max = 1\nlinger = \"0s\"",
    );
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    world.stop(daemon);
    std::fs::copy(world.path("prefetchd.db"), world.path("old.db")).unwrap();
    let daemon = world.daemon();
    world.drop_file("more.txt", urls("b", 4));
    world.wait_for("select submitted from v_status", 6);
    world.stop(daemon);
    for file in ["prefetchd.db-wal", "prefetchd.db-shm"] {
        let _ = std::fs::remove_file(world.path(file));
    }
    std::fs::rename(world.path("old.db"), world.path("prefetchd.db")).unwrap();
    if lose_marker {
        std::fs::remove_file(world.spool(".ledger")).unwrap();
    }
    let daemon = world.daemon();
    (world, daemon)
}

#[test]
fn after_an_older_copy_was_put_back_the_quota_is_asked_for_at_once() {
    for lose_marker in [false, true] {
        let (world, daemon) = with_an_older_copy(lose_marker);
        world.drop_file("last.txt", urls("c", 10));
        world.wait_for("select requests_used from v_budget", 10);
        world.waits_for("all 10 requests");
        assert_eq!(world.requests_seen(), 10, "the marker is lost: {lose_marker}");
        assert_eq!(world.number("select max(submission_id) from v_submissions"), if lose_marker { 6 } else { 10 });
        world.stop(daemon);
    }
}

/// Three of 43 URLs are of domains that the account does not have; a number is configured, so the service is not asked.
#[test]
fn refused_calls_count_against_a_configured_number_of_urls_as_long_as_the_service_may_count_them() {
    let scenario = "[purge]\ncounts_refused = true\n[[fault]]\noperation = \"domains\"\naction = \"error\"\n\
                    code = \"Forbidden.RAM\"\n";
    let config = "[spool]\nactions = [\"prefetch\", \"purge\"]\n[budget.purge]\nurls_per_day = 60\n\
                  [retry]\nbackoff_min = \"1s\"\nbackoff_max = \"1s\"\n";
    let world = World::new(scenario, config);
    let _daemon = world.ready_daemon();
    let unknown: String = (0..3).map(|n| format!("https://unknown{n}.example.com/{n}.ts\n")).collect();
    world.drop_file("some.txt", format!("#: action = purge\n{}{unknown}", urls("a", 40)));
    world.drop_file("more.txt", format!("#: action = purge\n{}", urls("b", 60)));
    let waits = "select count(*) from v_lanes where action = 'purge' and waiting_code = 'urls_spent'
                 and waiting_for like '%refused calls%'";
    world.wait_for(waits, 1);
    let account = world.account();
    for (day, seen) in &account.days {
        assert!(seen.purge.quota_used <= 60, "{day}: the service counted {}", seen.purge.quota_used);
    }
    assert!(
        account.purge.accepted.is_empty() || world.number("select urls_used from v_lanes where action = 'purge'") > 0
    );
}

#[test]
fn a_quota_below_the_configured_limit_is_named_and_nobody_is_blamed_for_it() {
    let config = "[schedule]\nbatch_urls_max = 40\n[budget]\nrequests_per_day = 5000\n";
    let world = World::new("[quota]\nper_day = 100", config);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 120));
    world.wait_for("select submitted + complete from v_status", 120);
    world.wait_for("select count(*) from v_budget where unit = 'requests'", 1);
    let status = said(&world.run(&["status"])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains("quota is smaller than [budget] requests_per_day"), "{status}");
    assert!(!status.contains("others"), "{status}");
}
