//! A URL that can be prefetched: checked and brought into one spelling, so that equal URLs are equal text.

use std::fmt;

use url::{Host, Url};
use xxhash_rust::xxh3::xxh3_64;

/// Longest domain name that DNS carries, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// What a line is checked against, beside the rules that always hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlRules {
    /// Longest URL in bytes after normalising (`[spool] url_bytes_max`).
    pub url_bytes_max: usize,
    /// If not empty, the only hosts that are taken (`[spool] domains`), in lower case.
    pub domains: Vec<String>,
}

/// Why a line is no URL that can be prefetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Neither `http://…`, `https://…` nor `host/path`.
    #[error("not an http(s) URL or host/path")]
    NotHttp,
    /// The host is no domain name.
    #[error("the host is not a domain name")]
    BadHost,
    /// `*` in the host.
    #[error("the host has a wildcard")]
    Wildcard,
    /// An IP address as host.
    #[error("the host is an IP address")]
    IpAddress,
    /// `user:password@host`.
    #[error("the URL has user info")]
    UserInfo,
    /// The path is empty or ends in `/`.
    #[error("a directory cannot be prefetched")]
    Directory,
    /// A control character in the line.
    #[error("control character")]
    ControlCharacter,
    /// Bytes that are no UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Longer than `url_bytes_max`.
    #[error("longer than url_bytes_max")]
    TooLong,
    /// The host is not in `[spool] domains`.
    #[error("the host is not in [spool] domains")]
    ForeignDomain,
    /// The line is longer than a line may be.
    #[error("the line is too long")]
    LineTooLong,
    /// `#:` after the first URL.
    #[error("a directive after the first URL")]
    LateDirective,
}

/// A checked URL in its normal spelling: `http://host/path?query`, `https://…`, or `host/path?query` where the line
/// gave no scheme. The host is lower-case ASCII, there is no fragment, and parsing it again gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    text: String,
    host: std::ops::Range<usize>,
}

impl ObjectUrl {
    /// Checks and normalises one line by the WHATWG rules and those of DESIGN.md ("The spool").
    ///
    /// # Errors
    ///
    /// The first reason found for which the line cannot be prefetched.
    pub fn parse(line: &str, rules: &UrlRules) -> Result<Self, Refusal> {
        let line = line.trim_matches([' ', '\t']);
        if line.chars().any(char::is_control) {
            return Err(Refusal::ControlCharacter);
        }
        let mut url = match scheme_of(line) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => parse(line)?,
            Some(_) => return Err(Refusal::NotHttp),
            None => parse(&format!("http://{line}"))?,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        check_host(&mut url)?;
        if url.path().ends_with('/') {
            return Err(Refusal::Directory);
        }
        url.set_fragment(None);
        let shown_from = if scheme_of(line).is_some() { 0 } else { "http://".len() };
        let url_object = Self::cut(&url, shown_from);
        if url_object.text.len() > rules.url_bytes_max {
            return Err(Refusal::TooLong);
        }
        if !rules.domains.is_empty() && !rules.domains.iter().any(|domain| domain == url_object.host()) {
            return Err(Refusal::ForeignDomain);
        }
        Ok(url_object)
    }

    fn cut(url: &Url, from: usize) -> Self {
        let text = url.as_str()[from..].to_owned();
        let host_start = url.scheme().len() + "://".len() - from;
        let host_len = url.host_str().map_or(0, str::len);
        Self { text, host: host_start..host_start + host_len }
    }

    /// The normal spelling, as it is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain, lower-case ASCII.
    pub fn host(&self) -> &str {
        &self.text[self.host.clone()]
    }

    /// Where the domain stands in the text.
    pub fn host_range(&self) -> std::ops::Range<usize> {
        self.host.clone()
    }

    /// [`ObjectUrl::key_of`] its text.
    pub fn key(&self) -> i64 {
        Self::key_of(&self.text)
    }

    /// A 64-bit key for a URL in its normal spelling: half a hash of everything up to the last `/`, half one of the whole, so
    /// that neighbours on the CDN are neighbours in the table of keys. Two URLs may share a key; the text decides.
    pub fn key_of(text: &str) -> i64 {
        let split = text.rfind('/').map_or(0, |slash| slash + 1);
        let high = xxh3_64(&text.as_bytes()[..split]) & 0xffff_ffff_0000_0000;
        let low = xxh3_64(text.as_bytes()) & 0xffff_ffff;
        (high | low).cast_signed()
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands before `://`, where that looks like a scheme.
fn scheme_of(line: &str) -> Option<&str> {
    let (scheme, _) = line.split_once("://")?;
    let mut bytes = scheme.bytes();
    let starts_well = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    (starts_well && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))).then_some(scheme)
}

fn parse(text: &str) -> Result<Url, Refusal> {
    Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidIpv4Address | url::ParseError::InvalidIpv6Address => Refusal::IpAddress,
        url::ParseError::EmptyHost | url::ParseError::IdnaError | url::ParseError::InvalidDomainCharacter => {
            Refusal::BadHost
        }
        _ => Refusal::NotHttp,
    })
}

/// A domain of at least two labels that DNS could carry; a dot at its end is taken off.
fn check_host(url: &mut Url) -> Result<(), Refusal> {
    let host = match url.host() {
        Some(Host::Domain(domain)) => domain.to_owned(),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(Refusal::IpAddress),
        None => return Err(Refusal::BadHost),
    };
    if host.contains('*') {
        return Err(Refusal::Wildcard);
    }
    let trimmed = host.strip_suffix('.').unwrap_or(&host);
    let labels_are_sound = trimmed.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    if trimmed.len() > HOST_BYTES_MAX || !trimmed.contains('.') || !labels_are_sound {
        return Err(Refusal::BadHost);
    }
    if trimmed.len() < host.len() {
        let trimmed = trimmed.to_owned();
        url.set_host(Some(&trimmed)).map_err(|_| Refusal::BadHost)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> UrlRules {
        UrlRules { url_bytes_max: 1024, domains: vec![] }
    }

    fn normal(line: &str) -> Result<String, Refusal> {
        ObjectUrl::parse(line, &rules()).map(|url| url.to_string())
    }

    #[test]
    fn equal_urls_get_one_spelling() {
        for (line, spelling) in [
            ("https://Vod.Example.COM/a.mp4", "https://vod.example.com/a.mp4"),
            ("  http://vod.example.com:80/a.mp4#t=10 ", "http://vod.example.com/a.mp4"),
            ("vod.example.com/a/b.ts?x=1", "vod.example.com/a/b.ts?x=1"),
            ("Vod.example.com:8080/a", "vod.example.com:8080/a"),
            ("https://vod.example.com./a", "https://vod.example.com/a"),
            ("https://视频.example.com/电影.mp4", "https://xn--cy2a840a.example.com/%E7%94%B5%E5%BD%B1.mp4"),
            ("https://vod.example.com/%E7%94%b5 x", "https://vod.example.com/%E7%94%b5%20x"),
            ("https://vod.example.com/a/../b", "https://vod.example.com/b"),
            (
                "https://vod.example.com/a?next=https://other.example.com/",
                "https://vod.example.com/a?next=https://other.example.com/",
            ),
            ("vod.example.com/a?next=https://other.example.com/", "vod.example.com/a?next=https://other.example.com/"),
        ] {
            assert_eq!(normal(line).as_deref(), Ok(spelling), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_prefetched_is_refused_with_its_reason() {
        for (line, reason) in [
            ("ftp://vod.example.com/a", Refusal::NotHttp),
            ("mailto:someone@example.com", Refusal::UserInfo),
            ("https://*.example.com/a", Refusal::Wildcard),
            ("https://192.168.0.1/a", Refusal::IpAddress),
            ("https://[2001:db8::1]/a", Refusal::IpAddress),
            ("0x7f.1/a", Refusal::IpAddress),
            ("https://me:secret@vod.example.com/a", Refusal::UserInfo),
            ("https://vod.example.com", Refusal::Directory),
            ("https://vod.example.com/films/", Refusal::Directory),
            ("https://vod.example.com/films/?x=1", Refusal::Directory),
            ("https://vod.example.com/a\u{7}b", Refusal::ControlCharacter),
            ("localhost/a", Refusal::BadHost),
            ("just words", Refusal::BadHost),
            ("https:///a", Refusal::BadHost),
            ("https://a..b/c", Refusal::BadHost),
        ] {
            assert_eq!(normal(line), Err(reason), "{line}");
        }
    }

    #[test]
    fn length_and_domains_are_limits_of_the_configuration() {
        let long = format!("https://vod.example.com/{}", "a".repeat(1000));
        assert_eq!(long.len(), 1024);
        assert!(normal(&long).is_ok());
        assert_eq!(normal(&format!("{long}a")), Err(Refusal::TooLong));
        let ours = UrlRules { url_bytes_max: 1024, domains: vec!["vod.example.com".into()] };
        assert!(ObjectUrl::parse("https://VOD.example.com/a", &ours).is_ok());
        assert_eq!(ObjectUrl::parse("https://other.example.com/a", &ours), Err(Refusal::ForeignDomain));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_accepted_parses_to_itself(line in "(https?://)?[a-z0-9.*@:é/%?#\\\\ -]{0,40}(\\.com)?/?\\PC{0,30}") {
            if let Ok(url) = ObjectUrl::parse(&line, &rules()) {
                let again = ObjectUrl::parse(url.as_str(), &rules());
                prop_assert_eq!(again.as_ref(), Ok(&url));
                prop_assert!(url.as_str().is_ascii());
                prop_assert!(url.as_str().contains(url.host()));
            }
        }
    }
}
