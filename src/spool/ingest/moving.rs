//! Receipts of files whose URLs move on: they are written again, so that whoever reads one sees how far its file has
//! come.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Error, Ingest};
use crate::model::FileId;
use crate::queue;
use crate::spool::folders::{RECEIPT, write_whole};
use crate::spool::receipt::receipt;

/// How often receipts are written again at most.
const AGAIN: Duration = Duration::from_secs(10);

/// Receipts that are written at once; the others follow at the next look.
const RECEIPTS_MAX: usize = 100;

/// The files that were dropped last are looked at, whatever waits behind them; each gets its last receipt in the end.
const FILES_MAX: u32 = 1_000;

/// What the receipts said when they were last looked at.
#[derive(Debug, Default)]
pub(in crate::spool) struct Moving {
    looked_at: Option<Instant>,
    said: HashMap<FileId, String>,
}

impl Ingest {
    /// Writes the receipts of unfinished files again whose counts have changed. One that somebody removed stays
    /// removed. A crash leaves the receipt of before, or the whole new one.
    ///
    /// # Errors
    ///
    /// The database or the file system failed.
    pub(in crate::spool) async fn move_receipts(&self, moving: &mut Moving) -> Result<(), Error> {
        if moving.looked_at.is_some_and(|at| at.elapsed() < AGAIN) {
            return Ok(());
        }
        moving.looked_at = Some(Instant::now());
        let files = queue::moving(self.store.read(), self.store.host(), FILES_MAX).await?;
        moving.said.retain(|file, _| files.iter().any(|moving| moving.file == *file));
        let changed = files.into_iter().filter(|file| match moving.said.get(&file.file) {
            Some(said) => *said != file.counts,
            None => file.has_moved,
        });
        let changed: Vec<_> = changed.take(RECEIPTS_MAX).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let ids: Vec<FileId> = changed.iter().map(|file| file.file).collect();
        let accounts = queue::accounts(self.store.read(), &ids).await?;
        for file in changed {
            self.pulse.beat();
            let name = format!("{}{RECEIPT}", file.stored_name);
            let is_there =
                || self.folders.done.join(&name).exists() && self.folders.done.join(&file.stored_name).exists();
            if let Some(account) = accounts.get(&file.file).filter(|_| is_there()) {
                write_whole(&self.folders.done, &name, receipt(file.file.0, account).as_bytes())?;
            }
            moving.said.insert(file.file, file.counts);
        }
        Ok(())
    }
}
