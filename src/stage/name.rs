//! The names of everything that runs, in one list for the log, the metrics, `/healthz` and `status`.

use strum::{Display, IntoStaticStr, VariantArray};

/// A task of the daemon. Those before [`Name::Guardian`] are stages, which have a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Name {
    /// Reads dropped files.
    Spool,
    /// Sends batches.
    Submitter,
    /// Follows tasks to their end.
    Tracker,
    /// Runs `[notify] command`.
    Notifier,
    /// Tells the robots of `[[notify.robot]]`.
    Robots,
    /// Asks the CDN for a sample of the completed URLs.
    Verifier,
    /// Wakes, expires, parks, finishes and forgets rows.
    Housekeeping,
    /// Removes inputs that were kept long enough.
    Sweeper,
    /// Carries out orders of members of the group.
    Orders,
    /// Renews the lease of the host that leads, and takes it when it is free, where hosts share a database.
    #[strum(serialize = "keeper of the lease")]
    Lease,
    /// Tries the write lock now and then, where a watchdog is set.
    Database,
    /// Checks whether the database is still the file that was opened.
    Guardian,
    /// Runs the leader's stages.
    Leader,
    /// Tells systemd the daemon's state.
    Herald,
    /// Stores what is known about the access key.
    #[strum(serialize = "keeper of the key")]
    KeyKeeper,
    /// Reloads the configuration.
    Reloader,
    /// Serves metrics and health.
    #[strum(serialize = "http server")]
    HttpServer,
}
