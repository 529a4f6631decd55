//! The marker in the spool, one per lane: the day and its cost at the last charge, written before each call leaves. It
//! shows whether a database was lost or restored from an older copy.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use xxhash_rust::xxh3::xxh3_64;

use super::account::{Fact, note_fact_tx};
use super::book::last_opened;
use super::days::{doubt_day_tx, enter_day_tx, raise_tx, today};
use super::mark::Mark;
use crate::model::{BudgetDay, Lane, SubmissionId, Time};
use crate::schedule::Policy;
use crate::store::{Conn, Result, Sql, Store, WriteTx, query_scalar};

/// Its name in the spool, one per lane. It begins with a dot, so it is never taken for a dropped file.
fn name(lane: Lane) -> &'static str {
    match lane {
        // The name from before there were lanes.
        Lane::Prefetch => ".ledger",
        Lane::Purge => ".ledger-purge",
        Lane::PurgeDirectory => ".ledger-purge-directory",
    }
}

/// Its size, far below a sector: it is written in place, and after a power cut either the old or the new content is
/// there.
const BYTES: usize = 64;

/// Held while a marker is written, because the stage that sends and whoever hears the other hosts write the same files.
static WRITING: Mutex<()> = Mutex::new(());

/// The marker's file.
#[derive(Debug)]
pub struct Marker {
    path: PathBuf,
    file: Option<File>,
}

impl Marker {
    /// A lane's marker in this spool.
    pub fn in_spool(dir: &Path, lane: Lane) -> Self {
        Self { path: dir.join(name(lane)), file: None }
    }

    /// Reads it; none if there is no marker or it is damaged.
    pub fn read(&self) -> io::Result<Option<Mark>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it, durably.
    ///
    /// # Errors
    ///
    /// It could not be written, or it knows of a later submission; then the call must not be made.
    pub fn write(&mut self, mark: Mark) -> io::Result<()> {
        let _writing = WRITING.lock().expect("nobody panics with it");
        if self.read()?.is_some_and(|known| known.submission > mark.submission) {
            return Err(io::Error::other("it knows of a later submission than the database"));
        }
        self.overwrite(mark)
    }

    /// Writes what another host has charged, unless it knows of that or of something later.
    ///
    /// # Errors
    ///
    /// It could not be read or written.
    pub fn hear(&mut self, mark: Mark) -> io::Result<()> {
        let _writing = WRITING.lock().expect("nobody panics with it");
        match self.read()? {
            Some(known) if known.submission >= mark.submission => Ok(()),
            _ => self.overwrite(mark),
        }
    }

    /// Tries whether it can be read and written: writes what it says once more.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub fn try_out(&mut self) -> io::Result<()> {
        let _writing = WRITING.lock().expect("nobody panics with it");
        match self.read()? {
            Some(mark) => self.overwrite(mark),
            None => self.open().map(drop),
        }
    }

    fn overwrite(&mut self, mark: Mark) -> io::Result<()> {
        let written = self.open().and_then(|file| {
            file.write_all_at(text(mark).as_bytes(), 0)?;
            file.sync_data()
        });
        if written.is_err() {
            self.file = None; // the spool may be another one by now
        }
        written
    }

    fn open(&mut self) -> io::Result<&File> {
        // A spool that was removed and made again has no marker: the old open file is gone, even if it can still be
        // written.
        if self.file.is_none() || !self.path.exists() {
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&self.path)?;
            file.set_len(BYTES as u64)?;
            file.sync_all()?;
            if let Some(dir) = self.path.parent() {
                File::open(dir)?.sync_all()?;
            }
            self.file = Some(file);
        }
        Ok(self.file.as_ref().expect("it was opened just now"))
    }
}

/// Whether a day has cost at least so much in the ledger: what is forgotten stays charged.
const KNOWS_COST: Sql = Sql::both(
    "
    select exists (select 1 from budget_days
                   where lane = ?1 and day = ?2 and case when lane = 1 then requests_used else urls_used end >= ?3)",
);

/// Compares the marker with the database at a start, at about `now`. A database that does not know the marker's
/// submission was lost or is an older copy: its day has cost at least what the marker says, and the cost is in doubt.
/// The same is true of today if there are submissions and no marker: the spool was lost, and the database may be an
/// older copy too. True if the cost is in doubt.
///
/// A submission that is not known is no sign of that once it may have been forgotten: the database knows what its day
/// has cost, and that was over more than a day ago, so that nothing of it counts any more. `now` alone proves nothing,
/// since a clock may be wrong at a start. On a server a host without a marker doubts
/// nothing: it may be new, and the history of the server tells whether something was lost.
pub async fn reconcile(store: &Store, policy: &Policy, mark: Option<Mark>, now: Time) -> Result<bool> {
    let mut tx = store.write().await?;
    let last = last_opened(tx.conn(), policy.lane).await?.map(|(last, _)| last);
    let (day, requests) = match mark {
        Some(mark) if last < Some(mark.submission) && may_be_forgotten(tx.conn(), policy, mark, now).await? => {
            tx.roll_back().await?;
            return Ok(false);
        }
        Some(mark) if last < Some(mark.submission) => (BudgetDay::on(mark.date, policy.day_starts), mark.requests),
        None if last.is_some() && !store.is_shared() => (BudgetDay::of(now, policy.day_starts), 0),
        _ => {
            tx.roll_back().await?;
            return Ok(false);
        }
    };
    doubt_with_tx(&mut tx, policy, &day, requests, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// The server goes on in another history, which may lack the last commits of the one before: the marker's day has cost
/// at least what the marker says. True if the cost is in doubt because of it.
pub async fn bear_witness(store: &Store, policy: &Policy, mark: Option<Mark>, now: Time) -> Result<bool> {
    let Some(mark) = mark else { return Ok(false) };
    if reconcile(store, policy, Some(mark), now).await? {
        return Ok(true);
    }
    let mut tx = store.write().await?;
    raise_tx(&mut tx, policy.lane, &BudgetDay::on(mark.date, policy.day_starts), mark.requests).await?;
    tx.commit().await?;
    Ok(false)
}

/// What the day of `now` has cost is in doubt: the service says it, or the operator.
pub async fn doubt_today_tx(tx: &mut WriteTx<'_>, policy: &Policy, now: Time) -> Result<()> {
    let day = today(tx.conn(), policy.lane, policy.day_starts, now).await?;
    doubt_with_tx(tx, policy, &day, 0, now).await
}

/// The day has cost at least so much, and that is in doubt.
async fn doubt_with_tx(tx: &mut WriteTx<'_>, policy: &Policy, day: &BudgetDay, requests: u32, now: Time) -> Result<()> {
    enter_day_tx(tx, day, policy).await?;
    raise_tx(tx, policy.lane, day, requests).await?;
    doubt_day_tx(tx, policy.lane, day, true).await?;
    // What an older copy knows of its own time may be over; asking is free.
    for fact in [Fact::QuotaReadable(true), Fact::QuotaTold(true)] {
        note_fact_tx(tx, policy.lane, fact, now).await?;
    }
    Ok(())
}

/// Whether the marker's submission may have been forgotten at the end of its retention.
async fn may_be_forgotten(conn: &mut Conn, policy: &Policy, mark: Mark, now: Time) -> Result<bool> {
    let day = BudgetDay::on(mark.date, policy.day_starts);
    let knows = query_scalar(KNOWS_COST).bind(policy.lane.number()).bind(day.to_string()).bind(mark.requests);
    let knows: bool = knows.fetch_one(conn).await?;
    Ok(knows && now - day.ends_at > SURELY_KEPT)
}

/// What a running daemon knows of its submissions, to notice an older copy that is restored into the open database.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastOpened(Option<(SubmissionId, Time)>);

/// A submission is kept for longer than this after it was opened; older ones may be forgotten.
const SURELY_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(1);

impl LastOpened {
    /// Compares what the database knows with what was known before, and remembers the later of both. True if the
    /// database knows less than before, and that cannot be because submissions are forgotten at the end of their
    /// retention.
    pub fn is_forgotten_by(&mut self, database: Option<(SubmissionId, Time)>, now: Time) -> bool {
        let id = |last: Option<(SubmissionId, Time)>| last.map(|(id, _)| id);
        if id(database) < id(self.0) {
            return self.0.is_some_and(|(_, opened_at)| now - opened_at < SURELY_KEPT);
        }
        self.0 = database;
        false
    }
}

fn text(mark: Mark) -> String {
    let content = format!("{} {} {}", mark.date, mark.requests, mark.submission);
    let line = format!("{content} {:016x}", xxh3_64(content.as_bytes()));
    format!("{line:<width$}\n", width = BYTES - 1)
}

fn parse(text: &str) -> Option<Mark> {
    let (content, sum) = text.trim_end().rsplit_once(' ')?;
    if sum != format!("{:016x}", xxh3_64(content.as_bytes())) {
        return None;
    }
    let mut words = content.split(' ');
    Some(Mark {
        date: words.next()?.parse().ok()?,
        requests: words.next()?.parse().ok()?,
        submission: SubmissionId(words.next()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_knows_less_than_before_is_noticed() {
        use crate::model::from_millis;
        let (now, id) = (from_millis(1_000_000_000_000), SubmissionId);
        let mut known = LastOpened::default();
        assert!(!known.is_forgotten_by(None, now) && !known.is_forgotten_by(Some((id(4), now)), now));
        assert!(known.is_forgotten_by(Some((id(2), now)), now) && known.is_forgotten_by(None, now));
        assert!(!known.is_forgotten_by(Some((id(4), now)), now));
        // Its retention may be over.
        assert!(!known.is_forgotten_by(None, now + chrono::TimeDelta::days(2)));
    }

    #[test]
    fn the_marker_is_never_overwritten_with_less() {
        let dir = tempfile::tempdir().unwrap();
        let mut marker = Marker::in_spool(dir.path(), Lane::Prefetch);
        let mark = |submission| Mark {
            date: "2026-11-23".parse().unwrap(),
            requests: 4,
            submission: SubmissionId(submission),
        };
        marker.write(mark(4)).unwrap();
        assert!(marker.write(mark(3)).is_err());
        assert_eq!(marker.read().unwrap(), Some(mark(4)));
        marker.write(mark(5)).unwrap();
    }

    #[test]
    fn what_others_have_charged_is_written_unless_something_later_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let mut marker = Marker::in_spool(dir.path(), Lane::Prefetch);
        let mark = |submission, requests| Mark {
            date: "2026-11-23".parse().unwrap(),
            requests,
            submission: SubmissionId(submission),
        };
        for (heard, known) in [(mark(4, 4), mark(4, 4)), (mark(3, 3), mark(4, 4)), (mark(6, 5), mark(6, 5))] {
            marker.hear(heard).unwrap();
            assert_eq!(marker.read().unwrap(), Some(known));
        }
    }

    #[test]
    fn the_marker_says_what_was_last_written_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut marker = Marker::in_spool(dir.path(), Lane::Prefetch);
        assert_eq!(marker.read().unwrap(), None);
        for requests in [1, 499, 2] {
            let mark = Mark { date: "2026-11-23".parse().unwrap(), requests, submission: SubmissionId(7) };
            marker.write(mark).unwrap();
            assert_eq!(Marker::in_spool(dir.path(), Lane::Prefetch).read().unwrap(), Some(mark));
        }
        std::fs::write(dir.path().join(name(Lane::Prefetch)), "2026-11-23 3 0000000000000000\n").unwrap();
        assert_eq!(marker.read().unwrap(), None);
        std::fs::remove_file(dir.path().join(name(Lane::Prefetch))).unwrap();
        let mark = Mark { date: "2026-11-24".parse().unwrap(), requests: 1, submission: SubmissionId(i64::MAX) };
        marker.write(mark).unwrap();
        assert_eq!(marker.read().unwrap(), Some(mark));
    }
}
