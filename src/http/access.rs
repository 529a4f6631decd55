//! Decides under which names a page may be requested; pure. A page of another site, open in the operator's browser, can
//! reach this port under that site's name (DNS rebinding) and would read what is served. So each page answers only to
//! names that mean this server.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HOST;

/// What a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// Names of files, and labels.
    Names,
    /// Only numbers and states.
    Numbers,
}

/// The names of this server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door<'a> {
    /// The address on which it listens.
    pub(super) listen: IpAddr,
    /// The address on which the client reached it.
    pub(super) local: Option<IpAddr>,
    /// `[http] hosts`.
    pub(super) hosts: &'a [String],
}

/// Why a request is refused, with what to do; none if it is answered. `authority` is the name in the request's own
/// target, if there is one.
pub(super) fn refusal(
    tells: Tells,
    headers: &HeaderMap,
    authority: Option<&str>,
    door: &Door<'_>,
) -> Option<&'static str> {
    let mut names = headers.get_all(HOST).iter();
    let (host, another) = (names.next(), names.next());
    if another.is_some() {
        return Some("this request has several Host headers\n");
    }
    if host.is_none() && authority.is_none() {
        // Old probes send none; browsers always do.
        let why = "this request has no Host; this page answers to known ones alone ([http] hosts)\n";
        return (tells == Tells::Names).then_some(why);
    }
    let host = host.map(|host| host.to_str().unwrap_or_default());
    let are_known = host.into_iter().chain(authority).all(|name| is_known(tells, name, door));
    let why =
        "this page does not answer to the Host of this request; [http] hosts lists the names under which it does\n";
    (!are_known).then_some(why)
}

fn is_known(tells: Tells, host: &str, door: &Door<'_>) -> bool {
    let Some(name) = without_port(host) else { return false };
    if let Some(ip) = literal(name) {
        return tells == Tells::Numbers
            || ip.is_loopback()
            || ip == door.listen.to_canonical()
            || door.local.is_some_and(|local| ip == local.to_canonical())
            || door.hosts.iter().any(|known| literal(known) == Some(ip));
    }
    let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let name = plain(name);
    name == "localhost" || door.hosts.iter().any(|known| plain(known) == name)
}

/// The name without a port; none if what follows it is not a port.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')? + 2;
            host.split_at(end)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port =
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    (is_port && !name.is_empty()).then_some(name)
}

/// The address, if the name is an address; `[::1]` with its brackets.
fn literal(name: &str) -> Option<IpAddr> {
    let ip: IpAddr = match name.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?),
        None => IpAddr::V4(name.parse().ok()?),
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(tells: Tells, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().expect("a header"));
        }
        let known = ["warm.example.net".to_owned(), "203.0.113.9".to_owned()];
        let (listen, local) = ("0.0.0.0".parse().expect("an address"), "192.0.2.7".parse().ok());
        refusal(tells, &headers, None, &Door { listen, local, hosts: &known }).is_none()
    }

    #[test]
    fn what_names_files_answers_to_this_servers_names_alone() {
        for host in [
            "localhost",
            "LOCALHOST:9464",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:9464",
            "192.0.2.7:80",
            "[::ffff:192.0.2.7]",
            "warm.example.net",
            "Warm.Example.NET:443",
            "203.0.113.9",
            "0.0.0.0:9464",
        ] {
            assert!(answers(Tells::Names, &[host]), "{host}");
            assert!(answers(Tells::Numbers, &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:9464",
            "warm.example.net.evil",
            "localhost:80:80",
            "localhost:x",
            "",
            ":80",
            "[::1",
            "::1",
            "0x7f000001",
            "2130706433",
            "localhost..",
            "local host",
        ] {
            assert!(!answers(Tells::Names, &[host]), "{host}");
            assert!(!answers(Tells::Numbers, &[host]), "{host}");
        }
        assert!(!answers(Tells::Names, &["198.51.100.1"]) && answers(Tells::Numbers, &["198.51.100.1:9464"]));
        assert!(!answers(Tells::Names, &["[2001:db8::1]"]) && answers(Tells::Numbers, &["[2001:db8::1]"]));
        assert!(!answers(Tells::Names, &[]) && answers(Tells::Numbers, &[]));
        let door = Door { listen: IpAddr::from([127, 0, 0, 1]), local: None, hosts: &[] };
        let mut headers = HeaderMap::new();
        headers.append(HOST, "localhost".parse().expect("a header"));
        assert!(refusal(Tells::Numbers, &headers, Some("localhost:1"), &door).is_none());
        assert!(refusal(Tells::Numbers, &headers, Some("evil.example"), &door).is_some());
        for tells in [Tells::Names, Tells::Numbers] {
            assert!(!answers(tells, &["localhost", "localhost"]), "which of them would count is anybody's guess");
        }
    }
}
