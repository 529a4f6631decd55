//! Brings one file from `work/` into the queue and on to `done/` or `rejected/`.
//!
//! A thread of its own reads and checks lines and hands over chunks. The committing side writes each chunk in one
//! transaction with the mark of how far the file has been read. The report of refused lines is durable before the
//! commit that counts them, and is cut back to what was committed when reading resumes: after a crash no line is
//! missing from it and none is in it twice.

mod moving;
mod put_away;
mod small;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::io::Errno;
use tokio::task::JoinHandle;
use tracing::warn;

use super::folders::Folders;
use super::format::Format;
use super::identity::{FileState, state};
use super::incoming::SMALL_BYTES;
use super::parts::{Chunk, Ending, Part, Parts, Received};
use super::reading::{CHUNK_LINES_OF_PASSING, Reader, SMALL_LINES_MAX};
use super::rules::ReadRules;
use crate::clock::Clock;
use crate::config::Config;
use crate::meters;
use crate::model::{Fault, FileId, InputFault, Keys, Time};
use crate::queue::{self, ChunkRead, Content, Enqueued, OpenFile, Phase, Rejection};
use crate::stage::Pulse;
use crate::store::{self, Bulk, Store};
use crate::words;

pub(super) use moving::Moving;
use small::{Small, together};

/// A more urgent file waits for the chunk that is being committed, so a chunk should take no longer than this, however
/// slow the machine.
const CHUNK_TIME: Duration = Duration::from_millis(350);

/// Lines of the first chunks, before the time per chunk is known; also the smallest chunk.
const CHUNK_LINES_FIRST: u64 = 20_000;
const CHUNK_LINES_MIN: u64 = 2_000;

/// The same where several hosts write: the one that leads may wait for a chunk of each of the others.
const CHUNK_TIME_SHARED: Duration = Duration::from_millis(100);

/// Most lines of a chunk there; larger ones are not faster.
const CHUNK_LINES_SHARED: u64 = 10_000;

/// Why an ingest stopped; it goes on from its mark later.
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
pub(super) struct Ingest {
    store: Arc<Store>,
    folders: Folders,
    rules: ReadRules,
    fresh_for: TimeDelta,
    clock: Clock,
    /// The spool's heartbeat: it beats at each chunk, however long a file takes.
    pulse: Pulse,
    /// Lines per chunk: as many as this machine commits in [`CHUNK_TIME`].
    chunk_lines: Arc<AtomicU64>,
}

impl Ingest {
    /// An ingest from these folders into this store.
    pub(super) fn new(store: Arc<Store>, folders: Folders, config: &Config, clock: Clock, pulse: Pulse) -> Self {
        let (rules, fresh_for) = (ReadRules::of(config, clock.now()), fresh_for(config));
        Self {
            store,
            folders,
            rules,
            fresh_for,
            clock,
            pulse,
            chunk_lines: Arc::new(AtomicU64::new(CHUNK_LINES_FIRST)),
        }
    }

    /// Takes over a reloaded configuration; lines read from now on are checked by it.
    pub(super) fn apply(&mut self, config: &Config) {
        self.rules = ReadRules::of(config, self.clock.now());
        self.fresh_for = fresh_for(config);
    }

    /// Reads small, whole files in one go and commits them together. A file missing from the answer must be read by
    /// itself.
    pub(super) async fn read_small(&self, files: &[OpenFile]) -> Result<HashMap<FileId, Ended>, Error> {
        let mut readers = Vec::new();
        for file in files.iter().filter(|file| file.phase == Phase::Reading && file.read_bytes == 0) {
            let Ok(handle) = self.folders.open(&file.stored_name) else { continue };
            if handle.metadata().is_ok_and(|meta| meta.len() <= SMALL_BYTES) {
                let reader = Reader { chunk_lines_max: SMALL_LINES_MAX, ..self.reader(file, How::default()) };
                readers.push((file, reader, handle));
            }
        }
        if readers.is_empty() {
            return Ok(HashMap::new());
        }
        let (files, readers): (Vec<&OpenFile>, Vec<_>) =
            readers.into_iter().map(|(file, reader, handle)| (file, (reader, handle))).unzip();
        let read_all = move || -> Vec<Vec<Part>> {
            readers.into_iter().map(|(reader, handle)| reader.run_small(handle)).collect()
        };
        let parts = tokio::task::spawn_blocking(read_all).await.expect("the reading side does not panic");
        // A file of more than one chunk, or with a bad end, is read by itself.
        let whole = files.into_iter().zip(parts).filter_map(|(file, parts)| match <[Part; 2]>::try_from(parts) {
            Ok([Part::Keys(keys), Part::Last(chunk, Ending::Read { bytes, sha256, seen, refused })]) => {
                let content = Content { bytes, sha256, changed: seen.1.into() };
                Some(Small { file, keys, refused, chunk, content, seen })
            }
            _ => None,
        });
        let whole: Vec<Small<'_>> = whole.collect();
        let mut phases = Vec::new();
        let lines_max = if self.store.is_shared() { CHUNK_LINES_SHARED } else { u64::MAX };
        let mut rest = whole.as_slice();
        for files in together(whole.iter().map(|small| small.chunk.progress.lines), lines_max) {
            let (some, others) = rest.split_at(files);
            phases.extend(self.commit_small(some).await?);
            rest = others;
        }
        let ended = |(small, phase): (&Small<'_>, Phase)| {
            (small.file.id, Ended { phase, has_changed: self.has_changed(small.file, small.seen) })
        };
        Ok(whole.iter().zip(phases).map(ended).collect())
    }

    /// Commits whole files together; tells their phases.
    async fn commit_small(&self, files: &[Small<'_>]) -> Result<Vec<Phase>, Error> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let moved = tx.bulk(|conn| {
            let (mut moved, mut phases) = (true, Vec::new());
            for Small { file, keys, refused, chunk, content, .. } in files {
                moved &= self.commit(conn, file, keys, chunk, now)?;
                queue::mark_read(conn, file.id, content, now)?;
                phases.push(phase_of_read(conn, file, refused.as_ref())?);
            }
            Ok::<_, store::Error>((moved, phases))
        });
        let (moved, phases) = moved.await?;
        check_mark(moved, "a small file")?;
        tx.commit().await?;
        Ok(phases)
    }

    fn reader(&self, file: &OpenFile, how: How) -> Reader {
        Reader {
            rules: ReadRules { now: self.clock.now(), ..self.rules.clone() },
            format: Format::of(&file.name),
            encoding: file.encoding,
            report: self.folders.growing_report(&file.stored_name),
            mark: file.read_bytes,
            before: file.before.clone(),
            refused_bytes: file.refused_bytes,
            is_whole: how.is_whole,
            chunk_lines_max: match how.passes {
                _ if self.store.is_shared() => CHUNK_LINES_SHARED,
                true => CHUNK_LINES_OF_PASSING,
                false => u64::MAX,
            },
            chunk_lines: Arc::clone(&self.chunk_lines),
        }
    }

    /// Whether the file has changed since its reading began.
    fn has_changed(&self, file: &OpenFile, seen: FileState) -> bool {
        self.folders.open(&file.stored_name).and_then(|now| state(&now)).is_ok_and(|now| now != seen)
    }

    /// Begins to read the rest of a file; none if the file cannot be opened and is refused.
    ///
    /// # Errors
    ///
    /// The file system or the database failed.
    pub(super) async fn begin(&self, file: &OpenFile, how: How) -> Result<Result<FileReading, Phase>, Error> {
        let handle = match self.folders.open(&file.stored_name) {
            Ok(handle) => handle,
            Err(error) => return self.refuse_unopened(file, &error).await.map(Err),
        };
        if file.refused_bytes > 0 {
            self.folders.take_report_back(&file.stored_name)?;
        }
        let mut tx = self.store.write().await?;
        tx.bulk(|conn| queue::begin_reading(conn, file.id, how.deaths)).await?;
        tx.commit().await?;
        let (parts, received) = Parts::channel();
        let reader = self.reader(file, how);
        let thread = tokio::task::spawn_blocking(move || reader.run(handle, &parts));
        Ok(Ok(FileReading { file: file.clone(), received, keys: Keys::default(), may_grow: how.may_grow, thread }))
    }

    /// Commits the next chunk from the reading side. Says how the reading ended, if it did.
    ///
    /// # Errors
    ///
    /// The file system or the database failed; the reading must then be closed and begun anew at its mark.
    pub(super) async fn advance(&self, reading: &mut FileReading) -> Result<Option<Ended>, Error> {
        let FileReading { file, received, keys, may_grow, .. } = reading;
        let (chunk, ending) = loop {
            self.pulse.beat();
            match received.parts.recv().await.expect("the reading side ends with a part of its own") {
                Part::Keys(asked) => *keys = asked,
                Part::Chunk(chunk) => break (chunk, None),
                Part::Last(chunk, ending) => break (chunk, Some(ending)),
            }
        };
        let has_changed = matches!(&ending, Some(Ending::Read { seen, .. }) if self.has_changed(file, *seen));
        let grew = has_changed && *may_grow;
        self.store.give_way().await;
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let began = Instant::now();
        let moved = tx.bulk(|conn| {
            let moved = self.commit(conn, file, keys, &chunk, now)?;
            let phase = match &ending {
                Some(Ending::Read { bytes, sha256, seen, refused }) if !grew => {
                    let content = Content { bytes: *bytes, sha256: sha256.clone(), changed: seen.1.into() };
                    queue::mark_read(conn, file.id, &content, now)?;
                    phase_of_read(conn, file, refused.as_ref())?
                }
                Some(Ending::NotUrls { bytes, why }) => {
                    reject(conn, file, *bytes, why)?;
                    Phase::Refused
                }
                Some(Ending::Replaced) => {
                    queue::forget_mark(conn, file.id)?;
                    Phase::Reading
                }
                _ => Phase::Reading,
            };
            Ok::<_, store::Error>((moved, phase))
        });
        let (moved, phase) = moved.await?;
        check_mark(moved, &file.stored_name)?;
        tx.commit().await?;
        let time = if self.store.is_shared() { CHUNK_TIME_SHARED } else { CHUNK_TIME };
        if let Some(lines) = chunk_lines(chunk.progress.lines, began.elapsed(), time) {
            self.chunk_lines.store(lines, Ordering::Relaxed);
        }
        (file.read_bytes, file.refused_bytes) = (chunk.progress.read_bytes, chunk.progress.refused_bytes);
        file.encoding = chunk.progress.encoding;
        received.give_back(chunk.urls);
        let ended = |phase, has_changed| Ok(Some(Ended { phase, has_changed }));
        match ending {
            None => Ok(None),
            Some(Ending::Read { .. }) if grew => ended(Phase::Reading, true),
            Some(Ending::Read { .. }) => ended(phase, has_changed),
            Some(Ending::NotUrls { .. }) => ended(phase, false),
            Some(Ending::Unfinished) => ended(Phase::Reading, false),
            Some(Ending::Replaced) => {
                warn!(
                    file = file.name,
                    "the file was cut or overwritten after it was read; it is read from its start again"
                );
                (file.read_bytes, file.before, file.encoding) = (0, None, None);
                ended(Phase::Reading, true)
            }
            Some(Ending::Failed(error)) => Err(error.into()),
        }
    }

    /// Queues a chunk and moves the file's mark; false if somebody else has moved it.
    fn commit(&self, conn: &Bulk, file: &OpenFile, keys: &Keys, chunk: &Chunk, now: Time) -> store::Result<bool> {
        if chunk.progress.from_bytes == 0 {
            queue::set_keys(conn, file.id, keys)?;
        }
        // A URL that might be stale is sent again rather than skipped.
        let clock = self.clock.reading();
        let fresh_since = if clock.proved { clock.latest } else { now } - self.fresh_for;
        let last = queue::last_url(conn)?;
        let enqueued = queue::enqueue(conn, file.id, keys, &chunk.urls, fresh_since, now)?;
        let progress = ChunkRead { enqueued, ..chunk.progress.clone() };
        let refused = progress.refused.iter().map(|(_, lines)| lines).sum();
        let Enqueued { queued, merged, fresh } = enqueued;
        meters::lines(meters::Lines { queued, merged, fresh, refused });
        let moved = queue::progress(conn, file.id, &progress)?;
        queue::warn_of_foreign_hosts(conn, file.id, last)?;
        Ok(moved)
    }

    /// Decides about a file that cannot be opened: rejects it if it is unreadable or gone; other errors may pass.
    async fn refuse_unopened(&self, file: &OpenFile, error: &io::Error) -> Result<Phase, Error> {
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied => InputFault::Forbidden,
            // All lines of a file that is read on are in the queue already.
            io::ErrorKind::NotFound if file.is_read_on => return Ok(Phase::Read),
            io::ErrorKind::NotFound => InputFault::Vanished,
            io::ErrorKind::Other => InputFault::NotRegular,
            // The errors for a symbolic link and for a socket.
            _ if matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::NXIO)) => InputFault::NotRegular,
            _ => return Err(io::Error::new(error.kind(), format!("{}: {error}", file.stored_name)).into()),
        };
        self.refuse(file, &why).await?;
        Ok(Phase::Refused)
    }

    async fn refuse(&self, file: &OpenFile, why: &InputFault) -> Result<(), Error> {
        let mut tx = self.store.write().await?;
        tx.bulk(|conn| reject(conn, file, None, why)).await?;
        Ok(tx.commit().await?)
    }
}

/// How many lines the next chunks may have to take this time, given how long this one took; none if it was too small to
/// tell.
fn chunk_lines(lines: u64, took: Duration, time: Duration) -> Option<u64> {
    let fits = u128::from(lines) * time.as_micros() / took.as_micros().max(1);
    (lines >= CHUNK_LINES_MIN).then(|| u64::try_from(fits).unwrap_or(u64::MAX).max(CHUNK_LINES_MIN))
}

/// Fails if the mark is not where the chunk starts, because somebody else moved it.
fn check_mark(moved: bool, name: &str) -> Result<(), Error> {
    if moved { Ok(()) } else { Err(io::Error::other(format!("{name}: its mark was moved by somebody else")).into()) }
}

/// Notes that the whole file is refused, and why.
pub(super) fn reject(conn: &Bulk, file: &OpenFile, bytes: Option<u64>, why: &InputFault) -> store::Result<()> {
    let words = words::input_fault(why);
    queue::reject(conn, file.id, bytes, Rejection { code: why.code(), en: &words.en, zh: &words.zh })
}

/// The next phase of a file whose lines are committed; a file in which no line is a URL is refused.
fn phase_of_read(conn: &Bulk, file: &OpenFile, first_refused: Option<&(u64, Fault)>) -> store::Result<Phase> {
    let why = match queue::refused_if_all(conn, file.id)? {
        None => return Ok(Phase::Read),
        Some(0) => InputFault::Empty,
        Some(lines) => InputFault::NoUrls { lines, first: first_refused.cloned() },
    };
    reject(conn, file, None, &why)?;
    Ok(Phase::Refused)
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct How {
    /// Its last line counts as whole even without a line end.
    pub(super) is_whole: bool,
    /// It overtakes another file that is open.
    pub(super) passes: bool,
    /// Read on before it is put away if it has changed at its end.
    pub(super) may_grow: bool,
    /// How often the daemon died while it read this file from its present mark.
    pub(super) deaths: u32,
}

impl Default for How {
    fn default() -> Self {
        Self { is_whole: true, passes: false, may_grow: false, deaths: 0 }
    }
}

/// How a reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// What is left to do with the file. `Reading`: read on, at once if the file has changed, later if its end is still
    /// being written.
    pub(super) phase: Phase,
    /// The file has changed since its reading began.
    pub(super) has_changed: bool,
}

/// A file that is open for reading, at its mark. It may be paused between two chunks.
#[derive(Debug)]
pub(super) struct FileReading {
    pub(super) file: OpenFile,
    received: Received,
    keys: Keys,
    may_grow: bool,
    thread: JoinHandle<()>,
}

impl FileReading {
    /// Ends the reading. The reading side ends too, even if it still has something to hand over.
    pub(super) async fn close(self) -> OpenFile {
        drop(self.received);
        self.thread.await.expect("the reading side does not panic");
        self.file
    }
}

fn fresh_for(config: &Config) -> TimeDelta {
    TimeDelta::from_std(config.schedule.fresh_for.get()).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_as_many_lines_as_are_committed_while_something_urgent_may_wait() {
        let ms = Duration::from_millis;
        assert_eq!(chunk_lines(20_000, ms(70), CHUNK_TIME), Some(100_000));
        assert_eq!(chunk_lines(50_000, ms(3_500), CHUNK_TIME), Some(5_000));
        assert_eq!(chunk_lines(10_000, ms(400), CHUNK_TIME_SHARED), Some(2_500));
        assert_eq!(chunk_lines(5_000, ms(60_000), CHUNK_TIME), Some(CHUNK_LINES_MIN));
        assert_eq!(chunk_lines(100, ms(1), CHUNK_TIME), None);
    }
}
