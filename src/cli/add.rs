//! `prefetchd add`: hands files over to the spool, each one whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{failure, load, text};
use crate::clock::Clock;
use crate::exit;
use crate::model::{Action, Fault, Priority, Warned};
use crate::spool::{
    ADD_PREFIX, Folders, ReadRules, Survey, SurveyError, check_options, is_left_alone, is_own, options_line,
    stored_name, sync_folder,
};
use crate::telemetry::one_line;
use crate::words::{self, Words, commands};

/// Most lines to check before a file is handed over; the spool checks the rest of a larger file.
const LOOKED_THROUGH_MAX: usize = 1_000_000;

/// URLs that are checked at once.
const CHUNK: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: prefetchd add premiere.txt\n         find-urls | prefetchd add - --name nightly.txt\n\n\
                        Prints the name under which each file is found from then on. Nothing is added where one of the \
                        files \n\
                        would be rejected."
)]
pub(super) struct AddArgs {
    /// The files to add, or - for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Its name in the spool [default: its own name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Keys that override the files' own directives; keys in a line of CSV or JSON override these.
#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// prefetch, purge, purge-directory or purge+prefetch
    #[arg(long, value_parser = super::action_words())]
    action: Option<Action>,
    /// urgent, high, normal or low
    #[arg(long, value_parser = super::priority_words())]
    priority: Option<Priority>,
    /// A label to find the URLs by
    #[arg(long)]
    label: Option<String>,
    /// Do not send before this time, e.g. 2026-11-23T18:00:00+08:00
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Do not send after this time
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// Send even URLs that completed recently
    #[arg(long)]
    force: bool,
    /// With purge-directory: delete everything, and not only what has changed at the origin
    #[arg(long)]
    purge_force: bool,
}

impl KeyArgs {
    /// The options that were given, each with its value.
    fn options(&self) -> BTreeMap<String, String> {
        let priority = self.priority.map(|priority| priority.to_string());
        let force = self.force.then(|| "true".to_owned());
        let purge_force = self.purge_force.then(|| "true".to_owned());
        let keys = [
            ("action", self.action.map(|action| action.word().to_owned())),
            ("purge_force", purge_force),
            ("priority", priority),
            ("label", self.label.clone()),
            ("not_before", self.not_before.clone()),
            ("deadline", self.deadline.clone()),
            ("force", force),
        ];
        keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// A file that waits in `incoming/` under a temporary name, which the spool leaves alone.
struct HeldBack {
    copy: tempfile::NamedTempFile,
    name: String,
}

pub(super) fn main(config: Option<&Path>, args: &AddArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let folders = Folders::under(&config.spool.dir);
    if !folders.incoming.is_dir() {
        let incoming = folders.incoming.display().to_string();
        let is_closed = folders.incoming.metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        if is_closed {
            return Err(failure(exit::NO_PERMISSION, super::errors::closed(&folders.incoming)));
        }
        return Err(failure(exit::UNAVAILABLE, commands::no_spool(&incoming)));
    }
    if args.name.is_some() && args.files.len() > 1 {
        return Err(failure(exit::USAGE, commands::NAME_FOR_ONE));
    }
    let rules = ReadRules::of(&config, Clock::system().now());
    let options = args.keys.options();
    check_options(&options, rules.offset).map_err(|fault| failure(exit::USAGE, words::input_fault(&fault)))?;
    // All files are checked before the first is handed over.
    let waiting: Vec<HeldBack> = args
        .files
        .iter()
        .map(|file| copy(file, args.name.as_deref(), &folders, &options_line(&options)))
        .collect::<anyhow::Result<_>>()?;
    for file in &waiting {
        look_through(file, &rules)?;
    }
    for file in waiting {
        text::out(&one_line(&hand_over(file, &folders)?));
    }
    sync_folder(&folders.incoming)?;
    Ok(0)
}

/// Copies a file into `incoming/`, after a line with its options.
fn copy(file: &Path, name: Option<&str>, folders: &Folders, options: &[u8]) -> anyhow::Result<HeldBack> {
    let incoming = &folders.incoming;
    let name = name_for(file, name)?;
    let mut source: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let open = |path: &Path| match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|meta| meta.is_dir()) => Err(commands::A_DIRECTORY),
            opened => opened.map_err(|error| words::errors::system(&error)),
        };
        let cannot = |why: Words| failure(exit::NO_INPUT, commands::reading(&file.display().to_string(), &why));
        Box::new(open(file).map_err(cannot)?)
    };
    // The spool leaves names alone that begin with a dot, until the rename.
    let mut copy = tempfile::Builder::new()
        .prefix(ADD_PREFIX)
        .tempfile_in(incoming)
        .with_context(|| format!("writing to {}", incoming.display()))?;
    copy.write_all(options)?;
    io::copy(&mut source, &mut copy).with_context(|| format!("copying into {}", incoming.display()))?;
    copy.flush()?;
    // Set explicitly: a umask must not keep the daemon from reading it.
    copy.as_file().set_permissions(std::fs::Permissions::from_mode(0o640))?;
    copy.as_file().sync_all()?;
    Ok(HeldBack { copy, name })
}

/// Reads a file as the spool will, and prints warnings about it.
///
/// # Errors
///
/// The spool would reject the file.
fn look_through(file: &HeldBack, rules: &ReadRules) -> anyhow::Result<()> {
    let rejected = |why: &Words| failure(exit::DATA, commands::nothing_added(&one_line(&file.name), why));
    let of_survey = |error: SurveyError| match error {
        SurveyError::Io(error) => anyhow::Error::from(error).context(format!("reading {}", file.name)),
        SurveyError::NotUrls(fault) => rejected(&words::input_fault(&fault)),
    };
    let mut survey = Survey::open(file.copy.reopen()?, &file.name, rules.clone()).map_err(of_survey)?;
    let mut urls = 0;
    while urls < LOOKED_THROUGH_MAX {
        match survey.next_urls(CHUNK) {
            Ok(next) => {
                urls += next.len();
                if next.len() < CHUNK {
                    break;
                }
            }
            // Lines before the damage are queued.
            Err(SurveyError::NotUrls(fault)) if urls + survey.urls_before_failure() > 0 => {
                urls += survey.urls_before_failure();
                say(&commands::add_warning(&file.name, 0, 0, &words::input_fault(&fault)));
                break;
            }
            Err(error) => return Err(of_survey(error)),
        }
    }
    if urls == 0 {
        return Err(rejected(&words::input_fault(&survey.no_urls())));
    }
    survey.take_warnings().iter().for_each(|warned| say_warning(file, warned));
    for (line, fault, lines) in survey.reasons() {
        say_refused(file, *lines, *line, fault);
    }
    Ok(())
}

fn say(words: &Words) {
    text::err(&one_line(words.say(text::lang())));
}

fn say_warning(file: &HeldBack, warned: &Warned) {
    say(&commands::add_warning(&file.name, warned.line, warned.lines.saturating_sub(1), &words::warning(warned)));
}

fn say_refused(file: &HeldBack, refused: u64, line: u64, fault: &Fault) {
    let more = refused.saturating_sub(1);
    say(&commands::will_be_refused(&file.name, line, more, &words::line_fault_with(fault)));
}

fn name_for(file: &Path, given: Option<&str>) -> anyhow::Result<String> {
    let name = match given {
        Some(name) => name.into(),
        None if file == Path::new("-") => {
            format!("stdin-{}.txt", Clock::system().now().format("%Y%m%dT%H%M%S%3f")).into()
        }
        None => file.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default(),
    };
    // The name as the spool stores it: short, and safe for a terminal.
    let stored = stored_name(&name);
    if is_own(&stored) {
        return Err(failure(exit::USAGE, commands::own_name(&one_line(&stored))));
    }
    if stored.is_empty() || stored.contains('/') || is_left_alone(stored.as_ref()) {
        return Err(failure(exit::USAGE, commands::bad_name(&one_line(&stored))));
    }
    Ok(stored)
}

/// Renames the copy to its name. If a file of that name waits there or was in the spool before, adds the time to the
/// name, so that each file can be found by its own.
fn hand_over(file: HeldBack, folders: &Folders) -> anyhow::Result<String> {
    let incoming = &folders.incoming;
    let mut copy = file.copy;
    loop {
        let name = folders.name_for_new(&file.name, Clock::system().now());
        copy = match copy.persist_noclobber(incoming.join(&name)) {
            Ok(_) => return Ok(name),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => error.file,
            Err(error) => return Err(error.error).with_context(|| format!("renaming into {}", incoming.display())),
        };
    }
}
