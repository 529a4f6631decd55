//! Labels of pages, and headings of tables. In Chinese at most five characters, which fill the room of a label.

use super::Words;
use crate::model::{Priority, UrlState};

/// No label.
pub const NONE: Words = Words::fixed("", "");
/// What needs somebody.
pub const NEEDS_YOU: Words = Words::fixed("needs you", "待处理");
/// A host.
pub const HOST: Words = Words::fixed("host", "主机");
/// Who leads.
pub const LEADER: Words = Words::fixed("leader", "主导");

/// Who leads, seen from this host.
pub fn leader(own: &str, leader: Option<&str>) -> Words {
    match leader {
        Some(leader) if leader == own => say!("this host, {own}, leads", "本机 {own} 主导"),
        Some(leader) => say!("{leader} leads, this host, {own}, follows", "{leader} 主导，本机 {own} 跟随"),
        None => say!("nobody leads; this host is {own}", "没有主机主导；本机为 {own}"),
    }
}

/// Another host: how it is, since when it was seen, and the version of its program.
pub fn other_host(host: &str, health: &str, seen: Option<&str>, version: Option<&str>) -> Words {
    let is = match health {
        "running" => Words::fixed("running", "运行中"),
        "stopping" => Words::fixed("stopping", "正在停止"),
        "stopped" => Words::fixed("stopped", "已停止"),
        "silent" => Words::fixed("silent", "没有活动迹象"),
        other => Words::same(other),
    };
    let (en, zh) = (&is.en, &is.zh);
    let mut words = say!("{host} is {en}", "{host} {zh}");
    if let Some(seen) = seen {
        words = words.and(&say!("seen {seen}", "最近活动 {seen}"));
    }
    match version {
        Some(version) => words.and(&say!("version {version}", "版本 {version}")),
        None => words,
    }
}

/// The daemon.
pub const DAEMON: Words = Words::fixed("daemon", "守护进程");
/// The access key.
pub const KEY: Words = Words::fixed("key", "AccessKey");
/// What is waited for.
pub const WAITING: Words = Words::fixed("waiting", "等待");
/// The queue.
pub const QUEUE: Words = Words::fixed("queue", "队列");
/// The day's budget.
pub const BUDGET: Words = Words::fixed("budget", "当日预算");
/// The service's quota.
pub const QUOTA: Words = Words::fixed("quota", "每日配额");
/// The forecast.
pub const FORECAST: Words = Words::fixed("forecast", "预测");
/// The file that has waited longest.
pub const OLDEST: Words = Words::fixed("oldest", "等待最久");
/// URLs at the service.
pub const IN_FLIGHT: Words = Words::fixed("in flight", "预热队列");
/// Files that are left alone.
pub const LEFT_ALONE: Words = Words::fixed("left alone", "未读取");
/// What the service taught.
pub const LEARNED: Words = Words::fixed("learned", "已知限制");
/// What was sent lately.
pub const PACE: Words = Words::fixed("pace", "速度");
/// The write-ahead log.
pub const WAL: Words = Words::fixed("wal", "wal");
/// A file.
pub const FILE: Words = Words::fixed("file", "文件");
/// Its verdict.
pub const IS: Words = Words::fixed("is", "状态");
/// Its times.
pub const TIMES: Words = Words::fixed("times", "时间");
/// How it was read.
pub const READ_AS: Words = Words::fixed("read as", "格式");
/// What it asks for.
pub const ASKS_FOR: Words = Words::fixed("asks for", "要求");
/// Its lines.
pub const LINES: Words = Words::fixed("lines", "行数");
/// One line.
pub const LINE: Words = Words::fixed("line", "行");
/// Refused lines.
pub const REFUSED: Words = Words::fixed("refused", "无效行");
/// A warning.
pub const WARNING: Words = Words::fixed("warning", "警告");
/// Its URLs.
pub const URLS: Words = Words::fixed("urls", "URL");
/// When they were sent.
pub const SENT: Words = Words::fixed("sent", "提交时间");
/// When they were warm.
pub const WARM: Words = Words::fixed("warm", "预热完成");
/// Earlier files of the name.
pub const BEFORE: Words = Words::fixed("before", "之前");
/// What to do next.
pub const NEXT: Words = Words::fixed("next", "下一步");
/// Budget days.
pub const DAYS: Words = Words::fixed("days", "各日");
/// Deadlines.
pub const DEADLINES: Words = Words::fixed("deadlines", "截止时间");
/// A file that is not dropped yet.
pub const ADDED: Words = Words::fixed("added", "新增");
/// What a forecast leaves out.
pub const NOT_IN_IT: Words = Words::fixed("not in it", "未计入");
/// What a forecast assumes.
pub const ASSUMED: Words = Words::fixed("assumed", "假设");
/// When a file is warm.
pub const WARM_BY: Words = Words::fixed("warm by", "预热完成");
/// Other files, which are not named.
pub const OTHER_FILES: Words = Words::fixed("other files", "其他文件");

/// A state as a word of the database in English, and of the service's documents in Chinese.
pub fn state(state: UrlState) -> Words {
    let word: &'static str = state.into();
    Words { en: word.into(), zh: super::progress::state(state).zh }
}

/// An action, by its word.
pub fn action(word: &str) -> Words {
    let zh = match word {
        "prefetch" => "预热",
        "purge" => "刷新",
        "purge-directory" => "刷新目录",
        "purge+prefetch" => "刷新并预热",
        other => other,
    };
    Words::made(word.to_owned(), zh.to_owned())
}

/// An action as the label of a row, which has room for eleven letters.
pub fn lane(word: &str) -> Words {
    if word == "purge-directory" { Words::fixed("purge dirs", "刷新目录") } else { action(word) }
}

/// A priority likewise.
pub const fn priority(priority: Priority) -> Words {
    match priority {
        Priority::Urgent => Words::fixed("urgent", "紧急"),
        Priority::High => Words::fixed("high", "高"),
        Priority::Normal => Words::fixed("normal", "普通"),
        Priority::Low => Words::fixed("low", "低"),
    }
}
