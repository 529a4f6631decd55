//! The key: taken at the moment of signing, and another one asked for when the service refuses it.

use super::outcome::{Deferral, Outcome};
use super::worker::Submitter;
use crate::credentials::{Credentials, Key, Provider};
use crate::model::Time;
use crate::queue::Batch;
use crate::service::{Reply, SignedCall};
use crate::words;

/// Tells the provider what the service said to a call that was signed with `key`. True if the service refused the key
/// and there is another one by now, with which the call may be signed anew.
pub async fn heed(keys: &Provider, key: &Key, reply: &Reply) -> bool {
    match (Outcome::of(reply), reply) {
        (Outcome::Deferred(Deferral::Account(fault)), _) if fault.is_of_the_key() => {
            keys.refuse(key.generation, &words::account_fault(fault).en).await
        }
        (_, Reply::Answered(answer)) if answer.is_success() => {
            keys.taken(key.generation);
            false
        }
        _ => false,
    }
}

impl Submitter {
    /// Signs a batch with the key and the options that are in force. The bytes are the same as long as these are.
    pub(super) fn sign(&self, batch: &Batch, nonce: &str, signed_at: Time) -> (SignedCall, Key) {
        let urls: Vec<&str> = batch.urls.iter().map(|url| url.url.as_str()).collect();
        let key = self.keys.current();
        (SignedCall::preload(&urls, &self.options, &key.credentials, nonce, signed_at), key)
    }

    /// Sends a call that costs nothing. One whose key was refused goes once more where there is another key.
    pub(super) async fn ask_free(&mut self, sign: impl Fn(&Credentials, &str, Time) -> SignedCall) -> Reply {
        let (reply, is_replaced) = self.ask_once(&sign).await;
        if is_replaced { self.ask_once(&sign).await.0 } else { reply }
    }

    async fn ask_once(&mut self, sign: impl Fn(&Credentials, &str, Time) -> SignedCall) -> (Reply, bool) {
        self.turn().await;
        let key = self.keys.current();
        let nonce = uuid::Uuid::new_v4().to_string();
        let reply = self.deliver(&sign(&key.credentials, &nonce, self.now())).await;
        let is_replaced = heed(&self.keys, &key, &reply).await;
        (reply, is_replaced)
    }
}
