//! What a receipt says of its file, in a sentence or two.

use super::{Words, many};
use crate::model::{Effect, UrlState};

/// How far a file has come. Numbers are passed as they are shown; `others` are the states of URLs that are not done.
pub fn says(file: &str, effect: Effect, done: &str, all: &str, others: Vec<Words>) -> Words {
    let urls = many(all, "URL", "URLs");
    if all == "0" {
        return say!("{file}: no URL was queued", "{file}：没有 URL 入队");
    }
    if others.is_empty() {
        return super::progress::all_reached(file, all, &super::progress::state_of(UrlState::Complete, effect));
    }
    let (is, zh) = match effect {
        Effect::Warm => ("warm", "预热"),
        Effect::Purged => ("purged", "刷新"),
        Effect::Both => ("done", "完成"),
    };
    let text = if done == "0" {
        say!("{file}: none of its {urls} is {is} yet", "{file}：{all} 个 URL 均未{zh}")
    } else {
        say!("{file}: {done} of its {urls} are {is}", "{file}：{all} 个 URL 中 {done} 个已{zh}")
    };
    text.then(&Words::list(others))
}

/// Lines that were no URLs.
pub fn refused(n: &str, report: &str) -> Words {
    let lines = many(n, "line was refused", "lines were refused");
    say!("{lines}: {report} says which and why", "{n} 行无效：见 {report}")
}

/// A rejected file.
pub fn rejected(file: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{file}: nothing of it was taken: {en}", "{file}：未受理：{zh}")
}
