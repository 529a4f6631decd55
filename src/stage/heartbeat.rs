//! The one heartbeat. Through its [`Pulse`] each stage says that it has moved, how long it may be busy with one thing,
//! and what keeps it from using the database. The watchdog, `/healthz`, the metrics and the sign of life (which
//! `status` reads) all use it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::name::Name;
use super::sign::{LostSince, Sign, SignFiles, Trouble};
use crate::clock::Clock;
use crate::model::Time;
use crate::store::{self, Lost};

/// How late a stage may be if there is no watchdog: enough for a chunk of lines on a slow disk and for writes that wait
/// for a lock.
const GRACE: Duration = Duration::from_secs(120);

/// The heartbeat of all stages; clones share it.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Heart>);

#[derive(Debug)]
struct Heart {
    clock: Clock,
    grace: Duration,
    beats: Mutex<Beats>,
    /// None in tests, which need no sign of life.
    sign: Option<SignFiles>,
}

/// Stages that run.
type Beats = BTreeMap<Name, Beat>;

#[derive(Debug, Clone)]
struct Beat {
    moved: Instant,
    /// It must move again by then.
    due: Instant,
    /// The problem that keeps it from using the database.
    trouble: Option<Trouble>,
}

/// A stage that has not moved within the time it announced, plus the general grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// Which one.
    pub name: Name,
    /// How long ago it last moved.
    pub idle: Duration,
}

/// One stage's side of the heartbeat; clones share it.
#[derive(Debug, Clone)]
pub struct Pulse {
    name: Name,
    heart: Heartbeat,
}

impl Default for Heartbeat {
    /// A pulse that nobody reads.
    fn default() -> Self {
        Self::with(Clock::system(), GRACE, None)
    }
}

impl Heartbeat {
    /// A heartbeat that writes signs of life into these files, which the daemon has locked. `watchdog` is the period of
    /// systemd's watchdog, if one is set: a stage may be late by that much.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn new(clock: Clock, watchdog: Option<Duration>, files: &[impl AsRef<Path>]) -> io::Result<Self> {
        Ok(Self::with(clock, watchdog.unwrap_or(GRACE), Some(SignFiles::open(files)?)))
    }

    fn with(clock: Clock, grace: Duration, sign: Option<SignFiles>) -> Self {
        Self(Arc::new(Heart { clock, grace, beats: Mutex::default(), sign }))
    }

    /// The pulse of a stage, which must move from now on.
    pub fn pulse(&self, name: Name) -> Pulse {
        let now = Instant::now();
        self.beats().insert(name, Beat { moved: now, due: now, trouble: None });
        Pulse { name, heart: self.clone() }
    }

    /// Stages that hang, in the order of the pipeline.
    pub fn late(&self) -> Vec<Late> {
        late(&self.beats(), self.0.grace, Instant::now())
    }

    /// How long a stage may be late.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// Writes a sign of life now, for a caller that is not a stage.
    pub fn tell(&self) {
        if let Some(files) = &self.0.sign {
            files.give(self.0.clock.now(), true, || self.sign());
        }
    }

    /// How long ago each stage last moved.
    pub fn idle(&self) -> Vec<(Name, Duration)> {
        let now = Instant::now();
        self.beats().iter().map(|(name, beat)| (*name, now.saturating_duration_since(beat.moved))).collect()
    }

    /// Notes that the database is lost, while the daemon lives on.
    pub fn lost(&self, lost: &Lost) {
        if let Some(files) = &self.0.sign {
            files.lost(self.0.clock.now(), lost);
        }
    }

    /// The lost database, and when the loss was found.
    pub fn lost_since(&self) -> Option<LostSince> {
        self.0.sign.as_ref().and_then(SignFiles::lost_since)
    }

    /// The present content of the sign of life.
    pub fn sign(&self) -> Sign {
        sign(&self.beats(), self.0.grace, Instant::now(), self.0.clock.now())
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.beats.lock().expect("nobody panics with it")
    }

    /// Changes what is known about a stage, and writes a sign of life if one is due or `change` returns news. A stage
    /// that has ended is ignored.
    fn beat<T>(&self, name: Name, change: impl FnOnce(&mut Beats) -> (T, bool)) -> Option<T> {
        let (told, is_news) = {
            let mut beats = self.beats();
            if !beats.contains_key(&name) {
                return None;
            }
            change(&mut beats)
        };
        if let Some(files) = &self.0.sign {
            files.give(self.0.clock.now(), is_news, || self.sign());
        }
        Some(told)
    }
}

impl Pulse {
    /// The stage's name.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The stage has moved, and will move again soon.
    pub fn beat(&self) {
        self.away(Duration::ZERO);
    }

    /// The stage has moved, and is now busy for up to `at_most`: a wait, a call.
    pub fn away(&self, at_most: Duration) {
        self.change(|beat| {
            beat.moved = Instant::now();
            beat.due = beat.moved + at_most;
            ((), false)
        });
    }

    /// Does something that may take up to `at_most`; the stage has moved when it is done.
    pub async fn during<T>(&self, at_most: Duration, doing: impl Future<Output = T>) -> T {
        self.away(at_most);
        let done = doing.await;
        self.beat();
        done
    }

    /// The stage cannot use the database. True if no other stage had that trouble already.
    pub fn trouble(&self, error: &store::Error) -> bool {
        let now = self.heart.0.clock.now();
        let told = self.heart.beat(self.name, |beats| {
            let is_first = beats.values().all(|beat| beat.trouble.is_none());
            let mut is_news = false;
            if let Some(beat) = beats.get_mut(&self.name) {
                is_news = beat.trouble.is_none();
                let since = beat.trouble.as_ref().map_or(now, |trouble| trouble.since);
                beat.trouble = Some(Trouble::of(error, since));
            }
            (is_first, is_news)
        });
        told == Some(true)
    }

    /// The stage has used the database. True if that ends the last stage's trouble.
    pub fn well(&self) -> bool {
        let told = self.heart.beat(self.name, |beats| {
            let was = beats.get_mut(&self.name).and_then(|beat| beat.trouble.take()).is_some();
            let is_last = was && beats.values().all(|beat| beat.trouble.is_none());
            (is_last, was)
        });
        told == Some(true)
    }

    /// The stage has ended: nobody expects it to move any more.
    pub fn end(&self) {
        self.heart.beats().remove(&self.name);
    }

    fn change(&self, change: impl FnOnce(&mut Beat) -> ((), bool)) {
        self.heart.beat(self.name, |beats| beats.get_mut(&self.name).map_or(((), false), change));
    }
}

fn late(beats: &Beats, grace: Duration, now: Instant) -> Vec<Late> {
    let is_late = |beat: &Beat| now.saturating_duration_since(beat.due) > grace;
    let late = beats.iter().filter(|(_, beat)| is_late(beat));
    late.map(|(name, beat)| Late { name: *name, idle: now.saturating_duration_since(beat.moved) }).collect()
}

/// The sign of life at the time `at`.
fn sign(beats: &Beats, grace: Duration, now: Instant, at: Time) -> Sign {
    let late = late(beats, grace, now);
    let longest = late.iter().map(|late| late.idle).max();
    let hanging = longest.map(|idle| {
        let names: Vec<String> = late.iter().map(|late| late.name.to_string()).collect();
        (at - TimeDelta::from_std(idle).unwrap_or(TimeDelta::MAX), names.join(", "))
    });
    let trouble = beats.values().filter_map(|beat| beat.trouble.clone()).min();
    Sign { at: Some(at), trouble, hanging, lost: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_stage_is_late_only_after_the_time_that_it_asked_for_and_the_grace() {
        let heartbeat = Heartbeat::default();
        let (spool, submitter) = (heartbeat.pulse(Name::Spool), heartbeat.pulse(Name::Submitter));
        submitter.away(seconds(30));
        let now = Instant::now();
        let late_in = |n: u64| -> Vec<Name> {
            late(&heartbeat.beats(), seconds(10), now + seconds(n)).iter().map(|late| late.name).collect()
        };
        assert_eq!(late_in(9), []);
        assert_eq!(late_in(20), [Name::Spool]);
        assert_eq!(late_in(50), [Name::Spool, Name::Submitter]);
        spool.away(seconds(60));
        submitter.beat();
        assert_eq!(late_in(50), [Name::Submitter]);
        submitter.end();
        // A part of it that outlives it no longer counts.
        submitter.beat();
        assert_eq!(late_in(50), []);
    }

    #[test]
    fn the_sign_names_who_hangs_and_since_when() {
        let heartbeat = Heartbeat::default();
        let _pulses = [Name::Tracker, Name::Spool].map(|name| heartbeat.pulse(name));
        let (now, at) = (Instant::now() + seconds(90), crate::model::from_millis(1_795_000_000_000));
        assert_eq!(sign(&heartbeat.beats(), MINUTE * 2, now, at).hanging, None);
        let (since, names) = sign(&heartbeat.beats(), MINUTE, now, at).hanging.unwrap();
        assert_eq!(names, "spool, tracker");
        assert!(at - since >= TimeDelta::seconds(89) && at - since <= TimeDelta::seconds(91), "{since}");
    }

    #[test]
    fn trouble_is_told_until_its_own_stage_is_well_and_its_end_once() {
        let heartbeat = Heartbeat::default();
        let (spool, tracker) = (heartbeat.pulse(Name::Spool), heartbeat.pulse(Name::Tracker));
        assert!(spool.trouble(&store::Error::Busy("by\nsomebody".into())));
        assert!(!tracker.trouble(&store::Error::Full("it is".into())), "only the first one is news");
        assert_eq!(heartbeat.sign().trouble.unwrap().code.as_deref(), Some("locked"));
        assert!(!spool.well() && !spool.well());
        assert_eq!(heartbeat.sign().trouble.unwrap().code.as_deref(), Some("full"));
        assert!(tracker.well() && !tracker.well());
        assert_eq!(heartbeat.sign().trouble, None);
    }
}
