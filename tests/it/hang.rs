//! A stage that hangs in a system call is named by the watchdog's log, by `/healthz` and by `status`, whichever stage
//! it is. `strace` makes the call hang: it delays it for longer than any test lasts.

#![expect(clippy::print_stdout, reason = "a skip says why")]

use std::fs;
use std::process::{Command, Stdio};

use crate::http::{LISTEN, address, get};
use crate::support::{Process, World, urls};

/// The period of the watchdog, in microseconds: so late may a stage be.
const WATCHDOG: &str = "4000000";

fn start(world: &World) -> Process {
    let daemon = World::spawn(world.daemon_command().env("WATCHDOG_USEC", WATCHDOG).env_remove("WATCHDOG_PID"));
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    daemon
}

/// From now on no such call of the daemon returns. None if nothing can be traced here.
fn hang(world: &World, daemon: &Process, calls: &str, only: &[&str]) -> Option<Process> {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-p", &daemon.id().to_string()])
        .args(only)
        .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:delay_enter=600000000")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut tracer = match strace.spawn() {
        Ok(tracer) => Process::from(tracer),
        Err(error) => {
            println!("skipped: strace is missing (apt-get install strace): {error}");
            return None;
        }
    };
    let tasks = format!("/proc/{}/task", daemon.id());
    let is_traced = || {
        fs::read_dir(&tasks).unwrap().flatten().all(|task| {
            let status = fs::read_to_string(task.path().join("status"));
            status.is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
        })
    };
    let refused = std::cell::Cell::new(false);
    let tracer_of = std::cell::RefCell::new(&mut tracer);
    world.wait("strace", || {
        refused.set(tracer_of.borrow_mut().has_ended());
        refused.get() || is_traced()
    });
    if refused.get() {
        println!("skipped: strace may not trace here");
        return None;
    }
    Some(tracer)
}

/// Whoever is asked names the stage.
fn is_named(world: &World, stage: &str) {
    let hangs =
        format!("a stage hangs: the watchdog is not fed any more, and systemd restarts the daemon stage=\"{stage}\"");
    world.wait("the log to name it", || world.count_log(&hangs) > 0);
    let page = get(address(world), "/healthz");
    assert_eq!(page.status, 503);
    assert!(page.body.contains(&format!("the {stage} has not moved for ")), "{}", page.body);
    let report = || -> serde_json::Value { serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap() };
    world.wait("status to name it", || report()["hanging"].as_str().is_some_and(|names| names.contains(stage)));
    let report = report();
    assert_eq!(report["health"], "hanging");
    let is_restart = |need: &serde_json::Value| {
        need["command"].as_str().is_some_and(|command| command.contains(" && prefetchd run"))
    };
    assert!(report["needs"].as_array().unwrap().iter().any(is_restart), "{report}");
    let shown = world.run(&["status"]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("running, but a stage of it hangs") && shown.contains(stage), "{shown}");
}

#[test]
fn a_spool_that_hangs_is_named() {
    let world = World::new("", LISTEN);
    let daemon = start(&world);
    let incoming = world.spool("incoming").display().to_string();
    let Some(_tracer) = hang(&world, &daemon, "openat", &["-P", &incoming]) else { return };
    world.drop_file("film.txt", urls("a", 3));
    is_named(&world, "spool");
}

#[test]
fn a_submitter_that_hangs_is_named() {
    let mut world = World::new("", &format!("{LISTEN}[api]\ntimeout = \"1s\"\n"));
    let daemon = start(&world);
    world.wait("the free calls of the start", || world.number("select time_proved from v_status") == 1);
    // Its connection is gone: the next call makes another one.
    world.stop_sandbox();
    world.start_sandbox();
    let Some(_tracer) = hang(&world, &daemon, "connect", &[]) else { return };
    world.drop_file("film.txt", urls("a", 3));
    is_named(&world, "submitter");
}

#[test]
fn a_tracker_that_hangs_is_named() {
    let mut world = World::new("", &format!("{LISTEN}[track]\nfirst_after = \"1s\"\n[api]\ntimeout = \"1s\"\n"));
    let daemon = start(&world);
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    // It tries again and again, and nobody else has anything to ask.
    world.stop_sandbox();
    world.wait("its first look to fail", || world.count_log("tasks could not be asked for") > 0);
    let Some(_tracer) = hang(&world, &daemon, "connect", &[]) else { return };
    is_named(&world, "tracker");
}

#[test]
fn a_notifier_that_hangs_is_named() {
    let world = World::new("", &format!("{LISTEN}[notify]\ncommand = [\"true\"]\n"));
    let daemon = start(&world);
    // The pipe of its command's input.
    let Some(_tracer) = hang(&world, &daemon, "pipe2", &[]) else { return };
    world.drop_file("none.txt", "no url\n");
    is_named(&world, "notifier");
}

#[test]
fn a_sweeper_that_hangs_is_named() {
    let world = World::new("", LISTEN);
    let daemon = start(&world);
    let rejected = world.spool("rejected").display().to_string();
    let Some(_tracer) = hang(&world, &daemon, "getdents64", &["-P", &rejected]) else { return };
    // What is kept for how long may be another by now: it looks through the folders.
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    is_named(&world, "sweeper");
}

#[test]
fn a_verifier_that_hangs_is_named() {
    // Nobody listens there: each URL is tried, one a second, and nobody else has anything to ask by then.
    let verified = "[track]\nfirst_after = \"1s\"\nverify = 1.0\nverify_per_second = 1\nverify_via = \"127.0.0.1:9\"\n";
    let world = World::new("[tasks]\ntakes = \"1s\"", &format!("{LISTEN}{verified}"));
    let daemon = start(&world);
    world.drop_file("film.txt", urls("a", 40));
    world.wait_for("select complete from v_status", 40);
    let Some(_tracer) = hang(&world, &daemon, "connect", &[]) else { return };
    is_named(&world, "verifier");
}
