//! Names of dropped files: which are left alone, and what they are called from `work/` on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Longest stored name, in bytes: with the endings of receipt and report it stays below the 255 of a file system.
const STORED_BYTES_MAX: usize = 200;

/// Whether a name says that its file is not finished: it begins with `.` or ends in `.tmp`, `.part`, `.swp` or `~`.
pub fn is_left_alone(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") || [&b".tmp"[..], b".part", b".swp", b"~"].iter().any(|ending| name.ends_with(ending))
}

/// The name as it is stored and shown: bytes that are no UTF-8 and control characters are percent-encoded, and what is
/// too long is cut.
pub fn stored_name(name: &OsStr) -> String {
    let mut stored = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut bytes = [0; 4];
                encode(&mut stored, c.encode_utf8(&mut bytes).as_bytes());
            } else {
                stored.push(c);
            }
        }
        encode(&mut stored, chunk.invalid());
    }
    stored.truncate(stored.floor_char_boundary(STORED_BYTES_MAX));
    stored
}

/// The same name told apart by a mark before its first dot: `urls.txt` becomes `urls.1763890000.txt`.
pub(super) fn told_apart(name: &str, mark: &str) -> String {
    match name.char_indices().find(|(at, c)| *at > 0 && *c == '.') {
        Some((dot, _)) => format!("{}.{mark}{}", &name[..dot], &name[dot..]),
        None => format!("{name}.{mark}"),
    }
}

fn encode(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_files_are_left_alone() {
        for name in [".hidden", "a.tmp", "a.txt.part", ".a.swp", "a.txt~"] {
            assert!(is_left_alone(OsStr::new(name)), "{name}");
        }
        for name in ["a", "a.txt", "tmp", "part.txt", "名单.txt"] {
            assert!(!is_left_alone(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_stored_name_is_short_and_harmless() {
        assert_eq!(stored_name(OsStr::from_bytes(b"a\n\x1b[31m\xff.txt")), "a%0A%1B[31m%FF.txt");
        assert_eq!(stored_name(OsStr::new("片单.txt")), "片单.txt");
        assert!(stored_name(OsStr::new(&"名".repeat(85))).len() <= STORED_BYTES_MAX);
    }

    #[test]
    fn a_name_that_is_taken_keeps_its_endings() {
        assert_eq!(told_apart("urls.txt.gz", "7"), "urls.7.txt.gz");
        assert_eq!(told_apart("urls", "7"), "urls.7");
    }
}
