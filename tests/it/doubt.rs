//! Calls whose answer never came: charged, looked into, and hardly ever sent twice.

use crate::support::{World, said, urls};

const ONE_LOST: &str = "[[fault]]\ncalls = [1]\n";

#[test]
fn a_call_that_never_arrived_is_sent_again_with_the_same_nonce_at_no_further_cost() {
    let world = World::new(&format!("{ONE_LOST}action = \"drop_before\""), "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    let calls = world.preloads();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].nonce, calls[1].nonce);
    assert_eq!(world.rows("select outcome, cost, sends from v_submissions"), [["accepted", "1", "2"]]);
    assert_eq!(world.number("select requests_used from v_budget"), 1);
    world.assert_all_accepted_once(5);
    world.assert_books_agree();
}

#[test]
fn a_call_that_arrived_is_found_by_its_tasks() {
    // Tasks are listed late, as the real service's are.
    let scenario = format!("{ONE_LOST}action = \"drop_after\"\n[tasks]\nlisted_after_seconds = 3.0\nids_per_batch = 2");
    let world = World::new(&scenario, "[budget]\nin_doubt_wait = \"30s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 6));
    // Others go on while one is in doubt.
    world.wait_for("select in_doubt from v_status", 1);
    world.drop_file("other.txt", urls("b", 4));
    world.wait_for("select submitted from v_files where name = 'other.txt'", 4);
    world.wait_for("select submitted from v_status", 10);
    let nonces: Vec<String> = world.preloads().into_iter().map(|call| call.code).collect();
    assert_eq!(nonces.iter().filter(|code| *code == "SignatureNonceUsed").count(), 1, "{nonces:?}");
    let theirs = world.preloads()[0].task_ids.clone().unwrap();
    assert_eq!(
        world.rows("select outcome, sends, task_ids from v_submissions where submission_id = 1"),
        [["accepted", "2", theirs.as_str()]]
    );
    world.assert_all_accepted_once(10);
    world.assert_books_agree();
}

#[test]
fn what_is_not_listed_in_time_is_sent_anew_under_a_new_charge_and_counted() {
    // The service says that the nonce was used, and lists no task: it lost the call.
    let scenario = "
        [[fault]]
        calls = [1]
        action = \"drop_before\"
        [[fault]]
        calls = [2]
        action = \"error\"
        code = \"SignatureNonceUsed\"";
    let world = World::new(scenario, "[budget]\nin_doubt_wait = \"3s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    assert_eq!(
        world.rows("select outcome, cost, double_urls from v_submissions order by submission_id"),
        [["in_doubt", "1", "5"], ["accepted", "1", "0"]]
    );
    assert_eq!(world.number("select possible_doubles from v_status"), 5);
    assert_eq!(world.number("select requests_used from v_budget"), 2);
    world.assert_books_agree();
}

/// The call is lost, also its copy, and somebody else prefetches these of its URLs.
fn with_foreign_tasks(foreign: &str) -> World {
    let scenario = format!(
        "[[fault]]
         calls = [1]
         action = \"drop_before\"
         [[fault]]
         calls = [2]
         action = \"error\"
         code = \"SignatureNonceUsed\"
         [[foreign]]
         {foreign}"
    );
    let world = World::new(&scenario, "[budget]\nin_doubt_wait = \"3s\"");
    world.drop_file("film.txt", urls("a", 100));
    world
}

#[test]
fn a_colleagues_prefetch_of_some_of_its_urls_does_not_settle_a_batch_in_doubt() {
    for listed in [1, 99] {
        let world = with_foreign_tasks(&format!("first_url_of_call = 1\ncount = {listed}"));
        let _daemon = world.ready_daemon();
        world.wait_for("select count(*) from v_submissions where outcome = 'in_doubt' and set_aside is not null", 1);
        let story = world.run(&["why", "https://vod.example.com/a/seg-000000.ts"]);
        assert!(String::from_utf8_lossy(&story.stdout).contains("does not fit it"), "{}", said(&story));
        world.wait_for("select submitted from v_status", 100);
        let closed = "select outcome, cost, double_urls from v_submissions order by submission_id";
        assert_eq!(world.rows(closed), [["in_doubt", "1", "100"], ["accepted", "1", "0"]], "{listed} listed");
        assert_eq!(world.count_log("tasks that do not fit a batch in doubt are set aside"), 1);
        world.assert_all_accepted_once(100);
        world.assert_books_agree();
    }
}

#[test]
fn a_batch_whose_tasks_are_split_and_shared_is_found_by_them() {
    // Somebody else's task of its first URL is no obstacle.
    let scenario = format!(
        "{ONE_LOST}action = \"drop_after\"
         [tasks]
         ids_per_batch = 5
         respelled = true
         strict_times = true
         [[foreign]]
         first_url_of_call = 1
         count = 3"
    );
    let world = World::new(&scenario, "[budget]\nin_doubt_wait = \"30s\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 123));
    world.wait_for("select submitted from v_status", 123);
    assert_eq!(world.rows("select outcome, double_urls from v_submissions"), [["accepted", "0"]]);
    let theirs = world.preloads()[0].task_ids.clone().unwrap();
    assert_eq!(world.rows("select task_ids, set_aside is null from v_submissions"), [[theirs.as_str(), "1"]]);
    world.assert_all_accepted_once(123);
    world.assert_books_agree();
}

/// The answer is lost, and this key may not ask for tasks.
fn blind(config: &str) -> World {
    let scenario = "
        [[fault]]
        calls = [1]
        action = \"drop_after\"
        [[fault]]
        operation = \"DescribeVodRefreshTasks\"
        action = \"error\"
        code = \"Forbidden.RAM\"";
    let world = World::new(scenario, config);
    world.drop_file("film.txt", urls("a", 5));
    world
}

#[test]
fn where_tasks_may_not_be_asked_for_the_batch_is_sent_anew_or_held() {
    let world = blind("");
    let _daemon = world.ready_daemon();
    world.wait_for("select submitted from v_status", 5);
    assert_eq!(world.rows("select outcome from v_submissions order by submission_id"), [["in_doubt"], ["accepted"]]);
    let account = world.account();
    assert!(account.accepted.values().all(|times| *times == 2), "{:?}", account.accepted);
    assert_eq!(world.number("select possible_doubles from v_status"), 5);
    world.assert_books_agree();

    let world = blind("[budget]\nin_doubt = \"hold\"");
    let _daemon = world.ready_daemon();
    world.wait_for("select held from v_status", 5);
    assert!(world.rows("select reason from v_urls limit 1")[0][0].contains("may have been accepted"));
    assert_eq!(world.number("select possible_doubles from v_status"), 0);
    world.assert_all_accepted(5);
    world.assert_books_agree();
}

#[test]
fn a_task_that_was_made_seconds_before_the_call_is_somebody_elses() {
    let fault = "[[fault]]\ncalls = [1]\naction = \"drop_before\"\n\
                 [[fault]]\ncalls = [2]\naction = \"error\"\ncode = \"SignatureNonceUsed\"\n\
                 [[foreign]]\nurls = [\"https://vod.example.com/a/seg-000000.ts\"]";
    let world = World::new(fault, "[budget]\nin_doubt_wait = \"3s\"");
    let made = chrono::Utc::now();
    let _daemon = world.ready_daemon();
    world.wait("some seconds to pass", || chrono::Utc::now() > made + chrono::TimeDelta::seconds(8));
    world.drop_file("film.txt", urls("a", 1));
    world.wait_for("select submitted + complete from v_status", 1);
    let closed = "select outcome, cost, double_urls from v_submissions order by submission_id";
    assert_eq!(world.rows(closed), [["in_doubt", "1", "1"], ["accepted", "1", "0"]], "{}", world.log());
}

#[test]
fn what_is_held_after_its_last_attempt_is_no_double() {
    let fault = "[[fault]]\ncalls = [1, 3]\naction = \"drop_before\"\n\
                 [[fault]]\ncalls = [2, 4]\naction = \"error\"\ncode = \"SignatureNonceUsed\"";
    let world = World::new(fault, "[budget]\nin_doubt_wait = \"1s\"\n[retry]\nattempts_max = 2");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select held from v_status", 5);
    let closed = "select outcome, double_urls from v_submissions order by submission_id";
    assert_eq!(world.rows(closed), [["in_doubt", "5"], ["in_doubt", "0"]]);
    world.assert_books_agree();
}

#[test]
fn no_copy_leaves_of_whose_charge_the_marker_does_not_know() {
    let world = World::new("", "[schedule]\nlinger = \"0s\"\n");
    let _daemon = world.ready_daemon();
    // Nobody can write into a folder as into a file, not even root.
    let marker = world.spool(".ledger");
    std::fs::create_dir(&marker).unwrap();
    world.drop_file("film.txt", urls("a", 10));
    world.wait("the call and its copy to wait", || world.count_log("marker could not be written") >= 2);
    assert_eq!(world.requests_seen(), 0);
    std::fs::remove_dir(&marker).unwrap();
    world.wait_for("select submitted + complete from v_status", 10);
    world.assert_all_accepted(10);
    assert!(marker.is_file());
}
