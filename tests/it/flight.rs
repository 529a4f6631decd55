//! The service's own queue of prefetches holds few URLs, or ever other numbers: how many is learned, and everything
//! goes through it by few calls.

use crate::support::{World, urls};

/// How many calls of `PreloadVodObjectCaches` were made, and how many of them were refused because the queue was full.
fn calls(world: &World) -> (usize, usize) {
    let preloads = world.preloads();
    (preloads.len(), preloads.iter().filter(|call| call.code == "PreloadQueueFull").count())
}

#[test]
fn four_hundred_urls_go_through_a_queue_of_a_hundred_by_few_calls() {
    let world = World::new("[limits]\nqueue_urls = 100\n[tasks]\ntakes = \"2s\"", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 400));
    world.wait_for("select submitted + complete from v_status", 400);
    world.assert_all_accepted(400);
    let (all, full) = calls(&world);
    assert!(all <= 30 && full <= 6, "{all} calls, {full} of them for nothing");
    assert_eq!(world.number("select in_flight_limit from v_status"), 100);
    world.assert_books_agree();
}

#[test]
fn a_queue_of_seven_is_learned_and_a_restart_learns_nothing_again() {
    let world = World::new("[limits]\nqueue_urls = 7\n[tasks]\ntakes = \"2s\"", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 63));
    world.wait("a part of it to be accepted", || world.account().accepted.len() >= 27);
    daemon.kill();
    let (_, before) = calls(&world);
    let _daemon = world.daemon();
    world.wait_for("select submitted + complete from v_status", 63);
    world.assert_all_accepted(63);
    let (all, full) = calls(&world);
    assert!(all <= 26 && before <= 6 && full <= before + 2, "{all} calls, {full} of them for nothing, {before} before");
    assert_eq!(world.number("select in_flight_limit from v_status"), 7);
    world.assert_books_agree();
}

#[test]
fn a_queue_that_shrinks_and_grows_is_learned_anew() {
    let world = World::new(
        "[limits]\nqueue_urls = 100\n[tasks]\ntakes = \"500ms\"\n[[change]]\nafter_calls = 4\nqueue_urls = 7\n\
         [[change]]\nafter_calls = 12\nqueue_urls = 1000000",
        "",
    );
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 600));
    world.wait_for("select submitted + complete from v_status", 600);
    world.assert_all_accepted(600);
    let (all, full) = calls(&world);
    assert!(all <= 40 && full <= 16, "{all} calls, {full} of them for nothing");
    world.assert_books_agree();
}

#[test]
fn where_tasks_cannot_be_read_the_wait_for_room_has_an_end_and_says_so() {
    let world = World::new("[limits]\nqueue_urls = 10\n[tasks]\ntakes = \"1h\"\nreadable = false", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 50));
    world.waits_for("room in the service's queue");
    assert!((6..=10).contains(&world.number("select in_flight from v_status")));
    let minutes = "select cast(round((julianday(waiting_until) - julianday('now')) * 1440) as integer) from v_status";
    // That tasks cannot be read is learned a second later, by the first look.
    world.wait("half an hour to be waited for", || {
        world.try_number(minutes).is_some_and(|left| (28..=31).contains(&left))
    });
    assert!(calls(&world).1 <= 8);
}

#[test]
fn a_full_queue_of_which_nothing_is_left_today_teaches_nothing_of_its_size() {
    let scenario = "[quota]\nper_day = 500\nused = 500\n[[fault]]\naction = \"error\"\ncode = \"PreloadQueueFull\"";
    // What is left is asked for before the first batch only where it counts.
    let world = World::new(scenario, "[budget]\nurls_per_day = \"auto\"");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 50));
    world.waits_for("nothing remains of today's 500, as far as is known");
    assert_eq!(world.rows("select in_flight_limit from v_status"), [[""]]);
}

#[test]
fn a_queue_without_room_for_one_url_is_not_tried_again_for_a_minute() {
    let world = World::new("[limits]\nqueue_urls = 0", "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 4));
    world.waits_for("room in the service's queue");
    let rows = world.rows("select urls, outcome, cost from v_submissions order by submission_id");
    assert_eq!(rows, [["4", "queue_full", "1"], ["2", "queue_full", "1"], ["1", "queue_full", "1"]]);
    let seconds = "select cast((julianday(waiting_until) - julianday('now')) * 86400 as integer) from v_status";
    assert!((1..=60).contains(&world.number(seconds)), "{} seconds", world.number(seconds));
    assert_eq!(world.number("select pending from v_status where in_flight = 0"), 4);
    // The sandbox counts no refused call, which shows in what is left.
    assert_eq!(world.number("select refusals_cost from v_budget"), 0);
    world.assert_books_agree();
}
