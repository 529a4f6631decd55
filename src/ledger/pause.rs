//! Pauses the whole account, and says when a free call probes it. Any stage that meets a fault of the account pauses
//! all stages.

use std::time::Duration;

use tracing::{info, warn};

use super::account::{pause_tx, well_again_tx};
use crate::model::{AccountFault, Backoff, Lane, PauseWhy, Time};
use crate::notify::{self, Event};
use crate::store::{Result, WriteTx};
use crate::words;

/// How long a paused account is left alone before each free probe.
const PROBE_AFTER: Backoff = Backoff { min: Duration::from_secs(60), max: Duration::from_secs(3_600) };

/// Pauses the account until a free call, made at `probe_at`, succeeds; tells it once, at the start.
pub async fn pause_account_tx(
    tx: &mut WriteTx<'_>,
    lane: Lane,
    why: &PauseWhy,
    now: Time,
    probe_at: Time,
) -> Result<()> {
    if pause_tx(tx, lane, why, now, probe_at).await? {
        let words = words::pause(why);
        if why.code() == "purge_forbidden" {
            warn!(why = %words.en, "purges are refused: none is sent until this is fixed, and prefetching goes on");
        } else {
            warn!(
                why = %words.en, code = why.code(),
                "the account is refused: nothing is sent until this is fixed; a free call tests it now and then"
            );
        }
        let event = Event::Paused { why: words.en.into_owned(), why_code: why.code(), why_zh: words.zh.into_owned() };
        notify::add_tx(tx, &event, now).await?;
    }
    Ok(())
}

/// Pauses for a fault of the account. `probes` is how many free calls have failed so far.
pub async fn pause_for_tx(tx: &mut WriteTx<'_>, lane: Lane, fault: AccountFault, probes: u32, now: Time) -> Result<()> {
    pause_account_tx(tx, lane, &pause_why(lane, fault), now, probe_at(probes, now)).await
}

/// The account works; tells it once, when a pause ends.
pub async fn account_is_well_tx(tx: &mut WriteTx<'_>, lane: Lane, now: Time) -> Result<()> {
    if well_again_tx(tx, lane).await? {
        info!("the account is answered again; submitting goes on");
        notify::add_tx(tx, &Event::Resumed, now).await?;
    }
    Ok(())
}

/// What must change before anything is sent.
pub fn pause_why(lane: Lane, fault: AccountFault) -> PauseWhy {
    PauseWhy::Account(match fault {
        AccountFault::Forbidden if lane != Lane::Prefetch => AccountFault::PurgeForbidden,
        fault => fault,
    })
}

/// When the next free call probes a paused account, after this many failures: 1, 2, 4 … 60 minutes.
pub fn probe_at(probes: u32, now: Time) -> Time {
    PROBE_AFTER.bound_from(now, probes.saturating_add(1))
}
