//! `status`: what it notices, and what its exit code says.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{World, said, urls};

fn status(world: &World) -> (Option<i32>, Value) {
    let output = world.run(&["status", "--json"]);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (output.status.code(), json)
}

fn needs(json: &Value) -> Vec<String> {
    json["needs"].as_array().unwrap().iter().map(|need| need["command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_daemon_that_cannot_write_its_database_says_so_all_the_same() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.block_on(async {
        let path = format!("sqlite:{}", world.database().display());
        let mut foreign = SqliteConnection::connect(&path).await.unwrap();
        sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
        world.drop_file("film.txt", urls("a", 5));
        // Longer than any statement waits.
        while status(&world).1["health"] != "blocked" {
            tokio::time::timeout(std::time::Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_err();
        }
        sqlx::query("rollback").execute(&mut foreign).await.unwrap();
    });
    // What was said meanwhile is the last that was seen: the log tells it too.
    assert!(world.log().contains("locked by another process"));
    world.wait_for("select submitted from v_status", 5);
    world.wait("it to be well again", || status(&world).1["health"] == "running");
    assert_eq!(status(&world).0, Some(0));
    world.stop(daemon);
    let (code, json) = status(&world);
    assert_eq!((code, json["health"].as_str(), json["pid"].as_i64()), (Some(69), Some("stopped"), None));
    assert_eq!(needs(&json), [format!("prefetchd run --config {}", world.path("prefetchd.toml").display())]);
}

#[test]
fn while_it_is_blocked_the_reason_and_the_command_are_shown() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    let foreign = world.block_on(async {
        let path = format!("sqlite:{}", world.database().display());
        let mut foreign = SqliteConnection::connect(&path).await.unwrap();
        sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
        foreign
    });
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the trouble to be seen", || status(&world).0 == Some(1));
    let (_, json) = status(&world);
    assert_eq!(json["health"], "blocked");
    assert!(json["database_problem"].as_str().unwrap().contains("locked by another process"), "{json}");
    // It names who has the database open, with what every system has.
    let output = std::process::Command::new("sh").args(["-c", &needs(&json)[0]]).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(found.contains(&format!("/proc/{}/fd/", std::process::id())), "{}", said(&output));
    let text = said(&world.run(&["status"]));
    assert!(text.contains("running, but cannot use its database since"), "{text}");
    assert!(text.contains("1 file is handed over and not read yet"), "{text}");
    assert!(!text.contains("queue is empty") && !text.contains("all sent by"), "{text}");
    drop(foreign);
}

#[test]
fn what_needs_somebody_makes_the_exit_code_1_and_names_a_command() {
    let scenario = "[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"OperationDenied.Suspended\"";
    let world = World::new(scenario, "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the pause", || status(&world).1["health"] == "paused");
    let (code, json) = status(&world);
    assert_eq!(code, Some(1));
    let resume = format!("prefetchd resume --config {}", world.path("prefetchd.toml").display());
    assert_eq!(needs(&json), [resume]);
    let text = said(&world.run(&["status"]));
    assert!(text.contains("forecast    none while nothing is sent"), "{text}");
    assert_eq!(json["health_since"], json["paused_since"]);
    assert_eq!(json["pending"]["normal"], 5);
    assert_eq!(json["oldest"]["file"], "film.txt");
}

#[test]
fn a_watch_draws_again_and_leaves_in_order_when_it_is_interrupted() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    let out = std::fs::File::create(world.path("watch.out")).unwrap();
    let mut child = world.command(&["status", "--watch"]).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    let drawn = || std::fs::read_to_string(world.path("watch.out")).unwrap();
    world.wait("two pages", || drawn().matches("daemon      running since").count() >= 2);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let code = child.wait().unwrap().code();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(code, Some(0), "{error}");
    assert!(drawn().contains("film.txt") && !drawn().contains('\x1b'), "{}", drawn());
}

#[test]
fn a_terminal_is_left_as_it_was_found() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    let program = crate::support::PROGRAM;
    // The terminal interrupts as a hand on the keys would.
    let command = format!(
        "timeout --foreground -s INT 3 {program} status --watch --config {}",
        world.path("prefetchd.toml").display()
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (before, after) = text.split_once("\x1b[?25h\x1b[?1049l").unwrap_or_else(|| panic!("not left: {text:?}"));
    assert!(before.contains("\x1b[?1049h\x1b[?25l"), "{before:?}");
    assert!(after.contains("running since"), "the last page stays: {after:?}");
}

#[test]
fn every_remedy_works_when_it_is_pasted() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    assert!(world.run(&["pause", "--reason", "origin down"]).status.success());
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select pending from v_status", 3);
    // As a shell of somebody who types it: without the harness's own arguments.
    let paste = |command: &str| {
        let program = std::path::Path::new(crate::support::PROGRAM).parent().unwrap().display().to_string();
        let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
        std::process::Command::new("sh").args(["-c", command]).env("PATH", path).output().unwrap()
    };
    let commands = needs(&status(&world).1);
    assert_eq!(commands.len(), 1, "{commands:?}");
    let output = paste(&commands[0]);
    assert!(output.status.success(), "{commands:?}: {}", said(&output));
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
}

#[test]
fn what_is_shown_fits_a_terminal_of_24_lines() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    for n in 0..30 {
        world.drop_file(&format!("film-{n}.txt"), format!("#: priority = low\n{}", urls(&format!("f{n}"), 2)));
    }
    world.drop_file("premiere.txt", format!("#: priority = urgent\n{}", urls("p", 2)));
    world.wait_for("select pending from v_status", 62);
    let command = format!(
        "stty rows 24 cols 80; {} status --config {}",
        crate::support::PROGRAM,
        world.path("prefetchd.toml").display()
    );
    let output = std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().count() <= 23, "{text}");
    let places = ["needs you", "daemon ", "queue ", "\npremiere.txt", "\nfilm-"].map(|part| text.find(part));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {text}");
}
