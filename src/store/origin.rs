//! Checks whether the database is still the file that was opened.
//!
//! It uses `stat` alone: opening the file a second time and closing it would drop the locks that SQLite holds on it.
//! What was committed to a deleted or replaced file lives only as long as this process has it open.

use std::fmt;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use tokio_util::sync::CancellationToken;

use super::{Error, Result};

/// Bytes of SQLite's header (sqlite.org/fileformat2.html).
const HEADER_LEN: usize = 100;

/// The same, of a file: a shorter one holds no database.
pub const HEADER_BYTES: u64 = HEADER_LEN as u64;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const CHANGE_COUNTER: usize = 24;
const APPLICATION_ID: usize = 68;

/// What happened to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Loss {
    /// There is no file any more.
    Gone,
    /// There is another file.
    Replaced,
    /// It is the same file with other content.
    Overwritten,
    /// The write-ahead log or its index is gone or replaced.
    Log,
    /// An older copy was restored into it, through SQLite: it knows less than this process.
    Restored,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "its file was deleted or moved away",
            Self::Replaced => "another file was put in its place",
            Self::Overwritten => "its file was written over",
            Self::Log => "its -wal or -shm file was deleted or replaced",
            Self::Restored => {
                "an older copy was restored into it; files that it does not know are in done/, to be dropped again"
            }
        })
    }
}

/// A database that was lost while the daemon ran, and what became of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// What happened to the file.
    pub loss: Loss,
    /// Where its content was saved; none before that.
    pub copy: Option<PathBuf>,
    /// Why it could not be saved yet.
    pub problem: Option<String>,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database is lost: {}; nothing is taken and nothing is sent; ", self.loss)?;
        match (&self.copy, &self.problem) {
            (Some(copy), _) => write!(f, "what it held is in {}", copy.display()),
            (None, Some(problem)) => {
                write!(f, "what it held is only in the daemon, which must not be stopped: {problem}")
            }
            (None, None) => f.write_str("what it held is being copied"),
        }
    }
}

/// Identifies a file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// The file of this name; none if there is none.
pub(super) fn identity(path: &Path) -> io::Result<Option<Identity>> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(Some(Identity { device: meta.dev(), inode: meta.ino() })),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The file that was opened.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// None for a schema on a server, which has no file to be watched.
    path: Option<PathBuf>,
    opened: Option<Identity>,
    lost: Mutex<Option<Lost>>,
    told: CancellationToken,
}

impl Origin {
    /// For the file that was just opened.
    pub(super) fn of(path: &Path) -> Self {
        let opened = identity(path).ok().flatten();
        Self { path: Some(path.to_path_buf()), opened, ..Self::default() }
    }

    /// Checks whether the name still leads to the file that was opened. A loss is final: a file that comes back later
    /// has missed something.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`]. A file that cannot be examined counts as unchanged.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(path) = self.path.as_ref().filter(|_| self.held().is_none()) {
            match identity(path) {
                Ok(None) => self.lose(Loss::Gone),
                Ok(found) if self.opened.is_some() && found != self.opened => self.lose(Loss::Replaced),
                Ok(_) | Err(_) => {}
            }
        }
        self.held().as_ref().map_or(Ok(()), |lost| Err(Error::Lost(lost.loss)))
    }

    pub(super) fn lose(&self, loss: Loss) {
        self.held().get_or_insert(Lost { loss, copy: None, problem: None });
        self.told.cancel();
    }

    pub(super) fn lost(&self) -> Option<Lost> {
        self.held().clone()
    }

    /// Notes where the content was saved, or why it could not be.
    pub(super) fn saved(&self, copy: std::result::Result<PathBuf, String>) {
        if let Some(lost) = self.held().as_mut() {
            (lost.copy, lost.problem) = match copy {
                Ok(copy) => (Some(copy), None),
                Err(problem) => (None, Some(problem)),
            };
        }
    }

    /// Cancelled when it is lost.
    pub(super) fn told(&self) -> &CancellationToken {
        &self.told
    }

    fn held(&self) -> MutexGuard<'_, Option<Lost>> {
        self.lost.lock().expect("no holder of the note panics")
    }
}

/// Compares the file's content with what SQLite would make of it, to notice a file that is overwritten.
#[derive(Debug)]
pub(super) struct Content {
    /// Never closed: closing it would drop SQLite's locks.
    file: ManuallyDrop<File>,
    application: u32,
    seen: Header,
    odd: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    bytes: u64,
    application: u32,
    changes: u32,
}

impl Header {
    fn parse(bytes: u64, head: &[u8; HEADER_LEN]) -> Option<Self> {
        let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let is_sqlite = head.starts_with(MAGIC);
        is_sqlite.then(|| Self { bytes, application: number(APPLICATION_ID), changes: number(CHANGE_COUNTER) })
    }

    /// Whether SQLite may have made this from `before`, in the database named by `application`: its change counter
    /// never falls, it shrinks only by a change, and the name appears once it is copied back from the log.
    fn follows(self, before: Self, application: u32) -> bool {
        self.changes >= before.changes
            && (self.bytes >= before.bytes || self.changes > before.changes)
            && (self.application == before.application || self.application == application)
    }
}

impl Content {
    /// Begins to watch the file that SQLite has open in this process.
    pub(super) fn of(path: &Path, application: u32) -> io::Result<Self> {
        let file = ManuallyDrop::new(File::open(path)?);
        let seen = read(&file)?.ok_or_else(|| io::Error::other("it does not begin as a database does"))?;
        Ok(Self { file, application, seen, odd: false })
    }

    /// Whether the content is what SQLite would make of it, as far as can be seen. A single suspicious look may have
    /// been in the middle of a write.
    pub(super) fn is_ours(&mut self) -> bool {
        let Ok(head) = read(&self.file) else { return true };
        match head.filter(|head| head.follows(self.seen, self.application)) {
            Some(head) => {
                self.seen = head;
                self.odd = false;
                true
            }
            None => !std::mem::replace(&mut self.odd, true),
        }
    }
}

fn read(file: &File) -> io::Result<Option<Header>> {
    let mut head = [0; HEADER_LEN];
    let read = file.read_at(&mut head, 0)?;
    Ok(if read < HEADER_LEN { None } else { Header::parse(file.metadata()?.len(), &head) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_opened_is_told_from_any_other_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::write(&path, "a").unwrap();
        let origin = Origin::of(&path);
        assert!(origin.check().is_ok());
        std::fs::rename(&path, dir.path().join("b.db")).unwrap();
        assert!(matches!(origin.check(), Err(Error::Lost(Loss::Gone))));
        std::fs::rename(dir.path().join("b.db"), &path).unwrap();
        assert!(origin.check().is_err() && origin.told().is_cancelled());

        let origin = Origin::of(&path);
        std::fs::write(dir.path().join("c.db"), "a").unwrap();
        std::fs::rename(dir.path().join("c.db"), &path).unwrap();
        assert!(matches!(origin.check(), Err(Error::Lost(Loss::Replaced))));
    }

    #[test]
    fn a_file_that_shrinks_counts_back_or_changes_its_name_was_written_over() {
        let before = Header { bytes: 8192, application: 0, changes: 7 };
        assert!(before.follows(before, 5));
        assert!(Header { bytes: 12_288, application: 5, changes: 8 }.follows(before, 5));
        assert!(Header { bytes: 4096, application: 5, changes: 8 }.follows(before, 5), "somebody ran `vacuum`");
        for after in
            [Header { bytes: 4096, ..before }, Header { changes: 6, ..before }, Header { application: 6, ..before }]
        {
            assert!(!after.follows(before, 5), "{after:?}");
        }
        assert_eq!(Header::parse(4096, &[0; HEADER_LEN]), None);
    }
}
