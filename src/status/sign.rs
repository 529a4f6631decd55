//! The daemon's sign of life outside the database: a few lines in its lock file, written in place by the stages'
//! loops. So a daemon that lives but cannot use its database says so all the same, also on a full disk.
//!
//! The file has [`BYTES`] bytes: the pid, the time of the last sign, the trouble that some stage has with the database
//! (since when, its word in brackets, and its text), and what became of a database that was lost; then blanks. It is overwritten whole, and
//! never synced: it is worth nothing after a power cut. The spool's lock file says the same: the one beside the
//! database may be lost with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::model::{Time, rfc3339};
use crate::store::{self, Lost};
use crate::telemetry::one_line;

/// A sign is written this often, at most.
const BEAT_EVERY: TimeDelta = TimeDelta::seconds(5);

/// After so long without a sign something is wrong: every stage looks up at least every few seconds, unless it waits
/// for an answer or reads a file, and they do not all.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The file's size: a page.
const BYTES: usize = 4096;

/// Where a daemon gives its sign; without a file it goes nowhere.
#[derive(Debug, Clone, Default)]
pub struct SignOfLife(Option<Arc<Writer>>);

#[derive(Debug)]
struct Writer {
    files: Vec<File>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    written_at: Option<Time>,
    troubles: BTreeMap<&'static str, Trouble>,
    lost: Option<LostSince>,
}

/// A database that was lost, and when that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostSince {
    /// When it was found.
    pub since: Time,
    /// What became of it and of what it held.
    #[serde(flatten)]
    pub lost: Lost,
}

/// What keeps the daemon from using its database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Since when.
    pub since: Time,
    /// [`store::Error::word`]; none in the sign of a program of before.
    pub code: Option<String>,
    /// In words.
    pub text: String,
}

/// The last sign of a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sign {
    /// When it was given.
    pub at: Option<Time>,
    /// What keeps the daemon from using its database.
    pub trouble: Option<Trouble>,
    /// That the database is not the one any more that the daemon has open.
    pub lost: Option<LostSince>,
}

impl SignOfLife {
    /// Gives signs in these files, which the daemon has locked.
    ///
    /// # Errors
    ///
    /// One cannot be written.
    pub fn in_files(paths: &[impl AsRef<Path>]) -> io::Result<Self> {
        let open = |path: &Path| {
            let file = File::options().write(true).open(path)?;
            // All of its room is there from now on, whatever becomes of the disk.
            file.write_all_at(&[b' '; BYTES], 0)?;
            Ok(file)
        };
        let files = paths.iter().map(|path| open(path.as_ref())).collect::<io::Result<_>>()?;
        let pulse = Self(Some(Arc::new(Writer { files, state: Mutex::default() })));
        pulse.write(&State::default())?;
        Ok(pulse)
    }

    /// A stage has used the database.
    pub fn well(&self, stage: &'static str, now: Time) {
        self.beat(now, |troubles| troubles.remove(stage).is_some());
    }

    /// A stage cannot use the database.
    pub fn trouble(&self, stage: &'static str, now: Time, error: &store::Error) {
        self.beat(now, |troubles| {
            let since = troubles.get(stage).map_or(now, |trouble| trouble.since);
            let trouble = Trouble { since, code: Some(error.word().to_owned()), text: one_line(&error.to_string()) };
            troubles.insert(stage, trouble).is_none()
        });
    }

    /// The daemon lives, and its database is lost.
    pub fn lost(&self, now: Time, lost: &Lost) {
        let Some(writer) = &self.0 else { return };
        let mut state = writer.state.lock().expect("nobody panics with it");
        let since = state.lost.as_ref().map_or(now, |lost| lost.since);
        state.lost = Some(LostSince { since, lost: lost.clone() });
        state.written_at = Some(now);
        // A sign that cannot be given is missed by whoever looks for it.
        let _ = self.write(&state);
    }

    fn beat(&self, now: Time, change: impl FnOnce(&mut BTreeMap<&'static str, Trouble>) -> bool) {
        let Some(writer) = &self.0 else { return };
        let mut state = writer.state.lock().expect("nobody panics with it");
        let changed = change(&mut state.troubles);
        let is_due = state.written_at.is_none_or(|at| now < at || now - at >= BEAT_EVERY);
        if changed || is_due {
            state.written_at = Some(now);
            // A sign that cannot be given is missed by whoever looks for it.
            let _ = self.write(&state);
        }
    }

    fn write(&self, state: &State) -> io::Result<()> {
        let Some(writer) = &self.0 else { return Ok(()) };
        let at = state.written_at.map(rfc3339).unwrap_or_default();
        let trouble = state.troubles.values().min().map(Trouble::line);
        let lost = state.lost.as_ref().map(|lost| serde_json::to_string(lost).expect("words and paths are JSON"));
        let mut trouble = trouble.unwrap_or_default();
        let room = BYTES / 2;
        trouble.truncate(trouble.floor_char_boundary(room));
        let mut text = format!("{}\n{at}\n{trouble}\n{}", std::process::id(), lost.unwrap_or_default());
        text.truncate(text.floor_char_boundary(BYTES - 1));
        text.push('\n');
        let mut bytes = [b' '; BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        writer.files.iter().map(|file| file.write_all_at(&bytes, 0)).fold(Ok(()), io::Result::and)
    }
}

impl Trouble {
    fn line(&self) -> String {
        let code = self.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
        format!("{} {code}{}", rfc3339(self.since), self.text)
    }

    fn parse(line: &str) -> Option<Self> {
        let (since, text) = line.split_once(' ')?;
        let (code, text) = match text.strip_prefix('[').and_then(|text| text.split_once("] ")) {
            Some((code, text)) => (Some(code.to_owned()), text),
            None => (None, text),
        };
        Some(Self { since: time(since)?, code, text: text.to_owned() })
    }
}

fn time(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

impl Sign {
    /// Reads the last sign; none if there is no such file or it may not be read.
    pub fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines().skip(1);
        let at = lines.next().and_then(time);
        let trouble = lines.next().and_then(|line| Trouble::parse(line.trim()));
        let lost = lines.next().and_then(|line| serde_json::from_str(line.trim()).ok());
        Self { at, trouble, lost }
    }

    /// Since when there was no sign, if that is too long.
    pub fn silent_since(&self, now: Time) -> Option<Time> {
        self.at.filter(|at| now - *at > SILENT_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Loss;

    fn at(seconds: i64) -> Time {
        crate::model::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn locked(said: &str) -> store::Error {
        store::Error::Busy(said.into())
    }

    fn sign() -> (tempfile::TempDir, std::path::PathBuf, SignOfLife) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "1\n").unwrap();
        let pulse = SignOfLife::in_files(&[&path]).unwrap();
        (dir, path, pulse)
    }

    #[test]
    fn a_trouble_is_told_until_its_own_stage_is_well() {
        let (_dir, path, pulse) = sign();
        assert_eq!(Sign::read(&path).unwrap(), Sign::default());
        pulse.well("a", at(0));
        pulse.trouble("b", at(1), &locked("by\nsomebody"));
        pulse.trouble("b", at(2), &locked("by\nsomebody"));
        pulse.well("a", at(9));
        let text = "the database is locked by another process (by\\nsomebody)".to_owned();
        let trouble = Some(Trouble { since: at(1), code: Some("locked".to_owned()), text });
        assert_eq!(Sign::read(&path).unwrap(), Sign { at: Some(at(9)), trouble, lost: None });
        pulse.well("b", at(10));
        assert_eq!(Sign::read(&path).unwrap(), Sign { at: Some(at(10)), ..Sign::default() });
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(&format!("{}\n", std::process::id())));
    }

    #[test]
    fn signs_are_rare_and_their_absence_is_noticed() {
        let (_dir, path, pulse) = sign();
        for second in 0..5 {
            pulse.well("a", at(second));
        }
        let sign = Sign::read(&path).unwrap();
        assert_eq!(sign.at, Some(at(0)));
        assert_eq!((sign.silent_since(at(60)), sign.silent_since(at(61))), (None, Some(at(0))));
        // A clock that was set back gives one at once.
        pulse.well("a", at(-100));
        assert_eq!(Sign::read(&path).unwrap().at, Some(at(-100)));
    }

    #[test]
    fn a_database_that_is_lost_is_told_beside_any_trouble() {
        let (_dir, path, pulse) = sign();
        let mut lost = Lost { loss: Loss::Gone, copy: None, problem: Some("no \"room\"\n".to_owned()) };
        pulse.trouble("a", at(0), &locked(&"第".repeat(3_000)));
        pulse.lost(at(1), &lost);
        lost.copy = Some("/a b".into());
        pulse.lost(at(60), &lost);
        let sign = Sign::read(&path).unwrap();
        assert_eq!(sign.lost, Some(LostSince { since: at(1), lost }));
        assert_eq!(sign.at, Some(at(60)));
    }

    #[test]
    fn a_long_trouble_is_cut_to_the_room_there_is() {
        let (_dir, path, pulse) = sign();
        pulse.trouble("a", at(0), &locked(&"第".repeat(2_000)));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), BYTES as u64);
        assert!(Sign::read(&path).unwrap().trouble.unwrap().text.ends_with('第'));
    }

    #[test]
    fn a_sign_of_a_program_of_before_has_a_trouble_without_a_word() {
        let text = format!("1\n{}\n{} the disk is full\n", rfc3339(at(5)), rfc3339(at(1)));
        let trouble = Sign::parse(&text).trouble.unwrap();
        assert_eq!(trouble, Trouble { since: at(1), code: None, text: "the disk is full".to_owned() });
    }
}
