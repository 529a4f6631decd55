//! Reads a bounded part of a file before it is claimed: how urgent it is, and whether its last line has an end.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::decode::is_packed as is_packed_bytes;
use super::envelope;
use super::folders::open_regular;
use super::format::Format;
use super::survey::Survey;
use crate::model::{Keys, Priority, UrlRules, to_millis};

/// Bytes of the file that are read.
const HEAD_BYTES: u64 = 16 * 1024;

/// Lines with keys of their own that are looked at; the strongest of them ranks the file.
const LINES: usize = 100;

/// How urgent a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Urgency {
    pub(super) priority: Priority,
    /// In milliseconds since 1970; `i64::MAX` without one.
    pub(super) deadline: i64,
    /// The file is not packed and does not end with a line end.
    pub(super) has_open_tail: bool,
}

/// Reads the head of a file of `bytes` bytes. A file that cannot be read is not urgent; reading it will say what is
/// wrong.
pub(super) fn head(folder: &Path, name: &OsStr, bytes: u64, rules: &UrlRules) -> Urgency {
    let none = Urgency { priority: Priority::default(), deadline: i64::MAX, has_open_tail: false };
    read(folder, name, bytes, rules).unwrap_or(none)
}

fn read(folder: &Path, name: &OsStr, bytes: u64, rules: &UrlRules) -> io::Result<Urgency> {
    let mut file = open_regular(&folder.join(name))?;
    let mut start = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut start)?;
    let has_open_tail = bytes > 0 && !is_packed(&start) && !ends_a_line(&file, bytes, &start)?;
    let name = name.to_string_lossy();
    // Most files are plain lists without directives; they need no further look.
    let is_plain = start.first().is_some_and(u8::is_ascii_alphanumeric) && Format::of(&name) == Format::Text;
    let keys = if is_plain { vec![Keys::default()] } else { keys(start, &name, rules) };
    let by_strength = |keys: &Keys| (keys.priority, keys.deadline.map_or(i64::MAX, to_millis));
    let (priority, deadline) = keys.iter().map(by_strength).min().unwrap_or((Priority::default(), i64::MAX));
    Ok(Urgency { priority, deadline, has_open_tail })
}

/// The file's keys, or those of its first lines where these have keys of their own.
fn keys(start: Vec<u8>, name: &str, rules: &UrlRules) -> Vec<Keys> {
    let Ok(mut survey) = Survey::open(io::Cursor::new(start), name, rules.clone()) else { return Vec::new() };
    let mut all = Vec::new();
    if Format::of(name) != Format::Text {
        // The last of them may be cut off; the others still count.
        while let Ok(urls) = survey.next_urls(1) {
            let Some((_, keys)) = urls.into_iter().next() else { break };
            all.extend(keys);
            if all.len() >= LINES {
                break;
            }
        }
    }
    if all.is_empty() {
        all.push(survey.keys().clone());
    }
    all
}

fn is_packed(start: &[u8]) -> bool {
    is_packed_bytes(envelope::behind(start))
}

/// Whether the last byte ends a line. In UTF-16 it may be the second half of a line end.
fn ends_a_line(file: &File, bytes: u64, start: &[u8]) -> io::Result<bool> {
    let mut last = [start.last().copied().unwrap_or_default()];
    if bytes > HEAD_BYTES {
        file.read_exact_at(&mut last, bytes - 1)?;
    }
    Ok(matches!(last[0], b'\n' | b'\r' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, content: &[u8]) -> Urgency {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), content).unwrap();
        let rules = UrlRules { url_bytes_max: 1000, domains: vec![] };
        head(dir.path(), OsStr::new(name), content.len() as u64, &rules)
    }

    #[test]
    fn a_head_tells_how_urgent_its_file_is_in_every_format() {
        let deadline = "#: deadline = 2030-01-01T00:00:00Z\n";
        let long = "https://a.example.com/1\n".repeat(10_000);
        for (name, content) in [
            ("a.txt", format!("# list\n#: priority = urgent\n{long}")),
            ("a.txt", format!("\u{feff}#: priority = urgent\r\n{long}")),
            ("a.csv", "url,priority\nhttps://a.example.com/1,low\nhttps://a.example.com/2,urgent\n".to_owned()),
            ("a.jsonl", "{\"url\":\"a.example.com/1\",\"priority\":\"urgent\"}\n".to_owned()),
        ] {
            assert_eq!(of(name, content.as_bytes()).priority, Priority::Urgent, "{name}");
        }
        assert_eq!(of("a.txt", long.as_bytes()).priority, Priority::Normal);
        assert_eq!(of("a.txt", b"#: priority = often\n").priority, Priority::Normal);
        assert_eq!(of("a.txt", deadline.as_bytes()).deadline, 1_893_456_000_000);
        let packed = zstd::encode_all("#: priority = urgent\na.example.com/1".as_bytes(), 3).unwrap();
        assert_eq!(
            (of("a.txt.zst", &packed).priority, of("a.txt.zst", &packed).has_open_tail),
            (Priority::Urgent, false)
        );
    }

    #[test]
    fn a_last_line_without_an_end_is_seen_however_long_the_file_is() {
        let long = "https://a.example.com/1\n".repeat(10_000);
        for (content, open) in
            [("a\n".to_owned(), false), ("a".to_owned(), true), (long.clone(), false), (long + "a", true)]
        {
            assert_eq!(of("a.txt", content.as_bytes()).has_open_tail, open);
        }
        assert!(!of("a.txt", b"").has_open_tail);
    }
}
