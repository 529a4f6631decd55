//! Tests of whole files, in every format.

use std::sync::Arc;

use super::*;
use crate::model::{Priority, UrlRules};
use crate::spool::decode::{Decoded, decode};

struct Read {
    keys: Keys,
    items: Vec<String>,
    warnings: Vec<String>,
    encoding: Option<TextEncoding>,
}

fn read_by(name: &str, bytes: &[u8], rules: ReadRules) -> Result<Read, Unreadable> {
    let Decoded { text, options, source } = decode(io::Cursor::new(bytes.to_vec()), Arc::default())?;
    let mut content = Content::open(text, Format::of(name), rules, &options, None).map_err(|error| match error {
        Unreadable::Io(error) => source.fault(error, 0),
        other => other,
    })?;
    let mut items = Vec::new();
    loop {
        let next = content.next_item().map_err(|error| source.fault(error, content.lines_read()));
        let Some((item, _)) = next? else { break };
        match item {
            Item::Url { line, url, keys, .. } => {
                let own = keys.map(|keys| format!(" {} {:?}", keys.priority, keys.label)).unwrap_or_default();
                items.push(format!("{line} {url}{own}"));
            }
            Item::Refused { line, fault, .. } => items.push(format!("{line} {}", fault.kind.code())),
            Item::Nothing => {}
        }
    }
    let warnings = content.take_warnings();
    let warnings = warnings.iter().map(|w| format!("{} {} {}", w.line, w.warning.code(), w.found).trim().to_owned());
    let warnings = warnings.collect();
    Ok(Read { keys: content.keys().clone(), items, warnings, encoding: content.encoding() })
}

fn read_as(name: &str, bytes: &[u8]) -> Result<Read, Unreadable> {
    read_by(name, bytes, UrlRules { url_bytes_max: 100, domains: vec![] }.into())
}

fn refused_whole(name: &str, bytes: &[u8]) -> InputFault {
    match read_as(name, bytes) {
        Err(Unreadable::NotUrls(fault)) => fault,
        Err(Unreadable::Io(error)) => panic!("{name}: {error}"),
        Ok(read) => panic!("{name}: {:?}", read.items),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_and_utf_16_text_reads_like_plain_text() {
    let text = "#: label = 第一集\r\na.example.com/1\ra.example.com/第\na.example.com/3";
    let plain = read_as("a.txt", text.as_bytes()).unwrap();
    assert_eq!((plain.items.len(), plain.keys.label.as_deref()), (3, Some("第一集")));
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
    };
    let skippable =
        [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4], &zstd::encode_all(text.as_bytes(), 3).unwrap()[..]];
    for bytes in [
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16([0xff, 0xfe], u16::to_le_bytes),
        utf16([0xfe, 0xff], u16::to_be_bytes),
        gzip(text.as_bytes()),
        [gzip(&text.as_bytes()[..20]), gzip(&text.as_bytes()[20..])].concat(),
        gzip(&utf16([0xff, 0xfe], u16::to_le_bytes)),
        zstd::encode_all(text.as_bytes(), 3).unwrap(),
        skippable.concat(),
    ] {
        let read = read_as("a.txt", &bytes).unwrap();
        assert_eq!((&read.keys, &read.items), (&plain.keys, &plain.items), "{bytes:?}");
    }
}

#[test]
fn what_was_asked_at_adding_holds_whatever_the_file_is() {
    let options = Options::from([("priority".into(), "urgent".into()), ("label".into(), "a b".into())]);
    let with_options = |content: &[u8]| [crate::spool::options_line(&options), content.to_vec()].concat();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("a.example.com/1".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (name, content) in [
        ("a.txt", &b"\xef\xbb\xbfa.example.com/1\n"[..]),
        ("a.txt", b"#: priority = low\ra.example.com/1\r"),
        ("a.txt", &utf16),
        ("a.txt.gz", &gzip(b"a.example.com/1")),
        ("a.csv", b"url,title\na.example.com/1,x"),
        ("a.jsonl", b"{\"url\":\"a.example.com/1\"}"),
    ] {
        let read = read_as(name, &with_options(content)).unwrap();
        assert_eq!((read.keys.priority, read.keys.label.as_deref()), (Priority::Urgent, Some("a b")), "{name}");
        assert!(read.items.len() == 1 && read.items[0].ends_with(" a.example.com/1"), "{name}: {:?}", read.items);
    }
}

#[test]
fn json_lines_and_csv_have_keys_of_their_own_and_ignore_what_is_foreign() {
    let json = br#"{"url":"a.example.com/1"}
{"url":"a.example.com/2","priority":"urgent","label":"x"}

{"url":"a.example.com/3","title":"t","prioritt":"urgent"}
{"url":"a.example.com/4","deadline":"tomorrow"}
a.example.com/5
{"url":"a.example.com/6","url":"a.example.com/7"}
{"label":"x"}"#;
    let read = read_as("a.JSONL.gz", &gzip(json)).unwrap();
    assert_eq!(
        read.items,
        [
            "1 a.example.com/1",
            "2 a.example.com/2 urgent Some(\"x\")",
            "4 a.example.com/3",
            "5 key",
            "6 json",
            "7 json",
            "8 json",
        ]
    );
    assert_eq!(read.warnings, ["4 column_ignored title", "4 column_near `prioritt` for `priority`"]);

    let csv = b"Title,URL,Priority,dedline\n\"Part 1, cut\",a.example.com/1,\nb,\"a.example.com/2\",High\nc\n, ,\n\
        \"d,a.example.com/4,low\n";
    let read = read_as("a.csv", csv).unwrap();
    assert_eq!(read.items, ["2 a.example.com/1", "3 a.example.com/2 high None", "4 csv_no_url", "6 csv_quote"]);
    assert_eq!(read.warnings, ["1 column_ignored title", "1 column_near `dedline` for `deadline`"]);
    assert_eq!(refused_whole("a.csv", b"link\nx").code(), "no_url_column");
    assert_eq!(refused_whole("a.csv", "url,网址\nx,y".as_bytes()).code(), "two_url_columns");
}

#[test]
fn a_record_with_more_cells_than_the_heading_is_refused() {
    for (csv, items) in [
        (
            "url\na.example.com/a,high.mp4\na.example.com/b,\na.example.com/c, ,\n",
            "2 csv_cells|3 a.example.com/b|4 a.example.com/c",
        ),
        ("priority,url\nhigh,a.example.com/a,b.mp4\n", "2 csv_cells"),
        ("url,label\na.example.com/1.mp4,Part 1, the beginning\n", "2 csv_cells"),
        ("url;label\na.example.com/a.mp4;v=1;x\n", "2 csv_cells"),
        // A heading without a name is none, at the end.
        ("url,,\na.example.com/a,,\na.example.com/a,high.mp4,\n", "2 a.example.com/a|3 csv_cells"),
        (",url\n0,a.example.com/a\n", "2 a.example.com/a"),
        ("url\n\"a.example.com/a,high.mp4\"\n", "2 a.example.com/a,high.mp4"),
    ] {
        assert_eq!(read_as("a.csv", csv.as_bytes()).unwrap().items.join("|"), items, "{csv}");
    }
}

#[test]
fn a_key_that_stands_twice_refuses_the_file() {
    for (header, key) in [
        ("url,priority,优先级", "priority"),
        ("url,priority,Priority", "priority"),
        ("label,url,标签", "label"),
        ("url,deadline,截止时间", "deadline"),
        ("url,not_before,x,最早时间", "not_before"),
        ("url;force;FORCE", "force"),
    ] {
        let fault = refused_whole("a.csv", format!("{header}\na.example.com/1\n").as_bytes());
        assert_eq!(fault.code(), "two_columns", "{header}");
        assert!(words::input_fault(&fault).en.contains(&format!("several columns for `{key}`")), "{fault:?}");
    }
    assert_eq!(read_as("a.csv", b"url,title,title\na.example.com/1,x,y\n").unwrap().items.len(), 1);
    for twice in
        ["priority = urgent\n#: priority = low", "label = a\n\n# x\n#: label = b", "force = true\n#: force = false"]
    {
        let fault = refused_whole("a.txt", format!("#: {twice}\na.example.com/1\n").as_bytes());
        assert_eq!(fault.code(), "directive", "{twice}");
        assert!(words::input_fault(&fault).en.contains("stands twice"), "{fault:?}");
    }
    refused_whole("a.txt", b"#: encoding = utf-8\n#: encoding = gb18030\na.example.com/1\n");
    let same = "#: priority = high\n#: priority = 高\n#: label = a\n#: label = a\na.example.com/1\n";
    assert_eq!(read_as("a.txt", same.as_bytes()).unwrap().keys.priority, Priority::High);
}

#[test]
fn a_comment_is_a_comment_whatever_its_bytes() {
    let read =
        read_as("a.txt", b"# caf\xe9\na.example.com/1\n # caf\xe9\n#\xff: label = x\na.example.com/2\n").unwrap();
    assert_eq!(read.items, ["2 a.example.com/1", "5 a.example.com/2"]);
    let read = read_as("a.txt", b"\xef\xbb\xbf# caf\xe9\n#: priority = high\na.example.com/1\n").unwrap();
    assert_eq!((read.keys.priority, read.items.len()), (Priority::High, 1));
    assert_eq!(read_as("a.txt", b"a.example.com/1\n#: \xe9\n").unwrap().items[1..], ["2 not_utf8"]);
}

#[test]
fn columns_may_be_separated_as_excel_does_and_called_as_in_china() {
    let semicolon = read_as("a.csv", b"url;priority\r\na.example.com/1;urgent\r\n").unwrap();
    assert_eq!(semicolon.items, ["2 a.example.com/1 urgent None"]);
    assert_eq!(semicolon.warnings, ["1 separator ;"]);
    let tab = read_as("a.csv", b"title\turl\n\ta.example.com/1\n").unwrap();
    assert_eq!(tab.items, ["2 a.example.com/1"]);
    let hinted = read_as("a.csv", b"sep=;\nurl;label\na.example.com/1;x\n").unwrap();
    assert_eq!(hinted.items, ["3 a.example.com/1 normal Some(\"x\")"]);
    let unnamed = read_as("a.csv", b"sep=\t\n\turl\n0\ta.example.com/1\n").unwrap();
    assert_eq!(unnamed.items, ["3 a.example.com/1"]);
    for hint in ["sep=\t", "SEP=\t\r", "\u{feff}Sep=\t", "sep=\t "] {
        let hinted = read_as("a.csv", format!("{hint}\nurl\tlabel\na.example.com/1\tx\n").as_bytes()).unwrap();
        assert!(hinted.items[0].ends_with(" a.example.com/1 normal Some(\"x\")"), "{hint:?}: {:?}", hinted.items);
    }
    let chinese = read_as("a.csv", "网址,优先级,标签\na.example.com/1,紧急,首映\n".as_bytes()).unwrap();
    assert_eq!(chinese.items, ["2 a.example.com/1 urgent Some(\"首映\")"]);
}

#[test]
fn a_record_that_is_too_long_is_refused_as_one_line() {
    let long = format!("url,title\na.example.com/1,\"{}\"\na.example.com/2,\n", "x\n".repeat(40_000));
    let read = read_as("a.csv", long.as_bytes()).unwrap();
    assert_eq!(read.items, ["2 line_too_long", "40003 a.example.com/2"]);
    let one_line = format!("url,title\na.example.com/1,\"{}\"\na.example.com/2,\n", "x".repeat(80_000));
    assert_eq!(read_as("a.csv", one_line.as_bytes()).unwrap().items, ["2 line_too_long", "3 a.example.com/2"]);
    let open =
        format!("url,title\na.example.com/1,\"{}\nx,a.example.com/NOT\n\"\na.example.com/2,\n", "x".repeat(80_000));
    assert_eq!(read_as("a.csv", open.as_bytes()).unwrap().items, ["2 line_too_long", "5 a.example.com/2"]);
    let cell = format!("url,title\na.example.com/1,{}\n", "x".repeat(64_000));
    assert_eq!(read_as("a.csv", cell.as_bytes()).unwrap().items, ["2 a.example.com/1"]);
}

#[test]
fn a_quote_that_nothing_closes_spoils_its_own_line_only() {
    let film = |n: usize| format!("a.example.com/{n},x\n");
    let open = |lines: usize, end: &str| {
        let films: String = (0..lines).map(film).collect();
        format!("url,title\na.example.com/ok,fine\na.example.com/open,\"open\n{films}{end}")
    };
    for (lines, end) in [(3, ""), (30_000, ""), (100, "b.example.com/1,\"quoted\"\nb.example.com/2,\n")] {
        let read = read_as("a.csv", open(lines, end).as_bytes()).unwrap();
        assert_eq!(read.items[..3], ["2 a.example.com/ok", "3 csv_quote", "4 a.example.com/0"], "{lines} {end}");
        assert_eq!(read.items.len(), 2 + lines + end.lines().count(), "{lines} {end}");
        assert_eq!(read.items.iter().filter(|item| item.ends_with("csv_quote")).count(), 1);
    }
    // What is closed as it should be is a cell, whatever stands in it.
    let read = read_as("a.csv", b"url,title\na.example.com/1,\"b\na.example.com/NOT\n\"\na.example.com/2,\n").unwrap();
    assert_eq!(read.items, ["2 a.example.com/1", "5 a.example.com/2"]);
}

#[test]
fn one_broken_line_does_not_decide_the_encoding_of_its_file() {
    let film = "a.example.com/电影.mp4\n".as_bytes();
    for broken in [&b"a.example.com/\xe7\x94.mp4\n"[..], b"a.example.com/\xb5\xe7\xd3\xb0.mp4\n"] {
        let read = read_as("a.txt", &[broken, film, film].concat()).unwrap();
        let good = "a.example.com/%E7%94%B5%E5%BD%B1.mp4";
        assert_eq!(read.items, ["1 not_utf8".to_owned(), format!("2 {good}"), format!("3 {good}")]);
    }
    let comment = [b"a.example.com/1\n# \x80 100\n", film].concat();
    assert_eq!(read_as("a.txt", &comment).unwrap().encoding, Some(TextEncoding::Utf8));
    let label = b"url,label\na.example.com/1,\xca\xd7\xb2\xa5\na.example.com/2,\xca\xd7\xb2\xa5\n";
    let read = read_as("a.csv", &[&label[..], "a.example.com/3,首播\n".as_bytes()].concat()).unwrap();
    assert_eq!(read.items[2], "4 not_gb18030");
}

#[test]
fn gb18030_is_found_or_said_and_never_both() {
    let gbk = b"a.example.com/1\na.example.com/\xb5\xda.mp4\na.example.com/\xbc\xaf.mp4\n";
    let read = read_as("a.txt", gbk).unwrap();
    assert_eq!(read.items, ["1 a.example.com/1", "2 a.example.com/%E7%AC%AC.mp4", "3 a.example.com/%E9%9B%86.mp4"]);
    assert_eq!((read.encoding, read.warnings.as_slice()), (Some(TextEncoding::Gb18030), &["0 gb18030".to_owned()][..]));
    let mixed = [b"a.example.com/\xe7\xac\xac\n", &gbk[..]].concat();
    assert_eq!(read_as("a.txt", &mixed).unwrap().items[2..], ["3 not_utf8", "4 not_utf8"]);
    let said = [b"#: encoding = utf-8\n", &gbk[..]].concat();
    assert_eq!(read_as("a.txt", &said).unwrap().items, ["2 a.example.com/1", "3 not_utf8", "4 not_utf8"]);
    let said = [b"# \xe7\xac\xac\n#: encoding = gb18030\n", &gbk[..]].concat();
    let read = read_as("a.txt", &said).unwrap();
    assert_eq!((read.items.len(), read.warnings.len()), (3, 0));
    let rules = ReadRules { encoding: TextEncoding::Utf8, ..UrlRules { url_bytes_max: 100, domains: vec![] }.into() };
    let Err(Unreadable::NotUrls(fault)) = read_by("a.csv", b"\xb1\xea\xcc\xe2,url\nx,y", rules) else {
        panic!("refused")
    };
    assert!(words::input_fault(&fault).en.starts_with("line 1 is not UTF-8"), "{fault:?}");
}

#[test]
fn what_unpacks_to_too_much_is_stopped_and_what_was_good_before_damage_is_given() {
    let bomb = gzip(&[&[b'#'; 1023][..], b"\n"].concat().repeat(80 * 1024));
    assert_eq!(refused_whole("a.txt", &bomb).code(), "bomb");
    let whole = gzip(b"a.example.com/1\na.example.com/2\n");
    let padded = [&whole[..], &[0; 512]].concat();
    assert_eq!(read_as("a.txt", &padded).unwrap().items.len(), 2);
    let trailing = [&whole[..], b"\r\n"].concat();
    assert_eq!(read_as("a.txt", &trailing).unwrap().items.len(), 2);
    let frame = zstd::encode_all(&b"a.example.com/1\na.example.com/2\n"[..], 3).unwrap();
    for behind in [&[0; 512][..], b"\r\n", b"a.example.com/3\n"] {
        assert_eq!(read_as("a.txt", &[&frame[..], behind].concat()).unwrap().items.len(), 2, "{behind:?}");
    }
    for twice in [gzip(&whole), gzip(&frame), zstd::encode_all(&whole[..], 3).unwrap()] {
        assert_eq!(refused_whole("a.txt.gz.gz", &twice).code(), "packed_twice");
    }
    let cut = [&whole[..], &whole[..whole.len() - 4]].concat();
    let InputFault::Damaged { line: 4, packing: "gzip", .. } = refused_whole("a.txt", &cut) else { panic!("damaged") };
}

#[test]
fn a_file_is_directives_comments_and_lines() {
    let text = "\u{feff}# film 1\r\n#: priority = high\r\n\r\nhttps://a.example.com/1\r\n  # later\n a.example.com/2 \n\
        #: force = true\nb.example.com/\n# label = x\n\u{feff}a.example.com/3";
    let read = read_as("a.txt", text.as_bytes()).unwrap();
    assert_eq!(read.keys.priority, Priority::High);
    assert_eq!(
        read.items,
        ["4 https://a.example.com/1", "6 a.example.com/2", "7 late_directive", "8 directory", "10 a.example.com/3"]
    );
    assert_eq!(read.warnings, ["9 looks_like_directive # label = x"]);
}

#[test]
fn times_that_leave_no_moment_to_send_are_warned_of() {
    let rules: ReadRules = UrlRules { url_bytes_max: 100, domains: vec![] }.into();
    let rules = ReadRules { now: "2026-11-25T12:00:00Z".parse().unwrap(), ..rules };
    let csv = b"url,not_before,deadline\na.example.com/1,,2026-11-25 19:00\n\
        a.example.com/2,2026-11-26 10:00,2026-11-26 09:00\na.example.com/3,,2026-11-25 21:00\n";
    let read = read_by("a.csv", csv, rules).unwrap();
    assert_eq!(read.items.len(), 3);
    assert_eq!(read.warnings, ["2 deadline_over", "3 never_ready"]);
}

#[test]
fn a_report_has_a_row_a_line_and_shows_what_is_hidden() {
    let fault = LineFault::Invisible.at("U+200B");
    let row = report_line(3, &fault, "x\u{200b}y\t\\\u{1b}".as_bytes());
    let cells: Vec<&str> = row.trim_end_matches('\n').split('\t').collect();
    assert_eq!((cells.len(), cells[0], cells[3]), (4, "3", "invisible"));
    assert_eq!(cells[2], "x\\u{200b}y\\t\\\\\\u{1b}");
    assert!(cells[1].contains("invisible character") && cells[1].contains("不可见字符"), "{}", cells[1]);
    assert_eq!(report_line(1, &LineFault::NotUtf8.into(), b"\xff\xfe").split('\t').nth(2), Some("\\xff\\xfe"));
}

#[test]
fn what_is_no_url_file_is_refused_as_a_whole() {
    assert_eq!(refused_whole("a.txt", b"ELF\0").code(), "binary");
    assert_eq!(refused_whole("a.txt", b"PK\x03\x04").code(), "archive");
    let fault = refused_whole("a.txt", b"# x\n#: speed = 9\n");
    assert!(words::input_fault(&fault).en.starts_with("line 2: there is no directive `speed`"), "{fault:?}");
    assert!(read_as("a.txt", b"").unwrap().items.is_empty());
}
