//! Guards the database. Each second it checks whether others have committed something, such as `prefetchd pause`, and
//! then wakes the stages; and whether the file is still the one that was opened. If it is not, the stages end, what the
//! database held is written beside it, and the process stays until it is stopped: what was committed lives only as long
//! as the process has the file open.
//!
//! Only this wakes an idle daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::systemd;
use crate::clock::Clock;
use crate::stage::{Heartbeat, Wakes};
use crate::store::{DatabaseState, Guard, Store};
use crate::telemetry::one_line;

/// How often it checks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it tries again to write the copy.
const COPY_AGAIN: Duration = Duration::from_secs(10);

/// How often a daemon without a database gives its sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// The guardian.
#[derive(Debug)]
pub(super) struct Guardian {
    pub(super) store: Arc<Store>,
    pub(super) guard: Guard,
    pub(super) clock: Clock,
    pub(super) heartbeat: Heartbeat,
    /// Rung when others have committed something.
    pub(super) wakes: Wakes,
    /// Cancelled to end the stages.
    pub(super) work: CancellationToken,
    /// Where the copy is written if it cannot be beside the database.
    pub(super) spool: PathBuf,
}

impl Guardian {
    /// Guards until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return self.guard.close().await,
                () = self.guard.lost() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match self.guard.look().await {
                DatabaseState::Same => {}
                DatabaseState::Changed => self.wakes.all(),
                DatabaseState::Lost => break,
            }
        }
        self.work.cancel();
        self.say();
        self.rescue(&shutdown).await;
        while !shutdown.is_cancelled() {
            self.say();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(BEAT_EVERY) => {}
            }
        }
        self.guard.leave_open();
    }

    /// Copies what the database held, and tries until that succeeds. When the daemon is stopped it tries once more.
    async fn rescue(&mut self, shutdown: &CancellationToken) {
        let why = self.store.lost().map(|lost| lost.loss.to_string());
        error!(why, "the database is lost: nothing is taken and nothing is sent; what it held is copied");
        let stamp = self.clock.now().format("%Y%m%dT%H%M%SZ").to_string();
        let mut told = String::new();
        loop {
            let is_last = shutdown.is_cancelled();
            match self.guard.rescue(&stamp, std::slice::from_ref(&self.spool)).await {
                Ok(copy) => {
                    info!(
                        copy = %copy.display(),
                        "what the lost database held is copied; `prefetchd status` says how to put it back"
                    );
                    return self.say();
                }
                Err(why) if told != why => {
                    let why = one_line(&why);
                    error!(
                        why,
                        "what the lost database held cannot be copied; do not stop the daemon: it has the last copy"
                    );
                    told = why;
                }
                Err(_) => {}
            }
            self.say();
            if is_last {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(COPY_AGAIN) => {}
            }
        }
    }

    fn say(&self) {
        if let Some(lost) = self.store.lost() {
            self.heartbeat.lost(&lost);
            systemd::status(&one_line(&lost.to_string()));
        }
    }
}
