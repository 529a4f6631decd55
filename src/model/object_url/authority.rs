//! Parses what is before the path: scheme, host and port.

use std::borrow::Cow;

use url::Host;

use crate::model::line_fault::{Fault, LineFault};

/// Longest domain name that DNS carries, in bytes (RFC 1035, 2.3.4), and longest part of one.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// What IDNA reads as a dot (UTS 46, 2.3).
const DOTS: [char; 4] = ['.', '。', '．', '｡'];

/// Endings of relative names in playlists and texts: in a line without a scheme these are more likely files than
/// top-level domains.
const FILE_ENDINGS: [&str; 44] = [
    "ts", "hls", "mov", "avi", "mkv", "flv", "webm", "mpd", "vtt", "srt", "ass", "key", "init", "seg", "dash", "txt",
    "md", "html", "htm", "php", "jsp", "asp", "aspx", "js", "css", "json", "xml", "csv", "log", "jpg", "jpeg", "png",
    "gif", "webp", "svg", "pdf", "doc", "docx", "xls", "xlsx", "zip", "tar", "gz", "tmp",
];

/// A host that is a domain name, and its port unless that is the scheme's default.
pub(super) struct Authority<'l> {
    pub(super) host: Cow<'l, str>,
    pub(super) port: Option<u16>,
}

/// Splits off the scheme with its `://`, in lower case; an empty scheme if the line has none.
pub(super) fn split_scheme(line: &str) -> Result<(&'static str, &str), Fault> {
    for scheme in ["https://", "http://"] {
        let Some((start, rest)) = line.split_at_checked(scheme.len()) else { continue };
        if !start.eq_ignore_ascii_case(scheme) {
            continue;
        }
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        if host.eq_ignore_ascii_case("http") || host.eq_ignore_ascii_case("https") {
            return Err(LineFault::DoubledScheme.at(first(line)));
        }
        return Ok((scheme, rest));
    }
    let host = line.split(['/', '?', '#', '／']).next().unwrap_or_default();
    let lower = line.to_ascii_lowercase();
    let later = ["http://", "https://"].iter().filter_map(|scheme| lower.find(scheme)).min();
    if let Some(at) = later.filter(|at| *at < host.len()) {
        return Err(LineFault::TextBefore.at(&line[..at]));
    }
    let names_scheme = match host.split_once([':', '：']) {
        Some((_, port)) => !host.contains('@') && (port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit())),
        None => ["", "http", "https"].iter().any(|scheme| host.eq_ignore_ascii_case(scheme)) && host.len() < line.len(),
    };
    match names_scheme {
        true if host.contains('：') => Err(LineFault::FullWidth.at(first(line))),
        true => Err(LineFault::Scheme.at(first(line))),
        false => Ok(("", line)),
    }
}

/// Checks the part between the scheme (may be empty) and the path.
pub(super) fn check<'l>(authority: &'l str, scheme: &str) -> Result<Authority<'l>, Fault> {
    if authority.contains('@') {
        return Err(LineFault::UserInfo.into());
    }
    if authority.starts_with('[') {
        return Err(LineFault::IpAddress.at(authority));
    }
    if authority.contains('*') {
        return Err(LineFault::Wildcard.at(authority));
    }
    let (host, port) = match authority.split_once(':') {
        None => (authority, None),
        Some((host, digits)) => (host, Some(port_of(digits).ok_or_else(|| LineFault::Port.at(authority))?)),
    };
    let default = if scheme == "https://" { 443 } else { 80 };
    let host = host_of(host, scheme.is_empty())?;
    Ok(Authority { host, port: port.filter(|port| *port != default) })
}

/// A port in its usual spelling: 1 to 65535, without leading zeros.
fn port_of(digits: &str) -> Option<u16> {
    let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| sound)
}

/// A domain of at least two labels that DNS can carry; removes a dot at its end.
fn host_of(host: &str, without_scheme: bool) -> Result<Cow<'_, str>, Fault> {
    let is_spelled =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let bad = |kind: LineFault| if host.is_empty() { kind.into() } else { kind.at(host) };
    // Before IDNA, which writes `视频-` without a hyphen at its end.
    if host.split(DOTS).any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Err(bad(if without_scheme { LineFault::NoUrl } else { LineFault::BadHost }));
    }
    let mut name = if host.bytes().all(is_spelled) && !host.contains("xn--") {
        Cow::Borrowed(host)
    } else {
        // URL parsers decode percent signs in a host, and a blank cannot be in one.
        if host.contains(['%', ' ']) || !host.contains(DOTS) {
            return Err(bad(if without_scheme { LineFault::NoUrl } else { LineFault::BadHost }));
        }
        match Host::parse(host) {
            Ok(Host::Domain(name)) => Cow::Owned(name),
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(bad(LineFault::IpAddress)),
            Err(_) if without_scheme => return Err(bad(LineFault::NoUrl)),
            Err(_) => return Err(bad(LineFault::BadHost)),
        }
    };
    if name.ends_with('.') {
        name = Cow::Owned(name[..name.len() - 1].to_owned());
    }
    let Some((_, top)) = name.rsplit_once('.') else {
        return Err(bad(if without_scheme { LineFault::NoUrl } else { LineFault::BadHost }));
    };
    let is_sound = |label: &str| !label.is_empty() && label.len() <= LABEL_BYTES_MAX && label.bytes().all(is_spelled);
    if name.len() > HOST_BYTES_MAX || !name.split('.').all(is_sound) {
        return Err(bad(LineFault::BadHost));
    }
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(top) || top.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(bad(match name.split('.').count() {
            4 => LineFault::IpAddress,
            _ if without_scheme => LineFault::FileAsHost,
            _ => LineFault::BadHost,
        }));
    }
    // A top-level domain has no digits and at least two letters (RFC 3696, 2), unless it is IDNA-encoded.
    let is_top = top.starts_with("xn--") || (top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_lowercase()));
    match (is_top, without_scheme) {
        (true, true) if FILE_ENDINGS.contains(&top) => Err(bad(LineFault::FileAsHost)),
        (true, _) => Ok(name),
        (false, true) => Err(bad(LineFault::FileAsHost)),
        (false, false) => Err(bad(LineFault::BadHost)),
    }
}

/// The beginning of a line, long enough to show what is wrong with its scheme.
fn first(line: &str) -> &str {
    &line[..line.floor_char_boundary(24)]
}
