//! The warmth check: what the CDN says of a sample of what completed. The edge node is a server on loopback.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::support::World;

/// An edge node: answers by the path, and remembers what it was asked.
struct Edge {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Edge {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let edge = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = Arc::clone(&edge.heads);
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming().flatten() {
                silent.extend(answer(stream, &heads));
            }
        });
        edge
    }

    /// How often each path was asked for.
    fn asked(&self) -> HashMap<String, usize> {
        let mut asked = HashMap::new();
        for head in self.heads.lock().unwrap().iter() {
            *asked.entry(head.split(' ').nth(1).unwrap_or("").to_owned()).or_default() += 1;
        }
        asked
    }
}

/// Answers one request; gives the connection back when it stays silent.
fn answer(stream: TcpStream, heads: &Mutex<Vec<String>>) -> Option<TcpStream> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // What is no text is no HTTP: the greeting of TLS.
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|n| n > 0) {}
    if !head.ends_with("\r\n\r\n") {
        return None;
    }
    heads.lock().unwrap().push(head.clone());
    let path = head.split(' ').nth(1).unwrap_or("").rsplit('/').next().unwrap_or("").to_owned();
    let text = match path.as_str() {
        "hit" | "bare" | "whole" => "HTTP/1.1 200 OK\r\nX-Cache: HIT TCP_MEM_HIT dirn:10:3\r\nAge: 7\r\n\r\n",
        "miss" => "HTTP/1.1 200 OK\r\nX-Cache: MISS TCP_MISS dirn:-2:-2\r\nContent-Length: 1000000\r\n\r\n",
        "silent" => "HTTP/1.1 200 OK\r\n\r\n",
        "redirect" => "HTTP/1.1 302 Found\r\nLocation: http://vod.example.com/followed\r\n\r\n",
        "error" => "HTTP/1.1 404 Not Found\r\nX-Cache: HIT TCP_HIT\r\n\r\n",
        "slow" => return Some(stream),
        _ => "SSH-2.0-garbage\r\n\r\n\0\0\0",
    };
    let _ = (&stream).write_all(text.as_bytes());
    None
}

fn sqlite3(world: &World, sql: &str) {
    assert!(
        Command::new("sqlite3")
            .arg("-cmd")
            .arg(".timeout 10000")
            .arg(world.database())
            .arg(sql)
            .status()
            .unwrap()
            .success()
    );
}

/// All tasks of everything that was submitted have ended, a minute ago.
fn end_all(world: &World) {
    let ended = chrono::Utc::now().timestamp_millis() - 60_000;
    sqlite3(world, &format!("update submissions set ended_at = {ended} where state = 1 and ended_at is null"));
}

fn config(edge: &Edge, share: &str) -> String {
    format!("[track]\nverify = {share}\nverify_per_second = 10\nverify_via = \"{}\"\n", edge.address)
}

#[test]
fn what_completed_is_asked_for_and_the_answer_is_written_down() {
    let edge = Edge::start();
    let world = World::new("", &config(&edge, "1.0"));
    let daemon = world.ready_daemon();
    let names = ["hit", "miss", "silent", "redirect", "error", "slow", "garbage", "whole", "failed"];
    let list: String = names.iter().map(|name| format!("http://vod.example.com/{name}\n")).collect();
    world.drop_file("film.txt", format!("{list}vod.example.com/bare\nhttp://vod.example.com/refused\n"));
    world.wait_for("select submitted from v_status", 11);
    sqlite3(
        &world,
        "update urls set state = 3 where url like '%/failed';
         update urls set state = 2 where url like '%/whole';
         insert into hosts (host_id, host, standing, since, holds_until)
             values (99, 'other.example.com', 'refused', 0, 9000000000000000);
         update urls set host_id = 99 where url like '%/refused';",
    );
    end_all(&world);
    world.wait_for("select count(*) from v_checks where warmth is not null", 10);
    let found = |name: &str| {
        let columns = "warmth, coalesce(http_status, ''), tries, evidence";
        world.rows(&format!("select {columns} from v_checks where url like '%/{name}'")).remove(0)
    };
    for name in ["hit", "bare", "whole"] {
        assert_eq!(found(name), ["hit", "200", "1", "x-cache: HIT TCP_MEM_HIT dirn:10:3; age: 7"], "{name}");
    }
    assert_eq!(found("miss"), ["miss", "200", "1", "x-cache: MISS TCP_MISS dirn:-2:-2"]);
    assert_eq!(found("silent"), ["unknown", "200", "1", "no header tells"]);
    let redirect = "redirects to http://vod.example.com/followed, which is not followed";
    assert_eq!(found("redirect"), ["unknown", "302", "1", redirect]);
    assert_eq!(found("error"), ["unknown", "404", "1", "no answer with the object; x-cache: HIT TCP_HIT"]);
    assert_eq!(found("slow"), ["unknown", "", "2", "no answer within 10 s"]);
    let garbage = found("garbage");
    assert!(garbage[..3] == ["unknown", "", "2"] && !garbage[3].is_empty(), "{garbage:?}");
    let refused = found("refused");
    assert!(refused[..3] == ["unknown", "", "0"] && refused[3].contains("domain"), "{refused:?}");
    let asked = edge.asked();
    let twice = |name: &str| if ["slow", "garbage"].contains(&name) { 2 } else { 1 };
    let expected: HashMap<String, usize> = names[..8].iter().map(|name| (format!("/{name}"), twice(name))).collect();
    assert_eq!(asked, expected.into_iter().chain([("/bare".to_owned(), 1)]).collect());
    for head in edge.heads.lock().unwrap().iter() {
        assert!(
            head.starts_with("HEAD /") && head.to_ascii_lowercase().contains("host: vod.example.com\r\n"),
            "{head}"
        );
        assert!(head.contains("accept-encoding: gzip"), "{head}");
    }
    // After a crash it goes on with what ended since, and asks for nothing again.
    daemon.kill();
    let _daemon = world.daemon();
    world.drop_file("next.txt", "http://vod.example.com/next/hit\n");
    world.wait_for("select submitted + complete from v_status", 12);
    end_all(&world);
    world.wait_for("select count(*) from v_checks where warmth = 'hit'", 4);
    assert_eq!(edge.asked().values().sum::<usize>(), asked.values().sum::<usize>() + 1);
    assert_eq!(world.number("select count(*) from v_checks"), 11);
}

#[test]
fn a_share_is_a_sample_and_off_is_off() {
    let edge = Edge::start();
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    let list: String = (0..200).map(|n| format!("http://vod.example.com/{n}/hit\n")).collect();
    world.drop_file("film.txt", &list);
    world.wait_for("select submitted from v_status", 200);
    end_all(&world);
    world.stop(daemon);
    assert_eq!(world.number("select count(*) from v_checks"), 0);
    world.configure(&config(&edge, "0.1"));
    // The seed is the database's; with this one the sample is known.
    sqlite3(&world, "update warmth_cursor set seed = 1");
    let sample: Vec<i64> = (1..=200).filter(|id| prefetchd::track::is_sampled(*id, 1, 0.1)).collect();
    assert!((5..50).contains(&sample.len()));
    let _daemon = world.daemon();
    world.wait_for("select count(*) from v_checks where warmth = 'hit'", sample.len() as i64);
    let checked = world.rows("select url_id from v_checks order by url_id");
    assert_eq!(checked.concat(), sample.iter().map(i64::to_string).collect::<Vec<_>>());
    assert_eq!(edge.asked().len(), sample.len());
}
