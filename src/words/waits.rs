//! Why nothing is sent.

use super::{Words, many, pause, reason};
use crate::config::in_words;
use crate::model::{Lane, Reason, Stopped, WaitWhy, rfc3339};

/// What the submitter waits for.
pub fn wait(why: &WaitWhy) -> Words {
    match why {
        WaitWhy::Idle => Words::fixed("URLs: the queue is empty", "URL：队列为空"),
        WaitWhy::NotYet => Words::fixed(
            "the time of the queued URLs: none of them may be sent yet",
            "队列中 URL 的时间：均未到可提交的时间",
        ),
        WaitWhy::Stopped(Stopped { why, by, since }) => {
            let since = rfc3339(*since);
            Words::made(
                format!("`prefetchd resume`: paused by {by} since {since}: {why}"),
                format!("`prefetchd resume`：自 {since} 起由 {by} 暂停：{why}"),
            )
        }
        WaitWhy::Account { why } => {
            let words = pause(why);
            Words::made(format!("the account: {}", words.en), format!("账号：{}", words.zh))
        }
        WaitWhy::BackingOff { why, failures } => backing_off(why, *failures),
        WaitWhy::Reset => Words::fixed("the next budget day, which begins in a moment", "即将开始的下一预算日"),
        WaitWhy::IsolationSpent { urls } => Words::made(
            format!(
                "the next budget day: {urls} URLs were in batches that the service refused, and today's requests for \
                 finding out which of them is wrong are spent ([retry] isolate_requests_max)"
            ),
            format!(
                "下一预算日：{urls} 个 URL 所在批次被服务端拒绝，今日用于查明错误 URL 的请求已用完（[retry] isolate_requests_max）"
            ),
        ),
        WaitWhy::Hosts { urls } => Words::made(
            format!(
                "domains: what remains ({urls} URL{}) belongs to domains that are not online in this account; \
                `prefetchd hosts` lists them, and it goes on when the domain is online",
                if *urls == 1 { "" } else { "s" }
            ),
            format!("域名：余下 {urls} 个 URL 的域名在此账号中未上线；`prefetchd hosts` 可列出，上线后自动继续"),
        ),
        WaitWhy::AwaitsPurge { urls } => Words::made(
            format!("purges: {urls} URLs or more are prefetched once their purge is complete"),
            format!("刷新（清除缓存）：至少 {urls} 个 URL 在其刷新完成后预热"),
        ),
        WaitWhy::MinuteFull { urls, limit } => say!(
            "the next minute: {urls} URLs or more belong to domains of which the service takes no more this minute \
             (about {limit} of a domain, as far as is known)",
            "下一分钟：至少 {urls} 个 URL 的域名已达服务端每分钟上限（据目前所知，每个域名约 {limit} 个）"
        ),
        WaitWhy::QueueFull { in_flight, limit } => Words::made(
            format!(
                "room in the service's queue: {in_flight} URLs are in flight there and about {limit} fit; the \
                daemon watches the tasks and goes on when some have ended"
            ),
            format!("服务端队列的空位：其中已有 {in_flight} 个 URL，约可容纳 {limit} 个；正在查询任务，部分结束后继续"),
        ),
        WaitWhy::OutsideWindow => {
            Words::fixed("the next window of [schedule] windows", "[schedule] windows 的下一时段")
        }
        WaitWhy::Lingering { urls, linger } => {
            let linger = in_words(*linger);
            Words::made(
                format!("more URLs: {urls} do not fill a batch, and requests are scarce (linger {linger})"),
                format!("更多 URL：{urls} 个不足一批，而请求次数紧张（linger {linger}）"),
            )
        }
        WaitWhy::Text(text) => Words::made(text.clone(), text.clone()),
        WaitWhy::RequestsSpent { .. }
        | WaitWhy::UrlsSpent { .. }
        | WaitWhy::QuotaUsedUp { .. }
        | WaitWhy::NothingRemains { .. }
        | WaitWhy::LedgerUnknown
        | WaitWhy::Reserved { .. } => of_budget(why),
    }
}

/// What a configured number of URLs pays for refused calls, where there is something.
fn in_refused_calls(urls: u32) -> Words {
    match urls {
        0 => Words::default(),
        _ => say!(
            ", {urls} of them in refused calls, which the service may count",
            "，其中 {urls} 个在被拒绝的请求里，服务端可能也计入配额"
        ),
    }
}

/// Why the submitter waits in a lane: what is counted there, and what is typed for it, is the lane's.
pub fn wait_of(lane: Lane, why: &WaitWhy) -> Words {
    let (unit, unit_zh) = match lane {
        Lane::Prefetch => return wait(why),
        Lane::Purge => (["URL", "URLs"], "个 URL"),
        Lane::PurgeDirectory => (["directory", "directories"], "个目录"),
    };
    let action = lane.word();
    match why {
        WaitWhy::UrlsSpent { limit, refused } => {
            let all = unit[1];
            let spent = say!(
                "the next budget day: all {limit} {all} of this one are spent",
                "下一预算日：本日 {limit} {unit_zh}已用完"
            );
            spent + &in_refused_calls(*refused)
        }
        WaitWhy::QuotaUsedUp { code } => say!(
            "the next budget day: the service says that today's quota is used up ({code})",
            "下一预算日：服务端称当日刷新配额已用完（{code}）"
        ),
        WaitWhy::Reserved { left } => {
            let is = format!("{} left is", unit[0]);
            let are = format!("{} left are", unit[1]);
            let kept = many(&left.to_string(), &is, &are);
            say!(
                "the release of the reserve: {kept} kept for urgent URLs",
                "预留额度释放：剩余 {left} {unit_zh}留给紧急 URL"
            )
        }
        WaitWhy::LedgerUnknown => say!(
            "the next budget day: the database is older than what was spent today, and the service's quota cannot be \
             read; `prefetchd budget confirm --action {action}` settles it",
            "下一预算日：数据库早于今日实际用量，又无法读取服务端配额；可用 `prefetchd budget confirm --action {action}` 确认"
        ),
        _ => wait(why),
    }
}

fn backing_off(why: &Reason, failures: u32) -> Words {
    let words = reason(why);
    let (en, zh, times) = (&words.en, &words.zh, many(&failures.to_string(), "failure", "failures"));
    say!("the next try after {times} in a row: {en}", "连续失败 {failures} 次后的下一次尝试：{zh}")
}

fn of_budget(why: &WaitWhy) -> Words {
    match why {
        WaitWhy::RequestsSpent { limit } => Words::made(
            format!("the next budget day: all {limit} requests of this one are spent"),
            format!("下一预算日：本日 {limit} 次请求已用完"),
        ),
        WaitWhy::UrlsSpent { limit, refused } => {
            let spent = say!(
                "the next budget day: all {limit} URLs of this one are spent",
                "下一预算日：本日 {limit} 个 URL 已用完"
            );
            spent + &in_refused_calls(*refused)
        }
        WaitWhy::QuotaUsedUp { code } => Words::made(
            format!("the next budget day: the service says that today's quota is used up ({code})"),
            format!("下一预算日：服务端称当日预热配额已用完（{code}）"),
        ),
        WaitWhy::NothingRemains { quota } => Words::made(
            format!("the service's quota: nothing remains of today's {quota}, as far as is known; it is asked again"),
            format!("服务端配额：据目前所知，当日配额 {quota} 已无剩余；将再次查询"),
        ),
        WaitWhy::Reserved { left } => Words::made(
            format!(
                "the release of the reserve: {} kept for urgent URLs",
                many(&left.to_string(), "request left is", "requests left are")
            ),
            format!("预留额度释放：剩余 {left} 次请求留给紧急 URL"),
        ),
        _ => Words::fixed(
            "the next budget day: the database is older than what was spent today, and the service's quota cannot be \
            read; `prefetchd budget confirm --requests-used N` settles it",
            "下一预算日：数据库早于今日实际用量，又无法读取服务端配额；可用 `prefetchd budget confirm --requests-used N` 确认",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{AccountFault, PauseWhy, ReasonKind, from_millis};

    #[test]
    fn every_wait_has_its_sentence_in_both_languages() {
        let stopped = Stopped { why: "the origin is down".into(), by: "alice".into(), since: from_millis(0) };
        for (why, en, zh) in [
            (
                WaitWhy::Stopped(stopped),
                "`prefetchd resume`: paused by alice since 1970-01-01T00:00:00Z: the origin is down",
                "`prefetchd resume`：自 1970-01-01T00:00:00Z 起由 alice 暂停：the origin is down",
            ),
            (
                WaitWhy::BackingOff { why: Reason::new(ReasonKind::Throttled, "Throttling"), failures: 2 },
                "the next try after 2 failures in a row: the service throttles this account (Throttling)",
                "连续失败 2 次后的下一次尝试：服务端对此账号限流（Throttling）",
            ),
            (
                WaitWhy::Account { why: PauseWhy::Account(AccountFault::Suspended) },
                "the account: the account is suspended for an overdue payment; settle it in the console",
                "账号：账号因欠费被停用；请在控制台结清",
            ),
            (
                WaitWhy::Lingering { urls: 7, linger: Duration::from_secs(600) },
                "more URLs: 7 do not fill a batch, and requests are scarce (linger 10m)",
                "更多 URL：7 个不足一批，而请求次数紧张（linger 10m）",
            ),
        ] {
            assert_eq!(wait_of(Lane::Prefetch, &why), wait(&why));
            assert_eq!(wait(&why), Words::made(en.to_owned(), zh.to_owned()), "{why:?}");
        }
    }

    #[test]
    fn a_wait_of_purges_names_what_they_count_and_their_own_command() {
        let says = |lane, why: &WaitWhy, en: &str, zh: &str| {
            let words = wait_of(lane, why);
            assert!(words.en.contains(en) && words.zh.contains(zh), "{words:?}");
        };
        let unknown = WaitWhy::LedgerUnknown;
        for (lane, command) in [
            (Lane::Prefetch, "`prefetchd budget confirm --requests-used N`"),
            (Lane::Purge, "`prefetchd budget confirm --action purge`"),
            (Lane::PurgeDirectory, "`prefetchd budget confirm --action purge-directory`"),
        ] {
            says(lane, &unknown, command, command);
        }
        says(Lane::PurgeDirectory, &WaitWhy::UrlsSpent { limit: 9, refused: 0 }, "all 9 directories", "9 个目录");
        says(Lane::Purge, &WaitWhy::Reserved { left: 1 }, "1 URL left is kept", "1 个 URL留给");
        says(Lane::Prefetch, &WaitWhy::Reserved { left: 1 }, "1 request left is kept", "1 次请求留给");
        says(Lane::Purge, &WaitWhy::Idle, "the queue is empty", "队列为空");
    }
}
