//! Why an order that a member of the group dropped is refused, and what to do instead.

use super::Words;
use crate::model::OrderFault;

/// Why an order is refused.
pub fn order_fault(fault: &OrderFault) -> Words {
    match fault {
        OrderFault::Unreadable { said } => Words::made(
            format!("it is no order ({said}): `prefetchd cancel`, `prioritize` and `retry` write them"),
            format!("不是有效的指令（{said}）：请用 `prefetchd cancel`、`prioritize`、`retry` 生成"),
        ),
        OrderFault::TooLong { bytes_max } => {
            Words::made(format!("an order has at most {bytes_max} bytes"), format!("指令最多 {bytes_max} 字节"))
        }
        OrderFault::NotPlain => Words::fixed(
            "it is no regular file with one name: write a new file",
            "不是只有一个名称的普通文件：请写一个新文件",
        ),
        OrderFault::Nobody => Words::fixed(
            "the daemon cannot see who owns it: its unit must not have PrivateUsers=",
            "守护进程看不到文件的所有者：其 systemd 单元不能设置 PrivateUsers=",
        ),
        OrderFault::NamesNothing => Words::fixed(
            "it names no URLs: say which by file, label, host, state or url",
            "没有指明 URL：请给出 file、label、host、state 或 url",
        ),
        OrderFault::BadUrl { url } => Words::made(format!("{url} is no URL"), format!("{url} 不是 URL")),
        OrderFault::State { order, state } => Words::made(
            format!("`{order}` does not apply to URLs that are {state}"),
            format!("`{order}` 不适用于状态为 {state} 的 URL"),
        ),
        OrderFault::NoFile { file } => Words::made(
            format!("no file is called {file}: `prefetchd files` lists them"),
            format!("没有名为 {file} 的文件：`prefetchd files` 可列出"),
        ),
        OrderFault::NotYours { file, owner: Some(owner) } => Words::made(
            format!("{file} belongs to {owner}: who dropped a file, or an operator, may change it"),
            format!("{file} 属于 {owner}：只有投递者或运维人员可以更改"),
        ),
        OrderFault::NotYours { file, owner: None } => Words::made(
            format!("it is not known who dropped {file}: an operator may change it"),
            format!("不知道是谁投递了 {file}：只有运维人员可以更改"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_order_is_stored_as_its_word_and_parameters() {
        let fault = OrderFault::NotYours { file: "a.txt".to_owned(), owner: Some("bob".to_owned()) };
        assert_eq!(fault.stored(), ("not_yours".to_owned(), Some(r#"{"file":"a.txt","owner":"bob"}"#.to_owned())));
        assert!(order_fault(&fault).en.starts_with("a.txt belongs to bob"));
        assert_eq!(OrderFault::NotPlain.stored(), ("not_plain".to_owned(), None));
        for fault in [fault, OrderFault::NotPlain] {
            let (code, with) = fault.stored();
            assert_eq!(OrderFault::of_stored(&code, with.as_deref()), Some(fault));
        }
        assert_eq!(OrderFault::of_stored("of_a_later_version", None), None);
    }
}
