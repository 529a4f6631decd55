//! What people and scripts drop.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::support::{World, is_root, read, said, urls};

#[test]
fn what_is_no_url_file_goes_to_rejected_with_a_receipt() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("program", b"\x7fELF\0\0\0");
    world.drop_file("list.txt.gz", b"\x1f\x8b\x08\0");
    world.drop_file("typo.txt", format!("#: priorty = high\n{}", urls("a", 3)));
    let huge = fs::File::create(world.spool("incoming/.huge.txt")).unwrap();
    huge.set_len(17 * 1024 * 1024 * 1024).unwrap();
    fs::rename(world.spool("incoming/.huge.txt"), world.spool("incoming/huge.txt")).unwrap();
    world.drop_file("good.txt", urls("b", 3));
    world.wait_for("select submitted from v_status", 3);
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 4);
    for (name, part) in [
        ("program", "binary"),
        ("list.txt.gz", "packed data is damaged"),
        ("typo.txt", "line 1: there is no directive `priorty`"),
        ("huge.txt", "more than the 17179869184"),
    ] {
        assert!(world.spool("rejected").join(name).exists(), "{name}");
        let receipt = read(&world.spool("rejected").join(format!("{name}.receipt.json")));
        let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
        assert_eq!(receipt["outcome"], "rejected");
        assert!(receipt["why"].as_str().unwrap().contains(part), "{receipt}");
    }
    assert_eq!(world.number("select count(*) from v_urls"), 3);
    drop(daemon);
}

#[test]
fn an_unreadable_file_is_rejected() {
    if !is_root() {
        println!("skipped: only root can start the daemon as somebody who may not read a file");
        return;
    }
    let world = World::new("", "");
    const NOBODY: u32 = 65534;
    for folder in ["", "spool", "spool/incoming", "spool/work", "spool/done", "spool/rejected"] {
        fs::create_dir_all(world.path(folder)).unwrap();
        fs::set_permissions(world.path(folder), fs::Permissions::from_mode(0o777)).unwrap();
    }
    let secret = world.spool("incoming/secret.txt");
    fs::write(&secret, urls("a", 2)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    // The binary may lie where nobody else may look.
    let program = world.path("prefetchd");
    fs::copy(crate::support::PROGRAM, &program).unwrap();
    let plain = world.daemon_command();
    let mut command = Command::new(&program);
    command.args(plain.get_args()).envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.stderr(fs::File::create(world.path("daemon.log")).unwrap()).uid(NOBODY).gid(NOBODY);
    let _daemon = World::spawn(&mut command);
    // Root's reader must not be there first, while the database is made.
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 1);
    let receipt = read(&world.spool("rejected/secret.txt.receipt.json"));
    assert!(receipt.contains("check its owner and mode"), "{receipt}");
}

#[test]
fn what_is_not_a_regular_file_is_reported_once_and_left() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let incoming = world.spool("incoming");
    fs::create_dir(incoming.join("a-directory")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, incoming.join("a-fifo"), rustix::fs::Mode::RWXU).unwrap();
    fs::write(world.path("elsewhere.txt"), urls("secret", 2)).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere.txt"), incoming.join("a-link")).unwrap();
    fs::hard_link(world.path("elsewhere.txt"), incoming.join("a-hard-link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(incoming.join("a-socket")).unwrap();
    // Three files, each of which brings another scan.
    for n in 1..=3 {
        world.drop_file(&format!("film-{n}.txt"), urls(&format!("f{n}"), 1));
        world.wait_for("select submitted from v_status", n);
    }
    for (name, what) in [
        ("a-directory", "a directory"),
        ("a-fifo", "a FIFO"),
        ("a-link", "a symbolic link"),
        ("a-hard-link", "a file with a second hard link"),
        ("a-socket", "a socket"),
    ] {
        let said = format!("{what} in incoming/ is left alone");
        world.wait(&said, || world.count_log(&said) > 0);
        assert_eq!(world.count_log(&said), 1, "{}", world.log());
        assert!(fs::symlink_metadata(incoming.join(name)).is_ok());
    }
    assert_eq!(world.number("select count(*) from v_urls where url like '%secret%'"), 0);
    drop(daemon);
}

#[test]
fn unfinished_names_are_left_and_copied_files_are_taken_when_they_have_settled() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let incoming = world.spool("incoming");
    for name in [".hidden.txt", "a.tmp", "a.part", "a.swp", "a.txt~"] {
        fs::write(incoming.join(name), urls("unfinished", 1)).unwrap();
    }
    // Written in two steps, as `>>` does: both are read.
    fs::write(incoming.join("copied.txt"), urls("a", 2)).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(incoming.join("copied.txt")).unwrap();
    file.write_all(urls("b", 3).as_bytes()).unwrap();
    drop(file);
    world.wait_for("select submitted from v_status", 5);
    assert_eq!(world.number("select count(*) from v_files"), 1);
    assert_eq!(fs::read_dir(&incoming).unwrap().count(), 5);
    drop(daemon);
}

#[test]
fn a_file_is_not_taken_while_its_writer_has_it_open() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let slow = world.spool("incoming/slow.txt");
    let mut file = fs::File::create(&slow).unwrap();
    file.write_all(urls("a", 2).as_bytes()).unwrap();
    // Longer than a file of which nothing was heard has to be still; meanwhile others are taken.
    let started = std::time::Instant::now();
    let mut n = 0;
    while started.elapsed() < std::time::Duration::from_secs(7) {
        n += 1;
        world.drop_file(&format!("other-{n}.txt"), urls(&format!("o{n}"), 1));
        world.wait_for("select submitted from v_status", n);
    }
    assert!(slow.exists());
    file.write_all(urls("b", 3).as_bytes()).unwrap();
    drop(file);
    world.wait_for("select submitted from v_files where name = 'slow.txt'", 5);
    drop(daemon);
}

#[test]
fn one_bad_entry_does_not_stop_the_others() {
    let world = World::new("", "");
    fs::create_dir_all(world.spool("work")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", world.spool("work/trap.txt")).unwrap();
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.wait_for("select count(*) from v_files where name = 'trap.txt' and progress = 'rejected'", 1);
    assert_eq!(world.number("select count(*) from v_urls"), 3);
}

#[test]
fn a_spool_that_is_removed_under_the_daemon_and_made_again_goes_on() {
    let world = World::new("", "[budget]\nrequests_per_day = 3");
    let _daemon = world.ready_daemon();
    world.drop_file("big.txt", urls("a", 150_000));
    world.wait("a part of it to be committed", || world.number("select coalesce(max(lines), 0) from v_files") > 0);
    fs::remove_dir_all(world.path("spool")).unwrap();
    fs::create_dir(world.path("spool")).unwrap();
    world.wait_for("select count(*) from v_files where progress in ('done', 'rejected')", 1);
    world.drop_file("film.txt", urls("b", 3));
    world.wait_for("select queued from v_files where name = 'film.txt' and progress = 'done'", 3);
    assert!(world.spool("done/film.txt.receipt.json").exists());
    world.assert_books_agree();
}

#[test]
fn the_same_name_again_keeps_both_files_and_receipts() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    for n in 1..=3_usize {
        world.drop_file("nightly.txt", urls(&format!("night-{n}"), n));
        world.wait_for("select count(*) from v_files where progress = 'done'", n as i64);
    }
    assert_eq!(
        world.rows("select name, queued from v_files"),
        [["nightly.txt", "1"], ["nightly.txt", "2"], ["nightly.txt", "3"]]
    );
    let files = fs::read_dir(world.spool("done")).unwrap().count();
    assert_eq!(files, 6, "three files, three receipts");
    drop(daemon);
}

#[test]
fn hostile_names_are_stored_harmlessly() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    for name in [&b"new\nline.txt"[..], b"red\x1b[31m.txt", b"latin\xe9.txt", &[b'x'; 255]] {
        let name = std::ffi::OsStr::from_bytes(name);
        fs::write(world.path("outside.txt"), urls(&format!("{}", name.len()), 1)).unwrap();
        fs::rename(world.path("outside.txt"), world.spool("incoming").join(name)).unwrap();
    }
    world.wait_for("select count(*) from v_files where progress = 'done'", 4);
    let names: Vec<String> = world.rows("select name from v_files order by name").concat();
    assert_eq!(&names[..3], ["latin%E9.txt", "new%0Aline.txt", "red%1B[31m.txt"]);
    assert!(names[3].starts_with("xxx") && names[3].len() == 200);
    assert!(!world.log().contains('\x1b'), "{}", world.log());
    drop(daemon);
}

#[test]
fn a_locked_database_delays_and_loses_nothing() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    world.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.database());
        let mut foreign = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
        world.drop_file("film.txt", urls("a", 5));
        // Longer than any statement waits.
        while !world.log().contains("locked by another process") {
            tokio::time::timeout(std::time::Duration::from_millis(50), std::future::pending::<()>()).await.unwrap_err();
        }
        assert!(world.spool("incoming/film.txt").exists() || world.spool("work/film.txt").exists());
        sqlx::query("rollback").execute(&mut foreign).await.unwrap();
    });
    world.wait_for("select submitted from v_status", 5);
    world.assert_all_accepted_once(5);
    world.assert_books_agree();
}

/// A small file system of its own, gone with the test.
pub struct Tmpfs(pub std::path::PathBuf);

impl Tmpfs {
    pub fn mount(at: std::path::PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_without_inodes_delays_and_loses_nothing() {
    let world = World::new("", "");
    let Some(disk) = Tmpfs::mount(world.path("small"), "size=6m,nr_inodes=40") else {
        println!("skipped: a small tmpfs cannot be mounted here (it takes root)");
        return;
    };
    world.configure(&format!("[spool]\ndir = \"{}/spool\"", disk.0.display()));
    let daemon = world.ready_daemon();
    let film = disk.0.join("spool/incoming/film.txt");
    fs::write(disk.0.join("spool/incoming/.film.txt"), format!("no url\n{}", urls("a", 20))).unwrap();
    // No inode is left for a report of refused lines or a receipt.
    let mut taken = 0;
    while fs::File::create(disk.0.join(format!("inode-{taken}"))).is_ok() {
        taken += 1;
    }
    fs::rename(disk.0.join("spool/incoming/.film.txt"), &film).unwrap();
    world.wait("the lack of inodes to be noticed", || {
        world.log().contains("No space left") && said(&world.run(&["status"])).contains("files cannot be taken")
    });
    for n in 0..taken {
        fs::remove_file(disk.0.join(format!("inode-{n}"))).unwrap();
    }
    world.wait_for("select submitted from v_files where progress = 'done'", 20);
    assert!(disk.0.join("spool/done/film.txt.receipt.json").exists());
    world.assert_all_accepted_once(20);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let world = World::new("", "");
    let Some(disk) = Tmpfs::mount(world.path("small"), "size=6m") else {
        println!("skipped: a small tmpfs cannot be mounted here (it takes root)");
        return;
    };
    world.configure(&format!(
        "[spool]\ndir = \"{0}/spool\"\n[database]\nurl = \"sqlite:{0}/prefetchd.db\"",
        disk.0.display()
    ));
    // The harness looks for the database in its usual place.
    std::os::unix::fs::symlink(disk.0.join("prefetchd.db"), world.database()).unwrap();
    let daemon = world.ready_daemon();
    let ballast = disk.0.join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let incoming = disk.0.join("spool/incoming");
    let list = world.path("film.txt");
    fs::write(&list, urls("a", 2000)).unwrap();
    // No room even for the file: hand it over as a link to another file system would be, by a rename that needs none.
    let freed = fs::OpenOptions::new().write(true).open(&ballast).unwrap();
    let size = freed.metadata().unwrap().len();
    freed.set_len(size - 128 * 1024).unwrap();
    drop(freed);
    fs::copy(&list, incoming.join(".film.txt")).unwrap();
    fs::rename(incoming.join(".film.txt"), incoming.join("film.txt")).unwrap();
    world.wait("the full disk to be noticed", || world.log().contains("full") || world.log().contains("No space left"));
    // The sign of life needs no room.
    world.wait("status to say so", || said(&world.run(&["status"])).contains("cannot use its database"));
    let seen = world.requests_seen();
    assert!(seen <= 2, "no call without a charge that is durable");
    fs::remove_file(&ballast).unwrap();
    world.wait_for("select submitted from v_status", 2000);
    world.assert_all_accepted_once(2000);
    world.assert_books_agree();
    world.stop(daemon);
}
