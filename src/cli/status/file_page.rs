//! The page that `status FILE` shows: a function of the story and the look.

use chrono::{DateTime, TimeDelta};
use serde_json::{Map, Value};

use super::super::layout::{INDENT, Look, Page, Tone, bytes, fit};
use super::super::text::number;
use crate::model::{Lang, Time, UrlState};
use crate::status::{FileStory, Goal, Invocation, Said, Verdict};
use crate::words::{Words, file as words, labels, page as status_words};

/// The page's lines. `waits` says that another file of the name is in `incoming/`.
pub(super) fn page(story: &FileStory, waits: bool, by: &Invocation, look: &Look) -> Vec<String> {
    let mut page = Page::new(*look);
    verdict(&mut page, story, look);
    if waits {
        page.more(Tone::Warn, &words::ANOTHER_WAITS);
    }
    read(&mut page, story, look);
    lines(&mut page, story, look);
    urls(&mut page, story, look);
    forecast(&mut page, story, look);
    failures(&mut page, story);
    if let Some(line) = &story.line {
        self::line(&mut page, line, look);
    }
    others(&mut page, story, look);
    next(&mut page, story, by, look);
    page.finish()
}

fn verdict(page: &mut Page, story: &FileStory, look: &Look) {
    let progress = &story.progress;
    let (done, all) = (number(progress.reached(Goal::Warm)), number(progress.all()));
    let is = crate::words::progress::state_of(UrlState::Complete, progress.effect);
    let (tone, text) = match (story.state.as_str(), progress.verdict(Goal::Warm)) {
        ("rejected", _) => {
            (Tone::Bad, status_words::rejected(story.rejected_why.as_ref().unwrap_or(&words::NO_REASON)))
        }
        ("reading", _) => (Tone::Plain, words::reading(&number(count(story.lines)))),
        (_, Verdict::Reached) => (Tone::Good, words::all_done(&all, &is)),
        (_, Verdict::Stuck) => (Tone::Bad, words::stuck(&done, &all, &is)),
        (_, Verdict::Open) => (Tone::Plain, words::some_done(&done, &all, &is)),
    };
    page.row(&labels::FILE, Tone::Plain, &words::name(&story.name, &look.zone()));
    page.row(&labels::IS, tone, &text);
    if !story.host.is_empty() {
        page.row(&labels::HOST, Tone::Plain, &Words::same(crate::telemetry::one_line(&story.host)));
    }
}

fn read(page: &mut Page, story: &FileStory, look: &Look) {
    let at = |at: &Option<String>| at.as_deref().and_then(time).map(|at| look.moment(at));
    let dropped = time(&story.dropped_at).map(|at| look.moment(at)).unwrap_or_default();
    let text = words::times(&dropped, at(&story.read_at).as_deref(), at(&story.finished_at).as_deref());
    page.row(&labels::TIMES, Tone::Plain, &text);
    let encoding = story.encoding.as_deref().unwrap_or("ascii");
    let size = story.bytes.map(bytes);
    let text = words::read_as(&story.format, encoding, size.as_deref(), &story.stored_as, story.file_id);
    page.row(&labels::READ_AS, Tone::Plain, &text);
    let mut keys = Vec::from_iter(story.action.as_deref().map(labels::action));
    keys.push(words::priority(&story.priority));
    keys.extend(story.label.as_ref().map(|label| words::label(label)));
    keys.extend(at(&story.not_before).map(|at| words::not_before(&at)));
    keys.extend(at(&story.deadline).map(|at| status_words::deadline(&at)));
    keys.extend(story.force.then_some(words::FORCE));
    page.row(&labels::ASKS_FOR, Tone::Plain, &Words::list(keys));
}

fn lines(page: &mut Page, story: &FileStory, look: &Look) {
    let progress = &story.progress;
    let some = |n: i64| Some(n).filter(|n| *n > 0).map(number);
    let parts = [
        some(count(story.queued)).map(|n| words::queued(&n)),
        some(count(story.merged)).map(|n| words::merged(&n)),
        some(progress.fresh).map(|n| words::fresh(&n)),
        some(progress.refused).map(|n| words::refused(&n)),
    ];
    let parts = parts.into_iter().flatten();
    page.row(&labels::LINES, Tone::Plain, &words::lines(&number(count(story.lines)), &Words::list(parts)));
    for reason in &story.refused_reasons {
        page.row(&labels::REFUSED, Tone::Warn, &Words::same(number(count(reason.lines))).then(&said(reason)));
    }
    for line in &story.refused_lines {
        let (english, chinese) = line.reason.split_once(" / ").unwrap_or((&line.reason, &line.reason));
        let reason = if look.lang == Lang::Zh { chinese } else { english };
        page.more(Tone::Plain, &words::line(line.line, &Words::same(reason).then(&Words::same(line.text.as_str()))));
    }
    if let Some(report) = story.refused_report.as_ref().filter(|_| count(story.lines) > 0 && progress.refused > 0) {
        page.more(Tone::Plain, &words::report(report));
    }
    for warning in &story.warnings {
        let mut text = said(warning);
        if warning.lines > 1 {
            text = words::in_lines(&text, &number(count(warning.lines)));
        }
        let text = warning.line.map(|line| words::line(count(line), &text)).unwrap_or(text);
        page.row(&labels::WARNING, Tone::Warn, &text);
    }
}

fn said(said: &Said) -> Words {
    Words { en: said.text.clone().into(), zh: said.text_zh.clone().into() }
}

fn urls(page: &mut Page, story: &FileStory, look: &Look) {
    let states = UrlState::ALL.map(|state| (state, story.progress.count(state)));
    let states: Vec<Words> = states
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| crate::words::progress::counted(state, story.progress.effect, &number(n)))
        .collect();
    if !states.is_empty() {
        page.row(&labels::URLS, Tone::Plain, &Words::list(states));
    }
    let purges = story.purges.iter().filter_map(|(state, n)| Some((state.parse::<UrlState>().ok()?, n)));
    let purges: Vec<Words> = purges.map(|(state, n)| crate::words::page::of_state(&number(count(*n)), state)).collect();
    if !purges.is_empty() {
        page.row(&labels::action("purge"), Tone::Plain, &Words::list(purges));
    }
    let range = |first: &Option<String>, last: &Option<String>| {
        let times = first.as_deref().and_then(time).zip(last.as_deref().and_then(time));
        times.map(|(first, last)| look.range(first, last))
    };
    if let Some(sent) = range(&story.first_sent_at, &story.last_sent_at) {
        page.row(&labels::SENT, Tone::Plain, &Words::same(sent));
    }
    if let Some(warm) = range(&story.first_warm_at, &story.last_warm_at) {
        let text = match [story.warm_seconds_median, story.warm_seconds_p95] {
            [Some(median), Some(most)] => {
                let [median, most] = [median, most].map(|seconds| look.span(TimeDelta::seconds(seconds)));
                words::warm_range(&warm, &median, &most)
            }
            _ => Words::same(warm),
        };
        page.row(&labels::WARM, Tone::Plain, &text);
    }
}

fn forecast(page: &mut Page, story: &FileStory, look: &Look) {
    let pending = story.progress.count(UrlState::Pending);
    let Some(forecast) = &story.forecast else {
        if pending > 0 {
            page.row(&labels::FORECAST, Tone::Plain, &words::NO_FORECAST);
        }
        return;
    };
    let sent = forecast.first_at.zip(forecast.last_at).map(|(first, last)| look.range(first, last));
    let warm = forecast.warm_by.map(|at| look.moment(at));
    let text = sent.map_or(words::NOT_SENT, |sent| words::will_be(&sent, warm.as_deref()));
    page.row(&labels::FORECAST, Tone::Plain, &text);
    for deadline in &forecast.deadlines {
        let (at, of) = (look.moment(deadline.deadline), number(count(deadline.urls)));
        let (tone, text) = match (deadline.missed, deadline.cold) {
            (0, 0) => (Tone::Good, words::deadline_met(&at)),
            (0, cold) => (Tone::Warn, words::may_be_cold(&number(count(cold)), &of, &at)),
            (missed, _) => (Tone::Bad, words::will_miss(&number(count(missed)), &of, &at)),
        };
        page.more(tone, &text);
    }
}

fn failures(page: &mut Page, story: &FileStory) {
    for reason in &story.reasons {
        let state = word(reason, "state");
        let text = Words::same(number(whole(reason, "urls"))).then(&self::reason(reason));
        let tone = if matches!(state, "failed" | "held" | "expired") { Tone::Bad } else { Tone::Plain };
        page.row(&words::state(state), tone, &text);
    }
    for url in &story.failures {
        page.more(Tone::Plain, &words::line(whole(url, "line"), &Words::same(word(url, "url"))));
        let said = ["code", "message", "request_id"].map(|column| word(url, column));
        if said.iter().any(|text| !text.is_empty()) {
            page.more(Tone::Plain, &words::service_said(said[0], said[1], said[2]));
        }
    }
}

/// Why a row is in its state.
fn reason(row: &Map<String, Value>) -> Words {
    let (en, zh) = (word(row, "reason"), word(row, "reason_zh"));
    Words { en: en.to_owned().into(), zh: if zh.is_empty() { en } else { zh }.to_owned().into() }
}

/// What became of the chosen line.
fn line(page: &mut Page, row: &Map<String, Value>, look: &Look) {
    let (state, reason) = (words::state(word(row, "state")), reason(row));
    let text = if reason.en.is_empty() { state } else { state.then(&reason) };
    page.row(&words::line_label(whole(row, "line")), Tone::Plain, &text);
    let at = |column: &str| time(word(row, column)).map(|at| look.moment(at));
    let some = |column: &str| Some(word(row, column)).filter(|text| !text.is_empty());
    let sent = at("submitted_at").map(|at| words::sent_at(&at));
    let ended = at("ended_at").map(|at| words::ended_at(&at));
    let (task, by) = (some("task_ids").map(words::task), some("queued_by").map(words::queued_by));
    let url = some("url").map(Words::same);
    let rest: Vec<Words> = [sent, ended, task, by].into_iter().flatten().collect();
    for text in url.into_iter().chain((!rest.is_empty()).then(|| Words::list(rest))) {
        page.more(Tone::Plain, &text);
    }
}

fn others(page: &mut Page, story: &FileStory, look: &Look) {
    for (at, other) in story.others.iter().take(5).enumerate() {
        let dropped = time(word(other, "dropped_at")).map(|at| look.moment(at)).unwrap_or_default();
        let mut text = words::other(&dropped, &number(whole(other, "lines")), whole(other, "file_id"));
        if let Some(host) = other.get("host").and_then(Value::as_str) {
            text = text.and(&status_words::on_host(&crate::telemetry::one_line(host)));
        }
        let label = if at == 0 { labels::BEFORE } else { labels::NONE };
        page.row(&label, Tone::Plain, &text);
    }
    if story.others.len() > 5 {
        page.more(Tone::Plain, &words::more_others(story.others.len() - 5));
    }
}

/// Commands that may help.
fn next(page: &mut Page, story: &FileStory, by: &Invocation, look: &Look) {
    let name = crate::model::quoted(&story.name);
    let count = |state| story.progress.count(state);
    let mut commands = Vec::new();
    let ended = [UrlState::Failed, UrlState::Held, UrlState::Expired].into_iter().find(|state| count(*state) > 0);
    if let Some(state) = ended {
        commands.push(by.reads(&format!("urls --file {name} --state {state}")));
        commands.push(by.changes(&format!("retry --file {name}")));
    }
    if story.blocked.urls > 0 {
        commands.push(by.reads("hosts"));
    }
    if count(UrlState::Pending) > story.blocked.urls {
        commands.push(by.reads(&format!("wait {name}")));
    }
    for (at, command) in commands.iter().enumerate() {
        // Not wrapped, so that each command can be pasted.
        let label = if at == 0 { labels::NEXT } else { labels::NONE };
        page.raw(&format!("{}$ {command}", fit(label.say(look.lang), INDENT)));
    }
}

fn word<'a>(row: &'a Map<String, Value>, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn whole(row: &Map<String, Value>, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_default()
}

fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
