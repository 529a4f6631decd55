//! One file from `work/` into the queue and on to `done/` or `rejected/`.
//!
//! A thread of its own reads and checks lines and hands over chunks; the committing side writes each chunk with the
//! mark of how far the file has been read, in one transaction. The report of refused lines is written and made durable
//! before the commit that counts it, and cut back to what was committed when reading resumes: after a crash no line is
//! missing from it and none stands in it twice.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use chrono::TimeDelta;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::folders::{Folders, RECEIPT, REFUSED, rename, write_whole};
use super::format::Format;
use super::reading::{Chunk, Ending, FileState, Part, Parts, Reader, Received, state};
use super::receipt::receipt;
use crate::clock::Clock;
use crate::config::Config;
use crate::meters;
use crate::model::{FileId, Time, UrlRules};
use crate::pulse::Pulse;
use crate::queue::{self, FileAccount, Keys, OpenFile, Phase, Progress};
use crate::store::{self, Store};

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
    /// The spool's: it beats at each chunk, however long a file takes.
    pulse: Pulse,
}

impl Ingest {
    /// An ingest into this store from these folders, as it is configured.
    pub fn new(store: Arc<Store>, folders: Folders, config: &Config, clock: Clock) -> Self {
        let (rules, fresh_for) = (config.spool.url_rules(), fresh_for(config));
        Self { store, folders, rules, fresh_for, clock, pulse: Pulse::default() }
    }

    /// Takes over what was read afresh: lines that are read from now on are checked by it.
    pub(super) fn apply(&mut self, config: &Config) {
        self.rules = config.spool.url_rules();
        self.fresh_for = fresh_for(config);
    }

    /// Its sign of life.
    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.clone()
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
            self.pulse.beat();
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
                readers.push((file, self.reader(file, (0, file.refused_bytes)), handle));
            }
        }
        if readers.len() < 2 {
            return Ok(HashMap::new());
        }
        let (files, readers): (Vec<&OpenFile>, Vec<_>) =
            readers.into_iter().map(|(file, reader, handle)| (file, (reader, handle))).unzip();
        let read_all = move || -> Vec<Vec<Part>> {
            readers.into_iter().map(|(reader, handle)| reader.run_small(handle)).collect()
        };
        let parts = tokio::task::spawn_blocking(read_all).await.expect("the reading side does not panic");
        // Anything but one chunk and a good end is another case.
        let whole = files.into_iter().zip(parts).filter_map(|(file, parts)| match <[Part; 2]>::try_from(parts) {
            Ok([Part::Keys(keys), Part::Last(chunk, Ending::Read { bytes, sha256, seen })]) => {
                let unchanged = !self.has_changed(file, seen);
                unchanged.then_some((file, keys, chunk, bytes, sha256))
            }
            _ => None,
        });
        let whole: Vec<_> = whole.collect();
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let moved = tx.bulk(|conn| {
            whole.iter().try_fold(true, |moved, (file, keys, chunk, bytes, sha256)| {
                let moved = self.commit(conn, file, keys, chunk, now)? && moved;
                queue::mark_read(conn, file.id, *bytes, sha256, now)?;
                Ok(moved)
            })
        });
        check_mark(moved.await?, "a small file")?;
        tx.commit().await?;
        Ok(whole.into_iter().map(|(file, ..)| (file.id, Phase::Read)).collect())
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

    /// Whether the file in `work/` is not as it was when its end was read.
    fn has_changed(&self, file: &OpenFile, seen: FileState) -> bool {
        self.folders.open(&file.stored_name).and_then(|now| state(&now)).is_ok_and(|now| now != seen)
    }

    /// Reads and commits what is left of the file; what was appended meanwhile is read too. None if the daemon stops.
    async fn read(&self, file: &OpenFile, shutdown: &CancellationToken) -> Result<Option<Phase>, Error> {
        let mut mark = (file.read_bytes, file.refused_bytes);
        loop {
            let handle = match self.folders.open(&file.stored_name) {
                Ok(handle) => handle,
                Err(error) => return self.refuse_unopened(file, &error).await.map(Some),
            };
            let (parts, mut received) = Parts::channel();
            let reader = self.reader(file, mark);
            let thread = tokio::task::spawn_blocking(move || reader.run(handle, &parts));
            let ended = self.receive(file, &mut received, &mut mark, shutdown).await;
            drop(received); // a reader that still has something to hand over ends
            thread.await.expect("the reading side does not panic");
            match ended? {
                Stop::Ended(phase) => return Ok(Some(phase)),
                Stop::Asked => return Ok(None),
                Stop::Grew => {}
            }
        }
    }

    /// Commits what the reading side hands over.
    async fn receive(
        &self,
        file: &OpenFile,
        received: &mut Received,
        mark: &mut (u64, u64),
        shutdown: &CancellationToken,
    ) -> Result<Stop, Error> {
        let mut keys = Keys::default();
        while !shutdown.is_cancelled() {
            self.pulse.beat();
            let part = received.parts.recv().await.expect("the reading side ends with a part of its own");
            let (chunk, ending) = match part {
                Part::Keys(asked) => {
                    keys = asked;
                    continue;
                }
                Part::Chunk(chunk) => (chunk, None),
                Part::Last(chunk, ending) => (chunk, Some(ending)),
            };
            let grew = matches!(&ending, Some(Ending::Read { seen, .. }) if self.has_changed(file, *seen));
            let now = self.clock.now();
            let mut tx = self.store.write().await?;
            let moved = tx.bulk(|conn| {
                let moved = self.commit(conn, file, &keys, &chunk, now)?;
                match &ending {
                    Some(Ending::Read { bytes, sha256, .. }) if !grew => {
                        queue::mark_read(conn, file.id, *bytes, sha256, now)?;
                    }
                    Some(Ending::NotUrls { bytes, why }) => queue::reject(conn, file.id, *bytes, why)?,
                    _ => {}
                }
                Ok(moved)
            });
            check_mark(moved.await?, &file.stored_name)?;
            tx.commit().await?;
            *mark = (chunk.progress.read_bytes, chunk.progress.refused_bytes);
            received.give_back(chunk.urls);
            match ending {
                None => {}
                Some(Ending::Read { .. }) if grew => return Ok(Stop::Grew),
                Some(Ending::Read { .. }) => return Ok(Stop::Ended(Phase::Read)),
                Some(Ending::NotUrls { .. }) => return Ok(Stop::Ended(Phase::Refused)),
                Some(Ending::Failed(error)) => return Err(error.into()),
            }
        }
        Ok(Stop::Asked)
    }

    /// Queues a chunk and moves the file's mark; false if that was moved by somebody else.
    fn commit(
        &self,
        conn: &rusqlite::Connection,
        file: &OpenFile,
        keys: &Keys,
        chunk: &Chunk,
        now: Time,
    ) -> rusqlite::Result<bool> {
        if chunk.progress.from_bytes == 0 {
            queue::set_keys(conn, file.id, keys)?;
        }
        // What might be stale is sent again rather than not at all.
        let clock = self.clock.reading();
        let fresh_since = if clock.proved { clock.latest } else { now } - self.fresh_for;
        let enqueued = queue::enqueue(conn, file.id, keys, &chunk.urls, fresh_since, now)?;
        let progress = Progress { enqueued, ..chunk.progress.clone() };
        meters::lines(&progress);
        queue::progress(conn, file.id, &progress)
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
        tx.bulk(|conn| queue::reject(conn, file.id, bytes, why)).await?;
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
        let ids: Vec<FileId> = files.iter().map(|(file, ..)| *file).collect();
        let accounts = queue::accounts(self.store.read(), &ids).await?;
        for (file, stored, is_others) in &files {
            self.pulse.beat();
            // Whoever has taken the file away has no need of its receipt.
            let is_there = || !is_others && self.folders.done.join(stored).exists();
            if let Some(account) = accounts.get(file).filter(|_| is_there()) {
                write_whole(&self.folders.done, &format!("{stored}{RECEIPT}"), receipt(file.0, account).as_bytes())?;
            }
        }
        self.folders.sync_all()?;
        let mut tx = self.store.write().await?;
        queue::receipts_written_tx(&mut tx, &accounts).await?;
        Ok(tx.commit().await?)
    }

    /// Receipt, report, file, in this order; then the note that it is done. Each step may be repeated after a crash.
    async fn put_away(&self, files: &[(&OpenFile, Phase)], trouble: &mut Result<(), Error>) -> Result<usize, Error> {
        let mut away = Vec::new();
        let ids: Vec<FileId> = files.iter().map(|(file, _)| file.id).collect();
        let mut accounts = queue::accounts(self.store.read(), &ids).await?;
        for (file, phase) in files {
            let Some(account) = accounts.remove(&file.id) else { continue };
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
        queue::finish_tx(&mut tx, &away.iter().map(|(file, _)| file.id).collect::<Vec<_>>()).await?;
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
            rename(&report, &to.join(format!("{}{REFUSED}", file.stored_name)))?;
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

/// A mark that is not where the chunk starts was moved by somebody else.
fn check_mark(moved: bool, name: &str) -> Result<(), Error> {
    if moved { Ok(()) } else { Err(io::Error::other(format!("{name}: its mark was moved by somebody else")).into()) }
}

/// How receiving ended.
enum Stop {
    /// The file was read to its end.
    Ended(Phase),
    /// The daemon stops.
    Asked,
    /// The file has changed since its end was read: it is read on from the mark.
    Grew,
}

fn fresh_for(config: &Config) -> TimeDelta {
    TimeDelta::from_std(config.schedule.fresh_for.get()).unwrap_or(TimeDelta::MAX)
}
