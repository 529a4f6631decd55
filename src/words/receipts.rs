//! What a receipt says of its file, in a sentence or two.

use super::{Words, many};
use crate::model::UrlState;

/// How far a file has come. Numbers are passed as they are shown; `others` are the states of URLs that are not warm.
pub fn says(file: &str, warm: &str, all: &str, others: Vec<Words>) -> Words {
    let urls = many(all, "URL", "URLs");
    if all == "0" {
        return say!("{file}: no URL was queued", "{file}：没有 URL 入队");
    }
    if others.is_empty() {
        return super::progress::all_reached(file, all, UrlState::Complete);
    }
    let text = if warm == "0" {
        say!("{file}: none of its {urls} is warm yet", "{file}：{all} 个 URL 均未预热")
    } else {
        say!("{file}: {warm} of its {urls} are warm", "{file}：{all} 个 URL 中 {warm} 个已预热")
    };
    text.then(&Words::list(others))
}

/// Lines that were no URLs.
pub fn refused(n: &str, report: &str) -> Words {
    let lines = many(n, "line is no URL", "lines are no URLs");
    say!("{lines}: {report} says which and why", "{n} 行无效：见 {report}")
}

/// A rejected file.
pub fn rejected(file: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{file}: nothing of it was taken: {en}", "{file}：未受理：{zh}")
}
