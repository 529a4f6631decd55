//! The report of a daemon whose database is lost. Nothing can be read from it, so the report says how to put back what
//! it held.

use std::path::{Path, PathBuf};

use super::needs::Need;
use super::{Invocation, StatusReport};
use crate::model::{Time, quoted, rfc3339};
use crate::stage::LostSince;
use crate::store::{self, Lost, beside};
use crate::words::{self, Words};

/// Whether the daemon lives, since when its database is lost, and the commands that put back what it held.
impl StatusReport {
    /// The report of a daemon, with its pid, that found its database to be lost, which is this file unless it is on a
    /// server.
    pub fn lost(lost: &LostSince, database: Option<&Path>, pid: Option<i64>, now: Time, by: &Invocation) -> Self {
        let exists = |path: &PathBuf| path.symlink_metadata().is_ok();
        let there = |file: &Path| [file.to_path_buf(), beside(file, "-wal"), beside(file, "-shm")];
        let there: Vec<PathBuf> = database.into_iter().flat_map(there).filter(exists).collect();
        let need = match database {
            Some(file) => need(lost, file, &there, by),
            // A server keeps what it has: somebody has to look at it.
            None => Need { what: in_words(&lost.lost), command: by.log() },
        };
        Self {
            at: Some(rfc3339(now)),
            health: "database lost".to_owned(),
            health_since: Some(rfc3339(lost.since)),
            database_problem: Some(in_words(&lost.lost)),
            database_code: Some(store::LOST.to_owned()),
            pid,
            needs: vec![need],
            by: by.clone(),
            ..Self::default()
        }
    }
}

fn in_words(lost: &Lost) -> Words {
    let copy = lost.copy.as_ref().map(|copy| copy.display().to_string());
    words::needs::lost(lost.to_string(), lost.loss.into(), copy.as_deref(), lost.problem.as_deref())
}

/// What the operator has to do, if these files stand in the way of the copy.
fn need(lost: &LostSince, database: &Path, there: &[PathBuf], by: &Invocation) -> Need {
    let what = in_words(&lost.lost);
    let shown = |path: &Path| quoted(&path.to_string_lossy());
    let Some(copy) = &lost.lost.copy else {
        let folder = database.parent().unwrap_or(database);
        return Need { what, command: format!("df -h {}", shown(folder)) };
    };
    let mut steps = vec![by.stop()];
    if !there.is_empty() {
        let aside = beside(database, &format!(".aside-{}", lost.since.format("%Y%m%dT%H%M%SZ")));
        let there: Vec<String> = there.iter().map(|path| shown(path)).collect();
        steps.push(by.changes_files(&format!("mkdir {}", shown(&aside))));
        steps.push(by.changes_files(&format!("mv {} {}", there.join(" "), shown(&aside))));
    }
    steps.push(by.changes_files(&format!("mv {} {}", shown(copy), shown(database))));
    steps.push(by.start());
    Need { what, command: steps.join(" && ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Loss;

    #[test]
    fn what_stands_in_the_way_of_the_copy_is_set_aside_and_never_deleted() {
        let copy = Some(PathBuf::from("/d/a b.db.rescued-1"));
        let since = crate::model::from_millis(1_795_000_000_000);
        let mut lost = LostSince { since, lost: Lost { loss: Loss::Replaced, copy, problem: None } };
        let database = Path::new("/d/a b.db");
        let by = Invocation::of_root("prefetchd");
        assert_eq!(
            need(&lost, database, &[database.to_path_buf(), "/d/a b.db-wal".into()], &by).command,
            "systemctl stop prefetchd && mkdir '/d/a b.db.aside-20261118T110640Z' && mv '/d/a b.db' '/d/a b.db-wal' \
             '/d/a b.db.aside-20261118T110640Z' && mv '/d/a b.db.rescued-1' '/d/a b.db' && systemctl start prefetchd"
        );
        let put_back = "systemctl stop prefetchd && mv '/d/a b.db.rescued-1' '/d/a b.db' && systemctl start prefetchd";
        assert_eq!(need(&lost, database, &[], &by).command, put_back);
        lost.lost.copy = None;
        lost.lost.problem = Some("no room".to_owned());
        let need = need(&lost, database, &[], &by);
        assert_eq!(need.command, "df -h /d");
        assert!(need.what.en.contains("must not be stopped: no room"), "{}", need.what);
    }
}
