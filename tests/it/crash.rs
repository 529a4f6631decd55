//! kill -9 wherever it hurts.

use std::fs;

use crate::support::{World, read, urls};

#[test]
fn kill_9_in_the_middle_of_a_run_and_a_restart_end_with_every_url_accepted() {
    // The third call is on its way for two seconds: it is processed there, and its answer meets nobody.
    let scenario = "[[fault]]\ncalls = [3]\naction = \"delay\"\ndelay = \"2s\"";
    let world = World::new(scenario, "[schedule]\nbatch_urls_max = 100");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    world.wait_for("select count(*) from v_submissions where outcome = 'open' and submission_id = 3", 1);
    world.wait("the sandbox to have seen it", || world.preloads().len() == 3);
    daemon.kill();
    assert_eq!(world.number("select leased from v_status"), 100);

    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 1000);
    world.assert_books_agree();
    // The one in doubt stays charged. It is sent again with its nonce, which the service has seen; its task is found.
    assert_eq!(
        world.rows("select outcome, cost, sends from v_submissions where submission_id = 3"),
        [["accepted", "1", "2"]]
    );
    world.assert_all_accepted_once(1000);
    assert_eq!(world.number("select sum(requests_used) from v_budget"), 10);
    assert_eq!(world.requests_seen(), 10);
    assert_eq!(world.number("select possible_doubles from v_status"), 0);
}

#[test]
fn kill_9_while_a_file_is_read_resumes_where_it_was() {
    let world = World::new("", "[budget]\nrequests_per_day = 1");
    let mut list = String::new();
    for n in 0..120_000 {
        list.push_str(&format!("https://vod.example.com/a/{n:07}.ts\n"));
        if n % 1000 == 0 {
            list.push_str(&format!("bad line {n}\n"));
        }
    }
    let daemon = world.ready_daemon();
    world.drop_file("big.txt", &list);
    world.wait("a part of it to be committed", || world.number("select coalesce(max(lines), 0) from v_files") > 0);
    daemon.kill();
    assert_eq!(world.rows("select progress from v_files"), [["reading"]], "it was too fast for this test");
    assert!(world.spool("work/big.txt").exists());

    let daemon = world.daemon();
    world.wait("the rest", || world.rows("select progress from v_files") == [["done"]]);
    assert_eq!(world.rows("select lines, queued, merged, refused from v_files"), [["120120", "120000", "0", "120"]]);
    assert_eq!(world.number("select count(distinct url) from v_urls"), 120_000);
    let refused = read(&world.spool("done/big.txt.refused.tsv"));
    let numbers: Vec<usize> =
        refused.lines().skip(1).map(|line| line.split('\t').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..120).map(|k| k * 1001 + 2).collect::<Vec<_>>());
    let receipt: serde_json::Value = serde_json::from_str(&read(&world.spool("done/big.txt.receipt.json"))).unwrap();
    assert_eq!((&receipt["reasons"][0]["code"], &receipt["reasons"][0]["lines"]), (&"no_url".into(), &120.into()));
    drop(daemon);
    world.assert_books_agree();
    assert_eq!(read(&world.spool("done/big.txt")), list);
}

#[test]
fn a_file_that_was_claimed_and_not_yet_on_the_books_is_read_after_the_crash() {
    let world = World::new("", "");
    fs::create_dir_all(world.spool("work")).unwrap();
    fs::write(world.spool("work/film.txt"), urls("a", 3)).unwrap();
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 3);
    assert!(world.spool("done/film.txt.receipt.json").exists());
}

#[test]
fn sigterm_finishes_the_call_in_flight() {
    let scenario = "[[fault]]\ncalls = [1]\naction = \"delay\"\ndelay = \"1s\"";
    let world = World::new(scenario, "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select leased from v_status", 5);
    world.stop(daemon);
    assert_eq!(world.number("select submitted from v_status"), 5);
    world.assert_all_accepted_once(5);
}

#[test]
fn a_file_at_whose_reading_the_daemon_died_twice_is_set_aside_and_said() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    // Its head alone takes longer to read than it takes to notice that it is being read.
    let comments = "# a comment that moves no mark\n".repeat(1_500_000);
    world.drop_settled("deadly.txt", format!("{comments}{}", crate::support::urls("d", 1)));
    world.drop_file("good.txt", crate::support::urls("good", 1));
    let starts = "select starts from files where name = 'deadly.txt'";
    world.wait("its reading", || world.try_number(starts) == Some(1));
    daemon.kill();
    let daemon = world.daemon();
    world.wait("its second reading", || world.try_number(starts) == Some(2));
    daemon.kill();
    let _daemon = world.daemon();
    world.wait_for("select count(*) from v_files where name = 'deadly.txt' and progress = 'rejected'", 1);
    world.wait_for("select count(*) from v_files where name = 'good.txt' and progress = 'done'", 1);
    assert_eq!(world.rows("select rejected_code from v_files where name = 'deadly.txt'"), [["deadly"]]);
    let receipt = read(&world.spool("rejected/deadly.txt.receipt.json"));
    assert!(receipt.contains("died twice") && receipt.contains("两次"), "{receipt}");
}
