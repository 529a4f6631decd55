//! How far a file has come, for `prefetchd wait`. Numbers are passed as text, as they are shown.

use super::Words;
use super::product::permission;
use crate::model::{Effect, UrlState};

/// A state, in everyday words.
pub fn state(state: UrlState) -> Words {
    match state {
        UrlState::Pending => Words::fixed("pending", "待提交"),
        UrlState::Leased => Words::fixed("being sent", "提交中"),
        UrlState::Submitted => Words::fixed("submitted", "已提交"),
        UrlState::Complete => Words::fixed("warm", "已预热"),
        UrlState::Failed => Words::fixed("failed", "失败"),
        UrlState::Expired => Words::fixed("expired", "已过期"),
        UrlState::Cancelled => Words::fixed("cancelled", "已取消"),
        UrlState::Held => Words::fixed("held", "挂起"),
        UrlState::Unconfirmed => Words::fixed("unconfirmed", "结果未知"),
    }
}

/// The same; of a URL for which everything was done, what it is now.
pub fn state_of(of: UrlState, effect: Effect) -> Words {
    match (of, effect) {
        (UrlState::Complete, Effect::Purged) => Words::fixed("purged", "已刷新"),
        (UrlState::Complete, Effect::Both) => Words::fixed("done", "已完成"),
        _ => state(of),
    }
}

/// This many URLs in a state.
pub fn counted(of: UrlState, effect: Effect, n: &str) -> Words {
    let state = state_of(of, effect);
    Words::made(format!("{n} {}", state.en), format!("{} {n}", state.zh))
}

/// Every URL has reached the goal.
pub fn all_reached(what: &str, urls: &str, goal: &Words) -> Words {
    let (are, all) = if urls == "1" { ("URL is", "its") } else { ("URLs are", "all") };
    Words::made(format!("{what}: {all} {urls} {are} {}", goal.en), format!("{what}：全部 {urls} 个 URL {}", goal.zh))
}

/// Nothing more reaches the goal by itself.
pub fn stuck(what: &str, reached: &str, all: &str, goal: &Words) -> Words {
    Words::made(
        format!("{what}: {reached} of {all} URLs are {}, and nothing more will be by itself", goal.en),
        format!("{what}：{all} 个 URL 中 {reached} 个{}，其余不会自行好转", goal.zh),
    )
}

/// How far it has come.
pub fn so_far(what: &str, reached: &str, all: &str, goal: &Words) -> Words {
    Words::made(
        format!("{what}: {reached} of {all} URLs {}", goal.en),
        format!("{what}：{all} 个 URL 中 {reached} 个{}", goal.zh),
    )
}

/// It lies in `incoming/` or is being read.
pub fn not_taken(what: &str) -> Words {
    Words::made(format!("{what}: not taken from incoming/ yet"), format!("{what}：尚在 incoming/ 中，未被读取"))
}

/// It lies in `incoming/` and is left alone.
pub fn left_in_incoming(what: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{what}: not taken from incoming/: {en}", "{what}：尚在 incoming/ 中：{zh}")
}

/// It is being read: more URLs may come.
pub fn reading() -> Words {
    Words::fixed("still being read", "仍在读取")
}

/// Nobody tells how the accepted URLs ended.
pub fn untold(n: &str) -> Words {
    let missing = permission(|of| of.tasks);
    Words::made(
        format!("{n} were accepted, and this key may not ask whether they are warm ({missing})"),
        format!("{n} 个已提交，但此密钥无权查询是否已预热（{missing}）"),
    )
}

/// So many are held, for this reason.
pub fn held(n: &str, why: &Words) -> Words {
    Words::made(format!("{n} held: {}", why.en), format!("{n} 个挂起：{}", why.zh))
}

/// Lines were refused.
pub fn lines_refused(what: &str, n: &str) -> Words {
    let lines = if n == "1" { "line was refused; it is" } else { "lines were refused; they are" };
    Words::made(format!("{what}: {n} {lines} not waited for"), format!("{what}：{n} 行无效，不在等待之列"))
}

/// The file was rejected.
pub fn rejected(what: &str, why: &str) -> Words {
    Words::made(format!("{what}: rejected: {why}"), format!("{what}：已拒收：{why}"))
}

/// The given time is over.
pub fn time_is_up() -> Words {
    Words::fixed("time is up", "等待超时")
}

/// Nobody works on it.
pub fn no_daemon() -> Words {
    Words::fixed(
        "no daemon runs, so that nothing changes: `prefetchd run`",
        "守护进程未运行，不会有变化：`prefetchd run`",
    )
}
