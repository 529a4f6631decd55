//! Why a line is refused, and what to write instead.

use super::Words;
use crate::model::{Fault, LineFault};

/// What a fault means and what to write instead.
pub fn line_fault(fault: LineFault) -> Words {
    let (en, zh) = match fault {
        LineFault::NoUrl
        | LineFault::Scheme
        | LineFault::DoubledScheme
        | LineFault::TextBefore
        | LineFault::BadHost
        | LineFault::FileAsHost
        | LineFault::Wildcard
        | LineFault::IpAddress
        | LineFault::UserInfo
        | LineFault::Port
        | LineFault::ForeignDomain => of_host(fault),
        LineFault::NotUtf8
        | LineFault::NotGb18030
        | LineFault::LineTooLong
        | LineFault::LateDirective
        | LineFault::CsvQuote
        | LineFault::CsvCells
        | LineFault::CsvNoUrl
        | LineFault::Json
        | LineFault::Key
        | LineFault::Text => of_format(fault),
        _ => of_text(fault),
    };
    Words::fixed(en, zh)
}

/// The same, with the piece of the line that shows it.
pub fn line_fault_with(fault: &Fault) -> Words {
    let words = line_fault(fault.kind);
    if fault.found.is_empty() {
        return words;
    }
    // Of one key it says what that key takes, and not what every key does.
    let key = fault.found.split_once(" = ").filter(|_| fault.kind == LineFault::Key);
    if let Some(words) = key.and_then(|(key, value)| super::inputs::key_value(key, value)) {
        return words;
    }
    Words::made(format!("{} (found `{}`)", words.en, fault.found), format!("{}（发现 `{}`）", words.zh, fault.found))
}

fn of_host(fault: LineFault) -> (&'static str, &'static str) {
    match fault {
        LineFault::Scheme => (
            "not an http(s) URL: begin the line with `https://` or `http://`",
            "不是 http(s) URL：请以 `https://` 或 `http://` 开头",
        ),
        LineFault::DoubledScheme => {
            ("the scheme is written twice: write `https://` once", "协议重复：`https://` 只写一次")
        }
        LineFault::TextBefore => {
            ("something precedes the URL: begin the line with the URL", "URL 前有其他内容：一行请以 URL 开头")
        }
        LineFault::BadHost => (
            "the host is not a domain name: write it like `https://vod.example.com/path/name.mp4`",
            "主机不是域名：请写成 `https://vod.example.com/path/name.mp4`",
        ),
        LineFault::FileAsHost => (
            "this looks like the name of a file, not like a domain: write the whole URL with `https://`",
            "看起来是文件名而不是域名：请写完整的 URL，包括 `https://`",
        ),
        LineFault::Wildcard => (
            "the host has a wildcard: write the accelerated domain itself",
            "主机含通配符：请写具体的加速域名，不支持泛域名",
        ),
        LineFault::IpAddress => {
            ("the host is an IP address: write the accelerated domain", "主机是 IP 地址：请写加速域名")
        }
        LineFault::UserInfo => {
            ("the URL has user info: leave out everything before `@`", "URL 含用户信息：请去掉 `@` 之前的部分")
        }
        LineFault::Port => (
            "the port is not a number from 1 to 65535: correct it or leave it out",
            "端口不是 1 到 65535 的数字：请改正或省略",
        ),
        LineFault::ForeignDomain => (
            "the host is not in [spool] domains: correct it, or add it to the configuration",
            "域名不在 [spool] domains 中：请改正，或加入配置",
        ),
        _ => (
            "not an http(s) URL or host/path: write one URL a line, like `https://vod.example.com/path/name.mp4`",
            "不是 http(s) URL 或 主机/路径：一行写一个 URL，例如 `https://vod.example.com/path/name.mp4`",
        ),
    }
}

fn of_text(fault: LineFault) -> (&'static str, &'static str) {
    match fault {
        LineFault::TwoUrls => ("two URLs on one line: write one URL a line", "一行有两个 URL：一行写一个 URL"),
        LineFault::Quote => (
            "a quote in the line: leave it out, or write it as `%22` (`\"`) or `%27` (`'`) if it belongs to the name",
            "行内有引号：请去掉；如属文件名，请写成 `%22`（`\"`）或 `%27`（`'`）",
        ),
        LineFault::Tag => {
            ("a piece of HTML or XML in the line: write the bare URL", "行内有 HTML 或 XML 标签：请只写 URL")
        }
        LineFault::Entity => (
            "an HTML escape in the URL: write `&` instead of `&amp;`, and so on",
            "URL 含 HTML 转义：请把 `&amp;` 写成 `&`，其余类推",
        ),
        LineFault::BackSlash => (
            "a back slash in the line: write `/`, or `%5C` if it belongs to the name",
            "行内有反斜杠：请写 `/`；如属文件名，请写成 `%5C`",
        ),
        LineFault::Comment => (
            "a comment after the URL: put it on a line of its own that begins with `#`",
            "URL 后有注释：请把注释单独写成以 `#` 开头的一行",
        ),
        LineFault::Arrow => ("an arrow after the URL: write the URL alone", "URL 后有箭头：一行只写 URL"),
        LineFault::Placeholder => (
            "a placeholder that was not filled in: write the real URL, one a line; `{`, `}` and `*` of a name are \
            `%7B`, `%7D`, `%2A`",
            "占位符没有替换：请逐行写真实的 URL；如属文件名，`{`、`}`、`*` 请写成 `%7B`、`%7D`、`%2A`",
        ),
        LineFault::Percent => (
            "a percent sign that does not begin a valid escape: write `%25` if it belongs to the name",
            "百分号不是有效的转义：如属文件名，请写成 `%25`",
        ),
        LineFault::AfterFile => (
            "something follows the URL: write the URL alone; write a blank in a name as `%20`",
            "URL 后有其他内容：一行只写 URL；文件名中的空格请写成 `%20`",
        ),
        LineFault::AfterValue => (
            "something follows a value of the query: write the URL alone; percent-encode what belongs to the value",
            "查询参数的值之后有其他内容：一行只写 URL；如属参数值，请用百分号编码",
        ),
        LineFault::FullWidth => (
            "a full-width sign where a URL has `:`, `.`, `?` or `/`: write the ASCII sign, or percent-encode it if it \
            belongs to the name",
            "URL 的 `:`、`.`、`?` 或 `/` 处是全角符号：请写半角符号；如属文件名，请用百分号编码",
        ),
        LineFault::Blank => (
            "a blank in the line: write `%20` if it belongs to the URL, else the URL alone",
            "行内有空格：如属 URL，请写成 `%20`，否则只写 URL",
        ),
        LineFault::Fragment => (
            "`#` in the URL: write `%23` if it belongs to the name, else leave out what follows it",
            "URL 含 `#`：如属文件名，请写成 `%23`，否则请去掉其后的内容",
        ),
        LineFault::Punctuation => (
            "punctuation at the end: leave it out, or percent-encode it if it belongs to the name",
            "行尾有标点：请去掉；如属文件名，请用百分号编码",
        ),
        LineFault::Bracket => (
            "a bracket at the end without its partner: leave it out, or percent-encode it if it belongs to the name",
            "行尾括号不成对：请去掉；如属文件名，请用百分号编码",
        ),
        _ => of_characters_and_path(fault),
    }
}

fn of_characters_and_path(fault: LineFault) -> (&'static str, &'static str) {
    match fault {
        LineFault::ControlCharacter => (
            "a control character (such as a tab) in the line: write the URL alone",
            "行内有控制字符（如制表符）：一行只写 URL",
        ),
        LineFault::Invisible => (
            "an invisible character inside the line: remove it, or percent-encode it if it belongs to the name",
            "行内有不可见字符：请删除；如属文件名，请用百分号编码",
        ),
        LineFault::Replacement => (
            "U+FFFD or U+FFFC in the line, which stands for something that was lost: write the name again and save it \
            as UTF-8",
            "行内有 U+FFFD 或 U+FFFC，表示有内容已丢失：请重新写文件名并存为 UTF-8",
        ),
        LineFault::Directory => (
            "a directory: write the URL of a file, or use action = purge-directory to purge it",
            "是目录：请写文件的 URL；刷新目录请用 action = purge-directory",
        ),
        LineFault::NoDirectory => (
            "no directory: end it with `/`, without a query, or purge a file by action = purge",
            "不是目录：刷新目录请以 `/` 结尾且不带参数；刷新文件请用 action = purge",
        ),
        LineFault::RootDirectory => (
            "the root of a host, whose purge empties all of it: name a directory, or set [spool] purge_roots = true",
            "是域名根目录，刷新会清空整个域名：请写其下的目录，或设置 [spool] purge_roots = true",
        ),
        LineFault::ActionForbidden => (
            "[spool] actions does not allow what it asks for: whoever runs prefetchd adds it there",
            "[spool] actions 不允许该操作：须由管理员加入",
        ),
        LineFault::DotSegment => {
            ("`.` or `..` as a part of the path: write the path that it leads to", "路径含 `.` 或 `..`：请写实际的路径")
        }
        _ => (
            "longer than url_bytes_max: the service accepts no longer URL; shorten it",
            "超过 url_bytes_max：服务不接受更长的 URL，请缩短",
        ),
    }
}

fn of_format(fault: LineFault) -> (&'static str, &'static str) {
    match fault {
        LineFault::NotUtf8 => (
            "not UTF-8: save the file as UTF-8, or say `#: encoding = gb18030` in its first line",
            "不是 UTF-8：请存为 UTF-8，或在首行写 `#: encoding = gb18030`",
        ),
        LineFault::NotGb18030 => (
            "not GB18030, in which the file is read: save the file as UTF-8",
            "不是 GB18030（文件按此读取）：请存为 UTF-8",
        ),
        LineFault::LineTooLong => ("the line is too long: 64 KiB at most", "行太长：最多 64 KiB"),
        LineFault::LateDirective => (
            "a directive after the first URL: write it at the head of the file",
            "指令在第一个 URL 之后：请写在文件开头",
        ),
        LineFault::CsvQuote => (
            "the quotes of the record do not match: begin and end a cell with `\"`, and double those inside",
            "记录的引号不配对：单元格首尾写 `\"`，其中的引号写两次",
        ),
        LineFault::CsvCells => (
            "the record has more cells than the heading: put a value with a comma between quotes",
            "记录的单元格多于表头：含逗号的值请加引号",
        ),
        LineFault::CsvNoUrl => ("the column `url` is missing: write the URL there", "缺少 `url` 列：请在该列写 URL"),
        LineFault::Json => (
            "not a JSON object with one `url`: write one object a line, like {\"url\":\"https://…\"}, and no comma \
            behind it",
            "不是带一个 `url` 的 JSON 对象：一行写一个对象，例如 {\"url\":\"https://…\"}，末尾不加逗号",
        ),
        LineFault::Key => (
            "a key has an invalid value: action is prefetch, purge, purge-directory or purge+prefetch; priority is \
            urgent, high, normal or low; force and purge_force are true or false; a time is like \
            2026-11-23T20:00:00+08:00, 2026-11-23 20:00 or 2026-11-23; a label has 1 to 200 characters",
            "键的值无效：action 为 prefetch（预热）、purge（刷新）、purge-directory（刷新目录）或 purge+prefetch（刷新并预热）；\
             priority 为 urgent（紧急）、high（高）、normal（普通）或 low（低）；force 和 purge_force 为 true 或 false；时间形如 \
             2026-11-23T20:00:00+08:00、2026-11-23 20:00 或 2026-11-23；标签为 1 到 200 个字符",
        ),
        _ => ("refused by an earlier version, which kept its reasons as text", "由旧版本拒绝，原因以文字保存"),
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_code_has_words_of_its_own_in_both_languages() {
        let mut said = std::collections::HashSet::new();
        for fault in LineFault::VARIANTS {
            let words = line_fault(*fault);
            assert!(words.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}", fault.code());
            assert!(said.insert(words.en.clone()) && said.insert(words.zh), "{}: {}", fault.code(), words.en);
            assert_eq!(LineFault::of_code(fault.code()), *fault);
            let docs = include_str!("../../docs/lines.md");
            assert!(docs.contains(&format!("`{}`", fault.code())), "docs/lines.md lists {}", fault.code());
        }
    }
}
