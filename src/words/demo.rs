//! What `prefetchd demo` tells. Numbers are passed as they are shown.

use super::{Words, many};

/// The labels of its lines.
pub const SANDBOX: Words = Words::fixed("sandbox", "沙箱");
/// The daemon.
pub const DAEMON: Words = Words::fixed("daemon", "守护进程");
/// The whole day.
pub const DAY: Words = Words::fixed("day", "这一天");
/// The deadline.
pub const DEADLINE: Words = Words::fixed("deadline", "截止时间");
/// The domain.
pub const DOMAIN: Words = Words::fixed("domain", "域名");
/// The lost answer.
pub const ANSWER: Words = Words::fixed("answer", "回答");
/// The purge.
pub const PURGE: Words = Words::fixed("purge", "刷新");
/// The budget.
pub const BUDGET: Words = Words::fixed("budget", "当日预算");
/// What does not agree.
pub const WRONG: Words = Words::fixed("WRONG", "不一致");
/// The verdict.
pub const VERDICT: Words = Words::fixed("verdict", "结论");

/// The headings of its table.
pub const HEADINGS: [Words; 7] = [
    Words::fixed("file", "文件"),
    Words::fixed("lines", "行数"),
    Words::fixed("queued", "入队"),
    Words::fixed("merged", "合并"),
    Words::fixed("refused", "无效"),
    Words::fixed("warm", "已预热"),
    Words::fixed("waiting", "等待"),
];

/// What will happen.
pub const PLAN: Words = Words::fixed(
    "A day at a video site, in a few seconds: five files are dropped, the service takes 500 requests a day and up to \
    1,000 URLs in each; one premiere has a deadline, one domain is offline, one answer is lost on its way, and one \
    film is replaced: its old copy is purged before the new one is prefetched.",
    "几秒钟演完视频网站的一天：投递五个文件，服务每天接受 500 次请求，每次最多 1,000 个 URL；一场首映有截止时间，一个域名未上线，\
    一次调用的回答在途中丢失，一部影片换了新版：先刷新旧内容，再预热新内容。",
);

/// What the sandbox is.
pub fn sandbox(endpoint: &str) -> Words {
    say!("{endpoint}, a stand-in for the service on this machine", "{endpoint}，本机的模拟服务")
}

/// Where the daemon works.
pub fn daemon(pid: u32, dir: &str) -> Words {
    say!("pid {pid}, its spool and its database are in {dir}", "进程号 {pid}，投递目录和数据库在 {dir}")
}

/// A file was dropped.
pub fn dropped(name: &str) -> Words {
    say!("dropped {name}", "投递 {name}")
}

/// A file was dropped that has a deadline.
pub fn dropped_urgent(name: &str, deadline: &Words, zone: &str) -> Words {
    let (en, zh) = (&deadline.en, &deadline.zh);
    say!("dropped {name}: urgent, wanted by {en} ({zone})", "投递 {name}：紧急，截止时间 {zh}（{zone}）")
}

/// A file was dropped whose URLs are purged first.
pub fn dropped_replaced(name: &str) -> Words {
    say!("dropped {name}: purge, then prefetch", "投递 {name}：先刷新，再预热")
}

/// A batch of purges was accepted.
pub fn purge_accepted(batch: i64, urls: &str) -> Words {
    say!(
        "batch {batch}: the purge of {urls} URLs is accepted; their prefetch waits for it",
        "批次 {batch}：提交 {urls} 个 URL 的刷新，已受理；预热等待刷新完成"
    )
}

/// A batch is purged.
pub fn purged(batch: i64, urls: &str) -> Words {
    say!("batch {batch}: {urls} URLs purged, now they are prefetched", "批次 {batch}：{urls} 个 URL 已刷新，开始预热")
}

/// What became of the film that was replaced.
pub fn replaced(urls: &str) -> Words {
    let each = many(urls, "URL", "URLs");
    say!("{each} purged by a budget of its own, then prefetched", "{urls} 个 URL 已刷新（单独计入刷新预算），随后预热")
}

/// A batch was accepted.
pub fn accepted(batch: i64, urls: &str) -> Words {
    say!("batch {batch}: {urls} URLs sent and accepted", "批次 {batch}：提交 {urls} 个 URL，已受理")
}

/// The answer to a batch was lost.
pub fn lost(batch: i64, urls: &str) -> Words {
    say!(
        "batch {batch}: {urls} URLs sent, the answer is lost; it stays charged until the service says what it did",
        "批次 {batch}：提交 {urls} 个 URL，回答丢失；在服务说明结果之前仍计入预算"
    )
}

/// What had become of it.
pub fn settled(batch: i64) -> Words {
    say!(
        "batch {batch}: the service lists its task, so it was accepted; nothing is sent twice",
        "批次 {batch}：服务列出了它的任务，说明已受理；没有重复提交"
    )
}

/// A batch is warm.
pub fn warm(batch: i64, urls: &str) -> Words {
    say!("batch {batch}: {urls} URLs warm", "批次 {batch}：{urls} 个 URL 已预热")
}

/// A domain is offline.
pub fn offline(host: &str) -> Words {
    say!("{host} is offline at the service: nothing is sent for it", "{host} 在服务端未上线：不提交它的 URL")
}

/// How far it is, in a progress bar.
pub fn progress(warm: &str, all: &str) -> Words {
    say!("{warm} of {all} URLs warm", "已预热 {warm} / {all} 个 URL")
}

/// The picture of the day.
pub fn day(lines: &str, queued: &str, requests: &str, limit: &str, warm: &str) -> Words {
    say!(
        "{lines} lines dropped -> {queued} URLs queued -> {requests} of {limit} requests -> {warm} URLs warm",
        "投递 {lines} 行 -> {queued} 个 URL 入队 -> {requests} / {limit} 次请求 -> {warm} 个 URL 已预热"
    )
}

/// A deadline that was met.
pub fn met(name: &str, deadline: &Words, warm: &Words, before: &Words) -> Words {
    let en = format!("{name}: all warm at {}, {} before {}", warm.en, before.en, deadline.en);
    let zh = format!("{name}：{} 全部预热完成，比 {} 提前 {}", warm.zh, deadline.zh, before.zh);
    Words::made(en, zh)
}

/// A deadline that was missed.
pub fn missed(name: &str, deadline: &Words) -> Words {
    let (en, zh) = (&deadline.en, &deadline.zh);
    say!("{name}: not all warm at {en}", "{name}：到 {zh} 没有全部预热")
}

/// What an offline domain means for its URLs.
pub fn parked(host: &str, n: &str) -> Words {
    let wait = if n == "1" { "its one URL waits".to_owned() } else { format!("its {n} URLs wait") };
    say!(
        "{host} is offline: {wait} until it is online, and cost nothing",
        "{host} 未上线：它的 {n} 个 URL 等到上线后再提交，不占用预算"
    )
}

/// What became of a lost answer.
pub fn answer(batch: i64, urls: &str) -> Words {
    say!(
        "lost for batch {batch} of {urls} URLs; found at the service, charged once, sent once",
        "批次 {batch}（{urls} 个 URL）的回答丢失；已在服务端查到，只计一次，只提交一次"
    )
}

/// Requests of a day.
pub fn budget(used: &str, limit: &str, day: &str, urls: &str, seconds: &str) -> Words {
    say!(
        "{used} of {limit} requests of {day} spent on {urls} URLs, in {seconds} s",
        "{day} 的 {limit} 次请求用了 {used} 次，提交 {urls} 个 URL，耗时 {seconds} 秒"
    )
}

/// What the sandbox counted.
pub fn counted(urls: &str, requests: &str, charged: &str) -> Words {
    say!(
        "accepted {urls} URLs once each, saw {requests} requests; the ledger charged {charged}",
        "受理 {urls} 个 URL，每个一次，收到 {requests} 次请求；账本记了 {charged} 次"
    )
}

/// Ways in which the books can be wrong.
#[derive(Debug, Clone, Copy)]
pub enum Wrong {
    /// It should be warm.
    NotWarm,
    /// Its task is not known.
    WithoutTask,
    /// The service never accepted it.
    NotAccepted,
    /// The service accepted it twice.
    Doubled,
    /// The service accepted what is not on the books.
    Unknown,
    /// Purged on the books and not once at the service, or the other way round.
    Purged,
    /// Warm on the books and not at the service, or the other way round.
    Warmth,
}

/// What does not agree.
pub fn wrong(what: Wrong, n: &str) -> Words {
    let urls = many(n, "URL", "URLs");
    match what {
        Wrong::NotWarm => say!("not warm: {urls}", "未预热：{n} 个 URL"),
        Wrong::WithoutTask => say!("without a task ID: {urls}", "没有任务 ID：{n} 个 URL"),
        Wrong::NotAccepted => say!("never accepted by the service: {urls}", "服务从未受理：{n} 个 URL"),
        Wrong::Doubled => say!("accepted more than once: {urls}", "受理多次：{n} 个 URL"),
        Wrong::Unknown => say!("accepted, but not in the database: {urls}", "已受理但不在数据库中：{n} 个 URL"),
        Wrong::Purged => say!("purged by one of the two books only: {urls}", "只有一方记录为已刷新：{n} 个 URL"),
        Wrong::Warmth => {
            say!("warm by one of the two books only: {urls}", "只有一方记录为已预热：{n} 个 URL")
        }
    }
}

/// All is well.
pub const WELL: Words = Words::fixed(
    "well: every URL that can be is warm, none was sent twice, and the books agree",
    "正常：能预热的 URL 全部已预热，没有重复提交，账目一致",
);

/// Something is wrong.
pub const NOT_WELL: Words = Words::fixed("NOT WELL: the books do not agree", "异常：账目不一致");

/// It did not come to an end.
pub fn not_done(seconds: u64, waits: &Words) -> Words {
    let (en, zh) = (&waits.en, &waits.zh);
    say!("not done after {seconds} s; it waits for: {en}", "{seconds} 秒后仍未完成；正在等待：{zh}")
}

/// Nothing is waited for.
pub const NOTHING: Words = Words::fixed("nothing", "无");

/// What to look at.
pub const LOOK: Words = Words::fixed("Look at the same data:", "查看这些数据：");

/// How to have something to look at.
pub const KEEP: Words = Words::fixed(
    "To look at the same data, run the demo with --keep DIR; then, in place of this run's directory:",
    "要查看这些数据，请用 --keep DIR 运行演示；然后以该目录代替下面的目录：",
);
