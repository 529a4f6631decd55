//! One file from `work/` into the queue and on to `done/` or `rejected/`.
//!
//! A thread of its own reads and checks lines and hands over chunks; the committing side writes each chunk with the
//! mark of how far the file has been read, in one transaction. The report of refused lines is written and made durable
//! before the commit that counts it, and cut back to what was committed when reading resumes: after a crash no line is
//! missing from it and none stands in it twice.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;

use chrono::TimeDelta;
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::folders::{Folders, RECEIPT, REFUSED, write_whole};
use super::format::Format;
use super::reading::{Chunk, Part, Parts, Reader, state};
use super::receipt::receipt;
use crate::clock::Clock;
use crate::config::Config;
use crate::meters;
use crate::model::{FileId, UrlRules};
use crate::queue::{self, FileAccount, Keys, OpenFile, Phase};
use crate::store::{self, Store, WriteTx};

/// Chunks that may wait for the committing side: with their size this bounds the memory.
const CHUNKS_AHEAD: usize = 1;

/// Files that are put away together at most.
const TOGETHER_MAX: usize = 200;

/// A file of no more bytes is read in one go with others.
const SMALL_BYTES: u64 = 32 * 1024;

/// What stopped an ingest; it goes on from its mark later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The spool's file system.
    #[error("the spool: {0}")]
    Io(#[from] io::Error),
}

/// The stage's tools.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    folders: Folders,
    rules: UrlRules,
    fresh_for: TimeDelta,
    clock: Clock,
}

impl Ingest {
    /// An ingest into this store from these folders, as it is configured.
    pub fn new(store: Arc<Store>, folders: Folders, config: &Config, clock: Clock) -> Self {
        let fresh_for = TimeDelta::from_std(config.schedule.fresh_for.get()).unwrap_or(TimeDelta::MAX);
        Self { store, folders, rules: config.spool.url_rules(), fresh_for, clock }
    }

    /// Brings files that are in `work/` to their ends, from wherever each is. Small ones are put away together, so that the
    /// folders are made durable once for many. Gives how many reached their end, and the first trouble with one of them.
    ///
    /// # Errors
    ///
    /// What the database says; the same call goes on from there later.
    pub async fn bring_to_end(
        &self,
        files: &[OpenFile],
        shutdown: &CancellationToken,
    ) -> Result<(usize, Result<(), Error>), Error> {
        let mut trouble = Ok(());
        let mut finished = 0;
        for files in files.chunks(TOGETHER_MAX) {
            let mut small = self.read_small(files).await?;
            let mut read: Vec<(&OpenFile, Phase)> = Vec::new();
            for file in files {
                let phase = match (small.remove(&file.id), file.phase) {
                    (Some(phase), _) => phase,
                    (None, Phase::Reading) => match self.read(file, shutdown).await {
                        Ok(Some(phase)) => phase,
                        Ok(None) => break,
                        Err(Error::Store(error)) => return Err(error.into()),
                        Err(error) => {
                            trouble = trouble.and(Err(error));
                            continue;
                        }
                    },
                    (None, phase) => phase,
                };
                read.push((file, phase));
            }
            finished += self.put_away(&read, &mut trouble).await?;
            if shutdown.is_cancelled() {
                break;
            }
        }
        Ok((finished, trouble))
    }

    /// Reads files that are small and whole in one go, and commits them together. What is not among its answer is read by
    /// itself.
    async fn read_small(&self, files: &[OpenFile]) -> Result<HashMap<FileId, Phase>, Error> {
        let mut readers = Vec::new();
        for file in files.iter().filter(|file| file.phase == Phase::Reading && file.read_bytes == 0) {
            let Ok(handle) = self.folders.open(&file.stored_name) else { continue };
            if handle.metadata().is_ok_and(|meta| meta.len() <= SMALL_BYTES) {
                readers.push((file.id, self.reader(file, (0, file.refused_bytes)), handle));
            }
        }
        let read_all = move || -> Vec<(FileId, Vec<Part>)> {
            readers.into_iter().map(|(id, reader, handle)| (id, reader.run_small(handle))).collect()
        };
        let parts = tokio::task::spawn_blocking(read_all).await.expect("the reading side does not panic");
        let mut read = HashMap::new();
        let mut tx = self.store.write().await?;
        for (id, parts) in parts {
            let Some(file) = files.iter().find(|file| file.id == id) else { continue };
            // Anything but one chunk and a good end is another case.
            let (keys, chunk, end) = match <[Part; 3]>::try_from(parts) {
                Ok([Part::Keys(keys), Part::Chunk(chunk), end @ Part::End { .. }]) => (keys, chunk, end),
                _ => continue,
            };
            let Part::End { bytes, sha256, seen } = end else { continue };
            if self.folders.open(&file.stored_name).and_then(|now| state(&now)).is_ok_and(|now| now != seen) {
                continue;
            }
            self.commit_tx(&mut tx, file, &keys, chunk).await?;
            queue::mark_read_tx(&mut tx, file.id, bytes, &sha256, self.clock.now()).await?;
            read.insert(id, Phase::Read);
        }
        tx.commit().await?;
        Ok(read)
    }

    fn reader(&self, file: &OpenFile, mark: (u64, u64)) -> Reader {
        Reader {
            rules: self.rules.clone(),
            format: Format::of(&file.name),
            report: self.folders.growing_report(&file.stored_name),
            mark: mark.0,
            refused_bytes: mark.1,
        }
    }

    /// Reads and commits what is left of the file; what was appended meanwhile is read too. None if the daemon stops.
    async fn read(&self, file: &OpenFile, shutdown: &CancellationToken) -> Result<Option<Phase>, Error> {
        let mut mark = (file.read_bytes, file.refused_bytes);
        loop {
            let handle = match self.folders.open(&file.stored_name) {
                Ok(handle) => handle,
                Err(error) => return self.refuse_unopened(file, &error).await.map(Some),
            };
            let (parts, mut received) = mpsc::channel(CHUNKS_AHEAD);
            let reader = self.reader(file, mark);
            let thread =
                tokio::task::spawn_blocking(move || reader.run(handle, &Parts { sender: parts, may_wait: true }));
            let ended = self.receive(file, &mut received, &mut mark, shutdown).await;
            drop(received); // a reader that still has something to hand over ends
            thread.await.expect("the reading side does not panic");
            match ended? {
                Received::Ended(phase) => return Ok(Some(phase)),
                Received::Stopped => return Ok(None),
                Received::Grew => {}
            }
        }
    }

    /// Commits what the reading side hands over.
    async fn receive(
        &self,
        file: &OpenFile,
        received: &mut mpsc::Receiver<Part>,
        mark: &mut (u64, u64),
        shutdown: &CancellationToken,
    ) -> Result<Received, Error> {
        let mut keys = Keys::default();
        // Committed with what comes after it, so that a small file is one transaction.
        let mut waiting: Option<Chunk> = None;
        loop {
            if shutdown.is_cancelled() {
                return Ok(Received::Stopped);
            }
            let part = received.recv().await.expect("the reading side ends with a part of its own");
            if let Part::Keys(asked) = part {
                keys = asked;
                continue;
            }
            let mut tx = self.store.write().await?;
            if let Some(chunk) = waiting.take() {
                *mark = (chunk.progress.read_bytes, chunk.progress.refused_bytes);
                self.commit_tx(&mut tx, file, &keys, chunk).await?;
            }
            match part {
                Part::Keys(_) => {}
                Part::Chunk(chunk) => waiting = Some(chunk),
                Part::End { bytes, sha256, seen } => {
                    if self.folders.open(&file.stored_name).and_then(|now| state(&now)).is_ok_and(|now| now != seen) {
                        tx.commit().await?;
                        return Ok(Received::Grew);
                    }
                    queue::set_keys_tx(&mut tx, file.id, &keys).await?;
                    queue::mark_read_tx(&mut tx, file.id, bytes, &sha256, self.clock.now()).await?;
                    tx.commit().await?;
                    return Ok(Received::Ended(Phase::Read));
                }
                Part::NotUrls { bytes, why } => {
                    queue::set_keys_tx(&mut tx, file.id, &keys).await?;
                    queue::reject_tx(&mut tx, file.id, bytes, &why).await?;
                    tx.commit().await?;
                    return Ok(Received::Ended(Phase::Refused));
                }
                Part::Failed(error) => {
                    tx.commit().await?;
                    return Err(error.into());
                }
            }
            tx.commit().await?;
        }
    }

    async fn commit_tx(&self, tx: &mut WriteTx<'_>, file: &OpenFile, keys: &Keys, chunk: Chunk) -> Result<(), Error> {
        let mut progress = chunk.progress;
        let now = self.clock.now();
        if progress.from_bytes == 0 {
            queue::set_keys_tx(tx, file.id, keys).await?;
        }
        progress.enqueued = queue::enqueue_tx(tx, file.id, keys, chunk.urls, now - self.fresh_for, now).await?;
        if !queue::progress_tx(tx, file.id, &progress).await? {
            return Err(io::Error::other(format!("{}: its mark was moved by somebody else", file.stored_name)).into());
        }
        meters::lines(&progress);
        Ok(())
    }

    /// A file that cannot be opened: one that may not be read or has vanished is rejected, anything else may pass.
    async fn refuse_unopened(&self, file: &OpenFile, error: &io::Error) -> Result<Phase, Error> {
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied => "prefetchd may not read it: check its owner and mode",
            io::ErrorKind::NotFound => "it vanished from work/ before it was read to its end",
            io::ErrorKind::Other => "it is not a regular file",
            // Of a symbolic link, and of a socket.
            _ if matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::NXIO)) => "it is not a regular file",
            _ => return Err(io::Error::new(error.kind(), format!("{}: {error}", file.stored_name)).into()),
        };
        self.refuse(file, None, why).await?;
        Ok(Phase::Refused)
    }

    async fn refuse(&self, file: &OpenFile, bytes: Option<u64>, why: &str) -> Result<(), Error> {
        let mut tx = self.store.write().await?;
        queue::reject_tx(&mut tx, file.id, bytes, why).await?;
        Ok(tx.commit().await?)
    }

    /// Rewrites the receipts of files that have ended since theirs was written.
    ///
    /// # Errors
    ///
    /// What the database or the file system says.
    pub async fn finish_receipts(&self) -> Result<(), Error> {
        let files = queue::without_final_receipt(self.store.read()).await?;
        if files.is_empty() {
            return Ok(());
        }
        for (file, stored) in &files {
            let account = queue::account(self.store.read(), *file).await?;
            // Whoever has taken the file away has no need of its receipt.
            if self.folders.done.join(stored).exists() {
                write_whole(&self.folders.done, &format!("{stored}{RECEIPT}"), receipt(file.0, &account).as_bytes())?;
            }
        }
        self.folders.sync_all()?;
        let mut tx = self.store.write().await?;
        for (file, _) in &files {
            queue::receipt_written_tx(&mut tx, *file).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Receipt, report, file, in this order; then the note that it is done. Each step may be repeated after a crash.
    async fn put_away(&self, files: &[(&OpenFile, Phase)], trouble: &mut Result<(), Error>) -> Result<usize, Error> {
        let mut away = Vec::new();
        for (file, phase) in files {
            let account = queue::account(self.store.read(), file.id).await?;
            match self.put_one_away(file, *phase, &account) {
                Ok(()) => away.push((*file, account)),
                Err(error) => {
                    if trouble.is_ok() {
                        *trouble = Err(error.into());
                    }
                }
            }
        }
        if away.is_empty() {
            return Ok(0);
        }
        // Receipts and moves are made durable together: until that is noted, each step may be repeated.
        self.folders.sync_all()?;
        let mut tx = self.store.write().await?;
        for (file, _) in &away {
            queue::finish_tx(&mut tx, file.id).await?;
        }
        tx.commit().await?;
        for (file, account) in &away {
            let queue::FileAccount { lines, queued, merged, fresh, refused, .. } = *account;
            match &account.rejected_why {
                None => info!(file = file.name, lines, queued, merged, fresh, refused, "file queued"),
                Some(why) => warn!(file = file.name, why, "file rejected; it lies in rejected/ with its receipt"),
            }
        }
        Ok(away.len())
    }

    fn put_one_away(&self, file: &OpenFile, phase: Phase, account: &FileAccount) -> io::Result<()> {
        let to = if phase == Phase::Refused { &self.folders.rejected } else { &self.folders.done };
        write_whole(to, &format!("{}{RECEIPT}", file.stored_name), receipt(file.id.0, account).as_bytes())?;
        let report = self.folders.growing_report(&file.stored_name);
        if account.refused > 0 && report.exists() {
            fs::rename(&report, to.join(format!("{}{REFUSED}", file.stored_name)))?;
        }
        // What was committed stands, whatever became of the file.
        let vanished =
            [&self.folders.work, to].iter().all(|folder| folder.join(&file.stored_name).symlink_metadata().is_err());
        if vanished {
            warn!(file = file.name, "the file vanished from work/; its receipt tells what was read of it");
            return Ok(());
        }
        self.folders.put_away(&file.stored_name, to)
    }
}

/// How receiving ended.
enum Received {
    /// The file was read to its end.
    Ended(Phase),
    /// The daemon stops.
    Stopped,
    /// The file has changed since its end was read: it is read on from the mark.
    Grew,
}
