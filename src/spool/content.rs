//! What a dropped file says: its directives, then line by line a URL, a refused line, or nothing.

use std::io::{self, BufRead};

use super::directives;
use super::lines::{Line, Lines};
use crate::model::{ObjectUrl, Refusal, UrlRules};
use crate::queue::{Keys, NewUrl};

/// Longest line, in bytes. A longer one is refused and passed over.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// How much of a file is looked at to tell text from something else.
const SNIFFED_BYTES: usize = 8 * 1024;

/// Files that begin like this are something else than UTF-8 text.
const SIGNATURES: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "it is compressed with gzip, which is not read yet: drop the unpacked file"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd, which is not read yet: drop the unpacked file"),
    (b"PK\x03\x04", "it is a zip archive: drop the unpacked file"),
    (b"\xff\xfe", "it is UTF-16 text: save it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text: save it as UTF-8"),
];

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk's word; it may do better later.
    Io(io::Error),
    /// The file is no file of URLs, and never will be.
    NotUrls(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a line came to.
#[derive(Debug)]
pub(super) enum Item {
    /// A URL.
    Url(NewUrl),
    /// A line that is none.
    Refused {
        /// Its number.
        line: u64,
        /// Why.
        reason: Refusal,
        /// Its bytes, or their beginning.
        bytes: Vec<u8>,
    },
    /// Blank, or a comment.
    Nothing,
}

/// A file being read.
#[derive(Debug)]
pub(super) struct Content<R> {
    lines: Lines<R>,
    rules: UrlRules,
    keys: Keys,
    /// The first line after the head, read already.
    first: Option<Line>,
}

impl<R: BufRead> Content<R> {
    /// Reads the head of a file: what kind it is, and its directives.
    ///
    /// # Errors
    ///
    /// [`Unreadable::NotUrls`] for what is no UTF-8 text, and for an unknown or bad directive with its line.
    pub(super) fn open(mut reader: R, rules: UrlRules) -> Result<Self, Unreadable> {
        let start = reader.fill_buf()?;
        if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature)) {
            return Err(Unreadable::NotUrls((*what).to_owned()));
        }
        if start[..start.len().min(SNIFFED_BYTES)].contains(&0) {
            return Err(Unreadable::NotUrls(
                "it is a binary file: a URL file is UTF-8 text, one URL a line".to_owned(),
            ));
        }
        let mark = if start.starts_with("\u{feff}".as_bytes()) { "\u{feff}".len() } else { 0 };
        reader.consume(mark);
        let mut content =
            Self { lines: Lines::new(reader, LINE_BYTES_MAX, mark as u64), rules, keys: Keys::default(), first: None };
        content.read_head()?;
        Ok(content)
    }

    fn read_head(&mut self) -> Result<(), Unreadable> {
        while let Some(line) = self.lines.next_line()? {
            let text = String::from_utf8_lossy(&line.bytes);
            let text = text.trim();
            if let Some(directive) = text.strip_prefix(directives::PREFIX) {
                directives::apply(&mut self.keys, directive)
                    .map_err(|why| Unreadable::NotUrls(format!("line {}: {why}", line.number)))?;
            } else if !(text.is_empty() || text.starts_with('#')) {
                self.first = Some(line);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the file's directives ask for.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What the bytes are read from.
    pub(super) fn reader(&mut self) -> &mut R {
        self.lines.reader()
    }

    /// The next line's item and the offset at which the line ends; none at the end of the file.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub(super) fn next_item(&mut self) -> io::Result<Option<(Item, u64)>> {
        let line = match self.first.take() {
            Some(line) => Some(line),
            None => self.lines.next_line()?,
        };
        Ok(line.map(|line| (item(&line, &self.rules), line.ends_at)))
    }
}

fn item(line: &Line, rules: &UrlRules) -> Item {
    let refused = |reason| Item::Refused { line: line.number, reason, bytes: line.bytes.clone() };
    if line.too_long {
        return refused(Refusal::LineTooLong);
    }
    let Ok(text) = std::str::from_utf8(&line.bytes) else { return refused(Refusal::NotUtf8) };
    let trimmed = text.trim_ascii();
    if trimmed.starts_with(directives::PREFIX) {
        return refused(Refusal::LateDirective);
    }
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Item::Nothing;
    }
    match ObjectUrl::parse(text, rules) {
        Ok(url) => Item::Url(NewUrl { line: line.number, url }),
        Err(reason) => refused(reason),
    }
}

/// A refused line for its report: number, reason and the line, between tabs, with everything escaped that could break
/// the report or drive a terminal.
pub(super) fn report_line(line: u64, reason: Refusal, bytes: &[u8]) -> String {
    let mut report = format!("{line}\t{reason}\t");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' { report.extend(c.escape_default()) } else { report.push(c) }
        }
        report.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    report.push('\n');
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;

    fn read(text: &[u8]) -> Result<(Keys, Vec<String>), Unreadable> {
        let mut content = Content::open(text, UrlRules { url_bytes_max: 100, domains: vec![] })?;
        let mut items = Vec::new();
        while let Some((item, _)) = content.next_item()? {
            match item {
                Item::Url(new) => items.push(format!("{} {}", new.line, new.url)),
                Item::Refused { line, reason, bytes } => {
                    items.push(report_line(line, reason, &bytes).trim_end().to_owned());
                }
                Item::Nothing => {}
            }
        }
        Ok((content.keys().clone(), items))
    }

    #[test]
    fn a_file_is_directives_comments_and_lines() {
        let text = "\u{feff}# film 1\r\n#: priority = high\r\n\r\nhttps://a.example.com/1\r\n  # later\n a.example.com/2 \n#: force = true\nb.example.com/\n";
        let (keys, items) = read(text.as_bytes()).unwrap();
        assert_eq!(keys.priority, Priority::High);
        assert_eq!(
            items,
            [
                "4 https://a.example.com/1",
                "6 a.example.com/2",
                "7\ta directive after the first URL\t#: force = true",
                "8\ta directory cannot be prefetched\tb.example.com/",
            ]
        );
    }

    #[test]
    fn a_bad_line_never_stops_its_file() {
        let (_, items) = read(b"a.example.com/1\n\xff\xfe\nx\x1by.example.com/1\t\\\na.example.com/2").unwrap();
        assert_eq!(items[1], "2\tnot UTF-8\t\\xff\\xfe");
        assert_eq!(items[2], "3\tcontrol character\tx\\u{1b}y.example.com/1\\t\\\\");
        assert_eq!(items[3], "4 a.example.com/2");
    }

    #[test]
    fn what_is_no_url_file_is_refused_as_a_whole() {
        for (bytes, part) in [
            (&b"\x1f\x8b\x08"[..], "gzip"),
            (b"\xff\xfeh\0", "UTF-16"),
            (b"ELF\0", "binary"),
            (b"# x\n#: speed = 9\n", "line 2: there is no directive `speed`"),
        ] {
            let Err(Unreadable::NotUrls(why)) = read(bytes) else { panic!("{part}") };
            assert!(why.contains(part), "{why}");
        }
        assert!(read(b"").unwrap().1.is_empty());
    }
}
