//! The spool's folder `orders/`: members of the group write into it, the daemon reads and empties it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::written::{BYTES_MAX, Written};
use crate::model::OrderFault;
use crate::queue::DroppedAs;
use crate::spool::{Folders, open_regular, stored_name, sync_folder};

/// How the name of an order ends.
const ENDING: &str = ".json";

/// Most entries of the folder that are looked at together.
const ENTRIES_MAX: usize = 1_000;

/// A file that is no order yet may still be written to for this long.
const WRITTEN_FOR: Duration = Duration::from_secs(2);

/// What nobody finishes is removed at this age.
const REMAINS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// The uid that the kernel shows for users that a user namespace does not know.
const NOBODY: u32 = 65_534;

/// The folder.
#[derive(Debug, Clone)]
pub struct Tray(PathBuf);

/// A file in it.
#[derive(Debug)]
pub(super) struct OrderFile {
    pub(super) path: PathBuf,
    /// Which one it is, for the order's row.
    pub(super) dropped: DroppedAs,
    /// Its owner.
    pub(super) uid: u32,
    /// What it says; none if it may still be written.
    pub(super) content: Option<Result<Written, OrderFault>>,
}

impl Tray {
    /// The folder of this spool.
    pub fn under(spool: &Path) -> Self {
        Self(Folders::under(spool).orders)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether this process may put an order into it.
    pub fn takes_ours(&self) -> bool {
        let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(&self.0, rights).is_ok()
    }

    /// Some orders, each owner's in the order of their names and no owner before the others. Removes what nobody
    /// finished for a day.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub(super) fn waiting(&self) -> io::Result<Vec<(OsString, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0)?.take(ENTRIES_MAX) {
            let entry = entry?;
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            if meta.is_dir() {
                continue;
            }
            let name = entry.file_name();
            let is_order = name.to_str().is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.'));
            if is_order {
                found.push((meta.uid(), name, entry.path()));
            } else if age(&meta) > REMAINS_KEPT {
                let _ = fs::remove_file(entry.path());
            }
        }
        found.sort();
        let mut turns: HashMap<u32, usize> = HashMap::new();
        let mut found: Vec<(usize, OsString, PathBuf)> = found
            .into_iter()
            .map(|(uid, name, path)| {
                let turn = turns.entry(uid).or_default();
                *turn += 1;
                (*turn, name, path)
            })
            .collect();
        found.sort();
        Ok(found.into_iter().map(|(_, name, path)| (name, path)).collect())
    }
}

/// Reads an order. None if the file is gone.
///
/// # Errors
///
/// It cannot be read now.
pub(super) fn read(name: &OsString, path: PathBuf) -> io::Result<Option<OrderFile>> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let dropped = |meta: &fs::Metadata| DroppedAs {
        name: stored_name(name),
        mark: format!("{}.{}.{}", meta.ino(), meta.mtime(), meta.mtime_nsec()),
    };
    // Whoever links to another's file does not own what it says.
    if !meta.is_file() || meta.nlink() != 1 {
        let content = Some(Err(OrderFault::NotPlain));
        return Ok(Some(OrderFile { path, dropped: dropped(&meta), uid: meta.uid(), content }));
    }
    let file = match open_regular(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    let content = match Written::read(&bytes) {
        Err(_) if age(&meta) < WRITTEN_FOR => None,
        Ok(_) if meta.uid() == NOBODY => Some(Err(OrderFault::Nobody)),
        read => Some(read),
    };
    Ok(Some(OrderFile { path, dropped: dropped(&meta), uid: meta.uid(), content }))
}

/// The time since the last change; none if the clock went back.
fn age(meta: &fs::Metadata) -> Duration {
    meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

/// Puts an order into the folder, whole or not at all, and returns its name there.
///
/// # Errors
///
/// The folder or the file cannot be written.
pub fn drop_order(tray: &Tray, order: &Written) -> io::Result<String> {
    let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%S%6f");
    let name = format!("{stamp}-{}{ENDING}", std::process::id());
    let hidden = tray.0.join(format!(".{name}.tmp"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&hidden)?;
    file.write_all(&serde_json::to_vec(order)?)?;
    // The group's right to read may be missing in the caller's umask; the daemon is of the group.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o640))?;
    file.sync_all()?;
    fs::rename(&hidden, tray.0.join(&name))?;
    sync_folder(&tray.0)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Order, Selection};

    fn tray() -> (tempfile::TempDir, Tray) {
        let dir = tempfile::tempdir().unwrap();
        let tray = Tray::under(dir.path());
        fs::create_dir(tray.path()).unwrap();
        (dir, tray)
    }

    fn only(tray: &Tray) -> OrderFile {
        let [(name, path)] = &tray.waiting().unwrap()[..] else { panic!("one order") };
        read(name, path.clone()).unwrap().unwrap()
    }

    #[test]
    fn a_dropped_order_is_read_with_its_owner() {
        let (_dir, tray) = tray();
        let order = Written::new(Order::Cancel, &Selection { file: Some("a.txt".into()), ..Selection::default() });
        let name = drop_order(&tray, &order).unwrap();
        let found = only(&tray);
        assert_eq!((found.dropped.name, found.uid), (name, rustix::process::getuid().as_raw()));
        assert_eq!(found.content, Some(Ok(order)));
    }

    #[test]
    fn links_and_half_written_files_are_no_orders() {
        let (dir, tray) = tray();
        let path = tray.path().join("a.json");
        fs::write(&path, r#"{"order": "can"#).unwrap();
        assert_eq!(only(&tray).content, None);
        let old = SystemTime::now() - WRITTEN_FOR * 2;
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(matches!(only(&tray).content, Some(Err(OrderFault::Unreadable { .. }))));
        fs::write(&path, r#"{"order": "cancel", "file": "a.txt"}"#).unwrap();
        assert!(matches!(only(&tray).content, Some(Ok(_))));
        fs::hard_link(&path, dir.path().join("b")).unwrap();
        assert_eq!(only(&tray).content, Some(Err(OrderFault::NotPlain)));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("b"), &path).unwrap();
        assert_eq!(only(&tray).content, Some(Err(OrderFault::NotPlain)));
    }

    #[test]
    fn hidden_names_are_left_alone_and_removed_after_a_day() {
        let (_dir, tray) = tray();
        let path = tray.path().join(".a.json.tmp");
        fs::write(&path, "").unwrap();
        assert!(tray.waiting().unwrap().is_empty() && path.exists());
        let old = SystemTime::now() - REMAINS_KEPT * 2;
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(tray.waiting().unwrap().is_empty() && !path.exists());
    }
}
