//! `prefetchd retry`

use std::path::Path;

use super::text::{number, out};
use super::{failure, load, runtime};
use crate::clock::Clock;
use crate::store::{self, Store};
use crate::{exit, queue};

#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// Give this domain, which is refused or offline, another chance: its URLs are sent again
    ///
    /// Where prefetchd may ask for the account's domains, it does so first, and believes the answer.
    #[arg(long)]
    host: String,
}

pub(super) fn main(config: Option<&Path>, args: &RetryArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let path = config.database.url.path();
    if !path.exists() {
        return Err(store::Error::Missing(path.to_path_buf()).into());
    }
    let waiting = runtime()?.block_on(async {
        let store = Store::open(path).await?;
        let mut tx = store.write().await?;
        let waiting = queue::retry_host_tx(&mut tx, &args.host.to_ascii_lowercase(), Clock::system().now()).await?;
        tx.commit().await?;
        store.close().await;
        store::Result::Ok(waiting)
    })?;
    match waiting {
        Some(urls) => {
            out(&format!("{}: {} URLs go on; `prefetchd hosts` shows what becomes of it", args.host, number(urls)));
            Ok(0)
        }
        None => Err(failure(
            exit::DATA,
            format!("{}: no such domain is refused or offline; `prefetchd hosts` lists those that are", args.host),
        )),
    }
}
