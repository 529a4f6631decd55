//! What metrics, notices and status tell of purges beside prefetching.

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
