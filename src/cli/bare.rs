//! `prefetchd` without a command: what state things are in, and what to do next.

use std::path::Path;

use super::text::{err, out};
use super::{load, runtime};
use crate::daemon::Held;
use crate::status::{Invocation, read_report};
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
    let pid = match &holder {
        Held::By(pid) => pid.parse().ok(),
        Held::Free | Held::Unknown => None,
    };
    let by = Invocation::here(&config, path.as_deref(), pid);
    out("prefetchd warms the CDN of ApsaraVideo VOD, CDN or DCDN: drop files of URLs and forget them.\n");
    let from = path.map_or_else(|| "the defaults; no file was found".to_owned(), |path| path.display().to_string());
    out(&format!("configuration  {from}"));
    out(&format!("spool          {}", config.spool.dir.join("incoming").display()));
    let database = config.database.url.path();
    let next = match (&holder, database.exists()) {
        (_, false) => {
            out(&format!("database       {}, not made yet: no daemon has run", database.display()));
            vec![by.reads("demo"), by.reads("check"), by.start()]
        }
        (Held::Free, true) => {
            out("daemon         not running");
            vec![by.start(), by.reads("status")]
        }
        (_, true) => {
            out(&format!("daemon         running{}", pid.map(|pid: i64| format!(", pid {pid}")).unwrap_or_default()));
            vec![by.reads("status"), by.reads("add FILE"), by.reads("wait FILE")]
        }
    };
    if let Some((pending, complete)) = counts(database) {
        out(&format!("queue          {pending} URLs pending, {complete} warm"));
    }
    out("\nnext:");
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
