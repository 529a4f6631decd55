use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn from(set: &[(&str, &str)]) -> Result<Option<Credentials>, Error> {
    from_variables(&Source::Environment, |name| {
        set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("the test's directory can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its files are ours");
}

fn exposes(secret: &str, error: &Error) -> bool {
    format!("{error} {error:?}").contains(secret)
}

#[test]
fn both_halves_are_needed_and_an_error_says_where_it_looked() {
    assert!(from(&[]).is_ok_and(|found| found.is_none()));
    assert!(Error::None.to_string().contains(ID_VARIABLE));
    let half = from(&[(ID_VARIABLE, "id"), (SECRET_VARIABLE, " ")]).expect_err("one half");
    let place = Source::Environment;
    assert_eq!(half, Error::Incomplete { place, set: ID_VARIABLE, missing: SECRET_VARIABLE });
    let whole = from(&[(ID_VARIABLE, "id"), (SECRET_VARIABLE, "s3cr3t"), (TOKEN_VARIABLE, "t0k3n")]);
    let whole = whole.expect("both halves").expect("both halves");
    let shown = format!("{whole:?}");
    assert!(whole.security_token.is_some() && !shown.contains("s3cr3t") && !shown.contains("t0k3n"), "{shown}");
}

#[test]
fn what_systemd_loaded_is_read_and_a_key_that_lies_open_in_its_store_is_refused_with_its_mode() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("credstore");
    fs::create_dir(&store).expect("a directory");
    assert!(from_directory(dir.path(), &store).is_ok_and(|found| found.is_none()));
    write(&dir.path().join("access-key-id"), "id\n", 0o400);
    let half = from_directory(dir.path(), &store).expect_err("one half");
    assert!(half.to_string().contains("access-key-secret is not"), "{half}");
    write(&dir.path().join("access-key-secret"), "s3cr3t\n", 0o400);
    let found = from_directory(dir.path(), &store).expect("both halves").expect("both halves");
    assert_eq!(found.access_key_id, "id");

    write(&store.join("prefetchd.access-key-secret"), "s3cr3t\n", 0o640);
    write(&store.join("other.key"), "theirs\n", 0o644);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let error = from_directory(dir.path(), &store).expect_err("it lies open");
    assert!(error.to_string().contains("mode 0640") && !exposes("s3cr3t", &error), "{error}");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(from_directory(dir.path(), &store).is_ok(), "nobody can enter");
}

#[test]
fn a_key_file_is_read_by_its_owner_alone_and_its_mode_is_named_otherwise() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key");
    let text = format!("# the key\n{ID_VARIABLE}=id\n{SECRET_VARIABLE}=\"s3cr3t\"\n");
    let mut config = Config::default();
    config.credentials.file = Some(path.clone());
    let load = |config: &Config| prepare(config).map(|prepared| (prepared.found.unwrap().credentials, prepared.source));
    assert!(load(&config).is_err_and(|error| error.to_string().contains("No such file")));
    write(&path, &text, 0o600);
    let (found, source) = load(&config).expect("a key");
    assert_eq!((found.access_key_id.as_str(), source), ("id", Source::File(path.clone())));
    for mode in [0o640, 0o604, 0o622] {
        write(&path, &text, mode);
        let error = load(&config).expect_err("others may read it");
        assert!(error.to_string().contains(&format!("mode {mode:04o}")) && !exposes("s3cr3t", &error), "{error}");
    }
    write(&path, "s3cr3t\n", 0o600);
    let error = load(&config).expect_err("no key");
    assert!(error.to_string().contains(ID_VARIABLE) && !exposes("s3cr3t", &error), "{error}");
}

#[test]
fn root_reads_what_systemd_would_load_for_the_service_of_this_name() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut config = Config::default();
    config.credentials.source = crate::config::KeySource::Systemd;
    let prepared = |prefix: &str| {
        let credstore = Some((dir.path().to_path_buf(), prefix.to_owned()));
        prepare_in(Places { credstore, ..Places::of(&config) })
    };
    assert!(prepared("prefetchd.").is_err_and(|error| error.to_string().contains("LoadCredential=")));
    for (prefix, id) in [("prefetchd.", "plain"), ("prefetchd.films.", "instance")] {
        write(&dir.path().join(format!("{prefix}access-key-id")), id, 0o600);
        write(&dir.path().join(format!("{prefix}access-key-secret")), "s3cr3t\n", 0o600);
    }
    for (prefix, id) in [("prefetchd.", "plain"), ("prefetchd.films.", "instance")] {
        let prepared = prepared(prefix).expect(prefix);
        assert_eq!(prepared.found.expect(prefix).credentials.access_key_id, id);
        assert!(prepared.source.to_string().contains(&format!("{prefix}access-key-id")), "{}", prepared.source);
    }
}

#[test]
fn profiles_of_the_cli_are_keys_or_say_how_one_is_had() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.json");
    let ak = r#""access_key_id": "id", "access_key_secret": "s3cr3t""#;
    let text = format!(
        r#"{{"current": "default", "meta_path": "", "profiles": [
            {{"name": "default", "mode": "AK", {ak}, "sts_token": "left"}},
            {{"name": "sts", "mode": "StsToken", {ak}, "sts_token": "t0k3n"}},
            {{"name": "ram", "mode": "RamRoleArn", {ak}, "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "s",
              "expired_seconds": 60, "external_id": "e", "sts_region": "cn-beijing"}},
            {{"name": "ecs", "mode": "EcsRamRole", "ram_role_name": "instance"}},
            {{"name": "oidc", "mode": "OIDC", "ram_role_arn": "acs:ram::1:role/r", "oidc_provider_arn": "p",
              "oidc_token_file": "/token"}},
            {{"name": "chain", "mode": "ChainableRamRoleArn", "source_profile": "ram",
              "ram_role_arn": "acs:ram::2:role/x"}},
            {{"name": "a", "mode": "ChainableRamRoleArn", "source_profile": "b", "ram_role_arn": "acs:ram::2:role/x"}},
            {{"name": "b", "mode": "ChainableRamRoleArn", "source_profile": "a", "ram_role_arn": "acs:ram::2:role/x"}},
            {{"name": "lost", "mode": "ChainableRamRoleArn", "source_profile": "gone",
              "ram_role_arn": "acs:ram::2:role/x"}},
            {{"name": "sso", "mode": "CloudSSO"}}, {{"name": "oauth", "mode": "OAuth"}},
            {{"name": "external", "mode": "External", "process_command": "rm -rf /"}},
            {{"name": "new", "mode": "Quantum"}},
            {{"name": "half", "mode": "RamRoleArn", {ak}}}, {{"name": "empty", "mode": "AK"}}]}}"#
    );
    write(&path, &text, 0o600);
    let (owners, keys, world) = (Owners::of(&Config::default()), Keys::default(), World::default());
    let read = |name: Option<&str>| profile::read(&path, name, &owners, Chain { keys: &keys, world: &world });
    let way = |name: &str| read(Some(name)).expect(name).way;
    let Way::Key(key) = read(None).expect("the current one").way else { panic!("it is a key") };
    assert!(key.access_key_id == "id" && key.security_token.is_none(), "the token is of another mode");
    assert!(matches!(way("sts"), Way::Key(key) if key.security_token.is_some()));
    let Way::Assumed(role, with) = way("ram") else { panic!("it is assumed") };
    assert_eq!((role.seconds, role.session.as_str(), role.external_id.as_deref()), (900, "s", Some("e")));
    assert_eq!(role.sts.to_string(), "https://sts.cn-beijing.aliyuncs.com");
    assert!(matches!(*with, Way::Key(_)));
    assert!(matches!(way("ecs"), Way::Ecs(metadata) if metadata.role.as_deref() == Some("instance")));
    assert!(matches!(way("oidc"), Way::Oidc(role) if role.token_file == Path::new("/token")));
    assert!(matches!(way("chain"), Way::Assumed(_, with) if matches!(*with, Way::Assumed(..))));
    for (name, part) in [
        ("a", "a -> b -> a"),
        ("lost", "no profile \"gone\""),
        ("sso", "CloudSSO, which needs a browser"),
        ("oauth", "OAuth, which needs a browser"),
        ("external", "External, which runs a program"),
        ("new", "Quantum, which is not known"),
        ("half", "no ram_role_arn"),
        ("empty", "no access_key_id"),
    ] {
        let error = read(Some(name)).expect_err(name);
        assert!(error.to_string().contains(part) && !exposes("s3cr3t", &error), "{name}: {error}");
    }
    for (text, mode, part) in [
        (text.replace("\"current\": \"default\"", "\"current\": \"gone\""), 0o600, "no profile \"gone\""),
        ("{\"s3cr3t".to_owned(), 0o600, "line 1"),
        (text.clone(), 0o644, "mode 0644"),
    ] {
        write(&path, &text, mode);
        let error = read(None).expect_err(part);
        assert!(error.to_string().contains(part) && !exposes("s3cr3t", &error), "{error}");
    }
}

#[test]
fn sections_of_the_ini_file_are_keys_or_say_how_one_is_had() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("credentials");
    let text = "[default]\nenable = true\ntype = access_key\naccess_key_id = id # mine\naccess_key_secret = s3cr3t\n\
        [ram]\ntype = ram_role_arn\naccess_key_id = id\naccess_key_secret = s3cr3t\nrole_arn = acs:ram::1:role/r\n\
        [ecs]\ntype = ecs_ram_role\nrole_name = instance\n\
        [oidc]\ntype = oidc_role_arn\nrole_arn = acs:ram::1:role/r\noidc_provider_arn = p\n\
        oidc_token_file_path = /token\n\
        [off]\nenable = false\naccess_key_id = id\naccess_key_secret = s3cr3t\n\
        [rsa]\ntype = rsa_key_pair\n[half]\ntype = ram_role_arn\naccess_key_id = id\n";
    write(&path, text, 0o600);
    let (owners, keys, world) = (Owners::of(&Config::default()), Keys::default(), World::default());
    let read = |name: &str| ini::read(&path, name, &owners, Chain { keys: &keys, world: &world });
    let way = |name: &str| read(name).expect(name).way;
    assert!(matches!(way("default"), Way::Key(key) if key.access_key_id == "id"));
    assert!(matches!(way("ram"), Way::Assumed(role, with) if role.seconds == 3_600 && matches!(*with, Way::Key(_))));
    assert!(matches!(way("ecs"), Way::Ecs(metadata) if metadata.role.as_deref() == Some("instance")));
    assert!(matches!(way("oidc"), Way::Oidc(role) if role.token_file == Path::new("/token")));
    for (name, part) in [("off", "switched off"), ("rsa", "rsa_key_pair"), ("half", "no role_arn"), ("gone", "[gone]")]
    {
        let error = read(name).expect_err(name);
        assert!(error.to_string().contains(part) && !exposes("s3cr3t", &error), "{name}: {error}");
    }
}
