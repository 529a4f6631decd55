//! `prefetchd hosts`

use std::path::Path;

use super::list::{self, ListArgs};
use crate::status::List;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  prefetchd hosts --standing offline\n  prefetchd hosts --host vod.example.com --json"
)]
pub(super) struct HostsArgs {
    /// Only domains with this standing: unknown, good, refused or offline
    #[arg(long, visible_alias = "state", value_parser = ["unknown", "good", "refused", "offline"])]
    standing: Option<String>,
    /// Only this domain
    #[arg(long)]
    host: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) fn main(config: Option<&Path>, args: &HostsArgs) -> anyhow::Result<i32> {
    let list = List::hosts(args.standing.clone(), args.host.clone(), args.list.limit);
    list::print(config, &list, None, &args.list)
}
