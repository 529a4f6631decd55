//! Asks the CDN for a URL by `HEAD`: follows no redirect, reads no body, never repeats a request, has a deadline, and
//! keeps no connection.

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT_ENCODING, AGE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, VIA};
use reqwest::redirect;
use url::{Host, Url};

use super::address::{PublicOnly, System, Via};
use super::warmth::{Headers, Verdict};
use crate::config::Config;
use crate::net::{self, http_builder};
use crate::service::USER_AGENT;

/// The deadline for one URL, in total: resolving, connecting, waiting for the headers.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The result of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// There is an answer, or there will never be one.
    Settled(Verdict),
    /// The network failed, for this reason.
    Failed(String),
}

/// The HTTP client for these requests.
#[derive(Debug)]
pub(super) struct Asker(reqwest::Client);

impl Asker {
    /// Connects where DNS says, if that is a public address; with `[track] verify_via` only there.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be set up.
    pub(super) fn new(config: &Config) -> Result<Self, reqwest::Error> {
        match &config.track.verify_via {
            Some(via) => Self::with_resolver(config, &Arc::new(Via(via.clone()))),
            None => Self::with_resolver(config, &Arc::new(PublicOnly(Arc::new(System)))),
        }
    }

    fn with_resolver(config: &Config, resolver: &Arc<impl Resolve + 'static>) -> Result<Self, reqwest::Error> {
        let builder = |plain| {
            // A proxy would resolve names itself, so nobody would judge the address.
            let direct = http_builder(plain).no_proxy().dns_resolver(Arc::clone(resolver));
            // `Accept-Encoding` is set by `headers`, as a prefetch sets it.
            direct
                .no_gzip()
                .no_deflate()
                .no_brotli()
                .user_agent(USER_AGENT)
                .default_headers(headers(config))
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .pool_max_idle_per_host(0)
                .build()
        };
        // Without root certificates https cannot be verified; the checks of https URLs will say so.
        builder(false).or_else(|_| builder(true)).map(Self)
    }

    /// Asks for a URL of the queue. A URL without a scheme is asked for by https, and by http if no connection can be
    /// made.
    pub(super) async fn ask(&self, object: &str) -> Asked {
        match tokio::time::timeout(TIMEOUT, self.ask_in_time(object)).await {
            Ok(asked) => asked,
            Err(_) => Asked::Failed(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn ask_in_time(&self, object: &str) -> Asked {
        let schemes: &[&str] = if has_scheme(object) { &[""] } else { &["https://", "http://"] };
        let mut failed = String::new();
        for scheme in schemes {
            let url = match checked(&format!("{scheme}{object}")) {
                Ok(url) => url,
                Err(why) => return Asked::Settled(Verdict::unknown(None, why)),
            };
            match self.0.head(url).send().await {
                Ok(response) => return Asked::Settled(judge(&response)),
                Err(error) if error.is_connect() => failed = net::causes(&error),
                Err(error) => return Asked::Failed(net::causes(&error)),
            }
        }
        Asked::Failed(failed)
    }
}

fn has_scheme(object: &str) -> bool {
    object.starts_with("http://") || object.starts_with("https://")
}

/// URLs in the queue are checked already; this checks again for what would bypass the resolver.
fn checked(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "not asked: it is no URL")?;
    match url.host() {
        // An address in the URL is not resolved, so nobody would judge it.
        Some(Host::Domain(_)) if url.port().is_none() => Ok(url),
        Some(Host::Domain(_)) => Err("not asked: it names a port, and the CDN answers at 80 and 443"),
        _ => Err("not asked: its host is no domain name"),
    }
}

/// The headers that a prefetch sends: a cache that keeps variants is asked for the one that was warmed.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in config.api.with_header.iter().flatten() {
        let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            headers.append(name.clone(), value);
        }
    }
    if config.api.with_header.is_none() {
        // VOD-API.md, `WithHeader`: the default.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.remove(HOST);
    headers
}

fn judge(response: &reqwest::Response) -> Verdict {
    let text = |name: HeaderName| {
        let values = response.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let joined = values.collect::<Vec<_>>().join(", ");
        (!joined.is_empty()).then_some(joined)
    };
    let headers = Headers {
        x_cache: text(HeaderName::from_static("x-cache")),
        via: text(VIA),
        age: text(AGE),
        cache_time: text(HeaderName::from_static("x-swift-cachetime")),
        location: text(LOCATION),
    };
    Verdict::of(response.status().as_u16(), &headers)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use reqwest::dns::{Addrs, Name, Resolving};
    use tokio::net::TcpListener;

    use super::*;

    /// These addresses, whatever the name.
    struct Answers(Vec<SocketAddr>);

    impl Resolve for Answers {
        fn resolve(&self, _name: Name) -> Resolving {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn asked(resolver: &Arc<impl Resolve + 'static>, url: &str) -> String {
        let asker = Asker::with_resolver(&Config::default(), resolver).unwrap();
        match asker.ask(url).await {
            Asked::Failed(why) => why,
            Asked::Settled(verdict) => verdict.evidence,
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", here.port()).parse().unwrap();
        for addresses in [vec![here], vec![mapped], vec![mapped, here]] {
            let rebound = Arc::new(PublicOnly(Arc::new(Answers(addresses))));
            for url in ["http://vod.example.com/a", "https://vod.example.com/a", "vod.example.com/a"] {
                let why = asked(&rebound, url).await;
                assert!(why.contains("which is no public address: not asked"), "{url}: {why}");
            }
        }
        // Without the guard the same client connects, so it is the guard that refuses.
        let open = Arc::new(Answers(vec![here]));
        let ask = tokio::spawn(async move { asked(&open, "http://vod.example.com/a").await });
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
        assert!(!ask.await.unwrap().contains("not asked"));
    }

    #[tokio::test]
    async fn localhost_as_the_system_resolves_it_is_not_asked() {
        let why = asked(&Arc::new(PublicOnly(Arc::new(System))), "http://localhost/a").await;
        assert!(why.contains("which is no public address: not asked"), "{why}");
    }

    #[tokio::test]
    async fn what_would_lead_around_the_resolver_is_not_asked() {
        for url in [
            "http://127.0.0.1/a",
            "http://[::1]/a",
            "127.0.0.1/a",
            "http://0x7f000001/a",
            "http://2130706433/a",
            "http://vod.example.com:8080/a",
            "vod.example.com:22/a",
            "http://",
        ] {
            let why = asked(&Arc::new(Answers(Vec::new())), url).await;
            assert!(why.starts_with("not asked: "), "{url}: {why}");
        }
    }
}
