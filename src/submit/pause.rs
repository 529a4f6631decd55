//! A paused account: when a free call tries whether it is over, and what that call says.

use std::time::Duration;

use chrono::TimeDelta;

use tracing::{info, warn};

use super::outcome::{Deferral, Outcome};
use super::worker::Submitter;
use crate::ledger;
use crate::model::{AccountFault, Time};
use crate::notify::{self, Event};
use crate::schedule::PauseWhy;
use crate::service::Reply;
use crate::store::{self, WriteTx};
use crate::words;

/// The first free probe comes after this, each later one after twice as long ...
const PROBE_AFTER_MIN: Duration = Duration::from_secs(60);

/// ... up to this.
const PROBE_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Nothing goes until a free call succeeds; said once when it starts.
pub(super) async fn pause_account_tx(
    tx: &mut WriteTx<'_>,
    why: &PauseWhy,
    now: Time,
    probe_at: Time,
) -> store::Result<()> {
    if ledger::pause_tx(tx, why, now, probe_at).await? {
        warn!(%why, "the account is refused: nothing is sent until this is mended; a free call tries by and by");
        notify::add_tx(tx, &Event::Paused { why: why.to_string() }, now).await?;
    }
    Ok(())
}

/// Another stage met a fault of the account: everything pauses, as when the submitter meets it. `probes` is how many free calls
/// have tried the account in vain.
///
/// # Errors
///
/// What the database says.
pub async fn pause_for_tx(tx: &mut WriteTx<'_>, fault: AccountFault, probes: u32, now: Time) -> store::Result<()> {
    pause_account_tx(tx, &pause_why(fault), now, probe_at(probes, now)).await
}

impl Submitter {
    /// The account works; said once when a pause ends.
    pub(super) async fn account_is_well_tx(&self, tx: &mut WriteTx<'_>, now: Time) -> store::Result<()> {
        if ledger::well_again_tx(tx).await? {
            info!("the account is answered again; submitting goes on");
            notify::add_tx(tx, &Event::Resumed, now).await?;
        }
        Ok(())
    }
}

pub(super) fn pause_why(fault: AccountFault) -> PauseWhy {
    PauseWhy(words::account_fault(fault).en.into_owned())
}

/// When the next free call tries a paused account, after so many in vain: 1, 2, 4 … 60 minutes.
pub fn probe_at(probes: u32, now: Time) -> Time {
    let wait = PROBE_AFTER_MIN.saturating_mul(2_u32.saturating_pow(probes)).min(PROBE_AFTER_MAX);
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
}

/// What the free call says of a paused account: none if the pause is over, else why it is not. It is over when the
/// service tells the quota, or says only that this key may not ask for it; that says nothing about prefetching, which
/// is then tried. Whatever else is answered changes nothing.
pub fn still_paused(reply: &Reply, before: &PauseWhy) -> Option<PauseWhy> {
    match reply {
        Reply::Answered(answer) if answer.is_success() && answer.quota().is_some() => None,
        reply => match Outcome::of(reply) {
            Outcome::Deferred(Deferral::Account(AccountFault::Forbidden)) => None,
            Outcome::Deferred(Deferral::Account(fault)) => Some(pause_why(fault)),
            _ => Some(before.clone()),
        },
    }
}
