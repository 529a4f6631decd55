//! Why an input as a whole is refused, and what to do instead.

use super::{Words, line_fault_with};
use crate::model::{InputFault, KeyFault};

/// Why an input is refused and what to do instead.
pub fn input_fault(fault: &InputFault) -> Words {
    match fault {
        InputFault::Empty => {
            Words::fixed("it has no line with a URL: write one URL a line", "没有含 URL 的行：一行写一个 URL")
        }
        InputFault::NoUrls { lines, first } => no_urls(*lines, first.as_ref()),
        InputFault::ActionForbidden { action, missing } => {
            let (action, missing) = (action.word(), missing.word());
            Words::made(
                format!(
                    "files may not ask for `{action}` here: whoever runs prefetchd adds \"{missing}\" to [spool] \
                     actions"
                ),
                format!("此处不允许文件请求 `{action}`：须由管理员在 [spool] actions 中加入 \"{missing}\""),
            )
        }
        InputFault::Directive { line, fault } => {
            let words = key_fault(fault);
            if *line == 0 {
                return words;
            }
            Words::made(format!("line {line}: {}", words.en), format!("第 {line} 行：{}", words.zh))
        }
        InputFault::NotUtf8 { line } => Words::made(
            format!("line {line} is not UTF-8: save it as UTF-8, or say `#: encoding = gb18030`"),
            format!("第 {line} 行不是 UTF-8：请存为 UTF-8，或在首行写 `#: encoding = gb18030`"),
        ),
        InputFault::CsvHeader
        | InputFault::NoUrlColumn { .. }
        | InputFault::TwoUrlColumns { .. }
        | InputFault::TwoColumns { .. } => of_csv(fault),
        InputFault::Damaged { .. }
        | InputFault::Window { .. }
        | InputFault::Bomb { .. }
        | InputFault::TooLarge { .. } => of_size(fault),
        InputFault::Forbidden => Words::fixed(
            "prefetchd may not read it: check its owner and mode",
            "prefetchd 无权读取：请检查所有者和权限",
        ),
        InputFault::Vanished => {
            Words::fixed("it vanished from work/ before it was read to its end", "读完之前已从 work/ 消失")
        }
        InputFault::NotRegular => Words::fixed("it is not a regular file", "不是普通文件"),
        InputFault::OwnReceipt => Words::fixed(
            "it is named like a receipt or report of prefetchd, which are never inputs: rename it if it is a list of \
            URLs",
            "名称与 prefetchd 的回执或报告相同，不会作为输入：如果是 URL 列表，请改名",
        ),
        InputFault::Deadly => Words::fixed(
            "the daemon died twice while it read this file, at the same place: it is set aside; split it to find the \
            part, and report it",
            "守护进程两次在读取此文件的同一处时终止：已搁置；请拆分文件找出相关部分，并报告此问题",
        ),
        _ => of_kind(fault),
    }
}

fn no_urls(lines: u64, first: Option<&(u64, crate::model::Fault)>) -> Words {
    let (en, zh) = match first {
        None => (String::new(), String::new()),
        Some((line, fault)) => {
            let words = line_fault_with(fault);
            (format!("; line {line}: {}", words.en), format!("；第 {line} 行：{}", words.zh))
        }
    };
    let none =
        if lines == 1 { "its one line is no URL".to_owned() } else { format!("none of its {lines} lines is a URL") };
    Words::made(
        format!("{none}: write one URL a line{en}"),
        format!("共 {lines} 行，没有一行是 URL：一行写一个 URL{zh}"),
    )
}

fn of_kind(fault: &InputFault) -> Words {
    match fault {
        InputFault::Archive(kind) => Words::made(
            format!("it is an archive ({kind}): drop the unpacked file"),
            format!("是归档文件（{kind}）：请解压后再投递"),
        ),
        InputFault::Workbook => {
            Words::fixed("it is a workbook: save it as CSV UTF-8", "是 Excel 工作簿：请另存为 CSV UTF-8")
        }
        InputFault::Document(kind) => Words::made(
            format!("it is a document ({kind}): save the URLs as plain text, one a line"),
            format!("是文档（{kind}）：请把 URL 存为纯文本，一行一个"),
        ),
        InputFault::Packed(kind) => Words::made(
            format!("it is packed with {kind}: unpack it, or pack it with gzip or zstd"),
            format!("由 {kind} 压缩：请解压，或改用 gzip 或 zstd"),
        ),
        InputFault::PackedTwice => Words::fixed("it is packed twice: unpack it once", "压缩了两次：请解压一次"),
        InputFault::Xml => Words::fixed(
            "it is XML, a sitemap perhaps: prefetchd reads lists of URLs; write the URLs of the files one a line",
            "是 XML（或站点地图）：prefetchd 读取 URL 列表，请逐行写文件的 URL",
        ),
        InputFault::Html => Words::fixed(
            "it is a web page (HTML): prefetchd reads lists of URLs; write the URLs of the files one a line",
            "是网页（HTML）：prefetchd 读取 URL 列表，请逐行写文件的 URL",
        ),
        InputFault::Playlist => Words::fixed(
            "it is a playlist, and its names are relative: prefetchd reads lists of URLs; write the whole URLs of the \
            playlist and its segments one a line",
            "是播放列表，其中的名称是相对的：prefetchd 读取 URL 列表，请逐行写播放列表和分片的完整 URL",
        ),
        InputFault::JsonArray => Words::fixed(
            "it is a JSON array: write one object a line (JSON Lines), in a file called .jsonl, or one URL a line",
            "是 JSON 数组：请一行写一个对象（JSON Lines，文件名以 .jsonl 结尾），或一行写一个 URL",
        ),
        InputFault::JsonObjects => Words::fixed(
            "it has JSON objects: write one object a line (JSON Lines) and call the file .jsonl",
            "是 JSON 对象：请一行写一个对象（JSON Lines），文件名以 .jsonl 结尾",
        ),
        _ => Words::fixed(
            "it is a binary file: a URL file is text, plain or packed with gzip or zstd",
            "是二进制文件：URL 文件应为文本，可用 gzip 或 zstd 压缩",
        ),
    }
}

fn of_csv(fault: &InputFault) -> Words {
    match fault {
        InputFault::NoUrlColumn { header } => Words::made(
            format!(
                "its first line, the header, has no column `url`: the header is `{header}`; name the column of the \
                URLs `url`, and separate by commas `,` (not `，`)"
            ),
            format!(
                "首行（表头）没有 `url` 列：表头是 `{header}`；请把 URL 列命名为 `url` 或 `网址`，用半角逗号 `,` 分隔"
            ),
        ),
        InputFault::TwoUrlColumns { header } => Words::made(
            format!("its header has several columns for the URL: `{header}`; keep one"),
            format!("表头有多个 URL 列：`{header}`；请只保留一个"),
        ),
        InputFault::TwoColumns { key, header } => Words::made(
            format!("its header has several columns for `{key}`: `{header}`; keep one"),
            format!("表头有多个 `{key}` 列：`{header}`；请只保留一个"),
        ),
        _ => Words::fixed("its first line is not a header: its quotes do not match", "首行不是表头：引号不配对"),
    }
}

fn of_size(fault: &InputFault) -> Words {
    match fault {
        InputFault::Damaged { packing, line: 0, why } => Words::made(
            format!("its packed data is damaged ({packing}: {why}): pack it again"),
            format!("压缩数据已损坏（{packing}：{why}）：请重新压缩"),
        ),
        InputFault::Damaged { packing, line, why } => Words::made(
            format!("its {packing} data is damaged after line {line} ({why}); the lines before are queued"),
            format!("{packing} 数据在第 {line} 行之后损坏（{why}）；之前的行已入队"),
        ),
        InputFault::Window { mib: Some(mib) } => Words::made(
            format!("packed with a window of {mib} MB: pack it without --long, or with gzip"),
            format!("压缩窗口为 {mib} MB：压缩时请不要用 --long，或改用 gzip"),
        ),
        InputFault::Bomb { fold } => Words::made(
            format!("it unpacks to more than {fold} times its size: drop it unpacked"),
            format!("解压后超过原大小的 {fold} 倍：请解压后再投递"),
        ),
        InputFault::TooLarge { bytes, bytes_max } => Words::made(
            format!("it has {bytes} bytes, more than the {bytes_max} a file may have: split it"),
            format!("大小为 {bytes} 字节，超过上限 {bytes_max}：请拆分"),
        ),
        _ => Words::fixed(
            "packed with a window of more than 32 MB: pack it without --long, or with gzip",
            "压缩窗口超过 32 MB：压缩时请不要用 --long，或改用 gzip",
        ),
    }
}

/// Why a directive or a key of the command line is wrong.
pub fn key_fault(fault: &KeyFault) -> Words {
    match fault {
        KeyFault::NoPair(text) => Words::made(
            format!("`#:{text}` is not a directive; write `#: key = value`"),
            format!("`#:{text}` 不是指令；指令写作 `#: 键 = 值`"),
        ),
        KeyFault::Unknown(key) => Words::made(
            format!(
                "there is no directive `{key}`; the directives are action, priority, label, not_before, deadline, \
                force, purge_force and encoding"
            ),
            format!(
                "没有指令 `{key}`；可用的有 action、priority、label、not_before、deadline、force、purge_force、encoding"
            ),
        ),
        KeyFault::Twice(key) => Words::made(
            format!("the directive `{key}` stands twice, with another value each time: keep one"),
            format!("指令 `{key}` 出现两次且值不同：请只保留一个"),
        ),
        KeyFault::Value { key, value } => {
            key_value(key, value).unwrap_or_else(|| Words::same(format!("{key} = {value}")))
        }
    }
}

/// What this key takes, which the value is not; none of an unknown key.
pub(super) fn key_value(key: &str, value: &str) -> Option<Words> {
    let (en, zh) = match key {
        "priority" => ("urgent, high, normal or low", "urgent（紧急）、high（高）、normal（普通）或 low（低）"),
        "label" => (
            "a word of 1 to 200 characters, none of them a control character or a line break",
            "1 到 200 个字符，不含控制字符和换行",
        ),
        "force" | "purge_force" => ("true or false", "true 或 false"),
        "action" => (
            "prefetch, purge, purge-directory or purge+prefetch (nothing is purged by regular expression, or \
                    without parameters)",
            "prefetch（预热）、purge（刷新）、purge-directory（刷新目录）或 purge+prefetch（刷新并预热），不支持正则和忽略参数刷新",
        ),
        "encoding" => ("utf-8, gb18030 or auto", "utf-8、gb18030 或 auto"),
        "not_before" | "deadline" => (
            "a time like 2026-11-23T20:00:00+08:00, 2026-11-23 20:00 or 2026-11-23",
            "时间，例如 2026-11-23T20:00:00+08:00、2026-11-23 20:00 或 2026-11-23",
        ),
        _ => return None,
    };
    let zh = if zh.starts_with(|c: char| c.is_ascii()) { format!(" {zh}") } else { zh.to_owned() };
    Some(Words::made(format!("{key} is {en}, not `{value}`"), format!("{key} 应为{zh}，而不是 `{value}`")))
}
