//! The reading side of an ingest, on a thread of its own: splits the text into lines, checks them and hands them over
//! in chunks, with the report of refused lines and the hash of what was read.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::content::{Content, REPORT_HEADER, report_line};
use super::decode::{Decoded, decode};
use super::format::{Format, Item};
use super::rules::ReadRules;
use super::unreadable::Unreadable;
use crate::model::{Fault, InputFault, Keys, LineFault, TextEncoding, Warned, Warning};
use crate::queue::{ChunkRead, NewUrls, ReadBefore};

/// Most lines of a chunk, good or bad, and so most rows of a transaction. Larger chunks write fewer pages of the keys
/// twice but take more memory; a large file has a large queue ahead of it, so it is worth more.
const CHUNK_LINES_MAX: u64 = 50_000;
const CHUNK_LINES_MAX_OF_LARGE: u64 = 110_000;

/// A file with more lines than this is large.
const LARGE_LINES: u64 = 1_000_000;

/// Average bytes per line of a chunk, at most.
const LINE_BYTES: usize = 120;

/// Bytes that a line's own keys take beside their label.
const KEYS_BYTES: usize = 160;

/// Chunks that exist at a time: one is read while another is committed. With their size this bounds the memory.
const CHUNKS: usize = 2;

/// Most parts of a file that is read in one go: its keys and its end.
const SMALL_PARTS_MAX: usize = 2;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Most lines of a file that is read together with others: a small file may unpack to many.
pub(super) const SMALL_LINES_MAX: u64 = 2_500;

/// Lines per chunk of a file that overtook another one, which keeps its memory.
pub(super) const CHUNK_LINES_OF_PASSING: u64 = 20_000;

/// What the reading side hands over, in this order: keys, chunks, then the last chunk with how it ended.
pub(super) enum Part {
    Keys(Keys),
    Chunk(Chunk),
    Last(Chunk, Ending),
}

/// How the reading of a file ended.
pub(super) enum Ending {
    Read {
        bytes: u64,
        sha256: String,
        seen: FileState,
        /// The first line that was refused, with its number.
        refused: Option<(u64, Fault)>,
    },
    NotUrls {
        bytes: Option<u64>,
        why: InputFault,
    },
    /// The packed data has no end yet, and the file is still being written.
    Unfinished,
    /// The part that was read before has changed.
    Replaced,
    Failed(io::Error),
}

#[derive(Default)]
pub(super) struct Chunk {
    pub(super) urls: NewUrls,
    pub(super) progress: ChunkRead,
}

/// The channel for parts, and the one on which emptied chunks come back.
pub(super) struct Parts {
    sender: mpsc::Sender<Part>,
    /// None: a part that finds no room ends the reading, because nobody makes room.
    emptied: Option<std::sync::mpsc::Receiver<NewUrls>>,
}

/// The committing side of [`Parts`].
#[derive(Debug)]
pub(super) struct Received {
    pub(super) parts: mpsc::Receiver<Part>,
    emptied: std::sync::mpsc::Sender<NewUrls>,
}

impl Parts {
    /// Makes both sides.
    pub(super) fn channel() -> (Self, Received) {
        let (sender, parts) = mpsc::channel(1);
        let (giver, emptied) = std::sync::mpsc::channel();
        for _ in 0..CHUNKS {
            // The other end still exists in this function.
            let _ = giver.send(NewUrls::default());
        }
        (Self { sender, emptied: Some(emptied) }, Received { parts, emptied: giver })
    }

    /// False if nobody listens any more or there is no room.
    fn send(&self, part: Part) -> bool {
        if self.emptied.is_some() {
            self.sender.blocking_send(part).is_ok()
        } else {
            self.sender.try_send(part).is_ok()
        }
    }

    /// Waits for an emptied chunk to reuse; none if nobody listens any more.
    fn empty(&self) -> Option<NewUrls> {
        self.emptied.as_ref().map_or_else(|| Some(NewUrls::default()), |emptied| emptied.recv().ok())
    }
}

impl Received {
    /// Gives an emptied chunk back once its lines are committed.
    pub(super) fn give_back(&self, mut urls: NewUrls) {
        urls.clear();
        // The reading side may have ended.
        let _ = self.emptied.send(urls);
    }
}

/// The reading side.
pub(super) struct Reader {
    pub(super) rules: ReadRules,
    pub(super) format: Format,
    /// The encoding that was found.
    pub(super) encoding: Option<TextEncoding>,
    pub(super) report: PathBuf,
    /// Lines before this byte of the text are committed.
    pub(super) mark: u64,
    /// What was read before, if the file was read to its end before.
    pub(super) before: Option<ReadBefore>,
    /// The report is valid up to this byte.
    pub(super) refused_bytes: u64,
    /// Its last line counts as whole even without a line end, unless the file changes during the reading.
    pub(super) is_whole: bool,
    /// Lines a chunk, at most.
    pub(super) chunk_lines_max: u64,
    /// The same, adjusted to how fast chunks are committed.
    pub(super) chunk_lines: Arc<AtomicU64>,
}

impl Reader {
    /// Reads the whole file and hands over its parts; the last one says how it ended.
    pub(super) fn run(self, handle: File, parts: &Parts) {
        let last = match self.read(handle, parts) {
            Ok(Some(last)) => last,
            Ok(None) => return, // nobody listens any more
            Err(Unreadable::Io(error)) => self.nothing_more(Ending::Failed(error)),
            Err(Unreadable::NotUrls(why)) => self.nothing_more(Ending::NotUrls { bytes: None, why }),
        };
        // When the daemon stops nobody listens; the file is read again from its mark later.
        parts.send(last);
    }

    /// Returns the parts of a small file. If it unpacks or grows to more, returns only the first part, without an end.
    pub(super) fn run_small(self, handle: File) -> Vec<Part> {
        let (sender, mut received) = mpsc::channel(SMALL_PARTS_MAX);
        self.run(handle, &Parts { sender, emptied: None });
        std::iter::from_fn(|| received.try_recv().ok()).collect()
    }

    fn nothing_more(&self, ending: Ending) -> Part {
        let progress = ChunkRead {
            from_bytes: self.mark,
            read_bytes: self.mark,
            refused_bytes: self.refused_bytes,
            encoding: self.encoding,
            ..ChunkRead::default()
        };
        Part::Last(Chunk { urls: NewUrls::default(), progress }, ending)
    }

    fn read(&self, handle: File, parts: &Parts) -> Result<Option<Part>, Unreadable> {
        let size = handle.metadata()?.len();
        if size > FILE_BYTES_MAX {
            let why = InputFault::TooLarge { bytes: size, bytes_max: FILE_BYTES_MAX };
            return Ok(Some(self.nothing_more(Ending::NotUrls { bytes: Some(size), why })));
        }
        let file = Arc::new(handle);
        let identity = Arc::new(Identity::of(&file, self.before.clone())?);
        let growing = Growing { file: Arc::clone(&file), left: size, identity: Arc::clone(&identity) };
        let Decoded { text, options, source } = decode(growing, Arc::clone(&identity.bytes))?;
        let content = Content::open(text, self.format, self.rules.clone(), &options, self.encoding);
        let content = match content {
            Ok(content) => content,
            Err(Unreadable::Io(error)) => match source.fault(error, 0) {
                Unreadable::NotUrls(_) if identity.has_changed(&file) => {
                    return Ok(Some(self.nothing_more(Ending::Unfinished)));
                }
                fault => return Err(fault),
            },
            Err(fault) => return Err(fault),
        };
        if !parts.send(Part::Keys(content.keys().clone())) {
            return Ok(None);
        }
        let mut report = Report::resume(&self.report, self.refused_bytes)?;
        let Some(empty) = parts.empty() else { return Ok(None) };
        let mut chunk = ChunkBuilder::at(self.mark, self.encoding, empty);
        let mut content = Ahead::new(content, self.encoding);
        let (mut first_refused, mut reached) = (None, 0);
        let ending = loop {
            let (item, ends_at, is_last) = match content.take() {
                Ok(Some(taken)) => taken,
                Ok(None) if reached < self.mark || !identity.begins_as_before(true) => break Ending::Replaced,
                Ok(None) => break identity.end(0, first_refused, &file)?,
                Err(error) => match source.fault(error, content.content.lines_read()) {
                    Unreadable::Io(error) => break Ending::Failed(error),
                    Unreadable::NotUrls(_) if identity.has_changed(&file) => break Ending::Unfinished,
                    Unreadable::NotUrls(why) => break Ending::NotUrls { bytes: None, why },
                },
            };
            if let Item::Refused { line, fault, .. } = &item {
                first_refused.get_or_insert_with(|| (*line, fault.clone()));
            }
            reached = ends_at;
            if ends_at <= self.mark {
                // Its warnings were committed with it.
                continue;
            }
            if !identity.begins_as_before(false) {
                return Ok(Some(self.nothing_more(Ending::Replaced)));
            }
            if is_last && source.is_plain() && self.leaves_tail(&identity, &file) {
                break identity.end(ends_at - chunk.chunk.progress.read_bytes, first_refused, &file)?;
            }
            content.keep_warnings();
            chunk.add(item, ends_at, content.encoding, &mut report);
            let lines_max = self.chunk_lines_max.min(self.chunk_lines.load(Ordering::Relaxed));
            if chunk.is_full(content.content.lines_read(), lines_max, &report) {
                let next = chunk.chunk.progress.read_bytes;
                if !parts.send(Part::Chunk(chunk.finish(&mut content, &mut report)?)) {
                    return Ok(None);
                }
                let Some(empty) = parts.empty() else { return Ok(None) };
                chunk = ChunkBuilder::at(next, content.encoding, empty);
            }
        };
        if self.mark == 0 && reached == 0 {
            // For a file without lines.
            content.keep_warnings();
        }
        let mut last = chunk.finish(&mut content, &mut report)?;
        if source.has_trailing() {
            last.progress.warnings.push(Warned::new(Warning::Trailing, 0, ""));
        }
        Ok(Some(Part::Last(last, ending)))
    }

    /// Whether the last line is left for a later reading.
    fn leaves_tail(&self, identity: &Identity, file: &File) -> bool {
        identity.has_open_tail() && (!self.is_whole || identity.has_changed(file))
    }
}

/// An item and where it ends, the encoding found with it, and its warnings.
type Known = (io::Result<Option<(Item, u64)>>, Option<TextEncoding>, Vec<Warned>);

/// Reads one item ahead, because the last one may be a line that is still being written.
struct Ahead<R> {
    content: Content<R>,
    next: Option<Known>,
    /// The encoding found up to the item taken last: a line that is still being written decides nothing.
    encoding: Option<TextEncoding>,
    /// The warnings of that item.
    odd: Vec<Warned>,
    /// The warnings of the chunk's items.
    warnings: Vec<Warned>,
}

impl<R: BufRead> Ahead<R> {
    fn new(content: Content<R>, encoding: Option<TextEncoding>) -> Self {
        Self { content, next: None, encoding, odd: Vec::new(), warnings: Vec::new() }
    }

    fn read(&mut self) -> Known {
        let item = self.content.next_item();
        (item, self.content.encoding(), self.content.take_warnings())
    }

    /// The item taken last belongs to the chunk: keeps its warnings.
    fn keep_warnings(&mut self) {
        for new in self.odd.drain(..) {
            let same = |known: &&mut Warned| known.warning == new.warning && known.found == new.found;
            match self.warnings.iter_mut().find(same) {
                Some(known) => known.lines += new.lines,
                None => self.warnings.push(new),
            }
        }
    }

    /// Takes the next item, where it ends, and whether it is the last.
    fn take(&mut self) -> io::Result<Option<(Item, u64, bool)>> {
        let (this, encoding, odd) = match self.next.take() {
            Some(known) => known,
            None => self.read(),
        };
        self.odd = odd;
        let Some((item, ends_at)) = this? else { return Ok(None) };
        self.encoding = encoding;
        let next = self.read();
        let is_last = matches!(next.0, Ok(None));
        self.next = Some(next);
        Ok(Some((item, ends_at, is_last)))
    }
}

/// Collects the lines of a chunk.
struct ChunkBuilder {
    chunk: Chunk,
    reasons: HashMap<LineFault, u64>,
    /// All lines, also blank ones, so that a file of comments moves its mark too.
    lines: u64,
    /// The last keys: neighbouring lines often share them.
    keys: Option<Arc<Keys>>,
    /// Bytes that the chunk's distinct keys take.
    keys_bytes: usize,
}

impl ChunkBuilder {
    fn at(mark: u64, encoding: Option<TextEncoding>, empty: NewUrls) -> Self {
        let progress = ChunkRead { from_bytes: mark, read_bytes: mark, encoding, ..ChunkRead::default() };
        Self { chunk: Chunk { urls: empty, progress }, reasons: HashMap::new(), lines: 0, keys: None, keys_bytes: 0 }
    }

    fn is_full(&self, read: u64, lines_max: u64, report: &Report) -> bool {
        let lines_max = lines_max.min(if read > LARGE_LINES { CHUNK_LINES_MAX_OF_LARGE } else { CHUNK_LINES_MAX });
        let bytes = (self.chunk.urls.text_bytes() + report.unwritten.len() + self.keys_bytes) / LINE_BYTES;
        self.lines.max(bytes as u64) >= lines_max
    }

    fn add(&mut self, item: Item, ends_at: u64, encoding: Option<TextEncoding>, report: &mut Report) {
        self.lines += 1;
        self.chunk.progress.read_bytes = ends_at;
        self.chunk.progress.encoding = encoding;
        match item {
            Item::Nothing => return,
            Item::Url { line, url, keys } => {
                let keys = keys.map(|keys| self.shared(keys));
                self.chunk.urls.push(line, &url, keys);
            }
            Item::Refused { line, fault, bytes } => {
                report.add(&report_line(line, &fault, &bytes));
                *self.reasons.entry(fault.kind).or_default() += 1;
            }
        }
        self.chunk.progress.lines += 1;
    }

    fn shared(&mut self, keys: Keys) -> Arc<Keys> {
        match &self.keys {
            Some(shared) if **shared == keys => Arc::clone(shared),
            _ => {
                self.keys_bytes += KEYS_BYTES + keys.label.as_ref().map_or(0, String::len);
                Arc::clone(self.keys.insert(Arc::new(keys)))
            }
        }
    }

    /// Ends the chunk; its refused lines are durable in the report.
    fn finish<R: BufRead>(mut self, content: &mut Ahead<R>, report: &mut Report) -> io::Result<Chunk> {
        let progress = &mut self.chunk.progress;
        progress.refused_bytes = report.sync()?;
        progress.refused = self.reasons.into_iter().collect();
        progress.warnings = std::mem::take(&mut content.warnings);
        // A line that is left for later decides nothing.
        let is_gb18030 = progress.encoding == Some(TextEncoding::Gb18030);
        progress.warnings.retain(|warned| is_gb18030 || warned.warning != Warning::Gb18030);
        Ok(self.chunk)
    }
}

/// The report of refused lines, which grows in `work/`.
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
        if self.length == 0 && self.unwritten.is_empty() {
            self.unwritten.extend_from_slice(REPORT_HEADER.as_bytes());
        }
        self.unwritten.extend_from_slice(line.as_bytes());
    }

    /// Makes the report durable and returns its length.
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

/// Identifies what was read of a file, for its receipt.
struct Identity {
    hash: Mutex<Sha256>,
    bytes: Arc<AtomicU64>,
    last_byte: AtomicU8,
    /// The file's state when it was opened.
    seen: FileState,
    /// What was read of it before, and whether the file still begins like that, once that much was read.
    before: Option<ReadBefore>,
    is_as_before: Mutex<Option<bool>>,
}

impl Identity {
    fn of(file: &File, before: Option<ReadBefore>) -> io::Result<Self> {
        Ok(Self {
            hash: Mutex::default(),
            bytes: Arc::default(),
            last_byte: AtomicU8::new(b'\n'),
            seen: state(file)?,
            before: before.filter(|before| before.bytes > 0),
            is_as_before: Mutex::default(),
        })
    }

    /// Ends the reading, leaving this many bytes for later.
    ///
    /// # Errors
    ///
    /// The file cannot be read again: the bytes left for later are not part of the hash, so it is computed anew.
    fn end(&self, left: u64, refused: Option<(u64, Fault)>, file: &File) -> io::Result<Ending> {
        let bytes = self.bytes.load(Ordering::Relaxed).saturating_sub(left);
        let sha256 = if left == 0 { hex(self.hash().clone()) } else { hash_of(file, bytes)? };
        Ok(Ending::Read { bytes, sha256, seen: self.seen, refused })
    }

    fn hash(&self) -> MutexGuard<'_, Sha256> {
        self.hash.lock().expect("nobody panics with it")
    }

    /// Counts what was read, and compares it with the earlier reading once that much is there.
    fn add(&self, read: &[u8]) {
        let had = self.bytes.fetch_add(read.len() as u64, Ordering::Relaxed);
        let mut hash = self.hash();
        let until = self.before.as_ref().and_then(|before| usize::try_from(before.bytes.checked_sub(had)?).ok());
        let (first, rest) = read.split_at(until.unwrap_or(0).min(read.len()));
        hash.update(first);
        if let Some(before) = self.before.as_ref().filter(|_| until.is_some_and(|until| until == first.len())) {
            let mut known = self.is_as_before.lock().expect("nobody panics with it");
            known.get_or_insert_with(|| hex(hash.clone()) == before.sha256);
        }
        hash.update(rest);
    }

    /// Whether the file still begins with what was read of it before, as far as it was read again; at the file's `end`
    /// it must be all of it.
    fn begins_as_before(&self, end: bool) -> bool {
        let known = *self.is_as_before.lock().expect("nobody panics with it");
        self.before.is_none() || known.unwrap_or(!end)
    }

    fn has_changed(&self, file: &File) -> bool {
        state(file).is_ok_and(|now| now != self.seen)
    }

    /// Whether the last byte does not end a line. In UTF-16 it may be the second half of a line end.
    fn has_open_tail(&self) -> bool {
        !matches!(self.last_byte.load(Ordering::Relaxed), b'\n' | b'\r' | 0)
    }
}

/// A file that may still grow. It is read as far as it went when it was opened, so that a file that grows for ever has
/// an end. Everything read is hashed, so that the receipt names the content that was read.
struct Growing {
    file: Arc<File>,
    /// Bytes left before that end.
    left: u64,
    identity: Arc<Identity>,
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&*self.file).take(self.left).read(buffer)?;
        self.left -= read as u64;
        if let Some(last) = buffer[..read].last() {
            self.identity.add(&buffer[..read]);
            self.identity.last_byte.store(*last, Ordering::Relaxed);
        }
        Ok(read)
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes the first `bytes` bytes of a file.
fn hash_of(file: &File, bytes: u64) -> io::Result<String> {
    let (mut hash, mut buffer, mut at) = (Sha256::default(), vec![0; 64 * 1024], 0);
    while at < bytes {
        let room = usize::try_from(bytes - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = file.read_at(&mut buffer[..room], at)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        at += read as u64;
    }
    Ok(hex(hash))
}

pub(super) fn state(file: &File) -> io::Result<FileState> {
    let meta = file.metadata()?;
    Ok((meta.len(), meta.modified()?))
}
