//! Watches the spool's folders with inotify: hints about files that were handed over or written to, and a wake-up.
//! Events may be lost; the scan finds every file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::warn;

use super::folders::Folders;
use super::name::is_own;
use super::readiness::Heard;

/// Most names kept between two looks. Beyond that all are dropped and the folders are scanned.
const NAMES_MAX: usize = 100_000;

/// Events by name since they were last taken, and when the last one came.
pub(super) type Hints = HashMap<OsString, (Heard, Instant)>;

/// Events since they were last taken.
#[derive(Debug, Default)]
pub(super) struct News {
    /// About files in `incoming/`.
    pub(super) incoming: Hints,
    /// About claimed files that somebody writes to.
    pub(super) kept: Hints,
    /// Events were lost, so earlier ones no longer count.
    pub(super) is_lost: bool,
}

impl News {
    fn add(&mut self, incoming: bool, name: &OsStr, heard: Heard, at: Instant) {
        let hints = if incoming { &mut self.incoming } else { &mut self.kept };
        if hints.len() >= NAMES_MAX {
            hints.clear();
            self.is_lost = true;
        }
        let before = hints.get(name).map(|(heard, _)| *heard);
        hints.insert(name.to_owned(), (Heard::then(before, heard), at));
    }
}

/// Watches the folders.
#[derive(Debug)]
pub(super) struct Watch {
    /// `incoming/` first.
    folders: [PathBuf; 4],
    news: Arc<Mutex<News>>,
    woken: Arc<Notify>,
    /// The watcher and the folders it was set up for: a folder that was removed and made again is another one.
    armed: Option<(RecommendedWatcher, Vec<(u64, u64)>)>,
    /// Whether the log says that it cannot be armed.
    said: bool,
}

impl Watch {
    /// A watch that is not armed yet.
    pub(super) fn new(folders: &Folders) -> Self {
        Self {
            folders: folders.all().map(Path::to_path_buf),
            news: Arc::default(),
            woken: Arc::default(),
            armed: None,
            said: false,
        }
    }

    /// Arms the watch if it is not armed or a folder was replaced. A failure is logged once; the periodic scan works
    /// without inotify.
    pub(super) fn arm(&mut self) {
        match self.try_arm() {
            Ok(()) => self.said = false,
            Err(_) if self.said => {}
            Err(error) => {
                warn!(error, "inotify does not watch the spool; files are found by the periodic scan");
                self.said = true;
            }
        }
    }

    fn try_arm(&mut self) -> Result<(), String> {
        let identities = self.folders.iter().map(|folder| identity(folder)).collect::<std::io::Result<Vec<_>>>();
        let identities = identities.map_err(|error| error.to_string())?;
        if self.armed.as_ref().is_some_and(|(_, armed)| *armed == identities) {
            return Ok(());
        }
        let (news, woken, incoming) = (Arc::clone(&self.news), Arc::clone(&self.woken), self.folders[0].clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if note(&mut lock(&news), event, &incoming, Instant::now()) {
                woken.notify_one();
            }
        })
        .map_err(|error| error.to_string())?;
        for folder in &self.folders {
            watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
        }
        lock(&self.news).is_lost = true;
        self.armed = Some((watcher, identities));
        Ok(())
    }

    /// Resolves when something happened in the folders since the last call.
    pub(super) async fn changed(&self) {
        self.woken.notified().await;
    }

    /// Takes the events since the last call.
    pub(super) fn news(&self) -> News {
        std::mem::take(&mut lock(&self.news))
    }
}

fn lock(news: &Mutex<News>) -> MutexGuard<'_, News> {
    news.lock().expect("no holder of the news panics")
}

fn identity(folder: &Path) -> std::io::Result<(u64, u64)> {
    let meta = std::fs::metadata(folder)?;
    Ok((meta.dev(), meta.ino()))
}

/// Notes an event, and returns whether it is a reason to look. Opening a file is none: the scan opens folders and files
/// itself and would wake itself for ever. Its own moves out of `incoming/` and its receipts are none either.
fn note(news: &mut News, event: notify::Result<Event>, incoming: &Path, at: Instant) -> bool {
    // Events were lost, or the watch itself.
    let lost = event.as_ref().map_or(true, Event::need_rescan);
    let Some(event) = event.ok().filter(|_| !lost) else {
        *news = News { is_lost: true, ..News::default() };
        return true;
    };
    let heard = match event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Heard::MovedIn,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Heard::Closed,
        EventKind::Modify(ModifyKind::Data(_)) => Heard::Open,
        EventKind::Create(_) => Heard::Made,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Heard::Gone,
        _ => return false,
    };
    let mut is_reason = false;
    for path in &event.paths {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let is_incoming = folder == incoming;
        let is_written = matches!(heard, Heard::Open | Heard::Closed);
        let is_theirs = name.to_str().is_some_and(|name| !name.starts_with('.') && !is_own(name));
        if is_incoming || (is_written && is_theirs) {
            news.add(is_incoming, name, heard, at);
            is_reason |= heard != Heard::Gone;
        }
    }
    is_reason
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, RemoveKind};

    use super::*;

    fn tell(news: &mut News, kind: EventKind, path: &str) -> bool {
        note(news, Ok(Event::new(kind).add_path(path.into())), Path::new("/spool/incoming"), Instant::now())
    }

    #[test]
    fn the_scans_own_doings_wake_nobody() {
        let mut news = News::default();
        let (a, done) = ("/spool/incoming/a.txt", "/spool/done/a.txt");
        assert!(!tell(&mut news, EventKind::Access(AccessKind::Open(AccessMode::Any)), a));
        assert!(!tell(&mut news, EventKind::Modify(ModifyKind::Name(RenameMode::From)), a));
        assert!(!tell(&mut news, EventKind::Modify(ModifyKind::Name(RenameMode::To)), done));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for receipt in ["/spool/done/a.txt.receipt.json", "/spool/work/.a.txt.refused.tsv", "/spool/done/.a.tmp"] {
            assert!(!tell(&mut news, closed, receipt), "{receipt}");
        }
        assert!(news.kept.is_empty());
        assert!(tell(&mut news, EventKind::Create(CreateKind::File), a));
        assert!(tell(&mut news, closed, a));
        assert_eq!(news.incoming[OsStr::new("a.txt")].0, Heard::Closed);
        assert!(tell(&mut news, EventKind::Modify(ModifyKind::Data(DataChange::Any)), done));
        assert_eq!(news.kept[OsStr::new("a.txt")].0, Heard::Open);
        assert!(!tell(&mut news, EventKind::Remove(RemoveKind::File), a));
        assert_eq!(news.incoming[OsStr::new("a.txt")].0, Heard::Gone);
    }

    #[test]
    fn after_lost_events_nothing_counts_that_was_heard_before() {
        let mut news = News::default();
        tell(&mut news, EventKind::Create(CreateKind::File), "/spool/incoming/a.txt");
        assert!(note(&mut news, Err(notify::Error::generic("lost")), Path::new("/spool/incoming"), Instant::now()));
        assert!(news.is_lost && news.incoming.is_empty());
    }
}
