//! Which answer a path asks for; pure.

use super::access::Tells;
use crate::config::Http;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Health,
    Ready,
    Metrics,
    Status,
    /// A page for people, with its path below the base path.
    Page(&'a str),
    Nothing,
}

impl<'a> Route<'a> {
    /// Finds it. Pages stand below `[http] base_path`, and only where `[http] pages` is true.
    pub(super) fn of(path: &'a str, http: &Http) -> Self {
        match path {
            "/healthz" => return Self::Health,
            "/readyz" => return Self::Ready,
            "/metrics" => return Self::Metrics,
            "/status" => return Self::Status,
            _ => {}
        }
        let below = path.strip_prefix(http.base_path.as_str()).filter(|_| http.pages);
        match below {
            Some(below) if below.is_empty() || below.starts_with('/') => Self::Page(below),
            _ => Self::Nothing,
        }
    }

    /// What the answer shows.
    pub(super) fn tells(self) -> Tells {
        match self {
            Self::Status | Self::Page(_) => Tells::Names,
            Self::Health | Self::Ready | Self::Metrics | Self::Nothing => Tells::Numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_stand_below_their_base_and_only_where_they_are_wanted() {
        let http = |pages, base: &str| Http { pages, base_path: base.to_owned(), ..Http::default() };
        for (path, pages, base, route) in [
            ("/", false, "", Route::Nothing),
            ("/", true, "", Route::Page("/")),
            ("/files/1", true, "", Route::Page("/files/1")),
            ("/warm", true, "/warm", Route::Page("")),
            ("/warm/files/1", true, "/warm", Route::Page("/files/1")),
            ("/warmer", true, "/warm", Route::Nothing),
            ("/", true, "/warm", Route::Nothing),
            ("/metrics", true, "", Route::Metrics),
            ("/metrics/", false, "", Route::Nothing),
            ("/status", true, "/warm", Route::Status),
        ] {
            assert_eq!(Route::of(path, &http(pages, base)), route, "{path} {pages} {base}");
        }
        assert_eq!((Route::Page("/").tells(), Route::Metrics.tells()), (Tells::Names, Tells::Numbers));
    }
}
