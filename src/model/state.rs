//! The life of a URL.

use std::fmt;
use std::str::FromStr;

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
    /// Accepted by the API, which never told how it ended. No failure: nobody said so.
    Unconfirmed,
}

impl UrlState {
    /// In the order of the counting columns of `files` and `tally`.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Leased,
        Self::Submitted,
        Self::Complete,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Held,
        Self::Unconfirmed,
    ];
}

impl FromStr for UrlState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.to_string() == text).ok_or_else(|| {
            let words = Self::ALL.map(|state| state.to_string()).join(", ");
            format!("`{text}` is no state ({words})")
        })
    }
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
            Self::Unconfirmed => "unconfirmed",
        })
    }
}
