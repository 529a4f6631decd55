//! The page that `status` shows: a function of the report and the look.

use chrono::{DateTime, TimeDelta};

use super::super::layout::{INDENT, Look, Page, Tone, bytes, fit, right};
use super::super::text::{bar, number};
use crate::model::{Lane, Priority, Time, UrlState};
use crate::status::{BudgetReport, FileReport, ForecastReport, LaneReport, LearnedReport, StatusReport};
use crate::telemetry::one_line;
use crate::words::{Words, labels, page as words};

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
    if report.is_read() {
        parts.extend(rest(report, look));
    }
    let files = files(&report.files, look);
    let room = look.height.unwrap_or(usize::MAX);
    let kept = files.iter().map(Vec::len).sum::<usize>().min(FILES_MIN);
    let mut lines = fitting(parts, room.saturating_sub(kept));
    fill(&mut lines, &report.files, files, room, look);
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
        None => page.row(&labels::BUDGET, Tone::Plain, &words::NOTHING_CHARGED),
    }));
    for lane in &report.lanes {
        parts.push(part(3, look, |page| self::lane(page, lane, look)));
    }
    if let Some(budget) = &report.budget {
        parts.push(part(6, look, |page| quota(page, budget, look)));
    }
    if let Some(forecast) = &report.forecast {
        parts.push(part(4, look, |page| self::forecast(page, report, forecast, look)));
    }
    parts.push(part(5, look, |page| concerns(page, report, look)));
    if let Some(pace) = &report.pace {
        let text = words::pace(&count(pace.requests), &count(pace.urls));
        parts.push(part(7, look, |page| page.row(&labels::PACE, Tone::Plain, &text)));
    }
    parts.push(part(9, look, |page| learned(page, report, look)));
    if let Some(wal) = &report.wal {
        let size = Words::same(bytes(wal.bytes));
        let (tone, text) = if wal.is_long { (Tone::Warn, size.then(&words::WAL_HELD)) } else { (Tone::Plain, size) };
        parts.push(part(8, look, |page| page.row(&labels::WAL, tone, &text)));
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
fn fill(lines: &mut Vec<String>, all: &[FileReport], files: Vec<Vec<String>>, room: usize, look: &Look) {
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
        lines.push(format!("    {}", words::MORE_FILES.say(look.lang)));
    }
}

fn daemon(page: &mut Page, report: &StatusReport, look: &Look) {
    let tone = match report.health.as_str() {
        "running" => Tone::Good,
        "stopping" | "stopped" => Tone::Warn,
        _ => Tone::Bad,
    };
    let since = report.health_since.as_deref().and_then(time);
    let since = since.map(|at| words::since(&look.moment(at), &look.span(look.now - at))).unwrap_or_default();
    let pid = report.pid.map(|pid| Words::same(format!("pid {pid}")));
    let mut text = words::health(&report.health, report.pid.is_some()) + &since;
    if let Some(pid) = pid {
        text = text.and(&pid);
    }
    page.row(&labels::DAEMON, tone, &(text + &words::times_are(&look.zone())));
    if !report.is_read() {
        return;
    }
    hosts(page, report, look);
    let Some(key) = &report.key else { return };
    let tone = if key.refused.is_some() { Tone::Bad } else { Tone::Plain };
    let source = key.source.map(|text| look.local(text));
    page.row(&labels::KEY, tone, &words::key_from(&source, key.refused.as_ref(), key.generation - 1));
}

/// Who leads, and how the other hosts are.
fn hosts(page: &mut Page, report: &StatusReport, look: &Look) {
    let Some(own) = &report.host else { return };
    let tone = if report.is_leaderless { Tone::Bad } else { Tone::Plain };
    let (own, leader) = (one_line(own), report.leader.as_deref().map(one_line));
    page.row(&labels::LEADER, tone, &labels::leader(&own, leader.as_deref()));
    for other in report.others() {
        let tone = if other.health == "silent" { Tone::Bad } else { Tone::Plain };
        let seen = other.seen_at.as_deref().and_then(time).map(|at| look.moment(at));
        let version = other.version.as_deref().map(one_line);
        page.more(
            tone,
            &labels::other_host(&one_line(&other.host), &other.health, seen.as_deref(), version.as_deref()),
        );
    }
}

fn budget(page: &mut Page, budget: &BudgetReport, look: &Look) {
    // A day without a charge has no row yet.
    let spent = |n: i64| if budget.is_over { 0 } else { n };
    let (used, limit) = (spent(budget.requests_used), budget.requests_limit);
    let tone = if used >= limit || budget.requests_left == Some(0) { Tone::Warn } else { Tone::Plain };
    let left = budget.left_today();
    let bar = bar(limit - left, limit, BAR);
    let (told, less) = (number(left), budget.less_why());
    let really = less.map(|why| (told.as_str(), why));
    page.row(&labels::BUDGET, tone, &words::requests(&bar, &number(used), &number(limit), really));
    let urls = words::day_urls(&number(spent(budget.urls_used)), budget.urls_limit.map(number).as_deref());
    let day = match time(&budget.day_ends_at) {
        Some(ends_at) if !budget.is_over => {
            words::day_resets(&budget.day, &look.span(ends_at - look.now), &clock(ends_at, look))
        }
        _ => words::last_day(&budget.day),
    };
    page.more(Tone::Plain, &urls.also(&day));
    if let Some(from) = budget.day_starts_from.as_deref().and_then(time) {
        page.more(Tone::Warn, &words::day_starts_from(&look.moment(from)));
    }
    if let (Some(reserve), Some(until)) = (budget.reserve, &budget.reserve_until) {
        page.more(Tone::Plain, &words::reserved(&count(reserve.into()), until));
    }
}

/// An action beside prefetching.
fn lane(page: &mut Page, lane: &LaneReport, look: &Look) {
    let mut parts = vec![words::pending(&number(lane.pending))];
    parts.extend((lane.held > 0).then(|| words::of_state(&number(lane.held), UrlState::Held)));
    page.row(&labels::lane(&lane.action), Tone::Plain, &Words::list(parts));
    let limit = lane.urls_limit.or(lane.quota).map(number);
    if let Some(day) = &lane.day {
        let spent = words::day_spent(&lane.action, &number(lane.urls_used), limit.as_deref(), day);
        page.more(Tone::Plain, &spent);
    }
    if let Some(why) = &lane.paused_why {
        page.more(Tone::Bad, why);
    } else if let Some(waiting_for) = &lane.waiting_for {
        let until = lane.waiting_until.as_deref().and_then(time).map(|at| look.until(at));
        page.more(Tone::Plain, &words::waiting_for(&waiting_for.map(|text| look.local(text)), until.as_deref()));
    }
}

/// The service's word on the day.
fn quota(page: &mut Page, budget: &BudgetReport, look: &Look) {
    if budget.is_over {
        return;
    }
    if let (Some(quota), Some(remain), Some(at)) = (budget.quota, budget.remain, &budget.observed_at) {
        let others = budget.drift.filter(|drift| *drift > 0).map(number);
        let at = time(at).map(|at| look.moment(at));
        let (remain, quota) = (number(remain), number(quota));
        let text = words::quota(&remain, &quota, budget.unit.as_deref(), at.as_deref(), others.as_deref());
        page.row(&labels::QUOTA, Tone::Plain, &text);
    }
    if budget.quota_untold {
        page.more(Tone::Warn, &words::QUOTA_UNTOLD);
    }
    if budget.unsure {
        page.more(Tone::Bad, &words::SPENT_UNSURE);
    }
    if let Some(code) = &budget.exhausted_why {
        page.more(Tone::Warn, &words::exhausted(code));
    }
}

fn waiting(page: &mut Page, report: &StatusReport, look: &Look) {
    // A pause stands among what needs somebody, and a daemon that cannot look does not know what it waits for.
    let is_told = report.health == "running" && report.paused_code.is_none();
    // Each of the other actions says what it waits for.
    let others_wait = report.lanes.iter().any(|lane| lane.pending + lane.leased > 0);
    let is_told = is_told && !(others_wait && report.waiting_code.as_deref() == Some("idle"));
    let Some(waiting_for) = report.waiting_for.as_ref().filter(|_| is_told) else { return };
    let until = report.waiting_until.as_deref().and_then(time).map(|at| look.until(at));
    let waiting_for = waiting_for.map(|text| look.local(text));
    page.row(&labels::WAITING, Tone::Plain, &words::waiting_for(&waiting_for, until.as_deref()));
}

fn queue(page: &mut Page, report: &StatusReport) {
    let pending = words::pending(&number(report.count(UrlState::Pending)));
    let parts = Priority::ALL.iter().filter_map(|priority| {
        let n = report.pending.get(&priority.to_string()).copied().unwrap_or(0);
        (n > 0).then(|| words::of_priority(&number(n), *priority))
    });
    let parts: Vec<Words> = parts.collect();
    let text = if parts.is_empty() { pending } else { pending.then(&Words::list(parts)) };
    page.row(&labels::QUEUE, Tone::Plain, &text);
    let states = UrlState::ALL.into_iter().filter(|state| *state != UrlState::Pending);
    let states = states.map(|state| (state, report.count(state)));
    let states = states.filter(|(state, n)| *n > 0 || *state == UrlState::Submitted);
    page.more(Tone::Plain, &Words::list(states.map(|(state, n)| words::of_state(&number(n), state))));
    if report.files_incoming > 0 {
        page.more(Tone::Warn, &words::handed_over(&number(report.files_incoming)));
    }
}

/// What else there is to know of the queue.
fn concerns(page: &mut Page, report: &StatusReport, look: &Look) {
    if let Some(limit) = report.in_flight_limit {
        let text = words::in_flight(&number(report.in_flight), &number(limit));
        page.row(&labels::IN_FLIGHT, Tone::Plain, &text);
    }
    if let Some(oldest) = report.oldest.as_ref() {
        let since = time(&oldest.dropped_at);
        let since = since.map(|at| words::since(&look.moment(at), &look.span(look.now - at))).unwrap_or_default();
        let text = words::oldest(&oldest.file, &since, &number(oldest.pending));
        page.row(&labels::OLDEST, Tone::Plain, &text);
    }
    for left in &report.left_alone {
        let span = time(&left.since).map(|at| look.span(look.now - at));
        page.row(&labels::LEFT_ALONE, Tone::Warn, &words::left_alone(&left.name, span.as_deref(), &left.why));
    }
    let by = &report.by;
    let unconfirmed = |n: &str| {
        let [list, retry] = ["urls", "retry"].map(|command| format!("{command} --state unconfirmed"));
        words::unconfirmed(n, &by.reads(&list), &by.changes(&retry))
    };
    let some = |n: i64| Some(n).filter(|n| *n > 0).map(number);
    let texts = [
        some(report.files_reading).map(|n| words::files_reading(&n)),
        some(report.all_in_doubt()).map(|n| words::in_doubt(&n)),
        some(report.parked).map(|n| words::parked(&n)),
        some(report.suspected).map(|n| words::suspected(&n)),
        some(report.all_possible_doubles()).map(|n| words::possible_doubles(&n)),
        some(report.count(UrlState::Unconfirmed)).map(|n| unconfirmed(&n)),
    ];
    for text in texts.into_iter().flatten() {
        page.more(Tone::Plain, &text);
    }
}

/// What the service taught: the quota has a row of its own, and that refusals cost nothing is as documented.
fn learned(page: &mut Page, report: &StatusReport, look: &Look) {
    let is_shown = |learned: &&LearnedReport| match learned.what {
        "quota" => false,
        "refusals_cost" => learned.value == "true",
        _ => true,
    };
    let prefetch = Lane::Prefetch.word();
    let is_several = report.learned.iter().any(|learned| learned.action != prefetch);
    for (at, learned) in report.learned.iter().filter(is_shown).enumerate() {
        let moment = time(&learned.at).map_or_else(|| learned.at.clone(), |at| look.moment(at));
        let text = crate::words::learned_at(&learned.why, is_several.then_some(learned.action), &moment);
        if at == 0 {
            page.row(&labels::LEARNED, Tone::Plain, &text);
        } else {
            page.more(Tone::Plain, &text);
        }
    }
}

fn forecast(page: &mut Page, report: &StatusReport, forecast: &ForecastReport, look: &Look) {
    let is_sending = report.health == "running" && report.has_leader();
    let ends_at = time(&forecast.ends_at);
    let mut lines = Vec::new();
    if report.count(UrlState::Pending) > 0 {
        lines.push(of_prefetches(forecast, is_sending, look));
    }
    for lane in &forecast.lanes {
        let last_at = lane.last_at.as_deref().and_then(time);
        let text = match (last_at, ends_at) {
            _ if !is_sending => continue,
            (_, Some(ends_at)) if lane.beyond > 0 => words::beyond(&look.moment(ends_at), &count(lane.beyond)),
            (Some(at), _) => words::lane_sent_by(&look.until(at)),
            _ => words::NOTHING_CAN_BE_SENT,
        };
        lines.push(labels::action(&lane.action).then(&text));
    }
    for (at, line) in lines.iter().enumerate() {
        if at == 0 {
            page.row(&labels::FORECAST, Tone::Plain, line);
        } else {
            page.more(Tone::Plain, line);
        }
    }
    for risk in &forecast.risks {
        let deadline = time(&risk.deadline).map(|at| look.moment(at)).unwrap_or_default();
        let (tone, n) = if risk.missed > 0 { (Tone::Warn, risk.missed) } else { (Tone::Plain, risk.cold) };
        page.more(tone, &words::risk(&risk.file, &count(n), &count(risk.urls), risk.missed > 0, &deadline));
    }
}

fn of_prefetches(forecast: &ForecastReport, is_sending: bool, look: &Look) -> Words {
    let cost = words::requests_on_days(&count(forecast.requests), &forecast.days.to_string());
    let last_at = forecast.last_at.as_deref().and_then(time);
    match (last_at, time(&forecast.ends_at)) {
        _ if !is_sending => words::no_forecast(&cost),
        (_, Some(ends_at)) if forecast.beyond > 0 => words::beyond(&look.moment(ends_at), &count(forecast.beyond)),
        (Some(at), _) => words::all_sent_by(&look.until(at), &cost),
        _ => words::NOTHING_CAN_BE_SENT,
    }
}

/// The heading and each file, whole.
fn files(files: &[FileReport], look: &Look) -> Vec<Vec<String>> {
    if files.is_empty() {
        return Vec::new();
    }
    const NUMBER: usize = 11;
    let name = look.width.saturating_sub(4 * NUMBER).max(12);
    let [file, numbers @ ..] = words::FILE_HEADS;
    let heads = numbers.map(|head| right(head.say(look.lang), NUMBER)).concat();
    let mut rows = vec![vec![String::new(), format!("{}{heads}", fit(file.say(look.lang), name))]];
    for file in files {
        let state = |state: UrlState| file.urls.get(&state.to_string()).copied().unwrap_or(0);
        let numbers = [file.lines, state(UrlState::Pending), state(UrlState::Submitted), state(UrlState::Complete)];
        let numbers = numbers.map(|n| right(&number(n), NUMBER)).concat();
        let mut row = vec![format!("{}{numbers}", fit(&file.name, name))];
        row.extend(
            notes(file, look)
                .iter()
                .map(|line| format!("    {}", fit(line.say(look.lang), look.width - 4)).trim_end().to_owned()),
        );
        rows.push(row);
    }
    rows
}

/// What else there is to say of a file.
fn notes(file: &FileReport, look: &Look) -> Vec<Words> {
    let mut parts = Vec::new();
    parts.extend((!file.host.is_empty()).then(|| words::on_host(&one_line(&file.host))));
    parts.extend(file.label.as_deref().map(|label| Words::same(one_line(label))));
    let priority = file.priority.parse().unwrap_or(Priority::Normal);
    if priority != Priority::Normal {
        parts.push(labels::priority(priority));
    }
    parts.extend(file.deadline.as_deref().and_then(time).map(|at| words::deadline(&look.moment(at))));
    if file.progress == "reading" {
        parts.push(words::READING);
    }
    let [merged, fresh, refused] =
        [file.merged, file.fresh, file.refused].map(|n| Some(n).filter(|n| *n > 0).map(number));
    parts.extend(words::lines(merged.as_deref(), fresh.as_deref(), refused.as_deref()));
    let told = [UrlState::Pending, UrlState::Submitted, UrlState::Complete];
    for state in UrlState::ALL.into_iter().filter(|state| !told.contains(state)) {
        let n = file.urls.get(&state.to_string()).copied().unwrap_or(0);
        parts.extend((n > 0).then(|| words::of_state(&number(n), state)));
    }
    let is_warm = file.urls.get("complete").is_some_and(|n| *n > 0);
    if let (true, Some(median), Some(most)) = (is_warm, file.warm_seconds_median, file.warm_seconds_p95) {
        let [median, most] = [median, most].map(|seconds| look.span(TimeDelta::seconds(seconds)));
        parts.push(words::warm_after(&median, &most));
    }
    let rejected = file.rejected_why.as_ref().map(words::rejected);
    rejected.into_iter().chain((!parts.is_empty()).then(|| Words::list(parts))).collect()
}

/// What needs somebody: as much of it as fits in half of the terminal, each with its command.
fn needs(page: &mut Page, report: &StatusReport, look: &Look) {
    if report.needs.is_empty() {
        page.raw(&look.paint(Tone::Good, words::NOTHING_NEEDS_YOU.say(look.lang)));
        return;
    }
    let room = look.height.map_or(usize::MAX, |height| height / 2);
    let mut lines = 0;
    for (at, need) in report.needs.iter().enumerate() {
        let part = part(0, look, |page| {
            page.row(&labels::NEEDS_YOU, Tone::Warn, &need.what.map(|text| look.local(text)));
            // Not broken: each is to be pasted as it stands.
            for step in need.command.split(" && ") {
                page.raw(&format!("{}$ {}", " ".repeat(INDENT), one_line(step)));
            }
        });
        if at > 0 && lines + part.lines.len() > room {
            let more = words::more_needs(report.needs.len() - at, &report.by.reads("status --json"));
            page.more(Tone::Warn, &more);
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
