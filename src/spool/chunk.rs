//! Collects checked lines into chunks, with the report of refused lines that grows beside them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::content::{Content, REPORT_HEADER, report_line};
use super::format::Item;
use super::parts::Chunk;
use crate::model::{Keys, LineFault, TextEncoding, Warned, Warning};
use crate::queue::{ChunkRead, NewUrls};

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

/// An item and where it ends, the encoding found with it, and its warnings.
type ItemRead = (io::Result<Option<(Item, u64)>>, Option<TextEncoding>, Vec<Warned>);

/// Reads one item ahead, because the last one may be a line that is still being written.
pub(super) struct Ahead<R> {
    pub(super) content: Content<R>,
    next: Option<ItemRead>,
    /// The encoding found up to the item taken last: a line that is still being written decides nothing.
    pub(super) encoding: Option<TextEncoding>,
    /// The warnings of that item.
    odd: Vec<Warned>,
    /// The warnings of the chunk's items.
    warnings: Vec<Warned>,
}

impl<R: BufRead> Ahead<R> {
    pub(super) fn new(content: Content<R>, encoding: Option<TextEncoding>) -> Self {
        Self { content, next: None, encoding, odd: Vec::new(), warnings: Vec::new() }
    }

    fn read(&mut self) -> ItemRead {
        let item = self.content.next_item();
        (item, self.content.encoding(), self.content.take_warnings())
    }

    /// The item taken last belongs to the chunk: keeps its warnings.
    pub(super) fn keep_warnings(&mut self) {
        for new in self.odd.drain(..) {
            let same = |known: &&mut Warned| known.warning == new.warning && known.found == new.found;
            match self.warnings.iter_mut().find(same) {
                Some(known) => known.lines += new.lines,
                None => self.warnings.push(new),
            }
        }
    }

    /// Takes the next item, where it ends, and whether it is the last.
    pub(super) fn take(&mut self) -> io::Result<Option<(Item, u64, bool)>> {
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
pub(super) struct ChunkBuilder {
    pub(super) chunk: Chunk,
    reasons: HashMap<LineFault, u64>,
    /// All lines, also blank ones, so that a file of comments moves its mark too.
    lines: u64,
    /// The last keys: neighbouring lines often share them.
    keys: Option<Arc<Keys>>,
    /// Bytes that the chunk's distinct keys take.
    keys_bytes: usize,
}

impl ChunkBuilder {
    pub(super) fn at(mark: u64, encoding: Option<TextEncoding>, empty: NewUrls) -> Self {
        let progress = ChunkRead { from_bytes: mark, read_bytes: mark, encoding, ..ChunkRead::default() };
        Self { chunk: Chunk { urls: empty, progress }, reasons: HashMap::new(), lines: 0, keys: None, keys_bytes: 0 }
    }

    pub(super) fn is_full(&self, read: u64, lines_max: u64, report: &Report) -> bool {
        let lines_max = lines_max.min(if read > LARGE_LINES { CHUNK_LINES_MAX_OF_LARGE } else { CHUNK_LINES_MAX });
        let bytes = (self.chunk.urls.text_bytes() + report.unwritten.len() + self.keys_bytes) / LINE_BYTES;
        self.lines.max(bytes as u64) >= lines_max
    }

    pub(super) fn add(&mut self, item: Item, ends_at: u64, encoding: Option<TextEncoding>, report: &mut Report) {
        self.lines += 1;
        self.chunk.progress.read_bytes = ends_at;
        self.chunk.progress.encoding = encoding;
        match item {
            Item::Nothing => return,
            Item::Url { line, url, action, keys } => {
                let keys = keys.map(|keys| self.shared(keys));
                self.chunk.urls.push(line, &url, action, keys);
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
    pub(super) fn finish<R: BufRead>(mut self, content: &mut Ahead<R>, report: &mut Report) -> io::Result<Chunk> {
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
pub(super) struct Report {
    path: PathBuf,
    file: Option<File>,
    length: u64,
    unwritten: Vec<u8>,
}

impl Report {
    /// Cuts off what was written after the last commit.
    pub(super) fn resume(path: &Path, length: u64) -> io::Result<Self> {
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
