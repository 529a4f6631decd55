//! Why nobody knows how an accepted URL ended. Absence of an answer is no answer: such a URL is `unconfirmed`, never
//! failed.

use crate::model::{Reason, ReasonKind};

/// The reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// This key may not ask for tasks.
    Forbidden,
    /// The service was asked, and showed no end within the three days for which it lists tasks.
    NoEnd,
    /// Nobody could ask within those three days.
    NotAsked,
    /// The service ended it with a word that is neither complete nor failed: `Timeout`, `Canceled`, or an unknown one.
    Word(String),
    /// The service called it complete at this many per cent, and never more.
    Partly(String),
}

impl From<&Untold> for Reason {
    fn from(untold: &Untold) -> Self {
        match untold {
            Untold::Forbidden => ReasonKind::TasksForbidden.into(),
            Untold::NoEnd => ReasonKind::NoEnd.into(),
            Untold::NotAsked => ReasonKind::NotAsked.into(),
            Untold::Word(word) => Self::new(ReasonKind::OddEnd, word),
            Untold::Partly(process) => Self::new(ReasonKind::PartlyComplete, process),
        }
    }
}
