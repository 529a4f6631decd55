//! Metrics and health over HTTP: what is served, and that no client can do harm.

mod connections;

use std::cell::Cell;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};

use crate::support::{Process, World, said, urls};

/// Nothing here takes so long unless it never happens.
const DEADLINE: Duration = Duration::from_secs(60);

/// The configuration of a server on a port that the system chooses.
pub const LISTEN: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a metric with its labels, if it is there.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }
}

/// Where the last daemon of this world serves.
pub fn address(world: &World) -> SocketAddr {
    let served = "metrics and health are served listen=";
    world.wait("the server to listen", || world.count_log(served) > 0);
    let log = world.log();
    let (_, address) = log.lines().rev().find_map(|line| line.split_once(served)).unwrap();
    address.trim().parse().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends bytes and reads until the server closes; none if it closed without an answer.
pub fn send(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(address);
    // A server that has answered already may have closed before all was sent.
    let _ = stream.write_all(bytes);
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server neither answered nor closed: {error}"),
        }
    }
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().unwrap();
    Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    send(address, request.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path)
}

/// A world with a daemon that serves.
fn served(scenario: &str, config: &str) -> (World, Process, SocketAddr) {
    let world = World::new(scenario, &format!("{LISTEN}{config}"));
    let daemon = world.ready_daemon();
    let address = address(&world);
    (world, daemon, address)
}

#[test]
fn each_page_is_read_and_nothing_else_can_be_done() {
    let (world, daemon, address) = served("", "");
    for (path, kind) in [
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/readyz", "text/plain; charset=utf-8"),
        ("/status", "application/json"),
        ("/status?x=1", "application/json"),
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.head.contains(&format!("content-type: {kind}\r\n")), "{path}: {}", answer.head);
        let head = ask(address, "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "HEAD {path}");
        assert!(head.head.contains("content-length: ") && !head.head.contains("content-length: 0"), "{}", head.head);
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let refused = ask(address, method, path);
            assert_eq!(refused.status, 405, "{method} {path}: {}", refused.body);
            assert!(refused.head.contains("allow: get, head"), "{}", refused.head);
        }
    }
    assert_eq!(get(address, "/healthz").body, "ok\n");
    assert_eq!(get(address, "/readyz").body, "ready\n");
    for path in ["/", "/metrics/", "/nothing", "/../../etc/passwd", "/%2e%2e/status", "//status"] {
        let unknown = get(address, path);
        assert_eq!(unknown.status, 404, "{path}");
        assert!(unknown.body.contains("/metrics"), "{path}: {}", unknown.body);
    }
    // Neither a body nor what is no HTTP is waited for.
    let upload = b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nsome";
    assert_eq!(send(address, upload).map(|answer| answer.status), Some(405));
    for garbage in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        assert_ne!(send(address, garbage).map(|answer| answer.status), Some(200));
    }
    assert_eq!(get(address, "/healthz").status, 200);
    world.stop(daemon);
}

#[test]
fn the_metrics_say_what_the_database_says() {
    let (world, _daemon, address) = served("", "");
    world.drop_file("film.txt", format!("#: priority = high\n{}no url\n", urls("a", 5)));
    world.wait_for("select submitted from v_status", 5);
    let used = world.number("select requests_used from v_budget") as f64;
    let limit = world.number("select requests_limit from v_budget") as f64;
    // A page may be a second old.
    let page = Cell::new(None);
    world.wait("the metrics to show the batch", || {
        let answer = get(address, "/metrics");
        let shown = answer.metric("prefetchd_urls{action=\"prefetch\",priority=\"high\",state=\"submitted\"}")
            == Some(5.0)
            && answer.metric("prefetchd_files_in_progress") == Some(0.0)
            && answer.metric("prefetchd_submissions_total{action=\"prefetch\",outcome=\"accepted\"}") == Some(1.0);
        page.set(Some(answer));
        shown
    });
    let page = page.take().unwrap();
    for (metric, value) in [
        ("prefetchd_budget_requests_used{action=\"prefetch\"}", used),
        ("prefetchd_budget_requests_limit{action=\"prefetch\"}", limit),
        ("prefetchd_budget_requests_remaining{action=\"prefetch\"}", limit - used),
        ("prefetchd_budget_urls_used{action=\"prefetch\"}", 5.0),
        ("prefetchd_urls{action=\"prefetch\",priority=\"high\",state=\"pending\"}", 0.0),
        ("prefetchd_lines_total{result=\"queued\"}", 5.0),
        ("prefetchd_lines_total{result=\"refused\"}", 1.0),
        ("prefetchd_submission_urls_total{action=\"prefetch\",outcome=\"accepted\"}", 5.0),
        ("prefetchd_submissions_total{action=\"prefetch\",outcome=\"throttled\"}", 0.0),
        ("prefetchd_call_duration_seconds_count{operation=\"PreloadVodObjectCaches\",result=\"answered\"}", 1.0),
        ("prefetchd_paused{action=\"prefetch\",reason=\"suspended\"}", 0.0),
        ("prefetchd_database_readable", 1.0),
        ("prefetchd_database_writable", 1.0),
        ("prefetchd_spool_problem", 0.0),
    ] {
        assert_eq!(page.metric(metric), Some(value), "{metric}\n{}", page.body);
    }
    let accepted = page.metric("prefetchd_last_accepted_timestamp_seconds{action=\"prefetch\"}").unwrap();
    let started = page.metric("process_start_time_seconds").unwrap();
    assert!(started > 1.7e9 && accepted >= started, "{started} {accepted}");
    let bytes = |name: &str| page.metric(name).unwrap();
    assert!(bytes("prefetchd_database_bytes") >= 4096.0 && bytes("prefetchd_database_wal_bytes") > 0.0);
    // No label is made of what somebody dropped.
    assert!(!page.body.contains("film") && !page.body.contains("example.com"), "{}", page.body);
}

#[test]
fn the_status_is_the_one_that_the_command_shows() {
    let (world, _daemon, address) = served("", "");
    // Control bytes can stand in a name, quotes and backslashes in a label too.
    world.drop_file("a\u{1b}[2J\"\\.txt", format!("#: label = say \"hi\" \\ \u{202e} {{x}}\n{}", urls("a", 5)));
    world.wait_for("select submitted from v_status", 5);
    let told: Cell<Option<(serde_json::Value, serde_json::Value)>> = Cell::new(None);
    world.wait("both to tell the same", || {
        let answer = get(address, "/status");
        assert!(!answer.body.contains(|c: char| c.is_control() && c != '\n'), "{:?}", answer.body);
        let served = serde_json::from_str(&answer.body).unwrap();
        let output = world.run(&["status", "--json"]);
        let shown = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        let same = served == shown;
        told.set(Some((served, shown)));
        same
    });
    let (served, _) = told.take().unwrap();
    assert_eq!(served["files"][0]["label"], "say \"hi\" \\ \u{202e} {x}");
    assert_eq!(served["urls"]["submitted"], 5);
}

#[test]
fn a_pause_makes_it_unready_and_says_why() {
    let fault = "[[fault]]\ncalls = [1]\naction = \"error\"\ncode = \"OperationDenied.Suspended\"";
    let (world, daemon, before) = served(fault, "");
    world.drop_file("film.txt", urls("a", 3));
    world.wait("the pause", || get(before, "/readyz").status == 503);
    let why = get(before, "/readyz").body;
    assert!(why.starts_with("paused: ") && why.contains("overdue payment") && why.ends_with('\n'), "{why}");
    assert_eq!(ask(before, "HEAD", "/readyz").status, 503);
    // It lives, and tells what it can.
    assert_eq!(get(before, "/healthz").status, 200);
    let metrics = get(before, "/metrics");
    assert_eq!(
        metrics.metric("prefetchd_paused{action=\"prefetch\",reason=\"suspended\"}"),
        Some(1.0),
        "{}",
        metrics.body
    );
    assert_eq!(metrics.metric("prefetchd_paused{action=\"prefetch\",reason=\"unknown_key\"}"), Some(0.0));
    // A restart tries at once, and the account is well.
    drop(daemon);
    let _daemon = world.daemon();
    world.wait("another server", || address(&world) != before);
    world.wait("the end of the pause", || get(address(&world), "/readyz").status == 200);
    world.wait_for("select submitted from v_status", 3);
}

#[test]
fn a_database_that_somebody_locks_makes_it_unready_until_it_is_free() {
    let (world, _daemon, address) = served("", "");
    let url = format!("sqlite:{}", world.database().display());
    let mut foreign = world.block_on(async {
        let mut foreign = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
        foreign
    });
    world.drop_file("film.txt", urls("a", 3));
    world.wait("it to be unready", || get(address, "/readyz").status == 503);
    let why = get(address, "/readyz").body;
    assert!(why.contains("cannot be written") && why.contains("locked by another process"), "{why}");
    // What can be read is told, and nobody restarts the daemon for it.
    let metrics = get(address, "/metrics");
    assert_eq!(metrics.metric("prefetchd_database_writable"), Some(0.0), "{}", metrics.body);
    assert_eq!(metrics.metric("prefetchd_database_readable"), Some(1.0));
    assert_eq!((get(address, "/healthz").status, get(address, "/status").status), (200, 200));
    world.block_on(async {
        sqlx::query("rollback").execute(&mut foreign).await.unwrap();
        foreign.close().await.unwrap();
    });
    world.wait("it to be ready again", || get(address, "/readyz").status == 200);
    world.wait_for("select submitted from v_status", 3);
}

#[test]
fn a_database_that_cannot_be_read_makes_it_unready_and_the_metrics_say_so() {
    let (world, _daemon, address) = served("", "");
    // A table that is not as it was made is as good as unreadable, and can be mended.
    let url = format!("sqlite:{}", world.database().display());
    let rename = |from: &str, to: &str| {
        let statement = sqlx::AssertSqlSafe(format!("alter table {from} rename to {to}"));
        world.block_on(async {
            let mut foreign = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(statement).execute(&mut foreign).await.unwrap();
            foreign.close().await.unwrap();
        });
    };
    rename("tally", "tally_gone");
    world.wait("it to be unready", || get(address, "/readyz").status == 503);
    let why = get(address, "/readyz").body;
    assert!(why.contains("cannot be read") && why.contains("tally"), "{why}");
    let status = get(address, "/status");
    assert_eq!((status.status, status.body), (503, why));
    let metrics = get(address, "/metrics");
    assert_eq!((metrics.status, metrics.metric("prefetchd_database_readable")), (200, Some(0.0)), "{}", metrics.body);
    assert_eq!(metrics.metric("prefetchd_budget_requests_used{action=\"prefetch\"}"), None);
    assert!(metrics.metric("process_start_time_seconds").is_some());
    rename("tally_gone", "tally");
    world.wait("it to be ready again", || get(address, "/readyz").status == 200);
}

#[test]
fn an_address_that_somebody_else_has_stops_no_batch_and_is_had_later() {
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap();
    let world = World::new("", &format!("[http]\nlisten = \"{taken}\"\n"));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.wait_for("select count(*) from v_status where http_problem is not null", 1);
    let shown = world.run(&["status"]);
    assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
    let text = String::from_utf8(shown.stdout.clone()).unwrap();
    assert!(text.contains(&taken.to_string()) && text.contains("[http] listen"), "{}", said(&shown));
    assert_eq!(world.count_log("metrics and health are not served"), 1);
    drop(somebody);
    assert_eq!(address(&world), taken);
    assert_eq!(get(taken, "/readyz").status, 200);
    world.wait_for("select count(*) from v_status where http_problem is null", 1);
    assert_eq!(world.run(&["status"]).status.code(), Some(0));
    world.stop(daemon);
}

#[test]
fn an_address_that_others_reach_has_to_be_allowed() {
    let world = World::new("", "");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9464"] {
        world.configure(&format!("[http]\nlisten = \"{listen}\"\n"));
        for command in [&["check"][..], &["run", "--allow-root"]] {
            let output = world.run(command);
            assert_eq!(output.status.code(), Some(78), "{}", said(&output));
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains("[http] listen (line ") && told.contains("allow_remote = true"), "{told}");
        }
    }
    world.configure("[http]\nlisten = \"0.0.0.0:0\"\nallow_remote = true\n");
    let _daemon = world.ready_daemon();
    let listens = address(&world);
    assert_eq!(get(SocketAddr::from(([127, 0, 0, 1], listens.port())), "/healthz").status, 200);
}

/// The status of an answer to a request with these lines of its head.
fn asked(address: SocketAddr, head: &str) -> u16 {
    send(address, format!("{head}\r\n\r\n").as_bytes()).map_or(0, |answer| answer.status)
}

#[test]
fn a_page_answers_to_this_servers_names_alone() {
    let (world, daemon, address) = served("", "hosts = [\"warm.example.net\"]\n");
    let port = address.port();
    for path in ["/status", "/metrics", "/healthz", "/readyz"] {
        for host in [&format!("127.0.0.1:{port}"), "localhost", "[::1]:80", "warm.example.net"] {
            assert_eq!(asked(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}")), 200, "{path} {host}");
        }
        for head in [
            format!("GET {path} HTTP/1.1\r\nHost: evil.example"),
            format!("GET {path} HTTP/1.1\r\nHost: evil.example:{port}"),
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"),
            format!("GET http://evil.example{path} HTTP/1.1\r\nHost: localhost"),
        ] {
            let refused = send(address, format!("{head}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(refused.status, 421, "{head}: {}", refused.body);
            assert!(!refused.body.contains("pending"), "{}", refused.body);
        }
    }
    let refused = send(address, b"GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n").unwrap();
    assert!(refused.body.contains("[http] hosts"), "{}", refused.body);
    // What names nothing may be asked for by scrapers and probes under any address, and by old ones without a name.
    for (path, by_address, without) in [("/status", 421, 421), ("/metrics", 200, 200), ("/healthz", 200, 200)] {
        assert_eq!(asked(address, &format!("GET {path} HTTP/1.1\r\nHost: 192.0.2.1:9464")), by_address, "{path}");
        assert_eq!(asked(address, &format!("GET {path} HTTP/1.0")), without, "{path}");
    }
    world.stop(daemon);
}

#[test]
fn an_operators_pause_is_a_metric_and_not_ready() {
    let world = World::new("", LISTEN);
    let _daemon = world.ready_daemon();
    let address = address(&world);
    let stopped =
        || get(address, "/metrics").body.contains("prefetchd_paused{action=\"prefetch\",reason=\"stopped\"} 1");
    assert!(!stopped());
    assert!(world.run(&["pause", "--reason", "origin down"]).status.success());
    world.wait("the metric of the pause", stopped);
    let ready = get(address, "/readyz");
    assert!(ready.status == 503 && ready.body.contains(": origin down"), "{}", ready.body);
    assert!(world.run(&["resume"]).status.success());
    world.wait("to be ready again", || get(address, "/readyz").status == 200);
}
