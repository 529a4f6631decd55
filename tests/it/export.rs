//! `prefetchd export`: the proof, whole and in order, however much of it there is.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use prefetchd::store::Store;

use crate::support::{World, read, said, urls};

fn rows_of(csv: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect()
}

fn json_of(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn exported(world: &World, args: &[&str]) -> String {
    let output = world.run(&[&["export"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_export_has_a_row_for_each_url_of_what_was_asked_for_and_no_other() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("=a,\"b\n.txt", format!("#: label = +premiere\n{}{}", urls("a", 30), urls("a", 30)));
    world.wait_for("select count(*) from v_files where progress = 'done'", 1);
    world.drop_file("same.txt", urls("b", 20));
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    world.drop_file("mixed.jsonl", "{\"url\":\"https://vod.example.com/c\",\"label\":\"+premiere\"}\n");
    world.drop_file("known.txt", urls("a", 5));
    world.wait_for("select count(*) from v_files where progress = 'done'", 4);
    world.wait_for("select submitted from v_status", 51);
    world.stop(daemon);
    // The same name again, later.
    let _daemon = world.daemon();
    world.drop_file("same.txt", urls("d", 10));
    world.wait_for("select submitted from v_status", 61);

    // The range of each file is that of its rows.
    let ranges = "select url_from || '-' || url_to from files order by file_id";
    let counted = "select coalesce(min(u.url_id), 0) || '-' || coalesce(max(u.url_id), 0) from files as f
                   left join urls as u on u.file_id = f.file_id group by f.file_id order by f.file_id";
    assert_eq!(world.rows(ranges), world.rows(counted));
    assert_eq!(world.number("select count(*) from files where url_to = 0"), 1);

    let name = world.rows("select name from v_files order by file_id").remove(0).remove(0);
    let csv = exported(&world, &["--file", &name]);
    let header = "file,line,url,state,reason,priority,label,queued_at,submission_id,nonce,request_id,\
                  task_ids,submitted_at,ended_at,warmth,came,action\r\n";
    assert!(csv.starts_with(header) && csv.ends_with("\r\n"), "{csv}");
    let records = rows_of(&csv);
    assert_eq!(records.len(), 60);
    assert!(records[30..].iter().all(|record| record[15] == *"merged" && record[3] == *"submitted"), "{csv}");
    for (n, record) in records[..30].iter().enumerate() {
        assert_eq!((&record[0], &record[6]), (&*format!("'{name}"), "'+premiere"));
        assert_eq!(record[2], format!("https://vod.example.com/a/seg-{n:06}.ts"));
        assert_eq!((&record[1], &record[3]), (&*(n + 2).to_string(), "submitted"));
    }
    let json = json_of(&exported(&world, &["--file", &name, "--format", "jsonl"]));
    let keys = "file, line, url, state, reason, priority, label, queued_at, u.submission_id, nonce, request_id, \
        u.task_ids, submitted_at, u.ended_at";
    let view = world
        .rows(&format!("select {keys} from v_urls as u join v_submissions using (submission_id) where url_id <= 30"));
    for (row, expected) in json.iter().zip(&view) {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let keys = keys.split(", ").map(|key| text(&row[key.trim_start_matches("u.")]).replace("null", ""));
        assert_eq!(keys.collect::<Vec<_>>(), *expected);
    }
    assert_eq!((json.len(), view.len()), (60, 30));

    let films = |args: &[&str]| -> String {
        let films = rows_of(&exported(&world, args));
        films
            .iter()
            .map(|record| record[2].trim_start_matches("https://vod.example.com/").chars().next().unwrap())
            .collect()
    };
    assert_eq!(films(&["--file", "same.txt"]), format!("{}{}", "b".repeat(20), "d".repeat(10)));
    assert_eq!(films(&["--label", "+premiere"]), format!("{}c{}", "a".repeat(30), "a".repeat(30)));
    assert_eq!(films(&["--label", "+premiere", "--file", "mixed.jsonl"]), "c");
    assert_eq!(films(&["--label", "nobody's"]), "");
    assert_eq!(films(&["--file", "known.txt"]), "aaaaa");
    let since = world.rows("select max(dropped_at) from v_files").remove(0).remove(0);
    assert_eq!(films(&["--since", &since]), "d".repeat(10));
    assert_eq!(films(&["--since", "2026-01-01T00:00:00+08:00"]).len(), 96);
    for (args, code) in [
        (&["--file", "nowhere.txt"][..], 66),
        (&["--since", "yesterday"], 64),
        (&[], 64),
        (&["--file", "same.txt", "--output", "/dev/null"], 64),
    ] {
        let output = world.run(&[&["export"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }

    replaces_a_file(&world, &name, &csv);
}

/// An export into a file that is there replaces it at once, and leaves nothing beside it.
fn replaces_a_file(world: &World, name: &str, csv: &str) {
    let path = world.path("proof.csv");
    fs::write(&path, "old").unwrap();
    let said = exported(world, &["--file", name, "--output", path.to_str().unwrap()]);
    assert!(said.ends_with("proof.csv: 60 rows\n"), "{said}");
    assert_eq!(read(&path), csv);
    let left = fs::read_dir(world.dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".export-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn an_export_of_a_file_has_a_row_for_each_of_its_lines_however_they_came() {
    let world = World::new("[tasks]\nspeed = 1e6", "[track]\nfirst_after = \"1s\"\n");
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", urls("old", 2));
    world.wait_for("select complete from v_status", 2);
    assert!(world.run(&["pause"]).status.success());
    world.waits_for("prefetchd resume");
    world.drop_file("a.txt", urls("a", 3));
    world.wait_for("select count(*) from v_files where name = 'a.txt' and progress = 'done'", 1);
    let text = format!("#: label = 首播\n{}{}{}no url\thttps://\n", urls("b", 2), urls("a", 3), urls("old", 1));
    world.drop_file("b.txt", text);
    world.wait_for("select count(*) from v_files where name = 'b.txt' and progress = 'done'", 1);
    assert!(
        world.run(&["cancel", "--file", "b.txt", "--host", "vod.example.com", "--state", "pending"]).status.success()
    );

    let rows = json_of(&exported(&world, &["--file", "b.txt", "--format", "jsonl"]));
    let said: Vec<(i64, &str, &str)> = rows
        .iter()
        .map(|row| (row["line"].as_i64().unwrap(), row["came"].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    let expected = [
        (2, "queued", "cancelled"),
        (3, "queued", "cancelled"),
        (7, "fresh", "complete"),
        (4, "merged", "cancelled"),
        (5, "merged", "cancelled"),
        (6, "merged", "cancelled"),
        (8, "refused", "refused"),
    ];
    assert_eq!(said, expected);
    assert!(rows.iter().all(|row| row["file"] == "b.txt" && row["label"] == "首播"), "{rows:?}");
    assert_eq!(rows[6]["url"], "no url\\thttps://");
    assert!(rows[6]["reason"].as_str().is_some_and(|reason| reason.contains(" / ")), "{rows:?}");
    assert!(rows[2]["submission_id"].is_number() && rows[3]["submission_id"].is_null(), "{rows:?}");
    // What the other file wants stands.
    let rows = json_of(&exported(&world, &["--file", "a.txt", "--format", "jsonl"]));
    assert!(rows.len() == 3 && rows.iter().all(|row| row["state"] == "pending"), "{rows:?}");
    // The lines of every file, once each.
    let rows = exported(&world, &["--since", "2026-01-01T00:00:00+08:00", "--format", "jsonl"]);
    assert_eq!(rows.lines().count() as i64, world.number("select sum(lines) from v_files"));
    // A report that was taken away is missed.
    fs::remove_file(world.spool("done").join("b.txt.refused.tsv")).unwrap();
    let output = world.run(&["export", "--file", "b.txt"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("1 refused line of b.txt is left out"),
        "{}",
        crate::support::said(&output)
    );
}

/// A database with so many urls, a thousand a submission, every third row pruned from the middle on.
fn generated(world: &World, urls: usize) {
    world.block_on(async { Store::open(&world.database()).await.unwrap().close().await });
    let sql = format!(
        "begin;
         insert into files (file_id, name, stored_name, phase, label, dropped_at, url_from, url_to)
             values (1, 'big.txt', 'big.txt', 2, 'big', 1795000000000, 1, {urls}), (2, 'late.txt', 'late.txt', 2, \
             null, 1795000000001, 7, 7);
         insert into hosts (host_id, host, since) values (1, 'vod.example.com', 0);
         insert into budget_days (lane, day, starts_at, ends_at, requests_limit) values (1, '2026-11-23', 0, 1, 500);
         with recursive n(n) as (select 0 union all select n + 1 from n where n < {urls} / 1000)
         insert into submissions (submission_id, lane, day, nonce, state, signed_at, sent_at, urls, cost, opened_at, \
         closed_at, request_id)
             select n + 1, 1, '2026-11-23', 'nonce-' || n, 1, 0, 0, 1000, 1, 0, 1795000000000, 'request-' || n from n;
         insert into tasks (task_id, submission_id) select 90000 + submission_id, submission_id from submissions;
         with recursive n(n) as (select 1 union all select n + 1 from n where n < {urls})
         insert into urls (url_id, file_id, line, url, host_id, priority, state, submission_id)
             select n, 1, n, 'https://vod.example.com/' || hex(randomblob(40)) || '/seg-' || n || '.ts', 1, 2, 1, 1 + \
             n / 1000 from n;
         update urls set file_id = 2 where url_id = 7;
         delete from urls where url_id > {urls} / 2 and url_id % 3 = 0;
         delete from urls where url_id between 20000 and 90000;
         commit;"
    );
    assert!(Command::new("sqlite3").arg(world.database()).arg(sql).status().unwrap().success());
}

#[test]
fn a_large_export_is_exact_in_bounded_memory_and_holds_no_transaction_open() {
    let world = World::new("", "");
    generated(&world, 400_000);
    // As while the daemon runs: somebody has it open for writing.
    let store = world.block_on(async {
        let store = Store::open(&world.database()).await.unwrap();
        store.write().await.unwrap().commit().await.unwrap();
        store
    });
    let expected = world.number("select count(*) from urls where file_id = 1") as usize;
    assert!(expected > 250_000, "{expected}");
    let child = world.command(&["export", "--file", "big.txt", "--format", "jsonl"]).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut rows, mut last, mut peak) = (0, 0, String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let row: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let line = row["line"].as_u64().unwrap();
        assert!(line > last && line != 7, "{line} after {last}");
        assert_eq!(row["task_ids"], (90_001 + line / 1000).to_string());
        (rows, last) = (rows + 1, line);
        if rows == 1_000 {
            // The export waits for this reader, in the middle of its rows: somebody else writes, and the WAL is copied
            // back whole.
            let sql = "update files set bytes = 1 where file_id = 1; pragma wal_checkpoint(truncate);";
            let done = Command::new("sqlite3").arg(world.database()).arg(sql).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&done.stdout), "0|0|0\n", "{}", said(&done));
        }
        if rows == expected - 10_000 {
            // It has not ended: a pipe holds less than the rest.
            peak = read(status.as_ref()).lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        }
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(rows, expected);
    world.block_on(store.close());
    println!("exported {rows} rows; {peak}");
}

#[test]
fn a_reader_that_goes_away_ends_the_export_quietly() {
    let world = World::new("", "");
    generated(&world, 100_000);
    let mut child =
        world.command(&["export", "--label", "big"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
