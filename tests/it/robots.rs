//! Chat robots: told in their own format with a signature that holds, and in nobody's way when they fail.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;

use crate::support::web::{Asked, Web, say};
use crate::support::{World, said, urls};

const SECRET: &str = "SEC0robot";

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A robot of the configuration, with its URL in a file.
fn robot(world: &World, kind: &str, url: &str, rest: &str) -> String {
    let file = world.path(&format!("{kind}.url"));
    private(&file, url);
    format!("[[notify.robot]]\nkind = \"{kind}\"\nurl_file = \"{}\"\n{rest}\n", file.display())
}

fn secret(world: &World) -> String {
    let file = world.path("robot.secret");
    private(&file, &format!("{SECRET}\n"));
    format!("secret_file = \"{}\"", file.display())
}

fn body(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

/// As the vendors' pages have it, made anew.
fn hmac(key: &str, message: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// What a robot says to a message: yes only if the signature and the form are right.
fn dingtalk(asked: &Asked) -> (u16, Vec<(String, String)>, String) {
    let url = url::Url::parse(&format!("http://robot{}", asked.line.trim_start_matches("POST "))).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let at = value("timestamp").unwrap_or_default();
    let is_signed = value("sign") == Some(hmac(SECRET, &format!("{at}\n{SECRET}")));
    let is_recent = (chrono::Utc::now().timestamp_millis() - at.parse::<i64>().unwrap_or_default()).abs() < 3_600_000;
    let is_text = body(asked)["msgtype"] == "text" && value("access_token").as_deref() == Some("t0k3n");
    if is_signed && is_recent && is_text {
        say(200, r#"{"errcode":0,"errmsg":"ok"}"#)
    } else {
        say(200, r#"{"errcode":310000,"errmsg":"sign not match"}"#)
    }
}

fn feishu(asked: &Asked) -> (u16, Vec<(String, String)>, String) {
    let body = body(asked);
    let at = body["timestamp"].as_str().unwrap_or_default();
    let is_signed = body["sign"] == hmac(&format!("{at}\n{SECRET}"), "") && body["msg_type"] == "text";
    if is_signed {
        say(200, r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#)
    } else {
        say(200, r#"{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}"#)
    }
}

#[test]
fn each_kind_is_told_in_its_format_and_language_and_the_url_is_told_to_nobody() {
    let world = World::new("[tasks]\nspeed = 1e6", "");
    let robots =
        [Web::new(dingtalk), Web::new(feishu), Web::new(|_| say(200, r#"{"errcode":0}"#)), Web::new(|_| say(204, ""))];
    let mut config = "[track]\nfirst_after = \"1s\"\n[ui]\nlanguage = \"zh\"\n".to_owned();
    let signed = secret(&world);
    config += &robot(&world, "dingtalk", &format!("{}/robot/send?access_token=t0k3n", robots[0].url), &signed);
    config += &robot(&world, "feishu", &format!("{}/open-apis/bot/v2/hook/t0k3n\n", robots[1].url), &signed);
    let english = "language = \"en\"\ntemplate = \"[CDN] {title}\\n{lines}\"\nevents = [\"file_finished\"]";
    config += &robot(&world, "wecom", &format!("{}/cgi-bin/webhook/send?key=t0k3n", robots[2].url), english);
    config += &robot(&world, "json", &format!("{}/hook?t0k3n", robots[3].url), "");
    world.configure(&config);
    let daemon = world.ready_daemon();
    world.wait_for("select count(*) from v_robots", 4);
    world.drop_file("首映 <@all>.txt", format!("#: label = Premiere\n{}", urls("a", 3)));
    world.wait("all to be told", || robots.iter().all(|robot| !robot.asked().is_empty()));
    world.wait_for(
        "select count(*) from v_robots where tried_at is not null and failures = 0 and notices_waiting = 0",
        4,
    );
    let text = |at: usize, path: &str| body(&robots[at].asked()[0]).pointer(path).unwrap().as_str().unwrap().to_owned();
    for text in [text(0, "/text/content"), text(1, "/content/text"), text(3, "/text")] {
        assert!(
            text.contains("首映 ＜@all>.txt (Premiere)：已结束：已预热 3") && text.contains("prefetchd（"),
            "{text}"
        );
    }
    let wecom = text(2, "/text/content");
    assert!(wecom.starts_with("[CDN] prefetchd on ") && wecom.contains("finished: 3 warm"), "{wecom}");
    assert_eq!(body(&robots[3].asked()[0])["events"][0]["event"], "file_finished");
    for robot in &robots {
        assert_eq!(robot.asked().len(), 1, "{:?}", robot.asked());
    }
    let tried = world.run(&["notify", "--test", "--lang", "en"]);
    let said_of = String::from_utf8_lossy(&tried.stdout).into_owned();
    assert!(tried.status.success() && said_of.matches("it took the test message").count() == 4, "{}", said(&tried));
    let shown = world.run(&["notify", "--json"]);
    assert!(shown.status.success() && !said(&shown).contains("t0k3n"), "{}", said(&shown));
    world.stop(daemon);
    let everywhere = world.log() + &world.rows("select * from robots").concat().concat();
    assert!(!everywhere.contains("t0k3n") && !everywhere.contains(SECRET), "{everywhere}");
}

#[test]
fn a_robot_that_fails_is_said_once_and_holds_up_no_other() {
    let world = World::new("[tasks]\nspeed = 1e6", "");
    let good = Web::new(|_| say(200, "{}"));
    let bad = Web::new(|_| say(200, r#"{"errcode":310000,"errmsg":"keywords not in content"}"#));
    let moved =
        Web::new(|_| (302, vec![("Location".to_owned(), "http://127.0.0.1:1/t0k3n".to_owned())], String::new()));
    let mut config = "[track]\nfirst_after = \"1s\"\n".to_owned();
    config += &robot(&world, "wecom", &format!("{}/t0k3n", bad.url), "");
    config += &robot(&world, "feishu", &format!("{}/t0k3n", moved.url), "");
    config += &robot(&world, "dingtalk", "http://127.0.0.1:1/t0k3n", "");
    config += &robot(&world, "json", &good.url, "");
    world.configure(&config);
    let daemon = world.ready_daemon();
    world.wait_for("select count(*) from v_robots", 4);
    world.drop_file("film.txt", urls("a", 3));
    world.wait("the good one to be told", || good.asked().len() == 1);
    world.wait_for("select count(*) from v_robots where failures = 1", 3);
    world.wait_for("select complete from v_status", 3);
    let why = |name: &str| world.rows(&format!("select failed_why from v_robots where name = '{name}'"))[0][0].clone();
    assert_eq!(why("wecom"), "it answered 200 with code 310000: keywords not in content");
    assert!(why("feishu").starts_with("it answered 302 without a code"), "{}", why("feishu"));
    assert!(why("dingtalk").starts_with("the call failed"), "{}", why("dingtalk"));
    assert_eq!(world.count_log("a robot could not be told"), 3);
    assert!(!world.log().contains("t0k3n"), "{}", world.log());
    let shown = world.run(&["notify", "--lang", "en"]);
    assert!(shown.status.code() == Some(1) && said(&shown).contains("keywords not in content"), "{}", said(&shown));
    world.stop(daemon);
}

#[test]
fn a_url_that_others_may_read_is_refused_with_the_remedy() {
    let world = World::new("", "");
    let config = robot(&world, "wecom", "http://127.0.0.1:1/t0k3n", "");
    world.configure(&config);
    fs::set_permissions(world.path("wecom.url"), fs::Permissions::from_mode(0o644)).unwrap();
    let tried = world.run(&["notify", "--test", "--lang", "en"]);
    assert_eq!(tried.status.code(), Some(1), "{}", said(&tried));
    assert!(said(&tried).contains("0644") && !said(&tried).contains("t0k3n"), "{}", said(&tried));
    let unknown = world.run(&["notify", "--robot", "pager", "--lang", "en"]);
    assert!(unknown.status.code() == Some(65) && said(&unknown).contains("pager"), "{}", said(&unknown));
}
