//! Finds the end of a CSV record: a line end outside quotes. A cell of several lines is part of its record, and nothing
//! inside it is a record (RFC 4180, as the `csv` crate reads it). Stricter than that: only a separator may follow a
//! closing quote, so that one quote too many spoils its own record and not the next.

/// Longest record, in bytes. Only the beginning of a longer one is kept.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024;

/// A record that is being joined from lines.
#[derive(Debug)]
pub(super) struct Record {
    separator: u8,
    state: State,
    /// Its lines, separated by LF; only the beginning if it is too long.
    bytes: Vec<u8>,
    lines: u64,
    pub(super) is_too_long: bool,
    /// Something other than a separator follows a closing quote.
    has_stray_quote: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Bare,
    Quoted,
    /// After a quote inside quotes: the closing one, or the first of a doubled one.
    AfterQuote,
    /// After a closing quote and a blank.
    AfterCell,
}

impl Record {
    /// An empty record whose cells are separated by this byte.
    pub(super) fn new(separator: u8) -> Self {
        Self {
            separator,
            state: State::CellStart,
            bytes: Vec::new(),
            lines: 0,
            is_too_long: false,
            has_stray_quote: false,
        }
    }

    /// Adds a line without its end; `is_cut` if `line` is only its beginning and `quotes` is how many quotes all of it
    /// has. True if the record ends with it.
    pub(super) fn add(&mut self, line: &[u8], is_cut: bool, quotes: u64) -> bool {
        if self.lines > 0 {
            self.push(b"\n");
        }
        self.lines += 1;
        self.push(line);
        if is_cut {
            self.is_too_long = true;
            // What was cut off is not there to be walked through; quotes come in pairs.
            let is_open = (self.state == State::Quoted) != (quotes % 2 == 1);
            self.state = if is_open { State::Quoted } else { State::CellStart };
        } else {
            line.iter().for_each(|byte| self.step(*byte));
        }
        self.state != State::Quoted
    }

    /// It was no record: only its first line stands in its place, whose quotes do not match.
    pub(super) fn be_unclosed(&mut self, line: &[u8]) {
        self.clear();
        self.push(line);
        (self.lines, self.state) = (1, State::Quoted);
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > RECORD_BYTES_MAX {
            self.is_too_long = true;
        } else if !self.is_too_long {
            self.bytes.extend_from_slice(bytes);
        }
        if self.is_too_long && self.bytes.is_empty() {
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(200)]);
        }
    }

    fn step(&mut self, byte: u8) {
        let is_separator = byte == self.separator;
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::AfterQuote,
            (State::Quoted, _) => State::Quoted,
            (State::AfterQuote | State::CellStart, b'"') => State::Quoted,
            (_, _) if is_separator => State::CellStart,
            (State::AfterQuote | State::AfterCell, b' ' | b'\t') => State::AfterCell,
            (State::AfterQuote | State::AfterCell, _) => {
                self.has_stray_quote = true;
                State::Bare
            }
            _ => State::Bare,
        };
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether its quotes match.
    pub(super) fn is_sound(&self) -> bool {
        self.state != State::Quoted && !self.has_stray_quote
    }

    /// Empties it for the next record.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.state, self.lines, self.is_too_long, self.has_stray_quote) = (State::CellStart, 0, false, false);
    }
}

/// The cells of a record; none if it is not CSV.
pub(super) fn cells(record: &str, separator: u8) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(record.len().max(1))
        .from_reader(record.as_bytes());
    let mut cells = csv::StringRecord::new();
    let read = reader.read_record(&mut cells).ok()?;
    read.then(|| cells.iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a text, joined from its lines.
    fn records(text: &str) -> Vec<(String, bool)> {
        let mut record = Record::new(b',');
        let mut records = Vec::new();
        for line in text.split('\n') {
            if record.add(line.as_bytes(), false, 0) {
                records.push((String::from_utf8(record.bytes().to_vec()).unwrap(), record.is_sound()));
                record.clear();
            }
        }
        records
    }

    #[test]
    fn a_cell_of_several_lines_is_part_of_its_record() {
        let all = records("\"one\",1\n\"two\nlines\",2\n\"three\nx,NOT\nlines\",3\n\"a\"\"b\",4\n\"c\"d,5");
        let texts: Vec<&str> = all.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["\"one\",1", "\"two\nlines\",2", "\"three\nx,NOT\nlines\",3", "\"a\"\"b\",4", "\"c\"d,5"]);
        assert_eq!(all.iter().filter(|(_, is_sound)| !is_sound).count(), 1);
        assert_eq!(cells(texts[2], b',').unwrap(), ["three\nx,NOT\nlines", "3"]);
    }

    proptest! {
        #[test]
        fn records_are_those_of_the_csv_crate(text in "[a,\"\n ]{0,60}") {
            let mine = records(&text);
            prop_assume!(mine.iter().all(|(_, is_sound)| *is_sound));
            let whole = mine.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("\n");
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(whole.as_bytes());
            let theirs: Vec<Vec<String>> =
                reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            // The reference reader skips empty lines.
            let mine: Vec<Vec<String>> = mine.iter().filter_map(|(text, _)| cells(text, b',')).collect();
            prop_assert_eq!(mine, theirs);
        }
    }
}
