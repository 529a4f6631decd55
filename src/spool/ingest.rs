//! One file from `work/` into the queue and on to `done/` or `rejected/`.
//!
//! A thread of its own reads and checks lines and hands over chunks; the committing side writes each chunk with the
//! mark of how far the file has been read, in one transaction. The report of refused lines is written and made durable
//! before the commit that counts it, and cut back to what was committed when reading resumes: after a crash no line is
//! missing from it and none stands in it twice.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::content::{Content, Item, Unreadable, report_line};
use super::folders::{Folders, RECEIPT, REFUSED, write_whole};
use super::receipt::receipt;
use crate::clock::Clock;
use crate::model::UrlRules;
use crate::queue::{self, Keys, NewUrl, OpenFile, Phase, Progress};
use crate::store::{self, Store};

/// Lines a chunk, good or bad, and so rows a transaction, at most.
const CHUNK_LINES_MAX: u64 = 10_000;

/// Chunks that may wait for the committing side: with their size this bounds the memory.
const CHUNKS_AHEAD: usize = 2;

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// A file that changed while it was read is read on when it has not changed for so long.
const SETTLED: Duration = Duration::from_millis(500);

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

/// Where a file got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    /// Moved out of `work/`, to `done/` or `rejected/`.
    Finished,
    /// The daemon stops; reading goes on at its mark after the next start.
    Interrupted,
}

/// The stage's tools.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    folders: Folders,
    rules: UrlRules,
    clock: Clock,
}

/// What the reading side hands over, in this order: keys, chunks, end.
enum Part {
    Keys(Keys),
    Chunk(Chunk),
    End { bytes: u64, sha256: String },
    NotUrls { bytes: Option<u64>, why: String },
    Failed(io::Error),
}

#[derive(Default)]
struct Chunk {
    urls: Vec<NewUrl>,
    progress: Progress,
}

impl Ingest {
    /// An ingest into this store from these folders.
    pub fn new(store: Arc<Store>, folders: Folders, rules: UrlRules, clock: Clock) -> Self {
        Self { store, folders, rules, clock }
    }

    /// Brings a file that is in `work/` to its end, from wherever it is.
    ///
    /// # Errors
    ///
    /// What the database or the file system says; the same call goes on from there later.
    pub async fn bring_to_end(&self, file: &OpenFile, shutdown: &CancellationToken) -> Result<Ingested, Error> {
        let mut phase = file.phase;
        if phase == Phase::Reading {
            match self.read(file, shutdown).await? {
                Some(read) => phase = read,
                None => return Ok(Ingested::Interrupted),
            }
        }
        self.put_away(file, phase).await?;
        Ok(Ingested::Finished)
    }

    /// Reads and commits what is left of the file. None if the daemon stops meanwhile.
    async fn read(&self, file: &OpenFile, shutdown: &CancellationToken) -> Result<Option<Phase>, Error> {
        let handle = match self.folders.open(&file.stored_name) {
            Ok(handle) => handle,
            Err(error) => return self.refuse_unopened(file, &error).await.map(Some),
        };
        let (parts, mut received) = mpsc::channel(CHUNKS_AHEAD);
        let reader = Reader {
            rules: self.rules.clone(),
            report: self.folders.growing_report(&file.stored_name),
            mark: file.read_bytes,
            refused_bytes: file.refused_bytes,
        };
        let thread = tokio::task::spawn_blocking(move || reader.run(handle, &parts));
        let mut keys = Keys::default();
        let phase = loop {
            if shutdown.is_cancelled() {
                break None;
            }
            match received.recv().await.expect("the reading side ends with a part of its own") {
                Part::Keys(asked) => {
                    let mut tx = self.store.write().await?;
                    queue::set_keys_tx(&mut tx, file.id, &asked).await?;
                    tx.commit().await?;
                    keys = asked;
                }
                Part::Chunk(chunk) => self.commit(file, &keys, chunk).await?,
                Part::End { bytes, sha256 } => {
                    let mut tx = self.store.write().await?;
                    queue::mark_read_tx(&mut tx, file.id, bytes, &sha256, self.clock.now()).await?;
                    tx.commit().await?;
                    break Some(Phase::Read);
                }
                Part::NotUrls { bytes, why } => {
                    self.refuse(file, bytes, &why).await?;
                    break Some(Phase::Refused);
                }
                Part::Failed(error) => return Err(error.into()),
            }
        };
        drop(received); // a reader that still has something to hand over ends
        thread.await.expect("the reading side does not panic");
        Ok(phase)
    }

    async fn commit(&self, file: &OpenFile, keys: &Keys, chunk: Chunk) -> Result<(), Error> {
        let mut progress = chunk.progress;
        let mut tx = self.store.write().await?;
        progress.enqueued = queue::enqueue_tx(&mut tx, file.id, keys, chunk.urls, self.clock.now()).await?;
        if !queue::progress_tx(&mut tx, file.id, &progress).await? {
            tx.roll_back().await?;
            return Err(io::Error::other(format!("{}: its mark was moved by somebody else", file.stored_name)).into());
        }
        Ok(tx.commit().await?)
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

    /// Receipt, report, file, in this order; then the note that it is done. Each step may be repeated after a crash.
    async fn put_away(&self, file: &OpenFile, phase: Phase) -> Result<(), Error> {
        let account = queue::account(self.store.read(), file.id).await?;
        let to = if phase == Phase::Refused { &self.folders.rejected } else { &self.folders.done };
        write_whole(to, &format!("{}{RECEIPT}", file.stored_name), receipt(file.id.0, &account).as_bytes())?;
        let report = self.folders.growing_report(&file.stored_name);
        if account.refused > 0 && report.exists() {
            fs::rename(&report, to.join(format!("{}{REFUSED}", file.stored_name)))?;
        }
        // What was committed stands, whatever became of the file.
        let vanished =
            [&self.folders.work, to].iter().all(|folder| folder.join(&file.stored_name).symlink_metadata().is_err());
        if vanished {
            warn!(file = file.name, "the file vanished from work/; its receipt tells what was read of it");
        } else {
            self.folders.put_away(&file.stored_name, to)?;
        }
        let mut tx = self.store.write().await?;
        queue::finish_tx(&mut tx, file.id, self.clock.now()).await?;
        tx.commit().await?;
        let queue::FileAccount { lines, queued, merged, refused, .. } = account;
        match &account.rejected_why {
            None => info!(file = file.name, lines, queued, merged, refused, "file queued"),
            Some(why) => warn!(file = file.name, why, "file rejected; it lies in rejected/ with its receipt"),
        }
        Ok(())
    }
}

/// The reading side.
struct Reader {
    rules: UrlRules,
    report: PathBuf,
    /// Lines up to this byte are committed already.
    mark: u64,
    /// The report is good up to this byte.
    refused_bytes: u64,
}

impl Reader {
    /// Reads the whole file and hands over its parts, the last of which says how it ended.
    fn run(self, handle: File, parts: &mpsc::Sender<Part>) {
        let last = match self.read(handle, parts) {
            Ok(Some(end)) => end,
            Ok(None) => return, // nobody listens any more
            Err(Unreadable::Io(error)) => Part::Failed(error),
            Err(Unreadable::NotUrls(why)) => Part::NotUrls { bytes: None, why },
        };
        // Nobody listens when the daemon stops; the file is then read again from its mark.
        let _ = parts.blocking_send(last);
    }

    fn read(&self, handle: File, parts: &mpsc::Sender<Part>) -> Result<Option<Part>, Unreadable> {
        let size = handle.metadata()?.len();
        if size > FILE_BYTES_MAX {
            let why = format!("it has {size} bytes, more than the {FILE_BYTES_MAX} a file may have: split it");
            return Ok(Some(Part::NotUrls { bytes: Some(size), why }));
        }
        let reader = BufReader::with_capacity(BUFFER_BYTES, Growing::new(handle)?);
        let mut content = Content::open(reader, self.rules.clone())?;
        if parts.blocking_send(Part::Keys(content.keys().clone())).is_err() {
            return Ok(None);
        }
        let mut report = Report::resume(&self.report, self.refused_bytes)?;
        let mut chunk = ChunkBuilder::at(self.mark);
        while let Some((item, ends_at)) = content.next_item()? {
            if ends_at <= self.mark {
                continue;
            }
            chunk.add(item, ends_at, &mut report);
            if chunk.lines >= CHUNK_LINES_MAX && parts.blocking_send(Part::Chunk(chunk.finish(&mut report)?)).is_err() {
                return Ok(None);
            }
        }
        if chunk.is_begun() && parts.blocking_send(Part::Chunk(chunk.finish(&mut report)?)).is_err() {
            return Ok(None);
        }
        let (bytes, sha256) = content.reader().get_ref().identity();
        Ok(Some(Part::End { bytes, sha256 }))
    }
}

/// Collects the lines of a chunk.
struct ChunkBuilder {
    chunk: Chunk,
    reasons: HashMap<String, u64>,
    /// All lines, also blank ones, so that a file of comments moves its mark too.
    lines: u64,
}

impl ChunkBuilder {
    fn at(mark: u64) -> Self {
        let progress = Progress { from_bytes: mark, read_bytes: mark, ..Progress::default() };
        let chunk = Chunk { urls: Vec::new(), progress };
        Self { chunk, reasons: HashMap::new(), lines: 0 }
    }

    fn is_begun(&self) -> bool {
        self.lines > 0
    }

    fn add(&mut self, item: Item, ends_at: u64, report: &mut Report) {
        self.lines += 1;
        self.chunk.progress.read_bytes = ends_at;
        match item {
            Item::Nothing => return,
            Item::Url(url) => self.chunk.urls.push(url),
            Item::Refused { line, reason, bytes } => {
                report.add(&report_line(line, reason, &bytes));
                *self.reasons.entry(reason.to_string()).or_default() += 1;
            }
        }
        self.chunk.progress.lines += 1;
    }

    /// The chunk, its refused lines durable in the report; what follows is the next one.
    fn finish(&mut self, report: &mut Report) -> io::Result<Chunk> {
        self.chunk.progress.refused_bytes = report.sync()?;
        self.chunk.progress.refused = self.reasons.drain().collect();
        let next = Self::at(self.chunk.progress.read_bytes);
        Ok(std::mem::replace(self, next).chunk)
    }
}

/// The report of refused lines, growing in `work/`.
struct Report {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    unwritten: Vec<u8>,
}

impl Report {
    /// Cuts off what was written after the last commit.
    fn resume(path: &Path, length: u64) -> io::Result<Self> {
        let mut file = None;
        if path.exists() {
            let old = OpenOptions::new().append(true).open(path)?;
            old.set_len(length)?;
            file = Some(old);
        }
        Ok(Self { path: path.to_path_buf(), file, length, unwritten: Vec::new() })
    }

    fn add(&mut self, line: &str) {
        self.unwritten.extend_from_slice(line.as_bytes());
    }

    /// Makes what was added durable and gives the report's length.
    fn sync(&mut self) -> io::Result<u64> {
        if !self.unwritten.is_empty() {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?),
            };
            file.write_all(&self.unwritten)?;
            file.sync_data()?;
            self.length += self.unwritten.len() as u64;
            self.unwritten.clear();
        }
        Ok(self.length)
    }
}

/// A file that may still grow: its end is its end only when it has not changed since it was last looked at. Everything
/// read goes into the hash, so that the receipt names the content that was read.
struct Growing {
    file: File,
    seen: (u64, SystemTime),
    hash: Sha256,
    bytes: u64,
}

impl Growing {
    fn new(file: File) -> io::Result<Self> {
        let seen = state(&file)?;
        Ok(Self { file, seen, hash: Sha256::new(), bytes: 0 })
    }

    /// Bytes read and their SHA-256 in hex.
    fn identity(&self) -> (u64, String) {
        let digest = self.hash.clone().finalize();
        (self.bytes, digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.hash.update(&buffer[..read]);
                self.bytes += read as u64;
                return Ok(read);
            }
            let now = state(&self.file)?;
            if now == self.seen {
                return Ok(0);
            }
            self.seen = now;
            std::thread::sleep(SETTLED);
        }
    }
}

fn state(file: &File) -> io::Result<(u64, SystemTime)> {
    let meta = file.metadata()?;
    Ok((meta.len(), meta.modified()?))
}
