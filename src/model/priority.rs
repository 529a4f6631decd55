//! The priority of a URL.

use strum::{Display, EnumCount, EnumString};

/// Urgent goes first, ignores `windows` and may use the `reserve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Display, EnumCount, EnumString)]
#[strum(serialize_all = "snake_case", parse_err_ty = String, parse_err_fn = no_priority)]
pub enum Priority {
    /// Before everything else.
    Urgent,
    /// Before what is normal.
    High,
    /// The default.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// All of them, the strongest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// Its number in tables; 0 is the strongest.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// The priority with this number; numbers that are too large mean the weakest.
    pub fn from_rank(rank: i64) -> Self {
        usize::try_from(rank).ok().and_then(|rank| Self::ALL.get(rank).copied()).unwrap_or(Self::Low)
    }
}

fn no_priority(text: &str) -> String {
    format!("`{text}` is no priority (urgent, high, normal or low)")
}
