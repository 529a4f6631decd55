//! Sends a signed call: with a deadline, an answer of bounded size, no redirects, and nothing sent twice.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::redirect;

use super::call::SignedCall;
use super::reply::{Answer, Reply};
use crate::config::Api;
use crate::model::Time;
use crate::net;

/// Longest unpacked answer, in bytes. The answer to an accepted batch has a few hundred.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long the service asks to be left alone, in milliseconds; comes with throttling (SIBLING-APIS.md, J).
const ACS_RETRY_AFTER: HeaderName = HeaderName::from_static("x-acs-retry-after");

/// How long an idle connection is kept; gateways close theirs after about a minute.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// The `User-Agent`, for the service's staff.
pub const USER_AGENT: &str = concat!("prefetchd/", env!("CARGO_PKG_VERSION"));

/// The HTTP client for the service.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: url::Url,
}

impl Client {
    /// A client for the configured endpoint. It uses the environment's proxies, except for a loopback address.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up, e.g. because the system has no root certificates.
    pub fn new(api: &Api) -> Result<Self, net::Error> {
        let builder = net::builder_for(&api.endpoint, api)?
            .user_agent(USER_AGENT)
            .timeout(api.timeout.get())
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(IDLE_CONNECTION);
        Ok(Self { http: builder.build()?, endpoint: api.endpoint.url().clone() })
    }

    /// Sends the call once and reads its answer; also returns how long that took.
    pub(super) async fn send(&self, call: &SignedCall) -> (Reply, Duration) {
        let started = Instant::now();
        let reply = self.exchange(call).await;
        (reply, started.elapsed())
    }

    async fn exchange(&self, call: &SignedCall) -> Reply {
        let mut url = self.endpoint.clone();
        url.set_query((!call.query.is_empty()).then_some(&call.query));
        let mut request = self.http.post(url).headers(call.headers.clone()).body(call.body.clone());
        if !call.headers.contains_key(CONTENT_TYPE) && !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        match request.send().await {
            Ok(response) => read(response).await,
            Err(error) if error.is_connect() || error.is_builder() => Reply::NotSent(net::in_words(&error)),
            Err(error) => Reply::Lost(net::in_words(&error)),
        }
    }
}

async fn read(mut response: reqwest::Response) -> Reply {
    let status = response.status().as_u16();
    let date = date(response.headers());
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_BYTES_MAX => {
                return Reply::Lost(format!("the answer (HTTP {status}) is longer than {BODY_BYTES_MAX} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Reply::Answered(Answer { status, date, retry_after, body }),
            Err(error) => return Reply::Lost(format!("in the answer (HTTP {status}): {}", net::in_words(&error))),
        }
    }
}

/// The time in `Date`. An answer that contradicts itself tells none.
fn date(headers: &HeaderMap) -> Option<Time> {
    let mut all = headers.get_all(DATE).iter();
    let first = all.next()?;
    if all.any(|other| other != first) {
        return None;
    }
    chrono::DateTime::parse_from_rfc2822(first.to_str().ok()?).ok().map(|date| date.to_utc())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// How long an answer asks to be left alone: the longer of the two headers that say so.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| text(headers, name)?.trim().parse().ok();
    let seconds = number(RETRY_AFTER).map(Duration::from_secs);
    seconds.max(number(ACS_RETRY_AFTER).map(Duration::from_millis))
}

#[cfg(test)]
mod tests;
