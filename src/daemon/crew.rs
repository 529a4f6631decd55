//! Everything that runs in the daemon, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::guardian::Guardian;
use super::herald::Herald;
use super::keys::KeyKeeper;
use super::leader::{self, Leader};
use super::systemd;
use super::watchdog::{self, Keeper, Prober};
use crate::clock::Clock;
use crate::credentials::Provider;
use crate::housekeeping::Sweeper;
use crate::http;
use crate::lead::{self, Lengths};
use crate::orders::{Clerk, Tray};
use crate::service::Service;
use crate::spool::{Folders, Spool};
use crate::stage::{self, Heartbeat, Live, Name, Stage, Tools, Wakes};
use crate::status::{Board, Health};
use crate::store::{self, Guard, Store};

/// The tasks, and what they share.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) tasks: JoinSet<Name>,
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) heartbeat: Heartbeat,
    pub(super) wakes: Wakes,
    pub(super) board: Board,
    pub(super) keys: Provider,
    pub(super) live: Live,
    /// Cancelled to end the stages: when the daemon stops, and when its database is lost.
    pub(super) work: CancellationToken,
    /// Cancelled to end everything.
    pub(super) shutdown: CancellationToken,
}

impl Crew {
    /// Begins to watch whether the stages move; with systemd's watchdog, also whether the database responds.
    pub(super) fn watch_over(&mut self, watchdog: Option<Duration>) -> anyhow::Result<Keeper> {
        if let Some(period) = watchdog {
            self.start(Prober::new(self.tools(Name::Database), period));
        }
        let keeper = watchdog::keep(watchdog.is_some(), self.heartbeat.clone(), self.store.when_lost());
        keeper.context("starting the watchdog's thread")
    }

    /// Starts the stages that every host runs. They also end when the database is lost.
    pub(super) fn start_stages(&mut self, folders: Folders) {
        self.start(Sweeper::new(self.tools(Name::Sweeper), folders.clone(), self.board.clone()));
        self.start(Spool::new(self.tools(Name::Spool), folders, self.board.clone()));
        let tray = Tray::under(&self.live.borrow().config.spool.dir);
        self.start(Clerk::new(self.tools(Name::Orders), tray));
    }

    /// Starts what decides whether this host leads, and the leader's stages whenever it does.
    pub(super) fn start_leader(&mut self, service: Service) -> anyhow::Result<()> {
        leader::try_to_lead(self.tools(Name::Verifier))?;
        let terms = if self.store.is_shared() {
            let tools = (self.live.clone(), self.heartbeat.pulse(Name::Lease), self.wakes.clone());
            let (store, clock) = (Arc::clone(&self.store), self.clock.clone());
            let (keeper, terms) = lead::Keeper::new(store, clock, tools, Lengths::default(), self.work.clone());
            self.spawn(Name::Lease, keeper.run());
            terms
        } else {
            lead::for_ever(self.work.clone())
        };
        let leader = Leader {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            heartbeat: self.heartbeat.clone(),
            wakes: self.wakes.clone(),
            board: self.board.clone(),
            live: self.live.clone(),
            service,
            shutdown: self.work.clone(),
        };
        self.tasks.spawn(leader.run(terms));
        Ok(())
    }

    /// Starts the guardian of the database.
    pub(super) async fn start_guardian(&mut self) -> anyhow::Result<()> {
        let guard = Guard::over(Arc::clone(&self.store)).await.context("guarding the database")?;
        let guardian = Guardian {
            store: Arc::clone(&self.store),
            guard,
            clock: self.clock.clone(),
            heartbeat: self.heartbeat.clone(),
            wakes: self.wakes.clone(),
            work: self.work.clone(),
            spool: self.live.borrow().config.spool.dir.clone(),
        };
        self.spawn(Name::Guardian, guardian.run(self.shutdown.clone()));
        Ok(())
    }

    /// Starts the tasks that report, and the one that follows the key. `asked` makes the herald log the state.
    pub(super) fn start_others(&mut self, asked: Arc<Notify>) {
        let (store, board) = (Arc::clone(&self.store), self.board.clone());
        let herald = Herald { store, board, asked };
        self.spawn(Name::Herald, herald.run(self.shutdown.clone()));
        let (store, board) = (Arc::clone(&self.store), self.board.clone());
        let keeper = KeyKeeper { keys: self.keys.clone(), store, board, wakes: self.wakes.clone() };
        self.spawn(Name::KeyKeeper, keeper.run(self.work.clone()));
        let listen = self.live.borrow().config.http.listen;
        if let Some(listen) = listen {
            let (store, board, clock) = (Arc::clone(&self.store), self.board.clone(), self.clock.clone());
            let server = http::Server::new(listen, store, board, clock, self.live.clone(), self.heartbeat.clone());
            self.spawn(Name::HttpServer, server.run(self.shutdown.clone()));
        }
    }

    fn tools(&self, name: Name) -> Tools {
        Tools {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            settings: Arc::clone(&self.live.borrow()),
            pulse: self.heartbeat.pulse(name),
            wakes: self.wakes.clone(),
            stop: self.work.clone(),
            shutdown: self.work.clone(),
        }
    }

    fn start(&mut self, stage: impl Stage + 'static) {
        let (name, live, stop) = (stage.pulse().name(), self.live.clone(), self.work.clone());
        self.spawn(name, stage::run(stage, live, stop));
    }

    /// Starts a task that runs until it is told to stop.
    pub(super) fn spawn(&mut self, name: Name, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits until the daemon is asked to stop, and then until all tasks have finished. If a task ends on its own,
    /// stops all of them.
    ///
    /// # Errors
    ///
    /// A task ended on its own; names it.
    pub(super) async fn supervise(self) -> anyhow::Result<()> {
        let Self { mut tasks, board, work, shutdown, .. } = self;
        let mut failed = None;
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => {}
                // A stage that ends because it was asked to may be seen before the request is.
                ended = tasks.join_next() => {
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
        while tasks.join_next().await.is_some() {}
        match failed {
            None => Ok(()),
            Some(Ok(stage)) => anyhow::bail!("the {stage} ended on its own; this is a bug, please report it"),
            Some(Err(error)) => anyhow::bail!("a stage failed: {error}; this is a bug, please report it"),
        }
    }
}
