//! What metrics, notices, the page, status and checks tell of purges beside prefetching, and what else needs somebody.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::http::{LISTEN, address, get};
use crate::support::{World, said, urls};

/// Files may ask for purges.
const ALL: &str = "[spool]\nactions = [\"prefetch\", \"purge\"]\n[track]\nfirst_after = \"1s\"\n\
                   calls_per_second = 100\n";

#[test]
fn metrics_name_the_action_of_each_number_and_only_the_actions_in_use() {
    let world = World::new("[purge]\nurls_per_day = 30\ntakes = \"1s\"\n", &format!("{LISTEN}{ALL}"));
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 50)));
    world.drop_file("new.txt", urls("new", 5));
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'nothing_remains'", 1);
    world.wait_for("select submitted from v_status", 5);
    let page = || get(address(&world), "/metrics");
    let purged = "prefetchd_urls{action=\"purge\",priority=\"normal\",state=\"pending\"}";
    world.wait("the page to show the purges", || {
        let page = page();
        page.metric(purged) == Some(20.0)
            && page.metric("prefetchd_budget_urls_remaining{action=\"purge\"}") == Some(0.0)
            && page.metric("prefetchd_submissions_total{action=\"prefetch\",outcome=\"accepted\"}") == Some(1.0)
    });
    let page = page();
    for (metric, value) in [
        ("prefetchd_urls{action=\"prefetch\",priority=\"normal\",state=\"submitted\"}", 5.0),
        ("prefetchd_budget_urls_used{action=\"purge\"}", 30.0),
        ("prefetchd_budget_urls_used{action=\"prefetch\"}", 5.0),
        ("prefetchd_quota{action=\"purge\"}", 30.0),
        ("prefetchd_quota_unit_info{action=\"purge\",unit=\"urls\"}", 1.0),
        ("prefetchd_submission_urls_total{action=\"purge\",outcome=\"accepted\"}", 30.0),
        ("prefetchd_submission_urls_total{action=\"prefetch\",outcome=\"accepted\"}", 5.0),
        ("prefetchd_submissions_in_doubt{action=\"purge\"}", 0.0),
        ("prefetchd_waiting{action=\"purge\",reason=\"nothing_remains\"}", 1.0),
        ("prefetchd_failures_in_a_row{action=\"purge\"}", 0.0),
    ] {
        assert_eq!(page.metric(metric), Some(value), "{metric}\n{}", page.body);
    }
    assert!(!page.body.contains("action=\"purge-directory"), "nobody may purge directories here: {}", page.body);
    // Who never purges sees prefetching alone.
    let world = World::new("", LISTEN);
    let _daemon = world.ready_daemon();
    let page = get(address(&world), "/metrics");
    assert!(!page.body.contains("action=\"purge"), "{}", page.body);
    assert!(page.body.contains("prefetchd_paused{action=\"prefetch\",reason=\"stopped\"} 0"), "{}", page.body);
}

#[test]
fn a_spent_budget_is_told_with_its_action() {
    let world = World::new("", "");
    let (script, told) = (world.path("tell"), world.path("told"));
    fs::write(&script, format!("#!/bin/sh\ncat >>{}\n", told.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let command = format!("[notify]\ncommand = [\"{}\"]\n", script.display());
    world.configure(&format!("{ALL}[budget.purge]\nurls_per_day = 7\n{command}"));
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n#: priority = urgent\n{}", urls("old", 9)));
    let spent = || {
        let text = fs::read_to_string(&told).unwrap_or_default();
        let objects = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        objects.filter(|object| object["event"] == "budget_spent").collect::<Vec<_>>()
    };
    world.wait("the spent budget to be told", || !spent().is_empty());
    assert_eq!((&spent()[0]["action"], &spent()[0]["urgent"]), (&"purge".into(), &2.into()));
    assert_eq!(spent().len(), 1);
    let log = world.log();
    let line = log.lines().find(|line| line.contains("the budget ran out with urgent URLs waiting")).unwrap();
    assert!(line.contains("action=\"purge\"") || line.contains("action=purge"), "{line}");
}

#[test]
fn purges_that_may_have_been_sent_twice_are_told_apart_from_prefetches() {
    // The service says that the nonce was used, and lists no task: it lost the call.
    let scenario = "
        [[fault]]
        operation = \"purge\"
        calls = [1]
        action = \"drop_before\"
        [[fault]]
        operation = \"purge\"
        calls = [2]
        action = \"error\"
        code = \"SignatureNonceUsed\"";
    let world = World::new(scenario, &format!("{ALL}[budget]\nin_doubt_wait = \"3s\"\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 3)));
    world.wait_for("select coalesce(sum(double_urls), 0) from v_submissions where action = 'purge'", 3);
    assert_eq!(world.number("select possible_doubles from v_status"), 0);
    let report: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(report["lanes"][0]["possible_doubles"], 3, "{report}");
    let page = said(&world.run(&["status"]));
    assert!(page.contains("3 URLs were sent anew"), "{page}");
}

#[test]
fn the_page_shows_the_day_of_each_action_in_use_and_names_them_only_where_there_are_several() {
    let pages = format!("{LISTEN}pages = true\n");
    let world = World::new("[purge]\ntakes = \"1s\"\n", &format!("{pages}{ALL}"));
    let _daemon = world.ready_daemon();
    world.drop_file("new.txt", urls("new", 5));
    world.wait_for("select submitted from v_status", 5);
    let page = || get(address(&world), "/").body;
    world.wait("the page to show the batch", || page().contains("<section id=\"day\">"));
    assert!(!page().contains("Prefetch: the budget day") && !page().contains("day-purge"), "{}", page());
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 7)));
    world.wait_for("select urls_used from v_lanes where action = 'purge'", 7);
    world.wait("the page to show the purge", || page().contains("7 of 2,000 URLs spent"));
    let page = page();
    for part in [
        "<h2>Prefetch: the budget day ",
        "<section id=\"day-purge\">",
        "<h2>Purge: the budget day ",
        "id=\"day-purge-chart-t\"",
        "<small>purge</small>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("day-purge-directory"), "{page}");
}

#[test]
fn the_forecast_of_purges_is_told_beside_that_of_prefetches() {
    let pages = format!("{LISTEN}pages = true\n");
    let world = World::new("[purge]\nurls_per_day = 30\ntakes = \"1s\"\n", &format!("{pages}{ALL}"));
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 50)));
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'nothing_remains'", 1);
    let told = said(&world.run(&["status"]));
    assert!(told.contains("forecast    purge: all sent by "), "{told}");
    let report: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(report["forecast"]["lanes"][0]["submitted"], 20, "{report}");
    let page = || get(address(&world), "/").body;
    world.wait("the page to show the forecast", || page().contains("<dt>Purge: all sent</dt>"));
    assert!(!page().contains("<dt>Prefetch: all sent</dt>"), "{}", page());
}

#[test]
fn a_failed_purge_needs_somebody_and_is_sent_again_as_the_remedy_says() {
    let fault = "[purge]\ntakes = \"1s\"\n[[fault]]\noperation = \"purge\"\nurl_contains = \"/seg-000002.ts\"\n\
                 action = \"error\"\ncode = \"InvalidObjectPath.Malformed\"\n";
    let world = World::new(fault, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 3)));
    world.wait_for("select failed from v_files where name = 'old.txt'", 1);
    let output = world.run(&["status"]);
    let page = said(&output);
    assert_eq!(output.status.code(), Some(1), "{page}");
    assert!(page.contains("purge: 1 failed") && page.contains("urls --state failed --action purge"), "{page}");
    assert!(page.contains("retry --state failed --action purge"), "{page}");
    assert!(world.run(&["retry", "--state", "failed", "--action", "purge"]).status.success());
    world.wait_for("select count(*) from v_orders where command = 'retry'", 1);
}

#[test]
fn check_online_asks_for_what_is_left_of_purges_that_are_allowed_and_names_their_permission() {
    for (product, purge) in [
        ("vod", "vod:RefreshVodObjectCaches"),
        ("cdn", "cdn:RefreshObjectCaches"),
        ("dcdn", "dcdn:RefreshDcdnObjectCaches"),
    ] {
        let api = format!("[api]\nproduct = \"{product}\"\n");
        let world = World::new("", &format!("{api}{ALL}"));
        let output = world.run(&["check", "--online"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains(purge) && told.contains("purge: ") && told.contains(" left today"), "{told}");
        assert!(!told.contains("purge-directory: "), "{told}");
        // Nobody may purge here, so nobody needs the permission.
        let world = World::new("", &api);
        assert!(!said(&world.run(&["check", "--online"])).contains("Refresh"), "{product}");
    }
}

#[test]
fn an_order_that_nobody_carries_out_is_told() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.stop(daemon);
    let order = world.spool("orders/1.json");
    fs::write(&order, "{}").unwrap();
    let told = || said(&world.run(&["status"]));
    assert!(!told().contains("orders/"), "{}", told());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(&order).unwrap().set_modified(old).unwrap();
    assert!(told().contains("1 order of a member waits in orders/"), "{}", told());
}

#[test]
fn a_purge_force_where_no_directory_is_purged_is_warned_of() {
    let world = World::new("", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("head.txt", format!("#: purge_force = true\n{}", urls("a", 3)));
    let line = |url: &str, force: bool| {
        format!("{{\"url\": \"https://vod.example.com/{url}\", \"action\": \"purge\", \"purge_force\": {force}}}\n")
    };
    world.drop_file("lines.jsonl", [line("x.mp4", true), line("y.mp4", false), line("z.mp4", true)].concat());
    world.wait_for("select count(*) from v_files where progress <> 'reading'", 2);
    for (name, lines) in [("head.txt", 1), ("lines.jsonl", 2)] {
        let text = fs::read_to_string(world.spool(&format!("done/{name}.receipt.json"))).unwrap();
        let receipt: serde_json::Value = serde_json::from_str(&text).unwrap();
        let warnings = receipt["warnings"].as_array().unwrap();
        let found = warnings.iter().find(|warning| warning["code"] == "purge_force_ignored");
        assert_eq!(found.unwrap_or_else(|| panic!("{text}"))["lines"], lines, "{text}");
    }
}

#[test]
fn a_purge_that_waits_for_a_days_cost_names_its_own_command() {
    let world = World::new("[quota]\nreadable = false\n", ALL);
    let drop = |name: &str| world.drop_file(&format!("{name}.txt"), format!("#: action = purge\n{}", urls(name, 3)));
    let daemon = world.ready_daemon();
    drop("old");
    world.wait_for("select count(*) from v_urls where state in ('submitted', 'complete')", 3);
    world.stop(daemon);
    for file in ["prefetchd.db", "prefetchd.db-wal", "prefetchd.db-shm"] {
        let _ = fs::remove_file(world.path(file));
    }
    let _daemon = world.daemon();
    world.wait("the second daemon to be ready", || world.count_log("ready version") == 2);
    drop("new");
    world.wait_for("select count(*) from v_lanes where waiting_code = 'ledger_unknown'", 1);
    let report: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    let config = world.path("prefetchd.toml").display().to_string();
    let typed = format!("`prefetchd budget confirm --action purge --config {config}`");
    assert!(report["lanes"][0]["waiting_for"].as_str().unwrap().contains(&typed), "{report}");
    let stored = world.rows("select waiting_for from v_lanes where action = 'purge'");
    assert!(stored[0][0].contains("budget confirm --action purge"), "{stored:?}");
}
