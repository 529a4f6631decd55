//! Where a row is counted.

use crate::model::{FileId, HostId, Lane, Priority};
use crate::store::Row;

/// What the counters need to know of a row of `urls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// The file it came in.
    pub file: FileId,
    /// Its domain.
    pub host: HostId,
    /// Its priority now.
    pub priority: Priority,
    /// Its lane.
    pub lane: Lane,
    /// It is the purge of a line whose URL is prefetched after it.
    pub first_step: bool,
}

impl Seat {
    /// Reads the columns `file_id`, `host_id`, `priority`, `lane` and `first_step`.
    pub(super) fn of(row: &Row) -> Self {
        Self {
            file: FileId(row.get("file_id")),
            host: HostId(row.get("host_id")),
            priority: Priority::from_rank(row.get("priority")),
            lane: Lane::of_number(row.get("lane")),
            first_step: row.get("first_step"),
        }
    }
}
