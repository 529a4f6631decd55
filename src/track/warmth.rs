//! What an answer says about the cache, and which URLs are sampled. Pure.
//!
//! The headers, strongest evidence first: `X-Cache`, what a cache says of itself (`HIT TCP_MEM_HIT …`, `Hit from …`);
//! `Via`, where the CDN's nodes mark in brackets whether they had the URL (`cache9.l2et15-1[0,0,200-0,H]`); `Age`, for
//! how many seconds a cache has had it; `X-Swift-CacheTime`, for how many seconds a node may keep it. A hit counts
//! wherever it was: several nodes may speak, and the origin was spared.

use strum::{Display, IntoStaticStr};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::telemetry::one_line;

/// Longest evidence that is kept, in characters ...
const EVIDENCE_CHARS_MAX: usize = 500;

/// ... and of one header.
const HEADER_CHARS_MAX: usize = 200;

/// Whether the CDN had a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Warmth {
    /// It came from a cache.
    Hit,
    /// It had to be fetched.
    Miss,
    /// The answer does not tell, or there was none.
    Unknown,
}

impl Warmth {
    /// Its word in `v_checks`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The verdict on a URL, and the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the CDN had it.
    pub warmth: Warmth,
    /// The answer's status; none where no answer came.
    pub http_status: Option<u16>,
    /// On one line, bounded.
    pub evidence: String,
}

impl Verdict {
    /// Nothing is known, with the reason.
    pub fn unknown(http_status: Option<u16>, why: &str) -> Self {
        Self { warmth: Warmth::Unknown, http_status, evidence: bounded(why, EVIDENCE_CHARS_MAX) }
    }

    /// The verdict of an answer.
    pub fn of(status: u16, headers: &Headers) -> Self {
        if (300..400).contains(&status) && status != 304 {
            let to = headers.location.as_deref().unwrap_or("nowhere");
            return Self::unknown(Some(status), &format!("redirects to {to}, which is not followed"));
        }
        let seen = headers.shown();
        // An error may be cached too: it says nothing about the object.
        let is_object = (200..300).contains(&status) || status == 304;
        let warmth = if is_object { headers.warmth() } else { None };
        let evidence = match (is_object, seen.is_empty()) {
            (false, true) => "no answer with the object".to_owned(),
            (false, false) => format!("no answer with the object; {seen}"),
            (true, true) => "no header tells".to_owned(),
            (true, false) => seen,
        };
        let evidence = bounded(&evidence, EVIDENCE_CHARS_MAX);
        Self { warmth: warmth.unwrap_or(Warmth::Unknown), http_status: Some(status), evidence }
    }
}

/// The headers of an answer that matter, as text. Several headers of one name are joined by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// `X-Cache`
    pub x_cache: Option<String>,
    /// `Via`
    pub via: Option<String>,
    /// `Age`
    pub age: Option<String>,
    /// `X-Swift-CacheTime`
    pub cache_time: Option<String>,
    /// `Location`
    pub location: Option<String>,
}

impl Headers {
    /// The warmth by the strongest header that says anything.
    fn warmth(&self) -> Option<Warmth> {
        let by_word = self.x_cache.as_deref().and_then(|words| any_hit(words.split(',').filter_map(says)));
        let by_mark = || self.via.as_deref().and_then(|via| any_hit(marks(via)));
        let seconds = |text: &Option<String>| text.as_deref().and_then(|text| text.trim().parse::<u64>().ok());
        let by_age = || seconds(&self.age).filter(|age| *age > 0).map(|_| Warmth::Hit);
        let by_time = || seconds(&self.cache_time).filter(|time| *time == 0).map(|_| Warmth::Miss);
        by_word.or_else(by_mark).or_else(by_age).or_else(by_time)
    }

    fn shown(&self) -> String {
        let headers = [
            ("x-cache", &self.x_cache),
            ("age", &self.age),
            ("x-swift-cachetime", &self.cache_time),
            ("via", &self.via),
        ];
        let shown = |(name, value): &(&str, &Option<String>)| {
            value.as_ref().map(|value| format!("{name}: {}", bounded(value, HEADER_CHARS_MAX)))
        };
        headers.iter().filter_map(shown).collect::<Vec<_>>().join("; ")
    }
}

/// A hit if any is a hit, else a miss if any is a miss.
fn any_hit(all: impl Iterator<Item = Warmth>) -> Option<Warmth> {
    all.fold(None, |found, next| if found == Some(Warmth::Hit) { found } else { Some(next) })
}

/// What one cache says in `X-Cache`: its first word, such as `HIT`, `TCP_MEM_HIT`, `RefreshHit`. Other words may be
/// names of machines.
fn says(element: &str) -> Option<Warmth> {
    let word = element.split_ascii_whitespace().next()?.to_ascii_uppercase();
    match word {
        _ if word.ends_with("HIT") => Some(Warmth::Hit),
        _ if word.ends_with("MISS") => Some(Warmth::Miss),
        _ => None,
    }
}

/// What nodes say in `Via`: the last value in brackets.
fn marks(via: &str) -> impl Iterator<Item = Warmth> {
    let brackets = via.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    brackets.filter_map(|(values, _)| match values.rsplit(',').next().map(str::trim) {
        Some("H") => Some(Warmth::Hit),
        Some("M") => Some(Warmth::Miss),
        _ => None,
    })
}

/// Text from outside, on one line and cut to this many characters.
fn bounded(text: &str, chars_max: usize) -> String {
    // Escaping makes text longer: cut before it, so that a megabyte is not escaped for nothing, and after it.
    let head: String = text.chars().take(chars_max).collect();
    let mut line = one_line(&head);
    let cut = line.char_indices().nth(chars_max).map(|(at, _)| at);
    if let Some(at) = cut {
        line.truncate(at);
    }
    line
}

/// Whether a URL is in the sample. The same seed gives the same answer, and a larger share keeps all that a smaller one
/// has.
pub fn is_sampled(url_id: i64, seed: i64, share: f64) -> bool {
    let drawn = xxh3_64_with_seed(&url_id.to_le_bytes(), seed.cast_unsigned());
    // The upper 53 bits are a number in [0, 1) that a float holds exactly.
    ((drawn >> 11) as f64) < share * (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Lines<'t> = &'t [(&'t str, &'t str)];

    fn headers(lines: Lines<'_>) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in lines {
            let slot = match *name {
                "x-cache" => &mut headers.x_cache,
                "via" => &mut headers.via,
                "age" => &mut headers.age,
                "x-swift-cachetime" => &mut headers.cache_time,
                _ => &mut headers.location,
            };
            *slot = Some((*value).to_owned());
        }
        headers
    }

    #[test]
    fn the_strongest_header_that_tells_decides() {
        use Warmth::{Hit, Miss, Unknown};
        let cases: [(u16, Lines<'_>, Warmth); 26] = [
            (200, &[("x-cache", "HIT TCP_MEM_HIT dirn:10:363423612")], Hit),
            (200, &[("x-cache", "MISS TCP_MISS dirn:-2:-2")], Miss),
            (206, &[("x-cache", "hit")], Hit),
            (304, &[("x-cache", "TCP_REFRESH_HIT from edge")], Hit),
            (200, &[("x-cache", "RefreshHit from cloud")], Hit),
            (200, &[("x-cache", "MISS, HIT")], Hit),
            (200, &[("x-cache", "HIT, MISS")], Hit),
            (200, &[("x-cache", "MISS from cache-hit"), ("age", "7")], Miss),
            (200, &[("x-cache", "NONE"), ("age", "7")], Hit),
            (200, &[("x-cache", ""), ("age", "0")], Unknown),
            (200, &[("x-cache", "from HIT")], Unknown),
            (200, &[("via", "cache13.l2et15-1[0,0,200-0,H], cache9.l2et15-1[1,0], kunlun1.cn[0,0,200-0,M]")], Hit),
            (200, &[("via", "cache13.l2et15-1[57,200-0,M], cache9.l2et15-1[58,0]")], Miss),
            (200, &[("via", "1.1 proxy, cache9[1,0]")], Unknown),
            (200, &[("via", "cache[0,H"), ("age", "0")], Unknown),
            (200, &[("age", "1")], Hit),
            (200, &[("age", "-1")], Unknown),
            (200, &[("age", "99999999999999999999999")], Unknown),
            (200, &[("age", "12"), ("x-swift-cachetime", "0")], Hit),
            (200, &[("x-swift-cachetime", "0")], Miss),
            (200, &[("x-swift-cachetime", "3600")], Unknown),
            (200, &[], Unknown),
            (404, &[("x-cache", "HIT TCP_HIT")], Unknown),
            (503, &[("age", "5")], Unknown),
            (307, &[("x-cache", "HIT TCP_HIT"), ("location", "https://elsewhere.example.com/")], Unknown),
            (101, &[("x-cache", "HIT TCP_HIT")], Unknown),
        ];
        for (status, lines, warmth) in cases {
            let verdict = Verdict::of(status, &headers(lines));
            assert_eq!((verdict.warmth, verdict.http_status), (warmth, Some(status)), "{status} {lines:?} {verdict:?}");
            assert!(!verdict.evidence.is_empty());
        }
    }

    #[test]
    fn the_evidence_says_where_a_redirect_leads_and_what_the_headers_were() {
        let redirect = Verdict::of(302, &headers(&[("location", "http://127.0.0.1/\n")]));
        assert_eq!(redirect.evidence, "redirects to http://127.0.0.1/\\n, which is not followed");
        let hit = Verdict::of(200, &headers(&[("age", "3"), ("x-cache", "HIT x")]));
        assert_eq!(hit.evidence, "x-cache: HIT x; age: 3");
        assert_eq!(Verdict::of(403, &Headers::default()).evidence, "no answer with the object");
    }

    proptest! {
        #[test]
        fn whatever_is_answered_the_evidence_is_one_bounded_line(
            status in any::<u16>(), x_cache in ".*", via in "\\PC*|.{0,900}", age in ".*", location in ".{0,900}",
        ) {
            let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
            let headers = Headers {
                x_cache: some(&x_cache),
                via: some(&via),
                age: some(&age),
                cache_time: None,
                location: some(&location),
            };
            let verdict = Verdict::of(status, &headers);
            prop_assert!(verdict.evidence.chars().count() <= EVIDENCE_CHARS_MAX);
            prop_assert!(!verdict.evidence.chars().any(char::is_control));
            if !(200..300).contains(&status) && status != 304 {
                prop_assert_eq!(verdict.warmth, Warmth::Unknown);
            }
        }

        #[test]
        fn a_larger_share_samples_the_same_urls_and_more(
            id in any::<i64>(), seed in any::<i64>(), a in 0.0..=1.0, b in 0.0..=1.0,
        ) {
            let (less, more): (f64, f64) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(!is_sampled(id, seed, less) || is_sampled(id, seed, more));
            prop_assert!(is_sampled(id, seed, 1.0) && !is_sampled(id, seed, 0.0));
        }

        #[test]
        fn the_sample_is_as_large_as_its_share(seed in any::<i64>()) {
            // IDs are neighbours; the standard deviation of a fair draw of 1 % from 10,000 is 9.9.
            let sampled = (1..=10_000).filter(|id| is_sampled(*id, seed, 0.01)).count();
            prop_assert!((30..=180).contains(&sampled), "{}", sampled);
        }
    }
}
