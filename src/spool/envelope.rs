//! The options of `prefetchd add`, handed over with the file as one line before its first byte. This works for every
//! kind of file: packed, with a byte order mark, CSV. Nothing in the file can end this line early.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use super::unreadable::Unreadable;
use crate::model::{InputFault, KeyFault};

/// How the line begins.
const MARK: &[u8] = b"#:prefetchd ";

/// Longest such line, in bytes.
const BYTES_MAX: u64 = 8 * 1024;

/// Keys and values as they were given.
pub type Options = BTreeMap<String, String>;

/// The line for these options; empty if there are none.
pub fn options_line(options: &Options) -> Vec<u8> {
    if options.is_empty() {
        return Vec::new();
    }
    let options = serde_json::to_vec(options).expect("text becomes JSON");
    [MARK, &options, b"\n"].concat()
}

/// The bytes after the line, if there is one.
pub(super) fn behind(start: &[u8]) -> &[u8] {
    let ends = if start.starts_with(MARK) { memchr::memchr(b'\n', start) } else { None };
    &start[ends.map_or(0, |end| end + 1)..]
}

/// Removes the line, if there is one, and returns its options.
///
/// # Errors
///
/// The file cannot be read, or its first line begins like an options line but is not valid.
pub(super) fn take(reader: &mut impl BufRead) -> Result<Options, Unreadable> {
    if !reader.fill_buf()?.starts_with(MARK) {
        return Ok(Options::new());
    }
    let mut line = Vec::new();
    reader.take(BYTES_MAX).read_until(b'\n', &mut line)?;
    let options = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(&line[MARK.len()..]).ok());
    options.ok_or_else(|| {
        let text = String::from_utf8_lossy(&line[2..line.len().min(60)]).into_owned();
        InputFault::Directive { line: 1, fault: KeyFault::NoPair(text) }.into()
    })
}
