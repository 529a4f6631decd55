//! The four folders and the moves between them. A move never replaces a file and is followed by an fsync of both
//! folders, so that after a power cut a file is in exactly one of them.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, StatxFlags, renameat_with, statx};

use super::name::{is_left_alone, kept_as, shown_as, stored_name, told_apart};
use crate::model::Time;
use crate::queue::NewFile;

/// How a receipt's name ends.
pub const RECEIPT: &str = ".receipt.json";

/// How the name of a report of refused lines ends.
pub const REFUSED: &str = ".refused.tsv";

/// Why folders on different mounts do not work, and what to do.
pub const APART: &str =
    "it lies on another mount than work/, so no file can be renamed between them: mount the spool as a whole";

/// An order that waits longer than this waits in vain.
const ORDER_WAITS: Duration = Duration::from_secs(10);

/// Entries of `incoming/` that are counted for a report.
const WAITING_MAX: usize = 10_000;

/// The spool's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Where people drop files.
    pub incoming: PathBuf,
    /// Files that are being read.
    pub work: PathBuf,
    /// Files whose lines are queued, with their receipts.
    pub done: PathBuf,
    /// Files that could not be read, with their receipts.
    pub rejected: PathBuf,
    /// Orders of members of the group ([`crate::orders`]); no file of URLs is ever here.
    pub orders: PathBuf,
}

impl Folders {
    /// The folders inside the spool's directory.
    pub fn under(dir: &Path) -> Self {
        Self {
            incoming: dir.join("incoming"),
            work: dir.join("work"),
            done: dir.join("done"),
            rejected: dir.join("rejected"),
            orders: dir.join("orders"),
        }
    }

    /// The four between which files of URLs move.
    pub fn all(&self) -> [&Path; 4] {
        [&self.incoming, &self.work, &self.done, &self.rejected]
    }

    /// Makes the folders that are missing. Members of the group may drop files into `incoming/` and `orders/`; these
    /// belong to the group, and members cannot remove each other's files. The other folders they may only read.
    ///
    /// # Errors
    ///
    /// The error of the file system, with the folder's name.
    pub fn create(&self) -> io::Result<()> {
        for folder in self.all().into_iter().chain([self.orders.as_path()]) {
            if folder.is_dir() {
                continue;
            }
            fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
            // Set afterwards, because the process's umask would take the group's rights away.
            let is_theirs = folder == self.incoming || folder == self.orders;
            let mode = if is_theirs { 0o3770 } else { 0o750 };
            if let Err(error) = fs::set_permissions(folder, fs::Permissions::from_mode(mode)) {
                // A folder left without its rights would pass for a good one at the next start.
                let _ = fs::remove_dir(folder);
                let hint = "a hardened service may not make it; `systemctl restart prefetchd` has it made";
                return Err(io::Error::new(error.kind(), format!("{}: {error} ({hint})", folder.display())));
            }
        }
        Ok(())
    }

    /// Files that were handed over and are on no book yet, of the first 10,000 entries of `incoming/` and `work/`,
    /// where so many files of `work/` are booked. A folder that may not be read has none.
    pub fn count_waiting(&self, booked: i64) -> i64 {
        let waits = |entry: &fs::DirEntry| {
            !is_left_alone(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        let count = |folder: &Path| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(WAITING_MAX);
            i64::try_from(entries.filter(waits).count()).unwrap_or(i64::MAX)
        };
        count(&self.incoming) + (count(&self.work) - booked).max(0)
    }

    /// Orders of members that have waited for ten seconds by this machine's clock, of the first 10,000 entries; a
    /// daemon carries them out within a second. A folder that may not be read has none.
    pub fn count_orders(&self, wall: Time) -> i64 {
        let before = SystemTime::from(wall) - ORDER_WAITS;
        let waits = |entry: &fs::DirEntry| {
            let is_old = || entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at < before);
            !is_left_alone(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_old()
        };
        let entries = fs::read_dir(&self.orders).into_iter().flatten().flatten().take(WAITING_MAX);
        i64::try_from(entries.filter(waits).count()).unwrap_or(i64::MAX)
    }

    /// The folder that lies on another mount than `work/`, if there is one. Files cannot be renamed across mounts.
    pub fn apart(&self) -> io::Result<Option<&Path>> {
        let work = mount(&self.work)?;
        for folder in self.all() {
            if mount(folder)? != work {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Moves a file from `incoming/` into `work/` and returns its new name, which is free in all folders. None if the
    /// file is gone. The caller syncs the folders.
    pub fn claim(&self, name: &OsStr, now: Time) -> io::Result<Option<NewFile>> {
        let shown = stored_name(name);
        let stored = self.free_name(&kept_as(&shown), now);
        match rename(&self.incoming.join(name), &self.work.join(&stored)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let why = format!("{}: {APART}", self.incoming.display());
                return Err(io::Error::new(error.kind(), why));
            }
            Err(error) => return Err(at(&self.incoming.join(name), &error)),
        }
        Ok(Some(self.new_file(shown, stored)))
    }

    /// A file in `work/` without a row in `files`: a crash came in between.
    pub fn found_in_work(&self, stored: String) -> NewFile {
        self.new_file(shown_as(&stored).to_owned(), stored)
    }

    fn new_file(&self, name: String, stored_name: String) -> NewFile {
        let meta = self.work.join(&stored_name).symlink_metadata();
        NewFile { name, stored_name, owner_uid: meta.ok().map(|meta| meta.uid()) }
    }

    /// Moves a claimed file to the folder where it belongs. Does nothing if a crash came after the move and before its
    /// note, so that the file is already there. The caller syncs the folders.
    pub fn put_away(&self, stored: &str, to: &Path) -> io::Result<()> {
        let from = self.folder_of(stored);
        if from == to {
            return Ok(());
        }
        rename(&from.join(stored), &to.join(stored)).map_err(|error| at(&from.join(stored), &error))?;
        // A file that was read on may belong in another folder now, and its receipt with it.
        match fs::remove_file(from.join(format!("{stored}{RECEIPT}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(from, &error)),
            _ => Ok(()),
        }
    }

    /// Moves the report of refused lines back to `work/` when a file that was put away is read on.
    pub fn take_report_back(&self, stored: &str) -> io::Result<()> {
        let growing = self.growing_report(stored);
        for folder in [&self.done, &self.rejected] {
            match rename(&folder.join(format!("{stored}{REFUSED}")), &growing) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&growing, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes everything durable that was written or moved in the spool: one sync of the file system for many files.
    pub fn sync_all(&self) -> io::Result<()> {
        let folder = File::open(&self.done).map_err(|error| at(&self.done, &error))?;
        rustix::fs::syncfs(&folder).map_err(|error| at(&self.done, &error.into()))
    }

    /// Opens a claimed file for reading, in whichever folder it lies.
    ///
    /// # Errors
    ///
    /// The error of the file system; also when the name is not a regular file.
    pub fn open(&self, stored: &str) -> io::Result<File> {
        open_regular(&self.folder_of(stored).join(stored))
    }

    /// Where a claimed file lies: in `work/`, or in `done/` or `rejected/` when it was put away.
    pub fn folder_of(&self, stored: &str) -> &Path {
        let away = [&self.done, &self.rejected];
        let is_there = |folder: &&&PathBuf| folder.join(stored).symlink_metadata().is_ok();
        match self.work.join(stored).symlink_metadata() {
            Ok(_) => &self.work,
            Err(_) => away.iter().find(is_there).map_or(&self.work, |folder| folder),
        }
    }

    /// Where the report of refused lines grows while its file is read. Its name begins with a dot: such names are never
    /// claimed, so no dropped file can be in its way.
    pub fn growing_report(&self, stored: &str) -> PathBuf {
        self.work.join(format!(".{stored}{REFUSED}"))
    }

    /// A name for a new file in `incoming/`: the given one if the spool has no such name, else one with the time in it.
    pub fn name_for_new(&self, name: &str, now: Time) -> String {
        self.free_name_beside(name, now, Some(&self.incoming))
    }

    /// The name itself if neither it nor the names beside it (receipt, report) are taken, else one with the time in it.
    fn free_name(&self, name: &str, now: Time) -> String {
        self.free_name_beside(name, now, None)
    }

    fn free_name_beside(&self, name: &str, now: Time, also: Option<&Path>) -> String {
        let taken = |name: &str| {
            let beside = [&self.done, &self.rejected];
            [Some(self.work.as_path()), also].into_iter().flatten().any(|folder| folder.join(name).exists())
                || beside.iter().any(|folder| {
                    ["", RECEIPT, REFUSED].iter().any(|ending| folder.join(format!("{name}{ending}")).exists())
                })
        };
        let stamp = now.format("%Y%m%dT%H%M%S%3f");
        let marked = (0_u32..).map(|n| match n {
            0 => told_apart(name, &stamp.to_string()),
            n => told_apart(name, &format!("{stamp}-{n}")),
        });
        std::iter::once(name.to_owned()).chain(marked).find(|name| !taken(name)).expect("the numbers do not end")
    }
}

/// Writes a whole file under a temporary name and renames it, so that readers see all of it or nothing. The caller
/// syncs the spool to make it durable.
pub(super) fn write_whole(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.tmp"));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content));
    written.and_then(|()| fs::rename(&temporary, folder.join(name))).map_err(|error| at(&folder.join(name), &error))
}

/// Makes the names in a folder durable.
///
/// # Errors
///
/// The error of the file system, with the folder's name.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))
}

/// The mount that a folder lies on; the device number where the kernel does not tell the mount.
fn mount(folder: &Path) -> io::Result<(u64, u64)> {
    let meta = fs::metadata(folder).map_err(|error| at(folder, &error))?;
    let id = statx(CWD, folder, AtFlags::empty(), StatxFlags::MNT_ID).ok();
    let id = id.filter(|told| StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::MNT_ID));
    Ok((meta.dev(), id.map_or(0, |told| told.stx_mnt_id)))
}

/// Opens a regular file for reading. Follows no link and never blocks.
///
/// # Errors
///
/// The error of the file system; also when the path is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags of open fit its argument");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Renames without replacing.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // For file systems that cannot refuse to replace (NFS among them) it is checked beforehand; nobody else writes
        // to these folders.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => fs::rename(from, to),
        other => other.map_err(io::Error::from),
    }
}

/// An error that names the path.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
