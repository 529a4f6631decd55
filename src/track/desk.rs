//! Where tasks are asked for: one pace for the tracker and for the lookup of lost answers, beside the submitter's own.

use tokio::sync::Mutex;
use tracing::info;

use super::room::Room;
use crate::clock::Clock;
use crate::credentials::Provider;
use crate::service::{Client, Pace, Reply, SignedCall, TaskQuery};
use crate::submit::heed;

/// The desk. Calls wait their turn.
#[derive(Debug)]
pub struct Desk {
    pace: Mutex<Pace>,
    clock: Clock,
    room: Room,
}

impl Desk {
    /// At so many calls a second (`[track] calls_per_second`).
    pub fn new(calls_per_second: u32, clock: Clock) -> Self {
        Self { pace: Mutex::new(Pace::new(f64::from(calls_per_second))), clock, room: Room::default() }
    }

    /// Who waits for URLs to end.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Takes over another pace.
    pub async fn set_pace(&self, calls_per_second: u32) {
        self.pace.lock().await.set_max(f64::from(calls_per_second));
    }

    /// Asks for tasks, when it is this call's turn, and learns the time by the answer. A call whose key was refused
    /// goes once more where there is another key.
    pub async fn ask(&self, client: &Client, keys: &Provider, query: &TaskQuery<'_>) -> Reply {
        let (reply, is_replaced) = self.ask_once(client, keys, query).await;
        if is_replaced { self.ask_once(client, keys, query).await.0 } else { reply }
    }

    async fn ask_once(&self, client: &Client, keys: &Provider, query: &TaskQuery<'_>) -> (Reply, bool) {
        let mut pace = self.pace.lock().await;
        pace.until_ready().await;
        let (key, nonce) = (keys.current(), uuid::Uuid::new_v4().to_string());
        let sent = self.clock.moment();
        let reply = client.send(&SignedCall::tasks(query, &key.credentials, &nonce, self.clock.now())).await;
        self.clock.heard(sent, &reply);
        let throttled = matches!(&reply, Reply::Answered(answer)
            if answer.error().is_some_and(|error| error.code.starts_with("Throttling")));
        if pace.answered(throttled) {
            info!(calls_per_second = pace.rate(), "throttled: tasks are asked for slower, and faster again by and by");
        }
        drop(pace);
        let is_replaced = heed(keys, &key, &reply).await;
        (reply, is_replaced)
    }
}
