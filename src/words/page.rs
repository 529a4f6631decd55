//! The sentences of the status page. Numbers, moments and spans are passed as they are shown.

use super::{Words, many};
use crate::model::{LessWhy, Priority, UrlState};

/// Nothing needs anybody.
pub const NOTHING_NEEDS_YOU: Words = Words::fixed("Nothing needs you.", "没有待处理的事项。");

/// Nothing was charged yet.
pub const NOTHING_CHARGED: Words = Words::fixed("nothing was charged yet", "尚无用量");

/// More files than there is room for.
pub const MORE_FILES: Words = Words::fixed("and more: `prefetchd files`", "更多文件：`prefetchd files`");

/// What was spent today is uncertain.
pub const SPENT_UNSURE: Words = Words::fixed("what was spent today is not known for certain", "今日实际用量无法确定");

/// The service does not tell what is left.
pub const QUOTA_UNTOLD: Words = Words::fixed(
    "the service does not tell what is left of the day; what was charged here counts, and it is asked again every hour",
    "服务端未提供当日余量；以本机记录为准，每小时再查询一次",
);

/// Nothing can be sent.
pub const NOTHING_CAN_BE_SENT: Words = Words::fixed("nothing of it can be sent as it is", "目前均无法提交");

/// What somebody keeps from being copied back.
pub const WAL_HELD: Words =
    Words::fixed("a reader that stays open keeps it from being copied back", "有未关闭的读取者，无法写回数据库");

/// A file is being read.
pub const READING: Words = Words::fixed("still being read", "仍在读取");

/// Whether it runs, in everyday words; `health` is the word of the report.
pub fn health(health: &str, has_process: bool) -> Words {
    match health {
        "running" => Words::fixed("running", "运行中"),
        "paused" => Words::fixed("paused", "已暂停"),
        "stopping" => Words::fixed("stopping", "正在停止"),
        "stopped" => Words::fixed("stopped", "已停止"),
        "not running" => Words::fixed("not running", "未运行"),
        "blocked" => Words::fixed("running, but cannot use its database", "运行中，但无法使用数据库"),
        "silent" => Words::fixed("running, but without a sign of life", "运行中，但没有活动迹象"),
        "hanging" => Words::fixed("running, but a stage of it hangs", "运行中，但有环节停滞"),
        "database lost" if !has_process => {
            Words::fixed("not running, and its database is lost", "未运行，且数据库已丢失")
        }
        "database lost" => Words::fixed("running, but its database is lost", "运行中，但数据库已丢失"),
        other => Words::same(other),
    }
}

/// In whose spool a file lies.
pub fn on_host(host: &str) -> Words {
    say!("on {host}", "在主机 {host} 上")
}

/// Since when, and how long that is.
pub fn since(at: &str, span: &str) -> Words {
    say!(" since {at} ({span})", "，自 {at} 起（{span}）")
}

/// The offset of all times on the page.
pub fn times_are(zone: &str) -> Words {
    say!("; times are {zone}", "；时间为 {zone}")
}

/// Where the access key comes from.
pub fn key_from(source: &Words, refused: Option<&Words>, times: i64) -> Words {
    let (en, zh) = (&source.en, &source.zh);
    match (refused, times) {
        (Some(why), _) => Words::made(format!("from {en}: {}", why.en), format!("来自{zh}：{}", why.zh)),
        (None, 1) => say!("from {en}, replaced once since the start", "来自{zh}，启动后更换过 1 次"),
        (None, times) if times > 0 => {
            say!("from {en}, replaced {times} times since the start", "来自{zh}，启动后更换过 {times} 次")
        }
        _ => say!("from {en}", "来自{zh}"),
    }
}

/// What is waited for, until then.
pub fn waiting_for(what: &Words, until: Option<&str>) -> Words {
    let (en, zh) = (&what.en, &what.zh);
    match until {
        Some(until) => say!("for {en}, until {until}", "{zh}，至 {until}"),
        None => say!("for {en}", "{zh}"),
    }
}

/// So many pending URLs.
pub fn pending(n: &str) -> Words {
    say!("{n} pending", "{n} 个待提交")
}

/// So many of a priority.
pub fn of_priority(n: &str, priority: Priority) -> Words {
    let words = super::labels::priority(priority);
    let (en, zh) = (&words.en, &words.zh);
    say!("{n} {en}", "{zh} {n}")
}

/// So many in a state, as on the page.
pub fn of_state(n: &str, state: UrlState) -> Words {
    let words = super::labels::state(state);
    let (en, zh) = (&words.en, &words.zh);
    say!("{n} {en}", "{zh} {n}")
}

/// Files that wait to be read.
pub fn handed_over(n: &str) -> Words {
    let files = many(n, "file is", "files are");
    say!("{files} handed over and not read yet, in no count", "{n} 个文件已投递、尚未读取，未计入")
}

/// The requests of the day.
pub fn requests(bar: &str, used: &str, limit: &str, left: Option<(&str, LessWhy)>) -> Words {
    match left {
        Some((left, why)) => {
            let Words { en, zh } = less(why);
            say!(
                "{bar} {used} of {limit} requests, and {left} really left: {en}",
                "{bar} {used}/{limit} 次请求，实际只剩 {left} 次：{zh}"
            )
        }
        None => say!("{bar} {used} of {limit} requests", "{bar} {used}/{limit} 次请求"),
    }
}

/// Why fewer requests are left than was to be expected.
pub const fn less(why: LessWhy) -> Words {
    match why {
        LessWhy::UsedUp => Words::fixed("the service says that today's quota is used up", "服务端称当日配额已用完"),
        LessWhy::UrlsSpent => {
            Words::fixed("the day's URLs are spent ([budget] urls_per_day)", "当日 URL 已用完（[budget] urls_per_day）")
        }
        LessWhy::SmallQuota => Words::fixed(
            "the service's quota is smaller than [budget] requests_per_day",
            "服务端配额小于 [budget] requests_per_day",
        ),
        LessWhy::Others => Words::fixed("the service's quota is spent by others too", "其他程序也在使用服务端配额"),
        LessWhy::Told => Words::fixed("the service says that no more is left", "服务端称余量只有这些"),
    }
}

/// The URLs of the day.
pub fn day_urls(used: &str, limit: Option<&str>) -> Words {
    let urls = many(used, "URL", "URLs");
    match limit {
        Some(limit) => say!("{used} of {limit} URLs", "{used}/{limit} 个 URL"),
        None => say!("{urls}", "{used} 个 URL"),
    }
}

/// The same of an action, in its unit.
pub fn day_spent(action: &str, used: &str, limit: Option<&str>, day: &str) -> Words {
    let spent = match (action, limit) {
        ("purge-directory", Some(limit)) => say!("{used} of {limit} directories", "{used}/{limit} 个目录"),
        ("purge-directory", None) => {
            let directories = many(used, "directory", "directories");
            say!("{directories}", "{used} 个目录")
        }
        _ => day_urls(used, limit),
    };
    spent + &say!(" on {day}", "（{day}）")
}

/// The day, and when it ends.
pub fn day_resets(day: &str, span: &str, at: &str) -> Words {
    say!("day {day}, resets in {span}, at {at}", "{day} 当日，{span}后（{at}）重置")
}

/// The last day with a charge.
pub fn last_day(day: &str) -> Words {
    say!("the last day that cost something is {day}", "最近有用量的一日是 {day}")
}

/// The beginning of the day was changed.
pub fn day_starts_from(at: &str) -> Words {
    say!(
        "day_starts was changed and holds from {at} on: no day gets two budgets",
        "day_starts 已修改，自 {at} 起生效：同一日不会有两份预算"
    )
}

/// What is kept for urgent URLs.
pub fn reserved(n: &str, until: &str) -> Words {
    let kept = many(n, "request is", "requests are");
    say!("{kept} kept for urgent URLs until {until}", "{until} 之前为紧急 URL 预留 {n} 次请求")
}

/// What the service says of its quota: `unit` is `requests` or `urls`, once known.
pub fn quota(remain: &str, quota: &str, unit: Option<&str>, seen: Option<&str>, others: Option<&str>) -> Words {
    let (unit_en, unit_zh) = match unit {
        Some("requests") => ("requests", "请求次数"),
        Some(_) => ("urls", "URL 数"),
        None => ("requests or URLs, not known yet", "请求次数或 URL 数，尚未确定"),
    };
    let seen = seen.map(|at| say!(", seen {at}", "，{at} 查询")).unwrap_or_default();
    let others = others.map(|n| say!("; {n} were spent by others", "；其他程序用掉 {n}")).unwrap_or_default();
    Words::made(
        format!("{remain} of {quota} left at the service ({unit_en}){}{}", seen.en, others.en),
        format!("服务端余量 {remain}/{quota}（{unit_zh}）{}{}", seen.zh, others.zh),
    )
}

/// The service's code that says nothing is left.
pub fn exhausted(code: &str) -> Words {
    say!("the service says that nothing is left today: {code}", "服务端称当日已无余量：{code}")
}

/// What is in flight.
pub fn in_flight(n: &str, limit: &str) -> Words {
    let urls = many(n, "URL", "URLs");
    say!("{urls}; the service's queue takes about {limit}", "{n} 个 URL；服务端预热队列约可容纳 {limit} 个")
}

/// The file that has waited longest.
pub fn oldest(file: &str, since: &Words, pending: &str) -> Words {
    let (en, zh) = (&since.en, &since.zh);
    say!("{file} waits{en}, {pending} pending", "{file}{zh}，{pending} 个待提交")
}

/// A file that is left alone.
pub fn left_alone(name: &str, span: Option<&str>, why: &Words) -> Words {
    let span = span.map(|span| say!(", unchanged for {span}", "，{span}未变")).unwrap_or_default();
    Words::made(
        format!("{name} in incoming/{}: {}", span.en, why.en),
        format!("incoming/ 中的 {name}{}：{}", span.zh, why.zh),
    )
}

/// Files being read.
pub fn files_reading(n: &str) -> Words {
    let files = many(n, "file is", "files are");
    say!("{files} being read; what is not queued yet is not counted", "正在读取 {n} 个文件；尚未入队的未计入")
}

/// Calls in doubt.
pub fn in_doubt(n: &str) -> Words {
    let batches = many(n, "submission", "submissions");
    say!("{batches} without an answer, being looked into", "{n} 个批次未收到应答，正在核实")
}

/// URLs of blocked domains.
pub fn parked(n: &str) -> Words {
    let urls = many(n, "pending URL is of a domain", "pending URLs are of domains");
    say!("{urls} that may not be sent", "{n} 个待提交 URL 的域名不可提交")
}

/// Suspected URLs.
pub fn suspected(n: &str) -> Words {
    let urls = many(n, "URL was", "URLs were");
    say!("{urls} in refused batches; the bad ones are being found", "{n} 个 URL 曾在被拒绝的批次中，正在查找有误的 URL")
}

/// URLs that may have been sent twice.
pub fn possible_doubles(n: &str) -> Words {
    let urls = many(n, "URL was sent anew although it", "URLs were sent anew although they");
    say!("{urls} may have been accepted", "{n} 个 URL 可能已受理，但又提交了一次")
}

/// URLs whose end nobody knows, and the two commands for them.
pub fn unconfirmed(n: &str, list: &str, retry: &str) -> Words {
    let urls = many(n, "URL was", "URLs were");
    say!(
        "{urls} accepted, and nobody knows how that ended: `{list}` says why, `{retry}` sends them a second time",
        "{n} 个 URL 已提交但结果未知：`{list}` 可查看原因，`{retry}` 可再提交一次"
    )
}

/// So many requests on so many days.
pub fn requests_on_days(requests: &str, days: &str) -> Words {
    let (requests_en, days_en) = (many(requests, "request", "requests"), many(days, "day", "days"));
    say!("{requests_en} on {days_en}", "{requests} 次请求，分 {days} 日")
}

/// The forecast while nothing is sent.
pub fn no_forecast(cost: &Words) -> Words {
    let (en, zh) = (&cost.en, &cost.zh);
    say!("none while nothing is sent; it will take {en}", "未在提交，无法预测；共需 {zh}")
}

/// What is not sent within the forecast.
pub fn beyond(at: &str, urls: &str) -> Words {
    say!("not sent by {at}: {urls} URLs", "{at} 前无法提交：{urls} 个 URL")
}

/// When the last of an action beside prefetching is sent.
pub fn lane_sent_by(until: &str) -> Words {
    say!("all sent by {until}", "{until}提交完毕")
}

/// When all is sent.
pub fn all_sent_by(until: &str, cost: &Words) -> Words {
    let (en, zh) = (&cost.en, &cost.zh);
    say!("all sent by {until}, with {en}", "{until}提交完毕，需 {zh}")
}

/// A deadline at risk: so many of all will miss it, or may be cold then.
pub fn risk(file: &Words, n: &str, of: &str, is_missed: bool, deadline: &str) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    if is_missed {
        say!("{en}: {n} of {of} URLs will miss {deadline}", "{zh}：{of} 个 URL 中 {n} 个将错过 {deadline}")
    } else {
        say!(
            "{en}: {n} of {of} URLs may not be warm by {deadline}",
            "{zh}：{of} 个 URL 中 {n} 个到 {deadline} 可能尚未预热"
        )
    }
}

/// What was sent in the last hour.
pub fn pace(requests: &str, urls: &str) -> Words {
    let (requests_en, urls_en) = (many(requests, "request", "requests"), many(urls, "URL", "URLs"));
    say!("{requests_en} and {urls_en} in the last hour", "过去一小时 {requests} 次请求、{urls} 个 URL")
}

/// A deadline.
pub fn deadline(at: &str) -> Words {
    say!("deadline {at}", "截止时间 {at}")
}

/// Lines that were merged, fresh or refused.
pub fn lines(merged: Option<&str>, fresh: Option<&str>, refused: Option<&str>) -> Vec<Words> {
    let merged = merged.map(|n| say!("{n} merged", "合并 {n}"));
    let fresh = fresh.map(|n| say!("{n} fresh", "近期已预热 {n}"));
    let refused = refused.map(|n| say!("{n} refused", "无效行 {n}"));
    merged.into_iter().chain(fresh).chain(refused).collect()
}

/// How long it took.
pub fn warm_after(median: &str, most: &str) -> Words {
    say!("warm after {median} at the median, {most} for 95 of 100", "预热用时：中位数 {median}，95% 在 {most} 内")
}

/// Why a file was rejected.
pub fn rejected(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("rejected: {en}", "已拒收：{zh}")
}

/// Needs that found no room.
pub fn more_needs(n: usize, command: &str) -> Words {
    say!("and {n} more: `{command}` lists all", "另有 {n} 项：`{command}` 列出全部")
}

/// Headings of the table of files.
pub const FILE_HEADS: [Words; 5] = [
    Words::fixed("file", "文件"),
    Words::fixed("lines", "行数"),
    Words::fixed("pending", "待提交"),
    Words::fixed("submitted", "已提交"),
    Words::fixed("complete", "已预热"),
];
