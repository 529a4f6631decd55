//! The key is replaced under the daemon: every stage goes on with the new one, and no copy of a call is signed by
//! another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::stand_in::{Answer, Call, Honest, StandIn};
use crate::support::{Process, World, said, urls};

/// A stand-in that takes the keys that the test says, and the file that the daemon reads its key from.
struct Rotation {
    world: World,
    service: StandIn,
    accepted: Arc<Mutex<Vec<String>>>,
}

impl Rotation {
    /// An honest service, but for what `answer` says to calls with a key that is taken.
    fn new(config: &str, answer: impl Fn(&Call, &Honest) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let accepted = Arc::new(Mutex::new(vec!["old".to_owned()]));
        let (keys, honest) = (Arc::clone(&accepted), Honest::default());
        let service = StandIn::new(move |call| {
            if !keys.lock().unwrap().iter().any(|key| key == call.get("AccessKeyId")) {
                return Answer::error(404, "InvalidAccessKeyId.NotFound");
            }
            answer(call, &honest).unwrap_or_else(|| honest.answer(call))
        });
        let world = World::new("", "");
        let rotation = Self { world, service, accepted };
        rotation.write_key("old");
        rotation.configure(config);
        rotation
    }

    /// Writes the configuration, with the stand-in as the service.
    fn configure(&self, config: &str) {
        let mut table: toml::Table = toml::from_str(config).unwrap();
        let mut set = |section: &str, key: &str, value: String| {
            let section = table.entry(section).or_insert(toml::Table::new().into());
            section.as_table_mut().unwrap().entry(key).or_insert(value.into());
        };
        set("api", "endpoint", self.service.endpoint.clone());
        set("credentials", "file", self.world.path("key").display().to_string());
        self.world.configure(&toml::to_string(&table).unwrap());
    }

    /// Replaces the key file, as one should.
    fn write_key(&self, id: &str) {
        let text = format!("ALIBABA_CLOUD_ACCESS_KEY_ID={id}\nALIBABA_CLOUD_ACCESS_KEY_SECRET={id}-secret\n");
        let beside = self.world.path(".key");
        fs::write(&beside, text).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(beside, self.world.path("key")).unwrap();
    }

    /// From now on the service takes these keys alone.
    fn accept(&self, ids: &[&str]) {
        *self.accepted.lock().unwrap() = ids.iter().map(|id| (*id).to_owned()).collect();
    }

    fn reload(&self, daemon: &Process) {
        let before = self.world.count_log("reloaded: ");
        kill_process(Pid::from_raw(daemon.id().cast_signed()).unwrap(), Signal::HUP).unwrap();
        self.world.wait("the reload", || self.world.count_log("reloaded: ") > before);
    }

    fn calls_with(&self, id: &str) -> usize {
        self.service.all().iter().filter(|call| call.get("AccessKeyId") == id).count()
    }
}

/// Tasks are looked for soon.
const SOON: &str = "[track]\nfirst_after = \"1s\"\ncalls_per_second = 100\n";

#[test]
fn a_key_that_is_rotated_while_tasks_are_looked_for_is_taken_by_every_stage_without_a_reload() {
    let rotation = Rotation::new(SOON, |_, _| None);
    let Rotation { world, .. } = &rotation;
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    // The tracker is the first to be told.
    rotation.accept(&["new"]);
    rotation.write_key("new");
    let before = rotation.calls_with("old");
    world.wait_for("select complete from v_status", 5);
    // One call tells it, unless the file was looked at before.
    assert!(rotation.calls_with("old") - before <= 1, "{:?}", rotation.service.all());
    // The submitter uses it at once.
    let before = rotation.calls_with("old");
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select complete from v_status", 10);
    assert_eq!(rotation.calls_with("old"), before, "{:?}", rotation.service.all());
    assert_eq!(world.number("select count(*) from v_submissions where outcome = 'account_fault'"), 0);
    assert_eq!(world.number("select key_generation from v_status"), 2);
    assert_eq!(world.count_log("another access key is in use from now on"), 1, "{}", world.log());
    world.assert_books_agree();
}

#[test]
fn a_batch_whose_key_was_rotated_goes_at_once_with_the_next_one_and_nothing_pauses() {
    // Without a free call before, the batch itself is what the old key is refused for.
    let config = format!("{SOON}[budget]\nurls_per_day = \"unlimited\"");
    let rotation = Rotation::new(&config, |_, _| None);
    let Rotation { world, .. } = &rotation;
    // Nobody looks at what systemd loaded before the service refuses it.
    let loaded = world.path("loaded");
    fs::create_dir(&loaded).unwrap();
    let load = |id: &str| {
        fs::write(loaded.join("access-key-secret"), format!("{id}-secret")).unwrap();
        fs::write(loaded.join("access-key-id"), id).unwrap();
    };
    load("old");
    let _daemon = World::spawn(world.daemon_command().env("CREDENTIALS_DIRECTORY", &loaded));
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select complete from v_status", 5);
    rotation.accept(&["new"]);
    load("new");
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select complete from v_status", 10);
    assert_eq!(
        world.rows("select outcome, cost from v_submissions order by submission_id"),
        [["accepted", "1"], ["account_fault", "0"], ["accepted", "1"]],
    );
    assert_eq!(world.number("select attempts from v_urls where url like '%/b/%' limit 1"), 1);
    assert_eq!(world.count_log("the account is refused"), 0, "{}", world.log());
    world.assert_books_agree();
}

#[test]
fn a_tracker_whose_key_is_refused_pauses_the_account_with_its_reason_and_goes_on_by_itself_with_the_next_key() {
    let rotation = Rotation::new(SOON, |_, _| None);
    let Rotation { world, .. } = &rotation;
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    // Disabled before the next one is there.
    rotation.accept(&["new"]);
    world.wait_for("select paused_why like '%set another one%' from v_status", 1);
    world.wait_for("select key_refused like '%set another one%' and key_generation = 1 from v_status", 1);
    let status = world.run(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let key = world.path("key").display().to_string();
    assert_eq!(json["key"]["generation"], 1, "{json}");
    assert!(json["key"]["source"].as_str().unwrap().contains(&key), "{json}");
    assert!(json["key"]["refused"].as_str().unwrap().contains("set another one"), "{json}");
    let asked = rotation.calls_with("old");
    rotation.write_key("new");
    world.wait_for("select complete from v_status", 5);
    assert_eq!(rotation.calls_with("old"), asked, "the refused key is not tried over and over");
    world.wait_for("select paused_why is null and key_refused is null and key_generation = 2 from v_status", 1);
    world.assert_books_agree();
}

#[test]
fn another_key_may_ask_for_what_the_last_one_might_not() {
    let rotation = Rotation::new(SOON, |call, _| {
        let is_listed = call.get("Action") == "DescribeVodRefreshTasks";
        (is_listed && call.get("AccessKeyId") == "old").then(|| Answer::error(403, "Forbidden.RAM"))
    });
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the tracker to be told", || world.count_log("this key may not ask for tasks") == 1);
    rotation.accept(&["new"]);
    rotation.write_key("new");
    rotation.reload(&daemon);
    world.wait_for("select complete from v_status", 5);
    assert_eq!(world.number("select key_generation from v_status"), 2);
}

/// The first batch's answer is held back until the test says so, and then lost; whether it was performed is
/// `performed`.
fn first_is_lost(config: &str, performed: bool) -> (Rotation, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel();
    let (held, first) = (Mutex::new(held), AtomicBool::new(true));
    let rotation = Rotation::new(config, move |call, honest| {
        if call.get("Action") != "PreloadVodObjectCaches" || !first.swap(false, Ordering::Relaxed) {
            return None;
        }
        if performed {
            honest.answer(call);
        }
        // The test ends: so may the call.
        let _ = held.lock().unwrap().recv();
        Some(Answer::Drop)
    });
    (rotation, release)
}

fn bodies(rotation: &Rotation) -> Vec<String> {
    rotation.service.calls("PreloadVodObjectCaches").into_iter().map(|call| call.body).collect()
}

#[test]
fn a_copy_of_a_call_after_a_restart_is_the_same_bytes() {
    let (rotation, release) = first_is_lost("", false);
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the call", || bodies(&rotation).len() == 1);
    daemon.kill();
    release.send(()).unwrap();
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 5);
    let bodies = bodies(&rotation);
    assert!(bodies.len() == 2 && bodies[0] == bodies[1], "{bodies:#?}");
    assert_eq!(world.rows("select outcome, cost, sends from v_submissions"), [["accepted", "1", "2"]]);
    world.assert_books_agree();
}

#[test]
fn no_copy_is_signed_by_another_key_and_what_the_first_call_did_is_looked_for() {
    let (rotation, release) = first_is_lost(SOON, true);
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the call", || bodies(&rotation).len() == 1);
    // Both are valid for a while, as when a key is rotated with care.
    rotation.accept(&["old", "new"]);
    rotation.write_key("new");
    rotation.reload(&daemon);
    release.send(()).unwrap();
    world.wait_for("select complete from v_status", 5);
    assert_eq!(bodies(&rotation).len(), 1, "{:#?}", bodies(&rotation));
    assert_eq!(world.rows("select outcome, cost, sends from v_submissions"), [["accepted", "1", "1"]]);
    assert_eq!(world.number("select possible_doubles from v_status"), 0);
    world.assert_books_agree();
}

#[test]
fn no_copy_is_sent_with_other_options_and_what_was_never_performed_goes_anew_under_a_new_charge() {
    let config = "[budget]\nin_doubt_wait = \"1s\"\n";
    let (rotation, release) = first_is_lost(config, false);
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the call", || bodies(&rotation).len() == 1);
    rotation.configure(&format!("{config}[api]\narea = \"overseas\"\n"));
    rotation.reload(&daemon);
    release.send(()).unwrap();
    world.wait_for("select submitted from v_status", 5);
    let calls = rotation.service.calls("PreloadVodObjectCaches");
    let seen: Vec<_> = calls.iter().map(|call| (call.get("SignatureNonce"), call.get("Area"))).collect();
    let [(first, domestic), (second, overseas)] = seen[..] else { panic!("{seen:?}") };
    assert!(first != second && (domestic, overseas) == ("domestic", "overseas"), "{seen:?}");
    assert_eq!(
        world.rows("select outcome, cost, double_urls from v_submissions order by submission_id"),
        [["in_doubt", "1", "5"], ["accepted", "1", "0"]],
    );
    world.assert_books_agree();
}

#[test]
fn a_reload_that_changes_the_rate_keeps_the_throttling_that_was_learned() {
    let throttled = AtomicU32::new(0);
    let rotation = Rotation::new("[api]\nrequests_per_second = 8\n", move |call, _| {
        let is_batch = call.get("Action") == "PreloadVodObjectCaches";
        // The first batch of each file.
        (is_batch && throttled.fetch_add(1, Ordering::Relaxed).is_multiple_of(2))
            .then(|| Answer::error(400, "Throttling.User"))
    });
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    rotation.configure("[api]\nrequests_per_second = 20\n");
    rotation.reload(&daemon);
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select submitted from v_status", 10);
    let log = world.log();
    let paces: Vec<f64> = log
        .lines()
        .filter_map(|line| {
            line.split_once("throttled: calls go slower")?.1.split_once("calls_per_second=")?.1.parse().ok()
        })
        .collect();
    // 8 halved, brought back a little by the calls between, halved again; not 20 halved.
    let [first, second] = paces[..] else { panic!("{paces:?}\n{log}") };
    assert!((first - 4.0).abs() < 0.1 && second < 4.0, "{paces:?}");
}

/// An account that was suspended for long: the next free call is an hour away. `mended` is whether it works by now.
fn long_suspended(mended: bool) -> (Rotation, Process) {
    let first = AtomicBool::new(true);
    let rotation = Rotation::new("", move |call, _| {
        let is_batch = call.get("Action") == "PreloadVodObjectCaches" && first.swap(false, Ordering::Relaxed);
        let is_refused = is_batch || (!mended && !first.load(Ordering::Relaxed));
        is_refused.then(|| Answer::error(403, "OperationDenied.Suspended"))
    });
    let world = &rotation.world;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select paused_why is not null from v_status", 1);
    let statement = "update account set probes = 7, probe_at = (unixepoch() + 3600) * 1000";
    let mut sqlite3 = Command::new("sqlite3");
    sqlite3.args(["-cmd", ".timeout 10000"]).arg(world.database()).arg(statement);
    assert!(sqlite3.status().unwrap().success());
    (rotation, daemon)
}

#[test]
fn resume_asks_the_service_at_once_whether_a_suspended_account_is_mended() {
    let (rotation, _daemon) = long_suspended(true);
    let world = &rotation.world;
    let resumed = world.run(&["resume"]);
    assert!(resumed.status.success() && said(&resumed).contains("asking the service now"), "{}", said(&resumed));
    world.wait_for("select submitted from v_status", 5);
    assert_eq!(world.number("select count(*) from v_orders where command = 'resume'"), 1);
    // Where nothing is paused there is nothing to ask.
    assert!(said(&world.run(&["resume"])).contains("it was not paused"));
}

#[test]
fn a_reload_asks_at_once_and_where_that_is_in_vain_soon_again() {
    let (rotation, daemon) = long_suspended(false);
    let world = &rotation.world;
    rotation.reload(&daemon);
    let soon = "select probes = 1 and probe_at <= (unixepoch() + 61) * 1000 from account";
    world.wait_for(soon, 1);
    assert!(world.number("select pending from v_status") == 5);
}
