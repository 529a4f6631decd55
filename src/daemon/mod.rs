//! Starts, supervises and drains the stages.
//!
//! At the start it checks configuration and credentials, takes the locks, opens and migrates the database, and makes
//! the folders; only then do the stages run, and systemd gets `READY=1`. TERM or INT asks the stages to finish their
//! present step; a call in flight ends within its deadline. A second TERM or INT ends the process at once, which is
//! safe: what was in flight is found open at the next start. For HUP see `reload`, for the lives of the stages `crew`,
//! for a stage that hangs `watchdog`.

mod crew;
mod guardian;
mod herald;
mod keys;
mod leader;
mod lock;
mod opening;
mod reload;
mod signals;
mod systemd;
mod watchdog;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use strum::VariantArray as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::{Prepared, Provider};
use crate::ledger::{self, Marker};
use crate::meters;
use crate::model::{Lane, ProductName};
use crate::service::Service;
use crate::spool::{Folders, spool_id};
use crate::stage::{Heartbeat, Name, Settings, Sign, Wakes};
use crate::status::{Board, Health, Namesake};
use crate::store::{self, Lost, Store};
use crate::submit::Outcome;
use crate::telemetry::Volume;

use crew::Crew;
use reload::Reloader;
use signals::Asked;

pub use lock::{Held, Lock, Locked};

/// What the daemon needs at its start.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// The file it was read from; none for the built-in defaults.
    pub path: Option<PathBuf>,
    /// The source of the access key, and the key if it is at hand.
    pub key: Prepared,
    /// The level of the log.
    pub volume: Volume,
}

/// The daemon's lock files: one beside a database that is a file, and last the one in the spool, by whatever path these
/// are reached.
pub fn lock_paths(config: &Config) -> Vec<PathBuf> {
    let database = config.database.url.file().map(|file| store::beside(&store::real_path(file), ".lock"));
    database.into_iter().chain([store::real_path(&config.spool.dir).join(".lock")]).collect()
}

/// Runs the daemon until it is asked to stop.
///
/// # Errors
///
/// The daemon cannot start, or a task ended on its own.
pub async fn run(start: Start) -> anyhow::Result<()> {
    let Start { config, path, key, volume } = start;
    let folders = Folders::under(&config.spool.dir);
    folders.create().context("making the spool's folders; [spool] dir names them")?;
    config.database.url.file().map_or(Ok(()), make_parent)?;
    refuse_left_copy(&config)?;
    let _locks = lock_paths(&config).iter().map(|path| Lock::take(path)).collect::<Result<Vec<_>, Locked>>()?;
    let (clock, watchdog) = (Clock::system(), systemd::watchdog());
    let asked = Asked::default();
    signals::listen(asked.clone()).context("listening for signals")?;
    let heartbeat = Heartbeat::new(clock.clone(), watchdog, &lock_paths(&config))
        .context("writing a sign of life into the lock files")?;
    let Some(store) = opening::open(&config, &heartbeat, &asked.shutdown).await? else {
        info!("stopped");
        return Ok(());
    };
    let store = prepare(store, &config).await?;
    let keys = Provider::new(key);
    let service = Service::new(&config, clock.clone(), keys.clone())?;
    let board = Board::new(Arc::clone(&store));
    board.health(Health::Running, Some(clock.now())).await?;

    meters::start(&counted(&config), &Outcome::words());
    let endpoint = config.api.endpoint.url().to_string();
    let (settings, live) = watch::channel(Arc::new(Settings { config, path: path.clone() }));
    let mut crew = Crew {
        tasks: JoinSet::new(),
        store: Arc::clone(&store),
        clock,
        heartbeat,
        wakes: Wakes::default(),
        board: board.clone(),
        keys: keys.clone(),
        live,
        work: asked.shutdown.child_token(),
        shutdown: asked.shutdown,
    };
    let _keeper = crew.watch_over(watchdog)?;
    crew.start_leader(service.observed_by(meters::call))?;
    crew.start_stages(folders);
    crew.start_guardian().await?;
    crew.start_others(asked.state);
    let (store_of, board_of) = (Arc::clone(&store), board.clone());
    let reloader = Reloader { path, settings, keys, volume, store: store_of, board: board_of, asked: asked.reload };
    crew.spawn(Name::Reloader, reloader.run(crew.shutdown.clone()));
    systemd::ready();
    info!(version = env!("CARGO_PKG_VERSION"), endpoint, "ready");
    crew.supervise().await?;
    end(store, board).await?;
    info!("stopped");
    Ok(())
}

/// Closes the database once every stage has ended and nobody else holds it.
/// The lanes that are counted from the start: prefetching, and what else files may ask for.
fn counted(config: &Config) -> Vec<Lane> {
    let others = config.spool.actions.lanes().iter().copied().filter(|lane| *lane != Lane::Prefetch);
    [Lane::Prefetch].into_iter().chain(others).collect()
}

async fn end(store: Arc<Store>, board: Board) -> anyhow::Result<()> {
    if let Some(lost) = store.lost() {
        // SQLite would tidy up beside a file that is no longer its own.
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

/// Refuses to start if a daemon that lost its database and was killed left a copy of it: nobody should begin anew
/// beside that copy.
fn refuse_left_copy(config: &Config) -> Result<(), LeftCopy> {
    let Some(database) = config.database.url.file().map(Path::to_path_buf) else { return Ok(()) };
    // A daemon that still runs holds the locks; they report it.
    let left = lock_paths(config).into_iter().filter(|path| Lock::held(path) == Held::Free);
    let signs = left.filter_map(|path| Sign::read(&path));
    let lost: Vec<Lost> = signs.filter_map(|sign| Some(sign.lost?.lost)).collect();
    if let Some(copy) = lost.iter().filter_map(|lost| lost.copy.clone()).find(|copy| copy.exists()) {
        return Err(LeftCopy::Saved { copy, database });
    }
    // SQLite would take a file without a header for a new database, and what it held would be gone without a word.
    let bytes = std::fs::metadata(&database).ok().map(|file| file.len());
    let markers = Lane::VARIANTS.iter().map(|lane| Marker::in_spool(&config.spool.dir, *lane));
    let markers: Vec<Marker> = markers.collect();
    let was_charged = || markers.iter().any(|marker| marker.read().ok().flatten().is_some());
    match bytes {
        Some(bytes) if bytes < store::HEADER_BYTES && was_charged() => Err(LeftCopy::Emptied { database }),
        None if lost.iter().any(|lost| lost.copy.is_none()) && was_charged() => {
            let signs = lock_paths(config).iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
            Err(LeftCopy::Gone { database, signs })
        }
        _ => Ok(()),
    }
}

/// The content of a lost database has not been put back.
#[derive(Debug, thiserror::Error)]
pub enum LeftCopy {
    /// The last daemon saved a copy.
    #[error(
        "the last daemon lost its database and saved what it held in {copy}: move that to {database} (`prefetchd \
         status` has the commands), or elsewhere to begin without it"
    )]
    Saved {
        /// The copy.
        copy: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// The file is empty although calls were charged.
    #[error(
        "the database {database} was emptied, and the marker in the spool knows of calls that it held: put a backup in \
         its place, or begin without what it held by `rm {database}`"
    )]
    Emptied {
        /// The database.
        database: PathBuf,
    },
    /// The last daemon lost the file and could not save what it held.
    #[error(
        "the last daemon lost its database {database} and could not save what it held: put a backup in its place, or \
         begin without what it held by `rm {signs}`"
    )]
    Gone {
        /// The database.
        database: PathBuf,
        /// Where the last daemon said so.
        signs: String,
    },
}

fn make_parent(database: &Path) -> anyhow::Result<()> {
    let Some(dir) = database.parent() else { return Ok(()) };
    std::fs::create_dir_all(dir).with_context(|| format!("making the database's directory {}", dir.display()))
}

/// Takes the open database for this product, and compares a file with the charge in the spool's marker.
async fn prepare(store: Store, config: &Config) -> anyhow::Result<Arc<Store>> {
    let store = Arc::new(store);
    if config.database.url.server().is_some() {
        let spool = spool_id(&config.spool.dir).context("reading the id of the spool")?;
        Namesake::refuse(&store, &spool).await??;
    }
    belong(&store, config).await?;
    // On a server whoever leads does that, under its lease.
    if !store.is_shared() {
        leader::take_over(&store, config).await?;
    }
    Ok(store)
}

/// Takes the database for the configured product, before anything else in it is touched.
async fn belong(store: &Store, config: &Config) -> anyhow::Result<()> {
    let mut tx = store.write().await?;
    let owner = ledger::belong_tx(&mut tx, config.api.product, Clock::system().wall()).await?;
    tx.commit().await?;
    owner.map_or(Ok(()), |owner| Err(OtherProduct::of(config, owner).into()))
}

/// The database belongs to another product.
#[derive(Debug, thiserror::Error)]
#[error(
    "[api] product is \"{configured}\", but the database {database} holds the queue and the books of \"{owner}\"; set \
     product = \"{owner}\" again, or give \"{configured}\" a configuration with [database] url and [spool] dir of its \
     own (docs/products.md)"
)]
pub struct OtherProduct {
    configured: &'static str,
    owner: &'static str,
    database: String,
}

impl OtherProduct {
    /// The configured database belongs to `owner`.
    pub fn of(config: &Config, owner: ProductName) -> Self {
        let database = config.database.url.place();
        Self { configured: config.api.product.word(), owner: owner.word(), database }
    }
}
