//! A database on a PostgreSQL server, which several hosts may share, through the built binary.

use std::process::Output;

use serde_json::Value;

use crate::support::{World, said, urls};

/// Tasks that end soon, and a tracker that looks soon.
const QUICK: &str = "[tasks]\ntakes = \"1s\"\n[quota]\nper_day = 5000";
const FAST: &str = "[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"\ncalls_per_second = 100\n";

/// Every command that asks or orders, in an order in which each has something to do.
const COMMANDS: [&[&str]; 26] = [
    &["status"],
    &["status", "--json"],
    &["status", "film.txt"],
    &["status", "film.txt", "--json"],
    &["files"],
    &["files", "--json"],
    &["urls", "--file", "film.txt"],
    &["urls", "--json"],
    &["submissions", "--json"],
    &["hosts", "--json"],
    &["why", "https://vod.example.com/a/seg-000003.ts"],
    &["why", "https://vod.example.com/a/seg-000003.ts", "--json"],
    &["export", "--file", "film.txt"],
    &["forecast"],
    &["forecast", "--json"],
    &["wait", "--label", "first night", "--timeout", "0"],
    &["notify"],
    &["prioritize", "--file", "late.txt"],
    &["cancel", "--url", "https://vod.example.com/late/seg-000001.ts", "--dry-run"],
    &["cancel", "--url", "https://vod.example.com/late/seg-000001.ts"],
    &["retry", "--file", "late.txt"],
    &["pause"],
    &["resume"],
    &["budget", "confirm", "--requests-used", "3"],
    &["check"],
    &[],
];

/// The tests' server does not wait for its disk.
const FSYNC: &str = "fsync is off: a crash of the server's machine damages the database";

/// What a command printed, as far as it is the same each time: without numbers, the names of folders, and what is said
/// of hosts, which SQLite has not; and in any order, since things that happen in one moment have none.
fn shape(world: &World, output: &Output) -> Vec<String> {
    let text = said(output).replace(&world.dir.path().display().to_string(), "DIR");
    let text = without_hosts(&text);
    let is_digit = |c: char| c.is_ascii_digit();
    let bare = |word| if str::contains(word, is_digit) { "#" } else { word };
    let mut lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().map(bare).collect::<Vec<_>>().join(" ")).collect();
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end_matches(',').len()));
    lines.retain(|line| !["on here", "host here"].contains(&line.as_str()) && !line.starts_with("leader "));
    for line in &mut lines {
        let without = [" host", " here", ",host", ",here"].iter().find_map(|end| line.strip_suffix(end)).map(str::len);
        line.truncate(without.unwrap_or(line.len()));
    }
    lines.sort();
    lines
}

/// The text, or the JSON behind a heading of the harness, without the host of the server's world.
fn without_hosts(text: &str) -> String {
    let text = text.replace("on here, ", "").replace(", on here", "");
    let start = text.find("\n{").or_else(|| text.find("\n[")).map_or(text.len(), |at| at + 1);
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let Some(Ok(mut json)) = values.next() else { return text };
    let rest = start + values.byte_offset();
    forget_hosts(&mut json);
    format!("{}{json:#}{}", &text[..start], &text[rest..])
}

fn forget_hosts(json: &mut Value) {
    match json {
        Value::Object(map) => {
            map.retain(|key, value| !(key == "host" && value == "here") && key != "leader" && key != "daemons");
            map.values_mut().for_each(forget_hosts);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_hosts),
        _ => {}
    }
}

#[test]
fn every_command_says_on_a_server_what_it_says_on_sqlite() {
    let Some(server) = World::on_server(QUICK, &format!("{FAST}[database]\nhost = \"here\"\n")) else { return };
    let lite = World::new(QUICK, FAST);
    let mut said_by = Vec::new();
    for world in [&lite, &server] {
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", format!("#: label = first night\n{}", urls("a", 20)));
        world.drop_file("late.txt", format!("#: not_before = 2099-01-01T00:00:00Z\n{}", urls("late", 5)));
        world.wait_for("select complete from v_status", 20);
        world.wait_for("select count(*) from v_files where progress = 'done'", 2);
        world.wait_for("select count(*) from v_files where finished_at is not null", 1);
        said_by.push(COMMANDS.map(|args| (args, shape(world, &world.run(args)))));
        world.stop(daemon);
    }
    let mut differ = Vec::new();
    for ((args, lite), (_, server)) in said_by[0].iter().zip(&said_by[1]) {
        let only = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|line| !other.contains(line)).cloned().collect()
        };
        if lite != server {
            differ.push((args, only(lite, server), only(server, lite)));
        }
    }
    // A server has no log and no lock beside it, and its URL has numbers.
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let status = (&COMMANDS[0], owned(&["wal # kB"]), owned(&[]));
    let json = (&COMMANDS[1], owned(&["\"bytes\": #", "\"is_long\": false", "\"wal\": {"]), owned(&["\"wal\": null"]));
    let check = ["daemon running, pid # holds DIR/prefetchd.db.lock", "database ok: DIR/prefetchd.db"];
    let check = (&COMMANDS[24], owned(&check), owned(&["database ok: # PostgreSQL #", FSYNC]));
    assert_eq!(differ, [status, json, check]);
}
