//! ACS3-HMAC-SHA256 through the built binary; the sandbox checks each signature with code of its own.

use crate::support::{World, urls};

const V3: &str = "[api]\nsignature = \"v3\"\nrequests_per_second = 50\n[track]\nfirst_after = \"1s\"\n";

/// Of the calls of a batch, the codes that were answered.
fn codes(world: &World) -> Vec<String> {
    world.preloads().into_iter().map(|call| call.code).collect()
}

#[test]
fn every_call_is_signed_by_v3_also_with_a_token_and_a_wrong_secret_is_told() {
    let account = "[account]\naccess_key_id = \"STS.id\"\naccess_key_secret = \"k3y\"\nsecurity_token = \"t0+/=k3n\"\n\
                   [tasks]\nspeed = 10000\n";
    let world = World::new(account, V3);
    let with = |secret: &str| {
        let mut command = world.daemon_command();
        command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.id").env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret);
        World::spawn(command.env("ALIBABA_CLOUD_SECURITY_TOKEN", "t0+/=k3n"))
    };
    world.drop_file("film.txt", "https://vod.example.com/a%20b~/电影(1).mp4?x=1&y=%2B\n".to_owned() + &urls("a", 999));
    let daemon = with("k3y");
    world.wait_for("select complete from v_status", 1_000);
    world.assert_books_agree();
    world.stop(daemon);
    let _daemon = with("wrong");
    world.wait_for("select paused_why like '%does not belong to the access key%' from v_status", 1);
}

#[test]
fn a_service_that_looks_for_urls_in_the_query_gets_them_there_in_batches_that_fit_also_after_a_restart() {
    let world =
        World::new("[limits]\nurls_in_query = true\n", &format!("{V3}[budget]\nurls_per_day = \"unlimited\"\n"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 200));
    world.wait_for("select submitted + complete from v_status", 200);
    let seen = codes(&world);
    assert_eq!(seen[0], "MissingParameter", "{seen:?}");
    assert!(seen.len() > 2 && seen[1..].iter().all(|code| code == "OK"), "{seen:?}");
    assert_eq!(world.number("select count(*) from v_submissions where outcome = 'urls_misplaced'"), 1);
    assert_eq!(world.number("select max(attempts) from v_urls"), 1, "it is no attempt of theirs");
    world.assert_all_accepted(200);
    world.assert_books_agree();
    world.stop(daemon);
    let before = seen.len();
    let _daemon = world.ready_daemon();
    world.drop_file("next.txt", urls("b", 10));
    world.wait_for("select submitted + complete from v_status", 210);
    assert_eq!(codes(&world)[before..], ["OK"]);
    world.assert_books_agree();
}
