//! `prefetchd status`

mod file;
mod file_page;
mod render;
mod watch;

use std::path::Path;

use super::layout::{Look, rows};
use super::text::out;
use super::{failure, load, runtime};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Held, Lock, lock_paths};
use crate::spool::Folders;
use crate::stage::Sign;
use crate::status::{Invocation, StatusReport, read_report};
use crate::{exit, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
With FILE, everything of the latest file that was dropped under that name: how it was read, what was refused and why,
warnings, progress, forecast, what is warm and when, and what the service said of failures.

Exit code: 0 well, 1 needs attention (of a file: some of it cannot become warm by itself, or will be late), 66 no such
file, 69 no daemon.

Examples:
  prefetchd status --watch
  prefetchd status premiere.txt --line 7")]
pub(super) struct StatusArgs {
    /// A file, by the name under which it was dropped [default: the whole]
    #[arg(conflicts_with_all = ["watch", "files"])]
    file: Option<std::path::PathBuf>,
    /// A file by its number (file_id), such as an earlier one of the same name
    #[arg(long, value_name = "FILE_ID", conflicts_with_all = ["file", "watch", "files"])]
    id: Option<i64>,
    /// What became of this line of the file
    #[arg(long, value_name = "N")]
    line: Option<u64>,
    /// As JSON, on docs/status.json.md; of a file, on docs/file.json.md
    #[arg(long)]
    json: bool,
    /// Draw it again every two seconds, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Files to show at most: those that wait, the most urgent first, then the latest [default: as many as fit]
    #[arg(long, value_name = "N")]
    files: Option<u32>,
}

pub(super) fn main(config: Option<&Path>, args: &StatusArgs) -> anyhow::Result<i32> {
    let (config, path) = load(config)?;
    let page = Page { config: &config, path: path.as_deref(), files: args.files };
    if args.file.is_some() || args.id.is_some() {
        return file::main(&config, path.as_deref(), args);
    }
    if args.line.is_some() {
        return Err(failure(exit::USAGE, crate::words::commands::LINE_WITHOUT_FILE));
    }
    let runtime = runtime()?;
    if args.watch {
        return watch::main(&runtime, &page);
    }
    let report = runtime.block_on(page.read())?;
    if args.json {
        out(&super::text::json(&report)?);
    } else {
        let look = Look::of_stdout(Clock::told(report.service_ahead_ms).now(), config.budget.day_starts);
        render::page(&report, &look).iter().for_each(|line| out(line));
    }
    Ok(code(&report))
}

/// What is asked for.
struct Page<'a> {
    config: &'a Config,
    /// The configuration's file, where one was read.
    path: Option<&'a Path>,
    files: Option<u32>,
}

/// Files that are read where nobody says how many are wanted and no terminal says how many fit.
const FILES: u32 = 10;

impl Page<'_> {
    /// Reads the whole report as of one moment. Where the daemon says that its database is lost, what stands in its
    /// place is not looked at.
    async fn read(&self) -> store::Result<StatusReport> {
        let (holder, sign) = daemon(self.config);
        let pid = match &holder {
            Held::By(pid) => pid.parse().ok(),
            Held::Free | Held::Unknown => None,
        };
        let by = Invocation::here(self.config, self.path, pid);
        if let Some(lost) = sign.as_ref().and_then(|sign| sign.lost.as_ref()) {
            let now = Clock::system().now();
            // One that was killed has left its copy, and nobody has put it back yet.
            let has_left = || lost.lost.copy.as_ref().is_some_and(|copy| copy.exists());
            if matches!(holder, Held::By(_)) || (holder == Held::Free && has_left()) {
                return Ok(StatusReport::lost(lost, self.config.database.url.file(), pid, now, &by));
            }
        }
        let is_running = match holder {
            Held::By(_) => Some(true),
            Held::Free => Some(false),
            Held::Unknown => None,
        };
        let mut conn = match store::open_reader_of(self.config).await {
            Err(error) if error.passes() && self.config.database.url.server().is_some() => {
                let now = Clock::system().now();
                return Ok(StatusReport::away(&error, self.config, (is_running, sign, pid), now, &by));
            }
            opened => opened?,
        };
        conn.hold_still().await?;
        let files = self.files.unwrap_or_else(|| rows().map_or(FILES, |rows| u32::from(rows).max(FILES)));
        let mut report = read_report(&mut conn, files).await?;
        let now = Clock::told(report.service_ahead_ms).now();
        report.complete(&mut conn, self.config, (is_running, sign), now).await?;
        let folders = Folders::under(&self.config.spool.dir);
        report.files_incoming = folders.count_waiting(report.reading_here());
        report.orders_waiting = folders.count_orders(Clock::system().now());
        report.list_needs(self.config, &by);
        Ok(report)
    }
}

/// The daemon that holds the database, and its sign of life. The lock beside the database may be lost with it; the same
/// daemon also holds the spool's.
pub(super) fn daemon(config: &Config) -> (Held, Option<Sign>) {
    let locks = lock_paths(config);
    let (Some(first), Some(spool)) = (locks.first(), locks.last()) else { return (Held::Free, None) };
    let found = Lock::held(first);
    let other = Sign::read(spool).filter(|sign| sign.lost.is_some());
    match (&found, other) {
        (Held::Free, Some(sign)) => (Lock::held(spool), Some(sign)),
        _ => (found, Sign::read(first)),
    }
}

fn code(report: &StatusReport) -> i32 {
    match () {
        () if !report.has_daemon() => exit::UNAVAILABLE,
        () if !report.needs.is_empty() => exit::ATTENTION,
        () => 0,
    }
}
