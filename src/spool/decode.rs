//! From the bytes of a file to UTF-8 text: gzip and zstd are unpacked, UTF-16 with a mark is decoded, a mark is dropped.
//! What a file unpacks to is bounded, so that a small one cannot keep the daemon busy for ever.

use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs_io::DecodeReaderBytesBuilder;

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes of text that are there at the first look.
pub(super) const HEAD_BYTES: u64 = 8 * 1024;

/// A file may unpack to so many bytes in any case ...
const UNPACKED_BYTES_FREE: u64 = 64 * 1024 * 1024;

/// ... and beyond that to so many times its own size.
const UNPACKED_FOLD_MAX: u64 = 200;

/// The largest window of zstd that is unpacked, as a power of two: what `zstd -19` uses, and four times that.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// What a file is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Nothing.
    Plain,
    /// gzip, perhaps several members.
    Gzip,
    /// Zstandard, perhaps several frames.
    Zstd,
}

impl Packing {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Text that comes out of a file.
pub(super) type Text = BufReader<Box<dyn Read + Send>>;

/// Opens the text of a file whose bytes `file` gives, and says what it is packed with. `bytes_read` counts what was read of
/// the file itself.
///
/// # Errors
///
/// What reading says.
pub(super) fn decode(file: impl Read + Send + 'static, bytes_read: Arc<AtomicU64>) -> io::Result<(Text, Packing)> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, file);
    let packing = Packing::of(raw.fill_buf()?);
    let bounded = |reader| Bounded { reader, given: 0, bytes_read };
    let unpacked: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(raw),
        Packing::Gzip => Box::new(bounded(Box::new(flate2::bufread::MultiGzDecoder::new(raw)) as Box<dyn Read + Send>)),
        Packing::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(bounded(Box::new(decoder) as Box<dyn Read + Send>))
        }
    };
    // UTF-8 passes as it is, good or bad: a bad line is refused by itself.
    let mut text =
        DecodeReaderBytesBuilder::new().utf8_passthru(true).strip_bom(true).bom_override(true).build(unpacked);
    // So much of it is seen at the first look.
    let mut head = Vec::new();
    text.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let text: Box<dyn Read + Send> = Box::new(io::Cursor::new(head).chain(text));
    Ok((BufReader::with_capacity(BUFFER_BYTES, text), packing))
}

/// Stops what unpacks to too much.
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
            let why = format!("it unpacks to more than {UNPACKED_FOLD_MAX} times its size");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(read)
    }
}
