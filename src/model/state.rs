//! The states of a URL.

use strum::{Display, EnumCount, EnumString, IntoStaticStr};

/// The state of a URL. Only `retry` leads out of an end state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumCount, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", parse_err_ty = String, parse_err_fn = no_state)]
pub enum UrlState {
    /// Waits for a batch.
    Pending,
    /// In a batch that is being sent or whose answer is in doubt.
    Leased,
    /// Accepted by the API; has a task.
    Submitted,
    /// Warm.
    Complete,
    /// Ended; the reason is stored with it.
    Failed,
    /// Its deadline passed before it was sent.
    Expired,
    /// Cancelled by the operator.
    Cancelled,
    /// Waits for the operator.
    Held,
    /// Accepted by the API, which never told its end. Not a failure, because nobody said that it failed.
    Unconfirmed,
}

impl UrlState {
    /// In the order of the counting columns of `files` and `tally`.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Pending,
        Self::Leased,
        Self::Submitted,
        Self::Complete,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Held,
        Self::Unconfirmed,
    ];
}

fn no_state(text: &str) -> String {
    let words = UrlState::ALL.map(<&str>::from).join(", ");
    format!("`{text}` is no state ({words})")
}
