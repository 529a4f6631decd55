//! Lines that are accepted, lines that are refused, and properties of both.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;

use super::*;

mod kinds;
mod pieces;

use pieces::PIECES;

fn rules() -> UrlRules {
    UrlRules { url_bytes_max: 1024, domains: vec![] }
}

fn normal(line: &str) -> Result<String, &'static str> {
    ObjectUrl::parse(line, &rules()).map(|url| url.to_string()).map_err(|fault| fault.kind.code())
}

#[test]
fn equal_urls_get_one_spelling() {
    for (line, spelling) in [
        ("https://Vod.Example.COM/a.mp4", "https://vod.example.com/a.mp4"),
        ("  http://vod.example.com:80/a.mp4#t=10 ", "http://vod.example.com/a.mp4"),
        ("HTTPS://vod.example.com/a", "https://vod.example.com/a"),
        ("vod.example.com/a/b.ts?x=1", "vod.example.com/a/b.ts?x=1"),
        ("Vod.example.com:8080/a", "vod.example.com:8080/a"),
        ("https://vod.example.com./a", "https://vod.example.com/a"),
        ("https://视频.example.com/电影.mp4", "https://xn--cy2a840a.example.com/%E7%94%B5%E5%BD%B1.mp4"),
        ("https://vod.example.com/%E7%94%b5", "https://vod.example.com/%E7%94%b5"),
        ("vod.example.com/a?next=https://other.example.com/", "vod.example.com/a?next=https://other.example.com/"),
    ] {
        assert_eq!(normal(line).as_deref(), Ok(spelling), "{line}");
    }
}

#[test]
fn what_is_odd_and_right_is_kept_byte_for_byte() {
    for tail in [
        "/a//b.mp4",
        "/a/...b.mp4",
        "/%2e%2ea/%2F.mp4",
        "/a.mp4?b=1&c=2",
        "/a.mp4?sign=abc==",
        "/a.mp4;v=1",
        "/hls/,a.mp4,b.mp4,.urlset/master.m3u8",
        "/a,b.mp4",
        "/it's.mp4",
        "/(2026)/film_(1).mp4",
        "/[Group]_Show_-_01_[1080p].mp4",
        "/a@b/c+d=e~f!g$1.mp4",
        "/a.b.c/v1.2/x",
        "/%22%5C.mp4",
        "/a|b.mp4",
        "/null-island.mp4",
        "/undefinedness",
        "/100%25.mp4",
        "/v:1/x.mp4",
    ] {
        let line = format!("https://vod.example.com{tail}");
        assert_eq!(normal(&line).as_deref(), Ok(line.as_str()), "{line}");
    }
}

#[test]
fn a_blank_inside_a_files_name_is_encoded_and_noted() {
    let (url, notes) = ObjectUrl::read("https://vod.example.com/My Dir/My Film (2026).mp4", &rules()).unwrap();
    assert_eq!(url.as_str(), "https://vod.example.com/My%20Dir/My%20Film%20(2026).mp4");
    assert!(notes.blank_encoded && !notes.fragment_dropped);
    assert_eq!(
        normal("https://vod.example.com/第一集 - 序.mp4").as_deref(),
        Ok("https://vod.example.com/%E7%AC%AC%E4%B8%80%E9%9B%86%20-%20%E5%BA%8F.mp4")
    );
    let (_, notes) = ObjectUrl::read("https://vod.example.com/a.mp4#t=10,20", &rules()).unwrap();
    assert!(notes.fragment_dropped && !notes.blank_encoded);
}

#[test]
fn what_nobody_sees_is_trimmed_at_the_ends_and_refused_inside() {
    for unseen in ["\u{a0}", "\u{200b}", "\u{3000}", "\u{200e}", "\u{feff}", "\u{ad}", "\u{85}", "\u{2028}", "\u{2060}"]
    {
        let line = format!("{unseen}https://vod.example.com/a.mp4{unseen} \t");
        assert_eq!(normal(&line).as_deref(), Ok("https://vod.example.com/a.mp4"), "{}", unseen.escape_unicode());
        let inside = normal(&format!("https://vod.example.com/a{unseen}b.mp4"));
        let expected = if unseen == "\u{85}" { "control_character" } else { "invisible" };
        assert_eq!(inside, Err(expected), "{}", unseen.escape_unicode());
    }
    // A selector can be seen after the character it selects for, and only there.
    assert!(normal("https://vod.example.com/❤\u{fe0f}.mp4").is_ok());
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_reason() {
    for (line, code) in [
        ("ftp://vod.example.com/a", "scheme"),
        ("hxxp://vod.example.com/a", "scheme"),
        ("htps://vod.example.com/a", "scheme"),
        ("http:/vod.example.com/a", "scheme"),
        ("https//vod.example.com/a", "scheme"),
        ("https：//vod.example.com/a", "full_width"),
        ("//vod.example.com/a", "scheme"),
        ("https://https://vod.example.com/a", "doubled_scheme"),
        ("- https://vod.example.com/a", "text_before"),
        ("URL=https://vod.example.com/a", "text_before"),
        ("1. https://vod.example.com/a", "text_before"),
        ("https://*.example.com/a", "wildcard"),
        ("https://192.168.0.1/a", "ip_address"),
        ("https://[2001:db8::1]/a", "ip_address"),
        ("https://me:secret@vod.example.com/a", "user_info"),
        ("https://vod.example.com", "directory"),
        ("https://vod.example.com/films/", "directory"),
        ("https://vod.example.com/films/?x=1", "directory"),
        ("https://vod.example.com/a/../b", "dot_segment"),
        ("https://vod.example.com/a/%2E%2e/b", "dot_segment"),
        ("https://vod.example.com/a\u{7}b", "control_character"),
        ("https://vod.example.com/a\tb", "control_character"),
        ("https://vod.example.com:0/a", "port"),
        ("https://vod.example.com:/a", "port"),
        ("https://vod.example.com:65536/a", "port"),
        ("localhost/a", "no_url"),
        ("just words", "no_url"),
        ("undefined", "no_url"),
        ("https:///a", "bad_host"),
        ("https://a..b/c", "bad_host"),
        ("https://localhost/c", "bad_host"),
        ("test/a/", "no_url"),
        ("1.2/x.mp4", "file_as_host"),
        ("v1.hls/x.ts", "file_as_host"),
        ("seg.1/x.ts", "file_as_host"),
        ("readme.md/x", "file_as_host"),
        ("hls.v1/seg-2.m4s", "file_as_host"),
        ("www.example.com", "directory"),
    ] {
        assert_eq!(normal(line), Err(code), "{line}");
    }
}

#[test]
fn what_belongs_to_the_text_around_a_url_is_refused() {
    for (tail, code) in [
        ("q.mp4\"", "quote"),
        ("q.mp4',", "quote"),
        ("q”.mp4", "quote"),
        ("q.mp4`", "quote"),
        ("q.mp4＂", "quote"),
        ("q.mp4</loc></url>", "tag"),
        ("<id>/q.mp4", "placeholder"),
        ("q.mp4;https://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4,https://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4|https://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4 https://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4https://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4\\nhttps://vod.example.com/r.mp4", "two_urls"),
        ("q.mp4,vod.example.com/r.mp4", "two_urls"),
        ("q.mp4 vod.example.com/r.mp4", "two_urls"),
        ("q.mp4;r.mp4", "after_file"),
        ("q.mp4,high", "after_file"),
        ("q.mp4|r.mp4", "after_file"),
        ("q.mp4、r.mp4", "after_file"),
        ("q.mp4这是第一集", "after_file"),
        ("q.mp4 ?x=1", "after_file"),
        ("q.mp4 200 OK", "after_file"),
        ("q.mp4 -> /data/q.mp4", "arrow"),
        ("q.mp4 => r", "arrow"),
        ("q.mp4 → r", "arrow"),
        ("q.mp4 # note", "comment"),
        ("q.mp4 // note", "comment"),
        ("film high", "blank"),
        ("q.mp4?t=a b", "blank"),
        ("Comics /q.mp4", "blank"),
        ("q.mp4 \\", "back_slash"),
        ("a\\q.mp4", "back_slash"),
        ("第#3集/q.mp4", "fragment"),
        ("q.mp4#", "fragment"),
        ("q.mp4?a=1&amp;b=2", "entity"),
        ("q\u{fffd}.mp4", "replacement"),
        ("{id}/q.mp4", "placeholder"),
        ("${VID}/q.mp4", "placeholder"),
        ("$(VID)/q.mp4", "placeholder"),
        ("$VID/q.mp4", "placeholder"),
        ("seg-$Number$.m4s", "placeholder"),
        ("{{x}}.mp4", "placeholder"),
        ("%s/q.mp4", "placeholder"),
        ("%d.ts", "placeholder"),
        ("%03d.ts", "placeholder"),
        ("q[01-99].ts", "placeholder"),
        ("[id].ts", "placeholder"),
        (":id/q.mp4", "placeholder"),
        ("*.ts", "placeholder"),
        ("undefined", "placeholder"),
        ("null/q.mp4", "placeholder"),
        ("q.mp4?id=undefined", "placeholder"),
        ("NaN.mp4", "placeholder"),
        ("100%.mp4", "percent"),
        ("a%0Ab.mp4", "percent"),
        ("q.mp4…", "punctuation"),
        ("q.mp4，", "punctuation"),
        ("q.mp4。", "punctuation"),
        ("q.mp4,", "punctuation"),
        ("q.mp4；", "punctuation"),
        ("q.mp4.", "punctuation"),
        ("q.mp4!", "punctuation"),
        ("q.mp4)", "bracket"),
        ("q.mp4）", "bracket"),
        ("q.mp4(", "bracket"),
    ] {
        assert_eq!(normal(&format!("https://vod.example.com/{tail}")), Err(code), "{tail}");
    }
}

#[test]
fn length_and_domains_are_limits_of_the_configuration() {
    let long = format!("https://vod.example.com/{}", "a".repeat(1000));
    assert_eq!(long.len(), 1024);
    assert!(normal(&long).is_ok());
    assert_eq!(normal(&format!("{long}a")), Err("too_long"));
    let ours = UrlRules { url_bytes_max: 1024, domains: vec!["vod.example.com".into()] };
    assert!(ObjectUrl::parse("https://VOD.example.com/a", &ours).is_ok());
    let foreign = ObjectUrl::parse("https://other.example.com/a", &ours).unwrap_err();
    assert_eq!((foreign.kind, foreign.found.as_str()), (LineFault::ForeignDomain, "other.example.com"));
}

/// Decodes by hand: every valid escape.
fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

/// What remains of a line without the parts that may differ: scheme and host in lower case, IDNA, default port, media
/// fragment.
fn essence(line: &str) -> (String, Vec<u8>) {
    let line = trim_unseen(line);
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| line.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let scheme = scheme.unwrap_or_default();
    let rest = &line[scheme.len()..];
    let (host, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let default = if scheme == "https://" { ":443" } else { ":80" };
    let host = host.strip_suffix(default).unwrap_or(host);
    let host = match host.split_once(':') {
        Some((host, port)) => format!("{}:{port}", url::Host::parse(host).expect("it was accepted")),
        None => url::Host::parse(host).expect("it was accepted").to_string(),
    };
    let tail = tail.rsplit_once("#t=").map_or(tail, |(tail, _)| tail);
    (format!("{scheme}{}", host.trim_end_matches('.')), decoded(tail))
}

fn check_property(line: &str) -> Result<bool, TestCaseError> {
    let Ok(url) = ObjectUrl::parse(line, &rules()) else { return Ok(false) };
    let again = ObjectUrl::parse(url.as_str(), &rules());
    prop_assert_eq!(again.as_ref(), Ok(&url));
    prop_assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{}", url);
    prop_assert_eq!(essence(url.as_str()), essence(line), "{} of {}", url, line);
    Ok(true)
}

/// A small generator of its own, so that a million lines take seconds.
fn generated(seed: &mut u64) -> String {
    let mut next = |n: usize| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap_or(0) % n
    };
    let mut line = String::new();
    match next(10) {
        0..=5 => line.push_str(PIECES[0]),
        6 => line.push_str("vod.example.com/"),
        7 => line.push_str("HTTP://Vod.Example.COM:80/"),
        _ => {}
    }
    for _ in 0..1 + next(6) {
        // Half of the pieces are harmless, so that many lines are accepted.
        let piece = if next(2) == 0 { [16, 17, 18, 19, 20, 21, 46][next(7)] } else { next(PIECES.len()) };
        line.push_str(PIECES[piece]);
    }
    line
}

/// `PREFETCHD_LINES=1000000` makes it a million.
#[test]
fn every_generated_line_that_is_accepted_is_submitted_as_it_was_meant() {
    let count = std::env::var("PREFETCHD_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut seed = 20_261_125;
    let mut accepted = 0;
    for _ in 0..count {
        let line = generated(&mut seed);
        accepted += u32::from(check_property(&line).unwrap_or_else(|error| panic!("{line:?}: {error}")));
    }
    assert!(accepted > count / 10, "{accepted} of {count} lines are accepted");
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_accepted_is_what_was_meant(line in "(https?://)?[a-z0-9.*@:é/%?#\\\\ \
        -]{0,40}(\\.com)?/?\\PC{0,30}") {
        check_property(&line)?;
    }

    #[test]
    fn any_characters_behind_a_host_are_refused_or_kept(tail in "[ -~]{0,20}(\\PC){0,4}[ -~]{0,10}") {
        check_property(&format!("https://vod.example.com/{tail}"))?;
    }
}
