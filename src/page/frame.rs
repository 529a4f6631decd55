//! What stands around every page: its language, its links, and how times are shown.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};

use super::ask::{Ask, Place, REFRESH_OFFERED};
use super::assets::{ICON, SCRIPT, STYLE};
use crate::model::{DayStart, Lang, Time};
use crate::status::FilesAfter;
use crate::telemetry::one_line;
use crate::words::{Words, times, web};

/// How a page is to be shown, to whoever asked.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// `[http] base_path`.
    pub base: &'a str,
    /// The language of the texts.
    pub lang: Lang,
    /// What was asked for.
    pub ask: Ask,
    /// The time now.
    pub now: Time,
    /// Times of day are shown at its offset.
    pub day_starts: DayStart,
}

/// A moment: for programs, and for people with its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// RFC 3339.
    pub iso: String,
    /// As it is shown.
    pub text: String,
}

impl Frame<'_> {
    /// A sentence of the catalogue, as a heading or a label: with a capital letter in English.
    pub fn say(&self, words: &Words) -> String {
        capital(&self.part(words))
    }

    /// A sentence within another one. Names in it come from outside.
    pub fn part(&self, words: &Words) -> String {
        outside(words.say(self.lang))
    }

    /// The language's tag.
    pub fn tag(&self) -> &'static str {
        match self.lang {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }

    /// The address of a place, in the language that was asked for.
    pub fn link(&self, place: Place) -> String {
        self.address(place, self.ask.lang, None)
    }

    /// This page in another language.
    pub fn in_lang(&self, lang: Lang) -> String {
        self.address(self.ask.place, Some(lang), self.ask.refresh)
    }

    /// This page without a refresh, and with one.
    pub fn still(&self) -> String {
        self.link(self.ask.place)
    }

    /// This page, reloaded by the header `Refresh`.
    pub fn refreshed(&self) -> String {
        self.address(self.ask.place, self.ask.lang, Some(REFRESH_OFFERED))
    }

    fn address(&self, place: Place, lang: Option<Lang>, refresh: Option<u32>) -> String {
        let (path, page) = match place {
            Place::Overview(after) => ("/".to_owned(), after),
            Place::File(id) => (format!("/files/{id}"), None),
            Place::Receipt(id) => (format!("/files/{id}/receipt.json"), None),
            Place::Refused(id) => (format!("/files/{id}/refused.tsv"), None),
        };
        let query: Vec<String> = [
            page.map(|page| format!("page={page}")),
            lang.map(|lang| format!("lang={lang}")),
            refresh.map(|seconds| format!("refresh={seconds}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{}", self.base, query.join("&"))
    }

    /// The first page of files, or the one behind a place.
    pub fn files(&self, after: Option<FilesAfter>) -> String {
        format!("{}#files", self.link(Place::Overview(after)))
    }

    /// The address of the style sheet, the script and the icon.
    pub fn style(&self) -> String {
        format!("{}/assets/{}", self.base, STYLE.name)
    }

    /// The script's.
    pub fn script(&self) -> String {
        format!("{}/assets/{}", self.base, SCRIPT.name)
    }

    /// The icon's.
    pub fn icon(&self) -> String {
        format!("{}/assets/{}", self.base, ICON.name)
    }

    /// The offset of all times, such as `UTC+8`.
    pub fn zone(&self) -> String {
        times::zone(self.now, self.day_starts)
    }

    /// A moment with its date where it is not today, and its zone.
    pub fn when(&self, at: Time) -> When {
        When {
            text: format!("{} {}", self.moment(at), self.zone()),
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }

    /// The same from the text of a view.
    pub fn when_text(&self, at: &str) -> Option<When> {
        time(at).map(|at| self.when(at))
    }

    /// Without its zone, where that stands beside it.
    pub fn moment(&self, at: Time) -> String {
        self.part(&times::moment(at, self.now, self.day_starts))
    }

    /// A moment ahead with its zone, and how far away it is.
    pub fn until(&self, at: Time) -> String {
        self.part(&web::until(&self.when(at).text, &times::span(at - self.now)))
    }

    /// A moment that is over with its zone, and how long ago that is.
    pub fn since(&self, at: Time) -> String {
        self.part(&web::since(&self.when(at).text, &times::span(self.now - at)))
    }
}

/// The moment in a text of a view.
pub(super) fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// A text from outside: on one line, with no character that changes how others look.
pub(super) fn outside(text: &str) -> String {
    one_line(text)
}

/// With a capital letter at its beginning, unless it begins with a name or a command.
fn capital(text: &str) -> String {
    let text: Cow<'_, str> = text.into();
    let mut rest = text.chars();
    match rest.next() {
        Some(first) if first.is_ascii_lowercase() => first.to_ascii_uppercase().to_string() + rest.as_str(),
        _ => text.into_owned(),
    }
}
