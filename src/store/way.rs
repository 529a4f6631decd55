//! Lets an urgent writer go before one that writes much. The lock is fair already, but a stage that is still reading
//! what to write has not asked for it, and would find a large transaction in front of each of its small ones.

use std::time::Duration;

use tokio::sync::watch;

/// Longest wait of a large writer for the urgent one, which may have no reason to write after all.
const WAIT_MAX: Duration = Duration::from_millis(400);

/// Whether an urgent writer is expected.
#[derive(Debug)]
pub(super) struct Way(watch::Sender<bool>);

impl Default for Way {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl super::Store {
    /// Something urgent was committed: whoever must write because of it goes first.
    pub fn ask_way(&self) {
        self.db.way.0.send_replace(true);
    }

    /// The urgent writer has begun to write, or has no reason to.
    pub fn way_is_taken(&self) {
        self.db.way.0.send_if_modified(std::mem::take);
    }

    /// Waits before a large write, for a bounded time, until no urgent writer is expected.
    pub async fn give_way(&self) {
        let mut asked = self.db.way.0.subscribe();
        if tokio::time::timeout(WAIT_MAX, asked.wait_for(|asked| !*asked)).await.is_err() {
            self.way_is_taken();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::super::Store;

    async fn is_ready(future: Pin<&mut impl Future<Output = ()>>) -> bool {
        tokio::select! {
            biased;
            () = future => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn much_is_written_after_what_is_urgent_and_never_waits_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a.db")).await.unwrap();
        store.give_way().await;
        store.ask_way();
        let large = store.give_way();
        tokio::pin!(large);
        assert!(!is_ready(large.as_mut()).await);
        store.way_is_taken();
        large.await;
        store.ask_way();
        store.give_way().await;
        assert!(is_ready(std::pin::pin!(store.give_way())).await);
    }
}
