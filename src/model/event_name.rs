//! The names of the events that people are told about.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// An event's name. It is stored and never changes its meaning.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray, Deserialize, Serialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EventName {
    /// The account is refused, and nothing is sent.
    Paused,
    /// The account works again.
    Resumed,
    /// Everything is done for a file.
    FileFinished,
    /// The deadline of pending URLs of a file is near.
    DeadlineNear,
    /// Deadlines passed before the URLs could be sent.
    DeadlineMissed,
    /// Nothing is left of the day's budget, and urgent URLs wait.
    BudgetSpent,
}

impl EventName {
    /// Whether somebody may still do something about it if he knows at once.
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::Paused | Self::DeadlineNear | Self::DeadlineMissed | Self::BudgetSpent)
    }
}
