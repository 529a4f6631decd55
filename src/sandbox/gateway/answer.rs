//! The call as read from the wire, and the answer that a scenario makes of it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::Time;
use crate::sandbox::faults::documented_status;
use crate::sandbox::scenario::{Action, Answers, ClockRules, DateLie, Fault, Letters};
use crate::sandbox::signature::{Parameters, SignedHeaders};

/// The media type of the service's own answers.
const JSON: &str = "application/json";

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Asked {
    /// `GET` or `POST`.
    pub(in crate::sandbox) method: String,
    /// The parameters of query and form.
    pub(in crate::sandbox) parameters: Parameters,
    /// SHA-256 of the body's bytes, in hexadecimal.
    pub(in crate::sandbox) body_sha256: String,
    /// What is signed by V3; none of a call that is signed in its parameters.
    pub(in crate::sandbox) v3: Option<SignedHeaders>,
    /// Whether the URLs stood in the body.
    pub(in crate::sandbox) urls_in_body: bool,
}

impl Asked {
    /// A parameter; empty if missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Sent {
    /// HTTP status.
    pub(in crate::sandbox) status: u16,
    /// The body.
    pub(in crate::sandbox) body: String,
    /// Its media type.
    pub(in crate::sandbox) kind: &'static str,
    /// The value of `x-acs-retry-after`.
    pub(in crate::sandbox) retry_after: Duration,
    /// The header `Date`, if there is one.
    pub(in crate::sandbox) date: Option<String>,
    /// The scenario's fault for it.
    pub(in crate::sandbox) fault: Option<Action>,
    /// How long to hold it back.
    pub(in crate::sandbox) delay: Duration,
    /// Set if the answer must be fetched after the delay: the call's place in the list.
    pub(in crate::sandbox) held: Option<usize>,
}

impl Sent {
    /// No answer at all, or none before the fault's delay is over.
    pub(super) fn dropped(fault: &Fault) -> Self {
        let delay = if fault.hold { fault.delay } else { Duration::ZERO };
        Self { fault: Some(fault.action), delay, ..Self::whole(0, (String::new(), JSON), None) }
    }

    fn whole(status: u16, (body, kind): (String, &'static str), date: Option<String>) -> Self {
        let nothing = Duration::ZERO;
        Self { status, body, kind, retry_after: nothing, date, fault: None, delay: nothing, held: None }
    }

    /// Whether the connection is dropped instead of an answer.
    pub(in crate::sandbox) fn is_dropped(&self) -> bool {
        matches!(self.fault, Some(Action::DropBefore | Action::DropAfter | Action::Late))
    }
}

/// The error that a scenario returns instead of the operation: status, code, message.
pub(super) fn scripted(fault: &Fault) -> (u16, String, String) {
    let code = match fault.action {
        Action::DropBefore => "(dropped before it was processed)".to_owned(),
        Action::Html => "(a gateway's page)".to_owned(),
        _ => fault.code.clone().unwrap_or_default(),
    };
    let status =
        fault.status.unwrap_or_else(|| if fault.action == Action::Html { 414 } else { documented_status(&code) });
    (status, code, "played by the scenario".to_owned())
}

/// The `Date` header of an answer given at `now` by the service's clock.
pub(super) fn date_of(clock: &ClockRules, fault: Option<&Fault>, now: Time) -> Option<String> {
    let shown = match fault.and_then(|fault| fault.date) {
        None if !clock.date => return None,
        None => now,
        Some(DateLie::None) => return None,
        Some(DateLie::At(moment)) => moment,
        Some(DateLie::Off(span)) => now.checked_add_signed(span).unwrap_or(now),
    };
    Some(shown.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// Applies a fault to an answer on its way.
pub(super) fn disturbed(
    fault: Option<&Fault>,
    status: u16,
    body: (String, &'static str),
    date: Option<String>,
) -> Sent {
    let Some(fault) = fault else { return Sent::whole(status, body, date) };
    let body = match fault.action {
        Action::Garbage => ("\u{1}\u{2}<<not json, not anything>>\u{1b}[31m".to_owned(), JSON),
        Action::Html => {
            (format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"), "text/html")
        }
        _ => body,
    };
    // A held call is performed when its time has come; its answer is not changed further.
    let (action, delay) = match fault.action {
        Action::Late if fault.hold => (Action::Pass, Duration::ZERO),
        action => (action, fault.delay),
    };
    Sent { fault: Some(action), delay, retry_after: fault.retry_after, ..Sent::whole(status, body, date) }
}

/// A list without its rows.
pub(super) fn emptied(mut body: Value) -> Value {
    body["TotalCount"] = Value::from(0);
    for list in ["Domains", "Tasks"] {
        match body.get_mut(list) {
            Some(Value::Array(rows)) => rows.clear(),
            Some(Value::Object(inner)) => inner.values_mut().for_each(|rows| *rows = Value::Array(Vec::new())),
            _ => {}
        }
    }
    body
}

/// A written body with its media type: JSON, or XML if the scenario asks for it.
pub(super) fn written(body: &Value, xml: bool) -> (String, &'static str) {
    let Some(fields) = body.as_object().filter(|_| xml) else { return (body.to_string(), JSON) };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let element = |(key, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("<{key}>{}</{key}>", escaped(&text))
    };
    let elements: String = fields.iter().map(element).collect();
    (format!("<?xml version='1.0' encoding='UTF-8'?><Error>{elements}</Error>"), "text/xml;charset=utf-8")
}

/// An answer in the spelling that the scenario asks for.
pub(super) fn spelled(body: Value, answers: &Answers, is_error: bool) -> Value {
    let lower = match answers.lower_case {
        Letters::None => false,
        Letters::Errors => is_error,
        Letters::All => true,
    };
    match body {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                if answers.missing.contains(&key) {
                    continue;
                }
                let key = if key == "blockRemain" { answers.block_remain.clone() } else { key };
                let key = if lower { first_letter_lowered(&key) } else { key };
                out.insert(key, spelled(value, answers, is_error));
            }
            Value::Object(out)
        }
        Value::Array(values) => values.into_iter().map(|value| spelled(value, answers, is_error)).collect(),
        Value::Number(number) if answers.numbers_swapped => Value::String(number.to_string()),
        Value::String(text) if answers.numbers_swapped => text.parse::<u64>().map_or(Value::String(text), Value::from),
        value => value,
    }
}

fn first_letter_lowered(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_lowercase(), letters.as_str()))
}
