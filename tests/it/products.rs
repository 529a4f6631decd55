//! The three products: each by its own names, limits and spellings of answers, and none in another's database.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{World, said, urls};

/// A tracker that looks soon.
const FAST: &str = "[track]\nfirst_after = \"1s\"\ncalls_per_second = 20\n";

/// What each product calls its operations.
const PRODUCTS: [(&str, &str, &str, &str); 3] = [
    ("vod", "PreloadVodObjectCaches", "DescribeVodRefreshQuota", "DescribeVodUserDomains"),
    ("cdn", "PushObjectCache", "DescribeRefreshQuota", "DescribeUserDomains"),
    ("dcdn", "PreloadDcdnObjectCaches", "DescribeDcdnRefreshQuota", "DescribeDcdnUserDomains"),
];

fn config(product: &str) -> String {
    format!("[api]\nproduct = \"{product}\"\n{FAST}")
}

/// Starts a daemon, the n-th of this world, and stops it.
fn starts(world: &World, n: usize) {
    let daemon = world.daemon();
    world.wait("the daemon to be ready", || world.count_log("ready version") == n);
    world.stop(daemon);
}

#[test]
fn each_product_is_called_by_its_own_names_and_its_urls_become_warm() {
    for (product, prefetch, quota, domains) in PRODUCTS {
        let world = World::new("[tasks]\ntakes = \"1s\"", &config(product));
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 600));
        world.wait_for("select complete from v_files", 600);
        world.assert_books_agree();
        let account = world.account();
        assert_eq!((account.product.as_str(), account.accepted.len()), (product, 600));
        for operation in [prefetch, quota, domains] {
            assert!(account.calls.iter().any(|call| call.operation == operation), "{product} {operation}");
        }
        assert!(account.calls.iter().all(|call| call.code == "OK"), "{product}: {:?}", account.calls);
        world.stop(daemon);
    }
}

#[test]
fn answers_in_other_shapes_are_taken_from_each_product() {
    for (product, ..) in PRODUCTS {
        let scenario = "[tasks]\ntakes = \"1s\"\nstale = true\nrespelled = true\nfailing = [\"seg-000001\"]\n\
                        [answers]\nnumbers_swapped = true\nlower_case = \"all\"\nblock_remain = \"BlockRemain\"\n\
                        missing = [\"TotalCount\"]\n[[task]]\nurl_contains = \"seg-000002\"\nstatus = \"Timeout\"\n\
                        [[task]]\nurl_contains = \"seg-000003\"\nstatus = \"Canceled\"";
        let world = World::new(scenario, &format!("{}retry_failed = 0\n", config(product)));
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 12));
        world.wait_for("select complete from v_files", 9);
        world.wait_for("select failed from v_files", 1);
        world.wait_for("select unconfirmed from v_files", 2);
        let why = world.rows("select reason from v_urls where state = 'unconfirmed' order by reason");
        assert!(why[0][0].contains("Canceled") && why[1][0].contains("Timeout"), "{product} {why:?}");
        world.assert_books_agree();
        world.stop(daemon);
    }
}

/// How often tasks were asked for by ID, and how often they were listed.
fn looks(world: &World) -> (usize, usize) {
    let count = |of: &str| world.account().calls.iter().filter(|call| call.operation.contains(of)).count();
    (count("RefreshTaskById"), count("RefreshTasks"))
}

#[test]
fn tasks_are_asked_for_by_id_and_listed_only_where_that_leaves_something_open() {
    let refused = "[[fault]]\noperation = \"tasks-by-id\"\naction = \"error\"\ncode = \"Forbidden.RAM\"";
    let nothing = "[[fault]]\noperation = \"tasks-by-id\"\naction = \"nothing\"";
    for (product, fault, by_id, lists) in [
        ("cdn", "", 1..9, 0..1),
        ("dcdn", "", 1..9, 0..1),
        ("cdn", refused, 1..2, 1..60),
        ("dcdn", nothing, 2..20, 1..60),
    ] {
        let scenario = format!("[tasks]\ntakes = \"1s\"\nfailing = [\"seg-00000\"]\n{fault}");
        let world = World::new(&scenario, &format!("{}retry_failed = 0\n", config(product)));
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 700));
        world.wait_for("select complete from v_files", 690);
        world.wait_for("select failed from v_files", 10);
        let looks = looks(&world);
        assert!(by_id.contains(&looks.0) && lists.contains(&looks.1), "{product} {fault}: {looks:?}");
        assert_eq!(world.count_log("WARN tasks could not be asked for by ID"), usize::from(fault == refused));
        let unended = "select count(*) from v_tasks where status not in ('Complete', 'Failed')";
        assert_eq!(world.number(unended), 0, "{:?}", world.rows("select * from v_tasks"));
        world.assert_books_agree();
        world.stop(daemon);
    }
}

#[test]
fn a_denial_of_cdn_is_told_apart_by_its_message() {
    for (suspended, fault, part) in [
        (true, "", "is suspended for an overdue payment"),
        (
            false,
            "[[fault]]\naction = \"error\"\ncode = \"OperationDenied\"\n",
            "Alibaba Cloud CDN is not activated for this account",
        ),
    ] {
        let world = World::new(&format!("{fault}[account]\nsuspended = {suspended}"), &config("cdn"));
        let daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 3));
        world.wait_for(&format!("select count(*) from v_status where paused_why like '%{part}%'"), 1);
        world.stop(daemon);
    }
}

#[test]
fn a_missing_permission_is_named_as_the_product_calls_it() {
    let forbidden = "[[fault]]\noperation = \"*\"\naction = \"error\"\ncode = \"Forbidden.RAM\"";
    let world = World::new(forbidden, &config("dcdn"));
    let output = world.run(&["check", "--online"]);
    for part in ["dcdn:DescribeDcdnRefreshQuota", "dcdn:DescribeDcdnUserDomains", "dcdn:DescribeDcdnRefreshTasks"] {
        assert!(said(&output).contains(part), "{}", said(&output));
    }
    let world = World::new("[[fault]]\naction = \"error\"\ncode = \"Forbidden.RAM\"", &config("cdn"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select count(*) from v_status where paused_why like '%cdn:PushObjectCache%'", 1);
    assert!(said(&world.run(&["status"])).contains("cdn:PushObjectCache"), "{}", said(&world.run(&["status"])));
    world.stop(daemon);
}

#[test]
fn a_database_that_holds_anything_is_of_one_product_for_ever() {
    let world = World::new("[tasks]\ntakes = \"1s\"", &config("cdn"));
    starts(&world, 1);
    world.configure(&config("dcdn"));
    assert_eq!(world.run(&["check"]).status.code(), Some(0), "nothing is in it yet");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select complete from v_files", 2);

    // A running daemon keeps its product, and says so.
    world.configure(&format!("{}[log]\nlevel = \"debug\"\n", config("vod")));
    let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    world.wait_for("select config_problem like '%after a restart: [api] product' from v_status", 1);
    world.stop(daemon);

    for args in [["run", "--allow-root"].as_slice(), &["check"]] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        for part in ["[api] product is \"vod\"", "\"dcdn\"", "[database] url", "[spool] dir", "docs/products.md"] {
            assert!(said(&output).contains(part), "{part} is not in {}", said(&output));
        }
    }
    let other = config("vod") + &format!("[database]\nurl = \"sqlite:{}\"\n", world.path("vod.db").display());
    world.configure(&format!("{other}[spool]\ndir = \"{}\"\n", world.path("vod").display()));
    fs::create_dir(world.path("vod")).unwrap();
    starts(&world, 3);
}

#[test]
fn a_database_from_before_there_were_products_is_vods() {
    let world = World::new("[tasks]\ntakes = \"1s\"", FAST);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select complete from v_files", 2);
    world.stop(daemon);
    let forget = std::process::Command::new("sqlite3")
        .arg(world.database())
        .arg("delete from facts where fact = 'product'")
        .status();
    assert!(forget.unwrap().success());
    world.configure(&config("cdn"));
    let output = world.run(&["check"]);
    assert!(output.status.code() == Some(78) && said(&output).contains("\"vod\""), "{}", said(&output));
    world.configure(FAST);
    starts(&world, 2);
}

#[test]
fn each_product_purges_by_its_own_names_and_what_is_prefetched_after_it_is_warm() {
    for (product, prefetch, purge) in [
        ("vod", "PreloadVodObjectCaches", "RefreshVodObjectCaches"),
        ("cdn", "PushObjectCache", "RefreshObjectCaches"),
        ("dcdn", "PreloadDcdnObjectCaches", "RefreshDcdnObjectCaches"),
    ] {
        // Answers in the other shape: numbers as numbers, keys in lower case.
        let scenario = "[tasks]\ntakes = \"1s\"\n[purge]\ntakes = \"1s\"\n\
                        [answers]\nnumbers_swapped = true\nlower_case = \"all\"\nshare = 0.5\n";
        let may = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n";
        let world = World::new(scenario, &format!("{may}{}", config(product)));
        let daemon = world.ready_daemon();
        world.drop_file("old.txt", "#: action = purge-directory\nhttps://vod.example.com/old/\n");
        world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("a", 20)));
        world.wait_for("select complete from v_files where name = 'film.txt'", 20);
        world.wait_for("select complete from v_files where name = 'old.txt'", 1);
        let account = world.account();
        assert_eq!((account.product.as_str(), account.accepted.len()), (product, 20));
        assert_eq!((account.purge.accepted.len(), account.purge_directory.accepted.len()), (20, 1));
        assert_eq!(world.warm().len(), 20, "{product}: each was prefetched after its purge had ended");
        for operation in [prefetch, purge] {
            assert!(account.calls.iter().any(|call| call.operation == operation), "{product} {operation}");
        }
        let used = "select action, urls_used from v_lanes where day is not null order by action";
        assert_eq!(world.rows(used), [["prefetch", "20"], ["purge", "20"], ["purge-directory", "1"]], "{product}");
        world.stop(daemon);
    }
}
