//! Compares the daemon's database with the sandbox's account.

use std::collections::BTreeMap;

use super::super::text::number;
use crate::sandbox::AccountView;
use crate::status::{BookedUrl, Books};
use crate::store::Conn;

/// The result of the comparison.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    urls: usize,
    without_task: usize,
    not_submitted: usize,
    not_accepted: usize,
    doubles: usize,
    unknown_here: usize,
    charged: i64,
    seen: u64,
}

/// Compares the database with the sandbox's account, URL by URL.
pub(super) async fn compare(conn: &mut Conn, account: &AccountView) -> anyhow::Result<Verdict> {
    let books = Books::read(conn).await?;
    let ours: BTreeMap<&String, &BookedUrl> = books.urls.iter().map(|booked| (&booked.url, booked)).collect();
    Ok(Verdict {
        urls: books.urls.len(),
        without_task: ours.values().filter(|booked| booked.task_ids.is_none()).count(),
        not_submitted: ours.values().filter(|booked| booked.state != "submitted").count(),
        not_accepted: ours.keys().filter(|url| !account.accepted.contains_key(**url)).count(),
        doubles: account.accepted.values().filter(|times| **times > 1).count(),
        unknown_here: account.accepted.keys().filter(|url| !ours.contains_key(url)).count(),
        charged: books.charged,
        seen: account.days.values().map(|day| day.requests_seen).sum(),
    })
}

impl Verdict {
    /// Every valid URL was accepted exactly once and has its task, and as many requests were charged as arrived.
    pub(super) fn is_well(&self) -> bool {
        let faults = [self.without_task, self.not_submitted, self.not_accepted, self.doubles, self.unknown_here];
        self.urls > 0 && faults == [0; 5] && u64::try_from(self.charged) == Ok(self.seen)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let count = |n: usize| number(i64::try_from(n).unwrap_or(i64::MAX));
        let mut lines = vec![format!(
            "sandbox   accepted {} URLs once each, saw {} requests; the ledger charged {}",
            count(self.urls - self.not_accepted - self.doubles),
            self.seen,
            self.charged
        )];
        for (n, what) in [
            (self.not_submitted, "URLs are not submitted"),
            (self.without_task, "URLs have no task ID"),
            (self.not_accepted, "URLs were never accepted"),
            (self.doubles, "URLs were accepted more than once"),
            (self.unknown_here, "accepted URLs are not in the database"),
        ] {
            if n > 0 {
                lines.push(format!("WRONG     {} {what}", count(n)));
            }
        }
        let verdict =
            if self.is_well() { "well: every valid URL was accepted once, and the books agree" } else { "NOT WELL" };
        lines.push(format!("verdict   {verdict}"));
        lines
    }
}
