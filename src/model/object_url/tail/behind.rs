//! Checks what follows a URL on its line: another URL, a comment, a note, a status.

use super::fill;
use super::signs::{BRACKETS, SENTENCE, around};
use crate::model::line_fault::{Fault, LineFault};

/// Endings of files that a CDN serves. Only these count as the end of a name, because other names have dots too.
const ENDINGS: [&str; 76] = [
    "3gp", "7z", "aac", "ac3", "aif", "apk", "ass", "avi", "avif", "bin", "bmp", "cmfa", "cmfv", "css", "csv", "dash",
    "dmg", "exe", "f4v", "flac", "flv", "gif", "gz", "heic", "htm", "html", "ico", "init", "ipa", "iso", "jpeg", "jpg",
    "js", "json", "key", "m2ts", "m3u", "m3u8", "m4a", "m4b", "m4s", "m4v", "mkv", "mov", "mp3", "mp4", "mpd", "mpeg",
    "mpg", "mts", "ogg", "ogv", "opus", "pdf", "php", "pkg", "png", "rar", "rm", "rmvb", "srt", "svg", "tar", "ttf",
    "ts", "txt", "vob", "vtt", "wasm", "wav", "webm", "webp", "wmv", "woff2", "xml", "zip",
];

/// Whether text visibly ends in a file name.
pub(super) fn ends_like_a_file(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, ending)| is_ending(ending))
}

pub(super) fn is_ending(text: &str) -> bool {
    text.len() <= 5 && ENDINGS.contains(&text.to_ascii_lowercase().as_str())
}

/// Refuses `&amp;` and similar: the URL was copied out of HTML or XML.
pub(super) fn check_entities(tail: &str) -> Result<(), Fault> {
    for (at, _) in tail.match_indices('&') {
        let Some((name, _)) = tail[at + 1..].split_once(';') else { continue };
        let is_number =
            name.strip_prefix('#').is_some_and(|n| n.len() < 8 && n.bytes().all(|b| b.is_ascii_alphanumeric()));
        // There are 2,231 names (HTML, 13.5), all of letters, with digits behind them in a few.
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.trim_end_matches(|c: char| c.is_ascii_digit()).bytes().all(|byte| byte.is_ascii_alphabetic());
        if is_number || is_name {
            return Err(LineFault::Entity.at(&tail[at..at + name.len() + 2]));
        }
    }
    Ok(())
}

/// Refuses what follows the end of a file name, and blanks that are not inside one.
pub(super) fn check(tail: &str) -> Result<(), Fault> {
    let path = tail.split('?').next().unwrap_or_default();
    for (at, _) in tail.match_indices(' ') {
        check_blank(tail, path, at)?;
    }
    for (dot, _) in path.match_indices('.') {
        let name = &path[dot + 1..];
        let ends = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        if is_ending(&name[..ends]) {
            check_behind(path, dot + 1 + ends)?;
        }
    }
    Ok(())
}

/// A blank may be inside the name of a file or folder: with letters or similar characters on both sides, and before a
/// name that ends like a file.
fn check_blank(tail: &str, path: &str, at: usize) -> Result<(), Fault> {
    let rest = tail[at..].trim_start_matches(' ');
    let fault = |kind: LineFault| Err(kind.at(around(tail, at)));
    if ["#", "//", "/*", "--", ";"].iter().any(|mark| rest.starts_with(mark)) {
        return fault(LineFault::Comment);
    }
    if fill::begins_url(rest) || fill::begins_host(rest) {
        return fault(LineFault::TwoUrls);
    }
    if ends_like_a_file(&tail[..at]) {
        return fault(LineFault::AfterFile);
    }
    let is_beside = |c: char| matches!(c, '/' | '|' | ',' | ':' | '=' | '?' | '&');
    let stands_alone = tail[..at].ends_with(is_beside) || rest.starts_with(is_beside) || rest.is_empty();
    let last = path.rsplit('/').next().unwrap_or_default();
    if at >= path.len() || stands_alone || (last.contains(' ') && !ends_like_a_file(last)) {
        return fault(LineFault::Blank);
    }
    Ok(())
}

/// Checks what follows, at this byte of the path, a name that ends like a file.
fn check_behind(path: &str, at: usize) -> Result<(), Fault> {
    let Some(next) = path[at..].chars().next() else { return Ok(()) };
    let rest = &path[at + next.len_utf8()..];
    let segment = path[at..].split('/').next().unwrap_or_default();
    let is_noted = match next {
        '|' | ',' | ';' if fill::begins_url(rest.trim_start()) => return Err(LineFault::TwoUrls.at(around(path, at))),
        '|' => true,
        // Servers use several files in one name (`/a.mp4,b.mp4,.urlset/master.m3u8`) and `;v=1`.
        ',' | ';' if fill::begins_host(rest.trim_start()) => return Err(LineFault::TwoUrls.at(around(path, at))),
        ',' | ';' => !rest.is_empty() && !rest.contains(['/', '=']),
        '(' | '[' => !rest.is_empty() && !ends_like_a_file(segment),
        '，' | '；' | '、' | '。' | '？' | '！' | '：' | '｜' | '…' => !rest.is_empty(),
        next if !next.is_ascii() && !SENTENCE.contains(&next) => !ends_like_a_file(segment) && !closes(next),
        _ => false,
    };
    if is_noted { Err(LineFault::AfterFile.at(around(path, at))) } else { Ok(()) }
}

/// A closing bracket; the end of the line is checked for its partner.
fn closes(c: char) -> bool {
    BRACKETS.iter().any(|(_, close)| *close == c)
}
