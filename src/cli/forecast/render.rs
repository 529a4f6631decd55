//! The page that `forecast` shows: a function of the answer and the look.

use chrono::TimeDelta;

use super::add::Added;
use super::{Answer, NamedFile};
use crate::cli::layout::{Look, Page, Tone, fit, right, span};
use crate::cli::text::number;
use crate::schedule::{Assumption, DayForecast, DeadlineForecast, FileForecast};

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
    let at = format!(
        "of {} {}, if nothing goes wrong and nothing more is dropped",
        look.moment(answer.whole.at),
        look.zone()
    );
    page.row("forecast", Tone::Plain, &at);
    queue(&mut page, answer, look);
    days(&mut page, &answer.whole.days);
    deadlines(&mut page, answer, look);
    if let Some(added) = &answer.add {
        add(&mut page, added, answer, look);
    }
    beside(&mut page, answer);
    files(&mut page, &answer.files, look, files_max);
    page.finish()
}

fn queue(page: &mut Page, answer: &Answer, look: &Look) {
    let whole = &answer.whole;
    let text = match whole.last_at {
        _ if whole.urls == 0 => "nothing waits to be sent".to_owned(),
        None => format!("{} URLs, none of which can be sent as it is", count(whole.urls)),
        Some(_) if whole.beyond > 0 => format!(
            "{} URLs, of which {} are not sent by {}",
            count(whole.urls),
            count(whole.beyond),
            look.moment(whole.ends_at)
        ),
        Some(at) => {
            format!("{} URLs in {} requests, all sent by {}", count(whole.urls), count(whole.requests), look.until(at))
        }
    };
    page.row("queue", Tone::Plain, &text);
}

fn days(page: &mut Page, days: &[DayForecast]) {
    let said = |day: &DayForecast| format!("{}: {} requests, {} URLs", day.day, count(day.requests), count(day.urls));
    let mut label = "days";
    for day in days.iter().take(3) {
        page.row(std::mem::take(&mut label), Tone::Plain, &said(day));
    }
    if let Some(last) = days.get(3..).and_then(<[DayForecast]>::last) {
        page.more(Tone::Plain, &format!("... {} days in all, the last {}", days.len(), said(last)));
    }
}

fn deadlines(page: &mut Page, answer: &Answer, look: &Look) {
    let all = answer.files.iter().flat_map(|file| file.forecast.deadlines.iter().map(move |deadline| (file, deadline)));
    let mut all: Vec<(&NamedFile, &DeadlineForecast)> = all.collect();
    // Deadlines that will not be met come first.
    all.sort_by_key(|(_, deadline)| (deadline.missed == 0, deadline.cold == 0, deadline.deadline));
    let mut label = "deadlines";
    for (file, deadline) in all.iter().take(DEADLINES_MAX) {
        let at = look.moment(deadline.deadline);
        let urls = count(deadline.urls);
        let (tone, what) = match (deadline.missed, deadline.cold) {
            (0, 0) => (Tone::Good, format!("all {urls} URLs are sent and should be warm by {at}")),
            (0, cold) => {
                (Tone::Warn, format!("sent before {at}, but {} of {urls} URLs may not be warm by then", count(cold)))
            }
            (missed, _) => (Tone::Bad, format!("{} of {urls} URLs miss {at}", count(missed))),
        };
        page.row(std::mem::take(&mut label), tone, &format!("{}: {what}", name(file)));
    }
    if let Some(rest) = all.get(DEADLINES_MAX..).filter(|rest| !rest.is_empty()) {
        let missed = rest.iter().filter(|(_, deadline)| deadline.missed > 0).count();
        page.more(Tone::Plain, &format!("... and {} more, of which {missed} will be missed", rest.len()));
    }
}

fn add(page: &mut Page, added: &Added, answer: &Answer, look: &Look) {
    let mut lines = vec![format!("{} URLs", count(added.queued))];
    for (n, word) in [(added.merged, "merged"), (added.fresh, "fresh"), (added.refused, "refused")] {
        lines.extend((n > 0).then(|| format!("{} {word}", count(n))));
    }
    page.row("added", Tone::Plain, &format!("{}: {}", added.name, lines.join(", ")));
    let Some(FileForecast { first_at: Some(first), last_at: Some(last), .. }) = &added.forecast else {
        page.more(Tone::Plain, "nothing of it would be sent");
        return;
    };
    page.more(
        Tone::Plain,
        &format!(
            "costs {} requests more, sent {} on {} day(s)",
            count(added.requests),
            look.range(*first, *last),
            added.days
        ),
    );
    let warm_by = added.forecast.as_ref().and_then(|file| file.warm_by);
    if let Some(warm_by) = warm_by {
        page.more(Tone::Plain, &format!("warm by {}", look.until(warm_by)));
    }
    for deadline in added.forecast.iter().flat_map(|file| &file.deadlines).filter(|it| it.missed + it.cold > 0) {
        let at = look.moment(deadline.deadline);
        let (n, what) =
            if deadline.missed > 0 { (deadline.missed, "miss") } else { (deadline.cold, "may not be warm by") };
        page.more(Tone::Bad, &format!("{} of {} URLs {what} {at}", count(n), count(deadline.urls)));
    }
    if let (Some(before), Some(after)) = (answer.whole.last_at, added.queue_last_at)
        && after - before >= TimeDelta::minutes(1)
    {
        page.more(
            Tone::Plain,
            &format!("the queue is sent by {} instead of {}", look.moment(after), look.moment(before)),
        );
    }
    if added.displaced.is_empty() {
        page.more(Tone::Good, "displaces nothing");
    }
    for file in added.displaced.iter().take(DISPLACED_MAX) {
        let name = file.name.as_deref().unwrap_or("other files");
        let later = span(TimeDelta::seconds(file.later_seconds));
        let (tone, missed) = match file.missed {
            0 => (Tone::Plain, String::new()),
            n => (Tone::Bad, format!(", {} URLs more miss their deadline", count(n))),
        };
        page.more(tone, &format!("delays {name} by {later}{missed}"));
    }
    if added.displaced.len() > DISPLACED_MAX {
        page.more(Tone::Plain, &format!("... and {} files more", added.displaced.len() - DISPLACED_MAX));
    }
}

/// What the forecast leaves out and what it assumes.
fn beside(page: &mut Page, answer: &Answer) {
    let mut label = "not in it";
    for (n, text) in [
        (answer.blocked, "URLs of domains that may not be sent (`prefetchd hosts`)"),
        (answer.reading, "file(s) that are still being read"),
    ] {
        if n > 0 {
            page.row(std::mem::take(&mut label), Tone::Plain, &format!("{} {text}", count(n)));
        }
    }
    let mut label = "assumed";
    let guessed = (answer.guessed > 0).then(|| {
        format!(
            "{} URLs have keys of their own; their place in the queue is guessed from their files'",
            count(answer.guessed)
        )
    });
    let warm = answer.warm.map(|warm| {
        let [half, most] = [warm.median_seconds, warm.p95_seconds].map(|seconds| span(TimeDelta::seconds(seconds)));
        format!(
            "warm {most} after it was sent, as 19 of 20 of the last {} tasks were; half of them after {half}",
            warm.tasks
        )
    });
    let assumed = answer.whole.assumed.iter().map(|assumption| in_words(*assumption).to_owned());
    for text in warm.into_iter().chain(assumed).chain(guessed) {
        page.row(std::mem::take(&mut label), Tone::Plain, &text);
    }
}

fn in_words(assumption: Assumption) -> &'static str {
    match assumption {
        Assumption::PauseEnds => "the account is paused, and the next try ends that",
        Assumption::UnitIsRequests => "the service's quota counts requests, which the first batch will show",
        Assumption::QuotaIsBudget => {
            "the service's quota is as large as [budget] requests_per_day; it was not asked yet"
        }
        Assumption::QueueStaysSmall => {
            "the service's queue takes no more than now, and a URL stays in it for the median time to be warm"
        }
        Assumption::WarmInHalfAnHour => {
            "warm half an hour after it was sent: the service's documents say 5 to 30 minutes, nothing was measured yet"
        }
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
    page.raw(&row("file", "urls", "sent", "warm by"));
    for file in files.iter().take(files_max) {
        let FileForecast { urls, first_at, last_at, warm_by, beyond, .. } = file.forecast;
        let sent = match first_at.zip(last_at) {
            Some((first, _)) if beyond > 0 => format!("{} ...", look.moment(first)),
            Some((first, last)) => look.range(first, last),
            None => "-".to_owned(),
        };
        let warm = warm_by.filter(|_| beyond == 0).map_or("-".to_owned(), |at| look.moment(at));
        page.raw(&row(&name(file), &count(urls), &sent, &warm));
        if let Some(label) = &file.label {
            page.raw(&format!("    {}", fit(label, look.width - 4)));
        }
    }
    if files.len() > files_max {
        page.raw(&format!("... and {} files more (--files N, --json)", files.len() - files_max));
    }
}

fn name(file: &NamedFile) -> String {
    file.name.clone().unwrap_or_else(|| "other files".to_owned())
}

fn count(n: u64) -> String {
    number(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
