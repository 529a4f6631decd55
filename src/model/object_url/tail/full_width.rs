//! Refuses full-width signs that stand where a URL has `.`, `?` or `/`: an input method wrote them.

use super::behind::is_ending;
use super::signs::around;
use crate::model::line_fault::{Fault, LineFault};

/// Checks a path.
pub(super) fn check(path: &str) -> Result<(), Fault> {
    if path.is_ascii() {
        return Ok(());
    }
    for (at, c) in path.char_indices() {
        let rest = &path[at + c.len_utf8()..];
        let is_misplaced = match c {
            '．' | '。' | '｡' => begins_ending(rest),
            '？' => begins_pair(rest),
            '／' => rest.is_empty(),
            _ => false,
        };
        if is_misplaced {
            return Err(LineFault::FullWidth.at(around(path, at)));
        }
    }
    Ok(())
}

/// `mp4`, and then nothing that belongs to the word.
fn begins_ending(rest: &str) -> bool {
    let ends = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    is_ending(&rest[..ends])
}

/// `key=`, also with a full-width sign.
fn begins_pair(rest: &str) -> bool {
    let ends = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
    ends > 0 && rest[ends..].starts_with(['=', '＝'])
}
