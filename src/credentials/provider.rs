//! The one key of the process. Every stage takes it from here at the moment of signing, so that all of them use a new
//! key at once. Only one reader at a time reads the sources ([`Sources`] is behind a lock), and none before a backoff
//! is over. They are read in the background when a short-lived key must be renewed or a file has changed
//! ([`Provider::keep_renewed`]), and by a stage whose key was refused. A key that cannot be renewed is used until it
//! ends; after that there is none, and whoever asks is told why.

mod sources;

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tracing::{info, warn};

use self::sources::{Load, Saying, Sources, stamped};
use super::life::{Life, backoff, ends_at};
use super::{Credentials, Found, Places, Prepared, Source, boot, obtain};
use crate::config::Config;
use crate::model::{AccountFault, Time, rfc3339};
use crate::words;

/// How long to wait for a key that is being fetched.
pub const WAIT_MAX: Duration = Duration::from_secs(15);

/// How often to check the source's files; also how late a renewal may be.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between renewals, however short the new key lives.
const RENEW_AFTER_MIN: Duration = Duration::from_millis(500);

/// Counts keys: 1 for that of the start, or the first that a source gave; each replacement adds one; 0 before there is
/// a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A key to sign with.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself.
    pub credentials: Arc<Credentials>,
    /// Its generation, which [`Provider::refuse`] is told.
    pub generation: Generation,
    life: Option<Life>,
}

impl Key {
    /// Whether there is a key, and a call signed with it now arrives before its end.
    pub fn is_valid(&self) -> bool {
        self.generation != Generation(0) && self.life.is_none_or(|life| life.is_on(boot()))
    }
}

/// There is no valid key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoKey(String);

/// What is known about the key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Which key is in use.
    pub generation: Generation,
    /// Where it was found, or where it is fetched from.
    pub source: Source,
    /// What the service said when it refused it; none while it is accepted.
    pub refused: Option<AccountFault>,
    /// When it ends, by this machine's clock; none if it does not end by itself.
    pub ends_at: Option<Time>,
    /// Why the last try brought no other key.
    pub trouble: Option<String>,
}

impl KeyState {
    /// The problem with the key, for people: the service refuses it, or the source gives no other one.
    pub fn problem(&self) -> Option<String> {
        let until =
            self.ends_at.map(|at| format!("; the key in use is valid until {}", rfc3339(at))).unwrap_or_default();
        let trouble = || self.trouble.as_ref().map(|trouble| format!("{trouble}{until}"));
        // systemd loads credentials only when it starts a service.
        let remedy = if self.source == Source::Systemd { " (then `sudo systemctl restart prefetchd`)" } else { "" };
        self.refused.map(|refused| format!("{}{remedy}", words::account_fault(refused).en)).or_else(trouble)
    }

    /// Its word.
    pub fn problem_code(&self) -> Option<&'static str> {
        self.refused.map(AccountFault::word).or_else(|| self.trouble.as_ref().map(|_| "not_renewed"))
    }
}

/// Hands out the key. Clones share it.
#[derive(Debug, Clone)]
pub struct Provider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: watch::Sender<Now>,
    /// Held while the sources are read: whoever waited for it finds them read.
    sources: Mutex<Sources>,
    /// Rung when the sources have changed.
    changed: Notify,
}

#[derive(Debug, Clone)]
struct Now {
    credentials: Arc<Credentials>,
    life: Option<Life>,
    state: KeyState,
}

impl Now {
    fn key(&self) -> Key {
        Key { credentials: Arc::clone(&self.credentials), generation: self.state.generation, life: self.life }
    }
}

impl Provider {
    /// A provider that starts with the key found at the start, if there is one; later keys come from the same sources.
    pub fn new(prepared: Prepared) -> Self {
        Self::with_sources(prepared, |places| Box::pin(obtain(places)))
    }

    /// A provider of one fixed key.
    pub fn of(config: &Config, credentials: Credentials) -> Self {
        let source = Source::Environment;
        let found = Found { credentials, source: source.clone(), life: None, files: Vec::new() };
        Self::new(Prepared { sources: Places::of(config), source, found: Some(found) })
    }

    fn with_sources(Prepared { sources: places, source, found }: Prepared, load: Load) -> Self {
        let nobody = Credentials { access_key_id: String::new(), access_key_secret: "".into(), security_token: None };
        let generation = Generation(u64::from(found.is_some()));
        let state = KeyState { generation, source, refused: None, ends_at: None, trouble: None };
        let files = found.as_ref().map(stamped).unwrap_or_default();
        let due_at = found.is_none().then(boot);
        let (credentials, life) = found.map_or((nobody, None), |found| (found.credentials, found.life));
        let now = watch::Sender::new(Now { credentials: Arc::new(credentials), life, state });
        let saying = Saying::Nothing;
        let sources = Sources { load, places, files, read_at: None, due_at, in_vain: 0, saying };
        Self(Arc::new(Shared { now, sources: Mutex::new(sources), changed: Notify::new() }))
    }

    /// The last key that was handed out, even if it has ended, or none: for making the same bytes again.
    pub fn current(&self) -> Key {
        self.0.now.borrow().key()
    }

    /// The key to sign with now. Waits at most [`WAIT_MAX`] for one that is being fetched.
    ///
    /// # Errors
    ///
    /// There is no key; says why.
    pub async fn key(&self) -> Result<Key, NoKey> {
        let is_settled = |now: &Now| now.key().is_valid() || now.state.trouble.is_some();
        let mut now = self.0.now.subscribe();
        // The sender lives as long as `self`.
        let _ = tokio::time::timeout(WAIT_MAX, now.wait_for(is_settled)).await;
        self.valid(self.current())
    }

    /// The same key, if it is valid.
    ///
    /// # Errors
    ///
    /// It is not valid; says why there is no other one.
    pub fn valid(&self, key: Key) -> Result<Key, NoKey> {
        if key.is_valid() {
            return Ok(key);
        }
        let KeyState { trouble, source, .. } = self.state();
        Err(NoKey(trouble.unwrap_or_else(|| format!("{source} has not given a key yet"))))
    }

    /// What is known about the key.
    pub fn state(&self) -> KeyState {
        self.0.now.borrow().state.clone()
    }

    /// Resolves when what is known about the key differs from `known`.
    pub async fn changed_from(&self, known: &KeyState) {
        let mut now = self.0.now.subscribe();
        // The sender lives as long as `self`.
        let _ = now.wait_for(|now| now.state != *known).await;
    }

    /// The service refused the key of this generation for this fault. Reads the sources again, unless that was done
    /// already or a moment ago. True if there is another key by now; [`Provider::current`] then returns it.
    pub async fn refuse(&self, generation: Generation, fault: AccountFault) -> bool {
        self.0.now.send_if_modified(|now| {
            let is_news = now.state.generation == generation && now.state.refused.is_none();
            if is_news {
                now.state.refused = Some(fault);
            }
            is_news
        });
        self.other_than(generation, false).await
    }

    /// Looks for another key if the one in use was refused or has ended, at most as often as the backoff allows. True
    /// if there is one.
    pub async fn look_again(&self) -> bool {
        let (key, refused) = (self.current(), self.state().refused);
        (refused.is_some() || !key.is_valid()) && self.other_than(key.generation, false).await
    }

    /// The service accepted the key of this generation.
    pub fn taken(&self, generation: Generation) {
        self.0.now.send_if_modified(|now| {
            let is_news = now.state.generation == generation && now.state.refused.is_some();
            if is_news {
                now.state.refused = None;
            }
            is_news
        });
    }

    /// A reload chose this source; keys come from there from now on. A key from the network is fetched in the
    /// background, and the one in use stays until it comes.
    pub async fn replace(&self, prepared: Prepared) {
        let mut sources = self.0.sources.lock().await;
        sources.places = prepared.sources;
        (sources.read_at, sources.in_vain, sources.saying) = (None, 0, Saying::Nothing);
        match prepared.found {
            Some(found) => {
                self.put(&mut sources, found, "a reload read another one");
            }
            None => sources.due_at = Some(boot()),
        }
        drop(sources);
        self.0.changed.notify_one();
    }

    /// Looks for another key in any case, each time it is called: for free calls that probe a paused account, which
    /// have a backoff of their own, because another account's key may solve the problem. True if there is one.
    pub async fn read_again(&self) -> bool {
        self.other_than(self.current().generation, true).await
    }

    /// Fetches the key now, for a program that keeps none.
    ///
    /// # Errors
    ///
    /// There is no key; says why.
    pub async fn fetch(&self) -> Result<Key, NoKey> {
        if !self.current().is_valid() {
            self.read_again().await;
        }
        self.valid(self.current())
    }

    /// Renews the key before its end, and reads files that have changed; never ends.
    pub async fn keep_renewed(&self) {
        loop {
            self.renew_if_due().await;
            let due_in = self.0.sources.lock().await.due_at.map(|at| at.saturating_sub(boot()));
            let wait = due_in.unwrap_or(LOOK_EVERY).clamp(Duration::from_millis(20), LOOK_EVERY);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    async fn renew_if_due(&self) {
        let mut sources = self.0.sources.lock().await;
        if sources.due_at.is_some_and(|at| at <= boot()) {
            self.read(&mut sources, "the one in use ends").await;
        } else if sources.has_changed_files().await {
            self.read(&mut sources, "its file has changed").await;
        }
    }

    /// Reads the sources if the key in use is still that of `generation`, and it is due or `at_once`.
    async fn other_than(&self, generation: Generation, at_once: bool) -> bool {
        let mut sources = self.0.sources.lock().await;
        let is_other = |provider: &Self| provider.state().generation != generation;
        if is_other(self) || !(at_once || sources.may_be_read()) {
            return is_other(self);
        }
        self.read(&mut sources, "its source has another one than the refused").await;
        is_other(self)
    }

    async fn read(&self, sources: &mut MutexGuard<'_, Sources>, why: &str) {
        sources.read_at = Some(boot());
        let read = (sources.load)(sources.places.clone()).await;
        let KeyState { refused, generation, ends_at, .. } = self.state();
        match read {
            Ok(found) => {
                let source = found.source.clone();
                if self.put(sources, found, why) {
                    return;
                }
                self.say_trouble(None);
                if let Some(fault) = refused.filter(|_| sources.saying != Saying::NoOther) {
                    warn!(
                        %source, fault = fault.word(),
                        "the service refuses the access key, and its source has no other yet; it is read again later"
                    );
                    sources.saying = Saying::NoOther;
                }
            }
            Err(error) => {
                self.say_trouble(Some(error.to_string()));
                if sources.saying != Saying::Unreadable {
                    let ends_at = ends_at.map(rfc3339);
                    if generation == Generation(0) {
                        warn!(%error, "there is no access key yet: its source is asked again");
                    } else {
                        warn!(%error, ends_at, "the credentials could not be read again; the old ones are used");
                    }
                    sources.saying = Saying::Unreadable;
                }
            }
        }
        sources.in_vain = sources.in_vain.saturating_add(1);
        if sources.due_at.is_some() {
            sources.due_at = Some(boot() + backoff(sources.in_vain, rand::random()));
        }
        // An unusable file may be half written: it is read again when it changes once more.
        sources.stamp();
    }

    fn say_trouble(&self, trouble: Option<String>) {
        self.0.now.send_if_modified(|now| {
            let is_news = now.state.trouble != trouble;
            now.state.trouble = trouble;
            is_news
        });
    }

    /// Replaces the last key. False if the new one is the same although it should have been renewed.
    fn put(&self, sources: &mut MutexGuard<'_, Sources>, found: Found, why: &str) -> bool {
        sources.files = stamped(&found);
        let Found { credentials, source, life, .. } = found;
        let now = boot();
        let is_valid = life.is_none_or(|life| life.is_on(now));
        let mut is_new = false;
        self.0.now.send_if_modified(|was| {
            is_new = !same(&was.credentials, &credentials) || was.state.generation == Generation(0);
            if is_new {
                let generation = Generation(was.state.generation.0 + 1);
                was.credentials = Arc::new(credentials);
                was.life = life;
                let ends_at = life.map(|life| ends_at(life, now, chrono::Utc::now()));
                was.state = KeyState { generation, source, refused: None, ends_at, trouble: None };
            }
            is_new
        });
        sources.due_at = life.map(|life| life.renew_at(rand::random()).max(now + RENEW_AFTER_MIN));
        if !(is_new && is_valid) {
            return false;
        }
        (sources.in_vain, sources.saying) = (0, Saying::Nothing);
        let KeyState { generation, source, ends_at, .. } = self.state();
        let ends_at = ends_at.map(rfc3339);
        if generation == Generation(1) {
            info!(generation = generation.0, %source, ends_at, "the access key has come");
        } else {
            info!(generation = generation.0, %source, ends_at, why, "another access key is in use from now on");
        }
        true
    }
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    let parts = |key: &Credentials| {
        let token = key.security_token.as_ref().map(|token| token.expose_secret().to_owned());
        (key.access_key_id.clone(), key.access_key_secret.expose_secret().to_owned(), token)
    };
    parts(one) == parts(other)
}

#[cfg(test)]
mod tests;
