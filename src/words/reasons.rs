//! Why URLs, domains and the account are in their state.

use super::Words;
use super::product::{permission, title};
use crate::model::{AccountFault, PauseWhy, Reason, ReasonKind};

/// What is wrong with the account, and what to do.
pub fn account_fault(fault: AccountFault) -> Words {
    match fault {
        AccountFault::NotActivated => {
            let [en, zh] = title();
            Words::made(
                format!("{en} is not activated for this account; activate it in the console"),
                format!("此账号未开通{zh}；请在控制台开通"),
            )
        }
        AccountFault::Suspended => Words::fixed(
            "the account is suspended for an overdue payment; settle it in the console",
            "账号因欠费被停用；请在控制台结清",
        ),
        AccountFault::UnknownKey => Words::fixed(
            "the access key does not exist or is disabled; set another one",
            "AccessKey 不存在或已禁用；请更换",
        ),
        AccountFault::WrongSecret => Words::fixed(
            "the secret does not belong to the access key; correct it",
            "AccessKey Secret 与 AccessKey ID 不匹配；请更正",
        ),
        AccountFault::Forbidden => {
            let missing = permission(|of| of.prefetch);
            Words::made(
                format!("the access key's policy does not allow {missing}; grant it in the RAM console"),
                format!("AccessKey 的权限策略不允许 {missing}；请在 RAM 控制台授权"),
            )
        }
        AccountFault::PurgeForbidden => {
            let missing = permission(|of| of.purge);
            Words::made(
                format!(
                    "the access key's policy does not allow {missing}, so nothing is purged; grant it in the RAM \
                     console"
                ),
                format!("AccessKey 的权限策略不允许 {missing}，无法刷新（清除）缓存；请在 RAM 控制台授权"),
            )
        }
        AccountFault::BadToken => Words::fixed(
            "the security token is invalid or expired; renew the temporary credentials",
            "安全令牌（STS Token）无效或已过期；请更新临时凭证",
        ),
        AccountFault::NoKey => Words::fixed(
            "there is no valid access key, since its source gives none; `prefetchd status` shows what it says",
            "没有有效的 AccessKey：凭证来源未能提供；原因见 `prefetchd status`",
        ),
    }
}

/// Why a URL, a domain or the account is in its state, with what the service said.
pub fn reason(reason: &Reason) -> Words {
    let said = reason.said.as_str();
    match reason.kind {
        ReasonKind::Text => Words::made(said.to_owned(), said.to_owned()),
        ReasonKind::FailedAtOrigin => {
            Words::made(format!("it failed at the origin: {said}"), format!("回源失败：{said}"))
        }
        ReasonKind::SentOnceMore => Words::made(
            format!("it failed at the origin: {said}; it is sent once more"),
            format!("回源失败：{said}；将再提交一次"),
        ),
        ReasonKind::OddEnd => untold(&format!("the service says {said}"), &format!("服务端返回状态 {said}")),
        ReasonKind::PartlyComplete => untold(
            &format!("the service called it complete at {said}, and never more"),
            &format!("服务端在 {said} 时即称完成，此后再无进展"),
        ),
        ReasonKind::NotOnline => Words::made(
            format!("the domain is `{said}` at the service; it goes on when it is online"),
            format!("加速域名在服务端的状态为 `{said}`；上线后自动继续"),
        ),
        ReasonKind::PurgeEnded => purge_ended(said),
        ReasonKind::PurgeUntold => purge_untold(),
        ReasonKind::AskingQuota => {
            let came_to = reason_kind(said.parse().unwrap_or(ReasonKind::UnknownAnswer));
            Words::made(
                format!("reading the day's remaining quota: {}", came_to.en),
                format!("查询当日剩余配额：{}", came_to.zh),
            )
        }
        kind if said.is_empty() => reason_kind(kind),
        kind => {
            let words = reason_kind(kind);
            Words::made(format!("{} ({said})", words.en), format!("{}（{said}）", words.zh))
        }
    }
}

fn untold(en: &str, zh: &str) -> Words {
    Words::made(format!("accepted, and nobody knows how it ended: {en}"), format!("已受理，结果未知：{zh}"))
}

/// The purge that comes before a prefetch ended, in this state.
fn purge_ended(state: &str) -> Words {
    let zh = match state {
        "failed" => "失败",
        "expired" => "已过期",
        "cancelled" => "已取消",
        "unconfirmed" => "结果未知",
        _ => "未完成",
    };
    Words::made(
        format!("its purge is {state}; `prefetchd retry` of its file or URL purges and prefetches it again"),
        format!("其刷新（清除缓存）{zh}；对其文件或 URL 执行 `prefetchd retry` 可重新刷新并预热"),
    )
}

/// The purge that comes before a prefetch was accepted, and nobody may ask whether it is complete.
fn purge_untold() -> Words {
    let missing = permission(|of| of.tasks);
    Words::made(
        format!(
            "its purge was accepted, and this key may not ask whether it is complete ({missing}): grant that, or \
             prefetch it with `prefetchd retry` of its file or URL once the purge has had its time (minutes)"
        ),
        format!(
            "其刷新（清除缓存）已受理，但此 AccessKey 无权查询是否完成（{missing}）：请授权，或待刷新生效（数分钟）后\
             对其文件或 URL 执行 `prefetchd retry` 以预热"
        ),
    )
}

/// The sentence of a reason, without what was said.
pub fn reason_kind(kind: ReasonKind) -> Words {
    match kind {
        ReasonKind::NotActivated => account_fault(AccountFault::NotActivated),
        ReasonKind::Suspended => account_fault(AccountFault::Suspended),
        ReasonKind::UnknownKey => account_fault(AccountFault::UnknownKey),
        ReasonKind::WrongSecret => account_fault(AccountFault::WrongSecret),
        ReasonKind::Forbidden => account_fault(AccountFault::Forbidden),
        ReasonKind::PurgeForbidden => account_fault(AccountFault::PurgeForbidden),
        ReasonKind::BadToken => account_fault(AccountFault::BadToken),
        ReasonKind::NoKey => account_fault(AccountFault::NoKey),
        ReasonKind::MalformedUrl
        | ReasonKind::WildcardDomain
        | ReasonKind::ForeignDomain
        | ReasonKind::OfflineDomain
        | ReasonKind::IllegalDomain
        | ReasonKind::MissingParameter => refusal(kind),
        ReasonKind::NoTaskListed
        | ReasonKind::TasksUnreadable
        | ReasonKind::FailedAtOrigin
        | ReasonKind::SentOnceMore
        | ReasonKind::TasksForbidden
        | ReasonKind::NoEnd
        | ReasonKind::NotAsked
        | ReasonKind::OddEnd
        | ReasonKind::PartlyComplete => of_tasks(kind),
        ReasonKind::MarkerUnwritten
        | ReasonKind::DeadlinePassed
        | ReasonKind::Cancelled
        | ReasonKind::PurgeEnded
        | ReasonKind::PurgeUntold
        | ReasonKind::IsolationSpent
        | ReasonKind::IsolationOff
        | ReasonKind::NotOnline
        | ReasonKind::NotInAccount
        | ReasonKind::Text => of_here(kind),
        _ => deferral(kind),
    }
}

/// Why a call must be made again.
const fn deferral(kind: ReasonKind) -> Words {
    match kind {
        ReasonKind::Unreachable => Words::fixed("the service could not be reached", "无法连接服务端"),
        ReasonKind::InDoubt => {
            Words::fixed("no whole answer came: it may have been accepted", "未收到完整应答：可能已受理")
        }
        ReasonKind::ArrivedBefore => {
            Words::fixed("it had arrived before: it may have been accepted", "请求先前已到达：可能已受理")
        }
        ReasonKind::Throttled => Words::fixed("the service throttles this account", "服务端对此账号限流"),
        ReasonKind::Unavailable => Words::fixed("the service failed", "服务端故障"),
        ReasonKind::QuotaUsedUp => {
            Words::fixed("the service says that today's quota is used up", "服务端称当日预热配额已用完")
        }
        ReasonKind::MinuteFull => Words::fixed(
            "the service takes no more URLs of the domain this minute",
            "该域名已达服务端每分钟 URL 数上限",
        ),
        ReasonKind::QueueFull => Words::fixed("the service's queue of prefetches is full", "服务端的预热队列已满"),
        ReasonKind::BatchTooLarge => {
            Words::fixed("the service accepts fewer URLs per call", "服务端单次请求接受的 URL 数更少")
        }
        ReasonKind::UrlsMisplaced => Words::fixed(
            "the service does not read URLs in the body of a call; they go in its query",
            "服务端不读取请求正文中的 URL；改用查询参数提交",
        ),
        ReasonKind::ClockSkew => Words::fixed(
            "this machine's clock is off by more than the service accepts; set it",
            "本机时钟偏差超过服务端允许的范围；请校准",
        ),
        ReasonKind::DomainNotConfigured => {
            Words::fixed("the service failed to configure a domain", "服务端未能配置加速域名")
        }
        ReasonKind::AskingQuota => Words::fixed("the day's remaining quota could not be read", "无法查询当日剩余配额"),
        ReasonKind::QuotaDisputed => Words::fixed(
            "the service refused a batch for the day's quota; it is asked what is left, and if something is, another \
            try follows",
            "服务端以当日配额为由拒绝批次；将查询剩余配额，如有剩余则再次尝试",
        ),
        ReasonKind::TimeDisputed => Words::fixed(
            "the service's answers do not agree on the time; it is asked again (see the log)",
            "服务端各次应答的时间不一致；将再次查询（见日志）",
        ),
        _ => Words::fixed("an answer that is not documented", "应答不在官方文档之列"),
    }
}

/// Why the service will not take a batch.
const fn refusal(kind: ReasonKind) -> Words {
    match kind {
        ReasonKind::MalformedUrl => {
            Words::fixed("the service calls a URL of the batch malformed", "服务端认为批次中有 URL 格式错误")
        }
        ReasonKind::WildcardDomain => {
            Words::fixed("the service finds a wildcard domain in the batch", "服务端认为批次中有泛域名")
        }
        ReasonKind::ForeignDomain => {
            Words::fixed("a domain of the batch is not the account's", "批次中有域名不属于此账号")
        }
        ReasonKind::OfflineDomain => Words::fixed("a domain of the batch is switched off", "批次中有域名已停用"),
        ReasonKind::IllegalDomain => {
            Words::fixed("a domain of the batch may not be operated on", "批次中有域名不允许操作")
        }
        _ => Words::fixed(
            "the service says that a parameter is missing: this is a bug of prefetchd, please report it",
            "服务端称缺少参数：这是 prefetchd 的缺陷，请报告",
        ),
    }
}

/// What the tasks showed, or did not show.
fn of_tasks(kind: ReasonKind) -> Words {
    match kind {
        ReasonKind::NoTaskListed => Words::fixed(
            "it may have been accepted: no answer came, and the service lists no task of it",
            "可能已受理：未收到应答，服务端也未列出其任务",
        ),
        ReasonKind::TasksUnreadable => Words::fixed(
            "it may have been accepted: no answer came, and tasks could not be asked for",
            "可能已受理：未收到应答，又无法查询任务",
        ),
        ReasonKind::FailedAtOrigin => Words::fixed("it failed at the origin", "回源失败"),
        ReasonKind::SentOnceMore => {
            Words::fixed("it failed at the origin; it is sent once more", "回源失败；将再提交一次")
        }
        ReasonKind::TasksForbidden => {
            let missing = permission(|of| of.tasks);
            untold(&format!("this key lacks the permission {missing}"), &format!("此 AccessKey 没有 {missing} 权限"))
        }
        ReasonKind::NoEnd => untold(
            "the service did not report its end within the three days for which it lists tasks",
            "在服务端保留任务的三天内未列出其结果",
        ),
        ReasonKind::NotAsked => untold(
            "its task was not asked for within the three days for which the service lists tasks",
            "在服务端保留任务的三天内未查询其任务",
        ),
        ReasonKind::OddEnd => untold("the service reports another state", "服务端返回其他状态"),
        _ => untold("the service called it complete in part", "服务端称部分完成"),
    }
}

/// Reasons that arise here, not at the service.
const fn of_here(kind: ReasonKind) -> Words {
    match kind {
        ReasonKind::MarkerUnwritten => {
            Words::fixed("the spool's marker could not be written", "无法写入投递目录的标记文件")
        }
        ReasonKind::DeadlinePassed => {
            Words::fixed("the deadline passed before it could be sent", "提交之前截止时间已过")
        }
        ReasonKind::Cancelled => Words::fixed("cancelled by the operator", "已由操作员取消"),
        ReasonKind::PurgeEnded => Words::fixed("its purge is not complete", "其刷新（清除缓存）未完成"),
        ReasonKind::PurgeUntold => {
            Words::fixed("nobody may ask whether its purge is complete", "无权查询其刷新（清除缓存）是否完成")
        }
        ReasonKind::IsolationSpent => Words::fixed(
            "it was in a batch that the service refused, and today's requests for finding out which URL is wrong are \
            spent ([retry] isolate_requests_max); it goes on tomorrow",
            "所在批次被服务端拒绝，今日用于查明错误 URL 的请求已用完（[retry] isolate_requests_max）；明日继续",
        ),
        ReasonKind::IsolationOff => Words::fixed(
            "it was in a batch that the service refused, and [retry] isolate_requests_max = 0 allows no request for \
            finding out which URL is wrong",
            "所在批次被服务端拒绝，而 [retry] isolate_requests_max = 0 不允许用请求查明哪个 URL 有误",
        ),
        ReasonKind::NotOnline => Words::fixed(
            "the domain is not online at the service; it goes on when it is",
            "加速域名在服务端未上线；上线后自动继续",
        ),
        ReasonKind::NotInAccount => Words::fixed(
            "the account has no such domain; it goes on when the domain is added there",
            "账号没有此加速域名；添加后自动继续",
        ),
        _ => Words::fixed("no reason was given", "未说明原因"),
    }
}

/// Why the account is paused.
pub fn pause(why: &PauseWhy) -> Words {
    match why {
        PauseWhy::Account(fault) => account_fault(*fault),
        PauseWhy::Text(text) => Words::made(text.clone(), text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_reason_has_a_word_and_sentences_of_its_own_in_both_languages() {
        let mut seen = BTreeSet::new();
        for kind in ReasonKind::VARIANTS {
            let words = reason_kind(*kind);
            assert!(!words.zh.is_ascii(), "{kind:?}: {}", words.zh);
            assert!(seen.insert(words.en.clone().into_owned()) && seen.insert(words.zh.into_owned()), "{kind:?}");
            assert_eq!(kind.code().parse(), Ok(*kind));
        }
        let faults = AccountFault::VARIANTS.iter().map(|fault| (fault.word(), ReasonKind::from(*fault)));
        assert!(faults.clone().all(|(word, kind)| kind.code() == word));
    }

    #[test]
    fn what_was_said_stands_in_both_languages() {
        let said = reason(&Reason::new(ReasonKind::Throttled, "Throttling.User"));
        assert_eq!(said.en, "the service throttles this account (Throttling.User)");
        assert_eq!(said.zh, "服务端对此账号限流（Throttling.User）");
        let asking = reason(&Reason::new(ReasonKind::AskingQuota, "unreachable"));
        assert_eq!(asking.en, "reading the day's remaining quota: the service could not be reached");
        assert_eq!(reason(&Reason::new(ReasonKind::Text, "as it was")).en, "as it was");
    }
}
