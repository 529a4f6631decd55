//! The numbers of states in `urls.state` and `wishes.state`. The text of SQL statements contains the same numbers.

use crate::model::UrlState;

/// The value of `urls.suspect` for a suspect that waits for the operator or for the next day's requests.
const HELD_SUSPECT: i64 = 2;

/// The state of a row. A batched row counts as submitted here: whether its batch was accepted and has ended stands in
/// its submission.
pub(super) fn of(state: i64, suspect: i64) -> UrlState {
    match state {
        0 if suspect == HELD_SUSPECT => UrlState::Held,
        0 => UrlState::Pending,
        1 => UrlState::Submitted,
        2 => UrlState::Complete,
        3 => UrlState::Failed,
        4 => UrlState::Expired,
        5 => UrlState::Cancelled,
        7 => UrlState::Unconfirmed,
        _ => UrlState::Held,
    }
}

/// The number of a state that a row has by itself.
pub(super) fn number(state: UrlState) -> i64 {
    match state {
        UrlState::Pending => 0,
        UrlState::Leased | UrlState::Submitted => 1,
        UrlState::Complete => 2,
        UrlState::Failed => 3,
        UrlState::Expired => 4,
        UrlState::Cancelled => 5,
        UrlState::Held => 6,
        UrlState::Unconfirmed => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_a_row_has_its_number() {
        for state in UrlState::ALL.into_iter().filter(|state| *state != UrlState::Leased) {
            assert_eq!(of(number(state), 0), state);
        }
        assert_eq!(of(0, HELD_SUSPECT), UrlState::Held);
    }
}
