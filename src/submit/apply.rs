//! What a reload changes in the worker.

use super::worker::Submitter;
use crate::config::Config;
use crate::schedule::Policy;
use crate::service::PreloadOptions;
use crate::settings::Settings;

impl Submitter {
    /// Takes over what was read afresh. What it has learned of the account stays.
    pub(super) fn apply(&mut self, settings: &Settings) {
        let config = &settings.config;
        self.policy = Policy::from(config);
        self.options = options(config);
        self.client = settings.client.clone();
        self.attempts_max = config.retry.attempts_max.get();
        self.in_doubt = config.budget.in_doubt;
        self.in_doubt_wait = config.budget.in_doubt_wait.get();
        self.call_timeout = config.api.timeout.get();
        self.pace.set_max(f64::from(config.api.requests_per_second.get()));
    }
}

/// What every batch is sent with.
pub(super) fn options(config: &Config) -> PreloadOptions {
    PreloadOptions {
        area: config.api.area,
        l2_preload: config.api.l2_preload,
        with_header: config.api.with_header.clone(),
    }
}
