//! Looks whether every stage moves, and keeps systemd's watchdog, where one is set, fed only while they do: within the
//! time that each asked for, and one period of the watchdog more. Then systemd ends the daemon and starts it anew, and
//! nothing is lost by that.
//!
//! It runs on a thread of its own, so that a runtime that hangs cannot keep it from seeing just that.

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

/// Looked so many times in the time by which a stage may be late.
const LOOKS: u32 = 3;

/// Looks until this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    _stop: mpsc::Sender<()>,
}

/// Starts to look. Once the database is lost (`lost`) nobody is expected to move: the stages have ended then, and a
/// restart would lose what it held.
pub(super) fn keep(has_watchdog: bool, heartbeat: Heartbeat, lost: CancellationToken) -> io::Result<Keeper> {
    let (stop, stopped) = mpsc::channel();
    let runtime = Handle::current();
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut hanging: Option<Name> = None;
        while stopped.recv_timeout(heartbeat.grace() / LOOKS) == Err(RecvTimeoutError::Timeout) {
            let late = if lost.is_cancelled() { None } else { heartbeat.late().first().map(|late| late.name) };
            if let Some(stage) = late {
                // A thread of the runtime that hangs may be the one that waits for time and sockets: another one takes
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

/// The stage that takes the write lock now and then, so that a database that hangs is noticed. One that answers that it
/// is locked or full does not hang.
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
