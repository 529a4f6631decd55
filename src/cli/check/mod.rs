//! `prefetchd check`: finds problems that would keep the daemon from starting.

mod online;
mod server;

use std::path::Path;

use anyhow::Context as _;

use self::online::Findings;
use super::layout::fit;
use super::{failure, load, runtime, text};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::credentials::{self, Provider};
use crate::daemon::{Held, Lock, OtherProduct, lock_paths};
use crate::ledger;
use crate::model::ProductName;
use crate::service::Service;
use crate::spool::Folders;
use crate::words::{self, Words, checks};
use crate::{exit, store};

/// The room of a label.
const LABEL: usize = 15;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd check --online")]
pub(super) struct CheckArgs {
    /// Also ask the service, with a free call, whether it accepts the credentials
    #[arg(long)]
    online: bool,
    /// Print only problems
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn main(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<i32> {
    let Findings { well, amiss } = check(config, args)?;
    if !args.quiet {
        well.iter().for_each(|(label, said)| labelled(label, said));
    }
    amiss.iter().for_each(|said| text::err(said.say(text::lang())));
    Ok(0)
}

/// A line with its label; never broken, so that other programs find it.
pub(super) fn labelled(label: &Words, said: &Words) {
    text::out(&format!("{}{}", fit(label.say(text::lang()), LABEL), said.say(text::lang())));
}

fn check(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<Findings> {
    let (config, path) = load(config)?;
    let shown = path.as_ref().map(|path| path.display().to_string());
    let found = shown.map_or(checks::DEFAULTS_HOLD, |path| checks::ok(&path));
    let mut said = vec![(checks::CONFIGURATION, found)];
    if let Some(listen) = config.http.listen {
        said.push((checks::METRICS, checks::metrics(&listen.to_string())));
    }
    check_paths(&config, &mut said)?;
    let prepared = credentials::prepare_as_the_service(&config, path.as_deref().and_then(instance))?;
    let source = words::key_source(&prepared.source().to_string());
    let service = Service::new(&config, Clock::system(), Provider::new(prepared))?;
    let key = service.keys().current();
    let is_here = key.is_valid();
    said.push((
        checks::CREDENTIALS,
        if is_here { checks::key_here(key.credentials.tail(), &source) } else { checks::key_to_ask(&source) },
    ));
    runtime()?.block_on(async {
        let (database, mut amiss) = check_database(&config).await?;
        said.push((checks::DATABASE, database));
        let mut findings = if args.online { online::ask(&config, &service).await? } else { Findings::default() };
        said.append(&mut findings.well);
        amiss.append(&mut findings.amiss);
        findings.amiss = amiss;
        Ok(Findings { well: said, ..findings })
    })
}

/// The name of the instance that reads this configuration, `prefetchd@NAME.service`; none of the plain service.
fn instance(config: &Path) -> Option<&str> {
    let is_systems = config.parent() == Path::new(crate::config::SYSTEM_PATH).parent();
    let name = config.file_stem()?.to_str()?;
    (is_systems && name != "prefetchd").then_some(name)
}

fn check_paths(config: &Config, said: &mut Vec<(Words, Words)>) -> anyhow::Result<()> {
    let folders = Folders::under(&config.spool.dir);
    let mut missing = 0;
    for folder in folders.all().into_iter().chain([folders.orders.as_path()]) {
        if folder.is_dir() {
            writable(folder, "[spool] dir")?;
        } else {
            missing += 1;
        }
    }
    let dir = config.spool.dir.display().to_string();
    if missing > 0 {
        writable_ancestor(&config.spool.dir, "[spool] dir")?;
        said.push((checks::SPOOL, checks::folders_will_be_made(&dir, missing)));
    } else {
        if let Some(folder) = folders.apart().context("looking at the spool's folders")? {
            return Err(failure(exit::CONFIG, checks::apart(&folder.display().to_string())));
        }
        said.push((checks::SPOOL, checks::ok(&dir)));
    }
    for path in lock_paths(config) {
        if let Held::By(pid) = Lock::held(&path) {
            said.push((checks::DAEMON, checks::holds(&pid, &path.display().to_string())));
        }
    }
    Ok(())
}

/// The nearest existing directory must let us create the rest.
fn writable_ancestor(path: &Path, key: &str) -> anyhow::Result<()> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return Err(failure(exit::CONFIG, checks::no_directory(key, &there.display().to_string())));
    }
    writable(there, key)
}

fn writable(dir: &Path, key: &str) -> anyhow::Result<()> {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|error| failure(exit::CONFIG, checks::not_writable(key, &dir.display().to_string(), &error.into())))
}

fn refuse_other(config: &Config, owner: Option<ProductName>) -> anyhow::Result<()> {
    let owner = owner.filter(|owner| *owner != config.api.product);
    owner.map_or(Ok(()), |owner| Err(OtherProduct::of(config, owner).into()))
}

async fn check_database(config: &Config) -> anyhow::Result<(Words, Vec<Words>)> {
    let path = match &config.database.url {
        DatabaseUrl::File(path) => path,
        DatabaseUrl::Server(server) => return server::check(config, server).await,
    };
    store::refuse_linked(path)?;
    match store::open_reader(path).await {
        Ok(mut conn) => {
            refuse_other(config, ledger::product_of(&mut conn).await?)?;
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|error| {
                failure(
                    exit::CONFIG,
                    checks::not_writable("[database] url", &path.display().to_string(), &error.into()),
                )
            })?;
            Ok((checks::ok(&path.display().to_string()), Vec::new()))
        }
        Err(store::Error::Missing(_)) => {
            writable_ancestor(path.parent().unwrap_or(path), "[database] url")?;
            Ok((checks::will_be_made(&path.display().to_string()), Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}
