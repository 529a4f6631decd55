//! No text makes the parser of URLs panic, and what it accepts parses again to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prefetchd::model::{ObjectUrl, UrlRules};

fuzz_target!(|text: &str| {
    let rules = UrlRules { url_bytes_max: 1024, domains: vec![] };
    if let Ok(url) = ObjectUrl::parse(text, &rules) {
        let again = ObjectUrl::parse(url.as_str(), &rules).expect("what was accepted is accepted again");
        assert_eq!(again, url);
        assert!(url.as_str().len() <= 1024 && !url.host().is_empty() && url.as_str().contains(url.host()));
        assert!(!url.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
    }
});
