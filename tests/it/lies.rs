//! A service that lies about the time, and machines whose clock is wrong: no second budget, nothing expired, nothing
//! failed, nothing sent before its time.

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{World, urls};

/// Moments that no answer may make anybody believe in: the far future, tomorrow, the distant past.
const FALSE_DATES: [&str; 4] = ["9999-12-31T23:59:59Z", "2037-01-01T00:00:00Z", "+1d", "1970-01-01T00:00:00Z"];

/// An account whose day resets at `reset`, by the service's clock.
struct Reset {
    /// By this machine's clock.
    at: DateTime<Utc>,
    day_starts: String,
}

/// The service's clock is ahead of this machine's by `offset` seconds, and its day begins `seconds` from now.
fn reset_in(seconds: i64, offset: i64) -> Reset {
    let at = Utc::now() + TimeDelta::seconds(seconds);
    let shown = at + TimeDelta::seconds(offset);
    Reset { at, day_starts: format!("day_starts = \"{}+00:00\"", shown.format("%H:%M:%S")) }
}

/// On no day, by its own clock, has the service performed more calls than the budget has, and each is charged to the
/// day on which it was performed.
fn assert_no_day_is_overspent(world: &World, budget: u64) {
    for (day, seen) in world.account().days {
        let charged = world.try_number(&format!("select requests_used from v_budget where day = '{day}'")).unwrap_or(0);
        assert!(
            seen.requests_seen <= charged.unsigned_abs() && seen.requests_seen <= budget,
            "{day}: the service performed {} of {budget} calls, and {charged} are charged;\n{}",
            seen.requests_seen,
            world.log()
        );
    }
}

/// A machine whose clock differs by a few seconds, across the service's reset: on the new day the service sees one
/// budget.
fn across_the_reset_with_a_clock_that_is(offset: i64) {
    let reset = reset_in(5, offset);
    let world = World::new(
        &format!("[clock]\noffset = \"{offset}s\"\n[quota]\n{}\n[limits]\ncalls_per_second = 1000", reset.day_starts),
        &format!(
            "[api]\nrequests_per_second = 100\ntimeout = \"1s\"\n[budget]\nrequests_per_day = 30\n{}\n\
             [schedule]\nbatch_urls_max = 1\nlinger = \"0s\"",
            reset.day_starts
        ),
    );
    let first_day = world.account().day;
    let _daemon = world.ready_daemon();
    // Before the service's day turns, or after it, but before this machine's does.
    if offset > 0 {
        world.wait("the service's day to turn", || world.account().day != first_day);
    }
    world.drop_file("film.txt", urls("a", 200));
    // What is wrong shows once both days have turned.
    let both = reset.at + TimeDelta::seconds(offset.abs() + 6);
    world.wait("both days to have turned", || Utc::now() > both);
    world.waits_for("all 30 requests");
    let account = world.account();
    assert_ne!(account.day, first_day);
    assert_eq!(account.days[&account.day].requests_seen, 30, "all of the new day is used;\n{}", world.log());
    assert_no_day_is_overspent(&world, 30);
}

#[test]
fn a_machine_whose_clock_is_slow_spends_one_budget_on_the_services_new_day() {
    across_the_reset_with_a_clock_that_is(12);
}

#[test]
fn a_machine_whose_clock_is_fast_spends_one_budget_on_each_of_the_services_days() {
    across_the_reset_with_a_clock_that_is(-12);
}

/// A file whose deadline is 20 hours away, and a daemon that meets `fault` on the way.
fn with_a_false_date(fault: &str, date: &str) -> World {
    let scenario = format!("[[fault]]\n{fault}\ndate = \"{date}\"");
    let world =
        World::new(&scenario, "[budget]\nrequests_per_day = 8\n[schedule]\nbatch_urls_max = 10\nlinger = \"0s\"");
    let deadline = (Utc::now() + TimeDelta::hours(20)).format("%Y-%m-%dT%H:%M:%SZ");
    world.drop_settled("film.txt", format!("#: deadline = {deadline}\n{}", urls("a", 50)));
    world
}

/// All were sent, none expired or failed, and no wait that is written down lies beyond the next reset and an hour.
fn assert_the_lie_was_not_believed(world: &World, date: &str) {
    world.wait_for("select submitted + complete from v_status", 50);
    assert_eq!(world.rows("select expired, failed, held from v_status"), [["0", "0", "0"]], "{date}");
    let bound = (Utc::now() + TimeDelta::hours(25)).timestamp_millis();
    for wait in ["backoff_until", "probe_at"] {
        let stored = world.number(&format!("select coalesce({wait}, 0) from account"));
        assert!(stored < bound, "{date}: {wait} is {stored}");
    }
    world.wait("it to wait for nothing in the far future", || {
        world.rows("select coalesce(waiting_until, '') from v_status")[0][0]
            < (Utc::now() + TimeDelta::hours(25)).to_rfc3339()
    });
    assert_no_day_is_overspent(world, 8);
}

#[test]
fn a_gateways_page_with_a_false_date_is_no_word_on_the_time() {
    for date in FALSE_DATES {
        let world = with_a_false_date("calls = [1]\naction = \"html\"\nstatus = 502", date);
        let _daemon = world.daemon();
        assert_the_lie_was_not_believed(&world, date);
    }
}

#[test]
fn an_accepted_answer_with_a_false_date_changes_nothing() {
    for date in FALSE_DATES {
        let world = with_a_false_date("calls = [2]\naction = \"pass\"", date);
        let _daemon = world.daemon();
        assert_the_lie_was_not_believed(&world, date);
        assert_eq!(world.number("select count(*) from v_budget"), 1, "{date}: one day was charged");
    }
}

#[test]
fn the_very_first_answer_may_be_the_false_one() {
    for date in FALSE_DATES {
        let world = with_a_false_date("operation = \"*\"\ncalls = [1]\naction = \"pass\"", date);
        let _daemon = world.daemon();
        assert_the_lie_was_not_believed(&world, date);
    }
}

#[test]
fn answers_about_tasks_with_a_false_date_fail_nothing() {
    for fault in ["action = \"pass\"", "action = \"html\"\nstatus = 502"] {
        let scenario = format!(
            "[tasks]\ntakes = \"2s\"\n[[fault]]\noperation = \"DescribeVodRefreshTasks\"\ncalls = [1, 3]\n{fault}\n\
             date = \"+4d\""
        );
        let world = World::new(
            &scenario,
            "[schedule]\nbatch_urls_max = 100\n[track]\nfirst_after = \"1s\"\nretry_after = \"1s\"",
        );
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 300));
        world.wait("all of them to end", || world.try_number("select complete + failed from v_status") == Some(300));
        assert_eq!(world.rows("select complete, failed from v_status"), [["300", "0"]], "{fault}");
        world.assert_books_agree();
    }
}

#[test]
fn a_wait_that_a_wrong_clock_wrote_ends_at_its_bound_before_anybody_was_asked() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.stop(daemon);
    let wrong = "update account set backoff_until = 253402300799000, backoff_failures = 1, backoff_why = 'a lie'";
    assert!(Command::new("sqlite3").arg(world.database()).arg(wrong).status().unwrap().success());
    world.drop_settled("film.txt", urls("a", 5));
    let _daemon = world.daemon();
    let bound = (Utc::now() + TimeDelta::hours(1) + TimeDelta::minutes(2)).timestamp_millis();
    world.wait("the wait to be cut", || {
        world.try_number("select backoff_until from account").is_some_and(|until| until < bound)
    });
}

#[test]
fn a_clock_a_day_ahead_at_the_start_expires_nothing_and_releases_nothing_before_the_service_was_asked() {
    let world = World::new("[clock]\noffset = \"-1d\"", "[schedule]\nlinger = \"0s\"");
    let in_twelve_hours = (Utc::now() - TimeDelta::hours(12)).format("%Y-%m-%dT%H:%M:%SZ");
    world.drop_settled("due.txt", format!("#: deadline = {in_twelve_hours}\n{}", urls("due", 5)));
    world.drop_settled("later.txt", format!("#: not_before = {in_twelve_hours}\n{}", urls("later", 5)));
    let _daemon = world.daemon();
    world.wait_for("select submitted + complete from v_files where name = 'due.txt'", 5);
    world.wait("it to wait for the later ones", || {
        world.rows("select coalesce(waiting_for, '') from v_status")[0][0].contains("until their time has come")
            || world.rows("select coalesce(waiting_until, '') from v_status")[0][0].len() > 10
    });
    assert_eq!(world.rows("select pending, expired from v_status"), [["5", "0"]]);
    assert_eq!(world.account().accepted.len(), 5);
    assert_no_day_is_overspent(&world, 500);
}

#[test]
fn a_call_that_is_performed_after_the_reset_is_charged_to_the_day_on_which_it_was_performed() {
    // Copies before the reset are lost; the first one is performed after it.
    let copies = "[[fault]]\nurl_contains = \"/late/\"\ntimes = 20\naction = \"drop_before\"";
    let world = a_call_is_performed_after_the_reset("", copies);
    assert_no_day_is_overspent(&world, 3);
    assert!(world.account().accepted.values().all(|times| *times == 1), "{:?}", world.account().accepted);
}

#[test]
fn a_call_that_is_known_to_have_arrived_may_still_be_performed_after_the_reset() {
    // Copies before the reset are told that the nonce was used.
    let world = a_call_is_performed_after_the_reset("spends_nonce = true", "");
    assert!(world.preloads().iter().any(|call| call.code == "SignatureNonceUsed"), "{}", world.log());
    assert_no_day_is_overspent(&world, 3);
    assert!(world.account().accepted.values().all(|times| *times == 1), "{:?}", world.account().accepted);
}

#[test]
fn the_first_answer_after_a_start_does_not_open_a_day_alone() {
    for off in [25_i64, -25] {
        let reset = reset_in(if off > 0 { 28 } else { 12 }, 0);
        // The second list of domains is the first answer of the second start.
        let scenario = format!(
            "[quota]\nreadable = false\n{}\n[[fault]]\noperation = \"DescribeVodUserDomains\"\ncalls = [2]\n\
             action = \"pass\"\ndate = \"{off:+}s\"",
            reset.day_starts
        );
        let config = format!(
            "[api]\ntimeout = \"1s\"\n[budget]\nrequests_per_day = 3\nurls_per_day = \"unlimited\"\n{}\n\
             [schedule]\nbatch_urls_max = 1\nlinger = \"0s\"",
            reset.day_starts
        );
        let world = World::new(&scenario, &config);
        let first_day = world.account().day;
        world.drop_settled("film.txt", urls("a", 20));
        let daemon = world.daemon();
        world.wait("the day to be spent", || world.requests_seen() == 3);
        world.stop(daemon);
        // The lie is on the other side of the reset.
        let begins = reset.at - TimeDelta::seconds(off.abs() - 5);
        world.wait("the second start", || Utc::now() > if off > 0 { begins } else { reset.at + TimeDelta::seconds(2) });
        let daemon = world.daemon();
        world.wait("the service's day to turn", || world.account().day != first_day);
        let second = || world.account().days.get(&world.account().day).map_or(0, |day| day.requests_seen);
        world.wait("the second day to be spent", || second() >= 3);
        world.waits_for("all 3 requests");
        assert_no_day_is_overspent(&world, 3);
        world.stop(daemon);
    }
}

#[test]
fn a_call_that_is_answered_with_a_failure_may_still_be_performed_after_the_reset() {
    let copies = "[[fault]]\nurl_contains = \"/late/\"\ntimes = 20\naction = \"drop_before\"";
    for answer in ["status = 503", "status = 408", "code = \"InternalError\""] {
        let world = a_call_is_performed_after_the_reset(&format!("performed = true\n{answer}"), copies);
        assert_no_day_is_overspent(&world, 3);
        assert!(world.account().accepted.values().all(|times| *times == 1), "{answer}");
    }
}

#[test]
fn a_copy_that_is_refused_does_not_end_the_doubt_about_the_first() {
    // A copy that is refused does not spend the nonce here.
    for code in ["QuotaExceeded.Refresh", "PreloadQueueFull", "InvalidObjectPath.Malformed"] {
        let copies = format!("[[fault]]\nurl_contains = \"/late/\"\ntimes = 20\naction = \"error\"\ncode = \"{code}\"");
        let world = a_call_is_performed_after_the_reset("", &copies);
        assert!(world.preloads().iter().any(|call| call.code == code), "{}", world.log());
        assert_no_day_is_overspent(&world, 3);
        assert!(world.account().accepted.values().all(|times| *times == 1), "{code}");
    }
}

/// The first call is performed three seconds after the reset, as `late` says; what becomes of its copies is told by
/// `copies`. Returns when all three requests of the new day are spent.
fn a_call_is_performed_after_the_reset(late: &str, copies: &str) -> World {
    let reset = reset_in(12, 0);
    let scenario = format!(
        "[quota]\n{}\n[[fault]]\ncalls = [1]\naction = \"late\"\ndelay = \"15s\"\n{late}\n{copies}",
        reset.day_starts
    );
    let config = format!(
        "[api]\ntimeout = \"1s\"\n[budget]\nrequests_per_day = 3\n{}\n[schedule]\nbatch_urls_max = 1\nlinger = \"0s\"",
        reset.day_starts
    );
    let world = World::new(&scenario, &config);
    let first_day = world.account().day;
    world.drop_settled("late.txt", urls("late", 1));
    let daemon = world.daemon();
    world.wait("the late call to have come", || !world.preloads().is_empty());
    world.wait("the service's day to turn", || world.account().day != first_day);
    world.drop_file("film.txt", urls("a", 10));
    world.wait("the late call to be performed", || world.preloads()[0].performed_at.is_some());
    world.wait("the new day to be spent", || {
        let account = world.account();
        account.days[&account.day].requests_seen >= 3 && world.number("select in_doubt from v_status") == 0
    });
    world.waits_for("all 3 requests");
    let account = world.account();
    assert_eq!(world.preloads()[0].day, Some(account.day.clone()), "it was performed on the new day");
    assert_eq!(account.days[&account.day].requests_seen, 3, "{}", world.log());
    world.stop(daemon);
    world
}

#[test]
fn a_short_wait_stays_short_when_a_slow_machine_restarts() {
    let fault = "[clock]\noffset = \"1d\"\n[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"Throttling.User\"";
    let world = World::new(fault, "");
    world.drop_settled("film.txt", urls("a", 3));
    let daemon = world.daemon();
    world.wait("the wait to be written down", || {
        world.try_number("select coalesce(backoff_until, 0) from account").is_some_and(|until| until > 0)
    });
    daemon.kill();
    let wrote = "update account set backoff_until = backoff_until + 3000";
    assert!(Command::new("sqlite3").arg(world.database()).arg(wrote).status().unwrap().success());
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 3);
}

#[test]
fn answers_of_one_operation_do_not_move_the_time_against_the_others() {
    let scenario = "[tasks]\ntakes = \"1s\"\n[[fault]]\noperation = \"DescribeVodRefreshTasks\"\n\
                    action = \"pass\"\ndate = \"+1d\"";
    let config = "[budget]\nrequests_per_day = 2\nurls_per_day = \"unlimited\"\n\
                  [schedule]\nbatch_urls_max = 10\nlinger = \"0s\"\n[track]\nfirst_after = \"1s\"";
    let world = World::new(scenario, config);
    let deadline = (Utc::now() + TimeDelta::hours(20)).format("%Y-%m-%dT%H:%M:%SZ");
    world.drop_settled("film.txt", format!("#: deadline = {deadline}\n{}", urls("a", 50)));
    let _daemon = world.daemon();
    world.wait_for("select complete from v_status", 20);
    assert_eq!(world.rows("select pending, expired from v_status"), [["30", "0"]], "{}", world.log());
    assert_eq!(world.count_log("has leapt"), 0);
    assert_no_day_is_overspent(&world, 2);
}

#[test]
fn a_foreign_task_does_not_end_the_doubt_about_the_day_while_our_call_may_come() {
    let reset = reset_in(14, 0);
    let scenario = format!(
        "[quota]\n{}\n[[fault]]\ncalls = [1]\naction = \"late\"\ndelay = \"17s\"\n\
         [[fault]]\nurl_contains = \"/late/\"\ntimes = 20\naction = \"drop_before\"\n\
         [[foreign]]\nfirst_url_of_call = 1\ncount = 1\nafter = \"1s\"",
        reset.day_starts
    );
    let config = format!(
        "[api]\ntimeout = \"1s\"\n[retry]\nbackoff_max = \"1s\"\n[budget]\nrequests_per_day = 3\n{}\n\
         [schedule]\nbatch_urls_max = 1\nlinger = \"0s\"",
        reset.day_starts
    );
    let world = World::new(&scenario, &config);
    let first_day = world.account().day;
    world.drop_settled("late.txt", urls("late", 1));
    let _daemon = world.daemon();
    world.wait("the foreign task to be found", || {
        world.try_number("select count(*) from v_submissions where outcome = 'accepted'") == Some(1)
    });
    world.wait("the service's day to turn", || world.account().day != first_day);
    world.drop_file("film.txt", urls("a", 10));
    world.wait("the late call to be performed", || world.preloads()[0].performed_at.is_some());
    world.waits_for("all 3 requests");
    let account = world.account();
    assert_eq!(world.preloads()[0].day, Some(account.day.clone()), "it was performed on the new day");
    assert!(account.days[&account.day].requests_seen <= 3, "{}", world.log());
}
