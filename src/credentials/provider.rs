//! The one key of the process. Every stage takes it from here at the moment of signing, so that one that is replaced
//! is used by all of them at once. A stage whose key was refused says so, and the sources are read afresh: by one of
//! them at a time, and not again before a backoff is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, watch};
use tracing::{info, warn};

use super::{Credentials, Error, Places, Source, load_from};
use crate::config::Config;
use crate::model::Backoff;

/// How long they wait to be read again while the sources have no other key than the refused one.
const READ_AGAIN: Backoff = Backoff { min: Duration::from_secs(5), max: Duration::from_secs(60) };

/// Which key it is: 1 is that of the start, and each one that takes its place is one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// A key to sign with.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself.
    pub credentials: Arc<Credentials>,
    /// Which one it is: what [`Provider::refuse`] is told.
    pub generation: Generation,
}

/// What is known of the key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Which key is in use.
    pub generation: Generation,
    /// Where it was found.
    pub source: Source,
    /// What the service said when it refused it; none while it takes it.
    pub refused: Option<String>,
}

/// Hands out the key. Copies are the same provider.
#[derive(Debug, Clone)]
pub struct Provider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: watch::Sender<Now>,
    /// Held while the sources are read: whoever waits for it finds them read.
    sources: Mutex<Sources>,
}

#[derive(Debug, Clone)]
struct Now {
    credentials: Arc<Credentials>,
    state: KeyState,
}

/// How the sources are read.
type Load = fn(&Places) -> Result<(Credentials, Source), Error>;

#[derive(Debug)]
struct Sources {
    load: Load,
    places: Places,
    /// When they were last read because of a refusal.
    read_at: Option<Instant>,
    /// Readings in a row that found no other key.
    in_vain: u32,
    /// What the log last said of them.
    saying: Saying,
}

/// What was logged of the sources: once until it is something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    Nothing,
    NoOther,
    Unreadable,
}

impl Provider {
    /// A provider of the key that was found at the start, as [`load`](super::load) gives it; others are looked for in
    /// the same sources.
    pub fn new(config: &Config, found: (Credentials, Source)) -> Self {
        Self::with_sources(config, found, load_from)
    }

    fn with_sources(config: &Config, (credentials, source): (Credentials, Source), load: Load) -> Self {
        let state = KeyState { generation: Generation(1), source, refused: None };
        let now = watch::Sender::new(Now { credentials: Arc::new(credentials), state });
        let sources = Sources { load, places: Places::of(config), read_at: None, in_vain: 0, saying: Saying::Nothing };
        Self(Arc::new(Shared { now, sources: Mutex::new(sources) }))
    }

    /// The key to sign with now.
    pub fn current(&self) -> Key {
        let now = self.0.now.borrow();
        Key { credentials: Arc::clone(&now.credentials), generation: now.state.generation }
    }

    /// What is known of the key.
    pub fn state(&self) -> KeyState {
        self.0.now.borrow().state.clone()
    }

    /// Resolves when what is known of the key is not `known` any more.
    pub async fn changed_from(&self, known: &KeyState) {
        let mut now = self.0.now.subscribe();
        // The sender lives as long as `self`.
        let _ = now.wait_for(|now| now.state != *known).await;
    }

    /// The service refused the key of this generation, in these words. The sources are read afresh, unless that was
    /// done already or a moment ago. True if there is another key by now: then [`Provider::current`] hands it out.
    pub async fn refuse(&self, generation: Generation, fault: &str) -> bool {
        self.0.now.send_if_modified(|now| {
            let is_news = now.state.generation == generation && now.state.refused.is_none();
            if is_news {
                now.state.refused = Some(fault.to_owned());
            }
            is_news
        });
        self.other_than(generation, false).await
    }

    /// Looks for another key if the one in use is refused, and not more often than a backoff allows. True if there is
    /// one.
    pub async fn look_again(&self) -> bool {
        let KeyState { generation, refused, .. } = self.state();
        refused.is_some() && self.other_than(generation, false).await
    }

    /// The service took the key of this generation.
    pub fn taken(&self, generation: Generation) {
        self.0.now.send_if_modified(|now| {
            let is_news = now.state.generation == generation && now.state.refused.is_some();
            if is_news {
                now.state.refused = None;
            }
            is_news
        });
    }

    /// A reload read this key, and others are to be looked for in these sources from now on.
    pub async fn replace(&self, config: &Config, found: (Credentials, Source)) {
        let mut sources = self.0.sources.lock().await;
        sources.places = Places::of(config);
        (sources.read_at, sources.in_vain, sources.saying) = (None, 0, Saying::Nothing);
        self.put(found, "a reload read another one");
    }

    /// Looks for another key whatever the service says of the one in use, and whenever it is asked to: for the free
    /// calls that try a paused account, which have a backoff of their own. The key of another account may be what
    /// mends it. True if there is one.
    pub async fn read_again(&self) -> bool {
        self.other_than(self.current().generation, true).await
    }

    /// Reads the sources if the key in use is still that of `generation`, and it is time to or `at_once`.
    async fn other_than(&self, generation: Generation, at_once: bool) -> bool {
        let mut sources = self.0.sources.lock().await;
        let is_other = |provider: &Self| provider.state().generation != generation;
        let now = Instant::now();
        if is_other(self) || !(at_once || may_read(sources.read_at, sources.in_vain, now)) {
            return is_other(self);
        }
        sources.read_at = Some(now);
        let (load, places) = (sources.load, sources.places.clone());
        // A file on a network file system may keep a reader waiting; the runtime's own threads have more to do.
        let read = tokio::task::spawn_blocking(move || load(&places)).await;
        let refused = self.state().refused;
        match read {
            Ok(Ok(found)) => {
                let source = found.1.clone();
                if self.put(found, "its source has another one than the refused") {
                    (sources.in_vain, sources.saying) = (0, Saying::Nothing);
                    return true;
                }
                if let Some(fault) = refused.filter(|_| sources.saying != Saying::NoOther) {
                    warn!(
                        %source, fault,
                        "the service refuses the access key, and its source has no other one yet; it is read again by and by"
                    );
                    sources.saying = Saying::NoOther;
                }
                sources.in_vain = sources.in_vain.saturating_add(1);
            }
            Ok(Err(error)) => {
                if sources.saying != Saying::Unreadable {
                    warn!(%error, "the credentials could not be read afresh; the old ones are tried");
                    sources.saying = Saying::Unreadable;
                }
                sources.in_vain = sources.in_vain.saturating_add(1);
            }
            // The process ends: a panic aborts it, and only its end cancels what runs.
            Err(_) => {}
        }
        is_other(self)
    }

    /// Puts a key in the place of the last one. False if it is the same.
    fn put(&self, (credentials, source): (Credentials, Source), why: &str) -> bool {
        let replaced = self.0.now.send_if_modified(|now| {
            if same(&now.credentials, &credentials) {
                return false;
            }
            let generation = Generation(now.state.generation.0 + 1);
            now.credentials = Arc::new(credentials);
            now.state = KeyState { generation, source, refused: None };
            true
        });
        if replaced {
            let KeyState { generation, source, .. } = self.state();
            info!(generation = generation.0, %source, why, "another access key is in use from now on");
        }
        replaced
    }
}

/// Whether the sources may be read at `now`, after so many readings that found no other key.
fn may_read(read_at: Option<Instant>, in_vain: u32, now: Instant) -> bool {
    read_at.is_none_or(|at| now.saturating_duration_since(at) >= READ_AGAIN.bound(in_vain))
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    let parts = |key: &Credentials| {
        let token = key.security_token.as_ref().map(|token| token.expose_secret().to_owned());
        (key.access_key_id.clone(), key.access_key_secret.expose_secret().to_owned(), token)
    };
    parts(one) == parts(other)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn key(id: &str) -> Credentials {
        Credentials { access_key_id: id.to_owned(), access_key_secret: "s3cr3t".into(), security_token: None }
    }

    fn found(id: &str) -> (Credentials, Source) {
        (key(id), Source::Environment)
    }

    fn id_of(provider: &Provider) -> String {
        provider.current().credentials.access_key_id.clone()
    }

    #[tokio::test]
    async fn two_stages_that_are_refused_with_the_same_key_cause_one_reading() {
        static READINGS: AtomicU32 = AtomicU32::new(0);
        let provider = Provider::with_sources(&Config::default(), found("old"), |_| {
            READINGS.fetch_add(1, Ordering::Relaxed);
            Ok(found("new"))
        });
        let (submitter, tracker) = (provider.clone(), provider.clone());
        let old = provider.current().generation;
        let both = tokio::join!(submitter.refuse(old, "unknown"), tracker.refuse(old, "unknown"));
        assert_eq!((both, READINGS.load(Ordering::Relaxed)), ((true, true), 1));
        assert_eq!((id_of(&tracker).as_str(), provider.state().generation), ("new", Generation(2)));
        // A refusal that comes late is of a key that nobody uses any more.
        assert!(provider.refuse(old, "unknown").await && READINGS.load(Ordering::Relaxed) == 1);
        assert_eq!(provider.state().refused, None);
    }

    #[tokio::test]
    async fn where_the_sources_have_the_same_key_they_are_not_read_again_before_a_backoff_is_over() {
        static READINGS: AtomicU32 = AtomicU32::new(0);
        let provider = Provider::with_sources(&Config::default(), found("old"), |_| {
            READINGS.fetch_add(1, Ordering::Relaxed);
            Ok(found("old"))
        });
        assert!(!provider.look_again().await && READINGS.load(Ordering::Relaxed) == 0, "nobody refused it");
        let old = provider.current().generation;
        assert!(!provider.refuse(old, "unknown").await);
        assert!(!provider.refuse(old, "unknown").await && !provider.look_again().await);
        assert_eq!(READINGS.load(Ordering::Relaxed), 1);
        assert!(!provider.read_again().await && READINGS.load(Ordering::Relaxed) == 2);
        assert_eq!(provider.state().refused.as_deref(), Some("unknown"));
        provider.taken(old);
        assert_eq!(provider.state().refused, None);
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_read_leaves_the_key_and_a_reload_brings_another_one() {
        let provider = Provider::with_sources(&Config::default(), found("old"), |_| Err(Error::None));
        let before = provider.state();
        assert!(!provider.refuse(before.generation, "unknown").await);
        assert_eq!(id_of(&provider), "old");
        let refused = provider.state();
        provider.replace(&Config::default(), found("old")).await;
        assert_eq!(provider.state(), refused, "the same key is no other one");
        provider.replace(&Config::default(), found("new")).await;
        provider.changed_from(&refused).await;
        assert_eq!((id_of(&provider).as_str(), provider.state().generation), ("new", Generation(2)));
        assert!(!format!("{provider:?}").contains("s3cr3t"));
    }

    #[test]
    fn readings_in_vain_come_at_longer_and_longer_intervals() {
        let at = Instant::now();
        assert!(may_read(None, 0, at));
        for (in_vain, seconds) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (40, 60)] {
            let after = |seconds| at + Duration::from_secs(seconds);
            assert!(!may_read(Some(at), in_vain, after(seconds - 1)), "{in_vain}");
            assert!(may_read(Some(at), in_vain, after(seconds)), "{in_vain}");
        }
    }
}
