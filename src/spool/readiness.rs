//! Whether a file in `incoming/` has been handed over: a pure function of what the file system and inotify say.

use std::time::{Duration, SystemTime};

/// A file that its writer has closed is taken when it has not changed for so long: scripts append in several steps.
const SETTLED_CLOSED: Duration = Duration::from_secs(1);

/// One of which nothing was heard (it was there at start, or lies on a file system without inotify), after so long.
const SETTLED_UNHEARD: Duration = Duration::from_secs(5);

/// One that is still open for writing, as far as was heard, when it has not changed for so long: the closing may have been
/// missed.
const SETTLED_OPEN: Duration = Duration::from_secs(600);

/// A time of change that lies further ahead than this is made up; one less far ahead is a clock's resolution.
const AHEAD_MAX: Duration = Duration::from_secs(3_600);

/// What inotify said of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was renamed in: whole.
    MovedIn,
    /// Its writer closed it.
    Closed,
    /// It was made or written to, and not closed since.
    Open,
}

/// What the file system says of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file, last changed then.
    File(SystemTime),
    /// A directory, FIFO, socket, device or symbolic link.
    Other(&'static str),
}

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Take it.
    Take,
    /// Look again after so long.
    Later(Duration),
    /// Leave it and say what it is, once.
    Leave(&'static str),
}

/// Decides at `now`, which must have been read after the file's times. A time of change that lies far in the future counts
/// as long ago.
pub(super) fn readiness(kind: Kind, heard: Option<Heard>, now: SystemTime) -> Readiness {
    let changed = match kind {
        Kind::File(changed) => changed,
        Kind::Other(what) => return Readiness::Leave(what),
    };
    let settled = match heard {
        Some(Heard::MovedIn) => return Readiness::Take,
        Some(Heard::Closed) => SETTLED_CLOSED,
        Some(Heard::Open) => SETTLED_OPEN,
        None => SETTLED_UNHEARD,
    };
    match now.duration_since(changed) {
        Ok(age) if age < settled => Readiness::Later(settled - age),
        Err(ahead) if ahead.duration() < AHEAD_MAX => Readiness::Later(settled),
        _ => Readiness::Take,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_file_is_taken_at_once_and_a_written_one_when_it_has_settled() {
        let now = SystemTime::now();
        let file = |age| Kind::File(now - Duration::from_millis(age));
        assert_eq!(readiness(file(0), Some(Heard::MovedIn), now), Readiness::Take);
        assert_eq!(readiness(file(400), Some(Heard::Closed), now), Readiness::Later(Duration::from_millis(600)));
        assert_eq!(readiness(file(1000), Some(Heard::Closed), now), Readiness::Take);
        assert_eq!(readiness(file(4000), None, now), Readiness::Later(Duration::from_secs(1)));
        assert_eq!(readiness(file(5000), None, now), Readiness::Take);
        assert_eq!(readiness(file(9_000), Some(Heard::Open), now), Readiness::Later(Duration::from_secs(591)));
        let ahead = |seconds| Kind::File(now + Duration::from_secs(seconds));
        assert_eq!(readiness(ahead(1), None, now), Readiness::Later(SETTLED_UNHEARD));
        assert_eq!(readiness(ahead(86_400), None, now), Readiness::Take);
        assert_eq!(readiness(Kind::Other("a FIFO"), Some(Heard::MovedIn), now), Readiness::Leave("a FIFO"));
    }
}
