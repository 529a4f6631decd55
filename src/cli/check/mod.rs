//! `prefetchd check`: finds problems that would keep the daemon from starting.

mod online;

use std::path::Path;

use anyhow::Context as _;

use self::online::Findings;
use super::{failure, load, runtime, text};
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::{self, Provider};
use crate::daemon::{Held, Lock, OtherProduct, lock_paths};
use crate::ledger;
use crate::service::Service;
use crate::spool::Folders;
use crate::words::checks;
use crate::{exit, store};

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
        well.iter().for_each(|line| text::out(line));
    }
    amiss.iter().for_each(|line| text::err(line));
    Ok(0)
}

fn check(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<Findings> {
    let (config, path) = load(config)?;
    let shown = path.as_ref().map(|path| path.display().to_string());
    let source = shown.unwrap_or_else(|| "none found, the built-in defaults hold".to_owned());
    let mut said = vec![format!("configuration  ok: {source}")];
    if let Some(listen) = config.http.listen {
        said.push(format!("metrics        will be served at http://{listen}/metrics"));
    }
    check_paths(&config, &mut said)?;
    let prepared = credentials::prepare_as_the_service(&config, path.as_deref().and_then(instance))?;
    let source = prepared.source().clone();
    let service = Service::new(&config, Clock::system(), Provider::new(prepared))?;
    let key = service.keys().current();
    said.push(if key.is_valid() {
        format!("credentials    ok: access key …{} from {source}", key.credentials.tail())
    } else {
        let how = "`prefetchd check --online` does it now";
        format!("credentials    to be asked for over the network: {source}; {how}")
    });
    runtime()?.block_on(async {
        said.push(check_database(&config).await?);
        let mut findings = if args.online { online::ask(&config, &service).await? } else { Findings::default() };
        said.append(&mut findings.well);
        Ok(Findings { well: said, ..findings })
    })
}

/// The name of the instance that reads this configuration, `prefetchd@NAME.service`; none of the plain service.
fn instance(config: &Path) -> Option<&str> {
    let is_systems = config.parent() == Path::new(crate::config::SYSTEM_PATH).parent();
    let name = config.file_stem()?.to_str()?;
    (is_systems && name != "prefetchd").then_some(name)
}

fn check_paths(config: &Config, said: &mut Vec<String>) -> anyhow::Result<()> {
    let folders = Folders::under(&config.spool.dir);
    let mut missing = 0;
    for folder in folders.all() {
        if folder.is_dir() {
            writable(folder, "[spool] dir")?;
        } else {
            missing += 1;
        }
    }
    let dir = config.spool.dir.display();
    if missing > 0 {
        writable_ancestor(&config.spool.dir, "[spool] dir")?;
        said.push(format!("spool          ok: {dir} ({missing} folder(s) will be made)"));
    } else {
        if let Some(folder) = folders.apart().context("looking at the spool's folders")? {
            return Err(failure(exit::CONFIG, checks::apart(&folder.display().to_string())));
        }
        said.push(format!("spool          ok: {dir}"));
    }
    for path in lock_paths(config) {
        if let Held::By(pid) = Lock::held(&path) {
            said.push(format!("daemon         running, pid {pid}, holds {}", path.display()));
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

async fn check_database(config: &Config) -> anyhow::Result<String> {
    let path = config.database.url.path();
    store::refuse_linked(path)?;
    match store::open_reader(path).await {
        Ok(mut conn) => {
            let owner = ledger::product_of(&mut conn).await?;
            if let Some(owner) = owner.filter(|owner| *owner != config.api.product) {
                return Err(OtherProduct::of(config, owner).into());
            }
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|error| {
                failure(
                    exit::CONFIG,
                    checks::not_writable("[database] url", &path.display().to_string(), &error.into()),
                )
            })?;
            Ok(format!("database       ok: {}", path.display()))
        }
        Err(store::Error::Missing(_)) => {
            writable_ancestor(path.parent().unwrap_or(path), "[database] url")?;
            Ok(format!("database       ok: {} (will be made)", path.display()))
        }
        Err(error) => Err(error.into()),
    }
}
