//! Short-lived keys under a running daemon: renewed in time, used while they live, and never missed in the middle.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::sources::daemon;
use crate::support::stand_in::{Answer, Honest, StandIn};
use crate::support::web::{Web, say};
use crate::support::{Process, World, urls};

/// A service that takes what is a key at the moment, and an address that gives keys of so many milliseconds.
struct Rotating {
    world: World,
    service: StandIn,
    address: Web,
    fails: Arc<AtomicBool>,
}

fn rotating(config: &str, lives: TimeDelta) -> Rotating {
    let given: Arc<Mutex<Vec<chrono::DateTime<Utc>>>> = Arc::default();
    let (known, fails) = (Arc::clone(&given), Arc::new(AtomicBool::new(false)));
    let is_failing = Arc::clone(&fails);
    let address = Web::new(move |_| {
        if is_failing.load(Ordering::Relaxed) {
            return say(503, "{}");
        }
        let mut given = given.lock().unwrap();
        let ends = Utc::now() + lives;
        given.push(ends);
        let expires = ends.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let key = json!({"Code": "Success", "AccessKeyId": format!("STS.{}", given.len()), "AccessKeySecret": "s3cr3t",
                         "SecurityToken": "t0k3n", "Expiration": expires});
        say(200, key.to_string())
    });
    let honest = Honest::default();
    let service = StandIn::new(move |call| {
        let number: usize = call.get("AccessKeyId").trim_start_matches("STS.").parse().unwrap();
        if Utc::now() > known.lock().unwrap()[number - 1] {
            return Answer::error(403, "InvalidSecurityToken.Expired");
        }
        honest.answer(call)
    });
    let world = World::new("", "");
    let endpoint = &service.endpoint;
    world.configure(&format!(
        "[api]\nendpoint = \"{endpoint}\"\nrequests_per_second = 50\n[credentials]\nsource = \"uri\"\n{config}"
    ));
    Rotating { world, service, address, fails }
}

impl Rotating {
    fn daemon(&self) -> Process {
        daemon(&self.world, &[("ALIBABA_CLOUD_CREDENTIALS_URI", &self.address.url)])
    }
}

#[test]
fn a_key_that_cannot_be_renewed_is_used_while_it_lives_and_then_there_is_a_pause_with_its_reason() {
    let rotating = rotating("", TimeDelta::seconds(12));
    let Rotating { world, service, address, fails } = &rotating;
    let _daemon = rotating.daemon();
    world.drop_file("first.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    fails.store(true, Ordering::Relaxed);
    world.wait_for("select key_refused like '%HTTP 503%valid until%' from v_status", 1);
    world.drop_file("second.txt", urls("b", 5));
    world.wait_for("select submitted from v_status", 10);
    // It ends; what comes then is not sent with it.
    let ends = "select key_source from v_status";
    let source = world.rows(ends)[0][0].clone();
    let until = source.split("valid until ").nth(1).unwrap().trim_end_matches(')');
    let until: chrono::DateTime<Utc> = until.parse().unwrap();
    world.wait("the key to end", || Utc::now() > until);
    world.drop_file("third.txt", urls("c", 5));
    world.wait_for("select paused_why like '%no valid access key%' from v_status", 1);
    fails.store(false, Ordering::Relaxed);
    world.wait_for("select submitted from v_status", 15);
    world.wait_for("select paused_why is null and key_refused is null from v_status", 1);
    assert!(address.asked().len() < 10, "one attempt a backoff: {}", address.asked().len());
    assert_eq!(service.calls("PreloadVodObjectCaches").len(), 3);
    assert_eq!(world.number("select count(*) from v_submissions where outcome <> 'accepted' and cost > 0"), 0);
    world.assert_books_agree();
}

/// How long keys are rotated under load; `PREFETCHD_TEST_ROTATE_SECONDS=60` is the long form.
fn rotation_seconds() -> u32 {
    std::env::var("PREFETCHD_TEST_ROTATE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[test]
fn keys_that_are_rotated_every_second_under_load_refuse_no_batch() {
    // Renewed at half of its life: a new one each second.
    let config = "[budget]\nurls_per_day = \"unlimited\"\nrequests_per_day = 100000\n[schedule]\nlinger = \"0s\"\n";
    let rotating = rotating(config, TimeDelta::milliseconds(2_100));
    let Rotating { world, service, address, .. } = &rotating;
    let _daemon = rotating.daemon();
    let files = AtomicU32::new(0);
    let end = std::time::Instant::now() + Duration::from_secs(rotation_seconds().into());
    world.wait("the time to pass", || {
        let n = files.fetch_add(1, Ordering::Relaxed);
        world.drop_file(&format!("film-{n}.txt"), urls(&format!("f{n}"), 3));
        std::time::Instant::now() > end
    });
    let urls = i64::from(files.load(Ordering::Relaxed)) * 3;
    world.wait_for("select submitted + complete from v_status", urls);
    let keys: HashSet<String> = service.all().iter().map(|call| call.get("AccessKeyId").to_owned()).collect();
    assert!(keys.len() as u32 >= rotation_seconds() / 2, "{} keys, {} given", keys.len(), address.asked().len());
    assert_eq!(world.rows("select distinct outcome from v_submissions"), [["accepted"]], "{}", world.log());
    assert_eq!(world.count_log("the account is refused"), 0, "{}", world.log());
    world.assert_books_agree();
}
