//! The demo of the README.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{PROGRAM, said};

/// The table in a text: its lines from the heading to the next empty one.
fn table(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("file  "));
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The labelled lines below the table, without times, dates and what depends on how fast the machine is.
fn labels(text: &str) -> Vec<String> {
    let below = text.lines().map(str::trim).skip_while(|line| !line.starts_with("file  "));
    let below = below.skip_while(|line| !line.is_empty()).skip(1);
    let split = below.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once("  "));
    split.map(|(label, _)| label.to_owned()).collect()
}

fn readme() -> String {
    page("README.md")
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn status(config: &Path) -> serde_json::Value {
    let status = Command::new(PROGRAM).args(["status", "--json", "--config"]).arg(config).output().unwrap();
    serde_json::from_slice(&status.stdout).unwrap()
}

#[test]
fn the_demo_ends_warm_tells_the_readmes_table_and_its_data_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let output = Command::new(PROGRAM).args(["--lang", "en", "demo", "--keep"]).arg(&kept).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for readme in ["README.md", "README.zh-CN.md"].map(page) {
        assert_eq!(table(&text), table(&readme), "{text}");
        assert_eq!(labels(&text), labels(&readme), "{text}");
    }
    assert_eq!(table(&text).len(), 6, "{text}");
    for part in [
        " URLs sent, the answer is lost",
        "batch 2: the service lists its task",
        "old.example.com is offline: its 6 URLs wait",
        "premiere.txt: all warm at ",
        "the purge of 3 URLs is accepted; their prefetch waits for it",
        "3 URLs purged by a budget of its own, then prefetched",
        "well: every URL that can be is warm",
    ] {
        // A line that was broken is one again.
        assert!(text.replace("\n            ", " ").contains(part), "{part}: {text}");
    }
    // Through a pipe there are only lines: no bar, no colours, nothing that moves the cursor.
    assert!(!text.contains(['\r', '\x1b']) && output.stderr.is_empty(), "{}", said(&output));
    let json = status(&kept.join("prefetchd.toml"));
    assert_eq!((&json["urls"]["complete"], &json["urls"]["pending"]), (&2813.into(), &6.into()));
    assert_eq!(json["budget"]["unit"], "requests");
    assert_eq!((&json["lanes"][0]["action"], &json["lanes"][0]["urls_used"]), (&"purge".into(), &3.into()));
    // A directory with something in it is not touched.
    let output = Command::new(PROGRAM).args(["demo", "--keep"]).arg(&kept).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

#[test]
fn the_demo_speaks_chinese_and_its_table_has_the_same_numbers() {
    let output = Command::new(PROGRAM).args(["--lang", "zh", "demo"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let numbers = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for line in &table(&readme())[1..] {
        assert!(text.lines().any(|row| numbers(row) == numbers(line)), "{line}: {text}");
    }
    assert!(text.contains("正常：能预热的 URL 全部已预热"), "{text}");
}
