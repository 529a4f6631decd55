//! The stage's step: looks at `incoming/` and at files that have grown, then commits a chunk or a handful of small
//! files of whatever comes first. So a more urgent file waits for one step at most, whatever else is being read.

mod say;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::claim::{Claimed, deadline, nanos};
use super::folders::Folders;
use super::grown::Grown;
use super::incoming::{Incoming, SCAN_EVERY};
use super::ingest::{Ended, Error, FileReading, How, Ingest, Moving};
use super::order::{Move, Next, Rank, turn};
use super::trouble::{aside, trouble_of};
use super::watch::Watch;
use crate::clock::Clock;
use crate::model::{Backoff, FileId, LeftWhy, Priority, SpoolProblem, Time, UrlRules};
use crate::queue::{self, OpenFile, Phase};
use crate::stage::{Pulse, Settings, Stage, Then, Tools, Wakes};
use crate::status::Board;
use crate::store::{self, Store};

/// Waits after failures in a row.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: SCAN_EVERY };

/// A packed file that is still being written is looked at again after this long.
const UNFINISHED_AGAIN: Duration = Duration::from_secs(1);

/// A file that could not be claimed is found and tried again within this time.
const NOT_CLAIMED_FOR: Duration = Duration::from_secs(20);

/// A pass takes about this long at most, so that a reload and housekeeping need not wait for a large file.
const PASS_MAX: Duration = Duration::from_secs(1);

/// Most files that are claimed, read and put away together. That takes a tenth of a second or two.
pub(super) const TOGETHER_MAX: usize = 200;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) reading: FileReading,
    rank: Rank,
    began: Instant,
}

/// Entries left alone: names, why, since when.
type Left = Vec<(String, LeftWhy, Time)>;

/// The spool stage.
#[derive(Debug)]
pub struct Spool {
    pub(super) store: Arc<Store>,
    pub(super) folders: Folders,
    ingest: Ingest,
    watch: Watch,
    pub(super) incoming: Incoming,
    grown: Grown,
    pub(super) rules: UrlRules,
    board: Board,
    pub(super) clock: Clock,
    wakes: Wakes,
    /// Claimed files that wait to be read, in their order.
    pub(super) waiting: BTreeMap<(Rank, FileId), Claimed>,
    /// Files that are being read; each was overtaken by the next.
    pub(super) open: Vec<Open>,
    /// How often the daemon died while it read each file; none before the first pass, which asks the database.
    pub(super) deaths: Option<HashMap<FileId, u32>>,
    /// When to look through `work/` for files that nobody is reading: at the start and after a failure.
    resume_at: Option<Instant>,
    /// Failures in a row of each file, and the last error.
    failures: u32,
    trouble: Option<SpoolProblem>,
    /// Why ready files could not be claimed, and when that was tried.
    pub(super) not_claimed: Option<(Instant, SpoolProblem)>,
    /// When to look again at entries that are left alone, and what was last said about them.
    left_at: Instant,
    left: Option<Left>,
    /// What the receipts of unfinished files said last.
    moving: Moving,
    /// The problem that was last reported.
    problem: Option<SpoolProblem>,
    /// Whether `status` shows it too.
    on_board: bool,
    /// Passes in a row that failed because of the folders' file system.
    failed_passes: u32,
    pulse: Pulse,
    stop: CancellationToken,
}

impl Stage for Spool {
    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Takes over a reloaded configuration; the folders stay the same.
    async fn apply(&mut self, settings: Arc<Settings>) {
        self.rules = settings.config.spool.url_rules();
        self.incoming.apply(self.rules.clone());
        self.ingest.apply(&settings.config);
    }

    async fn advance(&mut self) -> store::Result<Then> {
        let stop = self.stop.clone();
        let passed = self.pass(&stop).await;
        let problem = match &passed {
            Ok(_) => self.what_ails(),
            Err(Error::Io(error)) => Some(trouble_of(error)),
            // Whoever uses the database says what ails it.
            Err(Error::Store(_)) => self.problem.clone(),
        };
        let said = self.say(problem).await;
        match passed {
            Ok(next) => {
                self.failed_passes = 0;
                said.map(|()| Then::from(next))
            }
            Err(Error::Store(error)) => Err(error),
            Err(Error::Io(_)) => {
                self.failed_passes += 1;
                said.map(|()| Then::Wait(RETRY.bound(self.failed_passes)))
            }
        }
    }

    async fn woken(&mut self) {
        if self.failed_passes > 0 {
            // A stage that went on writing after this would fail without a pause.
            std::future::pending::<()>().await;
        }
        self.watch.changed().await;
    }

    /// Ends the stage; files that are being read stay at their marks.
    async fn end(self) {
        for open in self.open {
            open.reading.close().await;
        }
        // If this fails, a later start may count one death too many.
        if let Ok(mut tx) = self.store.write().await
            && queue::not_died_tx(&mut tx, self.store.host()).await.is_ok()
        {
            let _ = tx.commit().await;
        }
    }
}

impl Spool {
    /// The stage over these folders.
    pub fn new(tools: Tools, folders: Folders, board: Board) -> Self {
        let Tools { store, clock, settings, pulse, wakes, stop, .. } = tools;
        let config = &settings.config;
        let ingest = Ingest::new(Arc::clone(&store), folders.clone(), config, clock.clone(), pulse.clone());
        // Watches before anybody learns that the daemon is ready, so that every write after that is heard.
        let mut watch = Watch::new(&folders);
        watch.arm();
        let (rules, now) = (config.spool.url_rules(), Instant::now());
        Self {
            store,
            incoming: Incoming::new(folders.incoming.clone(), rules.clone(), now),
            folders,
            ingest,
            watch,
            grown: Grown::new(now),
            rules,
            board,
            clock,
            wakes,
            waiting: BTreeMap::new(),
            open: Vec::new(),
            deaths: None,
            resume_at: Some(now),
            failures: 0,
            trouble: None,
            not_claimed: None,
            left_at: now,
            left: None,
            moving: Moving::default(),
            problem: None,
            on_board: true,
            failed_passes: 0,
            pulse,
            stop,
        }
    }

    /// Ingests files for about a second at most. Returns how soon to go on: at once, if something is left.
    ///
    /// # Errors
    ///
    /// The database or the folders' file system failed; the next pass goes on. Trouble with one file does not stop the
    /// others: that file is tried again later.
    pub async fn pass(&mut self, shutdown: &CancellationToken) -> Result<Duration, Error> {
        let passed = self.try_pass(shutdown).await;
        if passed.is_err() {
            // A file that was begun is somewhere between the folders.
            self.resume_at = Some(Instant::now());
        }
        passed
    }

    async fn try_pass(&mut self, shutdown: &CancellationToken) -> Result<Duration, Error> {
        self.folders.create()?;
        self.watch.arm();
        let started = Instant::now();
        if self.resume_at.is_some_and(|at| at <= started) {
            self.resume_at = None;
            self.resume().await?;
            self.trouble = None;
        }
        let mut trouble = Ok(());
        let mut next = loop {
            self.pulse.beat();
            let next = self.look().await?;
            if shutdown.is_cancelled() {
                break Duration::ZERO;
            }
            let ranks: Vec<Rank> = self.open.iter().map(|open| open.rank).collect();
            let worked = match turn(&ranks, self.next()) {
                Move::Rest => break next,
                Move::ReadOn => self.read_on().await,
                Move::Begin => self.begin().await,
            };
            trouble = aside(trouble, worked)?;
            if started.elapsed() > PASS_MAX {
                break Duration::ZERO;
            }
        };
        self.say_left().await?;
        trouble = aside(trouble, self.ingest.finish_receipts().await)?;
        trouble = aside(trouble, self.ingest.move_receipts(&mut self.moving).await)?;
        if let Err(error) = trouble {
            self.trouble = Some(error);
            self.failures += 1;
            self.resume_at = Some(Instant::now() + RETRY.bound(self.failures));
        } else if self.trouble.is_none() {
            self.failures = 0;
        }
        if let Some(at) = self.resume_at {
            next = next.min(at.saturating_duration_since(Instant::now()).max(RETRY.min / 10));
        }
        Ok(next)
    }

    /// Looks at `incoming/` and at files that have grown. Returns how soon to look again.
    async fn look(&mut self) -> Result<Duration, Error> {
        let news = self.watch.news();
        let now = Instant::now();
        self.incoming.hear(news.incoming, news.is_lost, now);
        self.grown.hear(news.kept);
        let next = self.incoming.look(now)?;
        let (changed, next_grown) = self.grown.look(&self.store, &self.folders, now).await?;
        for changed in changed {
            let mut tx = self.store.write().await?;
            let file = queue::reopen_tx(&mut tx, changed.file).await?;
            tx.commit().await?;
            if let Some(file) = file {
                info!(file = file.name, "the file has changed since it was read; it is read on from its mark");
                let arrived = nanos(self.clock.now());
                let rank = Rank { priority: file.priority, deadline: deadline(&file), arrived };
                let waiting = Claimed { is_small: false, is_whole: changed.is_whole, may_grow: false, file };
                self.waiting.insert((rank, waiting.file.id), waiting);
            }
        }
        Ok(next.min(next_grown))
    }

    /// The first of the waiting files, claimed or not.
    fn next(&self) -> Option<Next> {
        let waiting = self.waiting.first_key_value();
        let waiting = waiting.map(|((rank, _), waiting)| Next { rank: *rank, is_small: waiting.is_small });
        [waiting, self.incoming.next()].into_iter().flatten().min_by_key(|next| next.rank)
    }

    /// Begins the first of the waiting files: one large file, or a handful of small ones.
    async fn begin(&mut self) -> Result<(), Error> {
        let mut files = match (self.waiting.first_key_value(), self.incoming.next()) {
            (Some(((rank, _), _)), next) if next.is_none_or(|next| *rank <= next.rank) => self.take_waiting(),
            _ => self.claim().await?,
        };
        let is_small = files.len() > 1 || files.first().is_some_and(|(_, waiting)| waiting.is_small);
        match files.pop() {
            None => Ok(()),
            Some((rank, waiting)) if !is_small => self.open(rank, waiting).await,
            Some(last) => {
                files.push(last);
                self.read_small(files).await
            }
        }
    }

    /// Reads small files together and puts them away. A file that cannot be read in one go waits for its turn.
    async fn read_small(&mut self, files: Vec<(Rank, Claimed)>) -> Result<(), Error> {
        let (ranks, files): (Vec<Rank>, Vec<OpenFile>) =
            files.into_iter().map(|(rank, waiting)| (rank, waiting.file)).unzip();
        let read = self.ingest.read_small(&files).await?;
        if let Some(rank) = ranks.first().filter(|_| !read.is_empty()) {
            self.tell_queued(rank.priority);
        }
        let mut ended = Vec::new();
        for (file, rank) in files.iter().zip(ranks) {
            let phase = read.get(&file.id).map_or(file.phase, |ended| ended.phase);
            if read.get(&file.id).is_some_and(|ended| ended.has_changed) {
                self.grown.suspect(&file.stored_name, Instant::now());
            }
            if phase == Phase::Reading {
                let waiting = Claimed { file: file.clone(), is_small: false, is_whole: true, may_grow: true };
                self.waiting.insert((rank, file.id), waiting);
            } else {
                ended.push((file, phase));
            }
        }
        self.ingest.put_away(&ended).await?
    }

    /// Opens a large file for reading.
    async fn open(&mut self, rank: Rank, waiting: Claimed) -> Result<(), Error> {
        let deaths = self.deaths.as_ref().and_then(|deaths| deaths.get(&waiting.file.id).copied()).unwrap_or(0);
        let how = How { is_whole: waiting.is_whole, passes: !self.open.is_empty(), may_grow: waiting.may_grow, deaths };
        match self.ingest.begin(&waiting.file, how).await? {
            Ok(reading) => self.open.push(Open { reading, rank, began: Instant::now() }),
            Err(phase) => self.ingest.put_away(&[(&waiting.file, phase)]).await??,
        }
        Ok(())
    }

    /// Commits a chunk of the file that was opened last, and puts the file away at its end.
    async fn read_on(&mut self) -> Result<(), Error> {
        let Some(last) = self.open.last_mut() else { return Ok(()) };
        let priority = last.rank.priority;
        let advanced = self.ingest.advance(&mut last.reading).await;
        if matches!(advanced, Ok(None)) {
            self.tell_queued(priority);
            return Ok(());
        }
        let Some(Open { reading, began, rank }) = self.open.pop() else { return Ok(()) };
        let file = reading.close().await;
        let Some(Ended { phase, has_changed }) = advanced? else { return Ok(()) };
        self.tell_queued(priority);
        let now = Instant::now();
        if phase == Phase::Reading {
            if has_changed {
                let waiting = Claimed { file, is_small: false, is_whole: true, may_grow: false };
                self.waiting.insert((rank, waiting.file.id), waiting);
            } else {
                self.resume_at = Some(now + UNFINISHED_AGAIN);
            }
            return Ok(());
        }
        self.grown.was_read(&file.stored_name, began, now, &self.folders);
        if has_changed {
            self.grown.suspect(&file.stored_name, now);
        }
        self.ingest.put_away(&[(&file, phase)]).await?
    }

    /// Wakes the submitter and housekeeping. Large transactions let the submitter go first when something is urgent.
    fn tell_queued(&self, priority: Priority) {
        if priority == Priority::Urgent {
            self.store.ask_way();
        }
        self.wakes.queued();
    }
}
