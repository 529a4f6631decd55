//! The bells by which a stage wakes those that its work is for.

use std::sync::Arc;

use tokio::sync::Notify;

/// One bell a stage; copies are the same bells. One that rings while nobody listens is heard by whoever listens next.
#[derive(Debug, Clone, Default)]
pub struct Wakes(Arc<Bells>);

#[derive(Debug, Default)]
struct Bells {
    submitter: Notify,
    housekeeping: Notify,
    notifier: Notify,
}

impl Wakes {
    /// URLs were queued, or others may go by now: the submitter and housekeeping look.
    pub fn queued(&self) {
        self.0.submitter.notify_one();
        self.0.housekeeping.notify_one();
    }

    /// More may go by now: the submitter looks.
    pub fn may_go(&self) {
        self.0.submitter.notify_one();
    }

    /// There may be something to put in order: housekeeping looks.
    pub fn tidy(&self) {
        self.0.housekeeping.notify_one();
    }

    /// Somebody has written into the database: all look.
    pub fn all(&self) {
        self.queued();
        self.0.notifier.notify_one();
    }

    /// Ends when the submitter is to look.
    pub async fn submitter(&self) {
        self.0.submitter.notified().await;
    }

    /// Ends when housekeeping is to look.
    pub async fn housekeeping(&self) {
        self.0.housekeeping.notified().await;
    }

    /// Ends when the notifier is to look.
    pub async fn notifier(&self) {
        self.0.notifier.notified().await;
    }
}
