//! Where tasks are asked for: one pace for the tracker and for the lookup of lost answers, beside the submitter's own.

use tokio::sync::Mutex;
use tracing::info;

use crate::credentials::Credentials;
use crate::model::Time;
use crate::vod::{Client, Pace, Reply, SignedCall, TaskQuery};

/// The desk. Calls wait their turn.
#[derive(Debug)]
pub struct Desk {
    pace: Mutex<Pace>,
}

impl Desk {
    /// At so many calls a second (`[track] calls_per_second`).
    pub fn new(calls_per_second: u32) -> Self {
        Self { pace: Mutex::new(Pace::new(f64::from(calls_per_second))) }
    }

    /// Takes over another pace.
    pub async fn set_pace(&self, calls_per_second: u32) {
        self.pace.lock().await.set_max(f64::from(calls_per_second));
    }

    /// Asks for tasks, when it is this call's turn.
    pub async fn ask(&self, client: &Client, credentials: &Credentials, query: &TaskQuery<'_>, now: Time) -> Reply {
        let mut pace = self.pace.lock().await;
        pace.until_ready().await;
        let nonce = uuid::Uuid::new_v4().to_string();
        let reply = client.send(&SignedCall::tasks(query, credentials, &nonce, now)).await;
        let throttled = matches!(&reply, Reply::Answered(answer)
            if answer.error().is_some_and(|error| error.code.starts_with("Throttling")));
        if pace.answered(throttled) {
            info!(calls_per_second = pace.rate(), "throttled: tasks are asked for slower, and faster again by and by");
        }
        reply
    }
}
