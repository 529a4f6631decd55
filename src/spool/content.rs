//! What a dropped file says: its directives, then line by line a URL, a refused line, or nothing.

use std::io::{self, BufRead};

use super::decode::HEAD_BYTES;
use super::directives;
use super::format::{Columns, Format, Item, item};
use super::lines::Lines;
use crate::model::UrlRules;
use crate::queue::Keys;
use crate::telemetry::one_line;

/// Longest line, in bytes. A longer one is refused and passed over.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

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

/// A file being read.
#[derive(Debug)]
pub(super) struct Content<R> {
    lines: Lines<R>,
    format: Format,
    rules: UrlRules,
    keys: Keys,
    columns: Option<Columns>,
    /// Whether the line that was read last is the first one after the head, and was not given yet.
    first: bool,
}

impl<R: BufRead> Content<R> {
    /// Reads the head of a file's text: what kind it is, its directives, its header.
    ///
    /// # Errors
    ///
    /// [`Unreadable::NotUrls`] for what is no text, and for an unknown or bad directive with its line.
    pub(super) fn open(mut reader: R, format: Format, rules: UrlRules) -> Result<Self, Unreadable> {
        let start = reader.fill_buf()?;
        if start.starts_with(b"PK\x03\x04") {
            return Err(Unreadable::NotUrls("it is a zip archive: drop the unpacked file".to_owned()));
        }
        if start[..start.len().min(HEAD_BYTES as usize)].contains(&0) {
            return Err(Unreadable::NotUrls(
                "it is a binary file: a URL file is text, plain or packed with gzip or zstd".to_owned(),
            ));
        }
        let lines = Lines::new(reader, LINE_BYTES_MAX);
        let mut content = Self { lines, format, rules, keys: Keys::default(), columns: None, first: false };
        match format {
            Format::Text => content.read_directives()?,
            Format::Csv => content.read_header()?,
            Format::JsonLines => {}
        }
        Ok(content)
    }

    fn read_directives(&mut self) -> Result<(), Unreadable> {
        while self.lines.advance()? {
            let line = self.lines.line();
            let text = String::from_utf8_lossy(line.bytes);
            let text = text.trim();
            if let Some(directive) = text.strip_prefix(directives::PREFIX) {
                directives::apply(&mut self.keys, directive)
                    .map_err(|why| Unreadable::NotUrls(format!("line {}: {why}", line.number)))?;
            } else if !(text.is_empty() || text.starts_with('#')) {
                self.first = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), Unreadable> {
        while self.lines.advance()? {
            let line = self.lines.line();
            if !line.bytes.trim_ascii().is_empty() {
                self.columns = Some(Columns::of(line.bytes).map_err(Unreadable::NotUrls)?);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the file's directives ask for.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many lines were read.
    pub(super) fn lines_read(&self) -> u64 {
        self.lines.number()
    }

    /// The next line's item and the offset at which the line ends; none at the end of the file.
    ///
    /// # Errors
    ///
    /// What reading says.
    pub(super) fn next_item(&mut self) -> io::Result<Option<(Item, u64)>> {
        if !std::mem::take(&mut self.first) && !self.lines.advance()? {
            return Ok(None);
        }
        let line = self.lines.line();
        Ok(Some((item(&line, self.columns.as_ref(), self.format, &self.rules, &self.keys), line.ends_at)))
    }
}

/// A refused line for its report: number, reason and the line, between tabs, with everything escaped that could break
/// the report or drive a terminal.
pub(super) fn report_line(line: u64, reason: &str, bytes: &[u8]) -> String {
    let mut report = format!("{line}\t{}\t", one_line(reason));
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
    use std::sync::Arc;

    use super::*;
    use crate::model::Priority;
    use crate::spool::decode::decode;

    fn read_as(name: &str, bytes: &[u8]) -> Result<(Keys, Vec<String>), Unreadable> {
        let (text, _) = decode(io::Cursor::new(bytes.to_vec()), Arc::default())?;
        let rules = UrlRules { url_bytes_max: 100, domains: vec![] };
        let mut content = Content::open(text, Format::of(name), rules)?;
        let mut items = Vec::new();
        while let Some((item, _)) = content.next_item()? {
            match item {
                Item::Url { line, url, keys } => {
                    let own = keys.map(|keys| format!(" {} {:?}", keys.priority, keys.label)).unwrap_or_default();
                    items.push(format!("{line} {url}{own}"));
                }
                Item::Refused { line, reason, bytes } => {
                    items.push(report_line(line, &reason, &bytes).trim_end().to_owned());
                }
                Item::Nothing => {}
            }
        }
        Ok((content.keys().clone(), items))
    }

    fn read(bytes: &[u8]) -> Result<(Keys, Vec<String>), Unreadable> {
        read_as("a.txt", bytes)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_and_utf_16_text_reads_like_plain_text() {
        let text = "#: label = 第一集\r\na.example.com/1\ra.example.com/第\na.example.com/3";
        let plain = read(text.as_bytes()).unwrap();
        assert_eq!(plain.1.len(), 3);
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        for bytes in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16([0xff, 0xfe], u16::to_le_bytes),
            utf16([0xfe, 0xff], u16::to_be_bytes),
            gzip(text.as_bytes()),
            [gzip(&text.as_bytes()[..20]), gzip(&text.as_bytes()[20..])].concat(),
            gzip(&utf16([0xff, 0xfe], u16::to_le_bytes)),
            zstd::encode_all(text.as_bytes(), 3).unwrap(),
        ] {
            assert_eq!(read(&bytes).unwrap(), plain, "{bytes:?}");
        }
    }

    #[test]
    fn json_lines_and_csv_have_keys_of_their_own() {
        let json = br#"{"url":"a.example.com/1"}
{"url":"a.example.com/2","priority":"urgent","label":"x"}

{"url":"a.example.com/3","prio":"urgent"}
{"url":"a.example.com/4","deadline":"tomorrow"}
a.example.com/5"#;
        let (_, items) = read_as("a.JSONL.gz", &gzip(json)).unwrap();
        assert_eq!(items[..2], ["1 a.example.com/1", "2 a.example.com/2 urgent Some(\"x\")"]);
        assert!(items[2].starts_with("4\tnot an object with a url: unknown field `prio`"), "{}", items[2]);
        assert!(items[3].starts_with("5\tdeadline is a time like"), "{}", items[3]);
        assert!(items[4].starts_with("6\tnot an object with a url"), "{}", items[4]);

        let csv = b"Title,URL,Priority\n\"Part 1, cut\",a.example.com/1,\nb,\"a.example.com/2\",high\nc\n\"d,a.example.com/4,low\n";
        let (_, items) = read_as("a.csv", csv).unwrap();
        assert_eq!(items[..2], ["2 a.example.com/1", "3 a.example.com/2 high None"]);
        assert!(items[2].starts_with("4\tthe column `url` is missing"), "{}", items[2]);
        assert!(items[3].starts_with("5\tnot a record"), "{}", items[3]);
        let Err(Unreadable::NotUrls(why)) = read_as("a.csv", b"link\nx") else { panic!("refused") };
        assert!(why.contains("no column `url`"), "{why}");
    }

    #[test]
    fn what_unpacks_to_too_much_is_stopped() {
        let bomb = gzip(&[&[b'#'; 1023][..], b"\n"].concat().repeat(80 * 1024));
        let Err(Unreadable::Io(error)) = read(&bomb) else { panic!("stopped") };
        assert!(error.to_string().contains("200 times"), "{error}");
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
            (&b"ELF\0"[..], "binary"),
            (b"PK\x03\x04", "zip"),
            (b"# x\n#: speed = 9\n", "line 2: there is no directive `speed`"),
        ] {
            let Err(Unreadable::NotUrls(why)) = read(bytes) else { panic!("{part}") };
            assert!(why.contains(part), "{why}");
        }
        assert!(read(b"").unwrap().1.is_empty());
    }
}
