//! Prefetches whose purge cannot come to an end that anybody knows: they are held at once and say why, `wait` ends, and
//! the operator can send them on.

use crate::support::{World, said, urls};

const ALL: &str = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n[track]\nfirst_after = \"1s\"\n\
                   calls_per_second = 100\nretry_failed = 0\n";

const QUICK: &str = "[purge]\ntakes = \"1s\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\n";

/// `wait` of a file ends with 1 and says this.
fn assert_stuck(world: &World, file: &str, why: &str) {
    let waited = world.run(&["wait", file, "--timeout", "100s"]);
    assert_eq!(waited.status.code(), Some(1), "{}", said(&waited));
    assert!(said(&waited).contains(why), "{}", said(&waited));
    let json = world.run(&["wait", file, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["progress"]["holds"][0]["urls"].as_i64() >= Some(1), "{json}");
}

#[test]
fn where_tasks_may_not_be_asked_for_a_prefetch_after_its_purge_is_held_at_once_until_the_operator_sends_it() {
    let scenario = format!("{QUICK}readable = false\n");
    let world = World::new(&scenario, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 3)));
    world.wait_for("select purge_submitted from v_files where name = 'film.txt'", 3);
    let why = "this key may not ask whether it is complete";
    assert_stuck(&world, "film.txt", why);
    for args in [&["status", "film.txt"][..], &["why", "https://vod.example.com/film/seg-000001.ts"]] {
        let text = said(&world.run(args)).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(why) && text.contains("prefetchd retry"), "{args:?}: {text}");
    }
    let text = said(&world.run(&["status", "film.txt", "--lang", "zh"]));
    assert!(text.contains("无权查询"), "{text}");
    // What is purged from now on is held as soon as its purge is accepted.
    world.drop_file("next.txt", format!("#: action = purge+prefetch\n{}", urls("next", 2)));
    world.wait_for("select held from v_files where name = 'next.txt'", 2);
    assert_eq!(world.number("select count(*) from v_submissions where action = 'prefetch'"), 0);
    // The operator has waited long enough.
    let retried = said(&world.run(&["retry", "--file", "film.txt"]));
    assert!(retried.contains("3 URLs"), "{retried}");
    world.wait_for("select submitted from v_files where name = 'film.txt'", 3);
    world.assert_all_accepted(3);
    let account = world.account();
    assert!(account.purge.accepted.values().all(|times| *times == 1), "no purge was sent again: {account:?}");
    assert_eq!(world.number("select held from v_files where name = 'next.txt'"), 2);
}

#[test]
fn a_prefetch_that_was_held_because_nobody_could_ask_goes_once_its_purge_is_known_to_be_complete() {
    let scenario = format!("{QUICK}readable = false\n[[change]]\nafter = \"10s\"\ntasks_readable = true\n");
    let world = World::new(&scenario, ALL);
    let started = std::time::Instant::now();
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 3)));
    world.wait_for("select held from v_files where name = 'film.txt'", 3);
    world.wait("the permission", || started.elapsed() > std::time::Duration::from_secs(11));
    // As another key would, of which nobody knows what it may.
    world.block_on(async {
        let store = prefetchd::store::Store::open(&world.database()).await.unwrap();
        let mut tx = store.write().await.unwrap();
        prefetchd::ledger::forget_refusals_tx(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    });
    world.wait_for("select complete from v_files where name = 'film.txt'", 3);
    world.assert_all_accepted(3);
}

#[test]
fn a_purge_that_is_held_holds_its_prefetch_and_wait_says_so() {
    let scenario = format!(
        "{QUICK}[[fault]]\noperation = \"purge\"\naction = \"error\"\ncode = \"Weird.Code\"\nstatus = 400\n\
         url_contains = \"seg-000001\"\n"
    );
    let world = World::new(&scenario, &format!("{ALL}[retry]\nattempts_max = 1\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 3)));
    world.wait_for("select purge_held from v_files where name = 'film.txt'", 1);
    assert_stuck(&world, "film.txt", "its purge is held");
    world.wait_for("select complete from v_files where name = 'film.txt'", 2);
    let story = said(&world.run(&["why", "https://vod.example.com/film/seg-000001.ts"]));
    assert!(story.contains("its purge is held"), "{story}");
}
