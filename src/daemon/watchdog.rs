//! The watchdog's keeper. It feeds only while every stage has moved within the time that it asked for and one period
//! of the watchdog more; then systemd ends the daemon and starts it anew, and nothing is lost by that.
//!
//! It runs on a thread of its own, so that a runtime that hangs cannot keep it from seeing just that.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::error;

use super::systemd;
use crate::pulse::Pulse;
use crate::store::Store;

/// Fed so many times a period.
const FEEDS: u32 = 3;

/// Feeds until this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    _stop: mpsc::Sender<()>,
}

/// Starts to feed a watchdog of this period while these stages move, and once the database is lost: the stages have
/// ended then, and a restart would lose what it held.
pub(super) fn keep(
    period: Duration,
    stages: Vec<(&'static str, Pulse)>,
    lost: CancellationToken,
) -> io::Result<Keeper> {
    let (stop, stopped) = mpsc::channel();
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut hanging = None;
        while stopped.recv_timeout(period / FEEDS) == Err(RecvTimeoutError::Timeout) {
            let now = Instant::now();
            let late = if lost.is_cancelled() { None } else { first_late(&stages, period, now) };
            if late.is_none() {
                systemd::alive();
            } else if hanging != late {
                error!(
                    stage = late,
                    "a stage hangs: the watchdog is not fed any more, and systemd restarts the daemon"
                );
            }
            hanging = late;
        }
    })?;
    Ok(Keeper { _stop: stop })
}

/// The first stage that should have moved more than `grace` ago.
fn first_late(stages: &[(&'static str, Pulse)], grace: Duration, now: Instant) -> Option<&'static str> {
    stages.iter().find(|(_, pulse)| pulse.overdue(now) > grace).map(|(name, _)| *name)
}

/// Takes the write lock now and then, so that a database that hangs is noticed. One that answers that it is locked or
/// full does not hang.
pub(super) async fn try_database(store: Arc<Store>, pulse: Pulse, period: Duration, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        pulse.beat();
        if let Ok(tx) = store.write().await {
            let _ = tx.roll_back().await;
        }
        pulse.away(period / FEEDS);
        tokio::select! {
            () = tokio::time::sleep(period / FEEDS) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stage_that_does_not_move_is_named() {
        let (spool, submitter) = (Pulse::default(), Pulse::default());
        submitter.away(Duration::from_secs(30));
        let stages = [("spool", spool.clone()), ("submitter", submitter)];
        let (grace, now) = (Duration::from_secs(10), Instant::now());
        assert_eq!(first_late(&stages, grace, now), None);
        assert_eq!(first_late(&stages, grace, now + Duration::from_secs(20)), Some("spool"));
        spool.away(Duration::from_secs(60));
        assert_eq!(first_late(&stages, grace, now + Duration::from_secs(20)), None);
        assert_eq!(first_late(&stages, grace, now + Duration::from_secs(50)), Some("submitter"));
    }
}
