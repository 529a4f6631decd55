//! The keys of a line or a file: what its writer asks for.

use super::{Action, Priority, Time};

/// What the writer asks for a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    /// What is done with it.
    pub action: Action,
    /// Urgent goes first.
    pub priority: Priority,
    /// A label to find it by.
    pub label: Option<String>,
    /// It must not be sent before this time.
    pub not_before: Option<Time>,
    /// It must not be sent after this time.
    pub deadline: Option<Time>,
    /// Send it even if it is fresh.
    pub force: bool,
    /// Purge everything in a directory, and not only what has changed at the origin.
    pub purge_force: bool,
}
