//! Small inputs that were got wrong once, through the built binary. Each file of tests/cases/ was made after public bug
//! reports.

use std::fs;

use crate::support::{World, read, said};

fn case(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A daemon that reads, and sends nothing.
fn reading_world(config: &str) -> World {
    World::new("", &format!("[budget]\nurls_per_day = 1\nrequests_per_day = 1\n{config}"))
}

fn wait_until_read(world: &World, files: i64) {
    world.wait_for("select count(*) from v_files where progress in ('done', 'rejected')", files);
}

fn receipt(world: &World, folder: &str, name: &str) -> serde_json::Value {
    serde_json::from_str(&read(&world.spool(folder).join(format!("{name}.receipt.json")))).unwrap()
}

/// The URLs of a file in the order of its lines, without what all of them begin with.
fn urls_of(world: &World, name: &str) -> Vec<String> {
    let rows = world.rows(&format!("select url from v_urls where file = '{name}' order by line"));
    rows.into_iter().map(|row| row[0].replace("https://vod.example.com/", "")).collect()
}

fn codes_of(receipt: &serde_json::Value, list: &str) -> Vec<String> {
    receipt[list].as_array().unwrap().iter().map(|entry| entry["code"].as_str().unwrap().to_owned()).collect()
}

/// The rows of a report of refused lines, without its header.
fn report(world: &World, folder: &str, name: &str) -> Vec<Vec<String>> {
    let text = read(&world.spool(folder).join(format!("{name}.refused.tsv")));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("line\treason\ttext\tcode"));
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn damaged_lines_are_refused_with_what_to_write_instead() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    world.drop_file("damage.txt", [&b"https://vod.example.com/good.mp4\n"[..], &case("damage.txt")].concat());
    wait_until_read(&world, 1);
    // A blank at the end is nothing; everything else is refused.
    assert_eq!(urls_of(&world, "damage.txt"), ["good.mp4", "q18.mp4"]);
    let rows = report(&world, "done", "damage.txt");
    assert_eq!(rows.len(), 33);
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row[1].contains(" / "), "both languages: {row:?}");
    }
    let receipt = receipt(&world, "done", "damage.txt");
    let reasons = receipt["reasons"].as_array().unwrap();
    assert_eq!(reasons.iter().map(|reason| reason["lines"].as_u64().unwrap()).sum::<u64>(), 33);
    for reason in reasons {
        assert!(reason["en"].is_string() && reason["zh"].is_string() && reason["code"].is_string(), "{reason}");
    }
}

#[test]
fn invisible_characters_are_trimmed_at_the_ends_and_refused_inside() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    world.drop_file("invis.txt", case("invis.txt"));
    world.drop_file("cat.txt", case("cat.txt"));
    wait_until_read(&world, 2);
    assert_eq!(urls_of(&world, "cat.txt"), ["cat/1.mp4", "cat/2.mp4"]);
    let names = [
        "nbsp-end",
        "nbsp-start",
        "zwsp-end",
        "zwsp-start",
        "ideo-end",
        "lrm-end",
        "bom-end",
        "bom-start",
        "bom-noscheme",
        "nel",
    ];
    let read: Vec<String> =
        urls_of(&world, "invis.txt").iter().map(|url| url.replace("vod.example.com/", "")).collect();
    assert_eq!(read, names.map(|name| format!("iv/{name}.mp4")));
    let rows = report(&world, "done", "invis.txt");
    let shown: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].as_str(), row[3].as_str())).collect();
    assert_eq!(shown, [("10", "invisible"), ("11", "invisible"), ("12", "invisible")]);
    assert!(rows[0][2].contains("soft\\u{ad}") || rows[0][2].contains("softhy\\u{ad}phen"), "{:?}", rows[0]);
}

#[test]
fn a_name_is_found_as_it_was_given_and_that_of_a_receipt_is_none() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    let given = format!("{}.txt", "q".repeat(251));
    fs::write(world.path("list.txt"), "https://vod.example.com/1.mp4\n").unwrap();
    let path = world.path("list.txt");
    let path = path.to_str().unwrap();
    let stored = |world: &World| {
        let added = world.run(&["add", path, "--name", &given]);
        assert_eq!(added.status.code(), Some(0), "{}", said(&added));
        String::from_utf8(added.stdout).unwrap().trim_end().to_owned()
    };
    let first = stored(&world);
    wait_until_read(&world, 1);
    let second = stored(&world);
    wait_until_read(&world, 2);
    assert!(first.len() == 200 && second.len() <= 200 && first != second, "{first} {second}");
    for (name, rows) in [(&first, 2), (&second, 2), (&given, 2)] {
        let listed = world.run(&["urls", "--file", name]);
        assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), rows, "{}", said(&listed));
    }
    for args in [&["export", "--file", &given][..], &["files", "--file", &given], &["submissions", "--file", &given]] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    }
    for name in ["x.receipt.json", "x.txt.Refused.tsv"] {
        let refused = world.run(&["add", path, "--name", name]);
        assert!(
            refused.status.code() == Some(64) && said(&refused).contains("receipts and reports"),
            "{}",
            said(&refused)
        );
    }
    assert_eq!(world.run(&["add", path, "--label", "a\u{2028}b"]).status.code(), Some(64));
    assert_eq!(fs::read_dir(world.spool("incoming")).unwrap().count(), 0);
}

#[test]
fn what_follows_a_frame_is_warned_of_and_what_is_packed_twice_rejected() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    let text = b"https://vod.example.com/1.mp4\nhttps://vod.example.com/2.mp4\n";
    let frame = zstd::encode_all(&text[..], 3).unwrap();
    world.drop_file("padded.txt.zst", [&frame[..], &[0; 1024]].concat());
    world.drop_file("noted.txt.zst", [&frame[..], b"a remark\n"].concat());
    world.drop_file("twice.txt.zst.zst", zstd::encode_all(&frame[..], 3).unwrap());
    world.drop_file("cells.csv", "url\nhttps://vod.example.com/a,high.mp4\nhttps://vod.example.com/b\n");
    world.drop_file("columns.csv", "url,priority,优先级\nhttps://vod.example.com/c,,紧急\n");
    wait_until_read(&world, 5);
    assert!(codes_of(&receipt(&world, "done", "padded.txt.zst"), "warnings").is_empty());
    assert_eq!(codes_of(&receipt(&world, "done", "noted.txt.zst"), "warnings"), ["trailing"]);
    assert_eq!(receipt(&world, "rejected", "twice.txt.zst.zst")["why_code"], "packed_twice");
    assert_eq!(receipt(&world, "rejected", "columns.csv")["why_code"], "two_columns");
    assert_eq!(urls_of(&world, "cells.csv"), ["b"]);
    let row = report(&world, "done", "cells.csv").remove(0);
    assert_eq!((row[0].as_str(), row[3].as_str()), ("2", "csv_cells"));
    assert!(row[1].contains("between quotes") && row[1].contains("high.mp4"), "{row:?}");
}

#[test]
fn what_is_no_list_of_urls_is_rejected_with_what_it_is() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    let letter = "Dear colleague,\nplease warm the new episodes.\nRegards\n";
    let inputs: [(&str, Vec<u8>, &str, &str); 11] = [
        ("sitemap.xml", case("sitemap.xml"), "xml", "sitemap"),
        ("playlist.m3u8", case("playlist.m3u8"), "playlist", "relative"),
        ("array.json", case("array.json"), "json_array", "one object a line (JSON Lines)"),
        ("report.txt", b"%PDF-1.7\n1 0 obj\n".to_vec(), "document", "PDF"),
        ("book.txt", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml xl/".to_vec(), "workbook", "save it as CSV UTF-8"),
        ("letter.txt", letter.into(), "no_urls", "none of its 3 lines is a URL"),
        ("empty.txt", Vec::new(), "empty", "no line with a URL"),
        ("comments.txt", b"# nothing yet\n\n".to_vec(), "empty", "no line with a URL"),
        ("web.txt", b"<!DOCTYPE html><a href=\"https://vod.example.com/1.mp4\">1</a>".to_vec(), "html", "web page"),
        ("objects.txt", b"{\"url\":\"https://vod.example.com/1.mp4\"}\n".to_vec(), "json_objects", ".jsonl"),
        (
            "long27.txt.zst",
            case("long27.txt.zst"),
            "window",
            "a window of 128 MB: pack it without --long, or with gzip",
        ),
    ];
    for (name, bytes, ..) in &inputs {
        world.drop_file(name, bytes);
    }
    wait_until_read(&world, inputs.len() as i64);
    for (name, _, code, words) in inputs {
        let receipt = receipt(&world, "rejected", name);
        assert_eq!(
            (receipt["outcome"].as_str(), receipt["why_code"].as_str()),
            (Some("rejected"), Some(code)),
            "{name}"
        );
        assert!(receipt["why"].as_str().unwrap().contains(words), "{name}: {}", receipt["why"]);
        assert!(receipt["why_zh"].is_string(), "{name}");
        let row = world.rows(&format!("select rejected_code, queued from v_files where name = '{name}'"));
        assert_eq!(row, [[code, "0"]], "{name}");
    }
    assert_eq!(report(&world, "rejected", "letter.txt").len(), 3);
}

#[test]
fn gb18030_is_read_and_said_unless_it_is_ruled_out() {
    let world = reading_world("");
    let daemon = world.ready_daemon();
    world.drop_file("gbk.txt", case("gbk.txt"));
    world.drop_file("gbk-header.csv", case("gbk-header.csv"));
    wait_until_read(&world, 2);
    assert_eq!(urls_of(&world, "gbk.txt"), ["gbk/a.mp4", "gbk/%E7%94%B5%E5%BD%B1.mp4", "gbk/%E8%81%94%E9%80%9A.mp4"]);
    assert_eq!(urls_of(&world, "gbk-header.csv"), ["gh/1.mp4", "gh/2.mp4"]);
    for name in ["gbk.txt", "gbk-header.csv"] {
        let receipt = receipt(&world, "done", name);
        assert_eq!(receipt["encoding"], "gb18030", "{name}");
        assert!(codes_of(&receipt, "warnings").contains(&"gb18030".to_owned()), "{name}");
    }
    world.stop(daemon);
    world.configure("[budget]\nurls_per_day = 1\nrequests_per_day = 1\n[spool]\nencoding = \"utf-8\"\n");
    let _daemon = world.daemon();
    world.drop_file("ruled-out.txt", case("gbk.txt"));
    world.drop_file("ruled-out.csv", case("gbk-header.csv"));
    wait_until_read(&world, 4);
    let rows = report(&world, "done", "ruled-out.txt");
    assert_eq!(rows.iter().map(|row| row[3].as_str()).collect::<Vec<_>>(), ["not_utf8", "not_utf8"]);
    assert!(rows[0][1].contains("#: encoding = gb18030") && rows[0][1].contains("不是 UTF-8"), "{:?}", rows[0]);
    let why = receipt(&world, "rejected", "ruled-out.csv")["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "line 1 is not UTF-8: save it as UTF-8, or say `#: encoding = gb18030`");
}

#[test]
fn csv_is_read_as_excel_writes_it() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    for name in ["excelbool.csv", "multiline.csv", "blankrows.csv", "semicolon.csv"] {
        world.drop_file(name, case(name));
    }
    wait_until_read(&world, 4);
    assert_eq!(urls_of(&world, "excelbool.csv"), ["eb/1.mp4", "eb/2.mp4", "eb/3.mp4"]);
    assert_eq!(urls_of(&world, "multiline.csv"), ["ml/1.mp4", "ml/2.mp4", "ml/3.mp4"]);
    assert_eq!(urls_of(&world, "blankrows.csv"), ["br/1.mp4"]);
    assert_eq!(urls_of(&world, "semicolon.csv"), ["semi/1.mp4"]);
    assert_eq!(world.number("select sum(refused) from v_files"), 0);
    assert_eq!(world.rows("select priority from v_urls where url like '%/semi/%'"), [["urgent"]]);
    assert_eq!(world.rows("select priority from v_urls where url like '%/eb/3.mp4'"), [["high"]]);
    assert_eq!(codes_of(&receipt(&world, "done", "semicolon.csv"), "warnings"), ["separator"]);
    let warnings = &receipt(&world, "done", "multiline.csv")["warnings"][0];
    assert_eq!(
        (&warnings["code"], &warnings["line"], &warnings["found"]),
        (&"column_ignored".into(), &1.into(), &"title".into())
    );
    assert!(warnings["en"].is_string() && warnings["zh"].is_string());
    assert_eq!(world.number("select warnings from v_files where name = 'multiline.csv'"), 1);
}

#[test]
fn comments_that_look_like_directives_are_warned_of() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    world.drop_file("fullwidth2.txt", case("fullwidth2.txt"));
    world.drop_file(
        "blank.txt",
        "https://vod.example.com/My Film (2026).mp4\nhttps://vod.example.com/b.mp4#t=10\n# priority = urgent\n",
    );
    wait_until_read(&world, 2);
    assert_eq!(urls_of(&world, "fullwidth2.txt"), ["fw2/1.mp4"]);
    assert_eq!(codes_of(&receipt(&world, "done", "fullwidth2.txt"), "warnings"), ["looks_like_directive"]);
    assert_eq!(urls_of(&world, "blank.txt"), ["My%20Film%20(2026).mp4", "b.mp4"]);
    let codes = codes_of(&receipt(&world, "done", "blank.txt"), "warnings");
    assert_eq!(codes, ["blank_encoded", "fragment_dropped", "looks_like_directive"]);
}

#[test]
fn packed_files_are_read_up_to_what_is_damaged_in_them() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    world.drop_file("pzstd.txt.zst", case("pzstd.txt.zst"));
    world.drop_file("crlfend.txt.gz", case("crlfend.txt.gz"));
    let mut padded = case("crlfend.txt.gz");
    padded.truncate(padded.len() - 2);
    padded.extend([0; 700]);
    world.drop_file("padded.txt.gz", padded);
    wait_until_read(&world, 3);
    for name in ["pzstd.txt.zst", "crlfend.txt.gz", "padded.txt.gz"] {
        assert!(world.spool("done").join(name).exists(), "{name}");
    }
    assert!(world.number("select queued from v_files where name = 'pzstd.txt.zst'") > 1);
    let lines = "select queued + merged from v_files where name = ";
    let queued = world.number(&format!("{lines}'crlfend.txt.gz'"));
    assert!(queued > 0);
    assert_eq!(world.number(&format!("{lines}'padded.txt.gz'")), queued);
    assert_eq!(codes_of(&receipt(&world, "done", "crlfend.txt.gz"), "warnings"), ["trailing"]);
    assert!(codes_of(&receipt(&world, "done", "padded.txt.gz"), "warnings").is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn options_of_add_hold_whatever_the_file_is() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    let files = [
        ("bom.txt", b"\xef\xbb\xbfhttps://vod.example.com/o1.mp4\nhttps://vod.example.com/o2.mp4\n".to_vec()),
        ("cr.txt", b"https://vod.example.com/o3.mp4\rhttps://vod.example.com/o4.mp4\r".to_vec()),
        ("rows.csv", b"url,title\nhttps://vod.example.com/o5.mp4,x\nhttps://vod.example.com/o6.mp4,y\n".to_vec()),
        (
            "objects.jsonl",
            b"{\"url\":\"https://vod.example.com/o7.mp4\"}\n{\"url\":\"https://vod.example.com/o8.mp4\"}\n".to_vec(),
        ),
        ("packed.txt.gz", gzip(b"https://vod.example.com/o9.mp4\nhttps://vod.example.com/o10.mp4\n")),
    ];
    let paths: Vec<String> = files
        .iter()
        .map(|(name, bytes)| {
            let path = world.path(name);
            fs::write(&path, bytes).unwrap();
            path.display().to_string()
        })
        .collect();
    let arguments: Vec<&str> = std::iter::once("add").chain(paths.iter().map(String::as_str)).collect();
    let added = world.run(&[&arguments[..], &["--priority", "urgent", "--label", "首映 1"]].concat());
    assert!(added.status.success(), "{}", said(&added));
    let names = String::from_utf8(added.stdout.clone()).unwrap();
    assert_eq!(names.lines().collect::<Vec<_>>(), files.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(
        String::from_utf8_lossy(&added.stderr).contains("rows.csv: line 1: the column `title`"),
        "{}",
        said(&added)
    );
    wait_until_read(&world, 5);
    assert_eq!(world.number("select count(*) from v_urls where priority = 'urgent' and label = '首映 1'"), 10);
    assert_eq!(world.number("select sum(refused) from v_files"), 0);
    // A name that was used before: the second one is told apart, printed and found.
    let again = world.run(&["add", &paths[0], "--force"]);
    let name = String::from_utf8(again.stdout.clone()).unwrap().trim().to_owned();
    assert!(again.status.success() && name != "bom.txt" && name.ends_with(".txt"), "{}", said(&again));
    world.wait_for(&format!("select count(*) from v_files where name = '{name}' and progress = 'done'"), 1);
    assert!(world.spool("done").join(&name).exists());
    let listed = world.run(&["files", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&name), "{}", said(&listed));
}

#[test]
fn nothing_is_added_where_nothing_would_be_queued_or_an_option_is_more_than_one_value() {
    let world = reading_world("");
    let _daemon = world.ready_daemon();
    fs::write(world.path("f.txt"), "https://vod.example.com/f.mp4\n").unwrap();
    fs::write(world.path("pdf.txt"), "%PDF-1.7\n").unwrap();
    fs::write(world.path("letter.txt"), "Dear colleague,\nplease warm the film.\n").unwrap();
    let path = |name: &str| world.path(name).display().to_string();
    let cases = [
        (vec![path("f.txt"), "--label".into(), "a\npriority = urgent".into()], 64, "label"),
        (vec![path("f.txt"), "--deadline".into(), "2026-11-23T20:00:00+08:00\n#: force = true".into()], 64, "deadline"),
        (vec!["-".into()], 65, "no line with a URL"),
        (vec![path("pdf.txt")], 65, "PDF"),
        (vec![path("letter.txt")], 65, "none of its 2 lines is a URL"),
        (vec![path("f.txt"), path("letter.txt")], 65, "none of its 2 lines"),
    ];
    for (arguments, code, part) in cases {
        let arguments: Vec<&str> = std::iter::once("add").chain(arguments.iter().map(String::as_str)).collect();
        let refused = world.run(&arguments);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", said(&refused));
        assert!(said(&refused).contains(part), "{arguments:?}: {}", said(&refused));
    }
    assert_eq!(fs::read_dir(world.spool("incoming")).unwrap().count(), 0);
    assert_eq!(world.number("select count(*) from v_files"), 0);
}

#[test]
fn a_host_that_is_not_the_accounts_is_warned_of_when_that_is_known() {
    let world = World::new("[[domain]]\nname = \"vod.example.com\"\n", "");
    let _daemon = world.ready_daemon();
    world.drop_file("first.txt", "https://other.example.org/1.mp4\n");
    world.wait_for("select count(*) from v_hosts where host = 'other.example.org' and standing = 'refused'", 1);
    world.drop_file(
        "second.txt",
        "https://other.example.org/2.mp4\nhttps://vod.example.com/3.mp4\nhttps://other.example.org/4.mp4\n",
    );
    world.wait_for("select count(*) from v_files where name = 'second.txt' and progress = 'done'", 1);
    let warning = &receipt(&world, "done", "second.txt")["warnings"][0];
    assert_eq!((&warning["code"], &warning["line"], &warning["lines"]), (&"foreign_host".into(), &1.into(), &2.into()));
    assert_eq!(warning["found"], "other.example.org");
}
