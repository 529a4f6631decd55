//! The name of a host that shares a database with others.

use std::fmt;
use std::str::FromStr;

/// Longest name, in bytes, as of a label in the DNS (RFC 1035, 2.3.4).
const BYTES_MAX: usize = 63;

/// The name of a host: 1 to 63 of letters, digits, `.`, `-` and `_`. With SQLite there is one host, and it has no name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// The name of this machine.
    ///
    /// # Errors
    ///
    /// It has none that is allowed here.
    pub fn of_this_machine() -> Result<Self, &'static str> {
        rustix::system::uname().nodename().to_str().unwrap_or_default().parse()
    }

    /// As a database keeps it; empty for the one host of SQLite.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("allowed is a name of 1 to 63 letters, digits, `.`, `-` and `_`, such as \"warm-1\"")
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_host() {
        for name in ["a", "warm-1.shanghai.example.com", "under_score", &"a".repeat(63)] {
            assert_eq!(name.parse::<HostName>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "主机", "a/b", "a'", &"a".repeat(64)] {
            assert!(name.parse::<HostName>().is_err(), "{name}");
        }
        assert_eq!(HostName::default().as_str(), "");
    }
}
