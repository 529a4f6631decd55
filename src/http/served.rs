//! An answer, and its headers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, REFRESH, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

const TEXT: &str = "text/plain; charset=utf-8";

/// Nothing but the page's own style sheet, script and icon; no form, no frame, no other site.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// How long an answer may be kept by who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Caching {
    /// Not at all.
    #[default]
    Never,
    /// For ever: its address changes with its content.
    Immutable,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) status: StatusCode,
    /// Its media type.
    pub(super) kind: &'static str,
    pub(super) body: Bytes,
    pub(super) caching: Caching,
    /// Whether it is a page for people, in one of several languages.
    pub(super) is_page: bool,
    /// Reload it each time so many seconds have passed.
    pub(super) refresh: Option<u32>,
    /// Whether it is worth asking again in a second.
    pub(super) retry: bool,
    /// The name under which a browser saves it.
    pub(super) download: Option<String>,
}

impl Served {
    pub(super) fn of(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let caching = Caching::Never;
        Self { status, kind, body: body.into(), caching, is_page: false, refresh: None, retry: false, download: None }
    }

    pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of(status, TEXT, body)
    }

    /// The page of a check: the word for "well", or one line for each problem.
    pub(super) fn check(well: &'static str, ails: &[String]) -> Self {
        if ails.is_empty() {
            return Self::text(StatusCode::OK, well);
        }
        let lines: String = ails.iter().map(|line| format!("{line}\n")).collect();
        Self::text(StatusCode::SERVICE_UNAVAILABLE, lines)
    }

    /// With its headers.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        set(CONTENT_TYPE, self.kind);
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(RESOURCE_POLICY, "same-origin");
        set(REFERRER_POLICY, "no-referrer");
        set(CONTENT_SECURITY_POLICY, POLICY);
        set(OPENER_POLICY, "same-origin");
        match self.caching {
            Caching::Never => set(CACHE_CONTROL, "no-store"),
            Caching::Immutable => set(CACHE_CONTROL, "public, max-age=31536000, immutable"),
        };
        if self.is_page {
            set(VARY, "Accept-Language");
        }
        if self.retry {
            set(RETRY_AFTER, "1");
        }
        if let Some(seconds) = self.refresh {
            headers.insert(REFRESH, HeaderValue::from(seconds));
        }
        if let Some(name) = self.download {
            let value = format!("attachment; filename=\"{name}\"");
            headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&value).expect("a name of ours is plain"));
        }
        response
    }
}
