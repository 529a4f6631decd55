//! `prefetchd wait`: watches the database until a file or a label has reached its goal, or can no longer reach it.
//!
//! [`Progress::verdict`] decides what the counts mean, and [`ending`] adds the time and the daemon; the loop only looks
//! and sleeps.

mod tell;

use std::path::Path;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{json, lang, out, tell};
use super::{failure, load, runtime};
use crate::config::Config;
use crate::daemon::Held;
use crate::model::Time;
use crate::spool::{Folders, has_second_link, is_left_alone, stored_name};
use crate::status::{Goal, Progress, Verdict, told_clock};
use crate::store::Conn;
use crate::words::commands;
use crate::{exit, store};
use tell::{Teller, report, so_far};

/// How often to look at the database.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A daemon that ran when the waiting began may be away for this long, perhaps because it restarts.
const RESTART: Duration = Duration::from_secs(20);

/// If a file in `incoming/` has had a second link for so long, whoever linked it has not removed the source.
const LINKED_AFTER: Duration = Duration::from_secs(5);

/// If a file has left `incoming/` and has no row after this long, somebody took it away.
const GONE_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
FILE is the name under which it was dropped: the latest file of that name, also one that still lies in incoming/.
Progress goes to standard error, the verdict to standard output. Lines that were refused are said, and not waited for.

Exit code: 0 all of it is warm (or sent); 1 nothing can get better: URLs failed, are held, expired, were cancelled, or
nobody can know, or the file was rejected; 66 no such file or label; 69 no daemon runs; 75 the time is up.

Examples:
  prefetchd wait premiere.txt && ./go-live
  prefetchd wait --label 'Harbour Lights premiere' --for sent --timeout 30m")]
pub(super) struct WaitArgs {
    /// The file, by the name under which it was dropped
    #[arg(required_unless_present = "label", conflicts_with = "label")]
    file: Option<std::path::PathBuf>,
    /// All files and lines with this label, as far as they are known at each look
    #[arg(long)]
    label: Option<String>,
    /// What to wait for
    #[arg(long = "for", value_enum, default_value_t = For::Warm, value_name = "WHAT")]
    goal: For,
    /// How long to wait, such as 30m; 0 looks once [default: for ever]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    timeout: Option<Duration>,
    /// Print JSON; the fields are in docs/wait.json.md
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum For {
    /// Accepted by the service
    Sent,
    /// Warm on the CDN
    Warm,
}

impl From<For> for Goal {
    fn from(goal: For) -> Self {
        match goal {
            For::Sent => Self::Sent,
            For::Warm => Self::Warm,
        }
    }
}

fn span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no span such as 90s, 30m or 2h"))
}

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Ending {
    Reached,
    Stuck,
    TimeIsUp,
    NoDaemon,
}

impl Ending {
    fn code(self) -> i32 {
        match self {
            Self::Reached => 0,
            Self::Stuck => exit::ATTENTION,
            Self::TimeIsUp => exit::TEMPORARY,
            Self::NoDaemon => exit::UNAVAILABLE,
        }
    }
}

/// Whether the waiting is over. `away` is how long no daemon was seen, `patience` how long that is tolerated.
fn ending(verdict: Option<Verdict>, away: Option<Duration>, patience: Duration, is_up: bool) -> Option<Ending> {
    match verdict {
        Some(Verdict::Reached) => Some(Ending::Reached),
        Some(Verdict::Stuck) => Some(Ending::Stuck),
        _ if away.is_some_and(|away| away >= patience) => Some(Ending::NoDaemon),
        _ if is_up => Some(Ending::TimeIsUp),
        _ => None,
    }
}

/// What is waited for.
enum Target {
    Label(String),
    /// A row of the files.
    File(i64),
    /// A file without a row yet: the first one of this name after that row.
    Coming {
        after: i64,
    },
}

/// The waiting for one target.
struct Wait<'a> {
    config: &'a Config,
    /// The file's path in `incoming/`, if a file is waited for ...
    path: std::path::PathBuf,
    /// ... and as it is shown; or the label.
    what: String,
    goal: Goal,
    target: Target,
    /// Since when a coming file has not been seen.
    unseen: Option<Instant>,
    /// Since when it has a second link.
    linked: Option<Instant>,
    /// Whether a daemon was seen at the first look.
    had_daemon: bool,
    /// Since when none has been seen.
    away: Option<Instant>,
}

pub(super) fn main(config: Option<&Path>, args: &WaitArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    runtime()?.block_on(run(&config, args))
}

async fn run(config: &Config, args: &WaitArgs) -> anyhow::Result<i32> {
    let started = Instant::now();
    let mut wait = Wait::begin(config, args).await?;
    let mut teller = Teller::new();
    let (ending, progress) = loop {
        let progress = match wait.look().await {
            Ok(progress) => progress,
            // Somebody else has the lock for a moment.
            Err(store::Error::Busy(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if wait.is_taken_away() {
            return Err(no_such_file(&wait.what, config));
        }
        let (away, patience) = wait.look_for_daemon();
        let is_up = args.timeout.is_some_and(|timeout| started.elapsed() >= timeout);
        wait.look_for_second_link();
        let verdict = match &progress {
            Some(progress) => Some(progress.verdict(wait.goal)),
            None => wait.linked.filter(|since| since.elapsed() >= LINKED_AFTER).map(|_| Verdict::Stuck),
        };
        if let Some(ending) = ending(verdict, away, patience, is_up) {
            break (ending, progress);
        }
        teller.tell(so_far(&wait.what, progress.as_ref(), wait.goal, wait.linked.is_some()).say(lang()));
        let left = args.timeout.map_or(LOOK_EVERY, |timeout| timeout.saturating_sub(started.elapsed()));
        tokio::time::sleep(LOOK_EVERY.min(left)).await;
    };
    teller.finish();
    if args.json {
        out(&json(&Answer { what: &wait.what, goal: wait.goal, ending, progress: progress.as_ref() })?);
    } else {
        for words in report(&wait.what, progress.as_ref(), (wait.goal, ending), wait.linked.is_some()) {
            tell(&words);
        }
    }
    Ok(ending.code())
}

impl<'a> Wait<'a> {
    async fn begin(config: &'a Config, args: &WaitArgs) -> anyhow::Result<Self> {
        let mut conn = store::open_reader_of(config).await?;
        let mut wait = Self {
            config,
            path: std::path::PathBuf::new(),
            what: String::new(),
            goal: args.goal.into(),
            target: Target::Coming { after: 0 },
            unseen: None,
            linked: None,
            had_daemon: false,
            away: None,
        };
        let Some(file) = &args.file else {
            let label = args.label.clone().unwrap_or_default();
            let now = told_clock(&mut conn).await?.now();
            if Progress::of_label(&mut conn, &label, now).await?.is_none() {
                return Err(failure(exit::NO_INPUT, commands::no_label(&label)));
            }
            (wait.what, wait.target) = (label.clone(), Target::Label(label));
            return Ok(wait);
        };
        let folders = Folders::under(&config.spool.dir);
        let name = file.file_name().unwrap_or_default();
        (wait.path, wait.what) = (folders.incoming.join(name), stored_name(name));
        let host = config.database.host();
        // Read before `incoming/` is looked at: a file that is found there came later.
        let latest = Progress::latest_file(&mut conn, host.as_str(), &wait.what).await?;
        wait.target = if wait.is_in_spool(&folders.incoming) && !is_left_alone(name) {
            Target::Coming { after: latest.unwrap_or(0) }
        } else {
            // It may have been taken between the looks, and be in `work/` without a row.
            let mut is_coming = false;
            for stored in wait.in_work(&folders.work) {
                is_coming |= !Progress::is_booked(&mut conn, host.as_str(), &stored).await?;
            }
            match Progress::latest_file(&mut conn, host.as_str(), &wait.what).await? {
                _ if is_coming => Target::Coming { after: latest.unwrap_or(0) },
                Some(file) => Target::File(file),
                None => return Err(no_such_file(&wait.what, config)),
            }
        };
        Ok(wait)
    }

    fn is_in_spool(&self, folder: &Path) -> bool {
        self.path.file_name().is_some_and(|name| folder.join(name).symlink_metadata().is_ok_and(|meta| meta.is_file()))
    }

    /// The files in `work/` with this name, or with this name and a mark before its first dot.
    fn in_work(&self, work: &Path) -> Vec<String> {
        let names = std::fs::read_dir(work).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| is_stored_as(&self.what, name)).collect()
    }

    /// How far it has come; none while it has no row. Nothing stays open between two looks, because an open reader
    /// makes the log grow.
    async fn look(&mut self) -> store::Result<Option<Progress>> {
        let mut conn = store::open_reader_of(self.config).await?;
        conn.hold_still().await?;
        let now = told_clock(&mut conn).await?.now();
        if let Target::Coming { after } = self.target {
            self.come(&mut conn, after).await?;
        }
        self.count(&mut conn, now).await
    }

    async fn count(&self, conn: &mut Conn, now: Time) -> store::Result<Option<Progress>> {
        match &self.target {
            Target::Label(label) => Progress::of_label(conn, label, now).await,
            Target::File(file) => Progress::of_file(conn, *file, now).await.map(Some),
            Target::Coming { .. } => Ok(None),
        }
    }

    /// Notices that the file got a row, or that it is nowhere any more.
    async fn come(&mut self, conn: &mut Conn, after: i64) -> store::Result<()> {
        let host = self.config.database.host();
        match Progress::latest_file(conn, host.as_str(), &self.what).await?.filter(|file| *file > after) {
            Some(file) => self.target = Target::File(file),
            None => {
                let folders = Folders::under(&self.config.spool.dir);
                let is_there = self.is_in_spool(&folders.incoming) || !self.in_work(&folders.work).is_empty();
                self.unseen = if is_there { None } else { self.unseen.or_else(|| Some(Instant::now())) };
            }
        }
        Ok(())
    }

    fn look_for_second_link(&mut self) {
        let is_linked = matches!(self.target, Target::Coming { .. }) && has_second_link(&self.path);
        self.linked = if is_linked { self.linked.or_else(|| Some(Instant::now())) } else { None };
    }

    fn is_taken_away(&self) -> bool {
        matches!(self.target, Target::Coming { .. }) && self.unseen.is_some_and(|since| since.elapsed() >= GONE_AFTER)
    }

    /// How long no daemon was seen, and how long that is tolerated.
    fn look_for_daemon(&mut self) -> (Option<Duration>, Duration) {
        match super::status::daemon(self.config).0 {
            Held::Free => _ = self.away.get_or_insert_with(Instant::now),
            Held::By(_) | Held::Unknown => (self.away, self.had_daemon) = (None, true),
        }
        let patience = if self.had_daemon { RESTART } else { Duration::ZERO };
        (self.away.map(|since| since.elapsed()), patience)
    }
}

/// Whether a file that was dropped as `name` may have this stored name.
fn is_stored_as(name: &str, stored: &str) -> bool {
    let dot = name.char_indices().find(|(at, c)| *at > 0 && *c == '.').map_or(name.len(), |(at, _)| at);
    let (stem, ending) = name.split_at(dot);
    let marked = stored.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
    name == stored || marked.is_some_and(|rest| rest.ends_with(ending))
}

fn no_such_file(name: &str, config: &Config) -> anyhow::Error {
    let incoming = config.spool.dir.join("incoming");
    failure(exit::NO_INPUT, commands::no_file(name, &incoming.display().to_string()))
}

/// The verdict, as a program reads it.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct Answer<'a> {
    what: &'a str,
    goal: Goal,
    ending: Ending,
    progress: Option<&'a Progress>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layout::{fields, listed};
    use crate::model::UrlState;

    #[test]
    fn a_verdict_ends_the_waiting_before_the_daemon_and_the_clock_do() {
        let (now, later) = (Some(Duration::ZERO), Duration::from_secs(20));
        for (verdict, away, patience, is_up, expected) in [
            (Some(Verdict::Reached), now, Duration::ZERO, true, Some(Ending::Reached)),
            (Some(Verdict::Stuck), now, Duration::ZERO, true, Some(Ending::Stuck)),
            (Some(Verdict::Open), now, Duration::ZERO, true, Some(Ending::NoDaemon)),
            (Some(Verdict::Open), now, later, true, Some(Ending::TimeIsUp)),
            (None, now, later, false, None),
            (None, Some(later), later, false, Some(Ending::NoDaemon)),
            (Some(Verdict::Open), None, Duration::ZERO, false, None),
        ] {
            assert_eq!(ending(verdict, away, patience, is_up), expected, "{verdict:?} {away:?} {is_up}");
        }
    }

    #[test]
    fn a_file_is_known_in_work_by_its_name_or_with_a_mark_in_it() {
        for (name, stored, expected) in [
            ("a.txt", "a.txt", true),
            ("a.txt", "a.20261129T080000123.txt", true),
            ("a.csv.gz", "a.20261129T080000123.csv.gz", true),
            ("a", "a.20261129T080000123", true),
            ("a.txt", "b.txt", false),
            ("a.txt", "ab.txt", false),
        ] {
            assert_eq!(is_stored_as(name, stored), expected, "{name} {stored}");
        }
    }

    #[test]
    fn the_page_of_the_json_lists_every_field() {
        let mut progress = Progress { rejected: vec![crate::status::Rejected::default()], ..Progress::default() };
        progress.holds = vec![crate::status::Hold::default()];
        progress.urls = UrlState::ALL.iter().map(|state| (state.to_string(), 0)).collect();
        let answer = Answer { what: "a.txt", goal: Goal::Warm, ending: Ending::Reached, progress: Some(&progress) };
        assert_eq!(fields(&serde_json::to_value(answer).unwrap()), listed("wait.json.md"));
    }
}
