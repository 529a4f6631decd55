//! `prefetchd demo`: the whole pipeline on sandbox data. Sandbox and daemon are separate processes, the same that an
//! operator runs. The demo only drops files, reads the database, and compares it with the sandbox's account.

mod playground;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::text::{number, out};
use super::{failure, runtime};
use crate::exit;
use crate::status::{StatusReport, read_report};
use crate::store;
use playground::Playground;

/// The files that are dropped.
const SAMPLES: [(&str, &[u8]); 3] = [
    ("premiere.txt", include_bytes!("../../../examples/premiere.txt")),
    ("catalogue-with-bad-lines.txt", include_bytes!("../../../examples/catalogue-with-bad-lines.txt")),
    ("nightly-with-duplicates.txt", include_bytes!("../../../examples/nightly-with-duplicates.txt")),
];

/// The demo gives up after this.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often to look at the database.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd demo --keep /tmp/prefetchd-demo")]
pub(super) struct DemoArgs {
    /// Work in this directory (created if missing; must be empty) and keep it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(super) fn main(args: &DemoArgs) -> anyhow::Result<i32> {
    let temporary = tempfile::Builder::new().prefix("prefetchd-demo-").tempdir().context("making a directory")?;
    let dir = match &args.keep {
        Some(dir) => empty_directory(dir)?,
        None => temporary.path().to_path_buf(),
    };
    runtime()?.block_on(run(&dir, args.keep.is_some()))
}

/// The directory as an absolute path; refused if it is not empty.
fn empty_directory(dir: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    if fs::read_dir(dir)?.next().is_some() {
        return Err(failure(exit::USAGE, crate::words::commands::not_empty(&dir.display().to_string())));
    }
    Ok(fs::canonicalize(dir)?)
}

async fn run(dir: &Path, keep: bool) -> anyhow::Result<i32> {
    let started = Instant::now();
    let mut stage = Playground::set(dir).await?;
    out(&format!("sandbox   {} (a local stand-in for the API)", stage.endpoint()));
    out(&format!("daemon    pid {}, spool and database in {}", stage.daemon_pid(), dir.display()));
    for (name, content) in SAMPLES {
        // Hands the file over properly: written under a name that is left alone, then renamed.
        let incoming = stage.spool().join("incoming");
        fs::write(incoming.join(format!(".{name}")), content)?;
        fs::rename(incoming.join(format!(".{name}")), incoming.join(name))?;
        out(&format!("dropped   {name}"));
    }
    let report = watch(&mut stage, started).await?;
    let verdict = verdict::compare(&mut store::open_reader(&stage.database()).await?, &stage.account().await?).await?;
    stage.strike().await?;
    out("");
    print(&report, &verdict, started.elapsed());
    print_commands(&stage, keep);
    Ok(if verdict.is_well() { 0 } else { exit::ATTENTION })
}

/// Shows progress until every file is read and nothing is waiting.
async fn watch(stage: &mut Playground, started: Instant) -> anyhow::Result<StatusReport> {
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("submitted {bar:40} {pos} of {len} URLs")?.progress_chars("##-"));
    let mut conn = store::open_reader(&stage.database()).await?;
    let mut shown = 0;
    loop {
        let report = read_report(&mut conn, 10).await?;
        let count = |state: &str| report.urls.get(state).copied().unwrap_or(0);
        let (submitted, all) = (count("submitted"), report.files.iter().map(|file| file.queued).sum::<i64>());
        bar.set_length(all.unsigned_abs());
        bar.set_position(submitted.unsigned_abs());
        if bar.is_hidden() && submitted > shown {
            out(&format!("submitted {} of {} URLs", number(submitted), number(all)));
            shown = submitted;
        }
        let read = report.files.len() == SAMPLES.len() && report.files.iter().all(|file| file.progress != "reading");
        if read && count("pending") + count("leased") == 0 {
            bar.finish_and_clear();
            return Ok(report);
        }
        stage.check_alive()?;
        if started.elapsed() > DEADLINE {
            bail!(
                "not done after {DEADLINE:?}; it waits for {}",
                report.waiting_for.as_ref().map_or("nothing", |why| &why.en)
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn print(report: &StatusReport, verdict: &verdict::Verdict, took: Duration) {
    out(&format!("{:<30} {:>6} {:>7} {:>7} {:>8} {:>10}", "file", "lines", "queued", "merged", "refused", "submitted"));
    for file in report.files.iter().rev() {
        let submitted = file.urls.get("submitted").copied().unwrap_or(0);
        out(&format!(
            "{:<30} {:>6} {:>7} {:>7} {:>8} {:>10}",
            file.name,
            number(file.lines),
            number(file.queued),
            number(file.merged),
            number(file.refused),
            number(submitted)
        ));
    }
    out("");
    if let Some(budget) = &report.budget {
        out(&format!(
            "budget    {} of {} requests of {} spent on {} URLs, in {:.1} s",
            number(budget.requests_used),
            number(budget.requests_limit),
            budget.day,
            number(budget.urls_used),
            took.as_secs_f64()
        ));
    }
    for line in verdict.lines() {
        out(&line);
    }
}

fn print_commands(stage: &Playground, keep: bool) {
    let program = stage.program();
    let (config, database) = (stage.config(), stage.database());
    out("");
    out(if keep {
        "Look at the same data:"
    } else {
        "To look at the same data, run the demo with --keep DIR; then, in place of this run's directory:"
    });
    out(&format!("  {program} status --config {}", config.display()));
    for query in [
        "select file, count(*) as urls, min(submitted_at) as first, max(task_ids) as tasks from v_urls group by file",
        "select submission_id, urls, cost, outcome, request_id, task_ids from v_submissions",
    ] {
        out(&format!("  sqlite3 -header -column {} \"{query}\"", database.display()));
    }
    out(&format!("  cat {}", stage.spool().join("done").join("catalogue-with-bad-lines.txt.refused.tsv").display()));
}
