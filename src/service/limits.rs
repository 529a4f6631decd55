//! What each product calls its operations and how much they take: constants, each figure with its source. Another
//! product is another row.

use chrono::TimeDelta;

/// A product of the CDN family.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// As users write it.
    pub name: &'static str,
    /// The value of the parameter `Version`.
    pub version: &'static str,
    /// Submits URLs for prefetching; costs budget.
    pub prefetch: Submission,
    /// Tells what is left of the day; free.
    pub quota: Quotas,
    /// Lists the tasks of the last days; free.
    pub tasks: Listing,
    /// Lists the account's domains; free.
    pub domains: Listing,
    /// How far back tasks are listed.
    pub tasks_listed_for: TimeDelta,
}

/// An operation that takes URLs.
#[derive(Debug, PartialEq, Eq)]
pub struct Submission {
    /// The value of the parameter `Action`.
    pub action: &'static str,
    /// The field of the answer that names the tasks.
    pub task_ids: &'static str,
    /// Most URLs in a call.
    pub urls_a_call: u32,
    /// Calls or URLs that an account has per day by default.
    pub a_day: u32,
    /// Longest URL, in bytes.
    pub url_bytes: u32,
}

/// The operation that tells what is left.
#[derive(Debug, PartialEq, Eq)]
pub struct Quotas {
    /// The value of the parameter `Action`.
    pub action: &'static str,
    /// The fields of the answer: the day's quota of prefetches, and what is left of it.
    pub prefetch: [&'static str; 2],
}

/// An operation that lists something page by page.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    /// The value of the parameter `Action`.
    pub action: &'static str,
    /// The nested fields of the answer that contain the rows, outermost first.
    pub rows: [&'static str; 2],
    /// Most rows in a page.
    pub rows_a_page: u32,
}

/// ApsaraVideo VOD.
pub const VOD: Product = Product {
    name: "vod",
    // VOD-API.md, "Operations"; the source of the names below too.
    version: "2017-03-21",
    prefetch: Submission {
        action: "PreloadVodObjectCaches",
        task_ids: "PreloadTaskId",
        // VOD-API.md, "Limits": by the error's text. The console accepts 100; the number for an account is learned.
        urls_a_call: 1_000,
        // VOD-API.md, "Limits". Which of the two is counted is learned.
        a_day: 500,
        // VOD-API.md, "Limits": that of the sibling products; VOD's own is not documented.
        url_bytes: 1_024,
    },
    quota: Quotas { action: "DescribeVodRefreshQuota", prefetch: ["PreloadQuota", "PreloadRemain"] },
    // VOD-API.md, "Operations": 50 at most (SIBLING-APIS.md, C: 100 in CDN, 50 in DCDN).
    tasks: Listing { action: "DescribeVodRefreshTasks", rows: ["Tasks", "Task"], rows_a_page: 50 },
    // VOD-API.md, "Operations": 50 at most (SIBLING-APIS.md, E: 500 in CDN and DCDN).
    domains: Listing { action: "DescribeVodUserDomains", rows: ["Domains", "PageData"], rows_a_page: 50 },
    // VOD-API.md, `DescribeVodRefreshTasks`.
    tasks_listed_for: TimeDelta::days(3),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_configured_by_default_is_what_the_product_takes() {
        let config = Config::default();
        assert_eq!(config.schedule.batch_urls_max.get(), VOD.prefetch.urls_a_call);
        assert_eq!(config.budget.requests_per_day.get(), VOD.prefetch.a_day);
        assert_eq!(config.spool.url_bytes_max.get(), VOD.prefetch.url_bytes);
    }
}
