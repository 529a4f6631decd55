//! Splits a stream into lines in bounded memory: a line that is too long is skipped to its end and returned in part.
//! Lines can be looked at before they are read, and handed back.

use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Bytes kept of a line that is too long, for the report.
const SHOWN_BYTES: usize = 200;

/// One line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub number: u64,
    /// Offset of the first byte after the line and its end.
    pub ends_at: u64,
    /// The line's bytes; only the first ones if it is too long.
    pub bytes: &'a [u8],
    /// Whether it is longer than allowed.
    pub too_long: bool,
    /// How many double quotes it has; counted only if it is too long.
    pub quotes: u64,
}

/// A line that is kept for later.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    number: u64,
    ends_at: u64,
    bytes: Vec<u8>,
    too_long: bool,
    quotes: u64,
}

impl Kept {
    /// The line's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads lines that end in LF, CRLF or CR; the last one may have no end.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    bytes_max: usize,
    number: u64,
    offset: u64,
    /// The last line ended in CR: a following LF belongs to it.
    after_cr: bool,
    /// The current line.
    bytes: Vec<u8>,
    too_long: bool,
    quotes: u64,
    /// Lines that come next: looked at already, or handed back.
    ahead: VecDeque<Kept>,
    /// What reading said while it was looked ahead; told when its turn comes.
    failed: Option<io::Error>,
}

impl<R: BufRead> Lines<R> {
    /// Lines of up to `bytes_max` bytes.
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self {
            reader,
            bytes_max,
            number: 0,
            offset: 0,
            after_cr: false,
            bytes: Vec::new(),
            too_long: false,
            quotes: 0,
            ahead: VecDeque::new(),
            failed: None,
        }
    }

    /// How many lines were read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The line that was read last.
    pub(super) fn line(&self) -> Line<'_> {
        Line {
            number: self.number,
            ends_at: self.offset,
            bytes: &self.bytes,
            too_long: self.too_long,
            quotes: self.quotes,
        }
    }

    /// The line that was read last, to be kept.
    pub(super) fn keep(&self) -> Kept {
        Kept {
            number: self.number,
            ends_at: self.offset,
            bytes: self.bytes.clone(),
            too_long: self.too_long,
            quotes: self.quotes,
        }
    }

    fn take_up(&mut self, line: Kept) {
        self.number = line.number;
        self.offset = line.ends_at;
        self.bytes = line.bytes;
        (self.too_long, self.quotes) = (line.too_long, line.quotes);
    }

    /// Goes back to a line that was read before; `after` are those that were read after it.
    pub(super) fn go_back(&mut self, to: Kept, after: Vec<Kept>) {
        after.into_iter().rev().for_each(|line| self.ahead.push_front(line));
        self.take_up(to);
    }

    /// Looks at the lines that come next, at about so many bytes of them. The line that was read last stays that one.
    pub(super) fn look_ahead(&mut self, bytes: usize) -> impl Iterator<Item = &Kept> {
        let current = self.keep();
        let mut seen: usize = self.ahead.iter().map(|line| line.bytes.len()).sum();
        let mut number = self.ahead.back().map_or(current.number, |line| line.number);
        let mut offset = self.ahead.back().map_or(current.ends_at, |line| line.ends_at);
        while seen < bytes {
            (self.number, self.offset) = (number, offset);
            match self.read() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            (number, offset) = (self.number, self.offset);
            seen += self.bytes.len() + 1;
            let line = self.keep();
            self.ahead.push_back(line);
        }
        self.take_up(current);
        self.ahead.iter()
    }

    /// Reads the next line; false at the end.
    ///
    /// # Errors
    ///
    /// What reading says.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        if let Some(line) = self.ahead.pop_front() {
            self.take_up(line);
            return Ok(true);
        }
        self.read()
    }

    fn read(&mut self) -> io::Result<bool> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.bytes.clear();
        (self.too_long, self.quotes) = (false, 0);
        let mut is_begun = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            if std::mem::take(&mut self.after_cr) && buffer[0] == b'\n' {
                self.reader.consume(1);
                self.offset += 1;
                continue;
            }
            is_begun = true;
            let end = memchr::memchr2(b'\n', b'\r', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            if self.too_long || self.bytes.len() + part.len() > self.bytes_max {
                let quotes = |bytes: &[u8]| memchr::memchr_iter(b'"', bytes).count() as u64;
                if !std::mem::replace(&mut self.too_long, true) {
                    self.quotes = quotes(&self.bytes);
                }
                self.quotes += quotes(part);
                self.bytes.extend_from_slice(&part[..part.len().min(SHOWN_BYTES.saturating_sub(self.bytes.len()))]);
                self.bytes.truncate(SHOWN_BYTES);
            } else if !self.too_long {
                self.bytes.extend_from_slice(part);
            }
            self.after_cr = end.is_some_and(|end| buffer[end] == b'\r');
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                break;
            }
        }
        self.number += u64::from(is_begun);
        Ok(is_begun)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    struct Read {
        number: u64,
        ends_at: u64,
        bytes: Vec<u8>,
        too_long: bool,
    }

    fn all(text: &[u8], buffer: usize, bytes_max: usize) -> Vec<Read> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text), bytes_max);
        let mut all = Vec::new();
        while lines.advance().expect("memory does not fail") {
            let Line { number, ends_at, bytes, too_long, .. } = lines.line();
            all.push(Read { number, ends_at, bytes: bytes.to_vec(), too_long });
        }
        all
    }

    #[test]
    fn lines_end_in_lf_or_crlf_or_cr_or_nothing() {
        let lines = all(b"one\r\ntwo\n\nfour", 3, 100);
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"", b"four"]);
        // The LF of a CRLF is consumed when the next line is read.
        assert_eq!(lines.iter().map(|line| line.ends_at).collect::<Vec<_>>(), [4, 9, 10, 14]);
        let lines = all(b"one\rtwo\r\rfour\r", 2, 100);
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"", b"four"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_goes_on() {
        let text = [&[b'x'; 5000][..], b"\r\nnext\n"].concat();
        let lines = all(&text, 64, 1000);
        assert!(lines[0].too_long && lines[0].bytes == [b'x'; SHOWN_BYTES]);
        assert_eq!((lines[1].number, lines[1].bytes.as_slice(), lines[1].too_long), (2, &b"next"[..], false));
        let at_limit = [&[b'x'; 1000][..], b"\r\n"].concat();
        assert!(!all(&at_limit, 64, 1000)[0].too_long);
    }

    #[test]
    fn lines_that_were_looked_at_or_handed_back_come_in_their_turn() {
        let mut lines = Lines::new(BufReader::with_capacity(3, &b"one\r\ntwo\nthree\r\nfour"[..]), 100);
        assert!(lines.advance().unwrap());
        let ahead: Vec<Vec<u8>> = lines.look_ahead(6).map(|line| line.bytes().to_vec()).collect();
        assert_eq!(ahead, [b"two".to_vec(), b"three".to_vec()]);
        assert_eq!((lines.line().bytes, lines.line().number, lines.line().ends_at), (&b"one"[..], 1, 4));
        let first = lines.keep();
        let mut after = Vec::new();
        for _ in 0..2 {
            assert!(lines.advance().unwrap());
            after.push(lines.keep());
        }
        lines.go_back(first, after);
        let mut rest = Vec::new();
        while lines.advance().unwrap() {
            let line = lines.line();
            rest.push((line.number, line.ends_at, String::from_utf8(line.bytes.to_vec()).unwrap()));
        }
        let expected = [(2, 9, "two"), (3, 15, "three"), (4, 20, "four")];
        assert_eq!(rest, expected.map(|(number, ends_at, text)| (number, ends_at, text.to_owned())));
    }

    #[test]
    fn what_reading_says_while_it_looks_ahead_is_told_in_its_turn() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk"))
            }
        }
        let reader = BufReader::new(io::Read::chain(&b"one\ntwo\n"[..], Broken));
        let mut lines = Lines::new(reader, 100);
        assert!(lines.advance().unwrap());
        assert_eq!(lines.look_ahead(1000).count(), 1);
        assert!(lines.advance().unwrap());
        assert_eq!(lines.advance().unwrap_err().to_string(), "the disk");
    }

    proptest! {
        #[test]
        fn any_bytes_give_the_lines_that_splitting_gives(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300),
            buffer in 1_usize..40,
        ) {
            let lines = all(&text, buffer, 1000);
            let ascii: Vec<u8> = text.iter().map(|b| if b.is_ascii() { *b } else { b'x' }).collect();
            let whole = String::from_utf8_lossy(&ascii).replace("\r\n", "\n").replace('\r', "\n");
            let mut expected: Vec<usize> = whole.split('\n').map(str::len).collect();
            if expected.last() == Some(&0) {
                expected.pop();
            }
            prop_assert_eq!(lines.iter().map(|line| line.bytes.len()).collect::<Vec<_>>(), expected);
            let ends = lines.last().map_or(0, |line| line.ends_at);
            prop_assert!(ends == text.len() as u64 || (ends + 1 == text.len() as u64 && text.ends_with(b"\r\n")));
        }
    }
}
