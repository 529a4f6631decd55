//! Decides which of the wishes for a URL governs it; pure.

use crate::model::{Priority, Time};

/// What one line asks for its URL (a row of `wishes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Urgent goes first.
    pub(super) priority: Priority,
    /// It counts from this time on.
    pub(super) not_before: Option<Time>,
    /// The URL must not be sent after this.
    pub(super) deadline: Option<Time>,
    /// Whether `not_before` has come, as far as the time is known.
    pub(super) counts: bool,
}

/// The wish that governs a URL, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strongest {
    /// That wish.
    pub(super) wish: Wish,
    /// When the first of the wishes begins to count; none if one counts already.
    pub(super) wait_until: Option<Time>,
}

/// The strongest of the live wishes for a URL. Among those that count it is the one with the best priority, then with
/// the earliest deadline; while none counts, the one that will count first. None if there is no wish left.
pub(super) fn strongest(live: &[Wish]) -> Option<Strongest> {
    let rank = |wish: &Wish| (wish.priority, wish.deadline.is_none(), wish.deadline);
    let counting = live.iter().filter(|wish| wish.counts).min_by_key(|wish| rank(wish));
    if let Some(wish) = counting {
        return Some(Strongest { wish: *wish, wait_until: None });
    }
    let first = live.iter().min_by_key(|wish| (wish.not_before, rank(wish)))?;
    Some(Strongest { wish: *first, wait_until: first.not_before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    /// A wish, decided at the time 100.
    fn wish(priority: Priority, not_before: Option<i64>, deadline: Option<i64>) -> Wish {
        let counts = not_before.is_none_or(|from| from <= 100);
        Wish { priority, not_before: not_before.map(from_millis), deadline: deadline.map(from_millis), counts }
    }

    #[test]
    fn the_best_priority_counts_whole_then_the_earliest_deadline() {
        let urgent = wish(Priority::Urgent, None, None);
        let soon = wish(Priority::Normal, None, Some(150));
        let later = wish(Priority::Normal, None, Some(190));
        assert_eq!(strongest(&[soon, urgent]), Some(Strongest { wish: urgent, wait_until: None }));
        assert_eq!(strongest(&[later, soon]), Some(Strongest { wish: soon, wait_until: None }));
        let never = wish(Priority::Normal, None, None);
        assert_eq!(strongest(&[never, later]), Some(Strongest { wish: later, wait_until: None }));
        assert_eq!(strongest(&[]), None);
    }

    #[test]
    fn a_wish_counts_from_its_time_on() {
        let now = wish(Priority::Low, None, Some(500));
        let (later, by_now) = (wish(Priority::Urgent, Some(101), None), wish(Priority::Urgent, Some(100), None));
        assert_eq!(strongest(&[later, now]), Some(Strongest { wish: now, wait_until: None }));
        assert_eq!(strongest(&[by_now, now]), Some(Strongest { wish: by_now, wait_until: None }));
        let latest = wish(Priority::Urgent, Some(300), None);
        let first = wish(Priority::Low, Some(200), None);
        assert_eq!(strongest(&[latest, first]), Some(Strongest { wish: first, wait_until: Some(from_millis(200)) }));
    }
}
