//! Small files that are committed together.

use crate::model::{Fault, Keys};
use crate::queue::{Content, OpenFile};
use crate::spool::identity::FileState;
use crate::spool::parts::Chunk;

/// A small file that was read as a whole.
pub(super) struct Small<'f> {
    pub(super) file: &'f OpenFile,
    pub(super) keys: Keys,
    /// The first line that was refused, with its number.
    pub(super) refused: Option<(u64, Fault)>,
    pub(super) chunk: Chunk,
    pub(super) content: Content,
    pub(super) seen: FileState,
}

/// How many files are committed together, given the lines of each: neighbours that have so many lines, or a few more.
pub(super) fn together(lines: impl IntoIterator<Item = u64>, lines_max: u64) -> Vec<usize> {
    let (mut groups, mut room) = (Vec::new(), 0);
    for lines in lines {
        if room == 0 {
            groups.push(0);
            room = lines_max;
        }
        *groups.last_mut().expect("one was begun") += 1;
        room = room.saturating_sub(lines);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn small_files_are_committed_together_up_to_so_many_lines() {
        let lines = [4, 5, 6, 1, 20, 0];
        assert_eq!(together(lines, 10), [3, 2, 1]);
        assert_eq!(together(lines, 1), [1; 6]);
        assert_eq!(together(lines, u64::MAX), [6]);
        assert!(together([], 10).is_empty());
    }
}
