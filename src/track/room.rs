//! Connects a batch that waits for room in the service's queue with the tracker, which sees room appear: two bells, and
//! whether anybody waits. Nothing is stored: after a restart the submitter waits again and says so.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Who waits for room, and who makes it.
#[derive(Debug, Default)]
pub struct Room {
    is_wanted: AtomicBool,
    wanted: Notify,
    made: Notify,
}

impl Room {
    /// Sets whether a batch waits for room.
    pub fn want(&self, is_wanted: bool) {
        if !self.is_wanted.swap(is_wanted, Ordering::Relaxed) && is_wanted {
            self.wanted.notify_one();
        }
    }

    /// Whether a batch waits for room.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Resolves when a batch begins to wait.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// URLs were seen to end: wakes whoever waits for room.
    pub fn make(&self) {
        if self.is_wanted() {
            self.made.notify_one();
        }
    }

    /// Resolves when there may be room.
    pub async fn made(&self) {
        self.made.notified().await;
    }
}
