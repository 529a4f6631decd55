//! What people are told by robots: a line an event, made from the event as it was stored.

use chrono::FixedOffset;
use serde_json::Value;

use super::{Words, labels};
use crate::model::{Action, Effect, EventName, Time, UrlState, quoted};

/// One event in a line, with its remedy where there is one. Times are those of the budget day.
pub fn event(event: &Value, zone: FixedOffset) -> Words {
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("event");
    let file = with_label(text("file"), text("label"));
    let quoted = quoted(text("file"));
    match name.parse() {
        Ok(EventName::Paused) => {
            let (en, zh) = (text("why"), text("why_zh"));
            let zh = if zh.is_empty() { en } else { zh };
            if text("why_code") == "purge_forbidden" {
                return Words::made(
                    format!("purges are refused, and none is sent; prefetching goes on: {en}"),
                    format!("刷新被拒绝，已暂停提交刷新；预热继续：{zh}"),
                );
            }
            Words::made(
                format!("the account is refused, and nothing is sent: {en}"),
                format!("账号被拒绝，已暂停提交：{zh}"),
            )
        }
        Ok(EventName::Resumed) => Words::fixed("the account works again: sending goes on", "账号已恢复，继续提交"),
        Ok(EventName::FileFinished) => finished(event, &file),
        Ok(EventName::DeadlineNear) => {
            let (n, at) = (number(event, "pending"), local(text("deadline"), zone));
            Words::made(
                format!("{file}: {} and the deadline is {at}: `prefetchd status {quoted}`", wait(n)),
                format!("{file}：还有 {n} 行待提交，截止时间 {at}：`prefetchd status {quoted}`"),
            )
        }
        Ok(EventName::DeadlineMissed) => {
            let n = number(event, "urls");
            let urls = if n == 1 { "1 URL".to_owned() } else { format!("{n} URLs") };
            Words::made(
                format!("{file}: {urls} expired, the deadline passed before sending: `prefetchd status {quoted}`"),
                format!("{file}：{n} 个 URL 已过期，截止时间前未能提交：`prefetchd status {quoted}`"),
            )
        }
        Ok(EventName::BudgetSpent) => {
            let (n, day, en, zh) = (number(event, "urgent"), text("day"), text("why"), text("why_zh"));
            let zh = if zh.is_empty() { en } else { zh };
            // A notice of an earlier version is about prefetching, and so is one without a word about it.
            let action = Some(text("action")).filter(|action| !matches!(*action, "" | "prefetch"));
            if let Some(action) = action {
                let name = labels::action(action).zh;
                return Words::made(
                    format!("{action}: the budget of {day} is spent and urgent URLs wait ({n} or more): {en}"),
                    format!("{name}：{day} 的预算已用完，仍有紧急 URL 待提交（至少 {n} 个）：{zh}"),
                );
            }
            Words::made(
                format!("the budget of {day} is spent and urgent URLs wait ({n} or more): {en}"),
                format!("{day} 的预算已用完，仍有紧急 URL 待提交（至少 {n} 个）：{zh}"),
            )
        }
        Err(_) => Words::made(format!("{name} {file}"), format!("{name} {file}")),
    }
}

fn finished(event: &Value, file: &str) -> Words {
    let why = |key: &str| event.get(key).and_then(Value::as_str).filter(|why| !why.is_empty());
    if let Some(en) = why("rejected_why") {
        let zh = why("rejected_zh").unwrap_or(en);
        return Words::made(format!("{file} was rejected: {en}"), format!("{file} 已拒收：{zh}"));
    }
    let merged = event.get("merged_urls").unwrap_or(&Value::Null);
    let states = [
        UrlState::Complete,
        UrlState::Submitted,
        UrlState::Failed,
        UrlState::Unconfirmed,
        UrlState::Expired,
        UrlState::Cancelled,
    ];
    let action = event.get("action").and_then(Value::as_str).and_then(|action| action.parse::<Action>().ok());
    let effect = Effect::of(action.map(Action::lane));
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for state in states {
        let n = number(event, &state.to_string()) + number(merged, &state.to_string());
        if n > 0 {
            let words = super::progress::counted(state, effect, &n.to_string());
            en.push(words.en);
            zh.push(words.zh);
        }
    }
    match number(event, "refused") {
        0 => {}
        1 => en.push("1 line refused".into()),
        n => en.push(format!("{n} lines refused").into()),
    }
    if number(event, "refused") > 0 {
        zh.push(format!("无效行 {}", number(event, "refused")).into());
    }
    if en.is_empty() {
        en.push("nothing was to be done".into());
        zh.push("没有需要预热的 URL".into());
    }
    Words::made(format!("{file}: finished: {}", en.join(", ")), format!("{file}：已结束：{}", zh.join("，")))
}

/// The head of a message that tells of so many events.
pub fn digest(host: &str, events: usize) -> Words {
    match events {
        1 => Words::made(format!("prefetchd on {host}"), format!("prefetchd（{host}）")),
        n => Words::made(format!("prefetchd on {host}: {n} events"), format!("prefetchd（{host}）：{n} 条通知")),
    }
}

/// The foot of a message in which there was no room for all events.
pub fn more_events(more: usize) -> Words {
    Words::made(format!("and {more} more: `prefetchd status`"), format!("另有 {more} 条：`prefetchd status`"))
}

/// The message by which an operator tries a robot.
pub fn test_message() -> Words {
    Words::fixed("this is a test: the robot can be reached", "这是测试消息：机器人可以收到通知")
}

fn wait(n: i64) -> String {
    if n == 1 { "1 line waits".to_owned() } else { format!("{n} lines wait") }
}

fn number(of: &Value, key: &str) -> i64 {
    of.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn with_label(file: &str, label: &str) -> String {
    if label.is_empty() { file.to_owned() } else { format!("{file} ({label})") }
}

fn local(at: &str, zone: FixedOffset) -> String {
    let Ok(at) = at.parse::<Time>() else { return at.to_owned() };
    let hours = zone.local_minus_utc() / 3_600;
    format!("{} (UTC{hours:+})", at.with_timezone(&zone).format("%m-%d %H:%M"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::VariantArray as _;

    use super::*;

    fn told(value: &Value) -> (String, String) {
        let words = event(value, FixedOffset::east_opt(8 * 3_600).unwrap());
        (words.en.into_owned(), words.zh.into_owned())
    }

    #[test]
    fn every_event_has_a_line_in_both_languages() {
        for name in EventName::VARIANTS {
            let (en, zh) = told(&json!({ "event": name, "file": "a.txt" }));
            assert!(!en.starts_with(&name.to_string()) && !zh.is_ascii(), "{en} {zh}");
        }
    }

    #[test]
    fn a_finished_file_says_how_its_urls_ended_with_merged_ones() {
        let end = json!({
            "event": "file_finished", "file": "film.txt", "label": "首映", "complete": 1_000, "failed": 1, "refused": 2,
            "merged_urls": { "complete": 100 }, "rejected_why": null,
        });
        let (en, zh) = told(&end);
        assert_eq!(en, "film.txt (首映): finished: 1100 warm, 1 failed, 2 lines refused");
        assert_eq!(zh, "film.txt (首映)：已结束：已预热 1100，失败 1，无效行 2");
        let rejected = json!({ "event": "file_finished", "file": "a.xlsx", "rejected_why": "no", "rejected_zh": "否" });
        assert_eq!(told(&rejected), ("a.xlsx was rejected: no".to_owned(), "a.xlsx 已拒收：否".to_owned()));
    }

    #[test]
    fn a_deadline_is_told_in_the_budget_days_zone_with_a_command_that_can_be_pasted() {
        let near = json!({
            "event": "deadline_near", "file": "it's late.txt", "deadline": "2026-11-25T12:00:00Z", "pending": 1,
        });
        let (en, _) = told(&near);
        let (what, command) = en.split_once('`').unwrap();
        assert_eq!(what, "it's late.txt: 1 line waits and the deadline is 11-25 20:00 (UTC+8): ");
        assert_eq!(command, r"prefetchd status 'it'\''s late.txt'`");
    }
}
