//! What was read from the configuration and holds now. A reload makes new ones; each stage takes them over between two
//! steps, so that no step sees a mixture.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;

/// What a stage works by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
}

/// Where a stage hears of new ones.
pub type Live = watch::Receiver<Arc<Settings>>;

/// The new ones, if there are any since this was last asked.
pub(super) fn news(live: &mut Live) -> Option<Arc<Settings>> {
    match live.has_changed() {
        Ok(true) => Some(Arc::clone(&live.borrow_and_update())),
        // Nobody reloads any more: the daemon stops.
        Ok(false) | Err(_) => None,
    }
}
