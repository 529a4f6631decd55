//! Opens, sends and closes one batch.

use std::sync::Arc;

use chrono::SubsecRound as _;
use tracing::{debug, info, warn};

use super::desk::last_marked;
use super::outcome::Outcome;
use super::reaction::{Circumstances, Lesson, Reaction, react};
use super::tell::{tell, tell_doubt, tell_finding};
use super::worker::{Step, Submitter};
use crate::config::Config;
use crate::ledger::{self, Fact, Mark, pause_account_tx};
use crate::meters;
use crate::model::{BudgetDay, Lane, Reason, ReasonKind, SubmissionId, Time};
use crate::queue::{self, Batch, Finding, Room};
use crate::schedule::{Plan, Policy, Snapshot, Standing, Unit, asked_to_wait};
use crate::service::{Accepted, BatchOptions, Class, Deferral, Fault, PrefetchOptions, Service, SignedBatch, Turn};
use crate::stage::Retry;
use crate::store::{self, WriteTx};
use crate::track;

/// How often to try to store an answer once the daemon stops; after that the submission stays open and is resolved like
/// any in doubt.
const CLOSE_TRIES: u32 = 4;

/// A batch that is charged and leased.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) submission: SubmissionId,
    pub(super) nonce: String,
    /// Copies sent, with the next one that leaves.
    pub(super) sends: u32,
    pub(super) day: BudgetDay,
    pub(super) signed_at: Time,
    /// The service cannot have performed it earlier, by its own clock.
    pub(super) earliest_at: Time,
    /// How many of the batch are suspects.
    pub(super) suspects: u32,
    pub(super) batch: Batch,
    pub(super) call: SignedBatch,
    /// URLs in flight at the time of the decision; none if not counted.
    pub(super) in_flight: Option<u32>,
}

/// Who knows what became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// This process alone, from the answer: it is stored also if another host leads by now.
    Here,
    /// Whoever leads, from what the service says later.
    Anywhere,
}

impl Submitter {
    /// Opens the next batch, sends it, and stores the outcome.
    pub(super) async fn send(&mut self, plan: Plan, snapshot: &Snapshot) -> store::Result<Step> {
        self.board.waiting(self.desk.policy.lane, None, None).await?;
        let turn = self.turn().await;
        let Some((opened, requests)) = self.open(plan, snapshot).await? else { return Ok(Step::Tidied) };
        let day = snapshot.spent.day;
        if let Err(error) = self.desk.marker.write(Mark { date: day.date, requests, submission: opened.submission }) {
            self.marker_is_unwritten(&opened, &snapshot.standing, &error).await?;
            return Ok(Step::Tidied);
        }
        // Storing all that may have taken until the reset; the call might then be performed on a day that is not
        // charged.
        let said = if self.clock.reading().stays_before(day.ends_at, self.service.call_timeout()) {
            self.call(turn, &opened).await?
        } else {
            Err(Fault::not_sent("the budget day was about to end before the call could leave"))
        };
        let outcome = Outcome::of(said.as_ref());
        if let Err(fault) = &said
            && outcome.is_in_doubt()
        {
            let arrived = super::after_replay(&outcome) == super::AfterReplay::Arrived;
            let not_before = asked_to_wait(fault.retry_after, self.now());
            let why = ReasonKind::from(fault.class).into();
            self.doubt(&opened, arrived, &snapshot.standing, &why, not_before).await?;
            tell_doubt(&opened, fault);
            return Ok(Step::Sent(outcome));
        }
        let of_batch = self.circumstances(&opened.batch, &snapshot.standing);
        let circumstances = Circumstances { is_test: opened.suspects > 0, ..of_batch };
        let mut reaction = self.reaction(&opened, said.as_ref(), &circumstances);
        let is_sent = said.err().is_none_or(|fault| fault.class != Class::Deferred(Deferral::Unreachable));
        reaction.closing.late = is_sent && self.may_be_late(&opened);
        let learned = (snapshot.spent.refused_urls.is_some() && snapshot.standing.unit.is_none()).then_some(Unit::Urls);
        self.close(&opened, &reaction, learned, Known::Here).await?;

        tell(&opened, &outcome, &reaction);
        Ok(Step::Sent(outcome))
    }

    /// The charge stays although nothing is sent: the same call goes later, like one whose answer was lost.
    pub(super) async fn marker_is_unwritten(
        &self,
        opened: &Opened,
        standing: &Standing,
        error: &std::io::Error,
    ) -> store::Result<()> {
        let submission = opened.submission.0;
        warn!(submission.id = submission, %error, "the spool's marker could not be written; the call waits");
        self.doubt(opened, false, standing, &ReasonKind::MarkerUnwritten.into(), self.now()).await?;
        // Another host may be able to.
        self.store.give_up_lead();
        Ok(())
    }

    /// Charges the day and leases a batch; returns it with the day's cost. None if there is nothing left to send or to
    /// spend.
    async fn open(&mut self, plan: Plan, snapshot: &Snapshot) -> store::Result<Option<(Opened, u32)>> {
        let nonce = uuid::Uuid::new_v4().to_string();
        let day = snapshot.spent.day;
        let now = self.now();
        let signed_at = now.trunc_subsecs(0);
        let store = Arc::clone(&self.store);
        let mut tx = store.write().await?;
        store.way_is_taken();
        let last = ledger::last_opened(tx.conn(), self.desk.policy.lane).await?;
        self.check_origin(last, now)?;
        let above = last_marked(&self.settings.config.spool.dir);
        // An expired URL is not sent, whether or not housekeeping has marked it yet.
        let earliest = self.clock.reading().earliest;
        let Policy { lane, batch_domains_max: domains_max, .. } = self.desk.policy;
        let room = Room { lane, weakest: plan.weakest, urls_max: plan.urls_max, domains_max };
        let rooms = &self.desk.rooms;
        let (batch, suspects) = match &plan.test {
            Some(test) => queue::pick_test_tx(&mut tx, &test.suspects, (room, rooms), test.others, earliest).await?,
            None => (queue::pick_tx(&mut tx, room, rooms, earliest).await?, 0),
        };
        let urls = u32::try_from(batch.urls.len()).unwrap_or(u32::MAX);
        // Waiting for the pace or the lock may have taken until the reset; then it must be decided anew.
        let fits = self.clock.reading().stays_before(day.ends_at, self.service.call_timeout());
        let charged =
            if urls == 0 || !fits { None } else { ledger::charge_tx(&mut tx, &day, &self.desk.policy, urls).await? };
        let Some(charged) = charged else {
            tx.roll_back().await?;
            return Ok(None);
        };
        let call = self.sign(&batch, &nonce, signed_at);
        let named = (nonce.as_str(), call.sha256());
        let submission = ledger::open_tx(
            &mut tx,
            (self.desk.policy.lane, above),
            &day,
            (named.0, &named.1),
            (urls, suspects),
            (now, signed_at, earliest),
            (store.fence(), charged),
        )
        .await?;
        queue::lease_tx(&mut tx, &batch, submission).await?;
        if suspects > 0 {
            ledger::isolate_tx(&mut tx, self.desk.policy.lane, &day, 1).await?;
        }
        // After an error nobody knows whether the charge is durable, so no call is made; if it is durable, the
        // submission is found open.
        tx.commit().await?;
        let in_flight = snapshot.flight.as_ref().map(|flight| flight.in_flight);
        Ok(Some((
            Opened {
                submission,
                nonce,
                sends: 1,
                day,
                signed_at,
                earliest_at: earliest,
                suspects,
                batch,
                call,
                in_flight,
            },
            charged,
        )))
    }

    /// Signs a batch with the present key and options.
    pub(super) fn sign(&self, batch: &Batch, nonce: &str, signed_at: Time) -> SignedBatch {
        let urls: Vec<&str> = batch.urls.iter().map(|url| url.url.as_str()).collect();
        self.service.sign(&urls, &options(&self.settings.config, self.desk.policy.lane, batch), nonce, signed_at)
    }

    /// Sends the call, once.
    ///
    /// # Errors
    ///
    /// [`store::Error::NotLeading`]: this host does not surely lead any more, and nothing was sent. Whoever leads finds
    /// the submission open, as after a crash.
    pub(super) async fn call(&self, turn: Turn, opened: &Opened) -> store::Result<Result<Accepted, Fault>> {
        if !self.store.acts(self.clock.moment().boot) {
            let submission = opened.submission.0;
            warn!(submission.id = submission, "a call was not sent: this host does not surely lead any more");
            return Err(store::Error::NotLeading);
        }
        for url in &opened.batch.urls {
            debug!(submission.id = opened.submission.0, url = url.url.as_str(), "sending");
        }
        self.pulse.away(self.service.call_max());
        let said = self.service.submit(turn, &opened.call).await;
        self.pulse.beat();
        Ok(said)
    }

    /// The reaction to what the service said. If it refused the key and there is another one by now, no fault of the
    /// account is known.
    pub(super) fn reaction(&self, opened: &Opened, said: Result<&Accepted, &Fault>, at: &Circumstances) -> Reaction {
        let is_replaced = said.is_err_and(|fault| self.service.has_other_key(&opened.call, fault));
        react(said, at).or_another_key(is_replaced)
    }

    /// No answer came: the submission stays open, and everything backs off, because the network or the service has a
    /// problem.
    pub(super) async fn doubt(
        &self,
        opened: &Opened,
        arrived: bool,
        standing: &Standing,
        why: &Reason,
        not_before: Time,
    ) -> store::Result<()> {
        let at = self.circumstances(&opened.batch, standing);
        let until = at.backoff.until(at.now, at.failures.saturating_add(1), at.jitter).max(not_before);
        let mut tx = self.store.write().await?;
        ledger::doubt_tx(&mut tx, opened.submission, arrived, at.now, until).await?;
        ledger::back_off_tx(&mut tx, self.desk.policy.lane, until, why, at.now).await?;
        tx.commit().await
    }

    /// Stores the answer. If only this process knows it, and nothing else can be done without the database, it tries
    /// until it succeeds or the daemon stops.
    ///
    /// # Errors
    ///
    /// [`store::Error::NotLeading`], for what whoever leads can find out as well.
    pub(super) async fn close(
        &mut self,
        opened: &Opened,
        reaction: &Reaction,
        learned: Option<Unit>,
        known: Known,
    ) -> store::Result<()> {
        if reaction.ask_domains {
            self.domains.doubt();
        }
        let mut retry = Retry::default();
        loop {
            match self.try_close(opened, reaction, learned, known).await {
                Ok(finding) => {
                    meters::submission(self.desk.policy.lane, &reaction.closing.outcome, opened.batch.urls.len());
                    tell_finding(finding.as_ref(), reaction);
                    return Ok(());
                }
                Err(error @ store::Error::NotLeading) => return Err(error),
                Err(error) if self.shutdown.is_cancelled() && retry.failures() >= CLOSE_TRIES => return Err(error),
                Err(error) => tokio::time::sleep(retry.failed(&self.pulse, &error)).await,
            }
        }
    }

    async fn try_close(
        &self,
        opened: &Opened,
        reaction: &Reaction,
        learned: Option<Unit>,
        known: Known,
    ) -> store::Result<Option<Finding>> {
        let Opened { submission, nonce, sends, batch, .. } = opened;
        let now = self.now();
        let mut tx = match known {
            Known::Here => self.store.write_late().await?,
            Known::Anywhere => self.store.write().await?,
        };
        let call = (*submission, nonce.as_str(), *sends);
        if !ledger::close_tx(&mut tx, call, batch.urls.len(), &reaction.closing, now).await? {
            tx.roll_back().await?;
            return Ok(None);
        }
        self.move_charge_tx(&mut tx, opened, reaction).await?;
        let mut finding = None;
        match &reaction.release {
            Some(release) => {
                queue::release_tx(&mut tx, batch, *submission, release, now).await?;
                if let Some(evidence) = &reaction.evidence {
                    finding = queue::batch_was_bad_tx(&mut tx, batch, *submission, evidence, now).await?;
                }
            }
            None => {
                queue::settle_submitted_tx(&mut tx, batch, now).await?;
                track::follow_tx(&mut tx, *submission, &reaction.closing.tasks, batch.urls.len(), now).await?;
                queue::batch_was_good_tx(&mut tx, batch).await?;
                queue::hosts_are_well_tx(&mut tx, &batch.hosts(), now).await?;
                ledger::note_accepted_tx(&mut tx, self.desk.policy.lane, batch.urls.len(), now).await?;
                // A larger batch was refused for the quota today, and this one had room: the quota counts URLs.
                if let Some(unit) = learned {
                    ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::Unit(unit), now).await?;
                }
            }
        }
        self.count_isolation_tx(&mut tx, opened, reaction, finding.as_ref()).await?;
        self.learn_queue_tx(&mut tx, opened, reaction, now).await?;
        self.learn_rates_tx(&mut tx, opened, reaction, now).await?;
        self.learn_tx(&mut tx, opened, &reaction.lesson, now).await?;
        tx.commit().await?;
        Ok(finding)
    }

    /// Stores what a call teaches about the account.
    pub(super) async fn learn_tx(
        &self,
        tx: &mut WriteTx<'_>,
        opened: &Opened,
        lesson: &Lesson,
        now: Time,
    ) -> store::Result<()> {
        let (lane, day) = (self.desk.policy.lane, &opened.day);
        match lesson {
            Lesson::Well => {
                ledger::proven_well_tx(tx, lane).await?;
                ledger::account_is_well_tx(tx, lane, now).await
            }
            Lesson::Nothing | Lesson::QueueFull | Lesson::MinuteFull => Ok(()),
            Lesson::BackOff { until, why } => ledger::back_off_tx(tx, lane, *until, why, now).await,
            Lesson::Pause { why, probe_at } => pause_account_tx(tx, lane, why, now, *probe_at).await,
            Lesson::DayExhausted { code } => ledger::exhaust_day_tx(tx, lane, day, code).await,
            Lesson::QuotaRefused { urls } => ledger::refuse_for_quota_tx(tx, lane, day, *urls).await,
            Lesson::AskFirst { until, why } => {
                ledger::forget_observation_tx(tx, lane, day).await?;
                ledger::back_off_tx(tx, lane, *until, why, now).await
            }
            Lesson::TooLargeAlone { until, why } => {
                ledger::forget_batch_limit_tx(tx, lane).await?;
                ledger::back_off_tx(tx, lane, *until, why, now).await
            }
            Lesson::BatchLimit(urls_max) => ledger::note_fact_tx(tx, lane, Fact::BatchUrlsMax(*urls_max), now).await,
            Lesson::UrlsInQuery => {
                let urls: Vec<&str> = opened.batch.urls.iter().map(|url| url.url.as_str()).collect();
                let urls_max = Service::urls_a_query(&urls);
                ledger::note_fact_tx(tx, lane, Fact::QueryUrlsMax(urls_max), now).await
            }
        }
    }

    /// Charges a call that was performed after the reset to the day of its performance, once that day has certainly
    /// begun.
    async fn move_charge_tx(&self, tx: &mut WriteTx<'_>, opened: &Opened, reaction: &Reaction) -> store::Result<()> {
        let Some(at) = reaction.closing.performed_at else { return Ok(()) };
        let next = BudgetDay::of(opened.day.ends_at, self.desk.policy.day_starts);
        if at < next.starts_at || !self.clock.reading().is_past(next.starts_at) {
            return Ok(());
        }
        info!(submission.id = opened.submission.0, day = %next, "performed after the reset: it is charged to that day");
        ledger::enter_day_tx(tx, &next, &self.desk.policy).await?;
        ledger::move_charge_tx(tx, opened.submission, &next).await
    }

    /// Counts what the answer costs of the day's requests for isolation, and what it says about the share of bad URLs.
    async fn count_isolation_tx(
        &self,
        tx: &mut WriteTx<'_>,
        opened: &Opened,
        reaction: &Reaction,
        finding: Option<&Finding>,
    ) -> store::Result<()> {
        let urls = u32::try_from(opened.batch.urls.len()).unwrap_or(u32::MAX);
        let accepted = reaction.release.is_none();
        // An accepted test of mostly ordinary URLs was ordinary work; one that was given back cost nothing.
        let is_work = accepted && opened.suspects < urls.div_ceil(2);
        if opened.suspects > 0 && (is_work || !reaction.closing.charged) {
            ledger::isolate_tx(tx, self.desk.policy.lane, &opened.day, -1).await?;
        }
        let bad = u32::from(matches!(finding, Some(Finding::Url(_))));
        let good = if accepted { urls } else { 0 };
        if good + bad > 0 {
            ledger::note_bad_rate_tx(tx, self.desk.policy.lane, good, bad).await?;
        }
        Ok(())
    }
}

/// The options of a batch. One call has one `Force` for all its directories.
fn options(config: &Config, lane: Lane, batch: &Batch) -> BatchOptions {
    match lane {
        Lane::Prefetch => {}
        Lane::Purge => return BatchOptions::Purge,
        Lane::PurgeDirectory => {
            return BatchOptions::PurgeDirectory { force: batch.urls.first().is_some_and(|url| url.purge_force) };
        }
    }
    BatchOptions::Prefetch(PrefetchOptions {
        area: config.api.area,
        l2_preload: config.api.l2_preload,
        query_hashkey: config.api.query_hashkey,
        consistency_hash: config.api.consistency_hash,
        with_header: config.api.with_header.clone(),
    })
}
