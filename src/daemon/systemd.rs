//! Messages to systemd: ready, reloading, stopping, and the daemon's state as text.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::error;

/// The period of systemd's watchdog, if it is set for this process: it must be fed more often than this.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|every| !every.is_zero())
}

/// Whether systemd listens.
pub(super) fn listens() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The daemon is ready.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The start goes on: it may take so much longer.
pub(super) fn still_starting(longer: Duration) {
    let longer = u32::try_from(longer.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(longer), NotifyState::Status("starting: the database is being opened")]);
}

/// The configuration is being reloaded; [`ready`] ends this.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => error!(%error, "systemd could not be told of the reload: the clock cannot be read"),
    }
}

/// The daemon is stopping.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: what is in flight is finished first")]);
}

/// Feeds the watchdog: every stage has moved.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The daemon's state as text.
pub(super) fn status(words: &str) {
    tell(&[NotifyState::Status(words)]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        error!(%error, "systemd could not be notified");
    }
}
