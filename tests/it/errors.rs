//! Every answer has its outcome, through the built binary: nothing is lost, nothing spins, the others go on.

use crate::support::{World, said, urls};

/// Plays one fault on the first call and brings one small file to its end.
fn after(fault: &str, config: &str) -> World {
    let world = World::new(&format!("[[fault]]\ncalls = [1]\n{fault}"), config);
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 4));
    world.wait("the first call's outcome", || {
        world.number("select count(*) from v_submissions where outcome <> 'open'") > 0
    });
    drop(daemon);
    world
}

fn error(code: &str) -> String {
    format!("action = \"error\"\ncode = \"{code}\"")
}

#[test]
fn a_call_that_misses_a_parameter_is_a_bug_here_and_held_as_a_whole() {
    let world = after(&error("MissingParameter"), "");
    assert_eq!(world.rows("select outcome, code, cost from v_submissions"), [["refused", "MissingParameter", "1"]]);
    assert_eq!(world.rows("select distinct state from v_urls"), [["held"]]);
    let why = &world.rows("select reason, reason_code from v_urls")[0];
    assert!(why[0].contains("MissingParameter") && why[1] == "missing_parameter", "{why:?}");
    assert_eq!(world.rows("select distinct reason_with from urls"), [[r#"{"said":"MissingParameter"}"#]]);
    let _daemon = world.daemon();
    world.drop_file("next.txt", urls("b", 3));
    world.wait_for("select submitted from v_status", 3);
    assert_eq!(world.number("select held from v_status"), 4);
    world.assert_books_agree();
}

#[test]
fn a_deferred_batch_goes_again() {
    for (fault, outcome, cost) in [
        (error("Throttling"), "throttled", "0"),
        (error("Throttling.User"), "throttled", "0"),
        (error("Throttling.Api"), "throttled", "0"),
        (error("TooManyRequests"), "throttled", "0"),
        (error("QuotaPerMinuteExceeded.Refresh"), "minute_full", "0"),
        (error("IllegalTimestamp"), "clock_skew", "0"),
        (error("InvalidTimeStamp.Expired"), "clock_skew", "0"),
    ] {
        let world = after(&fault, "[api]\ntimeout = \"1s\"");
        let first = "select outcome, cost from v_submissions order by submission_id limit 1";
        assert_eq!(world.rows(first), [[outcome, cost]], "{fault}");
        let _daemon = world.daemon();
        world.wait_for("select submitted from v_status", 4);
        world.assert_books_agree();
        assert!(world.requests_seen() <= world.number("select sum(requests_used) from v_budget").unsigned_abs());
    }
}

#[test]
fn what_only_time_can_mend_waits_with_its_reason() {
    for (code, outcome, why, waiting) in [
        (
            "InvalidDomain.Configure_failed",
            "domain_not_configured",
            "what remains (4 URLs) belongs to domains",
            "hosts",
        ),
        ("ServiceBusy", "domain_not_configured", "what remains (4 URLs) belongs to domains", "hosts"),
        ("SomethingNew", "unknown_answer", "none of them may be sent yet", "not_yet"),
        ("QuotaExceeded.Preload", "quota_used_up", "today's quota is used up", "quota_used_up"),
        ("QuotaExceeded.Refresh", "quota_used_up", "today's quota is used up", "quota_used_up"),
    ] {
        let world = after(&error(code), "[budget]\nurls_per_day = \"unlimited\"");
        assert_eq!(world.rows("select outcome, code from v_submissions"), [[outcome, code]]);
        let _daemon = world.daemon();
        // In one look: what the daemon before said is wiped when the next one starts.
        world.wait(why, || {
            let said = &world.rows("select coalesce(waiting_for, ''), coalesce(waiting_code, '') from v_status")[0];
            said[0].contains(why) && said[1] == waiting
        });
        assert_eq!(world.number("select pending from v_status"), 4);
        assert_eq!(world.preloads().len(), 1, "{code}: it does not spin");
        world.assert_books_agree();
    }
}

#[test]
fn a_fault_of_the_account_pauses_everything_and_status_says_what_to_do() {
    for (code, cost, remedy) in [
        ("OperationDenied", "1", "activate it"),
        ("OperationDenied.Suspended", "1", "overdue payment"),
        ("InvalidAccessKeyId.NotFound", "0", "set another one"),
        ("InvalidAccessKeyId.Inactive", "0", "set another one"),
        ("NoPermission", "0", "grant it"),
        ("SignatureDoesNotMatch", "0", "correct it"),
        ("Forbidden.RAM", "0", "grant it"),
        ("InvalidSecurityToken.Expired", "0", "renew the temporary credentials"),
    ] {
        let world = World::new(&format!("[[fault]]\ncalls = [1]\n{}", error(code)), "");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 4));
        world.wait_for("select count(*) from v_submissions where outcome = 'account_fault'", 1);
        assert_eq!(world.rows("select cost from v_submissions"), [[cost]], "{code}");
        world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("b", 2)));
        world.wait_for("select pending from v_status", 6);
        world.waits_for(remedy);
        let status = world.run(&["status", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(json["health"], "paused", "{json}");
        assert!(json["needs"][0]["what"].as_str().unwrap().contains(remedy), "{json}");
        assert_eq!(status.status.code(), Some(1));
        // No attempt was burnt, and nothing was sent meanwhile.
        assert_eq!(world.rows("select distinct attempts from v_urls"), [["0"]]);
        assert_eq!(world.preloads().len(), 1);
        world.assert_books_agree();
    }
}

#[test]
fn a_smaller_largest_batch_is_learned_and_kept() {
    let world = World::new("[limits]\nurls_per_call = 100", "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 500));
    world.wait_for("select submitted from v_status", 500);
    let sizes = "select urls, outcome from v_submissions order by submission_id";
    let [first, others @ ..] = &world.rows(sizes)[..] else { panic!("no batch") };
    assert_eq!((first, others.len()), (&vec!["500".to_owned(), "batch_too_large".to_owned()], 5));
    assert!(others.iter().all(|other| *other == ["100", "accepted"]), "{others:?}");
    let learned = || {
        let status: serde_json::Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
        let learned = status["learned"].as_array().unwrap().clone();
        learned.into_iter().find(|learned| learned["what"] == "batch_urls_max").unwrap()
    };
    let before = learned();
    assert_eq!((&before["action"], &before["value"]), (&"prefetch".into(), &"100".into()));
    drop(daemon);
    let _daemon = world.daemon();
    world.drop_file("next.txt", urls("b", 70));
    world.wait_for("select submitted from v_status", 570);
    assert_eq!(world.number("select count(*) from v_submissions where outcome = 'batch_too_large'"), 1);
    assert_eq!(learned(), before, "it survived the restart");
    let status = said(&world.run(&["status"]));
    assert!(status.contains("calls have 100 URLs at most: a larger one was refused as too"), "{status}");
    world.assert_all_accepted_once(570);
}

#[test]
fn whatever_a_batch_that_is_too_large_is_called_it_goes_in_halves() {
    for fault in [
        error("SingleRequest.OverLimit"),
        error("InvalidObjectPath.ExceedsMaximum"),
        "action = \"html\"\nstatus = 413".to_owned(),
        "action = \"html\"\nstatus = 414".to_owned(),
    ] {
        let world = World::new(&format!("[[fault]]\ncalls = [1]\n{fault}"), "");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 40));
        world.wait_for("select submitted from v_status", 40);
        let sizes = world.rows("select urls, outcome from v_submissions order by submission_id");
        assert_eq!(sizes, [["40", "batch_too_large"], ["20", "accepted"], ["20", "accepted"]], "{fault}");
        world.assert_books_agree();
    }
}

#[test]
fn attempts_end_and_the_operator_gets_what_is_left() {
    let scenario = "[[fault]]\nurl_contains = \"/poison/\"\naction = \"error\"\ncode = \"InternalError\"";
    let config = "[budget]\nin_doubt_wait = \"1s\"\n[schedule]\nbatch_urls_max = 3\n\
                  [retry]\nattempts_max = 2\nbackoff_min = \"1s\"\nbackoff_max = \"1s\"";
    let world = World::new(scenario, config);
    let _daemon = world.ready_daemon();
    world.drop_file("poison.txt", urls("poison", 3));
    world.wait_for("select held from v_status", 3);
    assert_eq!(world.number("select count(*) from v_submissions"), 2);
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    assert_eq!(world.rows("select distinct attempts from v_urls where state = 'held'"), [["2"]]);
    world.assert_books_agree();
}

#[test]
fn an_answer_that_says_neither_yes_nor_no_is_looked_into() {
    for fault in [
        "action = \"html\"\nstatus = 502",
        "action = \"drop_before\"",
        "action = \"drop_after\"",
        "action = \"truncate\"",
        "action = \"garbage\"",
        "action = \"delay\"\ndelay = \"4s\"",
    ] {
        let world = World::new(&format!("[[fault]]\ncalls = [1]\n{fault}"), "[api]\ntimeout = \"1s\"");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 4));
        world.wait_for("select submitted from v_status", 4);
        assert_eq!(world.rows("select outcome, cost, sends from v_submissions"), [["accepted", "1", "2"]], "{fault}");
        world.assert_all_accepted_once(4);
        world.assert_books_agree();
    }
}

#[test]
fn a_batch_that_is_too_large_however_small_ends_with_the_operator() {
    let scenario = "[[fault]]\naction = \"html\"";
    let config = "[retry]\nattempts_max = 2\nbackoff_max = \"1s\"";
    let world = World::new(scenario, config);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 40));
    world.wait_for("select held from v_status", 40);
    // 40, 20, 10: that is as small as it is believed.
    assert!(world.preloads().len() <= 2 + 2 * 4 + 2, "{} calls", world.preloads().len());
    world.assert_books_agree();
}

#[test]
fn an_account_that_answers_free_calls_only_is_not_asked_every_minute() {
    let scenario = "[[fault]]\naction = \"error\"\ncode = \"OperationDenied.Suspended\"";
    let world = World::new(scenario, "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 4));
    world.wait_for("select probes from account where paused_why is not null", 1);
    drop(daemon);
    // A restart tries at once: somebody may have set another key. The free call is answered; the next batch is not.
    let daemon = world.daemon();
    world.wait_for("select probes from account where paused_why is not null", 2);
    drop(daemon);
    let waits = world.number("select (probe_at - paused_since + 30000) / 60000 from account");
    assert_eq!(waits, 2, "minutes until the next free call");
    assert_eq!(world.preloads().len(), 2);
}

/// A server that is not the sandbox: it tells the quota and the domains as it should and answers everything else with
/// `answer`.
fn server(answer: fn(&mut std::net::TcpStream) -> usize) -> (String, std::thread::JoinHandle<usize>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 65_536];
            let mut read = 0;
            // Header and body may come apart.
            while !String::from_utf8_lossy(&request[..read]).contains("Action=") {
                read += stream.read(&mut request[read..]).unwrap();
            }
            let asked = String::from_utf8_lossy(&request[..read]).into_owned();
            let body = if asked.contains("DescribeVodRefreshQuota") {
                r#"{"RequestId":"R","PreloadQuota":"500","PreloadRemain":"500"}"#
            } else if asked.contains("DescribeVodUserDomains") {
                concat!(
                    r#"{"RequestId":"R","TotalCount":1,"Domains":{"PageData":["#,
                    r#"{"DomainName":"vod.example.com","DomainStatus":"online"}]}}"#
                )
            } else {
                return answer(&mut stream);
            };
            let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
            let head = format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    (endpoint, thread)
}

#[test]
fn an_endless_answer_is_cut_off() {
    use std::io::Write as _;
    let (endpoint, server) = server(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n").unwrap();
        let mut written = 0_usize;
        while written < 64 * 1024 * 1024 {
            match stream.write(&[b' '; 8192]) {
                Ok(n) => written += n,
                Err(_) => break,
            }
        }
        written
    });
    let world = World::new("", &format!("[api]\nendpoint = \"{endpoint}\""));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    world.wait_for("select in_doubt from v_status", 1);
    // The doubt is stored before it is logged.
    world.wait("the reason", || world.count_log("longer than 1048576 bytes") == 1);
    assert!(server.join().unwrap() < 32 * 1024 * 1024);
}

#[test]
fn a_redirect_is_not_followed() {
    use std::io::Write as _;
    let (endpoint, _server) = server(|stream| {
        let head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
        stream.write(head).unwrap()
    });
    let world = World::new("", &format!("[api]\nendpoint = \"{endpoint}\""));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 2));
    world.wait("the answer to be told", || world.count_log("HTTP 307") > 0);
    assert_eq!(world.number("select count(*) from v_submissions"), 1);
}
