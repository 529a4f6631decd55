//! Watches `incoming/`. Looks at each entry when it is new, when an event names it, and when it may have become ready.
//! Reads the head of each ready file, so that the most urgent one is known whatever else lies there. Every look is
//! bounded in time, however many files there are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata, ReadDir};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use super::head::{Urgency, head};
use super::name::{ADD_PREFIX, left_alone_why, stored_name};
use super::order::{Next, Rank};
use super::readiness::{Heard, Kind, Readiness, Still, readiness, tail_readiness};
use super::watch::Hints;
use crate::model::{LeftWhy, UrlRules};
use crate::words;

/// How often the whole folder is scanned: inotify may lose events or be unavailable.
pub(super) const SCAN_EVERY: Duration = Duration::from_secs(5);

/// A look takes about this long at most and leaves the rest to the next one.
const LOOK_MAX: Duration = Duration::from_millis(200);

/// An entry that is left alone is looked at again after this long, or when an event names it.
const LEFT_FOR: Duration = Duration::from_secs(60);

/// Files up to this size are read in one go, together with others.
pub(super) const SMALL_BYTES: u64 = 32 * 1024;

/// An entry left alone for this long is shown in `status`; at most this many are.
const LEFT_SAID_AFTER: Duration = Duration::from_secs(3_600);
const LEFT_SAID_MAX: usize = 100;

/// Remains of a killed `prefetchd add` are removed when unchanged for this long.
const REMAINS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// A name that several collections share.
type Name = Arc<OsStr>;

/// The known entries.
#[derive(Debug)]
pub(super) struct Incoming {
    folder: PathBuf,
    rules: UrlRules,
    known: HashMap<Name, Entry>,
    /// Ready files in their order, and whether each is small.
    ready: BTreeMap<(Rank, Name), bool>,
    /// When to look again at entries that are not ready.
    due: BTreeSet<(Instant, Name)>,
    /// Names from events that were not looked at yet.
    heard: VecDeque<OsString>,
    scan: Option<ReadDir>,
    /// When the next scan begins.
    scan_at: Instant,
    /// Counts scans: an entry that a scan did not see is gone.
    scans: u64,
}

/// An entry of the folder.
#[derive(Debug)]
struct Entry {
    looks: Option<Looks>,
    first_seen: Instant,
    /// When it was last seen to change.
    changed_at: Instant,
    heard: Option<(Heard, Instant)>,
    /// It had a second hard link.
    was_linked: bool,
    stage: HandOver,
    /// Whether the log says that it is left alone.
    is_said: bool,
    scan: u64,
}

/// The inode, size, time of change and links that it had.
type Looks = (u64, u64, Option<SystemTime>, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HandOver {
    Waits { until: Instant, left: Option<LeftWhy> },
    Ready(Rank),
}

impl Incoming {
    /// For this folder; nothing of it is known yet.
    pub(super) fn new(folder: PathBuf, rules: UrlRules, now: Instant) -> Self {
        Self {
            folder,
            rules,
            known: HashMap::new(),
            ready: BTreeMap::new(),
            due: BTreeSet::new(),
            heard: VecDeque::new(),
            scan: None,
            scan_at: now,
            scans: 0,
        }
    }

    /// Takes over a reloaded configuration.
    pub(super) fn apply(&mut self, rules: UrlRules) {
        self.rules = rules;
    }

    /// Takes over new events. If events were lost, drops the old ones and scans the whole folder.
    pub(super) fn hear(&mut self, news: Hints, is_lost: bool, now: Instant) {
        if is_lost {
            self.known.values_mut().for_each(|entry| entry.heard = None);
            (self.scan, self.scan_at) = (None, now);
        }
        for (name, (heard, at)) in news {
            if heard == Heard::Gone {
                self.forget(&name);
                continue;
            }
            let entry = self.entry(&name, now);
            let before = entry.heard.map(|(heard, _)| heard);
            entry.heard = Some((Heard::then(before, heard), at));
            self.heard.push_back(name);
        }
    }

    /// Looks at entries that events named and at those that may have become ready, then goes on with the scan. Returns
    /// how soon to look again.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub(super) fn look(&mut self, now: Instant) -> io::Result<Duration> {
        let stop = now + LOOK_MAX;
        // The latest first: an urgent file has just come, and the others have waited already.
        while let Some(name) = self.heard.pop_back() {
            self.examine(&name, Instant::now());
            if Instant::now() > stop {
                return Ok(Duration::ZERO);
            }
        }
        while let Some((_, name)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.examine(&name, Instant::now());
            if Instant::now() > stop {
                return Ok(Duration::ZERO);
            }
        }
        if !self.scan_on(now, stop)? {
            return Ok(Duration::ZERO);
        }
        let next = self.due.first().map_or(self.scan_at, |(at, _)| self.scan_at.min(*at));
        Ok(next.saturating_duration_since(now))
    }

    /// Scans on as far as the time allows; true at the end of the folder.
    fn scan_on(&mut self, now: Instant, stop: Instant) -> io::Result<bool> {
        if self.scan.is_none() {
            if now < self.scan_at {
                return Ok(true);
            }
            self.scan = Some(fs::read_dir(&self.folder)?);
            self.scans += 1;
        }
        while let Some(entry) = self.scan.as_mut().and_then(Iterator::next) {
            let name = entry?.file_name();
            let scan = self.scans;
            match self.known.get_mut(name.as_os_str()) {
                Some(known) => known.scan = scan,
                None => self.examine(&name, Instant::now()),
            }
            if Instant::now() > stop {
                return Ok(false);
            }
        }
        self.scan = None;
        self.scan_at = now + SCAN_EVERY;
        let gone: Vec<Name> =
            self.known.iter().filter(|(_, entry)| entry.scan < self.scans).map(|(name, _)| Arc::clone(name)).collect();
        gone.iter().for_each(|name| self.forget(name));
        Ok(true)
    }

    /// Looks at one entry and decides about it. A ready file stays ready.
    fn examine(&mut self, name: &OsStr, now: Instant) {
        // Links are not followed. An entry without metadata is gone.
        let Ok(meta) = self.folder.join(name).symlink_metadata() else { return self.forget(name) };
        let entry = self.entry(name, now);
        if matches!(entry.stage, HandOver::Ready(_)) {
            return;
        }
        let kind = kind(&meta);
        entry.see(&meta, kind, now);
        let still = entry.still(&meta, now);
        // A file that had a second link and has lost it was handed over.
        let heard = if entry.was_linked { Some(Heard::MovedIn) } else { entry.heard.map(|(heard, _)| heard) };
        let decided = match left_alone_why(name) {
            Some(why) => Readiness::Leave(why),
            None => readiness(kind, heard, still),
        };
        let (stage, is_small) = match decided {
            Readiness::Take => {
                let Urgency { priority, deadline, has_open_tail } = head(&self.folder, name, meta.len(), &self.rules);
                match tail_readiness(still) {
                    Readiness::Later(wait) if has_open_tail => {
                        (HandOver::Waits { until: now + wait, left: None }, false)
                    }
                    _ => {
                        let rank = Rank { priority, deadline, arrived: arrived(&meta) };
                        (HandOver::Ready(rank), meta.len() <= SMALL_BYTES)
                    }
                }
            }
            Readiness::Later(wait) => {
                let left = matches!(heard, Some(Heard::Open | Heard::Made)).then_some(LeftWhy::Open);
                (HandOver::Waits { until: now + wait, left }, false)
            }
            Readiness::Leave(_) if is_remains(name, kind, still) => {
                self.sweep(name);
                return self.forget(name);
            }
            Readiness::Leave(what) => {
                self.say_left(name, what);
                // No event tells that a second link is gone.
                let again = if entry_is_linked(kind) { SCAN_EVERY } else { LEFT_FOR };
                (HandOver::Waits { until: now + again, left: Some(what) }, false)
            }
        };
        self.set_stage(name, stage, is_small);
    }

    /// Logs an entry that is not a regular file, once. Names of unfinished files are usual and not logged.
    fn say_left(&mut self, name: &OsStr, what: LeftWhy) {
        let Some(entry) = self.known.get_mut(name) else { return };
        if !std::mem::replace(&mut entry.is_said, true) && left_alone_why(name).is_none() {
            let what = words::left_alone(what).en;
            warn!(name = stored_name(name), "{what} in incoming/ is left alone; only regular files are read");
        }
    }

    /// Removes what a killed `prefetchd add` left. A failure to remove it is ignored.
    fn sweep(&self, name: &OsStr) {
        if fs::remove_file(self.folder.join(name)).is_ok() {
            info!(name = stored_name(name), "removed what a `prefetchd add` that was killed had left in incoming/");
        }
    }

    /// Entries left alone for an hour: names, why, and since when; the oldest first.
    pub(super) fn left(&self, now: SystemTime) -> Vec<(String, LeftWhy, SystemTime)> {
        let mut left: Vec<(SystemTime, &Name, LeftWhy)> = Vec::new();
        for (name, entry) in &self.known {
            let HandOver::Waits { left: Some(why), .. } = entry.stage else { continue };
            let Some(changed) = entry.looks.and_then(|looks| looks.2) else { continue };
            if now.duration_since(changed).is_ok_and(|age| age >= LEFT_SAID_AFTER) {
                left.push((changed, name, why));
            }
        }
        left.sort_unstable();
        left.truncate(LEFT_SAID_MAX);
        left.into_iter().map(|(changed, name, why)| (stored_name(name), why, changed)).collect()
    }

    fn entry(&mut self, name: &OsStr, now: Instant) -> &mut Entry {
        let scan = self.scans;
        if !self.known.contains_key(name) {
            let name: Name = Arc::from(name);
            self.due.insert((now, Arc::clone(&name)));
            self.known.insert(name, Entry::new(now, scan));
        }
        let entry = self.known.get_mut(name).expect("it was just put there");
        entry.scan = scan;
        entry
    }

    fn set_stage(&mut self, name: &OsStr, stage: HandOver, is_small: bool) {
        let Some((name, _)) = self.known.get_key_value(name) else { return };
        let name = Arc::clone(name);
        let entry = self.known.get_mut(&name).expect("it was just found there");
        match std::mem::replace(&mut entry.stage, stage) {
            HandOver::Waits { until, .. } => drop(self.due.remove(&(until, Arc::clone(&name)))),
            HandOver::Ready(rank) => drop(self.ready.remove(&(rank, Arc::clone(&name)))),
        }
        match stage {
            HandOver::Waits { until, .. } => drop(self.due.insert((until, name))),
            HandOver::Ready(rank) => drop(self.ready.insert((rank, name), is_small)),
        }
    }

    /// Forgets an entry that has left the folder.
    fn forget(&mut self, name: &OsStr) {
        let Some((name, entry)) = self.known.remove_entry(name) else { return };
        match entry.stage {
            HandOver::Waits { until, .. } => drop(self.due.remove(&(until, name))),
            HandOver::Ready(rank) => drop(self.ready.remove(&(rank, name))),
        }
    }

    /// The first of the ready files.
    pub(super) fn next(&self) -> Option<Next> {
        self.ready.first_key_value().map(|((rank, _), is_small)| Next { rank: *rank, is_small: *is_small })
    }

    /// Takes the first of the ready files, to be claimed: one large file, or up to `limit` small ones of one priority.
    pub(super) fn take(&mut self, limit: usize) -> Vec<(OsString, Rank)> {
        let mut taken: Vec<(OsString, Rank)> = Vec::new();
        while let Some(((rank, name), is_small)) =
            self.ready.first_key_value().map(|(key, small)| (key.clone(), *small))
        {
            let fits = taken.first().is_none_or(|(_, first)| is_small && first.priority == rank.priority);
            if taken.len() >= limit || !fits {
                break;
            }
            self.forget(&name);
            taken.push((name.to_os_string(), rank));
            if !is_small {
                break;
            }
        }
        taken
    }
}

impl Entry {
    fn new(now: Instant, scan: u64) -> Self {
        let stage = HandOver::Waits { until: now, left: None };
        Self {
            looks: None,
            first_seen: now,
            changed_at: now,
            heard: None,
            was_linked: false,
            stage,
            is_said: false,
            scan,
        }
    }

    /// Notes how the entry looks. Another file under the same name counts as a new entry.
    fn see(&mut self, meta: &Metadata, kind: Kind, now: Instant) {
        let looks = (meta.ino(), meta.len(), meta.modified().ok(), meta.nlink());
        if self.looks.is_some_and(|before| before.0 != looks.0) {
            (self.first_seen, self.was_linked, self.is_said) = (now, false, false);
        }
        if self.looks != Some(looks) {
            (self.looks, self.changed_at) = (Some(looks), now);
        }
        self.was_linked |= entry_is_linked(kind);
    }

    fn still(&self, meta: &Metadata, now: Instant) -> Still {
        let last = self.heard.map_or(self.changed_at, |(_, at)| at);
        Still {
            seen: now.saturating_duration_since(last),
            age: meta.modified().ok().and_then(|changed| SystemTime::now().duration_since(changed).ok()),
            known: now.saturating_duration_since(self.first_seen),
        }
    }
}

/// Whether a killed `prefetchd add` left it.
fn is_remains(name: &OsStr, kind: Kind, still: Still) -> bool {
    let is_copy = matches!(kind, Kind::File { .. }) && name.as_bytes().starts_with(ADD_PREFIX.as_bytes());
    is_copy && still.age.is_some_and(|age| age >= REMAINS_KEPT)
}

fn entry_is_linked(kind: Kind) -> bool {
    matches!(kind, Kind::File { is_linked: true, .. })
}

fn kind(meta: &Metadata) -> Kind {
    let file_type = meta.file_type();
    if file_type.is_file() {
        return Kind::File { bytes: meta.len(), is_linked: meta.nlink() > 1 };
    }
    Kind::Other(match () {
        () if file_type.is_dir() => LeftWhy::Directory,
        () if file_type.is_symlink() => LeftWhy::SymbolicLink,
        () if file_type.is_fifo() => LeftWhy::Fifo,
        () if file_type.is_socket() => LeftWhy::Socket,
        () => LeftWhy::Device,
    })
}

/// When the file arrived. A rename or link into the folder changes the inode's time (ctime), whatever the file's own
/// time of change says.
fn arrived(meta: &Metadata) -> i64 {
    meta.ctime().saturating_mul(1_000_000_000).saturating_add(meta.ctime_nsec())
}
