//! Which bytes of a file were read: their hash, for the receipt, and whether the file still begins with what was read
//! of it before.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::parts::Ending;
use crate::model::Fault;
use crate::queue::ReadBefore;

/// Size and time of change.
pub(super) type FileState = (u64, SystemTime);

/// Identifies what was read of a file, for its receipt.
pub(super) struct Identity {
    hash: Mutex<Sha256>,
    pub(super) bytes: Arc<AtomicU64>,
    last_byte: AtomicU8,
    /// The file's state when it was opened.
    seen: FileState,
    /// What was read of it before, and whether the file still begins like that, once that much was read.
    before: Option<ReadBefore>,
    is_as_before: Mutex<Option<bool>>,
}

impl Identity {
    pub(super) fn of(file: &File, before: Option<ReadBefore>) -> io::Result<Self> {
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
    pub(super) fn end(&self, left: u64, refused: Option<(u64, Fault)>, file: &File) -> io::Result<Ending> {
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
    pub(super) fn begins_as_before(&self, end: bool) -> bool {
        let known = *self.is_as_before.lock().expect("nobody panics with it");
        self.before.is_none() || known.unwrap_or(!end)
    }

    pub(super) fn has_changed(&self, file: &File) -> bool {
        state(file).is_ok_and(|now| now != self.seen)
    }

    /// Whether the last byte does not end a line. In UTF-16 it may be the second half of a line end.
    pub(super) fn has_open_tail(&self) -> bool {
        !matches!(self.last_byte.load(Ordering::Relaxed), b'\n' | b'\r' | 0)
    }
}

/// A file that may still grow. It is read as far as it went when it was opened, so that a file that grows for ever has
/// an end. Everything read is hashed, so that the receipt names the content that was read.
pub(super) struct Growing {
    pub(super) file: Arc<File>,
    /// Bytes left before that end.
    pub(super) left: u64,
    pub(super) identity: Arc<Identity>,
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
