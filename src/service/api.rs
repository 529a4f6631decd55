//! The operations as typed calls. Each waits for its turn, takes the key, signs with a new nonce, is sent once, and
//! returns its result or a [`Fault`]. Its answer teaches the clock and the pace, and the provider learns what the
//! service says about the key. A free call whose key was refused is sent once more if there is another key.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::call::{BatchOptions, Manner, SignedCall, Stamp, TaskQuery, urls_a_query};
use super::client::Client;
use super::fault::{Class, Deferral, Fault};
use super::limits::Product;
use super::pace::{Gate, TURN_MAX, Turn};
use super::reply::{Accepted, DomainPage, Quota, Reply};
use super::tasks::TaskPage;
use crate::clock::Clock;
use crate::config::{Api, Config};
use crate::credentials::{Generation, Key, NoKey, OBTAINED_WITHIN, Provider, WAIT_MAX};
use crate::model::{AccountFault, Lane, TaskId, Time};
use crate::net;

/// Counts calls: gets the operation, how far it got (`answered`, `not_sent` or `lost`), and how long it took.
pub type Observer = fn(&'static str, &'static str, Duration);

/// The service, for one stage. Clones share the pace, the keys and the clock; each has its own configuration, so that a
/// stage takes over a reload between two steps.
#[derive(Debug, Clone)]
pub struct Service {
    client: Client,
    api: Api,
    manner: Manner,
    keys: Provider,
    clock: Clock,
    gates: Arc<Gates>,
    observer: Observer,
}

/// Calls that ask for tasks have paces of their own, so that they never delay the submitter.
#[derive(Debug)]
struct Gates {
    submitter: Gate,
    tasks: Gate,
    by_id: Gate,
}

/// How many times faster tasks are asked for by ID than listed (SIBLING-APIS.md, C: 30 a second and 5).
const BY_ID_FASTER: u32 = 6;

/// Calls per second: what is configured, and no more than the product takes.
#[derive(Debug, Clone, Copy)]
struct Rates {
    submitter: u32,
    tasks: u32,
    by_id: u32,
}

impl Rates {
    fn of(config: &Config) -> Self {
        let product = Product::of(config.api.product);
        let lists = config.track.calls_per_second.get();
        Self {
            submitter: config.api.requests_per_second.get().min(product.prefetch.calls_a_second),
            tasks: product.lists_a_second.map_or(lists, |most| lists.min(most)),
            by_id: (lists * BY_ID_FASTER).min(product.ids_a_second.unwrap_or(u32::MAX)),
        }
    }
}

/// A signed batch: exactly the bytes that are sent, also as a copy.
#[derive(Debug, Clone)]
pub struct SignedBatch {
    lane: Lane,
    call: SignedCall,
    key: Key,
    /// Whether the service may look for the URLs elsewhere.
    may_be_misplaced: bool,
}

impl SignedBatch {
    /// SHA-256 of the call, in lower-case hex, which a copy must match. It reveals nothing of the key.
    pub fn sha256(&self) -> String {
        self.call.sha256()
    }
}

impl Service {
    /// The service as configured.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up, e.g. because the system has no root certificates.
    pub fn new(config: &Config, clock: Clock, keys: Provider) -> Result<Self, net::Error> {
        let rates = Rates::of(config);
        let gates = Gates {
            submitter: Gate::new(rates.submitter),
            tasks: Gate::new(rates.tasks),
            by_id: Gate::new(rates.by_id),
        };
        Ok(Self {
            client: Client::new(&config.api)?,
            api: config.api.clone(),
            manner: Manner::of(&config.api),
            keys,
            clock,
            gates: Arc::new(gates),
            observer: |_, _, _| {},
        })
    }

    /// Reports each call to an observer.
    pub fn observed_by(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// Takes over a reloaded configuration.
    pub fn apply(&mut self, config: &Config) {
        let rates = Rates::of(config);
        self.gates.submitter.set_rate(rates.submitter);
        self.gates.tasks.set_rate(rates.tasks);
        self.gates.by_id.set_rate(rates.by_id);
        if config.api == self.api {
            return;
        }
        match Client::new(&config.api) {
            Ok(client) => {
                let mut manner = Manner::of(&config.api);
                manner.urls_in_query = self.manner.urls_in_query;
                self.manner = manner;
                (self.client, self.api) = (client, config.api.clone());
            }
            // The reload has tried this a moment ago.
            Err(error) => warn!(%error, "TLS could not be set up again; the connection stays as it was"),
        }
    }

    /// The clock that answers teach.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The source of keys.
    pub fn keys(&self) -> &Provider {
        &self.keys
    }

    /// The longest time that a batch may be under way.
    pub fn call_timeout(&self) -> Duration {
        self.api.timeout.get()
    }

    /// How long a batch keeps whoever submits it: the call, and looking for another key where its own is refused.
    pub fn call_max(&self) -> Duration {
        self.call_timeout() + OBTAINED_WITHIN
    }

    /// How long a free call lasts at most: with its turn, with waiting for a key, with looking for another one, and
    /// with going once more.
    pub fn free_call_max(&self) -> Duration {
        2 * (WAIT_MAX + TURN_MAX + self.call_max())
    }

    /// Waits for the turn of a batch. Free calls of the submitter wait while the turn is held.
    pub async fn turn(&self) -> Turn {
        self.gates.submitter.turn().await
    }

    /// Signs a batch of these URLs with the present key. The bytes are the same as long as key, options, nonce and time
    /// are.
    pub fn sign(&self, urls: &[&str], options: &BatchOptions, nonce: &str, signed_at: Time) -> SignedBatch {
        let key = self.keys.current();
        let stamp = Stamp { manner: &self.manner, key: &key.credentials, nonce, at: signed_at };
        let may_be_misplaced = self.manner.may_be_misplaced();
        SignedBatch { lane: options.lane(), call: SignedCall::batch(urls, options, stamp), key, may_be_misplaced }
    }

    /// Submits URLs; this costs budget.
    ///
    /// # Errors
    ///
    /// Why they were not accepted, or that nobody knows.
    pub async fn submit(&self, turn: Turn, batch: &SignedBatch) -> Result<Accepted, Fault> {
        let key = self.keys.valid(batch.key.clone()).map_err(|none| without_a_key(&none))?;
        let submission = self.product().submission(batch.lane);
        let said = self.exchange(turn, &batch.call, key.generation, |reply| reply.batch(submission)).await;
        said.map_err(|fault| match fault.code.as_deref() {
            Some(code) if code.starts_with("MissingParameter") && batch.may_be_misplaced => {
                Fault { class: Class::Deferred(Deferral::UrlsMisplaced), ..fault }
            }
            _ => fault,
        })
    }

    /// The product whose operations are called.
    pub fn product(&self) -> &'static Product {
        self.manner.product
    }

    /// Sets whether URLs go in the query of batches that are signed by V3, since the service looks for them there.
    pub fn put_urls_in_query(&mut self, in_query: bool) {
        self.manner.urls_in_query = in_query;
    }

    /// How many URLs like these a query holds.
    pub fn urls_a_query(urls: &[&str]) -> u32 {
        urls_a_query(urls)
    }

    /// Waits until there is a key to sign with.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn has_key(&self) -> Result<(), Fault> {
        self.keys.key().await.map(drop).map_err(|none| without_a_key(&none))
    }

    /// Whether the service refused the key that signed the batch, and there is another one by now.
    pub fn has_other_key(&self, batch: &SignedBatch, fault: &Fault) -> bool {
        self.is_replaced(batch.key.generation, Some(fault))
    }

    /// Asks what is left of the day for a lane; free.
    ///
    /// # Errors
    ///
    /// The service did not tell.
    pub async fn quota(&self, lane: Lane) -> Result<Quota, Fault> {
        let submission = self.product().submission(lane);
        self.ask(&self.gates.submitter, SignedCall::quota, |reply| reply.quota(submission)).await
    }

    /// Asks for a page of the account's domains, counted from 1; free.
    ///
    /// # Errors
    ///
    /// The service did not tell.
    pub async fn domains(&self, page: u32) -> Result<DomainPage, Fault> {
        self.ask(&self.gates.submitter, |stamp| SignedCall::domains(page, stamp), Reply::domains).await
    }

    /// Asks for a page of tasks; free, and at the pace of such calls.
    ///
    /// # Errors
    ///
    /// The service did not tell.
    pub async fn tasks(&self, query: &TaskQuery<'_>) -> Result<TaskPage, Fault> {
        self.ask(&self.gates.tasks, |stamp| SignedCall::tasks(query, stamp), Reply::tasks).await
    }

    /// Asks for all rows of these tasks, at most [`super::IDS_A_CALL`] of them; free, and at a faster pace than lists.
    ///
    /// # Errors
    ///
    /// The service did not tell, or the product has no such operation, and nothing was sent.
    pub async fn tasks_by_id(&self, tasks: &[TaskId]) -> Result<TaskPage, Fault> {
        let Some(action) = self.product().actions.tasks_by_id else {
            return Err(Fault::not_sent("this product cannot be asked for tasks by ID"));
        };
        let sign = |stamp: Stamp<'_>| SignedCall::tasks_by_id(action, tasks, stamp);
        self.ask(&self.gates.by_id, sign, Reply::tasks).await
    }

    async fn ask<T>(
        &self,
        gate: &Gate,
        sign: impl Fn(Stamp<'_>) -> SignedCall,
        read: impl Fn(&Reply) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (said, key) = self.ask_once(gate, &sign, &read).await;
        if self.is_replaced(key, said.as_ref().err()) { self.ask_once(gate, &sign, &read).await.0 } else { said }
    }

    async fn ask_once<T>(
        &self,
        gate: &Gate,
        sign: impl Fn(Stamp<'_>) -> SignedCall,
        read: impl Fn(&Reply) -> Result<T, Fault>,
    ) -> (Result<T, Fault>, Generation) {
        let key = match self.keys.key().await {
            Ok(key) => key,
            Err(none) => return (Err(without_a_key(&none)), self.keys.current().generation),
        };
        let turn = gate.turn().await;
        let nonce = uuid::Uuid::new_v4().to_string();
        let call = sign(Stamp { manner: &self.manner, key: &key.credentials, nonce: &nonce, at: self.clock.now() });
        (self.exchange(turn, &call, key.generation, read).await, key.generation)
    }

    /// Whether the fault concerns the key, and there is another one by now.
    fn is_replaced(&self, key: Generation, fault: Option<&Fault>) -> bool {
        fault.and_then(Fault::of_the_key).is_some() && self.keys.state().generation != key
    }

    async fn exchange<T>(
        &self,
        turn: Turn,
        call: &SignedCall,
        key: Generation,
        read: impl FnOnce(&Reply) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let sent = self.clock.moment();
        let (reply, took) = self.client.send(call).await;
        (self.observer)(call.action, reply.word(), took);
        if let Some(answer) = reply.of_the_service() {
            self.clock.heard(call.action, sent, answer.date);
        }
        let said = read(&reply);
        match &said {
            // Nobody knows whether the call was too fast.
            Err(fault) if fault.http_status.is_none() => drop(turn),
            said => turn.answered(said.as_ref().is_err_and(Fault::is_throttled)),
        }
        self.heed(key, said.as_ref().err()).await;
        said
    }

    /// Tells the provider what the service said to a call that was signed with its key.
    async fn heed(&self, key: Generation, fault: Option<&Fault>) {
        let Some(fault) = fault else { return self.keys.taken(key) };
        match fault.of_the_key() {
            Some(refused) => {
                self.keys.refuse(key, refused).await;
            }
            None if fault.is_the_services && fault.code.is_none() => self.keys.taken(key),
            None => {}
        }
    }
}

/// There is no key to sign with: nothing is sent.
fn without_a_key(none: &NoKey) -> Fault {
    let fault = Fault::of_class(Class::Deferred(Deferral::Account(AccountFault::NoKey)));
    Fault { message: Some(none.to_string()), ..fault }
}

#[cfg(test)]
mod tests;
