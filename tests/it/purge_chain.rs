//! Prefetches that wait for their purge: nothing waits for what cannot come, and nobody for another's purge.

use chrono::{TimeDelta, Utc};

use crate::support::{Process, World, said, urls};

const ALL: &str = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n[track]\nfirst_after = \"1s\"\n\
                   calls_per_second = 100\nretry_failed = 0\n";

const QUICK: &str = "[purge]\ntakes = \"1s\"\n[tasks]\ntakes = \"1s\"\nlisted_after_seconds = 0.0\n";

/// A configuration in which prefetching has one request, which is spent.
fn spent(scenario: &str, rest: &str) -> (World, Process) {
    let world = World::new(scenario, &format!("{ALL}[budget]\nrequests_per_day = 1\n{rest}"));
    let daemon = world.ready_daemon();
    world.drop_file("first.txt", urls("first", 1));
    world.wait_for("select complete from v_files where name = 'first.txt'", 1);
    (world, daemon)
}

/// From now on prefetching has requests.
fn allow_more(world: &World, daemon: &Process, rest: &str) {
    world.configure(&format!("{ALL}[budget]\nrequests_per_day = 50\n{rest}"));
    let pid = rustix::process::Pid::from_raw(daemon.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

/// Lines of a file that are pending, complete, held and expired.
fn state(world: &World, file: &str) -> Vec<String> {
    let columns = "pending + merged_pending, complete + merged_complete, held + merged_held, expired + merged_expired";
    let rows = world.rows(&format!("select {columns} from v_files where name = '{file}'"));
    rows.into_iter().next().unwrap_or_else(|| vec![String::new(); 4])
}

/// Every counter is what counting gives, in each lane.
fn assert_books_agree(world: &World) {
    for state in prefetchd::model::UrlState::ALL {
        let tally = format!(
            "select t.lane, sum(t.{state}) from tally as t group by t.lane having sum(t.{state}) <>
             (select count(*) from v_urls as u where u.state = '{state}' and t.lane =
                  case u.action when 'prefetch' then 1 when 'purge' then 2 else 3 end)"
        );
        assert_eq!(world.rows(&tally), Vec::<Vec<String>>::new(), "{state} in tally");
        let lines = format!(
            "select count(*) from v_urls as u left join v_wishes as w on w.url_id = u.url_id and w.came = 'first'
             join urls as r on r.url_id = u.url_id and r.first_step = 0
             where coalesce(w.state, u.state) = '{state}'"
        );
        let files = format!("select coalesce(sum({state}), 0) from v_files");
        assert_eq!(world.number(&files), world.number(&lines), "{state} in v_files");
    }
}

#[test]
fn a_line_that_is_added_again_after_its_purge_waits_for_nothing() {
    let (world, daemon) = spent(QUICK, "");
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 2)));
    world.wait_for("select purge_complete from v_files where name = 'film.txt'", 2);
    let mut file = std::fs::OpenOptions::new().append(true).open(world.spool("done/film.txt")).unwrap();
    std::io::Write::write_all(&mut file, urls("film", 2).as_bytes()).unwrap();
    drop(file);
    world.wait_for("select lines from v_files where name = 'film.txt'", 4);
    allow_more(&world, &daemon, "");
    world.wait_for("select complete + merged_complete from v_files where name = 'film.txt'", 4);
    assert_books_agree(&world);
}

#[test]
fn a_prefetch_whose_purge_expires_is_sent_for_whoever_wants_no_purge() {
    let (world, daemon) = spent(QUICK, "[budget.purge]\nurls_per_day = 1\n");
    world.drop_file("burn.txt", format!("#: action = purge\n{}", urls("burn", 1)));
    world.wait_for("select complete from v_files where name = 'burn.txt'", 1);
    let deadline = (Utc::now() + TimeDelta::seconds(8)).to_rfc3339();
    for name in ["one.txt", "two.txt"] {
        let head = format!("#: action = purge+prefetch\n#: deadline = {deadline}\n");
        world.drop_file(name, format!("{head}{}", urls("film", 1)));
        world.wait_for(&format!("select pending + merged_pending from v_files where name = '{name}'"), 1);
    }
    world.drop_file("plain.txt", format!("#: priority = low\n{}", urls("film", 1)));
    world.wait_for("select merged_pending from v_files where name = 'plain.txt'", 1);
    world.wait("the deadline", || state(&world, "one.txt")[3] == "1" && state(&world, "two.txt")[3] == "1");
    allow_more(&world, &daemon, "[budget.purge]\nurls_per_day = 1\n");
    world.wait("its prefetch", || state(&world, "plain.txt")[1] == "1");
    assert_books_agree(&world);
}

#[test]
fn nobody_waits_for_a_purge_that_somebody_else_wants_later() {
    let (world, daemon) = spent(QUICK, "");
    let later = (Utc::now() + TimeDelta::days(3)).to_rfc3339();
    let head = format!("#: action = purge+prefetch\n#: priority = low\n#: not_before = {later}\n");
    world.drop_file("later.txt", format!("{head}{}", urls("film", 2)));
    world.drop_file("low.txt", format!("#: action = purge+prefetch\n#: priority = low\n{}", urls("other", 2)));
    world.wait_for("select count(*) from v_files where pending = 2", 2);
    world.drop_file("urgent.txt", format!("#: priority = urgent\n{}{}", urls("film", 2), urls("other", 2)));
    world.wait_for("select pending from v_files where name = 'urgent.txt'", 4);
    allow_more(&world, &daemon, "");
    world.wait("the urgent ones", || state(&world, "urgent.txt")[1] == "4");
    world.wait("what comes after a purge", || state(&world, "low.txt")[1] == "2");
    assert_eq!(state(&world, "later.txt")[0], "2");
    assert_books_agree(&world);
}

#[test]
fn who_wants_no_purge_is_served_when_the_one_who_did_cancels() {
    let (world, daemon) = spent(QUICK, "[budget.purge]\nurls_per_day = 1\n");
    world.drop_file("burn.txt", format!("#: action = purge\n{}", urls("burn", 1)));
    world.wait_for("select complete from v_files where name = 'burn.txt'", 1);
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 2)));
    world.wait_for("select pending from v_files where name = 'film.txt'", 2);
    world.drop_file("plain.txt", urls("film", 2));
    world.wait_for("select merged_pending from v_files where name = 'plain.txt'", 2);
    assert!(said(&world.run(&["cancel", "--file", "film.txt"])).contains("cancelled"));
    assert_eq!(state(&world, "plain.txt")[..3], ["2", "0", "0"]);
    allow_more(&world, &daemon, "[budget.purge]\nurls_per_day = 1\n");
    world.wait("its prefetch", || state(&world, "plain.txt")[1] == "2");
    assert_books_agree(&world);
}

#[test]
fn what_was_sent_before_a_purge_ended_is_sent_again_for_a_later_line() {
    // A prefetch takes so long that a purge of the same URLs ends before it does.
    let world = World::new("[purge]\ntakes = \"1s\"\n[tasks]\ntakes = \"6s\"\nlisted_after_seconds = 0.0\n", ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("film", 2));
    world.wait_for("select submitted from v_files where name = 'film.txt'", 2);
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("film", 2)));
    world.wait_for("select complete from v_files where name = 'old.txt'", 2);
    world.drop_file("again.txt", urls("film", 2));
    world.wait_for("select queued from v_files where name = 'again.txt'", 2);
    world.wait_for("select count(*) from v_files where complete = 2 and finished_at is not null", 3);
    let sent = world.account().accepted;
    assert!(sent.values().all(|times| *times == 2), "{sent:?}");
    // And what was sent after it is fresh.
    world.drop_file("third.txt", urls("film", 2));
    world.wait_for("select fresh from v_files where name = 'third.txt'", 2);
}

#[test]
fn a_retry_after_the_deadline_sends_the_prefetch_too() {
    let scenario = QUICK.replace("[purge]\n", "[purge]\nfailing = [\"seg-000000\"]\n");
    let world = World::new(&scenario, ALL);
    let _daemon = world.ready_daemon();
    let deadline = (Utc::now() + TimeDelta::seconds(20)).to_rfc3339();
    let head = format!("#: action = purge+prefetch\n#: deadline = {deadline}\n");
    world.drop_file("film.txt", format!("{head}{}", urls("film", 1)));
    world.drop_file("same.txt", format!("{head}{}", urls("film", 1)));
    world.wait("both to be held", || state(&world, "film.txt")[2] == "1" && state(&world, "same.txt")[2] == "1");
    world.wait("the deadline to pass", || Utc::now().to_rfc3339() > deadline);
    assert!(said(&world.run(&["retry", "--file", "film.txt"])).contains("go back"));
    world.wait("the purge to fail again", || {
        world.number("select count(*) from v_submissions where action = 'purge' and ended_at is not null") == 2
    });
    // It waited for its purge, without a deadline that has passed, and is held again.
    world.wait("it to be held again", || state(&world, "film.txt")[2] == "1");
    assert_eq!(state(&world, "film.txt")[3], "0");
    assert_books_agree(&world);
}

#[test]
fn a_retry_of_many_sends_no_prefetch_before_its_purge() {
    let world = World::new(QUICK, ALL);
    let _daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    // The prefetches have lower numbers than the purges, and both do not fit into one transaction of an order.
    world.drop_file("plain.txt", urls("film", 1_500));
    world.wait_for("select pending from v_files where name = 'plain.txt'", 1_500);
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 1_500)));
    world.wait_for("select merged_pending from v_files where name = 'film.txt'", 1_500);
    for args in [["cancel", "--file", "film.txt"], ["cancel", "--file", "plain.txt"], ["retry", "--file", "film.txt"]] {
        let output = world.run(&args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }
    assert!(world.run(&["resume"]).status.success());
    world.wait("all of them", || state(&world, "film.txt")[1] == "1500");
    let early = "select count(*) from v_submissions as f where f.action = 'prefetch' and f.opened_at <
                 (select max(p.ended_at) from v_submissions as p where p.action = 'purge')";
    assert_eq!(world.number(early), 0);
    assert_books_agree(&world);
}

#[test]
fn a_retry_of_what_is_held_for_its_purge_takes_a_purge_along_of_which_nobody_knows_the_end() {
    let scenario = format!("{QUICK}[[task]]\noperation = \"purge\"\nstatus = \"Timeout\"\n");
    let world = World::new(&scenario, ALL);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("#: action = purge+prefetch\n{}", urls("film", 1)));
    world.wait("it to be held", || state(&world, "film.txt")[2] == "1");
    let retried = world.run(&["retry", "--state", "held"]);
    assert!(retried.status.success(), "{}", said(&retried));
    world.wait_for("select count(*) from v_submissions where action = 'purge'", 2);
    assert_eq!(world.rows("select state, reason_code from v_urls where action = 'prefetch'")[0][1], "awaits_purge");
    assert_eq!(world.number("select count(*) from v_submissions where action = 'prefetch'"), 0);
}
