//! The budget day: what was spent of it, against the budget, the quota and an even pace.

use super::super::chart::{Plane, line, steps};
use super::super::frame::{Frame, outside};
use super::super::parts::{Cell, Chart, Fact, Line, Path, Table, Tone};
use super::{count, zoned};
use crate::model::{BudgetDay, Lane, Time};
use crate::status::{BudgetReport, LaneDay, LaneReport, Overview, Spending, StatusReport};
use crate::words::{Words, labels, number, web};

/// The size of the chart's plane.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 160;

/// The budget day of a lane.
#[derive(Debug)]
pub(super) struct Day {
    /// A word that is only its own.
    pub(super) id: String,
    pub(super) head: String,
    pub(super) meter: String,
    pub(super) spent: i64,
    pub(super) most: i64,
    pub(super) facts: Vec<Fact>,
    pub(super) chart: Option<Chart>,
}

/// Whether the day is counted in URLs.
fn counts_urls(budget: &BudgetReport) -> bool {
    budget.unit.as_deref() == Some("urls")
}

/// The days of all actions in use, if the database was read. They are named where there are several.
pub(super) fn days(frame: &Frame<'_>, data: &Overview) -> Vec<Day> {
    let report_of = |of: &LaneDay| data.report.lanes.iter().find(|report| report.action == of.lane.word());
    let others = data.lanes.iter().filter_map(|of| Some(day_of(frame, of, report_of(of)?)));
    let others: Vec<Day> = others.collect();
    day(frame, data, !others.is_empty()).into_iter().chain(others).collect()
}

/// The heading of a day, with the name of its action where there are several.
fn head(frame: &Frame<'_>, day: &BudgetDay, lane: Option<Lane>) -> String {
    let head = web::day(&day.to_string(), &frame.zone());
    frame.say(&lane.map_or(head.clone(), |lane| labels::action(lane.word()).then(&head)))
}

/// The day of an action beside prefetching: its quota counts URLs or directories, however many calls it takes.
fn day_of(frame: &Frame<'_>, of: &LaneDay, report: &LaneReport) -> Day {
    let LaneDay { lane, day, .. } = of;
    let is_today = report.day.as_deref() == Some(day.to_string().as_str());
    let used = if is_today { report.urls_used } else { 0 };
    let quota = report.quota.filter(|_| is_today);
    let limit = report.urls_limit.filter(|_| is_today).or(quota).or(of.limit.map(i64::from)).unwrap_or(0);
    let unit = if *lane == Lane::PurgeDirectory { Unit::Directories } else { Unit::Urls };
    let even = even_pace(limit, (day.starts_at, day.ends_at), frame.now);
    let mut facts = Vec::new();
    if limit > 0 {
        facts.push(Fact::new(frame.say(&web::EVEN), Line::plain(frame.say(&web::even(&unit.counted(even))))));
    }
    if let (Some(quota), Some(remain)) = (quota, report.remain) {
        let text = web::quota_of(&number(remain), &unit.counted(quota));
        facts.push(Fact::new(frame.say(&web::AT_SERVICE), Line::plain(frame.say(&text))));
    }
    facts.push(Fact::new(frame.say(&web::RESET), Line::plain(frame.until(day.ends_at))));
    let id = format!("day-{}", lane.word());
    let series = Series { unit, used, limit, even, quota };
    let chart = chart(frame, &format!("{id}-chart"), (day.starts_at, day.ends_at), &of.spending, &series);
    Day {
        head: head(frame, day, Some(*lane)),
        id,
        meter: frame.say(&web::spent_of(&number(used), &unit.counted(limit))),
        spent: used.clamp(0, limit.max(0)),
        most: limit,
        facts,
        chart: Some(chart),
    }
}

/// The day of prefetching.
fn day(frame: &Frame<'_>, data: &Overview, is_named: bool) -> Option<Day> {
    let day = data.day?;
    let stored = data.report.budget.as_ref().filter(|budget| budget.day == day.to_string());
    let last = data.report.budget.clone().unwrap_or_default();
    // Before anything was charged to it, today has the limits of the last day.
    let fresh = BudgetReport { requests_limit: last.requests_limit, urls_limit: last.urls_limit, ..last.clone() };
    let fresh = BudgetReport { requests_used: 0, urls_used: 0, requests_left: None, quota: None, ..fresh };
    let budget = stored.unwrap_or(&fresh);
    let by_urls = counts_urls(budget) && budget.urls_limit.or(budget.quota).is_some();
    let (used, limit) = if by_urls {
        (budget.urls_used, budget.urls_limit.or(budget.quota).unwrap_or(0))
    } else {
        (budget.requests_used, budget.requests_limit)
    };
    let counted = if by_urls { Unit::Urls } else { Unit::Requests };
    let unit = |n: i64| counted.counted(n);
    let even = even_pace(limit, (day.starts_at, day.ends_at), frame.now);
    let meter = web::spent_of(&number(used), &unit(limit));
    let mut facts = vec![Fact::new(frame.say(&web::EVEN), Line::plain(frame.say(&web::even(&unit(even)))))];
    facts.extend(left(frame, budget));
    facts.extend(quota(frame, budget));
    facts.push(Fact::new(frame.say(&web::IN_FLIGHT), Line::plain(frame.say(&in_flight(&data.report)))));
    facts.push(Fact::new(frame.say(&web::RESET), Line::plain(frame.until(day.ends_at))));
    if let (Some(reserve), Some(until)) = (budget.reserve, &budget.reserve_until) {
        let text = web::reserve(&web::requests(&number(reserve.into())), &format!("{until} {}", frame.zone()));
        facts.push(Fact::new(frame.say(&web::RESERVE), Line::plain(frame.say(&text))));
    }
    if let Some(pace) = &data.report.pace {
        let text = web::requests(&count(pace.requests)).and(&web::urls(&count(pace.urls)));
        facts.push(Fact::new(frame.say(&web::LAST_HOUR), Line::plain(frame.say(&text))));
    }
    let series = Series {
        unit: counted,
        used,
        limit,
        even,
        quota: budget.quota.filter(|_| counts_urls(budget) == by_urls && budget.unit.is_some()),
    };
    Some(Day {
        id: "day".to_owned(),
        head: head(frame, &day, is_named.then_some(Lane::Prefetch)),
        meter: frame.say(&meter),
        spent: used.clamp(0, limit.max(0)),
        most: limit,
        facts,
        chart: Some(chart(frame, "spending", (day.starts_at, day.ends_at), &data.spending, &series)),
    })
}

/// What an even pace would have spent by now.
fn even_pace(limit: i64, (from, to): (Time, Time), now: Time) -> i64 {
    let (passed, all) = ((now - from).num_seconds().max(0), (to - from).num_seconds().max(1));
    i64::try_from(i128::from(limit) * i128::from(passed.min(all)) / i128::from(all)).unwrap_or(limit)
}

fn left(frame: &Frame<'_>, budget: &BudgetReport) -> Option<Fact> {
    let left = budget.requests_left?;
    let tone = if left == 0 { Tone::Warn } else { Tone::Plain };
    let mut words = web::requests(&number(left));
    words = match budget.urls_left {
        Some(urls) => words.and(&web::urls(&number(urls))),
        None => words,
    };
    let mut lines = vec![Line::new(tone, frame.say(&web::left(&words, budget.less_why())))];
    if let Some(code) = &budget.exhausted_why {
        lines.push(Line::new(Tone::Warn, frame.say(&web::used_up(&outside(code)))));
    }
    if budget.unsure {
        lines.push(Line::new(Tone::Bad, frame.say(&web::UNSURE)));
    }
    Some(Fact { name: frame.say(&web::REALLY_LEFT), lines })
}

fn quota(frame: &Frame<'_>, budget: &BudgetReport) -> Option<Fact> {
    let mut lines = Vec::new();
    if let (Some(quota), Some(remain), Some(at)) = (budget.quota, budget.remain, &budget.observed_at) {
        let at = frame.when_text(at).map(|when| when.text).unwrap_or_default();
        let text = web::quota(&number(remain), &number(quota), budget.unit.as_deref(), &at);
        lines.push(Line::plain(frame.say(&text)));
        if let Some(drift) = budget.drift.filter(|drift| *drift > 0) {
            lines.push(Line::new(Tone::Warn, frame.say(&web::by_others(&number(drift)))));
        }
    }
    if budget.quota_untold {
        lines.push(Line::new(Tone::Warn, frame.say(&web::QUOTA_UNTOLD)));
    }
    (!lines.is_empty()).then(|| Fact { name: frame.say(&web::AT_SERVICE), lines })
}

fn in_flight(report: &StatusReport) -> Words {
    let limit = report.in_flight_limit.map(number);
    web::in_flight(&web::urls(&number(report.in_flight)), limit.as_deref())
}

/// What the chart of a day shows.
#[derive(Debug, Clone, Copy)]
struct Series {
    unit: Unit,
    used: i64,
    limit: i64,
    even: i64,
    quota: Option<i64>,
}

/// What a day is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Requests,
    Urls,
    Directories,
}

impl Unit {
    /// So many of it.
    fn counted(self, n: i64) -> Words {
        match self {
            Self::Requests => web::requests(&number(n)),
            Self::Urls => web::urls(&number(n)),
            Self::Directories => web::directories(&number(n)),
        }
    }

    /// Its name as a heading.
    fn name(self) -> Words {
        match self {
            Self::Requests => web::REQUESTS,
            Self::Urls => web::URLS,
            Self::Directories => web::DIRECTORIES,
        }
    }
}

fn chart(frame: &Frame<'_>, id: &str, (from, to): (Time, Time), spending: &[Spending], series: &Series) -> Chart {
    let seconds = |at: Time| at.timestamp();
    let mut sum = 0;
    let mut points = vec![(seconds(from), 0)];
    for step in spending {
        sum += if series.unit == Unit::Requests { step.requests } else { step.urls };
        points.push((seconds(step.at), sum));
    }
    let until = frame.now.clamp(from, to);
    // What the ledger counts beside its submissions is told at the end.
    points.push((seconds(until), sum.max(series.used)));
    // A quota that is far above the budget would press all other lines to the ground.
    let quota = series.quota.filter(|quota| *quota != series.limit && *quota <= series.limit.saturating_mul(2));
    let top = series.limit.max(quota.unwrap_or(0)).max(sum).max(1);
    let plane = Plane { from: seconds(from), to: seconds(to), top: top + top / 20, width: WIDTH, height: HEIGHT };
    let ends = (seconds(from), seconds(to));
    let mut paths = Vec::new();
    let mut legend = vec![("used", frame.say(&web::SPENT.then(&series.unit.counted(series.used))))];
    if series.limit > 0 {
        paths.push(Path { class: "pace", d: line((ends.0, 0), (ends.1, series.limit), &plane) });
        paths.push(Path { class: "limit", d: line((ends.0, series.limit), (ends.1, series.limit), &plane) });
        legend.push(("pace", frame.say(&web::EVEN.then(&series.unit.counted(series.even)))));
        legend.push(("limit", frame.say(&web::LIMIT.then(&series.unit.counted(series.limit)))));
    }
    if let Some(quota) = quota {
        paths.push(Path { class: "quota", d: line((ends.0, quota), (ends.1, quota), &plane) });
        legend.push(("quota", frame.say(&web::QUOTA.then(&series.unit.counted(quota)))));
    }
    paths.push(Path { class: "used", d: steps(&points, &plane) });
    Chart {
        id: id.to_owned(),
        title: frame.say(&web::spending_title(&series.unit.name())),
        description: frame.say(&web::spending_text(&number(series.used), &number(series.limit), &number(series.even))),
        paths,
        bars: Vec::new(),
        size: (WIDTH, HEIGHT),
        ends: (frame.when(from).text, frame.when(to).text),
        legend,
        table: spending_table(frame, spending, series.unit),
        open: frame.say(&web::NUMBERS),
    }
}

/// The spending by the hour.
fn spending_table(frame: &Frame<'_>, spending: &[Spending], unit: Unit) -> Table {
    // What is charged in requests has URLs, too.
    let beside = if unit == Unit::Directories { web::DIRECTORIES } else { web::URLS };
    let mut hours: Vec<(Time, i64, i64)> = Vec::new();
    for step in spending {
        let begins = crate::model::from_millis(step.at.timestamp().div_euclid(3600) * 3_600_000);
        match hours.last_mut() {
            Some((hour, requests, urls)) if *hour == begins => {
                *requests += step.requests;
                *urls += step.urls;
            }
            _ => hours.push((begins, step.requests, step.urls)),
        }
    }
    let row = |(at, requests, urls): &(Time, i64, i64)| {
        vec![Cell::text(frame.moment(*at)), Cell::number(number(*requests)), Cell::number(number(*urls))]
    };
    Table {
        caption: frame.say(&web::spending_title(&web::REQUESTS.and(&beside))),
        heads: vec![zoned(frame, &web::TIME), frame.say(&web::REQUESTS), frame.say(&beside)],
        rows: hours.iter().map(row).collect(),
    }
}
