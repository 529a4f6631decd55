//! What a line says, by the file's format: text, JSON lines, or CSV.

use std::borrow::Cow;

use serde::Deserialize;

use super::directives::{self, PREFIX};
use super::lines::Line;
use crate::model::{ObjectUrl, Refusal, UrlRules};
use crate::queue::Keys;

/// The columns of a CSV file, and the keys of a JSON object.
const KEYS: [&str; 5] = ["priority", "label", "not_before", "deadline", "force"];

/// A file's format, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One URL a line.
    Text,
    /// One object a line, with `url` and any of the keys.
    JsonLines,
    /// A header with a column `url`, then one record a line.
    Csv,
}

impl Format {
    /// By the name's ending, before `.gz` or `.zst`, whatever its case.
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

/// Whether a file of this name is read as text, with directives at its head.
pub fn is_text(name: &str) -> bool {
    Format::of(name) == Format::Text
}

/// What a line came to.
#[derive(Debug)]
pub(super) enum Item {
    /// A URL.
    Url {
        /// The number of its line.
        line: u64,
        /// The URL.
        url: ObjectUrl,
        /// What is asked of it, where that is not what is asked of its file.
        keys: Option<Keys>,
    },
    /// A line that is none.
    Refused {
        /// Its number.
        line: u64,
        /// Why.
        reason: String,
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
}

impl Columns {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(super) fn of(header: &[u8]) -> Result<Self, String> {
        let names = fields(header).ok_or("its first line is no header: quotes do not match")?;
        let names: Vec<String> = names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let at = |name: &str| names.iter().position(|column| column == name);
        let url = at("url").ok_or("its first line, the header, has no column `url`")?;
        Ok(Self { url, keys: KEYS.into_iter().filter_map(|key| Some((at(key)?, key))).collect() })
    }
}

/// The fields of one line; none if its quotes do not match.
fn fields(line: &[u8]) -> Option<Vec<String>> {
    let unbalanced = line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(1))
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    let read = !unbalanced && reader.read_record(&mut record).ok()?;
    read.then(|| record.iter().map(str::to_owned).collect())
}

/// One object of a `.jsonl` file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    url: String,
    priority: Option<String>,
    label: Option<String>,
    not_before: Option<String>,
    deadline: Option<String>,
    force: Option<bool>,
}

/// What a line says. `file` are the keys of the whole file, which a line's own replace one by one.
pub(super) fn item(line: &Line<'_>, columns: Option<&Columns>, format: Format, rules: &UrlRules, file: &Keys) -> Item {
    let refused = |reason: String| Item::Refused { line: line.number, reason, bytes: line.bytes.to_vec() };
    if line.too_long {
        return refused(Refusal::LineTooLong.to_string());
    }
    let Ok(text) = std::str::from_utf8(line.bytes) else { return refused(Refusal::NotUtf8.to_string()) };
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return Item::Nothing;
    }
    let read = match format {
        Format::Text if trimmed.starts_with(PREFIX) => Err(Refusal::LateDirective.to_string()),
        Format::Text if trimmed.starts_with('#') => return Item::Nothing,
        Format::Text => Ok((Cow::Borrowed(text), None)),
        Format::JsonLines => of_json(trimmed, file).map(|(url, keys)| (url.into(), keys)),
        Format::Csv => of_csv(line.bytes, columns, file).map(|(url, keys)| (url.into(), keys)),
    };
    let parsed = read.and_then(|(text, keys)| {
        let url = ObjectUrl::parse(&text, rules).map_err(|reason| reason.to_string())?;
        Ok(Item::Url { line: line.number, url, keys })
    });
    parsed.unwrap_or_else(refused)
}

fn of_json(text: &str, file: &Keys) -> Result<(String, Option<Keys>), String> {
    let object: Object = serde_json::from_str(text).map_err(|error| format!("not an object with a url: {error}"))?;
    let force = object.force.map(|force| force.to_string());
    let values = [object.priority, object.label, object.not_before, object.deadline, force];
    let given = KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?)));
    Ok((object.url, own_keys(given, file)?))
}

fn of_csv(bytes: &[u8], columns: Option<&Columns>, file: &Keys) -> Result<(String, Option<Keys>), String> {
    let columns = columns.ok_or("there was no header")?;
    let record = fields(bytes).ok_or("not a record: quotes do not match, and a record is one line")?;
    let url = record.get(columns.url).ok_or("the column `url` is missing")?.clone();
    let given = columns.keys.iter().filter_map(|(at, key)| Some((*key, record.get(*at)?.trim().to_owned())));
    Ok((url, own_keys(given.filter(|(_, value)| !value.is_empty()), file)?))
}

/// The file's keys with a line's own in their place; none if it has none.
fn own_keys(given: impl Iterator<Item = (&'static str, String)>, file: &Keys) -> Result<Option<Keys>, String> {
    let mut keys = None;
    for (key, value) in given {
        directives::set(keys.get_or_insert_with(|| file.clone()), key, &value)?;
    }
    Ok(keys)
}
