//! What each file wants of a URL that several files name.

use std::process::Output;

use crate::support::{Process, World, said, urls};

fn done(world: &World, args: &[&str]) -> String {
    let output: Output = world.run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A daemon that was paused before it got these files, which are queued one after another.
fn queued(world: &World, files: &[(&str, &str)]) -> Process {
    let daemon = world.ready_daemon();
    done(world, &["pause"]);
    world.waits_for("prefetchd resume");
    for (name, content) in files {
        world.drop_file(name, content);
        world.wait_for(&format!("select count(*) from v_files where name = '{name}' and progress = 'done'"), 1);
    }
    daemon
}

const ONE: &str = "https://vod.example.com/film/a.ts\n";

fn with(directives: &str) -> String {
    format!("{directives}{ONE}")
}

/// Priority and deadline that the one URL goes by, and its state.
fn url(world: &World) -> Vec<String> {
    world.rows("select priority, coalesce(deadline, ''), state from v_urls order by url_id desc limit 1").remove(0)
}

#[test]
fn a_cancel_of_the_first_file_leaves_the_url_to_the_urgent_second_and_a_second_cancel_ends_it() {
    let world = World::new("", "");
    let daemon = queued(&world, &[("a.txt", ONE), ("b.txt", &with("#: priority = urgent\n"))]);
    assert_eq!(url(&world), ["urgent", "", "pending"]);
    assert!(done(&world, &["cancel", "--file", "a.txt", "--dry-run"]).contains("1 URL would"));
    done(&world, &["cancel", "--file", "a.txt"]);
    assert_eq!(url(&world), ["urgent", "", "pending"]);
    let wishes = "select file, line, priority, state, came from v_wishes order by file";
    assert_eq!(
        world.rows(wishes),
        [["a.txt", "1", "normal", "cancelled", "first"], ["b.txt", "2", "urgent", "pending", "merged"]]
    );
    world.assert_books_agree();
    // Twice changes nothing.
    assert_eq!(world.run(&["cancel", "--file", "a.txt"]).status.code(), Some(65));
    done(&world, &["cancel", "--file", "b.txt"]);
    assert_eq!(url(&world), ["urgent", "", "cancelled"]);
    assert_eq!(world.number("select merged_cancelled from v_files where name = 'b.txt'"), 1);
    world.assert_books_agree();
    // Whoever asks for it again gets their own wish back, and no other.
    done(&world, &["retry", "--file", "a.txt"]);
    assert_eq!(url(&world), ["normal", "", "pending"]);
    done(&world, &["resume"]);
    world.wait_for("select submitted from v_status", 1);
    assert_eq!(world.rows(wishes)[1][3], "cancelled");
    world.stop(daemon);
    world.assert_books_agree();
    world.assert_all_accepted(1);
}

#[test]
fn a_cancel_of_the_second_file_leaves_the_url_to_the_first() {
    let world = World::new("", "");
    let _daemon = queued(&world, &[("a.txt", &with("#: priority = low\n")), ("b.txt", ONE)]);
    assert_eq!(url(&world), ["normal", "", "pending"]);
    done(&world, &["cancel", "--file", "b.txt"]);
    assert_eq!(url(&world), ["low", "", "pending"]);
    done(&world, &["cancel", "--file", "a.txt"]);
    assert_eq!(url(&world), ["low", "", "cancelled"]);
    world.assert_books_agree();
}

#[test]
fn a_deadline_ends_the_wish_of_its_file_alone() {
    let world = World::new("", "");
    // One has passed when it is read: nothing has to be waited for.
    let over = with("#: deadline = 2020-01-01T00:00:00Z\n#: priority = urgent\n");
    let _daemon = queued(&world, &[("a.txt", ONE), ("b.txt", &over)]);
    world.wait_for("select merged_expired from v_files where name = 'b.txt'", 1);
    assert_eq!(url(&world), ["normal", "", "pending"]);
    world.assert_books_agree();
    // An earlier deadline of equal priority counts, and a file with none is not bound by it.
    world.drop_file("c.txt", with("#: deadline = 2098-01-01T00:00:00Z\n"));
    world.wait_for("select merged_pending from v_files where name = 'c.txt'", 1);
    assert_eq!(url(&world), ["normal", "2098-01-01T00:00:00.000Z", "pending"]);
    done(&world, &["cancel", "--file", "c.txt"]);
    assert_eq!(url(&world), ["normal", "", "pending"]);
    world.assert_books_agree();
}

#[test]
fn a_wish_for_later_counts_only_then_and_one_for_now_does_not_wait_for_it() {
    let world = World::new("", "");
    let later = with("#: priority = urgent\n#: not_before = 2097-01-01T00:00:00Z\n");
    let _daemon = queued(&world, &[("a.txt", &later), ("b.txt", &with("#: priority = low\n"))]);
    assert_eq!(world.rows("select priority, not_before from v_urls"), [["low", ""]]);
    done(&world, &["cancel", "--file", "b.txt"]);
    assert_eq!(world.rows("select priority, not_before from v_urls"), [["urgent", "2097-01-01T00:00:00.000Z"]]);
    world.assert_books_agree();
}

#[test]
fn a_file_is_prioritized_by_its_own_wishes() {
    let world = World::new("", "");
    let _daemon = queued(&world, &[("a.txt", ONE), ("b.txt", &with("#: priority = low\n"))]);
    done(&world, &["prioritize", "--file", "b.txt", "--priority", "urgent"]);
    assert_eq!(url(&world), ["urgent", "", "pending"]);
    done(&world, &["prioritize", "--file", "b.txt", "--priority", "low"]);
    assert_eq!(url(&world), ["normal", "", "pending"]);
    world.assert_books_agree();
}

#[test]
fn a_merged_url_that_failed_goes_again_with_all_its_lines() {
    let world = World::new("[[fault]]\naction = \"error\"\ncode = \"InvalidObjectPath.Malformed\"\ntimes = 1", "");
    let daemon = queued(&world, &[("a.txt", ONE), ("b.txt", &with("#: priority = high\n"))]);
    done(&world, &["resume"]);
    world.wait_for("select failed from v_status", 1);
    assert_eq!(world.number("select merged_failed from v_files where name = 'b.txt'"), 1);
    world.wait_for("select count(*) from v_files where finished_at is not null", 2);
    world.assert_books_agree();
    assert!(done(&world, &["retry", "--file", "b.txt"]).contains("1 URL goes back"));
    world.wait_for("select submitted from v_status", 1);
    assert_eq!(world.number("select merged_submitted from v_files where name = 'b.txt'"), 1);
    assert_eq!(world.number("select count(*) from v_files where finished_at is null"), 2);
    world.stop(daemon);
    world.assert_books_agree();
}

#[test]
fn three_files_with_the_same_thousand_urls_send_each_once_and_all_three_finish() {
    let world = World::new(
        "[tasks]\nspeed = 600.0\n[quota]\nper_day = 5000",
        "[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"\ncalls_per_second = 100\n",
    );
    let list = urls("film", 1000);
    let daemon = queued(&world, &[("a.txt", &list), ("b.txt", &list), ("c.txt", &list)]);
    assert_eq!(world.number("select count(*) from v_wishes"), 3000);
    assert_eq!(world.number("select sum(merged_pending) from v_files"), 2000);
    done(&world, &["cancel", "--file", "a.txt"]);
    assert_eq!(world.number("select pending from v_status"), 1000);
    done(&world, &["resume"]);
    world.wait_for("select count(*) from v_files where finished_at is not null", 3);
    assert_eq!(
        world.rows("select state, count(*) from v_wishes where came = 'merged' group by state"),
        [["complete", "2000"]]
    );
    world.stop(daemon);
    world.assert_books_agree();
    world.assert_all_accepted(1000);
}

#[test]
fn after_its_cancel_a_file_is_finished_and_counts_its_lines_as_cancelled_whoever_keeps_their_urls() {
    let world = World::new("", "");
    let daemon = queued(&world, &[("a.txt", ONE), ("b.txt", ONE)]);
    done(&world, &["cancel", "--file", "a.txt"]);
    let of = |name: &str| {
        let columns =
            "queued, pending, submitted, cancelled, merged_pending, merged_submitted, finished_at is not null";
        world.rows(&format!("select {columns} from v_files where name = '{name}'")).remove(0)
    };
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    assert_eq!(of("a.txt"), ["1", "0", "0", "1", "0", "0", "1"]);
    assert_eq!(of("b.txt"), ["0", "0", "0", "0", "1", "0", "0"]);
    world.assert_books_agree();
    done(&world, &["resume"]);
    world.wait_for("select submitted from v_status", 1);
    assert_eq!(of("a.txt"), ["1", "0", "0", "1", "0", "0", "1"]);
    assert_eq!(of("b.txt")[4..6], ["0", "1"]);
    let receipt = || std::fs::read_to_string(world.spool("done").join("a.txt.receipt.json")).unwrap();
    world.wait("the last receipt", || receipt().contains("\"cancelled\": 1"));
    world.stop(daemon);
    world.assert_books_agree();
}

#[test]
fn a_line_that_was_cancelled_and_is_asked_for_again_follows_its_url_again() {
    let world = World::new("", "");
    let daemon = queued(&world, &[("a.txt", ONE), ("b.txt", ONE)]);
    done(&world, &["cancel", "--file", "a.txt"]);
    assert!(done(&world, &["retry", "--file", "a.txt"]).contains("1 URL goes back"));
    assert_eq!(world.rows("select pending, cancelled from v_files where name = 'a.txt'"), [["1", "0"]]);
    world.assert_books_agree();
    // Both end; then only the second comes back, and the row with it.
    done(&world, &["cancel", "--file", "a.txt"]);
    done(&world, &["cancel", "--file", "b.txt"]);
    world.assert_books_agree();
    done(&world, &["retry", "--file", "b.txt"]);
    assert_eq!(world.rows("select pending, cancelled from v_files where name = 'a.txt'"), [["0", "1"]]);
    assert_eq!(world.rows("select merged_pending, merged_cancelled from v_files where name = 'b.txt'"), [["1", "0"]]);
    world.assert_books_agree();
    done(&world, &["resume"]);
    world.wait_for("select submitted from v_status", 1);
    world.stop(daemon);
    world.assert_books_agree();
}

#[test]
fn lists_forecast_and_receipts_know_merged_lines() {
    let world = World::new("[tasks]\nspeed = 1e6", "[schedule]\nlinger = \"0s\"\n[track]\nfirst_after = \"1s\"\n");
    let list = urls("film", 3);
    let _daemon = queued(&world, &[("a.txt", &list), ("b.txt", &format!("#: label = second\n{list}"))]);
    let json = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&done(&world, args)).unwrap() };
    for args in [["b.txt"].as_slice(), &["--label", "second"]] {
        let forecast = json(&[&["forecast", "--json"], args].concat());
        assert_eq!((&forecast["urls"], &forecast["files"][0]["name"]), (&3.into(), &"b.txt".into()), "{forecast}");
        assert_eq!(forecast["files"][0]["urls"], 3);
    }
    let pending = json(&["files", "--state", "pending", "--json"]);
    assert_eq!(pending.as_array().map(Vec::len), Some(2), "{pending}");
    done(&world, &["resume"]);
    world.wait_for("select count(*) from v_files where finished_at is not null", 2);
    for args in [["--file", "a.txt"], ["--file", "b.txt"], ["--label", "second"]] {
        let submissions = json(&[&["submissions", "--json"], args.as_slice()].concat());
        assert_eq!(submissions.as_array().map(Vec::len), Some(1), "{args:?}: {submissions}");
    }
    assert!(done(&world, &["forecast", "b.txt"]).contains("nothing of b.txt waits to be sent: 3 complete"));
    let receipt = || -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(world.spool("done").join("b.txt.receipt.json")).unwrap()).unwrap()
    };
    world.wait("the last receipt", || receipt()["merged_urls"]["complete"] == 3);
    assert_eq!(receipt()["urls"], serde_json::json!({}));
}

#[test]
fn merged_lines_are_found_by_their_file_and_told_of_their_url() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    for (name, count) in [("a.txt", 3), ("b.txt", 2)] {
        world.drop_file(name, urls("film", count));
        world.wait_for(&format!("select count(*) from v_files where name = '{name}' and progress = 'done'"), 1);
    }
    let output = world.run(&["urls", "--file", "b.txt", "--json"]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{}", said(&output));
    let url = world.rows("select url from v_wishes where file = 'b.txt' and line = 2")[0][0].clone();
    let why = said(&world.run(&["why", &url]));
    assert!(why.contains("by b.txt, line 2"), "{why}");
}
