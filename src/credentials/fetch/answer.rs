//! Answers with keys, in the spelling that metadata service, addresses and STS share.

use std::time::Duration;

use serde_json::Value;

use super::super::life::{Life, lasts};
use super::super::{Credentials, Error, Source, boot, pair};
use crate::model::Time;

/// The answer as JSON.
#[derive(Debug)]
pub(super) struct Answer(Value);

/// The fields of every answer with a key.
const NAMES: [&str; 3] = ["AccessKeyId", "AccessKeySecret", "SecurityToken"];

/// Longest code that is repeated in a message, in characters.
const CODE_CHARS_MAX: usize = 80;

impl Answer {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(Value::is_object).map(Self)
    }

    /// The code of an answer that is not a success: a word of letters, digits, dots and similar.
    pub(super) fn failure(&self) -> Option<String> {
        let code = self.0.get("Code").and_then(Value::as_str)?;
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let code: String = code.chars().filter(is_plain).take(CODE_CHARS_MAX).collect();
        (code != "Success").then_some(code)
    }

    /// The key, in a part of the answer (STS) or in the answer itself.
    pub(super) fn key(
        &self,
        source: &Source,
        date: Option<Time>,
        longest: Option<Duration>,
    ) -> Result<(Credentials, Option<Life>), Error> {
        let wrong = |what: &str| Error::NotGiven { place: source.clone(), what: what.to_owned() };
        let part = self.0.get("Credentials").filter(|part| part.is_object()).unwrap_or(&self.0);
        let text = |name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
        let values = NAMES.map(text);
        if values.iter().any(|value| value.as_deref().is_none_or(str::is_empty)) {
            return Err(wrong("its answer lacks AccessKeyId, AccessKeySecret or SecurityToken; it is asked again"));
        }
        let key = pair(source, NAMES, values)?.ok_or_else(|| wrong("its answer has no key"))?;
        let expires = text("Expiration").and_then(|text| text.parse::<Time>().ok());
        let expires =
            expires.ok_or_else(|| wrong("its answer does not say until when the key is valid (Expiration)"))?;
        let now = chrono::Utc::now();
        let lasts = lasts(expires, date, now, longest).ok_or_else(|| {
            wrong(&format!(
                "its key ended at {}, before it was given; is the clock of this machine right (NTP)?",
                crate::model::rfc3339(expires)
            ))
        })?;
        Ok((key, Some(Life { began: boot(), lasts })))
    }
}
