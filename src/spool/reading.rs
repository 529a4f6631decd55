//! The reading side of an ingest, on a thread of its own: splits the text into lines, checks them and hands them over
//! in chunks, with the report of refused lines and the hash of what was read.

use std::fs::File;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::chunk::{Ahead, ChunkBuilder, Report};
use super::content::Content;
use super::decode::{Decoded, Source, decode};
use super::format::{Format, Item};
use super::identity::{Growing, Identity};
use super::parts::{Chunk, Ending, Part, Parts};
use super::rules::ReadRules;
use super::unreadable::Unreadable;
use crate::model::{InputFault, TextEncoding, Warned, Warning};
use crate::queue::{ChunkRead, NewUrls, ReadBefore};

/// Most parts of a file that is read in one go: its keys and its end.
const SMALL_PARTS_MAX: usize = 2;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Most lines of a file that is read together with others: a small file may unpack to many.
pub(super) const SMALL_LINES_MAX: u64 = 2_500;

/// Lines per chunk of a file that overtook another one, which keeps its memory.
pub(super) const CHUNK_LINES_OF_PASSING: u64 = 20_000;

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
        let last = last_chunk(chunk, &mut content, &mut report, &source)?;
        Ok(Some(Part::Last(last, ending)))
    }

    /// Whether the last line is left for a later reading.
    fn leaves_tail(&self, identity: &Identity, file: &File) -> bool {
        identity.has_open_tail() && (!self.is_whole || identity.has_changed(file))
    }
}

/// Ends the last chunk of a file.
fn last_chunk<R: BufRead>(
    chunk: ChunkBuilder,
    content: &mut Ahead<R>,
    report: &mut Report,
    source: &Source,
) -> io::Result<Chunk> {
    let mut last = chunk.finish(content, report)?;
    if source.has_trailing() {
        last.progress.warnings.push(Warned::new(Warning::Trailing, 0, ""));
    }
    Ok(last)
}
