//! Why a line is refused: a code, stored in the database and in receipts, and the piece of the line that shows it. The
//! sentences are in [`crate::words`].

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Longest piece of a line shown with a fault, in characters.
const FOUND_CHARS_MAX: usize = 60;

/// What is wrong with a line. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum LineFault {
    /// Neither `http://…`, `https://…` nor `host/path`.
    NoUrl,
    /// An unsupported scheme, or `http` and `https` misspelled.
    Scheme,
    /// `https://https://…`.
    DoubledScheme,
    /// Something before the URL: `- https://…`, `URL=https://…`.
    TextBefore,
    /// A second URL.
    TwoUrls,
    /// A quote, also a typographic one.
    Quote,
    /// `<`, `>`: a piece of HTML or XML.
    Tag,
    /// `&amp;` and similar.
    Entity,
    /// A back slash.
    BackSlash,
    /// A comment after the URL.
    Comment,
    /// An arrow after the URL.
    Arrow,
    /// What a program should have filled in: `{id}`, `${VID}`, `%s`, `q[01-99]`, `undefined`.
    Placeholder,
    /// A percent sign that begins no escape, or the escape of a control character.
    Percent,
    /// Something after the end of a file name: `x.mp4 200 OK`.
    AfterFile,
    /// A remark after a value of the query: `?auth_key=1-0-0-abc，第二集`.
    AfterValue,
    /// A full-width sign where a URL has `:`, `.`, `?` or `/`.
    FullWidth,
    /// A blank that is not inside a file name.
    Blank,
    /// `#` that does not begin a media fragment.
    Fragment,
    /// A sentence's punctuation at the end.
    Punctuation,
    /// A bracket at the end that has no partner, or opens something.
    Bracket,
    /// A control character, including a tab.
    ControlCharacter,
    /// An invisible character inside the line.
    Invisible,
    /// U+FFFD, which stands for a character that was lost, or U+FFFC, which stands for a picture.
    Replacement,
    /// The host is not a domain name.
    BadHost,
    /// The line has no scheme, and its first part looks more like a file name than like a host.
    FileAsHost,
    /// `*` in the host.
    Wildcard,
    /// An IP address as host.
    IpAddress,
    /// `user:password@host`.
    UserInfo,
    /// The port is not valid.
    Port,
    /// The path is empty or ends in `/`.
    Directory,
    /// No directory, where directories are purged: its path does not end in `/`, or it has a query.
    NoDirectory,
    /// A host's root, where directories are purged and roots are not allowed.
    RootDirectory,
    /// Its action is not in `[spool] actions`.
    ActionForbidden,
    /// A path segment `.` or `..`.
    DotSegment,
    /// Longer than `url_bytes_max`.
    TooLong,
    /// The host is not in `[spool] domains`.
    ForeignDomain,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Bytes that are not GB18030, in a file that is read as GB18030.
    NotGb18030,
    /// The line or record is too long.
    LineTooLong,
    /// `#:` after the first URL.
    LateDirective,
    /// The quotes of a record do not match.
    CsvQuote,
    /// A record with more cells than the header.
    CsvCells,
    /// A record without a cell in the column `url`.
    CsvNoUrl,
    /// Not a JSON object with a `url`.
    Json,
    /// A key of the line has a value that it does not accept.
    Key,
    /// Counted by an earlier version, which stored sentences instead of codes.
    Text,
}

impl LineFault {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The fault with this word; [`Self::Text`] if it is unknown to this version.
    pub fn of_code(code: &str) -> Self {
        code.parse().unwrap_or(Self::Text)
    }

    /// This fault, with the piece of the line that shows it.
    pub fn at(self, found: impl AsRef<str>) -> Fault {
        Fault { kind: self, found: shown(found.as_ref()) }
    }
}

/// A fault of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: LineFault,
    /// The piece of the line that shows it, bounded and safe to print; empty if there is none.
    pub found: String,
}

impl From<LineFault> for Fault {
    fn from(kind: LineFault) -> Self {
        Self { kind, found: String::new() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.code())?;
        if self.found.is_empty() { Ok(()) } else { write!(f, " {}", self.found) }
    }
}

/// Cuts a piece of a line to the length that is shown, and escapes everything that a reader could not see.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == FOUND_CHARS_MAX {
            shown.push('…');
            break;
        }
        if c.is_control() || (c != ' ' && super::invisible::is_unseen(c)) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
