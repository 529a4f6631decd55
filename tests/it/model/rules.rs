//! By which rules a world is explored.

use super::world::Bounds;

/// The rules that the search takes away one by one.
#[derive(Debug, Clone)]
pub struct Rules {
    /// A call goes only if its whole timeout lies before the reset.
    pub margin: bool,
    /// A call in doubt whose signature is valid past the reset counts on both days.
    pub both_days: bool,
    /// A task settles a batch only if it lists all of it.
    pub fit: bool,
    /// A stored wait is never longer than its bound, by whatever clock there is.
    pub clamp: bool,
}

impl Rules {
    pub const REAL: Self = Self { margin: true, both_days: true, fit: true, clamp: true };

    /// Each rule taken away, with the lies that show it.
    pub fn broken() -> [(&'static str, Self, Bounds); 4] {
        [
            ("without the margin", Self { margin: false, ..Self::REAL }, Bounds::slow()),
            ("without both days", Self { both_days: false, ..Self::REAL }, Bounds::late()),
            ("without the fit of a task", Self { fit: false, ..Self::REAL }, Bounds::foreign()),
            ("without the clamp", Self { clamp: false, ..Self::REAL }, Bounds::clocks()),
        ]
    }
}
