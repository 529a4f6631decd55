//! The rules by which a file is read.

use chrono::FixedOffset;

use crate::config::{Actions, Config};
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
    /// What it may ask for.
    pub actions: Actions,
    /// Whether it may purge a host's root as a directory.
    pub purge_roots: bool,
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
            actions: config.spool.actions.clone(),
            purge_roots: config.spool.purge_roots,
            now,
        }
    }
}

/// These rules for URLs, defaults for everything else, and no moment.
impl From<UrlRules> for ReadRules {
    fn from(urls: UrlRules) -> Self {
        Self {
            urls,
            encoding: TextEncoding::Auto,
            offset: DayStart::default().offset(),
            actions: Actions::default(),
            purge_roots: false,
            now: Time::MIN_UTC,
        }
    }
}
