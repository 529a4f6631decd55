//! Decodes the bytes of a file into text: takes off the options of `prefetchd add`, unpacks gzip and zstd, decodes
//! UTF-16 that has a byte order mark, and drops the mark. The unpacked size is bounded, so that a small file cannot
//! keep the daemon busy for ever.

use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use encoding_rs_io::DecodeReaderBytesBuilder;

use super::envelope::{self, Options};
use super::members::{Kind, Members};
use super::unreadable::Unreadable;
use super::zstd_window::window_mib;
use crate::model::InputFault;

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes of text that the first look at a file reads.
pub(super) const HEAD_BYTES: u64 = 8 * 1024;

/// A file may always unpack to this many bytes ...
const UNPACKED_BYTES_FREE: u64 = 64 * 1024 * 1024;

/// ... and beyond that to this many times its own size.
const UNPACKED_FOLD_MAX: u64 = 200;

/// The largest zstd window that is unpacked, as a power of two: four times what `zstd -19` uses. A larger one (`--long`
/// asks for 128 MiB) would take more memory than the daemon may have.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not packed.
    Plain,
    /// gzip, perhaps several members.
    Gzip,
    /// Zstandard, perhaps several frames, skippable ones among them.
    Zstd,
}

impl Packing {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Whether these first bytes belong to a packed file.
pub(super) fn is_packed(start: &[u8]) -> bool {
    Packing::of(start) != Packing::Plain
}

/// The decoded text of a file.
pub(super) type Text = BufReader<Box<dyn Read + Send>>;

/// The text of a file, and what is known about it before a line is read.
pub(super) struct Decoded {
    pub(super) text: Text,
    /// The options given to `prefetchd add`.
    pub(super) options: Options,
    pub(super) source: Source,
}

/// Where a file's text comes from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    packing: Packing,
    /// The window of the first zstd frame, if the file is zstd.
    window_mib: Option<u64>,
    /// Whether something else follows the packed data; known at the end of the file.
    trailing: Arc<AtomicBool>,
}

impl Source {
    /// Whether the file is stored as plain text.
    pub(super) fn is_plain(&self) -> bool {
        self.packing == Packing::Plain
    }

    /// Whether something else was found after the packed data.
    pub(super) fn has_trailing(&self) -> bool {
        self.trailing.load(Ordering::Relaxed)
    }

    /// Turns a read error into a fault, after `line` whole lines of text. In a packed file an error that is not the
    /// disk's means damaged content.
    pub(super) fn fault(&self, error: io::Error, line: u64) -> Unreadable {
        if self.is_plain() || error.raw_os_error().is_some() {
            return Unreadable::Io(error);
        }
        let is_bomb = error.get_ref().is_some_and(|inner| inner.is::<UnpacksTooFar>());
        Unreadable::NotUrls(if is_bomb {
            InputFault::Bomb { fold: UNPACKED_FOLD_MAX }
        } else if self.packing == Packing::Zstd && error.to_string().contains("too much memory") {
            let most = 1 << (ZSTD_WINDOW_LOG_MAX - 20);
            InputFault::Window { mib: self.window_mib.filter(|mib| *mib > most) }
        } else {
            InputFault::Damaged { packing: self.packing.name(), line, why: error.to_string() }
        })
    }
}

/// Opens the text of a file whose bytes come from `file`. `bytes_read` counts the bytes read of the file itself. Damage
/// further on shows as an error when the text reaches it.
///
/// # Errors
///
/// A file that cannot be read, or options that `prefetchd add` cannot have written.
pub(super) fn decode(file: impl Read + Send + 'static, bytes_read: Arc<AtomicU64>) -> Result<Decoded, Unreadable> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, file);
    let options = envelope::take(&mut raw)?;
    let start = raw.fill_buf()?;
    let packing = Packing::of(start);
    let window_mib = window_mib(start).filter(|_| packing == Packing::Zstd);
    let trailing = Arc::default();
    let source = Source { packing, window_mib, trailing: Arc::clone(&trailing) };
    let bounded = |reader: Box<dyn Read + Send>| Bounded { reader, given: 0, bytes_read };
    let unpacked: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(raw),
        Packing::Gzip => Box::new(bounded(Box::new(Members::new(Kind::Gzip, raw, trailing)?))),
        Packing::Zstd => {
            let kind = Kind::Zstd { window_log_max: ZSTD_WINDOW_LOG_MAX };
            Box::new(bounded(Box::new(Members::new(kind, raw, trailing)?)))
        }
    };
    // UTF-8 passes unchanged, good or bad: each bad line is refused by itself.
    let mut text =
        DecodeReaderBytesBuilder::new().utf8_passthru(true).strip_bom(true).bom_override(true).build(unpacked);
    // The first look reads this much. Damage behind it becomes an error behind it.
    let mut head = Vec::new();
    let failed = match text.by_ref().take(HEAD_BYTES).read_to_end(&mut head) {
        Ok(_) => None,
        Err(error) if error.raw_os_error().is_some() => return Err(error.into()),
        Err(error) => Some(error),
    };
    let text: Box<dyn Read + Send> = match failed {
        None => Box::new(io::Cursor::new(head).chain(text)),
        Some(error) => Box::new(io::Cursor::new(head).chain(Fails(Some(error)))),
    };
    Ok(Decoded { text: BufReader::with_capacity(BUFFER_BYTES, text), options, source })
}

/// A reader that fails once.
struct Fails(Option<io::Error>);

impl Read for Fails {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// The file unpacks to more than is allowed.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {UNPACKED_FOLD_MAX} times its size")]
struct UnpacksTooFar;

/// Stops a file that unpacks to too much.
struct Bounded<R> {
    reader: R,
    given: u64,
    bytes_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.given += read as u64;
        let most = self.bytes_read.load(Ordering::Relaxed).saturating_mul(UNPACKED_FOLD_MAX).max(UNPACKED_BYTES_FREE);
        if self.given > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, UnpacksTooFar));
        }
        Ok(read)
    }
}
