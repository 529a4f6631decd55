//! The life of a URL.

use std::fmt;

/// Where a URL stands. Only `retry` takes one out of an end state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrlState {
    /// Waits for a batch.
    Pending,
    /// In a batch that is being sent or whose answer is in doubt.
    Leased,
    /// Accepted by the API; has a task.
    Submitted,
    /// Warm.
    Complete,
    /// Ended, the reason stands with it.
    Failed,
    /// Its deadline passed unsent.
    Expired,
    /// Ended by the operator.
    Cancelled,
    /// Waits for the operator.
    Held,
}

impl UrlState {
    /// In the order of the counting columns of `files` and `tally`.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Leased,
        Self::Submitted,
        Self::Complete,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Held,
    ];
}

impl fmt::Display for UrlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Submitted => "submitted",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
        })
    }
}
