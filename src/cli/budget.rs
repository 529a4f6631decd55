//! `prefetchd budget`

use std::path::Path;

use clap::Subcommand;
use strum::VariantArray as _;

use super::{failure, load, open_existing, runtime, text, who};
use crate::model::Lane;
use crate::queue::{self, Asker};
use crate::status::told_clock;
use crate::words::commands;
use crate::{exit, ledger, store};

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
        /// Only what prefetch, purge or purge-directory has cost; without it all that is in doubt
        #[arg(long, value_parser = super::lane_words())]
        action: Option<Lane>,
    },
}

pub(super) fn main(config: Option<&Path>, args: &BudgetArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let BudgetCommand::Confirm { requests_used, action } = args.command;
    if requests_used.is_some() && action.is_some_and(|lane| lane != Lane::Prefetch) {
        return Err(failure(exit::USAGE, commands::REQUESTS_OF_PREFETCH));
    }
    let confirmed = runtime()?.block_on(async {
        let store = open_existing(&config).await?;
        let clock = told_clock(&mut store.read().acquire().await?).await?;
        let mut tx = store.write().await?;
        let mut confirmed = Vec::new();
        for lane in Lane::VARIANTS.iter().copied().filter(|lane| action.is_none_or(|action| action == *lane)) {
            // What purges cost is in their markers.
            let requests = requests_used.filter(|_| lane == Lane::Prefetch);
            let Some((day, requests)) = ledger::confirm_tx(&mut tx, lane, requests).await? else { continue };
            let what = match lane {
                Lane::Prefetch => format!("{requests} requests of {day} count as spent"),
                _ => format!("{requests} requests of {day} count as spent on {}", lane.word()),
            };
            let asker = Asker { who: &who::asks(), host: store.host() };
            queue::record_done_order_tx(&mut tx, asker, "budget confirm", &what, clock.now()).await?;
            confirmed.push((lane, day, requests));
        }
        tx.commit().await?;
        store.close().await;
        store::Result::Ok(confirmed)
    })?;
    if confirmed.is_empty() {
        return Err(failure(exit::DATA, commands::NOTHING_TO_CONFIRM));
    }
    for (lane, day, requests) in confirmed {
        let requests = text::number(requests.into());
        text::tell(&match lane {
            Lane::Prefetch => commands::confirmed(&day, &requests),
            _ => commands::confirmed_purges(lane.word(), &day, &requests),
        });
    }
    Ok(0)
}
