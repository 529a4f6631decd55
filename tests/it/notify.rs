//! Somebody is told: each thing once, as one JSON object, and nothing waits for whoever is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{World, urls};

/// A configuration whose command keeps what it is told in the file `told`, and says whether it saw a secret.
fn config(world_dir: &std::path::Path, rest: &str) -> String {
    let script = world_dir.join("tell");
    let told = world_dir.join("told");
    let text = format!("#!/bin/sh\ncat >>{0}\nenv | grep -q ALIBABA && echo secret >>{0}\nexit 0\n", told.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    format!("[notify]\ncommand = [\"{}\"]\n{rest}", script.display())
}

fn world(scenario: &str, rest: &str) -> World {
    let world = World::new(scenario, "");
    world.configure(&config(world.dir.path(), rest));
    world
}

fn told(world: &World, event: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(world.path("told")).unwrap_or_default();
    let objects = text.lines().map(|line| serde_json::from_str(line).expect("each line is an object"));
    objects.filter(|object: &serde_json::Value| object["event"] == event).collect()
}

#[test]
fn a_finished_file_and_a_pause_are_told_once_each() {
    let fault =
        "[tasks]\nspeed = 1e6\n[[fault]]\ncalls = [2]\naction = \"error\"\ncode = \"OperationDenied.Suspended\"";
    let world = world(fault, "[track]\nfirst_after = \"1s\"\n");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: label = Premiere\n{}no url\n", urls("a", 3)));
    world.wait("the file to be told", || !told(&world, "file_finished").is_empty());
    let [finished] = &told(&world, "file_finished")[..] else { panic!("told twice") };
    assert_eq!((&finished["file"], &finished["label"]), (&"film.txt".into(), &"Premiere".into()));
    assert_eq!((&finished["complete"], &finished["refused"]), (&3.into(), &1.into()));
    assert!(finished["at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(world.number("select count(*) from v_files where finished_at is not null"), 1);

    world.drop_file("next.txt", urls("b", 3));
    world.wait("the pause to be told", || !told(&world, "paused").is_empty());
    let paused = told(&world, "paused").remove(0);
    assert!(paused["why"].as_str().unwrap().contains("overdue payment"), "{paused}");
    assert!(paused["why_code"] == "suspended" && paused["why_zh"].as_str().unwrap().contains("欠费"), "{paused}");
    assert_eq!(world.rows("select paused_code from v_status"), [["suspended"]]);
    // A restart tries at once, and the account is well. One that is told when the daemon is killed is told again.
    world.wait_for("select count(*) from notices where sent_at is null", 0);
    drop(daemon);
    let _daemon = world.daemon();
    world.wait("the end of the pause to be told", || !told(&world, "resumed").is_empty());
    world.wait("the other file to be told", || told(&world, "file_finished").len() == 2);
    assert_eq!((told(&world, "paused").len(), told(&world, "resumed").len()), (1, 1));
    assert_eq!(world.count_log("the account is refused"), 1);
    assert_eq!(world.count_log("the account is answered again"), 1);
}

#[test]
fn deadlines_and_a_spent_budget_are_told() {
    let world = world("", "[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\n");
    let _daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::seconds(3)).to_rfc3339();
    world.drop_file("urgent.txt", format!("#: priority = urgent\n#: deadline = {deadline}\n{}", urls("b", 5)));
    world.wait("the spent budget", || !told(&world, "budget_spent").is_empty());
    assert_eq!(told(&world, "budget_spent")[0]["urgent"], 5);
    world.wait("the missed deadline", || !told(&world, "deadline_missed").is_empty());
    let missed = told(&world, "deadline_missed");
    assert_eq!((&missed[0]["file"], &missed[0]["urls"]), (&"urgent.txt".into(), &5.into()));
    assert_eq!(told(&world, "budget_spent").len(), 1);
}

#[test]
fn a_deadline_that_is_near_is_told_before_it_is_missed() {
    let world = world("", "[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\n");
    let daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::minutes(20)).to_rfc3339();
    world.drop_file("late.txt", format!("#: deadline = {deadline}\n{}", urls("b", 5)));
    world.wait_for("select pending from v_status", 5);
    // It is looked at every minute, and at start.
    drop(daemon);
    let _daemon = world.daemon();
    world.wait("the near deadline", || !told(&world, "deadline_near").is_empty());
    let near = told(&world, "deadline_near");
    assert_eq!((&near[0]["file"], &near[0]["pending"]), (&"late.txt".into(), &5.into()));
    assert_eq!(near.len(), 1);
}

#[test]
fn a_near_deadline_is_that_of_the_file_that_set_it_and_an_end_tells_of_merged_lines() {
    let world = world("", "[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\n");
    let daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    world.drop_file("film.txt", urls("b", 5));
    world.wait_for("select pending from v_status", 5);
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::minutes(20)).to_rfc3339();
    world.drop_file("late.txt", format!("#: deadline = {deadline}\n{}", urls("b", 3)));
    world.wait_for("select merged_pending from v_files where name = 'late.txt'", 3);
    // It is looked at every minute, and at start.
    drop(daemon);
    let _daemon = world.daemon();
    world.wait("the near deadline", || !told(&world, "deadline_near").is_empty());
    let near = told(&world, "deadline_near");
    assert_eq!((&near[0]["file"], &near[0]["pending"]), (&"late.txt".into(), &3.into()));
    assert_eq!(world.number("select count(*) from notices where event like '%deadline_near%'"), 1);
    assert!(world.run(&["cancel", "--file", "late.txt"]).status.success());
    world.wait("its end", || !told(&world, "file_finished").is_empty());
    let finished = told(&world, "file_finished");
    assert_eq!(
        (&finished[0]["file"], &finished[0]["merged_urls"]),
        (&"late.txt".into(), &serde_json::json!({"cancelled": 3}))
    );
}

#[test]
fn a_command_that_hangs_or_fails_is_in_nobodys_way() {
    for command in ["[\"sleep\", \"1000\"]", "[\"/no/such/program\"]", "[\"false\"]"] {
        let config = format!("[track]\nfirst_after = \"1s\"\n[notify]\ncommand = {command}\n");
        let world = World::new("[tasks]\nspeed = 1e6", &config);
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 3));
        world.wait_for("select complete from v_status", 3);
        world.wait_for("select tries from notices", 1);
        world.drop_file("next.txt", urls("b", 3));
        world.wait_for("select complete from v_status", 6);
        world.stop(daemon);
    }
}

/// Whether a process of this world's group still runs: `sleep` with this many seconds.
fn sleeps(seconds: u32) -> bool {
    let is_it = |entry: fs::DirEntry| {
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == format!("sleep\0{seconds}\0").as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().any(is_it)
}

/// Seconds that no other run of these tests sleeps.
fn seconds(n: u32) -> u32 {
    1_000_000_000 + 10 * std::process::id() + n
}

/// A world whose command is this script.
fn scripted(script: &str) -> World {
    let world = World::new("[tasks]\nspeed = 1e6", "");
    let path = world.path("tell");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let told = world.path("told");
    world.configure(&format!(
        "[track]\nfirst_after = \"1s\"\n[notify]\ncommand = [\"{}\", \"{}\"]\n",
        path.display(),
        told.display()
    ));
    world
}

#[test]
fn what_a_command_has_started_ends_with_it() {
    let [meek, stubborn] = [1, 2].map(seconds);
    let world = scripted(&format!("sleep {meek} & (trap '' TERM; sleep {stubborn}) & echo >>$1"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select count(*) from notices where sent_at is not null", 1);
    assert!(!sleeps(meek) && !sleeps(stubborn), "the group has ended, also what does not want to");
    world.stop(daemon);
}

#[test]
fn a_command_that_runs_when_the_daemon_stops_ends_with_all_that_it_has_started() {
    let [first, second] = [3, 4].map(seconds);
    let world = scripted(&format!("trap '' TERM; sleep {first} & sleep {second}"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait("the command", || sleeps(first) && sleeps(second));
    world.stop(daemon);
    world.wait("the end of its processes", || !sleeps(first) && !sleeps(second));
    assert_eq!(
        world.number("select count(*) from notices where sent_at is null"),
        1,
        "it is told after the next start"
    );
}

#[test]
fn a_notice_that_fails_holds_up_no_other() {
    let world = scripted("read -r line; case $line in *bad.txt*) exit 1;; esac; echo \"$line\" >>$1");
    let daemon = world.ready_daemon();
    world.drop_file("bad.txt", urls("a", 3));
    world.wait_for("select tries from notices", 1);
    world.drop_file("good.txt", urls("b", 3));
    world.wait_for("select count(*) from notices where sent_at is not null", 1);
    assert_eq!(told(&world, "file_finished").len(), 1);
    let open = "select count(*) from notices where sent_at is null and tries = 1";
    assert_eq!(world.number(open), 1, "the first is tried again later, and not at once");
    world.stop(daemon);
}
