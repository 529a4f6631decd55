//! No bytes make the reader of files panic: packed or not, in any encoding, as text, JSON lines or CSV. What it gives
//! has keys that were asked for and URLs that parse again to themselves.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use prefetchd::model::{ObjectUrl, UrlRules};
use prefetchd::spool::Survey;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (format, bytes) = input;
    let name = ["a.txt", "a.jsonl", "a.csv"][usize::from(format) % 3];
    let rules = UrlRules { url_bytes_max: 1024, domains: vec![] };
    let Ok(mut survey) = Survey::open(Cursor::new(bytes), name, rules.clone()) else { return };
    while let Ok(urls) = survey.next_urls(64) {
        for (url, _) in &urls {
            assert_eq!(ObjectUrl::parse(url.as_str(), &rules).as_ref(), Ok(url));
        }
        if urls.len() < 64 {
            break;
        }
    }
});
