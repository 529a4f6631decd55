//! Reasons as they are stored: the code and its parameters, by which programs decide, and the English text beside them,
//! which views show.
//!
//! The three are made here alone, of one value, and written by one statement: so they agree. SQL could make the text of
//! the other two by a table of sentences, but each view would have to join it and fill in the parameters for each row.

use super::{pause, reason, wait};
use crate::model::{PauseWhy, Reason, WaitWhy};

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The word, which never changes its meaning.
    pub code: String,
    /// The parameters, as a JSON object; none where there are none.
    pub with: Option<String>,
    /// In English.
    pub text: String,
}

impl From<&Reason> for Stored {
    fn from(why: &Reason) -> Self {
        Self { code: why.kind.code().to_owned(), with: why.with(), text: reason(why).en.into_owned() }
    }
}

impl From<&WaitWhy> for Stored {
    fn from(why: &WaitWhy) -> Self {
        let (code, with) = why.stored();
        Self { code, with, text: wait(why).en.into_owned() }
    }
}

impl From<&PauseWhy> for Stored {
    fn from(why: &PauseWhy) -> Self {
        Self { code: why.code().to_owned(), with: None, text: pause(why).en.into_owned() }
    }
}
