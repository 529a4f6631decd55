//! The demo's comparison of the daemon's books with the sandbox's.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, SqliteConnection};

use super::super::text::number;
use crate::sandbox::AccountView;

const URLS: &str = "select url, state, task_ids from v_urls";

const CHARGED: &str = "select coalesce(sum(requests_used), 0) from v_budget";

/// What the comparison found.
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
pub(super) async fn compare(conn: &mut SqliteConnection, account: &AccountView) -> anyhow::Result<Verdict> {
    let rows = sqlx::query(URLS).fetch_all(&mut *conn).await?;
    let ours: BTreeMap<String, (String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let urls: BTreeSet<&String> = ours.keys().collect();
    Ok(Verdict {
        urls: rows.len(),
        without_task: ours.values().filter(|(_, tasks)| tasks.is_none()).count(),
        not_submitted: ours.values().filter(|(state, _)| state != "submitted").count(),
        not_accepted: urls.iter().filter(|url| !account.accepted.contains_key(**url)).count(),
        doubles: account.accepted.values().filter(|times| **times > 1).count(),
        unknown_here: account.accepted.keys().filter(|url| !urls.contains(url)).count(),
        charged: sqlx::query_scalar(CHARGED).fetch_one(conn).await?,
        seen: account.days.values().map(|day| day.requests_seen).sum(),
    })
}

impl Verdict {
    /// Every valid URL accepted exactly once, with its task, and as many requests charged as were seen.
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
