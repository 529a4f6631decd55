//! The gateway in front of the operations: checks who calls, when, whether for the first time, and how fast.
//!
//! Nothing happens between two calls. What was due in between (a late call, a change of the account) is done at the
//! next call or look, in the order of its moments and as of its own moment. So the sandbox needs no waiting task, and
//! behaves the same on a clock that a test moves.

mod answer;

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::TimeDelta;
use serde_json::json;

pub(super) use self::answer::{Asked, Sent};
use self::answer::{date_of, disturbed, emptied, scripted, spelled, written};
use super::account::{AccountView, CallView, TaskView};
use super::faults::{Faults, documented_status, status_of};
use super::operations::{Refused, Service, urls_of};
use super::product::{Kind, Operation, PRODUCTS, Product, VOD};
use super::scenario::{Account as Key, Action, Answers, Change, ClockRules, Fault, Foreign, Scenario};
use super::signature::{expected, expected_v3, string_to_sign};
use crate::model::Time;

/// A timestamp may differ this much from the gateway's clock (VOD-API.md).
const TIMESTAMP_AGE_MAX: TimeDelta = TimeDelta::minutes(15);

/// A call that has arrived and is not performed yet.
#[derive(Debug)]
struct Late {
    due: Time,
    /// Its place in the account's list.
    call: usize,
    asked: Asked,
    fault: Fault,
}

/// The whole sandbox behind its socket.
#[derive(Debug)]
pub(super) struct Gateway {
    clock: ClockRules,
    key: Key,
    calls_per_second: Option<usize>,
    urls_in_query: bool,
    others_share: f64,
    answers: Answers,
    /// By product.
    services: [Service; 3],
    /// The product that was called last.
    called: &'static Product,
    calls: Vec<CallView>,
    faults: Faults,
    foreign: Vec<Foreign>,
    changes: Vec<Change>,
    started: Time,
    /// Calls that prefetch, and calls that purge.
    submissions: [u64; 2],
    late: Vec<Late>,
    held: HashMap<usize, Sent>,
    nonces: HashSet<String>,
    recent: HashMap<String, VecDeque<Time>>,
    requests: u64,
}

impl Gateway {
    /// A gateway that starts when this machine's clock shows `machine`.
    pub(super) fn new(scenario: &Scenario, machine: Time) -> Self {
        let now = machine + scenario.clock.offset;
        let mut services = PRODUCTS.map(|product| Service::new(product, scenario, now));
        for foreign in &scenario.foreign {
            let urls: Vec<_> = foreign.urls.iter().map(|url| url.as_str().into()).collect();
            for service in &mut services {
                service.submit_elsewhere(kind_of(foreign), &urls, now + foreign.after);
            }
        }
        Self {
            clock: scenario.clock.clone(),
            key: scenario.account.clone(),
            calls_per_second: scenario.limits.calls_per_second,
            urls_in_query: scenario.limits.urls_in_query,
            others_share: scenario.quota.others_share,
            answers: scenario.answers.clone(),
            services,
            called: &VOD,
            calls: Vec::new(),
            faults: Faults::new(scenario.faults.clone(), scenario.seed),
            foreign: scenario.foreign.clone(),
            changes: scenario.changes.clone(),
            started: now,
            submissions: [0, 0],
            late: Vec::new(),
            held: HashMap::new(),
            nonces: HashSet::new(),
            recent: HashMap::new(),
            requests: 0,
        }
    }

    /// What it received: the account of the product that was called last, and all calls.
    pub(super) fn view(&mut self, machine: Time) -> AccountView {
        let now = machine + self.clock.offset;
        self.settle(now);
        let calls = self.calls.clone();
        self.service().account.view(calls, now)
    }

    /// The URLs of that product whose cached copy is the one that a prefetch fetched.
    pub(super) fn warm(&mut self, machine: Time) -> Vec<String> {
        let now = machine + self.clock.offset;
        self.settle(now);
        self.service().warm(now)
    }

    /// All tasks of that product.
    pub(super) fn tasks(&mut self, machine: Time) -> Vec<TaskView> {
        let now = machine + self.clock.offset;
        self.settle(now);
        self.service().tasks()
    }

    fn service(&mut self) -> &mut Service {
        &mut self.services[self.called.place()]
    }

    /// Answers one call and records it. `machine` is the time of this machine's clock, as in the other functions here.
    pub(super) fn call(&mut self, asked: Asked, machine: Time) -> Sent {
        let now = machine + self.clock.offset;
        self.settle(now);
        let operation = asked.get("Action").to_owned();
        let fault = self.faults.next(&operation, asked.get("ObjectPath"));
        if let Some((product, operation)) = Product::of_action(&operation) {
            self.called = product;
            self.submit_elsewhere(operation, &asked, now);
        }
        if self.faults.happens(self.others_share) {
            self.service().account.spend_elsewhere(now);
        }
        let mut call = CallView::new(now, &operation, asked.get("SignatureNonce"));
        call.urls = urls_of(&asked.parameters).len();
        call.fault = fault.as_ref().map(|fault| format!("{:?}", fault.action));
        call.body_sha256.clone_from(&asked.body_sha256);
        self.calls.push(call);
        let call = self.calls.len() - 1;
        match fault {
            Some(fault) if fault.action == Action::Late => self.put_off(Late { due: now, call, asked, fault }),
            fault => self.perform(call, &asked, fault.as_ref(), now),
        }
    }

    /// The answer of a held call, once its time has come.
    pub(super) fn held(&mut self, call: usize, machine: Time) -> Option<Sent> {
        let now = machine + self.clock.offset;
        self.settle(now);
        // A clock that a test moves may have stood still; the wait is over all the same.
        if let Some(at) = self.late.iter().position(|late| late.call == call) {
            let late = self.late.remove(at);
            self.perform_late(&late, now);
        }
        self.held.remove(&call)
    }

    /// The answer to a call that says nothing of its being performed.
    fn excused(&mut self, fault: &Fault, now: Time) -> Sent {
        let (status, code, message) = scripted(fault);
        let action = if fault.code.is_some() { Action::Error } else { Action::Html };
        let told = Fault { action, delay: std::time::Duration::ZERO, ..fault.clone() };
        let body = written(&self.refusal(Some(&told), &code, &message), false);
        disturbed(Some(&told), status, body, date_of(&self.clock, Some(&told), now))
    }

    /// An error's body.
    fn refusal(&mut self, fault: Option<&Fault>, code: &str, message: &str) -> serde_json::Value {
        let mut body = json!({
            "HostId": self.called.host, "Code": code,
            "Message": message, "Recommend": "https://api.aliyun.com/troubleshoot",
        });
        if let Some(request_id) = self.request_id(fault) {
            body["RequestId"] = json!(request_id);
        }
        body
    }

    /// The request ID of the next answer.
    fn request_id(&mut self, fault: Option<&Fault>) -> Option<String> {
        self.requests += 1;
        let is_named = !fault.is_some_and(|fault| fault.anonymous);
        is_named.then(|| format!("SANDBOX0-0000-4000-8000-{:012X}", self.requests))
    }

    fn put_off(&mut self, mut late: Late) -> Sent {
        if late.fault.spends_nonce {
            // A copy does not spend it once more, and is refused when its time comes.
            late.fault.spends_nonce = self.nonces.insert(late.asked.get("SignatureNonce").to_owned());
        }
        late.due += TimeDelta::from_std(late.fault.delay).unwrap_or_default();
        let sent = if late.fault.performed {
            self.excused(&late.fault, late.due)
        } else {
            Sent { held: late.fault.hold.then_some(late.call), ..Sent::dropped(&late.fault) }
        };
        self.late.push(late);
        sent
    }

    fn perform_late(&mut self, late: &Late, at: Time) {
        let sent = self.perform(late.call, &late.asked, Some(&late.fault), at);
        if late.fault.hold {
            self.held.insert(late.call, sent);
        }
    }

    /// Does everything that was due by now: first what counts calls, then the rest in the order of its moments.
    fn settle(&mut self, now: Time) {
        let [preloads, _] = self.submissions;
        let is_due = |change: &mut Change| change.after_calls.is_some_and(|calls| calls <= preloads);
        let due: Vec<Change> = self.changes.extract_if(.., is_due).collect();
        due.iter().for_each(|change| self.change(change));
        loop {
            let started = self.started;
            let change = self.changes.iter().enumerate();
            let change = change.filter_map(|(at, change)| Some((started + change.after?, at))).min();
            let late = self.late.iter().enumerate().map(|(at, late)| (late.due, at)).min();
            match (change.filter(|(due, _)| *due <= now), late.filter(|(due, _)| *due <= now)) {
                (Some((due, at)), late) if late.is_none_or(|(late, _)| due <= late) => {
                    let change = self.changes.remove(at);
                    self.change(&change);
                }
                (_, Some((due, at))) => {
                    let late = self.late.remove(at);
                    self.perform_late(&late, due);
                }
                _ => return,
            }
        }
    }

    fn change(&mut self, change: &Change) {
        let key = &mut self.key;
        key.access_key_id = change.access_key_id.clone().unwrap_or_else(|| key.access_key_id.clone());
        key.access_key_secret = change.access_key_secret.clone().unwrap_or_else(|| key.access_key_secret.clone());
        self.services.iter_mut().for_each(|service| service.change(change));
    }

    /// Another batch has arrived: somebody else submits what the scenario says.
    fn submit_elsewhere(&mut self, operation: Operation, asked: &Asked, now: Time) {
        let purges = match operation {
            Operation::Preload => false,
            Operation::Refresh => true,
            _ => return,
        };
        self.submissions[usize::from(purges)] += 1;
        for at in 0..self.foreign.len() {
            let foreign = &self.foreign[at];
            let (kind, share, count, after) = (kind_of(foreign), foreign.share, foreign.count, foreign.after);
            if (kind != Kind::Preload) != purges {
                continue;
            }
            let fits = foreign.first_url_of_call == Some(self.submissions[usize::from(purges)]);
            if fits || share.is_some_and(|share| self.faults.happens(share)) {
                let urls = urls_of(&asked.parameters);
                self.service().submit_elsewhere(kind, &urls[..count.min(urls.len())], now + after);
            }
        }
    }

    /// Performs a call, unless its fault prevents that, and completes its record.
    fn perform(&mut self, call: usize, asked: &Asked, fault: Option<&Fault>, now: Time) -> Sent {
        let admitted = match fault {
            Some(fault) if !fault.is_processed() => Err(scripted(fault)),
            fault => self
                .admit(asked, fault, now)
                .map_err(|(code, message)| (documented_status(code), code.to_owned(), message)),
        };
        let reached = admitted.is_ok();
        let said = admitted.and_then(|(product, operation)| {
            let said = self.services[product.place()].perform(operation, &asked.parameters, now);
            said.map_err(|(code, message)| (status_of(product, code), code.to_owned(), message))
        });
        let (mut status, code, mut body) = match said {
            Ok(mut body) => {
                if let Some(request_id) = self.request_id(fault) {
                    body["RequestId"] = json!(request_id);
                }
                if fault.is_some_and(|fault| fault.action == Action::Nothing) {
                    body = emptied(body);
                }
                (200, "OK".to_owned(), body)
            }
            Err((status, code, message)) => {
                let body = self.refusal(fault, &code, &message);
                (status, code, body)
            }
        };
        let names = ["PreloadTaskId", "PushTaskId", "RefreshTaskId"];
        let task_ids = names.iter().find_map(|name| body[name].as_str()).map(str::to_owned);
        if let Some(fault) = fault.filter(|fault| fault.performed && fault.action != Action::Late) {
            let (lie, code, message) = scripted(fault);
            (status, body) = (lie, self.refusal(Some(fault), &code, &message));
        }
        let is_odd = self.answers.share >= 1.0 || self.faults.happens(self.answers.share);
        if is_odd {
            body = spelled(body, &self.answers, status != 200);
        }
        let body = written(&body, is_odd && status != 200 && self.answers.xml_errors);
        let sent = disturbed(fault, status, body, date_of(&self.clock, fault, now));
        let day = self.service().account.day_name(now);
        let noted = &mut self.calls[call];
        (noted.code, noted.task_ids) = (code, task_ids);
        noted.status = if sent.is_dropped() { 0 } else { sent.status };
        if reached {
            (noted.performed_at, noted.day) = (Some(crate::model::rfc3339(now)), Some(day));
        }
        sent
    }

    /// The checks that every call passes before its operation.
    fn admit(
        &mut self,
        asked: &Asked,
        fault: Option<&Fault>,
        now: Time,
    ) -> Result<(&'static Product, Operation), Refused> {
        let parameters = &asked.parameters;
        let get = |name: &'static str| {
            let value = parameters.get(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| ("MissingParameter", format!("{name} is mandatory for this action.")))
        };
        let version = get("Version")?;
        if PRODUCTS.iter().all(|product| version != product.version) {
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
        let secret = &self.key.access_key_secret;
        let matches = match &asked.v3 {
            Some(signed) => {
                expected_v3(&asked.method, signed, &asked.body_sha256, secret).as_ref() == Some(&signed.signature)
            }
            None => *get("Signature")? == expected(&asked.method, parameters, secret),
        };
        if !matches {
            // The service repeats what it signed, and an SDK reads it there: a token is a part of it.
            let signed = string_to_sign(&asked.method, parameters);
            let message =
                format!("Specified signature is not matched with our calculation. server string to sign is:{signed}");
            return Err(("SignatureDoesNotMatch", message));
        }
        let is_spent = !self.nonces.insert(get("SignatureNonce")?.clone());
        if is_spent && !fault.is_some_and(|fault| fault.spends_nonce) {
            return Err(("SignatureNonceUsed", "Specified signature nonce was used already.".to_owned()));
        }
        if self.urls_in_query && asked.v3.is_some() && asked.urls_in_body {
            return Err(("MissingParameter", "ObjectPath is mandatory for this action.".to_owned()));
        }
        let action = get("Action")?;
        let found = Product::of_action(action).filter(|(product, _)| version == product.version);
        let (product, operation) =
            found.ok_or_else(|| ("InvalidAction.NotFound", "Specified api is not found.".to_owned()))?;
        self.check_rate(action, self.calls_per_second.unwrap_or(product.rate(operation)), now)?;
        Ok((product, operation))
    }

    fn check_rate(&mut self, operation: &str, calls_per_second: usize, now: Time) -> Result<(), Refused> {
        let recent = self.recent.entry(operation.to_owned()).or_default();
        while recent.front().is_some_and(|at| now - *at >= TimeDelta::seconds(1)) {
            recent.pop_front();
        }
        if recent.len() >= calls_per_second {
            return Err(("Throttling.User", "Request was denied due to user flow control.".to_owned()));
        }
        recent.push_back(now);
        Ok(())
    }
}

/// What somebody else does; a scenario was checked for it.
fn kind_of(foreign: &Foreign) -> Kind {
    Kind::named(&foreign.operation).unwrap_or(Kind::Preload)
}

#[cfg(test)]
mod tests;
