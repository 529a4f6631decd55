//! The sentences of `prefetchd forecast`.

use super::{Words, many};

/// Nothing waits.
pub const NOTHING_WAITS: Words = Words::fixed("nothing waits to be sent", "没有待提交的 URL");

/// Nothing of a file would be sent.
pub const NOTHING_WOULD_BE_SENT: Words = Words::fixed("nothing of it would be sent", "其中没有可提交的 URL");

/// A file displaces nothing.
pub const DISPLACES_NOTHING: Words = Words::fixed("displaces nothing", "不影响其他文件");

/// It has no URLs.
pub const NO_URLS: Words = Words::fixed("it has no URLs", "没有 URL");

/// Headings of the table.
pub const HEADS: [Words; 4] =
    [super::labels::FILE, Words::fixed("urls", "URL 数"), Words::fixed("sent", "提交时间"), super::labels::WARM_BY];

/// Which moment it is of, and what it takes for granted.
pub fn of(at: &str, zone: &str) -> Words {
    say!(
        "of {at} {zone}, if nothing goes wrong and nothing more is dropped",
        "{at}（{zone}），假设没有故障，也没有新投递的文件"
    )
}

/// Nothing can be sent.
pub fn none_can_be_sent(n: &str) -> Words {
    let urls = many(n, "URL, which cannot", "URLs, none of which can");
    say!("{urls} be sent as it is", "{n} 个 URL，目前均无法提交")
}

/// Some are sent too late to be told.
pub fn beyond(n: &str, beyond: &str, at: &str) -> Words {
    say!("{n} URLs, of which {beyond} are not sent by {at}", "{n} 个 URL，其中 {beyond} 个在 {at} 前无法提交")
}

/// All are sent.
pub fn all_sent(urls: &str, requests: &str, until: &str) -> Words {
    let (urls_en, requests_en) = (many(urls, "URL", "URLs"), many(requests, "request", "requests"));
    say!("{urls_en} in {requests_en}, all sent by {until}", "{urls} 个 URL，{requests} 次请求，{until}提交完毕")
}

/// A day.
pub fn day(day: &str, requests: &str, urls: &str) -> Words {
    let (requests_en, urls_en) = (many(requests, "request", "requests"), many(urls, "URL", "URLs"));
    say!("{day}: {requests_en}, {urls_en}", "{day}：{requests} 次请求，{urls} 个 URL")
}

/// More days.
pub fn more_days(n: usize, last: &Words) -> Words {
    let (en, zh) = (&last.en, &last.zh);
    say!("... {n} days in all, the last {en}", "……共 {n} 日，最后一日 {zh}")
}

/// A deadline that will be met.
pub fn deadline_met(file: &Words, urls: &str, at: &str) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    say!("{en}: all {urls} URLs are sent and should be warm by {at}", "{zh}：全部 {urls} 个 URL 可在 {at} 前提交并预热")
}

/// One by which URLs may be cold.
pub fn deadline_cold(file: &Words, cold: &str, urls: &str, at: &str) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    say!(
        "{en}: sent before {at}, but {cold} of {urls} URLs may not be warm by then",
        "{zh}：可在 {at} 前提交，但 {urls} 个 URL 中 {cold} 个届时可能尚未预热"
    )
}

/// One that will be missed.
pub fn deadline_missed(file: &Words, missed: &str, urls: &str, at: &str) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    say!("{en}: {missed} of {urls} URLs miss {at}", "{zh}：{urls} 个 URL 中 {missed} 个错过 {at}")
}

/// More of them.
pub fn more_deadlines(n: usize, missed: usize) -> Words {
    say!("... and {n} more, of which {missed} will be missed", "……另有 {n} 个，其中 {missed} 个将错过")
}

/// What a file would add.
pub fn added(name: &str, urls: &str, lines: Vec<Words>) -> Words {
    let n = many(urls, "URL", "URLs");
    let counts = Words::list([say!("{n}", "{urls} 个 URL")].into_iter().chain(lines));
    Words::same(name).then(&counts)
}

/// What it would cost.
pub fn costs(requests: &str, sent: &str, days: &str) -> Words {
    let (requests_en, days_en) = (many(requests, "request", "requests"), many(days, "day", "days"));
    say!("costs {requests_en} more, sent {sent} on {days_en}", "增加 {requests} 次请求，{sent} 提交，分 {days} 日")
}

/// When its purges would be sent, before what it costs in all.
pub fn purged(sent: &str) -> Words {
    say!("purges sent {sent}", "刷新（清除缓存）于 {sent} 提交")
}

/// When it would be warm.
pub fn warm_by(until: &str) -> Words {
    say!("warm by {until}", "{until}预热完成")
}

/// URLs that would miss their deadline, or be cold then.
pub fn at_risk(n: &str, of: &str, is_missed: bool, at: &str) -> Words {
    if is_missed {
        say!("{n} of {of} URLs miss {at}", "{of} 个 URL 中 {n} 个错过 {at}")
    } else {
        say!("{n} of {of} URLs may not be warm by {at}", "{of} 个 URL 中 {n} 个到 {at} 可能尚未预热")
    }
}

/// The queue would end later.
pub fn later(after: &str, before: &str) -> Words {
    say!("the queue is sent by {after} instead of {before}", "整个队列的提交由 {before} 推迟到 {after}")
}

/// A file would be delayed.
pub fn delays(file: &Words, span: &str, missed: Option<&str>) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    let missed = missed.map(|n| {
        let urls = many(n, "URL more misses its", "URLs more miss their");
        say!(", {urls} deadline", "，另有 {n} 个 URL 错过截止时间")
    });
    say!("delays {en} by {span}", "{zh} 推迟 {span}") + &missed.unwrap_or_default()
}

/// More files.
pub fn more_delays(n: usize) -> Words {
    say!("... and {n} files more", "……另有 {n} 个文件")
}

/// More files of the table.
pub fn more_files(n: usize) -> Words {
    say!("... and {n} files more (--files N, --json)", "……另有 {n} 个文件（--files N、--json）")
}

/// URLs of blocked domains.
pub fn blocked(n: &str) -> Words {
    let urls = many(n, "URL", "URLs");
    say!("{urls} of domains that may not be sent (`prefetchd hosts`)", "{n} 个 URL 的域名不可提交（`prefetchd hosts`）")
}

/// Files being read.
pub fn reading(n: &str) -> Words {
    let files = many(n, "file that is", "files that are");
    say!("{files} still being read", "{n} 个文件仍在读取")
}

/// URLs with keys of their own.
pub fn guessed(n: &str) -> Words {
    let urls = many(n, "URL has keys of its own; its", "URLs have keys of their own; their");
    say!("{urls} place in the queue is guessed from the file's", "{n} 个 URL 有自己的参数；其队列位置按所在文件估计")
}

/// How long URLs take to be warm, as measured.
pub fn measured(most: &str, half: &str, tasks: i64) -> Words {
    say!(
        "warm {most} after it was sent, as 19 of 20 of the last {tasks} tasks were; half of them after {half}",
        "提交后 {most} 预热完成：最近 {tasks} 个任务中 95% 如此，一半在 {half} 内"
    )
}

/// The pause ends.
pub const PAUSE_ENDS: Words =
    Words::fixed("the account is paused, and the next try ends that", "账号已暂停，下一次尝试后恢复");
/// The unit is requests.
pub const UNIT_IS_REQUESTS: Words = Words::fixed(
    "the service's quota counts requests, which the first batch will show",
    "服务端配额按请求次数计，首个批次提交后可确认",
);
/// The quota is the budget.
pub const QUOTA_IS_BUDGET: Words = Words::fixed(
    "the service's quota is as large as [budget] requests_per_day; it was not asked yet",
    "服务端配额等于 [budget] requests_per_day；尚未查询",
);
/// The service's queue stays as small as it is.
pub const QUEUE_STAYS_SMALL: Words = Words::fixed(
    "the service's queue takes no more than now, and a URL stays in it for the median time to be warm",
    "服务端预热队列的容量不变，URL 在其中停留的时间为预热用时的中位数",
);
/// Nothing was measured yet.
pub const WARM_IN_HALF_AN_HOUR: Words = Words::fixed(
    "warm half an hour after it was sent: the service's documents say 5 to 30 minutes, nothing was measured yet",
    "提交后半小时预热完成：官方文档称 5 至 30 分钟，尚无实测",
);

/// What waits came by other files.
pub fn by_other_files(name: &str, states: &Words, until: &str) -> Words {
    let (en, zh) = (&states.en, &states.zh);
    say!(
        "{name}: {en}; what waits came by other files, of too many to tell when; all is sent by {until}",
        "{name}：{zh}；待提交的 URL 由其他文件入队，文件过多，无法分别预测；全部于 {until}提交完毕"
    )
}

/// What waits of it waits for its domain.
pub fn blocked_of(name: &str, states: &Words, deadline: Option<&str>) -> Words {
    let (en, zh) = (&states.en, &states.zh);
    let late = deadline.map(|at| say!(", and the deadline is {at}", "，截止时间为 {at}")).unwrap_or_default();
    say!(
        "{name}: {en}; what waits belongs to domains that cannot be sent (`prefetchd hosts`)",
        "{name}：{zh}；待提交的 URL 因域名问题无法提交（`prefetchd hosts`）"
    ) + &late
}

/// Nothing of it waits.
pub fn nothing_waits_of(name: &str, states: &Words) -> Words {
    let (en, zh) = (&states.en, &states.zh);
    say!("nothing of {name} waits to be sent: {en}", "{name} 没有待提交的 URL：{zh}")
}
