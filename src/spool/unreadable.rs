//! Why the reading of a file ended early.

use std::io;

use crate::model::InputFault;

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk failed; it may recover.
    Io(io::Error),
    /// The file is not a file of URLs, and never will be.
    NotUrls(InputFault),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<InputFault> for Unreadable {
    fn from(fault: InputFault) -> Self {
        Self::NotUrls(fault)
    }
}
