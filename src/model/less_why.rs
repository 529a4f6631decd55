//! Why fewer requests are left than a day's limit and what was charged let expect.

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LessWhy {
    /// The service said that its quota is used up.
    UsedUp,
    /// `[budget] urls_per_day` is spent.
    UrlsSpent,
    /// The service's quota is smaller than the limit.
    SmallQuota,
    /// Others spend the service's quota, too.
    Others,
    /// The service says that less is left, and nobody knows why.
    Told,
}
