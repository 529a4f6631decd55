//! Limits of purges whose numbers nobody documents, through the built binary against the sandbox.

use crate::support::{World, said, urls};

const PURGES: &str = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n";

#[test]
fn a_limit_of_seven_urls_a_call_is_learned_and_what_is_refused_for_a_permission_names_that_of_purges() {
    let limits = "[limits]\nurls_per_call = 7\n[purge]\nurls_per_call = 7\n";
    let world = World::new(limits, &format!("{PURGES}[retry]\nbackoff_min = \"1s\"\nbackoff_max = \"1s\"\n"));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 20));
    world.drop_file("old.txt", format!("#: action = purge\n{}", urls("b", 20)));
    world.wait_for("select sum(submitted + complete) from v_files", 40);
    let refused = "select action, urls from v_submissions where outcome <> 'accepted' order by action desc, urls desc";
    let sizes = world.rows(refused);
    assert_eq!(sizes, [["purge", "20"], ["purge", "10"], ["prefetch", "20"], ["prefetch", "10"]]);
    assert_eq!(world.number("select count(*) from facts where fact = 'batch_urls_max' and value = '5'"), 2);
    let forbidden = World::new("[purge]\nallowed = false\n", PURGES);
    let daemon = forbidden.ready_daemon();
    forbidden.drop_file("old.txt", format!("#: action = purge\n{}", urls("b", 2)));
    forbidden.wait_for("select count(*) from v_lanes where paused_code = 'purge_forbidden'", 1);
    assert_eq!(forbidden.rows("select distinct reason_code from v_urls"), [["purge_forbidden"]]);
    forbidden.stop(daemon);
    let log = forbidden.log();
    assert!(log.contains("batch not accepted: "), "{log}");
    assert!(!log.contains("PreloadVodObjectCaches"), "{log}");
}

#[test]
fn a_purge_above_the_minutes_limit_of_its_domain_shrinks_and_stops_no_other_domain() {
    let world = World::new("[purge]\nurls_per_minute = 20\n", PURGES);
    let _daemon = world.ready_daemon();
    world.drop_file("many.txt", format!("#: action = purge\n{}", urls("many", 30)));
    world.wait_for("select count(*) from v_submissions where code = 'QuotaPerMinuteExceeded.Refresh'", 1);
    let other = urls("few", 5).replace("vod.example.com", "media.example.com");
    world.drop_file("other.txt", format!("#: action = purge\n#: priority = urgent\n{other}"));
    world.wait_for("select submitted + complete from v_files where name = 'other.txt'", 5);
    world.wait_for("select submitted + complete from v_files where name = 'many.txt'", 15);
    world.wait_for("select count(*) from v_lanes where action = 'purge' and waiting_code = 'minute_full'", 1);
    assert_eq!(world.number("select count(*) from v_submissions where outcome <> 'accepted'"), 1);
    let status = said(&world.run(&["status"]));
    assert!(status.contains("about 15 of a domain"), "{status}");
}
