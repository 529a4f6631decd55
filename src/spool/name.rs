//! Names of dropped files: which ones are left alone, and how they are stored from `work/` on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::folders::{RECEIPT, REFUSED};
use crate::model::LeftWhy;

/// Longest stored name, in bytes: with the endings of receipt and report it stays below the 255 of file systems.
const STORED_BYTES_MAX: usize = 200;

/// Endings that programs give to unfinished files, in lower case.
const UNFINISHED: [&[u8]; 8] =
    [b".tmp", b".part", b".partial", b".filepart", b".crdownload", b".download", b".swp", b"~"];

/// How the names of the temporary files of `prefetchd add` begin.
pub const ADD_PREFIX: &str = ".add-";

/// Added to the stored name of a dropped receipt or report of prefetchd's own, so that a stored name never ends like
/// the receipt of another file.
const SET_ASIDE: &str = ".set-aside";

/// Longest ending that is kept when a name is cut, such as `.jsonl.gz`.
const ENDING_BYTES_MAX: usize = 20;

/// Whether a file of this name is left alone because its writer has not finished it or hides it.
pub fn is_left_alone(name: &OsStr) -> bool {
    left_alone_why(name).is_some()
}

/// Whether the file at this path has a second name: as long as it has, it is not taken.
pub fn has_second_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.nlink() > 1)
}

/// Why a file of this name is left alone; none if it is not.
pub(super) fn left_alone_why(name: &OsStr) -> Option<LeftWhy> {
    let name = name.as_bytes();
    if name.starts_with(b".") || name.starts_with(b"~") {
        return Some(LeftWhy::Hidden);
    }
    let ends =
        |ending: &[u8]| name.len() >= ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending);
    UNFINISHED.into_iter().any(ends).then_some(LeftWhy::Unfinished)
}

/// Whether this is the name of a receipt or report of refused lines, which are never inputs.
pub fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(RECEIPT) || name.ends_with(REFUSED)
}

/// The name as it is shown: bytes that are not UTF-8 and control characters are percent-encoded. A name that is too
/// long is cut before its ending, because the ending decides how the file is read.
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
    shortened(stored, STORED_BYTES_MAX)
}

fn shortened(name: String, bytes_max: usize) -> String {
    if name.len() <= bytes_max {
        return name;
    }
    let ending = ending(&name);
    let stem = name.floor_char_boundary(bytes_max - ending.len()).min(name.len() - ending.len());
    format!("{}{ending}", &name[..stem])
}

/// The short endings of a name, such as `.csv.gz`.
fn ending(name: &str) -> &str {
    let dots = name.rmatch_indices('.').map(|(at, _)| at).take(2);
    let short = dots.filter(|at| *at > 0 && name.len() - at <= ENDING_BYTES_MAX && name[*at..].is_ascii());
    short.last().map_or("", |at| &name[at..])
}

/// The name that a file gets in `work/` and later, if it is free.
pub(super) fn kept_as(shown: &str) -> String {
    if is_own(shown) { format!("{shown}{SET_ASIDE}") } else { shown.to_owned() }
}

/// The name under which the file was dropped, as far as its stored name tells.
pub(super) fn shown_as(stored: &str) -> &str {
    stored.strip_suffix(SET_ASIDE).filter(|shown| is_own(shown)).unwrap_or(stored)
}

/// The name made unique by a mark before its first dot: `urls.txt` becomes `urls.1763890000.txt`. It is no longer than
/// other stored names, so that it stays as it is when it is stored.
pub(super) fn told_apart(name: &str, mark: &str) -> String {
    let name = shortened(name.to_owned(), STORED_BYTES_MAX - mark.len() - 1);
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
        for name in [
            ".hidden",
            "~$list.csv",
            "a.tmp",
            "a.txt.part",
            "a.txt.PARTIAL",
            "a.filepart",
            "a.crdownload",
            "a.Download",
            ".a.swp",
            "a.txt~",
            "名单.TMP",
        ] {
            assert!(is_left_alone(OsStr::new(name)), "{name}");
        }
        for name in ["a", "a.txt", "tmp", "part.txt", "download", "名单.txt", "a~.txt"] {
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
    fn a_name_that_is_cut_keeps_the_ending_that_decides_how_it_is_read() {
        for ending in ["", ".csv", ".csv.gz", ".jsonl.zst", ".CSV"] {
            let stored = stored_name(OsStr::new(&format!("{}{ending}", "第".repeat(80))));
            assert!(stored.len() <= STORED_BYTES_MAX && stored.len() > 190, "{stored}");
            assert!(stored.ends_with(&format!("第{ending}")), "{stored}");
        }
        let odd = [&[b'x'; 240][..], b".\xff\xff.csv"].concat();
        assert!(stored_name(OsStr::from_bytes(&odd)).ends_with("x.%FF%FF.csv"));
    }

    #[test]
    fn what_is_stored_never_ends_like_the_receipt_of_another() {
        for name in ["x.txt.receipt.json", "x.txt.refused.tsv", "X.RECEIPT.JSON"] {
            let kept = kept_as(name);
            assert!(is_own(name) && !is_own(&kept), "{kept}");
            assert_eq!(shown_as(&kept), name);
        }
        assert_eq!((kept_as("x.txt").as_str(), shown_as("x.set-aside")), ("x.txt", "x.set-aside"));
    }

    #[test]
    fn a_name_that_is_taken_keeps_its_endings() {
        assert_eq!(told_apart("urls.txt.gz", "7"), "urls.7.txt.gz");
        assert_eq!(told_apart("urls", "7"), "urls.7");
        for name in ["q".repeat(200), format!("{}.csv.gz", "第".repeat(64)), format!("a.{}", "q".repeat(198))] {
            let apart = told_apart(&name, "20261129T075612345-1");
            assert!(apart.len() <= STORED_BYTES_MAX && apart.contains("20261129T075612345-1"), "{apart}");
            assert_eq!(stored_name(OsStr::new(&apart)), apart);
        }
    }
}
