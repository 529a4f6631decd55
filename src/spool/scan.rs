//! The stage's loop: what is in `work/` is brought to its end, what has been handed over in `incoming/` is claimed.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::folders::{Folders, sync_folder};
use super::ingest::{Error, Ingest};
use super::name::{is_left_alone, is_own, stored_name};
use super::readiness::{Kind, Readiness, readiness};
use super::retention::Retention;
use super::watch::Watch;
use crate::clock::Clock;
use crate::config::Config;
use crate::meters::{self, Stage};
use crate::model::Time;
use crate::pulse::Pulse;
use crate::queue::{self, NewFile, OpenFile, Phase};
use crate::settings::{self, Live, Settings};
use crate::status::Board;
use crate::store::Store;

/// As its sign of life names it.
const STAGE: &str = "spool";

/// The scan comes at least this often: inotify may lose events, or not be there at all.
const SCAN_EVERY: Duration = Duration::from_secs(5);

/// Waits after a failure: from this, doubling, up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = SCAN_EVERY;

/// Why one of our own receipts or reports is no input.
const OWN: &str =
    "it is named like a receipt or report of prefetchd, which are never inputs: rename it if it is a list of URLs";

/// Files that are claimed together at most.
const CLAIMED_TOGETHER: usize = 200;

/// A file larger than this waits for the small ones beside it.
const LARGE_BYTES: u64 = 1024 * 1024;

/// A file that is ready to be taken, in the order in which it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    is_large: bool,
    changed: SystemTime,
    name: OsString,
}

/// The spool stage.
#[derive(Debug)]
pub struct Spool {
    store: Arc<Store>,
    folders: Folders,
    ingest: Ingest,
    watch: Watch,
    board: Board,
    clock: Clock,
    /// Woken when URLs were queued.
    queued: Arc<Notify>,
    /// Entries that were reported and left, so that each is reported once.
    left: HashSet<(OsString, u64)>,
    /// Whether `work/` may hold files that nobody is reading: at start, and after a failure.
    resume: bool,
    /// What was last said to be wrong.
    problem: Option<String>,
    /// Whether `status` knows it too.
    on_board: bool,
    retention: Retention,
    pulse: Pulse,
}

impl Spool {
    /// The stage over these folders; `queued` is woken whenever URLs were queued.
    pub fn new(
        store: Arc<Store>,
        folders: Folders,
        ingest: Ingest,
        board: Board,
        clock: Clock,
        queued: Arc<Notify>,
        config: &Config,
    ) -> Self {
        // Before anybody is told that the daemon is ready: who writes from then on is heard.
        let mut watch = Watch::new(folders.incoming.clone());
        watch.arm();
        let pulse = ingest.pulse();
        Self {
            store,
            folders,
            ingest,
            watch,
            board,
            clock,
            queued,
            left: HashSet::new(),
            resume: true,
            problem: None,
            on_board: true,
            retention: Retention::new(config),
            pulse,
        }
    }

    /// Its sign of life.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Takes over what was read afresh; the folders stay the same.
    fn apply(&mut self, settings: &Settings) {
        self.ingest.apply(&settings.config);
        self.retention = Retention::new(&settings.config);
    }

    /// Passes over the folders until `shutdown`; what is being read is left at its mark.
    pub async fn run(mut self, mut live: Live, shutdown: CancellationToken) {
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            self.pulse.beat();
            if let Some(settings) = settings::news(&mut live) {
                self.apply(&settings);
            }
            meters::moved(Stage::Spool);
            let sleep = match self.pass(&shutdown).await {
                Ok(next) => {
                    failures = 0;
                    self.board.sign().well(STAGE, self.clock.now());
                    self.say(None).await;
                    next
                }
                Err(error) => {
                    self.resume = true; // what was begun is somewhere between the folders
                    if let Error::Store(error) = &error {
                        self.board.sign().trouble(STAGE, self.clock.now(), &error.to_string());
                    }
                    self.say(Some(error.to_string())).await;
                    failures += 1;
                    RETRY_MIN.saturating_mul(2_u32.saturating_pow(failures - 1)).min(RETRY_MAX)
                }
            };
            self.pulse.away(sleep);
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                Ok(()) = live.changed() => live.mark_changed(),
                () = self.watch.changed(), if failures == 0 => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Looks once through the folders and ingests what is there. Says how soon to look again.
    ///
    /// # Errors
    ///
    /// What stopped it; the next pass goes on there.
    pub async fn pass(&mut self, shutdown: &CancellationToken) -> Result<Duration, Error> {
        self.folders.create()?;
        self.watch.arm();
        // One file's trouble is no reason to leave the others.
        let mut trouble = Ok(());
        if self.resume {
            self.resume = false;
            let files = self.left_in_work().await?;
            let ended = self.bring_to_end(&files, shutdown).await;
            self.resume |= ended.is_err();
            trouble = aside(trouble, ended)?;
        }
        let (ready, next) = self.look()?;
        for names in ready.chunks(CLAIMED_TOGETHER) {
            if shutdown.is_cancelled() {
                break;
            }
            let ended = self.take(names, shutdown).await;
            self.resume |= ended.is_err();
            trouble = aside(trouble, ended)?;
        }
        trouble = aside(trouble, self.ingest.finish_receipts().await)?;
        trouble = aside(trouble, self.retention.step(&self.store, &self.folders, self.clock.surely()).await)?;
        trouble.map(|()| next)
    }

    /// Claims files and brings them to their ends.
    async fn take(&mut self, names: &[Found], shutdown: &CancellationToken) -> Result<(), Error> {
        self.pulse.beat();
        let now = self.clock.now();
        let mut trouble = Ok(());
        let mut claimed = Vec::new();
        for Found { name, .. } in names {
            match self.folders.claim(name, now) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    self.watch.forget(name);
                    claimed.push(file);
                }
                Err(error) => trouble = trouble.and(Err(error.into())),
            }
        }
        if claimed.is_empty() {
            return trouble;
        }
        sync_folder(&self.folders.work)?;
        sync_folder(&self.folders.incoming)?;
        let files = self.register(&claimed, now).await?;
        trouble.and(self.bring_to_end(&files, shutdown).await)
    }

    /// Takes files in `work/` on the books. Our own receipts and reports are refused at once: what one says of URLs is no
    /// wish for them.
    async fn register(&self, files: &[NewFile], now: Time) -> Result<Vec<OpenFile>, Error> {
        let mut tx = self.store.write().await?;
        let files = tx.bulk(|conn| {
            let mut files = queue::register(conn, files, now)?;
            for file in files.iter_mut().filter(|file| is_own(&file.name)) {
                queue::reject(conn, file.id, None, OWN)?;
                file.phase = Phase::Refused;
            }
            Ok(files)
        });
        let files = files.await?;
        tx.commit().await?;
        Ok(files)
    }

    async fn bring_to_end(&self, files: &[OpenFile], shutdown: &CancellationToken) -> Result<(), Error> {
        let (finished, trouble) = self.ingest.bring_to_end(files, shutdown).await?;
        if finished > 0 {
            self.queued.notify_one();
        }
        trouble
    }

    /// Files in `work/` that a crash, a stop or a failure left there, on the books or not yet.
    async fn left_in_work(&self) -> Result<Vec<OpenFile>, Error> {
        let mut files = queue::unfinished(self.store.read()).await?;
        let known: HashSet<String> = files.iter().map(|file| file.stored_name.clone()).collect();
        let mut unknown = Vec::new();
        for entry in fs::read_dir(&self.folders.work)? {
            // Stored names are UTF-8 and never begin with a dot; whatever else lies here is not the spool's.
            let stored = entry?.file_name().into_string().ok();
            let unknown_name = stored.filter(|name| !name.starts_with('.') && !known.contains(name));
            unknown.extend(unknown_name.map(|name| self.folders.found_in_work(name)));
        }
        files.extend(self.register(&unknown, self.clock.now()).await?);
        Ok(files)
    }

    /// What is ready in `incoming/`, small files before large ones and each in order of arrival, and how soon something else
    /// may be.
    fn look(&mut self) -> io::Result<(Vec<Found>, Duration)> {
        let (mut ready, mut next, mut left) = (Vec::new(), SCAN_EVERY, HashSet::new());
        for entry in fs::read_dir(&self.folders.incoming)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_left_alone(&name) {
                continue;
            }
            // Not followed, if it is a link; gone by now, if there is none.
            let Ok(meta) = entry.metadata() else { continue };
            let now = SystemTime::now();
            let changed = meta.modified().unwrap_or(now);
            match readiness(kind(&meta), self.watch.heard(&name), now) {
                Readiness::Take => ready.push(Found { is_large: meta.len() > LARGE_BYTES, changed, name }),
                Readiness::Later(wait) => next = next.min(wait),
                Readiness::Leave(what) => {
                    let seen = (name, meta.ino());
                    if !self.left.contains(&seen) {
                        warn!(
                            name = stored_name(&seen.0),
                            "{what} in incoming/ is left alone; only regular files are read"
                        );
                    }
                    left.insert(seen);
                }
            }
        }
        self.left = left;
        ready.sort();
        Ok((ready, next))
    }

    /// Puts a problem, or that there is none, into the log and on the board, once.
    async fn say(&mut self, problem: Option<String>) {
        if self.problem != problem {
            match &problem {
                Some(problem) => warn!(problem, "not every file can be taken for now; it is tried again"),
                None => info!("the spool can be used again"),
            }
            self.problem.clone_from(&problem);
            self.on_board = false;
        }
        // The database may be what ails: it is told as soon as it can be.
        if !self.on_board {
            let told = self.board.spool_problem(problem).await;
            self.on_board = told.is_ok();
            match told {
                Ok(()) => self.board.sign().well(STAGE, self.clock.now()),
                Err(error) => self.board.sign().trouble(STAGE, self.clock.now(), &error.to_string()),
            }
        }
    }
}

/// Keeps the first trouble with a file, and goes on; the database's trouble is everybody's.
fn aside(before: Result<(), Error>, now: Result<(), Error>) -> Result<Result<(), Error>, Error> {
    match now {
        Err(Error::Store(error)) => Err(error.into()),
        now => Ok(before.and(now)),
    }
}

fn kind(meta: &fs::Metadata) -> Kind {
    let file_type = meta.file_type();
    // Another name for it may be somebody else's, and the daemon may read what its user may not.
    if file_type.is_file() && meta.nlink() > 1 {
        return Kind::Other("a file with another hard link");
    }
    if file_type.is_file() {
        return Kind::File(meta.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    }
    Kind::Other(match () {
        () if file_type.is_dir() => "a directory",
        () if file_type.is_symlink() => "a symbolic link",
        () if file_type.is_fifo() => "a FIFO",
        () if file_type.is_socket() => "a socket",
        () => "a device",
    })
}
