//! Problems that limit the daemon: codes with their parameters, which are stored. The sentences are in
//! [`crate::words`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why files cannot be taken, or cannot be removed when their time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "with", rename_all = "snake_case")]
pub enum SpoolProblem {
    /// A folder is on another mount than the others, so no file can be moved out of it in one step.
    OtherMount {
        /// The system's message, with the folder.
        said: String,
    },
    /// The folders or a file in them cannot be used.
    Unusable {
        /// What the system says.
        said: String,
    },
    /// Files whose time is over cannot be removed.
    NotRemoved {
        /// What the system says.
        said: String,
    },
}

/// Which part of a reloaded configuration is not in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "with", rename_all = "snake_case")]
pub enum ConfigProblem {
    /// All of it: it is wrong, or a key cannot be read.
    ReloadRefused {
        /// What is wrong.
        said: String,
    },
    /// Changes to what was opened at the start.
    AfterRestart {
        /// The keys that were changed, as `[spool] dir`.
        keys: Vec<String>,
    },
}

/// Why a host does not lead although nobody else does, or would not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", content = "with", rename_all = "snake_case")]
pub enum LeadProblem {
    /// It is configured not to.
    LeadOff,
    /// Its `[budget]`, `[schedule]` or `[retry]` is not that of the leader.
    PolicyDiffers {
        /// The leader, or whoever led last.
        host: String,
    },
    /// It cannot write the marker in its spool, which is written before each call.
    MarkerUnwritten {
        /// What the system says.
        said: String,
    },
}

impl LeadProblem {
    /// Its word, and its parameters as JSON.
    pub fn stored(&self) -> (String, Option<String>) {
        code_and_with(self)
    }

    /// Reads its stored form; none if this version does not know the word.
    pub fn of_stored(code: Option<&str>, with: Option<&str>) -> Option<Self> {
        of_code_and_with(code?, with)
    }
}

impl SpoolProblem {
    /// Its word, and its parameters as JSON.
    pub fn stored(&self) -> (String, Option<String>) {
        code_and_with(self)
    }

    /// Reads its stored form; none if this version does not know the word.
    pub fn of_stored(code: Option<&str>, with: Option<&str>) -> Option<Self> {
        of_code_and_with(code?, with)
    }
}

impl ConfigProblem {
    /// Its word, and its parameters as JSON.
    pub fn stored(&self) -> (String, Option<String>) {
        code_and_with(self)
    }

    /// Reads its stored form; none if this version does not know the word.
    pub fn of_stored(code: Option<&str>, with: Option<&str>) -> Option<Self> {
        of_code_and_with(code?, with)
    }
}

pub(super) fn of_code_and_with<T: DeserializeOwned>(code: &str, with: Option<&str>) -> Option<T> {
    let with: Option<Value> = with.and_then(|with| serde_json::from_str(with).ok());
    serde_json::from_value(serde_json::json!({ "code": code, "with": with })).ok()
}

pub(super) fn code_and_with(problem: &impl Serialize) -> (String, Option<String>) {
    let json = serde_json::to_value(problem).expect("a problem is text and lists of text");
    let code = json.get("code").and_then(Value::as_str).expect("it is tagged by its code");
    (code.to_owned(), json.get("with").map(Value::to_string))
}
