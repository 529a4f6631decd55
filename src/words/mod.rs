//! The sentences that users read, in English and Chinese: one catalogue with a constant or a function for each
//! sentence, so that a missing translation does not compile. Programs decide by the codes of [`crate::model`]; text is
//! made from them here.
//!
//! Terms are those of the service's own documents (预热, 域名, 回执 …).

mod inputs;
mod lines;
mod order_faults;
mod problems;
pub mod progress;
mod reasons;
mod stored;
mod waits;
mod warnings;

pub use inputs::{input_fault, key_fault};
pub use lines::{line_fault, line_fault_with};
pub use order_faults::order_fault;
pub use problems::{config_problem, left_alone, spool_problem};
pub use reasons::{account_fault, pause, reason, reason_kind};
pub use stored::Stored;
pub use waits::wait;
pub use warnings::warning;

use std::borrow::Cow;

/// A sentence in both languages; in English in lower case and without a full stop, like all messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// English.
    pub en: Cow<'static, str>,
    /// Chinese.
    pub zh: Cow<'static, str>,
}

impl Words {
    /// A sentence that is always the same.
    const fn fixed(en: &'static str, zh: &'static str) -> Self {
        Self { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh) }
    }

    /// A sentence made of parts.
    fn made(en: String, zh: String) -> Self {
        Self { en: Cow::Owned(en), zh: Cow::Owned(zh) }
    }

    /// With another one after it, in a list.
    pub fn and(self, other: &Self) -> Self {
        Self::made(format!("{}, {}", self.en, other.en), format!("{}，{}", self.zh, other.zh))
    }

    /// With what it is about.
    pub fn then(self, other: &Self) -> Self {
        Self::made(format!("{}: {}", self.en, other.en), format!("{}：{}", self.zh, other.zh))
    }

    /// Both languages on one line.
    pub fn both(&self) -> String {
        format!("{} / {}", self.en, self.zh)
    }
}
