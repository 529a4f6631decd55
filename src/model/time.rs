//! Moments. Stored as whole milliseconds since the Unix epoch, shown as RFC 3339 in UTC.

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment, in UTC.
pub type Time = DateTime<Utc>;

/// Milliseconds since 1970-01-01T00:00:00Z, as stored in tables.
pub fn to_millis(time: Time) -> i64 {
    time.timestamp_millis()
}

/// The moment that a table's milliseconds mean; values outside chrono's range become its nearest end.
pub fn from_millis(millis: i64) -> Time {
    DateTime::from_timestamp_millis(millis).unwrap_or(if millis < 0 { Time::MIN_UTC } else { Time::MAX_UTC })
}

/// RFC 3339 in UTC with whole seconds, e.g. `2026-11-23T09:30:00Z`.
pub fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
