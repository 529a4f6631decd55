//! The loop that every stage runs in.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::heartbeat::Pulse;
use super::settings::{Live, Settings, news};
use super::wakes::Wakes;
use crate::clock::Clock;
use crate::model::Backoff;
use crate::store::{self, Store};

/// Waits between tries while the database cannot be used.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(5) };

/// The longest wait of a stage before it looks at the database again, because other processes change it. On a server
/// whoever keeps the lease notices that within a second, and wakes the stages; looking then only makes good what was
/// missed.
pub fn look_again(store: &Store) -> Duration {
    Duration::from_secs(if store.is_shared() { 30 } else { 5 })
}

/// What a stage needs from its surroundings.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The database.
    pub store: Arc<Store>,
    /// The clocks.
    pub clock: Clock,
    /// The settings until the first reload.
    pub settings: Arc<Settings>,
    /// The stage's side of the heartbeat.
    pub pulse: Pulse,
    /// The bells of all stages.
    pub wakes: Wakes,
    /// Cancelled when the stage should end: the daemon stops, or this host leads no more.
    pub stop: CancellationToken,
    /// Cancelled when the daemon stops.
    pub shutdown: CancellationToken,
}

/// What follows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next step, at once.
    Go,
    /// A wait of this length, unless something wakes the stage.
    Wait(Duration),
}

impl From<Duration> for Then {
    fn from(wait: Duration) -> Self {
        if wait.is_zero() { Self::Go } else { Self::Wait(wait) }
    }
}

/// One of the stages.
pub trait Stage: Send + Sized {
    /// Whether a running step is dropped when the daemon stops; if not, it is finished. A step may be dropped if it has
    /// changed nothing so far, or if the next start puts in order what it began.
    const IS_DROPPED: bool = false;

    /// Its side of the heartbeat.
    fn pulse(&self) -> &Pulse;

    /// Takes over reloaded settings, between two steps.
    fn apply(&mut self, _settings: Arc<Settings>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Takes the next step. Announces to the pulse whatever may take longer than a moment.
    ///
    /// # Errors
    ///
    /// The database cannot be used. The loop tries the step again later, and the step then finds what was begun.
    fn advance(&mut self) -> impl Future<Output = store::Result<Then>> + Send;

    /// Resolves to end a wait early. Not used while the database cannot be used.
    fn woken(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// The daemon stops: closes what is open.
    fn end(self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Runs steps until `stop`; takes over settings from `live` between two steps.
pub async fn run<S: Stage>(mut stage: S, mut live: Live, stop: CancellationToken) {
    let pulse = stage.pulse().clone();
    let mut retry = Retry::default();
    while !stop.is_cancelled() {
        pulse.beat();
        if let Some(settings) = news(&mut live) {
            stage.apply(settings).await;
        }
        let step = if S::IS_DROPPED {
            let Some(step) = stop.run_until_cancelled(stage.advance()).await else { break };
            step
        } else {
            stage.advance().await
        };
        let wait = match step {
            Ok(then) => {
                retry.over(&pulse);
                match then {
                    Then::Go => {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    Then::Wait(wait) => wait,
                }
            }
            // Whoever leads goes on.
            Err(store::Error::NotLeading) => break,
            Err(error) => retry.failed(&pulse, &error),
        };
        pulse.away(wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stage.woken(), if retry.failures == 0 => {}
            Ok(()) = live.changed() => live.mark_changed(),
            () = stop.cancelled() => {}
        }
    }
    stage.end().await;
    pulse.end();
}

/// Backs off while the database cannot be used. The first stage that meets the problem logs it.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
}

impl Retry {
    /// Another try failed: returns how long to wait, and announces that to the pulse.
    pub fn failed(&mut self, pulse: &Pulse, error: &store::Error) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let wait = RETRY.bound(self.failures);
        pulse.away(wait);
        // A lost database is reported by the guardian.
        if pulse.trouble(error) && !matches!(error, store::Error::Lost(_)) {
            warn!(stage = %pulse.name(), %error, "the database cannot be used; it is tried again");
        }
        wait
    }

    /// The database works.
    pub fn over(&mut self, pulse: &Pulse) {
        self.failures = 0;
        if pulse.well() {
            info!("the database can be used again");
        }
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::{Notify, watch};

    use super::*;
    use crate::config::Config;
    use crate::stage::{Heartbeat, Name};

    /// Counts what the loop does with it, and does in each step what it was told.
    struct Probe {
        pulse: Pulse,
        steps: Vec<store::Result<Then>>,
        wake: Arc<Notify>,
        seen: Arc<Seen>,
    }

    #[derive(Default)]
    struct Seen {
        steps: AtomicU32,
        reloads: AtomicU32,
        ends: AtomicU32,
    }

    impl Stage for Probe {
        fn pulse(&self) -> &Pulse {
            &self.pulse
        }

        async fn apply(&mut self, _settings: Arc<Settings>) {
            self.seen.reloads.fetch_add(1, Ordering::Relaxed);
        }

        async fn advance(&mut self) -> store::Result<Then> {
            self.seen.steps.fetch_add(1, Ordering::Relaxed);
            if self.steps.is_empty() { Ok(Then::Wait(Duration::from_secs(3_600))) } else { self.steps.remove(0) }
        }

        async fn woken(&mut self) {
            self.wake.notified().await;
        }

        async fn end(self) {
            self.seen.ends.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn settings() -> Arc<Settings> {
        Arc::new(Settings { config: Config::default(), path: None })
    }

    #[tokio::test]
    async fn a_stage_steps_waits_is_woken_takes_a_reload_over_and_ends() {
        let heartbeat = Heartbeat::default();
        let pulse = heartbeat.pulse(Name::Spool);
        let (wake, seen, stop) = (Arc::new(Notify::new()), Arc::new(Seen::default()), CancellationToken::new());
        let busy = || Err(store::Error::Missing("x".into()));
        let steps = vec![Ok(Then::Go), busy(), busy(), Ok(Then::Go)];
        let probe = Probe { pulse, steps, wake: Arc::clone(&wake), seen: Arc::clone(&seen) };
        let (sender, live) = watch::channel(settings());
        let running = tokio::spawn(run(probe, live, stop.clone()));
        let steps = async |n: u32| {
            while seen.steps.load(Ordering::Relaxed) < n {
                tokio::task::yield_now().await;
            }
        };
        let began = std::time::Instant::now();
        steps(2).await;
        assert!(heartbeat.sign().trouble.is_some());
        // While the database fails only time and a reload wake it; the bell is heard after that.
        wake.notify_one();
        steps(6).await;
        assert!(began.elapsed() >= RETRY.min * 3 && began.elapsed() < Duration::from_secs(60));
        assert_eq!(heartbeat.sign().trouble, None);
        sender.send_replace(settings());
        steps(7).await;
        assert_eq!(seen.reloads.load(Ordering::Relaxed), 1);
        assert_eq!(heartbeat.idle().len(), 1);
        stop.cancel();
        running.await.unwrap();
        assert_eq!((seen.ends.load(Ordering::Relaxed), heartbeat.idle()), (1, Vec::new()));
    }

    #[test]
    fn the_tries_are_spaced_and_bounded() {
        let pulse = Heartbeat::default().pulse(Name::Spool);
        let mut retry = Retry::default();
        let error = store::Error::Missing("x".into());
        let waits: Vec<u128> = (0..6).map(|_| retry.failed(&pulse, &error).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        retry.over(&pulse);
        assert_eq!(retry.failed(&pulse, &error), RETRY.min);
    }
}
