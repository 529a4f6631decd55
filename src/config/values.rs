//! The types of configuration values. Each is checked where it is read, so that an error names its line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Action, DayStart, Lane, TimeOfDay};

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Number<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Number<MIN, MAX> {
    /// The number, if it is within the bounds.
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
        let allowed = || ours::<D::Error>(format_args!("a whole number from {MIN} to {MAX} is allowed here"));
        let value = i64::deserialize(deserializer).map_err(|_| allowed())?;
        u32::try_from(value).ok().and_then(Self::new).ok_or_else(allowed)
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
        let allowed = || {
            let [from, to] = &bounds;
            ours::<D::Error>(format_args!(
                "a span from \"{from}\" to \"{to}\" is allowed here, such as \"90s\" or \"5m\""
            ))
        };
        let text = String::deserialize(deserializer).map_err(|_| allowed())?;
        let span = humantime::parse_duration(&text).map_err(|_| allowed())?;
        let is_within = span >= Duration::from_secs(MIN) && span <= Duration::from_secs(MAX);
        if is_within { Ok(Self(span)) } else { Err(allowed()) }
    }
}

impl<const MIN: u64, const MAX: u64> Serialize for Span<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&in_words(self.0))
    }
}

/// A span as written in the configuration: in the largest unit that divides it.
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

/// Marks an error as ours, which may be shown as it is; all others may quote the value.
pub(super) const OURS: char = '\u{1}';

/// An error that says what is allowed, and nothing of what stands there: that may be a secret in the wrong place.
fn ours<E: serde::de::Error>(allowed: impl fmt::Display) -> E {
    E::custom(format_args!("{OURS}{allowed}"))
}

/// The same for a type that is read from a text.
pub(super) fn of_text<E: serde::de::Error>(allowed: &'static str) -> E {
    ours(allowed)
}

/// Implements reading by `FromStr`, whose error says what is allowed, and writing by `Display`. The error is a
/// constant, so that it cannot quote the value.
macro_rules! from_text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(crate::config::values::of_text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

pub(super) use from_text;

from_text!(DayStart);
from_text!(TimeOfDay);
from_text!(Window);
from_text!(HostPort);

/// A share of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share(f64);

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0.0);

    /// The share, if it is one.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The share.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allowed = || ours::<D::Error>("a share from 0.0 to 1.0 is allowed here, e.g. 0.01");
        Self::new(f64::deserialize(deserializer).map_err(|_| allowed())?).ok_or_else(allowed)
    }
}

/// A host, by its name or address, and a port, such as `edge.example.net:443` or `[fd00::7]:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "allowed are a host and a port, HOST:PORT, such as \"edge.example.net:443\" or \"[fd00::7]:80\"";
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match v6 {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
                !host.is_empty() && host.bytes().all(allowed)
            }
        };
        if is_host { Ok(Self { host: v6.unwrap_or(host).to_owned(), port }) } else { Err(wrong()) }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A part of the day, such as `01:00-07:00`; one that ends before it starts continues past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first minute.
    pub from: TimeOfDay,
    /// The minute at which it ends.
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
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "allowed is a part of the day, HH:MM-HH:MM, such as \"01:00-07:00\"";
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
    /// Limited by what the service's answers teach.
    Auto,
    /// Only requests are limited.
    Unlimited,
    /// At most this many URLs in a budget day.
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
            _ => Err(ours(allowed)),
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

/// `[spool] actions`: the operations that files may ask for, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions(Vec<Lane>);

impl Actions {
    /// Whether files may ask for this action, with all its steps.
    pub fn allow(&self, action: Action) -> bool {
        self.missing(action).is_none()
    }

    /// The first operation of this action that is not allowed.
    pub fn missing(&self, action: Action) -> Option<Lane> {
        let first = action.purges_first().then_some(Lane::Purge);
        first.into_iter().chain([action.lane()]).find(|lane| !self.0.contains(lane))
    }

    /// The operations.
    pub fn lanes(&self) -> &[Lane] {
        &self.0
    }
}

impl Default for Actions {
    fn default() -> Self {
        Self(vec![Lane::Prefetch])
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words: Vec<String> = Vec::deserialize(deserializer)
            .map_err(|_| ours("a list is allowed here, such as [\"prefetch\", \"purge\", \"purge-directory\"]"))?;
        let lane = |word: &String| {
            word.parse::<Lane>().map_err(|_| {
                let hint = if word.contains('+') { "; purge+prefetch needs both of its steps" } else { "" };
                ours::<D::Error>(format_args!("\"prefetch\", \"purge\" and \"purge-directory\" are allowed here{hint}"))
            })
        };
        let mut lanes = words.iter().map(lane).collect::<Result<Vec<Lane>, _>>()?;
        lanes.sort_unstable();
        lanes.dedup();
        if lanes.is_empty() {
            return Err(ours("files could ask for nothing; name at least one of \"prefetch\", \"purge\""));
        }
        Ok(Self(lanes))
    }
}

impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|lane| lane.word()))
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
    fn a_host_and_port_is_read_as_it_is_written() {
        for text in ["edge.example.net:443", "10.0.0.7:8080", "[fd00::7]:80"] {
            assert_eq!(text.parse::<HostPort>().expect("a host and port").to_string(), text);
        }
        for text in
            ["edge.example.net", ":443", "edge:0", "edge:65536", "fd00::7:80", "http://edge:80", "[edge]:80", "a b:1"]
        {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_written_in_their_largest_unit() {
        let words = [30, 300, 86_400, 2_592_000, 5400].map(|s| in_words(Duration::from_secs(s)));
        assert_eq!(words, ["30s", "5m", "24h", "30d", "90m"]);
    }
}
