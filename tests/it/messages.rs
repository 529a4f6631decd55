//! Errors as a user reads them, and what the program says when it is asked nothing.

use std::fs;

use crate::support::{World, said, urls};

#[test]
fn a_cause_is_told_once_and_all_mistakes_of_a_configuration_at_once() {
    let world = World::new("", "");
    let output = std::process::Command::new(crate::support::PROGRAM)
        .args(["status", "--config", "/nowhere/prefetchd.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert_eq!(said(&output).matches("No such file or directory").count(), 1, "{}", said(&output));
    let text = "[budget]\nrequests_per_dya = 5\n[spol]\ndir = \"/x\"\n[schedule]\nlinger = \"soon\"\n";
    fs::write(world.path("prefetchd.toml"), text).unwrap();
    let output = world.run(&["check"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    for part in ["line 2", "did you mean `requests_per_day`?", "did you mean `spool`?", "line 6"] {
        assert!(said(&output).contains(part), "{part} is not in {}", said(&output));
    }
}

#[test]
fn a_bare_call_says_what_state_things_are_in_and_what_to_do_next() {
    let world = World::new("", "");
    let bare = || {
        let output = world.run(&[]);
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        said(&output)
    };
    let config = world.path("prefetchd.toml").display().to_string();
    let text = bare();
    assert!(text.contains("not made yet") && text.contains(&format!("prefetchd run --config {config}")), "{text}");
    assert!(text.contains("\n  prefetchd demo\n"), "the demo takes no configuration: {text}");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    let text = bare();
    for part in
        ["daemon         running, pid ", "0 URLs pending, 0 warm", &format!("prefetchd status --config {config}")]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    world.stop(daemon);
    assert!(bare().contains("daemon         not running"));
}

#[test]
fn colours_are_as_they_were_asked_for_and_an_export_needs_a_choice() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    for (color, expected) in [("always", true), ("never", false), ("auto", false)] {
        let output = world.run(&["status", "--color", color]);
        assert_eq!(said(&output).contains('\x1b'), expected, "{color}: {}", said(&output));
    }
    assert_eq!(world.run(&["export"]).status.code(), Some(64));
    assert_eq!(world.run(&["export", "--all", "--file", "film.txt"]).status.code(), Some(64));
    for choice in [&["--all"][..], &["--since", "24h"], &["--file", "film.txt"]] {
        let output = world.run(&[&["export"], choice].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 4, "{choice:?}: {}", said(&output));
    }
    let output = world.run(&["export", "--since", "soon"]);
    assert!(output.status.code() == Some(64) && said(&output).contains("24h"), "{}", said(&output));
}
