//! Addresses in the configuration: of the service, and of a proxy on the way to it.

use std::fmt;
use std::str::FromStr;

use super::values::from_text;

/// The service's base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(url::Url);

impl Endpoint {
    /// The URL that is called.
    pub fn url(&self) -> &url::Url {
        &self.0
    }

    /// Whether calls go unencrypted over a network.
    pub fn is_open(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    /// As it stands in the header `Host`.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is an address of this machine.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        "https://vod.cn-shanghai.aliyuncs.com".parse().expect("the default endpoint is a URL")
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = "allowed is a URL without path and query, like \"https://vod.cn-shanghai.aliyuncs.com\"";
        let endpoint = Self(url::Url::parse(text).map_err(|_| allowed)?);
        if !matches!(endpoint.0.scheme(), "https" | "http") {
            return Err(allowed);
        }
        if endpoint.0.host_str().is_none_or(str::is_empty)
            || endpoint.0.path() != "/"
            || endpoint.0.query().is_some()
            || endpoint.0.fragment().is_some()
        {
            return Err(allowed);
        }
        if !endpoint.0.username().is_empty() || endpoint.0.password().is_some() {
            return Err("allowed is a URL without user info: secrets never stand in this file");
        }
        Ok(endpoint)
    }
}

/// A proxy's base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl(url::Url);

impl ProxyUrl {
    /// The proxy.
    pub fn url(&self) -> &url::Url {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = "allowed is an http or https URL like \"http://proxy.example.com:3128\"";
        let url = url::Url::parse(text).map_err(|_| allowed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(allowed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "allowed is a URL without user info, because secrets never stand in this file: set HTTPS_PROXY in \
                the environment instead",
            );
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

from_text!(Endpoint);
from_text!(ProxyUrl);
