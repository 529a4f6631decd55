//! What comes later: files that have changed after their end was read are read on from their marks, wherever they lie
//! by then, for as long as they lie there. inotify says which; what it missed is found by looking at all of them by
//! and by.

use std::collections::HashMap;
use std::fs::Metadata;
use std::time::{Duration, Instant, SystemTime};

use super::folders::Folders;
use super::ingest::Error;
use super::readiness::{Heard, ReadOn, read_on};
use super::reading::FileState;
use super::watch::Hints;
use crate::model::{FileId, Time, to_millis};
use crate::queue::{self, KeptFile};
use crate::store::Store;

/// All files are looked at by and by: so many ...
const FILES_A_LOOK: u32 = 500;

/// ... so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Files that are found to have changed in one look at most.
const FOUND_MAX: usize = 100;

/// One that is still open, and has not changed since it was read on last, is whole after so long: its closing may have
/// been missed.
const SETTLED_OPEN: Duration = Duration::from_secs(600);

/// A file that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) file: FileId,
    /// Its last line counts as whole, even without an end.
    pub(super) is_whole: bool,
}

/// Those that may have changed.
#[derive(Debug)]
pub(super) struct Grown {
    suspects: HashMap<String, MayHaveGrown>,
    /// When the reading of a file ended last, what it cost, and how the file was then.
    readings: HashMap<String, (Instant, Duration, Option<FileState>)>,
    cursor: FileId,
    look_at: Instant,
}

#[derive(Debug)]
struct MayHaveGrown {
    heard: Option<Heard>,
    /// When it was heard of last.
    at: Instant,
    not_before: Instant,
}

impl Grown {
    pub(super) fn new(now: Instant) -> Self {
        Self { suspects: HashMap::new(), readings: HashMap::new(), cursor: FileId(0), look_at: now }
    }

    /// Takes over what was heard of files that were claimed.
    pub(super) fn hear(&mut self, news: Hints) {
        for (name, (heard, at)) in news {
            // Stored names are UTF-8: whatever else lies there is not the spool's.
            let Ok(name) = name.into_string() else { continue };
            let before = self.suspects.get(&name).and_then(|suspect| suspect.heard);
            let heard = Some(Heard::then(before.filter(|heard| *heard != Heard::MovedIn), heard));
            self.suspects.insert(name, MayHaveGrown { heard, at, not_before: at });
        }
    }

    /// This one changed while it was read.
    pub(super) fn suspect(&mut self, stored_name: &str, now: Instant) {
        let new = || MayHaveGrown { heard: None, at: now, not_before: now };
        self.suspects.entry(stored_name.to_owned()).or_insert_with(new);
    }

    /// The reading of a file ended; it took so long.
    pub(super) fn was_read(&mut self, stored_name: &str, began: Instant, now: Instant, folders: &Folders) {
        let seen = folders.folder_of(stored_name).join(stored_name).symlink_metadata().ok().map(|meta| state(&meta));
        // Those that were read long ago may be read at once.
        self.readings.retain(|_, (ended, ..)| now.saturating_duration_since(*ended) < SETTLED_OPEN);
        self.readings.insert(stored_name.to_owned(), (now, now.saturating_duration_since(began), seen));
    }

    /// Finds those that have changed and may be read on, and how soon to look again.
    ///
    /// # Errors
    ///
    /// What the database says.
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
        let Some((kept, is_away)) = queue::kept_as(store.read(), name).await? else {
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
        // One that is being read is decided about when it was; one that is open and idle may get the rest of its last
        // line.
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
        let some = queue::kept(store.read(), self.cursor, FILES_A_LOOK).await?;
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

/// Whether it is known what the file was when its end was read.
fn is_known(file: &KeptFile) -> bool {
    file.changed_at.is_some() || file.bytes.is_some()
}

/// Whether it is not what it was when its end was read. Of one of which that is not known, what was heard of it
/// decides.
fn differs(file: &KeptFile, meta: &Metadata) -> bool {
    let changed_at = meta.modified().ok().map(|at| to_millis(Time::from(at)));
    file.bytes.is_some_and(|bytes| bytes != meta.len())
        || file.changed_at != changed_at && file.changed_at.is_some()
        || !is_known(file)
}

fn state(meta: &Metadata) -> FileState {
    (meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH))
}
