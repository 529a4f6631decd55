//! TERM and INT: the first drains, the second ends the process at once.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::exit;

/// Listens on a thread of its own.
pub(super) fn listen(shutdown: CancellationToken) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if shutdown.is_cancelled() {
                warn!("asked to stop a second time: ending at once; what is in flight is found at the next start");
                std::process::exit(exit::TEMPORARY);
            }
            shutdown.cancel();
        }
    })?;
    Ok(())
}
