//! What a line, or the head of its file, asks for.

use super::{Priority, Time};

/// What the user asked of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    /// Urgent goes first.
    pub priority: Priority,
    /// A word to find it by.
    pub label: Option<String>,
    /// Not to be sent before.
    pub not_before: Option<Time>,
    /// Not to be sent after.
    pub deadline: Option<Time>,
    /// To be sent even if it is fresh.
    pub force: bool,
}
