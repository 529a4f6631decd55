//! Free calls: what is left of the day and what time it is, and whether a paused account is well again.

use chrono::TimeDelta;
use tracing::{info, warn};

use super::outcome::{AccountFault, Deferral, Outcome};
use super::pause::{probe_at, still_paused};
use super::reaction::{Lesson, react};
use super::worker::{Step, Submitter};
use crate::credentials;
use crate::ledger::{self, Fact};
use crate::model::Time;
use crate::queue::Batch;
use crate::schedule::{PauseWhy, Snapshot, Standing, Unit};
use crate::store;
use crate::vod::{Reply, SignedCall};

/// Around midnight the service's clock may be a little behind this one: it is asked again after this ...
const ASK_TIME_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// ... and after this, where its answers do not tell the time.
const ASK_TIMELESS_AGAIN: TimeDelta = TimeDelta::seconds(60);

impl Submitter {
    /// Asks for the quota. The answer's `Date` tells, whatever else it says, whether a new budget day has begun.
    pub(super) async fn ask(&mut self, snapshot: &Snapshot, now: Time) -> store::Result<Step> {
        let reply = self.ask_quota().await;
        let outcome = Outcome::of(&reply);
        let said = match &reply {
            Reply::Answered(answer) if answer.is_success() => answer.quota(),
            _ => None,
        };
        if let Some(quota) = said {
            self.observe(snapshot, quota).await?;
        } else if matches!(reply, Reply::Answered(_)) && is_final(&outcome) {
            if snapshot.standing.quota_readable {
                warn!(%outcome, "the service does not tell what is left of the day; the ledger alone counts for an hour");
            }
            let mut tx = self.store.write().await?;
            ledger::note_fact_tx(&mut tx, Fact::QuotaReadable(false), self.now()).await?;
            tx.commit().await?;
        } else {
            return self.could_not_ask(&outcome, &reply, &snapshot.standing).await;
        }
        if !snapshot.spent.confirmed {
            self.confirm_day(&reply, now);
        }
        Ok(Step::Tidied)
    }

    async fn ask_quota(&mut self) -> Reply {
        self.turn().await;
        let nonce = uuid::Uuid::new_v4().to_string();
        let call = SignedCall::quota(&self.credentials, &nonce, self.now());
        let reply = self.deliver(&call).await;
        self.learn_time(&reply);
        reply
    }

    async fn observe(&self, snapshot: &Snapshot, quota: (u64, u64)) -> store::Result<()> {
        let now = self.now();
        let spent = &snapshot.spent;
        let mut tx = self.store.write().await?;
        // A day that is not confirmed is not taken on the books: perhaps it has not begun.
        if !spent.confirmed && self.told != Some(spent.day) {
            return tx.roll_back().await;
        }
        ledger::enter_day_tx(&mut tx, &spent.day, &self.policy).await?;
        let taught = ledger::observe_tx(&mut tx, spent, snapshot.standing.unit, quota, now).await?;
        ledger::note_fact_tx(&mut tx, Fact::Quota(quota.0), now).await?;
        ledger::note_fact_tx(&mut tx, Fact::QuotaReadable(true), now).await?;
        if let Some(unit) = taught.unit {
            ledger::note_fact_tx(&mut tx, Fact::Unit(unit), now).await?;
        }
        let drift = match taught.drift {
            Some(drift) if drift > 0 => ledger::say_drift_tx(&mut tx, &spent.day).await?.then_some(drift),
            _ => None,
        };
        tx.commit().await?;
        if let Some(unit) = taught.unit {
            info!(unit = unit.word(), "learned what the daily quota counts");
        }
        if let Some(drift) = drift {
            let unit = taught.unit.or(snapshot.standing.unit).map_or("", Unit::word);
            warn!(drift, unit, "others spend this account's quota too; what the service says is left counts");
        }
        Ok(())
    }

    async fn could_not_ask(&self, outcome: &Outcome, reply: &Reply, standing: &Standing) -> store::Result<Step> {
        let at = self.circumstances(&Batch::default(), standing);
        let mut tx = self.store.write().await?;
        match react(outcome, reply, &at).lesson {
            Lesson::Pause { why, probe_at } => self.pause_account_tx(&mut tx, &why, at.now, probe_at).await?,
            _ => {
                let until = at.backoff.until(at.now, at.failures.saturating_add(1), at.jitter);
                let why = format!("asking what is left of the day: {outcome}");
                ledger::back_off_tx(&mut tx, until, &why).await?;
            }
        }
        tx.commit().await?;
        Ok(Step::Tidied)
    }

    /// A new day begins when the service's clock says so; where its answers do not tell the time, when the boot-time clock
    /// has run as far as the wall clock.
    fn confirm_day(&mut self, reply: &Reply, now: Time) {
        let tells_time = matches!(reply, Reply::Answered(answer) if answer.date.is_some());
        let today = crate::model::BudgetDay::of(self.now(), self.policy.day_starts);
        if !tells_time && self.boot_clock_agrees(now) {
            self.told = Some(today);
        }
        self.clock_doubt = match self.told {
            Some(told) if told == today => None,
            _ if tells_time => Some(self.now() + ASK_TIME_AGAIN),
            _ => {
                warn!("this clock says that a new budget day has begun, and nobody confirms it; nothing is sent");
                Some(self.now() + ASK_TIMELESS_AGAIN)
            }
        };
    }

    /// Tries with a free call, and credentials read afresh, whether a pause is over.
    ///
    /// A pause is said to be over when a batch is answered, or at once if there is none to send: some accounts answer free
    /// calls only.
    pub(super) async fn probe(&mut self, why: &PauseWhy, snapshot: &Snapshot) -> store::Result<Step> {
        match credentials::load(&self.keys) {
            Ok((credentials, _)) => self.credentials = credentials,
            Err(error) => warn!(%error, "the credentials could not be read afresh; the old ones are tried"),
        }
        let paused = still_paused(&self.ask_quota().await, why);
        let now = self.now();
        let mut tx = self.store.write().await?;
        match &paused {
            None => {
                ledger::resume_tx(&mut tx).await?;
                if snapshot.ready.urls == 0 {
                    self.account_is_well_tx(&mut tx, now).await?;
                }
            }
            Some(why) => self.pause_account_tx(&mut tx, why, now, probe_at(snapshot.standing.probes, now)).await?,
        }
        tx.commit().await?;
        Ok(Step::Tidied)
    }
}

/// Whether an answer that is no quota will be the same when asked again soon: this key may not ask, or the service does not
/// know what it was asked. Anything that passes is worth another try.
fn is_final(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Refused(_) => true,
        Outcome::Deferred(deferral) => match deferral {
            Deferral::Account(fault) => *fault == AccountFault::Forbidden,
            Deferral::Unreachable
            | Deferral::Throttled
            | Deferral::Unavailable
            | Deferral::ClockSkew
            | Deferral::NonceUsed => false,
            // A 2xx that says something else, or a code that nobody documents.
            _ => true,
        },
    }
}
