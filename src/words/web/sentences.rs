//! Sentences with numbers and names in them.

use crate::model::{Effect, LessWhy, UrlState};
use crate::words::page::less;
use crate::words::{Words, many, progress};

/// A moment ahead.
pub fn until(at: &str, span: &Words) -> Words {
    Words::made(format!("{at} (in {})", span.en), format!("{at}（{}后）", span.zh))
}

/// A moment that is over.
pub fn since(at: &str, span: &Words) -> Words {
    Words::made(format!("{at} ({} ago)", span.en), format!("{at}（{}前）", span.zh))
}

/// The verdict where something needs somebody.
pub fn need_you(n: usize) -> Words {
    let things = if n == 1 { "1 thing needs you".to_owned() } else { format!("{n} things need you") };
    Words::made(things, format!("有 {n} 项需要处理"))
}

/// In whose spool a file lies.
pub fn on_host(host: &str) -> Words {
    say!("on {host}", "在主机 {host} 上")
}

/// The state of the daemon since a moment.
pub fn daemon(health: &str, since: Option<&str>, pid: Option<i64>) -> Words {
    let (en, zh) = match health {
        "running" => ("the daemon is running", "守护进程正在运行"),
        "paused" => ("the daemon is running, and sending is paused", "守护进程正在运行，已暂停提交"),
        "stopping" => ("the daemon is stopping", "守护进程正在停止"),
        "blocked" => ("the daemon is running, but cannot use its database", "守护进程正在运行，但无法使用数据库"),
        "silent" => ("the daemon gives no sign of life", "守护进程没有存活信号"),
        "hanging" => ("the daemon is running, but a stage of it hangs", "守护进程正在运行，但有环节停滞"),
        "database lost" => ("the daemon is running, but its database is lost", "守护进程正在运行，但数据库已丢失"),
        _ => ("the daemon is not running", "守护进程未运行"),
    };
    let mut words = Words::fixed(en, zh);
    if let Some(since) = since {
        words = Words::made(format!("{}, since {since}", words.en), format!("{}，自 {since}起", words.zh));
    }
    match pid {
        Some(pid) => words.and(&Words::made(format!("pid {pid}"), format!("pid {pid}"))),
        None => words,
    }
}

/// The heading of the day.
pub fn day(day: &str, zone: &str) -> Words {
    say!("the budget day {day} (times are {zone})", "预算日 {day}（时间为 {zone}）")
}

/// So many requests.
pub fn requests(n: &str) -> Words {
    Words::made(many(n, "request", "requests"), format!("{n} 次请求"))
}

/// So many URLs.
pub fn urls(n: &str) -> Words {
    Words::made(many(n, "URL", "URLs"), format!("{n} 个 URL"))
}

/// So many directories.
pub fn directories(n: &str) -> Words {
    Words::made(many(n, "directory", "directories"), format!("{n} 个目录"))
}

/// What is left at the service of an action's quota.
pub fn quota_of(remain: &str, quota: &Words) -> Words {
    Words::made(format!("{remain} of {} left", quota.en), format!("{}中剩余 {remain}", quota.zh))
}

/// So much of a limit.
pub fn of(n: &str, limit: &Words) -> Words {
    Words::made(format!("{n} of {}", limit.en), format!("{}中的 {n}", limit.zh))
}

/// So much of a limit is spent.
pub fn spent_of(n: &str, limit: &Words) -> Words {
    Words::made(format!("{n} of {} spent", limit.en), format!("{}中已用 {n}", limit.zh))
}

/// What is really left, and why that is less than was to be expected.
pub fn left(n: &Words, why: Option<LessWhy>) -> Words {
    let Some(why) = why.map(less) else { return n.clone() };
    Words::made(format!("{}: {}", n.en, why.en), format!("{}：{}", n.zh, why.zh))
}

/// What the service said is left.
pub fn quota(remain: &str, quota: &str, unit: Option<&str>, seen: &str) -> Words {
    let (en, zh) = match unit {
        Some("requests") => ("requests", "次请求"),
        Some("urls") => ("URLs", "个 URL"),
        _ => ("(requests or URLs: not known yet)", "（单位未知：请求或 URL）"),
    };
    say!("{remain} of {quota} {en} left, seen {seen}", "{quota} {zh}中剩余 {remain}，查询于 {seen}")
}

/// What others spent of the quota.
pub fn by_others(n: &str) -> Words {
    say!("{n} of it were spent by others", "其中 {n} 被其他方使用")
}

/// The service's code that nothing is left.
pub fn used_up(code: &str) -> Words {
    say!("the service says that nothing is left today: {code}", "服务端称今日已无剩余：{code}")
}

/// What an even pace would have spent by now.
pub fn even(n: &Words) -> Words {
    Words::made(format!("{} by now", n.en), format!("至此应为 {}", n.zh))
}

/// URLs in the service's own queue, and how many it takes.
pub fn in_flight(n: &Words, limit: Option<&str>) -> Words {
    match limit {
        Some(limit) => Words::made(
            format!("{}; the service takes about {limit}", n.en),
            format!("{}；服务端约可容纳 {limit} 个", n.zh),
        ),
        None => n.clone(),
    }
}

/// Requests kept for urgent URLs.
pub fn reserve(n: &Words, until: &str) -> Words {
    Words::made(format!("{} kept for urgent URLs until {until}", n.en), format!("{}留给紧急 URL，直到 {until}", n.zh))
}

/// The title of the chart of the day.
pub fn spending_title(unit: &Words) -> Words {
    Words::made(format!("{} spent over the day", unit.en), format!("本日{}用量", unit.zh))
}

/// What can be seen on it.
pub fn spending_text(used: &str, limit: &str, even: &str) -> Words {
    say!(
        "a step line from 0 to {used}; the budget is {limit}; an even pace would be at {even} now",
        "从 0 到 {used} 的阶梯线；预算为 {limit}；匀速应为 {even}"
    )
}

/// The file that has waited longest.
pub fn oldest(file: &str, since: &str, pending: &str) -> Words {
    say!("{file}, dropped {since}, {pending} pending", "{file}，投递于 {since}，{pending} 个待提交")
}

/// Files handed over and not read.
pub fn incoming(n: &str) -> Words {
    Words::made(
        format!("{} handed over, in no count yet", many(n, "file", "files")),
        format!("{n} 个文件已投递，尚未计入"),
    )
}

/// An entry of `incoming/` that is left alone.
pub fn left_alone(name: &str, why: &Words) -> Words {
    say!("{name} is left alone in incoming/", "incoming/ 中的 {name} 未读取").then(why)
}

/// Submissions without an answer.
pub fn in_doubt(n: &str) -> Words {
    Words::made(
        format!("{} without an answer, being looked into", many(n, "batch", "batches")),
        format!("{n} 个批次没有应答，正在核实"),
    )
}

/// URLs under suspicion.
pub fn suspected(n: &Words) -> Words {
    Words::made(
        format!("{} in refused batches: the bad ones are being found", n.en),
        format!("{}在被拒绝的批次中：正在查找有问题的 URL", n.zh),
    )
}

/// URLs of blocked domains.
pub fn parked(n: &Words) -> Words {
    Words::made(format!("{} of domains that are not well", n.en), format!("{}的域名异常", n.zh))
}

/// URLs sent anew.
pub fn doubles(n: &Words) -> Words {
    Words::made(
        format!("{} sent anew although it may have been accepted", n.en),
        format!("{}可能已受理但又再次提交", n.zh),
    )
}

/// What the rest of the queue costs.
pub fn costs(requests: &Words, days: &str) -> Words {
    Words::made(format!("{} on {}", requests.en, many(days, "day", "days")), format!("{days} 天内 {}", requests.zh))
}

/// What is not sent within the forecast.
pub fn beyond(n: &Words, at: &str) -> Words {
    Words::made(format!("{} not by {at}", n.en), format!("{}在 {at} 前无法提交", n.zh))
}

/// A deadline that is not met.
pub fn at_risk(n: &str, urls: &Words, is_missed: bool) -> Words {
    if is_missed {
        Words::made(format!("{n} of {} will miss it", urls.en), format!("{}中 {n} 个将错过", urls.zh))
    } else {
        Words::made(
            format!("{n} of {} may not be warm by then", urls.en),
            format!("{}中 {n} 个届时可能尚未预热", urls.zh),
        )
    }
}

/// What became of a batch.
pub fn outcome(word: &str) -> Words {
    let (en, zh) = match word {
        "open" => ("being sent", "提交中"),
        "accepted" => ("accepted", "已受理"),
        "refused" => ("refused", "被拒绝"),
        "throttled" => ("throttled", "被限流"),
        "minute_full" => ("domain's minute full", "域名本分钟已满"),
        "unreachable" => ("service not reached", "无法连接服务端"),
        "unavailable" => ("service failed", "服务端故障"),
        "in_doubt" => ("no answer", "没有应答"),
        "quota_used_up" => ("quota used up", "配额已用完"),
        "queue_full" => ("service's queue full", "服务端预热队列已满"),
        "batch_too_large" => ("batch too large", "批次过大"),
        "account_fault" => ("fault of the account", "账号问题"),
        "clock_skew" => ("clock off", "时钟偏差"),
        "domain_not_configured" => ("domain not configured", "域名未配置"),
        other => return Words::same(other),
    };
    Words::fixed(en, zh)
}

/// A state with its number.
pub fn counted(state: UrlState, effect: Effect, n: &str) -> Words {
    progress::counted(state, effect, n)
}

/// A part of the query that cannot be read.
pub fn bad_query(name: &str, allowed: &str) -> Words {
    say!("`{name}` may be, once: {allowed}", "`{name}` 只能出现一次，可为：{allowed}")
}

/// A file whose rows are gone.
pub fn gone(name: &str, at: &str) -> Words {
    say!(
        "it was {name}, dropped {at}; its URLs were forgotten when [database] keep was over",
        "文件 {name}，投递于 {at}；其 URL 记录已超过 [database] keep 而清除"
    )
}

/// A file is so large that only the first rows are looked at.
pub fn only_first(n: &Words) -> Words {
    Words::made(
        format!("only the first {} of it are looked at here; `prefetchd status FILE` looks at all", n.en),
        format!("此处只统计前 {}；`prefetchd status FILE` 统计全部", n.zh),
    )
}

/// How many URLs of a file are done: `is` says what that means.
pub fn done_of(n: &str, urls: &Words, is: &Words) -> Words {
    Words::made(format!("{n} of {} are {}", urls.en, is.en), format!("{}中{} {n} 个", urls.zh, is.zh))
}

/// All URLs of a file are done.
pub fn all_done(urls: &Words, is: &Words) -> Words {
    Words::made(format!("{}: all {}", is.en, urls.en), format!("全部 {}{}", urls.zh, is.zh))
}

/// Nothing more becomes warm by itself.
pub fn stuck(words: &Words) -> Words {
    Words::made(format!("{}, and nothing more will be by itself", words.en), format!("{}，其余不会自行好转", words.zh))
}

/// What became of the lines of a file.
pub fn lines(lines: &str, queued: &str, merged: &str, fresh: &str, refused: &str) -> Words {
    say!(
        "{lines}: {queued} queued, {merged} merged into URLs that were there, {fresh} warm lately, {refused} refused",
        "{lines}：入队 {queued}，合并到已有 URL {merged}，近期已预热 {fresh}，无效 {refused}"
    )
}

/// How long it took.
pub fn warm_after(median: &Words, most: &Words) -> Words {
    Words::made(
        format!("{} at the median, {} for 95 of 100", median.en, most.en),
        format!("中位数 {}，95% 在 {} 内", median.zh, most.zh),
    )
}

/// What can be seen on the chart of URLs warm an hour.
pub fn warm_text(urls: &Words, hours: &str, most: &str) -> Words {
    Words::made(
        format!("{} in {}, at most {most} in one", urls.en, many(hours, "hour", "hours")),
        format!("{hours} 小时内 {}，一小时最多 {most} 个", urls.zh),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_fits_its_number() {
        assert_eq!(requests("1").en, "1 request");
        assert_eq!(urls("1,000").en, "1,000 URLs");
        assert_eq!(need_you(1).en, "1 thing needs you");
        assert_eq!(need_you(2).zh, "有 2 项需要处理");
    }
}
