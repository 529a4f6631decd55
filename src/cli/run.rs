//! `prefetchd run`

use std::path::Path;

use super::{load, runtime};
use crate::credentials::Credentials;
use crate::{daemon, telemetry};

pub(super) fn main(config: Option<&Path>) -> anyhow::Result<i32> {
    telemetry::init();
    let (config, path) = load(config)?;
    let credentials = Credentials::load()?;
    match path {
        Some(path) => tracing::info!(path = %path.display(), "configuration read"),
        None => tracing::info!("no configuration found; the built-in defaults hold"),
    }
    runtime()?.block_on(daemon::run(&config, credentials))?;
    Ok(0)
}
