//! `prefetchd budget`

use std::path::Path;

use clap::Subcommand;

use super::{failure, load, open_existing, runtime, text, who};
use crate::model::Lane;
use crate::status::told_clock;
use crate::words::commands;
use crate::{exit, ledger, queue, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd budget confirm --requests-used 120")]
pub(super) struct BudgetArgs {
    #[command(subcommand)]
    command: BudgetCommand,
}

#[derive(Debug, Subcommand)]
enum BudgetCommand {
    /// Settle what today has cost, after the database was lost or restored from an older copy
    ///
    /// The marker in the spool shows that more was charged than the database knows. If the daemon may not ask the
    /// service for the quota, it sends nothing more today until you confirm. Look up the true number in the console.
    Confirm {
        /// Requests spent today, as the console shows; at least what the marker says is charged in any case
        #[arg(long, value_name = "N")]
        requests_used: Option<u32>,
    },
}

pub(super) fn main(config: Option<&Path>, args: &BudgetArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let BudgetCommand::Confirm { requests_used } = args.command;
    let confirmed = runtime()?.block_on(async {
        let store = open_existing(&config).await?;
        let clock = told_clock(&mut store.read().acquire().await?).await?;
        let mut tx = store.write().await?;
        let mut confirmed = ledger::confirm_tx(&mut tx, Lane::Prefetch, requests_used).await?;
        // What purges cost is in their markers.
        for lane in [Lane::Purge, Lane::PurgeDirectory] {
            let of_purges = ledger::confirm_tx(&mut tx, lane, None).await?;
            confirmed = confirmed.or(of_purges);
        }
        if let Some((day, requests)) = &confirmed {
            let what = format!("{requests} requests of {day} count as spent");
            queue::record_done_order_tx(&mut tx, &who::asks(), "budget confirm", &what, clock.now()).await?;
        }
        tx.commit().await?;
        store.close().await;
        store::Result::Ok(confirmed)
    })?;
    match confirmed {
        Some((day, requests)) => {
            text::tell(&commands::confirmed(&day, &text::number(requests.into())));
            Ok(0)
        }
        None => Err(failure(exit::DATA, commands::NOTHING_TO_CONFIRM)),
    }
}
