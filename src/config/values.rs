//! The values a configuration key can have, each checked where it is read, so that the error names the line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveTime;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{DayStart, TimeOfDay};

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Number<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Number<MIN, MAX> {
    /// The number, if it lies within the bounds.
    pub const fn new(value: u32) -> Option<Self> {
        if value >= MIN && value <= MAX { Some(Self(value)) } else { None }
    }

    /// A default, checked when the program is built.
    pub(super) const fn fixed(value: u32) -> Self {
        assert!(value >= MIN && value <= MAX, "a default lies within its bounds");
        Self(value)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = || format!("a whole number from {MIN} to {MAX} is allowed here");
        let value =
            i64::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{error}; {}", allowed())))?;
        u32::try_from(value)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| D::Error::custom(format!("{value} is out of bounds; {}", allowed())))
    }
}

/// A span of time from `MIN` to `MAX` seconds, written like `"90s"`, `"5m"`, `"24h"`, `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    /// A default, checked when the program is built.
    pub(super) const fn seconds(seconds: u64) -> Self {
        assert!(seconds >= MIN && seconds <= MAX, "a default lies within its bounds");
        Self(Duration::from_secs(seconds))
    }

    /// The span.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Span<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bounds = [MIN, MAX].map(|s| in_words(Duration::from_secs(s)));
        let allowed = format!("a span from \"{}\" to \"{}\" is allowed here", bounds[0], bounds[1]);
        let text =
            String::deserialize(deserializer).map_err(|error| D::Error::custom(format!("{error}; {allowed}")))?;
        let span = humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("`{text}` is no span of time ({error}); {allowed}")))?;
        if span < Duration::from_secs(MIN) || span > Duration::from_secs(MAX) {
            return Err(D::Error::custom(format!("`{text}` is out of bounds; {allowed}")));
        }
        Ok(Self(span))
    }
}

impl<const MIN: u64, const MAX: u64> Serialize for Span<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&in_words(self.0))
    }
}

/// The way a span is written in the configuration: the largest unit that divides it.
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        _ if span.subsec_nanos() > 0 => humantime::format_duration(span).to_string(),
        0 => "0s".to_owned(),
        s if s % 86_400 == 0 && s > 86_400 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Reads a value from its text by `FromStr`, whose error says what is allowed.
macro_rules! from_text {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

from_text!(DayStart);
from_text!(TimeOfDay);
from_text!(Window);

/// A part of the day, such as `01:00-07:00`; one that ends before it starts runs over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first minute.
    pub from: TimeOfDay,
    /// The minute at which it is over.
    pub to: TimeOfDay,
}

impl Window {
    /// Whether the window is open at this time of day.
    pub fn contains(&self, time: NaiveTime) -> bool {
        let (from, to) = (self.from.0, self.to.0);
        if from <= to { from <= time && time < to } else { from <= time || time < to }
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no window (HH:MM-HH:MM, e.g. \"01:00-07:00\")");
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let window = Self { from: from.parse().map_err(|_| wrong())?, to: to.parse().map_err(|_| wrong())? };
        if window.from == window.to { Err(wrong()) } else { Ok(window) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

/// `[budget] urls_per_day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlsPerDay {
    /// What the service's answers teach.
    Auto,
    /// Only requests count.
    Unlimited,
    /// At most so many URLs a budget day.
    Limited(u32),
}

impl<'de> Deserialize<'de> for UrlsPerDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(i64),
            Text(String),
        }
        let allowed = "a whole number from 1 to 100000000, \"auto\" or \"unlimited\" is allowed here";
        match Raw::deserialize(deserializer) {
            Ok(Raw::Number(n)) if (1..=100_000_000).contains(&n) => {
                Ok(Self::Limited(u32::try_from(n).expect("the range fits")))
            }
            Ok(Raw::Text(text)) if text == "auto" => Ok(Self::Auto),
            Ok(Raw::Text(text)) if text == "unlimited" => Ok(Self::Unlimited),
            _ => Err(D::Error::custom(allowed)),
        }
    }
}

impl Serialize for UrlsPerDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::Limited(n) => serializer.serialize_u32(*n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_run_over_midnight() {
        let night: Window = "22:00-06:00".parse().expect("a window");
        let at = |h| NaiveTime::from_hms_opt(h, 0, 0).expect("an hour");
        assert!(night.contains(at(23)) && night.contains(at(0)) && !night.contains(at(6)) && !night.contains(at(12)));
        let morning: Window = "01:00-07:00".parse().expect("a window");
        assert!(morning.contains(at(1)) && !morning.contains(at(7)));
        assert!("07:00-07:00".parse::<Window>().is_err());
    }

    #[test]
    fn spans_are_written_in_their_largest_unit() {
        let words = [30, 300, 86_400, 2_592_000, 5400].map(|s| in_words(Duration::from_secs(s)));
        assert_eq!(words, ["30s", "5m", "24h", "30d", "90m"]);
    }
}
