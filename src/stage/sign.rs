//! The daemon's sign of life outside the database: a few lines in its lock file, written in place when a stage moves.
//! So a daemon that lives but cannot use its database can say so, even on a full disk.
//!
//! The file has [`BYTES`] bytes: the pid, the time of the last sign, the trouble that some stage has with the database
//! (since when, its code in brackets, and its text), what became of a lost database, and which stages hang and since
//! when; the rest is blanks. It is overwritten as a whole and never synced, because it is worthless after a power cut.
//! The spool's lock file says the same, because the one beside the database may be lost with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::model::{Time, rfc3339};
use crate::store::{self, Lost};
use crate::telemetry::one_line;

/// A sign is written at most this often.
const BEAT_EVERY: TimeDelta = TimeDelta::seconds(5);

/// If there is no sign for this long, something is wrong: every stage looks up every few seconds unless it waits for an
/// answer or reads a file, and they do not all do that at once.
const SILENT_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The file's size: a page.
const BYTES: usize = 4096;

/// The files in which a daemon gives its sign.
#[derive(Debug)]
pub(super) struct SignFiles {
    files: Vec<File>,
    given: Mutex<Given>,
}

/// What was last written.
#[derive(Debug, Default)]
struct Given {
    at: Option<Time>,
    lost: Option<LostSince>,
}

/// A lost database, and when the loss was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostSince {
    /// When it was found.
    pub since: Time,
    /// What became of it and of its content.
    #[serde(flatten)]
    pub lost: Lost,
}

/// The problem that keeps the daemon from using its database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Since when.
    pub since: Time,
    /// [`store::Error::word`]; none in the sign of an earlier version.
    pub code: Option<String>,
    /// As text.
    pub text: String,
}

/// The last sign of a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sign {
    /// When it was written.
    pub at: Option<Time>,
    /// The problem that keeps the daemon from using its database.
    pub trouble: Option<Trouble>,
    /// The stages that hang, and since when the first of them has not moved.
    pub hanging: Option<(Time, String)>,
    /// Set if the database is no longer the file that the daemon has open.
    pub lost: Option<LostSince>,
}

impl SignFiles {
    /// Writes signs into these files, which the daemon has locked.
    ///
    /// # Errors
    ///
    /// One cannot be written.
    pub(super) fn open(paths: &[impl AsRef<Path>]) -> io::Result<Self> {
        let open = |path: &Path| {
            let file = File::options().write(true).open(path)?;
            // Reserves all of the room now, whatever becomes of the disk.
            file.write_all_at(&[b' '; BYTES], 0)?;
            Ok(file)
        };
        let files = paths.iter().map(|path| open(path.as_ref())).collect::<io::Result<_>>()?;
        let files = Self { files, given: Mutex::default() };
        files.write(&Sign::default())?;
        Ok(files)
    }

    /// Writes the sign that `make` returns, if one is due or there is news.
    pub(super) fn give(&self, now: Time, is_news: bool, make: impl FnOnce() -> Sign) {
        let mut given = self.given.lock().expect("nobody panics with it");
        let is_due = given.at.is_none_or(|at| now < at || now - at >= BEAT_EVERY);
        if is_news || is_due {
            given.at = Some(now);
            // Whoever looks for the sign notices that it could not be written.
            let _ = self.write(&Sign { at: Some(now), lost: given.lost.clone(), ..make() });
        }
    }

    /// Writes that the daemon lives and its database is lost.
    pub(super) fn lost(&self, now: Time, lost: &Lost) {
        let mut given = self.given.lock().expect("nobody panics with it");
        let since = given.lost.as_ref().map_or(now, |lost| lost.since);
        *given = Given { at: Some(now), lost: Some(LostSince { since, lost: lost.clone() }) };
        // Whoever looks for the sign notices that it could not be written.
        let _ = self.write(&Sign { at: Some(now), lost: given.lost.clone(), ..Sign::default() });
    }

    /// The lost database, if it was found to be lost.
    pub(super) fn lost_since(&self) -> Option<LostSince> {
        self.given.lock().expect("nobody panics with it").lost.clone()
    }

    fn write(&self, sign: &Sign) -> io::Result<()> {
        let bytes = sign.bytes();
        self.files.iter().map(|file| file.write_all_at(&bytes, 0)).fold(Ok(()), io::Result::and)
    }
}

impl Trouble {
    /// The trouble with this error, first met at `since`.
    pub(super) fn of(error: &store::Error, since: Time) -> Self {
        Self { since, code: Some(error.word().to_owned()), text: one_line(&error.to_string()) }
    }

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
    /// Reads the last sign; none if there is no such file or it is not readable.
    pub fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&text)))
    }

    fn bytes(&self) -> [u8; BYTES] {
        let at = self.at.map(rfc3339).unwrap_or_default();
        let mut trouble = self.trouble.as_ref().map(Trouble::line).unwrap_or_default();
        trouble.truncate(trouble.floor_char_boundary(BYTES / 2));
        let lost = self.lost.as_ref().map(|lost| serde_json::to_string(lost).expect("words and paths are JSON"));
        let hanging = self.hanging.as_ref().map(|(since, stages)| format!("{} {stages}", rfc3339(*since)));
        let hanging = hanging.unwrap_or_default();
        let mut text = format!("{}\n{at}\n{trouble}\n{}\n{hanging}", std::process::id(), lost.unwrap_or_default());
        text.truncate(text.floor_char_boundary(BYTES - 1));
        text.push('\n');
        let mut bytes = [b' '; BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes
    }

    fn parse(text: &str) -> Self {
        let hanging = |line: &str| {
            let (since, stages) = line.trim().split_once(' ')?;
            Some((time(since)?, stages.to_owned()))
        };
        let mut lines = text.lines().skip(1);
        let at = lines.next().and_then(time);
        let trouble = lines.next().and_then(|line| Trouble::parse(line.trim()));
        let lost = lines.next().and_then(|line| serde_json::from_str(line.trim()).ok());
        let hanging = lines.next().and_then(hanging);
        Self { at, trouble, hanging, lost }
    }

    /// Since when there has been no sign, if that is too long.
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

    fn files() -> (tempfile::TempDir, std::path::PathBuf, SignFiles) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "1\n").unwrap();
        let files = SignFiles::open(&[&path]).unwrap();
        (dir, path, files)
    }

    #[test]
    fn news_is_told_at_once_and_what_was_written_is_what_is_read() {
        let (_dir, path, files) = files();
        assert_eq!(Sign::read(&path).unwrap(), Sign::default());
        files.give(at(0), false, Sign::default);
        let trouble = Some(Trouble::of(&locked("by\nsomebody"), at(1)));
        let hanging = Some((at(-9), "spool, keeper of the key".to_owned()));
        let news = Sign { trouble, hanging, ..Sign::default() };
        files.give(at(1), true, || news.clone());
        assert_eq!(Sign::read(&path).unwrap(), Sign { at: Some(at(1)), ..news });
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(&format!("{}\n", std::process::id())));
    }

    #[test]
    fn signs_are_rare_and_their_absence_is_noticed() {
        let (_dir, path, files) = files();
        for second in 0..5 {
            files.give(at(second), false, Sign::default);
        }
        let sign = Sign::read(&path).unwrap();
        assert_eq!(sign.at, Some(at(0)));
        assert_eq!((sign.silent_since(at(60)), sign.silent_since(at(61))), (None, Some(at(0))));
        // After a clock was set back, the next sign is written at once.
        files.give(at(-100), false, Sign::default);
        assert_eq!(Sign::read(&path).unwrap().at, Some(at(-100)));
    }

    #[test]
    fn a_database_that_is_lost_is_told_with_every_sign_from_then_on() {
        let (_dir, path, files) = files();
        let mut lost = Lost { loss: Loss::Gone, copy: None, problem: Some("no \"room\"\n".to_owned()) };
        files.lost(at(1), &lost);
        lost.copy = Some("/a b".into());
        files.lost(at(60), &lost);
        let since = Some(LostSince { since: at(1), lost });
        assert_eq!(Sign::read(&path).unwrap(), Sign { at: Some(at(60)), lost: since.clone(), ..Sign::default() });
        let trouble = Some(Trouble::of(&locked(&"第".repeat(3_000)), at(61)));
        files.give(at(61), true, || Sign { trouble, ..Sign::default() });
        assert_eq!(Sign::read(&path).unwrap().lost, since);
    }

    #[test]
    fn a_long_trouble_is_cut_to_the_room_there_is() {
        let (_dir, path, files) = files();
        let trouble = Some(Trouble::of(&locked(&"第".repeat(2_000)), at(0)));
        files.give(at(0), true, || Sign { trouble, ..Sign::default() });
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
