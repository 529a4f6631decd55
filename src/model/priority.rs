//! How much a URL matters beside others.

use std::fmt;
use std::str::FromStr;

/// Urgent goes first, ignores `windows` and may use the `reserve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Before everything else.
    Urgent,
    /// Before what is normal.
    High,
    /// What has no priority of its own.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// The number that stands in the tables: 0 is the strongest.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// The priority with this number; numbers beyond the last mean the weakest.
    pub fn from_rank(rank: i64) -> Self {
        usize::try_from(rank).ok().and_then(|rank| Self::ALL.get(rank).copied()).unwrap_or(Self::Low)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        })
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no priority (urgent, high, normal or low)"))
    }
}
