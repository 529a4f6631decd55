//! Members of the group change what they dropped, and nothing else: by orders through the spool.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Output;

use crate::support::{World, is_root, said, urls};

/// Two users of the daemon's group, which is that of root here.
const ALICE: u32 = 40_001;
const BOB: u32 = 40_002;

/// A place in which members can do what they may under systemd: read the database, drop files and orders.
struct Group {
    world: World,
    program: PathBuf,
}

impl Group {
    fn new(config: &str) -> Self {
        let world = World::new("", config);
        fs::set_permissions(world.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = world.path("prefetchd");
        fs::copy(crate::support::PROGRAM, &program).unwrap();
        Self { world, program }
    }

    fn run_as(&self, uid: u32, args: &[&str]) -> Output {
        let mut command = std::process::Command::new(&self.program);
        command.args(args).arg("--config").arg(self.world.path("prefetchd.toml")).uid(uid).gid(0);
        command.output().unwrap()
    }

    /// A file of this user, on whose URLs nothing happens until they are sent.
    fn drop_of(&self, uid: u32, name: &str, content: String) {
        let hidden = self.world.spool("incoming").join(format!(".{name}"));
        fs::write(&hidden, content).unwrap();
        chown(&hidden, Some(uid), Some(0)).unwrap();
        fs::rename(&hidden, self.world.spool("incoming").join(name)).unwrap();
    }

    fn write_order(&self, uid: u32, name: &str, content: &str) {
        let hidden = self.world.spool("orders").join(format!(".{name}"));
        fs::write(&hidden, content).unwrap();
        chown(&hidden, Some(uid), Some(0)).unwrap();
        fs::rename(&hidden, self.world.spool("orders").join(name)).unwrap();
    }

    fn orders_left(&self) -> usize {
        fs::read_dir(self.world.spool("orders")).unwrap().count()
    }
}

#[test]
fn what_is_closed_to_somebody_is_not_called_missing_and_he_is_told_how_to_get_in() {
    if !is_root() {
        println!("skipped: only root can ask as several users");
        return;
    }
    let group = Group::new(PAUSED);
    let world = &group.world;
    world.stop(world.ready_daemon());
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let closed = |part: &str| {
        for args in [&["status"][..], &["pause"], &["urls"]] {
            let output = group.run_as(ALICE, args);
            assert_eq!(output.status.code(), Some(77), "{args:?}: {}", said(&output));
            let told = said(&output);
            assert!(told.contains("permission denied") && told.contains(part), "{args:?}: {told}");
            assert!(!told.contains("there is no database"), "{args:?}: {told}");
        }
    };
    mode(&world.database(), 0o600);
    closed("chmod g+r");
    mode(&world.database(), 0o640);
    chown(world.database(), None, Some(1)).unwrap();
    closed("`sudo adduser");
    chown(world.path("prefetchd.toml"), None, Some(1)).unwrap();
    mode(&world.path("prefetchd.toml"), 0o640);
    closed("then log in again");
    mode(&world.path("prefetchd.toml"), 0o644);
    fs::write(world.database(), "").unwrap();
    let _ = fs::remove_file(world.path(&format!("{}-wal", world.database().file_name().unwrap().display())));
    let empty = world.run(&["status"]);
    assert!(empty.status.code() == Some(69) && said(&empty).contains("there is no database"), "{}", said(&empty));
}

/// A daemon that sends nothing.
const PAUSED: &str = "[budget]\nrequests_per_day = 1\nreserve = 1\n";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_member_cancels_prioritizes_and_retries_own_files_and_no_others() {
    if !is_root() {
        println!("skipped: only root can ask as several users");
        return;
    }
    let group = Group::new(PAUSED);
    let world = &group.world;
    let daemon = world.ready_daemon();
    assert_eq!(fs::metadata(world.spool("orders")).unwrap().mode() & 0o7777, 0o3770);
    assert!(world.run(&["pause"]).status.success());
    group.drop_of(ALICE, "alice.txt", urls("a", 5));
    group.drop_of(BOB, "bob.txt", urls("b", 3));
    // Two lines of Bob's are Alice's URLs too.
    group.drop_of(BOB, "both.txt", urls("a", 2));
    world.wait_for("select count(*) from v_files where read_at is not null", 3);

    let rehearsed = group.run_as(ALICE, &["cancel", "--label", "no such", "--dry-run"]);
    assert_eq!(rehearsed.status.code(), Some(65), "{}", said(&rehearsed));
    let done = group.run_as(ALICE, &["prioritize", "--file", "alice.txt"]);
    assert!(done.status.success() && text(&done).contains("5 URLs are urgent now"), "{}", said(&done));
    assert_eq!(world.number("select count(*) from v_urls where priority = 'urgent'"), 5);

    let refused = group.run_as(ALICE, &["cancel", "--file", "bob.txt"]);
    assert_eq!(refused.status.code(), Some(77), "{}", said(&refused));
    assert!(said(&refused).contains("bob.txt belongs to uid 40002"), "{}", said(&refused));
    let chinese = group.run_as(ALICE, &["cancel", "--file", "bob.txt", "--lang", "zh"]);
    assert!(said(&chinese).contains("bob.txt 属于 uid 40002"), "{}", said(&chinese));
    let unknown = group.run_as(ALICE, &["cancel", "--file", "nobody.txt"]);
    assert!(unknown.status.code() == Some(66) && said(&unknown).contains("no file of the name"), "{}", said(&unknown));
    // By state it is hers alone, and what Bob wants of her URLs stays.
    let done = group.run_as(ALICE, &["cancel", "--state", "pending"]);
    assert!(done.status.success() && text(&done).contains("5 URLs are cancelled"), "{}", said(&done));
    assert_eq!(world.rows("select pending, cancelled from v_files where name = 'alice.txt'"), [["0", "5"]]);
    assert_eq!(world.rows("select pending, cancelled from v_files where name = 'bob.txt'"), [["3", "0"]]);
    assert_eq!(
        world.rows("select merged_pending, merged_cancelled from v_files where name = 'both.txt'"),
        [["2", "0"]]
    );
    // What is left is Bob's, by whatever it is named.
    for choice in [["--state", "pending"], ["--host", "vod.example.com"]] {
        let refused = group.run_as(ALICE, &["cancel", choice[0], choice[1]]);
        assert_eq!(refused.status.code(), Some(77), "{}", said(&refused));
        let config = format!("prefetchd cancel {} {} --config ", choice[0], choice[1]);
        let told = said(&refused);
        assert!(told.contains("in a file that you dropped") && told.contains(&config), "{told}");
    }
    let pause = group.run_as(ALICE, &["pause"]);
    assert_eq!(pause.status.code(), Some(77), "{}", said(&pause));
    assert!(said(&pause).contains("prefetchd pause --config /"), "{}", said(&pause));
    let none = group.run_as(ALICE, &["retry", "--file", "alice.txt", "--action", "purge"]);
    assert_eq!(none.status.code(), Some(65), "{}", said(&none));
    let done = group.run_as(ALICE, &["retry", "--file", "alice.txt", "--json"]);
    assert!(done.status.success() && text(&done).contains("\"urls\": 5"), "{}", said(&done));
    assert_eq!(group.orders_left(), 0);
    let who = world.rows("select distinct who from v_orders where dropped_as is not null");
    assert_eq!(who, [["uid 40001"]]);
    let refused =
        "select count(*) from v_orders where refused_code in ('not_yours', 'no_file') and done_at is not null";
    assert_eq!(world.number(refused), 2);
    world.assert_books_agree();
    world.stop(daemon);

    // Nobody takes it now, and the next daemon does.
    let late = group.run_as(BOB, &["cancel", "--file", "bob.txt"]);
    assert_eq!(late.status.code(), Some(75), "{}", said(&late));
    assert!(said(&late).contains("no daemon runs") && group.orders_left() == 1, "{}", said(&late));
    let _daemon = world.daemon();
    world.wait_for("select cancelled from v_files where name = 'bob.txt'", 3);
    world.wait("the order to be removed", || group.orders_left() == 0);
}

#[test]
fn what_is_no_order_is_refused_and_recorded_and_stops_no_other() {
    if !is_root() {
        println!("skipped: only root can ask as several users");
        return;
    }
    let group = Group::new(PAUSED);
    let world = &group.world;
    let _daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    group.drop_of(ALICE, "alice.txt", urls("a", 5));
    group.drop_of(0, "root.txt", urls("b", 5));
    world.wait_for("select count(*) from v_files where read_at is not null", 2);
    let target = world.path("elsewhere");
    fs::write(&target, r#"{"order": "cancel", "file": "root.txt"}"#).unwrap();
    std::os::unix::fs::symlink(&target, world.spool("orders").join("link.json")).unwrap();
    fs::hard_link(&target, world.spool("orders").join("hard.json")).unwrap();
    group.write_order(ALICE, "theirs.json", r#"{"order": "cancel", "file": "root.txt"}"#);
    fs::create_dir(world.spool("orders").join("a.json")).unwrap();
    group.write_order(ALICE, "all.json", r#"{"order": "cancel"}"#);
    group.write_order(ALICE, "long.json", &" ".repeat(20_000));
    group.write_order(65_534, "nobody.json", r#"{"order": "cancel", "file": "alice.txt"}"#);
    group.write_order(ALICE, "good.json", r#"{"order": "cancel", "file": "alice.txt"}"#);
    world.wait_for("select cancelled from v_files where name = 'alice.txt'", 5);
    world.wait("all orders to be dealt with", || group.orders_left() == 1);
    let refused = world.rows("select dropped_as, refused_code from v_orders where refused is not null order by 1");
    let expected = [
        ["all.json", "names_nothing"],
        ["hard.json", "not_plain"],
        ["link.json", "not_plain"],
        ["long.json", "too_long"],
        ["nobody.json", "nobody"],
        ["theirs.json", "not_yours"],
    ];
    assert_eq!(refused, expected);
    assert_eq!(world.number("select pending from v_files where name = 'root.txt'"), 5);
    assert!(target.exists() && world.count_log("refused an order of a member") == 6, "{}", world.log());
}

#[test]
fn an_order_that_was_begun_when_the_daemon_was_killed_is_finished_once() {
    if !is_root() {
        println!("skipped: only root can ask as several users");
        return;
    }
    let group = Group::new(PAUSED);
    let world = &group.world;
    let daemon = world.ready_daemon();
    assert!(world.run(&["pause"]).status.success());
    group.drop_of(ALICE, "alice.txt", urls("a", 30_000));
    world.wait_for("select count(*) from v_files where read_at is not null", 1);
    group.write_order(ALICE, "order.json", r#"{"order": "cancel", "file": "alice.txt"}"#);
    world.wait("the order to be begun", || {
        world.try_number("select rows from v_orders where dropped_as = 'order.json'").is_some_and(|rows| rows > 0)
    });
    daemon.kill();
    let _daemon = world.daemon();
    world.wait_for("select cancelled from v_files where name = 'alice.txt'", 30_000);
    world.wait("the order to be removed", || group.orders_left() == 0);
    let orders = world.rows("select rows, done_at is not null from v_orders where command = 'cancel'");
    assert_eq!(orders, [["30000", "1"]]);
    world.assert_books_agree();
}
