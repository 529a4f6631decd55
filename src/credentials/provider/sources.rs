//! The sources as they were last read, and when they may be read again.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use super::super::files::{Stamp, stamp};
use super::super::life::backoff;
use super::super::{Error, Found, Places, boot};

/// A function that reads the sources.
pub(super) type Load = fn(Places) -> Pin<Box<dyn Future<Output = Result<Found, Error>> + Send>>;

#[derive(Debug)]
pub(super) struct Sources {
    pub(super) load: Load,
    pub(super) places: Places,
    /// A change of these files means another key; with their state when last read.
    pub(super) files: Vec<(PathBuf, Option<Stamp>)>,
    /// When they were last read because of a refusal or without success.
    pub(super) read_at: Option<Duration>,
    /// When to read them next; none for a key that does not end.
    pub(super) due_at: Option<Duration>,
    /// Readings in a row without another key.
    pub(super) in_vain: u32,
    /// What was last logged about them.
    pub(super) saying: Saying,
}

/// What was logged about the sources: once, until it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saying {
    Nothing,
    NoOther,
    Unreadable,
}

impl Sources {
    /// Whether they may be read for a refused key, after this many readings without another key.
    pub(super) fn may_be_read(&self) -> bool {
        let wait = backoff(self.in_vain, 0.0);
        self.read_at.is_none_or(|at| boot().saturating_sub(at) >= wait)
    }

    pub(super) async fn has_changed_files(&self) -> bool {
        if self.files.is_empty() {
            return false;
        }
        let files = self.files.clone();
        let changed = move || files.iter().any(|(path, was)| stamp(path) != *was);
        tokio::task::spawn_blocking(changed).await.unwrap_or(false)
    }

    pub(super) fn stamp(&mut self) {
        for (path, was) in &mut self.files {
            *was = stamp(path);
        }
    }
}

/// The files of a key, with their present state.
pub(super) fn stamped(found: &Found) -> Vec<(PathBuf, Option<Stamp>)> {
    found.files.iter().map(|path| (path.clone(), stamp(path))).collect()
}
