//! The reading side of an ingest, on a thread of its own: a file's text, line by line, checked and handed over in chunks, with
//! the report of what was refused and the hash of what was read.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::content::{Content, Unreadable, report_line};
use super::decode::{Packing, decode};
use super::format::{Format, Item};
use crate::model::UrlRules;
use crate::queue::{Keys, NewUrl, Progress};

/// Lines a chunk, good or bad, and so rows a transaction, at most.
const CHUNK_LINES_MAX: u64 = 20_000;

/// Parts of a file that is read in one go, at most: it has keys, a chunk or two, and an end.
const SMALL_PARTS_MAX: usize = 16;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// A file that changed while it was read is read on when it has not changed for so long.
const SETTLED: Duration = Duration::from_millis(500);

/// What the reading side hands over, in this order: keys, chunks, end.
pub(super) enum Part {
    Keys(Keys),
    Chunk(Chunk),
    End { bytes: u64, sha256: String, seen: FileState },
    NotUrls { bytes: Option<u64>, why: String },
    Failed(io::Error),
}

#[derive(Default)]
pub(super) struct Chunk {
    pub(super) urls: Vec<NewUrl>,
    pub(super) progress: Progress,
}

/// Where parts go.
pub(super) struct Parts {
    pub(super) sender: mpsc::Sender<Part>,
    /// Whether to wait for room; else what finds none ends the reading.
    pub(super) may_wait: bool,
}

impl Parts {
    /// False if nobody listens any more, or there is no room.
    fn send(&self, part: Part) -> bool {
        if self.may_wait { self.sender.blocking_send(part).is_ok() } else { self.sender.try_send(part).is_ok() }
    }
}

/// The reading side.
pub(super) struct Reader {
    pub(super) rules: UrlRules,
    pub(super) format: Format,
    pub(super) report: PathBuf,
    /// Lines up to this byte of the text are committed already.
    pub(super) mark: u64,
    /// The report is good up to this byte.
    pub(super) refused_bytes: u64,
}

impl Reader {
    /// Reads the whole file and hands over its parts, the last of which says how it ended.
    pub(super) fn run(self, handle: File, parts: &Parts) {
        let last = match self.read(handle, parts) {
            Ok(Some(end)) => end,
            Ok(None) => return, // nobody listens any more
            Err(Unreadable::Io(error)) => Part::Failed(error),
            Err(Unreadable::NotUrls(why)) => Part::NotUrls { bytes: None, why },
        };
        // Nobody listens when the daemon stops; the file is then read again from its mark.
        parts.send(last);
    }

    /// The parts of a file that has few; of one that unpacks or grows to more, only the first, without an end.
    pub(super) fn run_small(self, handle: File) -> Vec<Part> {
        let (sender, mut received) = mpsc::channel(SMALL_PARTS_MAX);
        self.run(handle, &Parts { sender, may_wait: false });
        std::iter::from_fn(|| received.try_recv().ok()).collect()
    }

    fn read(&self, handle: File, parts: &Parts) -> Result<Option<Part>, Unreadable> {
        let size = handle.metadata()?.len();
        if size > FILE_BYTES_MAX {
            let why = format!("it has {size} bytes, more than the {FILE_BYTES_MAX} a file may have: split it");
            return Ok(Some(Part::NotUrls { bytes: Some(size), why }));
        }
        let identity = Arc::new(Identity::default());
        let (text, packing) = match decode(Growing::new(handle, Arc::clone(&identity))?, Arc::clone(&identity.bytes)) {
            Err(error) if error.raw_os_error().is_none() => {
                return Err(Unreadable::NotUrls(format!("its packed data is damaged: {error}")));
            }
            decoded => decoded?,
        };
        // Of a packed file, an error that is not the disk's is one of its content.
        let of_content = |error: io::Error, line: u64| match packing {
            Packing::Plain => Unreadable::Io(error),
            _ if error.raw_os_error().is_some() => Unreadable::Io(error),
            packing => Unreadable::NotUrls(format!(
                "its {} data is damaged after line {line} ({error}); the lines before are queued",
                packing.name()
            )),
        };
        let mut content = Content::open(text, self.format, self.rules.clone()).map_err(|error| match error {
            Unreadable::Io(error) => of_content(error, 0),
            other => other,
        })?;
        if !parts.send(Part::Keys(content.keys().clone())) {
            return Ok(None);
        }
        let mut report = Report::resume(&self.report, self.refused_bytes)?;
        let mut chunk = ChunkBuilder::at(self.mark);
        let mut damage = None;
        loop {
            let (item, ends_at) = match content.next_item() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => {
                    damage = Some(of_content(error, content.lines_read()));
                    break;
                }
            };
            if ends_at <= self.mark {
                continue;
            }
            chunk.add(item, ends_at, &mut report);
            if chunk.lines >= CHUNK_LINES_MAX && !parts.send(Part::Chunk(chunk.finish(&mut report)?)) {
                return Ok(None);
            }
        }
        if chunk.is_begun() && !parts.send(Part::Chunk(chunk.finish(&mut report)?)) {
            return Ok(None);
        }
        match damage {
            Some(damage) => Err(damage),
            None => Ok(Some(identity.end())),
        }
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
                report.add(&report_line(line, &reason, &bytes));
                // Reasons that quote the line are many; they are counted by what stands before the colon.
                let kind = reason.split(':').next().unwrap_or_default().to_owned();
                *self.reasons.entry(kind).or_default() += 1;
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

/// Size and time of change.
pub(super) type FileState = (u64, SystemTime);

/// What was read of a file, as its receipt names it.
#[derive(Default)]
struct Identity {
    hash: Mutex<Sha256>,
    bytes: Arc<AtomicU64>,
    seen: Mutex<Option<FileState>>,
}

impl Identity {
    fn end(&self) -> Part {
        let digest = self.hash.lock().expect("nobody panics with it").clone().finalize();
        Part::End {
            bytes: self.bytes.load(Ordering::Relaxed),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            seen: self.seen.lock().expect("nobody panics with it").unwrap_or((0, SystemTime::UNIX_EPOCH)),
        }
    }
}

/// A file that may still grow: its end is its end only when it has not changed since it was last looked at. Everything
/// read goes into the hash, so that the receipt names the content that was read.
struct Growing {
    file: File,
    seen: FileState,
    identity: Arc<Identity>,
}

impl Growing {
    fn new(file: File, identity: Arc<Identity>) -> io::Result<Self> {
        let seen = state(&file)?;
        Ok(Self { file, seen, identity })
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.identity.hash.lock().expect("nobody panics with it").update(&buffer[..read]);
                self.identity.bytes.fetch_add(read as u64, Ordering::Relaxed);
                return Ok(read);
            }
            let now = state(&self.file)?;
            if now == self.seen {
                *self.identity.seen.lock().expect("nobody panics with it") = Some(now);
                return Ok(0);
            }
            self.seen = now;
            std::thread::sleep(SETTLED);
        }
    }
}

pub(super) fn state(file: &File) -> io::Result<FileState> {
    let meta = file.metadata()?;
    Ok((meta.len(), meta.modified()?))
}
