//! What went wrong while a command worked, in Chinese too. The English text is the error's own.

use std::io;

use super::{Words, server};

/// Who may change the database.
pub fn only_the_owner(how: &str) -> Words {
    say!("only the owner of the database may change it: {how}", "只有数据库的所有者可以更改：{how}")
}

/// The database may not be written at all.
pub const READ_ONLY: Words = Words::fixed(
    "the database may not be written: see the mode of its file and its folder, and whether the disk is mounted \
    read-only",
    "数据库不可写：请检查文件和目录的权限，以及磁盘是否以只读方式挂载",
);

/// The user is not in the group that may.
pub fn not_in_group(path: &str, user: &str, group: &str) -> Words {
    say!(
        "{path}: permission denied: {user} is not in the group {group}: `sudo adduser {user} {group}`, then log in \
        again",
        "{path}：权限不足：{user} 不在 {group} 组中：请执行 `sudo adduser {user} {group}`，然后重新登录"
    )
}

/// Its mode lets nobody of the group read it; `quoted` is the path as a shell takes it.
pub fn closed_to_group(path: &str, quoted: &str) -> Words {
    say!(
        "{path}: permission denied by its mode: `sudo chmod g+r {quoted}` lets its group read it",
        "{path}：其权限不允许读取：`sudo chmod g+r {quoted}` 可让所属组读取"
    )
}

/// It is closed, and nobody knows by what.
pub fn closed(path: &str) -> Words {
    say!(
        "{path}: permission denied: see the modes of it and of the folders above it",
        "{path}：权限不足：请检查其自身及上级目录的权限"
    )
}

/// An error of the database, by its word; `en` is its whole text.
pub fn database(word: &str, en: String) -> Words {
    let path = |start: &str, end: &str| {
        en.strip_prefix(start)
            .and_then(|rest| rest.split_once(end))
            .map(|(path, _)| path.to_owned())
            .unwrap_or_default()
    };
    let zh = match word {
        "locked" | "full" | "corrupt" => super::needs::trouble(Some(word), &en).zh.into_owned(),
        word if server::trouble(word, "").is_some() => super::needs::trouble(Some(word), &en).zh.into_owned(),
        "newer" => "数据库的版本比此程序新；请安装更新的 prefetchd".to_owned(),
        "missing" => {
            format!("{} 处还没有数据库；`prefetchd run` 会创建", path("there is no database at ", " yet;"))
        }
        "lost" => "数据库已丢失；`prefetchd status` 有恢复的命令".to_owned(),
        "not_leading" => "由另一台主机主导，或目前没有主机主导：本机不写入主导主机的内容".to_owned(),
        "linked" => format!("数据库 {} 有多个名称（硬链接）；请删除其余的", path("the database ", " has ")),
        "old_library" => "SQLite 版本过旧，会损坏数据库；需要 3.51.3 或更新".to_owned(),
        "migrate" => format!("升级数据库：{}", en.strip_prefix("migrating the database: ").unwrap_or(&en)),
        word if server::error(word, &en).is_some() => server::error(word, &en).unwrap_or_default(),
        _ => format!("数据库：{}", en.strip_prefix("the database: ").unwrap_or(&en)),
    };
    Words::made(en, zh)
}

/// Another daemon has the lock.
pub fn locked(en: String, pid: &str, path: &str) -> Words {
    Words::made(
        en,
        format!("另一个 prefetchd（pid {pid}）正在使用 {path}；一个数据库和投递目录只能有一个守护进程：请先停止它"),
    )
}

/// Another daemon lives under this host's name.
pub fn namesake(en: String, host: &str, seconds: i64) -> Words {
    Words::made(
        en,
        format!(
            "另一个守护进程以本机的名称 {host} 使用此数据库，但投递目录不同（{seconds} 秒前仍在运行）：请用 [database] \
             host 为每台主机设置不同的名称，或停止另一个守护进程；它最后一次活动一分钟后，该名称可用"
        ),
    )
}

/// The configuration cannot be read.
pub fn unreadable_configuration(en: String, path: &str, source: &io::Error) -> Words {
    Words::made(en, format!("读取配置 {path}：{}", system(source).zh))
}

/// The configuration is wrong; the mistakes are told in English, by key and line.
pub fn wrong_configuration(en: String, path: &str, what: &str) -> Words {
    Words::made(en, format!("配置 {path} 有误：{what}"))
}

/// What the system says.
pub fn system(error: &io::Error) -> Words {
    let zh = match error.kind() {
        io::ErrorKind::NotFound => "没有此文件或目录",
        io::ErrorKind::PermissionDenied => "权限不足",
        io::ErrorKind::AlreadyExists => "已存在",
        io::ErrorKind::NotADirectory => "不是目录",
        io::ErrorKind::IsADirectory => "是目录",
        io::ErrorKind::StorageFull => "磁盘已满",
        io::ErrorKind::ReadOnlyFilesystem => "文件系统只读",
        io::ErrorKind::AddrInUse => "地址已被占用",
        io::ErrorKind::ConnectionRefused => "连接被拒绝",
        io::ErrorKind::TimedOut => "超时",
        _ => return Words::same(error.to_string()),
    };
    Words::made(error.to_string(), zh.to_owned())
}

/// What was being done, as a context of an error says it: `reading /x`.
pub fn doing(text: &str) -> Words {
    let verbs = [
        ("reading ", "读取 "),
        ("writing to standard output", "写到标准输出"),
        ("writing to ", "写入 "),
        ("writing ", "写入 "),
        ("copying into ", "复制到 "),
        ("renaming into ", "移动到 "),
        ("making ", "创建 "),
        ("opening ", "打开 "),
        ("listening on ", "监听 "),
        ("dropping the order into ", "投递指令到 "),
        ("starting ", "启动 "),
    ];
    let zh = verbs.iter().find_map(|(en, zh)| Some(format!("{zh}{}", text.strip_prefix(en)?)));
    Words::made(text.to_owned(), zh.unwrap_or_else(|| text.to_owned()))
}
