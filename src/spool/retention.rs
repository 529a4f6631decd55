//! What is kept for how long: inputs in `done/` and `rejected/`, URLs that have ended, and their submissions. A little is
//! pruned at each pass, so that no claim waits for it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use tracing::info;

use super::folders::{Folders, RECEIPT, REFUSED};
use super::ingest::Error;
use crate::config::Config;
use crate::model::Time;
use crate::store::Store;
use crate::{ledger, queue};

/// The folders are looked through so often.
const LOOK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// Inputs that one look removes at most.
const FILES_MAX: usize = 1_000;

/// What is kept, and when it was last seen to.
#[derive(Debug)]
pub(super) struct Retention {
    keep_files: Duration,
    keep_rows: TimeDelta,
    look_at: Option<Time>,
    /// Whether the last step left something to prune.
    more: bool,
}

impl Retention {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            keep_files: config.spool.keep.get(),
            keep_rows: TimeDelta::from_std(config.database.keep.get()).unwrap_or(TimeDelta::MAX),
            look_at: None,
            more: false,
        }
    }

    /// Prunes a little.
    pub(super) async fn step(&mut self, store: &Store, folders: &Folders, now: Time) -> Result<(), Error> {
        if !self.more && self.look_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.look_at = Some(now + LOOK_AGAIN);
        let before = SystemTime::from(now) - self.keep_files;
        let mut inputs = 0;
        for folder in [&folders.done, &folders.rejected] {
            inputs += prune_folder(folder, before)?;
        }
        let mut tx = store.write().await?;
        let mut rows = queue::prune_tx(&mut tx, now - self.keep_rows).await?;
        rows += ledger::prune_tx(&mut tx, now - self.keep_rows).await?;
        tx.commit().await?;
        self.more = rows > 0 || inputs >= FILES_MAX;
        if rows > 0 || inputs > 0 {
            info!(inputs, rows, "pruned what was kept long enough ([spool] keep, [database] keep)");
        }
        Ok(())
    }
}

/// Removes inputs whose receipt was last written before `before`, the input first, so that a crash leaves a receipt and not
/// an input without one.
fn prune_folder(folder: &Path, before: SystemTime) -> Result<usize, Error> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(stored) = name.to_str().and_then(|name| name.strip_suffix(RECEIPT)) else { continue };
        if entry.metadata()?.modified()? >= before {
            continue;
        }
        for ending in ["", REFUSED, RECEIPT] {
            match fs::remove_file(folder.join(format!("{stored}{ending}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        removed += 1;
        if removed >= FILES_MAX {
            break;
        }
    }
    Ok(removed)
}
