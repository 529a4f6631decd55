//! What commands say, and why they refuse. Numbers are passed as they are shown.

use super::{Words, labels, many};
use crate::model::{Priority, UrlState};

/// `--line` without a file.
pub const LINE_WITHOUT_FILE: Words = Words::fixed("--line goes with a FILE", "--line 需要与 FILE 一起使用");

/// `--name` with several files.
pub const NAME_FOR_ONE: Words = Words::fixed("--name is for one file", "--name 只能用于一个文件");

/// No file has the number.
pub const NO_SUCH_ID: Words = Words::fixed(
    "no file has this number; `prefetchd files` lists files",
    "没有此编号的文件；`prefetchd files` 可列出",
);

/// The name says that the file is not finished.
pub const UNFINISHED: Words =
    Words::fixed("its name says that it is not finished: rename it when it is", "文件名表示尚未完成：完成后请改名");

/// It has not been taken yet.
pub const NOT_TAKEN: Words = Words::fixed(
    "it has not been taken yet; `prefetchd status` says whether the daemon runs",
    "尚未读取；`prefetchd status` 可查看守护进程是否运行",
);

/// It has a second link.
pub const SECOND_LINK: Words = Words::fixed(
    "it has a second hard link: it is taken once the other name is removed",
    "它有其他硬链接：另一名称删除后才会读取",
);

/// Nothing to confirm.
pub const NOTHING_TO_CONFIRM: Words = Words::fixed(
    "nothing to confirm: what the latest budget day has cost is not in doubt",
    "无需确认：最近预算日的用量没有疑问",
);

/// Purges have no requests to tell of.
pub const REQUESTS_OF_PREFETCH: Words = Words::fixed(
    "--requests-used is about prefetching alone: leave it out, since what purges cost is in their markers",
    "--requests-used 只用于预热：请去掉，刷新的用量记录在其标记文件中",
);

/// Paused by this command.
pub const PAUSED: Words = Words::fixed(
    "paused: a call that is on its way is finished, nothing more is sent until `prefetchd resume`",
    "已暂停：正在进行的请求会完成，此后不再提交，直到 `prefetchd resume`",
);

/// Resumed by this command.
pub const RESUMED: Words = Words::fixed("resumed: submitting goes on", "已恢复：继续提交");

/// There was no pause.
pub const WAS_NOT_PAUSED: Words = Words::fixed("it was not paused by an operator", "此前没有被操作员暂停");

/// The daemon does not run as root.
pub const AS_ROOT: Words = Words::fixed(
    "started as root, which prefetchd does not need: start the service (`systemctl start prefetchd`), or run it as the \
    service's user (`runuser -u prefetchd -- prefetchd run`); `--allow-root` starts it as root all the same",
    "以 root 启动，而 prefetchd 不需要：请启动服务（`systemctl start prefetchd`），或以服务用户运行\
    （`runuser -u prefetchd -- prefetchd run`）；`--allow-root` 仍以 root 启动",
);

/// The sandbox is for this machine alone.
pub const SANDBOX_LOOPBACK: Words = Words::fixed(
    "the sandbox listens on loopback addresses only: --listen 127.0.0.1:8787",
    "沙箱只监听回环地址：--listen 127.0.0.1:8787",
);

/// An order was not taken yet.
pub const ORDER_NOT_TAKEN: Words = Words::fixed("the daemon has not taken the order yet", "守护进程尚未处理该指令");

/// An order waits for a daemon.
pub const ORDER_WITHOUT_DAEMON: Words =
    Words::fixed("no daemon runs: the order is carried out when one is started", "守护进程未运行：启动后会执行该指令");

/// How to take an order back.
pub fn takes_it_back(why: &Words, path: &str) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{en}; `rm {path}` takes it back", "{zh}；`rm {path}` 可撤回")
}

/// No such file.
pub fn no_file(name: &str, incoming: &str) -> Words {
    say!(
        "no file `{name}` was dropped, and none lies in {incoming}; `prefetchd files` lists files",
        "没有投递过文件 `{name}`，{incoming} 中也没有；`prefetchd files` 可列出文件"
    )
}

/// No such file; these have it in their names.
pub fn no_file_but(name: &str, incoming: &str, alike: &[Words]) -> Words {
    let list = |of: fn(&Words) -> &str| alike.iter().map(|words| format!("\n  {}", of(words))).collect::<String>();
    let (en, zh) = (list(|words| &words.en), list(|words| &words.zh));
    say!(
        "no file `{name}` was dropped, and none lies in {incoming}; these have it in their names:{en}",
        "没有投递过文件 `{name}`，{incoming} 中也没有；名称包含它的文件：{zh}"
    )
}

/// A file in that list.
pub fn alike(name: &str, id: i64, lines: i64, dropped: &str) -> Words {
    let read = many(&lines.to_string(), "line", "lines");
    say!("{name}  (--id {id}, {read}, dropped {dropped})", "{name}  （--id {id}，{lines} 行，{dropped} 投递）")
}

/// It lies in `incoming/`.
pub fn lies_in(name: &str, incoming: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{name} lies in {incoming}: {en}", "{name} 在 {incoming} 中：{zh}")
}

/// No such label.
pub fn no_label(label: &str) -> Words {
    say!(
        "no file or line with the label `{label}` was dropped; `prefetchd files` lists files",
        "没有投递过标签为 `{label}` 的文件或行；`prefetchd files` 可列出文件"
    )
}

/// No file of the name.
pub fn none_named(name: &str) -> Words {
    say!(
        "no file of the name `{name}` was dropped; `prefetchd status` shows the latest",
        "没有投递过名为 `{name}` 的文件；`prefetchd status` 可查看最近的文件"
    )
}

/// There is no spool.
pub fn no_spool(incoming: &str) -> Words {
    say!(
        "there is no spool at {incoming}; start the daemon once, or see [spool] dir",
        "{incoming} 处没有投递目录；请先启动一次守护进程，或检查 [spool] dir"
    )
}

/// A file cannot be read.
pub fn reading(path: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("reading {path}: {en}", "读取 {path}：{zh}")
}

/// It is a directory.
pub const A_DIRECTORY: Words = Words::fixed("it is a directory", "是目录");

/// It is no regular file.
pub const NO_REGULAR_FILE: Words = Words::fixed("it is no regular file", "不是普通文件");

/// Nothing was added.
pub fn nothing_added(name: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{name}: nothing was added, of no file: {en}", "{name}：所有文件均未投递：{zh}")
}

/// A warning of `add`, about this line and so many more.
pub fn add_warning(name: &str, line: u64, more: u64, what: &Words) -> Words {
    let (en, zh) = (&what.en, &what.zh);
    match (line, more) {
        (0, _) => say!("warning: {name}: {en}", "警告：{name}：{zh}"),
        (_, 0) => say!("warning: {name}: line {line}: {en}", "警告：{name}：第 {line} 行：{zh}"),
        _ => say!(
            "warning: {name}: line {line} and {more} more: {en}",
            "警告：{name}：第 {line} 行及另外 {more} 行：{zh}"
        ),
    }
}

/// Lines that will be refused.
pub fn will_be_refused(name: &str, line: u64, more: u64, what: &Words) -> Words {
    let (en, zh) = (&what.en, &what.zh);
    match more {
        0 => say!("warning: {name}: line {line} will be refused: {en}", "警告：{name}：第 {line} 行无效：{zh}"),
        _ => say!(
            "warning: {name}: line {line} and {more} more will be refused: {en}",
            "警告：{name}：第 {line} 行及另外 {more} 行无效：{zh}"
        ),
    }
}

/// A name of prefetchd's own.
pub fn own_name(name: &str) -> Words {
    say!(
        "`{name}` is no name for the spool: receipts and reports of prefetchd end so, and are never inputs; give \
        --name",
        "`{name}` 不能用作投递文件名：prefetchd 的回执和报告以此结尾，不会作为输入；请用 --name"
    )
}

/// A name that the spool leaves alone.
pub fn bad_name(name: &str) -> Words {
    say!(
        "`{name}` is no name for the spool: it may not begin with `.` or `~`, end like an unfinished upload (.tmp, \
        .part), or hold `/`; give another --name",
        "`{name}` 不能用作投递文件名：不能以 `.` 或 `~` 开头，不能以未完成的上传（.tmp、.part）结尾，不能含 `/`；请用 --name 另取名称"
    )
}

/// The URL has another spelling.
pub fn other_spelling(url: &str, other: &str) -> Words {
    say!("{url} is not in the database, but {other} is", "数据库中没有 {url}，但有 {other}")
}

/// The URL is not known.
pub fn unknown_url(url: &str, done: &str) -> Words {
    say!(
        "{url} is not in the database: it was not dropped, its line was refused (see the .refused.tsv beside the \
        file's receipt in {done}), or it ended longer ago than [database] keep; `prefetchd add FILE` hands it over",
        "数据库中没有 {url}：没有投递过，或所在行无效（见 {done} 中回执旁的 .refused.tsv），\
        或结束时间早于 [database] keep；可用 `prefetchd add FILE` 投递"
    )
}

/// No such line is queued.
pub fn never_queued(text: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{text}: no such line is ever queued: {en}", "{text}：这样的行不会入队：{zh}")
}

/// What was confirmed.
pub fn confirmed(day: &str, requests: &str) -> Words {
    let counted = many(requests, "request counts", "requests count");
    say!(
        "{day}: {counted} as spent; the daemon goes on with the rest",
        "{day}：已用 {requests} 次请求；守护进程用余量继续提交"
    )
}

/// The same of purges.
pub fn confirmed_purges(action: &str, day: &str, requests: &str) -> Words {
    let counted = many(requests, "request counts", "requests count");
    say!(
        "{day}: {counted} as spent on {action}; the daemon goes on with the rest",
        "{day}：{action} 已用 {requests} 次请求；守护进程用余量继续提交"
    )
}

/// The account was refused, and is asked for.
pub fn asking_now(why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("the account was refused ({en}): asking the service now", "账号被拒绝（{zh}）：正在查询服务端")
}

/// What was exported.
pub fn rows(path: &str, n: &str) -> Words {
    let rows = many(n, "row", "rows");
    say!("{path}: {rows}", "{path}：{n} 行")
}

/// Refused lines whose report lies in the spool of another host.
pub fn left_out_there(n: &str, file: &str, host: &str) -> Words {
    let lines = many(n, "refused line of", "refused lines of");
    let are = if n == "1" { "is" } else { "are" };
    say!(
        "{lines} {file} {are} left out: their report lies in the spool of {host}; export there",
        "{file} 有 {n} 行无效行未导出：其报告在主机 {host} 的投递目录中；请在该主机上导出"
    )
}

/// Refused lines without a report.
pub fn left_out(n: &str, file: &str) -> Words {
    let lines = many(n, "refused line of", "refused lines of");
    let are = if n == "1" { "is" } else { "are" };
    say!(
        "{lines} {file} {are} left out: their report is not in the spool any more",
        "{file} 有 {n} 行无效行未导出：其报告已不在投递目录中"
    )
}

/// Something that would be replaced.
pub fn would_be_replaced(path: &str) -> Words {
    say!(
        "{path} is no regular file: it would be replaced; write to standard output",
        "{path} 不是普通文件，会被取代；请写到标准输出"
    )
}

/// More rows than are shown.
pub fn more_rows(n: u32) -> Words {
    say!("({n} rows; --limit shows more)", "（{n} 行；--limit 可显示更多）")
}

/// The directory is not empty.
pub fn not_empty(dir: &str) -> Words {
    say!("{dir} is not empty; --keep wants a new directory", "{dir} 不是空目录；--keep 需要新目录")
}

/// The states that an order takes, in a list.
fn states(states: &[UrlState]) -> Words {
    Words::list(states.iter().map(|state| labels::state(*state)))
}

/// An order does not take this state.
pub fn takes(command: &str, takes: &[UrlState], state: UrlState, is_retry: bool) -> Words {
    let (takes, state) = (states(takes), labels::state(state));
    let (en, zh) = if is_retry {
        (", or by that name what is unconfirmed", "，或明确指定的结果未知")
    } else {
        ("", "")
    };
    Words::made(
        format!("{command} takes what is {}{en}, not what is {}", takes.en, state.en),
        format!("{command} 只用于状态为 {}{zh} 的 URL，不用于{}", takes.zh, state.zh),
    )
}

/// An order has nothing to do.
pub fn nothing_to_do(what: &str, takes: &[UrlState]) -> Words {
    let states = states(takes);
    let (en, zh) = (&states.en, &states.zh);
    say!("nothing to do: no URL of {what} is {en}", "无需操作：{what} 没有状态为 {zh} 的 URL")
}

/// What the order applies to was dropped by others; `how` is the command as the owner of the database.
pub fn not_dropped_by_you(what: &str, how: &Option<String>) -> Words {
    let how = how.as_ref().map(|how| say!(": `{how}`", "：`{how}`")).unwrap_or_default();
    say!(
        "none of {what} is in a file that you dropped; whoever runs prefetchd may do it",
        "{what} 中没有您投递的文件的 URL；运行 prefetchd 的用户可以操作"
    ) + &how
}

/// All was queued again.
pub fn queued_again(what: &str, n: &str) -> Words {
    say!(
        "nothing to do: each of the {n} URLs of {what} was queued again since, or is held until the next day's \
        requests for isolation",
        "无需操作：{what} 的 {n} 个 URL 之后已再次入队，或挂起至次日有排查请求时"
    )
}

/// All is so already.
pub fn is_so_already(what: &str) -> Words {
    say!("nothing to do: all that wait of {what} are so already", "无需操作：{what} 中等待的 URL 已是如此")
}

/// So many are in a batch.
pub fn in_a_batch(n: &str) -> Words {
    let are = many(n, "is", "are");
    say!("{are} in a batch now", "{n} 个正在批次中")
}

/// They cannot be called back.
pub fn cannot_be_called_back(n: &str) -> Words {
    let are = many(n, "is", "are");
    say!("{are} in a batch now and cannot be called back", "{n} 个正在批次中，无法撤回")
}

/// A domain gets another chance.
pub fn domain_goes_on(what: &str, n: &str, is_rehearsal: bool) -> Words {
    let (urls, would) = (many(n, "URL", "URLs"), if is_rehearsal { " would" } else { "" });
    let go = if n == "1" && !is_rehearsal { "goes" } else { "go" };
    let zh = if is_rehearsal { "将" } else { "" };
    say!(
        "{what}: {urls}{would} {go} on; `prefetchd hosts` shows what becomes of it",
        "{what}：{n} 个 URL {zh}继续；`prefetchd hosts` 可查看结果"
    )
}

/// URLs go back into the queue.
pub fn retried(what: &str, n: &str, is_rehearsal: bool) -> Words {
    let (urls, would) = (many(n, "URL", "URLs"), if is_rehearsal { " would" } else { "" });
    let go = if n == "1" && !is_rehearsal { "goes" } else { "go" };
    let zh = if is_rehearsal { "将" } else { "已" };
    say!("{what}: {urls}{would} {go} back into the queue", "{what}：{n} 个 URL {zh}重新入队")
}

/// URLs are cancelled.
pub fn cancelled(what: &str, n: &str, is_rehearsal: bool) -> Words {
    let urls = many(n, "URL", "URLs");
    let (en, zh) = match (is_rehearsal, n) {
        (true, _) => ("would be", "将"),
        (false, "1") => ("is", "已"),
        (false, _) => ("are", "已"),
    };
    say!("{what}: {urls} {en} cancelled", "{what}：{n} 个 URL {zh}取消")
}

/// URLs have another priority.
pub fn prioritized(what: &str, n: &str, priority: Priority, is_rehearsal: bool) -> Words {
    let (urls, words) = (many(n, "URL", "URLs"), labels::priority(priority));
    let (en, zh) = (&words.en, &words.zh);
    match (is_rehearsal, n) {
        (true, _) => say!("{what}: {urls} would become {en}", "{what}：{n} 个 URL 的优先级将改为{zh}"),
        (false, "1") => say!("{what}: {urls} is {en} now", "{what}：{n} 个 URL 的优先级已改为{zh}"),
        (false, _) => say!("{what}: {urls} are {en} now", "{what}：{n} 个 URL 的优先级已改为{zh}"),
    }
}

/// URLs that a retry leaves alone.
pub fn left_alone(n: &str) -> Words {
    let are = many(n, "is", "are");
    say!(
        "{are} left alone: queued again since, or held until the next day's requests for isolation",
        "{n} 个未变：之后已再次入队，或挂起至次日有排查请求时"
    )
}

/// Only the service's user can read the robots' URLs.
pub fn robots_of_the_service(how: &str) -> Words {
    say!("only the service's user may read the robots' URLs: `{how}`", "只有服务用户可以读取机器人的地址：`{how}`")
}

/// No robot of the name, or none at all.
pub fn no_robot(name: Option<&str>) -> Words {
    match name {
        Some(name) => say!("no robot of the configuration is called {name}", "配置中没有名为 {name} 的机器人"),
        None => Words::fixed(
            "no robot is configured: `man prefetchd.toml` shows [[notify.robot]]",
            "没有配置机器人：`man prefetchd.toml` 中有 [[notify.robot]] 的写法",
        ),
    }
}

/// What became of the last message to a robot; times are the budget day's.
pub fn robot(name: &str, kind: &str, failed: Option<&str>, was_tried: bool, told_at: Option<&str>) -> Words {
    match (failed, told_at) {
        (Some(why), _) => say!("{name} ({kind}): cannot be told: {why}", "{name}（{kind}）：无法发送：{why}"),
        (None, _) if was_tried => say!("{name} ({kind}): it took the test message", "{name}（{kind}）：测试消息已送达"),
        (None, Some(at)) => say!("{name} ({kind}): last told at {at}", "{name}（{kind}）：最近发送于 {at}"),
        (None, None) => say!("{name} ({kind}): nothing was told yet", "{name}（{kind}）：尚未发送过"),
    }
}
