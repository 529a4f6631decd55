//! Decides which file comes next; pure. Urgent files go first, then by deadline, then by arrival. A more urgent file
//! overtakes one that is being read.

use crate::model::Priority;

/// Most files open for reading at a time: each one that was overtaken keeps its place and its memory.
pub(super) const OPEN_MAX: usize = 4;

/// A file's place in the order; the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: Priority,
    /// In milliseconds since 1970; `i64::MAX` without one.
    pub(super) deadline: i64,
    /// When it arrived, in nanoseconds since 1970.
    pub(super) arrived: i64,
}

impl Rank {
    /// Whether it may overtake a file that is being read. An earlier arrival alone is no reason.
    fn outranks(self, other: Self) -> bool {
        (self.priority, self.deadline) < (other.priority, other.deadline)
    }
}

/// The first of the waiting files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) rank: Rank,
    /// It is read in one go and never stays open.
    pub(super) is_small: bool,
}

/// The next action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Nothing is left to do.
    Rest,
    /// Commit a chunk of the file that was opened last.
    ReadOn,
    /// Begin the first of the waiting files.
    Begin,
}

/// Decides between the open files, listed in the order in which they were opened, and the first of the waiting ones.
pub(super) fn turn(open: &[Rank], next: Option<Next>) -> Move {
    match (open.last(), next) {
        (None, None) => Move::Rest,
        (None, Some(_)) => Move::Begin,
        (Some(last), Some(next)) if next.rank.outranks(*last) && (next.is_small || open.len() < OPEN_MAX) => {
            Move::Begin
        }
        (Some(_), _) => Move::ReadOn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(priority: Priority, deadline: i64, arrived: i64) -> Rank {
        Rank { priority, deadline, arrived }
    }

    #[test]
    fn files_go_by_priority_then_deadline_then_arrival() {
        let none = i64::MAX;
        let mut ranks = [
            rank(Priority::Normal, none, 1),
            rank(Priority::Low, 5, 0),
            rank(Priority::Urgent, none, 9),
            rank(Priority::Urgent, 7, 8),
            rank(Priority::Normal, none, 0),
        ];
        ranks.sort();
        let arrived: Vec<i64> = ranks.iter().map(|rank| rank.arrived).collect();
        assert_eq!(arrived, [8, 9, 0, 1, 0]);
    }

    #[test]
    fn a_more_urgent_file_passes_one_that_is_being_read_and_an_earlier_one_does_not() {
        let open = [rank(Priority::Normal, 50, 5)];
        let next = |rank, is_small| Some(Next { rank, is_small });
        assert_eq!(turn(&[], None), Move::Rest);
        assert_eq!(turn(&[], next(open[0], false)), Move::Begin);
        assert_eq!(turn(&open, None), Move::ReadOn);
        assert_eq!(turn(&open, next(rank(Priority::Normal, 50, 1), true)), Move::ReadOn);
        assert_eq!(turn(&open, next(rank(Priority::Normal, 49, 9), true)), Move::Begin);
        assert_eq!(turn(&open, next(rank(Priority::Urgent, i64::MAX, 9), false)), Move::Begin);
        assert_eq!(turn(&open, next(rank(Priority::Low, 1, 1), true)), Move::ReadOn);
    }

    #[test]
    fn so_many_files_are_open_at_most_and_small_ones_pass_all_the_same() {
        let open: Vec<Rank> = (0..OPEN_MAX).map(|n| rank(Priority::Normal, 100 - n as i64, 0)).collect();
        let urgent = rank(Priority::Urgent, i64::MAX, 1);
        assert_eq!(turn(&open, Some(Next { rank: urgent, is_small: false })), Move::ReadOn);
        assert_eq!(turn(&open, Some(Next { rank: urgent, is_small: true })), Move::Begin);
    }
}
