//! The page that `forecast` shows: a function of the answer and the look.

use chrono::TimeDelta;

use super::add::Added;
use super::{Answer, NamedFile};
use crate::cli::layout::{Look, Page, Tone, fit, right};
use crate::cli::text::number;
use crate::schedule::{Assumption, DayForecast, DeadlineForecast, FileForecast};
use crate::words::{Words, forecast as words, labels, page as status_words};

/// Most files named as displaced.
const DISPLACED_MAX: usize = 5;

/// Most deadlines named.
const DEADLINES_MAX: usize = 8;

/// Columns of the table.
const NUMBER: usize = 11;
const SENT: usize = 26;
const WARM: usize = 16;

/// The page's lines, with at most this many files.
pub(super) fn page(answer: &Answer, look: &Look, files_max: usize) -> Vec<String> {
    let mut page = Page::new(*look);
    let of = words::of(&look.moment(answer.whole.at), &look.zone());
    page.row(&labels::FORECAST, Tone::Plain, &of);
    queue(&mut page, answer, look);
    days(&mut page, &answer.whole.days);
    deadlines(&mut page, answer, look);
    if let Some(added) = &answer.add {
        add(&mut page, added, answer, look);
    }
    beside(&mut page, answer, look);
    files(&mut page, &answer.files, look, files_max);
    page.finish()
}

/// Rows of which only the first has the label.
struct Rows<'a> {
    page: &'a mut Page,
    label: Words,
}

impl Rows<'_> {
    fn row(&mut self, tone: Tone, text: &Words) {
        self.page.row(&std::mem::take(&mut self.label), tone, text);
    }
}

fn queue(page: &mut Page, answer: &Answer, look: &Look) {
    let whole = &answer.whole;
    let urls = count(whole.urls);
    let text = match whole.last_at {
        _ if whole.urls == 0 => words::NOTHING_WAITS,
        None => words::none_can_be_sent(&urls),
        Some(_) if whole.beyond > 0 => words::beyond(&urls, &count(whole.beyond), &look.moment(whole.ends_at)),
        Some(at) => words::all_sent(&urls, &count(whole.requests), &look.until(at)),
    };
    page.row(&labels::QUEUE, Tone::Plain, &text);
}

fn days(page: &mut Page, days: &[DayForecast]) {
    let said = |day: &DayForecast| words::day(&day.day, &count(day.requests), &count(day.urls));
    let mut rows = Rows { page, label: labels::DAYS };
    for day in days.iter().take(3) {
        rows.row(Tone::Plain, &said(day));
    }
    if let Some(last) = days.get(3..).and_then(<[DayForecast]>::last) {
        rows.row(Tone::Plain, &words::more_days(days.len(), &said(last)));
    }
}

fn deadlines(page: &mut Page, answer: &Answer, look: &Look) {
    let all = answer.files.iter().flat_map(|file| file.forecast.deadlines.iter().map(move |deadline| (file, deadline)));
    let mut all: Vec<(&NamedFile, &DeadlineForecast)> = all.collect();
    // Deadlines that will not be met come first.
    all.sort_by_key(|(_, deadline)| (deadline.missed == 0, deadline.cold == 0, deadline.deadline));
    let mut rows = Rows { page, label: labels::DEADLINES };
    for (file, deadline) in all.iter().take(DEADLINES_MAX) {
        let (name, at, urls) = (name(file), look.moment(deadline.deadline), count(deadline.urls));
        let (tone, text) = match (deadline.missed, deadline.cold) {
            (0, 0) => (Tone::Good, words::deadline_met(&name, &urls, &at)),
            (0, cold) => (Tone::Warn, words::deadline_cold(&name, &count(cold), &urls, &at)),
            (missed, _) => (Tone::Bad, words::deadline_missed(&name, &count(missed), &urls, &at)),
        };
        rows.row(tone, &text);
    }
    if let Some(rest) = all.get(DEADLINES_MAX..).filter(|rest| !rest.is_empty()) {
        let missed = rest.iter().filter(|(_, deadline)| deadline.missed > 0).count();
        rows.row(Tone::Plain, &words::more_deadlines(rest.len(), missed));
    }
}

fn add(page: &mut Page, added: &Added, answer: &Answer, look: &Look) {
    let [merged, fresh, refused] =
        [added.merged, added.fresh, added.refused].map(|n| Some(n).filter(|n| *n > 0).map(count));
    let lines = status_words::lines(merged.as_deref(), fresh.as_deref(), refused.as_deref());
    page.row(&labels::ADDED, Tone::Plain, &words::added(&added.name, &count(added.queued), lines));
    let Some(FileForecast { first_at: Some(first), last_at: Some(last), .. }) = &added.forecast else {
        page.more(Tone::Plain, &words::NOTHING_WOULD_BE_SENT);
        return;
    };
    if let Some(FileForecast { first_at: Some(first), last_at: Some(last), .. }) = &added.purge {
        page.more(Tone::Plain, &words::purged(&look.range(*first, *last)));
    }
    let costs = words::costs(&count(added.requests), &look.range(*first, *last), &added.days.to_string());
    page.more(Tone::Plain, &costs);
    if let Some(warm_by) = added.forecast.as_ref().and_then(|file| file.warm_by) {
        page.more(Tone::Plain, &words::warm_by(&look.until(warm_by)));
    }
    for deadline in added.forecast.iter().flat_map(|file| &file.deadlines).filter(|it| it.missed + it.cold > 0) {
        let n = if deadline.missed > 0 { deadline.missed } else { deadline.cold };
        let at = look.moment(deadline.deadline);
        page.more(Tone::Bad, &words::at_risk(&count(n), &count(deadline.urls), deadline.missed > 0, &at));
    }
    if let (Some(before), Some(after)) = (answer.whole.last_at, added.queue_last_at)
        && after - before >= TimeDelta::minutes(1)
    {
        page.more(Tone::Plain, &words::later(&look.moment(after), &look.moment(before)));
    }
    if added.displaced.is_empty() {
        page.more(Tone::Good, &words::DISPLACES_NOTHING);
    }
    for file in added.displaced.iter().take(DISPLACED_MAX) {
        let name = file.name.as_deref().map_or(labels::OTHER_FILES, Words::same);
        let later = look.span(TimeDelta::seconds(file.later_seconds));
        let (tone, missed) = if file.missed > 0 { (Tone::Bad, Some(count(file.missed))) } else { (Tone::Plain, None) };
        page.more(tone, &words::delays(&name, &later, missed.as_deref()));
    }
    if added.displaced.len() > DISPLACED_MAX {
        page.more(Tone::Plain, &words::more_delays(added.displaced.len() - DISPLACED_MAX));
    }
}

/// What the forecast leaves out and what it assumes.
fn beside(page: &mut Page, answer: &Answer, look: &Look) {
    let mut rows = Rows { page, label: labels::NOT_IN_IT };
    if answer.blocked > 0 {
        rows.row(Tone::Plain, &words::blocked(&count(answer.blocked)));
    }
    if answer.reading > 0 {
        rows.row(Tone::Plain, &words::reading(&count(answer.reading)));
    }
    rows.label = labels::ASSUMED;
    let guessed = (answer.guessed > 0).then(|| words::guessed(&count(answer.guessed)));
    let warm = answer.warm.map(|warm| {
        let [half, most] =
            [warm.median_seconds, warm.p95_seconds].map(|seconds| look.span(TimeDelta::seconds(seconds)));
        words::measured(&most, &half, warm.tasks)
    });
    let assumed = answer.whole.assumed.iter().map(|assumption| in_words(*assumption));
    for text in warm.into_iter().chain(assumed).chain(guessed) {
        rows.row(Tone::Plain, &text);
    }
}

const fn in_words(assumption: Assumption) -> Words {
    match assumption {
        Assumption::PauseEnds => words::PAUSE_ENDS,
        Assumption::UnitIsRequests => words::UNIT_IS_REQUESTS,
        Assumption::QuotaIsBudget => words::QUOTA_IS_BUDGET,
        Assumption::QueueStaysSmall => words::QUEUE_STAYS_SMALL,
        Assumption::WarmInHalfAnHour => words::WARM_IN_HALF_AN_HOUR,
    }
}

fn files(page: &mut Page, files: &[NamedFile], look: &Look, files_max: usize) {
    if files.is_empty() {
        return;
    }
    let width = look.width.saturating_sub(NUMBER + 2 + SENT + WARM).max(12);
    let row = |name: &str, urls: &str, sent: &str, warm: &str| {
        format!("{}{}  {}{}", fit(name, width), right(urls, NUMBER), fit(sent, SENT), fit(warm, WARM))
    };
    page.raw("");
    let [file, urls, sent, warm] = words::HEADS.map(|head| look.say(&head));
    page.raw(&row(&file, &urls, &sent, &warm));
    for file in files.iter().take(files_max) {
        let FileForecast { urls, first_at, last_at, warm_by, beyond, .. } = file.forecast;
        let sent = match first_at.zip(last_at) {
            Some((first, _)) if beyond > 0 => format!("{} ...", look.moment(first)),
            Some((first, last)) => look.range(first, last),
            None => "-".to_owned(),
        };
        let warm = warm_by.filter(|_| beyond == 0).map_or("-".to_owned(), |at| look.moment(at));
        page.raw(&row(name(file).say(look.lang), &count(urls), &sent, &warm));
        if let Some(action) = file.action {
            page.raw(&format!("    {}", labels::action(action).say(look.lang)));
        }
        if let Some(label) = &file.label {
            page.raw(&format!("    {}", fit(label, look.width - 4)));
        }
    }
    if files.len() > files_max {
        page.raw(words::more_files(files.len() - files_max).say(look.lang));
    }
}

fn name(file: &NamedFile) -> Words {
    file.name.as_deref().map_or(labels::OTHER_FILES, Words::same)
}

fn count(n: u64) -> String {
    number(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
