//! The sentences of the page about one file.

use super::{Words, many};
use crate::model::{Priority, UrlState};

/// Another file of the name waits.
pub const ANOTHER_WAITS: Words = Words::fixed(
    "another file of this name lies in incoming/ and is not taken yet",
    "incoming/ 中还有一个同名文件，尚未读取",
);

/// Nothing of it can be told.
pub const NO_FORECAST: Words = Words::fixed(
    "nothing of it can be told: `prefetchd status` says what is waited for",
    "无法预测：`prefetchd status` 可查看在等待什么",
);

/// It will not be sent as things are.
pub const NOT_SENT: Words = Words::fixed("not sent as things are", "目前无法提交");

/// It has no reason.
pub const NO_REASON: Words = Words::fixed("no reason", "未说明原因");

/// What a line without a URL is.
pub const NO_URL_QUEUED: Words = Words::fixed(
    "it queued no URL: it is blank, a comment or a directive, its refusal is in no report, or there is no such line",
    "此行没有 URL 入队：空行、注释或指令，或其无效原因不在报告中，或没有这一行",
);

/// Fresh URLs are sent again.
pub const FORCE: Words = Words::fixed("force", "强制");

/// The name, and the offset of all times.
pub fn name(name: &str, zone: &str) -> Words {
    say!("{name} (times are {zone})", "{name}（时间为 {zone}）")
}

/// It is still being read.
pub fn reading(lines: &str) -> Words {
    let read = many(lines, "line", "lines");
    say!("still being read; {read} so far", "仍在读取；已读 {lines} 行")
}

/// All of it is done: `is` says what that means, here and below.
pub fn all_done(all: &str, is: &Words) -> Words {
    let Words { en, zh } = is;
    match all {
        "0" => Words::fixed("it has no URLs", "没有 URL"),
        "1" => say!("its URL is {en}", "1 个 URL {zh}"),
        _ => say!("all {all} URLs are {en}", "全部 {all} 个 URL {zh}"),
    }
}

/// Nothing more will be done by itself.
pub fn stuck(done: &str, all: &str, is: &Words) -> Words {
    let Words { en, zh } = is;
    say!(
        "{done} of {all} URLs are {en}, and nothing more will be by itself",
        "{all} 个 URL 中 {done} 个{zh}，其余不会自行好转"
    )
}

/// Some of it is done.
pub fn some_done(done: &str, all: &str, is: &Words) -> Words {
    let Words { en, zh } = is;
    say!("{done} of {all} URLs are {en}", "{all} 个 URL 中 {done} 个{zh}")
}

/// When it was dropped, read and finished.
pub fn times(dropped: &str, read: Option<&str>, finished: Option<&str>) -> Words {
    let read = read.map(|at| say!(", read {at}", "，{at} 读完")).unwrap_or_default();
    let finished = finished.map(|at| say!(", finished {at}", "，{at} 处理完毕")).unwrap_or_default();
    say!("dropped {dropped}", "{dropped} 投递") + &read + &finished
}

/// How it was read, and under which name it is kept.
pub fn read_as(format: &str, encoding: &str, bytes: Option<&str>, stored: &str, id: i64) -> Words {
    let bytes = bytes.map(|bytes| say!(", {bytes}", "，{bytes}")).unwrap_or_default();
    say!("{format}, {encoding}", "{format}，{encoding}")
        + &bytes
        + &say!("; stored as {stored} (file {id})", "；保存为 {stored}（文件 {id}）")
}

/// Its priority.
pub fn priority(word: &str) -> Words {
    let words = word.parse::<Priority>().map_or_else(|_| Words::same(word), super::labels::priority);
    let (en, zh) = (&words.en, &words.zh);
    say!("priority {en}", "优先级{zh}")
}

/// Its label.
pub fn label(label: &str) -> Words {
    say!("label {label}", "标签 {label}")
}

/// The earliest time for its URLs.
pub fn not_before(at: &str) -> Words {
    say!("not before {at}", "最早时间 {at}")
}

/// So many lines, and what became of them; zeros are left out by the caller.
pub fn lines(all: &str, parts: &Words) -> Words {
    if parts.en.is_empty() { Words::same(all) } else { Words::same(all).then(parts) }
}

/// Lines that queued a URL.
pub fn queued(n: &str) -> Words {
    say!("{n} queued", "入队 {n}")
}

/// Lines that were merged.
pub fn merged(n: &str) -> Words {
    say!("{n} merged into URLs that were there", "与已有 URL 合并 {n}")
}

/// Lines whose URL was warm.
pub fn fresh(n: &str) -> Words {
    say!("{n} warm lately", "近期已预热 {n}")
}

/// Refused lines.
pub fn refused(n: &str) -> Words {
    say!("{n} refused", "无效 {n}")
}

/// One line, and what there is to say of it.
pub fn line(n: i64, what: &Words) -> Words {
    let (en, zh) = (&what.en, &what.zh);
    say!("line {n}: {en}", "第 {n} 行：{zh}")
}

/// Where all refused lines are.
pub fn report(path: &str) -> Words {
    say!("all of them: {path}", "全部见 {path}")
}

/// A warning that applies to several lines.
pub fn in_lines(warning: &Words, lines: &str) -> Words {
    let (en, zh) = (&warning.en, &warning.zh);
    say!("{en} ({lines} lines)", "{zh}（{lines} 行）")
}

/// When it was warm, and how long that took.
pub fn warm_range(range: &str, median: &str, most: &str) -> Words {
    say!(
        "{range}; {median} after the drop at the median, {most} for 95 of 100",
        "{range}；投递后中位数 {median}，95% 在 {most} 内"
    )
}

/// When it will be sent and warm.
pub fn will_be(sent: &str, warm: Option<&str>) -> Words {
    let warm = warm.map(|at| say!(", warm by {at}", "，{at} 前预热完成")).unwrap_or_default();
    say!("sent {sent}", "{sent} 提交") + &warm
}

/// The deadline will be met.
pub fn deadline_met(at: &str) -> Words {
    say!("the deadline {at} will be met", "可在截止时间 {at} 前完成")
}

/// URLs may be cold at their deadline.
pub fn may_be_cold(n: &str, of: &str, at: &str) -> Words {
    say!("{n} of {of} URLs may not be warm by {at}", "{of} 个 URL 中 {n} 个到 {at} 可能尚未预热")
}

/// URLs will miss their deadline.
pub fn will_miss(n: &str, of: &str, at: &str) -> Words {
    say!("{n} of {of} URLs will miss {at}", "{of} 个 URL 中 {n} 个将错过 {at}")
}

/// The label of a state's row.
pub fn state(word: &str) -> Words {
    match word.parse::<UrlState>() {
        Ok(state) => super::labels::state(state),
        Err(_) => match word {
            "refused" => Words::fixed("refused", "无效"),
            "none" => Words::fixed("none", "无"),
            _ => Words::same(word),
        },
    }
}

/// What the service said.
pub fn service_said(code: &str, message: &str, request: &str) -> Words {
    let parts = [("", code), ("", message), ("RequestId ", request)];
    let parts: Vec<String> =
        parts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("{name}{text}")).collect();
    let parts = parts.join(", ");
    say!("  the service: {parts}", "  服务端：{parts}")
}

/// The label of a line.
pub fn line_label(n: i64) -> Words {
    say!("line {n}", "第 {n} 行")
}

/// When a line's URL was sent.
pub fn sent_at(at: &str) -> Words {
    say!("sent {at}", "{at} 提交")
}

/// When it ended.
pub fn ended_at(at: &str) -> Words {
    say!("ended {at}", "{at} 结束")
}

/// Its task.
pub fn task(ids: &str) -> Words {
    say!("task {ids}", "任务 {ids}")
}

/// The file that queued its URL.
pub fn queued_by(file: &str) -> Words {
    say!("queued by {file}", "由 {file} 入队")
}

/// An earlier file of the name.
pub fn other(dropped: &str, lines: &str, id: i64) -> Words {
    let read = many(lines, "line", "lines");
    say!("dropped {dropped}, {read}: `--id {id}` shows it", "{dropped} 投递，{lines} 行：`--id {id}` 可查看")
}

/// More of them.
pub fn more_others(n: usize) -> Words {
    say!("and {n} more of this name", "另有 {n} 个同名文件")
}
