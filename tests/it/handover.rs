//! When a file counts as handed over, and what becomes of what is written to it afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{World, read, urls};

const ONE: &str = "https://vod.example.com/1.mp4\n";
const TWO: &str = "https://vod.example.com/2.mp4\n";

fn append(path: &std::path::Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

fn receipt(world: &World, name: &str) -> serde_json::Value {
    serde_json::from_str(&read(&world.spool(&format!("done/{name}.receipt.json")))).unwrap()
}

#[test]
fn what_a_paused_writer_writes_after_another_closed_the_file_is_read_on_and_counted() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let path = world.spool("incoming/p.txt");
    let mut paused = append(&path);
    paused.write_all(ONE.as_bytes()).unwrap();
    drop(append(&path));
    world.wait_for("select submitted from v_files where name = 'p.txt' and progress = 'done'", 1);
    paused.write_all(TWO.as_bytes()).unwrap();
    drop(paused);
    world.wait_for("select submitted from v_files where name = 'p.txt' and progress = 'done'", 2);
    world.wait("the receipt to count both", || receipt(&world, "p.txt")["lines"] == 2);
    assert_eq!(receipt(&world, "p.txt")["bytes"], 60);
    assert_eq!(world.number("select count(*) from v_files"), 1);
    world.assert_all_accepted_once(2);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn a_file_that_is_overwritten_or_cut_after_it_was_read_is_read_again_and_said() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("old", 3));
    world.wait_for("select submitted from v_files where progress = 'done'", 3);
    // As long as before, and beyond; then shorter; then with a line more, which is read from there on.
    fs::write(world.spool("done/film.txt"), urls("new", 5)).unwrap();
    world.wait_for("select submitted from v_status", 8);
    fs::write(world.spool("done/film.txt"), ONE).unwrap();
    world.wait_for("select submitted from v_status", 9);
    append(&world.spool("done/film.txt")).write_all(TWO.as_bytes()).unwrap();
    world.wait_for("select submitted from v_files where progress = 'done'", 10);
    let warnings = || receipt(&world, "film.txt")["warnings"].as_array().unwrap().clone();
    world.wait("the receipt to say so", || warnings().first().is_some_and(|it| it["lines"] == 2));
    assert_eq!((warnings().len(), &warnings()[0]["code"]), (1, &"replaced".into()));
    assert_eq!(world.count_log("cut or overwritten after it was read"), 2);
    let columns = "lines, queued, merged, warnings";
    assert_eq!(world.rows(&format!("select {columns} from v_files")), [["10", "10", "0", "2"]]);
    world.assert_all_accepted_once(10);
    world.stop(daemon);
    world.assert_books_agree();
}

#[test]
fn what_comes_long_after_the_rename_is_read_on_for_as_long_as_the_file_lies_there() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("late.txt", format!("no url\n{ONE}"));
    world.wait_for("select submitted from v_files where progress = 'done'", 1);
    let mut late = append(&world.spool("done/late.txt"));
    late.write_all(format!("{TWO}neither this\n").as_bytes()).unwrap();
    drop(late);
    world.wait_for("select submitted from v_files where progress = 'done'", 2);
    world.wait("the report to say both refused lines", || {
        let report = fs::read_to_string(world.spool("done/late.txt.refused.tsv")).unwrap_or_default();
        report.contains("no url") && report.contains("neither this")
    });
    assert_eq!(receipt(&world, "late.txt")["refused"], 2);
    // Also while nobody was there to hear it.
    world.stop(daemon);
    append(&world.spool("done/late.txt")).write_all(b"https://vod.example.com/3.mp4\n").unwrap();
    let daemon = world.ready_daemon();
    world.wait_for("select submitted from v_files where progress = 'done'", 3);
    world.assert_all_accepted_once(3);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn a_line_that_is_still_being_written_is_read_when_it_is_whole() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let live = world.path("live.log");
    let mut writer = append(&live);
    writer.write_all(ONE.as_bytes()).unwrap();
    fs::rename(&live, world.spool("incoming/live.log")).unwrap();
    world.wait_for("select submitted from v_files where progress = 'done'", 1);
    writer.write_all(b"https://vod.example.com/seg-000").unwrap();
    writer.flush().unwrap();
    // It is noticed, and read on without its last line.
    world.wait("the growth to be noticed", || world.count_log("it is read on from its mark") > 0);
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    writer.write_all(b"02.ts\n").unwrap();
    drop(writer);
    world.wait_for("select submitted from v_files where progress = 'done'", 2);
    let sent = world.rows("select url from v_urls order by url").concat();
    assert_eq!(sent, ["https://vod.example.com/1.mp4", "https://vod.example.com/seg-00002.ts"]);
    world.stop(daemon);
}

#[test]
fn a_file_that_grows_for_ever_blocks_neither_others_nor_the_stop() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let live = world.path("live.log");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut writer = append(&live);
    let writing = std::thread::spawn({
        let stop = std::sync::Arc::clone(&stop);
        move || {
            let mut n = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let lines: String = (0..20).map(|at| format!("https://vod.example.com/live/{}.ts\n", n + at)).collect();
                writer.write_all(lines.as_bytes()).unwrap();
                n += 20;
                std::thread::park_timeout(Duration::from_millis(2));
            }
            n
        }
    });
    fs::rename(&live, world.spool("incoming/live.log")).unwrap();
    for n in 1..=3 {
        world.drop_file(&format!("other-{n}.txt"), urls(&format!("o{n}"), 2));
        world.wait_for("select count(*) from v_files where name like 'other-%' and progress = 'done'", n);
    }
    let started = Instant::now();
    world.stop(daemon);
    assert!(started.elapsed() < Duration::from_secs(10));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = writing.join().unwrap();
    let daemon = world.ready_daemon();
    world.wait_for("select lines from v_files where name = 'live.log'", written as i64);
    assert_eq!(world.number("select count(*) from v_urls where file = 'live.log'"), written as i64);
    world.stop(daemon);
}

#[test]
fn a_time_of_change_that_lies_ahead_delays_nothing() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let path = world.spool("incoming/f.txt");
    let mut file = append(&path);
    file.write_all(ONE.as_bytes()).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1200)).unwrap();
    drop(file);
    let hidden = world.spool("incoming/.g.txt");
    fs::write(&hidden, TWO.trim_end()).unwrap();
    append(&hidden).set_modified(SystemTime::now() + Duration::from_secs(1200)).unwrap();
    fs::rename(&hidden, world.spool("incoming/g.txt")).unwrap();
    world.wait_for("select submitted from v_status", 2);
    world.stop(daemon);
    // Also of a file that was there at the start.
    let path = world.spool("incoming/h.txt");
    fs::write(&path, urls("h", 1)).unwrap();
    append(&path).set_modified(SystemTime::now() + Duration::from_secs(1200)).unwrap();
    let daemon = world.ready_daemon();
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
}

#[test]
fn a_hand_over_by_link_is_taken_when_the_other_name_is_gone() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let (o, l) = (world.path("o"), world.spool("incoming/l.txt"));
    fs::write(&o, ONE).unwrap();
    fs::hard_link(&o, &l).unwrap();
    fs::remove_file(&o).unwrap();
    world.wait_for("select submitted from v_status", 1);
    // With another file in between, so that the link was seen while it had two names.
    let l = world.spool("incoming/m.txt");
    fs::write(&o, TWO).unwrap();
    fs::hard_link(&o, &l).unwrap();
    world.drop_file("other.txt", urls("other", 1));
    world.wait_for("select submitted from v_status", 2);
    assert!(l.exists(), "it is not taken while it has another name");
    fs::remove_file(&o).unwrap();
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
}

#[test]
fn a_more_urgent_file_passes_a_large_one_that_is_being_read() {
    let world = World::new("", "[budget]\nrequests_per_day = 3");
    let daemon = world.ready_daemon();
    // Reading is what is tested: with nothing sent meanwhile, no machine is so slow that the day is spent on the large
    // file.
    assert!(world.run(&["pause"]).status.success());
    world.drop_file("large.txt", urls("large", 200_000));
    world.wait("a part of it to be committed", || world.try_number("select lines from v_files") > Some(0));
    world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("urgent", 100)));
    world.drop_file("urgent.csv", "url,priority\nhttps://vod.example.com/u.mp4,urgent\n");
    world.wait_for("select sum(queued) from v_files where name like 'urgent.%'", 101);
    let large = world.rows("select progress, lines from v_files where name = 'large.txt'");
    assert_eq!(large[0][0], "reading", "the large one was not read to its end first: {large:?}");
    world.wait_for("select queued from v_files where name = 'large.txt' and progress = 'done'", 200_000);
    assert!(world.run(&["resume"]).status.success());
    // The first batch of an account is no larger than what is left of a quota whose unit is not known yet.
    world.wait_for("select submitted from v_status", 2500);
    assert_eq!(world.number("select sum(submitted) from v_files where name like 'urgent.%'"), 101);
    world.assert_books_agree();
    world.stop(daemon);
}
