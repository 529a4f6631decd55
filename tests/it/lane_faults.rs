//! What goes wrong in one lane stops no other, and the lane itself goes on as soon as it can.

use prefetchd::ledger::{self, Fact};
use prefetchd::model::{AccountFault, Lane, PauseWhy};
use prefetchd::store::Store;

use crate::support::{World, said, urls};

/// Files may ask for purges.
const ALL: &str = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n[track]\nfirst_after = \"1s\"\n\
                   calls_per_second = 100\n";

#[test]
fn what_is_known_of_a_paused_lane_does_not_keep_others_from_ending() {
    // The second purge finds that this key may not purge any more; the first is not over.
    let scenario = "[purge]\ntakes = \"1h\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\n\
                    [[fault]]\noperation = \"purge\"\ncalls = [2]\naction = \"error\"\ncode = \"Forbidden.RAM\"\n";
    let world = World::new(scenario, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 3)));
    world.wait_for("select submitted from v_files where name = 'old.txt'", 3);
    world.drop_file("gone.txt", format!("#: action = purge\n{}", urls("gone", 3)));
    world.wait_for("select count(*) from v_lanes where paused_code = 'purge_forbidden'", 1);
    world.drop_file("new.txt", urls("new", 5));
    world.wait_for("select complete from v_status", 5);
    assert_eq!(world.number("select count(*) from v_lanes where paused_code = 'purge_forbidden'"), 1);
}

#[test]
fn held_suspects_of_purges_go_on_when_there_are_requests_for_isolation_again() {
    let scenario = "[[fault]]\noperation = \"purge\"\nurl_contains = \"/seg-000003.ts\"\naction = \"error\"\n\
                    code = \"InvalidObjectPath.Malformed\"\n[purge]\ntakes = \"1s\"\n";
    let world = World::new(scenario, &format!("{ALL}[retry]\nisolate_requests_max = 0\n"));
    let daemon = world.ready_daemon();
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("old", 20)));
    world.wait_for("select held from v_lanes where action = 'purge'", 20);
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'isolation_spent'", 1);
    drop(daemon);
    world.configure(ALL);
    let _daemon = world.daemon();
    world.wait_for("select submitted + complete from v_files where name = 'old.txt'", 19);
    world.wait_for("select failed from v_files where name = 'old.txt'", 1);
}

#[test]
fn purges_obey_the_operators_size_of_a_batch_and_are_divided_only_for_what_divides_them() {
    let world = World::new("", &format!("{ALL}[schedule]\nbatch_urls_max = 10\n"));
    let _daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    let dirs: String = (1..=4).map(|n| format!("https://vod.example.com/films/{n:03}/\n")).collect();
    world.drop_file("a.txt", format!("#: action = purge\n{}", urls("a", 12)));
    world.drop_file("b.txt", format!("#: action = purge\n#: purge_force = true\n{}", urls("b", 8)));
    world.drop_file("c.txt", format!("#: purge_force = true\n{}", urls("c", 3)));
    world.drop_file("d.txt", urls("d", 4));
    world.drop_file("e.txt", format!("#: action = purge-directory\n{dirs}"));
    world.drop_file("f.txt", "#: action = purge-directory\n#: purge_force = true\nhttps://vod.example.com/f/\n");
    world.wait_for("select count(*) from v_urls where state = 'pending'", 32);
    assert!(world.run(&["resume"]).status.success());
    world.wait_for("select count(*) from v_urls where state in ('submitted', 'complete')", 32);
    let batches = "select action, count(*), max(urls) from v_submissions group by 1 order by 1";
    assert_eq!(world.rows(batches), [["prefetch", "1", "7"], ["purge", "2", "10"], ["purge-directory", "2", "4"]]);
}

#[test]
fn what_purges_cost_in_a_lost_database_is_told_and_confirmed_by_lane() {
    let world = World::new("[quota]\nreadable = false\n", ALL);
    let drop = |name: &str| {
        world.drop_file(&format!("{name}.txt"), format!("#: action = purge\n{}", urls(name, 3)));
        let directory = format!("#: action = purge-directory\nhttps://vod.example.com/{name}/\n");
        world.drop_file(&format!("{name}-dir.txt"), directory);
    };
    let daemon = world.ready_daemon();
    drop("old");
    world.wait_for("select count(*) from v_urls where state in ('submitted', 'complete')", 4);
    world.stop(daemon);
    for file in ["prefetchd.db", "prefetchd.db-wal", "prefetchd.db-shm"] {
        let _ = std::fs::remove_file(world.path(file));
    }
    let _daemon = world.daemon();
    world.wait("the second daemon to be ready", || world.count_log("ready version") == 2);
    drop("new");
    world.wait_for("select count(*) from v_lanes where waiting_code = 'ledger_unknown'", 2);
    let status = world.run(&["status"]);
    let page = said(&status);
    assert_eq!(status.status.code(), Some(1), "{page}");
    for part in ["budget confirm --action purge ", "budget confirm --action purge-directory "] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Nothing needs you") && !page.contains("queue is empty"), "{page}");
    let confirm = |more: &[&str]| world.run(&[&["budget", "confirm"][..], more].concat());
    assert_eq!(confirm(&["--action", "purge", "--requests-used", "7"]).status.code(), Some(64));
    let told = said(&confirm(&["--action", "purge"]));
    assert!(told.contains("on purge;"), "{told}");
    world.wait_for("select count(*) from v_urls where action = 'purge' and state in ('submitted', 'complete')", 3);
    assert_eq!(world.number("select count(*) from v_lanes where unsure = 1"), 1);
    let told = said(&confirm(&[]));
    assert!(told.contains("on purge-directory;"), "{told}");
    world.wait_for("select count(*) from v_urls where state in ('submitted', 'complete')", 4);
    assert_eq!(confirm(&[]).status.code(), Some(65));
}

#[test]
fn an_action_that_there_is_not_is_answered_with_those_there_are() {
    let world = World::new("", ALL);
    let list = world.path("list.txt");
    std::fs::write(&list, urls("a", 1)).unwrap();
    let refused = world.run(&["add", "--action", "bogus", list.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("prefetch, purge, purge-directory, purge+prefetch"), "{told}");
    let _daemon = world.ready_daemon();
    world.drop_file("lines.jsonl", "{\"url\": \"https://vod.example.com/a.mp4\", \"action\": \"bogus\"}\n");
    world.wait_for("select count(*) from v_files where progress = 'rejected'", 1);
    let why = world.rows("select rejected_why from v_files");
    assert!(why[0][0].contains("purge+prefetch"), "{why:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_tell_what_is_left_of_one_lane_is_no_refusal_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let readable = async |lane| {
        let mut conn = store.read().acquire().await.unwrap();
        ledger::standing(&mut conn, lane, now).await.unwrap().quota_readable
    };
    for (fact, prefetch, directories) in
        [(Fact::QuotaTold(false), true, true), (Fact::QuotaReadable(false), false, false)]
    {
        let mut tx = store.write().await.unwrap();
        ledger::note_fact_tx(&mut tx, Lane::Purge, fact, now).await.unwrap();
        tx.commit().await.unwrap();
        let told = [readable(Lane::Prefetch).await, readable(Lane::Purge).await, readable(Lane::PurgeDirectory).await];
        assert_eq!(told, [prefetch, false, directories], "{fact:?}");
    }
}

#[tokio::test]
async fn a_fault_of_the_account_is_told_once_and_counts_once_whatever_lanes_meet_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut tx = store.write().await.unwrap();
    let told = "select count(*) from notices where event like ?1";
    for (lane, fault, paused, resumed) in [
        (Lane::Prefetch, AccountFault::Suspended, 1_i64, 0_i64),
        (Lane::Purge, AccountFault::Suspended, 1, 0),
        (Lane::PurgeDirectory, AccountFault::PurgeForbidden, 1, 0),
    ] {
        ledger::pause_account_tx(&mut tx, lane, &PauseWhy::Account(fault), now, now).await.unwrap();
        for (event, times) in [("%\"paused\"%", paused), ("%\"resumed\"%", resumed)] {
            let count: i64 = prefetchd::store::query_scalar(told).bind(event).fetch_one(tx.conn()).await.unwrap();
            assert_eq!(count, times, "{lane:?} {event}");
        }
    }
    tx.commit().await.unwrap();
    let mut conn = store.read().acquire().await.unwrap();
    for lane in [Lane::Prefetch, Lane::Purge] {
        assert_eq!(ledger::standing(&mut conn, lane, now).await.unwrap().probes, 1, "{lane:?}");
    }
}

#[test]
fn a_number_of_the_operators_that_the_quota_does_not_reach_starves_no_lane() {
    // Somebody else purged one of them, so that a batch as large as the number is refused on each day.
    for number in ["6", "\"unlimited\""] {
        let scenario = "[purge]\ndirectories_per_day = 6\ndirectories_used = 1\ntakes = \"1s\"\n";
        let world = World::new(scenario, &format!("{ALL}[budget.purge_directory]\ndirectories_per_day = {number}\n"));
        let _daemon = world.ready_daemon();
        let dirs: String = (1..=6).map(|n| format!("https://vod.example.com/films/{n:03}/\n")).collect();
        world.drop_file("dirs.txt", format!("#: action = purge-directory\n{dirs}"));
        world.wait_for("select complete from v_files where name = 'dirs.txt'", 5);
        world.wait_for("select pending from v_files where name = 'dirs.txt'", 1);
    }
}

#[test]
fn a_lane_whose_submissions_were_forgotten_after_their_retention_is_not_called_restored() {
    let world = World::new("", ALL);
    world.block_on(async {
        let store = Store::open(&world.database()).await.unwrap();
        let config = prefetchd::config::Config::from_toml("").unwrap();
        let policy = prefetchd::service::policy(&config, Lane::Purge);
        let now: prefetchd::model::Time = "2026-11-24T06:00:00Z".parse().unwrap();
        let mark = |day: &str| ledger::Mark {
            date: day.parse().unwrap(),
            requests: 5,
            submission: prefetchd::model::SubmissionId(7),
        };
        let is_lost = async |day| ledger::reconcile(&store, &policy, Some(mark(day)), now).await.unwrap();
        // Its day is known, and its submissions are not: they were forgotten.
        let day = "insert into budget_days (lane, day, starts_at, ends_at, requests_limit, urls_used)
                   values (2, '2026-08-20', 0, 1, 500, 5), (2, '2026-11-24', 0, 1, 500, 5),
                          (2, '2026-08-22', 0, 1, 500, 4)";
        let mut tx = store.write().await.unwrap();
        prefetchd::store::query(day).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_lost("2026-08-20").await);
        // What is of today was not forgotten, and a day that nobody knows was lost.
        assert!(is_lost("2026-11-24").await && is_lost("2026-08-21").await);
        // An older copy knows less of the day's cost, however long ago that was by a clock that may be wrong.
        assert!(is_lost("2026-08-22").await);
    });
}

#[test]
fn a_url_is_the_same_resource_with_either_scheme_when_it_was_purged() {
    let world = World::new("[purge]\ntakes = \"1s\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\n", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("film", 2));
    world.wait_for("select complete from v_files where name = 'film.txt'", 2);
    world.drop_file("old.txt", "#: action = purge\nhttp://vod.example.com/film/seg-000001.ts\n");
    world.wait_for("select complete from v_files where name = 'old.txt'", 1);
    world.drop_file("again.txt", urls("film", 2));
    world.wait_for("select queued + fresh from v_files where name = 'again.txt' and progress = 'done'", 2);
    assert_eq!(world.rows("select queued, fresh from v_files where name = 'again.txt'"), [["1", "1"]]);
    world.wait_for("select complete from v_files where name = 'again.txt'", 1);
    world.drop_file("dir.txt", "#: action = purge-directory\nvod.example.com/film/\n");
    world.wait_for("select complete from v_files where name = 'dir.txt'", 1);
    world.drop_file("last.txt", urls("film", 2));
    world.wait_for("select complete from v_files where name = 'last.txt'", 2);
}
