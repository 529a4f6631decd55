//! The first page: what needs somebody, then the day, what is waited for, the queue, the forecast, files, domains and
//! batches.

mod day;

use askama::Template;

use super::ask::Place;
use super::chart::{Bar, parts};
use super::frame::{Frame, When, outside, time};
use super::notice::Shell;
use super::parts::{Cell, Fact, Line, Step, Table, Tone};
use crate::model::{Effect, Lane, Priority, UrlState};
use crate::status::{FileReport, LaneReport, Overview, StatusReport};
use crate::words::{Words, labels, number, times, web};

use day::{Day, days};

/// The width of the bar of priorities.
const WIDTH: i64 = 720;

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    verdict: Line,
    daemon: Line,
    /// Who leads, and how the other hosts are.
    hosts_of: Vec<Line>,
    as_of: (String, When),
    needs: Vec<Step>,
    heads: Heads,
    days: Vec<Day>,
    /// Whether the database was read.
    is_read: bool,
    waiting: Vec<Fact>,
    stack: Option<Stack>,
    queue: Vec<Fact>,
    forecast: Vec<Fact>,
    risks: Table,
    files: Table,
    turns: Vec<(String, String)>,
    hosts: Table,
    batches: Table,
}

/// Headings, and texts of the template.
#[derive(Debug)]
struct Heads {
    needs: String,
    waiting: String,
    queue: String,
    forecast: String,
    files: String,
    no_files: String,
    hosts: String,
    batches: String,
}

/// One bar for all that waits, by priority.
#[derive(Debug)]
struct Stack {
    title: String,
    description: String,
    width: i64,
    parts: Vec<(&'static str, Bar)>,
    legend: Vec<(&'static str, String)>,
}

/// The first page, as HTML.
pub fn overview(frame: &Frame<'_>, data: &Overview) -> String {
    let report = &data.report;
    let is_read = report.health != "database lost";
    let page = OverviewPage {
        shell: Shell::of(frame, &verdict(frame, report).text),
        verdict: verdict(frame, report),
        daemon: daemon(frame, report),
        hosts_of: hosts_of(frame, report),
        as_of: (frame.say(&web::AS_OF), frame.when(frame.now)),
        needs: report.needs.iter().map(|need| step(&frame.say(&need.what), &need.command)).collect(),
        heads: Heads {
            needs: frame.say(&web::NEEDS),
            waiting: frame.say(&web::WAITING),
            queue: frame.say(&web::QUEUE),
            forecast: frame.say(&web::FORECAST),
            files: frame.say(&web::FILES),
            no_files: frame.say(&web::NO_FILES),
            hosts: frame.say(&web::HOSTS),
            batches: frame.say(&web::BATCHES),
        },
        days: if is_read { days(frame, data) } else { Vec::new() },
        is_read,
        waiting: waiting(frame, report),
        stack: stack(frame, report),
        queue: queue(frame, report),
        forecast: forecast(frame, report),
        risks: risks(frame, report),
        files: files(frame, &data.files),
        turns: turns(frame, data),
        hosts: hosts(frame, data),
        batches: batches(frame, data),
    };
    page.render().expect("a page is text")
}

fn verdict(frame: &Frame<'_>, report: &StatusReport) -> Line {
    let is_bad = !matches!(report.health.as_str(), "running" | "paused" | "stopping");
    match report.needs.len() {
        0 if !is_bad => Line::new(Tone::Good, frame.say(&web::ALL_WELL)),
        0 => daemon(frame, report),
        n => Line::new(if is_bad { Tone::Bad } else { Tone::Warn }, frame.say(&web::need_you(n))),
    }
}

fn daemon(frame: &Frame<'_>, report: &StatusReport) -> Line {
    let tone = match report.health.as_str() {
        "running" => Tone::Plain,
        "paused" | "stopping" => Tone::Warn,
        _ => Tone::Bad,
    };
    let since = report.health_since.as_deref().and_then(time).map(|at| frame.since(at));
    Line::new(tone, frame.say(&web::daemon(&report.health, since.as_deref(), report.pid)))
}

fn hosts_of(frame: &Frame<'_>, report: &StatusReport) -> Vec<Line> {
    let Some(own) = &report.host else { return Vec::new() };
    let tone = if report.is_leaderless { Tone::Bad } else { Tone::Plain };
    let leader = report.leader.as_ref().map(|leader| outside(leader));
    let leads = Line::new(tone, frame.part(&labels::leader(&outside(own), leader.as_deref())));
    let others = report.others().map(|other| {
        let tone = if other.health == "silent" { Tone::Bad } else { Tone::Plain };
        let seen = other.seen_at.as_deref().and_then(time).map(|at| frame.since(at));
        let version = other.version.as_deref().map(outside);
        let words = labels::other_host(&outside(&other.host), &other.health, seen.as_deref(), version.as_deref());
        Line::new(tone, frame.part(&words))
    });
    std::iter::once(leads).chain(others).collect()
}

/// A matter with its commands, one below the other: each is to be pasted as it stands.
pub(super) fn step(what: &str, command: &str) -> Step {
    Step { what: outside(what), commands: command.split(" && ").map(outside).collect() }
}

/// A heading of times.
pub(super) fn zoned(frame: &Frame<'_>, words: &Words) -> String {
    format!("{} ({})", frame.say(words), frame.zone())
}

fn waiting(frame: &Frame<'_>, report: &StatusReport) -> Vec<Fact> {
    // A pause stands among what needs somebody.
    let why = match (&report.waiting_for, report.paused_code.is_some()) {
        (_, true) => report.paused_why.as_ref().map(|why| frame.say(why)),
        (Some(why), _) => Some(frame.say(why)),
        (None, _) if report.health == "running" => Some(frame.say(&web::SENDS)),
        (None, _) => Some(frame.say(&web::NOTHING_KNOWN)),
    };
    let mut facts: Vec<Fact> = why.into_iter().map(|why| Fact::new(frame.say(&web::FOR), Line::plain(why))).collect();
    let is_waiting = report.waiting_for.is_some() && report.paused_code.is_none();
    if is_waiting {
        let until = report.waiting_until.as_deref().and_then(time).map(|at| frame.until(at));
        let idle = report.waiting_code.as_deref() == Some("idle");
        let until = until.or_else(|| idle.then(|| frame.say(&web::NEW_URLS)));
        facts.extend(until.map(|until| Fact::new(frame.say(&web::UNTIL), Line::plain(until))));
    }
    facts
}

fn stack(frame: &Frame<'_>, report: &StatusReport) -> Option<Stack> {
    let counts = Priority::ALL.map(|priority| report.pending.get(&priority.to_string()).copied().unwrap_or(0));
    if counts.iter().all(|n| *n == 0) {
        return None;
    }
    let named = |(priority, n): (Priority, i64)| format!("{} {}", frame.say(&labels::priority(priority)), number(n));
    let words: Vec<String> = Priority::ALL.into_iter().zip(counts).map(named).collect();
    let class = |priority| match priority {
        Priority::Urgent => "urgent",
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    };
    Some(Stack {
        title: frame.say(&web::BY_PRIORITY),
        description: words.join(", "),
        width: WIDTH,
        parts: Priority::ALL.map(class).into_iter().zip(parts(&counts, WIDTH, 16)).collect(),
        legend: Priority::ALL.map(class).into_iter().zip(words).collect(),
    })
}

/// A lane beside prefetching, with what it waits for.
fn lane(frame: &Frame<'_>, lane: &LaneReport) -> Fact {
    let counts = [(UrlState::Pending, lane.pending), (UrlState::Held, lane.held)];
    let counts = counts.into_iter().filter(|(state, n)| *n > 0 || *state == UrlState::Pending);
    let effect = Effect::of(lane.action.parse::<Lane>());
    let counts = Words::list(counts.map(|(state, n)| web::counted(state, effect, &number(n))));
    let mut lines = vec![Line::plain(frame.say(&counts))];
    if let (Some(_), Some(limit)) = (&lane.day, lane.urls_limit.or(lane.quota)) {
        lines.push(Line::plain(frame.say(&web::spent_of(&number(lane.urls_used), &web::urls(&number(limit))))));
    }
    if let Some(why) = &lane.paused_why {
        lines.push(Line::new(Tone::Warn, frame.say(why)));
    } else if let Some(why) = &lane.waiting_for {
        lines.push(Line::plain(frame.say(&web::FOR.then(why))));
    }
    Fact { name: frame.say(&labels::action(&lane.action)), lines }
}

fn queue(frame: &Frame<'_>, report: &StatusReport) -> Vec<Fact> {
    let pending = report.count(UrlState::Pending);
    let states = UrlState::ALL.map(|state| (state, report.count(state)));
    let states = states.into_iter().filter(|(state, n)| *n > 0 || *state == UrlState::Pending);
    let states = states.map(|(state, n)| web::counted(state, Effect::Warm, &number(n)));
    let mut facts = vec![Fact::new(frame.say(&web::BY_STATE), Line::plain(frame.say(&Words::list(states))))];
    if let Some(oldest) = report.oldest.as_ref().filter(|_| pending > 0) {
        let since = time(&oldest.dropped_at).map(|at| frame.since(at)).unwrap_or_default();
        let text = web::oldest(&outside(&oldest.file), &since, &number(oldest.pending));
        facts.push(Fact::new(frame.say(&web::OLDEST), Line::plain(frame.part(&text))));
    }
    facts.extend(report.lanes.iter().map(|lane| self::lane(frame, lane)));
    let mut unread = Vec::new();
    if report.files_incoming > 0 {
        unread.push(Line::new(Tone::Warn, frame.say(&web::incoming(&number(report.files_incoming)))));
    }
    for left in &report.left_alone {
        let text = web::left_alone(&outside(&left.name), &left.why);
        unread.push(Line::new(Tone::Warn, frame.part(&text)));
    }
    if !unread.is_empty() {
        facts.push(Fact { name: frame.say(&web::NOT_READ), lines: unread });
    }
    let urls = |n: i64| web::urls(&number(n));
    let (in_doubt, doubles) = (report.all_in_doubt(), report.all_possible_doubles());
    let also = [
        (in_doubt, web::in_doubt(&number(in_doubt))),
        (report.parked, web::parked(&urls(report.parked))),
        (report.suspected, web::suspected(&urls(report.suspected))),
        (doubles, web::doubles(&urls(doubles))),
    ];
    let also: Vec<Line> = also.iter().filter(|(n, _)| *n > 0).map(|(_, text)| Line::plain(frame.say(text))).collect();
    if !also.is_empty() {
        facts.push(Fact { name: frame.say(&web::ALSO), lines: also });
    }
    facts
}

fn forecast(frame: &Frame<'_>, report: &StatusReport) -> Vec<Fact> {
    let Some(forecast) = &report.forecast else { return Vec::new() };
    let sent = |last_at: Option<&str>, beyond: u64, unit: fn(&str) -> Words| match (
        last_at.and_then(time),
        time(&forecast.ends_at),
    ) {
        _ if report.health != "running" => frame.say(&web::NOT_WHILE_PAUSED),
        (_, Some(ends_at)) if beyond > 0 => frame.say(&web::beyond(&unit(&count(beyond)), &frame.when(ends_at).text)),
        (Some(at), _) => frame.until(at),
        _ => frame.say(&web::NOT_AS_IT_IS),
    };
    let days = count(forecast.days as u64);
    let costs = web::costs(&web::requests(&count(forecast.requests)), &days);
    // Actions are named where there are several.
    let prefetch = labels::action(Lane::Prefetch.word());
    let name =
        |what: &Words| if report.lanes.is_empty() { frame.say(what) } else { frame.say(&prefetch.clone().then(what)) };
    let mut facts = Vec::new();
    if report.count(UrlState::Pending) > 0 {
        let text = sent(forecast.last_at.as_deref(), forecast.beyond, web::urls);
        facts.push(Fact::new(name(&web::ALL_SENT), Line::plain(text)));
        facts.push(Fact::new(name(&web::COST), Line::plain(frame.say(&costs))));
    }
    for lane in &forecast.lanes {
        let unit = if lane.action == Lane::PurgeDirectory.word() { web::directories } else { web::urls };
        let what = labels::action(&lane.action).then(&web::ALL_SENT);
        let text = sent(lane.last_at.as_deref(), lane.beyond, unit);
        facts.push(Fact::new(frame.say(&what), Line::plain(text)));
    }
    facts
}

fn risks(frame: &Frame<'_>, report: &StatusReport) -> Table {
    let risks = report.forecast.iter().flat_map(|forecast| &forecast.risks);
    let row = |risk: &crate::status::Risk| {
        let (n, tone) = if risk.missed > 0 { (risk.missed, Tone::Bad) } else { (risk.cold, Tone::Warn) };
        let text = frame.say(&web::at_risk(&count(n), &web::urls(&count(risk.urls)), risk.missed > 0));
        let trouble = Cell { tone, ..Cell::text(text) };
        vec![Cell::text(frame.part(&risk.file)), Cell::when(frame.when_text(&risk.deadline)), trouble]
    };
    Table {
        caption: frame.say(&web::AT_RISK),
        heads: [&web::FILE, &web::DEADLINE, &web::TROUBLE].map(|words| frame.say(words)).to_vec(),
        rows: risks.map(row).collect(),
    }
}

fn files(frame: &Frame<'_>, files: &[FileReport]) -> Table {
    let row = |file: &FileReport| {
        let n = |states: &[UrlState]| -> i64 {
            states.iter().map(|state| file.urls.get(&state.to_string()).copied().unwrap_or(0)).sum()
        };
        let ended =
            n(&[UrlState::Failed, UrlState::Expired, UrlState::Cancelled, UrlState::Held, UrlState::Unconfirmed]);
        let on_its_way = n(&[UrlState::Leased, UrlState::Submitted]);
        let warm = n(&[UrlState::Complete]) + file.fresh;
        let link = Cell::link(outside(&file.name), frame.link(Place::File(file.file_id)));
        vec![
            Cell { notes: notes(frame, file), ..link },
            Cell::number(number(n(&[UrlState::Pending]))),
            Cell::number(number(on_its_way)),
            Cell::number(number(warm)),
            Cell { tone: if ended > 0 { Tone::Bad } else { Tone::Plain }, ..Cell::number(number(ended)) },
        ]
    };
    Table {
        caption: frame.say(&web::FILES_CAPTION),
        heads: [&web::FILE, &web::PENDING, &web::ON_ITS_WAY, &web::WARM, &web::NOT_WARM]
            .map(|words| frame.say(words))
            .to_vec(),
        rows: files.iter().map(row).collect(),
    }
}

/// What else there is to say of a file in the list.
fn notes(frame: &Frame<'_>, file: &FileReport) -> Vec<Line> {
    let mut parts = Vec::new();
    parts.extend((!file.host.is_empty()).then(|| web::on_host(&outside(&file.host))));
    parts.extend(file.label.as_deref().map(|label| Words::same(outside(label))));
    let priority = Priority::ALL.into_iter().find(|priority| priority.to_string() == file.priority);
    parts.extend(priority.filter(|priority| *priority != Priority::Normal).map(labels::priority));
    if let Some(at) = file.deadline.as_deref().and_then(|at| frame.when_text(at)) {
        parts.push(web::DEADLINE.then(&Words::same(at.text)));
    }
    if file.progress == "reading" {
        parts.push(web::STILL_READ);
    }
    if file.refused > 0 {
        parts.push(web::REFUSED_LINES.then(&Words::same(number(file.refused))));
    }
    let is_warm = file.urls.get("complete").is_some_and(|n| *n > 0);
    if let (true, Some(median), Some(most)) = (is_warm, file.warm_seconds_median, file.warm_seconds_p95) {
        let [median, most] = [median, most].map(|seconds| times::span(chrono::TimeDelta::seconds(seconds)));
        parts.push(web::WARM_AFTER.then(&web::warm_after(&median, &most)));
    }
    let mut lines = Vec::new();
    if let Some(why) = &file.rejected_why {
        lines.push(Line::new(Tone::Bad, frame.say(&web::REJECTED.then(why))));
    }
    if !parts.is_empty() {
        lines.push(Line::plain(frame.part(&Words::list(parts))));
    }
    lines
}

fn turns(frame: &Frame<'_>, data: &Overview) -> Vec<(String, String)> {
    let first = data.after.map(|_| (frame.say(&web::FIRST_PAGE), frame.files(None)));
    let next = data.next.map(|next| (frame.say(&web::NEXT_PAGE), frame.files(Some(next))));
    first.into_iter().chain(next).collect()
}

fn hosts(frame: &Frame<'_>, data: &Overview) -> Table {
    let row = |host: &crate::status::HostReport| {
        let standing = if host.is_offline { &web::OFFLINE_HOST } else { &web::REFUSED_HOST };
        vec![
            Cell::text(outside(&host.host)),
            Cell { tone: Tone::Bad, ..Cell::text(frame.part(standing)) },
            Cell::number(number(host.pending)),
            Cell::when(Some(frame.when(host.since))),
            Cell::text(frame.part(&host.why)),
        ]
    };
    Table {
        caption: frame.say(&web::HOSTS),
        heads: [&web::DOMAIN, &web::STANDING, &web::PENDING, &web::SINCE, &web::WHY]
            .map(|words| frame.say(words))
            .to_vec(),
        rows: data.hosts.iter().map(row).collect(),
    }
}

fn batches(frame: &Frame<'_>, data: &Overview) -> Table {
    // Actions are named where there are several.
    let is_named = !data.report.lanes.is_empty();
    let row = |batch: &crate::status::BatchReport| {
        let tone = if matches!(batch.outcome.as_str(), "accepted" | "open") { Tone::Plain } else { Tone::Bad };
        let code = batch.code.as_deref().filter(|code| !code.is_empty()).map(|code| Line::plain(outside(code)));
        let action = is_named.then(|| Line::plain(frame.part(&labels::action(&batch.action))));
        let result = Cell { tone, ..Cell::text(frame.part(&web::outcome(&batch.outcome))) };
        vec![
            Cell { notes: action.into_iter().collect(), ..Cell::text(batch.submission_id.to_string()) },
            Cell::when(frame.when_text(&batch.opened_at)),
            Cell::number(number(batch.urls)),
            Cell::number(number(batch.cost)),
            Cell { notes: code.into_iter().collect(), ..result },
            Cell::when(batch.ended_at.as_deref().and_then(|at| frame.when_text(at))),
        ]
    };
    Table {
        caption: frame.say(&web::BATCHES),
        heads: [&web::BATCH, &web::SENT, &web::URLS, &web::REQUESTS, &web::RESULT, &web::ENDED]
            .map(|words| frame.say(words))
            .to_vec(),
        rows: data.batches.iter().map(row).collect(),
    }
}

fn count(n: u64) -> String {
    number(i64::try_from(n).unwrap_or(i64::MAX))
}
