//! The end of a file's way: receipt and report are written, then it is moved to `done/` or `rejected/`.

use std::io;

use tracing::{info, warn};

use super::{Error, Ingest};
use crate::model::FileId;
use crate::queue::{self, FileAccount, OpenFile, Phase};
use crate::spool::folders::{RECEIPT, REFUSED, rename, write_whole};
use crate::spool::receipt::receipt;

impl Ingest {
    /// Rewrites the receipts of files that have finished since their receipt was written.
    ///
    /// # Errors
    ///
    /// The database or the file system failed.
    pub(in crate::spool) async fn finish_receipts(&self) -> Result<(), Error> {
        let files = queue::without_final_receipt(self.store.read(), self.store.host()).await?;
        if files.is_empty() {
            return Ok(());
        }
        let ids: Vec<FileId> = files.iter().map(|(file, ..)| *file).collect();
        let accounts = queue::accounts(self.store.read(), &ids).await?;
        for (file, stored, is_others) in &files {
            self.pulse.beat();
            // If somebody took the file or its receipt away, nobody needs another.
            let name = format!("{stored}{RECEIPT}");
            let is_there = || [stored, &name].iter().all(|name| self.folders.done.join(name).exists());
            if let Some(account) = accounts.get(file).filter(|_| !is_others && is_there()) {
                write_whole(&self.folders.done, &name, receipt(file.0, account).as_bytes())?;
            }
        }
        self.folders.sync_all()?;
        let mut tx = self.store.write().await?;
        queue::receipts_written_tx(&mut tx, &accounts).await?;
        Ok(tx.commit().await?)
    }

    /// Writes receipt and report, moves the file, in this order, then notes that it is done. Each step may be repeated
    /// after a crash. Returns the first trouble with a file.
    ///
    /// # Errors
    ///
    /// The database failed; calling it again goes on from there.
    pub(in crate::spool) async fn put_away(&self, files: &[(&OpenFile, Phase)]) -> Result<Result<(), Error>, Error> {
        self.pulse.beat();
        let (mut away, mut trouble) = (Vec::new(), Ok(()));
        let ids: Vec<FileId> = files.iter().map(|(file, _)| file.id).collect();
        let mut accounts = queue::accounts(self.store.read(), &ids).await?;
        for (file, phase) in files {
            let Some(account) = accounts.remove(&file.id) else { continue };
            match self.put_one_away(file, *phase, &account) {
                Ok(()) => away.push((*file, account)),
                Err(error) => trouble = trouble.and(Err(error.into())),
            }
        }
        if away.is_empty() {
            return Ok(trouble);
        }
        // One sync makes all receipts and moves durable. Until that is noted, each step may be repeated.
        self.folders.sync_all()?;
        let mut tx = self.store.write().await?;
        queue::finish_tx(&mut tx, &away.iter().map(|(file, _)| file.id).collect::<Vec<_>>()).await?;
        tx.commit().await?;
        for (file, account) in &away {
            let queue::FileAccount { lines, queued, merged, fresh, refused, .. } = *account;
            match &account.rejected_why {
                None => info!(file = file.name, lines, queued, merged, fresh, refused, "file queued"),
                Some(why) => warn!(file = file.name, why, "file rejected; it lies in rejected/ with its receipt"),
            }
        }
        Ok(trouble)
    }

    fn put_one_away(&self, file: &OpenFile, phase: Phase, account: &FileAccount) -> io::Result<()> {
        let to = if phase == Phase::Refused { &self.folders.rejected } else { &self.folders.done };
        write_whole(to, &format!("{}{RECEIPT}", file.stored_name), receipt(file.id.0, account).as_bytes())?;
        let report = self.folders.growing_report(&file.stored_name);
        if account.refused > 0 && report.exists() {
            rename(&report, &to.join(format!("{}{REFUSED}", file.stored_name)))?;
        }
        // The committed lines stay queued, whatever became of the file.
        let place = self.folders.folder_of(&file.stored_name);
        if place.join(&file.stored_name).symlink_metadata().is_err() {
            warn!(file = file.name, "the file vanished from work/; its receipt tells what was read of it");
            return Ok(());
        }
        self.folders.put_away(&file.stored_name, to)
    }
}
