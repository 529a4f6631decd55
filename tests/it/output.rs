//! Output that cannot be written is never silent, and a pipe that closes early is no error.

use std::fs::File;
use std::process::Stdio;

use crate::support::{World, urls};

/// Commands that write, with something to write.
const COMMANDS: [&[&str]; 17] = [
    &["status"],
    &["status", "--json"],
    &["files"],
    &["urls"],
    &["urls", "--json"],
    &["submissions"],
    &["hosts"],
    &["forecast"],
    &["forecast", "--json"],
    &["why", "https://vod.example.com/a/seg-000000.ts"],
    &["export", "--file", "film.txt"],
    &["check"],
    &["pause"],
    &["resume"],
    &["--help"],
    &["--version"],
    &["status", "--help"],
];

fn world() -> World {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
    world
}

#[test]
fn a_disk_that_is_full_is_said_and_is_the_exit_code() {
    let world = world();
    for command in COMMANDS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let done = world.command(command).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(74), "{command:?}: {told}");
        assert!(told.contains("standard output") && told.contains("No space left"), "{command:?}: {told}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_any_more_is_no_error() {
    let world = world();
    for command in COMMANDS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = world.command(command).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), told.as_str()), (Some(0), ""), "{command:?}");
    }
}
