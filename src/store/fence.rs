//! The lease of a host that leads, as far as writing is concerned: its number, and until when the host acts on it.
//!
//! A [`super::Store`] under a fence writes only while the lease of that number is the one in the table `leader`. So
//! what a stage of the leader writes is refused once another host has taken the lease, whatever that stage believes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A lease that this process holds or has held; clones share it.
#[derive(Debug, Clone)]
pub struct Fence(Arc<Held>);

#[derive(Debug)]
struct Held {
    number: i64,
    /// The history of the server in which it was taken or adopted.
    epoch: String,
    /// By the boot-time clock, in milliseconds.
    acts_until: AtomicU64,
    over: CancellationToken,
}

impl Fence {
    /// The lease of this number in this history of the server: another history may give the number anew. Its holder
    /// acts until `acts_until`, by the boot-time clock, or until `over` is cancelled.
    pub fn new(number: i64, epoch: &str, acts_until: Duration, over: CancellationToken) -> Self {
        let epoch = epoch.to_owned();
        Self(Arc::new(Held { number, epoch, acts_until: AtomicU64::new(millis(acts_until)), over }))
    }

    /// Its number: one more than that of the lease before.
    pub fn number(&self) -> i64 {
        self.0.number
    }

    pub(super) fn epoch(&self) -> &str {
        &self.0.epoch
    }

    /// The lease was renewed: its holder acts until then. A lease that is over stays over.
    pub fn extend(&self, acts_until: Duration) {
        self.0.acts_until.fetch_max(millis(acts_until), Ordering::SeqCst);
    }

    /// Whether its holder may act at `now`, by the boot-time clock. If not, the lease is over from then on.
    pub fn acts(&self, now: Duration) -> bool {
        if millis(now) >= self.0.acts_until.load(Ordering::SeqCst) {
            self.end();
        }
        !self.0.over.is_cancelled()
    }

    /// Nothing is done under it any more.
    pub fn end(&self) {
        self.0.over.cancel();
    }

    /// Cancelled once it is over.
    pub fn over(&self) -> &CancellationToken {
        &self.0.over
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_was_not_renewed_in_time_is_over_for_good() {
        let seconds = Duration::from_secs;
        let fence = Fence::new(7, "1-00000001", seconds(10), CancellationToken::new());
        assert!(fence.acts(seconds(9)));
        fence.extend(seconds(15));
        fence.extend(seconds(12));
        assert!(fence.acts(seconds(14)) && !fence.acts(seconds(15)));
        fence.extend(seconds(30));
        assert!(!fence.acts(seconds(16)) && fence.over().is_cancelled());
    }
}
