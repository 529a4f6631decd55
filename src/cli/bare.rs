//! `prefetchd` without a command: what state things are in, and what to do next.

use std::path::Path;

use super::check::labelled;
use super::text::{err, lang, number, out};
use super::{load, runtime};
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
    let database = config.database.url.path();
    let next = match (&holder, store::look_at(database)) {
        (_, Err(store::Error::Denied(_))) => {
            labelled(&checks::DATABASE, &super::errors::closed(database));
            vec![by.reads("status")]
        }
        (_, Err(_)) => {
            labelled(&checks::DATABASE, &checks::not_made_yet(&database.display().to_string()));
            vec!["prefetchd demo".to_owned(), by.reads("check"), by.start()]
        }
        (Held::Free, Ok(())) => {
            labelled(&checks::DAEMON, &checks::NOT_RUNNING);
            vec![by.start(), by.reads("status")]
        }
        (_, Ok(())) => {
            labelled(&checks::DAEMON, &checks::running(pid));
            vec![by.reads("status"), by.reads("add FILE"), by.reads("wait FILE")]
        }
    };
    if let Some((pending, complete)) = counts(database) {
        labelled(&checks::QUEUE, &checks::queue(&number(pending), &number(complete)));
    }
    out(&format!("\n{}", checks::NEXT.say(lang())));
    next.iter().for_each(|command| out(&format!("  {command}")));
    out("  prefetchd --help");
    super::text::settle(exit::USAGE)
}

/// URLs that wait and that are warm, if the database can be asked.
fn counts(database: &Path) -> Option<(i64, i64)> {
    use crate::model::UrlState::{Complete, Pending};
    let runtime = runtime().ok()?;
    let report = runtime.block_on(async {
        let mut conn = store::open_reader(database).await?;
        read_report(&mut conn, 0).await
    });
    report.ok().map(|report| (report.count(Pending), report.count(Complete)))
}
