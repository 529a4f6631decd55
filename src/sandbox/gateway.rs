//! The gateway in front of the operations: who calls, when, whether for the first time, and how fast.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::TimeDelta;
use serde_json::json;

use super::account::{AccountView, CallView};
use super::faults::{Faults, documented_status};
use super::operations::{Service, urls_of};
use super::scenario::{Account as Key, Action, Fault, Scenario};
use super::signature::{Parameters, expected};
use crate::model::Time;

/// A timestamp may differ by so much from the gateway's clock (VOD-API.md).
const TIMESTAMP_AGE_MAX: TimeDelta = TimeDelta::minutes(15);

/// What goes back over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// HTTP status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: String,
    /// What the scenario plays on it.
    pub(super) fault: Option<Action>,
    /// How long it is held back.
    pub(super) delay: std::time::Duration,
}

/// The whole sandbox behind its socket.
#[derive(Debug)]
pub(super) struct Gateway {
    key: Key,
    calls_per_second: usize,
    others_share: f64,
    service: Service,
    faults: Faults,
    nonces: HashSet<String>,
    recent: HashMap<String, VecDeque<Time>>,
    requests: u64,
}

impl Gateway {
    pub(super) fn new(scenario: &Scenario, now: Time) -> Self {
        Self {
            key: scenario.account.clone(),
            calls_per_second: scenario.limits.calls_per_second,
            others_share: scenario.quota.others_share,
            service: Service::new(scenario, now),
            faults: Faults::new(scenario.faults.clone(), scenario.seed),
            nonces: HashSet::new(),
            recent: HashMap::new(),
            requests: 0,
        }
    }

    pub(super) fn view(&mut self, now: Time) -> AccountView {
        self.service.account.view(now)
    }

    /// Answers one call and notes it.
    pub(super) fn call(&mut self, method: &str, parameters: &Parameters, now: Time) -> Sent {
        let get = |name: &str| parameters.get(name).map_or("", String::as_str);
        let operation = get("Action");
        let fault = self.faults.next(operation, get("ObjectPath"));
        if self.faults.happens(self.others_share) {
            self.service.account.spend_elsewhere(now);
        }
        let mut call = CallView::new(now, operation, get("SignatureNonce"));
        call.urls = urls_of(parameters).len();
        call.fault = fault.as_ref().map(|fault| format!("{:?}", fault.action));
        let said = match &fault {
            Some(fault) if !fault.is_processed() => Err(scripted(fault)),
            _ => self
                .admit(method, parameters, now)
                .and_then(|()| self.service.perform(operation, parameters, now))
                .map_err(|(code, message)| (documented_status(code), code.to_owned(), message)),
        };
        self.requests += 1;
        let request_id = format!("SANDBOX0-0000-4000-8000-{:012X}", self.requests);
        let (status, body) = match said {
            Ok(mut body) => {
                call.code = "OK".to_owned();
                call.task_ids = body["PreloadTaskId"].as_str().map(str::to_owned);
                body["RequestId"] = json!(request_id);
                (200, body.to_string())
            }
            Err((status, code, message)) => {
                let body = json!({
                    "RequestId": request_id, "HostId": "vod.cn-shanghai.aliyuncs.com", "Code": code,
                    "Message": message, "Recommend": "https://api.aliyun.com/troubleshoot",
                });
                call.code = code;
                (status, body.to_string())
            }
        };
        let sent = disturbed(fault.as_ref(), status, body);
        let dropped = matches!(sent.fault, Some(Action::DropBefore | Action::DropAfter));
        call.status = if dropped { 0 } else { sent.status };
        self.service.account.note(call);
        sent
    }

    /// The checks that every call passes before its operation.
    fn admit(&mut self, method: &str, parameters: &Parameters, now: Time) -> Result<(), (&'static str, String)> {
        let get = |name: &'static str| {
            let value = parameters.get(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| ("MissingParameter", format!("{name} is mandatory for this action.")))
        };
        if get("Version")? != "2017-03-21" {
            return Err(("InvalidVersion", "Specified parameter Version is not valid.".to_owned()));
        }
        if *get("AccessKeyId")? != self.key.access_key_id {
            return Err(("InvalidAccessKeyId.NotFound", "Specified access key is not found.".to_owned()));
        }
        if parameters.get("SecurityToken") != self.key.security_token.as_ref() {
            return Err(("InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken is wrong.".to_owned()));
        }
        let timestamp = get("Timestamp")?;
        let timestamp: Time =
            timestamp.parse().map_err(|_| ("IllegalTimestamp", "The input Timestamp is not valid.".to_owned()))?;
        if (now - timestamp).abs() > TIMESTAMP_AGE_MAX {
            return Err(("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.".to_owned()));
        }
        if *get("Signature")? != expected(method, parameters, &self.key.access_key_secret) {
            let message = "Specified signature is not matched with our calculation.".to_owned();
            return Err(("SignatureDoesNotMatch", message));
        }
        if !self.nonces.insert(get("SignatureNonce")?.clone()) {
            return Err(("SignatureNonceUsed", "Specified signature nonce was used already.".to_owned()));
        }
        self.check_rate(get("Action")?, now)
    }

    fn check_rate(&mut self, operation: &str, now: Time) -> Result<(), (&'static str, String)> {
        let recent = self.recent.entry(operation.to_owned()).or_default();
        while recent.front().is_some_and(|at| now - *at >= TimeDelta::seconds(1)) {
            recent.pop_front();
        }
        if recent.len() >= self.calls_per_second {
            return Err(("Throttling.User", "Request was denied due to user flow control.".to_owned()));
        }
        recent.push_back(now);
        Ok(())
    }
}

/// The error that a scenario plays instead of the operation.
fn scripted(fault: &Fault) -> (u16, String, String) {
    let code = match fault.action {
        Action::DropBefore => "(dropped before it was processed)".to_owned(),
        Action::Html => "(a gateway's page)".to_owned(),
        _ => fault.code.clone().unwrap_or_default(),
    };
    let status =
        fault.status.unwrap_or_else(|| if fault.action == Action::Html { 414 } else { documented_status(&code) });
    (status, code, "played by the scenario".to_owned())
}

/// What a fault makes of an answer on its way.
fn disturbed(fault: Option<&Fault>, status: u16, body: String) -> Sent {
    let Some(fault) = fault else {
        return Sent { status, body, fault: None, delay: std::time::Duration::ZERO };
    };
    let body = match fault.action {
        Action::Garbage => "\u{1}\u{2}<<not json, not anything>>\u{1b}[31m".to_owned(),
        Action::Html => format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"),
        _ => body,
    };
    Sent { status, body, fault: Some(fault.action), delay: fault.delay }
}

#[cfg(test)]
mod tests;
