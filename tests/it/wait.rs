//! `prefetchd wait`: when it ends, with which exit code, and what it says.

use std::process::Output;

use crate::support::{World, said, urls};

/// Tasks that end soon, and a tracker that looks soon.
const QUICK: &str = "[tasks]\ntakes = \"1s\"\n[quota]\nper_day = 5000";
const FAST: &str = "[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"\ncalls_per_second = 100\n";

/// The command ends with this code, and says these things.
fn expect(output: &Output, code: i32, parts: &[&str]) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} are not all in {text}");
}

#[test]
fn a_file_that_is_just_handed_over_is_waited_for_until_it_is_warm() {
    let world = World::new(QUICK, FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: label = 首映\nno url here\n{}", urls("a", 20)));
    let output = world.run(&["wait", "film.txt"]);
    expect(&output, 0, &["film.txt: all 20 URLs are warm", "film.txt: 1 line was refused; it is not waited for"]);
    assert_eq!(world.number("select complete from v_status"), 20);
    // In a pipe progress is lines, on standard error; the verdict alone is on standard output.
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(progress.lines().all(|line| line.starts_with("film.txt: ")) && !progress.contains('\x1b'), "{progress}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    expect(&world.run(&["wait", "--label", "首映", "--timeout", "0"]), 0, &["首映: all 20 URLs are warm"]);
    // The same name again is waited for anew.
    world.drop_file("film.txt", urls("b", 5));
    expect(&world.run(&["wait", "incoming/film.txt"]), 0, &["all 5 URLs are warm"]);
    let json = world.run(&["wait", "film.txt", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["ending"].as_str(), json["progress"]["urls"]["complete"].as_i64()), (Some("reached"), Some(5)));
}

#[test]
fn what_cannot_get_better_ends_with_1_and_says_which() {
    let world = World::new(QUICK, FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("broken.txt", "this is prose\nand so is this\n");
    expect(&world.run(&["wait", "broken.txt"]), 1, &["broken.txt: rejected: none of its 2 lines is a URL"]);
    expect(&world.run(&["pause"]), 0, &[]);
    world.drop_file("film.txt", urls("a", 7));
    world.wait_for("select pending from v_status", 7);
    expect(
        &world.run(&["wait", "film.txt", "--timeout", "1s"]),
        75,
        &["time is up: film.txt: 0 of 7 URLs warm, 7 pending"],
    );
    expect(&world.run(&["cancel", "--file", "film.txt"]), 0, &[]);
    let parts = ["film.txt: 0 of 7 URLs are submitted, and nothing more will be by itself, 7 cancelled"];
    expect(&world.run(&["wait", "film.txt", "--for", "sent"]), 1, &parts);
}

#[test]
fn where_tasks_may_not_be_asked_for_sent_is_reached_and_warm_is_never_known() {
    let world = World::new("[tasks]\nreadable = false\n[quota]\nper_day = 5000", FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    expect(&world.run(&["wait", "film.txt", "--for", "sent"]), 0, &["film.txt: all 3 URLs are submitted"]);
    expect(&world.run(&["wait", "film.txt"]), 1, &["3 were accepted, and this key may not ask"]);
}

#[test]
fn no_file_is_66_and_no_daemon_is_69_unless_all_is_over() {
    let world = World::new(QUICK, FAST);
    expect(&world.run(&["wait", "film.txt"]), 69, &["there is no database"]);
    let daemon = world.ready_daemon();
    expect(&world.run(&["wait", "film.txt"]), 66, &["no file `film.txt` was dropped, and none lies in"]);
    expect(&world.run(&["wait", "--label", "none"]), 66, &["no file or line with the label `none`"]);
    world.drop_file("film.txt", urls("a", 3));
    expect(&world.run(&["wait", "film.txt"]), 0, &[]);
    world.stop(daemon);
    expect(&world.run(&["wait", "film.txt"]), 0, &["all 3 URLs are warm"]);
    world.drop_file("film.txt", urls("b", 3));
    expect(&world.run(&["wait", "film.txt"]), 69, &["film.txt: not taken from incoming/ yet", "no daemon runs"]);
    expect(&world.run(&["wait", "film.txt", "--timeout", "soon"]), 64, &["is no span such as"]);
}

#[test]
fn a_file_with_a_second_link_is_not_waited_for_and_the_reason_is_told() {
    let world = World::new(QUICK, FAST);
    let _daemon = world.ready_daemon();
    std::fs::write(world.path("film.src"), urls("a", 3)).unwrap();
    std::fs::hard_link(world.path("film.src"), world.spool("incoming/film.txt")).unwrap();
    expect(&world.run(&["status", "film.txt"]), 1, &["second hard link"]);
    expect(&world.run(&["wait", "film.txt", "--timeout", "0"]), 75, &["second hard link"]);
    expect(&world.run(&["wait", "film.txt"]), 1, &["film.txt: not taken from incoming/: it has a second hard link"]);
    std::fs::remove_file(world.path("film.src")).unwrap();
    expect(&world.run(&["wait", "film.txt"]), 0, &["all 3 URLs are warm"]);
}
