//! Free calls: ask what is left of the day and what time it is, and probe a paused account.

use std::time::Duration;

use chrono::TimeDelta;
use tracing::{info, warn};

use super::reaction::{Lesson, react};
use super::worker::{Step, Submitter};
use crate::credentials::OBTAINED_WITHIN;
use crate::ledger::{self, Fact, pause_account_tx, pause_why, probe_at};
use crate::model::{AccountFault, Lane, PauseWhy, Reason, ReasonKind};
use crate::queue::Batch;
use crate::schedule::{Snapshot, Standing, Unit, asked_to_wait};
use crate::service::{Class, Deferral, Fault, Quota};
use crate::store;

/// This many answers in a row may leave the time unproved before it waits with the next question. Three answers without
/// a `Date` make this machine's clock count, and of three with a `Date` two agree, unless something on the way invents
/// them.
const ASK_AT_ONCE: u32 = 4;

/// The quota is asked for so often in vain before the service is tried with another question ...
const QUOTA_TRIES: u32 = 4;

/// ... and so often if that is not answered either, as long as errors come at all.
const QUOTA_TRIES_IN_ALL: u32 = 12;

impl Submitter {
    /// Asks for the quota. The `Date` of any answer tells the time.
    pub(super) async fn ask(&mut self, snapshot: &Snapshot) -> store::Result<Step> {
        self.asked_since_start = true;
        let sent = self.clock.moment();
        let said = self.free(self.service.quota(self.desk.policy.lane)).await;
        let took = self.clock.moment().boot.saturating_sub(sent.boot);
        match said {
            Ok(quota) => self.observe(snapshot, quota, took).await?,
            Err(fault) if is_final(&fault) || self.is_asked_enough(&fault).await => {
                self.cannot_be_asked(&fault, &snapshot.standing).await?;
            }
            Err(fault) => return self.could_not_ask(&fault, &snapshot.standing).await,
        }
        self.desk.quota_failures = 0;
        if snapshot.standing.is_untested() {
            let mut tx = self.store.write().await?;
            ledger::answered_tx(&mut tx, self.desk.policy.lane).await?;
            tx.commit().await?;
        }
        self.was_word_given().await?;
        Ok(Step::Tidied)
    }

    /// Whether the quota has been asked for in vain so often that the ledger alone must do: a few times if the service
    /// answers other questions, and a few times more if it answers nothing.
    async fn is_asked_enough(&mut self, fault: &Fault) -> bool {
        if fault.of_the_account().is_some() || self.clock.reading().wants_word {
            return false;
        }
        self.desk.quota_failures = self.desk.quota_failures.saturating_add(1);
        match self.desk.quota_failures {
            ..QUOTA_TRIES => false,
            QUOTA_TRIES..QUOTA_TRIES_IN_ALL => self.is_answered().await,
            _ => fault.http_status.is_some(),
        }
    }

    /// The service will not say what is left, however often it is asked.
    async fn cannot_be_asked(&self, fault: &Fault, standing: &Standing) -> store::Result<()> {
        if standing.quota_readable {
            let outcome = fault.class;
            warn!(%outcome, "the service does not tell what is left of the day; only the ledger counts for an hour");
        }
        // A permission is missing for all lanes; that an answer lacks a field says nothing about others.
        let is_of_the_key = fault.of_the_account() == Some(AccountFault::Forbidden);
        let fact = if is_of_the_key { Fact::QuotaReadable(false) } else { Fact::QuotaTold(false) };
        let mut tx = self.store.write().await?;
        ledger::note_fact_tx(&mut tx, self.desk.policy.lane, fact, self.now()).await?;
        tx.commit().await
    }

    /// Bounds how often the service is asked for the time in vain. One operation's word may be one front end's: another
    /// operation is asked where the first contradicts what was proved.
    async fn was_word_given(&mut self) -> store::Result<()> {
        let clock = self.clock.reading();
        if clock.proved && clock.wants_word {
            drop(self.free(self.service.domains(1)).await);
        }
        let clock = self.clock.reading();
        if !clock.wants_word && !clock.lone {
            self.asked_in_vain = 0;
            return Ok(());
        }
        self.asked_in_vain = self.asked_in_vain.saturating_add(1);
        if self.asked_in_vain < ASK_AT_ONCE {
            return Ok(());
        }
        let now = self.now();
        let until = self.desk.policy.backoff.until(now, self.asked_in_vain, rand::random());
        let mut tx = self.store.write().await?;
        ledger::back_off_tx(&mut tx, self.desk.policy.lane, until, &ReasonKind::TimeDisputed.into(), now).await?;
        tx.commit().await
    }

    async fn observe(&self, snapshot: &Snapshot, quota: Quota, took: Duration) -> store::Result<()> {
        let now = self.now();
        let spent = &snapshot.spent;
        // The answer is about the day on which it was given; unless that is certainly the day in the ledger, it is
        // ignored.
        let clock = self.clock.reading();
        let began = spent.day.starts_at + TimeDelta::from_std(took).unwrap_or(TimeDelta::MAX);
        if !clock.is_past(began) || !clock.stays_before(spent.day.ends_at, Duration::ZERO) {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        ledger::enter_day_tx(&mut tx, &spent.day, &self.desk.policy).await?;
        let taught = ledger::observe_tx(
            &mut tx,
            self.desk.policy.lane,
            spent,
            snapshot.standing.unit,
            (quota.a_day, quota.remains),
            now,
        )
        .await?;
        ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::Quota(quota.a_day), now).await?;
        for fact in [Fact::QuotaReadable(true), Fact::QuotaTold(true)] {
            ledger::note_fact_tx(&mut tx, self.desk.policy.lane, fact, now).await?;
        }
        if let Some(unit) = taught.unit {
            ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::Unit(unit), now).await?;
        }
        if let Some(cost) = taught.refusals_cost {
            ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::RefusalsCost(cost), now).await?;
        }
        ledger::queue_is_judged_tx(&mut tx, self.desk.policy.lane, quota.remains > 0, now).await?;
        let drift = match taught.drift {
            Some(drift) if drift > 0 => {
                ledger::say_drift_tx(&mut tx, self.desk.policy.lane, &spent.day).await?.then_some(drift)
            }
            _ => None,
        };
        tx.commit().await?;
        if let Some(unit) = taught.unit {
            info!(unit = unit.word(), "learned what the daily quota counts");
        }
        if let Some(refusals_cost) = taught.refusals_cost.filter(|cost| snapshot.standing.refusals_cost != Some(*cost))
        {
            info!(refusals_cost, "learned whether a refused call counts on the daily quota");
        }
        if let Some(drift) = drift {
            let unit = taught.unit.or(snapshot.standing.unit).map_or("", Unit::word);
            warn!(drift, unit, "others spend this account's quota too; what the service says is left limits the day");
        }
        Ok(())
    }

    /// A free call brought nothing: what ails is waited for.
    pub(super) async fn could_not_ask(&self, fault: &Fault, standing: &Standing) -> store::Result<Step> {
        let at = self.circumstances(&Batch::default(), standing);
        let mut tx = self.store.write().await?;
        match react(Err(fault), &at).lesson {
            Lesson::Pause { why, probe_at } => {
                pause_account_tx(&mut tx, self.desk.policy.lane, &why, at.now, probe_at).await?;
            }
            _ => {
                let until = at.backoff.until(at.now, at.failures.saturating_add(1), at.jitter);
                let until = until.max(asked_to_wait(fault.retry_after, at.now));
                let why = Reason::new(ReasonKind::AskingQuota, ReasonKind::from(fault.class).code());
                ledger::back_off_tx(&mut tx, self.desk.policy.lane, until, &why, at.now).await?;
            }
        }
        tx.commit().await?;
        Ok(Step::Tidied)
    }

    /// Tests with a free call whether a pause is over; first reads the key's sources again, where there may be another
    /// key.
    ///
    /// A pause is reported as over when a batch is accepted, or at once if there is none to send: some accounts answer
    /// only free calls.
    pub(super) async fn probe(&mut self, why: &PauseWhy, snapshot: &Snapshot) -> store::Result<Step> {
        self.pulse.during(OBTAINED_WITHIN, self.service.keys().read_again()).await;
        let paused =
            still_paused(self.desk.policy.lane, &self.free(self.service.quota(self.desk.policy.lane)).await, why);
        let now = self.now();
        let mut tx = self.store.write().await?;
        match &paused {
            None => {
                ledger::resume_tx(&mut tx, self.desk.policy.lane).await?;
                if snapshot.ready.urls == 0 {
                    ledger::account_is_well_tx(&mut tx, self.desk.policy.lane, now).await?;
                }
            }
            Some(why) => {
                pause_account_tx(&mut tx, self.desk.policy.lane, why, now, probe_at(snapshot.standing.probes, now))
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(Step::Tidied)
    }
}

/// What a free call says about a paused account: none if the pause is over, else its reason. It is over when the
/// service tells the quota, or only says that this key may not ask for it; that says nothing about prefetching, which
/// is then tried. Any other answer changes nothing.
pub fn still_paused(lane: Lane, said: &Result<Quota, Fault>, before: &PauseWhy) -> Option<PauseWhy> {
    match said.as_ref().err()?.of_the_account() {
        Some(AccountFault::Forbidden) => None,
        Some(fault) => Some(pause_why(lane, fault)),
        None => Some(before.clone()),
    }
}

/// Whether an answer without a quota will be the same if asked again soon: this key may not ask, or the service does
/// not know the question. Anything temporary is worth another try.
fn is_final(fault: &Fault) -> bool {
    match fault.class {
        _ if fault.http_status.is_none() => false,
        Class::Refused(_) => true,
        Class::Deferred(deferral) => match deferral {
            Deferral::Account(fault) => fault == AccountFault::Forbidden,
            Deferral::Unreachable
            | Deferral::Throttled
            | Deferral::MinuteFull
            | Deferral::Unavailable
            | Deferral::ClockSkew
            | Deferral::NonceUsed => false,
            // A 2xx with other content, or an undocumented code.
            _ => true,
        },
    }
}
