//! The demo of the README.

use std::process::Command;

use crate::support::{PROGRAM, said};

#[test]
fn the_demo_ends_well_and_its_data_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let output = Command::new(PROGRAM).args(["demo", "--keep"]).arg(&kept).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(text.contains("2,804 of 2,804 URLs"), "{text}");
    assert!(text.contains("well: every valid URL was accepted once"), "{text}");
    let config = kept.join("prefetchd.toml");
    let status = Command::new(PROGRAM).args(["status", "--json", "--config"]).arg(&config).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["urls"]["submitted"], 2804);
    // Half of the first thousand first: until the unit of the quota is known, no batch is larger than what is left.
    assert_eq!(json["budget"]["requests_used"], 4);
    assert_eq!(json["budget"]["unit"], "requests");
    // A directory with something in it is not touched.
    let output = Command::new(PROGRAM).args(["demo", "--keep"]).arg(&kept).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}
