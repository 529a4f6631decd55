//! `prefetchd pause`, `prefetchd resume`

use std::path::Path;

use super::orders::patient;
use super::text::out;
use super::{load, open_existing, runtime, who};
use crate::model::Lane;
use crate::status::told_clock;
use crate::{ledger, queue, store, words};

/// The reason if none is given.
const NO_REASON: &str = "no reason given";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd pause --reason 'maintenance of the origin until 18:00'")]
pub(super) struct PauseArgs {
    /// Why, shown to everybody who asks
    #[arg(long, value_name = "TEXT", default_value = NO_REASON)]
    reason: String,
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
        ledger::stop_tx(&mut tx, &args.reason, &who, now).await?;
        queue::record_done_order_tx(&mut tx, &who, "pause", &args.reason, now).await?;
        tx.commit().await?;
        store.close().await;
        store::Result::Ok(())
    })?;
    out("paused: a call that is on its way is finished, nothing more is sent until `prefetchd resume`");
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
            queue::record_done_order_tx(&mut tx, &who::asks(), "resume", "", now).await?;
        }
        tx.commit().await?;
        store.close().await;
        store::Result::Ok((was_paused, account))
    })?;
    out(if was_paused { "resumed: submitting goes on" } else { "it was not paused by an operator" });
    if let Some(pause) = account {
        let why = crate::telemetry::one_line(&words::pause(&pause.why).en);
        out(&format!("the account was refused ({why}): asking the service now"));
    }
    Ok(0)
}
