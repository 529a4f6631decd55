//! Refuses placeholders that a program or a person should have filled in.

use super::signs::around;
use crate::model::line_fault::{Fault, LineFault};

/// Common names of placeholders.
const NAMES: [&str; 24] = [
    "id",
    "vid",
    "uid",
    "name",
    "filename",
    "file",
    "title",
    "video",
    "n",
    "i",
    "x",
    "num",
    "number",
    "index",
    "date",
    "time",
    "key",
    "token",
    "path",
    "slug",
    "ext",
    "quality",
    "segment",
    "object object",
];

/// What programs write when a value is missing, in any case; a real file name would have an ending.
const NOTHINGS: [&str; 8] =
    ["undefined", "null", "nan", "none", "nil", "(null)", "[object Object]", "[object%20Object]"];

fn is_nothing(text: &str) -> bool {
    NOTHINGS.iter().any(|nothing| nothing.eq_ignore_ascii_case(text))
}

/// Whether a URL begins here.
pub(super) fn begins_url(text: &str) -> bool {
    let starts = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    starts("http://") || starts("https://") || starts("//")
}

/// Whether `host/path` begins here: labels with dots between them and then a slash.
pub(super) fn begins_host(text: &str) -> bool {
    let Some((host, path)) = text.split_once('/') else { return false };
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let top = host.rsplit('.').next().unwrap_or_default();
    !path.is_empty()
        && host.contains('.')
        && host.split('.').all(is_label)
        && top.len() > 1
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether text begins with a single word in these brackets.
pub(super) fn is_word_in(text: &str, open: char, close: char) -> bool {
    let inside = text.strip_prefix(open).and_then(|rest| rest.split_once(close)).map(|(inside, _)| inside);
    inside.is_some_and(|word| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')))
}

/// Refuses placeholders, and percent signs that begin no escape.
pub(super) fn check(tail: &str) -> Result<(), Fault> {
    let fault = |at: usize| Err(LineFault::Placeholder.at(around(tail, at)));
    for (at, c) in tail.char_indices().filter(|(_, c)| matches!(c, '%' | '*' | '[' | '$' | '@')) {
        let rest = &tail[at + 1..];
        match c {
            '%' => check_percent(tail, at)?,
            '*' => return fault(at),
            '[' if rest.split_once(']').is_some_and(|(inside, _)| is_range_or_name(inside)) => return fault(at),
            '$' if is_variable(rest) => return fault(at),
            '@' if is_capitals_to(rest, '@') => return fault(at),
            _ => {}
        }
    }
    Ok(())
}

/// An escape is two hex digits and not a control character (`%03d` would look like one).
fn check_percent(tail: &str, at: usize) -> Result<(), Fault> {
    let rest = &tail.as_bytes()[at + 1..];
    let digits = rest.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
    let value = digits.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    let conversion = rest.iter().find(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'$'));
    let is_printf = conversion.is_some_and(|byte| matches!(byte, b's' | b'd' | b'i' | b'u' | b'x'));
    match value {
        Some(value) if !value.is_ascii_control() => Ok(()),
        _ if is_printf => Err(LineFault::Placeholder.at(around(tail, at))),
        _ => Err(LineFault::Percent.at(around(tail, at))),
    }
}

/// `01-99`, `a-z`, `1:9`, `id`.
fn is_range_or_name(inside: &str) -> bool {
    let is_end = |text: &str| {
        !text.is_empty() && (text.bytes().all(|byte| byte.is_ascii_digit()) || (text.len() == 1 && text.is_ascii()))
    };
    let is_range = ["-", ":", ".."]
        .iter()
        .any(|between| inside.split_once(between).is_some_and(|(from, to)| is_end(from) && is_end(to)));
    is_range || NAMES.contains(&inside.to_ascii_lowercase().as_str())
}

/// `(VID)`, `VID`, `id`, `Number$`, behind a dollar sign.
fn is_variable(rest: &str) -> bool {
    let ends = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(ends);
    let is_capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    rest.starts_with('(')
        || (name.len() > 1 && name.bytes().all(is_capital))
        || NAMES.contains(&name)
        || (!name.is_empty() && (behind.starts_with('$') || behind.starts_with("%0")))
}

fn is_capitals_to(rest: &str, mark: char) -> bool {
    rest.split_once(mark)
        .is_some_and(|(name, _)| name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// Refuses path segments and query values that stand for a missing value: `undefined`, `null`, `:id`.
pub(super) fn check_words(tail: &str) -> Result<(), Fault> {
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    for segment in path.split('/') {
        // A film may be called Nil.
        let stem = segment.split('.').next().filter(|stem| !stem.eq_ignore_ascii_case("nil")).unwrap_or_default();
        if is_nothing(segment)
            || is_nothing(stem)
            || segment.strip_prefix(':').is_some_and(|name| NAMES.contains(&name))
        {
            return Err(LineFault::Placeholder.at(segment));
        }
    }
    let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    match values.into_iter().find(|value| is_nothing(value)) {
        Some(value) => Err(LineFault::Placeholder.at(value)),
        None => Ok(()),
    }
}
