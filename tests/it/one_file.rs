//! `prefetchd status FILE`: everything of one file.

use serde_json::Value;

use crate::support::{World, said, urls};

const FAST: &str = "[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"\ncalls_per_second = 100\n";

fn page(world: &World, args: &[&str], code: i32) -> String {
    let output = world.run(&[&["status"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    // Lines that were broken are one again.
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_file_tells_how_it_was_read_what_was_refused_and_what_failed_with_the_services_words() {
    let scenario = "[tasks]\ntakes = \"1s\"\nfailing = [\"/bad/\"]\n[quota]\nper_day = 5000";
    let world = World::new(scenario, &format!("{FAST}retry_failed = 0\n"));
    let _daemon = world.ready_daemon();
    let head = "#: label = 首映\n#: priority = high\n# priority = urgent\nno url here\n";
    world.drop_file("film.txt", format!("{head}https://vod.example.com/bad/x.ts\n{}", urls("a", 4)));
    assert_eq!(world.run(&["wait", "film.txt"]).status.code(), Some(1));
    let text = page(&world, &["film.txt"], 1);
    has(
        &text,
        &[
            "file film.txt (times are UTC+8)",
            "is 4 of 5 URLs are warm, and nothing more will be by itself",
            "read as text, utf-8",
            "asks for priority high, label 首映",
            "lines 6: 5 queued, 1 refused",
            "line 4: ",
            ": no url here",
            "film.txt.refused.tsv",
            "warning line 3: a comment looks like a directive",
            "urls 4 warm, 1 failed",
            "failed 1: it failed at the origin: Origin Return StatusCode 5XX",
            "line 5: https://vod.example.com/bad/x.ts",
            "the service: RequestId",
            "$ prefetchd retry --file film.txt",
        ],
    );
    has(&page(&world, &["film.txt", "--line", "6"], 1), &["line 6 complete", "task ", "a/seg-000000.ts"]);
    has(&page(&world, &["film.txt", "--line", "4"], 1), &["line 4 refused: ", "no url here"]);
    has(&page(&world, &["film.txt", "--line", "1"], 1), &["line 1 none: it queued no URL"]);
    let json = world.run(&["status", "film.txt", "--json", "--line", "5"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["line"]["state"].as_str(), json["failures"].as_array().unwrap().len()), (Some("failed"), 1));
    assert_eq!(json["refused_lines"][0]["text"], "no url here");
    // A line whose URL was there already.
    world.drop_file("again.txt", urls("a", 1));
    world.wait_for("select fresh from v_files where name = 'again.txt' and progress = 'done'", 1);
    has(&page(&world, &["again.txt"], 0), &["its URL is warm", "lines 1: 1 warm lately"]);
}

#[test]
fn a_name_finds_its_latest_file_the_others_are_listed_and_a_part_of_it_lists_what_may_be_meant() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    world.drop_file("film.txt", urls("b", 4));
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    world.drop_file("sheet.txt", "%PDF-1.7\n");
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 1);
    has(&page(&world, &["film.txt"], 0), &["lines 4: 4 queued", "before dropped ", "3 lines: `--id 1` shows it"]);
    has(&page(&world, &["--id", "1"], 0), &["lines 3: 3 queued"]);
    has(&page(&world, &["some/where/film.txt"], 0), &["lines 4: 4 queued"]);
    has(&page(&world, &["sheet.txt"], 1), &["is rejected: it is a document (PDF): save the URLs as plain text"]);
    let output = world.run(&["status", "FIL"]);
    assert_eq!(output.status.code(), Some(66), "{}", said(&output));
    has(&said(&output), &["no file `FIL` was dropped", "film.txt  (--id 2, 4 lines", "film.txt  (--id 1, 3 lines"]);
    assert_eq!(world.run(&["status", "--id", "99"]).status.code(), Some(66));
    assert_eq!(world.run(&["status", "--line", "9"]).status.code(), Some(64));
    world.stop(daemon);
    world.drop_file("new.txt", urls("c", 1));
    has(&page(&world, &["new.txt"], 1), &["new.txt lies in", "it has not been taken yet"]);
}

#[test]
fn what_is_pending_has_a_forecast_and_its_deadline_is_told() {
    let world = World::new("[quota]\nper_day = 5000", "");
    let _daemon = world.ready_daemon();
    assert_eq!(world.run(&["pause"]).status.code(), Some(0));
    world.drop_file("film.txt", format!("#: deadline = 2099-12-31T20:00:00+08:00\n{}", urls("a", 3)));
    world.wait_for("select pending from v_status", 3);
    has(&page(&world, &["film.txt"], 0), &["urls 3 pending", "deadline 2099-12-31 20:00", "$ prefetchd wait film.txt"]);
}
