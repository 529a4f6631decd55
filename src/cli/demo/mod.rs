//! `prefetchd demo`: the whole pipeline on sandbox data. Sandbox and daemon are separate processes, the same that an
//! operator runs. The demo only drops files, reads the database, and compares it with the sandbox's account.

mod news;
mod playground;
mod print;
mod verdict;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressStyle};

use super::text::{lang, number, out};
use super::{failure, runtime};
use crate::clock::Clock;
use crate::exit;
use crate::model::UrlState::{Complete, Leased, Pending, Submitted};
use crate::model::{DayStart, rfc3339};
use crate::status::{Books, Happened, StatusReport, read_report};
use crate::store::{self, Conn};
use crate::words::demo as said;
use crate::words::{Words, times};
use playground::Playground;

/// The file with a deadline, which is set to be soon, and the deadline in its text.
const PREMIERE: &str = "premiere.txt";
const ITS_DEADLINE: &str = "2099-12-31T20:00:00+08:00";
const DEADLINE_IN: TimeDelta = TimeDelta::hours(1);

/// The file whose URLs are purged before they are prefetched.
const REPLACED: &str = "replaced-film.txt";

/// The files that are dropped, in this order: each is read before the next is dropped, so that it is known which of
/// them queues a URL that several have.
const SAMPLES: [(&str, &str); 5] = [
    (PREMIERE, include_str!("../../../examples/premiere.txt")),
    ("catalogue-with-bad-lines.txt", include_str!("../../../examples/catalogue-with-bad-lines.txt")),
    ("trailers.txt", include_str!("../../../examples/trailers.txt")),
    ("nightly-with-duplicates.txt", include_str!("../../../examples/nightly-with-duplicates.txt")),
    (REPLACED, include_str!("../../../examples/replaced-film.txt")),
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
    print::text(&said::PLAN);
    out("");
    let started = Instant::now();
    let stage = Playground::set(dir, lang()).await?;
    print::labelled(&said::SANDBOX, &said::sandbox(stage.endpoint()));
    print::labelled(&said::DAEMON, &said::daemon(stage.daemon_pid(), &dir.display().to_string()));
    out("");
    let mut show = Show::of(stage, started).await?;
    for (name, content) in SAMPLES {
        show.drop_file(name, content)?;
        show.watch(|report, _| report.files.iter().any(|file| file.name == name && file.progress != "reading")).await?;
    }
    let report = show.watch(is_done).await?;
    show.bar.finish_and_clear();
    let Show { mut stage, mut conn, seen, .. } = show;
    let offline: Vec<&str> = seen.offline.iter().map(|(host, _)| host.as_str()).collect();
    let books = Books::read(&mut conn).await?;
    let verdict = verdict::compare(&books, &stage.account().await?, &stage.warm().await?, &offline);
    stage.strike().await?;
    out("");
    print::table(&report);
    out("");
    print::day(&report, &seen, started.elapsed());
    verdict.lines().iter().for_each(|(label, line)| print::labelled(label, line));
    print::commands(&stage, keep);
    Ok(if verdict.is_well() { 0 } else { exit::ATTENTION })
}

/// Whether everything is warm that can be: only URLs of domains that may not be sent wait.
fn is_done(report: &StatusReport, seen: &Happened) -> bool {
    let moves = report.count(Leased) + report.count(Submitted) + report.in_doubt;
    let is_read = report.files.len() == SAMPLES.len() && report.files_reading == 0;
    is_read && moves == 0 && report.count(Pending) == report.parked && news::deadlines_are_known(&report.files, seen)
}

/// The demo while it runs, and what of it was told.
struct Show {
    stage: Playground,
    conn: Conn,
    started: Instant,
    bar: ProgressBar,
    seen: Happened,
}

impl Show {
    async fn of(stage: Playground, started: Instant) -> anyhow::Result<Self> {
        let conn = store::open_reader(&stage.database()).await?;
        // The bar is for a terminal alone; in a pipe every line is one.
        let bar = if std::io::stdout().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("        {bar:40} {msg}")?.progress_chars("##-"));
        Ok(Self { stage, conn, started, bar, seen: Happened::default() })
    }

    /// A line with the time that has passed.
    fn tell(&self, words: &Words) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.bar.suspend(|| out(&format!("{seconds:>5.1} s  {}", words.say(lang()))));
    }

    /// Hands a file over properly: written under a name that is left alone, then renamed.
    fn drop_file(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let now = Clock::system().now();
        let (deadline, day) = (now + DEADLINE_IN, DayStart::default());
        let incoming = self.stage.spool().join("incoming");
        fs::write(incoming.join(format!(".{name}")), content.replace(ITS_DEADLINE, &rfc3339(deadline)))?;
        fs::rename(incoming.join(format!(".{name}")), incoming.join(name))?;
        self.tell(&match name {
            PREMIERE => said::dropped_urgent(name, &times::moment(deadline, now, day), &times::zone(now, day)),
            REPLACED => said::dropped_replaced(name),
            _ => said::dropped(name),
        });
        Ok(())
    }

    /// Tells what happens until this is so.
    async fn watch(&mut self, is_so: impl Fn(&StatusReport, &Happened) -> bool) -> anyhow::Result<StatusReport> {
        loop {
            let report = read_report(&mut self.conn, 10).await?;
            let seen = Happened::read(&mut self.conn).await?;
            news::news(&self.seen, &seen).iter().for_each(|fact| self.tell(fact));
            self.seen = seen;
            let (warm, all) = (report.count(Complete), report.files.iter().map(|file| file.queued).sum::<i64>());
            self.bar.set_length(all.unsigned_abs());
            self.bar.set_position(warm.unsigned_abs());
            self.bar.set_message(said::progress(&number(warm), &number(all)).say(lang()).to_owned());
            if is_so(&report, &self.seen) {
                return Ok(report);
            }
            self.stage.check_alive()?;
            if self.started.elapsed() > DEADLINE {
                let waits = report.waiting_for.unwrap_or(said::NOTHING);
                return Err(failure(exit::ATTENTION, said::not_done(DEADLINE.as_secs(), &waits)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
