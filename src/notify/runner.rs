//! Runs the command.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::outbox::{self, Notice};
use crate::clock::Clock;
use crate::credentials::{ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE};
use crate::settings::{self, Live};
use crate::store::{self, Store};

/// How long the command may run.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often one notice is tried ...
const TRIES_MAX: u32 = 3;

/// ... and how long after a failed one.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How often the outbox is looked at when nobody says that the database has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What was told is kept for so long, for those who wonder.
const KEEP: TimeDelta = TimeDelta::days(30);

/// The stage.
#[derive(Debug)]
pub struct Notifier {
    store: Arc<Store>,
    clock: Clock,
    /// The program and its arguments; without it nobody is told.
    command: Option<Vec<String>>,
}

impl Notifier {
    /// A stage that tells by `command`, where one is configured.
    pub fn new(store: Arc<Store>, clock: Clock, command: Option<Vec<String>>) -> Self {
        Self { store, clock, command: command.filter(|command| !command.is_empty()) }
    }

    /// Tells until `shutdown`; `wake` says that the database has changed. A command that runs then is ended; its notice is told
    /// after the next start.
    pub async fn run(mut self, wake: Arc<Notify>, mut live: Live, shutdown: CancellationToken) {
        loop {
            if let Some(settings) = settings::news(&mut live) {
                self.command = settings.config.notify.command.clone();
            }
            let sleep = tokio::select! {
                () = shutdown.cancelled() => return,
                step = self.step() => match step {
                    Ok(sleep) => sleep,
                    Err(error) => {
                        warn!(%error, "notices wait: the database cannot be used");
                        TRY_AGAIN
                    }
                },
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = wake.notified(), if sleep == LOOK_AGAIN => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Tells the oldest notice; gives how long to wait before the next step.
    async fn step(&self) -> store::Result<Duration> {
        let Some(notice) = outbox::next(self.store.read()).await? else { return Ok(LOOK_AGAIN) };
        let told = match &self.command {
            None => Ok(()),
            Some(command) => {
                let mut tx = self.store.write().await?;
                outbox::try_tx(&mut tx, notice.id).await?;
                tx.commit().await?;
                tell(command, &notice).await
            }
        };
        if let Err(why) = &told {
            let gives_up = notice.tries + 1 >= TRIES_MAX;
            warn!(notice = notice.id, why, gives_up, "[notify] command failed");
            if !gives_up {
                return Ok(TRY_AGAIN);
            }
        }
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        outbox::done_tx(&mut tx, notice.id, now).await?;
        outbox::prune_tx(&mut tx, now - KEEP).await?;
        tx.commit().await?;
        Ok(Duration::ZERO)
    }
}

/// Runs the command once. It gets the notice on its standard input, and no credentials.
async fn tell(command: &[String], notice: &Notice) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("it is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove(ID_VARIABLE)
        .env_remove(SECRET_VARIABLE)
        .env_remove(TOKEN_VARIABLE)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let ended = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read what it is told is not at fault.
            let _ = stdin.write_all(format!("{}\n", notice.event).as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(TIMEOUT, ended).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program}: {status}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!("{program} ran for more than {} s and was ended", TIMEOUT.as_secs())),
    }
}
