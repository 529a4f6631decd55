//! Memory and receipts are bounded, whatever a file says. Peaks are no times: they do not depend on how busy a machine
//! is.

#![expect(clippy::print_stdout, reason = "a run tells what it measured")]

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;

use crate::support::{Process, World, read};

/// What the daemon may have had at most, in kB.
const PEAK_KB_MAX: u64 = 96 * 1024;

/// What a receipt may have at most.
const RECEIPT_BYTES_MAX: u64 = 64_000;

fn peak_kb(daemon: &Process) -> u64 {
    let status = read(format!("/proc/{}/status", daemon.id()).as_ref());
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Drops a file and gives the daemon's peak by its end, and the size of its receipt.
fn drop_and_measure(world: &World, daemon: &Process, name: &str, content: String) -> (u64, u64) {
    world.drop_file(name, content);
    world.wait_for(&format!("select count(*) from v_files where name = '{name}' and progress <> 'reading'"), 1);
    let receipt = |folder: &str| fs::metadata(world.spool(folder).join(format!("{name}.receipt.json")));
    let measured = (peak_kb(daemon), receipt("done").or_else(|_| receipt("rejected")).unwrap().len());
    println!("{name}: {} kB at most, receipt {} bytes", measured.0, measured.1);
    measured
}

fn film(n: usize) -> String {
    format!("https://vod.example.com/film/part-{n}.mp4")
}

#[test]
fn distinct_bad_values_are_not_kept() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let values = |lines| {
        let line = |n: usize| format!("{},priority-{}\n", film(n), n * 7_919);
        format!("url,priority\n{}", (0..lines).map(line).collect::<String>())
    };
    let (few, _) = drop_and_measure(&world, &daemon, "few.csv", values(3_000));
    let (many, receipt) = drop_and_measure(&world, &daemon, "many.csv", values(25_000));
    assert!(many < few + 12 * 1024, "{} kB more for 22,000 values more", many - few);
    assert!(many <= PEAK_KB_MAX && receipt <= RECEIPT_BYTES_MAX);
    assert_eq!(world.number("select refused from v_files where name = 'many.csv'"), 25_000);
    world.stop(daemon);
}

#[test]
fn distinct_labels_and_domains_are_not_kept() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    // More domains than are kept at a time.
    let line = |n: usize| format!("https://h{n}.example.com/a.mp4,\"label {n} 标签 {:0100}\"\n", n * 31);
    let content = format!("url,label\n{}", (0..10_000).map(line).collect::<String>());
    let (peak, receipt) = drop_and_measure(&world, &daemon, "labels.csv", content);
    assert!(peak <= PEAK_KB_MAX && receipt <= RECEIPT_BYTES_MAX);
    assert_eq!(world.number("select count(*) from v_hosts where pending = 1"), 10_000);
    assert_eq!(world.number("select count(distinct label) from v_urls"), 10_000);
    world.stop(daemon);
    world.assert_books_agree();
}

#[test]
fn a_receipt_stays_small_however_much_is_odd_about_a_file_and_however_often_it_is_read_on() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    let odd = |n: usize| format!("# priority = \u{1b}{n}\u{200b}{:050}\n{}%zz{n}\\\"\n", n * 17, film(n));
    let (_, receipt) = drop_and_measure(&world, &daemon, "odd.txt", (0..2_000).map(odd).collect());
    assert!(receipt <= RECEIPT_BYTES_MAX, "{receipt}");
    let keys = |round: usize, lines: usize| {
        let mut text = String::new();
        for n in 0..lines {
            writeln!(text, r#"{{"url":"{}","{round}-{n}-\u001b标{:050}":"{n}"}}"#, film(n), n * 13).unwrap();
        }
        text
    };
    let (_, receipt) = drop_and_measure(&world, &daemon, "keys.jsonl", keys(0, 3_000));
    assert!(receipt <= RECEIPT_BYTES_MAX, "{receipt}");
    // Each reading may find others.
    for round in 1..4 {
        let mut grown = OpenOptions::new().append(true).open(world.spool("done/keys.jsonl")).unwrap();
        grown.write_all(keys(round, 100).as_bytes()).unwrap();
        drop(grown);
        let lines = i64::try_from(3_000 + 100 * round).unwrap();
        world.wait_for(&format!("select count(*) from v_files where lines = {lines} and progress = 'done'"), 1);
    }
    let receipt = fs::metadata(world.spool("done/keys.jsonl.receipt.json")).unwrap().len();
    assert!(receipt <= RECEIPT_BYTES_MAX, "{receipt}");
    let kept = "select count(*) from file_warnings where file_id = 2";
    assert!((32..=70).contains(&world.number(kept)), "{:?}", world.rows(kept));
    assert_eq!(world.number("select warnings from v_files where file_id = 2"), 3_300);
    world.stop(daemon);
    world.assert_books_agree();
}
