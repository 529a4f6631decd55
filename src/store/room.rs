//! Limits the length of the write-ahead log by the free room on its disk.
//!
//! The log is copied back into the database file, which may have to grow for it. A log that fills the disk can neither
//! be copied back nor grow.

use std::path::Path;

/// How many pages (4 KiB) collect in the log before they are copied back, if there is room: copying more at once costs
/// less.
const PAGES_MAX: u64 = 25_000;

/// The log may use this part of the free room.
const SHARE: u64 = 64;

const PAGE_BYTES: u64 = 4_096;

/// The log file is cut to this size when it starts anew. So a larger size shows how much a reader keeps from being
/// copied.
pub const WAL_BYTES: u64 = 40_960_000;

/// After how many pages the log is copied back, and to which size its file is then cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogLimits {
    pub(super) pages: u64,
    pub(super) bytes: u64,
}

impl LogLimits {
    /// For this much free room and a log of this size, in bytes. Powers of two, so that they do not change with every
    /// page.
    pub(super) fn by(free: u64, log: u64) -> Self {
        let pages = free.saturating_add(log) / SHARE / PAGE_BYTES;
        let step = pages.checked_ilog2().map_or(1, |log| 1 << log);
        let pages = if pages >= PAGES_MAX { PAGES_MAX } else { step };
        Self { pages, bytes: (pages * PAGE_BYTES).min(WAL_BYTES) }
    }

    /// For the present state of the disk; none if that is unknown.
    pub(super) fn now(log: &Path) -> Option<Self> {
        let disk = rustix::fs::statvfs(log.parent()?).ok()?;
        let bytes = std::fs::metadata(log).map_or(0, |meta| meta.len());
        Some(Self::by(disk.f_bavail.saturating_mul(disk.f_frsize), bytes))
    }

    /// The statements that set them.
    pub(super) fn pragmas(self) -> String {
        format!("pragma wal_autocheckpoint = {}; pragma journal_size_limit = {}", self.pages, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_large_disk_lets_the_log_grow_and_a_small_one_does_not() {
        assert_eq!(LogLimits::by(1 << 40, 0), LogLimits { pages: 25_000, bytes: WAL_BYTES });
        assert_eq!(LogLimits::by(2 << 20, 0), LogLimits { pages: 8, bytes: 32_768 });
        assert_eq!(LogLimits::by(0, 0), LogLimits { pages: 1, bytes: 4_096 });
    }

    proptest! {
        #[test]
        fn the_log_takes_a_small_part_of_the_room(free in 0_u64..1 << 50, log in 0_u64..1 << 40) {
            let limits = LogLimits::by(free, log);
            prop_assert!(limits.pages >= 1 && limits.pages <= PAGES_MAX);
            prop_assert!(limits.pages == 1 || limits.pages * PAGE_BYTES <= (free + log) / SHARE);
            prop_assert!(limits.bytes <= WAL_BYTES);
        }
    }
}
