//! What is listed and told: filters, tables, TSV, JSON, one URL's story, and hostile text in all of them.

use std::fs;
use std::process::Output;

use prefetchd::telemetry::is_unsafe;
use serde_json::Value;

use crate::support::{World, said, urls};

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(world: &World, args: &[&str]) -> Value {
    let output = world.run(&[args, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", said(&output)))
}

fn rows(world: &World, args: &[&str]) -> usize {
    json(world, args).as_array().unwrap().len()
}

#[test]
fn lists_take_their_filters() {
    let world = World::new("", "[budget]\nurls_per_day = 12");
    let _daemon = world.ready_daemon();
    world.drop_file("first.txt", format!("#: label = 首映\n{}", urls("a", 12)));
    world.wait_for("select submitted from v_status", 12);
    let own = r#"{"url": "https://media.example.com/x.ts", "label": "own"}"#;
    world.drop_file("second.jsonl", format!("{own}\n{}", own.replace("/x.ts", "/y.ts").replace("own", "首映")));
    world.wait_for("select pending from v_status", 2);
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    // Lines that are merged into those of other files.
    let merged = |name: &str, content: String| {
        world.drop_file(name, content);
        world.wait_for(&format!("select count(*) from v_files where progress = 'done' and name = '{name}'"), 1);
    };
    merged("third.jsonl", format!("{}\n{own}", own.replace("own", "third").replace("/x.ts", "/y.ts")));
    merged(
        "fourth.txt",
        "#: label = 第四\nhttps://media.example.com/x.ts\nhttps://media.example.com/y.ts\n".to_owned(),
    );
    for (args, expected) in [
        (&["urls", "--label", "third"][..], 1),
        (&["urls", "--label", "第四"], 2),
        (&["urls", "--label", "第四", "--file", "fourth.txt"], 2),
        (&["urls", "--label", "第四", "--file", "third.jsonl"], 2),
        (&["urls", "--label", "third", "--file", "fourth.txt"], 1),
        (&["urls", "--label", "首映", "--file", "second.jsonl"], 1),
        (&["urls", "--label", "第四", "--state", "submitted"], 0),
        (&["urls", "--label", "nobody"], 0),
        (&["files"], 4),
    ] {
        assert_eq!(rows(&world, args), expected, "{args:?}");
    }
    for (args, expected) in [
        (&["urls"][..], 14),
        (&["urls", "--limit", "5"], 5),
        (&["urls", "--state", "pending"], 2),
        (&["urls", "--state", "submitted", "--limit", "7"], 7),
        (&["urls", "--state", "failed"], 0),
        (&["urls", "--file", "first.txt"], 12),
        (&["urls", "--file", "first.txt", "--state", "pending"], 0),
        (&["urls", "--label", "首映"], 13),
        (&["urls", "--label", "首映", "--state", "pending"], 1),
        (&["urls", "--label", "own"], 1),
        (&["urls", "--host", "MEDIA.example.com"], 2),
        (&["urls", "--since", "1h"], 14),
        (&["urls", "--since", "2099-01-01T00:00:00+08:00"], 0),
        (&["files", "--state", "pending"], 3),
        (&["files", "--label", "首映"], 1),
        (&["files", "--file", "second.jsonl", "--since", "7d"], 1),
        (&["submissions"], 1),
        (&["submissions", "--outcome", "accepted", "--file", "first.txt", "--since", "1h"], 1),
        (&["submissions", "--label", "首映", "--host", "vod.example.com"], 1),
        (&["submissions", "--state", "refused"], 0),
        (&["submissions", "--day", "2020-01-01"], 0),
        (&["hosts"], 2),
        (&["hosts", "--host", "media.example.com"], 1),
    ] {
        assert_eq!(rows(&world, args), expected, "{args:?}");
    }
    assert_eq!(json(&world, &["urls", "--limit", "1"])[0]["url"], "https://media.example.com/y.ts", "the latest first");
    // In a pipe: a header with every column of the view, and as many cells in each row.
    let tsv = text(&world.run(&["urls", "--state", "submitted"]));
    let widths: Vec<usize> = tsv.lines().map(|line| line.split('\t').count()).collect();
    assert!(tsv.starts_with("url_id\turl\thost\tfile\tline\t"), "{tsv}");
    assert_eq!((widths.len(), widths.iter().min(), widths.iter().max()), (13, Some(&21), Some(&21)), "{tsv}");
    assert_eq!(world.run(&["urls", "--since", "soon"]).status.code(), Some(64));
}

#[test]
fn why_tells_a_url_from_the_file_to_its_task() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: label = night\n#: priority = high\n{}", urls("a", 3)));
    world.wait_for("select submitted from v_status", 3);
    let story = text(&world.run(&["why", "https://VOD.example.com/a/seg-000001.ts#t=1"]));
    let order = ["dropped ", "sent ", "answered "].map(|event| story.find(event));
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{story}");
    for part in [
        "in film.txt, line 4, priority high, label night",
        "nonce ",
        "RequestId ",
        ", task ",
        "submission 1 accepted, cost 1",
    ] {
        assert!(story.contains(part), "{part} is missing in\n{story}");
    }
    let json = json(&world, &["why", "https://vod.example.com/a/seg-000001.ts"]);
    let chapter = &json["queued"][0];
    assert_eq!((&chapter["url"]["line"], &chapter["file"]["name"]), (&4.into(), &"film.txt".into()));
    assert_eq!(chapter["submissions"][0]["task_ids"], chapter["tasks"][0]["task_id"]);
    assert!(json["events"].as_array().unwrap().len() >= 4, "{json}");

    // An operator's order belongs to the story, and a second time in the queue is its second chapter.
    world.run(&["pause"]);
    world.waits_for("prefetchd resume");
    world.drop_file("more.txt", urls("b", 1));
    world.wait_for("select pending from v_status", 1);
    text(&world.run(&["cancel", "--file", "more.txt"]));
    world.drop_file("again.txt", urls("b", 1));
    world.wait_for("select pending from v_status", 1);
    let story = text(&world.run(&["why", "https://vod.example.com/b/seg-000000.ts"]));
    let order =
        ["in more.txt", "cancel ", "cancelled by the operator", "in again.txt", "pending"].map(|part| story.find(part));
    assert!(order.iter().all(Option::is_some), "{story}");
    assert!(order[0] < order[2] && order[2] < order[3] && order[3] < order[4], "{story}");

    // Stopped, it answers too; what it does not know it says.
    world.stop(daemon);
    for (url, code, part) in [
        ("https://vod.example.com/never.ts", 66, "is not in the database"),
        ("vod.example.com/a/seg-000001.ts", 66, "but https://vod.example.com/a/seg-000001.ts is"),
        ("https://vod.example.com/films/", 65, "a directory: write the URL of a file"),
    ] {
        let output = world.run(&["why", url]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(part), "{}", said(&output));
    }
    // No file of a name is the same to all commands.
    for command in ["urls", "files", "submissions", "cancel", "retry", "prioritize", "export", "forecast"] {
        let output = world.run(&[command, "--file", "nix"]);
        let output = if command == "forecast" { world.run(&[command, "nix"]) } else { output };
        assert_eq!(output.status.code(), Some(66), "{command}: {}", said(&output));
        assert!(said(&output).contains("no file of the name `nix`"), "{command}: {}", said(&output));
    }
}

/// A name, a label and an answer that try to drive the terminal, to forge a line, and to turn the direction of writing.
#[test]
fn hostile_names_labels_and_answers_are_shown_and_do_nothing() {
    let fault = "[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"Evil\\u001b[2J\\r\\nforged\\u009b31m\\u202e\"\n";
    let world = World::new(fault, "");
    let daemon = world.ready_daemon();
    let name = "a\u{1b}]0;owned\u{7}\u{202e}txt.\n.jsonl";
    let label = "b\u{202e}evil\u{2066}\u{2028}";
    let line = serde_json::json!({ "url": "https://vod.example.com/a.ts", "label": label });
    world.drop_file(name, format!("{line}\n{{\"url\": \"ftp://\u{202e}x\\u001b[2J\"}}\n"));
    world.wait_for("select count(*) from v_submissions where code like 'Evil%'", 1);
    world.wait_for("select pending from v_status", 1);
    world.run(&["pause", "--reason", "\u{1b}[2J\u{202e}"]);
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["files"],
        &["files", "--json"],
        &["urls"],
        &["urls", "--json"],
        &["submissions"],
        &["submissions", "--json"],
        &["hosts"],
        &["hosts", "--json"],
        &["why", "https://vod.example.com/a.ts"],
        &["why", "https://vod.example.com/a.ts", "--json"],
        &["why", "https://vod.example.com/\u{202e}\u{1b}[2J"],
        &["urls", "--label", label],
        &["cancel", "--label", "\u{202e}none"],
        &["cancel", "--label", label],
    ] {
        let output = world.run(args);
        let shown =
            String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap();
        let bad: Vec<char> = shown.chars().filter(|c| is_unsafe(*c) && !matches!(c, '\n' | '\t')).collect();
        assert!(bad.is_empty(), "{args:?} shows {bad:?}: {}", said(&output));
        if args.contains(&"--json") {
            serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        }
    }
    assert_eq!(json(&world, &["submissions"])[0]["code"], "Evil\u{1b}[2J\r\nforged\u{9b}31m\u{202e}");
    assert_eq!(rows(&world, &["urls", "--label", label]), 1);
    world.stop(daemon);
    for line in world.log().lines() {
        assert!(line.starts_with("20") && !line.chars().any(is_unsafe), "the log has {line:?}");
    }
    for file in fs::read_dir(world.spool("done")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
}

#[test]
fn every_command_has_a_page_a_completion_and_an_example() {
    let world = World::new("", "");
    let dir = world.path("generated");
    text(&world.run(&["generate", &dir.display().to_string()]));
    let help = text(&world.run(&["--help"]));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 17, "{commands:?}");
    let completions = ["prefetchd.bash", "_prefetchd", "prefetchd.fish"]
        .map(|name| fs::read_to_string(dir.join("completions").join(name)).unwrap());
    for (text, value) in completions.iter().flat_map(|text| ["unconfirmed", "urgent", "zh"].map(|value| (text, value)))
    {
        assert!(text.contains(value), "{value} is not completed");
    }
    let asked = std::process::Command::new(crate::support::PROGRAM).args(["help", "--help"]).output().unwrap();
    assert!(text(&asked).contains("Commands:") && text(&asked).contains("  generate"), "{}", said(&asked));
    let mut pages = vec![dir.join("man/prefetchd.1"), dir.join("man/prefetchd.toml.5")];
    for command in commands {
        let help = text(&world.run(&[command, "--help"]));
        assert!(help.contains("Example") && help.contains(&format!("prefetchd {command}")), "{help}");
        assert!(completions.iter().all(|text| text.contains(command)), "{command} is not completed");
        pages.push(dir.join(format!("man/prefetchd-{command}.1")));
    }
    let has_man = std::process::Command::new("man").arg("--version").output().is_ok();
    if !has_man {
        println!("skipped: there is no man to read the pages with");
    }
    for page in pages {
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{}", page.display());
        let is_of_a_command = page.extension().is_some_and(|section| section == "1");
        assert!(!is_of_a_command || text.contains(".SH EXIT STATUS") && text.contains(".SH ENVIRONMENT"), "{text}");
        if has_man {
            let mut man = std::process::Command::new("man");
            let read = man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(&page).env("MANWIDTH", "80").output().unwrap();
            assert!(read.status.success() && read.stderr.is_empty(), "{}: {}", page.display(), said(&read));
        }
    }
}
