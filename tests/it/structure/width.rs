//! No line is wider than the screen: also in comments and texts, which rustfmt leaves as they are.

use super::root;
use super::tokens::files_below;

/// In characters, as in rustfmt.toml.
const COLUMNS_MAX: usize = 120;

/// Files that still have wider lines. One that has none any more has to be taken out.
const STILL_WIDE: [&str; 39] = [
    "benches/latency.rs",
    "benches/memory.rs",
    "src/cli/run.rs",
    "src/config/tests.rs",
    "src/credentials/mod.rs",
    "src/credentials/provider.rs",
    "src/credentials/tests.rs",
    "src/credentials/value.rs",
    "src/daemon/guardian.rs",
    "src/daemon/mod.rs",
    "src/http/server.rs",
    "src/lib.rs",
    "src/meters.rs",
    "src/queue/accounts.rs",
    "src/queue/claim.rs",
    "src/queue/enqueue.rs",
    "src/queue/files.rs",
    "src/queue/kept.rs",
    "src/queue/ready.rs",
    "src/queue/watched.rs",
    "src/service/fault.rs",
    "src/spool/encoding.rs",
    "src/spool/folders.rs",
    "src/spool/ingest.rs",
    "src/spool/scan.rs",
    "src/status/board.rs",
    "src/status/report.rs",
    "src/submit/resolve.rs",
    "src/submit/send.rs",
    "src/submit/worker.rs",
    "src/track/worker.rs",
    "src/words/warnings.rs",
    "tests/it/chaos/world.rs",
    "tests/it/handover.rs",
    "tests/it/keys.rs",
    "tests/it/memory.rs",
    "tests/it/support/mod.rs",
    "tests/it/support/stand_in.rs",
    "tests/it/wishes_model.rs",
];

#[test]
fn no_line_is_wider_than_120_columns() {
    let mut faults = Vec::new();
    for path in ["src", "tests", "benches"].iter().flat_map(|folder| files_below(&root().join(folder), ".rs")) {
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let wide = text.lines().zip(1..).filter(|(line, _)| line.chars().count() > COLUMNS_MAX);
        let wide: Vec<String> = wide.map(|(_, number)| format!("{shown}:{number}")).collect();
        match (STILL_WIDE.contains(&shown.as_str()), wide.is_empty()) {
            (true, true) => faults.push(format!("{shown} has no wide line any more: take it out of STILL_WIDE")),
            (false, false) => faults.extend(wide),
            _ => {}
        }
    }
    assert!(faults.is_empty(), "lines of more than {COLUMNS_MAX} columns:\n{}", faults.join("\n"));
}
