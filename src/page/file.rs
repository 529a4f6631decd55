//! The page of a file: the verdict, what to type next, the time line from drop to warm, and what became of its lines.

use askama::Template;
use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::ask::Place;
use super::chart::{Plane, bars};
use super::frame::{Frame, When, outside, time};
use super::notice::Shell;
use super::overview::zoned;
use super::parts::{Cell, Chart, Fact, Line, Step, Table, Tone};
use crate::model::{Priority, Time, UrlState, from_millis};
use crate::status::{FileHere, FileStory, Goal, Verdict};
use crate::words::{Words, labels, number, times, web};

/// Most bars of the chart: of a file that took longer, a bar covers several hours.
const BARS_MAX: i64 = 48;

/// The size of the chart's plane.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 120;

/// What is shown of a file.
#[derive(Debug)]
pub struct FileData<'a> {
    /// What is known of it.
    pub here: &'a FileHere,
    /// What may help, as it has to be typed here.
    pub commands: Vec<String>,
    /// Whether its receipt can be downloaded.
    pub has_receipt: bool,
}

#[derive(Debug, Template)]
#[template(path = "file.html")]
struct FileTemplate {
    shell: Shell,
    heads: Heads,
    name: String,
    verdict: Line,
    as_of: (String, When),
    next: Vec<Step>,
    times: Vec<(String, Option<When>)>,
    facts: Vec<Fact>,
    warm: Option<Chart>,
    forecast: Vec<Fact>,
    refused: Table,
    refused_lines: Table,
    reasons: Table,
    failures: Table,
    downloads: Vec<(String, String)>,
    others: Table,
    back: String,
}

/// Headings, and texts of the template.
#[derive(Debug)]
struct Heads {
    next: String,
    times: String,
    not_yet: String,
    warm: String,
    forecast: String,
    refused: String,
    reasons: String,
    downloads: String,
    others: String,
}

/// The page of a file, as HTML.
pub fn file(frame: &Frame<'_>, data: &FileData<'_>) -> String {
    let (here, story) = (data.here, &data.here.story);
    let name = outside(&story.name);
    let page = FileTemplate {
        shell: Shell::of(frame, &name),
        heads: Heads {
            next: frame.say(&web::NEXT),
            times: frame.say(&web::TIMES),
            not_yet: frame.part(&web::NOT_YET),
            warm: frame.say(&web::WARM_AN_HOUR),
            forecast: frame.say(&web::FORECAST),
            refused: frame.say(&web::REFUSED_LINES),
            reasons: frame.say(&web::NOT_WARM_YET),
            downloads: frame.say(&web::DOWNLOADS),
            others: frame.say(&web::OTHERS),
        },
        name,
        verdict: verdict(frame, story),
        as_of: (frame.say(&web::AS_OF), frame.when(frame.now)),
        next: steps(data),
        times: moments(frame, story),
        facts: facts(frame, here),
        warm: warm(frame, here),
        forecast: forecast(frame, story),
        refused: refused(frame, story),
        refused_lines: refused_lines(frame, story),
        reasons: reasons(frame, story),
        failures: failures(frame, story),
        downloads: downloads(frame, data),
        others: others(frame, story),
        back: frame.say(&web::BACK),
    };
    page.render().expect("a page is text")
}

fn steps(data: &FileData<'_>) -> Vec<Step> {
    let step = |command: &String| Step { what: String::new(), commands: vec![outside(command)] };
    data.commands.iter().map(step).collect()
}

fn verdict(frame: &Frame<'_>, story: &FileStory) -> Line {
    let progress = &story.progress;
    let (warm, all) = (progress.reached(Goal::Warm), web::urls(&number(progress.all())));
    let is = crate::words::progress::state_of(UrlState::Complete, progress.effect);
    let so_far = web::done_of(&number(warm), &all, &is);
    let (tone, words) = match (story.state.as_str(), progress.verdict(Goal::Warm)) {
        ("rejected", _) => (Tone::Bad, web::REJECTED.then(&story.rejected_why.clone().unwrap_or_default())),
        ("reading", _) => (Tone::Plain, web::STILL_READ),
        (_, Verdict::Reached) => (Tone::Good, web::all_done(&all, &is)),
        (_, Verdict::Stuck) => (Tone::Bad, web::stuck(&so_far)),
        (_, Verdict::Open) => (Tone::Plain, so_far),
    };
    Line::new(tone, frame.say(&words))
}

fn moments(frame: &Frame<'_>, story: &FileStory) -> Vec<(String, Option<When>)> {
    let at = |at: Option<&str>| at.and_then(|at| frame.when_text(at));
    let mut moments = vec![
        (web::DROPPED, at(Some(&story.dropped_at))),
        (web::READ, at(story.read_at.as_deref())),
        (web::FIRST_SENT, at(story.first_sent_at.as_deref())),
        (web::LAST_SENT, at(story.last_sent_at.as_deref())),
        (web::FIRST_WARM, at(story.first_warm_at.as_deref())),
        (web::LAST_WARM, at(story.last_warm_at.as_deref())),
        (web::FINISHED, at(story.finished_at.as_deref())),
    ];
    if story.queued == 0 {
        moments.retain(|(_, at)| at.is_some());
    }
    moments.into_iter().map(|(name, at)| (frame.say(&name), at)).collect()
}

fn facts(frame: &Frame<'_>, here: &FileHere) -> Vec<Fact> {
    let story = &here.story;
    let progress = &story.progress;
    let states = UrlState::ALL.map(|state| (state, progress.count(state)));
    let states = states.into_iter().filter(|(_, n)| *n > 0);
    let states = Words::list(states.map(|(state, n)| web::counted(state, progress.effect, &number(n))));
    let mut lines = vec![Line::plain(frame.say(&states))];
    if let Some(rows) = here.only_first {
        lines.push(Line::plain(frame.say(&web::only_first(&web::urls(&number(rows))))));
    }
    let mut facts = vec![Fact { name: frame.say(&web::BY_STATE), lines }];
    let words = web::lines(
        &count(story.lines),
        &count(story.queued),
        &count(story.merged),
        &number(progress.fresh),
        &number(progress.refused),
    );
    facts.push(Fact::new(frame.say(&web::LINES), Line::plain(frame.part(&words))));
    let is_warm = progress.count(UrlState::Complete) > 0;
    if let (true, Some(median), Some(most)) = (is_warm, story.warm_seconds_median, story.warm_seconds_p95) {
        let [median, most] = [median, most].map(|seconds| times::span(TimeDelta::seconds(seconds)));
        let text = frame.part(&web::warm_after(&median, &most));
        facts.push(Fact::new(frame.say(&web::WARM_AFTER), Line::plain(text)));
    }
    facts.push(Fact::new(frame.say(&web::ASKS_FOR), Line::plain(asks(frame, story))));
    let format = format!("{}, {}", story.format, story.encoding.as_deref().unwrap_or("ascii"));
    facts.push(Fact::new(frame.say(&web::READ_AS), Line::plain(outside(&format))));
    if !story.host.is_empty() {
        facts.push(Fact::new(frame.say(&labels::HOST), Line::plain(outside(&story.host))));
    }
    let warning = |said: &crate::status::Said| {
        let words = Words { en: said.text.clone().into(), zh: said.text_zh.clone().into() };
        let line = said.line.map(|line| format!("{} {line}: ", frame.part(&web::LINE))).unwrap_or_default();
        Line::new(Tone::Warn, format!("{line}{}", frame.part(&words)))
    };
    if !story.warnings.is_empty() {
        let lines = story.warnings.iter().take(20).map(warning).collect();
        facts.push(Fact { name: frame.say(&web::WARNING), lines });
    }
    facts
}

fn asks(frame: &Frame<'_>, story: &FileStory) -> String {
    let priority = Priority::ALL.into_iter().find(|priority| priority.to_string() == story.priority);
    let mut parts: Vec<Words> = story.action.as_deref().map(labels::action).into_iter().collect();
    parts.extend(priority.map(labels::priority));
    parts.extend(story.label.as_deref().map(|label| Words::same(outside(label))));
    if let Some(at) = story.deadline.as_deref().and_then(time) {
        parts.push(web::DEADLINE.then(&Words::same(frame.when(at).text)));
    }
    if let Some(at) = story.not_before.as_deref().and_then(time) {
        parts.push(web::NOT_BEFORE.then(&Words::same(frame.when(at).text)));
    }
    parts.extend(story.force.then_some(web::FORCE));
    frame.say(&Words::list(parts))
}

fn warm(frame: &Frame<'_>, here: &FileHere) -> Option<Chart> {
    let dropped = time(&here.story.dropped_at)?;
    let hour = |seconds: i64| (dropped.timestamp().saturating_add(seconds)).div_euclid(3600);
    let (first, last) = (hour(here.warm.first()?.0), hour(here.warm.last()?.0));
    let hours = last - first + 1;
    let wide = (hours + BARS_MAX - 1) / BARS_MAX;
    let mut values = vec![0_i64; usize::try_from((hours + wide - 1) / wide).unwrap_or(1)];
    for (seconds, urls) in &here.warm {
        let at = usize::try_from((hour(*seconds) - first) / wide).unwrap_or(0);
        if let Some(value) = values.get_mut(at) {
            *value += urls;
        }
    }
    let (all, most) = (values.iter().sum::<i64>(), values.iter().copied().max().unwrap_or(0));
    let begins = |at: i64| from_millis((first + at * wide).saturating_mul(3_600_000));
    let plane = Plane { from: 0, to: 1, top: most, width: WIDTH, height: HEIGHT };
    let rows = values.iter().zip(0..).filter(|(urls, _)| **urls > 0);
    let row = |(urls, at): (&i64, i64)| vec![Cell::text(frame.moment(begins(at))), Cell::number(number(*urls))];
    let ends = (begins(0), begins(i64::try_from(values.len()).unwrap_or(0)));
    Some(Chart {
        id: "warm-chart".to_owned(),
        title: frame.say(&web::WARM_AN_HOUR),
        description: frame.say(&web::warm_text(&web::urls(&number(all)), &number(hours), &number(most))),
        paths: Vec::new(),
        bars: bars(&values, &plane),
        size: (WIDTH, HEIGHT),
        ends: (frame.when(ends.0).text, frame.when(ends.1).text),
        legend: Vec::new(),
        table: Table {
            caption: frame.say(&web::WARM_AN_HOUR),
            heads: vec![zoned(frame, &web::TIME), frame.say(&web::URLS)],
            rows: rows.map(row).collect(),
        },
        open: frame.say(&web::NUMBERS),
    })
}

fn forecast(frame: &Frame<'_>, story: &FileStory) -> Vec<Fact> {
    if story.progress.count(UrlState::Pending) == 0 {
        return Vec::new();
    }
    let Some(forecast) = &story.forecast else {
        return vec![Fact::new(frame.say(&web::SENT_AT), Line::plain(frame.say(&web::NOT_TOLD)))];
    };
    let range = |first: Time, last: Time| {
        let words = times::range(first, last, frame.now, frame.day_starts);
        format!("{} {}", frame.part(&words), frame.zone())
    };
    let sent = forecast.first_at.zip(forecast.last_at).map(|(first, last)| range(first, last));
    let sent = sent.unwrap_or_else(|| frame.say(&web::NOT_AS_IT_IS));
    let mut facts = vec![Fact::new(frame.say(&web::SENT_AT), Line::plain(sent))];
    facts.extend(forecast.warm_by.map(|at| Fact::new(frame.say(&web::WARM_BY), Line::plain(frame.until(at)))));
    let deadline = |deadline: &crate::schedule::DeadlineForecast| {
        let urls = web::urls(&count(deadline.urls));
        let (tone, words) = match (deadline.missed, deadline.cold) {
            (0, 0) => (Tone::Good, web::WILL_BE_MET),
            (0, cold) => (Tone::Warn, web::at_risk(&count(cold), &urls, false)),
            (missed, _) => (Tone::Bad, web::at_risk(&count(missed), &urls, true)),
        };
        let at = Words::same(frame.when(deadline.deadline).text);
        Line::new(tone, frame.say(&at.then(&words)))
    };
    if !forecast.deadlines.is_empty() {
        let lines = forecast.deadlines.iter().take(20).map(deadline).collect();
        facts.push(Fact { name: frame.say(&web::DEADLINES), lines });
    }
    facts
}

fn refused(frame: &Frame<'_>, story: &FileStory) -> Table {
    let row = |said: &crate::status::Said| {
        let words = Words { en: said.text.clone().into(), zh: said.text_zh.clone().into() };
        vec![Cell::text(frame.say(&words)), Cell::number(count(said.lines))]
    };
    Table {
        caption: frame.say(&web::REFUSED_BY_REASON),
        heads: vec![frame.say(&web::REASON), frame.say(&web::LINES)],
        rows: story.refused_reasons.iter().map(row).collect(),
    }
}

fn refused_lines(frame: &Frame<'_>, story: &FileStory) -> Table {
    let row = |line: &crate::status::LineSaid| {
        // Both languages stand in the report.
        let (en, zh) = line.reason.split_once(" / ").unwrap_or((&line.reason, &line.reason));
        let words = Words { en: en.to_owned().into(), zh: zh.to_owned().into() };
        vec![Cell::text(line.line.to_string()), Cell::text(outside(&line.text)), Cell::text(frame.part(&words))]
    };
    Table {
        caption: frame.say(&web::FIRST_REFUSED),
        heads: [&web::LINE, &web::TEXT, &web::REASON].map(|words| frame.say(words)).to_vec(),
        rows: story.refused_lines.iter().take(5).map(row).collect(),
    }
}

fn reasons(frame: &Frame<'_>, story: &FileStory) -> Table {
    let row = |row: &Map<String, Value>| {
        vec![
            Cell::text(frame.say(&reason(row))),
            Cell::text(state(frame, word(row, "state"))),
            Cell::number(number(whole(row, "urls"))),
        ]
    };
    Table {
        caption: frame.say(&web::REASONS_BY_STATE),
        heads: [&web::REASON, &web::STATE, &web::URLS].map(|words| frame.say(words)).to_vec(),
        rows: story.reasons.iter().map(row).collect(),
    }
}

fn failures(frame: &Frame<'_>, story: &FileStory) -> Table {
    let row = |row: &Map<String, Value>| {
        let said = [("code", ""), ("message", ""), ("request_id", "RequestId ")];
        let said = said.map(|(column, name)| (name, word(row, column)));
        let said = said.into_iter().filter(|(_, text)| !text.is_empty());
        let said: Vec<String> = said.map(|(name, text)| outside(&format!("{name}{text}"))).collect();
        vec![
            Cell::text(whole(row, "line").to_string()),
            Cell::text(outside(word(row, "url"))),
            Cell::text(state(frame, word(row, "state"))),
            Cell::text(said.join(", ")),
        ]
    };
    Table {
        caption: frame.say(&web::FAILURES),
        heads: [&web::LINE, &web::URL, &web::STATE, &web::ANSWER].map(|words| frame.say(words)).to_vec(),
        rows: story.failures.iter().map(row).collect(),
    }
}

fn downloads(frame: &Frame<'_>, data: &FileData<'_>) -> Vec<(String, String)> {
    let id = data.here.story.file_id;
    let receipt = data.has_receipt.then(|| (frame.say(&web::RECEIPT), frame.link(Place::Receipt(id))));
    let report = data.here.story.refused_report.as_ref();
    let report = report.map(|_| (frame.say(&web::REFUSED_REPORT), frame.link(Place::Refused(id))));
    receipt.into_iter().chain(report).collect()
}

fn others(frame: &Frame<'_>, story: &FileStory) -> Table {
    let row = |row: &Map<String, Value>| {
        let id = whole(row, "file_id");
        let dropped = frame.when_text(word(row, "dropped_at")).map(|when| when.text).unwrap_or_default();
        vec![Cell::link(dropped, frame.link(Place::File(id))), Cell::number(number(whole(row, "lines")))]
    };
    Table {
        caption: frame.say(&web::OTHERS),
        heads: [&web::DROPPED, &web::LINES].map(|words| frame.say(words)).to_vec(),
        rows: story.others.iter().map(row).collect(),
    }
}

/// Why URLs are in their state.
fn reason(row: &Map<String, Value>) -> Words {
    let (en, zh) = (word(row, "reason"), word(row, "reason_zh"));
    Words { en: en.to_owned().into(), zh: if zh.is_empty() { en } else { zh }.to_owned().into() }
}

/// A state of the database, in words.
fn state(frame: &Frame<'_>, word: &str) -> String {
    let state = UrlState::ALL.into_iter().find(|state| state.to_string() == word);
    state.map_or_else(|| outside(word), |state| frame.part(&crate::words::progress::state(state)))
}

fn word<'a>(row: &'a Map<String, Value>, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn whole(row: &Map<String, Value>, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_default()
}

fn count(n: u64) -> String {
    number(i64::try_from(n).unwrap_or(i64::MAX))
}
