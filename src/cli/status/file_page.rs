//! The page that `status FILE` shows: a function of the story and the look.

use chrono::{DateTime, TimeDelta};
use serde_json::{Map, Value};

use super::super::layout::{INDENT, Look, Page, Tone, bytes, span};
use super::super::text::number;
use crate::model::{Time, UrlState};
use crate::status::{FileStory, Goal, Verdict};

/// The page's lines. `waits` says that another file of the name is in `incoming/`.
pub(super) fn page(story: &FileStory, waits: bool, look: &Look) -> Vec<String> {
    let mut page = Page::new(*look);
    verdict(&mut page, story, look);
    if waits {
        page.more(Tone::Warn, "another file of this name lies in incoming/ and is not taken yet");
    }
    read(&mut page, story, look);
    lines(&mut page, story);
    urls(&mut page, story, look);
    forecast(&mut page, story, look);
    failures(&mut page, story);
    if let Some(line) = &story.line {
        self::line(&mut page, line, look);
    }
    others(&mut page, story, look);
    next(&mut page, story);
    page.finish()
}

fn verdict(page: &mut Page, story: &FileStory, look: &Look) {
    let progress = &story.progress;
    let (warm, all) = (number(progress.reached(Goal::Warm)), number(progress.all()));
    let (tone, text) = match (story.state.as_str(), progress.verdict(Goal::Warm)) {
        ("rejected", _) => (Tone::Bad, format!("rejected: {}", story.rejected_why.as_deref().unwrap_or("no reason"))),
        ("reading", _) => (Tone::Plain, format!("still being read; {} lines so far", number(count(story.lines)))),
        (_, Verdict::Reached) => (Tone::Good, format!("all {all} URLs are warm")),
        (_, Verdict::Stuck) => {
            (Tone::Bad, format!("{warm} of {all} URLs are warm, and nothing more will be by itself"))
        }
        (_, Verdict::Open) => (Tone::Plain, format!("{warm} of {all} URLs are warm")),
    };
    page.row("file", Tone::Plain, &format!("{} (times are {})", story.name, look.zone()));
    page.row("is", tone, &text);
}

fn read(page: &mut Page, story: &FileStory, look: &Look) {
    let at = |at: &Option<String>| at.as_deref().and_then(time).map(|at| look.moment(at));
    let mut text = format!("dropped {}", at(&Some(story.dropped_at.clone())).unwrap_or_default());
    for (word, moment) in [("read", &story.read_at), ("finished", &story.finished_at)] {
        text.push_str(&at(moment).map(|at| format!(", {word} {at}")).unwrap_or_default());
    }
    page.row("times", Tone::Plain, &text);
    let mut text = format!("{}, {}", story.format, story.encoding.as_deref().unwrap_or("ascii"));
    text.push_str(&story.bytes.map(|n| format!(", {}", bytes(n))).unwrap_or_default());
    page.row("read as", Tone::Plain, &format!("{text}; stored as {} (file {})", story.stored_as, story.file_id));
    let mut keys = vec![format!("priority {}", story.priority)];
    keys.extend(story.label.as_ref().map(|label| format!("label {label}")));
    keys.extend(at(&story.not_before).map(|at| format!("not before {at}")));
    keys.extend(at(&story.deadline).map(|at| format!("deadline {at}")));
    keys.extend(story.force.then(|| "force".to_owned()));
    page.row("asks for", Tone::Plain, &keys.join(", "));
}

fn lines(page: &mut Page, story: &FileStory) {
    let progress = &story.progress;
    let parts = [
        (count(story.queued), "queued"),
        (count(story.merged), "merged into URLs that were there"),
        (progress.fresh, "warm lately"),
        (progress.refused, "refused"),
    ];
    let parts = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", number(n)));
    let parts: Vec<String> = parts.collect();
    page.row("lines", Tone::Plain, &format!("{}: {}", number(count(story.lines)), parts.join(", ")));
    for reason in &story.refused_reasons {
        page.row("refused", Tone::Warn, &format!("{}: {}", number(count(reason.lines)), reason.text));
    }
    for line in &story.refused_lines {
        let english = line.reason.split(" / ").next().unwrap_or_default();
        page.more(Tone::Plain, &format!("line {}: {english}: {}", line.line, line.text));
    }
    if let Some(report) = story.refused_report.as_ref().filter(|_| count(story.lines) > 0 && progress.refused > 0) {
        page.more(Tone::Plain, &format!("all of them: {report}"));
    }
    for warning in &story.warnings {
        let place = warning.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let more = if warning.lines > 1 { format!(" ({} lines)", number(count(warning.lines))) } else { String::new() };
        page.row("warning", Tone::Warn, &format!("{place}{}{more}", warning.text));
    }
}

fn urls(page: &mut Page, story: &FileStory, look: &Look) {
    let states = UrlState::ALL.map(|state| (state, story.progress.count(state)));
    let states = states.into_iter().filter(|(_, n)| *n > 0);
    let states: Vec<String> =
        states.map(|(state, n)| crate::words::progress::counted(state, &number(n)).en.into_owned()).collect();
    if !states.is_empty() {
        page.row("urls", Tone::Plain, &states.join(", "));
    }
    for (label, first, last) in
        [("sent", &story.first_sent_at, &story.last_sent_at), ("warm", &story.first_warm_at, &story.last_warm_at)]
    {
        let times = first.as_deref().and_then(time).zip(last.as_deref().and_then(time));
        let Some((first, last)) = times else { continue };
        let mut text = look.range(first, last);
        let after = [story.warm_seconds_median, story.warm_seconds_p95];
        if let (true, [Some(median), Some(most)]) = (label == "warm", after) {
            let [median, most] = [median, most].map(|seconds| span(TimeDelta::seconds(seconds)));
            text.push_str(&format!("; {median} after the drop at the median, {most} for 95 of 100"));
        }
        page.row(label, Tone::Plain, &text);
    }
}

fn forecast(page: &mut Page, story: &FileStory, look: &Look) {
    let pending = story.progress.count(UrlState::Pending);
    let Some(forecast) = &story.forecast else {
        if pending > 0 {
            page.row("forecast", Tone::Plain, "nothing of it can be told: `prefetchd status` says what is waited for");
        }
        return;
    };
    let sent = forecast.first_at.zip(forecast.last_at).map(|(first, last)| look.range(first, last));
    let warm = forecast.warm_by.map(|at| format!(", warm by {}", look.moment(at))).unwrap_or_default();
    let text = sent.map_or_else(|| "not sent as things are".to_owned(), |sent| format!("sent {sent}{warm}"));
    page.row("forecast", Tone::Plain, &text);
    for deadline in &forecast.deadlines {
        let at = look.moment(deadline.deadline);
        let of = number(count(deadline.urls));
        let (tone, text) = match (deadline.missed, deadline.cold) {
            (0, 0) => (Tone::Good, format!("the deadline {at} will be met")),
            (0, cold) => (Tone::Warn, format!("{} of {of} URLs may not be warm by {at}", number(count(cold)))),
            (missed, _) => (Tone::Bad, format!("{} of {of} URLs will miss {at}", number(count(missed)))),
        };
        page.more(tone, &text);
    }
}

fn failures(page: &mut Page, story: &FileStory) {
    for reason in &story.reasons {
        let state = word(reason, "state");
        let text = format!("{}: {}", number(whole(reason, "urls")), word(reason, "reason"));
        let tone = if matches!(state, "failed" | "held" | "expired") { Tone::Bad } else { Tone::Plain };
        page.row(state, tone, &text);
    }
    for url in &story.failures {
        page.more(Tone::Plain, &format!("line {}: {}", whole(url, "line"), word(url, "url")));
        let said = [("code", ""), ("message", ""), ("request_id", "RequestId ")];
        let said =
            said.into_iter().map(|(column, name)| (name, word(url, column))).filter(|(_, text)| !text.is_empty());
        let said: Vec<String> = said.map(|(name, text)| format!("{name}{text}")).collect();
        if !said.is_empty() {
            page.more(Tone::Plain, &format!("  the service: {}", said.join(", ")));
        }
    }
}

/// What became of the chosen line.
fn line(page: &mut Page, row: &Map<String, Value>, look: &Look) {
    let reason = word(row, "reason");
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let label = format!("line {}", whole(row, "line"));
    page.row(&label, Tone::Plain, &format!("{}{reason}", word(row, "state")));
    let by = word(row, "queued_by");
    let times = [("submitted_at", "sent"), ("ended_at", "ended")].map(|(column, name)| {
        time(word(row, column)).map(|at| format!("{name} {}", look.moment(at))).unwrap_or_default()
    });
    let task = word(row, "task_ids");
    let task = if task.is_empty() { String::new() } else { format!("task {task}") };
    let by = if by.is_empty() { String::new() } else { format!("queued by {by}") };
    let rest: Vec<String> = times.into_iter().chain([task, by]).filter(|text| !text.is_empty()).collect();
    for text in [word(row, "url"), &rest.join(", ")] {
        if !text.is_empty() {
            page.more(Tone::Plain, text);
        }
    }
}

fn others(page: &mut Page, story: &FileStory, look: &Look) {
    for (at, other) in story.others.iter().take(5).enumerate() {
        let dropped = time(word(other, "dropped_at")).map(|at| look.moment(at)).unwrap_or_default();
        let (id, lines) = (whole(other, "file_id"), number(whole(other, "lines")));
        let text = format!("dropped {dropped}, {lines} lines: `--id {id}` shows it");
        page.row(if at == 0 { "before" } else { "" }, Tone::Plain, &text);
    }
    if story.others.len() > 5 {
        page.more(Tone::Plain, &format!("and {} more of this name", story.others.len() - 5));
    }
}

/// Commands that may help.
fn next(page: &mut Page, story: &FileStory) {
    let name = crate::status::quoted(&story.name);
    let count = |state| story.progress.count(state);
    let mut commands = Vec::new();
    if count(UrlState::Failed) + count(UrlState::Held) + count(UrlState::Expired) > 0 {
        commands.push(format!("prefetchd urls --file {name} --state failed"));
        commands.push(format!("prefetchd retry --file {name}"));
    }
    if count(UrlState::Pending) > 0 {
        commands.push(format!("prefetchd wait {name}"));
    }
    for (at, command) in commands.iter().enumerate() {
        // Not wrapped, so that each command can be pasted.
        page.raw(&format!("{:<INDENT$}$ {command}", if at == 0 { "next" } else { "" }));
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
