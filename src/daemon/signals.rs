//! Signals: TERM and INT drain, a second one ends the process at once; HUP reloads; USR1 logs the state.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::exit;

/// What was asked for. One that comes while the same is being done is done after it, once.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// To stop.
    pub(super) shutdown: CancellationToken,
    /// To read the configuration afresh.
    pub(super) reload: Arc<Notify>,
    /// To log the state.
    pub(super) state: Arc<Notify>,
}

/// Listens on a thread of its own.
pub(super) fn listen(asked: Asked) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => asked.reload.notify_one(),
                SIGUSR1 => asked.state.notify_one(),
                _ if asked.shutdown.is_cancelled() => {
                    warn!("asked to stop a second time: ending at once; what is in flight is found at the next start");
                    std::process::exit(exit::TEMPORARY);
                }
                _ => asked.shutdown.cancel(),
            }
        }
    })?;
    Ok(())
}
