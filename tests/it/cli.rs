//! What an operator types, and what it answers.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::{World, said, urls};

#[test]
fn a_bad_configuration_is_named_with_its_line_and_exits_78() {
    let world = World::new("", "");
    for (text, parts) in [
        ("[budget]\nrequests_a_day = 5\n", ["requests_a_day", "line 2", "requests_per_day"]),
        ("[schedule]\n\nlinger = \"soon\"\n", ["linger", "line 3", "\"0s\" to \"24h\""]),
    ] {
        fs::write(world.path("prefetchd.toml"), text).unwrap();
        for command in [&["run", "--allow-root"][..], &["check"], &["status"]] {
            let output = world.run(command);
            assert_eq!(output.status.code(), Some(78), "{command:?}: {}", said(&output));
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(parts.iter().all(|part| error.contains(part)) && error.contains("prefetchd.toml"), "{error}");
        }
    }
    assert!(!world.database().exists());
}

#[test]
fn no_credentials_is_an_error_that_says_where_it_looked() {
    let world = World::new("", "");
    for command in [&["run", "--allow-root"][..], &["check"]] {
        let output = world.command(command).env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET").output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(said(&output).contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not"), "{}", said(&output));
    }
}

#[test]
fn check_changes_nothing_and_finds_what_start_would_refuse() {
    let world = World::new("", "");
    let output = world.run(&["check", "--online"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("takes the credentials"), "{}", said(&output));
    assert!(!world.database().exists() && !world.path("spool").exists());
    let output =
        world.command(&["check", "--online"]).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("does not belong to the access key"), "{}", said(&output));
    let file = world.path("scenario.toml");
    world.configure(&format!("[spool]\ndir = \"{}/spool\"", file.display()));
    let output = world.run(&["check"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("[spool] dir"), "{}", said(&output));
}

#[test]
fn wrong_usage_exits_64_and_help_exits_0() {
    let world = World::new("", "");
    assert_eq!(world.run(&["fly"]).status.code(), Some(64));
    assert_eq!(world.run(&["sandbox", "--listen", "0.0.0.0:0"]).status.code(), Some(64));
    assert_eq!(world.run(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_second_daemon_refuses_and_names_the_first() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let output = world.run(&["run", "--allow-root"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains(&format!("pid {}", daemon.id())), "{}", said(&output));
    // Another database, the same spool.
    world.configure(&format!("[database]\nurl = \"sqlite:{}\"", world.path("other.db").display()));
    let output = world.run(&["run", "--allow-root"]);
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(!world.path("other.db").exists());
    daemon.kill();
    world.configure("");
    let mut next = world.daemon();
    world.wait("the lock to be free", || world.count_log("ready version") == 2);
    assert!(!next.has_ended());
}

#[test]
fn add_hands_over_a_file_or_standard_input_and_prints_its_name() {
    let world = World::new("", "");
    fs::write(world.path("film.txt"), urls("a", 3)).unwrap();
    let file = world.path("film.txt").display().to_string();
    let output = world.run(&["add", &file]);
    assert_eq!(output.status.code(), Some(69), "no spool yet: {}", said(&output));
    let _daemon = world.ready_daemon();
    let output = world.run(&["add", &file]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "film.txt\n", "{}", said(&output));
    let mut child = world
        .command(&["add", "-", "--name", "piped.txt"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(urls("b", 4).as_bytes()).unwrap();
    assert_eq!(String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout), "piped.txt\n");
    world.wait_for("select submitted from v_files where name = 'film.txt'", 3);
    world.wait_for("select submitted from v_files where name = 'piped.txt'", 4);
    for (args, code) in [
        (["add", "/nowhere/film.txt", "--name", "x.txt"], 66),
        (["add", file.as_str(), "--name", ".hidden"], 64),
        (["add", file.as_str(), "--name", "../up.txt"], 64),
    ] {
        let output = world.run(&args);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
}

#[test]
fn status_tells_budget_queue_files_and_why_it_waits() {
    let world = World::new("", "[budget]\nurls_per_day = 3");
    let output = world.run(&["status"]);
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(said(&output).contains("there is no database"), "{}", said(&output));

    let daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("{}nonsense\n", urls("a", 5)));
    world.waits_for("all 3 URLs");
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    let output = world.run(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for part in [
        &format!(", pid {}", daemon.id()),
        "1 of 500 requests",
        "for the next budget day: all 3 URLs of this one are spent, until ",
        "queue       2 pending: 2 normal\n            3 submitted\n",
        "film.txt                                      6          2          3          0\n    1 refused\n",
        "forecast    all sent by ",
        "Nothing needs you.",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains('\x1b'), "no colour in a pipe");

    let output = world.run(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["health"], "running");
    assert_eq!(json["urls"]["pending"], 2);
    assert_eq!(json["budget"]["requests_used"], 1);
    assert_eq!(json["files"][0]["urls"]["submitted"], 3);

    daemon.kill();
    let output = world.run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(said(&output).contains("not running"), "{}", said(&output));
    let daemon = world.daemon();
    world.wait("the daemon to be back", || world.count_log("ready version") == 2);
    world.stop(daemon);
    assert!(said(&world.run(&["status"])).contains("daemon      stopped"));
}

#[test]
fn a_newer_database_and_a_corrupt_one_are_refused_and_left_as_they_are() {
    let world = World::new("", "");
    fs::write(world.database(), b"SQLite format 3\0 but then nonsense".repeat(300)).unwrap();
    let before = fs::read(world.database()).unwrap();
    let output = world.run(&["run", "--allow-root"]);
    assert_eq!(output.status.code(), Some(65), "{}", said(&output));
    assert!(said(&output).contains("corrupt"), "{}", said(&output));
    assert_eq!(fs::read(world.database()).unwrap(), before);
}

#[test]
fn no_secret_is_in_any_log_or_in_the_database() {
    let world = World::new("[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"SignatureDoesNotMatch\"", "");
    let daemon = World::spawn(world.daemon_command().env("PREFETCHD_LOG", "trace"));
    world.wait("it to be ready", || world.count_log("ready version") == 1);
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select count(*) from v_submissions where outcome = 'account_fault'", 1);
    world.stop(daemon);
    for path in [world.path("daemon.log"), world.database()] {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"sandbox-secret"), "{}", path.display());
        assert!(!bytes.windows(10).any(|window| window == b"Signature="), "{}", path.display());
    }
}
