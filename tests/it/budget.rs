//! Never overspent, to the last request spent.

use crate::support::{World, said, urls};

#[test]
fn a_day_of_500_requests_is_spent_to_the_last_and_not_exceeded_across_restarts() {
    let scenario = "[quota]\nper_day = 100000\n[limits]\ncalls_per_second = 100000";
    let config = "[api]\nrequests_per_second = 100\n[schedule]\nbatch_urls_max = 1\nlinger = \"0s\"";
    let world = World::new(scenario, config);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 520));
    world.wait("a part of the day to be spent", || world.number("select count(*) from v_submissions") > 150);
    daemon.kill();
    let daemon = world.daemon();
    world.wait_for("select requests_used from v_budget", 500);
    world.wait("it to say why it waits", || {
        world.rows("select coalesce(waiting_for, '') from v_status")[0][0]
            .contains("all 500 requests of this one are spent")
    });
    assert_eq!(world.rows("select waiting_until from v_status"), world.rows("select day_ends_at from v_budget"));
    world.stop(daemon);
    // Once more: what is spent stays spent.
    let daemon = world.daemon();
    world.wait("the third daemon to be ready", || world.count_log("ready version") == 3);
    world.wait("it to wait too", || world.rows("select waiting_until from v_status")[0][0].len() > 10);
    world.stop(daemon);

    world.assert_books_agree();
    assert_eq!(world.number("select sum(cost) from v_submissions"), 500);
    // At most the one call that was killed may have been charged and not have arrived.
    let seen = world.requests_seen();
    assert!((499..=500).contains(&seen), "the server saw {seen} requests");
    assert!(world.number("select pending from v_status") >= 20);
}

#[test]
fn what_never_reached_the_operation_is_given_back() {
    let scenario = r#"
        [[fault]]
        calls = [1, 2]
        action = "error"
        code = "Throttling.User"
        [[fault]]
        calls = [3]
        action = "error"
        code = "ServiceUnavailable"
    "#;
    let world = World::new(scenario, "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    assert_eq!(
        world.rows("select outcome, cost from v_submissions order by submission_id"),
        [["throttled", "0"], ["throttled", "0"], ["accepted", "1"]]
    );
    assert_eq!(world.rows("select requests_used, urls_used from v_budget"), [["1", "5"]]);
    // Throttling was no attempt of the URLs.
    assert_eq!(world.rows("select distinct attempts from v_urls"), [["1"]]);
    world.assert_books_agree();
}

#[test]
fn nothing_is_charged_while_the_service_cannot_be_reached() {
    let mut world = World::new("", "[budget]\nurls_per_day = \"unlimited\"\n[retry]\nbackoff_max = \"2s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    world.stop_sandbox();
    world.drop_file("film.txt", urls("b", 5));
    world.wait_for("select count(*) from v_submissions where outcome = 'unreachable'", 1);
    world.waits_for("could not be reached");
    // The next try may be on its way: it is charged until it is known not to have arrived.
    let used = "select distinct requests_used, urls_used from v_budget";
    world.wait("what was charged to be given back", || world.rows(used) == [["1", "5"]]);
    world.start_sandbox();
    world.wait_for("select submitted from v_status", 10);
    assert_eq!(world.rows("select distinct requests_used, urls_used from v_budget"), [["2", "10"]]);
    world.assert_books_agree();
}

#[test]
fn urls_per_day_is_a_cap_too() {
    let world = World::new("", "[budget]\nurls_per_day = 25\n[schedule]\nbatch_urls_max = 10");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 40));
    world.wait_for("select urls_used from v_budget", 25);
    world.waits_for("all 25 URLs");
    assert_eq!(world.rows("select urls from v_submissions"), [["10"], ["10"], ["5"]]);
    world.assert_books_agree();
}

#[test]
fn the_services_word_that_the_quota_is_used_up_ends_the_day() {
    // Only its own count holds, and the service has less than that.
    let world =
        World::new("[quota]\nper_day = 2", "[budget]\nurls_per_day = \"unlimited\"\n[schedule]\nbatch_urls_max = 10");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 100));
    world.waits_for("QuotaExceeded.Preload");
    assert_eq!(world.rows("select submitted, pending from v_status"), [["20", "80"]]);
    drop(daemon);
    // A restart does not ask again.
    let _daemon = world.daemon();
    world.wait("the second daemon to be ready", || world.count_log("ready version") == 2);
    world.drop_file("more.txt", urls("b", 1));
    world.wait_for("select pending from v_status", 81);
    assert_eq!(world.preloads().len(), 3);
    world.assert_books_agree();
}

#[test]
fn a_changed_start_of_the_day_opens_no_second_budget() {
    let config = |starts: &str| {
        format!("[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\nday_starts = \"{starts}\"\n")
    };
    // A day that has a later name at any time of the day.
    let (before, after) = ("00:00-12:00", "00:00+14:00");
    let world = World::new("", &config(before));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.configure(&config(after));
    let pid = rustix::process::Pid::from_raw(daemon.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    world.wait("the reload", || world.count_log("reloaded: ") == 1);
    world.drop_file("next.txt", urls("b", 3));
    world.wait("it to say from when it holds", || world.count_log("day_starts was changed") == 1);
    let waits =
        "select count(*) from v_status where pending = 3 and waiting_for like '%requests of this one are spent%'";
    world.wait_for(waits, 1);
    let shown = said(&world.run(&["status"]));
    assert!(shown.contains("day_starts was changed and holds from"), "{shown}");
    world.stop(daemon);
    // A restart is no way round it.
    let daemon = world.daemon();
    world.wait("the second daemon to be ready", || world.count_log("ready version") == 2);
    world.wait_for(waits, 1);
    assert_eq!(world.preloads().len(), 1);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn a_limit_that_is_configured_anew_stands_in_the_ledger_at_once() {
    let config = |limit: u32| format!("[budget]\nrequests_per_day = {limit}\n");
    let world = World::new("", &config(10));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    for limit in [1, 20] {
        world.configure(&config(limit));
        let pid = rustix::process::Pid::from_raw(daemon.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        world.wait_for("select requests_limit from v_budget", i64::from(limit));
    }
    world.stop(daemon);
}
