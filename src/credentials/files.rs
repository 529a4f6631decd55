//! Keys in files. A file is read only if nobody but root and the service's user can have written it or can read it, and
//! only once it is whole: a file that is being written is read again after a moment, and text that cannot be a key is
//! never used as one.

use std::fs::{self, File, FileType, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{Credentials, Error, ID_VARIABLE, SECRET_VARIABLE, Source, from_variables};
use crate::config::Config;

/// Largest file: one key has a few hundred bytes, a file of many profiles a few thousand.
const BYTES_MAX: u64 = 64 * 1024;

/// Permission bits that let group or others read it.
const OTHERS: u32 = 0o077;

/// Permission bits that let group or others put files into a folder.
const OTHERS_WRITE: u32 = 0o022;

/// A file that changed within this time may still be being written ...
const IS_FRESH: Duration = Duration::from_secs(2);

/// ... and is read again after this, until it stays the same ...
const READ_AGAIN: Duration = Duration::from_millis(200);

/// ... at most this many times.
const READINGS_MAX: u32 = 10;

/// Who may own a key: root, the user of this process, and, if root is checking, the owner of the spool or the database,
/// which is the service's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owners(Vec<u32>);

impl Owners {
    pub(super) fn of(config: &Config) -> Self {
        let own = rustix::process::geteuid().as_raw();
        let mut owners = vec![0, own];
        if own == 0 {
            let of_the_service = [config.spool.dir.as_path(), config.of_the_service()];
            owners.extend(of_the_service.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.uid()));
        }
        Self(owners)
    }

    fn include(&self, meta: &Metadata) -> bool {
        self.0.contains(&meta.uid())
    }
}

/// The key in a file of `NAME=value` lines.
pub(super) fn key_file(path: &Path, owners: &Owners) -> Result<Credentials, Error> {
    once_more(|| {
        let text = private(path, owners)?;
        let value = |name: &str| {
            let line = |line: &str| {
                let (key, value) = line.trim().split_once('=')?;
                let key = key.trim();
                let key = key.strip_prefix("export ").map_or(key, str::trim);
                (key == name).then(|| value.to_owned())
            };
            text.lines().find_map(line)
        };
        let found = from_variables(&Source::File(path.to_path_buf()), value)?;
        found.ok_or_else(|| unusable(path, format!("it has neither {ID_VARIABLE}= nor {SECRET_VARIABLE}=")))
    })
}

/// Reads a file once more before it is refused, because it may just have been replaced.
pub(super) fn once_more<T>(read: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    read().or_else(|_| {
        std::thread::sleep(READ_AGAIN);
        read()
    })
}

/// The text of a file that only its owner may read and that nobody is writing. A link is followed; its target must be
/// as safe, and so must the folders of both.
pub(super) fn private(path: &Path, owners: &Owners) -> Result<String, Error> {
    let mut last = read_private(path, owners)?;
    for _ in 0..READINGS_MAX {
        if !is_fresh(last.1, SystemTime::now()) {
            return Ok(last.0);
        }
        std::thread::sleep(READ_AGAIN);
        let next = read_private(path, owners)?;
        if next == last {
            return Ok(next.0);
        }
        last = next;
    }
    Err(unusable(path, "it is being written all the time"))
}

/// Whether a file that was changed at `changed` may still be being written. A time in the future says nothing.
fn is_fresh(changed: SystemTime, now: SystemTime) -> bool {
    now.duration_since(changed).is_ok_and(|age| age < IS_FRESH)
}

/// The text, and the time of the last change, of a file that may hold a key.
fn read_private(path: &Path, owners: &Owners) -> Result<(String, SystemTime), Error> {
    let target = fs::canonicalize(path).map_err(|error| unusable(path, error))?;
    for folder in [path.parent(), target.parent()].into_iter().flatten() {
        check_folder(path, folder, owners)?;
    }
    let (file, meta) = open(path, &target)?;
    if !owners.include(&meta) {
        let remedy = format!("sudo chown {0}: {1}; sudo chmod 600 {1}", owner_wanted(), quoted(&target));
        return Err(Error::Foreign { path: target, uid: meta.uid(), remedy });
    }
    if meta.mode() & OTHERS != 0 {
        return Err(Error::Exposed { path: target, mode: meta.mode() & 0o7777 });
    }
    Ok((text(path, file)?, meta.modified().map_err(|error| unusable(path, error))?))
}

/// In somebody else's folder, or one where others may put files, anybody could replace this key.
fn check_folder(path: &Path, folder: &Path, owners: &Owners) -> Result<(), Error> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let meta = fs::metadata(folder).map_err(|error| unusable(path, error))?;
    let (why, remedy) = if !owners.include(&meta) {
        (format!("belongs to uid {}", meta.uid()), format!("sudo chown root: {}", quoted(folder)))
    } else if meta.mode() & OTHERS_WRITE != 0 {
        let mode = meta.mode() & 0o7777;
        (format!("has mode {mode:04o}: others may write into it"), format!("sudo chmod go-w {}", quoted(folder)))
    } else {
        return Ok(());
    };
    Err(Error::Folder { path: path.to_path_buf(), folder: folder.to_path_buf(), why, remedy })
}

/// The text of a file that others may read but nobody else can have written, such as a token that a cluster gives its
/// pods.
pub(super) fn readable(path: &Path, owners: &Owners) -> Result<String, Error> {
    once_more(|| {
        let target = fs::canonicalize(path).map_err(|error| unusable(path, error))?;
        let (file, meta) = open(path, &target)?;
        if !owners.include(&meta) {
            let remedy = format!("sudo chown root: {}", quoted(&target));
            return Err(Error::Foreign { path: target, uid: meta.uid(), remedy });
        }
        if meta.mode() & OTHERS_WRITE != 0 {
            let (mode, remedy) = (meta.mode() & 0o7777, quoted(&target));
            return Err(unusable(path, format!("it has mode {mode:04o}: others may change it; `chmod go-w {remedy}`")));
        }
        let text = text(path, file)?;
        if text.trim().is_empty() {
            return Err(unusable(path, "it is empty"));
        }
        Ok(text)
    })
}

/// Identifies the file under a name and its time of change; none if there is no file. If it differs, the file is worth
/// reading.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some(Stamp { file: (meta.dev(), meta.ino()), size: meta.size(), changed: (meta.mtime(), meta.mtime_nsec()) })
}

/// See [`stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

/// The text of a file that systemd guards, if there is one.
pub(super) fn optional(path: &Path) -> Result<Option<String>, Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error)),
        Ok(_) => {
            let target = fs::canonicalize(path).map_err(|error| unusable(path, error))?;
            text(path, open(path, &target)?.0).map(Some)
        }
    }
}

/// Opens a regular file without blocking: opening a FIFO would block, and opening a device may have any effect.
/// `target` is where `path` leads to, without links.
fn open(path: &Path, target: &Path) -> Result<(File, Metadata), Error> {
    let regular = |meta: &Metadata| match kind(meta.file_type()) {
        None => Ok(()),
        Some(kind) => Err(unusable(path, format!("it is {kind}; only a regular file is read"))),
    };
    regular(&fs::symlink_metadata(target).map_err(|error| unusable(path, error))?)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(openat(CWD, target, flags, Mode::empty()).map_err(|error| unusable(path, error))?);
    // Of the open file, because the name may lead to another one by now.
    let meta = file.metadata().map_err(|error| unusable(path, error))?;
    regular(&meta)?;
    Ok((file, meta))
}

/// The kind of a file that is not a regular one.
fn kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_block_device() || kind.is_char_device() => Some("a device"),
        () => Some("no regular file"),
    }
}

/// The text, without a byte order mark.
fn text(path: &Path, file: File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unusable(path, error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(unusable(path, format!("it is longer than {} kB", BYTES_MAX / 1024)));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(unusable(path, "it is UTF-16; save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|_| unusable(path, "it is no UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Checks whether keys are readable by others where systemd loads them from. If only root may enter the folder, that is
/// right, and nothing in it can be checked.
pub(super) fn refuse_exposed_in(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    // Root can look into a closed folder too, which protects its content whatever its mode.
    if fs::metadata(folder).is_ok_and(|meta| meta.mode() & OTHERS == 0) {
        return Ok(());
    }
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("prefetchd")) {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() && meta.permissions().mode() & OTHERS != 0 {
            return Err(Error::Exposed { path: entry.path(), mode: meta.mode() & 0o7777 });
        }
    }
    Ok(())
}

pub(super) fn unusable(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::Unusable { path: path.to_path_buf(), what: what.to_string() }
}

/// Who should own a key file: the user who must read it.
fn owner_wanted() -> String {
    match rustix::process::geteuid().as_raw() {
        0 => "root".to_owned(),
        uid => uid.to_string(),
    }
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    crate::model::quoted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_fresh_for_two_seconds_and_one_of_the_future_is_not() {
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(is_fresh(changed, changed) && is_fresh(changed, changed + Duration::from_millis(1_999)));
        assert!(!is_fresh(changed, changed + IS_FRESH));
        assert!(!is_fresh(changed + Duration::from_secs(3_600), changed));
    }

    #[test]
    fn a_file_that_is_being_replaced_is_read_once_more_before_it_is_refused() {
        let readings = std::cell::Cell::new(0);
        let read = |good_from: u32| {
            readings.set(0);
            once_more(|| {
                readings.set(readings.get() + 1);
                if readings.get() >= good_from { Ok(()) } else { Err(unusable(Path::new("key"), "it is half")) }
            })
        };
        assert!(read(1).is_ok() && readings.get() == 1);
        assert!(read(2).is_ok() && readings.get() == 2);
        assert!(read(3).is_err() && readings.get() == 2);
    }

    #[test]
    fn a_remedy_can_be_pasted() {
        assert_eq!(quoted(Path::new("/etc/prefetchd/key")), "/etc/prefetchd/key");
        assert_eq!(quoted(Path::new("/etc/it's a/key")), r"'/etc/it'\''s a/key'");
    }
}
