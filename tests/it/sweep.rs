//! SIGKILL, EIO and ENOSPC at each of the first writes and syncs of a start, an ingest and a submission: then, by
//! itself or after a restart, every URL is accepted once and the books agree.

#![expect(clippy::print_stdout, reason = "a skip says why")]

use std::process::{Command, Stdio};

use crate::support::{World, urls};

const URLS: usize = 30;

pub(crate) fn strace_works() -> bool {
    let tried = Command::new("strace").args(["-D", "-f", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = tried.is_ok_and(|status| status.success());
    if !works {
        println!("skipped: strace is missing or may not trace here (apt-get install strace)");
    }
    works
}

/// The daemon, with this fault at the `n`th of these calls.
pub(crate) fn traced(world: &World, calls: &str, fault: &str, n: u32) -> Command {
    let plain = world.daemon_command();
    let mut traced = Command::new("strace");
    // -D: the tracer is a grandchild, so that the child, which ends with the test, is the daemon itself.
    traced
        .args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:{fault}:when={n}")])
        .arg(plain.get_program())
        .args(plain.get_args())
        .envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::options().append(true).open(world.path("daemon.log")).unwrap());
    traced
}

/// Runs the daemon with one fault injected, restarts it if it ended of it, and checks.
fn sweep(calls: &str, fault: &str, points: std::ops::RangeInclusive<u32>) {
    if !strace_works() {
        return;
    }
    let mut ended_of_it = 0;
    for n in points {
        let world = World::new("", "");
        world.drop_settled("film.txt", format!("{}no url\n", urls("a", URLS)));
        let daemon = std::cell::RefCell::new(World::spawn(&mut traced(&world, calls, fault, n)));
        let all = format!("select submitted = {URLS} from v_status");
        let is_done = || world.try_number(&all) == Some(1);
        world.wait(&format!("{fault} at call {n} of {calls} to end well or at all"), || {
            is_done() || daemon.borrow_mut().has_ended()
        });
        let mut daemon = daemon.into_inner();
        if daemon.has_ended() {
            ended_of_it += 1;
            daemon = world.daemon();
            world.wait_for(&all, 1);
        }
        world.wait_for("select count(*) from v_files where progress = 'done' and queued = 30 and refused = 1", 1);
        world.assert_all_accepted_once(URLS);
        world.assert_books_agree();
        assert_eq!(
            crate::support::read(&world.spool("done/film.txt.refused.tsv")).lines().count(),
            2,
            "{fault} at {n}: a heading and the line, once"
        );
        drop(daemon);
    }
    assert!(!fault.contains("KILL") || ended_of_it > 0, "no run ended of {fault}: nothing was injected");
}

/// How many points of each kind; `PREFETCHD_SWEEP_POINTS=24` for a thorough run.
fn points() -> u32 {
    std::env::var("PREFETCHD_SWEEP_POINTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10)
}

#[test]
fn sigkill_at_each_of_the_first_writes() {
    // The first three of a thread are the locks' and the log's.
    sweep("pwrite64,write", "signal=KILL", 4..=3 + points());
}

#[test]
fn sigkill_at_each_of_the_first_syncs() {
    sweep("fsync,fdatasync", "signal=KILL", 1..=points());
}

#[test]
fn eio_at_each_of_the_first_writes_and_syncs() {
    sweep("pwrite64", "error=EIO", 1..=points());
    sweep("fsync,fdatasync", "error=EIO", 1..=points());
}

#[test]
fn enospc_at_each_of_the_first_writes() {
    sweep("pwrite64", "error=ENOSPC", 1..=points());
}
