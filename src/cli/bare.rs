//! `prefetchd` without a command: what state things are in, and what to do next.

use std::path::{Path, PathBuf};

use super::check::labelled;
use super::text::{err, lang, number, out};
use super::{load, runtime};
use crate::config::Config;
use crate::daemon::Held;
use crate::status::{Invocation, read_report};
use crate::words::{Words, checks};
use crate::{exit, store};

/// Says it in a few lines; the exit code is that of wrong usage, since no command was given.
pub(super) fn main(named: Option<&Path>) -> i32 {
    let (config, path) = match load(named) {
        Ok(loaded) => loaded,
        Err(error) => {
            super::errors::lines(&error, named, super::text::lang())
                .iter()
                .for_each(|line| err(&format!("prefetchd: {line}")));
            return super::text::settle(exit::CONFIG);
        }
    };
    let (holder, _) = super::status::daemon(&config);
    let pid: Option<i64> = match &holder {
        Held::By(pid) => pid.parse().ok(),
        Held::Free | Held::Unknown => None,
    };
    let by = Invocation::here(&config, path.as_deref(), pid);
    out(&format!("{}\n", checks::WHAT_IT_IS.say(lang())));
    let from = path.map_or(checks::THE_DEFAULTS, |path| Words::same(path.display().to_string()));
    labelled(&checks::CONFIGURATION, &from);
    labelled(&checks::SPOOL, &Words::same(config.spool.dir.join("incoming").display().to_string()));
    let seen = look(&config);
    let next = match (&holder, &seen) {
        (_, Err(Unseen::Closed(path))) => {
            labelled(&checks::DATABASE, &super::errors::closed(path));
            vec![by.reads("status")]
        }
        (_, Err(Unseen::NotMade)) => {
            labelled(&checks::DATABASE, &checks::not_made_yet(&config.database.url.place()));
            vec!["prefetchd demo".to_owned(), by.reads("check"), by.start()]
        }
        (_, Err(Unseen::Away(why))) => {
            labelled(&checks::DATABASE, why);
            vec![by.reads("check"), by.reads("status")]
        }
        (Held::Free, Ok(_)) => {
            labelled(&checks::DAEMON, &checks::NOT_RUNNING);
            vec![by.start(), by.reads("status")]
        }
        (_, Ok(_)) => {
            labelled(&checks::DAEMON, &checks::running(pid));
            vec![by.reads("status"), by.reads("add FILE"), by.reads("wait FILE")]
        }
    };
    if let Ok(Some((pending, complete))) = seen {
        labelled(&checks::QUEUE, &checks::queue(&number(pending), &number(complete)));
    }
    out(&format!("\n{}", checks::NEXT.say(lang())));
    next.iter().for_each(|command| out(&format!("  {command}")));
    out("  prefetchd --help");
    super::text::settle(exit::USAGE)
}

/// Why nothing can be said of the database.
enum Unseen {
    /// Nobody has made it yet.
    NotMade,
    /// It is closed to this user.
    Closed(PathBuf),
    /// Its server does not answer, or lets nobody in.
    Away(Words),
}

/// URLs that wait and that are warm; none if only the file of the database was seen.
fn look(config: &Config) -> Result<Option<(i64, i64)>, Unseen> {
    use crate::model::UrlState::{Complete, Pending};
    let unseen = |error: store::Error| match error {
        store::Error::Denied(path) => Unseen::Closed(path),
        store::Error::NoSchema(_) => Unseen::NotMade,
        error => Unseen::Away(super::errors::of_database(&error)),
    };
    let file = config.database.url.file();
    if let Some(file) = file {
        store::look_at(file).map_err(|error| match error {
            store::Error::Denied(path) => Unseen::Closed(path),
            _ => Unseen::NotMade,
        })?;
    }
    let Ok(runtime) = runtime() else { return Ok(None) };
    let report = runtime.block_on(async {
        let mut conn = store::open_reader_of(config).await?;
        read_report(&mut conn, 0).await
    });
    match report {
        Ok(report) => Ok(Some((report.count(Pending), report.count(Complete)))),
        Err(error) if file.is_none() => Err(unseen(error)),
        Err(_) => Ok(None),
    }
}
