//! Opens the database. A file is opened at once, or the daemon ends. A server may come later: then the daemon is ready
//! in systemd's eyes, says in its sign of life what it waits for, and tries again until the server can be used.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::systemd;
use crate::config::Config;
use crate::stage::{Heartbeat, Name};
use crate::store::{self, Store};
use crate::telemetry::one_line;

/// How often systemd is asked for more time while the database is being opened; each time for three times as long.
const STARTING_SAID_EVERY: Duration = Duration::from_secs(5);

/// The first pause before another try, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Longest time of one try: to connect, and to see what is there. The watchdog waits longer.
const TRY_MAX: Duration = Duration::from_secs(30);

/// Opens the configured database; none if the daemon was asked to stop before a server could be used.
///
/// # Errors
///
/// It cannot be opened, and waiting would not help.
pub(super) async fn open(
    config: &Config,
    heartbeat: &Heartbeat,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Store>> {
    let is_shared = config.database.url.server().is_some();
    let mut waiting = None;
    let mut pause = PAUSE_MIN;
    loop {
        let opened = tokio::select! {
            opened = opened(config) => opened,
            () = shutdown.cancelled() => return Ok(None),
        };
        let error = match opened {
            Err(error) if is_shared && error.passes() => error,
            opened => {
                if waiting.is_some() {
                    info!("the database server can be used");
                }
                return Ok(Some(opened.with_context(|| format!("opening {}", config.database.url.place()))?));
            }
        };
        let pulse = waiting.get_or_insert_with(|| Waiting::begin(heartbeat));
        pulse.say(&error);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The database, and systemd is asked for more time while that lasts: a large one may take minutes to migrate.
async fn opened(config: &Config) -> store::Result<Store> {
    let opening = Store::of(config);
    tokio::pin!(opening);
    loop {
        tokio::select! {
            opened = &mut opening => return opened,
            () = tokio::time::sleep(STARTING_SAID_EVERY) => systemd::still_starting(STARTING_SAID_EVERY * 3),
        }
    }
}

/// A daemon that waits for its server. Its pulse ends with it.
struct Waiting {
    pulse: crate::stage::Pulse,
    said: String,
}

impl Waiting {
    fn begin(heartbeat: &Heartbeat) -> Self {
        systemd::ready();
        Self { pulse: heartbeat.pulse(Name::Database), said: String::new() }
    }

    fn say(&mut self, error: &store::Error) {
        self.pulse.trouble(error);
        self.pulse.away(PAUSE_MAX + TRY_MAX);
        systemd::alive();
        let why = one_line(&error.to_string());
        if why != self.said {
            systemd::status(&format!("waiting for the database server: {why}"));
            warn!(why, "the database server cannot be used yet; nothing is taken and nothing is sent until it can");
            self.said = why;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pulse.well();
        self.pulse.end();
    }
}
