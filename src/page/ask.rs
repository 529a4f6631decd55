//! What a request asks for: the place, the language, the refresh; pure. Whatever stands in an address, the answer is a
//! place, or says what is wrong with it.

use percent_encoding::percent_decode_str;

use crate::model::Lang;
use crate::status::FilesAfter;

/// The seconds of a refresh that may be asked for, and those that are offered.
pub(super) const REFRESH: std::ops::RangeInclusive<u32> = 5..=3600;
pub(super) const REFRESH_OFFERED: u32 = 30;

/// A place of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first page, with the files behind this place.
    Overview(Option<FilesAfter>),
    /// The page of a file, by its row.
    File(i64),
    /// Its receipt, to download.
    Receipt(i64),
    /// The report of its refused lines, to download.
    Refused(i64),
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub place: Place,
    /// The language in the address.
    pub lang: Option<Lang>,
    /// Reload it each time so many seconds have passed.
    pub refresh: Option<u32>,
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such place.
    NotFound,
    /// A part of the query: its name, and what may stand there.
    Query(String, &'static str),
}

impl Ask {
    /// Reads the path below the base path, and the query.
    pub fn parse(path: &str, query: Option<&str>) -> Result<Self, Wrong> {
        let mut place = place(path).ok_or(Wrong::NotFound)?;
        let (mut lang, mut refresh, mut page) = (None, None, None);
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match name {
                "lang" => once(&mut lang, name, language(&value), "en, zh")?,
                "refresh" => once(&mut refresh, name, seconds(&value), "5 ... 3600")?,
                "page" => once(&mut page, name, value.parse().ok(), "w.…, d.…")?,
                // What somebody's mail program or proxy adds is none of our business.
                _ => {}
            }
        }
        if let (Place::Overview(after), Some(_)) = (&mut place, page) {
            *after = page;
        }
        Ok(Self { place, lang, refresh })
    }
}

/// The language of a word such as `zh` or `zh-CN`.
pub(super) fn language(word: &str) -> Option<Lang> {
    let word = word.trim().to_ascii_lowercase();
    match word.split('-').next()? {
        "en" => Some(Lang::En),
        "zh" => Some(Lang::Zh),
        _ => None,
    }
}

/// The language that `Accept-Language` wants most, of those that there are; the first of equals.
pub fn accepted(header: &str) -> Option<Lang> {
    let mut best: Option<(u32, Lang)> = None;
    for range in header.split(',').take(32) {
        let mut parts = range.split(';');
        let Some(lang) = parts.next().and_then(language) else { continue };
        let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
        let Some(thousandths) = quality.map_or(Some(1000), |q| self::thousandths(q.trim())) else { continue };
        if thousandths > 0 && best.is_none_or(|(before, _)| thousandths > before) {
            best = Some((thousandths, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// A quality from `0` to `1` with at most three digits behind its point, in thousandths.
fn thousandths(quality: &str) -> Option<u32> {
    let (whole, rest) = quality.split_once('.').unwrap_or((quality, ""));
    let is_number = rest.len() <= 3 && rest.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" if is_number => Some(1000),
        "0" if is_number => format!("{rest:0<3}").parse().ok(),
        _ => None,
    }
}

fn once<T>(slot: &mut Option<T>, name: &str, value: Option<T>, allowed: &'static str) -> Result<(), Wrong> {
    match value {
        Some(value) if slot.is_none() => {
            *slot = Some(value);
            Ok(())
        }
        _ => Err(Wrong::Query(name.to_owned(), allowed)),
    }
}

fn seconds(value: &str) -> Option<u32> {
    value.parse().ok().filter(|seconds| REFRESH.contains(seconds))
}

fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let row = |text: &str| {
        let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        text.parse::<i64>().ok().filter(|_| is_plain)
    };
    match parts.as_slice() {
        [""] => Some(Place::Overview(None)),
        ["files", id] => row(id).map(Place::File),
        ["files", id, "receipt.json"] => row(id).map(Place::Receipt),
        ["files", id, "refused.tsv"] => row(id).map(Place::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(path: &str, query: &str) -> Result<Ask, Wrong> {
        Ask::parse(path, Some(query).filter(|query| !query.is_empty()))
    }

    #[test]
    fn each_place_is_found_and_no_other() {
        for (path, place) in [
            ("/", Place::Overview(None)),
            ("", Place::Overview(None)),
            ("/files/7", Place::File(7)),
            ("/files/7/receipt.json", Place::Receipt(7)),
            ("/files/9223372036854775807/refused.tsv", Place::Refused(i64::MAX)),
        ] {
            assert_eq!(asked(path, "").map(|ask| ask.place), Ok(place), "{path}");
        }
        for path in [
            "//",
            "/files",
            "/files/",
            "/files/0",
            "/files/-1",
            "/files/+1",
            "/files/07",
            "/files/1/",
            "/files/x",
            "/files/1/../2",
            "/files/9223372036854775808",
            "/files/%31",
            "/index.html",
            "/files/1/receipt",
        ] {
            assert_eq!(asked(path, ""), Err(Wrong::NotFound), "{path}");
        }
    }

    #[test]
    fn each_part_of_a_query_counts_once_and_is_checked() {
        let ask = asked("/", "lang=zh-CN&refresh=30&page=d.9&utm=x").unwrap();
        let place = Place::Overview(Some(FilesAfter::Settled(9)));
        assert_eq!(ask, Ask { place, lang: Some(Lang::Zh), refresh: Some(30) });
        for (query, name) in [
            ("lang=fr", "lang"),
            ("lang=", "lang"),
            ("lang=en&lang=zh", "lang"),
            ("refresh=1", "refresh"),
            ("refresh=-30", "refresh"),
            ("refresh=1e9", "refresh"),
            ("page=2", "page"),
            ("page=%00", "page"),
            ("page=d.1'--", "page"),
        ] {
            assert!(matches!(asked("/", query), Err(Wrong::Query(wrong, _)) if wrong == name), "{query}");
        }
    }

    #[test]
    fn the_language_that_is_wanted_most_is_chosen() {
        for (header, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Lang::Zh)),
            ("en-GB, zh;q=0.5", Some(Lang::En)),
            ("fr, de;q=0.9, zh;q=0.2, en;q=0.3", Some(Lang::En)),
            ("zh;q=0, en;q=0.1", Some(Lang::En)),
            ("fr", None),
            ("*", None),
            ("", None),
            ("en;q=x, zh;q=0.1", Some(Lang::Zh)),
            ("zh;q=9", None),
        ] {
            assert_eq!(accepted(header), lang, "{header}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_an_address_is_answered(path in ".{0,60}", query in ".{0,60}", header in ".{0,60}") {
            let _ = asked(&path, &query);
            let _ = asked("/", &format!("page={query}&lang={query}"));
            let _ = accepted(&header);
        }
    }
}
