//! `prefetchd run`

use std::path::Path;

use super::{failure, load, runtime};
use crate::daemon::Start;
use crate::{credentials, daemon, exit, telemetry};

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Run as root all the same; the files that the daemon makes then belong to root
    #[arg(long)]
    allow_root: bool,
}

pub(super) fn main(config: Option<&Path>, args: &RunArgs) -> anyhow::Result<i32> {
    share_freed_memory();
    if rustix::process::geteuid().is_root() && !args.allow_root {
        return Err(failure(exit::CONFIG, crate::words::commands::AS_ROOT));
    }
    let (config, path) = load(config)?;
    let volume = telemetry::init(&config.log);
    let key = credentials::prepare(&config)?;
    match &path {
        Some(path) => tracing::info!(path = %path.display(), credentials = %key.source(), "configuration read"),
        None => tracing::info!(credentials = %key.source(), "no configuration found; the built-in defaults apply"),
    }
    runtime()?.block_on(daemon::run(Start { config, path, key, volume }))?;
    Ok(0)
}

/// Keeps all threads on one arena of glibc's allocator. It gives each thread an arena of its own, and what was freed in
/// one is of no use to the others: a daemon that reads file after file had 100 MB where 62 are enough. Call it
/// before there is a second thread.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc has no other way to be told")]
fn share_freed_memory() {
    // SAFETY: it takes two numbers, and this is the only thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(target_env = "gnu"))]
fn share_freed_memory() {}
