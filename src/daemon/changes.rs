//! What other processes change in the database: commands such as `prefetchd pause` work there, and a running daemon notices
//! within a second. The one thing that wakes an idle daemon up: one read of SQLite's counter of changes a second.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store;

/// How often the counter is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Wakes the stages that wait whenever the database has changed, until `shutdown`. Where it cannot be read they look by
/// themselves by and by.
pub(super) async fn watch(database: PathBuf, stages: Vec<Arc<Notify>>, shutdown: CancellationToken) {
    let mut seen = Counter { database, conn: None, last: None };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if seen.moved().await {
            stages.iter().for_each(|stage| stage.notify_one());
        }
    }
}

/// SQLite's counter of changes, as one connection sees it: it does not move by that connection's own.
struct Counter {
    database: PathBuf,
    conn: Option<SqliteConnection>,
    last: Option<i64>,
}

impl Counter {
    /// Whether it has moved since it was last asked; also after it could not be read.
    async fn moved(&mut self) -> bool {
        let version = match self.read().await {
            Ok(version) => Some(version),
            Err(_) => {
                self.conn = None;
                None
            }
        };
        let moved = version.is_none() || version != self.last;
        self.last = version;
        moved
    }

    async fn read(&mut self) -> store::Result<i64> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(store::open_reader(&self.database).await?),
        };
        store::data_version(conn).await
    }
}
