//! Clocks that are set while the daemon runs: no second budget, and no stall.

#![expect(clippy::print_stdout, reason = "a skip says why")]

use std::fs;
use std::path::Path;

use crate::support::{Process, World, urls};

const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// Starts a daemon whose clock can be set, and is set `by` so much; the sandbox keeps the real time. None, with the
/// reason, where that is not possible.
fn daemon_with_a_clock(world: &World, by: &str) -> Option<Process> {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        println!("skipped: libfaketime is missing (apt-get install faketime)");
        return None;
    };
    set_clock(world, by);
    let mut command = world.daemon_command();
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", world.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let daemon = World::spawn(&mut command);
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    Some(daemon)
}

/// Sets the daemon's clock by so much ahead of, or behind, the real one.
fn set_clock(world: &World, by: &str) {
    fs::write(world.path("clock.new"), format!("{by}\n")).unwrap();
    fs::rename(world.path("clock.new"), world.path("clock")).unwrap();
}

const SMALL: &str = "[budget]\nrequests_per_day = 3\n[schedule]\nbatch_urls_max = 1\nlinger = \"0s\"";

/// All three requests of one day, and it waits for the next.
fn assert_one_budget_is_spent(world: &World) {
    world.waits_for("all 3 requests");
    assert_eq!(world.requests_seen(), 3);
    assert_eq!(world.number("select count(*) from v_budget"), 1);
    world.assert_books_agree();
}

#[test]
fn a_clock_set_forward_over_midnight_opens_no_second_budget() {
    let world = World::new("", SMALL);
    let Some(_daemon) = daemon_with_a_clock(&world, "+0") else { return };
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 3);
    set_clock(&world, "+1d");
    world.drop_file("more.txt", urls("b", 1));
    world.wait("the difference to be noticed", || world.count_log("differs from the service's") == 1);
    assert_one_budget_is_spent(&world);
}

#[test]
fn a_clock_set_back_two_days_spends_the_same_budget_and_goes_on() {
    let world = World::new("", SMALL);
    let Some(_daemon) = daemon_with_a_clock(&world, "+0") else { return };
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    set_clock(&world, "-2d");
    world.drop_file("more.txt", urls("b", 3));
    // The service refuses a timestamp so old; its own clock is taken, and the last request of the day is spent.
    world.wait_for("select submitted from v_status", 3);
    assert_one_budget_is_spent(&world);
}

#[test]
fn a_clock_that_was_wrong_from_the_start_is_corrected_by_the_service() {
    let world = World::new("", SMALL);
    let Some(_daemon) = daemon_with_a_clock(&world, "+400d") else { return };
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    let day = chrono::Utc::now() + chrono::TimeDelta::hours(8);
    assert_eq!(world.rows("select day from v_budget"), [[day.date_naive().to_string()]]);
}
