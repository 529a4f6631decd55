//! Files that change after they were read to the end are read on from their marks, for as long as they lie in the
//! spool. inotify says which have changed; a slow round over all of them finds what inotify missed.

use std::collections::HashMap;
use std::fs::Metadata;
use std::time::{Duration, Instant, SystemTime};

use super::folders::Folders;
use super::identity::FileState;
use super::ingest::Error;
use super::readiness::{Heard, ReadOn, read_on};
use super::watch::Hints;
use crate::model::{FileId, Time, to_millis};
use crate::queue::{self, KeptFile};
use crate::store::Store;

/// The round looks at this many files at a time ...
const FILES_A_LOOK: u32 = 500;

/// ... and this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Most changed files that one look returns.
const FOUND_MAX: usize = 100;

/// A file that is still open counts as whole when it has not changed for this long since it was last read: the event of
/// its closing may have been missed.
const SETTLED_OPEN: Duration = Duration::from_secs(600);

/// A file that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) file: FileId,
    /// Its last line counts as whole even without a line end.
    pub(super) is_whole: bool,
}

/// Files that may have changed.
#[derive(Debug)]
pub(super) struct Grown {
    suspects: HashMap<String, MayHaveGrown>,
    /// When the last reading of a file ended, how long it took, and the file's state then.
    readings: HashMap<String, (Instant, Duration, Option<FileState>)>,
    cursor: FileId,
    look_at: Instant,
}

#[derive(Debug)]
struct MayHaveGrown {
    heard: Option<Heard>,
    /// When the last event about it came.
    at: Instant,
    not_before: Instant,
}

impl Grown {
    pub(super) fn new(now: Instant) -> Self {
        Self { suspects: HashMap::new(), readings: HashMap::new(), cursor: FileId(0), look_at: now }
    }

    /// Takes over the events about claimed files.
    pub(super) fn hear(&mut self, news: Hints) {
        for (name, (heard, at)) in news {
            // Stored names are UTF-8; any other name here is not the spool's.
            let Ok(name) = name.into_string() else { continue };
            let before = self.suspects.get(&name).and_then(|suspect| suspect.heard);
            let heard = Some(Heard::then(before.filter(|heard| *heard != Heard::MovedIn), heard));
            self.suspects.insert(name, MayHaveGrown { heard, at, not_before: at });
        }
    }

    /// Notes that this file changed while it was being read.
    pub(super) fn suspect(&mut self, stored_name: &str, now: Instant) {
        let new = || MayHaveGrown { heard: None, at: now, not_before: now };
        self.suspects.entry(stored_name.to_owned()).or_insert_with(new);
    }

    /// Notes that the reading of a file ended, and how long it took.
    pub(super) fn was_read(&mut self, stored_name: &str, began: Instant, now: Instant, folders: &Folders) {
        let seen = folders.folder_of(stored_name).join(stored_name).symlink_metadata().ok().map(|meta| state(&meta));
        // Files whose reading ended long ago may be read on at once.
        self.readings.retain(|_, (ended, ..)| now.saturating_duration_since(*ended) < SETTLED_OPEN);
        self.readings.insert(stored_name.to_owned(), (now, now.saturating_duration_since(began), seen));
    }

    /// Returns the files that have changed and may be read on, and how soon to look again.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        folders: &Folders,
        now: Instant,
    ) -> Result<(Vec<Changed>, Duration), Error> {
        if self.look_at <= now {
            self.look_at = now + LOOK_EVERY;
            self.look_at_some(store, folders, now).await?;
        }
        let mut changed = Vec::new();
        let mut next = self.look_at;
        let mut due = Vec::new();
        for (name, suspect) in &self.suspects {
            let ReadOn { at, is_whole } = self.when(name, suspect);
            if at <= now && due.len() < FOUND_MAX { due.push((name.clone(), is_whole)) } else { next = next.min(at) }
        }
        for (name, is_whole) in due {
            if let Some(found) = self.decide(store, folders, &name, is_whole, now).await? {
                changed.push(found);
            }
        }
        Ok((changed, next.saturating_duration_since(now)))
    }

    fn when(&self, name: &str, suspect: &MayHaveGrown) -> ReadOn {
        let last = self.readings.get(name).map(|(ended, cost, _)| (*ended, *cost));
        let ReadOn { at, is_whole } = read_on(suspect.heard, suspect.at, last);
        ReadOn { at: at.max(suspect.not_before), is_whole }
    }

    async fn decide(
        &mut self,
        store: &Store,
        folders: &Folders,
        name: &str,
        is_whole: bool,
        now: Instant,
    ) -> Result<Option<Changed>, Error> {
        let Some((kept, is_away)) = queue::kept_as(store.read(), store.host(), name).await? else {
            self.suspects.remove(name);
            return Ok(None);
        };
        let meta = folders.folder_of(name).join(name).symlink_metadata().ok().filter(Metadata::is_file);
        let Some(meta) = meta.filter(|meta| !is_away || differs(&kept, meta)) else {
            self.suspects.remove(name);
            return Ok(None);
        };
        let Some(suspect) = self.suspects.get_mut(name) else { return Ok(None) };
        let seen = self.readings.get(name).and_then(|(.., seen)| *seen);
        let is_idle = !is_whole && seen == Some(state(&meta));
        let is_whole = is_whole || now.saturating_duration_since(suspect.at) >= SETTLED_OPEN;
        // A file that is being read was decided about when its reading began; one that is open and idle may get the
        // rest of its last line.
        if !is_away || (is_idle && !is_whole) {
            suspect.not_before = now + if is_away { LOOK_EVERY } else { Duration::from_secs(1) };
            return Ok(None);
        }
        if is_whole {
            self.suspects.remove(name);
        } else {
            suspect.not_before = now + LOOK_EVERY;
        }
        Ok(Some(Changed { file: kept.id, is_whole }))
    }

    /// Looks at the next files in `done/` and `rejected/`.
    async fn look_at_some(&mut self, store: &Store, folders: &Folders, now: Instant) -> Result<(), Error> {
        let some = queue::kept(store.read(), store.host(), self.cursor, FILES_A_LOOK).await?;
        self.cursor = some.last().map_or(FileId(0), |file| file.id);
        for file in some {
            let meta = folders.folder_of(&file.stored_name).join(&file.stored_name).symlink_metadata();
            if meta.is_ok_and(|meta| meta.is_file() && is_known(&file) && differs(&file, &meta)) {
                self.suspect(&file.stored_name, now);
            }
        }
        Ok(())
    }
}

/// Whether the file's state at the end of its reading is known.
fn is_known(file: &KeptFile) -> bool {
    file.changed_at.is_some() || file.bytes.is_some()
}

/// Whether the file differs from its state at the end of its reading. If that state is unknown, the events about the
/// file decide.
fn differs(file: &KeptFile, meta: &Metadata) -> bool {
    let changed_at = meta.modified().ok().map(|at| to_millis(Time::from(at)));
    file.bytes.is_some_and(|bytes| bytes != meta.len())
        || file.changed_at != changed_at && file.changed_at.is_some()
        || !is_known(file)
}

fn state(meta: &Metadata) -> FileState {
    (meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH))
}
