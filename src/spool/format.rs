//! Parses a line by the file's format: text, JSON lines or CSV.

use std::fmt;

use chrono::FixedOffset;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use super::directives::{self, KEYS, canonical};
use super::records::cells;
use super::warnings::Warnings;
use crate::model::{Action, Fault, InputFault, KeyFault, Keys, LineFault, ObjectUrl, Warning, trim_unseen};

/// A file's format, which its name decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One URL per line.
    Text,
    /// One object per line, with `url` and any of the keys.
    JsonLines,
    /// A header with a column `url`, then one record per line, or over several lines if a cell has several.
    Csv,
}

impl Format {
    /// Chosen by the end of the name, before `.gz` or `.zst`, in any case.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name {
            name if name.ends_with(".jsonl") || name.ends_with(".ndjson") => Self::JsonLines,
            name if name.ends_with(".csv") => Self::Csv,
            _ => Self::Text,
        }
    }
}

/// What a file of this name is read as, such as `csv, packed with gzip`.
pub fn format_words(name: &str) -> String {
    let format = match Format::of(name) {
        Format::Text => "text",
        Format::JsonLines => "json lines",
        Format::Csv => "csv",
    };
    let name = name.to_ascii_lowercase();
    match () {
        () if name.ends_with(".gz") => format!("{format}, packed with gzip"),
        () if name.ends_with(".zst") => format!("{format}, packed with zstd"),
        () => format.to_owned(),
    }
}

/// The result of parsing a line.
#[derive(Debug)]
pub(super) enum Item {
    /// A URL.
    Url {
        /// The number of its line.
        line: u64,
        /// The URL.
        url: ObjectUrl,
        /// What is done with it.
        action: Action,
        /// The line's own keys, where they differ from the file's.
        keys: Option<Keys>,
    },
    /// A line that is not a URL.
    Refused {
        /// Its number.
        line: u64,
        /// Why.
        fault: Fault,
        /// Its bytes, or their beginning.
        bytes: Vec<u8>,
    },
    /// Blank, or a comment.
    Nothing,
}

/// The columns of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    url: usize,
    keys: Vec<(usize, &'static str)>,
    /// How many there are, without those at the end that have no name.
    count: usize,
    pub(super) separator: u8,
}

impl Columns {
    /// Reads a header. Unknown columns and a separator other than a comma are added to `warnings`.
    ///
    /// # Errors
    ///
    /// What is wrong with the header.
    pub(super) fn of(
        header: &str,
        line: u64,
        separator: Option<u8>,
        warnings: &mut Warnings,
    ) -> Result<Self, InputFault> {
        let split = |separator: u8| {
            cells(header, separator).map(|names| names.iter().map(|name| canonical(name)).collect::<Vec<_>>())
        };
        let has_url = |separator: &u8| split(*separator).is_some_and(|names| names.iter().any(|name| name == "url"));
        let candidates = separator.map_or_else(|| b",;\t".to_vec(), |given| vec![given]);
        let separator = candidates.into_iter().find(has_url).ok_or_else(|| InputFault::no_url_column(header))?;
        if separator != b',' {
            warnings.add(Warning::Separator, line, &char::from(separator).to_string());
        }
        let names = split(separator).unwrap_or_default();
        let is_twice = |key: &&str| names.iter().filter(|name| name.as_str() == *key).count() > 1;
        if let Some(key) = std::iter::once("url").chain(KEYS).find(is_twice) {
            return Err(InputFault::two_columns(key, header));
        }
        let at = |name: &str| names.iter().position(|column| column == name);
        for name in &names {
            warn_of(name, |key| at(key).is_some(), line, warnings);
        }
        Ok(Self {
            url: at("url").unwrap_or_default(),
            keys: KEYS.into_iter().filter_map(|key| Some((at(key)?, key))).collect(),
            count: names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1),
            separator,
        })
    }
}

/// Warns of an unknown column, with a hint if it is one letter off a known one that is missing.
fn warn_of(name: &str, is_there: impl Fn(&str) -> bool, line: u64, warnings: &mut Warnings) {
    if name.is_empty() || name == "url" || KEYS.contains(&name) {
        return;
    }
    let near = KEYS.into_iter().find(|key| !is_there(key) && is_one_off(name, key));
    match near {
        Some(key) => warnings.add(Warning::ColumnNear, line, &format!("`{name}` for `{key}`")),
        None => warnings.add(Warning::ColumnIgnored, line, name),
    }
}

/// Whether the words differ by one letter (added, missing or wrong), by two neighbours exchanged, or by a blank instead
/// of `_`.
fn is_one_off(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    let rest = |text: &[char], from: usize| text.get(from..).map(<[char]>::to_vec);
    rest(a, 1) == Some(b.to_vec())
        || rest(b, 1) == Some(a.to_vec())
        || (rest(a, 1).is_some() && rest(a, 1) == rest(b, 1))
        || (a.len() > 1 && b.len() > 1 && (a[0], a[1]) == (b[1], b[0]) && a[2..] == b[2..])
}

/// The separator of Excel's own hint, `sep=;`, which may be a tab.
pub(super) fn separator_hint(text: &str) -> Option<u8> {
    let text = text.trim_start_matches('\u{feff}');
    let (_, rest) = text.split_at_checked(4).filter(|(name, _)| name.eq_ignore_ascii_case("sep="))?;
    let hinted = rest.bytes().next().filter(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())?;
    trim_unseen(&rest[1..]).is_empty().then_some(hinted)
}

/// A header without what nobody sees around it, except tabs at its start: the first column may have no name.
pub(super) fn without_frame(header: &str) -> &str {
    let names = trim_unseen(header);
    let at = header.find(names).unwrap_or_default();
    let from = header[..at].find('\t').unwrap_or(at);
    &header[from..at + names.len()]
}

/// The URL and keys of one line.
pub(super) struct Said {
    pub(super) url: String,
    /// None if the file's keys apply.
    pub(super) keys: Option<Keys>,
}

/// Parses a CSV record; none if all its cells are empty. `file` holds the keys of the whole file; the record's own keys
/// replace them one by one.
pub(super) fn of_csv(record: &str, columns: &Columns, file: &Keys, offset: FixedOffset) -> Result<Option<Said>, Fault> {
    let cells = cells(record, columns.separator).ok_or(LineFault::CsvQuote)?;
    let Some(last) = cells.iter().rposition(|cell| !trim_unseen(cell).is_empty()) else {
        return Ok(None);
    };
    // What is behind the last column was behind a comma without quotes: a part of the URL, or of a value.
    if last >= columns.count {
        return Err(LineFault::CsvCells.at(cells[last].trim()));
    }
    let url = cells.get(columns.url).filter(|url| !url.is_empty()).ok_or(LineFault::CsvNoUrl)?.clone();
    let given = columns.keys.iter().filter_map(|(at, key)| Some((*key, trim_unseen(cells.get(*at)?))));
    let keys = own_keys(given.filter(|(_, value)| !value.is_empty()), file, offset)?;
    Ok(Some(Said { url, keys }))
}

/// Parses an object of a JSON lines file.
pub(super) fn of_json(
    text: &str,
    line: u64,
    file: &Keys,
    offset: FixedOffset,
    warnings: &mut Warnings,
) -> Result<Said, Fault> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let object = reader.deserialize_map(ObjectVisitor).and_then(|object| reader.end().map(|()| object));
    let object = object.map_err(|error| match error.classify() {
        Category::Data => LineFault::Json.at(DATA.iter().find(|key| error.to_string().contains(*key)).unwrap_or(&"")),
        _ => LineFault::Json.at(piece(text, error.column())),
    })?;
    let is_there = |key: &str| object.given.iter().any(|(known, _)| *known == key);
    object.foreign.iter().for_each(|name| warn_of(name, is_there, line, warnings));
    let url = object.given.iter().find(|(key, _)| *key == "url").map(|(_, url)| url.clone());
    let url = url.ok_or(LineFault::Json)?;
    let given = object.given.iter().filter(|(key, _)| *key != "url").map(|(key, value)| (*key, value.as_str()));
    Ok(Said { url, keys: own_keys(given, file, offset)? })
}

/// What serde's texts on data name, in which a reader finds his mistake.
const DATA: [&str; 8] =
    ["`url`", "`action`", "`priority`", "`label`", "`not_before`", "`deadline`", "`force`", "`purge_force`"];

/// The characters around a column, counted in bytes from 1.
fn piece(text: &str, column: usize) -> &str {
    let at = text.floor_char_boundary(column.saturating_sub(1));
    let from = text[..at].char_indices().rev().nth(PIECE_CHARS - 1).map_or(0, |(at, _)| at);
    let to = text[at..].char_indices().nth(PIECE_CHARS).map_or(text.len(), |(more, _)| at + more);
    &text[from..to]
}

/// Characters before and behind the place of a mistake.
const PIECE_CHARS: usize = 15;

/// The file's keys with the line's own keys put over them; none if the line has none of its own.
fn own_keys<'v>(
    given: impl Iterator<Item = (&'static str, &'v str)>,
    file: &Keys,
    offset: FixedOffset,
) -> Result<Option<Keys>, Fault> {
    let mut keys = None;
    for (key, value) in given {
        directives::set(keys.get_or_insert_with(|| file.clone()), key, value, offset).map_err(|fault| match fault {
            KeyFault::Value { key, value } => LineFault::Key.at(format!("{key} = {value}")),
            KeyFault::Unknown(text) | KeyFault::NoPair(text) | KeyFault::Twice(text) => LineFault::Key.at(text),
        })?;
    }
    Ok(keys)
}

/// A JSON object: its `url`, its keys, and the names of its other members.
struct Object {
    given: Vec<(&'static str, String)>,
    foreign: Vec<String>,
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a url")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        use serde::de::Error as _;
        let mut object = Object { given: Vec::new(), foreign: Vec::new() };
        while let Some(name) = map.next_key::<String>()? {
            let name = canonical(&name);
            let Some(key) = std::iter::once("url").chain(KEYS).find(|key| *key == name) else {
                map.next_value::<IgnoredAny>()?;
                object.foreign.push(name);
                continue;
            };
            if object.given.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("`{key}` stands twice")));
            }
            match map.next_value::<serde_json::Value>()? {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => object.given.push((key, text)),
                value @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) if key != "url" => {
                    object.given.push((key, value.to_string()));
                }
                _ => return Err(A::Error::custom(format_args!("`{key}` is no text"))),
            }
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_json_is_shown_by_its_piece_and_not_in_the_words_of_the_parser() {
        let offset = FixedOffset::east_opt(8 * 3600).unwrap();
        for (text, found) in [
            (r#"{"url":"https://vod.example.com/1.mp4"},"#, r#"/1.mp4"},"#),
            (r#"{"url":"https://vod.example.com/1.mp4""#, r#"/1.mp4""#),
            (r#"{"url":1}"#, "`url`"),
            (r#"{"url":"a","url":"b"}"#, "`url`"),
            (r#"{"label":"首映"}"#, ""),
            ("{首映}", "{首映}"),
        ] {
            let fault = of_json(text, 4, &Keys::default(), offset, &mut Warnings::default()).err().unwrap();
            assert!(fault.kind == LineFault::Json && fault.found.ends_with(found), "{text}: {fault}");
            assert!(!fault.found.contains(' ') && fault.found.is_empty() == found.is_empty(), "{text}: {fault}");
        }
    }

    #[test]
    fn one_letter_off_is_near_and_two_are_not() {
        for near in ["priorty", "priorityy", "priorit", "prioritz", "prioirty"] {
            assert!(is_one_off(near, "priority"), "{near}");
        }
        for far in ["prio", "title", "priority", "pirorty", ""] {
            assert!(!is_one_off(far, "priority"), "{far}");
        }
    }
}
