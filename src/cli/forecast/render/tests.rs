use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::cli::forecast::add::Displaced;
use crate::cli::layout::{fields, listed};
use crate::model::{DayStart, Lang, Priority, Time};
use crate::schedule::{Forecast, WarmTime};

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn look() -> Look {
    Look {
        width: 80,
        height: None,
        colour: false,
        now: at("2026-11-24T06:05:00Z"),
        day_starts: DayStart::default(),
        lang: Lang::En,
    }
}

fn file(id: i64, urls: u64, first: &str, last: &str, deadlines: Vec<DeadlineForecast>) -> FileForecast {
    FileForecast {
        file_id: Some(id),
        urls,
        priority: Priority::Normal,
        first_at: Some(at(first)),
        last_at: Some(at(last)),
        warm_by: Some(at(last) + TimeDelta::minutes(30)),
        submitted: urls,
        beyond: 0,
        deadlines,
    }
}

fn answer() -> Answer {
    let day = |day: &str, requests, urls| DayForecast { day: day.to_owned(), requests, urls };
    let deadline = at("2026-11-24T12:00:00Z");
    let premiere = file(
        1,
        1_104,
        "2026-11-24T06:05:00Z",
        "2026-11-24T06:05:01Z",
        vec![DeadlineForecast { deadline, urls: 1_104, missed: 0, cold: 0 }],
    );
    let catalogue = file(
        2,
        1_200_000,
        "2026-11-24T06:05:02Z",
        "2026-11-26T16:00:20Z",
        vec![DeadlineForecast { deadline, urls: 1_200, missed: 500, cold: 0 }],
    );
    let named = |name: &str, label: Option<&str>, forecast| NamedFile {
        action: None,
        name: Some(name.to_owned()),
        label: label.map(str::to_owned),
        forecast,
    };
    Answer {
        whole: Forecast {
            sends: Vec::new(),
            at: look().now,
            urls: 1_201_104,
            last_at: Some(at("2026-11-26T16:00:20Z")),
            requests: 1_202,
            submitted: 1_200_604,
            missed: 500,
            cold: 0,
            beyond: 0,
            ends_at: at("2026-11-26T16:00:20Z"),
            days: vec![
                day("2026-11-24", 297, 297_000),
                day("2026-11-25", 500, 500_000),
                day("2026-11-26", 500, 500_000),
                day("2026-11-27", 5, 4_104),
            ],
            files: vec![],
            assumed: vec![Assumption::WarmInHalfAnHour],
        },
        warm: None,
        blocked: 12,
        guessed: 0,
        reading: 0,
        files: vec![named("premiere.txt", Some("港湾灯火"), premiere), named("第一集.txt", None, catalogue)],
        add: None,
    }
}

#[test]
fn a_forecast_says_when_what_is_sent_and_what_will_not_be() {
    assert_eq!(
        page(&answer(), &look(), 20),
        [
            "forecast    of 14:05 UTC+8, if nothing goes wrong and nothing more is dropped",
            "queue       1,201,104 URLs in 1,202 requests, all sent by Fri 27 Nov 00:00, in 2",
            "            days 9 h",
            "days        2026-11-24: 297 requests, 297,000 URLs",
            "            2026-11-25: 500 requests, 500,000 URLs",
            "            2026-11-26: 500 requests, 500,000 URLs",
            "            ... 4 days in all, the last 2026-11-27: 5 requests, 4,104 URLs",
            "deadlines   第一集.txt: 500 of 1,200 URLs miss 20:00",
            "            premiere.txt: all 1,104 URLs are sent and should be warm by 20:00",
            "not in it   12 URLs of domains that may not be sent (`prefetchd hosts`)",
            "assumed     warm half an hour after it was sent: the service's documents say 5",
            "            to 30 minutes, nothing was measured yet",
            "",
            "file                            urls  sent                      warm by",
            "premiere.txt                   1,104  14:05                     14:35",
            "    港湾灯火",
            "第一集.txt                 1,200,000  14:05 - Fri 27 Nov 00:00  Fri 27 Nov 00:30",
        ]
    );
}

/// The same, with measured times, and with a file that is not dropped yet.
fn answer_with_more() -> Answer {
    let mut answer = answer();
    answer.warm = Some(WarmTime { median_seconds: 300, p95_seconds: 780, tasks: 412 });
    answer.whole.assumed.clear();
    answer.add = Some(Added {
        name: "tomorrow.txt".to_owned(),
        queued: 5_000,
        merged: 100,
        fresh: 0,
        refused: 8,
        requests: 5,
        days: 1,
        forecast: Some(file(i64::MAX, 5_000, "2026-11-24T06:05:00Z", "2026-11-24T06:06:00Z", vec![])),
        purge: Some(file(i64::MAX, 5_000, "2026-11-24T05:55:00Z", "2026-11-24T05:56:00Z", vec![])),
        queue_last_at: Some(at("2026-11-27T16:00:20Z")),
        displaced: vec![Displaced {
            file_id: Some(2),
            name: Some("第一集.txt".to_owned()),
            last_at: Some(at("2026-11-27T16:00:20Z")),
            later_seconds: 86_400,
            missed: 700,
        }],
    });
    answer
}

#[test]
fn the_page_of_the_json_lists_every_field_and_no_other() {
    let all = fields(&serde_json::to_value(answer_with_more()).unwrap());
    // The forecasts for the new file have the same fields as the others.
    let is_forecast = |field: &String| field.starts_with("add.forecast.") || field.starts_with("add.purge.");
    let told = all.into_iter().filter(|field| !is_forecast(field)).collect();
    assert_eq!(listed("forecast.json.md"), told);
}

#[test]
fn a_file_that_is_not_dropped_says_what_it_costs_and_displaces() {
    let page = page(&answer_with_more(), &look(), 1);
    let from = page.iter().position(|line| line.starts_with("added")).unwrap();
    assert_eq!(
        page[from..from + 9],
        [
            "added       tomorrow.txt: 5,000 URLs, 100 merged, 8 refused",
            "            purges sent 13:55 - 13:56",
            "            costs 5 requests more, sent 14:05 - 14:06 on 1 day",
            "            warm by 14:36, in 31 min",
            "            the queue is sent by Sat 28 Nov 00:00 instead of Fri 27 Nov 00:00",
            "            delays 第一集.txt by 1 day, 700 URLs more miss their deadline",
            "not in it   12 URLs of domains that may not be sent (`prefetchd hosts`)",
            "assumed     warm 13 min after it was sent, as 19 of 20 of the last 412 tasks",
            "            were; half of them after 5 min",
        ]
    );
    assert_eq!(page.last().unwrap(), "... and 1 files more (--files N, --json)");
}

#[test]
fn of_many_deadlines_those_that_will_be_missed_are_named() {
    let mut answer = answer();
    let met = answer.files[0].forecast.deadlines[0].clone();
    answer.files[0].forecast.deadlines = vec![met; 20];
    let page = page(&answer, &look(), 20);
    let from = page.iter().position(|line| line.starts_with("deadlines")).unwrap();
    assert_eq!(page[from], "deadlines   第一集.txt: 500 of 1,200 URLs miss 20:00");
    assert_eq!(page[from + 8], "            ... and 13 more, of which 0 will be missed");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    for width in [70, 80, 110] {
        for line in page(&answer(), &Look { width, ..look() }, 20) {
            assert!(line.width() <= width, "{width}: {line:?}");
        }
    }
}
