//! What a reload changes in the worker.

use super::worker::Submitter;
use crate::config::Config;
use crate::schedule::Policy;
use crate::service::PrefetchOptions;
use crate::settings::Settings;

impl Submitter {
    /// Takes over what was read afresh. What it has learned of the account stays.
    pub(super) fn apply(&mut self, settings: &Settings) {
        let config = &settings.config;
        self.policy = Policy::from(config);
        self.options = options(config);
        self.service.apply(config);
        self.attempts_max = config.retry.attempts_max.get();
        self.in_doubt = config.budget.in_doubt;
        self.in_doubt_wait = config.budget.in_doubt_wait.get();
    }
}

/// What every batch is sent with.
pub(super) fn options(config: &Config) -> PrefetchOptions {
    PrefetchOptions {
        area: config.api.area,
        l2_preload: config.api.l2_preload,
        with_header: config.api.with_header.clone(),
    }
}
