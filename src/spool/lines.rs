//! Lines of a stream, in bounded memory: a line that is too long is passed over up to its end and given in part.

use std::io::{self, BufRead};

/// Bytes of a line that is too long which are kept for the report.
const SHOWN_BYTES: usize = 200;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Offset of the first byte after it and its end.
    pub ends_at: u64,
    /// Its bytes; only the first ones if it is too long.
    pub bytes: Vec<u8>,
    /// Whether it is longer than a line may be.
    pub too_long: bool,
}

/// Reads lines that end in LF or CRLF, the last one perhaps in nothing.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    bytes_max: usize,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    /// Lines of up to `bytes_max` bytes; the first byte of `reader` has the offset `offset`.
    pub(super) fn new(reader: R, bytes_max: usize, offset: u64) -> Self {
        Self { reader, bytes_max, number: 0, offset }
    }

    /// The reader, to ask it something.
    pub(super) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut read = 0_u64;
        let mut too_long = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            if bytes.len() + part.len() > self.bytes_max + 1 {
                too_long = true;
                bytes.extend_from_slice(&part[..part.len().min(SHOWN_BYTES.saturating_sub(bytes.len()))]);
                bytes.truncate(SHOWN_BYTES);
            } else if !too_long {
                bytes.extend_from_slice(part);
            }
            let used = end.map_or(part.len(), |end| end + 1);
            self.reader.consume(used);
            read += used as u64;
            if end.is_some() {
                break;
            }
        }
        if read == 0 {
            return Ok(None);
        }
        if !too_long && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        // A CR at the limit may have been let in as the end of the line.
        if bytes.len() > self.bytes_max {
            too_long = true;
            bytes.truncate(SHOWN_BYTES);
        }
        self.number += 1;
        self.offset += read;
        Ok(Some(Line { number: self.number, ends_at: self.offset, bytes, too_long }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], buffer: usize, bytes_max: usize) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text), bytes_max, 0);
        std::iter::from_fn(|| lines.next_line().expect("memory does not fail")).collect()
    }

    #[test]
    fn lines_end_in_lf_or_crlf_or_nothing() {
        let lines = all(b"one\r\ntwo\n\nfour", 3, 100);
        let texts: Vec<&[u8]> = lines.iter().map(|line| line.bytes.as_slice()).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"", b"four"]);
        assert_eq!(lines.iter().map(|line| line.ends_at).collect::<Vec<_>>(), [5, 9, 10, 14]);
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

    proptest! {
        #[test]
        fn any_bytes_give_the_lines_that_splitting_gives(text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300), buffer in 1_usize..40) {
            let lines = all(&text, buffer, 1000);
            let mut expected: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let expected: Vec<&[u8]> = expected.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
            prop_assert_eq!(lines.iter().map(|line| line.bytes.as_slice()).collect::<Vec<_>>(), expected);
            prop_assert_eq!(lines.last().map_or(0, |line| line.ends_at), text.len() as u64);
        }
    }
}
