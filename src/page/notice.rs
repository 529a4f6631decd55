//! What stands around every page, and pages that only say something: that there is no such page, that a file is
//! forgotten, that the database cannot be read.

use askama::Template;

use super::ask::{Place, REFRESH_OFFERED, Wrong};
use super::frame::{Frame, outside};
use super::overview::step;
use super::parts::{Fact, Line, Step, Tone};
use crate::model::{Lang, Time};
use crate::stage::Sign;
use crate::words::{Words, web};

/// What stands around every page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) tag: &'static str,
    pub(super) title: String,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
    pub(super) home: String,
    pub(super) skip: String,
    pub(super) page: String,
    pub(super) choices: Vec<Choice>,
    pub(super) seconds: u32,
    pub(super) still: String,
    pub(super) start: String,
    pub(super) stop: String,
    pub(super) on: String,
    pub(super) paused: String,
    pub(super) failed: String,
    pub(super) live: String,
    pub(super) footer: String,
}

/// A link above the page.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) text: String,
    pub(super) href: String,
    /// The tag of its language, where that is another one.
    pub(super) tag: &'static str,
    /// Its name, for the script.
    pub(super) id: &'static str,
    pub(super) is_current: bool,
}

impl Shell {
    pub(super) fn of(frame: &Frame<'_>, title: &str) -> Self {
        let lang = |lang: Lang, text: &str, tag: &'static str| Choice {
            text: text.to_owned(),
            href: frame.in_lang(lang),
            tag,
            id: "",
            is_current: frame.lang == lang,
        };
        let refreshes = frame.ask.refresh.is_some();
        let (text, href) = if refreshes { (&web::STOP, frame.still()) } else { (&web::REFRESH, frame.refreshed()) };
        let refresh = Choice { text: frame.say(text), href, tag: "", id: "refresh", is_current: false };
        Self {
            tag: frame.tag(),
            title: format!("{title} · prefetchd"),
            style: frame.style(),
            script: frame.script(),
            icon: frame.icon(),
            home: frame.link(Place::Overview(None)),
            skip: frame.say(&web::SKIP),
            page: frame.say(&web::OF_THIS_PAGE),
            choices: vec![lang(Lang::En, "English", "en"), lang(Lang::Zh, "中文", "zh-CN"), refresh],
            seconds: REFRESH_OFFERED,
            still: frame.still(),
            start: frame.say(&web::REFRESH),
            stop: frame.say(&web::STOP),
            on: frame.say(&web::REFRESHING),
            paused: frame.say(&web::REFRESH_WAITS),
            failed: frame.say(&web::REFRESH_FAILED),
            live: if refreshes { frame.say(&web::REFRESHING) } else { String::new() },
            footer: frame.say(&web::FOOTER),
        }
    }
}

/// A page that only says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    verdict: Line,
    paragraphs: Vec<Words>,
    facts: Vec<(Words, Line)>,
    steps: Vec<Step>,
    title: Words,
}

#[derive(Debug, Template)]
#[template(path = "notice.html")]
struct NoticePage {
    shell: Shell,
    verdict: Line,
    paragraphs: Vec<String>,
    facts: Vec<Fact>,
    steps: Vec<Step>,
    back: String,
}

impl Notice {
    fn new(tone: Tone, title: Words, paragraphs: Vec<Words>) -> Self {
        Self { verdict: Line { tone, text: String::new() }, paragraphs, facts: Vec::new(), steps: Vec::new(), title }
    }

    /// A request that cannot be answered.
    pub fn wrong(wrong: &Wrong) -> Self {
        match wrong {
            Wrong::NotFound => Self::new(Tone::Warn, web::NOT_FOUND, vec![web::NOT_FOUND_MORE]),
            Wrong::Query(name, allowed) => {
                Self::new(Tone::Warn, web::BAD_QUERY, vec![web::bad_query(&outside(name), allowed)])
            }
        }
    }

    /// There is no such file.
    pub fn no_file() -> Self {
        Self::new(Tone::Warn, web::NO_FILE, vec![web::NO_FILE_MORE])
    }

    /// There is no such report.
    pub fn no_report() -> Self {
        Self::new(Tone::Warn, web::NO_REPORT, Vec::new())
    }

    /// A file whose URLs were pruned.
    pub fn gone(name: &str, dropped_at: &str) -> Self {
        Self::new(Tone::Warn, web::GONE, vec![web::gone(&outside(name), &outside(dropped_at))])
    }

    /// Too many different pages are wanted.
    pub fn busy() -> Self {
        Self::new(Tone::Warn, web::BUSY, vec![web::BUSY_MORE])
    }

    /// The database cannot be read; with what the sign of life tells, and a command that shows more.
    pub fn unreadable(why: &str, sign: &Sign, command: &str) -> Self {
        let mut notice = Self::new(Tone::Bad, web::UNREADABLE, Vec::new());
        notice.facts.push((web::DATABASE, Line::new(Tone::Bad, outside(why))));
        if let Some(trouble) = &sign.trouble {
            notice.facts.push((web::DAEMON, Line::new(Tone::Bad, outside(&trouble.text))));
        }
        notice.steps = vec![step("", command)];
        notice
    }

    /// The page, as HTML.
    pub fn page(&self, frame: &Frame<'_>, sign: Option<&Sign>) -> String {
        let title = frame.say(&self.title);
        let facts = self.facts.iter().map(|(name, line)| Fact::new(frame.say(name), line.clone()));
        let mut facts: Vec<Fact> = facts.collect();
        if let Some(sign) = sign {
            facts.extend(self.sign(frame, sign));
        }
        let page = NoticePage {
            shell: Shell::of(frame, &title),
            verdict: Line { text: title, ..self.verdict.clone() },
            paragraphs: self.paragraphs.iter().map(|words| frame.say(words)).collect(),
            facts,
            steps: self.steps.clone(),
            back: frame.say(&web::BACK),
        };
        page.render().expect("a page is text")
    }

    fn sign(&self, frame: &Frame<'_>, sign: &Sign) -> Option<Fact> {
        let (health, since): (&str, Option<Time>) = match (&sign.hanging, &sign.trouble) {
            (Some((since, _)), _) => ("hanging", Some(*since)),
            (None, Some(trouble)) => ("blocked", Some(trouble.since)),
            (None, None) => ("running", sign.at),
        };
        let since = since.map(|at| frame.since(at));
        let text = frame.say(&web::daemon(health, since.as_deref(), None));
        let hanging = sign.hanging.as_ref().map(|(_, stages)| Line::new(Tone::Bad, outside(stages)));
        let lines = std::iter::once(Line::plain(text)).chain(hanging).collect();
        Some(Fact { name: frame.say(&web::SIGN), lines })
    }
}
