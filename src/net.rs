//! HTTP clients for all outgoing calls: which certificates they trust, which TLS they speak, and which proxy they use.

use std::error::Error as _;
use std::path::PathBuf;

use reqwest::{Certificate, ClientBuilder, Proxy, tls};

use crate::config::{Api, Endpoint};

/// Why an HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS cannot be set up, e.g. because the system has no root certificates.
    #[error("setting up TLS: {0}; are root certificates installed (on Debian, the package ca-certificates)?")]
    Tls(#[from] reqwest::Error),
    /// The file of `[api] ca_file` holds no certificates.
    #[error("[api] ca_file {path}: {what}; it has to hold certificates in PEM")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

/// An HTTP client to configure, with `ring` as its cryptography and at least TLS 1.2. For plain HTTP to this machine it
/// uses neither a proxy nor root certificates, which a small system may lack.
pub fn http_builder(plain: bool) -> ClientBuilder {
    // A second installation is refused; the first one is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().tls_version_min(tls::Version::TLS_1_2);
    if plain { builder.no_proxy().tls_certs_only([]) } else { builder }
}

/// A client for this endpoint, to configure further. It trusts the system's root certificates (or those of
/// `SSL_CERT_FILE`) and those of `[api] ca_file`, and uses the proxy of `[api] proxy` or else of the environment. This
/// machine is never reached through a proxy.
/// # Errors
///
/// `[api] ca_file` cannot be read or holds no certificate.
pub fn builder_for(endpoint: &Endpoint, api: &Api) -> Result<ClientBuilder, Error> {
    let is_plain = endpoint.url().scheme() == "http";
    if is_plain && endpoint.is_loopback() {
        return Ok(http_builder(true));
    }
    let mut builder = http_builder(false);
    if is_plain {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &api.ca_file {
        let wrong = |what: String| Error::CaFile { path: path.clone(), what };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let certificates = Certificate::from_pem_bundle(&text).map_err(|error| wrong(error.to_string()))?;
        if certificates.is_empty() {
            return Err(wrong("there is no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if endpoint.is_loopback() {
        return Ok(builder.no_proxy());
    }
    match &api.proxy {
        Some(proxy) => Ok(builder.proxy(Proxy::all(proxy.url().clone())?)),
        None => Ok(builder),
    }
}

/// The error and its causes, without the URL: the URL is in the configuration, and a proxy's URL may contain a
/// password.
pub fn in_words(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() { "timed out" } else { "failed" };
    format!("the call {what}: {}", causes(error))
}

/// The causes of an error, from the outermost to the innermost, each once.
pub fn causes(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    if causes.is_empty() { "no cause given".to_owned() } else { causes.join(": ") }
}
