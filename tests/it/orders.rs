//! What operators ask for, with a daemon and without: retry, cancel, prioritize, pause, resume.

use std::process::Output;

use crate::support::{World, said, urls};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command that has to succeed, and gives what it said.
fn done(world: &World, args: &[&str]) -> String {
    let output = world.run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    text(&output)
}

/// A daemon that was paused before it got its first file.
fn paused(world: &World) -> crate::support::Process {
    let daemon = world.ready_daemon();
    done(world, &["pause", "--reason", "the origin is \u{1b}[31mdown"]);
    world.waits_for("prefetchd resume");
    daemon
}

#[test]
fn a_pause_stops_a_running_daemon_survives_a_restart_and_says_why() {
    let world = World::new("", "");
    let daemon = paused(&world);
    world.drop_file("film.txt", urls("a", 10));
    world.wait_for("select pending from v_status", 10);
    world.stop(daemon);
    let daemon = world.daemon();
    world.wait("the daemon to be back", || world.count_log("ready version") == 2);
    world.waits_for("the origin is");
    assert_eq!(world.rows("select paused_code, waiting_code from v_status"), [["stopped", "stopped"]]);
    let status = world.run(&["status"]);
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    assert!(
        text(&status).contains("$ prefetchd resume") && text(&status).contains("\\u{1b}[31mdown"),
        "{}",
        said(&status)
    );
    assert!(world.preloads().is_empty(), "{:?}", world.preloads());
    assert!(done(&world, &["resume"]).starts_with("resumed"));
    world.wait_for("select submitted from v_status", 10);
    world.wait_for("select paused_why is null from v_status", 1);
    assert!(done(&world, &["resume"]).starts_with("it was not paused"));
    let orders = world.rows("select command, what from v_orders order by order_id");
    assert_eq!(orders, [["pause", "the origin is \u{1b}[31mdown"], ["resume", ""]]);
    world.stop(daemon);
    world.assert_all_accepted_once(10);
}

#[test]
fn what_was_cancelled_can_be_retried_and_prioritized_and_the_counters_stay_right() {
    let world = World::new("", "");
    let daemon = paused(&world);
    world.drop_file("film.txt", format!("#: label = 首映\n{}", urls("a", 30)));
    world.drop_file("other.txt", urls("b", 20));
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);

    assert!(done(&world, &["cancel", "--file", "film.txt", "--dry-run"]).contains("30 URLs would be cancelled"));
    assert_eq!(world.number("select pending from v_status"), 50);
    assert!(done(&world, &["cancel", "--file", "film.txt"]).contains("30 URLs are cancelled"));
    world.assert_books_agree();
    assert_eq!(world.number("select cancelled from v_files where name = 'film.txt'"), 30);
    world.wait_for("select finished_at is not null from v_files where name = 'film.txt'", 1);

    // Without a daemon, too.
    world.stop(daemon);
    let one = "https://VOD.example.com/a/seg-000003.ts#t=4";
    assert!(done(&world, &["retry", one]).contains("1 URL goes back into the queue"));
    assert!(done(&world, &["retry", "--label", "首映", "--state", "cancelled"]).contains("29 URLs go back"));
    world.assert_books_agree();
    assert_eq!(world.number("select finished_at is null from v_files where name = 'film.txt'"), 1);
    assert_eq!(world.run(&["retry", "--label", "首映"]).status.code(), Some(65));

    let json = done(&world, &["prioritize", "--label", "首映", "--host", "vod.example.com", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["urls"], &json["what"]), (&30.into(), &"label 首映, host vod.example.com".into()));
    assert_eq!(world.number("select count(*) from v_urls where priority = 'urgent' and file = 'film.txt'"), 30);
    done(&world, &["prioritize", "--file", "other.txt", "--priority", "low"]);
    assert_eq!(world.number("select count(*) from v_files where name = 'other.txt' and priority = 'low'"), 1);
    world.assert_books_agree();

    let _daemon = world.daemon();
    world.wait("the daemon to be back", || world.count_log("ready version") == 2);
    done(&world, &["resume"]);
    world.wait_for("select submitted from v_status", 50);
    world.assert_all_accepted_once(50);
    world.assert_books_agree();
    let orders =
        "select command || ' ' || what || ' ' || rows from v_orders where command in ('cancel', 'retry', 'prioritize')";
    assert_eq!(
        world.rows(&format!("{orders} order by order_id")).concat(),
        [
            "cancel file film.txt 30",
            "retry url https://vod.example.com/a/seg-000003.ts 1",
            "retry label 首映, state cancelled 29",
            "retry label 首映 0",
            "prioritize label 首映, host vod.example.com, to urgent 30",
            "prioritize file other.txt, to low 20",
        ]
    );
    assert_eq!(world.number("select count(*) from v_orders where who = '' or at is null"), 0);
}

#[test]
fn a_url_that_was_queued_again_is_not_queued_twice_by_a_retry() {
    let world = World::new("", "");
    let daemon = paused(&world);
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select pending from v_status", 5);
    done(&world, &["cancel", "--file", "film.txt"]);
    world.drop_file("again.txt", urls("a", 3));
    world.wait_for("select count(*) from v_files where name = 'again.txt' and queued = 3", 1);
    assert!(done(&world, &["retry", "--file", "film.txt", "--dry-run"]).contains(" 2 URLs would"));
    let said_so = done(&world, &["retry", "--file", "film.txt"]);
    assert!(said_so.contains(" 2 URLs go back") && said_so.contains("3 are left alone"), "{said_so}");
    assert_eq!(world.number("select count(*) - count(distinct url) from v_urls where state = 'pending'"), 0);
    // Cancelled twice, retried once.
    done(&world, &["cancel", "--state", "pending"]);
    assert_eq!(world.number("select cancelled from v_status"), 8);
    assert!(done(&world, &["retry", "--state", "cancelled"]).contains(" 5 URLs go back"));
    assert_eq!(world.number("select count(*) - count(distinct url) from v_urls where state = 'pending'"), 0);
    world.assert_books_agree();
    done(&world, &["resume"]);
    world.wait_for("select submitted from v_status", 5);
    // What is submitted is live, too.
    assert_eq!(world.run(&["retry", "--state", "cancelled"]).status.code(), Some(65));
    world.stop(daemon);
    world.assert_all_accepted(5);
    world.assert_books_agree();
}

#[test]
fn what_is_in_a_batch_cannot_be_cancelled_and_that_is_said() {
    let world = World::new("[[fault]]\naction = \"delay\"\ndelay = \"30s\"", "[schedule]\nbatch_urls_max = 10");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 25));
    world.wait_for("select leased from v_status", 10);
    let said_so = done(&world, &["cancel", "--file", "film.txt"]);
    assert!(said_so.contains("15 URLs are cancelled") && said_so.contains("10 are in a batch now"), "{said_so}");
    world.assert_books_agree();
    let output = world.run(&["cancel", "https://vod.example.com/a/seg-000000.ts"]);
    assert_eq!(output.status.code(), Some(65), "{}", said(&output));
    assert!(said(&output).contains("1 is in a batch now"), "{}", said(&output));
}

#[test]
fn failed_expired_and_held_urls_go_again_when_the_operator_says_so() {
    let fault = "[[fault]]\nurl_contains = \"/a/seg-000003.ts\"\ntimes = 8\naction = \"error\"\n\
        code = \"InvalidObjectPath.Malformed\"";
    let world = World::new(&format!("[tasks]\nspeed = 1e6\n{fault}"), "[track]\nfirst_after = \"1s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 8));
    let passed = chrono::Utc::now() - chrono::TimeDelta::minutes(1);
    world.drop_file("late.txt", format!("#: deadline = {}\n{}", passed.to_rfc3339(), urls("b", 4)));
    world.wait_for("select failed from v_status", 1);
    world.wait_for("select expired from v_status", 4);
    world.wait_for("select finished_at is not null from v_files where name = 'late.txt'", 1);
    assert!(done(&world, &["retry", "--host", "vod.example.com"]).contains("5 URLs go back"));
    // The deadline that had passed is dropped, else they would expire again.
    world.wait_for("select complete from v_files where name = 'late.txt'", 4);
    world.wait_for("select pending + leased + submitted from v_status", 0);
    world.wait_for("select finished_at is not null from v_files where name = 'late.txt'", 1);
    world.wait("the receipt to say how it ended", || {
        std::fs::read_to_string(world.spool("done").join("late.txt.receipt.json")).is_ok_and(|receipt| {
            let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap_or_default();
            receipt["urls"]["complete"] == 4
        })
    });
    world.assert_books_agree();
}

#[test]
fn an_order_that_names_nothing_or_takes_no_such_state_is_wrong_usage() {
    let world = World::new("", "");
    for args in [
        &["cancel"][..],
        &["retry", "--state", "submitted"],
        &["prioritize", "--file", "x", "--priority", "highest"],
        &["cancel", "--state", "gone"],
    ] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", said(&output));
    }
    assert_eq!(world.run(&["cancel", "--file", "x"]).status.code(), Some(69));
    assert_eq!(world.run(&["pause"]).status.code(), Some(69));
    assert!(!world.database().exists());
}

#[test]
fn a_cancel_that_is_killed_in_the_middle_says_how_far_it_got() {
    let world = World::new("", "");
    let daemon = paused(&world);
    world.drop_file("film.txt", urls("a", 40_000));
    world.wait_for("select pending from v_status", 40_000);
    world.stop(daemon);
    let cancel = World::spawn(&mut world.command(&["cancel", "--file", "film.txt"]));
    world.wait_for("select count(*) from v_orders where command = 'cancel' and rows > 0", 1);
    cancel.kill();
    let cancelled = world.number("select cancelled from v_status");
    // Whole transactions of two thousand.
    assert!(cancelled > 0 && cancelled % 2_000 == 0, "{cancelled}");
    assert_eq!(world.number("select rows from v_orders where command = 'cancel'"), cancelled);
    world.assert_books_agree();
    if cancelled < 40_000 {
        done(&world, &["cancel", "--file", "film.txt"]);
    }
    assert_eq!(world.number("select sum(rows) from v_orders where command = 'cancel'"), 40_000);
    world.assert_books_agree();
}
