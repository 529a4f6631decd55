//! The main job.

use std::fs;

use crate::support::{World, read, urls};

#[test]
fn a_dropped_file_becomes_submitted_batches_with_task_ids() {
    let world = World::new("[tasks]\nids_per_batch = 2", "");
    let daemon = world.ready_daemon();
    let list = format!("{}ftp://vod.example.com/x\n\nhttps://vod.example.com/\n", urls("a", 2500));
    world.drop_file("film.txt", &list);
    world.wait_for("select submitted from v_files where name = 'film.txt' and progress = 'done'", 2500);

    world.assert_all_accepted_once(2500);
    world.assert_books_agree();
    // Batches of two tasks each, the first no larger than the quota of an unknown unit; every URL names its batch's
    // tasks.
    assert_eq!(
        world.rows("select urls, cost, outcome, http_status from v_submissions order by submission_id"),
        [["500", "1", "accepted", "200"], ["1000", "1", "accepted", "200"], ["1000", "1", "accepted", "200"]]
    );
    let calls = world.preloads();
    let theirs: Vec<Vec<String>> =
        calls.iter().map(|call| vec![call.nonce.clone(), call.task_ids.clone().unwrap()]).collect();
    assert_eq!(world.rows("select nonce, task_ids from v_submissions order by submission_id"), theirs);
    assert_eq!(world.number("select count(distinct task_ids) from v_urls where task_ids like '%,%'"), 3);
    assert_eq!(world.number("select count(*) from v_tasks"), 6);
    // In order of arrival.
    assert_eq!(world.number("select count(*) from v_urls where url_id <> line"), 0);
    // What happened to the file can be read beside it.
    assert_eq!(read(&world.spool("done/film.txt")), list);
    let receipt: serde_json::Value = serde_json::from_str(&read(&world.spool("done/film.txt.receipt.json"))).unwrap();
    assert_eq!(receipt["queued"], 2500);
    assert_eq!(receipt["refused"], 2);
    assert_eq!(receipt["bytes"], list.len());
    let refused = read(&world.spool("done").join(receipt["refused_lines"].as_str().unwrap()));
    let columns = |column: usize| -> Vec<&str> {
        refused.lines().map(|line| line.split('\t').nth(column).unwrap_or_default()).collect()
    };
    assert_eq!(columns(0), ["line", "2501", "2503"]);
    assert_eq!(columns(2), ["text", "ftp://vod.example.com/x", "https://vod.example.com/"]);
    assert_eq!(columns(3), ["code", "scheme", "directory"]);
    assert!(fs::read_dir(world.spool("incoming")).unwrap().next().is_none());
    world.stop(daemon);
    assert_eq!(world.rows("select health from v_status"), [["stopped"]]);
}

#[test]
fn the_same_url_is_not_queued_twice_while_it_is_live() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    world.drop_file("one.txt", urls("a", 10));
    world.wait_for("select submitted from v_status", 10);
    world.drop_file(
        "two.txt",
        format!("{}HTTPS://VOD.example.com:443/a/seg-000001.ts#t=3\n{}", urls("a", 12), urls("a", 3)),
    );
    world.wait_for("select submitted from v_status", 12);
    assert_eq!(world.rows("select lines, queued, merged from v_files where name = 'two.txt'"), [["16", "2", "14"]]);
    world.assert_all_accepted_once(12);
    world.assert_books_agree();
}

#[test]
fn urgent_files_go_first_and_directives_hold() {
    // Nothing goes while the service throttles: so all three files are queued before the first batch.
    let world =
        World::new("[[fault]]\naction = \"error\"\ncode = \"Throttling\"\ntimes = 2", "[schedule]\nbatch_urls_max = 5");
    world.drop_file("a-low.txt", format!("#: priority = low\n{}", urls("low", 5)));
    world.drop_file("b-normal.txt", urls("normal", 5));
    world.drop_file("c-urgent.txt", format!("#: priority = urgent\n#: label = 首映\n{}", urls("urgent", 5)));
    world.drop_file("d-late.txt", format!("#: not_before = 2099-01-01T00:00:00Z\n{}", urls("late", 5)));
    world.drop_file("e-over.txt", format!("#: deadline = 2020-01-01T00:00:00Z\n{}", urls("over", 5)));
    world.drop_file("f-soon.txt", format!("#: deadline = 2098-01-01T00:00:00Z\n{}", urls("soon", 5)));
    let _daemon = world.ready_daemon();
    world.wait_for("select submitted from v_status", 20);
    let order = world.rows(
        "select max(u.file) from v_urls as u where u.state = 'submitted' group by u.submission_id order by \
        u.submission_id",
    );
    assert_eq!(order, [["c-urgent.txt"], ["f-soon.txt"], ["b-normal.txt"], ["a-low.txt"]]);
    assert_eq!(
        world.rows("select distinct label, priority from v_urls where file = 'c-urgent.txt'"),
        [["首映", "urgent"]]
    );
    assert_eq!(world.rows("select pending from v_files where name = 'd-late.txt'"), [["5"]]);
    world.wait_for("select expired from v_files where name = 'e-over.txt'", 5);
    world.assert_books_agree();
    assert_eq!(world.rows("select waiting_until from v_status"), [["2099-01-01T00:00:00.000Z"]]);
}

#[test]
fn a_pending_url_that_is_dropped_again_as_urgent_becomes_urgent() {
    let scenario = "[[fault]]\naction = \"error\"\ncode = \"Throttling.User\"\ntimes = 1";
    let world = World::new(scenario, "[retry]\nbackoff_min = \"1h\"\nbackoff_max = \"1h\"");
    let daemon = world.ready_daemon();
    world.drop_file("normal.txt", urls("a", 8));
    world.wait_for("select count(*) from v_submissions where outcome = 'throttled'", 1);
    world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("a", 3)));
    world.wait_for("select merged from v_files where name = 'urgent.txt' and progress = 'done'", 3);
    assert_eq!(
        world.rows("select priority, count(*) from v_urls group by 1 order by 1"),
        [["normal", "5"], ["urgent", "3"]]
    );
    world.assert_books_agree();
    drop(daemon);
}
