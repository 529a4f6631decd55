//! Fetches keys over the network: the calls of each source, bounded in time and size, with errors in one sentence.
//! Messages repeat only codes of a source's answer, because an answer may contain keys and a message what was signed.

mod answer;
mod metadata;
mod sts;

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::DATE;
use url::Url;

use super::way::{Source, Way};
use super::{Credentials, Error, Life, Places};
use crate::config::{Api, Endpoint};
use crate::model::Time;
use crate::net;
use answer::Answer;

/// Time limit for getting a key.
pub const OBTAINED_WITHIN: Duration = Duration::from_secs(40);

/// Timeouts for the metadata service, which is close by (SIBLING-APIS.md, G).
const NEAR: Timeouts = Timeouts { connect: Duration::from_secs(1), read: Duration::from_secs(1) };

/// Timeouts for all other sources (SIBLING-APIS.md, G).
const FAR: Timeouts = Timeouts { connect: Duration::from_secs(5), read: Duration::from_secs(10) };

/// Longest answer that is read, in bytes; an answer with a key has two thousand.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Timeouts {
    connect: Duration,
    read: Duration,
}

/// Fetches from one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetcher<'a> {
    pub(super) source: &'a Source,
    pub(super) places: &'a Places,
}

/// A whole answer.
#[derive(Debug)]
struct Got {
    status: u16,
    date: Option<Time>,
    body: Vec<u8>,
}

impl Fetcher<'_> {
    /// Gets the key and its lifetime.
    pub(super) async fn obtain(&self, way: &Way) -> Result<(Credentials, Option<Life>), Error> {
        let late = || self.wrong(format!("it took longer than {} s; it is asked again", OBTAINED_WITHIN.as_secs()));
        tokio::time::timeout(OBTAINED_WITHIN, self.by(way)).await.map_err(|_| late())?
    }

    async fn by(&self, way: &Way) -> Result<(Credentials, Option<Life>), Error> {
        match way {
            Way::Key(key) => Ok((key.clone(), None)),
            Way::Ecs(metadata) => self.of_the_instance(metadata).await,
            Way::Uri(url) => self.of_an_address(url).await,
            Way::Oidc(role) => sts::with_a_token(self, role).await,
            Way::Assumed(role, with) => {
                // A session outlives the key with which it began.
                let (key, _) = Box::pin(self.by(with)).await?;
                sts::with_a_key(self, role, &key).await
            }
        }
    }

    async fn of_an_address(&self, url: &Url) -> Result<(Credentials, Option<Life>), Error> {
        let client = self.client_of(url)?;
        let got = self.send(client.get(url.clone())).await?;
        let answer = self.read(&got, "is ALIBABA_CLOUD_CREDENTIALS_URI right?")?;
        self.key_of(&answer, &got, None)
    }

    /// A client for an address from the environment; plain HTTP bypasses proxies.
    fn client_of(&self, url: &Url) -> Result<reqwest::Client, Error> {
        if url.scheme() == "http" {
            return self.built(net::http_builder(true), FAR);
        }
        let origin =
            format!("{}://{}", url.scheme(), url[url::Position::BeforeHost..url::Position::AfterPort].to_owned());
        let endpoint = origin.parse().map_err(|error: &str| self.wrong(error.to_owned()))?;
        self.client_for(&endpoint)
    }

    fn client_for(&self, endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
        let api: &Api = &self.places.api;
        self.built(net::builder_for(endpoint, api).map_err(|error| self.wrong(error.to_string()))?, FAR)
    }

    fn built(&self, builder: reqwest::ClientBuilder, timeouts: Timeouts) -> Result<reqwest::Client, Error> {
        let builder = builder
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.connect + timeouts.read)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        builder.build().map_err(|error| self.wrong(net::in_words(&error)))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Got, Error> {
        let failed = |error: reqwest::Error| self.wrong(format!("{}; it is asked again", net::in_words(&error)));
        let mut response = request.send().await.map_err(failed)?;
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok()).map(|date| date.to_utc());
        let mut got = Got { status: response.status().as_u16(), date, body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if got.body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(self.wrong(format!("its answer is longer than {} kB", BODY_BYTES_MAX / 1024)));
            }
            got.body.extend_from_slice(&chunk);
        }
        Ok(got)
    }

    /// Parses the answer, which must be JSON. `ask` is a hint for the operator if it is not.
    fn read(&self, got: &Got, ask: &str) -> Result<Answer, Error> {
        Answer::read(&got.body).ok_or_else(|| {
            let is_page = got.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
            let what = if is_page { "a page (HTML or XML)" } else { "something that is no JSON" };
            self.wrong(format!("it answered with {what} (HTTP {}); {ask}", got.status))
        })
    }

    /// The key in an answer.
    fn key_of(
        &self,
        answer: &Answer,
        got: &Got,
        longest: Option<Duration>,
    ) -> Result<(Credentials, Option<Life>), Error> {
        if let Some(code) = answer.failure() {
            return Err(self.wrong(format!("it answered {code} (HTTP {}); it is asked again", got.status)));
        }
        if got.status != 200 {
            return Err(self.wrong(format!("it answered HTTP {}; it is asked again", got.status)));
        }
        answer.key(self.source, got.date, longest)
    }

    fn wrong(&self, what: String) -> Error {
        Error::NotGiven { place: self.source.clone(), what }
    }
}
