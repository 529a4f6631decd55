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
    /// GB18030; `found` if it was detected, not asked for.
    Gb18030 { found: bool },
}

impl Decoder {
    /// For a file whose encoding was asked for or is known from an earlier reading.
    pub(super) fn new(encoding: TextEncoding) -> Self {
        match encoding {
            TextEncoding::Auto => Self::Open,
            TextEncoding::Utf8 => Self::Utf8,
            TextEncoding::Gb18030 => Self::Gb18030 { found: false },
        }
    }

    /// The file itself names its encoding.
    pub(super) fn set(&mut self, encoding: TextEncoding) {
        *self = Self::new(encoding);
    }

    /// The encoding that was found or asked for; none while every line is ASCII.
    pub(super) fn decided(&self) -> Option<TextEncoding> {
        match self {
            Self::Open => None,
            Self::Utf8 => Some(TextEncoding::Utf8),
            Self::Gb18030 { .. } => Some(TextEncoding::Gb18030),
        }
    }

    /// Whether GB18030 was detected, not asked for.
    pub(super) fn found_gb18030(&self) -> bool {
        matches!(self, Self::Gb18030 { found: true })
    }

    /// Decodes a line or a record. The first one that is not ASCII decides for the file: UTF-8 if it is valid UTF-8,
    /// else GB18030 if it is valid GB18030.
    ///
    /// # Errors
    ///
    /// The bytes are not text in the file's encoding.
    pub(super) fn text<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, str>, LineFault> {
        if let Self::Gb18030 { .. } = self {
            return gb18030(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                if matches!(self, Self::Open) && !text.is_ascii() {
                    *self = Self::Utf8;
                }
                Ok(Cow::Borrowed(text))
            }
            Err(_) if matches!(self, Self::Open) => {
                let text = gb18030(bytes).map_err(|_| LineFault::NotUtf8);
                *self = if text.is_ok() { Self::Gb18030 { found: true } } else { Self::Utf8 };
                text
            }
            Err(_) => Err(LineFault::NotUtf8),
        }
    }
}

fn gb18030(bytes: &[u8]) -> Result<Cow<'_, str>, LineFault> {
    GB18030.decode_without_bom_handling_and_without_replacement(bytes).ok_or(LineFault::NotGb18030)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `第一集` and `的`.
    const GBK: [&[u8]; 2] = [b"\xb5\xda\xd2\xbb\xbc\xaf", b"\xb5\xc4"];

    #[test]
    fn the_first_line_that_is_not_ascii_decides_for_the_whole_file() {
        let mut decoder = Decoder::new(TextEncoding::Auto);
        assert_eq!(decoder.text(b"plain").unwrap(), "plain");
        assert_eq!(decoder.decided(), None);
        assert_eq!(decoder.text(GBK[0]).unwrap(), "第一集");
        assert_eq!(decoder.decided(), Some(TextEncoding::Gb18030));
        assert_eq!(decoder.text(GBK[1]).unwrap(), "的");

        let mut decoder = Decoder::new(TextEncoding::Auto);
        decoder.text("第一集".as_bytes()).unwrap();
        assert_eq!(decoder.text(GBK[0]), Err(LineFault::NotUtf8));

        let mut decoder = Decoder::new(TextEncoding::Auto);
        assert_eq!(decoder.text(b"\xff\xfe"), Err(LineFault::NotUtf8));
        assert_eq!(decoder.text(GBK[0]), Err(LineFault::NotUtf8));
    }

    #[test]
    fn a_line_that_is_both_counts_as_utf8_and_with_it_its_file() {
        // `模` in GB18030, and `ģ` in UTF-8: a line of several bytes a character was seen that is UTF-8.
        let mut decoder = Decoder::new(TextEncoding::Auto);
        assert_eq!(decoder.text(b"\xc4\xa3").unwrap(), "\u{123}");
        assert_eq!(decoder.decided(), Some(TextEncoding::Utf8));
        assert_eq!(decoder.text(GBK[0]), Err(LineFault::NotUtf8));
    }

    #[test]
    fn what_is_said_outranks_what_is_found() {
        assert_eq!(Decoder::new(TextEncoding::Utf8).text(GBK[0]), Err(LineFault::NotUtf8));
        assert_eq!(Decoder::new(TextEncoding::Gb18030).text(GBK[0]).unwrap(), "第一集");
    }
}
