//! `prefetchd status`

mod render;
mod watch;

use std::path::Path;

use sqlx::SqliteConnection;

use super::layout::Look;
use super::text::out;
use super::{load, runtime};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Held, Lock, lock_paths};
use crate::status::{Sign, StatusReport, read_report};
use crate::{exit, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 well, 1 needs attention, 69 no daemon.\n\nExample: prefetchd status --watch")]
pub(super) struct StatusArgs {
    /// As JSON, on docs/status.json.md
    #[arg(long)]
    json: bool,
    /// Draw it again every two seconds, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Files to show, the latest first
    #[arg(long, default_value_t = 10, value_name = "N")]
    files: u32,
}

pub(super) fn main(config: Option<&Path>, args: &StatusArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let runtime = runtime()?;
    if args.watch {
        return watch::main(&runtime, &config, args.files);
    }
    let report = runtime.block_on(async {
        let mut conn = store::open_reader(config.database.url.path()).await?;
        read(&mut conn, &config, args.files).await
    })?;
    if args.json {
        out(&super::text::json(&report)?);
    } else {
        let look = Look::of_stdout(Clock::told(report.service_ahead_ms).now(), config.budget.day_starts);
        render::page(&report, &look).iter().for_each(|line| out(line));
    }
    Ok(code(&report))
}

/// Reads the whole report as of one moment.
async fn read(conn: &mut SqliteConnection, config: &Config, files: u32) -> store::Result<StatusReport> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    let mut report = read_report(&mut tx, files).await?;
    let lock = &lock_paths(config)[0];
    let now = Clock::told(report.service_ahead_ms).now();
    report.complete(&mut tx, config, (is_running(lock), Sign::read(lock)), now).await?;
    tx.rollback().await?;
    Ok(report)
}

/// Whether a daemon holds the database; none if that cannot be seen from here.
fn is_running(lock: &Path) -> Option<bool> {
    match Lock::held(lock) {
        Held::By(_) => Some(true),
        Held::Free => Some(false),
        Held::Unknown => None,
    }
}

fn code(report: &StatusReport) -> i32 {
    match () {
        () if !report.has_daemon() => exit::UNAVAILABLE,
        () if !report.needs.is_empty() => exit::ATTENTION,
        () => 0,
    }
}
