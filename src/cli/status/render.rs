//! The page that `status` shows: a function of the report and the look.

use chrono::{DateTime, TimeDelta};

use super::super::layout::{INDENT, Look, Page, Tone, bytes, fit, right, span};
use super::super::text::{bar, number};
use crate::model::{Priority, Time, UrlState};
use crate::status::{BudgetReport, FileReport, ForecastReport, StatusReport};
use crate::telemetry::one_line;

/// Columns of the budget's bar.
const BAR: usize = 24;

/// Lines that stay for files where there is little room, the heading among them.
const FILES_MIN: usize = 7;

/// A part of the page; where there is no room for all, those of the greatest rank give way first.
struct Part {
    rank: u8,
    lines: Vec<String>,
}

/// The page's lines: what needs somebody, what is, and the files in what is left of the terminal's height.
pub(super) fn page(report: &StatusReport, look: &Look) -> Vec<String> {
    let mut parts =
        vec![part(0, look, |page| needs(page, report, look)), part(0, look, |page| daemon(page, report, look))];
    if report.health != "database lost" {
        parts.extend(rest(report, look));
    }
    let files = files(&report.files, look);
    let room = look.height.unwrap_or(usize::MAX);
    let kept = files.iter().map(Vec::len).sum::<usize>().min(FILES_MIN);
    let mut lines = fitting(parts, room.saturating_sub(kept));
    fill(&mut lines, &report.files, files, room);
    lines
}

fn part(rank: u8, look: &Look, draw: impl FnOnce(&mut Page)) -> Part {
    let mut page = Page::new(*look);
    draw(&mut page);
    Part { rank, lines: page.finish() }
}

fn rest(report: &StatusReport, look: &Look) -> Vec<Part> {
    let mut parts = vec![part(2, look, |page| waiting(page, report, look)), part(1, look, |page| queue(page, report))];
    parts.push(part(3, look, |page| match &report.budget {
        Some(budget) => self::budget(page, budget, look),
        None => page.row("budget", Tone::Plain, "nothing was charged yet"),
    }));
    if let Some(budget) = &report.budget {
        parts.push(part(6, look, |page| quota(page, budget, look)));
    }
    if let Some(forecast) = &report.forecast {
        parts.push(part(4, look, |page| self::forecast(page, forecast, report.health == "running", look)));
    }
    parts.push(part(5, look, |page| concerns(page, report, look)));
    if let Some(pace) = &report.pace {
        let text = format!("{} requests and {} URLs in the last hour", count(pace.requests), count(pace.urls));
        parts.push(part(7, look, |page| page.row("pace", Tone::Plain, &text)));
    }
    if let Some(wal) = &report.wal {
        let (tone, reader) = if wal.is_long {
            (Tone::Warn, ": a reader that stays open keeps it from being copied back")
        } else {
            (Tone::Plain, "")
        };
        parts.push(part(8, look, |page| page.row("wal", tone, &format!("{}{reader}", bytes(wal.bytes)))));
    }
    parts
}

/// The lines of the parts that fit, in their order.
fn fitting(mut parts: Vec<Part>, room: usize) -> Vec<String> {
    let all = |parts: &[Part]| parts.iter().map(|part| part.lines.len()).sum::<usize>();
    while all(&parts) > room {
        let Some(rank) = parts.iter().map(|part| part.rank).max().filter(|rank| *rank > 0) else { break };
        parts.retain(|part| part.rank < rank);
    }
    parts.into_iter().flat_map(|part| part.lines).collect()
}

/// Files as far as there is room for them, each whole, and how many are left out.
fn fill(lines: &mut Vec<String>, all: &[FileReport], files: Vec<Vec<String>>, room: usize) {
    let mut shown = 0;
    let (mut rows, last) = (files.into_iter().peekable(), all.len());
    // The heading is of no use alone.
    while let Some(row) = rows.next() {
        let more = usize::from(rows.peek().is_some());
        if lines.len() + row.len() + more > room {
            break;
        }
        lines.extend(row);
        shown += 1;
    }
    let left = (last + 1).saturating_sub(shown);
    if shown > 0 && left > 0 && last > 0 && lines.len() < room {
        lines.push("    and more: `prefetchd files`".to_owned());
    }
}

fn daemon(page: &mut Page, report: &StatusReport, look: &Look) {
    let tone = match report.health.as_str() {
        "running" => Tone::Good,
        "stopping" | "stopped" => Tone::Warn,
        _ => Tone::Bad,
    };
    let since = report.health_since.as_deref().and_then(time);
    let since = since.map(|at| format!(" since {} ({})", look.moment(at), span(look.now - at))).unwrap_or_default();
    let pid = report.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let words = match report.health.as_str() {
        "blocked" => "running, but cannot use its database",
        "silent" => "running, but without a sign of life",
        "hanging" => "running, but a stage of it hangs",
        "database lost" if report.pid.is_none() => "not running, and its database is lost",
        "database lost" => "running, but its database is lost",
        health => health,
    };
    page.row("daemon", tone, &format!("{words}{since}{pid}; times are {}", look.zone()));
    if report.health == "database lost" {
        return;
    }
    let Some(key) = &report.key else { return };
    let times = key.generation - 1;
    match &key.refused {
        Some(why) => page.row("key", Tone::Bad, &format!("from {}: {why}", key.source)),
        None if times > 0 => {
            page.row("key", Tone::Plain, &format!("from {}, replaced {times} time(s) since the start", key.source));
        }
        None => page.row("key", Tone::Plain, &format!("from {}", key.source)),
    }
}

fn budget(page: &mut Page, budget: &BudgetReport, look: &Look) {
    // A day without a charge has no row yet.
    let spent = |n: i64| if budget.is_over { 0 } else { n };
    let (used, limit) = (spent(budget.requests_used), budget.requests_limit);
    let tone = if used >= limit || budget.requests_left == Some(0) { Tone::Warn } else { Tone::Plain };
    // What others spent is gone as well.
    let left = budget.requests_left.unwrap_or(limit - used).min(limit - used);
    let others = if left < limit - used {
        format!(", and {} really left: the service's quota is spent by others too", number(left))
    } else {
        String::new()
    };
    let text = format!("{} {} of {} requests{others}", bar(limit - left, limit, BAR), number(used), number(limit));
    page.row("budget", tone, &text);
    let urls = match budget.urls_limit {
        Some(limit) => format!("{} of {} URLs", number(spent(budget.urls_used)), number(limit)),
        None => format!("{} URLs", number(spent(budget.urls_used))),
    };
    match time(&budget.day_ends_at) {
        Some(ends_at) if !budget.is_over => {
            let reset = format!("resets in {}, at {}", span(ends_at - look.now), clock(ends_at, look));
            page.more(Tone::Plain, &format!("{urls}; day {}, {reset}", budget.day));
        }
        _ => page.more(Tone::Plain, &format!("{urls}; the last day that cost something is {}", budget.day)),
    }
    if let Some(from) = budget.day_starts_from.as_deref().and_then(time) {
        let text = format!("day_starts was changed and holds from {} on: no day gets two budgets", look.moment(from));
        page.more(Tone::Warn, &text);
    }
    if let (Some(reserve), Some(until)) = (budget.reserve, &budget.reserve_until) {
        page.more(Tone::Plain, &format!("{} requests are kept for urgent URLs until {until}", count(reserve.into())));
    }
}

/// The service's word on the day.
fn quota(page: &mut Page, budget: &BudgetReport, look: &Look) {
    if budget.is_over {
        return;
    }
    if let (Some(quota), Some(remain), Some(at)) = (budget.quota, budget.remain, &budget.observed_at) {
        let unit = budget.unit.as_deref().unwrap_or("requests or URLs, not known yet");
        let drift = budget.drift.filter(|drift| *drift > 0);
        let drift = drift.map(|drift| format!("; {} were spent by others", number(drift))).unwrap_or_default();
        let at = time(at).map(|at| format!(", seen {}", look.moment(at))).unwrap_or_default();
        page.row(
            "quota",
            Tone::Plain,
            &format!("{} of {} left at the service ({unit}){at}{drift}", number(remain), number(quota)),
        );
    }
    if budget.quota_untold {
        let text = "the service does not tell what is left of the day; what was charged here counts, and it is asked \
                    again every hour";
        page.more(Tone::Warn, text);
    }
    if budget.unsure {
        page.more(Tone::Bad, "what was spent today is not known for certain");
    }
    if let Some(code) = &budget.exhausted_why {
        page.more(Tone::Warn, &format!("the service says that nothing is left today: {code}"));
    }
}

fn waiting(page: &mut Page, report: &StatusReport, look: &Look) {
    // A pause stands among what needs somebody, and a daemon that cannot look does not know what it waits for.
    let is_told = report.health == "running" && report.paused_code.is_none();
    let Some(waiting_for) = report.waiting_for.as_ref().filter(|_| is_told) else { return };
    let until = report.waiting_until.as_deref().and_then(time);
    let until = until.map(|at| format!(", until {}", look.until(at))).unwrap_or_default();
    page.row("waiting", Tone::Plain, &format!("for {waiting_for}{until}"));
}

fn queue(page: &mut Page, report: &StatusReport) {
    let pending = report.count(UrlState::Pending);
    let parts = Priority::ALL.iter().filter_map(|priority| {
        let n = report.pending.get(&priority.to_string()).copied().unwrap_or(0);
        (n > 0).then(|| format!("{} {priority}", number(n)))
    });
    let parts: Vec<String> = parts.collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    page.row("queue", Tone::Plain, &format!("{} pending{parts}", number(pending)));
    let states = UrlState::ALL.into_iter().filter(|state| *state != UrlState::Pending);
    let states = states.map(|state| (state, report.count(state)));
    let states: Vec<String> = states
        .filter(|(state, n)| *n > 0 || *state == UrlState::Submitted)
        .map(|(state, n)| format!("{} {state}", number(n)))
        .collect();
    page.more(Tone::Plain, &states.join(", "));
    let waiting = report.files_incoming;
    if waiting > 0 {
        let files = if waiting == 1 { "file is" } else { "files are" };
        page.more(Tone::Warn, &format!("{} {files} handed over and not read yet, in no count", number(waiting)));
    }
}

/// What else there is to know of the queue.
fn concerns(page: &mut Page, report: &StatusReport, look: &Look) {
    if let Some(limit) = report.in_flight_limit {
        let text = format!("{} URLs; the service's queue takes about {}", number(report.in_flight), number(limit));
        page.row("in flight", Tone::Plain, &text);
    }
    if let Some(oldest) = report.oldest.as_ref() {
        let since = time(&oldest.dropped_at);
        let since = since.map(|at| format!(" since {} ({})", look.moment(at), span(look.now - at))).unwrap_or_default();
        page.row("oldest", Tone::Plain, &format!("{} waits{since}, {} pending", oldest.file, number(oldest.pending)));
    }
    for left in &report.left_alone {
        let since = time(&left.since).map(|at| format!(", unchanged for {}", span(look.now - at))).unwrap_or_default();
        page.row("left alone", Tone::Warn, &format!("{} in incoming/{since}: {}", left.name, left.why));
    }
    for (n, text) in [
        (report.files_reading, "file(s) being read; what is not queued yet is not counted"),
        (report.in_doubt, "submission(s) without an answer, being looked into"),
        (report.parked, "pending URLs are of domains that may not be sent"),
        (report.suspected, "URLs were in refused batches; the bad ones are being found"),
        (report.possible_doubles, "URLs were sent anew although they may have been accepted"),
        (
            report.count(UrlState::Unconfirmed),
            "URLs were accepted, and nobody knows how they ended: `prefetchd urls --state unconfirmed` says why, \
             `prefetchd retry --state unconfirmed` sends them a second time",
        ),
    ] {
        if n > 0 {
            page.more(Tone::Plain, &format!("{} {text}", number(n)));
        }
    }
}

fn forecast(page: &mut Page, forecast: &ForecastReport, is_sending: bool, look: &Look) {
    let requests = format!("{} requests on {} day(s)", count(forecast.requests), forecast.days);
    let last_at = forecast.last_at.as_deref().and_then(time);
    let text = match (last_at, time(&forecast.ends_at)) {
        _ if !is_sending => format!("none while nothing is sent; it will take {requests}"),
        (_, Some(ends_at)) if forecast.beyond > 0 => {
            format!("not sent by {}: {} URLs", look.moment(ends_at), count(forecast.beyond))
        }
        (Some(at), _) => format!("all sent by {}, with {requests}", look.until(at)),
        _ => "nothing of it can be sent as it is".to_owned(),
    };
    page.row("forecast", Tone::Plain, &text);
    for risk in &forecast.risks {
        let deadline = time(&risk.deadline).map(|at| look.moment(at)).unwrap_or_default();
        let (tone, n, what) = match risk.missed {
            0 => (Tone::Plain, risk.cold, "may not be warm by"),
            missed => (Tone::Warn, missed, "will miss"),
        };
        page.more(tone, &format!("{}: {} of {} URLs {what} {deadline}", risk.file, count(n), count(risk.urls)));
    }
}

/// The heading and each file, whole.
fn files(files: &[FileReport], look: &Look) -> Vec<Vec<String>> {
    if files.is_empty() {
        return Vec::new();
    }
    const NUMBER: usize = 11;
    let name = look.width.saturating_sub(4 * NUMBER).max(12);
    let heads = ["lines", "pending", "submitted", "complete"].map(|head| right(head, NUMBER)).concat();
    let mut rows = vec![vec![String::new(), format!("{}{heads}", fit("file", name))]];
    for file in files {
        let state = |state: UrlState| file.urls.get(&state.to_string()).copied().unwrap_or(0);
        let numbers = [file.lines, state(UrlState::Pending), state(UrlState::Submitted), state(UrlState::Complete)];
        let numbers = numbers.map(|n| right(&number(n), NUMBER)).concat();
        let mut row = vec![format!("{}{numbers}", fit(&file.name, name))];
        row.extend(
            notes(file, look).iter().map(|line| format!("    {}", fit(line, look.width - 4)).trim_end().to_owned()),
        );
        rows.push(row);
    }
    rows
}

/// What else there is to say of a file.
fn notes(file: &FileReport, look: &Look) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(file.label.as_deref().map(one_line));
    if file.priority != Priority::Normal.to_string() {
        parts.push(file.priority.clone());
    }
    parts.extend(file.deadline.as_deref().and_then(time).map(|at| format!("deadline {}", look.moment(at))));
    if file.progress == "reading" {
        parts.push("still being read".to_owned());
    }
    for (n, word) in [(file.merged, "merged"), (file.fresh, "fresh"), (file.refused, "refused")] {
        parts.extend((n > 0).then(|| format!("{} {word}", number(n))));
    }
    let told = [UrlState::Pending, UrlState::Submitted, UrlState::Complete];
    for state in UrlState::ALL.into_iter().filter(|state| !told.contains(state)) {
        let n = file.urls.get(&state.to_string()).copied().unwrap_or(0);
        parts.extend((n > 0).then(|| format!("{} {state}", number(n))));
    }
    if let (Some(median), Some(most)) = (file.warm_seconds_median, file.warm_seconds_p95) {
        let [median, most] = [median, most].map(|seconds| span(TimeDelta::seconds(seconds)));
        parts.push(format!("warm after {median} at the median, {most} for 95 of 100"));
    }
    let rejected = file.rejected_why.as_ref().map(|why| format!("rejected: {why}"));
    rejected.into_iter().chain((!parts.is_empty()).then(|| parts.join(", "))).collect()
}

/// What needs somebody: as much of it as fits in half of the terminal, each with its command.
fn needs(page: &mut Page, report: &StatusReport, look: &Look) {
    if report.needs.is_empty() {
        page.raw(&look.paint(Tone::Good, "Nothing needs you."));
        return;
    }
    let room = look.height.map_or(usize::MAX, |height| height / 2);
    let mut lines = 0;
    for (at, need) in report.needs.iter().enumerate() {
        let part = part(0, look, |page| {
            page.row("needs you", Tone::Warn, &need.what);
            // Not broken: each is to be pasted as it stands.
            for step in need.command.split(" && ") {
                page.raw(&format!("{}$ {}", " ".repeat(INDENT), one_line(step)));
            }
        });
        if at > 0 && lines + part.lines.len() > room {
            page.more(
                Tone::Warn,
                &format!("and {} more: `prefetchd status --json` lists all", report.needs.len() - at),
            );
            return;
        }
        lines += part.lines.len();
        part.lines.iter().for_each(|line| page.raw(line));
    }
}

/// The time of day only.
fn clock(at: Time, look: &Look) -> String {
    look.day_starts.local(at).format("%H:%M").to_string()
}

fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn count(n: u64) -> String {
    number(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
