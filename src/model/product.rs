//! The products of the CDN family, and what they call their operations.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// A product. An account of one knows nothing of the others: each has its own domains, quotas and tasks.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ProductName {
    /// ApsaraVideo VOD, which accelerates the domains of its media library.
    #[default]
    Vod,
    /// Alibaba Cloud CDN.
    Cdn,
    /// Dynamic Route for CDN.
    Dcdn,
}

/// The `Action` of each operation (VOD-API.md, "Operations"; SIBLING-APIS.md, A to E).
#[derive(Debug, PartialEq, Eq)]
pub struct Actions {
    /// Prefetches URLs.
    pub prefetch: &'static str,
    /// Purges URLs and directories.
    pub purge: &'static str,
    /// Lists tasks page by page.
    pub tasks: &'static str,
    /// Lists the tasks with these IDs; none where there is no such operation.
    pub tasks_by_id: Option<&'static str>,
    /// Tells what is left of the day.
    pub quota: &'static str,
    /// Lists domains page by page.
    pub domains: &'static str,
}

const VOD: Actions = Actions {
    prefetch: "PreloadVodObjectCaches",
    purge: "RefreshVodObjectCaches",
    tasks: "DescribeVodRefreshTasks",
    tasks_by_id: None,
    quota: "DescribeVodRefreshQuota",
    domains: "DescribeVodUserDomains",
};

const CDN: Actions = Actions {
    prefetch: "PushObjectCache",
    purge: "RefreshObjectCaches",
    tasks: "DescribeRefreshTasks",
    tasks_by_id: Some("DescribeRefreshTaskById"),
    quota: "DescribeRefreshQuota",
    domains: "DescribeUserDomains",
};

const DCDN: Actions = Actions {
    prefetch: "PreloadDcdnObjectCaches",
    purge: "RefreshDcdnObjectCaches",
    tasks: "DescribeDcdnRefreshTasks",
    tasks_by_id: Some("DescribeDcdnRefreshTaskById"),
    quota: "DescribeDcdnRefreshQuota",
    domains: "DescribeDcdnUserDomains",
};

impl ProductName {
    /// As users write it; also the prefix of its permissions.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// Its operations.
    pub const fn actions(self) -> &'static Actions {
        match self {
            Self::Vod => &VOD,
            Self::Cdn => &CDN,
            Self::Dcdn => &DCDN,
        }
    }

    /// The RAM permission for an `Action` (SIBLING-APIS.md, F).
    pub fn permission(self, action: &str) -> String {
        format!("{}:{action}", self.word())
    }

    /// As the vendor writes it, in English and Chinese.
    pub const fn title(self) -> [&'static str; 2] {
        match self {
            Self::Vod => ["ApsaraVideo VOD", "视频点播（ApsaraVideo VOD）"],
            Self::Cdn => ["Alibaba Cloud CDN", "阿里云 CDN"],
            Self::Dcdn => ["DCDN", "全站加速（DCDN）"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_products_share_a_name_of_an_operation() {
        let names = |product: &ProductName| {
            let Actions { prefetch, purge, tasks, tasks_by_id, quota, domains } = product.actions();
            let names = [*prefetch, *purge, *tasks, *quota, *domains];
            names.into_iter().chain(*tasks_by_id).collect::<Vec<_>>()
        };
        let mut all: Vec<&str> = ProductName::VARIANTS.iter().flat_map(names).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (17, 17));
        assert_eq!(ProductName::Dcdn.permission("X"), "dcdn:X");
        assert_eq!("cdn".parse(), Ok(ProductName::Cdn));
    }
}
