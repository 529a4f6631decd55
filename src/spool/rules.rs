//! What a file is read by.

use chrono::FixedOffset;

use crate::config::Config;
use crate::model::{DayStart, TextEncoding, Time, UrlRules};

/// What a file is read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRules {
    /// What lines are checked against.
    pub urls: UrlRules,
    /// How bytes mean text, where the file does not say so.
    pub encoding: TextEncoding,
    /// The offset of times that are written without one.
    pub offset: FixedOffset,
    /// Deadlines before this moment are warned of.
    pub now: Time,
}

impl ReadRules {
    /// As it is configured.
    pub fn of(config: &Config, now: Time) -> Self {
        Self {
            urls: config.spool.url_rules(),
            encoding: config.spool.encoding,
            offset: config.budget.day_starts.offset(),
            now,
        }
    }
}

/// The rules of lines, everything else as it is by default, at no moment.
impl From<UrlRules> for ReadRules {
    fn from(urls: UrlRules) -> Self {
        Self { urls, encoding: TextEncoding::Auto, offset: DayStart::default().offset(), now: Time::MIN_UTC }
    }
}
