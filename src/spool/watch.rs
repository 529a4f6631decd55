//! inotify on `incoming/`: hints about which file was handed over, and a wake-up. Events may be lost; the scan is what
//! finds files.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::warn;

use super::readiness::Heard;

/// More hints than this are dropped, so that a flood of events costs no memory; the scan finds the files all the same.
const HINTS_MAX: usize = 100_000;

type Hints = Arc<Mutex<HashMap<OsString, Heard>>>;

/// Watches one folder.
#[derive(Debug)]
pub(super) struct Watch {
    folder: PathBuf,
    hints: Hints,
    woken: Arc<Notify>,
    /// The watcher and the folder it was set up for: one that was removed and made again is another folder.
    armed: Option<(RecommendedWatcher, (u64, u64))>,
    /// Whether it was said that it cannot be armed.
    said: bool,
}

impl Watch {
    /// A watch that is not armed yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, hints: Hints::default(), woken: Arc::default(), armed: None, said: false }
    }

    /// Arms the watch if it is not, or if the folder is another one by now. What goes wrong is logged once: the periodic
    /// scan does without.
    pub(super) fn arm(&mut self) {
        match self.try_arm() {
            Ok(()) => self.said = false,
            Err(_) if self.said => {}
            Err(error) => {
                warn!(error, "inotify does not watch incoming/; files are found by the periodic scan");
                self.said = true;
            }
        }
    }

    fn try_arm(&mut self) -> Result<(), String> {
        let identity = identity(&self.folder).map_err(|error| error.to_string())?;
        if self.armed.as_ref().is_some_and(|(_, armed)| *armed == identity) {
            return Ok(());
        }
        let (hints, woken) = (Arc::clone(&self.hints), Arc::clone(&self.woken));
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if note(&hints, event) {
                woken.notify_one();
            }
        })
        .map_err(|error| error.to_string())?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
        self.armed = Some((watcher, identity));
        Ok(())
    }

    /// Resolves when something happened in the folder since it was last asked.
    pub(super) async fn changed(&self) {
        self.woken.notified().await;
    }

    /// What was heard of a file.
    pub(super) fn heard(&self, name: &OsString) -> Option<Heard> {
        self.hints.lock().expect("no holder of the hints panics").get(name).copied()
    }

    /// The file is gone from the folder.
    pub(super) fn forget(&self, name: &OsString) {
        self.hints.lock().expect("no holder of the hints panics").remove(name);
    }
}

fn identity(folder: &Path) -> std::io::Result<(u64, u64)> {
    let meta = std::fs::metadata(folder)?;
    Ok((meta.dev(), meta.ino()))
}

/// Keeps what was heard; false if it is no news. That the scan itself opens the folder is heard too, and would start the next.
fn note(hints: &Hints, event: notify::Result<Event>) -> bool {
    // Something was lost: the scan finds it.
    let Ok(event) = event else { return true };
    let heard = match event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Heard::MovedIn),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Heard::Closed),
        EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(_) => Some(Heard::Open),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => None,
        _ => return event.need_rescan(),
    };
    let mut hints = hints.lock().expect("no holder of the hints panics");
    for name in event.paths.iter().filter_map(|path| path.file_name()) {
        match heard {
            Some(heard) if hints.len() < HINTS_MAX => drop(hints.insert(name.to_owned(), heard)),
            // Gone: what was heard before no longer holds.
            _ => drop(hints.remove(name)),
        }
    }
    true
}
