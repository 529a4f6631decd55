//! Signals: TERM and INT stop the daemon in order, and a second one ends the process at once; HUP reloads; USR1 logs
//! the state.

use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::exit;

/// What signals ask for. A signal that comes while its action is running causes one more run after it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Cancelled to stop.
    pub(super) shutdown: CancellationToken,
    /// Rung to reload the configuration.
    pub(super) reload: Arc<Notify>,
    /// Rung to log the state.
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
