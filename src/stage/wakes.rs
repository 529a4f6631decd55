//! The bells by which a stage wakes those who continue its work.

use std::sync::Arc;

use tokio::sync::Notify;

/// One bell for each stage; clones share them. A bell that rings while nobody listens is heard by the next listener.
#[derive(Debug, Clone, Default)]
pub struct Wakes(Arc<Bells>);

#[derive(Debug, Default)]
struct Bells {
    submitter: Notify,
    housekeeping: Notify,
    notifier: Notify,
    robots: Notify,
}

impl Wakes {
    /// URLs were queued, or more may be sent now: wakes the submitter and housekeeping.
    pub fn queued(&self) {
        self.0.submitter.notify_one();
        self.0.housekeeping.notify_one();
    }

    /// More may be sent now: wakes the submitter.
    pub fn may_go(&self) {
        self.0.submitter.notify_one();
    }

    /// There may be something to put in order: wakes housekeeping.
    pub fn tidy(&self) {
        self.0.housekeeping.notify_one();
    }

    /// Somebody has written into the database: wakes all.
    pub fn all(&self) {
        self.queued();
        self.0.notifier.notify_one();
        self.0.robots.notify_one();
    }

    /// Resolves when the submitter should look.
    pub async fn submitter(&self) {
        self.0.submitter.notified().await;
    }

    /// Resolves when housekeeping should look.
    pub async fn housekeeping(&self) {
        self.0.housekeeping.notified().await;
    }

    /// Resolves when the robots' stage should look.
    pub async fn robots(&self) {
        self.0.robots.notified().await;
    }

    /// Resolves when the notifier should look.
    pub async fn notifier(&self) {
        self.0.notifier.notified().await;
    }
}
