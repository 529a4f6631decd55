//! Purges, and purges that a prefetch follows, through the built binary against the sandbox.

use crate::support::{World, read, said, urls};

/// An operator who lets files ask for everything.
const ALL: &str = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n[track]\nfirst_after = \"1s\"\n\
                   calls_per_second = 100\n";

/// Purges take so long, and prefetches so long.
const QUICK: &str = "[purge]\ntakes = \"2s\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\n";

fn directories(count: usize) -> String {
    (1..=count).map(|n| format!("https://vod.example.com/films/{n:03}/\n")).collect()
}

/// The operations of the calls that were accepted, in order, each with its number of URLs.
fn accepted(world: &World) -> Vec<(String, usize)> {
    let calls = world.account().calls;
    let taken = calls.into_iter().filter(|call| call.task_ids.is_some());
    taken.map(|call| (call.operation.clone(), call.urls)).collect()
}

#[test]
fn a_file_of_purges_is_deleted_from_the_caches_by_its_own_budget() {
    let world = World::new(QUICK, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 1500)));
    world.wait_for("select complete from v_files where name = 'old.txt' and finished_at is not null", 1500);
    let batches = world.rows("select action, urls, outcome from v_submissions order by submission_id");
    assert_eq!(batches, [["purge", "1000", "accepted"], ["purge", "500", "accepted"]]);
    assert_eq!(world.rows("select action, state, count(*) from v_urls"), [["purge", "complete", "1500"]]);
    let lanes = "select action, urls_used, unit, quota from v_lanes where day is not null order by action";
    assert_eq!(world.rows(lanes), [["purge", "1500", "urls", "2000"]]);
    // Prefetching spent nothing, and its views say so.
    assert_eq!(world.number("select count(*) from v_budget"), 0);
    assert_eq!(world.number("select complete + submitted + pending from v_status"), 0);
    let account = world.account();
    assert_eq!(account.purge.quota_left, 500);
    assert_eq!(account.purge.accepted.len(), 1500);
    assert!(account.accepted.is_empty());
    let receipt =
        || serde_json::from_str::<serde_json::Value>(&read(&world.spool("done/old.txt.receipt.json"))).unwrap();
    assert_eq!(receipt()["action"], "purge");
    // Nobody is told that what was deleted from the caches is warm.
    world.wait("the last receipt", || receipt()["says"]["en"] == "old.txt: all 1500 URLs are purged");
    assert_eq!(receipt()["says"]["zh"], "old.txt：全部 1500 个 URL 已刷新");
    for (args, part) in [
        (&["status", "old.txt"][..], "all 1,500 URLs are purged"),
        (&["status", "old.txt", "--lang", "zh"], "全部 1,500 个 URL 已刷新"),
        (&["wait", "old.txt"], "old.txt: all 1,500 URLs are purged"),
        (&["export", "--file", "old.txt"], ",queued,purge\r\n"),
    ] {
        let output = world.run(args);
        assert!(output.status.success() && said(&output).contains(part), "{args:?}: {}", said(&output));
        assert!(!said(&output).contains("warm:"), "{args:?}: {}", said(&output));
    }
}

#[test]
fn the_days_urls_of_purges_are_never_overspent_and_the_rest_goes_on_the_next_day() {
    let world = World::new("[purge]\nurls_per_day = 30\ntakes = \"1s\"", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 50)));
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'nothing_remains'", 1);
    assert_eq!(world.account().purge.accepted.len(), 30);
    assert_eq!(world.rows("select pending, urls_used from v_lanes where action = 'purge'"), [["20", "30"]]);
    // Prefetching goes on.
    world.drop_file("new.txt", urls("new", 5));
    world.wait_for("select submitted + complete from v_status", 5);
    // A number of the operator's caps it before the service does.
    let world = World::new("", &format!("{ALL}[budget.purge]\nurls_per_day = 7\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 50)));
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'urls_spent'", 1);
    assert_eq!(world.account().purge.accepted.len(), 7);
}

#[test]
fn directories_go_a_hundred_a_call_with_force_apart() {
    let world = World::new("[purge]\ndirectories_per_day = 200\ntakes = \"1s\"", ALL);
    let _daemon = world.ready_daemon();
    let list = format!("#: action = purge-directory\n{}https://vod.example.com/films/x.mp4\n", directories(130));
    world.drop_file("dirs.txt", list);
    world.drop_file("forced.txt", "#: action = purge-directory\n#: purge_force = true\nhttps://vod.example.com/all/\n");
    world.wait_for("select count(*) from v_urls where state = 'complete'", 131);
    let counts: Vec<usize> = accepted(&world).into_iter().map(|(_, urls)| urls).collect();
    assert_eq!((counts.iter().sum::<usize>(), counts.len(), counts.iter().max()), (131, 3, Some(&100)));
    let why = world.run(&["why", "https://vod.example.com/films/001/"]);
    assert!(why.status.success() && said(&why).contains("purge-directory"), "{}", said(&why));
    let receipt: serde_json::Value = serde_json::from_str(&read(&world.spool("done/dirs.txt.receipt.json"))).unwrap();
    assert_eq!(receipt["reasons"][0]["code"], "no_directory");
    assert_eq!(world.rows("select action, urls_used, unit from v_lanes"), [["purge-directory", "131", "directories"]]);
}

#[test]
fn a_url_is_prefetched_once_its_purge_is_complete_and_not_before() {
    let world = World::new(QUICK, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 20)));
    world.wait_for("select purge_submitted from v_files where name = 'film.txt'", 20);
    // In between both steps are to be seen: accepted is not complete.
    assert_eq!(world.rows("select pending, submitted, queued from v_files"), [["20", "0", "20"]]);
    let steps = "select action, state, reason_code, count(*) from v_urls group by 1, 2, 3 order by 1";
    assert_eq!(world.rows(steps), [["prefetch", "pending", "awaits_purge", "20"], ["purge", "submitted", "", "20"]]);
    world.wait_for("select complete from v_files where name = 'film.txt' and finished_at is not null", 20);
    assert_eq!(world.rows("select purge_complete, purge_submitted, complete from v_files"), [["20", "0", "20"]]);
    let order: Vec<String> = accepted(&world).into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(order, ["RefreshVodObjectCaches", "PreloadVodObjectCaches"]);
    let late = "select count(*) from v_submissions as p, v_submissions as f
                where p.action = 'purge' and f.action = 'prefetch' and f.opened_at < p.ended_at";
    assert_eq!(world.number(late), 0);
    world.assert_all_accepted(20);
}

#[test]
fn a_purge_that_fails_holds_its_prefetch_which_says_so_and_retry_takes_both() {
    let scenario = QUICK.replace("takes = \"2s\"", "takes = \"1s\"\nfailing = [\"seg-000002\"]");
    let world = World::new(&scenario, &format!("{ALL}retry_failed = 0\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 3)));
    world.wait_for("select complete + held from v_files where name = 'film.txt'", 3);
    world.wait_for("select held from v_files where name = 'film.txt'", 1);
    let held = "select line, action, state, reason_code from v_urls where state in ('held', 'failed') order by action";
    assert_eq!(
        world.rows(held),
        [["4", "prefetch", "held", "purge_ended"], ["4", "purge", "failed", "failed_at_origin"]]
    );
    let story = said(&world.run(&["why", "https://vod.example.com/film/seg-000002.ts"]));
    assert!(story.contains("its purge is failed"), "{story}");
    let retried = said(&world.run(&["retry", "--file", "film.txt"]));
    assert!(retried.contains("2 URLs"), "{retried}");
    world.wait_for("select count(*) from v_submissions where action = 'purge' and outcome = 'accepted'", 2);
    world.wait_for("select held from v_files where name = 'film.txt'", 1);
    assert_eq!(world.rows("select purge_failed, purge_complete from v_files"), [["1", "2"]]);
    // Only the prefetch, whatever became of its purge.
    let retried = said(&world.run(&["retry", "--file", "film.txt", "--action", "prefetch"]));
    assert!(retried.contains("1 URL"), "{retried}");
    world.wait_for("select complete from v_files where name = 'film.txt'", 3);
}

#[test]
fn what_a_file_may_not_ask_for_is_refused_with_what_to_write() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    world.drop_file("purge.txt", format!("#: action = purge\n{}", urls("a", 2)));
    world.drop_file("odd.txt", format!("#: action = regex\n{}", urls("a", 2)));
    world.drop_file(
        "lines.jsonl",
        "{\"url\": \"https://vod.example.com/a.mp4\", \"action\": \"purge\"}\n\
         {\"url\": \"https://vod.example.com/b.mp4\"}\n",
    );
    world.wait_for("select count(*) from v_files where progress <> 'reading'", 3);
    let why =
        world.rows("select name, rejected_code, rejected_why from v_files where progress = 'rejected' order by name");
    assert_eq!((why[0][0].as_str(), why[0][1].as_str()), ("odd.txt", "directive"));
    assert!(why[0][2].contains("purge+prefetch"), "{}", why[0][2]);
    assert_eq!((why[1][0].as_str(), why[1][1].as_str()), ("purge.txt", "action_forbidden"));
    assert!(why[1][2].contains("[spool] actions"), "{}", why[1][2]);
    assert_eq!(world.rows("select queued, refused from v_files where name = 'lines.jsonl'"), [["1", "1"]]);
    let receipt: serde_json::Value =
        serde_json::from_str(&read(&world.spool("done/lines.jsonl.receipt.json"))).unwrap();
    assert_eq!(receipt["reasons"][0]["code"], "action_forbidden");
    assert!(world.account().purge.accepted.is_empty());

    world.configure(ALL);
    let world = World::new("", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("root.txt", "#: action = purge-directory\nhttps://vod.example.com/\nhttps://vod.example.com/a/\n");
    world.wait_for("select refused from v_files where name = 'root.txt' and progress = 'done'", 1);
    let receipt: serde_json::Value = serde_json::from_str(&read(&world.spool("done/root.txt.receipt.json"))).unwrap();
    assert_eq!(receipt["reasons"][0]["code"], "root_directory");
}

#[test]
fn a_missing_permission_to_purge_pauses_purges_alone_and_is_named() {
    let world = World::new("[purge]\nallowed = false", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 3)));
    world.wait_for("select count(*) from v_lanes where paused_code = 'purge_forbidden'", 1);
    world.drop_file("new.txt", urls("new", 5));
    world.wait_for("select submitted + complete from v_status", 5);
    let why = world.rows("select paused_why from v_lanes where action = 'purge'");
    assert!(why[0][0].contains("vod:RefreshVodObjectCaches"), "{why:?}");
    assert_eq!(world.rows("select health, coalesce(paused_why, '') from v_status"), [["running", ""]]);
    assert_eq!(world.number("select pending from v_files where name = 'old.txt'"), 3);
}

#[test]
fn a_purge_makes_what_was_warm_stale_and_a_prefetch_of_it_is_sent_again() {
    let world = World::new(QUICK, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("film", 4));
    world.wait_for("select complete from v_files where name = 'film.txt'", 4);
    world.drop_file("again.txt", urls("film", 4));
    world.wait_for("select fresh from v_files where name = 'again.txt' and progress = 'done'", 4);
    world.drop_file("old.txt", "#: action = purge\nhttps://vod.example.com/film/seg-000001.ts\n");
    world.wait_for("select complete from v_files where name = 'old.txt'", 1);
    world.drop_file("dir.txt", "#: action = purge-directory\nhttps://vod.example.com/other/\n");
    world.wait_for("select complete from v_files where name = 'dir.txt'", 1);
    world.drop_file("anew.txt", urls("film", 4));
    world.wait_for("select fresh from v_files where name = 'anew.txt' and progress = 'done'", 3);
    assert_eq!(world.number("select queued from v_files where name = 'anew.txt'"), 1);
    world.wait_for("select complete from v_files where name = 'anew.txt'", 1);
    world.drop_file("dir2.txt", "#: action = purge-directory\nhttps://vod.example.com/film/\n");
    world.wait_for("select complete from v_files where name = 'dir2.txt'", 1);
    world.drop_file("last.txt", urls("film", 4));
    world.wait_for("select complete from v_files where name = 'last.txt'", 4);
}

#[test]
fn the_forecast_of_a_purge_and_prefetch_is_what_the_service_then_did() {
    // Twenty tasks, so that one batch tells how long a purge takes.
    let scenario = "[purge]\ntakes = \"12s\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\nids_per_batch = 25\n\
                    [limits]\ncalls_per_second = 1000\n";
    let world = World::new(scenario, &format!("{ALL}[schedule]\nlinger = \"0s\"\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("before.txt", format!("#: action = purge\n{}", urls("before", 100)));
    world.wait_for("select complete from v_files where name = 'before.txt'", 100);
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 1_200)));
    world.wait_for("select purge_pending + purge_leased + purge_submitted from v_files where name = 'film.txt'", 1_200);
    let told: serde_json::Value =
        serde_json::from_slice(&world.run(&["forecast", "film.txt", "--json"]).stdout).unwrap();
    let file = &told["files"][0];
    assert_eq!(
        (&file["urls"], &file["submitted"], &file["beyond"]),
        (&1_200.into(), &1_200.into(), &0.into()),
        "{told}"
    );
    world.wait_for("select complete from v_files where name = 'film.txt'", 1_200);
    let sent = world.rows(
        "select min(opened_at), max(opened_at) from v_submissions where action = 'prefetch' and outcome = 'accepted'",
    );
    for (forecast, was) in [(&file["first_at"], &sent[0][0]), (&file["last_at"], &sent[0][1])] {
        let [forecast, was] =
            [forecast.as_str().unwrap(), was].map(|at| chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp());
        assert!((forecast - was).abs() < 60, "forecast {forecast}, was {was}");
    }
}

#[test]
fn an_urgent_purge_does_not_wait_for_a_days_prefetches_and_status_names_both() {
    let world = World::new("", &format!("[api]\nrequests_per_second = 5\n[schedule]\nbatch_urls_max = 10\n{ALL}"));
    let _daemon = world.ready_daemon();
    world.drop_file("day.txt", urls("day", 600));
    world.wait_for("select count(*) > 2 from v_submissions", 1);
    world.drop_file("gone.txt", format!("#: action = purge\n#: priority = urgent\n{}", urls("gone", 3)));
    world.wait_for("select count(*) from v_submissions where action = 'purge' and outcome = 'accepted'", 1);
    assert!(world.number("select pending from v_status") > 100, "the day's prefetches were sent before it");
    let page = said(&world.run(&["status"]));
    assert!(page.contains("purge"), "{page}");
    let json: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["lanes"][0]["action"], "purge");
    let list = said(&world.run(&["submissions", "--action", "purge"]));
    assert!(list.contains("accepted") && list.lines().count() < 8, "{list}");
    // Whoever only prefetches sees nothing of it.
    let alone = World::new("", "");
    let _daemon = alone.ready_daemon();
    alone.drop_file("day.txt", urls("day", 5));
    alone.wait_for("select submitted from v_status", 5);
    let page = said(&alone.run(&["status"])) + &said(&alone.run(&["status", "--json"]));
    assert!(!page.contains("purge") && !page.contains("\"lanes\""), "{page}");
}

#[test]
fn a_crash_between_the_steps_loses_neither_and_doubles_neither() {
    let world = World::new(QUICK, ALL);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 50)));
    world.wait_for("select purge_submitted from v_files", 50);
    daemon.kill();
    let _daemon = world.ready_daemon();
    world.wait_for("select complete from v_files", 50);
    world.assert_all_accepted(50);
    let account = world.account();
    assert_eq!(account.purge.accepted.len(), 50);
    assert!(account.purge.accepted.values().all(|times| *times == 1));
    // Cancelled as a file, both steps end.
    world.drop_file(
        "next.txt",
        format!("#: action = purge+prefetch\n#: not_before = 2099-01-01T00:00:00Z\n{}", urls("n", 4)),
    );
    world.wait_for("select purge_pending from v_files where name = 'next.txt'", 4);
    let _ = world.run(&["cancel", "--file", "next.txt"]);
    assert_eq!(
        world.rows("select cancelled, purge_cancelled, held from v_files where name = 'next.txt'"),
        [["4", "4", "0"]]
    );
}
