//! Why `prefetchd check` finds that the daemon could not work.

use std::io;

use super::errors::system;
use super::{Words, many};

/// It does not answer like the API.
pub const UNLIKE_THE_API: Words = Words::fixed(
    "it does not answer like the API; is [api] endpoint right?",
    "应答不像视频点播 API；[api] endpoint 是否正确？",
);

/// A folder of the spool lies on another mount.
pub fn apart(folder: &str) -> Words {
    say!(
        "[spool] dir: {folder}: it lies on another mount than work/, so no file can be renamed between them: mount the \
        spool as a whole",
        "[spool] dir：{folder} 与 work/ 不在同一挂载点，文件无法直接移动：请把投递目录挂载为一个整体"
    )
}

/// The role may not do what a daemon has to.
pub fn rights_lack(tables: &str) -> Words {
    say!(
        "[database] url: the role may not read and write all that prefetchd has to ({tables}); docs/operate.md has \
        what to grant",
        "[database] url：角色缺少读写权限（{tables}）；需授予的权限见 docs/operate.md"
    )
}

/// The role may not make the tables.
pub const MAY_NOT_CREATE: Words = Words::fixed(
    "[database] url: there are no tables of prefetchd yet, and the role may not make them: `grant create on schema` to \
    it",
    "[database] url：还没有 prefetchd 的表，且角色无权创建：请执行 `grant create on schema`",
);

/// Commits are reported before they are durable.
pub const COMMITS_LATE: Words = Words::fixed(
    "synchronous_commit is off: what the server says is committed may be gone after it crashed; `alter role … set \
    synchronous_commit = on`",
    "synchronous_commit 已关闭：服务器崩溃后，已确认的提交可能丢失；请执行 `alter role … set synchronous_commit = on`",
);

/// Nothing is ever durable.
pub const NO_FSYNC: Words = Words::fixed(
    "fsync is off: a crash of the server's machine damages the database",
    "fsync 已关闭：服务器所在机器崩溃会损坏数据库",
);

/// A failover may lose commits.
pub fn replicas_lag(replicas: i64) -> Words {
    let named = many(&replicas.to_string(), "replica", "replicas");
    say!(
        "the server has {named} and waits for none (synchronous_standby_names is empty): a failover may lose the last \
        commits; the day is then in doubt until the service says what is left",
        "服务器有 {replicas} 个副本，但不等待任何一个（synchronous_standby_names 为空）：故障切换可能丢失最后的提交，\
        当日用量将存疑，直到服务端告知剩余额度"
    )
}

/// The server's clock and this machine's differ.
pub fn clock_differs(seconds: u64, is_ahead: bool) -> Words {
    let (en, zh) = if is_ahead { ("ahead of", "快") } else { ("behind", "慢") };
    say!("the database server's clock is {seconds} s {en} this machine's", "数据库服务器的时钟比本机{zh} {seconds} 秒")
}

/// Everybody on the way can read it.
pub const NOT_ENCRYPTED: Words = Words::fixed(
    "the connection to the database server is not encrypted; set sslmode=verify-full in [database] url",
    "与数据库服务器的连接未加密；请在 [database] url 中设置 sslmode=verify-full",
);

/// Anybody may pretend to be the server.
pub const NOT_VERIFIED: Words = Words::fixed(
    "nobody checks that the database server is the one that is meant; set sslmode=verify-full in [database] url, with \
    sslrootcert for a CA that the system does not know",
    "没有验证数据库服务器的身份；请在 [database] url 中设置 sslmode=verify-full，系统不认识的 CA 用 sslrootcert 指定",
);

/// It is no directory.
pub fn no_directory(key: &str, path: &str) -> Words {
    say!("{key}: {path} is not a directory", "{key}：{path} 不是目录")
}

/// It may not be written.
pub fn not_writable(key: &str, path: &str, error: &io::Error) -> Words {
    let why = system(error);
    let (en, zh) = (&why.en, &why.zh);
    say!(
        "{key}: {path} is not writable for this user: {en}; docs/operate.md says whose it is to be",
        "{key}：当前用户不能写 {path}：{zh}；docs/operate.md 说明其所有者"
    )
}

/// The service does not answer.
pub fn no_answer(url: &str, why: &str) -> Words {
    say!("{url} does not answer: {why}", "{url} 没有应答：{why}")
}

/// The service refuses the account.
pub fn refuses(url: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{url} refuses the account: {en}", "{url} 拒绝此账号：{zh}")
}

/// The labels of what was found.
pub const CONFIGURATION: Words = Words::fixed("configuration", "配置");
/// Metrics.
pub const METRICS: Words = Words::fixed("metrics", "指标");
/// The spool.
pub const SPOOL: Words = Words::fixed("spool", "投递目录");
/// The daemon.
pub const DAEMON: Words = Words::fixed("daemon", "守护进程");
/// Credentials.
pub const CREDENTIALS: Words = Words::fixed("credentials", "凭证");
/// The database.
pub const DATABASE: Words = Words::fixed("database", "数据库");
/// The queue.
pub const QUEUE: Words = Words::fixed("queue", "队列");
/// The access key.
pub const KEY: Words = Words::fixed("key", "AccessKey");
/// The service.
pub const SERVICE: Words = Words::fixed("service", "服务");
/// The quota.
pub const QUOTA: Words = Words::fixed("quota", "每日配额");
/// Domains.
pub const DOMAINS: Words = Words::fixed("domains", "加速域名");
/// Tasks.
pub const TASKS: Words = Words::fixed("tasks", "任务");
/// Permissions.
pub const PERMISSIONS: Words = Words::fixed("permissions", "权限");

/// What prefetchd is.
pub const WHAT_IT_IS: Words = Words::fixed(
    "prefetchd warms the CDN of ApsaraVideo VOD, CDN or DCDN: drop files of URLs and forget them.",
    "prefetchd 为视频点播（VOD）、CDN 或 DCDN 预热：投递 URL 文件，其余交给它。",
);
/// No file was found.
pub const THE_DEFAULTS: Words = Words::fixed("the defaults; no file was found", "默认值；没有找到配置文件");
/// No file was found, and that is well.
pub const DEFAULTS_HOLD: Words =
    Words::fixed("ok: none found, the built-in defaults hold", "正常：没有找到配置文件，使用内置默认值");
/// No daemon runs.
pub const NOT_RUNNING: Words = Words::fixed("not running", "未运行");
/// What to type next.
pub const NEXT: Words = Words::fixed("next:", "下一步：");
/// Tasks can be asked for.
pub const TASKS_OK: Words = Words::fixed("ok: they can be asked for", "正常：可以查询");
/// Without the permission to ask for the quota.
pub const WITHOUT_QUOTA: Words =
    Words::fixed("what is left of the day is counted here alone", "当日余量只能由本机记账");
/// Without the permission to ask for domains.
pub const WITHOUT_DOMAINS: Words =
    Words::fixed("which domains are online is learned from refusals", "哪些域名在线只能由被拒绝的请求得知");
/// Without the permission to ask for tasks.
pub const WITHOUT_TASKS: Words =
    Words::fixed("URLs stay submitted, and nobody sees them become warm", "URL 停留在已提交状态，无法得知何时预热完成");

/// It is as it should be.
pub fn ok(what: &str) -> Words {
    say!("ok: {what}", "正常：{what}")
}

/// It does not exist, and will be made.
pub fn will_be_made(what: &str) -> Words {
    say!("ok: {what} (will be made)", "正常：{what}（将会创建）")
}

/// Folders of the spool do not exist, and will be made.
pub fn folders_will_be_made(dir: &str, missing: usize) -> Words {
    let folders = many(&missing.to_string(), "folder", "folders");
    say!("ok: {dir} ({folders} will be made)", "正常：{dir}（将会创建 {missing} 个目录）")
}

/// There is no database yet.
pub fn not_made_yet(path: &str) -> Words {
    say!("{path}, not made yet: no daemon has run", "{path}，尚未创建：守护进程还没有运行过")
}

/// A daemon runs, with this process.
pub fn running(pid: Option<i64>) -> Words {
    match pid {
        Some(pid) => say!("running, pid {pid}", "运行中，pid {pid}"),
        None => Words::fixed("running", "运行中"),
    }
}

/// A daemon runs and holds the lock.
pub fn holds(pid: &str, path: &str) -> Words {
    say!("running, pid {pid}, holds {path}", "运行中，pid {pid}，持有 {path}")
}

/// URLs that wait and that are warm.
pub fn queue(pending: &str, warm: &str) -> Words {
    let urls = many(pending, "URL", "URLs");
    say!("{urls} pending, {warm} warm", "待提交 {pending} 个 URL，已预热 {warm}")
}

/// Where metrics will be served.
pub fn metrics(listen: &str) -> Words {
    say!("will be served at http://{listen}/metrics", "将在 http://{listen}/metrics 提供")
}

/// Which key there is.
pub fn key_here(tail: &str, source: &Words) -> Words {
    let (en, zh) = (&source.en, &source.zh);
    say!("ok: access key …{tail} from {en}", "正常：AccessKey …{tail}，来自{zh}")
}

/// The key has to be asked for.
pub fn key_to_ask(source: &Words) -> Words {
    let (en, zh) = (&source.en, &source.zh);
    say!(
        "to be asked for over the network: {en}; `prefetchd check --online` does it now",
        "需要通过网络获取：{zh}；`prefetchd check --online` 现在就获取"
    )
}

/// Which key was got, and when it ends.
pub fn key_got(tail: &str, source: &Words, until: Option<&str>) -> Words {
    let (en, zh) = (&source.en, &source.zh);
    match until {
        Some(at) => say!("ok: …{tail} from {en}, valid until {at}", "正常：…{tail}，来自{zh}，有效期至 {at}"),
        None => say!("ok: …{tail} from {en}, does not end by itself", "正常：…{tail}，来自{zh}，长期有效"),
    }
}

/// The service takes the key.
pub fn takes(url: &str) -> Words {
    say!("ok: {url} takes the credentials", "正常：{url} 接受此凭证")
}

/// What is left of the day.
pub fn left(remains: u64, a_day: u64) -> Words {
    say!("prefetch: {remains} of {a_day} left today", "预热：当日余量 {remains}/{a_day}")
}

/// What is left of the day of an action beside prefetching.
pub fn left_of(action: &Words, remains: u64, a_day: u64) -> Words {
    let (en, zh) = (&action.en, &action.zh);
    say!("{en}: {remains} of {a_day} left today", "{zh}：当日余量 {remains}/{a_day}")
}

/// The account's domains, some by name.
pub fn domains(total: u64, named: &[String], more: u64, product: &str) -> Words {
    let list = named.join(", ");
    match (named.is_empty(), more) {
        (true, _) => {
            say!("{total}: the account has none that {product} accelerates", "{total}：此账号没有 {product} 加速域名")
        }
        (false, 0) => say!("{total}: {list}", "{total}：{list}"),
        (false, _) => say!("{total}: {list} and {more} more", "{total}：{list}，以及另外 {more} 个"),
    }
}

/// A permission that costs to try.
pub fn not_tried(permission: &str) -> Words {
    say!("{permission} is not tried, since that costs a request", "没有尝试 {permission}，因为会用掉一次请求")
}

/// A permission is missing.
pub fn not_permitted(permission: &str, code: &str, without: &Words) -> Words {
    let (en, zh) = (&without.en, &without.zh);
    say!(
        "permission     missing: {permission} ({code}); add it to the key's RAM policy: without it {en}",
        "权限           缺少 {permission}（{code}）；请加入该密钥的 RAM 权限策略：没有它，{zh}"
    )
}
