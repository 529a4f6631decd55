//! Whatever stands in the database, a page is well-formed HTML in which it is only text: a page that panics would end
//! the daemon.

use proptest::prelude::*;

use super::*;
use crate::model::{BudgetDay, DayStart, Lane, Lang, Time, UrlState, from_millis, rfc3339};
use crate::status::{
    BatchReport, BudgetReport, FileHere, FileReport, FileStory, FilesAfter, ForecastReport, HostReport, LaneDay,
    LaneReport, Need, OldestReport, Overview, PaceReport, Risk, Spending, StatusReport,
};
use crate::words::Words;

/// 2026-11-29T04:00:00Z.
const NOW: i64 = 1_795_924_800_000;

/// Text as somebody hostile drops it.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>\u{202e}".to_owned()),
        Just("'--{{x}}{% y %}&amp;\0\n\u{1b}[2J".to_owned()),
        ".{0,40}",
    ]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(1), 0_i64..2_000, 0_i64..1_000_000_000_000]
}

fn moment() -> impl Strategy<Value = String> {
    let near = (-90_000_000_i64..90_000_000).prop_map(|off| rfc3339(from_millis(NOW + off)));
    prop_oneof![4 => near, 1 => hostile(), 1 => Just(rfc3339(Time::MAX_UTC)), 1 => Just(rfc3339(Time::MIN_UTC))]
}

fn frame(lang: Lang, refresh: Option<u32>) -> Frame<'static> {
    let ask = Ask { place: Place::Overview(None), lang: Some(lang), refresh };
    Frame { base: "/x", lang, ask, now: from_millis(NOW), day_starts: DayStart::default() }
}

prop_compose! {
    fn budget()(
        numbers in prop::collection::vec(number(), 8), day_ends_at in moment(), code in hostile(),
        unit in prop_oneof![Just(None), Just(Some("urls".to_owned())), Just(Some("requests".to_owned()))],
        told in any::<bool>(),
    ) -> BudgetReport {
        BudgetReport {
            day: BudgetDay::of(from_millis(NOW), DayStart::default()).to_string(),
            day_ends_at: day_ends_at.clone(),
            requests_limit: numbers[0],
            requests_used: numbers[1],
            requests_left: Some(numbers[2]),
            urls_left: told.then_some(numbers[3]),
            urls_limit: (!told).then_some(numbers[4]),
            urls_used: numbers[5],
            exhausted_why: told.then_some(code),
            unit,
            quota: Some(numbers[6]),
            remain: Some(numbers[7]),
            drift: Some(numbers[3]),
            observed_at: Some(day_ends_at),
            unsure: told,
            ..BudgetReport::default()
        }
    }
}

prop_compose! {
    fn file_report()(
        name in hostile(), label in hostile(), n in number(), at in moment(), word in hostile(),
    ) -> FileReport {
        FileReport {
            file_id: n,
            name,
            host: word.clone(),
            progress: word.clone(),
            rejected_why: Some(Words::same(word.clone())),
            label: Some(label),
            priority: word,
            deadline: Some(at.clone()),
            dropped_at: at,
            lines: n,
            queued: n,
            merged: n,
            refused: n,
            fresh: n,
            warm_seconds_median: Some(n),
            warm_seconds_p95: Some(n),
            urls: UrlState::ALL.iter().map(|state| (state.to_string(), n / 9)).collect(),
        }
    }
}

prop_compose! {
    fn report()(
        health in prop_oneof![
            Just("running"), Just("paused"), Just("blocked"), Just("silent"), Just("hanging"), Just("database lost"),
            Just("?")
        ],
        text in hostile(), n in number(), at in moment(), budget in prop::option::of(budget()), some in any::<bool>(),
    ) -> StatusReport {
        let risk = Risk { file: Words::same(text.clone()), deadline: at.clone(), urls: 7, missed: 3, cold: 1 };
        let forecast = ForecastReport {
            last_at: Some(at.clone()),
            requests: n.unsigned_abs(),
            days: 3,
            submitted: 1,
            missed: 3,
            cold: 0,
            beyond: if some { n.unsigned_abs() } else { 0 },
            ends_at: at.clone(),
            guessed: 0,
            risks: vec![risk],
            lanes: vec![crate::status::LaneForecast {
                action: text.clone(),
                last_at: None,
                days: 1,
                submitted: 7,
                missed: 0,
                cold: 0,
                beyond: 1,
            }],
        };
        let today = BudgetDay::of(from_millis(NOW), DayStart::default()).to_string();
        StatusReport {
            health: health.to_owned(),
            health_since: Some(at.clone()),
            pid: Some(n),
            paused_why: some.then(|| Words::same(text.clone())),
            paused_code: some.then(|| "stopped".to_owned()),
            waiting_for: Some(Words::same(text.clone())),
            waiting_until: Some(at.clone()),
            in_doubt: n,
            parked: n,
            suspected: n,
            possible_doubles: n,
            files_incoming: n,
            in_flight: n,
            in_flight_limit: Some(n),
            urls: UrlState::ALL.iter().map(|state| (state.to_string(), n)).collect(),
            pending: ["urgent", "low"].iter().map(|word| ((*word).to_owned(), n)).collect(),
            oldest: Some(OldestReport { file: text.clone(), dropped_at: at, pending: n }),
            budget,
            pace: Some(PaceReport { requests: n.unsigned_abs(), urls: n.unsigned_abs() }),
            forecast: Some(forecast),
            lanes: ["purge", "purge-directory", &text].map(|action| LaneReport {
                action: action.to_owned(),
                pending: n,
                held: n,
                day: Some(if some { today.clone() } else { text.clone() }),
                urls_used: n,
                quota: some.then_some(n),
                remain: Some(n),
                paused_why: some.then(|| Words::same(text.clone())),
                waiting_for: Some(Words::same(text.clone())),
                ..LaneReport::default()
            }).into(),
            needs: vec![Need { what: Words::same(text.clone()), command: format!("prefetchd {text} && x {text}") }],
            ..StatusReport::default()
        }
    }
}

prop_compose! {
    fn overview_data()(
        report in report(), files in prop::collection::vec(file_report(), 0..4), text in hostile(),
        steps in prop::collection::vec((0_i64..86_400_000, number(), number()), 0..30), at in moment(), n in number(),
    ) -> Overview {
        let day = BudgetDay::of(from_millis(NOW), DayStart::default());
        let mut steps = steps;
        steps.sort_unstable();
        let spending = steps.into_iter().map(|(off, requests, urls)| {
            Spending { at: from_millis(day.starts_at.timestamp_millis() + off), requests, urls }
        });
        let host = HostReport {
            host: text.clone(), is_offline: true, why: Words::same(text.clone()), since: from_millis(NOW), pending: n,
        };
        let batch = BatchReport {
            submission_id: n, action: text.clone(), opened_at: at.clone(), ended_at: Some(at), urls: n, cost: n,
            outcome: text.clone(), code: Some(text.clone()), request_id: Some(text),
        };
        let spending: Vec<Spending> = spending.collect();
        let lanes = [(Lane::Purge, None), (Lane::PurgeDirectory, Some(100))];
        Overview {
            day: Some(day),
            lanes: lanes.map(|(lane, limit)| LaneDay { lane, day, limit, spending: spending.clone() }).into(),
            spending,
            hosts: vec![host],
            batches: vec![batch],
            after: Some(FilesAfter::Settled(9)),
            files,
            next: Some(FilesAfter::Waiting(1, i64::MAX, n)),
            ..Overview::of_report(report)
        }
    }
}

prop_compose! {
    fn story()(
        text in hostile(), n in number(), at in moment(), warm in prop::collection::vec((number(), number()), 0..9),
    ) -> FileHere {
        let row = serde_json::json!({
            "state": text, "reason": text, "reason_zh": text, "urls": n, "line": n, "url": text, "code": text,
            "message": text, "request_id": text, "file_id": n, "dropped_at": at, "lines": n,
        });
        let rows = vec![row.as_object().cloned().unwrap_or_default()];
        let mut warm = warm;
        warm.sort_unstable();
        let mut story = FileStory {
            file_id: n, name: text.clone(), state: text.clone(), priority: text.clone(), label: Some(text.clone()),
            rejected_why: Some(Words::same(text.clone())), format: text.clone(), encoding: Some(text),
            deadline: Some(at.clone()), not_before: Some(at.clone()), dropped_at: at.clone(), read_at: Some(at),
            lines: n.unsigned_abs(), queued: n.unsigned_abs(), warm_seconds_median: Some(n), warm_seconds_p95: Some(n),
            reasons: rows.clone(), failures: rows.clone(), others: rows, ..FileStory::default()
        };
        story.progress.urls = UrlState::ALL.iter().map(|state| (state.to_string(), n / 9)).collect();
        FileHere { story, warm, only_first: Some(n) }
    }
}

/// What is wrong with a page: a tag that is not closed, an attribute that does not belong here, something inline.
fn fault(page: &str) -> Option<String> {
    const VOID: [&str; 7] = ["meta", "link", "br", "path", "rect", "img", "!doctype"];
    const EMPTY: [&str; 2] = ["path", "rect"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if tag.contains(" style=") || tag.contains(" on") || name == "img" || tag.matches('"').count() % 2 == 1 {
            return Some(format!("<{tag}>"));
        }
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Some(format!("</{name}> closes nothing; open: {open:?}"));
            }
        } else if !VOID.contains(&name) || (EMPTY.contains(&name) && !tag.ends_with('/')) {
            open.push(name);
        }
    }
    (!open.is_empty()).then(|| format!("not closed: {open:?}"))
}

fn assert_sound(page: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(fault(page), None, "{}", page);
    prop_assert_eq!(page.matches("<script").count(), 1);
    let is_odd = |c: char| crate::telemetry::is_unsafe(c) && c != '\n';
    prop_assert!(!page.contains(is_odd), "{:?}", page.chars().find(|c| is_odd(*c)));
    Ok(())
}

#[test]
fn a_page_with_something_inline_or_not_closed_is_noticed() {
    for page in
        ["<p>", "</p>", "<p style=\"a\"></p>", "<p onload=\"a\"></p>", "<p><b></p></b>", "<img>", "<p class=\"a></p>"]
    {
        assert!(fault(page).is_some(), "{page}");
    }
    assert_eq!(fault("<p class=\"a\"><br><path d=\"M0 0\"/></p>"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_first_page_is_sound_whatever_stands_in_the_database(data in overview_data()) {
        for lang in [Lang::En, Lang::Zh] {
            let page = overview(&frame(lang, Some(30)), &data);
            assert_sound(&page)?;
            let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            ids.sort_unstable();
            prop_assert!(ids.windows(2).all(|two| two[0] != two[1]), "{:?}", ids);
            let is_shown = page.contains("id=\"day-purge-directory\"");
            prop_assert_eq!(is_shown, data.report.health != "database lost");
        }
    }

    #[test]
    fn the_page_of_a_file_is_sound_whatever_stands_in_the_database(here in story(), text in hostile()) {
        for lang in [Lang::En, Lang::Zh] {
            let data = FileData { here: &here, commands: vec![text.clone()], has_receipt: true };
            assert_sound(&file(&frame(lang, None), &data))?;
            let sign = crate::stage::Sign::default();
            assert_sound(&Notice::unreadable(&text, &sign, &text).page(&frame(lang, None), Some(&sign)))?;
            assert_sound(&Notice::gone(&text, &text).page(&frame(lang, None), None))?;
            assert_sound(&Notice::wrong(&Wrong::Query(text.clone(), "x")).page(&frame(lang, None), None))?;
        }
    }
}
