//! Starts, supervises and drains the stages.
//!
//! Start: configuration and credentials are checked, the locks taken, the database opened and migrated, the folders
//! made; only then the stages run and systemd hears `READY=1`. Stop: TERM or INT asks the stages to finish the step they
//! are in; a call in flight is finished within its deadline. A second TERM or INT ends the process at once, which is
//! safe: what was in flight is found open at the next start.

mod lock;
mod signals;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::ledger::{self, Marker};
use crate::notify::Notifier;
use crate::schedule::Policy;
use crate::spool::{Folders, Ingest, Spool};
use crate::status::{Board, Health};
use crate::store::Store;
use crate::submit::Submitter;
use crate::track::Verifier;
use crate::vod::Client;

pub use lock::{Held, Lock, Locked};

/// Where the daemon's locks lie: one beside the database, one in the spool.
pub fn lock_paths(config: &Config) -> [PathBuf; 2] {
    let mut beside = config.database.url.path().as_os_str().to_owned();
    beside.push(".lock");
    [beside.into(), config.spool.dir.join(".lock")]
}

/// Runs the daemon until it is asked to stop.
///
/// # Errors
///
/// What keeps it from starting, or the stage that ended on its own.
pub async fn run(config: &Config, credentials: Credentials) -> anyhow::Result<()> {
    let clock = Clock::system();
    let folders = Folders::under(&config.spool.dir);
    folders.create().context("making the spool's folders; [spool] dir names them")?;
    let database = config.database.url.path();
    if let Some(dir) = database.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("making the database's directory {}", dir.display()))?;
    }
    let locks = lock_paths(config).map(|path| Lock::take(&path));
    let _locks = locks.into_iter().collect::<Result<Vec<_>, Locked>>()?;
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
    let client = Client::new(&config.api)
        .context("setting up TLS; are root certificates installed (on Debian, the package ca-certificates)?")?;

    let shutdown = CancellationToken::new();
    signals::listen(shutdown.clone()).context("listening for signals")?;
    let board = Board::new(Arc::clone(&store));
    board.health(Health::Running, Some(clock.now())).await?;
    let queued = Arc::new(Notify::new());
    let ingest = Ingest::new(Arc::clone(&store), folders.clone(), config, clock.clone());
    let spool =
        Spool::new(Arc::clone(&store), folders, ingest, board.clone(), clock.clone(), Arc::clone(&queued), config);
    let notifier = Notifier::new(Arc::clone(&store), clock.clone(), config.notify.command.clone());
    let verifier = Verifier::new(Arc::clone(&store), clock.clone(), config)
        .context("setting up the HTTP client of [track] verify")?;
    let submitter = Submitter::new(Arc::clone(&store), board.clone(), clock, client, credentials, config);

    let mut stages = JoinSet::new();
    let token = shutdown.clone();
    stages.spawn(async move {
        spool.run(token).await;
        "spool"
    });
    let token = shutdown.clone();
    stages.spawn(async move {
        submitter.run(queued, token).await;
        "submitter"
    });
    let token = shutdown.clone();
    stages.spawn(async move {
        notifier.run(token).await;
        "notifier"
    });
    verifier.into_iter().for_each(|verifier| verify(&mut stages, verifier, shutdown.clone()));
    notify(&[NotifyState::Ready]);
    info!(version = env!("CARGO_PKG_VERSION"), endpoint = %config.api.endpoint.url(), "ready");
    supervise(&mut stages, &shutdown, &board).await?;
    // Every stage has ended, so that nobody else holds the store.
    board.health(Health::Stopped, None).await?;
    drop(board);
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    info!("stopped");
    Ok(())
}

/// The stage that only some run.
fn verify(stages: &mut JoinSet<&'static str>, verifier: Verifier, shutdown: CancellationToken) {
    stages.spawn(async move {
        verifier.run(shutdown).await;
        "verifier"
    });
}

/// Waits until the daemon is asked to stop, and then for the stages to finish. A stage that ends on its own stops all.
async fn supervise(
    stages: &mut JoinSet<&'static str>,
    shutdown: &CancellationToken,
    board: &Board,
) -> anyhow::Result<()> {
    let mut failed = None;
    tokio::select! {
        () = shutdown.cancelled() => {}
        // A stage that ends because it was asked to may be seen before the asking is.
        ended = stages.join_next() => {
            failed = ended.filter(|ended| ended.is_err() || !shutdown.is_cancelled());
            shutdown.cancel();
        }
    }
    notify(&[NotifyState::Stopping]);
    info!("stopping: what is in flight is finished first");
    if let Err(error) = board.health(Health::Stopping, None).await {
        error!(%error, "the database could not be told of the stop");
    }
    while stages.join_next().await.is_some() {}
    match failed {
        None => Ok(()),
        Some(Ok(stage)) => anyhow::bail!("the {stage} ended on its own; this is a bug, please report it"),
        Some(Err(error)) => anyhow::bail!("a stage failed: {error}; this is a bug, please report it"),
    }
}

/// Tells systemd, where there is one.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        error!(%error, "systemd could not be notified");
    }
}
