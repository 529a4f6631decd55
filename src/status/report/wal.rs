//! Whether somebody keeps the write-ahead log from being copied back.

use schemars::JsonSchema;
use serde::Serialize;

use crate::store;

/// If the WAL file is this many times its usual size, somebody keeps it from being copied back.
const WAL_LONG: u64 = 4;

/// The write-ahead log beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WalReport {
    /// Its size.
    pub bytes: u64,
    /// Whether it is so long that somebody must be keeping it from being copied back: a reader that stays open.
    pub is_long: bool,
}

/// The log of this database.
pub(super) fn wal(database: &std::path::Path) -> WalReport {
    let bytes = std::fs::metadata(store::wal_of(database)).map_or(0, |meta| meta.len());
    WalReport { bytes, is_long: bytes > WAL_LONG * store::WAL_BYTES }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wal_is_long_when_it_is_many_times_what_it_is_cut_back_to() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        assert_eq!(wal(&database), WalReport { bytes: 0, is_long: false });
        // Sparse files of this length, without blocks on the disk.
        let file = std::fs::File::create(store::wal_of(&database)).unwrap();
        for (bytes, is_long) in [(store::WAL_BYTES, false), (4 * store::WAL_BYTES + 1, true)] {
            file.set_len(bytes).unwrap();
            assert_eq!(wal(&database), WalReport { bytes, is_long });
        }
    }
}
