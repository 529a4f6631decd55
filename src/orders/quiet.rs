//! How many lines of the log a member's orders may take: `v_orders` has all of them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::Time;

/// Orders of one member that are logged in a minute.
const LINES_A_MINUTE: u32 = 10;

/// What was logged of each member, by user ID: since when, and how many orders.
#[derive(Debug, Default)]
pub(super) struct Quiet(BTreeMap<u32, (Time, u32)>);

/// Whether an order is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    /// It is; and so many before it were not.
    Tell {
        /// Orders of this member of which nothing was said.
        unsaid: u32,
    },
    /// It is, and those after it in this minute are not.
    Last,
    /// It is not.
    Hush,
}

impl Quiet {
    /// An order of this member was dealt with.
    pub(super) fn hear(&mut self, uid: u32, now: Time) -> Say {
        let minute = TimeDelta::zero()..TimeDelta::minutes(1);
        self.0.retain(|of, (since, n)| *of == uid || *n > LINES_A_MINUTE || minute.contains(&(now - *since)));
        let (since, n) = self.0.entry(uid).or_insert((now, 0));
        let mut unsaid = 0;
        if !minute.contains(&(now - *since)) {
            unsaid = n.saturating_sub(LINES_A_MINUTE);
            (*since, *n) = (now, 0);
        }
        *n = n.saturating_add(1);
        match (*n).cmp(&LINES_A_MINUTE) {
            std::cmp::Ordering::Less => Say::Tell { unsaid },
            std::cmp::Ordering::Equal => Say::Last,
            std::cmp::Ordering::Greater => Say::Hush,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    #[test]
    fn ten_orders_of_a_member_are_logged_in_a_minute_and_the_others_are_counted() {
        let at = |seconds: i64| from_millis(seconds * 1000);
        let mut quiet = Quiet::default();
        let said: Vec<Say> = (0..3000).map(|n| quiet.hear(7, at(n / 100))).collect();
        assert_eq!(said.iter().filter(|say| **say != Say::Hush).count(), 10);
        assert_eq!((said[8], said[9], said[10]), (Say::Tell { unsaid: 0 }, Say::Last, Say::Hush));
        assert_eq!(quiet.hear(8, at(1)), Say::Tell { unsaid: 0 });
        assert_eq!(quiet.hear(7, at(61)), Say::Tell { unsaid: 2990 });
        // A clock that was set back begins a new minute.
        assert_eq!(quiet.hear(7, at(2)), Say::Tell { unsaid: 0 });
    }
}
