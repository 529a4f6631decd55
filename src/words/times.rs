//! Moments and spans of time.

use chrono::{DateTime, Datelike as _, TimeDelta};

use super::Words;
use crate::model::{DayStart, Time};

/// A span in its two largest units: `3 h 12 min`.
pub fn span(span: TimeDelta) -> Words {
    let seconds = span.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let word = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes) {
        (0, 0, 0) => say!("{seconds} s", "{seconds} 秒"),
        (0, 0, minutes) => say!("{minutes} min", "{minutes} 分钟"),
        (0, hours, 0) => say!("{hours} h", "{hours} 小时"),
        (0, hours, minutes) => say!("{hours} h {minutes} min", "{hours} 小时 {minutes} 分钟"),
        (days, 0, _) => say!("{days} {word}", "{days} 天"),
        (days, hours, _) => say!("{days} {word} {hours} h", "{days} 天 {hours} 小时"),
    }
}

/// A moment in the usual form: the time of day if it is today, else with the date.
pub fn moment(at: Time, now: Time, day_starts: DayStart) -> Words {
    let (at, now) = (day_starts.local(at), day_starts.local(now));
    let (en, zh) = match () {
        () if at.date_naive() == now.date_naive() => ("%H:%M", "%H:%M"),
        () if at.year() == now.year() => ("%a %-d %b %H:%M", "%-m月%-d日 %H:%M"),
        () => ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M"),
    };
    Words::made(at.format(en).to_string(), at.format(zh).to_string())
}

/// A moment ahead, and how far away it is.
pub fn until(at: Time, now: Time, day_starts: DayStart) -> Words {
    let (moment, span) = (moment(at, now, day_starts), span(at - now));
    Words::made(format!("{}, in {}", moment.en, span.en), format!("{}（{}后）", moment.zh, span.zh))
}

/// From one moment to another, as short as possible.
pub fn range(first: Time, last: Time, now: Time, day_starts: DayStart) -> Words {
    let [from, to] = [first, last].map(|at| day_starts.local(at));
    let today = day_starts.local(now).date_naive();
    let [first, last] = [first, last].map(|at| moment(at, now, day_starts));
    match () {
        () if first == last => first,
        () if from.date_naive() == to.date_naive() => joined(&first, &Words::same(to.format("%H:%M").to_string())),
        () if from.date_naive() == today => joined(&first, &last),
        () if from.year() == to.year() => joined(
            &Words::made(from.format("%-d %b").to_string(), from.format("%-m月%-d日").to_string()),
            &Words::made(to.format("%-d %b %H:%M").to_string(), to.format("%-m月%-d日 %H:%M").to_string()),
        ),
        () => joined(
            &Words::made(from.format("%b %Y").to_string(), from.format("%Y年%-m月").to_string()),
            &Words::made(to.format("%-d %b %Y").to_string(), to.format("%Y年%-m月%-d日").to_string()),
        ),
    }
}

fn joined(first: &Words, last: &Words) -> Words {
    Words::made(format!("{} - {}", first.en, last.en), format!("{} - {}", first.zh, last.zh))
}

/// The offset of the times that are shown, such as `UTC+8`.
pub fn zone(now: Time, day_starts: DayStart) -> String {
    let seconds = day_starts.local(now).offset().local_minus_utc();
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    match (minutes / 60, minutes % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// A text in which moments in UTC, as `2026-11-24T04:00:00Z`, are shown at the offset of the budget day.
pub fn local(text: &str, day_starts: DayStart) -> String {
    let mut local = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('Z') {
        let (head, tail) = rest.split_at(at + 1);
        let start = head.char_indices().rev().find(|(_, c)| !is_of_a_time(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        match DateTime::parse_from_rfc3339(&head[start..]) {
            Ok(time) => {
                local.push_str(&head[..start]);
                local.push_str(&day_starts.local(time.to_utc()).format("%Y-%m-%d %H:%M:%S").to_string());
            }
            Err(_) => local.push_str(head),
        }
        rest = tail;
    }
    local + rest
}

const fn is_of_a_time(c: char) -> bool {
    matches!(c, '0'..='9' | '-' | ':' | '.' | 'T' | 'Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_are_said_in_both_languages() {
        let spans = [5, 59 * 60, 3 * 3600 + 12 * 60, 7200, 86_400, 2 * 86_400 + 4 * 3600, -3];
        let spans = spans.map(|seconds| span(TimeDelta::seconds(seconds)));
        let english = ["5 s", "59 min", "3 h 12 min", "2 h", "1 day", "2 days 4 h", "0 s"];
        assert_eq!(spans.each_ref().map(|span| &*span.en), english);
        let chinese = ["5 秒", "59 分钟", "3 小时 12 分钟", "2 小时", "1 天", "2 天 4 小时", "0 秒"];
        assert_eq!(spans.each_ref().map(|span| &*span.zh), chinese);
        let (now, day): (Time, _) = ("2026-11-24T04:00:00Z".parse().unwrap(), DayStart::default());
        let moments = ["2026-11-24T15:59:00Z", "2026-11-24T16:00:00Z", "2027-01-01T00:00:00Z"];
        let moments = moments.map(|at| moment(at.parse().unwrap(), now, day));
        assert_eq!(moments.each_ref().map(|at| &*at.en), ["23:59", "Wed 25 Nov 00:00", "2027-01-01 08:00"]);
        assert_eq!(moments.each_ref().map(|at| &*at.zh), ["23:59", "11月25日 00:00", "2027-01-01 08:00"]);
        assert_eq!(until(moments_at("2026-11-24T05:00:00Z"), now, day).zh, "13:00（1 小时后）");
        let range = |first, last| range(moments_at(first), moments_at(last), now, day);
        for (first, last, en, zh) in [
            ("2026-11-24T04:00:01Z", "2026-11-24T04:00:09Z", "12:00", "12:00"),
            ("2026-11-24T04:00:01Z", "2026-11-24T04:09:00Z", "12:00 - 12:09", "12:00 - 12:09"),
            ("2026-11-24T04:00:01Z", "2026-11-25T04:09:00Z", "12:00 - Wed 25 Nov 12:09", "12:00 - 11月25日 12:09"),
            ("2026-11-25T04:00:00Z", "2026-11-26T04:09:00Z", "25 Nov - 26 Nov 12:09", "11月25日 - 11月26日 12:09"),
            ("2026-11-25T04:00:00Z", "2027-11-26T04:09:00Z", "Nov 2026 - 26 Nov 2027", "2026年11月 - 2027年11月26日"),
        ] {
            assert_eq!(range(first, last), Words::made(en.to_owned(), zh.to_owned()));
        }
        assert_eq!(zone(now, day), "UTC+8");
        assert_eq!(zone(now, "00:00-05:30".parse().unwrap()), "UTC-5:30");
    }

    #[test]
    fn moments_in_a_text_are_shown_at_the_offset_of_the_day() {
        let local = |text| local(text, DayStart::default());
        assert_eq!(local("by alice since 2026-11-24T04:00:00.123Z: why"), "by alice since 2026-11-24 12:00:00: why");
        assert_eq!(
            local("自 2026-11-24T16:00:00Z，至 2026-11-24T16:00:01Z"),
            "自 2026-11-25 00:00:00，至 2026-11-25 00:00:01"
        );
        assert_eq!(local("Z, aZ, 3Z, 2026-11-24"), "Z, aZ, 3Z, 2026-11-24");
    }

    fn moments_at(text: &str) -> Time {
        text.parse().unwrap()
    }
}
