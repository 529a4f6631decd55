//! Checks each second whether the database is still the file that was opened, and whether others have committed
//! something. Rescues the content of a lost database.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::conn::Engine;
use super::origin::{Content, Identity, Loss, identity};
use super::{Conn, Error, Home, Result, Store, base_options, beside, data_version, real_path};

/// How long to wait for reading connections to close once the database is lost.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// The mode of the copy of a lost database, as of the database itself.
const MODE: u32 = 0o640;

/// The result of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseState {
    /// Nothing new.
    Same,
    /// Somebody has committed something, or that cannot be told.
    Changed,
    /// The database is lost.
    Lost,
}

/// Guards the database. It holds a connection as long as it lives: SQLite keeps the files beside the database while a
/// connection is open, so another file in their place is somebody else's.
#[derive(Debug)]
pub struct Guard {
    store: Arc<Store>,
    /// None for a schema on a server, which has no file.
    file: Option<Watched>,
}

/// The file that is guarded.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    holder: SqliteConnection,
    version: Option<i64>,
    content: Content,
    /// The log and its index.
    beside: [(PathBuf, Option<Identity>); 2],
}

impl Guard {
    /// Begins to guard a database that this process has opened.
    pub async fn over(store: Arc<Store>) -> Result<Self> {
        let Home::Lite(lite) = &store.db.home else { return Ok(Self { store, file: None }) };
        let path = lite.path.clone();
        let mut holder = hold(&store, &path).await?;
        let application: i64 = sqlx::query_scalar("pragma application_id").fetch_one(&mut holder).await?;
        let real = real_path(&path);
        let content = Content::of(&real, u32::try_from(application & i64::from(u32::MAX)).unwrap_or_default());
        let content = content.map_err(|error| Error::Other(error.into()))?;
        let beside = ["-wal", "-shm"].map(|end| {
            let path = beside(&real, end);
            let found = identity(&path).ok().flatten();
            (path, found)
        });
        Ok(Self { store, file: Some(Watched { path, holder, version: None, content, beside }) })
    }

    /// Looks.
    pub async fn look(&mut self) -> DatabaseState {
        if self.store.db.origin.check().is_ok()
            && let Some(loss) = self.file.as_mut().and_then(Watched::find_loss)
        {
            self.store.db.origin.lose(loss);
        }
        if self.store.lost().is_some() {
            // Anybody who went on reading would read another file.
            let _ = tokio::time::timeout(CLOSE_MAX, self.store.db.readers.close()).await;
            return DatabaseState::Lost;
        }
        // Of a server the task that keeps the lease looks.
        let Some(file) = &mut self.file else { return DatabaseState::Same };
        let version = match data_version(&mut file.holder).await {
            Ok(version) => Some(version),
            Err(_) => {
                if let Ok(holder) = hold(&self.store, &file.path).await {
                    file.holder = holder;
                }
                None
            }
        };
        let moved = version.is_none() || version != file.version;
        file.version = version;
        if moved { DatabaseState::Changed } else { DatabaseState::Same }
    }

    /// Stops guarding an intact database.
    pub async fn close(self) {
        if let Some(file) = self.file {
            // Only tidying up: nothing was written through it.
            let _ = file.holder.close().await;
        }
    }

    /// Stops guarding a lost database without closing it: SQLite would tidy up beside a file that is no longer its own.
    pub fn leave_open(self) {
        std::mem::forget(self.file);
    }

    /// Resolves when somebody has found that the database is lost.
    pub async fn lost(&self) {
        self.store.db.origin.told().cancelled().await;
    }

    /// Writes what the lost database held to a new file beside it, durably; if that fails, into one of the `other`
    /// folders. Everything committed is included, since nothing can be written any more.
    ///
    /// # Errors
    ///
    /// Why it could not be written anywhere, as text.
    pub async fn rescue(&mut self, stamp: &str, other: &[PathBuf]) -> std::result::Result<PathBuf, String> {
        let Some(path) = self.file.as_ref().map(|file| file.path.clone()) else {
            return Err("it is on a server, which keeps it".into());
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = format!("{name}.rescued-{stamp}");
        let own = path.parent().map(Path::to_path_buf);
        let mut problems = Vec::new();
        for folder in own.iter().chain(other) {
            let copy = folder.join(&name);
            match self.copy_to(&copy).await {
                Ok(()) => {
                    self.store.db.origin.saved(Ok(copy.clone()));
                    return Ok(copy);
                }
                Err(error) => problems.push(format!("{}: {error}", copy.display())),
            }
        }
        let problem = problems.join("; ");
        self.store.db.origin.saved(Err(problem.clone()));
        Err(problem)
    }

    async fn copy_to(&mut self, copy: &Path) -> Result<()> {
        let part = beside(copy, ".part");
        let copied = self.vacuum_into(&part).await;
        let ended = match copied {
            Ok(()) => persist(&part, copy).map_err(|error| Error::Other(error.into())),
            Err(error) => Err(error),
        };
        if ended.is_err() {
            // Half a copy is worse than none.
            let _ = std::fs::remove_file(&part);
        }
        ended
    }

    async fn vacuum_into(&mut self, part: &Path) -> Result<()> {
        let _ = std::fs::remove_file(part);
        // A running commit finishes first.
        let mut slot = self.store.db.writer.lock().await;
        let into = sqlx::query("vacuum into ?1").bind(part.to_string_lossy().into_owned());
        match (slot.as_mut().map(Conn::engine), &mut self.file) {
            (Some(Engine::Lite(writer)), _) => into.execute(writer).await?,
            (_, Some(file)) => into.execute(&mut file.holder).await?,
            (_, None) => return Ok(()),
        };
        if matches!(self.store.lost().map(|lost| lost.loss), Some(Loss::Overwritten | Loss::Log)) {
            check(part).await?;
        }
        Ok(())
    }
}

impl Watched {
    fn find_loss(&mut self) -> Option<Loss> {
        let is_another = |(path, opened): &(PathBuf, Option<Identity>)| {
            opened.is_some() && identity(path).is_ok_and(|found| found != *opened)
        };
        if self.beside.iter().any(is_another) {
            return Some(Loss::Log);
        }
        (!self.content.is_ours()).then_some(Loss::Overwritten)
    }
}

/// If somebody has written to the files, what was read from them may be a mixture.
async fn check(part: &Path) -> Result<()> {
    let mut conn = base_options(part).read_only(true).connect().await?;
    let said: String = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(&mut conn).await?;
    conn.close().await?;
    if said == "ok" { Ok(()) } else { Err(Error::Corrupt(said.into())) }
}

fn persist(part: &Path, copy: &Path) -> std::io::Result<()> {
    let file = File::open(part)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    std::fs::rename(part, copy)?;
    let folder = copy.parent().unwrap_or(Path::new("/"));
    File::open(folder)?.sync_all()
}

async fn hold(store: &Store, path: &Path) -> Result<SqliteConnection> {
    store.db.origin.check()?;
    let mut conn = base_options(path).read_only(true).connect().await?;
    // SQLite opens the log with the first statement that reads.
    sqlx::query("select count(*) from sqlite_schema").execute(&mut conn).await?;
    store.db.origin.check()?;
    Ok(conn)
}
