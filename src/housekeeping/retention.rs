//! Removes what was kept long enough: inputs in `done/` and `rejected/`, URLs that have ended, and their submissions.
//! Each step prunes a little, so that nobody waits for it long.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use tracing::info;

use crate::config::Config;
use crate::model::Time;
use crate::spool::{Folders, RECEIPT, REFUSED};
use crate::store::{self, Store};
use crate::{ledger, queue, track};

/// How often to look through the folders and the tables.
const LOOK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// The remains of a crash during the writing of a receipt are removed at this age.
const REMAINS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Most entries of a folder that one step looks at, so that no file waits for it.
const ENTRIES_MAX: usize = 2_000;

/// What is kept, and how far the pruning has come.
#[derive(Debug)]
pub(super) struct Retention {
    keep_files: Duration,
    keep_rows: TimeDelta,
    look_at: Option<Time>,
    /// Folders still to be looked through; the first one has been begun.
    folders: Vec<Walk>,
    /// Whether the last step left rows to prune.
    more_rows: bool,
}

/// A folder that is being looked through.
#[derive(Debug)]
struct Walk {
    folder: PathBuf,
    entries: Option<ReadDir>,
}

impl Retention {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            keep_files: config.spool.keep.get(),
            keep_rows: TimeDelta::from_std(config.database.keep.get()).unwrap_or(TimeDelta::MAX),
            look_at: None,
            folders: Vec::new(),
            more_rows: false,
        }
    }

    /// Prunes a little, if there is anything to prune. Says whether there may be more, or what is wrong with the
    /// folders. Lets urgent writers go first.
    pub(super) async fn step(
        &mut self,
        store: &Store,
        folders: &Folders,
        now: Time,
    ) -> store::Result<io::Result<bool>> {
        if self.look_at.is_none_or(|at| at <= now) {
            self.look_at = Some(now + LOOK_AGAIN);
            let walk = |folder: &PathBuf| Walk { folder: folder.clone(), entries: None };
            self.folders = [&folders.done, &folders.rejected].map(walk).into();
            self.more_rows = true;
        }
        let inputs = self.prune_inputs(SystemTime::from(now) - self.keep_files);
        let mut rows = 0;
        if self.more_rows {
            store.give_way().await;
            let mut tx = store.write().await?;
            rows += queue::prune_tx(&mut tx, now - self.keep_rows).await?;
            for submission in ledger::outlived_tx(&mut tx, now - self.keep_rows).await? {
                track::forget_tx(&mut tx, submission.id).await?;
                ledger::forget_tx(&mut tx, &submission).await?;
                rows += 1;
            }
            tx.commit().await?;
            self.more_rows = rows > 0;
        }
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(error) => return Ok(Err(error)),
        };
        if rows > 0 || inputs > 0 {
            info!(inputs, rows, "pruned what was kept long enough ([spool] keep, [database] keep)");
        }
        Ok(Ok(self.more_rows || !self.folders.is_empty()))
    }

    /// Looks at the next entries, and removes inputs whose receipt was last written before `before`.
    fn prune_inputs(&mut self, before: SystemTime) -> io::Result<usize> {
        let mut removed = 0;
        let Some(walk) = self.folders.first_mut() else { return Ok(0) };
        let entries = match &mut walk.entries {
            Some(entries) => entries,
            none => none.insert(fs::read_dir(&walk.folder)?),
        };
        for _ in 0..ENTRIES_MAX {
            let Some(entry) = entries.next() else {
                self.folders.remove(0);
                break;
            };
            removed += usize::from(prune_input(&walk.folder, &entry?, before)?);
        }
        Ok(removed)
    }
}

/// Removes the input of a receipt that was last written before `before`. Removes the input first, so that a crash
/// leaves a receipt without an input and not the reverse. True if it removed something.
fn prune_input(folder: &Path, entry: &DirEntry, before: SystemTime) -> io::Result<bool> {
    let name = entry.file_name();
    if is_remains(entry) {
        fs::remove_file(entry.path())?;
        return Ok(false);
    }
    let Some(stored) = name.to_str().and_then(|name| name.strip_suffix(RECEIPT)) else { return Ok(false) };
    // Somebody else has removed it.
    let Ok(meta) = entry.metadata() else { return Ok(false) };
    if meta.modified()? >= before {
        return Ok(false);
    }
    for ending in ["", REFUSED, RECEIPT] {
        match fs::remove_file(folder.join(format!("{stored}{ending}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(true)
}

/// Whether a crash during the writing of a receipt left it.
fn is_remains(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_copy = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"));
    let changed = || entry.metadata().and_then(|meta| meta.modified()).ok();
    is_copy && changed().and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > REMAINS_KEPT)
}
