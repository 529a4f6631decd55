//! The leader's stages: they live for a term, as long as this host leads. Where the database is a file that is as long
//! as the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use strum::VariantArray as _;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::housekeeping::Housekeeping;
use crate::lead::Term;
use crate::ledger::{self, Marker};
use crate::model::Lane;
use crate::notify::{Notifier, Robots, Typed};
use crate::service::{Service, policy};
use crate::stage::{self, Heartbeat, Live, Name, Stage, Tools, Wakes};
use crate::status::{Board, Invocation};
use crate::store::Store;
use crate::submit::Submitter;
use crate::track::{Tracker, Verifier};

/// How long to wait before the next try to begin a term.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

/// Runs the leader's stages.
#[derive(Debug, Clone)]
pub(super) struct Leader {
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) heartbeat: Heartbeat,
    pub(super) wakes: Wakes,
    pub(super) board: Board,
    pub(super) live: Live,
    pub(super) service: Service,
    /// Cancelled when the daemon stops.
    pub(super) shutdown: CancellationToken,
}

/// The stages of a term.
struct Stages {
    running: JoinSet<Name>,
    over: CancellationToken,
}

impl Leader {
    /// Leads for each of these terms. Ends with the name of a stage that ended on its own.
    ///
    /// # Panics
    ///
    /// A stage has.
    pub(super) async fn run(self, mut terms: mpsc::Receiver<Term>) -> Name {
        loop {
            let term = tokio::select! {
                () = self.shutdown.cancelled() => return Name::Leader,
                term = terms.recv() => term,
            };
            let Some(term) = term else { return Name::Leader };
            match self.lead(&term).await {
                Some(Ok(stage)) => return stage,
                Some(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Name::Leader,
                },
                None => {}
            }
        }
    }

    /// Leads until the term is over and its stages have ended. Returns the stage that ended although it was not asked
    /// to.
    async fn lead(&self, term: &Term) -> Option<Result<Name, JoinError>> {
        let store = match term.fence() {
            Some(fence) => Arc::new(self.store.under(fence.clone())),
            None => Arc::clone(&self.store),
        };
        let board = self.board.under(Arc::clone(&store));
        if term.fence().is_some() && !self.begin(&store, &board, term.over()).await {
            return None;
        }
        let mut stages = Stages { running: JoinSet::new(), over: term.over().clone() };
        if let Err(error) = self.start(&mut stages, &store, &board) {
            // At the start of the daemon this was tried and worked.
            error!(error = format!("{error:#}"), "the leader's stages cannot be started");
            return Some(Ok(Name::Verifier));
        }
        let ended = tokio::select! {
            () = term.over().cancelled() => None,
            ended = stages.running.join_next() => ended.filter(|ended| ended.is_err() || !term.over().is_cancelled()),
        };
        term.over().cancel();
        while stages.running.join_next().await.is_some() {}
        if term.fence().is_some() {
            // If the lease is another host's by now, so are the waits.
            let _ = board.forget_waits().await;
        }
        ended
    }

    /// Puts in order what the leader before left, and tries until that succeeds. False if the term is over first.
    async fn begin(&self, store: &Store, board: &Board, over: &CancellationToken) -> bool {
        let mut told = false;
        while !over.is_cancelled() {
            let settings = Arc::clone(&self.live.borrow());
            let begun = async {
                take_over(store, &settings.config).await?;
                Ok::<_, anyhow::Error>(board.forget_waits().await?)
            };
            match begun.await {
                Ok(()) => return true,
                Err(error) if !told => {
                    let error = format!("{error:#}");
                    warn!(error, "this host cannot begin to lead; it is tried again as long as it has the lease");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(BEGIN_AGAIN) => {}
                () = over.cancelled() => {}
            }
        }
        false
    }

    fn start(&self, stages: &mut Stages, store: &Arc<Store>, board: &Board) -> anyhow::Result<()> {
        let tools = |name| Tools {
            store: Arc::clone(store),
            clock: self.clock.clone(),
            settings: Arc::clone(&self.live.borrow()),
            pulse: self.heartbeat.pulse(name),
            wakes: self.wakes.clone(),
            stop: stages.over.clone(),
            shutdown: self.shutdown.clone(),
        };
        let verifier = Verifier::new(tools(Name::Verifier)).context("setting up the HTTP client of [track] verify")?;
        let housekeeping = Housekeeping::new(tools(Name::Housekeeping));
        let submitter = Submitter::new(tools(Name::Submitter), board.clone(), self.service.clone());
        let tracker = Tracker::new(tools(Name::Tracker), self.service.clone(), submitter.room());
        let notifier = Notifier::new(tools(Name::Notifier));
        let settings = Arc::clone(&self.live.borrow());
        let by = Invocation::for_readers(&settings.config, settings.path.as_deref(), i64::from(std::process::id()));
        let robots = Robots::new(tools(Name::Robots), Typed::by(move |text| by.pasteable(text)));
        stages.start(housekeeping, &self.live);
        stages.start(tracker, &self.live);
        stages.start(submitter, &self.live);
        stages.start(notifier, &self.live);
        stages.start(robots, &self.live);
        if let Some(verifier) = verifier {
            stages.start(verifier, &self.live);
        }
        Ok(())
    }
}

impl Stages {
    fn start(&mut self, stage: impl Stage + 'static, live: &Live) {
        let (name, live, over) = (stage.pulse().name(), live.clone(), self.over.clone());
        self.running.spawn(async move {
            stage::run(stage, live, over).await;
            name
        });
    }
}

/// Compares the database with the charges that the spool's markers know, and has what the leader before was waiting for
/// tried at once.
pub(super) async fn take_over(store: &Store, config: &Config) -> anyhow::Result<()> {
    for lane in Lane::VARIANTS {
        let marker = Marker::in_spool(&config.spool.dir, *lane);
        let mark = marker.read().inspect_err(|_| store.give_up_lead());
        let mark = mark.context("reading the ledger's marker in the spool")?;
        if ledger::reconcile(store, &policy(config, *lane), mark, Clock::system().wall()).await? {
            warn!(
                day = mark.map(|mark| mark.date.to_string()),
                requests = mark.map(|mark| mark.requests),
                action = lane.word(),
                "the database is older than what was charged: it was lost or restored; the service says what is left"
            );
        }
    }
    let mut tx = store.write().await?;
    ledger::probe_now_tx(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Tries what a term needs and only a wrong configuration or a broken system refuses.
///
/// # Errors
///
/// It is refused.
pub(super) fn try_to_lead(tools: Tools) -> anyhow::Result<()> {
    let pulse = tools.pulse.clone();
    let tried = Verifier::new(tools);
    pulse.end();
    tried.context("setting up the HTTP client of [track] verify")?;
    Ok(())
}
