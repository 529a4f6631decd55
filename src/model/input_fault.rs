//! Why an input as a whole is refused, and what may be odd about one that is taken. The sentences are in
//! [`crate::words`].

use strum::{EnumString, IntoStaticStr};

use super::line_fault::{Fault, shown};

/// Why a directive, or a key of the command line, cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// No `key = value`.
    NoPair(String),
    /// A key that there is not.
    Unknown(String),
    /// A value that the key cannot have.
    Value {
        /// The key.
        key: &'static str,
        /// What it was given.
        value: String,
    },
}

impl KeyFault {
    /// A value that the key cannot have.
    pub(crate) fn value(key: &'static str, value: &str) -> Self {
        Self::Value { key, value: shown(value) }
    }
}

/// Why an input is refused as a whole. The word of each is stored and never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum InputFault {
    /// It has no line at all, or only comments and blank ones.
    Empty,
    /// None of its lines is a URL.
    NoUrls {
        /// How many there are.
        lines: u64,
        /// The first of them, with its number, where it is known.
        first: Option<(u64, Fault)>,
    },
    /// Bytes that are no text.
    Binary,
    /// An archive of several files.
    Archive(&'static str),
    /// A workbook of Excel.
    Workbook,
    /// A document: PDF, RTF, Word.
    Document(&'static str),
    /// Packed with something that is not read.
    Packed(&'static str),
    /// A sitemap, or other XML.
    Xml,
    /// A web page.
    Html,
    /// A playlist.
    Playlist,
    /// An array of JSON.
    JsonArray,
    /// Objects of JSON in a file that is not called `.jsonl`.
    JsonObjects,
    /// Bytes at its head that are no UTF-8, where GB18030 is ruled out.
    NotUtf8 {
        /// The line.
        line: u64,
    },
    /// A bad directive.
    Directive {
        /// Its line; 0 for what `prefetchd add` was given.
        line: u64,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The header of a CSV file whose quotes do not match, or that is too long.
    CsvHeader,
    /// A header without the column `url`.
    NoUrlColumn {
        /// The header.
        header: String,
    },
    /// A header with two columns for the URL.
    TwoUrlColumns {
        /// The header.
        header: String,
    },
    /// Packed data that breaks off or is not what its checksum says.
    Damaged {
        /// What it is packed with.
        packing: &'static str,
        /// The last whole line before the damage.
        line: u64,
        /// What the unpacking says.
        why: String,
    },
    /// zstd with a window that is larger than may be held in memory.
    Window {
        /// Its size in MiB, where it is known.
        mib: Option<u64>,
    },
    /// It unpacks to too much.
    Bomb {
        /// How many times its own size is the most.
        fold: u64,
    },
    /// Larger than a file may be.
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The most.
        bytes_max: u64,
    },
    /// The daemon may not read it.
    Forbidden,
    /// It vanished before it was read.
    Vanished,
    /// No regular file.
    NotRegular,
    /// Named like a receipt or a report of ours.
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

    /// A header with several.
    pub(crate) fn two_url_columns(header: &str) -> Self {
        Self::TwoUrlColumns { header: shown(header) }
    }
}

/// What is odd about an input that was taken. The word of each is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The deadline was over when the line was read.
    DeadlineOver,
    /// `not_before` is after the deadline.
    NeverReady,
    /// A comment that looks like a directive.
    LooksLikeDirective,
    /// A column or a key that means nothing here.
    ColumnIgnored,
    /// A column or a key that is one letter off.
    ColumnNear,
    /// The columns of a CSV file are not separated by commas.
    Separator,
    /// Blanks inside a file's name were encoded.
    BlankEncoded,
    /// A media fragment was dropped.
    FragmentDropped,
    /// The file was read as GB18030.
    Gb18030,
    /// Something that is no gzip follows the packed data.
    Trailing,
    /// A host that is not among the account's domains, or not online.
    ForeignHost,
    /// The file was cut or overwritten after it had been read, and was read from its start again.
    Replaced,
}

impl Warning {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The warning with this word; none for one that this program does not know.
    pub fn of_code(code: &str) -> Option<Self> {
        code.parse().ok()
    }
}

/// A warning with where it first was and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// What is odd.
    pub warning: Warning,
    /// The first line of which it is true; 0 where it is true of the file.
    pub line: u64,
    /// Of how many lines it is true.
    pub lines: u64,
    /// The piece of the line that shows it; empty where there is none.
    pub found: String,
}

impl Warned {
    /// A warning of one line.
    pub fn new(warning: Warning, line: u64, found: &str) -> Self {
        Self { warning, line, lines: 1, found: shown(found) }
    }
}
