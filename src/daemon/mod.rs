//! Starts, supervises and drains the stages.
//!
//! Start: configuration and credentials are checked, the locks taken, the database opened and migrated, the folders
//! made; only then the stages run and systemd hears `READY=1`. Stop: TERM or INT asks the stages to finish the step
//! they are in; a call in flight is finished within its deadline. A second TERM or INT ends the process at once, which
//! is safe: what was in flight is found open at the next start. HUP: see `reload`; a stage that hangs: see `watchdog`.

mod guardian;
mod herald;
mod keys;
mod lock;
mod reload;
mod signals;
mod systemd;
mod watchdog;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::{Credentials, Provider, Source};
use crate::http;
use crate::ledger::{self, Marker};
use crate::meters;
use crate::notify::Notifier;
use crate::pulse::Pulse;
use crate::schedule::Policy;
use crate::service::Service;
use crate::settings::Settings;
use crate::spool::{Folders, Ingest, Spool};
use crate::status::{Board, Health, Sign, SignOfLife};
use crate::store::{self, Guard, Store};
use crate::submit::{Outcome, Submitter};
use crate::telemetry::Volume;
use crate::track::{Tracker, Verifier};

use guardian::Guardian;
use herald::Herald;
use keys::KeyKeeper;
use reload::Reloader;
use signals::Asked;

pub use lock::{Held, Lock, Locked};

/// What the daemon is started with.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// The file that it was read from; none if the built-in defaults hold.
    pub path: Option<PathBuf>,
    /// The access key, and where it was found.
    pub key: (Credentials, Source),
    /// How much is logged.
    pub volume: Volume,
}

/// Where the daemon's locks lie: one beside the database, one in the spool, by whatever path they are reached.
pub fn lock_paths(config: &Config) -> [PathBuf; 2] {
    let database = store::real_path(config.database.url.path());
    [store::beside(&database, ".lock"), store::real_path(&config.spool.dir).join(".lock")]
}

/// Runs the daemon until it is asked to stop.
///
/// # Errors
///
/// What keeps it from starting, or the stage that ended on its own.
pub async fn run(start: Start) -> anyhow::Result<()> {
    let Start { config, path, key, volume } = start;
    let keys = Provider::new(&config, key);
    let clock = Clock::system();
    let folders = Folders::under(&config.spool.dir);
    folders.create().context("making the spool's folders; [spool] dir names them")?;
    make_parent(config.database.url.path())?;
    refuse_left_copy(&config)?;
    let locks = lock_paths(&config).map(|path| Lock::take(&path));
    let _locks = locks.into_iter().collect::<Result<Vec<_>, Locked>>()?;
    let store = open_store(&config).await?;
    let service = Service::new(&config, clock.clone(), keys.clone())
        .context("setting up TLS; are root certificates installed (on Debian, the package ca-certificates)?")?;

    let asked = Asked::default();
    let shutdown = asked.shutdown.clone();
    signals::listen(asked.clone()).context("listening for signals")?;
    let work = shutdown.child_token();
    let sign = SignOfLife::in_files(&lock_paths(&config)).context("writing a sign of life into the lock files")?;
    let board = Board::new(Arc::clone(&store)).with_sign(sign.clone());
    board.health(Health::Running, Some(clock.now())).await?;
    let queued = Arc::new(Notify::new());
    let ingest = Ingest::new(Arc::clone(&store), folders.clone(), &config, clock.clone());
    let spool =
        Spool::new(Arc::clone(&store), folders, ingest, board.clone(), clock.clone(), Arc::clone(&queued), &config);
    let notifier = Notifier::new(Arc::clone(&store), clock.clone(), config.notify.command.clone());
    let service = service.observed_by(meters::call);
    let submitter = Submitter::new(Arc::clone(&store), board.clone(), service.clone(), &config);
    let herald = Herald { store: Arc::clone(&store), board: board.clone(), asked: asked.state };

    let mut stages = JoinSet::new();
    let pulses = vec![("spool", spool.pulse()), ("submitter", submitter.pulse())];
    let _keeper = watch_over(pulses, &store, &mut stages, &shutdown)?;
    meters::start(&Outcome::WORDS);
    let verifier = Verifier::new(Arc::clone(&store), clock.clone(), &config)
        .context("setting up the HTTP client of [track] verify")?;
    let endpoint = config.api.endpoint.url().to_string();
    let (spool_dir, listen) = (config.spool.dir.clone(), config.http.listen);
    let (settings, live) = watch::channel(Arc::new(Settings { config }));
    let tracker = Tracker::new(Arc::clone(&store), service, submitter.room(), Arc::clone(&live.borrow()));
    let http =
        listen.map(|listen| http::Server::new(listen, Arc::clone(&store), board.clone(), clock.clone(), live.clone()));
    let keeper =
        KeyKeeper { keys: keys.clone(), store: Arc::clone(&store), board: board.clone(), wake: Arc::clone(&queued) };
    let reloader =
        Reloader { path, settings, keys, volume, store: Arc::clone(&store), board: board.clone(), asked: asked.reload };
    let tell = Arc::new(Notify::new());
    let wake = vec![Arc::clone(&queued), Arc::clone(&tell)];
    let guardian = Guardian {
        store: Arc::clone(&store),
        guard: Guard::over(Arc::clone(&store)).await.context("guarding the database")?,
        clock,
        sign,
        stages: wake,
        work: work.clone(),
        spool: spool_dir,
    };
    let mut start = |name, stage: Stage| spawn(&mut stages, name, stage);
    start("guardian", Box::pin(guardian.run(shutdown.clone())));
    // These end too when the database is lost.
    start("spool", Box::pin(spool.run(live.clone(), work.clone())));
    start("submitter", Box::pin(submitter.run(queued, live.clone(), work.clone())));
    start("tracker", Box::pin(tracker.run(live.clone(), work.clone())));
    start("notifier", Box::pin(notifier.run(tell, live, work.clone())));
    if let Some(verifier) = verifier {
        start("verifier", Box::pin(verifier.run(work.clone())));
    }
    start("herald", Box::pin(herald.run(shutdown.clone())));
    start("keeper of the key", Box::pin(keeper.run(work.clone())));
    start("reloader", Box::pin(reloader.run(shutdown.clone())));
    if let Some(server) = http {
        start("http server", Box::pin(server.run(shutdown.clone())));
    }
    systemd::ready();
    info!(version = env!("CARGO_PKG_VERSION"), endpoint, "ready");
    supervise(&mut stages, &shutdown, &work, &board).await?;
    end(store, board).await?;
    info!("stopped");
    Ok(())
}

/// Closes the database once every stage has ended, so that nobody else holds it.
async fn end(store: Arc<Store>, board: Board) -> anyhow::Result<()> {
    if let Some(lost) = store.lost() {
        // SQLite would tidy up beside a file that is not its own any more.
        std::mem::forget((store, board));
        anyhow::ensure!(lost.copy.is_some(), "{lost}");
        return Ok(());
    }
    board.health(Health::Stopped, None).await?;
    drop(board);
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    Ok(())
}

/// A daemon that lost its database and was killed has left a copy of what it held: nobody begins anew beside it.
fn refuse_left_copy(config: &Config) -> Result<(), LeftCopy> {
    // One that still runs has the locks, which say so.
    let left = lock_paths(config).into_iter().filter(|path| Lock::held(path) == Held::Free);
    let signs = left.filter_map(|path| Sign::read(&path));
    match signs.filter_map(|sign| sign.lost?.lost.copy).find(|copy| copy.exists()) {
        Some(copy) => Err(LeftCopy { copy, database: config.database.url.path().to_path_buf() }),
        None => Ok(()),
    }
}

/// What a lost database held has not been put back.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database was lost under the daemon before this one, and what it held is in {copy}: move that to {database} (`prefetchd status` \
     has the commands), or elsewhere to begin without it"
)]
pub struct LeftCopy {
    copy: PathBuf,
    database: PathBuf,
}

fn make_parent(database: &Path) -> anyhow::Result<()> {
    let Some(dir) = database.parent() else { return Ok(()) };
    std::fs::create_dir_all(dir).with_context(|| format!("making the database's directory {}", dir.display()))
}

/// Opens the database and holds it against what the spool's marker knows to be charged.
async fn open_store(config: &Config) -> anyhow::Result<Arc<Store>> {
    let database = config.database.url.path();
    let store = Arc::new(Store::open(database).await.with_context(|| format!("opening {}", database.display()))?);
    if let Some(mark) =
        Marker::in_spool(&config.spool.dir).read().context("reading the ledger's marker in the spool")?
        && ledger::reconcile(&store, &Policy::from(config), mark).await?
    {
        warn!(
            day = %mark.date,
            requests = mark.requests,
            "the database is older than what was charged: it was lost or restored; the service's quota decides what is left"
        );
    }
    let mut tx = store.write().await?;
    ledger::probe_now_tx(&mut tx).await?;
    tx.commit().await?;
    Ok(store)
}

/// Keeps systemd's watchdog, where one is set, fed while these and the database move.
fn watch_over(
    mut pulses: Vec<(&'static str, Pulse)>,
    store: &Arc<Store>,
    stages: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<watchdog::Keeper>> {
    let Some(period) = systemd::watchdog() else { return Ok(None) };
    let pulse = Pulse::default();
    pulses.push(("database", pulse.clone()));
    let prober = watchdog::try_database(Arc::clone(store), pulse, period, shutdown.clone());
    spawn(stages, "database", Box::pin(prober));
    Ok(Some(watchdog::keep(period, pulses, store.when_lost()).context("starting the watchdog's thread")?))
}

/// A stage's life.
type Stage = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn spawn(stages: &mut JoinSet<&'static str>, name: &'static str, stage: Stage) {
    stages.spawn(async move {
        stage.await;
        name
    });
}

/// Waits until the daemon is asked to stop, and then for the stages to finish. A stage that ends on its own stops all.
async fn supervise(
    stages: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
    work: &CancellationToken,
    board: &Board,
) -> anyhow::Result<()> {
    let mut failed = None;
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => {}
            // A stage that ends because it was asked to may be seen before the asking is.
            ended = stages.join_next() => {
                failed = ended.filter(|ended| ended.is_err() || !work.is_cancelled());
                if failed.is_some() {
                    shutdown.cancel();
                }
            }
        }
    }
    systemd::stopping();
    info!("stopping: what is in flight is finished first");
    if let Err(error) = board.health(Health::Stopping, None).await
        && !matches!(error, store::Error::Lost(_))
    {
        error!(%error, "the database could not be told of the stop");
    }
    while stages.join_next().await.is_some() {}
    match failed {
        None => Ok(()),
        Some(Ok(stage)) => anyhow::bail!("the {stage} ended on its own; this is a bug, please report it"),
        Some(Err(error)) => anyhow::bail!("a stage failed: {error}; this is a bug, please report it"),
    }
}
