//! How much an operation takes: the part of the product's table that decisions need.

/// The limits of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Most URLs in a call.
    pub urls_a_call: u32,
    /// Most distinct domains in a call; none where there is no limit.
    pub domains_a_call: Option<u32>,
    /// What an account has per day by default: of prefetches calls or URLs, of purges URLs or directories.
    pub a_day: u32,
}
