//! Whole kinds of lines that were submitted as another resource once.

use super::normal;
use crate::model::{ObjectUrl, UrlRules};

fn refused(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(tail, code)| (tail, normal(&format!("https://vod.example.com/{tail}")), code))
        .filter(|(_, found, code)| found.as_ref().err() != Some(*code))
        .map(|(tail, found, code)| format!("{tail}: {found:?} instead of {code}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Of each the tail, and what it is submitted as.
fn taken(cases: &[(&str, &str)]) {
    for (tail, spelling) in cases {
        let spelling = format!("https://vod.example.com/{spelling}");
        assert_eq!(normal(&format!("https://vod.example.com/{tail}")).as_deref(), Ok(spelling.as_str()), "{tail}");
    }
}

fn kept(tails: &[&str]) {
    taken(&tails.iter().map(|tail| (*tail, *tail)).collect::<Vec<_>>());
}

#[test]
fn two_urls_that_were_run_together_are_two_urls_also_behind_a_query() {
    refused(&[
        ("1.mp4?token=abcdefhttps://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?sign=aa==https://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?sign=a/b=https://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?=https://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?k=vhttps://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?a=truehttps://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?url=https://x.example.com/y.mp4&b=chttps://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?token=ABCHTTPS://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?token=1https://vod.example.com/2.mp4", "two_urls"),
        ("1.mp4vod.example.com/2.mp4", "two_urls"),
        ("1.mp4VOD.example.com/2.mp4", "two_urls"),
        ("1.mp4.vod.example.com/2.mp4", "two_urls"),
        ("filmvod.example.com/film2", "two_urls"),
        ("1.mp4vod.example.com:8080/2.mp4", "two_urls"),
        ("1.mp4?token=abcvod.example.com/2.mp4", "two_urls"),
        ("1.mp4?auth_key=1-0-0-abc,vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?auth_key=1-0-0-abc，vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?auth_key=1-0-0-abc；vod.example.com/2.mp4", "two_urls"),
        ("1.mp4?auth_key=1-0-0-abc、cdn.example.org/2.mp4", "two_urls"),
        ("1.mp4?v=1|vod.example.com/2.mp4", "two_urls"),
    ]);
    kept(&[
        "1.mp4?url=https://x.example.com/y.mp4",
        "1.mp4?a=1&url=https://x.example.com/y?z=https://w.example.com/",
        "1.mp4?a=1;url=HTTPS://x.example.com/y.mp4",
        "1.mp4?from=rtmp://live.example.com/app",
        "1.mp4?url=https://myvod.example.com/y.mp4",
        "1.mp4?url=https%3A%2F%2Fmyvod.example.com/y.mp4",
        "1.mp4?url=%2Fvod.example.com/y.mp4",
        "1.mp4?host=vod.example.com/y.mp4",
        "mirror/vod.example.com/1.mp4",
        "mirror/www.vod.example.com/1.mp4",
        "mirror/old-vod.example.com/1.mp4",
        "1.jpg?x-oss-process=image/resize,w_100/quality,q_90",
    ]);
    assert_eq!(normal("视频.example.com/film视频.example.com/2.mp4"), Err("two_urls"));
}

#[test]
fn a_fragment_is_dropped_only_if_it_is_a_time_of_a_medium() {
    for time in ["10", "10.5", "10s", "10,20", "10s,20.25s", ",20", "npt:10,1:02:03.4", "smpte-25:0:02:01,0:03:00:05"]
        .into_iter()
        .chain(["smpte:0:01:00", "clock:2009-07-26T11:19:01Z,2009-07-26T11:20:01Z", "01:30"])
    {
        taken(&[(&format!("a.mp4#t={time}"), "a.mp4")]);
    }
    refused(&[
        ("b264#t=2.mp4", "fragment"),
        ("100#t=1.m3u8", "fragment"),
        ("a#t=abc", "fragment"),
        ("a.mp4#t=", "fragment"),
        ("a.mp4#t=,", "fragment"),
        ("a.mp4#t=1,", "fragment"),
        ("a.mp4#t=1,2,3", "fragment"),
        ("a.mp4#t=npt:", "fragment"),
        ("a.mp4#t=1.", "fragment"),
        ("a.mp4#t=1x", "fragment"),
        ("a.mp4#t=mpt:1", "fragment"),
    ]);
}

#[test]
fn a_remark_behind_a_signed_url_is_not_part_of_it() {
    refused(&[
        ("1.mp4?auth_key=1-0-0-abc，第二集", "after_value"),
        ("1.mp4?auth_key=1-0-0-abc（高清）", "after_value"),
        ("1.mp4?auth_key=1-0-0-abc【高清】", "after_value"),
        ("1.mp4?auth_key=1-0-0-abc高清", "after_value"),
        ("1.mp4?auth_key=1-0-0-abc|high", "after_value"),
        ("1.mp4?auth_key=1-0-0-abc;high", "after_value"),
        ("1.mp4?a=1&Signature=x高清&b=2", "after_value"),
        ("1.mp4?txSecret=x;high", "after_value"),
        ("1.mp4?OSSAccessKeyId=x|high", "after_value"),
        ("1.mp4?Expires=1700000000高清", "after_value"),
        ("1.mp4?v=1，第二集", "after_value"),
        ("1.mp4?v=1。第二集", "after_value"),
        ("1.mp4?v=1《高清》", "after_value"),
        ("1.mp4?v=1「高清」", "after_value"),
        ("1.mp4?v1、高清", "after_value"),
    ]);
    kept(&[
        "1.mp4?auth_key=1-0-0-abc&v=a|b",
        "1.mp4?sign=abc;t=5",
        "1.mp4?v=a;b",
        "1.mp4?q-sign-time=1;2&q-header-list=a;b",
        "1.mp4?auth_key=1-0-0-%EF%BC%8C",
    ]);
    taken(&[
        ("1.mp4?title=第，一", "1.mp4?title=%E7%AC%AC%EF%BC%8C%E4%B8%80"),
        ("1.mp4?title=《一》", "1.mp4?title=%E3%80%8A%E4%B8%80%E3%80%8B"),
        ("1.mp4?title=Part一", "1.mp4?title=Part%E4%B8%80"),
    ]);
}

#[test]
fn characters_that_are_none_are_refused_and_selectors_at_the_end_trimmed() {
    refused(&[
        ("a\u{fffc}b.mp4", "replacement"),
        ("a\u{fffe}b.mp4", "invisible"),
        ("a\u{ffff}b.mp4", "invisible"),
        ("a\u{fdd0}b.mp4", "invisible"),
        ("a\u{fdef}b.mp4", "invisible"),
        ("a\u{1fffe}b.mp4", "invisible"),
        ("a\u{10ffff}b.mp4", "invisible"),
        ("a\u{fe0f}b.mp4", "invisible"),
    ]);
    taken(&[
        ("x.mp4\u{fe0f}", "x.mp4"),
        ("x.mp4\u{200b}\u{fe0e}\u{e0100} ", "x.mp4"),
        ("❤\u{fe0f}", "%E2%9D%A4%EF%B8%8F"),
        ("❤\u{fe0f}\u{200b}", "%E2%9D%A4%EF%B8%8F"),
    ]);
}

#[test]
fn every_html_escape_is_one_and_every_missing_value() {
    refused(&[
        ("a.mp4?x=1&times;tamp=2", "entity"),
        ("a.mp4?a=1&copy;b=2", "entity"),
        ("a.mp4?a=1&reg;b", "entity"),
        ("a.mp4?a=1&AMP;b", "entity"),
        ("a.mp4?a=1&frac12;b", "entity"),
        ("NULL", "placeholder"),
        ("x/NULL/1.mp4", "placeholder"),
        ("Null", "placeholder"),
        ("UNDEFINED", "placeholder"),
        ("none/1.mp4", "placeholder"),
        ("nan", "placeholder"),
        ("NAN/1.mp4", "placeholder"),
        ("Null.mp4", "placeholder"),
        ("a.mp4?id=NULL", "placeholder"),
    ]);
    kept(&["a.mp4?a=1&b=2;c=3", "a.mp4?a&b", "nullable/1.mp4", "nonesuch.mp4", "Nana.mp4"]);
}

#[test]
fn full_width_signs_in_the_place_of_those_of_a_url_are_refused() {
    refused(&[
        ("a．mp4", "full_width"),
        ("a。m3u8", "full_width"),
        ("dir/a．mp4?x=1", "full_width"),
        ("a？x=1", "full_width"),
        ("a.mp4？auth_key=x", "full_width"),
        ("a？x＝1", "full_width"),
        ("a／", "full_width"),
    ]);
    taken(&[
        ("a．第", "a%EF%BC%8E%E7%AC%AC"),
        ("为什么？.mp4", "%E4%B8%BA%E4%BB%80%E4%B9%88%EF%BC%9F.mp4"),
        ("a／b.mp4", "a%EF%BC%8Fb.mp4"),
    ]);
}

#[test]
fn a_part_of_a_host_neither_begins_nor_ends_with_a_hyphen() {
    for host in ["-vod.example.com", "vod-.example.com", "vod.-example.com", "vod.example.com-", "视频-.example.com"]
    {
        assert_eq!(normal(&format!("https://{host}/x")), Err("bad_host"), "{host}");
    }
    assert!(normal("https://v--o-d.example.com/x").is_ok());
}

#[test]
fn the_digits_of_an_escape_and_what_follows_are_not_the_own_host() {
    let rules = UrlRules { url_bytes_max: 1024, domains: vec![] };
    for text in ["aiI.AI/A：iI.AI/A.mp4", "9aii.ai/A：ii.ai/A.mp4", "aiI.AI/A：iI.AI/A：.:I.:I"] {
        let url = ObjectUrl::parse(text, &rules).unwrap();
        assert_eq!(ObjectUrl::parse(url.as_str(), &rules).unwrap(), url);
    }
}
