//! What people drop, in every format, and how it ends.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use prefetchd::model::{ObjectUrl, UrlRules};

use crate::support::{World, read, said, urls};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn receipt(world: &World, name: &str) -> serde_json::Value {
    let path = world.spool("done").join(format!("{name}.receipt.json"));
    serde_json::from_str(&read(&path)).unwrap()
}

#[test]
fn every_format_is_read_and_its_receipt_says_how_it_ended() {
    let world = World::new("[tasks]\nspeed = 1e6", "[track]\nfirst_after = \"1s\"");
    let _daemon = world.ready_daemon();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(urls("windows", 10).encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let json: String =
        urls("json", 10).lines().map(|url| format!("{{\"url\":\"{url}\",\"label\":\"own\"}}\n")).collect();
    let csv: String = urls("csv", 10).lines().map(|url| format!("\"A, b\",{url},high\n")).collect();
    world.drop_file("plain.txt", urls("plain", 10).replace('\n', "\r"));
    world.drop_file("packed.txt.gz", gzip(urls("packed", 10).as_bytes()));
    world.drop_file("packed.txt.zst", zstd::encode_all(urls("zst", 10).as_bytes(), 0).unwrap());
    world.drop_file("windows.txt", utf16);
    world.drop_file("list.jsonl", json);
    world.drop_file("list.csv.gz", gzip(format!("title,url,priority\n{csv}").as_bytes()));
    world.wait_for("select complete from v_status", 60);
    assert_eq!(world.number("select count(*) from v_urls where label = 'own'"), 10);
    assert_eq!(world.number("select count(*) from v_urls where priority = 'high' and file = 'list.csv.gz'"), 10);
    world.wait_for("select count(*) from v_files where finished_at is not null", 6);
    for name in ["plain.txt", "packed.txt.gz", "packed.txt.zst", "windows.txt", "list.jsonl", "list.csv.gz"] {
        world.wait(&format!("the end in the receipt of {name}"), || receipt(&world, name)["finished_at"].is_string());
        let receipt = receipt(&world, name);
        assert_eq!((&receipt["queued"], &receipt["urls"]["complete"]), (&10.into(), &10.into()), "{name}");
    }
    world.assert_books_agree();
    world.assert_all_accepted(60);
}

#[test]
fn a_packed_file_that_is_damaged_or_a_bomb_keeps_its_good_lines_and_harms_nobody() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    let whole = gzip(urls("cut", 50_000).as_bytes());
    world.drop_file("cut.txt.gz", &whole[..whole.len() / 2]);
    world.drop_file("bomb.txt.gz", gzip(&vec![b'#'; 200 * 1024 * 1024]));
    world.drop_file("good.txt", urls("good", 3));
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 2);
    let why = |name: &str| world.rows(&format!("select rejected_why from v_files where name = '{name}'"))[0][0].clone();
    assert!(why("cut.txt.gz").contains("damaged after line") && why("bomb.txt.gz").contains("200 times"));
    let queued = world.number("select queued from v_files where name = 'cut.txt.gz'");
    assert!((10_000..50_000).contains(&queued), "{queued} lines before the damage");
    world.wait_for("select submitted from v_status", queued + 3);
    world.assert_books_agree();
}

#[test]
fn a_small_file_that_unpacks_to_many_lines_is_read_to_its_end() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    let text = format!("{}{}{}", urls("first", 1), "\n".repeat(1_000_000), urls("last", 1));
    world.drop_file("blank.txt.gz", gzip(text.as_bytes()));
    world.wait_for("select max(line) from v_urls", 1_000_002);
    world.wait_for("select submitted from v_status", 2);
}

#[test]
fn keys_of_lines_and_of_the_command_line_decide_the_order_and_the_end() {
    let world = World::new(
        "",
        "[schedule]\nbatch_urls_max = 2\n[budget]\nrequests_per_day = 1\nurls_per_day = \"unlimited\"\n",
    );
    let daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("first", 1));
    world.wait_for("select submitted from v_status", 1);
    let past = chrono::Utc::now() - chrono::TimeDelta::minutes(1);
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(9);
    let soon = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let line = |name: &str, keys: &str| format!("{{\"url\":\"https://vod.example.com/{name}\"{keys}}}\n");
    world.drop_file(
        "list.jsonl",
        [
            line("normal", ""),
            line("late", &format!(",\"deadline\":\"{}\"", later.to_rfc3339())),
            line("soon", &format!(",\"deadline\":\"{}\"", soon.to_rfc3339())),
            line("past", &format!(",\"deadline\":\"{}\"", past.to_rfc3339())),
            line("wait", &format!(",\"not_before\":\"{}\"", later.to_rfc3339())),
            line("urgent", ",\"priority\":\"urgent\""),
            line("bad", ",\"priority\":\"soonish\""),
        ]
        .concat(),
    );
    world.wait_for("select expired from v_status", 1);
    fs::write(world.path("own.txt"), "#: priority = low\n#: label = own\nvod.example.com/added\n").unwrap();
    let path = world.path("own.txt");
    let add = |args: &[&str]| world.run(&[&["add", path.to_str().unwrap()], args].concat());
    let added = add(&["--priority", "high", "--label", "given", "--name", "added.txt"]);
    assert_eq!(String::from_utf8_lossy(&added.stdout), "added.txt\n", "{}", said(&added));
    world.wait_for("select count(*) from v_urls where priority = 'high' and label = 'given'", 1);
    for (args, part) in [
        (&["--deadline", "tomorrow"][..], "deadline is a time like"),
        (&["--label", "a\n#: force = true"], "label is a word"),
    ] {
        let refused = add(args);
        assert!(refused.status.code() == Some(64) && said(&refused).contains(part), "{}", said(&refused));
    }
    drop(daemon);
    // With budget again, in the order of priority, deadline, arrival; what is to wait waits.
    world.configure("[schedule]\nbatch_urls_max = 1\n[budget]\nurls_per_day = \"unlimited\"\n");
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 6);
    let sent = world.rows(
        "select replace(url, 'https://vod.example.com/', '') from v_urls where submission_id > 1 \
        order by submission_id",
    );
    let sent: Vec<&str> = sent.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(sent, ["urgent", "vod.example.com/added", "soon", "late", "normal"]);
    assert_eq!(world.rows("select url from v_urls where state = 'pending'"), [["https://vod.example.com/wait"]]);
    world.assert_books_agree();
}

#[test]
fn what_completed_lately_is_fresh_unless_it_is_forced() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 4));
    world.wait_for("select submitted from v_status", 4);
    world.stop(daemon);
    // Three completed, one of them long ago.
    let now = chrono::Utc::now().timestamp_millis();
    let ends = format!(
        "update urls set state = 2, ended_at = case url_id when 1 then {} else {now} end where url_id in (1, 2, 3);
         update files set submitted = 1, complete = 3;
         update tally set submitted = 1, complete = 3 where priority = 2;",
        now - 25 * 3_600_000
    );
    let status = std::process::Command::new("sqlite3").arg(world.database()).arg(&ends).status().unwrap();
    assert!(status.success());
    let _daemon = world.daemon();
    world.drop_file("again.txt", urls("a", 4));
    world.wait_for("select count(*) from v_files where name = 'again.txt' and progress = 'done'", 1);
    let counts = "select lines, queued, merged, fresh from v_files where name = ";
    assert_eq!(world.rows(&format!("{counts}'again.txt'")), [["4", "1", "1", "2"]]);
    world.wait_for("select submitted from v_status", 2);
    world.drop_file("forced.txt", format!("#: force = true\n{}", urls("a", 4)));
    world.wait_for("select count(*) from v_files where name = 'forced.txt' and progress = 'done'", 1);
    assert_eq!(world.rows(&format!("{counts}'forced.txt'")), [["4", "2", "2", "0"]]);
    world.wait_for("select submitted from v_status", 4);
    world.wait("the receipt", || receipt(&world, "again.txt")["fresh"] == 2);
    world.assert_books_agree();
}

#[test]
fn what_is_appended_while_it_is_read_is_read_too_without_doubles() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    let list = urls("grow", 60_000);
    let (head, tail) = list.split_at(list.len() / 2 + 7);
    // The writer keeps it open over the renaming, and goes on.
    let mut file = fs::File::create(world.path(".grow")).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    fs::rename(world.path(".grow"), world.spool("incoming/grow.txt")).unwrap();
    world.wait_for("select count(*) from v_files", 1);
    for part in tail.as_bytes().chunks(200_000) {
        file.write_all(part).unwrap();
    }
    drop(file);
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    assert_eq!(world.rows("select lines, queued, refused from v_files"), [["60000", "60000", "0"]]);
    assert_eq!(receipt(&world, "grow.txt")["bytes"], list.len());
}

#[test]
fn what_was_kept_long_enough_is_pruned_and_the_books_agree() {
    let world = World::new("[tasks]\nspeed = 1e6", "[track]\nfirst_after = \"1s\"");
    let daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("{}no url\n", urls("old", 20)));
    world.wait_for("select complete from v_status", 20);
    world.wait("the final receipt", || receipt(&world, "old.txt")["finished_at"].is_string());
    world.stop(daemon);
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 86_400);
    for name in ["old.txt", "old.txt.receipt.json", "old.txt.refused.tsv"] {
        fs::File::options().append(true).open(world.spool("done").join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let ends = "update submissions set opened_at = opened_at - 8640000000, closed_at = closed_at - 8640000000;";
    assert!(std::process::Command::new("sqlite3").arg(world.database()).arg(ends).status().unwrap().success());
    let _daemon = world.daemon();
    world.wait_for("select count(*) from v_submissions", 0);
    world.wait_for("select count(*) from v_urls", 0);
    assert_eq!(fs::read_dir(world.spool("done")).unwrap().count(), 0);
    // What was spent stays spent.
    assert_eq!(world.rows("select requests_used, unbooked from v_budget"), [["1", "1"]]);
    world.assert_books_agree();
    world.drop_file("new.txt", urls("old", 20));
    world.wait_for("select submitted + complete from v_status", 20);
    world.assert_books_agree();
}

#[test]
fn many_small_files_are_taken_while_submissions_go_on() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    for n in 0..2_000 {
        world.drop_file(&format!("part-{n:05}.txt"), urls(&format!("part-{n}"), 5));
    }
    world.wait_for("select count(*) from v_files where progress = 'done'", 2_000);
    world.wait_for("select submitted from v_status", 10_000);
    let done = fs::read_dir(world.spool("done")).unwrap().map(|entry| entry.unwrap().file_name());
    // Receipts that are being rewritten begin with a dot.
    assert_eq!(done.filter(|name| !name.to_string_lossy().starts_with('.')).count(), 4_000);
    world.assert_books_agree();
}

/// The web platform's own test set, which the `url` crate's package carries.
#[test]
fn the_web_platforms_urls_are_judged_as_it_judges_them() {
    // Only what this platform needs has been downloaded.
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--filter-platform",
            host,
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "url").unwrap();
    let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
    let cases = read(&manifest.parent().unwrap().join("tests/urltestdata.json"));
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases).unwrap();
    let rules = UrlRules { url_bytes_max: 8192, domains: vec![] };
    let (mut accepted, mut failures) = (0, 0);
    for case in cases.iter().filter(|case| case.is_object()) {
        let Some(input) = case["input"].as_str() else { continue };
        let parsed = ObjectUrl::parse(input, &rules);
        if let Ok(url) = &parsed {
            accepted += 1;
            let again = ObjectUrl::parse(url.as_str(), &rules);
            assert_eq!(again.as_ref().map(ObjectUrl::as_str), Ok(url.as_str()), "{input:?}");
        }
        // A failure by itself, and not for its base.
        let is_absolute = input.trim_start().to_ascii_lowercase().starts_with("http");
        if case["failure"] == true && case["base"].is_null() && is_absolute {
            failures += 1;
            assert!(parsed.is_err(), "{input:?} became {parsed:?}");
        }
    }
    assert!(accepted > 5 && failures > 50, "{accepted} accepted, {failures} failures");
}
