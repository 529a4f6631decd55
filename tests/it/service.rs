//! As a service: what it takes its key from, how it is reloaded, and what it tells systemd. The same under a real
//! systemd: `tests/systemd/run`.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Process, World, is_root, said, urls};

fn signal(daemon: &Process, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_good_reload_is_in_force_at_once_and_what_waits_for_a_restart_is_said() {
    let world = World::new("", "[budget]\nrequests_per_day = 400\nurls_per_day = 3");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.waits_for("all 3 URLs");
    world.configure("[budget]\nrequests_per_day = 300\nurls_per_day = \"unlimited\"\n[log]\nlevel = \"debug\"");
    signal(&daemon, Signal::HUP);
    world.wait_for("select submitted from v_status", 5);
    world.wait_for("select requests_limit from v_budget", 300);
    assert!(world.count_log("DEBUG sending") > 0, "{}", world.log());
    assert_eq!(world.run(&["status"]).status.code(), Some(0));

    let elsewhere = world.path("elsewhere").display().to_string();
    world.configure(&format!("[spool]\ndir = \"{elsewhere}\"\n[http]\nlisten = \"127.0.0.1:1\""));
    signal(&daemon, Signal::HUP);
    let waits = "select config_problem like '%after a restart: [spool] dir, [http] listen'
                 and config_problem_code = 'after_restart' from v_status";
    world.wait_for(waits, 1);
    world.drop_file("later.txt", urls("b", 2));
    world.wait_for("select submitted from v_files where name = 'later.txt'", 2);
    assert!(!Path::new(&elsewhere).exists());
    world.configure("");
    signal(&daemon, Signal::HUP);
    world.wait_for("select config_problem is null from v_status", 1);
    world.stop(daemon);
}

#[test]
fn a_bad_reload_changes_nothing_and_status_says_why_until_it_is_mended() {
    let world = World::new("", "[budget]\nurls_per_day = 3");
    let daemon = world.ready_daemon();
    for (text, part) in [
        ("[budget]\nurls_per_day = 9\nrequests_a_day = 9\n".to_owned(), "requests_a_day"),
        ("[credentials]\nfile = \"/nowhere/key\"\n".to_owned(), "/nowhere/key"),
        ("[credentials]\naccess_key_secret = \"TOPSECRETKEY\"\n".to_owned(), "access_key_secret (line 2)"),
    ] {
        fs::write(world.path("prefetchd.toml"), text).unwrap();
        signal(&daemon, Signal::HUP);
        world.wait_for(
            &format!(
                "select config_problem like '%refused%{part}%' and config_problem_code = 'reload_refused' from v_status"
            ),
            1,
        );
    }
    assert_eq!((world.count_log("TOPSECRETKEY"), world.run(&["check"]).status.code()), (0, Some(78)));
    assert_eq!(world.number("select config_problem like '%TOPSECRETKEY%' from v_status"), 0);
    assert!(!said(&world.run(&["check"])).contains("TOPSECRETKEY"));
    fs::remove_file(world.path("prefetchd.toml")).unwrap();
    signal(&daemon, Signal::HUP);
    world.wait_for("select config_problem like '%reading the configuration%' from v_status", 1);
    world.drop_file("film.txt", urls("a", 5));
    world.waits_for("all 3 URLs");
    assert_eq!(world.count_log("reload refused"), 4);

    world.configure("[budget]\nurls_per_day = 3");
    let output = world.run(&["status"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("needs you   the reloaded configuration is not in force"), "{}", said(&output));
    signal(&daemon, Signal::HUP);
    world.wait_for("select config_problem is null from v_status", 1);
    assert_eq!(world.run(&["status"]).status.code(), Some(0));
    world.stop(daemon);
}

#[test]
fn a_new_key_is_taken_by_a_reload_and_a_paused_account_goes_on_at_once() {
    let world = World::new("", "");
    let key = world.path("key");
    let text =
        |secret: &str| format!("ALIBABA_CLOUD_ACCESS_KEY_ID=sandbox\nALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}\n");
    write_private(&key, &text("revoked"));
    world.configure(&format!("[credentials]\nfile = \"{}\"", key.display()));
    let daemon = world.ready_daemon();
    assert_eq!(world.count_log("credentials=the key file"), 1, "{}", world.log());
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select paused_why is not null from v_status", 1);
    write_private(&key, &text("sandbox-secret"));
    signal(&daemon, Signal::HUP);
    world.wait_for("select submitted from v_status", 5);
    world.stop(daemon);
}

#[test]
fn systemds_credentials_come_first_and_a_key_file_that_others_may_read_is_refused() {
    let world = World::new("", "");
    let loaded = world.path("credentials");
    fs::create_dir(&loaded).unwrap();
    fs::write(loaded.join("access-key-id"), "sandbox").unwrap();
    fs::write(loaded.join("access-key-secret"), "sandbox-secret\n").unwrap();
    let check = |secret: &str| {
        let mut command = world.command(&["check", "--online"]);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret).env("CREDENTIALS_DIRECTORY", &loaded).output().unwrap()
    };
    let output = check("wrong");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("from systemd's credentials"), "{}", said(&output));
    fs::remove_file(loaded.join("access-key-id")).unwrap();
    assert_eq!(check("wrong").status.code(), Some(78));

    let key = world.path("key");
    world.configure(&format!("[credentials]\nfile = \"{}\"", key.display()));
    fs::write(&key, "ALIBABA_CLOUD_ACCESS_KEY_ID=sandbox\nALIBABA_CLOUD_ACCESS_KEY_SECRET=sandbox-secret\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    for command in [&["check"][..], &["run", "--allow-root"]] {
        let output = world.run(command);
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(said(&output).contains("has mode 0640"), "{}", said(&output));
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let output = world.run(&["check", "--quiet"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", said(&output));
}

#[test]
fn a_second_stop_ends_it_at_once_and_what_was_in_flight_is_found_at_the_next_start() {
    let world = World::new("[[fault]]\ncalls = [1]\naction = \"delay\"\ndelay = \"25s\"", "");
    let mut daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the sandbox to have seen it", || world.preloads().len() == 1);
    signal(&daemon, Signal::TERM);
    world.wait("the first stop to be heard", || world.count_log("stopping: ") == 1);
    assert!(!daemon.has_ended(), "it waits for the answer");
    signal(&daemon, Signal::INT);
    let daemon = RefCell::new(daemon);
    world.wait("the second stop to end it", || daemon.borrow_mut().has_ended());
    assert_eq!(world.number("select leased from v_status"), 5);
    let next = world.daemon();
    world.wait_for("select submitted from v_status", 5);
    world.assert_all_accepted_once(5);
    world.stop(next);
}

#[test]
fn root_is_told_how_it_should_be_started() {
    if !is_root() {
        println!("skipped: only root is refused");
        return;
    }
    let world = World::new("", "");
    let output = world.run(&["run"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("systemctl start prefetchd"), "{}", said(&output));
    assert!(!world.database().exists());
}

#[test]
fn usr1_logs_the_state_and_json_is_an_object_a_line() {
    let world = World::new("", "[log]\nformat = \"json\"");
    let daemon = world.daemon();
    world.wait("it to be ready", || world.count_log("\"ready\"") == 1);
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    signal(&daemon, Signal::USR1);
    world.wait("the state", || world.count_log("\"message\":\"state\"") == 1);
    world.stop(daemon);
    let log = world.log();
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let state = events.iter().find(|event| event["message"] == "state").unwrap();
    assert_eq!((&state["health"], &state["submitted"]), (&"running".into(), &5.into()), "{state}");
}

/// What a daemon tells systemd, whose part the test plays.
struct Manager {
    socket: UnixDatagram,
    told: RefCell<Vec<String>>,
}

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        Self { socket, told: RefCell::default() }
    }

    /// Whether a message with this in it has come by now, after the first `from` messages.
    fn heard(&self, from: usize, part: &str) -> bool {
        let mut bytes = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            self.told.borrow_mut().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        self.told.borrow().iter().skip(from).any(|message| message.contains(part))
    }

    fn count(&self) -> usize {
        self.told.borrow().len()
    }
}

#[test]
fn systemd_is_told_of_readiness_status_reload_watchdog_and_stop() {
    let world = World::new("", "");
    let manager = Manager::new(&world.path("notify"));
    let daemon =
        World::spawn(world.daemon_command().env("NOTIFY_SOCKET", world.path("notify")).env("WATCHDOG_USEC", "300000"));
    world.wait("READY", || manager.heard(0, "READY=1"));
    world.drop_file("film.txt", urls("a", 5));
    world.wait("the status line", || manager.heard(0, "STATUS=waiting for ") && manager.heard(0, "5 submitted"));
    world.wait("the watchdog to be fed", || manager.heard(0, "WATCHDOG=1"));
    let before = manager.count();
    signal(&daemon, Signal::HUP);
    world.wait("RELOADING", || manager.heard(before, "RELOADING=1\nMONOTONIC_USEC="));
    world.wait("READY again", || manager.heard(before, "READY=1"));
    world.wait("the watchdog to be fed on", || manager.heard(manager.count(), "WATCHDOG=1"));
    world.stop(daemon);
    assert!(manager.heard(before, "STOPPING=1"), "{:?}", manager.told);
}

#[test]
fn the_two_units_are_one_but_for_their_names() {
    let unit = |name: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let differs = |line: &String| {
        [
            "Description=",
            "LoadCredential=",
            "ExecStartPre=",
            "ExecStart=",
            "ExecReload=",
            "StateDirectory=",
            "ReadWritePaths=",
        ]
        .iter()
        .any(|key| line.starts_with(key))
    };
    let same = |name: &str| unit(name).into_iter().filter(|line| !differs(line)).collect::<Vec<_>>();
    assert_eq!(same("prefetchd.service"), same("prefetchd@.service"));
    assert!(same("prefetchd.service").len() > 40);
}
