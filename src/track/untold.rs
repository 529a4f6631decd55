//! Why nobody knows how an accepted URL ended. Absence of an answer is no answer: such a URL is `unconfirmed`, never
//! failed.

use std::fmt;

/// The reasons. Each `Display` is what stands beside the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// This key may not ask for tasks.
    Forbidden,
    /// The service was asked, and listed no end of it within the three days for which it lists tasks.
    NoEnd,
    /// Nobody could ask within these three days.
    NotAsked,
    /// The service ended it with a word that is neither complete nor failed: `Timeout`, `Canceled`, or one that nobody
    /// knows.
    Word(String),
    /// The service called it complete at so many per cent, and never more.
    Partly(String),
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("accepted, and nobody knows how it ended: ")?;
        match self {
            Self::Forbidden => f.write_str("this key lacks the permission vod:DescribeVodRefreshTasks"),
            Self::NoEnd => {
                f.write_str("the service listed no end of it within the three days for which it lists tasks")
            }
            Self::NotAsked => {
                f.write_str("its task was not asked for within the three days for which the service lists tasks")
            }
            Self::Word(word) => write!(f, "the service says {word}"),
            Self::Partly(process) => write!(f, "the service called it complete at {process}, and never more"),
        }
    }
}
