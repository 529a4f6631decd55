//! The database under attack: deleted, moved, replaced or written over while the daemon uses it, reached by two paths,
//! on a small disk.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::{LISTEN, address, get};
use crate::spool::Tmpfs;
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
    let report: serde_json::Value =
        serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{}", said(&shown)));
    assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
    assert_eq!(report["health"], "database lost", "{report}");
    let command = report["needs"][0]["command"].as_str().unwrap();
    let steps: Vec<&str> = command.split(" && ").collect();
    let (first, last) = (steps[0], steps[steps.len() - 1]);
    assert!(first == "true" || first.contains("kill "), "{command}");
    assert!(last.starts_with("prefetchd run --config "), "{command}");
    steps[1..steps.len() - 1].join(" && ")
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
    let kept = std::env::temp_dir().join(format!(
        "prefetchd-other-{}-{:?}.db",
        std::process::id(),
        std::thread::current().id()
    ));
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

#[test]
fn a_daemon_does_not_begin_anew_while_the_copy_is_not_put_back() {
    let (world, daemon) = spent_world();
    fs::remove_file(world.database()).unwrap();
    world.wait("status to know the copy", || said(&world.run(&["status"])).contains(".rescued-"));
    daemon.kill();
    let refused = world.run(&["run", "--allow-root"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains(".rescued-"), "{}", said(&refused));
    assert!(!world.database().exists());
    let remedy = remedy(&world);
    let done = Command::new("sh").args(["-ec", &remedy]).output().unwrap();
    assert!(done.status.success(), "{remedy}\n{}", said(&done));
    let daemon = world.daemon();
    world.wait_for("select pending from v_status", BEFORE as i64);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn an_emptied_database_is_not_taken_for_a_new_one() {
    let (world, daemon) = spent_world();
    daemon.kill();
    let lost = world.path("lost.db");
    fs::copy(world.database(), &lost).unwrap();
    for end in ["-wal", "-shm"] {
        fs::remove_file(world.path(&format!("prefetchd.db{end}"))).unwrap();
    }
    fs::write(world.database(), "").unwrap();
    let refused = world.run(&["run", "--allow-root"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains("was emptied"), "{}", said(&refused));
    assert_eq!(fs::metadata(world.database()).unwrap().len(), 0, "it is left as it is");
    // Whoever says so begins anew, and the day's cost is still known.
    fs::remove_file(world.database()).unwrap();
    let _daemon = world.daemon();
    world.wait("the marker to be believed", || world.try_number("select requests_used from v_budget") == Some(1));
}

#[test]
fn a_second_daemon_is_refused_whatever_path_it_comes_by() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let spool = world.spool("");
    fs::create_dir(world.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../prefetchd.db", world.path("elsewhere/link.db")).unwrap();
    std::os::unix::fs::symlink(world.dir.path(), world.path("round")).unwrap();
    std::os::unix::fs::symlink(&spool, world.path("spool-link")).unwrap();
    let other = |database: &str, spool: &str| {
        let [database, spool] = [database, spool].map(|name| world.path(name).display().to_string());
        world.configure(&format!("[database]\nurl = \"sqlite:{database}\"\n[spool]\ndir = \"{spool}\"\n"));
        let refused = world.run(&["run", "--allow-root"]);
        assert_eq!(refused.status.code(), Some(75), "{database} {spool}: {}", said(&refused));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains(&format!("pid {}", daemon.id())), "{told}");
    };
    for database in ["elsewhere/link.db", "round/prefetchd.db", "round/elsewhere/link.db", "elsewhere/../prefetchd.db"]
    {
        other(database, "other-spool");
    }
    other("other.db", "spool-link");
    world.configure("");
    world.stop(daemon);
}

#[test]
fn a_database_with_two_names_is_refused() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.stop(daemon);
    fs::hard_link(world.database(), world.path("second.db")).unwrap();
    for command in [&["run", "--allow-root"][..], &["check"], &["pause"]] {
        let refused = world.run(command);
        assert_eq!(refused.status.code(), Some(78), "{command:?}: {}", said(&refused));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(told.contains("2 names (hard links)") && told.contains("prefetchd.db"), "{told}");
    }
    fs::remove_file(world.path("second.db")).unwrap();
    let daemon = world.daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
}

#[test]
fn a_log_on_a_small_disk_is_copied_back_in_time_and_goes_on_when_there_is_room() {
    let world = World::new("", "");
    let Some(disk) = Tmpfs::mount(world.path("small"), "size=2m") else {
        println!("skipped: a small tmpfs cannot be mounted here (it takes root)");
        return;
    };
    let database = disk.0.join("prefetchd.db");
    world.configure(&format!("[database]\nurl = \"sqlite:{}\"\n", database.display()));
    // The harness looks for the database in its usual place.
    std::os::unix::fs::symlink(&database, world.database()).unwrap();
    let daemon = world.ready_daemon();
    // More passes through the log than the disk holds.
    for n in 1..=10 {
        world.drop_file(&format!("film-{n}.txt"), urls(&format!("film-{n}"), 100));
        world.wait_for("select submitted from v_status", 100 * n);
    }
    let log = || fs::metadata(disk.0.join("prefetchd.db-wal")).unwrap().len();
    assert!(log() < 512 * 1024, "the log has {} bytes", log());
    assert!(fs::metadata(&database).unwrap().len() > 4096, "it is copied back");
    assert_eq!(world.count_log("full"), 0);
    // Full all the same: it is said, nothing is lost, and freed space helps without a restart.
    let ballast = disk.0.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    drop(file);
    world.drop_file("late.txt", urls("late", 900));
    world.wait("status to say so", || said(&world.run(&["status"])).contains("cannot use its database"));
    fs::remove_file(&ballast).unwrap();
    world.wait_for("select submitted from v_status", 1_900);
    world.assert_all_accepted_once(1_900);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn a_copy_that_finds_no_room_beside_the_database_goes_to_the_spool() {
    let world = World::new("", "");
    let Some(disk) = Tmpfs::mount(world.path("small"), "size=2m") else {
        println!("skipped: a small tmpfs cannot be mounted here (it takes root)");
        return;
    };
    let database = disk.0.join("prefetchd.db");
    world.configure(&format!("[database]\nurl = \"sqlite:{}\"\n", database.display()));
    // The harness looks for the database in its usual place.
    std::os::unix::fs::symlink(&database, world.database()).unwrap();
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", BEFORE));
    world.wait_for("select submitted from v_status", BEFORE as i64);
    let ballast = disk.0.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    drop(file);
    // Its room is free only when the daemon ends, and what it held with it.
    fs::remove_file(&database).unwrap();
    world.wait("the copy in the spool", || {
        let names = fs::read_dir(world.spool("")).unwrap().flatten().map(|entry| entry.file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .any(|name| name.starts_with("prefetchd.db.rescued-") && !name.ends_with(".part"))
    });
    world.wait("status to know the copy", || said(&world.run(&["status"])).contains(".rescued-"));
    let remedy = remedy(&world);
    world.stop(daemon);
    fs::remove_file(&ballast).unwrap();
    let done = Command::new("sh").args(["-ec", &remedy]).output().unwrap();
    assert!(done.status.success(), "{remedy}\n{}", said(&done));
    let daemon = world.daemon();
    world.wait_for("select submitted from v_status", BEFORE as i64);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn an_older_copy_that_is_restored_into_the_open_database_is_noticed() {
    let world = World::new("[quota]\nper_day = 6", "[budget]\nrequests_per_day = 6\n[schedule]\nbatch_urls_max = 1");
    let sqlite = |command: String| {
        let done = Command::new("sqlite3").arg(world.database()).arg(command).output().unwrap();
        assert!(done.status.success(), "{}", said(&done));
    };
    let daemon = world.ready_daemon();
    world.drop_file("a.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    let old = world.path("old.db").display().to_string();
    sqlite(format!(".backup {old}"));
    world.drop_file("b.txt", urls("b", 2));
    world.wait_for("select submitted from v_status", 4);
    sqlite(format!(".restore {old}"));
    world.wait("the loss to be noticed", || world.count_log("the database is lost") > 0);
    world.drop_file("c.txt", urls("c", 10));
    world.wait("status to know the copy", || said(&world.run(&["status"])).contains(".rescued-"));
    let shown = said(&world.run(&["status"])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("an older copy was restored into it"), "{shown}");
    assert!(world.spool("incoming/c.txt").exists() && world.preloads().len() == 4);
    assert!(fs::read_to_string(world.spool(".ledger")).unwrap().contains(" 4 4 "), "the marker knows better");

    let remedy = remedy(&world);
    world.stop(daemon);
    let done = Command::new("sh").args(["-ec", &remedy]).output().unwrap();
    assert!(done.status.success(), "{remedy}\n{}", said(&done));
    let daemon = world.daemon();
    world.wait_for("select requests_used from v_budget", 6);
    world.waits_for("all 6 requests");
    assert_eq!(world.requests_seen(), 6);
    assert_eq!(
        world.rows("select submission_id from v_submissions order by 1"),
        [["1"], ["2"], ["5"], ["6"]],
        "no number is given twice"
    );
    world.stop(daemon);
}
