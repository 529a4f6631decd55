//! Chooses the fault that a call meets.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::product::{Operation, Product};
use super::scenario::{Action, Fault};

/// Stands for every operation.
const ANY: &str = "*";

/// The HTTP status that documents give for an error code (VOD-API.md, "Errors").
pub(super) fn documented_status(code: &str) -> u16 {
    match code {
        "Throttling" | "ServiceUnavailable" => 503,
        "InternalError" | "InvalidDomain.Configure_failed" => 500,
        "InvalidDomain.NotFound" | "InvalidDomain.Offline" | "InvalidAccessKeyId.NotFound" => 404,
        "TooManyRequests" => 429,
        "IllegalOperation" | "PreloadQueueFull" | "ServiceBusy" | "InvalidAccessKeyId.Inactive" | "NoPermission" => 403,
        code if code.starts_with("OperationDenied") || code.starts_with("Forbidden") => 403,
        _ => 400,
    }
}

/// The status of an error of an operation: in DCDN all of them are 400 (SIBLING-APIS.md, B).
pub(super) fn status_of(product: &Product, code: &str) -> u16 {
    let is_of_the_gateway = ["Throttling", "TooManyRequests", "Forbidden"].iter().any(|start| code.starts_with(start));
    if product.refuses_with_400 && !is_of_the_gateway { 400 } else { documented_status(code) }
}

/// The faults of the scenario, and how far they have been played.
#[derive(Debug)]
pub(super) struct Faults {
    script: Vec<Fault>,
    played: Vec<u64>,
    calls: HashMap<String, u64>,
    chance: StdRng,
}

impl Faults {
    pub(super) fn new(script: Vec<Fault>, seed: u64) -> Self {
        let played = vec![0; script.len()];
        Self { script, played, calls: HashMap::new(), chance: StdRng::seed_from_u64(seed) }
    }

    /// Draws whether something happens that has this probability.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.chance.random::<f64>() < share
    }

    /// The fault for this call of `operation`, if any. Must be called once for each call.
    pub(super) fn next(&mut self, operation: &str, object_path: &str) -> Option<Fault> {
        let word = Product::of_action(operation).map_or("", |(_, operation)| Operation::word(operation));
        let names = [operation, word, ANY];
        let counts = names.map(|name| {
            let calls = self.calls.entry(name.to_owned()).or_default();
            *calls += 1;
            *calls
        });
        for (fault, played) in self.script.iter().zip(&mut self.played) {
            let Some(named) = names.iter().position(|name| fault.operation == **name) else { continue };
            let call = counts[named];
            let fits = fault.calls.as_ref().is_none_or(|calls| calls.contains(&call))
                && fault.every.is_none_or(|every| call.is_multiple_of(every))
                && fault.url_contains.as_ref().is_none_or(|part| object_path.contains(part))
                && fault.times.is_none_or(|times| *played < times)
                && fault.share.is_none_or(|share| self.chance.random::<f64>() < share);
            if fits {
                *played += 1;
                return Some(fault.clone());
            }
        }
        None
    }
}

impl Fault {
    /// Whether the call is processed as if nothing were wrong.
    pub(super) fn is_processed(&self) -> bool {
        match self.action {
            Action::Error | Action::Html => self.performed,
            Action::DropBefore => false,
            Action::Pass
            | Action::DropAfter
            | Action::Delay
            | Action::Late
            | Action::Truncate
            | Action::Garbage
            | Action::Nothing => true,
        }
    }
}
