//! Keys, tokens and signatures leave the process in calls alone: nothing that a run at `trace` leaves behind holds one.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::tap::Tap;
use crate::support::{Process, World, urls};

const SECRET: &str = "9f2c-s3cr3t-e01";
const TOKEN: &str = "CAIS+t0k3n/77==";

/// The calls of a batch: taken, lost, failed, refused for what it holds; then the key is replaced.
const SCENARIO: &str = r#"
[account]
access_key_id = "STS.leak"
access_key_secret = "9f2c-s3cr3t-e01"
security_token = "CAIS+t0k3n/77=="
[tasks]
speed = 10000
[[fault]]
calls = [2]
action = "drop_after"
[[fault]]
calls = [4]
action = "error"
code = "InternalError"
[[fault]]
calls = [6]
action = "error"
code = "InvalidObjectPath.Malformed"
[[fault]]
operation = "DescribeVodRefreshQuota"
calls = [3]
action = "html"
[[change]]
after_calls = 8
access_key_secret = "another"
"#;

/// Every spelling in which a value may stand somewhere.
fn spellings(value: &str) -> Vec<String> {
    let once: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let twice: String = url::form_urlencoded::byte_serialize(once.as_bytes()).collect();
    let debug = format!("{value:?}").trim_matches('"').to_owned();
    vec![value.to_owned(), once, twice, debug]
}

/// The signatures of calls as they went over the wire.
fn signatures(calls: &[String]) -> BTreeSet<String> {
    let of = |call: &String| {
        let header = call.split_once(",Signature=").map(|(_, rest)| rest.split_whitespace().next().unwrap().to_owned());
        let body = call.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let mut form = url::form_urlencoded::parse(body.as_bytes());
        header.or_else(|| form.find(|(name, _)| name == "Signature").map(|(_, value)| value.into_owned()))
    };
    calls.iter().filter_map(of).collect()
}

/// All that a run left in its directory, by name.
fn left(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            left(&path, found);
        } else if !["scenario.toml", "key"].contains(&name.as_str()) {
            found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
}

fn get(address: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// What the running daemon shows of itself.
fn shown(world: &World, daemon: &Process, address: &str) -> Vec<(String, Vec<u8>)> {
    let mut shown: Vec<_> = ["/status", "/metrics", "/healthz", "/readyz"]
        .iter()
        .map(|path| ((*path).to_owned(), get(address, path)))
        .collect();
    assert!(shown.iter().all(|(_, answer)| answer.starts_with(b"HTTP/1.1 ")));
    for file in ["cmdline", "comm", "status"] {
        shown.push((file.to_owned(), fs::read(format!("/proc/{}/{file}", daemon.id())).unwrap()));
    }
    let url = "https://vod.example.com/first/seg-000000.ts";
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["why", url],
        &["submissions", "--json"],
        &["files", "--json"],
        &["check", "--online"],
        &["export"],
    ] {
        let output = world.run(args);
        shown.push((args.join(" "), [output.stdout, output.stderr].concat()));
    }
    shown
}

fn nothing_is_left_of_what_is_secret(signature: &str) {
    let world = World::new(SCENARIO, "");
    let tap = Tap::plain(world.address());
    let key = format!(
        "ALIBABA_CLOUD_ACCESS_KEY_ID=STS.leak\nALIBABA_CLOUD_ACCESS_KEY_SECRET={SECRET}\n\
         ALIBABA_CLOUD_SECURITY_TOKEN={TOKEN}\n"
    );
    fs::write(world.path("key"), key).unwrap();
    fs::set_permissions(world.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    world.configure(&format!(
        "[api]\nendpoint = \"http://{}\"\nsignature = \"{signature}\"\ntimeout = \"5s\"\nrequests_per_second = 50\n\
         [credentials]\nfile = \"{}\"\n[http]\nlisten = \"{free}\"\n[track]\nfirst_after = \"1s\"\n\
         [budget]\nin_doubt_wait = \"1s\"\n[log]\nlevel = \"trace\"\n",
        tap.address,
        world.path("key").display()
    ));
    let daemon = World::spawn(world.daemon_command().env("PREFETCHD_LOG", "trace"));
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    for film in ["first", "second", "third", "fourth"] {
        world.drop_file(&format!("{film}.txt"), urls(film, 5));
        let ended = format!(
            "select pending + leased = 0 from v_files where name = '{film}.txt'
             union all select paused_why is not null from v_status order by 1 desc limit 1"
        );
        world.wait_for(&ended, 1);
    }
    // The key is refused in the end, with all that was signed in the answer.
    for film in 0..20 {
        if world.number("select key_refused is not null from v_status") == 1 {
            break;
        }
        world.drop_file(&format!("more-{film}.txt"), urls(&format!("more-{film}"), 5));
        let settled = format!(
            "select key_refused is not null or exists (
                 select 1 from v_files where name = 'more-{film}.txt' and pending + leased = 0
             ) from v_status"
        );
        world.wait_for(&settled, 1);
    }
    world.wait_for("select key_refused like '%does not belong%' from v_status", 1);
    let mut found = shown(&world, &daemon, &free);
    // The log beside the database is looked at while it is there.
    left(world.dir.path(), &mut found);
    assert!(found.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()), "there is a WAL");
    world.stop(daemon);
    left(world.dir.path(), &mut found);

    let signed = signatures(&tap.heard());
    assert!(signed.len() >= 10, "{} signatures were heard", signed.len());
    let trace = fs::read_to_string(world.path("daemon.log")).unwrap();
    assert!(trace.contains("TRACE") && trace.contains("DEBUG"), "the log says all it can");
    let finds = |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let key = fs::read(world.path("key")).unwrap();
    assert!(finds(&key, SECRET) && finds(&key, TOKEN), "the search finds what is there");
    for secret in [SECRET, TOKEN].map(str::to_owned).into_iter().chain(signed) {
        for spelling in spellings(&secret) {
            for (name, bytes) in &found {
                assert!(!finds(bytes, &spelling), "{name} holds {spelling:?}");
            }
        }
    }
}

#[test]
fn nothing_that_is_left_behind_holds_a_key_a_token_or_a_signature_of_v1() {
    nothing_is_left_of_what_is_secret("v1");
}

#[test]
fn nothing_that_is_left_behind_holds_a_key_a_token_or_a_signature_of_v3() {
    nothing_is_left_of_what_is_secret("v3");
}
