//! Text for people: time spans, moments, and lines that fit the terminal in any script.

use std::io::IsTerminal as _;

use chrono::TimeDelta;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::text::{colours, lang};
use crate::model::{DayStart, Lang, Time};
use crate::telemetry::one_line;
use crate::words::{Words, labels, times};

/// The width if none is known, and the bounds of the width that is used.
const WIDTH: usize = 80;
const WIDTH_MIN: usize = 70;
const WIDTH_MAX: usize = 110;

/// The column where the text of a line begins, after its label.
pub(super) const INDENT: usize = 12;

/// How a page should look, and the moment it describes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Width in columns.
    pub width: usize,
    /// Lines that fit; none where that is no matter.
    pub height: Option<usize>,
    /// Whether the terminal shows colours.
    pub colour: bool,
    /// The time now.
    pub now: Time,
    /// Times of day are shown at its offset.
    pub day_starts: DayStart,
    /// The language of its texts.
    pub lang: Lang,
}

/// The tone of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

/// The terminal's lines; none in a pipe.
pub(super) fn rows() -> Option<u16> {
    let size = std::io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(std::io::stdout()).ok());
    size.flatten().map(|size| size.ws_row).filter(|rows| *rows > 0)
}

impl Look {
    /// For standard output.
    pub(super) fn of_stdout(now: Time, day_starts: DayStart) -> Self {
        let columns = std::io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(std::io::stdout()).ok());
        let columns = columns.flatten().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        let width = columns.unwrap_or(WIDTH).clamp(WIDTH_MIN, WIDTH_MAX);
        // One line is left for what is typed next.
        let height = rows().map(|rows| usize::from(rows).saturating_sub(1).max(1));
        Self { width, height, colour: colours(), now, day_starts, lang: lang() }
    }

    /// A moment in the usual form: the time of day if today, else with the date.
    pub(super) fn moment(&self, at: Time) -> String {
        self.say(&times::moment(at, self.now, self.day_starts))
    }

    /// A moment ahead, and how far away it is.
    pub(super) fn until(&self, at: Time) -> String {
        self.say(&times::until(at, self.now, self.day_starts))
    }

    /// From one moment to another, as short as possible.
    pub(super) fn range(&self, first: Time, last: Time) -> String {
        self.say(&times::range(first, last, self.now, self.day_starts))
    }

    /// A span in its two largest units.
    pub(super) fn span(&self, span: TimeDelta) -> String {
        self.say(&times::span(span))
    }

    /// The offset of the times that are shown, such as `UTC+8`.
    pub(super) fn zone(&self) -> String {
        times::zone(self.now, self.day_starts)
    }

    /// A text with its moments at the page's offset.
    pub(super) fn local(&self, text: &str) -> String {
        times::local(text, self.day_starts)
    }

    /// A sentence in the language of the page.
    pub(super) fn say(&self, words: &Words) -> String {
        words.say(self.lang).to_owned()
    }

    /// A text in its colour, if colours are used.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if !self.colour => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A size in bytes, for people.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A text from outside in at most so many columns, cut with `…` where it is longer.
pub(super) fn cut(text: &str, width: usize) -> String {
    fit(text, width).trim_end().to_owned()
}

/// A text from outside in exactly this many columns; a longer one is cut with `…`.
pub(super) fn fit(text: &str, width: usize) -> String {
    let mut line = one_line(text);
    if line.width() > width {
        line.truncate(prefix(&line, width - 1));
        line.push('…');
    }
    line.push_str(&" ".repeat(width.saturating_sub(line.width())));
    line
}

/// How many bytes of a text fit into this many columns. The width of the text is measured, not the sum of its
/// characters' widths, because some join.
fn prefix(text: &str, width: usize) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.take_while(|end| text[..*end].width() <= width).last().unwrap_or(0)
}

/// A text, right-aligned in this many columns.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// Lines of at most `width` columns, broken between words, or between the characters of a script without blanks.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (has_gap, piece) in pieces(text) {
        let mut piece = piece.to_owned();
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let gap = usize::from(has_gap && !line.is_empty());
            if line.width() + gap + piece.width() <= width {
                line.push_str(&" ".repeat(gap));
                line.push_str(&piece);
                break;
            }
            if !line.is_empty() {
                lines.push(String::new());
                continue;
            }
            // A word that is longer than a line continues in the next.
            let first = piece.chars().next().map_or(0, char::len_utf8);
            let rest = piece.split_off(prefix(&piece, width).max(first));
            line.push_str(&piece);
            lines.push(String::new());
            piece = rest;
        }
    }
    lines
}

/// The pieces of a text that stay whole, and whether a blank stands before each.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    for word in text.split(' ') {
        let (mut start, mut before, mut has_gap) = (0, None, true);
        for (at, c) in word.char_indices() {
            if before.is_some_and(|before| may_break(before, c)) {
                pieces.push((has_gap, &word[start..at]));
                (start, has_gap) = (at, false);
            }
            before = Some(c);
        }
        pieces.push((has_gap, &word[start..]));
    }
    pieces
}

/// Whether a line may end between these characters: beside one that is two columns wide, unless punctuation would be
/// torn from its word.
fn may_break(before: char, after: char) -> bool {
    let is_wide = |c: char| c.width() == Some(2);
    let (opens, closes) =
        (['（', '“', '「', '《', '`'], ['）', '”', '」', '》', '，', '。', '；', '：', '、', '？', '！']);
    (is_wide(before) || is_wide(after)) && !opens.contains(&before) && !closes.contains(&after) && after != '`'
}

/// A page: lines with labels, and their texts aligned.
#[derive(Debug)]
pub(super) struct Page {
    look: Look,
    lines: Vec<String>,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self { look, lines: Vec::new() }
    }

    /// A labelled text, made safe for a terminal and broken if too long.
    pub(super) fn row(&mut self, label: &Words, tone: Tone, text: &Words) {
        let label = fit(label.say(self.look.lang), INDENT);
        let text = one_line(text.say(self.look.lang));
        for (at, line) in wrap(&text, self.look.width - INDENT).iter().enumerate() {
            let label = match (at, self.look.colour) {
                (0, true) if !label.trim().is_empty() => format!("\x1b[1m{label}\x1b[0m"),
                (0, _) => label.clone(),
                _ => " ".repeat(INDENT),
            };
            self.lines.push(format!("{label}{}", self.look.paint(tone, line)).trim_end().to_owned());
        }
    }

    /// A text below the last one.
    pub(super) fn more(&mut self, tone: Tone, text: &Words) {
        self.row(&labels::NONE, tone, text);
    }

    /// A line as it is; the caller has made its parts safe and fitted them.
    pub(super) fn raw(&mut self, line: &str) {
        self.lines.push(line.trim_end().to_owned());
    }

    /// The page's lines.
    pub(super) fn finish(self) -> Vec<String> {
        self.lines
    }
}

/// The fields of a JSON value, such as `files[].urls.held`, for tests that compare a page with them.
#[cfg(test)]
pub(super) fn fields(value: &serde_json::Value) -> std::collections::BTreeSet<String> {
    fn collect(value: &serde_json::Value, path: &str, found: &mut std::collections::BTreeSet<String>) {
        match value {
            serde_json::Value::Object(object) => {
                for (key, value) in object {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    found.insert(path.clone());
                    collect(value, &path, found);
                }
            }
            serde_json::Value::Array(values) => {
                values.iter().for_each(|value| collect(value, &format!("{path}[]"), found));
            }
            _ => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    collect(value, "", &mut found);
    found
}

/// The fields that a page of `docs/` lists.
#[cfg(test)]
pub(super) fn listed(page: &str) -> std::collections::BTreeSet<String> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let page = std::fs::read_to_string(page).expect("the page is there");
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(now: &str) -> Look {
        Look {
            width: 60,
            height: None,
            colour: false,
            now: now.parse().unwrap(),
            day_starts: DayStart::default(),
            lang: Lang::En,
        }
    }

    #[test]
    fn sizes_are_said_in_words() {
        assert_eq!([0, 999, 41_000_000, 2_500_000_000].map(bytes), ["0 kB", "1 kB", "41 MB", "2.5 GB"]);
    }

    #[test]
    fn a_chinese_text_is_broken_between_characters_and_keeps_its_punctuation() {
        let look = Look { width: 30, lang: Lang::Zh, ..look("2026-11-24T04:00:00Z") };
        let mut page = Page::new(look);
        page.row(
            &labels::WAITING,
            Tone::Bad,
            &Words::same("下一预算日：本日 500 次请求已用完（`prefetchd budget`），稍后继续"),
        );
        assert_eq!(
            page.finish(),
            [
                "等待        下一预算日：本日",
                "            500 次请求已用完",
                "            （`prefetchd",
                "            budget`），稍后继",
                "            续"
            ]
        );
    }

    #[test]
    fn chinese_names_take_two_columns_a_character() {
        assert_eq!(fit("第一集.txt", 12), "第一集.txt  ");
        assert_eq!(fit("第一集首播.txt", 8), "第一集… ");
        assert_eq!(fit("a\x1b[2Jb", 12), "a\\u{1b}[2Jb ");
        assert_eq!(right("第", 4), "  第");
    }

    #[test]
    fn a_long_text_goes_on_below_its_label() {
        let mut page = Page::new(Look { width: 30, ..look("2026-11-24T04:00:00Z") });
        page.row(&labels::WAITING, Tone::Bad, &Words::same("for the next budget day: all 500 requests are spent"));
        assert_eq!(
            page.finish(),
            [
                "waiting     for the next",
                "            budget day: all",
                "            500 requests are",
                "            spent"
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_the_terminal_and_nothing_drives_it(text in any::<String>(), width in 40_usize..100) {
            let mut page = Page::new(Look { width, ..look("2026-11-24T04:00:00Z") });
            page.row(&labels::FILE, Tone::Plain, &Words::same(text.as_str()));
            for line in page.finish() {
                prop_assert!(line.width() <= width, "{line:?}");
                prop_assert!(!line.chars().any(char::is_control));
            }
            prop_assert_eq!(fit(&text, 20).width(), 20);
        }
    }
}
