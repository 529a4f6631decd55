use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn from(set: &[(&str, &str)]) -> Result<Option<Credentials>, Error> {
    from_variables(Source::Environment, |name| {
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
fn the_current_profile_of_the_cli_is_read_where_it_carries_a_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.json");
    assert!(profile::read(&path, &Owners::of(&Config::default())).is_ok_and(|found| found.is_none()));
    let text = |current: &str| {
        format!(
            r#"{{"current": "{current}", "meta_path": "", "profiles": [
                {{"name": "default", "mode": "AK", "access_key_id": "id", "access_key_secret": "s3cr3t", "sts_token": ""}},
                {{"name": "role", "mode": "EcsRamRole", "ram_role_name": "r"}}]}}"#
        )
    };
    write(&path, &text("default"), 0o600);
    let found = profile::read(&path, &Owners::of(&Config::default())).expect("a key").expect("a key");
    assert!(found.access_key_id == "id" && found.security_token.is_none());
    for (text, mode, part) in [
        (text("role"), 0o600, "EcsRamRole"),
        (text("gone"), 0o600, "no current profile"),
        ("{\"s3cr3t".to_owned(), 0o600, "line 1"),
        (text("default"), 0o644, "mode 0644"),
    ] {
        write(&path, &text, mode);
        let error = profile::read(&path, &Owners::of(&Config::default())).expect_err(part);
        assert!(error.to_string().contains(part) && !exposes("s3cr3t", &error), "{error}");
    }
}
