//! The demo's table and the picture of its day.

use std::time::Duration;

use super::super::layout::{Look, Page, Tone, fit, right, wrap};
use super::super::text::{lang, number, out};
use super::news;
use super::playground::Playground;
use crate::clock::Clock;
use crate::model::DayStart;
use crate::model::UrlState::Complete;
use crate::status::{FileReport, Happened, StatusReport};
use crate::words::Words;
use crate::words::demo as said;

/// Widths of the table's columns; the first is aligned to the left.
const WIDTHS: [usize; 7] = [30, 6, 7, 7, 8, 6, 8];

/// A text without a label.
pub(super) fn text(words: &Words) {
    let look = look();
    wrap(words.say(look.lang), look.width).iter().for_each(|line| out(line));
}

fn look() -> Look {
    Look::of_stdout(Clock::system().now(), DayStart::default())
}

/// A line with its label, broken where it is too long.
pub(super) fn labelled(label: &Words, words: &Words) {
    let mut page = Page::new(look());
    page.row(label, Tone::Plain, words);
    page.finish().iter().for_each(|line| out(line));
}

/// What became of each file's lines.
pub(super) fn table(report: &StatusReport) {
    row(&said::HEADINGS.map(|heading| heading.say(lang()).to_owned()));
    let mut files: Vec<&FileReport> = report.files.iter().collect();
    files.sort_by_key(|file| file.file_id);
    files.into_iter().for_each(|file| row(&cells(file)));
}

/// Lines that stand in another file count as merged, also if it was warm already.
fn cells(file: &FileReport) -> [String; 7] {
    let urls = |state: &str| number(file.urls.get(state).copied().unwrap_or(0));
    let [lines, queued, refused] = [file.lines, file.queued, file.refused].map(number);
    let merged = number(file.merged + file.fresh);
    [file.name.clone(), lines, queued, merged, refused, urls("complete"), urls("pending")]
}

fn row(cells: &[String; 7]) {
    let [name, numbers @ ..] = cells;
    let numbers: String =
        numbers.iter().zip(&WIDTHS[1..]).map(|(cell, width)| format!(" {}", right(cell, *width))).collect();
    out(&format!("{}{numbers}", fit(name, WIDTHS[0])));
}

/// The picture of the day, and what came of the deadline, the domain and the lost answer.
pub(super) fn day(report: &StatusReport, happened: &Happened, took: Duration) {
    let sum = |of: fn(&FileReport) -> i64| number(report.files.iter().map(of).sum());
    let warm = number(report.count(Complete));
    if let Some(budget) = &report.budget {
        let (used, limit) = (number(budget.requests_used), number(budget.requests_limit));
        labelled(&said::DAY, &said::day(&sum(|file| file.lines), &sum(|file| file.queued), &used, &limit, &warm));
    }
    let now = Clock::system().now();
    for (label, words) in news::outcome(&report.files, happened, now, DayStart::default()) {
        labelled(&label, &words);
    }
    if let Some(budget) = &report.budget {
        let (used, limit) = (number(budget.requests_used), number(budget.requests_limit));
        let seconds = format!("{:.1}", took.as_secs_f64());
        labelled(&said::BUDGET, &said::budget(&used, &limit, &budget.day, &number(budget.urls_used), &seconds));
    }
}

/// Commands that show the same data.
pub(super) fn commands(stage: &Playground, keep: bool) {
    let (program, config, database) = (stage.program(), stage.config(), stage.database());
    out("");
    text(&if keep { said::LOOK } else { said::KEEP });
    for command in ["status", "status trailers.txt", "submissions", "hosts"] {
        out(&format!("  {program} {command} --config {}", config.display()));
    }
    let query = "select file, state, count(*) as urls, max(task_ids) as task from v_urls group by file, state";
    out(&format!("  sqlite3 -header -column {} \"{query}\"", database.display()));
    out(&format!("  cat {}", stage.spool().join("done").join("catalogue-with-bad-lines.txt.refused.tsv").display()));
}
