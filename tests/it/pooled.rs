//! A database behind PgBouncer in transaction mode, where each transaction may run in another session of the server's.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::postgres::as_nobody;
use crate::support::{Process, World, said, urls};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Tasks that end soon, and a tracker that looks soon.
const QUICK: &str = "[tasks]\ntakes = \"1s\"\n[quota]\nper_day = 5000";
const FAST: &str = "[track]\nfirst_after = \"1s\"\ncalls_per_second = 100\n";

/// One before the server of this socket's folder, in `folder`, with these settings; none where it is not installed.
fn pooler(server: &str, folder: &Path, settings: &str) -> Option<Process> {
    if !Path::new(PROGRAM).exists() {
        let _ = writeln!(std::io::stderr(), "skipped without {PROGRAM}: what is tested behind a pooler");
        return None;
    }
    let own = format!(
        "[databases]\n* = host={server} user=tests\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\nauth_type = any\n\
         pool_mode = transaction\ndefault_pool_size = 8\nserver_round_robin = 1\n{settings}\n",
        folder.display()
    );
    fs::write(folder.join("settings"), own).unwrap();
    let mut command = as_nobody(Path::new(PROGRAM), folder);
    let process = command.args(["-q", "settings"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Some(process.into())
}

/// Everything works, and no statement is looked for in a session that does not have it.
fn works_behind(settings: &str) {
    let Some(direct) = World::on_server(QUICK, "") else { return };
    let (url, folder) = (direct.url(), tempfile::Builder::new().prefix("pb").tempdir_in("/tmp").unwrap());
    let server = url.rsplit_once("host=").unwrap().1;
    let Some(_pooler) = pooler(server, folder.path(), settings) else { return };
    direct.wait("PgBouncer", || folder.path().join(".s.PGSQL.6432").exists());
    let url = url.replace("localhost/", "localhost:6432/").replace(server, &folder.path().display().to_string());
    let world = direct;
    world.configure(&format!("[database]\nurl = \"{url}\"\n{FAST}"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 20));
    world.drop_file("late.txt", format!("#: not_before = 2099-01-01T00:00:00Z\n{}", urls("late", 5)));
    world.wait_for("select complete from v_status", 20);
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    let commands: [&[&str]; 10] = [
        &["status"],
        &["files"],
        &["urls", "--json"],
        &["why", "https://vod.example.com/a/seg-000003.ts"],
        &["export", "--file", "film.txt"],
        &["forecast"],
        &["prioritize", "--file", "late.txt"],
        &["pause"],
        &["resume"],
        &["check"],
    ];
    for args in commands {
        let output = world.run(args);
        let is_well = output.status.success() || (args == ["forecast"] && output.status.code() == Some(1));
        assert!(is_well, "{args:?}: {}", said(&output));
    }
    world.assert_all_accepted(20);
    world.stop(daemon);
    assert_eq!(world.count_log("WARN") + world.count_log("ERROR"), 0, "{}", world.log());
}

#[test]
fn everything_works_behind_a_pooler_that_refuses_what_it_does_not_know() {
    works_behind("");
}

#[test]
fn everything_works_behind_a_pooler_that_takes_no_notice_of_what_it_does_not_know() {
    works_behind("ignore_startup_parameters = extra_float_digits, options");
}
