//! A URL that can be prefetched, checked and normalized, so that equal URLs are equal text.
//!
//! The program submits exactly the resource that the line's writer meant, byte for byte, or refuses the line: it
//! resolves, decodes and mends nothing. It only normalizes the host (lower case, IDNA, no default port),
//! percent-encodes blanks inside a file name and characters beyond ASCII, and drops a media fragment.

mod authority;
mod notes;
mod tail;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use notes::Notes;

use super::invisible::trim_unseen;
use super::lane::Lane;
use super::line_fault::{Fault, LineFault};

/// What a line is checked against, in addition to the rules that always apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlRules {
    /// Longest URL in bytes, after normalizing (`[spool] url_bytes_max`).
    pub url_bytes_max: usize,
    /// If not empty, only these hosts are accepted (`[spool] domains`), in lower case.
    pub domains: Vec<String>,
}

/// What a line may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A file.
    File,
    /// A directory: its path ends in `/`.
    Directory {
        /// Whether it may be a host's root.
        roots: bool,
    },
}

/// A checked URL in its normal spelling: `http://host/path?query`, `https://…`, or `host/path?query` if the line had no
/// scheme. The host is lower-case ASCII, there is no fragment, and parsing it again gives the same URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    text: String,
    host: std::ops::Range<usize>,
}

impl ObjectUrl {
    /// Checks and normalizes one line by the rules of DESIGN.md ("The spool").
    ///
    /// # Errors
    ///
    /// The first fault because of which the line cannot be prefetched.
    pub fn parse(line: &str, rules: &UrlRules) -> Result<Self, Fault> {
        Self::read(line, rules).map(|(url, _)| url)
    }

    /// The same, and also returns what was changed on the way.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn read(line: &str, rules: &UrlRules) -> Result<(Self, Notes), Fault> {
        Self::read_as(line, rules, Target::File)
    }

    /// The same for a file or a directory.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn read_as(line: &str, rules: &UrlRules, target: Target) -> Result<(Self, Notes), Fault> {
        let line = trim_unseen(line);
        let is_plain = line.bytes().all(tail::is_plain);
        if !is_plain {
            tail::check_characters(line)?;
        }
        let (scheme, rest) = authority::split_scheme(line)?;
        let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (written, tail) = rest.split_at(host_ends);
        let authority = authority::check(written, scheme)?;
        let written = if written.is_ascii() { "" } else { written.split(':').next().unwrap_or_default() };
        let (tail, notes) = if is_plain { (tail, Notes::default()) } else { tail::check_odd(tail)? };
        tail::check(tail, [&authority.host, written], target)?;
        let url = Self::write(scheme, &authority, tail);
        if url.text.len() > rules.url_bytes_max {
            return Err(LineFault::TooLong.into());
        }
        if !rules.domains.is_empty() && !rules.domains.iter().any(|domain| domain == url.host()) {
            return Err(LineFault::ForeignDomain.at(url.host()));
        }
        Ok((url, notes))
    }

    fn write(scheme: &str, authority: &authority::Authority<'_>, tail: &str) -> Self {
        let mut text = String::with_capacity(scheme.len() + authority.host.len() + 6 + tail.len());
        text.push_str(scheme);
        let host = text.len()..text.len() + authority.host.len();
        text.push_str(&authority.host);
        if let Some(port) = authority.port {
            write!(text, ":{port}").expect("text takes text");
        }
        let mut plain_from = 0;
        for (at, byte) in tail.bytes().enumerate().filter(|(_, byte)| *byte == b' ' || !byte.is_ascii()) {
            // A byte that is not ASCII may lie inside a character, with nothing plain before it.
            if plain_from < at {
                text.push_str(&tail[plain_from..at]);
            }
            plain_from = at + 1;
            write!(text, "%{byte:02X}").expect("text takes text");
        }
        text.push_str(&tail[plain_from..]);
        Self { text, host }
    }

    /// The normal spelling, which is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain, in lower-case ASCII.
    pub fn host(&self) -> &str {
        &self.text[self.host.clone()]
    }

    /// The position of the domain in the text.
    pub fn host_range(&self) -> std::ops::Range<usize> {
        self.host.clone()
    }

    /// [`ObjectUrl::key_of`] this URL's text.
    pub fn key(&self, lane: Lane) -> i64 {
        Self::key_of(lane, &self.text)
    }

    /// A 64-bit key for a URL in its normal spelling, different in each lane. Half of it hashes everything up to the
    /// last `/`, half the whole text, so that URLs of the same folder are neighbours in the table of keys. Two URLs may
    /// share a key; the text decides.
    pub fn key_of(lane: Lane, text: &str) -> i64 {
        // 0 for prefetching, which keeps the keys from before there were lanes.
        let seed = lane.number().abs_diff(Lane::Prefetch.number());
        let split = text.rfind('/').map_or(0, |slash| slash + 1);
        let high = xxh3_64_with_seed(&text.as_bytes()[..split], seed) & 0xffff_ffff_0000_0000;
        let low = xxh3_64_with_seed(text.as_bytes(), seed) & 0xffff_ffff;
        (high | low).cast_signed()
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
