//! Conditions between keys of a configuration, and on values that only make sense here. No text that was read is
//! quoted: it may be a secret in the wrong place.

use super::credentials::{KeySource, Keys};
use super::in_words;
use super::{Config, Database, Http, Wrong, robots};
use crate::model::HostName;

/// All that is wrong.
pub(super) fn wrong(config: &Config) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = Vec::new();
    wrong.extend(numbers(config));
    if config.notify.command.as_ref().is_some_and(Vec::is_empty) {
        wrong.push(("notify", "command", "must name a program, or be left out".to_owned()));
    }
    wrong.extend(robots::wrong(&config.notify.robot).map(|(key, what)| ("notify", key, what)));
    if config.spool.domains.iter().any(|domain| !is_host(domain.as_str())) {
        let what = "allowed are host names like \"vod.example.com\", without scheme or path";
        wrong.push(("spool", "domains", what.to_owned()));
    }
    wrong.extend(http(&config.http));
    if !config.spool.dir.is_absolute() {
        wrong.push(("spool", "dir", "must be an absolute path".to_owned()));
    }
    wrong.extend(keys(&config.credentials));
    wrong.extend(api(config));
    wrong.extend(database(&config.database));
    wrong
}

fn database(database: &Database) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if database.url.file().is_some_and(|path| !path.is_absolute()) {
        wrong.push(("database", "url", "must name an absolute path".to_owned()));
    }
    if database.url.server().is_some() && database.host.is_none() && HostName::of_this_machine().is_err() {
        let what = "set host = \"NAME\" beside it: this machine's own name is none that a shared database can keep";
        wrong.push(("database", "url", what.to_owned()));
    }
    if database.url.file().is_some() && database.host.is_some() {
        let what = "is for hosts that share a database on a server, by url = \"postgres://…\"";
        wrong.push(("database", "host", what.to_owned()));
    }
    wrong
}

fn numbers(config: &Config) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let requests = config.budget.requests_per_day.get();
    if config.budget.reserve.get() > requests {
        wrong.push(("budget", "reserve", format!("must be at most requests_per_day, which is {requests}")));
    }
    let backoff_min = config.retry.backoff_min.get();
    if config.retry.backoff_max.get() < backoff_min {
        wrong.push(("retry", "backoff_max", format!("must be at least backoff_min, {}", in_words(backoff_min))));
    }
    wrong
}

fn http(http: &Http) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if http.hosts.iter().any(|name| !is_host(name) && !is_ipv6(name)) {
        let what = "allowed are names and addresses like \"warm.example.com\", without port";
        wrong.push(("http", "hosts", what.to_owned()));
    }
    if !is_base(&http.base_path) {
        let what = "allowed are \"\" and paths like \"/prefetchd\": one begins with `/`, does not end with one, and \
            has letters, digits, `-`, `_`, `.` and `/`";
        wrong.push(("http", "base_path", what.to_owned()));
    }
    if http.pages && http.listen.is_none() {
        wrong.push(("http", "pages", "needs an address: set listen too, as in \"127.0.0.1:9464\"".to_owned()));
    }
    if let Some(listen) = http.listen.filter(|listen| !http.allow_remote && !listen.ip().is_loopback()) {
        let what = format!(
            "{listen} can be reached from other machines, and whoever reaches it reads file names, labels and counts; \
             set allow_remote = true if that is meant, or use \"127.0.0.1:{}\"",
            listen.port()
        );
        wrong.push(("http", "listen", what));
    }
    wrong
}

fn keys(keys: &Keys) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (key, path) in [("file", &keys.file), ("oidc_token_file", &keys.oidc_token_file)] {
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            wrong.push(("credentials", key, "must be an absolute path".to_owned()));
        }
    }
    if keys.source == KeySource::File && keys.file.is_none() {
        let what = "\"file\" needs `file = \"/path/of/the/key\"` beside it".to_owned();
        wrong.push(("credentials", "source", what));
    }
    for (key, arn) in [("role_arn", &keys.role_arn), ("oidc_provider_arn", &keys.oidc_provider_arn)] {
        if arn.as_ref().is_some_and(|arn| !arn.starts_with("acs:ram:")) {
            wrong.push(("credentials", key, "allowed is an ARN like \"acs:ram::1234:role/name\"".to_owned()));
        }
    }
    wrong
}

fn api(config: &Config) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let sts = config.credentials.sts_endpoint.as_ref();
    for (section, key, endpoint) in
        [("api", "endpoint", Some(&config.api.endpoint)), ("credentials", "sts_endpoint", sts)]
    {
        if endpoint.is_some_and(|endpoint| endpoint.is_open() && !config.api.allow_http) {
            let what = "plain http is for loopback addresses only: everybody on the way could read and replay calls; \
                set [api] allow_http = true if that is meant";
            wrong.push((section, key, what.to_owned()));
        }
    }
    wrong.extend(config.api.check_product().err());
    if config.api.ca_file.as_ref().is_some_and(|path| !path.is_absolute()) {
        wrong.push(("api", "ca_file", "must be an absolute path".to_owned()));
    }
    wrong
}

/// Whether it is a host name, without scheme, port and path.
fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Whether it may stand before the paths of the pages.
fn is_base(path: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
}

/// Whether it is an IPv6 address in brackets, as in URLs.
fn is_ipv6(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}
