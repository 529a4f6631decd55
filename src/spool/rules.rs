//! The rules by which a file is read.

use chrono::FixedOffset;

use crate::config::Config;
use crate::model::{DayStart, TextEncoding, Time, UrlRules};

/// The rules by which a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRules {
    /// The rules for URLs.
    pub urls: UrlRules,
    /// The encoding, where the file does not name one.
    pub encoding: TextEncoding,
    /// The offset for times written without one.
    pub offset: FixedOffset,
    /// A deadline before this moment causes a warning.
    pub now: Time,
}

impl ReadRules {
    /// From the configuration.
    pub fn of(config: &Config, now: Time) -> Self {
        Self {
            urls: config.spool.url_rules(),
            encoding: config.spool.encoding,
            offset: config.budget.day_starts.offset(),
            now,
        }
    }
}

/// These rules for URLs, defaults for everything else, and no moment.
impl From<UrlRules> for ReadRules {
    fn from(urls: UrlRules) -> Self {
        Self { urls, encoding: TextEncoding::Auto, offset: DayStart::default().offset(), now: Time::MIN_UTC }
    }
}
