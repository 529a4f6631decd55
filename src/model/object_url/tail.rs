//! Checks path and query: characters that no URL has, and parts of the text around a URL.

use super::Target;
use super::notes::Notes;
use crate::model::invisible::{is_invisible, is_no_character, is_selector, is_space};
use crate::model::line_fault::{Fault, LineFault};

mod behind;
mod fill;
mod fragment;
mod full_width;
mod query;
mod second;
mod signs;

use behind::ends_like_a_file;
use signs::{BRACKETS, SENTENCE, around};

/// Whether a byte needs no further look anywhere after the host. (`&` begins an entity only if there is a `;` too.)
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'+' | b'~' | b'?' | b'&')
}

/// Refuses characters that a URL cannot contain unescaped.
pub(super) fn check_characters(line: &str) -> Result<(), Fault> {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let rest = &line[at..];
        match c {
            ' ' => {}
            c if c.is_control() => return Err(LineFault::ControlCharacter.at(c.to_string())),
            '\u{fffc}' | '\u{fffd}' => return Err(LineFault::Replacement.at(format!("U+{:04X}", u32::from(c)))),
            '>' if matches!(before, '-' | '=') => return Err(LineFault::Arrow.at(around(line, at))),
            '→' | '⇒' | '➔' | '➜' | '➡' | '⟶' => return Err(LineFault::Arrow.at(around(line, at))),
            '<' if fill::is_word_in(rest, '<', '>') => return Err(LineFault::Placeholder.at(around(line, at))),
            '<' | '>' | '＜' | '＞' => return Err(LineFault::Tag.at(around(line, at))),
            '\\' if rest.get(2..).is_some_and(fill::begins_url) => return Err(LineFault::TwoUrls.at(around(line, at))),
            '\\' | '＼' => return Err(LineFault::BackSlash.at(around(line, at))),
            '{' | '}' => return Err(LineFault::Placeholder.at(around(line, at))),
            // An apostrophe inside a word; an escape may begin the rest of the word.
            '\'' if before.is_alphanumeric() && rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == '%') => {}
            c if is_quote(c) => return Err(LineFault::Quote.at(around(line, at))),
            c if is_space(c) || is_invisible(c) || is_no_character(c) || (is_selector(c) && before.is_ascii()) => {
                return Err(LineFault::Invisible.at(format!("U+{:04X}", u32::from(c))));
            }
            _ => {}
        }
        before = c;
    }
    Ok(())
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '`'
            | '\u{b4}'
            | '‘'
            | '’'
            | '‚'
            | '‛'
            | '“'
            | '”'
            | '„'
            | '‟'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '＂'
            | '＇'
            | '｀'
            | '〝'
            | '〞'
            | '〟'
            | '′'
            | '″'
    )
}

/// Checks path and query if they contain more than plain bytes; returns them without a media fragment.
pub(super) fn check_odd(tail: &str) -> Result<(&str, Notes), Fault> {
    let mut notes = Notes::default();
    behind::check_entities(tail)?;
    let tail = match tail.split_once('#') {
        None => tail,
        Some((before, fragment)) if fragment::is_of_medium(fragment) => {
            notes.fragment_dropped = true;
            before
        }
        Some((before, _)) if before.ends_with(' ') => return Err(LineFault::Comment.at(around(tail, before.len()))),
        Some((before, _)) => return Err(LineFault::Fragment.at(around(tail, before.len()))),
    };
    full_width::check(tail.split('?').next().unwrap_or_default())?;
    behind::check(tail)?;
    fill::check(tail)?;
    query::check(tail)?;
    notes.blank_encoded = tail.contains(' ');
    notes.mention = tail.rsplit_once('@').is_some_and(|(before, name)| ends_like_a_file(before) && !name.contains('/'));
    Ok((tail, notes))
}

/// The checks for every path and query. `hosts` are the spellings of the line's host: as it is sent and as it stands.
pub(super) fn check(tail: &str, hosts: [&str; 2], target: Target) -> Result<(), Fault> {
    second::check(tail, hosts)?;
    let path = tail.split('?').next().unwrap_or_default();
    match target {
        Target::File if path.is_empty() || path.ends_with('/') => return Err(LineFault::Directory.at(tail)),
        Target::Directory { .. } if !tail.ends_with('/') || path != tail => return Err(LineFault::NoDirectory.at(tail)),
        Target::Directory { roots: false } if path.chars().all(|c| c == '/') => {
            return Err(LineFault::RootDirectory.at(hosts[0]));
        }
        Target::File | Target::Directory { .. } => {}
    }
    let mut segments = path.split('/');
    if let Some(dots) = segments.find(|segment| is_dot_segment(segment)) {
        return Err(LineFault::DotSegment.at(format!("/{dots}/")));
    }
    fill::check_words(tail)?;
    check_end(tail)
}

/// `.` and `..`, also encoded: whoever fetches the URL would resolve them.
fn is_dot_segment(segment: &str) -> bool {
    let is_dots = |text: &str| matches!(text, "." | "..");
    let may_be = segment.starts_with('.') || segment.starts_with('%');
    may_be && (is_dots(segment) || is_dots(&segment.replace("%2e", ".").replace("%2E", ".")))
}

/// Refuses punctuation of the sentence in which the URL stood.
fn check_end(tail: &str) -> Result<(), Fault> {
    let Some(last) = tail.chars().next_back() else { return Ok(()) };
    let body = &tail[..tail.len() - last.len_utf8()];
    if SENTENCE.contains(&last) || (last == '!' && ends_like_a_file(body)) {
        return Err(LineFault::Punctuation.at(last.to_string()));
    }
    let count = |wanted: char| tail.chars().filter(|c| *c == wanted).count();
    let opens_or_strays =
        |(open, close): &(char, char)| last == *open || (last == *close && count(*close) > count(*open));
    if !last.is_alphanumeric() && BRACKETS.iter().any(opens_or_strays) {
        return Err(LineFault::Bracket.at(last.to_string()));
    }
    Ok(())
}
