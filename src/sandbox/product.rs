//! What the sandbox knows of the three products: names, versions, limits and spellings of answers. These tables are its
//! own. The client has others, so that each checks the other.

/// What an operation does, whatever a product calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Prefetches URLs.
    Preload,
    /// Purges URLs or directories.
    Refresh,
    /// Lists tasks page by page.
    Tasks,
    /// Lists the tasks with these IDs.
    TasksById,
    /// Tells what is left of the day.
    Quota,
    /// Lists domains page by page.
    Domains,
}

impl Operation {
    /// The word by which a scenario names it for every product.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Preload => "prefetch",
            Self::Refresh => "purge",
            Self::Tasks => "tasks",
            Self::TasksById => "tasks-by-id",
            Self::Quota => "quota",
            Self::Domains => "domains",
        }
    }
}

/// What a task does. The number is its place in lists of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Prefetches a URL.
    Preload,
    /// Purges a URL.
    File,
    /// Purges a directory.
    Directory,
}

impl Kind {
    /// All kinds.
    pub(super) const ALL: [Self; 3] = [Self::Preload, Self::File, Self::Directory];

    /// The word of scenarios.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Preload => "prefetch",
            Self::File => "purge",
            Self::Directory => "purge-directory",
        }
    }

    /// The kind with this word.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The value of the parameter `ObjectType` by which tasks are listed.
    pub(super) fn object_type(self) -> &'static str {
        match self {
            Self::Preload => "preload",
            Self::File => "file",
            Self::Directory => "directory",
        }
    }
}

/// A product. Where no source is named, it is VOD-API.md, "Operations", or SIBLING-APIS.md, A to F.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// As scenarios name it.
    pub(super) name: &'static str,
    /// The only value of `Version` that is taken.
    pub(super) version: &'static str,
    /// The `HostId` of errors.
    pub(super) host: &'static str,
    /// Its operations: the value of `Action`, and how many calls a second it takes.
    pub(super) operations: &'static [(&'static str, Operation, usize)],
    /// The field of the answer that names the tasks of a prefetch.
    pub(super) preload_ids: &'static str,
    /// The day's prefetches.
    pub(super) preloads_a_day: u64,
    /// The day's purges of URLs.
    pub(super) purges_a_day: u64,
    /// The field inside `Tasks` that contains the rows.
    pub(super) task_rows: &'static str,
    /// How tasks of directories are called in answers.
    pub(super) directory: &'static str,
    /// Most rows in a page of tasks.
    pub(super) tasks_a_page: usize,
    /// Most rows in a page of domains.
    pub(super) domains_a_page: usize,
    /// Whether a part of a domain's name finds it unless `DomainSearchType` says otherwise.
    pub(super) finds_parts: bool,
    /// Whether a prefetch takes `QueryHashkey`.
    pub(super) has_query_hashkey: bool,
    /// Whether a prefetch takes `ConsistencyHash`.
    pub(super) has_consistency_hash: bool,
    /// Quotas of operations that the sandbox does not play.
    pub(super) other_quotas: &'static [&'static str],
    /// Most domains in a purge; none where no limit is documented.
    pub(super) domains_a_purge: Option<usize>,
    /// The code for more URLs than a call may have.
    pub(super) too_many: &'static str,
    /// Whether each domain of a call gets task IDs of its own, of at most 500 URLs each.
    pub(super) ids_by_domain: bool,
    /// Whether an end of a period is refused without the other one.
    pub(super) needs_both_times: bool,
    /// The code for an account that is overdue.
    pub(super) suspended: &'static str,
    /// Whether every refusal by an operation has status 400.
    pub(super) refuses_with_400: bool,
}

/// ApsaraVideo VOD.
pub(super) const VOD: Product = Product {
    name: "vod",
    version: "2017-03-21",
    host: "vod.cn-shanghai.aliyuncs.com",
    operations: &[
        ("PreloadVodObjectCaches", Operation::Preload, 30),
        ("RefreshVodObjectCaches", Operation::Refresh, 30),
        ("DescribeVodRefreshTasks", Operation::Tasks, 30),
        ("DescribeVodRefreshQuota", Operation::Quota, 30),
        ("DescribeVodUserDomains", Operation::Domains, 30),
    ],
    preload_ids: "PreloadTaskId",
    preloads_a_day: 500,
    purges_a_day: 2_000,
    task_rows: "Task",
    directory: "directory",
    tasks_a_page: 50,
    domains_a_page: 50,
    finds_parts: true,
    has_query_hashkey: false,
    has_consistency_hash: false,
    other_quotas: &[],
    domains_a_purge: None,
    too_many: "InvalidObjectPath.Size.Malformed",
    ids_by_domain: false,
    needs_both_times: false,
    suspended: "OperationDenied.Suspended",
    refuses_with_400: false,
};

/// Alibaba Cloud CDN.
pub(super) const CDN: Product = Product {
    name: "cdn",
    version: "2018-05-10",
    host: "cdn.aliyuncs.com",
    operations: &[
        ("PushObjectCache", Operation::Preload, 50),
        ("RefreshObjectCaches", Operation::Refresh, 50),
        ("DescribeRefreshTasks", Operation::Tasks, 5),
        ("DescribeRefreshTaskById", Operation::TasksById, 30),
        ("DescribeRefreshQuota", Operation::Quota, 20),
        ("DescribeUserDomains", Operation::Domains, 100),
    ],
    preload_ids: "PushTaskId",
    preloads_a_day: 1_000,
    purges_a_day: 10_000,
    task_rows: "CDNTask",
    directory: "directory",
    tasks_a_page: 100,
    domains_a_page: 500,
    finds_parts: false,
    has_query_hashkey: true,
    has_consistency_hash: true,
    other_quotas: &[
        "RegexQuota",
        "RegexRemain",
        "IgnoreParamsQuota",
        "IgnoreParamsRemain",
        "PreloadEdgeQuota",
        "PreloadEdgeRemain",
    ],
    domains_a_purge: Some(10),
    too_many: "InvalidObjectPath.Size.Malformed",
    ids_by_domain: true,
    needs_both_times: false,
    suspended: "OperationDenied",
    refuses_with_400: false,
};

/// Dynamic Route for CDN (DCDN).
pub(super) const DCDN: Product = Product {
    name: "dcdn",
    version: "2018-01-15",
    host: "dcdn.aliyuncs.com",
    operations: &[
        ("PreloadDcdnObjectCaches", Operation::Preload, 15),
        ("RefreshDcdnObjectCaches", Operation::Refresh, 30),
        ("DescribeDcdnRefreshTasks", Operation::Tasks, 5),
        ("DescribeDcdnRefreshTaskById", Operation::TasksById, 30),
        ("DescribeDcdnRefreshQuota", Operation::Quota, 20),
        ("DescribeDcdnUserDomains", Operation::Domains, 80),
    ],
    preload_ids: "PreloadTaskId",
    preloads_a_day: 1_000,
    purges_a_day: 10_000,
    task_rows: "Task",
    directory: "path",
    tasks_a_page: 50,
    domains_a_page: 500,
    finds_parts: false,
    has_query_hashkey: true,
    has_consistency_hash: false,
    other_quotas: &["RegexQuota", "RegexRemain", "IgnoreParamsQuota", "IgnoreParamsRemain"],
    domains_a_purge: Some(10),
    too_many: "SingleRequest.OverLimit",
    ids_by_domain: true,
    needs_both_times: true,
    suspended: "OperationDenied",
    refuses_with_400: true,
};

/// All products.
pub(super) const PRODUCTS: [&Product; 3] = [&VOD, &CDN, &DCDN];

impl Product {
    /// The product and operation of an `Action`. The names of the three products differ.
    pub(super) fn of_action(action: &str) -> Option<(&'static Self, Operation)> {
        PRODUCTS.into_iter().find_map(|product| {
            let found = product.operations.iter().find(|(name, ..)| *name == action)?;
            Some((product, found.1))
        })
    }

    /// How many calls a second an operation takes.
    pub(super) fn rate(&self, operation: Operation) -> usize {
        self.operations.iter().find(|(_, of, _)| *of == operation).map_or(0, |(.., rate)| *rate)
    }

    /// Its place in [`PRODUCTS`].
    pub(super) fn place(&self) -> usize {
        PRODUCTS.iter().position(|product| product.name == self.name).expect("it is one of them")
    }
}
