//! The page that `status` shows: a function of the report and the look.

use chrono::{DateTime, TimeDelta};

use super::super::layout::{INDENT, Look, Page, Tone, bytes, fit, right, span};
use super::super::text::{bar, number};
use crate::model::{Priority, Time, UrlState};
use crate::status::{BudgetReport, FileReport, ForecastReport, StatusReport};
use crate::telemetry::one_line;

/// Columns of the budget's bar.
const BAR: usize = 24;

/// The page's lines.
pub(super) fn page(report: &StatusReport, look: &Look) -> Vec<String> {
    let mut page = Page::new(*look);
    daemon(&mut page, report, look);
    if report.health == "database lost" {
        needs(&mut page, report, look);
        return page.finish();
    }
    match &report.budget {
        Some(budget) => self::budget(&mut page, budget, look),
        None => page.row("budget", Tone::Plain, "nothing was charged yet"),
    }
    waiting(&mut page, report, look);
    queue(&mut page, report, look);
    if let Some(pace) = &report.pace {
        let text = format!("{} requests and {} URLs in the last hour", count(pace.requests), count(pace.urls));
        page.row("pace", Tone::Plain, &text);
    }
    if let Some(forecast) = &report.forecast {
        self::forecast(&mut page, forecast, look);
    }
    if let Some(wal) = &report.wal {
        let (tone, reader) = if wal.is_long {
            (Tone::Warn, ": a reader that stays open keeps it from being copied back")
        } else {
            (Tone::Plain, "")
        };
        page.row("wal", tone, &format!("{}{reader}", bytes(wal.bytes)));
    }
    files(&mut page, &report.files, look);
    needs(&mut page, report, look);
    page.finish()
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
    page.row("daemon", tone, &format!("{words}{since}{pid}"));
    if report.health == "database lost" {
        return;
    }
    for problem in [&report.database_problem, &report.paused_why, &report.spool_problem].into_iter().flatten() {
        page.more(Tone::Bad, problem);
    }
    let Some(key) = &report.key else { return };
    // A key that works and was never replaced needs no line.
    if let Some(why) = &key.refused {
        page.row("key", Tone::Bad, &format!("from {}: refused, {why}", key.source));
    } else if key.generation > 1 {
        let times = key.generation - 1;
        page.row("key", Tone::Plain, &format!("from {}, replaced {times} time(s) since the start", key.source));
    }
}

fn budget(page: &mut Page, budget: &BudgetReport, look: &Look) {
    // A day without a charge has no row yet.
    let spent = |n: i64| if budget.is_over { 0 } else { n };
    let (used, limit) = (spent(budget.requests_used), budget.requests_limit);
    let tone = if used >= limit { Tone::Warn } else { Tone::Plain };
    page.row("budget", tone, &format!("{} {} of {} requests", bar(used, limit, BAR), number(used), number(limit)));
    let urls = match budget.urls_limit {
        Some(limit) => format!("{} of {} URLs", number(spent(budget.urls_used)), number(limit)),
        None => format!("{} URLs", number(spent(budget.urls_used))),
    };
    match time(&budget.day_ends_at) {
        Some(ends_at) if !budget.is_over => {
            let reset = format!("resets in {}, at {} {}", span(ends_at - look.now), clock(ends_at, look), look.zone());
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
    if budget.unsure {
        page.more(Tone::Bad, "what was spent today is not known for certain");
    }
    if let Some(code) = &budget.exhausted_why {
        page.more(Tone::Warn, &format!("the service says that nothing is left today: {code}"));
    }
}

fn waiting(page: &mut Page, report: &StatusReport, look: &Look) {
    let Some(waiting_for) = report.waiting_for.as_ref().filter(|_| report.has_daemon()) else { return };
    let until = report.waiting_until.as_deref().and_then(time);
    let until = until.map(|at| format!(", until {}", look.until(at))).unwrap_or_default();
    page.row("waiting", Tone::Plain, &format!("for {waiting_for}{until}"));
}

fn queue(page: &mut Page, report: &StatusReport, look: &Look) {
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

fn forecast(page: &mut Page, forecast: &ForecastReport, look: &Look) {
    let requests = format!("{} requests on {} day(s)", count(forecast.requests), forecast.days);
    let last_at = forecast.last_at.as_deref().and_then(time);
    let text = match (last_at, time(&forecast.ends_at)) {
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

fn files(page: &mut Page, files: &[FileReport], look: &Look) {
    if files.is_empty() {
        return;
    }
    const NUMBER: usize = 11;
    let name = look.width.saturating_sub(4 * NUMBER).max(12);
    page.raw("");
    let heads = ["lines", "pending", "submitted", "complete"].map(|head| right(head, NUMBER)).concat();
    page.raw(&format!("{}{heads}", fit("file", name)));
    for file in files {
        let state = |state: UrlState| file.urls.get(&state.to_string()).copied().unwrap_or(0);
        let numbers = [file.lines, state(UrlState::Pending), state(UrlState::Submitted), state(UrlState::Complete)];
        let numbers = numbers.map(|n| right(&number(n), NUMBER)).concat();
        page.raw(&format!("{}{numbers}", fit(&file.name, name)));
        for line in notes(file) {
            page.raw(&format!("    {}", fit(&line, look.width - 4)));
        }
    }
}

/// Further remarks on a file.
fn notes(file: &FileReport) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(file.label.as_deref().map(one_line));
    if file.priority != Priority::Normal.to_string() {
        parts.push(file.priority.clone());
    }
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

fn needs(page: &mut Page, report: &StatusReport, look: &Look) {
    page.raw("");
    if report.needs.is_empty() {
        page.raw(&look.paint(Tone::Good, "Nothing needs you."));
        return;
    }
    for need in &report.needs {
        page.row("needs you", Tone::Warn, &need.what);
        // Not wrapped, so that each command can be pasted.
        for step in need.command.split(" && ") {
            page.raw(&format!("{}$ {}", " ".repeat(INDENT), one_line(step)));
        }
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
