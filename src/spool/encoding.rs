//! Decodes lines as UTF-8, or as GB18030, which Chinese Excel and old editors write. The choice is made once per file.
//!
//! A GB18030 character never contains the byte of a line end, a quote or a comma, so lines and records can be found in
//! the undecoded bytes.

use std::borrow::Cow;

use encoding_rs::GB18030;

use crate::model::{LineFault, TextEncoding};

/// The encoding of a file, as far as it is known.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Every line so far was ASCII.
    Open,
    /// UTF-8.
    Utf8,
    /// GB18030; whether that was found rather than asked for.
    Gb18030 { found: bool },
}

impl Decoder {
    /// For a file that is said, or was found, to be so.
    pub(super) fn new(encoding: TextEncoding) -> Self {
        match encoding {
            TextEncoding::Auto => Self::Open,
            TextEncoding::Utf8 => Self::Utf8,
            TextEncoding::Gb18030 => Self::Gb18030 { found: false },
        }
    }

    /// The file says itself what it is.
    pub(super) fn set(&mut self, encoding: TextEncoding) {
        *self = Self::new(encoding);
    }

    /// What was found or asked for; none while every line is ASCII.
    pub(super) fn decided(&self) -> Option<TextEncoding> {
        match self {
            Self::Open => None,
            Self::Utf8 => Some(TextEncoding::Utf8),
            Self::Gb18030 { .. } => Some(TextEncoding::Gb18030),
        }
    }

    /// Whether GB18030 was found, not asked for.
    pub(super) fn found_gb18030(&self) -> bool {
        matches!(self, Self::Gb18030 { found: true })
    }

    /// Whether these bytes are the first ones that make a difference.
    pub(super) fn must_decide(&self, bytes: &[u8]) -> bool {
        matches!(self, Self::Open) && !bytes.is_ascii()
    }

    /// Decides, by what the lines at hand speak for.
    pub(super) fn decide(&mut self, evidence: &Evidence) {
        *self = if evidence.is_gb18030() { Self::Gb18030 { found: true } } else { Self::Utf8 };
    }

    /// The text of a line or a record.
    ///
    /// # Errors
    ///
    /// Bytes that are no text in the file's encoding. Where GB18030 was found, a line that is plainly UTF-8 is none.
    pub(super) fn text<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, str>, LineFault> {
        match self {
            Self::Gb18030 { found: true } if is_plainly_utf8(bytes) => Err(LineFault::NotGb18030),
            Self::Gb18030 { .. } => gb18030(bytes).ok_or(LineFault::NotGb18030),
            Self::Open | Self::Utf8 => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| LineFault::NotUtf8),
        }
    }
}

/// The text of a comment, in whatever encoding it may be: nothing of it is submitted.
pub(super) fn text_of_comment(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => gb18030(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes)),
    }
}

/// What the lines at hand speak for, in bytes that are not ASCII. A UTF-8 character of which a part is missing decodes
/// as GB18030, and short words of GB18030 can be UTF-8, so one line alone proves little.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    utf8_bytes: usize,
    gb18030_bytes: usize,
    /// A line of UTF-8 came before any that is not.
    begins_as_utf8: bool,
}

impl Evidence {
    /// Counts a line; in the order of the file.
    pub(super) fn add(&mut self, line: &[u8]) {
        let foreign = |bytes: &[u8]| bytes.iter().filter(|byte| !byte.is_ascii()).count();
        if std::str::from_utf8(line).is_ok() {
            self.begins_as_utf8 |= self.gb18030_bytes == 0 && is_utf8_of_three(line);
            self.utf8_bytes += foreign(line);
            return;
        }
        // Inside a broken line only characters of three bytes and more tell: of two, GB18030 has many by chance.
        let utf8_bytes: usize = line
            .utf8_chunks()
            .flat_map(|chunk| chunk.valid().chars())
            .map(char::len_utf8)
            .filter(|length| *length >= 3)
            .sum();
        self.utf8_bytes += utf8_bytes;
        if gb18030(line).is_some_and(|text| !text.chars().any(is_private)) {
            self.gb18030_bytes += foreign(line) - utf8_bytes;
        }
    }

    fn is_gb18030(&self) -> bool {
        !self.begins_as_utf8 && self.gb18030_bytes > self.utf8_bytes
    }
}

/// Characters that no editor writes; GB18030 decodes many a broken byte to one.
fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}')
}

/// Whether bytes are UTF-8 with a character of three bytes or more, which GB18030 hardly is by chance.
fn is_utf8_of_three(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().any(|c| c.len_utf8() >= 3))
}

/// Whether bytes are that, and would have odd characters as GB18030: words of everyday Chinese (GB 2312) have no byte
/// below A1.
fn is_plainly_utf8(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0x80..=0xa0)) && is_utf8_of_three(bytes)
}

fn gb18030(bytes: &[u8]) -> Option<Cow<'_, str>> {
    GB18030.decode_without_bom_handling_and_without_replacement(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `第一集` and `的`.
    const GBK: [&[u8]; 2] = [b"\xb5\xda\xd2\xbb\xbc\xaf", b"\xb5\xc4"];

    fn decided(lines: &[&[u8]]) -> Decoder {
        let mut decoder = Decoder::new(TextEncoding::Auto);
        let first = lines.iter().position(|line| decoder.must_decide(line)).unwrap();
        let mut evidence = Evidence::default();
        lines[first..].iter().for_each(|line| evidence.add(line));
        decoder.decide(&evidence);
        decoder
    }

    #[test]
    fn what_most_of_the_text_speaks_for_is_the_encoding_of_all_of_it() {
        let decoder = decided(&[b"plain", GBK[0], GBK[1]]);
        assert_eq!(decoder.decided(), Some(TextEncoding::Gb18030));
        assert_eq!((decoder.text(GBK[0]).unwrap().as_ref(), decoder.text(GBK[1]).unwrap().as_ref()), ("第一集", "的"));
        let decoder = decided(&["第一集".as_bytes(), GBK[0]]);
        assert_eq!(decoder.text(GBK[0]), Err(LineFault::NotUtf8));
        let decoder = decided(&[b"\xff\xfe", GBK[0]]);
        assert_eq!(decoder.text(GBK[0]).unwrap(), "第一集");
        assert_eq!(decoder.text(b"\xff\xfe"), Err(LineFault::NotGb18030));
        // `一` is UTF-8 too, `二` and `三` are not.
        assert!(decided(&[b"\xd2\xbb", b"\xb6\xfe", b"\xc8\xfd"]).found_gb18030());
    }

    #[test]
    fn a_character_of_which_a_part_is_missing_does_not_make_its_file_gb18030() {
        let second = "第二集".as_bytes();
        for first in [&b"\xe7\x94.mp4"[..], b"\xe7\xac\xac\xe4\xb8\x80\xe9\x9b.mp4", b"# \x80 100", b"caf\xe9"] {
            let decoder = decided(&[first, second]);
            assert_eq!(decoder.decided(), Some(TextEncoding::Utf8), "{first:?}");
            assert_eq!(decoder.text(first), Err(LineFault::NotUtf8));
        }
        assert_eq!(decided(&[b"\xe7\xac\xac\xe4\xb8\x80\xe9\x9b"]).decided(), Some(TextEncoding::Utf8));
    }

    #[test]
    fn a_line_of_utf8_among_lines_of_gb18030_is_no_text() {
        let decoder = decided(&[GBK[0], GBK[0], GBK[0], "电影".as_bytes()]);
        assert!(decoder.found_gb18030());
        assert_eq!(decoder.text("电影".as_bytes()), Err(LineFault::NotGb18030));
        assert_eq!(decoder.text(b"plain").unwrap(), "plain");
        // Who says that it is GB18030 is believed.
        assert_eq!(Decoder::new(TextEncoding::Gb18030).text("电影".as_bytes()).unwrap(), "鐢靛奖");
    }

    #[test]
    fn what_is_said_outranks_what_is_found() {
        assert_eq!(Decoder::new(TextEncoding::Utf8).text(GBK[0]), Err(LineFault::NotUtf8));
        assert_eq!(Decoder::new(TextEncoding::Gb18030).text(GBK[0]).unwrap(), "第一集");
    }
}
