//! The sentences that users read, in English and Chinese: one catalogue with a constant or a function for each
//! sentence, so that a missing translation does not compile. Programs decide by the codes of [`crate::model`]; text is
//! made from them here.
//!
//! Terms are those of the service's own documents (预热, 域名, 回执 …).

/// A sentence made of parts, in both languages: `say!("{n} lines", "{n} 行")`.
macro_rules! say {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::words::Words::made(format!($en), format!($zh))
    };
}

pub mod checks;
pub mod commands;
pub mod demo;
pub mod errors;
mod events;
mod figures;
pub mod file;
pub mod forecast;
mod inputs;
pub mod keys;
pub mod labels;
mod learned;
mod lines;
pub mod needs;
mod order_faults;
pub mod page;
mod problems;
mod product;
pub mod progress;
mod reasons;
pub mod receipts;
mod server;
mod stored;
pub mod story;
#[cfg(test)]
mod table;
pub mod times;
mod waits;
mod warnings;
pub mod web;

pub use events::{digest, event, more_events, test_message};
pub use figures::number;
pub use inputs::{input_fault, key_fault};
pub use learned::{learned, learned_at};
pub use lines::{line_fault, line_fault_with};
pub use order_faults::order_fault;
pub use problems::{
    config_problem, http_problem, http_problem_of, key_source, lead_problem, left_alone, spool_problem,
};
pub use product::speak_of;
pub use reasons::{account_fault, pause, reason, reason_kind};
pub use stored::Stored;
pub use waits::{wait, wait_of};
pub use warnings::warning;

use std::borrow::Cow;
use std::fmt;
use std::ops::Add;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::model::Lang;

/// A sentence in both languages; in English in lower case and without a full stop, like all messages. In JSON and
/// where nobody chooses it is English.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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

    /// What has no translation: a name, a number, what the system or the service said.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::made(text.clone(), text)
    }

    /// The sentence in a language.
    pub fn say(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }

    /// The sentence with both texts changed.
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self::made(change(&self.en), change(&self.zh))
    }

    /// A list of them; empty if there are none.
    pub fn list(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().reduce(|list, part| list.and(&part)).unwrap_or_default()
    }

    /// With something else to say after it.
    pub fn also(self, other: &Self) -> Self {
        Self::made(format!("{}; {}", self.en, other.en), format!("{}；{}", self.zh, other.zh))
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

impl Add<&Self> for Words {
    type Output = Self;

    /// Two parts of a sentence, joined as they are.
    fn add(self, other: &Self) -> Self {
        Self::made(format!("{}{}", self.en, other.en), format!("{}{}", self.zh, other.zh))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.en)
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// So many things, in English: `n` is a number as it is shown.
fn many(n: &str, one: &str, more: &str) -> String {
    format!("{n} {}", if n == "1" { one } else { more })
}
