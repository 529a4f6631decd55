//! The key is replaced under the daemon: every stage goes on with the new one, and no copy of a call is signed by another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::stand_in::{Answer, Call, StandIn};
use crate::support::{Process, World, urls};

/// A stand-in that takes one key, which the test replaces, and the file that the daemon reads its key from.
struct Rotation {
    world: World,
    service: StandIn,
    accepted: Arc<Mutex<String>>,
}

impl Rotation {
    /// `answer` says what a call with the right key gets; none: what an honest service says.
    fn new(config: &str, answer: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let accepted = Arc::new(Mutex::new("old".to_owned()));
        let key = Arc::clone(&accepted);
        let service = StandIn::new(move |call| {
            if call.get("AccessKeyId") != *key.lock().unwrap() {
                return Answer::error(404, "InvalidAccessKeyId.NotFound");
            }
            answer(call).unwrap_or_else(|| Answer::honest(call))
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

    /// From now on the service takes this key alone.
    fn accept(&self, id: &str) {
        id.clone_into(&mut self.accepted.lock().unwrap());
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

/// All of a batch of so many URLs is complete.
fn all_complete(call: &Call, urls: usize) -> Option<Answer> {
    (!call.get("TaskId").is_empty() && call.get("Status") != "Failed")
        .then(|| Answer::Json(200, format!(r#"{{"RequestId":"R","TotalCount":{urls},"Tasks":{{"Task":[]}}}}"#)))
}

#[test]
fn a_key_that_is_rotated_while_tasks_are_looked_for_is_taken_by_every_stage_without_a_reload() {
    let rotation = Rotation::new(SOON, |call| all_complete(call, 5));
    let Rotation { world, .. } = &rotation;
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    // The tracker is the first to be told.
    rotation.accept("new");
    rotation.write_key("new");
    let before = rotation.calls_with("old");
    world.wait_for("select complete from v_status", 5);
    assert_eq!(rotation.calls_with("old") - before, 1, "one call tells it");
    // The submitter uses it at once.
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select complete from v_status", 10);
    assert_eq!(rotation.calls_with("old") - before, 1, "{:?}", rotation.service.all());
    assert_eq!(world.number("select count(*) from v_submissions where outcome = 'account_fault'"), 0);
    assert_eq!(world.number("select key_generation from v_status"), 2);
    assert_eq!(world.count_log("another access key is in use from now on"), 1, "{}", world.log());
    world.assert_books_agree();
}

#[test]
fn a_batch_whose_key_was_rotated_goes_at_once_with_the_next_one_and_nothing_pauses() {
    // Without a free call before, the batch itself is what the old key is refused for.
    let config = format!("{SOON}[budget]\nurls_per_day = \"unlimited\"");
    let rotation = Rotation::new(&config, |call| all_complete(call, 5));
    let Rotation { world, .. } = &rotation;
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select complete from v_status", 5);
    rotation.accept("new");
    rotation.write_key("new");
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
    let rotation = Rotation::new(SOON, |call| all_complete(call, 5));
    let Rotation { world, .. } = &rotation;
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    // Disabled before the next one is there.
    rotation.accept("new");
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
    let rotation = Rotation::new(SOON, |call| {
        let is_listed = call.get("Action") == "DescribeVodRefreshTasks";
        let is_forbidden = is_listed && call.get("AccessKeyId") == "old";
        if is_forbidden { Some(Answer::error(403, "Forbidden.RAM")) } else { all_complete(call, 5) }
    });
    let Rotation { world, .. } = &rotation;
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the tracker to be told", || world.count_log("this key may not ask for tasks") == 1);
    rotation.accept("new");
    rotation.write_key("new");
    rotation.reload(&daemon);
    world.wait_for("select complete from v_status", 5);
    assert_eq!(world.number("select key_generation from v_status"), 2);
}
