//! The pages in the browser: what they show, in which language, and that no request can do harm.

use std::net::SocketAddr;

use sqlx::{Connection as _, SqliteConnection};

use crate::http::{Answer, LISTEN, address, send};
use crate::support::{Process, World, urls};

/// Serves the pages.
const PAGES: &str = "pages = true\n";

fn served(scenario: &str, http: &str, more: &str) -> (World, Process, SocketAddr) {
    let world = World::new(scenario, &format!("{LISTEN}{PAGES}{http}{more}"));
    let daemon = world.ready_daemon();
    let address = address(&world);
    (world, daemon, address)
}

/// A request with these further lines in its head.
fn ask(address: SocketAddr, method: &str, path: &str, head: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n");
    send(address, request.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, "")
}

/// Asks until the page shows a text; a page may be a second old.
fn until_shown(world: &World, address: SocketAddr, path: &str, text: &str) -> Answer {
    let last = std::cell::RefCell::new(None);
    let wait = format!("{path} to show {text}");
    world.wait(&wait, || {
        let answer = get(address, path);
        let is_shown = answer.body.contains(text);
        last.replace(Some(answer));
        is_shown
    });
    last.take().expect("it was asked")
}

/// The links and sources of a page.
fn targets(body: &str) -> Vec<&str> {
    let after = body.split("href=\"").skip(1).chain(body.split("src=\"").skip(1));
    after.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn pages_are_served_only_where_they_are_wanted() {
    let (world, daemon, address) = {
        let world = World::new("", LISTEN);
        let daemon = world.ready_daemon();
        let address = address(&world);
        (world, daemon, address)
    };
    for path in ["/", "/files/1", "/assets/page.css"] {
        let answer = get(address, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("<html"), "{path}: {}", answer.body);
    }
    world.stop(daemon);
}

#[test]
fn a_page_has_a_strict_policy_and_nothing_from_elsewhere() {
    let (world, daemon, address) = served("", "", "");
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    let policy = "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                  connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";
    for path in ["/", "/?lang=zh", "/files/1", "/nothing", "/?lang=fr", "/files/9"] {
        let answer = get(address, path);
        assert!(answer.head.contains("content-type: text/html; charset=utf-8\r\n"), "{path}: {}", answer.head);
        for header in [
            policy,
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
            "cache-control: no-store\r\n",
            "vary: accept-language\r\n",
        ] {
            assert!(answer.head.contains(header), "{path} has no {header}: {}", answer.head);
        }
        assert!(!answer.body.contains(" style=") && !answer.body.contains("<style"), "{path}: {}", answer.body);
        assert_eq!(answer.body.matches("<script").count(), 1, "{path}: {}", answer.body);
        assert!(!answer.body.contains("http-equiv"), "{path}: {}", answer.body);
        for target in targets(&answer.body) {
            assert!(
                target.starts_with('/') && !target.starts_with("//") || target.starts_with('#'),
                "{path}: {target}"
            );
        }
        let head = ask(address, "HEAD", path, "");
        assert_eq!((head.status, head.body.as_str()), (answer.status, ""), "HEAD {path}");
    }
    let page = get(address, "/").body;
    for asset in targets(&page).into_iter().filter(|target| target.contains("/assets/")) {
        let answer = get(address, asset);
        assert_eq!(answer.status, 200, "{asset}");
        assert!(answer.head.contains("cache-control: public, max-age=31536000, immutable\r\n"), "{}", answer.head);
        let other = asset.replace(|c: char| c.is_ascii_digit(), "x");
        assert_eq!(get(address, &other).status, 404, "{other}");
    }
    world.stop(daemon);
}

#[test]
fn nothing_can_be_done_but_reading_and_a_bad_address_is_told() {
    let (world, daemon, address) = served("", "", "");
    for path in ["/", "/files/1", "/nothing", "/assets/x"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let refused = ask(address, method, path, "");
            assert_eq!(refused.status, 405, "{method} {path}");
            assert!(refused.head.contains("allow: get, head"), "{}", refused.head);
        }
    }
    for (path, status) in [
        ("/nothing", 404),
        ("/files/1", 404),
        ("/files/0", 404),
        ("/files/x", 404),
        ("/files/99999999999999999999", 404),
        ("/files/1/receipt.json", 404),
        ("/files/../../etc/passwd", 404),
        ("/%2e%2e/status", 404),
        ("//", 404),
        ("/?lang=fr", 400),
        ("/?lang=zh&lang=en", 400),
        ("/?page=2", 400),
        ("/?page=w.0.-.1%00", 400),
        ("/?page=d.1;drop%20table", 400),
        ("/?refresh=0", 400),
        ("/?page=d.1", 200),
        ("/?page=w.0.-.1", 200),
        ("/?something=else", 200),
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains("<a href=\"/\">"), "{path} has no way back: {}", answer.body);
        assert!(!answer.body.contains("panicked"), "{path}");
    }
    for host in ["evil.example", "localhost.evil.example"] {
        for path in ["/", "/files/1", "/nothing", "/assets/x"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let refused = send(address, request.as_bytes()).unwrap();
            assert_eq!(refused.status, 421, "{host} {path}");
            assert!(!refused.body.contains("<html"), "{}", refused.body);
        }
    }
    world.stop(daemon);
}

#[test]
fn the_language_is_that_of_the_address_or_else_of_the_browser() {
    let (world, daemon, address) = served("", "", "");
    for (path, accept, lang) in [
        ("/", "", "en"),
        ("/", "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n", "zh-CN"),
        ("/", "Accept-Language: de,en;q=0.5,zh;q=0.4\r\n", "en"),
        ("/?lang=en", "Accept-Language: zh-CN\r\n", "en"),
        ("/?lang=zh", "Accept-Language: en\r\n", "zh-CN"),
        ("/nothing", "Accept-Language: zh\r\n", "zh-CN"),
    ] {
        let page = ask(address, "GET", path, accept);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")), "{path} {accept}: {}", page.body);
    }
    let page = get(address, "/?lang=zh").body;
    assert!(page.contains("一切正常") && page.contains("预算日") && !page.contains("budget day"), "{page}");
    world.stop(daemon);
    world.configure(&format!("{LISTEN}{PAGES}[ui]\nlanguage = \"zh\"\n"));
    let before = world.count_log("metrics and health are served");
    let daemon = world.daemon();
    world.wait("another server", || world.count_log("metrics and health are served") > before);
    let address = crate::http::address(&world);
    for (accept, lang) in [("", "zh-CN"), ("Accept-Language: en\r\n", "en"), ("Accept-Language: fr\r\n", "zh-CN")] {
        let page = ask(address, "GET", "/", accept);
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")), "{accept}: {}", page.body);
    }
    let page = get(address, "/?lang=zh").body;
    // Whoever chose a language keeps it.
    assert!(page.contains("<a href=\"/?lang=zh\">prefetchd</a>"), "{page}");
    world.stop(daemon);
}

#[test]
fn hostile_names_and_labels_are_only_text() {
    let (world, daemon, address) = served("", "", "");
    let label = "\"><img src=x onerror=alert(2)> & \u{202e}{{7*7}}";
    let lines = format!("#: label = {label}\n{}<script>alert(3)</script>\n", urls("a", 3));
    world.drop_file("<script>alert(1)<.txt", lines);
    world.wait_for("select submitted from v_status", 3);
    for path in ["/", "/files/1", "/files/1?lang=zh"] {
        let page = until_shown(&world, address, path, "alert(1)").body;
        assert!(page.contains("&#60;script&#62;alert(1)&#60;.txt"), "{path}: {page}");
        assert!(
            page.contains("&#34;&#62;&#60;img src=x onerror=alert(2)&#62; &#38; \\u{202e}{{7*7}}"),
            "{path}: {page}"
        );
        assert!(!page.contains("<img") && page.matches("<script").count() == 1, "{path}: {page}");
        assert!(!page.contains('\u{202e}'), "{path}");
    }
    let receipt = get(address, "/files/1/receipt.json");
    assert_eq!(receipt.status, 200);
    assert!(
        receipt.head.contains("content-disposition: attachment; filename=\"file-1.receipt.json\""),
        "{}",
        receipt.head
    );
    let report = get(address, "/files/1/refused.tsv");
    assert!(report.status == 200 && report.body.contains("alert(3)"), "{}", report.body);
    world.stop(daemon);
}

#[test]
fn behind_a_proxy_every_link_begins_with_the_base_path() {
    let (world, daemon, address) = served("", "base_path = \"/cdn/warm\"\n", "");
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    for path in ["/cdn/warm", "/cdn/warm/", "/cdn/warm/files/1", "/cdn/warm/nothing"] {
        let page = get(address, path).body;
        let targets = targets(&page);
        assert!(targets.len() > 5, "{path}: {page}");
        for target in targets {
            assert!(target.starts_with("/cdn/warm/") || target.starts_with('#'), "{path}: {target}");
        }
    }
    for path in ["/", "/files/1", "/cdn", "/cdn/warmer"] {
        assert_eq!(get(address, path).status, 404, "{path}");
    }
    world.stop(daemon);
    for base in ["warm", "/warm/", "/a//b", "/../x", "/a b", "/<x>"] {
        world.configure(&format!("{LISTEN}{PAGES}base_path = \"{base}\"\n"));
        let output = world.run(&["check"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(78) && told.contains("[http] base_path (line "), "{base}: {told}");
    }
    world.configure("[http]\npages = true\n");
    let told = String::from_utf8_lossy(&world.run(&["check"]).stderr).into_owned();
    assert!(told.contains("[http] pages (line ") && told.contains("set listen"), "{told}");
}

#[test]
fn a_refresh_is_the_readers_choice_and_can_be_stopped() {
    let (world, daemon, address) = served("", "", "");
    let still = get(address, "/");
    assert!(!still.head.contains("refresh:") && still.body.contains("href=\"/?refresh=30\""), "{}", still.body);
    let refreshed = get(address, "/?lang=zh&refresh=30");
    assert!(refreshed.head.contains("\r\nrefresh: 30\r\n"), "{}", refreshed.head);
    assert!(refreshed.body.contains("<a href=\"/?lang=zh\" id=\"refresh\">停止刷新</a>"), "{}", refreshed.body);
    world.stop(daemon);
}

#[test]
fn each_page_is_made_once_a_second_and_only_a_few_different_ones_are() {
    let (world, daemon, address) = served("", "", "");
    let as_of = |page: &str| page.split("<time id=\"asof\"").nth(1).unwrap().split('>').next().unwrap().to_owned();
    // A page that was made is the same, byte for byte, whoever asks within a second; 200 answers take no 200 pages.
    let pages: Vec<String> = (0..200).map(|_| get(address, "/").body).collect();
    let mut made: Vec<&String> = pages.iter().collect();
    made.dedup();
    assert!(made.len() < 20, "{} pages were made", made.len());
    assert!(as_of(&pages[0]).contains("datetime=\"2"), "{}", pages[0]);
    // Somebody who asks for ever other pages is put off, and all others have the pages that are there.
    let answers: Vec<Answer> = (1..200).map(|n| get(address, &format!("/?page=d.{n}"))).collect();
    let busy: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(busy.len() > 50, "{} of them were put off", busy.len());
    assert!(busy.iter().all(|answer| answer.head.contains("\r\nretry-after: 1\r\n")), "{}", busy[0].head);
    assert_eq!(get(address, "/healthz").status, 200);
    assert_eq!(get(address, "/metrics").status, 200);
    world.stop(daemon);
}

#[test]
fn a_file_whose_urls_were_forgotten_is_gone_and_says_so() {
    let (world, daemon, address) = served("", "", "");
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    assert_eq!(get(address, "/files/1").status, 200);
    world.stop(daemon);
    let url = format!("sqlite:{}", world.database().display());
    world.block_on(async {
        let mut foreign = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("update files set submitted = 0").execute(&mut foreign).await.unwrap();
        foreign.close().await.unwrap();
    });
    let before = world.count_log("metrics and health are served");
    let _daemon = world.daemon();
    world.wait("another server", || world.count_log("metrics and health are served") > before);
    let address = crate::http::address(&world);
    let gone = get(address, "/files/1");
    assert_eq!(gone.status, 410, "{}", gone.body);
    assert!(gone.body.contains("film.txt") && gone.body.contains("[database] keep"), "{}", gone.body);
}

#[test]
fn a_database_that_cannot_be_read_is_told_with_the_sign_of_life() {
    let (world, _daemon, address) = served("", "", "");
    let url = format!("sqlite:{}", world.database().display());
    world.block_on(async {
        let mut foreign = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("alter table files rename to files_gone").execute(&mut foreign).await.unwrap();
        foreign.close().await.unwrap();
    });
    let page = until_shown(&world, address, "/", "cannot be read");
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("files") && page.body.contains("Sign of life"), "{}", page.body);
    assert!(page.body.contains("journalctl -u "), "{}", page.body);
}

#[test]
fn a_database_that_is_gone_is_told_with_what_to_type() {
    let (world, _daemon, address) = served("", "", "");
    std::fs::rename(world.database(), world.path("elsewhere.db")).unwrap();
    // What the lost file held is copied first, which takes its time.
    let page = until_shown(&world, address, "/", "prefetchd.db.rescued-");
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("its database is lost") && page.body.contains("id=\"needs\""), "{}", page.body);
    assert_eq!(get(address, "/files/1").status, 503);
    assert_eq!(get(address, "/healthz").status, 200);
}

#[test]
fn a_database_that_somebody_locks_is_told() {
    let (world, _daemon, address) = served("", "", "");
    let url = format!("sqlite:{}", world.database().display());
    let mut foreign = world.block_on(async {
        let mut foreign = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
        foreign
    });
    world.drop_file("film.txt", urls("a", 3));
    let page = until_shown(&world, address, "/", "cannot use its database");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("find /proc "), "{}", page.body);
    world.block_on(async {
        sqlx::query("rollback").execute(&mut foreign).await.unwrap();
        foreign.close().await.unwrap();
    });
}
