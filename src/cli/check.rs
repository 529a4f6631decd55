//! `prefetchd check`: finds beforehand what start would refuse.

use std::path::Path;

use super::{failure, load, runtime, text};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::daemon::{Held, Lock, lock_paths};
use crate::schedule::PauseWhy;
use crate::spool::Folders;
use crate::submit::still_paused;
use crate::vod::{Client, Reply, SignedCall};
use crate::{exit, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd check --online")]
pub(super) struct CheckArgs {
    /// Also ask the service, with a free call, whether it takes the credentials
    #[arg(long)]
    online: bool,
}

pub(super) fn main(config: Option<&Path>, args: &CheckArgs) -> anyhow::Result<i32> {
    let (config, path) = load(config)?;
    let source = path.map_or("none found, the built-in defaults hold".to_owned(), |path| path.display().to_string());
    text::out(&format!("configuration  ok: {source}"));
    if config.http.listen.is_some() {
        text::out("note           [http] listen is not served by this version");
    }
    check_paths(&config)?;
    runtime()?.block_on(async {
        check_database(config.database.url.path()).await?;
        let credentials = Credentials::load()?;
        text::out(&format!("credentials    ok: access key {} from the environment", credentials.access_key_id));
        if args.online { check_online(&config, &credentials).await } else { Ok(()) }
    })?;
    Ok(0)
}

fn check_paths(config: &Config) -> anyhow::Result<()> {
    let folders = Folders::under(&config.spool.dir);
    let missing = folders.all().iter().filter(|folder| !folder.is_dir()).count();
    match missing {
        0 => text::out(&format!("spool          ok: {}", config.spool.dir.display())),
        _ => {
            writable_ancestor(&config.spool.dir, "[spool] dir")?;
            text::out(&format!("spool          ok: {} ({missing} folder(s) will be made)", config.spool.dir.display()));
        }
    }
    for path in lock_paths(config) {
        if let Held::By(pid) = Lock::held(&path) {
            text::out(&format!("daemon         running, pid {pid}, holds {}", path.display()));
        }
    }
    Ok(())
}

/// The nearest directory that is there must let us make the rest.
fn writable_ancestor(path: &Path, key: &str) -> anyhow::Result<()> {
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match writable {
        Ok(()) if there.is_dir() => Ok(()),
        Ok(()) => Err(failure(exit::CONFIG, format!("{key}: {} is not a directory", there.display()))),
        Err(error) => {
            let message =
                format!("{key}: {} cannot be made, {} is not writable: {error}", path.display(), there.display());
            Err(failure(exit::CONFIG, message))
        }
    }
}

async fn check_database(path: &Path) -> anyhow::Result<()> {
    match store::open_reader(path).await {
        Ok(_) => text::out(&format!("database       ok: {}", path.display())),
        Err(store::Error::Missing(_)) => {
            writable_ancestor(path.parent().unwrap_or(path), "[database] url")?;
            text::out(&format!("database       ok: {} (will be made)", path.display()));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn check_online(config: &Config, credentials: &Credentials) -> anyhow::Result<()> {
    let nonce = uuid::Uuid::new_v4().to_string();
    let call = SignedCall::quota(credentials, &nonce, crate::clock::Clock::system().now());
    let reply = Client::new(&config.api)?.send(&call).await;
    let url = config.api.endpoint.url();
    match &reply {
        Reply::NotSent(why) | Reply::Lost(why) => {
            return Err(failure(exit::UNAVAILABLE, format!("{url} does not answer: {why}")));
        }
        Reply::Answered(_) => {}
    }
    let unlike = PauseWhy("it does not answer like the API; is [api] endpoint right?".to_owned());
    match still_paused(&reply, &unlike) {
        Some(why) if why == unlike => Err(failure(exit::UNAVAILABLE, format!("{url}: {why}"))),
        Some(why) => Err(failure(exit::CONFIG, format!("{url} refuses the account: {why}"))),
        None => {
            text::out(&format!("service        ok: {url} takes the credentials"));
            Ok(())
        }
    }
}
