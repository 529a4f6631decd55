//! The text of a message: a digest of events. Pure.

use std::fmt;

use chrono::FixedOffset;
use serde_json::Value;

use crate::config::Template;
use crate::model::{EventName, Lang};
use crate::words::{self, Words};

/// Most lines of a message; the rest is counted.
const LINES_MAX: usize = 8;

/// Longest line, in bytes: file names and reasons may be long.
const LINE_BYTES_MAX: usize = 400;

/// Makes the commands in a text such as can be pasted where the daemon runs.
pub struct Typed(Box<dyn Fn(&str) -> String + Send + Sync>);

impl Typed {
    /// By this function.
    pub fn by(typed: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(typed))
    }

    fn text(&self, text: &str) -> String {
        (self.0)(text)
    }
}

impl Default for Typed {
    /// Leaves a text as it is.
    fn default() -> Self {
        Self::by(str::to_owned)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed")
    }
}

/// How a message is worded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording<'a> {
    pub(super) lang: Lang,
    pub(super) zone: FixedOffset,
    pub(super) host: &'a str,
    pub(super) template: &'a Template,
    pub(super) bytes_max: usize,
    pub(super) typed: &'a Typed,
}

/// A message about these events, the oldest first. What is urgent comes first in it; what has no room is counted.
pub(super) fn digest(events: &[Value], wording: Wording<'_>) -> String {
    let is_urgent = |event: &&Value| {
        let name: Option<EventName> = event.get("event").and_then(Value::as_str).and_then(|name| name.parse().ok());
        name.is_some_and(EventName::is_urgent)
    };
    let (urgent, other): (Vec<&Value>, Vec<&Value>) = events.iter().partition(is_urgent);
    let lines: Vec<String> = urgent
        .into_iter()
        .chain(other)
        .map(|event| line(&wording.typed.text(&in_lang(words::event(event, wording.zone), wording.lang))))
        .collect();
    let title = in_lang(words::digest(wording.host, events.len()), wording.lang);
    (1..=lines.len().min(LINES_MAX))
        .rev()
        .map(|shown| filled(&title, &lines, shown, wording))
        .find(|text| text.len() <= wording.bytes_max)
        .unwrap_or_else(|| cut(&filled(&title, &lines, lines.len().min(1), wording), wording.bytes_max).to_owned())
}

/// A message of one line.
pub(super) fn single(text: Words, wording: Wording<'_>) -> String {
    let title = in_lang(words::digest(wording.host, 1), wording.lang);
    wording.template.fill(&title, &in_lang(text, wording.lang), wording.host)
}

fn filled(title: &str, lines: &[String], shown: usize, wording: Wording<'_>) -> String {
    let mut body = lines[..shown].join("\n");
    if lines.len() > shown {
        let more = wording.typed.text(&in_lang(words::more_events(lines.len() - shown), wording.lang));
        body = format!("{body}\n{more}");
    }
    wording.template.fill(title, &body, wording.host)
}

fn in_lang(words: Words, lang: Lang) -> String {
    match lang {
        Lang::En => words.en.into_owned(),
        Lang::Zh => words.zh.into_owned(),
    }
}

/// One line, harmless: `WeCom` takes `<@name>` for a mention.
fn line(text: &str) -> String {
    let text = crate::telemetry::one_line(text).replace("<@", "＜@");
    match cut(&text, LINE_BYTES_MAX) {
        whole if whole.len() == text.len() => text,
        part => format!("{part}…"),
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(events: &[Value], template: &str, bytes_max: usize) -> String {
        let template = template.parse().unwrap();
        let zone = FixedOffset::east_opt(8 * 3_600).unwrap();
        let typed = Typed::by(|text| text.replace("`prefetchd status", "`prefetchd -c films status"));
        digest(events, Wording { lang: Lang::En, zone, host: "films", template: &template, bytes_max, typed: &typed })
    }

    fn ended(n: usize) -> Value {
        json!({ "event": "file_finished", "file": format!("{n}.txt"), "complete": 1 })
    }

    #[test]
    fn what_is_urgent_comes_first_and_what_has_no_room_is_counted() {
        let mut events: Vec<Value> = (0..10).map(ended).collect();
        events.push(json!({ "event": "deadline_missed", "file": "late.txt", "urls": 3 }));
        let text = said(&events, "{title}\n{lines}", 8_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "prefetchd on films: 11 events");
        assert!(lines[1].ends_with(": `prefetchd -c films status late.txt`"), "{text}");
        assert!(lines[1].starts_with("late.txt: 3 URLs expired") && lines[2] == "0.txt: finished: 1 warm", "{text}");
        assert_eq!((lines.len(), lines[9]), (10, "and 3 more: `prefetchd -c films status`"));
        assert!(said(&events, "{title}\n{lines}", 200).ends_with("and 9 more: `prefetchd -c films status`"));
        assert!(said(&events, "{title}\n{lines}", 30).len() <= 30);
    }

    #[test]
    fn names_are_harmless_and_a_template_adds_its_keyword() {
        let hostile = json!({ "event": "file_finished", "file": "a\u{202e}<@all>\n.txt", "complete": 1 });
        let text = said(&[hostile], "[CDN] {title} {lines}", 8_000);
        assert!(text.starts_with("[CDN] prefetchd on films ") && !text.contains("<@"), "{text}");
        assert!(!text.contains('\n') && !text.contains('\u{202e}'), "{text}");
    }
}
