//! What each product calls its operations and how much they take: constants, each figure with its source. Another
//! product is another row.

use chrono::TimeDelta;

use crate::config::Config;
use crate::model::{Actions, CallLimits, Lane, ProductName};
use crate::schedule::Policy;

/// How far back every product lists tasks (VOD-API.md, `DescribeVodRefreshTasks`; SIBLING-APIS.md, C).
pub const TASKS_LISTED_FOR: TimeDelta = TimeDelta::days(3);

/// Most IDs in a question for tasks by ID (SIBLING-APIS.md, C).
pub const IDS_A_CALL: usize = 10;

/// A product of the CDN family.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Which one.
    pub name: ProductName,
    /// The value of the parameter `Version`.
    pub version: &'static str,
    /// The values of `Action`.
    pub actions: &'static Actions,
    /// Prefetches URLs.
    pub prefetch: Submission,
    /// Purges URLs.
    pub purge: Submission,
    /// Purges directories.
    pub purge_directory: Submission,
    /// Most tasks in a page.
    pub tasks_a_page: u32,
    /// Most questions for pages of tasks a second; none where that is not documented.
    pub lists_a_second: Option<u32>,
    /// Most questions for tasks by ID a second; none where there is no such operation.
    pub ids_a_second: Option<u32>,
    /// Most domains in a page.
    pub domains_a_page: u32,
    /// Whether domains under review or failed are listed only if that is asked for.
    pub hides_domains: bool,
}

/// An operation that takes URLs; costs budget.
#[derive(Debug, PartialEq, Eq)]
pub struct Submission {
    /// The value of the parameter `Action`.
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

impl Product {
    /// The table of a product.
    pub const fn of(name: ProductName) -> &'static Self {
        match name {
            ProductName::Vod => &VOD,
            ProductName::Cdn => &CDN,
            ProductName::Dcdn => &DCDN,
        }
    }

    /// The operation of a lane.
    pub const fn submission(&self, lane: Lane) -> &Submission {
        match lane {
            Lane::Prefetch => &self.prefetch,
            Lane::Purge => &self.purge,
            Lane::PurgeDirectory => &self.purge_directory,
        }
    }

    /// The RAM permission for an `Action`.
    pub fn permission(&self, action: &str) -> String {
        self.name.permission(action)
    }
}

impl Submission {
    /// The part of it that decisions need.
    pub const fn limits(&self) -> CallLimits {
        CallLimits { urls_a_call: self.urls_a_call, domains_a_call: self.domains_a_call, a_day: self.a_day }
    }
}

/// The policy of a lane, as configured and as far as the product allows.
pub fn policy(config: &Config, lane: Lane) -> Policy {
    Policy::of(config, lane, Product::of(config.api.product).submission(lane).limits())
}

/// What is alike in the prefetches of all products.
const fn prefetch(product: ProductName, a_day: u32, calls_a_second: u32) -> Submission {
    Submission {
        action: product.actions().prefetch,
        object_type: None,
        listed_as: "preload",
        // Examples of each product have the other's field (SIBLING-APIS.md, B).
        task_ids: &["PreloadTaskId", "PushTaskId"],
        // VOD-API.md, "Limits", SIBLING-APIS.md, B: 1,000 by the errors' texts, 100 by other pages. A call that is
        // refused as too large teaches the account's own number.
        urls_a_call: 1_000,
        domains_a_call: None,
        a_day,
        quota: ["PreloadQuota", "PreloadRemain"],
        calls_a_second,
        // SIBLING-APIS.md, B: of CDN and DCDN; VOD's own is not documented.
        url_bytes: 1_024,
    }
}

/// What is alike in the purges of URLs (SIBLING-APIS.md, A).
const fn purge(product: ProductName, a_day: u32, calls_a_second: u32) -> Submission {
    Submission {
        action: product.actions().purge,
        object_type: Some("File"),
        listed_as: "file",
        // Examples of DCDN had the other field.
        task_ids: &["RefreshTaskId", "PushTaskId"],
        urls_a_call: 1_000,
        // Of CDN and DCDN; the stricter reading is kept for VOD.
        domains_a_call: Some(10),
        a_day,
        quota: ["UrlQuota", "UrlRemain"],
        calls_a_second,
        url_bytes: 1_024,
    }
}

/// What is alike in the purges of directories (SIBLING-APIS.md, A).
const fn purge_directory(product: ProductName, calls_a_second: u32) -> Submission {
    let urls = purge(product, 100, calls_a_second);
    Submission {
        object_type: Some("Directory"),
        listed_as: "directory",
        urls_a_call: 100,
        quota: ["DirQuota", "DirRemain"],
        ..urls
    }
}

/// ApsaraVideo VOD.
pub const VOD: Product = Product {
    name: ProductName::Vod,
    // VOD-API.md, "Operations"; the source of the pages' sizes too.
    version: "2017-03-21",
    actions: ProductName::Vod.actions(),
    // VOD-API.md, "Limits": 500 a day, and which of calls and URLs is counted is learned; 30 calls a second for every
    // operation.
    prefetch: prefetch(ProductName::Vod, 500, 30),
    purge: purge(ProductName::Vod, 2_000, 30),
    purge_directory: purge_directory(ProductName::Vod, 30),
    tasks_a_page: 50,
    lists_a_second: None,
    ids_a_second: None,
    domains_a_page: 50,
    hides_domains: false,
};

/// Alibaba Cloud CDN (SIBLING-APIS.md: A, B, C, E and F).
pub const CDN: Product = Product {
    name: ProductName::Cdn,
    version: "2018-05-10",
    actions: ProductName::Cdn.actions(),
    prefetch: prefetch(ProductName::Cdn, 1_000, 50),
    purge: purge(ProductName::Cdn, 10_000, 50),
    purge_directory: purge_directory(ProductName::Cdn, 50),
    tasks_a_page: 100,
    lists_a_second: Some(5),
    ids_a_second: Some(30),
    domains_a_page: 500,
    hides_domains: true,
};

/// Dynamic Route for CDN (the same).
pub const DCDN: Product = Product {
    name: ProductName::Dcdn,
    version: "2018-01-15",
    actions: ProductName::Dcdn.actions(),
    prefetch: prefetch(ProductName::Dcdn, 1_000, 15),
    purge: purge(ProductName::Dcdn, 10_000, 30),
    purge_directory: purge_directory(ProductName::Dcdn, 30),
    tasks_a_page: 50,
    lists_a_second: Some(5),
    ids_a_second: Some(30),
    domains_a_page: 500,
    hides_domains: true,
};

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn what_is_configured_by_default_is_what_the_product_takes() {
        for name in ProductName::VARIANTS {
            let (product, word) = (Product::of(*name), name.word());
            let config = Config::from_toml(&format!("[api]\nproduct = \"{word}\"")).unwrap();
            assert_eq!(config.api.product, product.name);
            assert_eq!(config.schedule.batch_urls_max.get(), product.prefetch.urls_a_call, "{word}");
            assert_eq!(config.budget.requests_per_day.get(), product.prefetch.a_day, "{word}");
            assert_eq!(config.spool.url_bytes_max.get(), product.prefetch.url_bytes, "{word}");
            assert!(config.api.requests_per_second.get() <= product.prefetch.calls_a_second, "{word}");
        }
    }
}
