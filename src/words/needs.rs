//! What needs the operator. The command that settles it stands beside each.

use super::{Words, labels, many, server};

/// The end of the database's sentence about a pause, which is cut off where the command stands beside it.
const STOPPED_END: &str = "; `prefetchd resume` ends it";

/// No daemon runs.
pub const NO_DAEMON: Words = Words::fixed(
    "no daemon is running: files are not read and nothing is sent",
    "守护进程未运行：不读取文件，也不提交",
);

/// The daemon shows no sign of life.
pub const SILENT: Words = Words::fixed("the daemon gives no sign of life", "守护进程没有活动迹象");

/// What is wrong on another host.
pub fn of_host(host: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("host {host}: {en}", "主机 {host}：{zh}")
}

/// No host leads, and why those that run do not.
pub fn nobody_leads(problems: &[Words]) -> Words {
    let nobody =
        Words::fixed("no host leads: files are read, and nothing is sent", "没有主机主导：仍读取文件，但不提交");
    problems.iter().fold(nobody, |text, why| text.also(why))
}

/// A host gives no sign of life.
pub fn silent_host(host: &str, unread: i64) -> Words {
    let silent = say!(
        "host {host} gives no sign of life: what it queued is sent, and what lies in its spool waits for it",
        "主机 {host} 没有活动迹象：它已入队的内容会提交，其投递目录中的文件等待它恢复"
    );
    let files = many(&unread.to_string(), "file is not read to its end", "files are not read to their end");
    let files = say!("{files}", "{unread} 个文件尚未读完");
    if unread > 0 { silent.also(&files) } else { silent }
}

/// The day's cost is unknown.
pub const LEDGER_UNKNOWN: Words = Words::fixed(
    "the database is older than what was spent today; look up the true number in the console",
    "数据库早于今日实际用量；请在控制台查询实际次数",
);

/// Somebody keeps the WAL long.
pub const WAL_LONG: Words = Words::fixed(
    "the WAL is long: somebody is reading the database and has not finished",
    "WAL 过长：有程序在读取数据库且尚未结束",
);

/// The database cannot be used.
pub fn database(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("the daemon cannot use its database: {en}", "守护进程无法使用数据库：{zh}")
}

/// What keeps the daemon from its database, by the code of the trouble; `said` is the whole English text.
pub fn trouble(code: Option<&str>, said: &str) -> Words {
    let detail = said.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map_or(said, |(detail, _)| detail);
    match code {
        Some("locked") => say!("{said}", "数据库被其他进程锁定（{detail}）"),
        Some("full") => say!("{said}", "数据库所在磁盘已满（{detail}）"),
        Some("corrupt") => {
            say!("{said}", "数据库已损坏（{detail}）；请从备份恢复，或取出可读的内容：`sqlite3 OLD.db .recover`")
        }
        Some(word) => Words::made(said.to_owned(), server::trouble(word, detail).unwrap_or_else(|| said.to_owned())),
        None => Words::same(said),
    }
}

/// Stages hang.
pub fn hanging(stages: &str) -> Words {
    say!("the daemon's {stages} no longer moves", "守护进程的 {stages} 环节停滞")
}

/// The operator paused it: who, and why.
pub fn paused(by_and_why: &Words) -> Words {
    let (en, zh) = (&by_and_why.en, &by_and_why.zh);
    let en = en.strip_suffix(STOPPED_END).unwrap_or(en);
    say!("submitting is paused {en}", "提交已{zh}")
}

/// Who paused submitting, and why; `text` is the sentence of the database.
pub fn stopped(text: String) -> Words {
    let said = text.strip_suffix(STOPPED_END).unwrap_or(&text);
    let zh = match said.strip_prefix("by ").and_then(|said| said.split_once(": ")) {
        Some((by, why)) => format!("由 {by} 暂停：{why}"),
        None => format!("暂停：{said}"),
    };
    Words::made(text, zh)
}

/// The account is refused.
pub fn account(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("the account: {en}; once that is done, this tries it at once", "账号：{zh}；处理后，可用此命令立即重试")
}

/// An action beside prefetching is refused.
pub fn lane_paused(action: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    let name = labels::action(action).zh;
    say!("{action}: {en}; once that is done, this tries it at once", "{name}：{zh}；处理后，可用此命令立即重试")
}

/// What the day of an action beside prefetching has cost is unknown.
pub fn lane_unknown(action: &str) -> Words {
    let name = labels::action(action).zh;
    say!(
        "{action}: the database is older than what was spent today, and nothing of it is sent; this settles it",
        "{name}：数据库早于今日实际用量，已停止提交；可用此命令确认"
    )
}

/// Something urgent of an action beside prefetching waits, and its day is spent.
pub fn lane_urgent_waits(action: &str) -> Words {
    let name = labels::action(action).zh;
    say!("{action}: urgent URLs wait and what the day may cost is spent", "{name}：紧急 URL 在等待，而当日预算已用完")
}

/// Purges failed, so that the old copies may still be served.
pub fn lane_failed(action: &str, n: &str, list: &str) -> Words {
    let name = labels::action(action).zh;
    say!(
        "{action}: {n} failed, and the old copies may still be served; `{list}` has the reasons, this sends them again",
        "{name}：失败 {n} 个，节点可能仍在提供旧内容；原因见 `{list}`，可用此命令重新提交"
    )
}

/// Orders of members that nobody carries out.
pub fn orders(n: i64) -> Words {
    let orders = match n {
        1 => "1 order of a member waits in orders/: nobody carries it out".to_owned(),
        n => format!("{n} orders of members wait in orders/: nobody carries them out"),
    };
    Words::made(orders, format!("orders/ 中有 {n} 个成员的指令等待，没有被执行"))
}

/// A robot cannot be told.
pub fn robot(name: &str, failures: i64, why: &str) -> Words {
    say!(
        "the robot {name} could not be told {failures} times in a row: {why}",
        "机器人 {name} 连续 {failures} 次通知失败：{why}"
    )
}

/// Calls keep failing.
pub fn failures(n: u32, waiting_for: &Words) -> Words {
    let (en, zh) = (&waiting_for.en, &waiting_for.zh);
    say!("{n} calls in a row have failed; waiting for {en}", "连续 {n} 次请求失败；等待{zh}")
}

/// Files cannot be taken.
pub fn spool(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("files cannot be taken: {en}", "无法读取投递的文件：{zh}")
}

/// The reloaded configuration is not in force.
pub fn config(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("the reloaded configuration is not in force: {en}", "重新加载的配置未生效：{zh}")
}

/// Metrics are not served.
pub fn http(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("metrics are not served: {en}", "监控指标端口不可用：{zh}")
}

/// The clock of this machine is wrong.
pub fn clock(seconds: u64, is_behind: bool) -> Words {
    let (en, zh) = if is_behind { ("behind", "慢") } else { ("ahead of", "快") };
    say!(
        "this machine's clock is {seconds} s {en} the service's, which prefetchd follows",
        "本机时钟比服务端{zh} {seconds} 秒；prefetchd 以服务端时间为准"
    )
}

/// Urgent URLs wait, and the day is spent.
pub fn urgent_waits(n: &str, others: Option<&str>) -> Words {
    let urls = many(n, "urgent URL waits", "urgent URLs wait");
    match others {
        Some(others) => say!(
            "{urls} and what the day may cost is spent, {others} of it by others",
            "{n} 个紧急 URL 在等待，而当日预算已用完，其中 {others} 次由其他程序使用"
        ),
        None => say!("{urls} and what the day may cost is spent", "{n} 个紧急 URL 在等待，而当日预算已用完"),
    }
}

/// A deadline will be missed.
pub fn missed(n: &str, file: &Words, deadline: &str) -> Words {
    let (en, zh) = (&file.en, &file.zh);
    let urls =
        if n == "1" { format!("1 URL of {en} will miss its") } else { format!("{n} URLs of {en} will miss their") };
    say!("{urls} deadline, {deadline}", "{zh} 的 {n} 个 URL 将错过截止时间 {deadline}")
}

/// URLs of domains that are not online.
pub fn parked(n: &str) -> Words {
    let urls = many(n, "URL belongs to a domain that is", "URLs belong to domains that are");
    say!("{urls} not online in this account", "{n} 个 URL 的加速域名在此账号中未上线")
}

/// Held URLs; `list` is the command that says why.
pub fn held(n: &str, list: &str) -> Words {
    let urls = many(n, "URL is held", "URLs are held");
    say!("{urls}; `{list}` says why", "{n} 个 URL 已挂起；`{list}` 可查看原因")
}

/// The database is lost: what happened, by its word, and what became of its content.
pub fn lost(en: String, happened: &str, copy: Option<&str>, problem: Option<&str>) -> Words {
    let happened = match happened {
        "gone" => "文件被删除或移走",
        "replaced" => "文件被其他文件取代",
        "overwritten" => "文件被覆盖",
        "log" => "-wal 或 -shm 文件被删除或替换",
        _ => "恢复了较旧的副本；其中没有的文件在 done/ 中，需要重新投递",
    };
    let rest = match (copy, problem) {
        (Some(copy), _) => format!("其内容在 {copy}"),
        (None, Some(problem)) => format!("其内容只在守护进程中，请勿停止守护进程：{problem}"),
        (None, None) => "正在保存其内容".to_owned(),
    };
    Words::made(en, format!("数据库已丢失：{happened}；不读取文件，也不提交；{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_says_who_and_why_and_its_command_stands_beside_it() {
        let text = "by alice (uid 7): the origin: down; `prefetchd resume` ends it".to_owned();
        let need = paused(&stopped(text));
        assert_eq!(need.en, "submitting is paused by alice (uid 7): the origin: down");
        assert_eq!(need.zh, "提交已由 alice (uid 7) 暂停：the origin: down");
    }
}
