//! Why a line is refused: a code, which stands in the database and in receipts, and the little of the line that shows
//! it. The sentences are in [`crate::words`].

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Longest piece of a line that is shown with a fault, in characters.
const FOUND_CHARS_MAX: usize = 60;

/// What is wrong with a line. The word of each is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum LineFault {
    /// Neither `http://…`, `https://…` nor `host/path`.
    NoUrl,
    /// Another scheme, or `http` and `https` written wrong.
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
    /// `&amp;` and its like.
    Entity,
    /// A back slash.
    BackSlash,
    /// A comment behind the URL.
    Comment,
    /// An arrow behind the URL.
    Arrow,
    /// What a program should have filled in: `{id}`, `${VID}`, `%s`, `q[01-99]`, `undefined`.
    Placeholder,
    /// A percent sign that begins no escape, or the escape of a control character.
    Percent,
    /// Something behind what ends like a file: `x.mp4 200 OK`.
    AfterFile,
    /// A blank elsewhere than inside the name of a file.
    Blank,
    /// `#` that is no media fragment.
    Fragment,
    /// Punctuation of a sentence at the end.
    Punctuation,
    /// A bracket at the end that closes nothing, or opens something.
    Bracket,
    /// A control character, a tab among them.
    ControlCharacter,
    /// A character inside the line that nobody sees.
    Invisible,
    /// U+FFFD, which stands for a character that was lost.
    Replacement,
    /// The host is no domain name.
    BadHost,
    /// Without a scheme, what would be the host is rather the name of a file.
    FileAsHost,
    /// `*` in the host.
    Wildcard,
    /// An IP address as host.
    IpAddress,
    /// `user:password@host`.
    UserInfo,
    /// The port is none.
    Port,
    /// The path is empty or ends in `/`.
    Directory,
    /// `.` or `..` as a part of the path.
    DotSegment,
    /// Longer than `url_bytes_max`.
    TooLong,
    /// The host is not in `[spool] domains`.
    ForeignDomain,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// Bytes that are no GB18030, in a file that is read as such.
    NotGb18030,
    /// The line, or the record, is longer than one may be.
    LineTooLong,
    /// `#:` after the first URL.
    LateDirective,
    /// The quotes of a record do not match.
    CsvQuote,
    /// A record without the column `url`.
    CsvNoUrl,
    /// No JSON object with a `url`.
    Json,
    /// A key of the line has a value that it cannot have.
    Key,
    /// Counted by a program of before, which kept sentences instead of codes.
    Text,
}

impl LineFault {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// The fault with this word; [`Self::Text`] for one that this program does not know.
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
    /// The piece of the line that shows it, bounded and harmless to print; empty where there is none.
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

/// A piece of a line, cut to what is shown, with everything escaped that a reader could not see.
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
