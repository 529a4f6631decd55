//! The values in scenarios: time spans, and false dates.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};

use crate::model::Time;

/// What an answer's `Date` header says instead of the service's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateLie {
    /// This moment.
    At(Time),
    /// This much later than the service's time; negative for earlier.
    Off(TimeDelta),
    /// No such header.
    None,
}

impl<'de> Deserialize<'de> for DateLie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "none" {
            return Ok(Self::None);
        }
        if let Ok(moment) = text.parse::<Time>() {
            return Ok(Self::At(moment));
        }
        parse_signed(&text).map(Self::Off).map_err(|error| {
            serde::de::Error::custom(format!("`{text}` is no date (a moment, \"+1d\", \"-25s\" or \"none\"): {error}"))
        })
    }
}

/// Parses a time span with an optional sign: `25s`, `+1d`, `-90m`.
fn parse_signed(text: &str) -> Result<TimeDelta, String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let span = humantime::parse_duration(rest).map_err(|error| error.to_string())?;
    TimeDelta::from_std(span).map(|span| span * sign).map_err(|error| error.to_string())
}

/// Deserializes a time span with an optional sign.
pub(super) fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeDelta, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_signed(&text).map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
}

/// Deserializes a time span.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
}

/// Deserializes a time span that may be left out.
pub(super) fn optional_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeDelta>, D::Error> {
    let span = span(deserializer)?;
    TimeDelta::from_std(span).map(Some).map_err(serde::de::Error::custom)
}
