//! How the stage waits for a database that cannot be used.

use std::time::Duration;

use tracing::{info, warn};

use crate::meters::{self, Stage};
use crate::store;

/// Waits between tries when the database cannot be written: from this, doubling, up to `STORE_RETRY_MAX`.
const STORE_RETRY_MIN: Duration = Duration::from_millis(500);
const STORE_RETRY_MAX: Duration = Duration::from_secs(30);

/// Spaces the tries when the database fails, and logs each failure once.
#[derive(Debug, Default)]
pub(super) struct StoreWait {
    pub(super) failures: u32,
}

impl StoreWait {
    /// It failed once more; gives how long to wait.
    pub(super) fn failed(&mut self, error: &store::Error) -> Duration {
        meters::moved(Stage::Submitter);
        if self.failures == 0 {
            warn!(%error, "the database cannot be used; nothing is sent meanwhile, and it is tried again");
        }
        let wait = STORE_RETRY_MIN.saturating_mul(2_u32.saturating_pow(self.failures)).min(STORE_RETRY_MAX);
        self.failures += 1;
        wait
    }

    /// It works.
    pub(super) fn over(&mut self) {
        if self.failures > 0 {
            info!("the database can be used again");
            self.failures = 0;
        }
    }
}
