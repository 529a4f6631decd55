//! The other half of housekeeping, which every host does for its own spool: removes inputs in `done/` and `rejected/`
//! that were kept long enough. Each step looks at a part of a folder, so that no file waits for it.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use tracing::{info, warn};

use crate::model::{SpoolProblem, Time};
use crate::spool::{Folders, RECEIPT, REFUSED};
use crate::stage::{Pulse, Settings, Stage, Then, Tools};
use crate::status::Board;
use crate::{store, words};

/// How often to look through the folders.
const WALK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// The longest wait before it looks at the clock again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long to wait between two parts of a folder.
const SWEEP_AGAIN: Duration = Duration::from_millis(250);

/// The remains of a crash during the writing of a receipt are removed at this age.
const REMAINS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Most entries of a folder that one step looks at.
const ENTRIES_MAX: usize = 2_000;

/// The stage.
#[derive(Debug)]
pub struct Sweeper {
    tools: Tools,
    folders: Folders,
    board: Board,
    walk_at: Option<Time>,
    /// Folders still to be looked through; the first one has been begun.
    walks: Vec<Walk>,
    /// The problem that keeps it from removing files.
    problem: Option<SpoolProblem>,
}

/// A folder that is being looked through.
#[derive(Debug)]
struct Walk {
    folder: PathBuf,
    entries: Option<ReadDir>,
}

impl Stage for Sweeper {
    fn pulse(&self) -> &Pulse {
        &self.tools.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        (self.walk_at, self.walks) = (None, Vec::new());
        self.tools.settings = settings;
    }

    async fn advance(&mut self) -> store::Result<Then> {
        let is_more = self.step().await?;
        Ok(Then::Wait(if is_more { SWEEP_AGAIN } else { LOOK_AGAIN }))
    }
}

impl Sweeper {
    /// The stage, for these folders.
    pub fn new(tools: Tools, folders: Folders, board: Board) -> Self {
        Self { tools, folders, board, walk_at: None, walks: Vec::new(), problem: None }
    }

    /// Removes a little, if there is anything to remove. True if there may be more.
    ///
    /// # Errors
    ///
    /// The database failed: the problem could not be told.
    pub async fn step(&mut self) -> store::Result<bool> {
        let now = self.tools.clock.surely();
        if self.walk_at.is_none_or(|at| at <= now) {
            self.walk_at = Some(now + WALK_AGAIN);
            let walk = |folder: &PathBuf| Walk { folder: folder.clone(), entries: None };
            self.walks = [&self.folders.done, &self.folders.rejected].map(walk).into();
        }
        let keep = self.tools.settings.config.spool.keep.get();
        let swept = self.sweep(SystemTime::from(now) - keep);
        let is_more = swept.is_ok() && !self.walks.is_empty();
        if let Ok(inputs @ 1..) = &swept {
            info!(inputs, "removed inputs that were kept long enough ([spool] keep)");
        }
        self.say(swept.err()).await?;
        Ok(is_more)
    }

    /// Reports the problem that keeps it from removing files, or that there is none any more, once: in the log and on
    /// the board.
    async fn say(&mut self, error: Option<io::Error>) -> store::Result<()> {
        let problem = error.map(|error| SpoolProblem::NotRemoved { said: error.to_string() });
        if self.problem == problem {
            return Ok(());
        }
        if let Some(problem) = &problem {
            let problem = words::spool_problem(problem).en;
            warn!(%problem, "inputs are kept for longer than they should be; it is tried again");
        }
        self.board.spool_problem(self.tools.pulse.name(), problem.clone()).await?;
        self.problem = problem;
        Ok(())
    }

    /// Looks at the next entries, and removes inputs whose receipt was last written before `before`.
    fn sweep(&mut self, before: SystemTime) -> io::Result<usize> {
        let mut removed = 0;
        let Some(walk) = self.walks.first_mut() else { return Ok(0) };
        let entries = match &mut walk.entries {
            Some(entries) => entries,
            none => none.insert(fs::read_dir(&walk.folder)?),
        };
        for _ in 0..ENTRIES_MAX {
            let Some(entry) = entries.next() else {
                self.walks.remove(0);
                break;
            };
            removed += usize::from(prune_input(&walk.folder, &entry?, before)?);
        }
        Ok(removed)
    }
}

/// Removes the input of a receipt that was last written before `before`. Removes the input first, so that a crash
/// leaves a receipt without an input and not the reverse. True if it removed something.
fn prune_input(folder: &Path, entry: &DirEntry, before: SystemTime) -> io::Result<bool> {
    let name = entry.file_name();
    if is_remains(entry) {
        fs::remove_file(entry.path())?;
        return Ok(false);
    }
    let Some(stored) = name.to_str().and_then(|name| name.strip_suffix(RECEIPT)) else { return Ok(false) };
    // Somebody else has removed it.
    let Ok(meta) = entry.metadata() else { return Ok(false) };
    if meta.modified()? >= before {
        return Ok(false);
    }
    for ending in ["", REFUSED, RECEIPT] {
        match fs::remove_file(folder.join(format!("{stored}{ending}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(true)
}

/// Whether a crash during the writing of a receipt left it.
fn is_remains(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_copy = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"));
    let changed = || entry.metadata().and_then(|meta| meta.modified()).ok();
    is_copy && changed().and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > REMAINS_KEPT)
}
