//! Warnings about an input that was accepted.

use super::Words;
use crate::model::{Warned, Warning};

/// The warning, and what was done about it.
pub fn warning(warned: &Warned) -> Words {
    let found = &warned.found;
    match warned.warning {
        Warning::DeadlineOver => {
            Words::fixed("the deadline has passed: URLs that are not sent expire", "截止时间已过：未提交的 URL 将过期")
        }
        Warning::NeverReady => Words::fixed(
            "not_before is after the deadline: the URLs can never be sent",
            "最早时间晚于截止时间：永远不会提交",
        ),
        Warning::LooksLikeDirective => Words::made(
            format!("a comment looks like a directive but is none: `{found}`; a directive is written `#: key = value`"),
            format!("注释看起来像指令，但不是：`{found}`；指令写作 `#: 键 = 值`"),
        ),
        Warning::ColumnIgnored => Words::made(
            format!("the column `{found}` means nothing here and is ignored"),
            format!("列 `{found}` 没有意义，已忽略"),
        ),
        Warning::ColumnNear => {
            let chinese = found.replacen("` for `", "`，应为 `", 1);
            Words::made(
                format!("a column name looks misspelled ({found}) and is ignored"),
                format!("列名疑似有误（{chinese}），已忽略"),
            )
        }
        Warning::Separator => Words::made(
            format!("the columns are separated by `{found}` and were read that way; CSV uses commas"),
            format!("各列以 `{found}` 分隔，已按此读取；CSV 应使用逗号"),
        ),
        Warning::BlankEncoded => {
            Words::fixed("a blank inside the name of a file was encoded as `%20`", "文件名中的空格已编码为 `%20`")
        }
        Warning::FragmentDropped => Words::fixed(
            "a media fragment (`#t=…`) was dropped: the file is the same without it",
            "媒体片段（`#t=…`）已去掉：文件不变",
        ),
        Warning::Mention => Words::fixed(
            "`@` follows the name of a file, and is sent as a part of the URL: take it out if somebody is mentioned",
            "文件名后有 `@`，会作为 URL 的一部分提交：如为提及某人，请去掉",
        ),
        Warning::Gb18030 => Words::fixed(
            "the file is not UTF-8 and was read as GB18030; if that is wrong, say `#: encoding = utf-8`",
            "文件不是 UTF-8，已按 GB18030 读取；如有误，请写 `#: encoding = utf-8`",
        ),
        Warning::Trailing => Words::fixed(
            "something else follows the packed data; it is ignored",
            "压缩数据之后有不属于它的字节，已忽略",
        ),
        Warning::ForeignHost => Words::made(
            format!("`{found}` is not among the account's domains, or not online: its URLs wait"),
            format!("`{found}` 不在账号的加速域名中，或未上线：其 URL 等待中"),
        ),
        Warning::PurgeForceIgnored => Words::fixed(
            "`purge_force` is ignored: only `action = purge-directory` has it",
            "`purge_force` 已忽略：只有 `action = purge-directory` 才有此选项",
        ),
        Warning::Replaced => Words::fixed(
            "the file was cut or overwritten after it had been read: it was read again from its start, and the URLs \
             that were read before stay queued",
            "文件在读取之后被截断或覆盖：已从头重新读取，之前读取的 URL 仍在队列中",
        ),
    }
}
