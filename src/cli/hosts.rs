//! `prefetchd hosts`

use std::path::Path;

use super::list;
use crate::status::List;

#[derive(Debug, clap::Args)]
pub(super) struct HostsArgs {
    /// Only domains of this standing: unknown, good, refused or offline
    #[arg(long, value_parser = ["unknown", "good", "refused", "offline"])]
    standing: Option<String>,
    /// Only this domain
    #[arg(long)]
    host: Option<String>,
    /// Rows at most
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(config: Option<&Path>, args: &HostsArgs) -> anyhow::Result<i32> {
    let mut filters = Vec::new();
    filters.extend(args.standing.as_deref().map(|standing| ("standing = ?", standing)));
    filters.extend(args.host.as_deref().map(|host| ("host = ?", host)));
    let columns = &["host", "standing", "since", "pending", "why"];
    // What waits for the operator comes first.
    let order = "standing in ('refused', 'offline') desc, pending desc, host";
    list::print(config, &List { view: "v_hosts", columns, order, filters, limit: args.limit }, args.json)
}
