//! Parses a dropped file: its directives, then each line as a URL, a refused line, or nothing.

use std::io::{self, BufRead};

use super::decode::HEAD_BYTES;
use super::directives::{self, Head, PREFIX};
use super::encoding::{Decoder, Evidence, text_of_comment};
use super::envelope::Options;
use super::format::{Columns, Format, Item, Said, of_csv, of_json, separator_hint, without_frame};
use super::kind::other_kind;
use super::lines::{Kept, Line, Lines};
use super::records::Record;
use super::rules::ReadRules;
use super::unreadable::Unreadable;
use super::warnings::Warnings;
use crate::model::{
    Action, Fault, InputFault, Keys, LineFault, ObjectUrl, Target, TextEncoding, Warned, Warning, trim_unseen,
};
use crate::telemetry::one_line;
use crate::words;

/// Longest line, in bytes. A longer one is refused and skipped.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// How far a quote may be from the one that closes it, in bytes. Records are shorter; so far it is told from a quote
/// that nothing closes.
const QUOTED_BYTES_MAX: usize = 256 * 1024;

/// How far it is looked ahead to tell the encoding, in bytes.
const EVIDENCE_BYTES: usize = 64 * 1024;

/// A file being read.
#[derive(Debug)]
pub(super) struct Content<R> {
    lines: Lines<R>,
    format: Format,
    rules: ReadRules,
    head: Head,
    decoder: Decoder,
    columns: Option<Columns>,
    record: Record,
    warnings: Warnings,
    /// Whether the warning about the encoding has been given.
    said_gb18030: bool,
    /// Whether the line just read is the first one after the head and has not been returned yet.
    first: bool,
}

impl<R: BufRead> Content<R> {
    /// Reads the head of a file's text: its kind, its directives, its header. `options` are those of `prefetchd add`;
    /// `decided` is the encoding found when the file was read before.
    ///
    /// # Errors
    ///
    /// [`Unreadable::NotUrls`] for a file that is no list of URLs, and for an unknown or bad directive, with its line.
    pub(super) fn open(
        mut reader: R,
        format: Format,
        rules: ReadRules,
        options: &Options,
        decided: Option<TextEncoding>,
    ) -> Result<Self, Unreadable> {
        let start = reader.fill_buf()?;
        if let Some(fault) =
            other_kind(&start[..start.len().min(usize::try_from(HEAD_BYTES).unwrap_or(usize::MAX))], format)
        {
            return Err(fault.into());
        }
        let mut content = Self {
            lines: Lines::new(reader, LINE_BYTES_MAX),
            format,
            decoder: Decoder::new(decided.unwrap_or(rules.encoding)),
            rules,
            head: Head::default(),
            columns: None,
            record: Record::new(b','),
            warnings: Warnings::default(),
            said_gb18030: false,
            first: false,
        };
        match format {
            Format::Text => content.read_directives()?,
            Format::Csv => content.read_header()?,
            Format::JsonLines => {}
        }
        content.head.apply_options(options, content.rules.offset)?;
        content.check_action()?;
        let keys = content.head.keys.clone();
        content.warn_of_times(&keys, 0);
        // Elsewhere each line may say what is done with it.
        if content.format == Format::Text && keys.purge_force && keys.action != Action::PurgeDirectory {
            content.warnings.add(Warning::PurgeForceIgnored, 0, "");
        }
        Ok(content)
    }

    /// Refuses a file that asks for what it may not. Lines that say what they ask for are refused one by one.
    fn check_action(&self) -> Result<(), Unreadable> {
        let action = self.head.keys.action;
        let is_of_the_file = self.format == Format::Text || self.head.says("action");
        match self.rules.actions.missing(action) {
            Some(missing) if is_of_the_file => Err(InputFault::ActionForbidden { action, missing }.into()),
            _ => Ok(()),
        }
    }

    fn read_directives(&mut self) -> Result<(), Unreadable> {
        while self.lines.advance()? {
            self.decide_encoding();
            let line = self.lines.line();
            let text = if is_comment(line.bytes) {
                text_of_comment(line.bytes)
            } else if let Ok(text) = self.decoder.text(line.bytes) {
                text
            } else {
                self.first = true;
                return Ok(());
            };
            let text = trim_unseen(&text);
            if let Some(directive) = text.strip_prefix(PREFIX) {
                self.head
                    .apply(directive, self.rules.offset)
                    .map_err(|fault| InputFault::Directive { line: line.number, fault })?;
                if let Some(encoding) = self.head.encoding {
                    self.decoder.set(encoding);
                }
            } else if text.starts_with('#') {
                warn_of_comment(&mut self.warnings, text, line.number);
            } else if !text.is_empty() {
                self.first = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), Unreadable> {
        let mut separator = None;
        while self.next_record()? {
            let number = self.lines.number();
            let Ok(text) = self.decoder.text(self.record.bytes()) else {
                return Err(InputFault::NotUtf8 { line: number }.into());
            };
            if let Some(hinted) = separator_hint(&text) {
                separator = Some(hinted);
                continue;
            }
            let text = without_frame(&text);
            if !text.is_empty() {
                if self.record.is_too_long || !self.record.is_sound() {
                    return Err(InputFault::CsvHeader.into());
                }
                let columns = Columns::of(text, number, separator, &mut self.warnings)?;
                self.record = Record::new(columns.separator);
                self.columns = Some(columns);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Joins lines into the next record; false at the end of the file. Where a quote is opened that is not closed as it
    /// should be, the record is its first line, and the others are read as if there were no quote.
    fn next_record(&mut self) -> io::Result<bool> {
        self.record.clear();
        let (mut first, mut after, mut bytes) = (None, Vec::new(), 0);
        while self.lines.advance()? {
            let line = self.lines.line();
            let is_whole = self.record.add(line.bytes, line.too_long, line.quotes);
            if is_whole && first.is_none() {
                self.decide_encoding();
                return Ok(true);
            }
            bytes += line.bytes.len() + 1;
            let line = self.lines.keep();
            if first.is_none() {
                first = Some(line);
            } else {
                after.push(line);
            }
            if is_whole || bytes > QUOTED_BYTES_MAX {
                break;
            }
        }
        let Some(first) = first else { return Ok(false) };
        if !self.record.is_sound() {
            self.record.be_unclosed(first.bytes());
            self.lines.go_back(first, after);
        }
        self.decide_encoding();
        Ok(true)
    }

    /// Decides what the file's bytes mean, at the first one that is not ASCII and in no comment.
    fn decide_encoding(&mut self) {
        let bytes = if self.format == Format::Csv { self.record.bytes() } else { self.lines.line().bytes };
        if !self.decoder.must_decide(bytes) {
            return;
        }
        let is_text = self.format == Format::Text;
        if is_text && is_comment(bytes) {
            return;
        }
        let mut evidence = Evidence::default();
        evidence.add(bytes);
        let ahead = self.lines.look_ahead(EVIDENCE_BYTES).map(Kept::bytes);
        ahead.filter(|line| !is_text || !is_comment(line)).for_each(|line| evidence.add(line));
        self.decoder.decide(&evidence);
    }

    /// The keys that apply to the whole file: its directives, overridden by the options of `prefetchd add`.
    pub(super) fn keys(&self) -> &Keys {
        &self.head.keys
    }

    /// How many lines were read.
    pub(super) fn lines_read(&self) -> u64 {
        self.lines.number()
    }

    /// The encoding that was found; none while it makes no difference.
    pub(super) fn encoding(&self) -> Option<TextEncoding> {
        self.decoder.decided()
    }

    /// Takes the warnings collected since the last call.
    pub(super) fn take_warnings(&mut self) -> Vec<Warned> {
        if self.decoder.found_gb18030() && !std::mem::replace(&mut self.said_gb18030, true) {
            self.warnings.add(Warning::Gb18030, 0, "");
        }
        self.warnings.take()
    }

    /// Returns the next line's item and the offset at which the line ends; none at the end of the file.
    pub(super) fn next_item(&mut self) -> io::Result<Option<(Item, u64)>> {
        if self.format == Format::Csv {
            let number = self.lines.number() + 1;
            return Ok(if self.next_record()? {
                Some((self.record_item(number), self.lines.line().ends_at))
            } else {
                None
            });
        }
        if !std::mem::take(&mut self.first) && !self.lines.advance()? {
            return Ok(None);
        }
        self.decide_encoding();
        Ok(Some((self.line_item(), self.lines.line().ends_at)))
    }

    /// The item of the line just read.
    fn line_item(&mut self) -> Item {
        let line = self.lines.line();
        let refused = |fault: Fault| Item::Refused { line: line.number, fault, bytes: line.bytes.to_vec() };
        if line.too_long {
            return refused(LineFault::LineTooLong.into());
        }
        let text = match self.decoder.text(line.bytes) {
            Ok(text) => text,
            Err(_) if self.format == Format::Text && is_comment(line.bytes) => text_of_comment(line.bytes),
            Err(fault) => return refused(fault.into()),
        };
        let trimmed = trim_unseen(&text);
        if trimmed.is_empty() {
            return Item::Nothing;
        }
        let said = match self.format {
            Format::Text if trimmed.starts_with(PREFIX) => Err(LineFault::LateDirective.into()),
            Format::Text if trimmed.starts_with('#') => {
                warn_of_comment(&mut self.warnings, trimmed, line.number);
                return Item::Nothing;
            }
            Format::Text => {
                return url_item((trimmed, self.head.keys.action, None), &line, &self.rules, &mut self.warnings);
            }
            _ => of_json(trimmed, line.number, &self.head.keys, self.rules.offset, &mut self.warnings),
        };
        match said {
            Ok(Said { url, keys }) => {
                let said = keys.as_ref().unwrap_or(&self.head.keys);
                if said.purge_force && said.action != Action::PurgeDirectory {
                    self.warnings.add(Warning::PurgeForceIgnored, line.number, "");
                }
                let action = said.action;
                url_item((&url, action, keys), &line, &self.rules, &mut self.warnings)
            }
            Err(fault) => refused(fault),
        }
    }

    /// The item of the record that begins at this line.
    fn record_item(&mut self, number: u64) -> Item {
        let bytes = self.record.bytes();
        let refused = |fault: Fault| Item::Refused { line: number, fault, bytes: bytes.to_vec() };
        if self.record.is_too_long {
            return refused(LineFault::LineTooLong.into());
        }
        if !self.record.is_sound() {
            return refused(LineFault::CsvQuote.into());
        }
        let text = match self.decoder.text(bytes) {
            Ok(text) => text,
            Err(fault) => return refused(fault.into()),
        };
        // The header is read before any record.
        let Some(columns) = &self.columns else { return Item::Nothing };
        if trim_unseen(&text).is_empty() {
            return Item::Nothing;
        }
        match of_csv(text.trim_start_matches('\u{feff}'), columns, &self.head.keys, self.rules.offset) {
            Ok(None) => Item::Nothing,
            Ok(Some(Said { url, keys })) => {
                let line = Line { number, ends_at: 0, bytes, too_long: false, quotes: 0 };
                let said = keys.as_ref().unwrap_or(&self.head.keys);
                if said.purge_force && said.action != Action::PurgeDirectory {
                    self.warnings.add(Warning::PurgeForceIgnored, line.number, "");
                }
                let action = said.action;
                url_item((&url, action, keys), &line, &self.rules, &mut self.warnings)
            }
            Err(fault) => refused(fault),
        }
    }

    /// Warns if the file's times leave no moment to send.
    fn warn_of_times(&mut self, keys: &Keys, line: u64) {
        warn_of_times(&mut self.warnings, keys, &self.rules, line);
    }
}

/// Whether a line of a text file is a comment, whatever its encoding; a directive is none.
fn is_comment(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    bytes.starts_with(b"#") && !bytes.starts_with(PREFIX.as_bytes())
}

/// The item of a line that names this URL and asks for this action.
fn url_item(
    (url, action, keys): (&str, Action, Option<Keys>),
    line: &Line<'_>,
    rules: &ReadRules,
    warnings: &mut Warnings,
) -> Item {
    let target = match action {
        Action::PurgeDirectory => Target::Directory { roots: rules.purge_roots },
        _ => Target::File,
    };
    let read = match rules.actions.missing(action) {
        Some(_) => Err(LineFault::ActionForbidden.at(action.word())),
        None => ObjectUrl::read_as(url, &rules.urls, target),
    };
    match read {
        Ok((url, notes)) => {
            if notes.blank_encoded {
                warnings.add(Warning::BlankEncoded, line.number, "");
            }
            if notes.mention {
                warnings.add(Warning::Mention, line.number, "");
            }
            if notes.fragment_dropped {
                warnings.add(Warning::FragmentDropped, line.number, "");
            }
            if let Some(keys) = &keys {
                warn_of_times(warnings, keys, rules, line.number);
            }
            Item::Url { line: line.number, url, action, keys }
        }
        Err(fault) => Item::Refused { line: line.number, fault, bytes: line.bytes.to_vec() },
    }
}

fn warn_of_times(warnings: &mut Warnings, keys: &Keys, rules: &ReadRules, line: u64) {
    let Some(deadline) = keys.deadline else { return };
    if deadline < rules.now {
        warnings.add(Warning::DeadlineOver, line, "");
    }
    if keys.not_before.is_some_and(|not_before| not_before > deadline) {
        warnings.add(Warning::NeverReady, line, "");
    }
}

fn warn_of_comment(warnings: &mut Warnings, comment: &str, line: u64) {
    if directives::looks_like_one(comment) {
        warnings.add(Warning::LooksLikeDirective, line, comment);
    }
}

/// The first line of a report of refused lines.
pub(super) const REPORT_HEADER: &str = "line\treason\ttext\tcode\n";

/// A refused line for its report: number, reason, text and code, separated by tabs. Escapes everything that could break
/// the report, drive a terminal or be invisible.
pub(super) fn report_line(line: u64, fault: &Fault, bytes: &[u8]) -> String {
    let mut report = format!("{line}\t{}\t", one_line(&words::line_fault_with(fault).both()));
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let is_hidden = c != ' ' && trim_unseen(c.encode_utf8(&mut [0; 4])).is_empty();
            if c.is_control() || c == '\\' || is_hidden { report.extend(c.escape_default()) } else { report.push(c) }
        }
        report.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    report.push('\t');
    report.push_str(fault.kind.code());
    report.push('\n');
    report
}

#[cfg(test)]
mod tests;
