//! What `prefetchd add` was given for a file, handed over with it: one line before its first byte. So it holds
//! whatever the file is: packed, with a byte order mark, CSV. Nothing that the file says can end this line.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use super::unreadable::Unreadable;
use crate::model::{InputFault, KeyFault};

/// What the line begins with.
const MARK: &[u8] = b"#:prefetchd ";

/// Longest such line, in bytes.
const BYTES_MAX: u64 = 8 * 1024;

/// Keys as they were given, each with its value.
pub type Options = BTreeMap<String, String>;

/// The line for these options; nothing where there are none.
pub fn options_line(options: &Options) -> Vec<u8> {
    if options.is_empty() {
        return Vec::new();
    }
    let options = serde_json::to_vec(options).expect("text becomes JSON");
    [MARK, &options, b"\n"].concat()
}

/// The bytes behind the line, if there is one.
pub(super) fn behind(start: &[u8]) -> &[u8] {
    let ends = if start.starts_with(MARK) { memchr::memchr(b'\n', start) } else { None };
    &start[ends.map_or(0, |end| end + 1)..]
}

/// Takes the line off, if there is one.
///
/// # Errors
///
/// What reading says; a line that begins like it and is none.
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
