//! What may lie where a key file should: it never hangs the program, a key is never half of one, and what is refused is
//! said.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{World, is_root, said};

const KEY: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID=sandbox\nALIBABA_CLOUD_ACCESS_KEY_SECRET=sandbox-secret\n";

/// Refusing takes no longer.
const SOON: Duration = Duration::from_secs(20);

/// A world whose key file is `keys/key`, in a folder of its own.
fn world() -> World {
    let world = World::new("", "");
    fs::create_dir(world.path("keys")).unwrap();
    mode(&world.path("keys"), 0o755);
    world.configure(&format!("[credentials]\nfile = \"{}\"", world.path("keys/key").display()));
    world
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).unwrap();
    mode(path, 0o600);
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

/// Runs a command that must end by itself.
fn ends(world: &World, args: &[&str]) -> Output {
    let mut child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > SOON {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        std::thread::yield_now();
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    Output { status, stdout, stderr }
}

/// `check` and `run` refuse it with 78, say all of `parts`, and nothing of the key.
fn assert_refused(world: &World, parts: &[&str]) {
    for args in [&["check"][..], &["run", "--allow-root"]] {
        let output = ends(world, args);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(78), "{args:?}, {parts:?}: {text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
        assert!(!text.contains("s3cr3t") && !text.contains("sandbox-secret"), "{text}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_never_waited_for() {
    let world = world();
    let key = world.path("keys/key");
    fifo(&key);
    assert_refused(&world, &["keys/key", "a FIFO", "regular file"]);
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    assert_refused(&world, &["keys/key", "a directory"]);
    fs::remove_dir(&key).unwrap();
    symlink("/dev/zero", &key).unwrap();
    assert_refused(&world, &["keys/key", "a device"]);
    fs::remove_file(&key).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&key).unwrap();
    assert_refused(&world, &["keys/key", "a socket"]);
    fs::remove_file(&key).unwrap();
    write(&key, format!("{KEY}{}", "#\n".repeat(40_000)));
    assert_refused(&world, &["keys/key", "longer than 64 kB"]);
}

#[test]
fn a_fifo_in_the_place_of_a_good_key_is_refused_by_a_reload_and_the_old_key_stays() {
    let world = world();
    let key = world.path("keys/key");
    write(&key, KEY);
    let daemon = world.ready_daemon();
    fs::remove_file(&key).unwrap();
    fifo(&key);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(daemon.id().cast_signed()).unwrap(),
        rustix::process::Signal::HUP,
    )
    .unwrap();
    world.wait_for("select config_problem like '%refused%a FIFO%' from v_status", 1);
    world.drop_file("film.txt", crate::support::urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
}

#[test]
fn quotes_marks_and_blank_ends_are_no_part_of_a_key() {
    let world = world();
    let key = world.path("keys/key");
    let (id, secret) = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET");
    for text in [
        format!("\u{feff}{id}=sandbox\r\n{secret}=sandbox-secret\r\n"),
        format!("{id} = 'sandbox' \n{secret}=\t\"sandbox-secret\"\u{a0}"),
        format!("# rotated\nexport {id}=\"sandbox\"\nexport {secret}='sandbox-secret'\n"),
    ] {
        write(&key, &text);
        let output = ends(&world, &["check", "--online"]);
        assert!(output.status.success(), "{text:?}: {}", said(&output));
    }
    // As they come among systemd's credentials.
    let loaded = world.path("loaded");
    fs::create_dir(&loaded).unwrap();
    fs::write(loaded.join("access-key-id"), "\u{feff}'sandbox'\r\n").unwrap();
    fs::write(loaded.join("access-key-secret"), " \"sandbox-secret\"\r\n").unwrap();
    let output = world.command(&["check", "--online"]).env("CREDENTIALS_DIRECTORY", &loaded).output().unwrap();
    assert!(output.status.success() && said(&output).contains("systemd's"), "{}", said(&output));
    fs::remove_file(loaded.join("access-key-secret")).unwrap();
    fifo(&loaded.join("access-key-secret"));
    let output = world.command(&["check"]).env("CREDENTIALS_DIRECTORY", &loaded).output().unwrap();
    assert!(output.status.code() == Some(78) && said(&output).contains("a FIFO"), "{}", said(&output));
}

#[test]
fn half_a_key_is_never_taken_and_what_is_odd_is_said_without_it() {
    let world = world();
    let key = world.path("keys/key");
    let text = |id: &str, secret: &str| {
        format!("ALIBABA_CLOUD_ACCESS_KEY_ID={id}\nALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}\n")
    };
    let utf16: Vec<u8> = format!("\u{feff}{KEY}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, part) in [
        (text("sandbox", "s3cr3t half").into_bytes(), "a space"),
        (text("sandbox", "\"s3cr3t").into_bytes(), "a quotation mark"),
        (text("sandbox", "s3cr3t\u{200b}").into_bytes(), "no ASCII"),
        (text("sandbox", "s3cr3t\u{1}").into_bytes(), "a control character"),
        (text("sandbox", "\"\"").into_bytes(), "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not"),
        (utf16, "UTF-16"),
        (b"\xff\xfd".to_vec(), "no UTF-8"),
        (Vec::new(), "neither ALIBABA_CLOUD_ACCESS_KEY_ID"),
    ] {
        write(&key, bytes);
        assert_refused(&world, &["keys/key", part]);
    }
}

#[test]
fn a_key_file_of_somebody_else_or_in_a_folder_of_others_is_refused_with_the_remedy() {
    let world = world();
    let (folder, key) = (world.path("keys"), world.path("keys/key"));
    write(&key, KEY);
    assert!(ends(&world, &["check"]).status.success());
    for open in [0o777, 0o1777, 0o775] {
        mode(&folder, open);
        let named = format!("mode {open:04o}");
        assert_refused(&world, &["keys, which has", &named, "sudo chmod go-w "]);
    }
    mode(&folder, 0o755);
    assert!(ends(&world, &["check"]).status.success());
    if !is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    chown(&key, Some(54_321), None).unwrap();
    assert_refused(&world, &["belongs to uid 54321", "sudo chown root: ", "sudo chmod 600 "]);
    chown(&key, Some(0), None).unwrap();
    chown(&folder, Some(54_321), None).unwrap();
    assert_refused(&world, &["keys, which belongs to uid 54321", "sudo chown root: "]);
    // The service's user is not others: root checks what it will read.
    let daemon = world.command(&["check"]).output().unwrap();
    assert_eq!(daemon.status.code(), Some(78));
    fs::create_dir_all(world.spool("incoming")).unwrap();
    chown(world.path("spool"), Some(54_321), None).unwrap();
    chown(&key, Some(54_321), None).unwrap();
    let output = ends(&world, &["check"]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_link_is_followed_where_its_target_is_safe() {
    let world = world();
    let key = world.path("keys/key");
    // As rotated secrets are handed over: a link to a folder of the day, which is a link itself.
    let (first, second) = (world.path("keys/..1"), world.path("keys/..2"));
    for folder in [&first, &second] {
        fs::create_dir(folder).unwrap();
        mode(folder, 0o755);
        write(&folder.join("key"), KEY);
    }
    symlink("..1", world.path("keys/..data")).unwrap();
    symlink("..data/key", &key).unwrap();
    assert!(ends(&world, &["check"]).status.success());
    mode(&first, 0o777);
    assert_refused(&world, &["..1, which has mode 0777"]);
    mode(&first, 0o755);
    mode(&first.join("key"), 0o644);
    assert_refused(&world, &["has mode 0644"]);
}
