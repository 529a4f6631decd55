//! Accepted URLs are followed to their end: warm or failed, by few calls, whatever the service does to its list of
//! tasks.

use std::process::Command;

use crate::support::{World, read, said, urls};

/// Tasks that take half a second to three seconds, and a tracker that looks soon.
const FAST: &str = "[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"\ncalls_per_second = 100\n";

fn looks(world: &World) -> usize {
    world.account().calls.iter().filter(|call| call.operation == "DescribeVodRefreshTasks").count()
}

fn receipt(world: &World, name: &str) -> serde_json::Value {
    serde_json::from_str(&read(&world.spool(&format!("done/{name}.receipt.json")))).unwrap()
}

fn sql(world: &World, statement: &str) {
    assert!(Command::new("sqlite3").arg(world.database()).arg(statement).status().unwrap().success());
}

#[test]
fn a_batch_that_ends_well_is_complete_by_few_calls_and_its_file_is_finished() {
    let world = World::new("[tasks]\nspeed = 600.0\n[quota]\nper_day = 5000", FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    world.wait_for("select complete from v_files", 1000);
    assert!(looks(&world) <= 25, "{} calls", looks(&world));
    world.wait_for("select count(*) from v_files where finished_at is not null and warm_seconds_p95 is not null", 1);
    assert_eq!(world.rows("select distinct status, progress from v_tasks"), [["Complete", "100%"]]);
    assert_eq!(world.number("select count(*) from v_urls where state = 'complete' and ended_at > submitted_at"), 1000);
    world.wait("the final receipt", || {
        let receipt: serde_json::Value =
            serde_json::from_str(&read(&world.spool("done/film.txt.receipt.json"))).unwrap();
        receipt["urls"]["complete"] == 1000 && receipt["finished_at"].is_string()
    });
    world.assert_books_agree();
    // What is warm is fresh; nothing of it is sent again.
    world.drop_file("again.txt", urls("a", 1000));
    world.wait_for("select fresh from v_files where name = 'again.txt'", 1000);
    world.assert_all_accepted(1000);
}

#[test]
fn what_fails_at_the_origin_is_sent_once_more_and_then_fails_with_the_reason() {
    let world = World::new("[tasks]\nspeed = 600.0\nfailing = [\"seg-00000\"]", FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 40));
    world.wait_for("select complete from v_files", 30);
    world.wait_for("select failed from v_files", 10);
    let reasons = world.rows("select distinct reason from v_urls where state = 'failed'");
    assert_eq!(reasons, [["it failed at the origin: Origin Return StatusCode 5XX"]]);
    let account = world.account();
    assert!(account.accepted.iter().all(|(url, times)| *times == 1 + u64::from(url.contains("seg-00000"))));
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    world.assert_books_agree();
    // What failed is not fresh.
    world.drop_file("again.txt", urls("a", 10));
    world.wait_for("select queued from v_files where name = 'again.txt'", 10);
}

#[test]
fn tasks_that_are_split_listed_late_and_spelled_in_another_way_are_followed() {
    let scenario =
        "[tasks]\nspeed = 600.0\nids_per_batch = 3\nlisted_after_seconds = 4.0\nrespelled = true\nfailing = [\"/b/\"]";
    let world = World::new(scenario, &format!("{FAST}retry_failed = 0\n"));
    let _daemon = world.ready_daemon();
    let list: String =
        (0..30).map(|n| format!("https://vod.example.com/第{n}集/a%2Bb.ts\nvod.example.com/b/{n}.ts\n")).collect();
    world.drop_file("film.txt", list);
    world.wait_for("select complete from v_files", 30);
    world.wait_for("select failed from v_files", 30);
    assert_eq!(world.number("select count(*) from v_urls where state = 'failed' and url like '%/b/%'"), 30);
    assert_eq!(world.number("select count(*) from v_tasks where ended_at is not null"), 3);
    world.assert_books_agree();
}

#[test]
fn a_wrong_total_makes_the_rows_be_read() {
    let world = World::new(
        "[tasks]\nspeed = 600.0\ntotal_off = 1\nfailing = [\"seg-00000\"]",
        &format!("{FAST}retry_failed = 0\n"),
    );
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 120));
    world.wait_for("select complete from v_files", 110);
    world.wait_for("select failed from v_files", 10);
    world.assert_books_agree();
}

#[test]
fn what_ends_in_another_word_than_complete_or_failed_is_unconfirmed_with_that_word() {
    let scenario = r#"
        [tasks]
        takes = "1s"
        strict_times = true
        [[task]]
        url_contains = "seg-000001"
        status = "Timeout"
        [[task]]
        url_contains = "seg-000002"
        status = "Canceled"
        [[task]]
        url_contains = "seg-000003"
        status = "Mislaid"
        [[task]]
        url_contains = "seg-000004"
        status = "Failed""#;
    let world = World::new(scenario, &format!("{FAST}retry_failed = 0\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 20));
    world.wait_for("select unconfirmed from v_files", 3);
    world.wait_for("select complete from v_files", 16);
    world.wait_for("select failed from v_files", 1);
    let reasons = world.rows("select reason from v_urls where state = 'unconfirmed' order by line");
    for (reason, word) in reasons.concat().iter().zip(["Timeout", "Canceled", "Mislaid"]) {
        assert!(reason.ends_with(&format!("the service says {word}")), "{reason}");
    }
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    world.assert_all_accepted(20);
    world.assert_books_agree();
}

#[test]
fn a_batch_of_which_nothing_ends_well_is_not_waited_for_for_three_days() {
    let scenario = "[tasks]\ntakes = \"1s\"\n[[task]]\nstatus = \"Timeout\"";
    let world = World::new(scenario, FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 120));
    world.wait_for("select unconfirmed from v_files", 120);
    world.assert_books_agree();
}

#[test]
fn complete_below_a_hundred_per_cent_is_submitted_and_in_the_end_unconfirmed() {
    let scenario = r#"
        [tasks]
        takes = "1s"
        [[task]]
        url_contains = "seg-00000"
        process = "99.37%""#;
    let world = World::new(scenario, FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 60));
    world.wait_for("select complete from v_files", 50);
    assert_eq!(world.number("select submitted from v_files"), 10);
    world.wait_for("select count(*) from tracks where looks > 6", 1);
    assert_eq!(world.number("select submitted from v_files"), 10);
    world.stop(daemon);
    // The last look, before the service forgets.
    sql(&world, "update tracks set accepted_at = accepted_at - 72 * 3600000 + 8 * 60000, look_at = 0");
    let _daemon = world.daemon();
    world.wait_for("select unconfirmed from v_files", 10);
    let said = "select count(*) from v_urls where state = 'unconfirmed' and instr(reason, 'complete at 99.37%') > 0";
    assert_eq!(world.number(said), 10);
    world.assert_books_agree();
}

#[test]
fn a_killed_daemon_goes_on_where_it_was() {
    let world = World::new("[tasks]\nspeed = 300.0\n[quota]\nper_day = 5000", FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 500));
    world.wait_for("select count(*) from tracks where looks > 0", 1);
    daemon.kill();
    let _daemon = world.daemon();
    world.wait_for("select complete from v_files", 500);
    world.assert_all_accepted(500);
    world.assert_books_agree();
}

#[test]
fn what_the_service_never_lists_is_unconfirmed_after_three_days() {
    let world = World::new("[tasks]\nlisted_after_seconds = 1e9", FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select count(*) from tracks where looks > 0", 1);
    world.stop(daemon);
    sql(&world, "update tracks set accepted_at = accepted_at - 73 * 3600000, look_at = accepted_at");
    let _daemon = world.daemon();
    world.wait_for("select unconfirmed from v_files", 5);
    let listed =
        "select count(*) from v_urls where state = 'unconfirmed' and ended_at is not null and task_ids is not null
                  and reason like '%the service did not report its end%'";
    assert_eq!(world.number(listed), 5);
    assert_eq!(world.number("select failed from v_status"), 0);
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    world.wait("the final receipt", || receipt(&world, "film.txt")["urls"]["unconfirmed"] == 5);
    world.assert_books_agree();
}

#[test]
fn a_key_that_may_not_ask_for_tasks_is_said_once_and_submitted_is_the_last_state() {
    let fault = "[[fault]]\noperation = \"DescribeVodRefreshTasks\"\naction = \"error\"\ncode = \"Forbidden.RAM\"";
    let world = World::new(fault, FAST);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    assert_eq!(world.number("select submitted from v_files"), 5);
    assert_eq!((looks(&world), world.count_log("may not ask for tasks")), (1, 1));
}

/// What a key says that lacks the permission for one operation.
const FORBIDDEN: &str =
    "[[fault]]\noperation = \"DescribeVodRefreshTasks\"\naction = \"error\"\ncode = \"Forbidden.RAM\"";

#[test]
fn where_tasks_may_not_be_asked_for_urls_end_as_unconfirmed_and_go_again_only_by_that_name() {
    let world = World::new(FORBIDDEN, FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select count(*) from v_files where finished_at is not null", 1);
    world.stop(daemon);
    // The refusal is an hour old, so that the key would be tried again; what is older than three days is not asked for.
    sql(
        &world,
        "update tracks set accepted_at = accepted_at - 73 * 3600000;
         update facts set observed_at = observed_at - 2 * 3600000 where fact = 'tasks_readable'",
    );
    let daemon = world.daemon();
    world.wait_for("select unconfirmed from v_files", 5);
    let named =
        "select count(*) from v_urls where state = 'unconfirmed' and reason like '%vod:DescribeVodRefreshTasks%'";
    assert_eq!(world.number(named), 5);
    assert_eq!(world.number("select failed + submitted from v_status"), 0);
    world.wait("the final receipt", || receipt(&world, "film.txt")["urls"]["unconfirmed"] == 5);
    world.assert_books_agree();

    for choice in [["--state", "failed"], ["--file", "film.txt"], ["--host", "vod.example.com"]] {
        let output = world.run(&["retry", choice[0], choice[1]]);
        assert_eq!(output.status.code(), Some(65), "{choice:?}: {}", said(&output));
    }
    let listed = world.run(&["urls", "--state", "unconfirmed"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 6, "{}", said(&listed));
    assert_eq!(world.preloads().len(), 1);
    let output = world.run(&["retry", "--file", "film.txt", "--state", "unconfirmed"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    world.wait_for("select submitted from v_status", 5);
    world.wait("the second call", || world.preloads().len() == 2);
    world.assert_books_agree();
    world.stop(daemon);
}

#[test]
fn where_tasks_may_not_be_asked_for_freshness_counts_from_acceptance_and_force_sends_again() {
    let world = World::new(FORBIDDEN, FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select value = 'false' from facts where fact = 'tasks_readable'", 1);
    world.wait_for("select submitted from v_status", 5);
    world.drop_file("again.txt", urls("a", 5));
    world.wait_for("select merged from v_files where name = 'again.txt'", 5);
    world.drop_file("force.txt", format!("#: force = true\n{}", urls("a", 5)));
    world.wait_for("select submitted from v_files where name = 'force.txt'", 5);
    world.stop(daemon);
    // Accepted longer ago than `fresh_for`.
    sql(&world, "update submissions set closed_at = closed_at - 25 * 3600000");
    let _daemon = world.daemon();
    world.drop_file("later.txt", urls("a", 5));
    world.wait_for("select submitted from v_files where name = 'later.txt'", 5);
    assert!(world.account().accepted.values().all(|times| *times == 3), "{:?}", world.account().accepted);
    world.assert_books_agree();
}

#[test]
fn a_service_that_ails_is_asked_again_and_slower() {
    let fault = |action: &str, calls: &str| {
        format!("[[fault]]\noperation = \"DescribeVodRefreshTasks\"\n{action}\ncalls = [{calls}]\n")
    };
    let faults = fault("action = \"error\"\ncode = \"Throttling.User\"", "1")
        + &fault("action = \"html\"\nstatus = 502", "2")
        + &fault("action = \"truncate\"", "3");
    let world = World::new(
        &format!("[tasks]\nspeed = 600.0\n{faults}"),
        &format!("[retry]\nbackoff_min = \"1s\"\nbackoff_max = \"1s\"\n{FAST}"),
    );
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select complete from v_files", 5);
    assert_eq!(world.count_log("tasks could not be asked for"), 1);
    assert_eq!(world.count_log("tasks can be asked for again"), 1);
}

#[test]
fn a_task_that_the_service_merged_with_an_older_one_is_followed_for_the_urls_that_were_sent() {
    let scenario = "[tasks]\nspeed = 100.0\nmerge = true\nfailing = [\"seg-000001\"]";
    let world = World::new(scenario, &format!("{FAST}retry_failed = 0\n"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    world.stop(daemon);
    // As if an operator had sent some of them again while their tasks run.
    sql(
        &world,
        "update urls set state = 3, ended_at = 1; update files set submitted = 0, failed = 5;
         update tally set submitted = 0, failed = 5 where priority = 2; update tracks set look_at = null",
    );
    let _daemon = world.daemon();
    world.drop_file("again.txt", format!("{}{}", urls("a", 3), urls("b", 2)));
    world.wait_for("select complete from v_files where name = 'again.txt'", 3);
    world.wait_for("select failed from v_files where name = 'again.txt'", 2);
    let tasks = world.rows("select task_ids from v_submissions order by submission_id");
    assert!(tasks[1][0].split(',').any(|id| id == tasks[0][0]) && tasks[1][0].contains(','), "{tasks:?}");
    world.assert_books_agree();
}

#[test]
fn twenty_thousand_open_batches_do_not_keep_a_new_one_from_being_sent() {
    let world = World::new("", FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    world.stop(daemon);
    sql(
        &world,
        "with recursive n(n) as (select 1000 union all select n + 1 from n where n < 20999)
         insert into submissions (submission_id, lane, day, nonce, state, outcome, signed_at, sent_at, urls, cost,
         opened_at, closed_at)
             select n, 1, (select max(day) from budget_days), 'n' || n, 1, 'accepted', 0, 0, 1, 0, s.opened_at,
                    s.closed_at
             from n, submissions as s where s.submission_id = 1;
         insert into tracks (submission_id, accepted_at, urls, look_at, seen_at, looks)
             select submission_id, (select min(accepted_at) from tracks), 1, 0, 1, 1 from submissions
             where submission_id >= 1000;
         insert into tasks (task_id, submission_id) select 't' || submission_id, submission_id from submissions
         where submission_id >= 1000",
    );
    let _daemon = world.daemon();
    world.wait_for("select count(*) > 50 from tracks where looks > 1 or look_at is null", 1);
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select submitted from v_files where name = 'next.txt'", 5);
    // A batch of which no URL waits for an end has ended.
    world.wait_for("select count(*) > 100 from tracks where look_at is null", 1);
}

#[test]
fn a_task_of_somebody_elses_decides_nothing_even_if_the_answer_named_it() {
    for failing in ["failing = [\"/other/\"]", ""] {
        let others: Vec<String> = urls("other", 10).lines().map(|url| format!("{url:?}")).collect();
        let scenario = format!(
            "[tasks]\ntakes = \"1s\"\nnamed_wrongly = true\n{failing}\n\
             [[task]]\nurl_contains = \"/a/seg-000009\"\ntakes = \"20s\"\n[[foreign]]\nurls = [{}]",
            others.join(",")
        );
        let world = World::new(&scenario, "[track]\nfirst_after = \"1s\"\ncalls_per_second = 100");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 10));
        world.wait("it to be set aside", || {
            world.try_number("select count(*) from v_submissions where set_aside is not null") == Some(1)
        });
        // The last one is still being fetched, whatever the strangers' rows say.
        world.wait_for("select complete from v_status", 9);
        assert_eq!(world.rows("select submitted, failed from v_status"), [["1", "0"]], "{}", world.log());
        world.wait_for("select complete from v_status", 10);
        world.assert_all_accepted(10);
        world.assert_books_agree();
    }
}
