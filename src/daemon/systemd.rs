//! What systemd is told: readiness, a reload, the stop, and in words what the daemon does.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::error;

/// systemd's watchdog, if it is set for this process: it has to be fed more often than this.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|every| !every.is_zero())
}

/// Whether anybody listens.
pub(super) fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The daemon works.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read afresh; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => error!(%error, "systemd could not be told of the reload: the clock cannot be read"),
    }
}

/// The daemon stops.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: what is in flight is finished first")]);
}

/// Every stage has moved.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// What the daemon does, in words.
pub(super) fn status(words: &str) {
    tell(&[NotifyState::Status(words)]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        error!(%error, "systemd could not be notified");
    }
}
