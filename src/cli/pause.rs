//! `prefetchd pause`, `prefetchd resume`

use std::path::Path;

use super::orders::patient;
use super::text::tell;
use super::{load, open_existing, runtime, who};
use crate::model::Lane;
use crate::queue::{self, Asker};
use crate::status::told_clock;
use crate::words::commands;
use crate::{ledger, store, words};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd pause --reason 'maintenance of the origin until 18:00'")]
pub(super) struct PauseArgs {
    /// Why, shown to everybody who asks [default: the reason of the pause that holds, else "no reason given"]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd resume")]
pub(super) struct ResumeArgs {}

pub(super) fn pause(config: Option<&Path>, args: &PauseArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    runtime()?.block_on(async {
        let store = open_existing(&config).await?;
        let (who, now) = (who::asks(), told_clock(&mut store.read().acquire().await?).await?.now());
        let mut tx = patient(&store).await?;
        ledger::stop_tx(&mut tx, args.reason.as_deref(), &who, now).await?;
        let reason = args.reason.as_deref().unwrap_or_default();
        let asker = Asker { who: &who, host: store.host() };
        queue::record_done_order_tx(&mut tx, asker, "pause", reason, now).await?;
        tx.commit().await?;
        store.close().await;
        store::Result::Ok(())
    })?;
    tell(&commands::PAUSED);
    Ok(0)
}

pub(super) fn resume(config: Option<&Path>, _: &ResumeArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let (was_paused, account) = runtime()?.block_on(async {
        let store = open_existing(&config).await?;
        let now = told_clock(&mut store.read().acquire().await?).await?.now();
        let mut tx = patient(&store).await?;
        let was_paused = ledger::go_on_tx(&mut tx).await?;
        let account = ledger::standing(tx.conn(), Lane::Prefetch, now).await?.pause;
        let is_asked = ledger::ask_at_once_tx(&mut tx).await?;
        if was_paused || is_asked {
            let asker = Asker { who: &who::asks(), host: store.host() };
            queue::record_done_order_tx(&mut tx, asker, "resume", "", now).await?;
        }
        tx.commit().await?;
        store.close().await;
        store::Result::Ok((was_paused, account))
    })?;
    tell(&if was_paused { commands::RESUMED } else { commands::WAS_NOT_PAUSED });
    if let Some(pause) = account {
        tell(&commands::asking_now(&words::pause(&pause.why)));
    }
    Ok(0)
}
