//! What the service taught, and what it was learned from.

use super::Words;
use crate::model::AccountFact;

/// A thing that was learned, and why it is believed.
pub fn learned(what: AccountFact) -> Words {
    match what {
        AccountFact::Quota(n) => say!("the day's quota is {n}, as the service says", "每日配额为 {n}（服务端答复）"),
        AccountFact::CountsUrls(true) => Words::fixed(
            "the day's quota counts URLs: a batch took as many from what was left as it had",
            "每日配额按 URL 计：一批提交后余量减少了该批的 URL 数",
        ),
        AccountFact::CountsUrls(false) => Words::fixed(
            "the day's quota counts requests: a batch took one from what was left",
            "每日配额按请求计：一批提交后余量只减少 1",
        ),
        AccountFact::CountsRefused(true) => Words::fixed(
            "refused calls count on the day's quota: one took something from what was left",
            "被拒绝的请求也计入每日配额：余量因此减少过",
        ),
        AccountFact::CountsRefused(false) => Words::fixed(
            "refused calls do not count on the day's quota: one left it as it was",
            "被拒绝的请求不计入每日配额：余量未因此减少",
        ),
        AccountFact::UrlsACall(n) => say!(
            "calls have {n} URLs at most: a larger one was refused as too large; tried again after a week",
            "每次请求最多放 {n} 个 URL：更大的批次曾因过大被拒绝；一周后再试"
        ),
        AccountFact::UrlsAQuery(n) => say!(
            "URLs go in the query, about {n} a call: the service missed them in the body",
            "URL 放在查询参数中，每次约 {n} 个：服务端未读到请求体中的 URL"
        ),
        AccountFact::UrlsAMinute(n) => say!(
            "a domain takes about {n} URLs a minute: more were refused; twice as many are tried every ten minutes",
            "每个域名每分钟约 {n} 个 URL：更多曾被拒绝；每十分钟加倍再试"
        ),
        AccountFact::QueueUrls(n) => say!(
            "the service's queue takes about {n} URLs: with more on their way it was full",
            "服务端队列约可容纳 {n} 个 URL：超过时曾报队列已满"
        ),
    }
}

/// The same with when it was seen, and of which action where there are several.
pub fn learned_at(text: &Words, action: Option<&str>, moment: &str) -> Words {
    let (en, zh) = (&text.en, &text.zh);
    match action {
        Some(action) => say!("{action}: {en} (seen {moment})", "{action}：{zh}（{moment}）"),
        None => say!("{en} (seen {moment})", "{zh}（{moment}）"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_sentences_of_its_own_in_both_languages() {
        let all = [
            AccountFact::Quota(7),
            AccountFact::CountsUrls(true),
            AccountFact::CountsUrls(false),
            AccountFact::CountsRefused(true),
            AccountFact::CountsRefused(false),
            AccountFact::UrlsACall(7),
            AccountFact::UrlsAQuery(7),
            AccountFact::UrlsAMinute(7),
            AccountFact::QueueUrls(7),
        ];
        let mut seen: Vec<String> = all.map(|what| learned(what).both()).into();
        assert!(all.iter().all(|what| !learned(*what).zh.is_ascii() && !what.code().is_empty()));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
        let told = learned_at(&learned(AccountFact::UrlsACall(7)), Some("purge"), "12:00");
        assert!(told.en.starts_with("purge: calls have 7 URLs") && told.en.ends_with("(seen 12:00)"), "{}", told.en);
    }
}
