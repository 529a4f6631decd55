//! What each product calls its operations and how much they take: constants, each figure with its source. Another
//! product is another row.

use chrono::TimeDelta;

use crate::model::Lane;

/// How far back every product lists tasks (VOD-API.md, `DescribeVodRefreshTasks`; SIBLING-APIS.md, C).
pub const TASKS_LISTED_FOR: TimeDelta = TimeDelta::days(3);

/// A product of the CDN family.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// As users write it.
    pub name: &'static str,
    /// The value of the parameter `Version`.
    pub version: &'static str,
    /// Prefetches URLs.
    pub prefetch: Submission,
    /// Purges URLs.
    pub purge: Submission,
    /// Purges directories.
    pub purge_directory: Submission,
    /// The `Action` that tells what is left of the day; free.
    pub quota: &'static str,
    /// Lists the tasks of the last days; free.
    pub tasks: Listing,
    /// Lists the account's domains; free.
    pub domains: Listing,
}

/// An operation that takes URLs; costs budget.
#[derive(Debug, PartialEq, Eq)]
pub struct Submission {
    /// The value of the parameter `Action`. Its RAM permission is the product's name, a colon and this.
    pub action: &'static str,
    /// The value of its parameter `ObjectType`; none where it has no such parameter.
    pub object_type: Option<&'static str>,
    /// The value of `ObjectType` by which its tasks are listed.
    pub listed_as: &'static str,
    /// The fields of the answer that name the tasks: of these, the first that is there.
    pub task_ids: &'static [&'static str],
    /// Most URLs in a call.
    pub urls_a_call: u32,
    /// Most distinct domains in a call; none where no limit is documented.
    pub domains_a_call: Option<u32>,
    /// What an account has per day by default: of prefetches calls or URLs, of purges URLs or directories.
    pub a_day: u32,
    /// The fields of the quota's answer: the quota of a day, and what is left of it.
    pub quota: [&'static str; 2],
    /// Most calls a second.
    pub calls_a_second: u32,
    /// Longest URL, in bytes.
    pub url_bytes: u32,
}

/// An operation that lists something page by page.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    /// The value of the parameter `Action`.
    pub action: &'static str,
    /// Most rows in a page.
    pub rows_a_page: u32,
}

impl Product {
    /// The operation of a lane.
    pub const fn submission(&self, lane: Lane) -> &Submission {
        match lane {
            Lane::Prefetch => &self.prefetch,
            Lane::Purge => &self.purge,
            Lane::PurgeDirectory => &self.purge_directory,
        }
    }

    /// The RAM permission for an `Action` (SIBLING-APIS.md, F).
    pub fn permission(&self, action: &str) -> String {
        format!("{}:{action}", self.name)
    }
}

/// The fields that name a prefetch's tasks: examples of each product have the other's (SIBLING-APIS.md, B).
const PREFETCH_IDS: &[&str] = &["PreloadTaskId", "PushTaskId"];

/// The fields that name a purge's tasks (SIBLING-APIS.md, A).
const PURGE_IDS: &[&str] = &["RefreshTaskId", "PushTaskId"];

/// ApsaraVideo VOD.
pub const VOD: Product = Product {
    name: "vod",
    // VOD-API.md, "Operations"; the source of the names below too.
    version: "2017-03-21",
    prefetch: Submission {
        action: "PreloadVodObjectCaches",
        object_type: None,
        listed_as: "preload",
        task_ids: PREFETCH_IDS,
        // VOD-API.md, "Limits": by the error's text. The console accepts 100; the number for an account is learned.
        urls_a_call: 1_000,
        domains_a_call: None,
        // VOD-API.md, "Limits". Which of the two is counted is learned.
        a_day: 500,
        quota: ["PreloadQuota", "PreloadRemain"],
        // VOD-API.md, "Limits": 30 for every operation.
        calls_a_second: 30,
        // VOD-API.md, "Limits": that of the sibling products; VOD's own is not documented.
        url_bytes: 1_024,
    },
    // SIBLING-APIS.md, A; the limit of domains is documented for CDN and DCDN, and the stricter reading is kept.
    purge: Submission {
        action: "RefreshVodObjectCaches",
        object_type: Some("File"),
        listed_as: "file",
        task_ids: PURGE_IDS,
        urls_a_call: 1_000,
        domains_a_call: Some(10),
        a_day: 2_000,
        quota: ["UrlQuota", "UrlRemain"],
        calls_a_second: 30,
        url_bytes: 1_024,
    },
    purge_directory: Submission {
        action: "RefreshVodObjectCaches",
        object_type: Some("Directory"),
        listed_as: "directory",
        task_ids: PURGE_IDS,
        urls_a_call: 100,
        domains_a_call: Some(10),
        a_day: 100,
        quota: ["DirQuota", "DirRemain"],
        calls_a_second: 30,
        url_bytes: 1_024,
    },
    quota: "DescribeVodRefreshQuota",
    // VOD-API.md, "Operations": 50 at most (SIBLING-APIS.md, C: 100 in CDN, 50 in DCDN).
    tasks: Listing { action: "DescribeVodRefreshTasks", rows_a_page: 50 },
    // VOD-API.md, "Operations": 50 at most (SIBLING-APIS.md, E: 500 in CDN and DCDN).
    domains: Listing { action: "DescribeVodUserDomains", rows_a_page: 50 },
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
