//! Why a whole input is refused, and warnings about one that is accepted. The sentences are in [`crate::words`].

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray};

use super::line_fault::{Fault, shown};
use super::{Action, Lane};

/// Why a directive, or a key of the command line, is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// It has no `key = value`.
    NoPair(String),
    /// An unknown key.
    Unknown(String),
    /// A key that stands twice, with another value each time.
    Twice(String),
    /// A value that the key does not accept.
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
}

impl KeyFault {
    /// A value that the key does not accept.
    pub(crate) fn value(key: &'static str, value: &str) -> Self {
        Self::Value { key, value: shown(value) }
    }
}

/// Why a whole input is refused. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, EnumCount, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum InputFault {
    /// It has no lines, or only comments and blank ones.
    Empty,
    /// None of its lines is a URL.
    NoUrls {
        /// How many there are.
        lines: u64,
        /// The first of them, with its number, if known.
        first: Option<(u64, Fault)>,
    },
    /// Bytes that are not text.
    Binary,
    /// An archive of several files.
    Archive(&'static str),
    /// An Excel workbook.
    Workbook,
    /// A document: PDF, RTF, Word.
    Document(&'static str),
    /// Packed in a format that is not supported.
    Packed(&'static str),
    /// Packed with gzip or zstd, and then packed again.
    PackedTwice,
    /// A sitemap, or other XML.
    Xml,
    /// A web page.
    Html,
    /// A playlist.
    Playlist,
    /// A JSON array.
    JsonArray,
    /// JSON objects in a file whose name does not end in `.jsonl`.
    JsonObjects,
    /// Bytes at its head that are not UTF-8, where GB18030 is ruled out.
    NotUtf8 {
        /// The line.
        line: u64,
    },
    /// A bad directive.
    Directive {
        /// Its line; 0 for an option of `prefetchd add`.
        line: u64,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// It asks for an action that `[spool] actions` does not allow.
    ActionForbidden {
        /// The action.
        action: Action,
        /// The operation that is missing there.
        missing: Lane,
    },
    /// A CSV header whose quotes do not match, or which is too long.
    CsvHeader,
    /// A header without a column `url`.
    NoUrlColumn {
        /// The header.
        header: String,
    },
    /// A header with two columns for URLs.
    TwoUrlColumns {
        /// The header.
        header: String,
    },
    /// A header with two columns for another key.
    TwoColumns {
        /// The key.
        key: &'static str,
        /// The header.
        header: String,
    },
    /// Packed data that breaks off or does not match its checksum.
    Damaged {
        /// How it is packed.
        packing: &'static str,
        /// The last whole line before the damage.
        line: u64,
        /// The unpacker's message.
        why: String,
    },
    /// A zstd window larger than memory allows.
    Window {
        /// Its size in MiB, if known.
        mib: Option<u64>,
    },
    /// It unpacks to too much.
    Bomb {
        /// The most, as a multiple of the file's own size.
        fold: u64,
    },
    /// Larger than allowed.
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
        /// The largest size allowed, in bytes.
        bytes_max: u64,
    },
    /// The daemon may not read it.
    Forbidden,
    /// It vanished before it was read.
    Vanished,
    /// Not a regular file.
    NotRegular,
    /// Its name is that of a receipt or report of prefetchd.
    OwnReceipt,
    /// The daemon died more than once while it read this file.
    Deadly,
}

impl InputFault {
    /// Its word.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// A header without a column `url`.
    pub(crate) fn no_url_column(header: &str) -> Self {
        Self::NoUrlColumn { header: shown(header) }
    }

    /// A header with several columns for this key, which may be `url`.
    pub(crate) fn two_columns(key: &'static str, header: &str) -> Self {
        let header = shown(header);
        if key == "url" { Self::TwoUrlColumns { header } } else { Self::TwoColumns { key, header } }
    }
}

/// A warning about an input that was accepted. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The deadline had passed when the line was read.
    DeadlineOver,
    /// `not_before` is after the deadline.
    NeverReady,
    /// A comment that looks like a directive.
    LooksLikeDirective,
    /// An unknown column or key.
    ColumnIgnored,
    /// A column or key that is one letter off a known one.
    ColumnNear,
    /// The columns of a CSV file are separated by something other than commas.
    Separator,
    /// Blanks in a file name were encoded.
    BlankEncoded,
    /// A media fragment was dropped.
    FragmentDropped,
    /// `@` and a name follow the name of a file.
    Mention,
    /// The file was read as GB18030.
    Gb18030,
    /// Something else follows the packed data.
    Trailing,
    /// A host that is not among the account's domains or not online.
    ForeignHost,
    /// The file was cut or overwritten after it had been read, and was read again from its start.
    Replaced,
    /// `purge_force` where no directory is purged.
    PurgeForceIgnored,
}

impl Warning {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The warning with this word; none if it is unknown to this version.
    pub fn of_code(code: &str) -> Option<Self> {
        code.parse().ok()
    }
}

/// A warning, with where it first applied and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// The kind of warning.
    pub warning: Warning,
    /// The first line it applies to; 0 if it applies to the file.
    pub line: u64,
    /// How many lines it applies to.
    pub lines: u64,
    /// The piece of the line that shows it; empty if there is none.
    pub found: String,
}

impl Warned {
    /// A warning of one line.
    pub fn new(warning: Warning, line: u64, found: &str) -> Self {
        Self { warning, line, lines: 1, found: shown(found) }
    }
}
