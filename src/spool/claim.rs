//! Claims files: moves them from `incoming/` into `work/`, enters them in the table `files`, and keeps them until their
//! turn to be read.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::{Instant, SystemTime};

use super::folders::sync_folder;
use super::head::{Urgency, head};
use super::incoming::SMALL_BYTES;
use super::ingest::{Error, reject};
use super::name::is_own;
use super::order::Rank;
use super::scan::{Spool, TOGETHER_MAX};
use super::trouble::trouble_of;
use crate::model::{FileId, InputFault, Time, to_millis};
use crate::queue::{self, NewFile, OpenFile, Phase};
use crate::store;

/// A claimed file that waits to be read.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) file: OpenFile,
    pub(super) is_small: bool,
    pub(super) is_whole: bool,
    /// Read on before it is put away if it has changed at its end; only once, so that a file that grows for ever gets a
    /// receipt.
    pub(super) may_grow: bool,
}

/// A file is set aside after this many deaths of the daemon while it was read, if its mark never moved.
const DEATHS_MAX: u32 = 2;

impl Spool {
    /// Moves the first of the ready files into `work/` and enters them in `files`.
    pub(super) async fn claim(&mut self) -> Result<Vec<(Rank, Claimed)>, Error> {
        let now = self.clock.now();
        let (mut claimed, mut ranks) = (Vec::new(), Vec::new());
        self.not_claimed = None;
        for (name, rank) in self.incoming.take(TOGETHER_MAX) {
            match self.folders.claim(&name, now) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    claimed.push(file);
                    ranks.push(rank);
                }
                // A later scan finds it again.
                Err(error) => self.not_claimed = Some((Instant::now(), trouble_of(&error))),
            }
        }
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        sync_folder(&self.folders.work)?;
        sync_folder(&self.folders.incoming)?;
        let files = self.register(&claimed, now).await?;
        let files = ranks.into_iter().zip(files.into_iter().map(|file| self.waiting(file)));
        Ok(files.collect())
    }

    /// Enters files in `work/` in the table `files`. Refuses prefetchd's own receipts and reports at once: the URLs in
    /// them are not wanted.
    async fn register(&self, files: &[NewFile], now: Time) -> Result<Vec<OpenFile>, Error> {
        let mut tx = self.store.write().await?;
        let files = tx.bulk(|conn| {
            let mut files = queue::register(conn, self.store.host(), files, now)?;
            for file in files.iter_mut().filter(|file| is_own(&file.name)) {
                reject(conn, file, None, &InputFault::OwnReceipt)?;
                file.phase = Phase::Refused;
            }
            Ok::<_, store::Error>(files)
        });
        let files = files.await?;
        tx.commit().await?;
        Ok(files)
    }

    fn waiting(&self, file: OpenFile) -> Claimed {
        let bytes = self.folders.folder_of(&file.stored_name).join(&file.stored_name).symlink_metadata();
        let fits = file.read_bytes == 0 && bytes.is_ok_and(|meta| meta.len() <= SMALL_BYTES);
        Claimed { is_small: file.phase != Phase::Reading || fits, is_whole: true, may_grow: true, file }
    }

    /// Takes the first of the claimed files: one large file, or several small ones of the same priority.
    pub(super) fn take_waiting(&mut self) -> Vec<(Rank, Claimed)> {
        let mut taken: Vec<(Rank, Claimed)> = Vec::new();
        while let Some(first) = self.waiting.first_entry() {
            let (rank, is_small) = (first.key().0, first.get().is_small);
            let fits = taken.first().is_none_or(|(other, _)| is_small && other.priority == rank.priority);
            if !fits || taken.len() >= TOGETHER_MAX {
                break;
            }
            taken.push((rank, first.remove()));
            if !is_small {
                break;
            }
        }
        taken
    }

    /// Takes up the files in `work/` that a crash, a stop or a failure left there, whether or not they have a row in
    /// `files`.
    pub(super) async fn resume(&mut self) -> Result<(), Error> {
        let mut files = queue::unfinished(self.store.read(), self.store.host()).await?;
        let known: HashSet<String> = files.iter().map(|file| file.stored_name.clone()).collect();
        let mut unknown = Vec::new();
        for entry in fs::read_dir(&self.folders.work)? {
            // Stored names are UTF-8 and never begin with a dot; any other name here is not the spool's.
            let stored = entry?.file_name().into_string().ok();
            let unknown_name = stored.filter(|name| !name.starts_with('.') && !known.contains(name));
            unknown.extend(unknown_name.map(|name| self.folders.found_in_work(name)));
        }
        files.extend(self.register(&unknown, self.clock.now()).await?);
        let is_start = self.deaths.is_none();
        if is_start {
            let deaths: HashMap<FileId, u32> =
                queue::deaths(self.store.read(), self.store.host()).await?.into_iter().collect();
            self.set_aside_deadly(&mut files, &deaths).await?;
            self.deaths = Some(deaths);
        }
        self.waiting.clear();
        for file in files {
            if self.open.iter().all(|open| open.reading.file.id != file.id) {
                let rank = self.rank(&file);
                let mut waiting = self.waiting(file);
                // The daemon may have died of one of them, so each is read by itself.
                waiting.is_small &= !is_start || waiting.file.phase != Phase::Reading;
                self.waiting.insert((rank, waiting.file.id), waiting);
            }
        }
        Ok(())
    }

    /// Refuses files that have killed the daemon so often that they would do it for ever.
    async fn set_aside_deadly(&self, files: &mut [OpenFile], deaths: &HashMap<FileId, u32>) -> Result<(), Error> {
        let is_deadly = |file: &OpenFile| deaths.get(&file.id).is_some_and(|deaths| *deaths >= DEATHS_MAX);
        let mut tx = self.store.write().await?;
        let refused = tx.bulk(|conn| {
            for file in files.iter_mut().filter(|file| file.phase == Phase::Reading && is_deadly(file)) {
                reject(conn, file, None, &InputFault::Deadly)?;
                file.phase = Phase::Refused;
            }
            Ok::<_, store::Error>(())
        });
        refused.await?;
        Ok(tx.commit().await?)
    }

    /// The rank of a claimed file; taken from its head if nothing of the file is committed yet.
    fn rank(&self, file: &OpenFile) -> Rank {
        let arrived = nanos(file.dropped_at);
        if file.read_bytes > 0 || file.phase != Phase::Reading {
            return Rank { priority: file.priority, deadline: deadline(file), arrived };
        }
        let folder = self.folders.folder_of(&file.stored_name);
        let Urgency { priority, deadline, .. } = head(folder, file.stored_name.as_ref(), 0, &self.rules);
        Rank { priority, deadline, arrived }
    }
}

/// In nanoseconds since 1970.
pub(super) fn nanos(at: Time) -> i64 {
    let since = SystemTime::from(at).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn deadline(file: &OpenFile) -> i64 {
    file.deadline.map_or(i64::MAX, to_millis)
}
