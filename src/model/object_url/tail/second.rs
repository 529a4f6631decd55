//! Finds a second URL on a line, also one that was run together with the first: files that were joined without a last
//! line end, lists separated by something else than line ends.

use super::behind::ends_like_a_file;
use super::fill::{begins_host, begins_url};
use super::signs::around;
use crate::model::line_fault::{Fault, LineFault};

/// Refuses a second URL. `hosts` are the spellings of the line's own host.
pub(super) fn check(tail: &str, hosts: [&str; 2]) -> Result<(), Fault> {
    let query = tail.find('?').unwrap_or(tail.len());
    let schemes = tail.match_indices("://").filter_map(|(at, _)| scheme_at(tail, query, at));
    let hosts = hosts.into_iter().filter_map(|host| own_host_at(tail, query, host));
    match schemes.chain(hosts).min() {
        Some(at) => Err(LineFault::TwoUrls.at(around(tail, at))),
        None => Ok(()),
    }
}

/// Where the scheme before this `://` begins a second URL. A URL inside a URL is allowed as the value of a query key.
fn scheme_at(tail: &str, query: usize, at: usize) -> Option<usize> {
    let letters = tail[..at].bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let starts = at - letters;
    (letters > 1 && !(starts > query && is_value(&tail[query..starts], &tail[starts..at]))).then_some(starts)
}

/// Whether a scheme behind this much of a query is the beginning of a value: behind `key=`, and not behind the last
/// characters of another value (`sign=aa==https`, `token=abchttps`).
fn is_value(before: &str, scheme: &str) -> bool {
    let ends_in = |end: &str| scheme.len() > end.len() && scheme[scheme.len() - end.len()..].eq_ignore_ascii_case(end);
    let Some(before) = before.strip_suffix('=') else { return false };
    let key = before.rsplit(['?', '&', ';']).next().unwrap_or_default();
    !key.is_empty() && !key.contains('=') && !ends_in("http") && !ends_in("https")
}

/// Where the line's own host stands again with a path, right behind something else: `8.mp4vod.example.com/9.mp4`.
fn own_host_at(tail: &str, query: usize, host: &str) -> Option<usize> {
    // The dots are few, and only around them can the host be.
    let first_dot = host.find('.')?;
    let found = memchr::memchr_iter(b'.', tail.as_bytes()).filter_map(|dot| {
        let at = dot.checked_sub(first_dot)?;
        let there = tail.as_bytes().get(at..at + host.len())?;
        (there.eq_ignore_ascii_case(host.as_bytes()) && has_path(&tail[at + host.len()..])).then_some(at)
    });
    found.into_iter().find(|at| is_run_together(tail, query, *at))
}

/// Whether `/` follows, or a port and `/`.
fn has_path(rest: &str) -> bool {
    let rest = rest.strip_prefix(':').map_or(rest, |port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.starts_with('/')
}

/// Whether the host at this byte belongs to the text before it no more than a second URL does. A folder may be called
/// like another host (`www.vod.example.com`), and a value may be a host or a URL.
fn is_run_together(tail: &str, query: usize, at: usize) -> bool {
    let before = &tail[..at];
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if let Some(longer) = before.strip_suffix(['.', '-', '_']) {
        return ends_like_a_file(longer);
    }
    // The digits of an escape belong to the escape: `%9Aii.ai` names neither `aii.ai` nor `9aii.ai`.
    let is_in_escape = before.bytes().rev().take(2).any(|byte| byte == b'%');
    if at < query {
        return !before.ends_with('/') && !is_in_escape;
    }
    let beside = before.trim_end_matches(is_of_name);
    // The digits of an escape belong to the escape.
    let escape = if beside.ends_with('%') { before.get(beside.len()..beside.len() + 2) } else { None };
    let prefix = before.len() - beside.len() - escape.map_or(0, str::len);
    let is_of_inner_url = beside.ends_with("//") || escape.is_some_and(|digits| digits.eq_ignore_ascii_case("2f"));
    prefix > 0 && !is_of_inner_url
}

/// Refuses `host/path` behind a separator in a query.
pub(super) fn check_listed(query: &str) -> Result<(), Fault> {
    for (at, sign) in query.match_indices([',', ';', '|', '，', '；', '、', '｜']) {
        let rest = query[at + sign.len()..].trim_start();
        if begins_host(rest) || begins_url(rest) {
            return Err(LineFault::TwoUrls.at(around(query, at)));
        }
    }
    Ok(())
}
