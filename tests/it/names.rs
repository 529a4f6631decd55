//! Names of dropped files: nothing is replaced, nothing jams, and what is not finished is left alone.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{World, read, said, urls};

/// Everything that lies in the spool's folders under this part of a name, with its content.
fn kept(world: &World, part: &str) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for folder in ["incoming", "work", "done", "rejected"] {
        for entry in fs::read_dir(world.spool(folder)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.contains(part) {
                kept.push((format!("{folder}/{name}"), read(&entry.path())));
            }
        }
    }
    kept.sort();
    kept
}

#[test]
fn our_own_receipts_and_reports_are_set_aside_in_every_order_and_replace_nothing() {
    let own = ["x.txt.receipt.json", "x.txt.refused.tsv"];
    for (first, own) in [(true, own[0]), (false, own[0]), (true, own[1]), (false, own[1])] {
        let world = World::new("", "");
        let daemon = world.ready_daemon();
        let x = format!("no url\n{}", urls("x", 2));
        let theirs = "https://vod.example.com/theirs/1.ts\n";
        let drops = [("x.txt", x.as_str()), (own, theirs)];
        for at in if first { [0, 1] } else { [1, 0] } {
            world.drop_file(drops[at].0, drops[at].1);
            world.wait_for(
                "select count(*) from v_files where progress in ('done', 'rejected')",
                if at == usize::from(first) { 2 } else { 1 },
            );
        }
        world.drop_file(own, theirs);
        world.drop_file("x.txt", urls("y", 1));
        world.wait_for("select count(*) from v_files where progress = 'done'", 2);
        world.wait_for("select count(*) from v_files where progress = 'rejected'", 2);
        let why = world.rows("select distinct name, rejected_why from v_files where progress = 'rejected'");
        assert_eq!(why.len(), 1);
        assert!(why[0][0] == own && why[0][1].contains("receipt or report of prefetchd"), "{why:?}");
        world.wait_for("select submitted from v_status", 3);
        let kept = kept(&world, "");
        assert_eq!(kept.iter().filter(|(_, content)| content == theirs).count(), 2, "{kept:#?}");
        assert_eq!(kept.iter().filter(|(_, content)| *content == x).count(), 1, "{kept:#?}");
        let receipts = kept.iter().filter(|(name, _)| name.ends_with(".receipt.json"));
        let of: Vec<_> = receipts.map(|(_, text)| serde_json::from_str::<serde_json::Value>(text).unwrap()).collect();
        let files: std::collections::BTreeSet<_> = of.iter().map(|receipt| receipt["file_id"].as_i64()).collect();
        assert_eq!((of.len(), files.len()), (4, 4), "a receipt for each, none replaced: {kept:#?}");
        assert_eq!(
            kept.iter().filter(|(name, _)| name.starts_with("incoming/") || name.starts_with("work/")).count(),
            0
        );
        world.stop(daemon);
    }
}

#[test]
fn both_in_one_scan_are_each_told_apart() {
    let world = World::new("", "");
    world.drop_settled("x.txt.receipt.json", "{}\n");
    world.drop_settled("x.txt", urls("x", 2));
    world.drop_settled("x.txt.refused.tsv", "1\tno\n");
    let daemon = world.ready_daemon();
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 2);
    world.wait_for("select submitted from v_files where name = 'x.txt'", 2);
    assert_eq!(read(&world.spool("done/x.txt")), urls("x", 2));
    world.stop(daemon);
}

#[test]
fn a_receipt_is_never_replaced_by_that_of_an_earlier_file_of_its_name() {
    let world = World::new("", "[budget]\nrequests_per_day = 1\n[schedule]\nbatch_urls_max = 1");
    let daemon = world.ready_daemon();
    world.drop_file("x.txt", urls("x", 2));
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    // Somebody takes the first one away, so that its name is free.
    fs::remove_file(world.spool("done/x.txt")).unwrap();
    fs::remove_file(world.spool("done/x.txt.receipt.json")).unwrap();
    world.drop_file("x.txt", urls("y", 3));
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    assert!(world.run(&["cancel", "--host", "vod.example.com"]).status.success());
    world.drop_file("z.txt", urls("z", 1));
    world.wait_for("select count(*) from v_files where finished_at is not null and name = 'x.txt' and queued = 3", 1);
    world.wait("its final receipt", || {
        let receipt: serde_json::Value = serde_json::from_str(&read(&world.spool("done/x.txt.receipt.json"))).unwrap();
        assert_eq!(receipt["queued"], 3, "{receipt}");
        receipt["finished_at"].is_string()
    });
    world.stop(daemon);
}

#[test]
fn a_name_of_255_bytes_keeps_the_ending_that_decides_how_it_is_read() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    fs::create_dir_all(world.spool("incoming")).unwrap();
    let name = format!("{}.csv", "第".repeat(66));
    for (n, priority) in [(1, "high"), (2, "low")] {
        fs::write(world.path("o"), format!("url,priority\nhttps://vod.example.com/{n}.mp4,{priority}\n")).unwrap();
        fs::rename(world.path("o"), world.spool("incoming").join(&name)).unwrap();
        world.wait_for("select count(*) from v_files where progress = 'done'", n);
    }
    assert_eq!(
        world.rows("select url, priority from v_urls order by url"),
        [["https://vod.example.com/1.mp4", "high"], ["https://vod.example.com/2.mp4", "low"]]
    );
    let kept = kept(&world, "第");
    assert_eq!(kept.iter().filter(|(name, _)| name.ends_with("第.csv")).count() + 2, kept.len() - 1, "{kept:?}");
    world.stop(daemon);
}

#[test]
fn uploads_in_progress_under_the_usual_names_are_left_alone() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    for name in [
        "a.txt.filepart",
        "b.PART",
        "c.partial",
        "d.crdownload",
        "e.txt.download",
        "f.Tmp",
        "g.swp",
        "h.txt~",
        "~i.csv",
        ".j.txt",
    ] {
        fs::write(world.path("o"), "https://vod.example.com/seg-000").unwrap();
        fs::rename(world.path("o"), world.spool("incoming").join(name)).unwrap();
    }
    world.drop_file("good.txt", urls("good", 2));
    world.wait_for("select submitted from v_status", 2);
    assert_eq!(world.number("select count(*) from v_files"), 1);
    assert_eq!(fs::read_dir(world.spool("incoming")).unwrap().count(), 10);
    world.stop(daemon);
}

#[test]
fn what_is_left_alone_for_an_hour_stands_in_status_with_the_reason_and_remains_of_add_are_swept() {
    let world = World::new("", "");
    let incoming = world.spool("incoming");
    fs::create_dir_all(incoming.join("folder")).unwrap();
    let aged = |name: &str, hours: u64| {
        let path = incoming.join(name);
        if !path.exists() {
            fs::write(&path, urls("old", 1)).unwrap();
        }
        let changed = SystemTime::now() - Duration::from_secs(hours * 3600);
        fs::File::open(&path).unwrap().set_modified(changed).unwrap();
    };
    aged("premiere.txt.filepart", 2);
    aged("folder", 3);
    aged(".add-x1Y2z3", 30);
    aged(".add-young", 2);
    aged("just.part", 0);
    let daemon = world.ready_daemon();
    world.wait("the remains to be swept", || !incoming.join(".add-x1Y2z3").exists());
    world.wait_for("select count(*) from v_left_alone", 3);
    let left = world.rows("select name, why, why_code from v_left_alone order by since, name");
    let names: Vec<&str> = left.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names[0], "folder");
    assert!(names.contains(&"premiere.txt.filepart") && names.contains(&".add-young"), "{left:?}");
    assert_eq!(left[0][1..], ["a directory", "directory"]);
    assert!(left[1..].iter().all(|row| ["unfinished", "hidden"].contains(&row[2].as_str())), "{left:?}");
    let output = world.run(&["status", "--json"]);
    assert!(output.status.success(), "nothing is wrong: {}", said(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["left_alone"].as_array().unwrap().len(), 3);
    let text = said(&world.run(&["status"]));
    assert!(text.contains("premiere.txt.filepart in incoming/") && text.contains("unfinished upload"), "{text}");
    fs::rename(incoming.join("premiere.txt.filepart"), incoming.join("premiere.txt")).unwrap();
    world.wait_for("select submitted from v_status", 1);
    world.wait_for("select count(*) from v_left_alone", 2);
    world.stop(daemon);
}

/// A file system of its own, gone with the test.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn incoming_on_a_mount_of_its_own_is_found_by_check_and_said_by_the_daemon() {
    let world = World::new("", "");
    world.stop(world.ready_daemon());
    assert!(world.run(&["check"]).status.success());
    let incoming = world.spool("incoming");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&incoming).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a tmpfs cannot be mounted here (it takes root)");
        return;
    }
    let mount = Mount(incoming.clone());
    let check = world.run(&["check"]);
    assert_eq!(check.status.code(), Some(78), "{}", said(&check));
    assert!(said(&check).contains("mount the spool as a whole"), "{}", said(&check));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    let problem = "select count(*) from v_status
                   where spool_problem like '%another mount than work/%' and spool_problem_code = 'other_mount'";
    world.wait_for(problem, 1);
    assert!(incoming.join("film.txt").exists());
    drop(mount);
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select submitted from v_status", 2);
    world.wait_for(problem, 0);
    world.stop(daemon);
}
