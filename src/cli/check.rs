//! `prefetchd check`: finds beforehand what start would refuse.

use std::path::Path;

use anyhow::Context as _;

use super::{failure, load, runtime, text};
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::{self, Provider};
use crate::daemon::{Held, Lock, lock_paths};
use crate::model::PauseWhy;
use crate::service::Service;
use crate::spool::{APART, Folders};
use crate::submit::still_paused;
use crate::{exit, store, words};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd check --online")]
pub(super) struct CheckArgs {
    /// Also ask the service, with a free call, whether it takes the credentials
    #[arg(long)]
    online: bool,
    /// Say only what is wrong
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn main(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<i32> {
    let said = check(config, args)?;
    if !args.quiet {
        said.iter().for_each(|line| text::out(line));
    }
    Ok(0)
}

/// What was found to be well.
fn check(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<Vec<String>> {
    let (config, path) = load(config)?;
    let source = path.map_or("none found, the built-in defaults hold".to_owned(), |path| path.display().to_string());
    let mut said = vec![format!("configuration  ok: {source}")];
    if let Some(listen) = config.http.listen {
        said.push(format!("metrics        will be served at http://{listen}/metrics"));
    }
    check_paths(&config, &mut said)?;
    let (credentials, source) = credentials::load(&config)?;
    said.push(format!("credentials    ok: access key {} from {source}", credentials.access_key_id));
    let service = Service::new(&config, Clock::system(), Provider::new(&config, (credentials, source)))
        .context("setting up TLS; are root certificates installed (on Debian, the package ca-certificates)?")?;
    runtime()?.block_on(async {
        said.push(check_database(config.database.url.path()).await?);
        if args.online {
            said.push(check_online(&config, &service).await?);
        }
        Ok(said)
    })
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
            return Err(failure(exit::CONFIG, format!("[spool] dir: {}: {APART}", folder.display())));
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

/// The nearest directory that is there must let us make the rest.
fn writable_ancestor(path: &Path, key: &str) -> anyhow::Result<()> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return Err(failure(exit::CONFIG, format!("{key}: {} is not a directory", there.display())));
    }
    writable(there, key)
}

fn writable(dir: &Path, key: &str) -> anyhow::Result<()> {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).map_err(|error| {
        let message = format!(
            "{key}: {} is not writable for this user: {error}; docs/operate.md says whose it is to be",
            dir.display()
        );
        failure(exit::CONFIG, message)
    })
}

async fn check_database(path: &Path) -> anyhow::Result<String> {
    store::refuse_linked(path)?;
    match store::open_reader(path).await {
        Ok(_) => {
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|error| {
                failure(
                    exit::CONFIG,
                    format!("[database] url: {} is not writable for this user: {error}", path.display()),
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

async fn check_online(config: &Config, service: &Service) -> anyhow::Result<String> {
    let said = service.quota().await;
    let url = config.api.endpoint.url();
    if let Err(fault) = &said
        && fault.http_status.is_none()
    {
        let why = fault.message.as_deref().unwrap_or_default();
        return Err(failure(exit::UNAVAILABLE, format!("{url} does not answer: {why}")));
    }
    let unlike = PauseWhy::Text("it does not answer like the API; is [api] endpoint right?".to_owned());
    match still_paused(&said, &unlike) {
        Some(why) if why == unlike => Err(failure(exit::UNAVAILABLE, format!("{url}: {}", words::pause(&why).en))),
        Some(why) => Err(failure(exit::CONFIG, format!("{url} refuses the account: {}", words::pause(&why).en))),
        None => Ok(format!("service        ok: {url} takes the credentials")),
    }
}
