//! What the demo tells while it runs, and of the day as a whole: pure functions of what the database says.

use chrono::DateTime;

use super::super::text::number;
use crate::model::{DayStart, Lane, Time};
use crate::status::{BookedCall, FileReport, Happened};
use crate::words::demo as said;
use crate::words::{Words, times};

/// What is true now and was not before, in the order in which it happens.
pub(super) fn news(before: &Happened, now: &Happened) -> Vec<Words> {
    let old = facts(before);
    facts(now).into_iter().filter(|fact| !old.contains(fact)).collect()
}

fn facts(happened: &Happened) -> Vec<Words> {
    let sent = happened.calls.iter().flat_map(sent);
    let offline = happened.offline.iter().map(|(host, _)| said::offline(host));
    let ended = happened.calls.iter().filter(|call| call.has_ended && call.outcome == "accepted");
    let ended = ended.map(|call| {
        let urls = number(call.urls);
        if is_purge(call) { said::purged(call.id, &urls) } else { said::warm(call.id, &urls) }
    });
    sent.chain(offline).chain(ended).collect()
}

/// What was learned of a call: one whose answer was lost is told as such also when it is settled.
fn sent(call: &BookedCall) -> Vec<Words> {
    let urls = number(call.urls);
    match (call.outcome.as_str(), was_lost(call)) {
        ("accepted", false) if is_purge(call) => vec![said::purge_accepted(call.id, &urls)],
        ("accepted", false) => vec![said::accepted(call.id, &urls)],
        ("accepted", true) => vec![said::lost(call.id, &urls), said::settled(call.id)],
        (_, true) => vec![said::lost(call.id, &urls)],
        (_, false) => Vec::new(),
    }
}

fn was_lost(call: &BookedCall) -> bool {
    call.sends > 1 || call.outcome == "in_doubt"
}

fn is_purge(call: &BookedCall) -> bool {
    call.action != Lane::Prefetch.word()
}

fn time_of(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// Whether every file that is wanted by a time has ended.
pub(super) fn deadlines_are_known(files: &[FileReport], happened: &Happened) -> bool {
    files.iter().all(|file| file.deadline.is_none() || happened.finished.contains_key(&file.name))
}

/// What came of the deadline, the domain, the lost answer and the purge, each with its label.
pub(super) fn outcome(
    files: &[FileReport],
    happened: &Happened,
    now: Time,
    day_starts: DayStart,
) -> Vec<(Words, Words)> {
    let moment = |at: Time| times::moment(at, now, day_starts);
    let mut lines = Vec::new();
    for file in files {
        let Some(deadline) = file.deadline.as_deref().and_then(time_of) else { continue };
        let finished = happened.finished.get(&file.name).and_then(|at| time_of(at));
        lines.push((
            said::DEADLINE,
            match finished.filter(|at| *at <= deadline) {
                Some(at) => said::met(&file.name, &moment(deadline), &moment(at), &times::span(deadline - at)),
                None => said::missed(&file.name, &moment(deadline)),
            },
        ));
    }
    lines.extend(happened.offline.iter().map(|(host, n)| (said::DOMAIN, said::parked(host, &number(*n)))));
    let settled = happened.calls.iter().filter(|call| was_lost(call) && call.outcome == "accepted");
    lines.extend(settled.map(|call| (said::ANSWER, said::answer(call.id, &number(call.urls)))));
    let purged = happened.calls.iter().filter(|call| is_purge(call) && call.has_ended).map(|call| call.urls);
    let purged: i64 = purged.sum();
    lines.extend((purged > 0).then(|| (said::PURGE, said::replaced(&number(purged)))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(outcome: &str, sends: i64, has_ended: bool) -> Happened {
        let action = "prefetch".to_owned();
        let call = BookedCall { id: 2, urls: 1000, outcome: outcome.to_owned(), sends, has_ended, action };
        Happened { calls: vec![call], ..Happened::default() }
    }

    #[test]
    fn a_lost_answer_is_told_once_and_then_how_it_was_settled() {
        let (open, doubt) = (with("open", 1, false), with("in_doubt", 1, false));
        let (found, warm) = (with("accepted", 2, false), with("accepted", 2, true));
        assert_eq!(news(&Happened::default(), &open), []);
        assert_eq!(news(&open, &doubt), [said::lost(2, "1,000")]);
        assert_eq!(news(&doubt, &found), [said::settled(2)]);
        assert_eq!(news(&found, &warm), [said::warm(2, "1,000")]);
        let purge = |has_ended| {
            let mut happened = with("accepted", 1, has_ended);
            happened.calls[0].action = "purge".to_owned();
            happened
        };
        assert_eq!(news(&open, &purge(false)), [said::purge_accepted(2, "1,000")]);
        assert_eq!(news(&purge(false), &purge(true)), [said::purged(2, "1,000")]);
        assert_eq!(news(&open, &warm), [said::lost(2, "1,000"), said::settled(2), said::warm(2, "1,000")]);
    }
}
