//! No line is wider than the screen: also in comments and texts, which rustfmt leaves as they are.

use super::root;
use super::tokens::files_below;

/// In characters, as in rustfmt.toml.
const COLUMNS_MAX: usize = 120;

#[test]
fn no_line_is_wider_than_120_columns() {
    let mut faults = Vec::new();
    for path in ["src", "tests", "benches"].iter().flat_map(|folder| files_below(&root().join(folder), ".rs")) {
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let wide = text.lines().zip(1..).filter(|(line, _)| line.chars().count() > COLUMNS_MAX);
        faults.extend(wide.map(|(_, number)| format!("{shown}:{number}")));
    }
    assert!(faults.is_empty(), "lines of more than {COLUMNS_MAX} columns:\n{}", faults.join("\n"));
}
