//! Where keys come from, each source through the built binary with real files and stand-ins over HTTP.

mod rotation;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::stand_in::{Answer, Honest, StandIn};
use crate::support::web::{Asked, Said, Web, say};
use crate::support::{Process, World, said, urls};

const ROLE: &str = "acs:ram::1:role/prefetch";

/// The sandbox takes this key alone; the other one is what roles are assumed with.
const ACCOUNT: &str = "[account]\naccess_key_id = \"STS.short\"\n\
    access_key_secret = \"short-s3cr3t\"\nsecurity_token = \"short-t0k3n+/=\"\n";

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The key that the sandbox takes, for so many seconds, in the spelling of metadata and addresses.
fn short_key(seconds: i64) -> serde_json::Value {
    let expires = (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    json!({"Code": "Success", "AccessKeyId": "STS.short", "AccessKeySecret": "short-s3cr3t",
           "SecurityToken": "short-t0k3n+/=", "Expiration": expires})
}

/// The same as STS answers it.
fn session(seconds: i64) -> String {
    json!({"RequestId": "R", "Credentials": short_key(seconds)}).to_string()
}

/// A metadata service that speaks IMDSv2 only.
fn metadata(asked: &Asked) -> Said {
    let token = asked.headers.get("x-aliyun-ecs-metadata-token").map(String::as_str);
    match (asked.line.as_str(), token) {
        ("PUT /latest/api/token", _) => {
            assert_eq!(asked.headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
            say(200, "metadata-t0k3n")
        }
        (_, token) if token != Some("metadata-t0k3n") => say(403, "forbidden"),
        ("GET /latest/meta-data/ram/security-credentials/", _) => say(200, "instance-role"),
        ("GET /latest/meta-data/ram/security-credentials/instance-role", _) => say(200, short_key(3_600).to_string()),
        _ => say(404, "not found"),
    }
}

fn sts(asked: &Asked) -> Said {
    assert_eq!(asked.line, "POST /");
    match (asked.get("Action").as_str(), asked.get("RoleArn").as_str()) {
        ("AssumeRole", ROLE) if asked.get("AccessKeyId") == "long" && !asked.get("Signature").is_empty() => {}
        ("AssumeRoleWithOIDC", ROLE) if asked.get("OIDCToken") == "oidc-t0k3n" && asked.get("Signature").is_empty() => {
        }
        _ => return say(403, r#"{"RequestId":"R","Code":"NoPermission","Message":"long-s3cr3t"}"#),
    }
    assert_eq!((asked.get("RoleSessionName"), asked.get("DurationSeconds")), ("prefetchd".into(), "3600".into()));
    say(200, session(3_600))
}

/// A command without any key in its environment, and a home of its own.
fn bare(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = world.command(args);
    strip(&mut command, world, variables);
    command
}

fn strip(command: &mut Command, world: &World, variables: &[(&str, &str)]) {
    for (name, _) in std::env::vars() {
        if name.starts_with("ALIBABA_CLOUD_") || name == "CREDENTIALS_DIRECTORY" {
            command.env_remove(name);
        }
    }
    command.env_remove("ALIBABA_CLOUD_ACCESS_KEY_ID").env_remove("ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    // Nothing of this machine is asked by a proxy.
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("HTTPS_PROXY", "http://127.0.0.1:1");
    command.env("HOME", world.path("home")).envs(variables.iter().copied());
}

fn check(world: &World, variables: &[(&str, &str)]) -> Output {
    bare(world, &["check", "--online"], variables).output().unwrap()
}

fn daemon(world: &World, variables: &[(&str, &str)]) -> Process {
    let mut command = world.daemon_command();
    strip(&mut command, world, variables);
    let daemon = World::spawn(&mut command);
    world.wait("the daemon to be ready", || world.count_log("ready version") > 0);
    daemon
}

/// A world whose home has a long-lived key of each kind of file.
fn world(config: &str) -> World {
    let world = World::new(ACCOUNT, config);
    let ak = r#""access_key_id": "long", "access_key_secret": "long-s3cr3t""#;
    let home = world.path("home");
    write(
        &home.join(".aliyun/config.json"),
        &format!(
            r#"{{"current": "role", "profiles": [
                {{"name": "role", "mode": "RamRoleArn", {ak}, "ram_role_arn": "{ROLE}"}},
                {{"name": "base", "mode": "AK", {ak}}},
                {{"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "base", "ram_role_arn": "{ROLE}"}},
                {{"name": "ecs", "mode": "EcsRamRole"}},
                {{"name": "sso", "mode": "CloudSSO"}},
                {{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "{ROLE}"}},
                {{"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": "{ROLE}"}}]}}"#
        ),
    );
    let ini = format!(
        "[default]\ntype = ram_role_arn\naccess_key_id = long\naccess_key_secret = long-s3cr3t\nrole_arn = {ROLE}\n"
    );
    write(&home.join(".alibabacloud/credentials"), &ini);
    let key = "ALIBABA_CLOUD_ACCESS_KEY_ID=long\nALIBABA_CLOUD_ACCESS_KEY_SECRET=long-s3cr3t\n";
    write(&home.join("key"), key);
    write(&home.join("token"), "oidc-t0k3n\n");
    // As a cluster hands it to its pods.
    fs::set_permissions(home.join("token"), fs::Permissions::from_mode(0o644)).unwrap();
    world
}

#[test]
fn each_source_gives_a_key_that_the_service_takes_and_check_says_which_it_was() {
    let (metadata, sts) = (Web::new(metadata), Web::new(sts));
    let address = Web::new(|_| say(200, short_key(3_600).to_string()));
    let world = world("");
    let home = world.path("home").display().to_string();
    let token = format!("{home}/token");
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.as_str()),
    ];
    let instance = [("PREFETCHD_METADATA_ENDPOINT", metadata.url.as_str())];
    let uri = format!("{}/key?s3cr3t", address.url);
    let uri = [("ALIBABA_CLOUD_CREDENTIALS_URI", uri.as_str())];
    let all: Vec<(&str, &str)> = oidc.iter().chain(&instance).chain(&uri).copied().collect();
    let direct = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.short"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "short-s3cr3t"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "short-t0k3n+/="),
    ];
    let role = format!("role_arn = \"{ROLE}\"\n");
    type Case<'a> = (String, &'a [(&'a str, &'a str)], &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("source = \"env\"\n".into(), &direct, "from the environment, does not end by itself"),
        (format!("source = \"file\"\nfile = \"{home}/key\"\n{role}"), &[], "assumed with the key file"),
        ("source = \"oidc\"\n".into(), &oidc, "from the OIDC role acs:ram::1:role/prefetch, valid until 2"),
        ("source = \"profile\"\n".into(), &[], "from the profile role in "),
        ("source = \"profile\"\nprofile = \"chain\"\n".into(), &[], "from the profile chain in "),
        ("source = \"profile\"\nprofile = \"ecs\"\n".into(), &instance, "from the profile ecs in "),
        ("source = \"ini\"\n".into(), &[], "from the section default in "),
        ("source = \"ecs\"\n".into(), &instance, "from the ECS instance's role, valid until 2"),
        ("source = \"uri\"\n".into(), &uri, "from ALIBABA_CLOUD_CREDENTIALS_URI, http://127.0.0.1/key"),
        // Of several that are there, the first in the SDKs' order.
        (String::new(), &all, "from the OIDC role"),
        (String::new(), &instance, "from the profile role in "),
    ];
    for (config, variables, part) in cases {
        world.configure(&format!("[credentials]\nsts_endpoint = \"{}\"\n{config}", sts.url));
        let output = check(&world, variables);
        let text = said(&output);
        assert!(output.status.success() && text.contains("takes the credentials"), "{config}: {text}");
        assert!(text.contains("key            ok: …hort") && text.contains(part), "{part}: {text}");
        assert!(!text.contains("s3cr3t") && !text.contains("t0k3n"), "{text}");
    }
}

#[test]
fn a_wrong_source_is_refused_in_one_sentence_with_its_remedy() {
    let world = world("");
    let home = world.path("home").display().to_string();
    for (config, part) in [
        ("source = \"profile\"\nprofile = \"a\"\n".to_owned(), "in a circle: a -> b -> a"),
        ("source = \"profile\"\nprofile = \"sso\"\n".to_owned(), "CloudSSO, which needs a browser"),
        ("source = \"profile\"\nprofile = \"gone\"\n".to_owned(), "no profile \"gone\""),
        ("source = \"oidc\"\n".to_owned(), "ALIBABA_CLOUD_OIDC_TOKEN_FILE are not set"),
        ("source = \"uri\"\n".to_owned(), "set ALIBABA_CLOUD_CREDENTIALS_URI"),
        (format!("source = \"file\"\nfile = \"{home}/none\"\n"), "No such file"),
    ] {
        world.configure(&format!("[credentials]\n{config}"));
        for args in [&["check"][..], &["run", "--allow-root"]] {
            let output = bare(&world, args, &[]).output().unwrap();
            let text = said(&output);
            assert!(output.status.code() == Some(78) && text.contains(part), "{args:?} {part}: {text}");
        }
    }
}

#[test]
fn what_a_source_says_instead_of_a_key_is_one_sentence_with_its_remedy() {
    let page = Web::new(|_| say(200, "<html>log in</html>"));
    let no_role = Web::new(|asked| if asked.line.starts_with("PUT") { say(200, "t") } else { say(404, "<html>") });
    let old_only = Web::new(|asked| if asked.line.starts_with("PUT") { say(404, "") } else { metadata(asked) });
    let refusing = Web::new(sts);
    let half = Web::new(|_| say(200, r#"{"Code":"Success","AccessKeyId":"STS.short"}"#));
    let over = Web::new(|_| say(200, short_key(-10).to_string()));
    let world = world("");
    let home = world.path("home");
    write(&home.join("long-token"), &"t0k3n".repeat(4_001));
    write(&home.join("empty-token"), "\n");
    let file = |name: &str| home.join(name).display().to_string();
    let ecs = |web: &Web| ("source = \"ecs\"\n".to_owned(), vec![("PREFETCHD_METADATA_ENDPOINT", web.url.clone())]);
    let uri = |web: &Web| ("source = \"uri\"\n".to_owned(), vec![("ALIBABA_CLOUD_CREDENTIALS_URI", web.url.clone())]);
    let role = |arn: &str, config: &str| {
        let sts = &refusing.url;
        (format!("role_arn = \"{arn}\"\nsts_endpoint = \"{sts}\"\n{config}"), Vec::new())
    };
    let oidc = |token: &str| {
        let token = file(token);
        role(ROLE, &format!("source = \"oidc\"\noidc_provider_arn = \"acs:ram::1:p\"\noidc_token_file = \"{token}\"\n"))
    };
    let by_key = format!("source = \"file\"\nfile = \"{}\"\n", file("key"));
    for ((config, variables), part) in [
        (ecs(&page), "in the place of the metadata service"),
        (ecs(&no_role), "the instance has no RAM role"),
        (ecs(&old_only), "ALIBABA_CLOUD_IMDSV1_DISABLED=false"),
        (uri(&page), "a page (HTML or XML)"),
        (uri(&half), "lacks AccessKeyId, AccessKeySecret or SecurityToken"),
        (uri(&over), "before it was given"),
        (
            role("acs:ram::1:role/other", &by_key),
            "NoPermission for the role acs:ram::1:role/other; allow the key sts:AssumeRole",
        ),
        (oidc("long-token"), "more than 20000 characters"),
        (oidc("empty-token"), "it is empty"),
        (oidc("gone"), "No such file"),
    ] {
        world.configure(&format!("[credentials]\n{config}"));
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let output = check(&world, &variables);
        let text = said(&output);
        assert!(output.status.code() == Some(69) && text.contains(part), "{part}: {text}");
        assert!(!text.contains("s3cr3t") && !text.contains("t0k3n"), "{text}");
    }
}

#[test]
fn a_metadata_service_without_tokens_is_asked_only_where_that_is_allowed() {
    let old = Web::new(|asked| match asked.line.as_str() {
        "PUT /latest/api/token" => say(404, ""),
        "GET /latest/meta-data/ram/security-credentials/" => say(200, "instance-role"),
        _ => say(200, short_key(3_600).to_string()),
    });
    let world = world("[credentials]\nsource = \"ecs\"\n");
    let endpoint = ("PREFETCHD_METADATA_ENDPOINT", old.url.as_str());
    assert_eq!(check(&world, &[endpoint]).status.code(), Some(69));
    let output = check(&world, &[endpoint, ("ALIBABA_CLOUD_IMDSV1_DISABLED", "false")]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn an_sts_whose_clock_is_an_hour_off_gets_its_own_time_once_and_the_key_lives_by_its_clock() {
    let hour = TimeDelta::hours(1);
    let sts = Web::new(move |asked| {
        let now = Utc::now() + hour;
        let date = vec![("Date".to_owned(), now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())];
        let stamp: chrono::DateTime<Utc> = asked.get("Timestamp").parse().unwrap();
        if (now - stamp).abs() > TimeDelta::minutes(15) {
            return (400, date, r#"{"RequestId":"R","Code":"InvalidTimeStamp.Expired"}"#.to_owned());
        }
        (200, date, session(3_600 + 1_800))
    });
    let home_key = "source = \"profile\"\n";
    let world = world(&format!("[credentials]\nsts_endpoint = \"{}\"\n{home_key}", sts.url));
    let output = check(&world, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(sts.asked().len(), 2);
    // An hour and a half from here is half an hour by its clock.
    let text = said(&output);
    let until = text.split("valid until ").nth(1).unwrap().split_whitespace().next().unwrap();
    let until: chrono::DateTime<Utc> = until.parse().unwrap();
    assert!((until - Utc::now() - TimeDelta::minutes(30)).abs() < TimeDelta::minutes(2), "{text}");
}

#[test]
fn a_daemon_whose_source_is_away_waits_for_it_says_why_and_goes_on_by_itself() {
    let is_there = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&is_there);
    let web = Web::new(
        move |asked| {
            if there.load(Ordering::Relaxed) { metadata(asked) } else { say(200, "<html>starting</html>") }
        },
    );
    let world = world("[credentials]\nsource = \"ecs\"\n");
    let daemon = daemon(&world, &[("PREFETCHD_METADATA_ENDPOINT", &web.url)]);
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select key_refused like '%the metadata service%' and key_generation = 0 from v_status", 1);
    world.wait_for("select paused_why like '%no valid access key%' from v_status", 1);
    world.wait_for("select pending from v_status", 5);
    assert_eq!(world.requests_seen(), 0);
    is_there.store(true, Ordering::Relaxed);
    world.wait_for("select submitted from v_status", 5);
    world.wait_for("select key_generation = 1 and key_refused is null and paused_why is null from v_status", 1);
    world.wait_for("select key_source like '%ECS instance%valid until 2%' from v_status", 1);
    assert!(web.asked().len() < 12, "one attempt a backoff: {:?}", web.asked());
    world.assert_books_agree();
    world.stop(daemon);
}
