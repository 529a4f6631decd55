//! What the reading side of an ingest hands to the committing side, and the channel between them.

use std::io;

use tokio::sync::mpsc;

use super::identity::FileState;
use crate::model::{Fault, InputFault, Keys};
use crate::queue::{ChunkRead, NewUrls};

/// Chunks that exist at a time: one is read while another is committed. With their size this bounds the memory.
const CHUNKS: usize = 2;

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
    pub(super) sender: mpsc::Sender<Part>,
    /// None: a part that finds no room ends the reading, because nobody makes room.
    pub(super) emptied: Option<std::sync::mpsc::Receiver<NewUrls>>,
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
    pub(super) fn send(&self, part: Part) -> bool {
        if self.emptied.is_some() {
            self.sender.blocking_send(part).is_ok()
        } else {
            self.sender.try_send(part).is_ok()
        }
    }

    /// Waits for an emptied chunk to reuse; none if nobody listens any more.
    pub(super) fn empty(&self) -> Option<NewUrls> {
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
