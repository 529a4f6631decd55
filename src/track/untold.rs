//! Why nobody knows how an accepted URL ended. Absence of an answer is no answer: such a URL is `unconfirmed`, never failed.

use std::fmt;

/// The reasons. Each `Display` is what stands beside the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// This key may not ask for tasks.
    Forbidden,
    /// The service was asked, and listed no end of it within the three days for which it lists tasks.
    NoEnd,
    /// Nobody could ask within these three days.
    NotAsked,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => {
                "accepted, and nobody knows how it ended: this key lacks the permission vod:DescribeVodRefreshTasks"
            }
            Self::NoEnd => {
                "accepted, and nobody knows how it ended: the service listed no end of it within the three days for which it \
                 lists tasks"
            }
            Self::NotAsked => {
                "accepted, and nobody knows how it ended: its task was not asked for within the three days for which the \
                 service lists tasks"
            }
        })
    }
}
