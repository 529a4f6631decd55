//! Decides whether a file in `incoming/` has been handed over, and when a file that has been read is read on: pure
//! functions of what the file system and inotify say.
//!
//! inotify tells that a file is in use, but never for certain that it is free: it merges equal events and does not tell
//! one writer from another. So events are not counted. A file is taken when it was closed and then stayed still, or
//! when it was renamed or linked in; what is written later is read on (`grown`).

use std::time::{Duration, Instant};

use crate::model::LeftWhy;

/// A closed file is taken when it has not changed for this long: scripts append in several steps.
const SETTLED_CLOSED: Duration = Duration::from_secs(1);

/// A file without events (it was there at the start, or its file system has no inotify) is taken after this long.
const SETTLED_UNHEARD: Duration = Duration::from_secs(5);

/// A file that is open for writing, as far as events tell, is taken when it has not changed for this long: the event of
/// its closing may have been missed.
const SETTLED_OPEN: Duration = Duration::from_secs(600);

/// A file that appears with its content was linked in; if it were being written, an event would come within this time.
const SETTLED_MADE: Duration = Duration::from_millis(100);

/// A file whose last line has no end may be in the middle of a line: it is taken when it has not changed for this long.
const SETTLED_TAIL: Duration = Duration::from_millis(500);

/// A file with a second link is about to lose it if it is handed over by a link. It is looked at again after this long,
/// then less and less often, down to every `LINKED_MAX`.
const LINKED_MIN: Duration = Duration::from_millis(20);
const LINKED_MAX: Duration = Duration::from_secs(2);

/// The sum of what inotify said about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Renamed in, so it is whole.
    MovedIn,
    /// Made or linked in, and not written to since.
    Made,
    /// Written to, and not closed since.
    Open,
    /// Closed by its writer.
    Closed,
    /// It is gone.
    Gone,
}

impl Heard {
    /// Combines the sum so far with a `later` event. A file that was renamed in stays handed over, whoever writes to
    /// it.
    pub(super) fn then(before: Option<Self>, later: Self) -> Self {
        match (before, later) {
            (Some(Self::MovedIn), Self::Open | Self::Closed) => Self::MovedIn,
            (_, later) => later,
        }
    }
}

/// What the file system says of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file with so many bytes.
    File { bytes: u64, is_linked: bool },
    /// A directory, FIFO, socket, device or symbolic link.
    Other(LeftWhy),
}

/// How long a file has been unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Still {
    /// As observed: since the last event or change that was seen.
    pub(super) seen: Duration,
    /// By its own time of change; none if that lies in the future and means nothing.
    pub(super) age: Option<Duration>,
    /// Since it was first seen.
    pub(super) known: Duration,
}

/// What to do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Take it.
    Take,
    /// Look again after so long.
    Later(Duration),
    /// Leave it and say what it is.
    Leave(LeftWhy),
}

/// Decides whether a file was handed over.
pub(super) fn readiness(kind: Kind, heard: Option<Heard>, still: Still) -> Readiness {
    let (bytes, is_linked) = match kind {
        Kind::File { bytes, is_linked } => (bytes, is_linked),
        Kind::Other(what) => return Readiness::Leave(what),
    };
    // The other name may belong to somebody else, and the daemon may read files that its user may not.
    if is_linked {
        let wait = still.known.clamp(LINKED_MIN, LINKED_MAX);
        return if wait < LINKED_MAX { Readiness::Later(wait) } else { Readiness::Leave(LeftWhy::HardLink) };
    }
    let (settled, still) = match heard {
        Some(Heard::MovedIn) => return Readiness::Take,
        Some(Heard::Closed) => (SETTLED_CLOSED, still.seen),
        Some(Heard::Made) if bytes > 0 => (SETTLED_MADE, still.seen),
        Some(Heard::Made | Heard::Open) => (SETTLED_OPEN, still.seen),
        // Its time of change may show more than was observed.
        Some(Heard::Gone) | None => (SETTLED_UNHEARD, still.age.unwrap_or_default().max(still.seen)),
    };
    if still < settled { Readiness::Later(settled - still) } else { Readiness::Take }
}

/// Decides the same for a file that was handed over but whose last line has no end.
pub(super) fn tail_readiness(still: Still) -> Readiness {
    let still = still.age.unwrap_or(still.seen);
    if still < SETTLED_TAIL { Readiness::Later(SETTLED_TAIL - still) } else { Readiness::Take }
}

/// A file that is written to for ever is read on this often.
const READ_ON_EVERY: Duration = Duration::from_secs(5);

/// Reading on means reading the whole file again, so it may take at most one part in this many of the time.
const READ_ON_SHARE: u32 = 10;

/// When a file that was read is read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadOn {
    pub(super) at: Instant,
    /// Its last line counts as whole even without a line end.
    pub(super) is_whole: bool,
}

/// Decides about a file that changed after its end was read: when the event came (`at`), and the cost and end of its
/// last reading, if there was one.
pub(super) fn read_on(heard: Option<Heard>, at: Instant, last: Option<(Instant, Duration)>) -> ReadOn {
    let (settled, is_whole) = match heard {
        Some(Heard::Open | Heard::Made) => (READ_ON_EVERY, false),
        Some(_) => (SETTLED_CLOSED, true),
        None => (SETTLED_UNHEARD, true),
    };
    let allowed = last.map_or(at, |(ended, cost)| ended + cost.saturating_mul(READ_ON_SHARE));
    ReadOn { at: (at + settled).max(allowed), is_whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Kind = Kind::File { bytes: 9, is_linked: false };

    fn still(seen_ms: u64) -> Still {
        Still { seen: Duration::from_millis(seen_ms), age: None, known: Duration::from_millis(seen_ms) }
    }

    fn later(ms: u64) -> Readiness {
        Readiness::Later(Duration::from_millis(ms))
    }

    #[test]
    fn a_renamed_file_is_taken_at_once_and_a_written_one_when_it_has_settled() {
        assert_eq!(readiness(FILE, Some(Heard::MovedIn), still(0)), Readiness::Take);
        assert_eq!(readiness(FILE, Some(Heard::Closed), still(400)), later(600));
        assert_eq!(readiness(FILE, Some(Heard::Closed), still(1000)), Readiness::Take);
        assert_eq!(readiness(FILE, None, still(4000)), later(1000));
        assert_eq!(readiness(FILE, None, still(5000)), Readiness::Take);
        assert_eq!(readiness(FILE, Some(Heard::Open), still(9_000)), later(591_000));
        assert_eq!(
            readiness(Kind::Other(LeftWhy::Fifo), Some(Heard::MovedIn), still(0)),
            Readiness::Leave(LeftWhy::Fifo)
        );
    }

    #[test]
    fn a_time_of_change_counts_only_where_nothing_was_heard_and_if_it_is_past() {
        let old = Still { age: Some(Duration::from_secs(3600)), ..still(0) };
        assert_eq!(readiness(FILE, None, old), Readiness::Take);
        assert_eq!(readiness(FILE, Some(Heard::Closed), old), later(1000));
        assert_eq!(readiness(FILE, None, still(0)), later(5000));
    }

    #[test]
    fn a_file_that_is_linked_in_is_taken_when_it_has_one_name() {
        let linked = Kind::File { bytes: 9, is_linked: true };
        assert_eq!(readiness(linked, Some(Heard::Made), still(0)), later(20));
        assert_eq!(readiness(linked, Some(Heard::Made), still(300)), later(300));
        assert!(matches!(readiness(linked, Some(Heard::MovedIn), still(2000)), Readiness::Leave(_)));
        assert_eq!(readiness(FILE, Some(Heard::Made), still(40)), later(60));
        assert_eq!(readiness(FILE, Some(Heard::Made), still(100)), Readiness::Take);
        // A file that was just made and is empty waits for its writer.
        let empty = Kind::File { bytes: 0, is_linked: false };
        assert_eq!(readiness(empty, Some(Heard::Made), still(100)), later(599_900));
    }

    #[test]
    fn what_was_renamed_in_stays_handed_over() {
        assert_eq!(Heard::then(Some(Heard::MovedIn), Heard::Open), Heard::MovedIn);
        assert_eq!(Heard::then(Some(Heard::Closed), Heard::Open), Heard::Open);
        assert_eq!(Heard::then(Some(Heard::MovedIn), Heard::Gone), Heard::Gone);
        assert_eq!(Heard::then(Some(Heard::Gone), Heard::Closed), Heard::Closed);
    }

    #[test]
    fn a_file_that_grows_for_ever_is_read_on_now_and_then_without_the_line_that_has_no_end() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(read_on(Some(Heard::Closed), now, None), ReadOn { at: now + second, is_whole: true });
        assert_eq!(read_on(Some(Heard::Open), now, None), ReadOn { at: now + 5 * second, is_whole: false });
        let costly = read_on(Some(Heard::Closed), now, Some((now, 3 * second)));
        assert_eq!(costly, ReadOn { at: now + 30 * second, is_whole: true });
    }

    #[test]
    fn a_last_line_without_an_end_is_waited_for_a_moment() {
        assert_eq!(tail_readiness(still(100)), later(400));
        assert_eq!(tail_readiness(Still { age: Some(Duration::from_secs(9)), ..still(0) }), Readiness::Take);
    }
}
