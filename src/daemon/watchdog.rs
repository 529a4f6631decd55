//! Checks that every stage moves within the time it announced plus one period of the watchdog, and feeds systemd's
//! watchdog, if one is set, only as long as all of them do. Otherwise systemd ends the daemon and starts it again, by
//! which nothing is lost.
//!
//! It runs on a thread of its own, so that it can notice a runtime that hangs.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::systemd;
use crate::stage::{Heartbeat, Name, Pulse, Stage, Then, Tools};
use crate::store::{self, Store};

/// How many checks it makes within the time by which a stage may be late.
const LOOKS: u32 = 3;

/// Checks until this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    _stop: mpsc::Sender<()>,
}

/// Starts to check. Once the database is lost (`lost`) nothing is expected to move: the stages have ended, and a
/// restart would lose what it held.
pub(super) fn keep(has_watchdog: bool, heartbeat: Heartbeat, lost: CancellationToken) -> io::Result<Keeper> {
    let (stop, stopped) = mpsc::channel();
    let runtime = Handle::current();
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut hanging: Option<Name> = None;
        while stopped.recv_timeout(heartbeat.grace() / LOOKS) == Err(RecvTimeoutError::Timeout) {
            let late = if lost.is_cancelled() { None } else { heartbeat.late().first().map(|late| late.name) };
            if let Some(stage) = late {
                // A hanging thread of the runtime may be the one that waits for time and sockets; another thread takes
                // that over when it gets something to do.
                drop(runtime.spawn(std::future::ready(())));
                heartbeat.tell();
                if hanging != late {
                    say(stage, has_watchdog);
                }
            } else {
                systemd::alive();
            }
            hanging = late;
        }
    })?;
    Ok(Keeper { _stop: stop })
}

fn say(stage: Name, has_watchdog: bool) {
    let stage = <&str>::from(stage);
    if has_watchdog {
        error!(stage, "a stage hangs: the watchdog is not fed any more, and systemd restarts the daemon");
    } else {
        error!(stage, "a stage hangs: restart the daemon");
    }
}

/// The stage that takes the write lock now and then, to notice a database that hangs. An answer that it is locked or
/// full is no hang.
#[derive(Debug)]
pub(super) struct Prober {
    store: Arc<Store>,
    pulse: Pulse,
    period: Duration,
}

impl Prober {
    /// For a watchdog of this period.
    pub(super) fn new(tools: Tools, period: Duration) -> Self {
        Self { store: tools.store, pulse: tools.pulse, period }
    }
}

impl Stage for Prober {
    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn advance(&mut self) -> store::Result<Then> {
        if let Ok(tx) = self.store.write().await {
            let _ = tx.roll_back().await;
        }
        Ok(Then::Wait(self.period / LOOKS))
    }
}
