//! The settings in force. A reload makes new ones; each stage takes them over between two steps, so that no step sees a
//! mixture.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;

/// The settings of a stage.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// The file it was read from; none for the built-in defaults.
    pub path: Option<PathBuf>,
}

/// Where a stage receives new settings.
pub type Live = watch::Receiver<Arc<Settings>>;

/// The new settings, if there are any since the last call.
pub(super) fn news(live: &mut Live) -> Option<Arc<Settings>> {
    match live.has_changed() {
        Ok(true) => Some(Arc::clone(&live.borrow_and_update())),
        // The reloader has ended: the daemon stops.
        Ok(false) | Err(_) => None,
    }
}
