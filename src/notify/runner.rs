//! Runs the command, for one notice at a time. A notice that fails is tried again later and does not hold up the
//! others.

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::outbox::{self, Notice};
use crate::clock::Clock;
use crate::credentials::VARIABLES;
use crate::stage::{Pulse, Settings, Stage, Then, Tools, Wakes};
use crate::store::{self, Store};

/// The time limit of the command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long its processes may take to end after they are asked to, before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How often to check whether they have ended.
const GRACE_LOOK: Duration = Duration::from_millis(20);

/// How often one notice is tried ...
const TRIES_MAX: u32 = 3;

/// ... and how long after a failed try.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How often to look for notices when nothing signals a change of the database.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How long notices are kept after they were told, for anybody who asks.
const KEEP: TimeDelta = TimeDelta::days(30);

/// The stage.
#[derive(Debug)]
pub struct Notifier {
    store: Arc<Store>,
    clock: Clock,
    /// The program and its arguments; none if nobody is told.
    command: Option<Vec<String>>,
    /// Notices that failed, and when to try each again.
    later: BTreeMap<i64, Instant>,
    wakes: Wakes,
    pulse: Pulse,
    stop: CancellationToken,
}

impl Stage for Notifier {
    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        self.command = command(&settings);
    }

    async fn advance(&mut self) -> store::Result<Then> {
        self.step().await.map(Then::from)
    }

    async fn woken(&mut self) {
        self.wakes.notifier().await;
    }
}

impl Notifier {
    /// The stage; it runs `[notify] command`, if one is configured. When the daemon stops, a running command is ended
    /// with its whole process group, and its notice is told after the next start.
    pub fn new(tools: Tools) -> Self {
        let Tools { store, clock, settings, pulse, wakes, stop, .. } = tools;
        Self { store, clock, command: command(&settings), later: BTreeMap::new(), wakes, pulse, stop }
    }

    /// Tells the next notice. Returns how long to wait before the next step.
    async fn step(&mut self) -> store::Result<Duration> {
        let now = Instant::now();
        self.later.retain(|_, at| *at > now);
        let waiting: Vec<i64> = self.later.keys().copied().collect();
        let Some(notice) = outbox::next(self.store.read(), &waiting).await? else {
            let next = self.later.values().min();
            return Ok(next.map_or(LOOK_AGAIN, |at| at.saturating_duration_since(now).min(LOOK_AGAIN)));
        };
        let told = match &self.command {
            None => Ok(()),
            Some(command) => {
                let mut tx = self.store.write().await?;
                outbox::try_tx(&mut tx, notice.id).await?;
                tx.commit().await?;
                let telling = self.pulse.during(TIMEOUT + GRACE, tell(command, &notice));
                let Some(told) = self.stop.run_until_cancelled(telling).await else {
                    return Ok(Duration::ZERO);
                };
                told
            }
        };
        if let Err(why) = &told {
            let gives_up = notice.tries + 1 >= TRIES_MAX;
            warn!(notice = notice.id, why, gives_up, "[notify] command failed");
            if !gives_up {
                self.later.insert(notice.id, Instant::now() + TRY_AGAIN);
                return Ok(Duration::ZERO);
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

/// The configured command; none if it names no program.
fn command(settings: &Settings) -> Option<Vec<String>> {
    settings.config.notify.command.clone().filter(|command| !command.is_empty())
}

/// Runs the command once, in a process group of its own that is ended with it. The command gets the notice on its
/// standard input, and no credentials.
async fn tell(command: &[String], notice: &Notice) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("it is empty")?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(VARIABLES)) {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let ended = tokio::time::timeout(TIMEOUT, feed(&mut child, &notice.event)).await;
    group.end(&mut child).await;
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{program}: {status}")),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => Err(format!("{program} ran for more than {} s and was ended", TIMEOUT.as_secs())),
    }
}

/// Writes the notice to the command and waits for its end. Does not wait for a command that does not read, nor for a
/// child of it that keeps the input open.
async fn feed(child: &mut Child, event: &str) -> std::io::Result<ExitStatus> {
    let stdin = child.stdin.take();
    let mut writing = pin!(async move {
        if let Some(mut stdin) = stdin {
            // A command may ignore its input.
            let _ = stdin.write_all(format!("{event}\n").as_bytes()).await;
        }
    });
    tokio::select! {
        ended = child.wait() => return ended,
        () = &mut writing => {}
    }
    child.wait().await
}

/// The command's process group; it is killed when this is dropped, as when the daemon stops.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    /// Ends what is left of the group: asks first, then kills what has not ended after a moment.
    async fn end(self, child: &mut Child) {
        let Some(group) = self.0 else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let gone = async {
            // A process that has ended counts as a member until its parent collects it.
            let _ = child.wait().await;
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(GRACE_LOOK).await;
            }
        };
        let _ = tokio::time::timeout(GRACE, gone).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
