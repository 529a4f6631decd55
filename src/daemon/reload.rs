//! HUP: reads the configuration and the credentials again. What can change does so at once; what was opened at the
//! start waits for a restart, and `status` says so. A wrong configuration changes nothing, and `status` says why until
//! it is corrected.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::systemd;
use crate::config::Config;
use crate::credentials::{self, Prepared, Provider};
use crate::ledger;
use crate::model::ConfigProblem;
use crate::service::Client;
use crate::stage::Settings;
use crate::status::Board;
use crate::store::Store;
use crate::telemetry::{Volume, one_line};

/// If a problem could not be written into the database, it is tried again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// The task that reloads.
#[derive(Debug)]
pub(super) struct Reloader {
    /// The file read at the start; none for the built-in defaults.
    pub(super) path: Option<PathBuf>,
    pub(super) settings: watch::Sender<Arc<Settings>>,
    pub(super) keys: Provider,
    pub(super) volume: Volume,
    pub(super) store: Arc<Store>,
    pub(super) board: Board,
    /// Rung to reload.
    pub(super) asked: Arc<Notify>,
}

impl Reloader {
    /// Reloads whenever it is asked to, until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        // What the board has still to be told.
        let mut unsaid: Option<Option<ConfigProblem>> = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.asked.notified() => {
                    systemd::reloading();
                    unsaid = Some(self.reload().await);
                    self.say(&mut unsaid).await;
                    systemd::ready();
                }
                () = tokio::time::sleep(SAY_AGAIN), if unsaid.is_some() => self.say(&mut unsaid).await,
            }
        }
    }

    async fn say(&self, unsaid: &mut Option<Option<ConfigProblem>>) {
        if let Some(problem) = unsaid
            && self.board.config_problem(problem.as_ref()).await.is_ok()
        {
            *unsaid = None;
        }
    }

    /// Reads everything again; returns which part is not in force.
    async fn reload(&self) -> Option<ConfigProblem> {
        let (settings, key, waiting) = match self.read().await {
            Ok(read) => read,
            Err(error) => {
                let why = one_line(&format!("{error:#}"));
                warn!(why, "reload refused: the previous configuration stays in force");
                return Some(ConfigProblem::ReloadRefused { said: why });
            }
        };
        self.volume.set(settings.config.log.level);
        self.keys.replace(key).await;
        self.settings.send_replace(Arc::new(settings));
        info!("reloaded: the configuration and the credentials were read afresh");
        if let Err(error) = self.probe().await {
            warn!(%error, "a paused account is not tried at once: the database cannot be used");
        }
        if waiting.is_empty() {
            return None;
        }
        warn!(keys = waiting.join(", "), "changed, and in force only after a restart");
        Some(ConfigProblem::AfterRestart { keys: waiting.into_iter().map(str::to_owned).collect() })
    }

    async fn read(&self) -> anyhow::Result<(Settings, Prepared, Vec<&'static str>)> {
        let running = Arc::clone(&self.settings.borrow());
        // If there was a file, its absence is a mistake and not a wish for the defaults.
        let (config, path) = Config::load(self.path.as_deref())?;
        let (config, waiting) = config.reloaded(&running.config);
        // Reading a file that is being written, or that lies on a slow disk, blocks.
        let of = config.clone();
        let key = tokio::task::spawn_blocking(move || credentials::prepare(&of)).await.context("reading the key")??;
        if config.api != running.config.api {
            // The stages make their own client between two steps; here a problem can still be refused.
            Client::new(&config.api)?;
        }
        Ok((Settings { config, path }, key, waiting))
    }

    /// Probes a paused account at once, because whoever mends it reloads.
    async fn probe(&self) -> crate::store::Result<()> {
        let mut tx = self.store.write().await?;
        ledger::ask_at_once_tx(&mut tx).await?;
        tx.commit().await
    }
}
