//! Why an order that a member of the group dropped is refused: codes, which are stored. The sentences are in
//! [`crate::words`].

use serde::{Deserialize, Serialize};
use strum::EnumCount;

use super::problem::{code_and_with, of_code_and_with};

/// Why an order is refused. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, EnumCount, Serialize, Deserialize)]
#[serde(tag = "code", content = "with", rename_all = "snake_case")]
pub enum OrderFault {
    /// It is no JSON object with the keys of an order.
    Unreadable {
        /// What is wrong, and where.
        said: String,
    },
    /// It is longer than an order can be.
    TooLong {
        /// The most, in bytes.
        bytes_max: usize,
    },
    /// It is a link or another special file, or has a second name, so that its owner did not necessarily put it there.
    NotPlain,
    /// Its owner is not known: the daemon does not see the users of the host.
    Nobody,
    /// It names no URLs at all.
    NamesNothing,
    /// The key `url` is no URL.
    BadUrl {
        /// The URL.
        url: String,
    },
    /// The order does not apply to this state.
    State {
        /// The order's word.
        order: String,
        /// The state.
        state: String,
    },
    /// There is no file of this name.
    NoFile {
        /// The file.
        file: String,
    },
    /// All files of this name belong to others.
    NotYours {
        /// The file.
        file: String,
        /// The user who dropped it last; none if that is not known.
        owner: Option<String>,
    },
}

impl OrderFault {
    /// Its word, and its parameters as JSON.
    pub fn stored(&self) -> (String, Option<String>) {
        code_and_with(self)
    }

    /// Reads its stored form; none if this version does not know the word.
    pub fn of_stored(code: &str, with: Option<&str>) -> Option<Self> {
        of_code_and_with(code, with)
    }
}
