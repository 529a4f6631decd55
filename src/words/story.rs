//! What happened to a URL, for `prefetchd why`, and the headings and words of lists.

use super::{Words, labels, many};
use crate::model::{Effect, Lane, Priority, UrlState};

/// The word of an event.
pub fn event(word: &str) -> Words {
    let zh = match word {
        "dropped" => "投递",
        "not_before" => "最早时间",
        "deadline" => "截止时间",
        "domain" => "加速域名",
        "sent" => "提交",
        "answered" => "应答",
        "set aside" => "不采用",
        "checked" => "查询",
        "task" => "任务",
        "retry" => "重试",
        "cancel" => "取消",
        "prioritize" => "调整优先级",
        "order" => "指令",
        "wanted" => "需要",
        "ended" => "结束",
        "now" => "现在",
        other => other,
    };
    Words::made(word.to_owned(), zh.to_owned())
}

/// The heading of the column with the hosts of files.
pub const THE_HOST: Words = Words::fixed("host", "主机");

/// The heading of a list's column; in English its name in the view.
pub fn column(name: &str) -> Words {
    let zh = match name {
        "name" | "file" => "文件",
        "label" => "标签",
        "lines" => "行数",
        "line" => "行",
        "url" => "URL",
        "urls" => "URL 数",
        "state" | "standing" | "progress" => "状态",
        "reason" | "why" => "原因",
        "since" => "起始时间",
        "host" => "域名",
        "submission_id" => "批次",
        "opened_at" => "提交时间",
        "cost" => "请求次数",
        "outcome" => "结果",
        "code" => "错误码",
        "request_id" => "请求 ID",
        "task_ids" => "任务 ID",
        "priority" => "优先级",
        "attempts" => "尝试次数",
        "action" => "操作",
        "lane" => "操作",
        other => match other.parse::<UrlState>() {
            Ok(state) => return labels::state(state),
            Err(_) => other,
        },
    };
    Words::made(name.to_owned(), zh.to_owned())
}

/// The state of a URL with this action: of a purge, `complete` is not warm.
pub fn state_of(word: &str, action: &str) -> Words {
    let Ok(state) = word.parse::<UrlState>() else { return Words::same(word) };
    let effect = Effect::of(action.parse::<Lane>());
    Words { en: word.to_owned().into(), zh: super::progress::state_of(state, effect).zh }
}

/// A word of the database in a cell of this column.
pub fn cell(column: &str, word: &str) -> Words {
    let zh = match (column, word) {
        ("state", word) => match word.parse::<UrlState>() {
            Ok(state) => return labels::state(state),
            Err(_) => word,
        },
        ("priority", word) => match word.parse::<Priority>() {
            Ok(priority) => return labels::priority(priority),
            Err(_) => word,
        },
        ("action", word) => return labels::action(word),
        ("standing", "good") => "正常",
        ("standing", "refused") => "被拒绝",
        ("standing", "offline") => "未上线",
        ("standing", "unknown") => "未知",
        ("outcome", "accepted") => "已受理",
        ("outcome", "refused") => "被拒绝",
        ("outcome", "throttled") => "限流",
        ("outcome", "in_doubt") => "存疑",
        ("outcome", "open") => "进行中",
        ("progress", "reading") => "读取中",
        ("progress", "done") => "已读取",
        ("progress", "rejected") => "已拒收",
        _ => word,
    };
    Words::made(word.to_owned(), zh.to_owned())
}

/// What happened to the URL in another action than prefetching.
pub fn of_action(action: &str, text: &Words) -> Words {
    labels::action(action).then(text)
}

/// The offset of all times of a list.
pub fn times_are(zone: &str) -> Words {
    say!("(times are {zone})", "（时间为 {zone}）")
}

/// What is true now.
pub const NOW: Words = Words::fixed("now", "现在");

/// The line that queued it.
pub fn dropped(file: &str, line: i64, priority: &str, label: Option<&str>) -> Words {
    let priority = cell("priority", priority);
    let (en, zh) = (&priority.en, &priority.zh);
    let label = label.map(|label| say!(", label {label}", "，标签 {label}")).unwrap_or_default();
    say!("in {file}, line {line}, priority {en}", "{file} 第 {line} 行，优先级{zh}") + &label
}

/// When it may be sent ...
pub const NOT_BEFORE: Words = Words::fixed("not to be sent before this", "不早于此时提交");

/// ... and until when.
pub const NOT_AFTER: Words = Words::fixed("not to be sent after this", "不晚于此时提交");

/// The standing of its domain.
pub fn domain(host: &str, standing: &str, why: Option<&Words>) -> Words {
    let standing = cell("standing", standing);
    let (en, zh) = (&standing.en, &standing.zh);
    let text = say!("{host} is {en}", "{host} {zh}");
    why.map_or(text.clone(), |why| text.then(why))
}

/// What the service said of a task.
pub fn task(id: &str, status: &str, progress: Option<&str>) -> Words {
    let text = say!("task {id} is {status}", "任务 {id} 状态为 {status}");
    progress.map_or(text.clone(), |progress| text.and(&Words::same(progress)))
}

/// An operator's order.
pub fn order(who: &str, what: &str, rows: i64) -> Words {
    let urls = many(&rows.to_string(), "URL", "URLs");
    say!("by {who} ({what}; {urls})", "由 {who}（{what}；{rows} 个 URL）")
}

/// Its state, why, and how often it was tried.
pub fn state(state: &str, reason: Option<&Words>, attempts: i64) -> Words {
    let mut text = cell("state", state);
    if let Some(reason) = reason {
        text = text.then(reason);
    }
    let tried = many(&attempts.to_string(), "attempt", "attempts");
    text.also(&say!("{tried}", "尝试 {attempts} 次"))
}

/// It was sent.
pub fn sent(id: i64, urls: i64, nonce: &str) -> Words {
    let with = many(&urls.to_string(), "URL", "URLs");
    say!("in submission {id} with {with}, nonce {nonce}", "在批次 {id} 中，共 {urls} 个 URL，nonce {nonce}")
}

/// A task that proves nothing.
pub fn set_aside(tasks: &str, id: i64) -> Words {
    say!(
        "task {tasks} lists URLs of submission {id} and does not fit it: it proves nothing",
        "任务 {tasks} 含批次 {id} 的 URL，但与其不符：不能作为依据"
    )
}

/// The answer to a call, and what the service said in it.
pub fn answered(id: i64, outcome: &str, cost: i64, said: &[String]) -> Words {
    let outcome = cell("outcome", outcome);
    let (en, zh) = (&outcome.en, &outcome.zh);
    let said: String = said.iter().map(|said| format!(", {said}")).collect();
    say!("submission {id} {en}, cost {cost}{said}", "批次 {id} {zh}，计 {cost} 次请求{said}")
}

/// What one of several lines asks for.
pub fn wanted(file: &str, line: i64, priority: &str, was_fresh: bool) -> Words {
    let priority = cell("priority", priority);
    let (en, zh) = (&priority.en, &priority.zh);
    if was_fresh {
        say!(
            "named, while it was fresh, by {file}, line {line}, priority {en}",
            "{file} 第 {line} 行写了此 URL，当时刚预热过，优先级{zh}"
        )
    } else {
        say!("by {file}, line {line}, priority {en}", "{file} 第 {line} 行也需要，优先级{zh}")
    }
}

/// When that line wants it, and how its wish ended.
pub fn wish(not_before: Option<&str>, deadline: Option<&str>, ended: Option<&str>) -> Words {
    let not_before = not_before.map(|at| say!(", not before {at}", "，不早于 {at}")).unwrap_or_default();
    let deadline = deadline.map(|at| say!(", not after {at}", "，不晚于 {at}")).unwrap_or_default();
    let ended = ended.map(|state| Words::default().then(&cell("state", state))).unwrap_or_default();
    not_before + &deadline + &ended
}
