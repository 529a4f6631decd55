//! The database under attack: deleted, moved, replaced or written over while the daemon uses it, reached by two paths, on a small disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::{LISTEN, address, get};
use crate::support::{Process, World, said, urls};

/// URLs that are dropped before the database goes, and after.
const BEFORE: usize = 30;
const AFTER: usize = 70;

/// A daemon that has taken a file and has no budget left to send another.
fn spent_world() -> (World, Process) {
    let world = World::new("", &format!("{LISTEN}[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\n"));
    let daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("first", 5));
    world.wait_for("select submitted from v_status", 5);
    world.drop_file("before.txt", urls("before", BEFORE));
    world.wait_for("select pending from v_status", BEFORE as i64);
    (world, daemon)
}

fn rescued(world: &World) -> Option<PathBuf> {
    let names = fs::read_dir(world.dir.path()).unwrap().flatten().map(|entry| entry.path());
    let is_copy = |path: &PathBuf| path.to_string_lossy().contains("prefetchd.db.rescued-");
    names.filter(is_copy).find(|path| !path.to_string_lossy().ends_with(".part"))
}

/// The commands that `status` names, without those that are systemd's, as an operator would paste them.
fn remedy(world: &World) -> String {
    let shown = world.run(&["status", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{}", said(&shown)));
    assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
    assert_eq!(report["health"], "database lost", "{report}");
    let command = report["needs"][0]["command"].as_str().unwrap();
    assert!(command.starts_with("systemctl stop prefetchd && ") && command.ends_with(" && systemctl start prefetchd"));
    command.split(" && ").filter(|part| !part.starts_with("systemctl ")).collect::<Vec<_>>().join(" && ")
}

/// Loses the database, drops a file, does what `status` says, and counts what is there.
fn nothing_is_lost(lose: impl Fn(&Path)) {
    let (world, daemon) = spent_world();
    lose(&world.database());
    world.wait("the loss to be noticed", || world.count_log("the database is lost") > 0);
    world.drop_file("after.txt", urls("after", AFTER));
    world.wait("the copy", || rescued(&world).is_some());
    world.wait("status to know the copy", || said(&world.run(&["status"])).contains(".rescued-"));
    let copy = rescued(&world).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o640);

    // However it is broken into lines.
    let shown = said(&world.run(&["status"])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!shown.contains("no database"), "{shown}");
    assert!(shown.contains("mv ") && shown.contains("nothing is taken and nothing is sent"), "{shown}");
    // It lives, is not ready, and says why.
    let port = address(&world);
    assert_eq!(get(port, "/healthz").status, 200);
    let ready = get(port, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("the database is lost") && ready.body.contains(".rescued-"), "{}", ready.body);
    let metrics = get(port, "/metrics");
    assert_eq!(metrics.metric("prefetchd_database_lost"), Some(1.0), "{}", metrics.body);
    assert!(world.spool("incoming/after.txt").exists(), "nothing is taken any more");
    assert_eq!(world.preloads().len(), 1);

    let remedy = remedy(&world);
    world.stop(daemon);
    let done = Command::new("sh").args(["-ec", &remedy]).output().unwrap();
    assert!(done.status.success(), "{remedy}\n{}", said(&done));
    let daemon = world.daemon();
    world.wait_for("select pending from v_status", (BEFORE + AFTER) as i64);
    assert_eq!(world.number("select submitted from v_status"), 5);
    assert_eq!(world.preloads().len(), 1, "what was spent is known");
    world.assert_books_agree();
    assert_eq!(world.run(&["status"]).status.code(), Some(0), "{}", said(&world.run(&["status"])));
    world.stop(daemon);
}

/// Another daemon's database, as large as any.
fn another() -> PathBuf {
    let other = World::new("", "");
    let daemon = other.ready_daemon();
    other.stop(daemon);
    let kept = std::env::temp_dir().join(format!("prefetchd-other-{}-{:?}.db", std::process::id(), std::thread::current().id()));
    fs::copy(other.database(), &kept).unwrap();
    kept
}

#[test]
fn a_database_that_is_deleted_is_rescued_and_put_back() {
    nothing_is_lost(|database| fs::remove_file(database).unwrap());
}

#[test]
fn a_database_that_is_moved_away_is_rescued_and_put_back() {
    nothing_is_lost(|database| fs::rename(database, database.with_extension("old")).unwrap());
}

#[test]
fn a_database_that_another_replaces_is_rescued_and_put_back() {
    let other = another();
    nothing_is_lost(|database| fs::rename(&other, database).unwrap());
}

#[test]
fn a_database_that_is_written_over_is_noticed() {
    let other = another();
    nothing_is_lost(|database| assert!(fs::copy(&other, database).unwrap() > 0));
    fs::remove_file(other).unwrap();
}

#[test]
fn a_write_ahead_log_that_is_deleted_is_rescued_and_put_back() {
    nothing_is_lost(|database| fs::remove_file(database.with_extension("db-wal")).unwrap());
}
