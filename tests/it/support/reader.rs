//! Asks the database. While a test waits, one connection is kept for all it asks meanwhile: opening one reads the whole
//! schema, and doing that fifty times a second for each of several tests is most of what they would compute.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use prefetchd::config::{Config, DatabaseUrl};
use prefetchd::store::{self, Conn, Row};
use tokio::sync::Mutex;

/// The connection that is kept, and the file that it is of: tests put others in its place.
type Kept = Option<(Conn, (u64, u64))>;

pub(super) struct Reader {
    config: Config,
    /// None while nobody waits: then each question has a connection of its own, which ends with it.
    kept: Mutex<Option<Kept>>,
}

impl Reader {
    pub(super) fn new(url: DatabaseUrl) -> Self {
        let mut config = Config::default();
        config.database.url = url;
        Self { config, kept: Mutex::default() }
    }

    /// The database.
    pub(super) fn url(&self) -> &DatabaseUrl {
        &self.config.database.url
    }

    /// From now on a connection is kept. False if one is kept already: then whoever said so first ends it.
    pub(super) async fn keep(&self) -> bool {
        let mut kept = self.kept.lock().await;
        let is_first = kept.is_none();
        kept.get_or_insert_default();
        is_first
    }

    /// The connection is given up.
    pub(super) async fn let_go(&self) {
        *self.kept.lock().await = None;
    }

    /// All rows of a query.
    pub(super) async fn ask(&self, query: &str) -> Result<Vec<Row>, String> {
        let query = || store::query(query.to_owned());
        let mut kept = self.kept.lock().await;
        let Some(kept) = kept.as_mut() else {
            let mut conn = self.open().await?;
            return query().fetch_all(&mut conn).await.map_err(|error| error.to_string());
        };
        let of = self.url().file().map_or(Ok((0, 0)), file_of)?;
        let (mut conn, of) = match kept.take() {
            Some((conn, was)) if was == of => (conn, was),
            _ => (self.open().await?, of),
        };
        let rows = query().fetch_all(&mut conn).await.map_err(|error| error.to_string())?;
        *kept = Some((conn, of));
        Ok(rows)
    }

    async fn open(&self) -> Result<Conn, String> {
        store::open_reader_of(&self.config).await.map_err(|error| error.to_string())
    }
}

fn file_of(path: &Path) -> Result<(u64, u64), String> {
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).map_err(|error| error.to_string())
}
