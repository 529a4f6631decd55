//! Compares the daemon's database with the sandbox's account.

use std::collections::{BTreeMap, BTreeSet};

use super::super::text::number;
use crate::sandbox::AccountView;
use crate::status::{BookedUrl, Books};
use crate::words::Words;
use crate::words::demo::{self as said, Wrong};

/// The result of the comparison.
#[derive(Debug)]
pub(super) struct Verdict {
    urls: usize,
    accepted: usize,
    wrong: [(Wrong, usize); 7],
    charged: i64,
    seen: u64,
}

/// Compares the database with the sandbox's account and with what is warm there, URL by URL. URLs of these domains may
/// wait.
pub(super) fn compare(books: &Books, account: &AccountView, warm: &BTreeSet<String>, offline: &[&str]) -> Verdict {
    let waits = |booked: &&BookedUrl| {
        let host = booked.url.split('/').nth(2).unwrap_or_default();
        booked.state == "pending" && offline.contains(&host)
    };
    let ours: BTreeMap<&String, &BookedUrl> = books.urls.iter().map(|booked| (&booked.url, booked)).collect();
    let sent: Vec<&BookedUrl> = ours.values().copied().filter(|booked| !waits(booked)).collect();
    let accepted = &account.accepted;
    let purged = |url: &String| account.purge.accepted.get(url) == Some(&1);
    let purges = books.purged.iter().filter(|url| !purged(url)).count()
        + account.purge.accepted.keys().filter(|url| !books.purged.contains(url)).count();
    let is_warm = |booked: &BookedUrl| booked.state == "complete";
    Verdict {
        urls: sent.len(),
        accepted: accepted.values().filter(|times| **times == 1).count(),
        wrong: [
            (Wrong::NotWarm, sent.iter().filter(|booked| !is_warm(booked)).count()),
            (Wrong::WithoutTask, sent.iter().filter(|booked| booked.task_ids.is_none()).count()),
            (Wrong::NotAccepted, sent.iter().filter(|booked| !accepted.contains_key(&booked.url)).count()),
            (Wrong::Doubled, accepted.values().filter(|times| **times > 1).count()),
            (Wrong::Unknown, accepted.keys().filter(|url| !ours.contains_key(url)).count()),
            (Wrong::Purged, purges),
            (Wrong::Warmth, ours.values().filter(|booked| is_warm(booked) != warm.contains(&booked.url)).count()),
        ],
        charged: books.charged,
        seen: account.days.values().map(|day| day.requests_seen).sum(),
    }
}

impl Verdict {
    /// Every URL that can be is warm and was accepted exactly once, and as many requests were charged as arrived.
    pub(super) fn is_well(&self) -> bool {
        self.urls > 0 && self.wrong.iter().all(|(_, n)| *n == 0) && u64::try_from(self.charged) == Ok(self.seen)
    }

    /// Its lines, each with its label.
    pub(super) fn lines(&self) -> Vec<(Words, Words)> {
        let count = |n: usize| number(i64::try_from(n).unwrap_or(i64::MAX));
        let (seen, charged) = (self.seen.to_string(), number(self.charged));
        let mut lines = vec![(said::SANDBOX, said::counted(&count(self.accepted), &seen, &charged))];
        for (what, n) in self.wrong.iter().filter(|(_, n)| *n > 0) {
            lines.push((said::WRONG, said::wrong(*what, &count(*n))));
        }
        lines.push((said::VERDICT, if self.is_well() { said::WELL } else { said::NOT_WELL }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(state: &str, warm: &[&str], times: u64, (charged, purged): (i64, &[&str])) -> Verdict {
        let url = |url: &str, state: &str| BookedUrl {
            url: url.to_owned(),
            state: state.to_owned(),
            task_ids: (state == "complete").then(|| "1".to_owned()),
        };
        let books = Books {
            urls: vec![url("https://a.example.com/1", "complete"), url("https://old.example.com/1", state)],
            purged: purged.iter().map(|url| (*url).to_owned()).collect(),
            charged,
        };
        let counts = r#"{"requests_seen":0,"requests_accepted":0,"urls_accepted":0,"quota_used":0}"#;
        let meter = r#"{"quota":1,"quota_left":1,"accepted":{}}"#;
        let account = format!(
            r#"{{"product":"vod","now":"","day":"","quota_unit":"requests","quota":5,"quota_left":4,"calls":[],
            "days":{{"d":{{"requests_seen":1,"requests_accepted":1,"urls_accepted":1,"quota_used":1,"purge":{counts},
            "purge_directory":{counts}}}}},"accepted":{{"https://a.example.com/1":{times}}},"purge":{meter},
            "purge_directory":{meter}}}"#
        );
        let account = serde_json::from_str(&account).unwrap();
        let warm = warm.iter().map(|url| (*url).to_owned()).collect();
        compare(&books, &account, &warm, &["old.example.com"])
    }

    #[test]
    fn only_books_that_agree_are_well() {
        let a = "https://a.example.com/1";
        assert!(verdict("pending", &[a], 1, (1, &[])).is_well());
        assert!(!verdict("submitted", &[a], 1, (1, &[])).is_well());
        assert!(!verdict("pending", &[], 1, (1, &[])).is_well());
        assert!(!verdict("pending", &[a], 2, (1, &[])).is_well());
        assert!(!verdict("pending", &[a], 1, (2, &[])).is_well());
        // The service knows nothing of a purge.
        assert!(!verdict("pending", &[a], 1, (1, &[a])).is_well());
    }
}
