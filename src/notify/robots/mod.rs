//! The stage that tells chat robots of events: a digest a robot, at most once a minute unless something is urgent.
//!
//! Each robot has a row in `robots` with the last notice that it was told of, so that a robot that fails holds up no
//! other, a crash repeats at most one message, and a robot that comes back hears of what it missed within a day. A new
//! robot begins with what happens after it was configured.

mod book;
mod message;
mod send;
mod turn;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tracing::{info, warn};

use self::book::Row;
pub use self::book::{RobotState, robot_states};
pub use self::message::Typed;
use self::message::{Wording, digest, single};
use self::send::{Failed, send};
use self::turn::{Past, next_at};
use crate::config::{Config, Robot};
use crate::model::{EventName, Lang, Time};
use crate::stage::{Pulse, Settings, Stage, Then, Tools};
use crate::{store, words};

/// How often to look for notices when nothing signals a change of the database.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is older than this is not told any more.
const TOLD_FOR: TimeDelta = TimeDelta::days(1);

/// The longest a message may take.
const SEND_WITHIN: Duration = Duration::from_secs(20);

/// The stage.
#[derive(Debug)]
pub struct Robots {
    tools: Tools,
    typed: Typed,
}

impl Stage for Robots {
    fn pulse(&self) -> &Pulse {
        &self.tools.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        self.tools.settings = settings;
    }

    async fn advance(&mut self) -> store::Result<Then> {
        let mut wait = LOOK_AGAIN;
        let settings = Arc::clone(&self.tools.settings);
        for robot in &settings.config.notify.robot {
            self.tools.pulse.beat();
            let Some(next) = self.tools.stop.clone().run_until_cancelled(self.tell(&settings.config, robot)).await
            else {
                break;
            };
            wait = wait.min(next?);
        }
        Ok(Then::from(wait))
    }

    async fn woken(&mut self) {
        self.tools.wakes.robots().await;
    }
}

impl Robots {
    /// The stage; it tells the robots of `[[notify.robot]]`, with commands as they are typed here.
    pub fn new(tools: Tools, typed: Typed) -> Self {
        Self { tools, typed }
    }

    /// Tells one robot what it has not heard, if it is its turn. Returns how long to wait before looking again.
    async fn tell(&self, config: &Config, robot: &Robot) -> store::Result<Duration> {
        let now = self.tools.clock.now();
        let Some(row) = book::row(self.tools.store.read(), robot.name()).await? else {
            let mut tx = self.tools.store.write().await?;
            book::begin_tx(&mut tx, robot.name()).await?;
            tx.commit().await?;
            return Ok(LOOK_AGAIN);
        };
        let (last, events) = book::unheard(self.tools.store.read(), row.told, now - TOLD_FOR).await?;
        let Some(last) = last else { return Ok(LOOK_AGAIN) };
        let events: Vec<Value> =
            events.into_iter().filter(|event| named(event).is_none_or(|name| robot.hears(name))).collect();
        if events.is_empty() {
            self.heard(robot, &Row { told: last, ..row }).await?;
            return Ok(Duration::ZERO);
        }
        let urgent = events.iter().filter_map(named).any(EventName::is_urgent);
        let past = Past { tried_at: row.tried_at, failures: row.failures, too_fast: row.too_fast };
        let at = next_at(robot.kind, past, urgent, now);
        if at > now {
            return Ok((at - now).to_std().unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
        }
        let text = digest(&events, wording(config, robot, &host(), &self.typed));
        // Written down first, so that a crash in between does not lead to a message too many in a minute.
        self.heard(robot, &Row { tried_at: Some(now), ..row.clone() }).await?;
        let sent = self.tools.pulse.during(SEND_WITHIN, send(config, robot, &text, &events, now)).await;
        let after = match sent {
            Ok(()) => Row { told: last, tried_at: Some(now), ..Row::default() },
            Err(Failed { why, too_fast }) => {
                if row.failed_why.as_ref() != Some(&why) {
                    warn!(robot = robot.name(), why, "a robot could not be told; it is tried again");
                }
                let failures = row.failures.saturating_add(1);
                Row { tried_at: Some(now), failures, too_fast, failed_why: Some(why), ..row.clone() }
            }
        };
        if row.failures > 0 && after.failures == 0 {
            info!(robot = robot.name(), "the robot can be told again");
        }
        self.heard(robot, &after).await?;
        Ok(Duration::ZERO)
    }

    async fn heard(&self, robot: &Robot, row: &Row) -> store::Result<()> {
        let mut tx = self.tools.store.write().await?;
        book::update_tx(&mut tx, robot.name(), row).await?;
        tx.commit().await
    }
}

/// Sends a robot a message by which an operator sees that it works.
///
/// # Errors
///
/// Why it could not be told.
pub async fn try_robot(config: &Config, robot: &Robot, now: Time) -> Result<(), String> {
    let text = single(words::test_message(), wording(config, robot, &host(), &Typed::default()));
    send(config, robot, &text, &[], now).await.map_err(|failed| failed.why)
}

fn wording<'a>(config: &Config, robot: &'a Robot, host: &'a str, typed: &'a Typed) -> Wording<'a> {
    let lang: Lang = robot.language.or(config.ui.language).unwrap_or_default();
    let zone = config.budget.day_starts.offset();
    Wording { lang, zone, host, template: &robot.template, bytes_max: wire::text_bytes_max(robot.kind), typed }
}

fn named(event: &Value) -> Option<EventName> {
    event.get("event")?.as_str()?.parse().ok()
}

/// The name of this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
