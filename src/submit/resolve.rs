//! Brings submissions in doubt to their end, one step at a time; `doubt` decides which.

use std::ops::ControlFlow;

use tracing::{info, warn};

use super::doubt::{
    AfterReplay, Doubt, FailedLook, NextStep, after_failed_look, after_replay, copy_again_at, look_again_at, next_step,
};
use super::fit::{CLOCKS_DIFFER, Fit, Span, fits, may_be_anothers};
use super::outcome::Outcome;
use super::reaction::{Lesson, found, give_up, react};
use super::send::{Known, Opened};
use super::tell::tell;
use super::worker::{Step, Submitter};
use crate::ledger::{self, Fact, OpenSubmission, pause_account_tx};
use crate::model::{AccountFault, ReasonKind, TaskId, Time};
use crate::queue;
use crate::schedule::{Standing, asked_to_wait};
use crate::service::{Fault, SIGNATURE_VALID};
use crate::store;
use crate::words;

impl Submitter {
    /// Takes the next step for a submission in doubt if one is due; otherwise returns when the next one will be.
    pub(super) async fn resolve_next(
        &mut self,
        standing: &Standing,
        now: Time,
    ) -> store::Result<ControlFlow<Step, Option<Time>>> {
        let open =
            ledger::open_submissions(self.store.read(), self.desk.policy.lane, self.desk.policy.day_starts).await?;
        let Some(next_at) = open.iter().map(|open| open.next_at.unwrap_or(now)).min() else {
            return Ok(ControlFlow::Continue(None));
        };
        // A problem of the network or the account affects these calls too.
        let backing_off = standing.backing_off.as_ref().map_or(now, |wait| wait.until);
        let next_at = next_at.max(backing_off);
        let paused = standing.pause.is_some() || standing.stopped.is_some();
        if paused || next_at > now {
            return Ok(ControlFlow::Continue((!paused).then_some(next_at)));
        }
        let due = open.iter().find(|open| open.next_at.is_none_or(|at| at <= now));
        let open = due.expect("the earliest of them is due");
        let OpenSubmission { signed_at, sent_at, sends, arrived, absent_at, .. } = *open;
        let (charged_until, call_timeout) = (open.day.ends_at, self.service.call_timeout());
        let mut tx = self.store.write().await?;
        let batch = queue::leased_tx(&mut tx, open.id).await?;
        tx.roll_back().await?;
        // A source gives the same key for a while: with it the same bytes can be made.
        if let Err(fault) = self.free(self.service.has_key()).await {
            return Ok(ControlFlow::Break(self.could_not_ask(&fault, standing).await?));
        }
        let call = self.sign(&batch, &open.nonce, signed_at);
        let copyable = open.request_sha256.as_deref() == Some(call.sha256().as_str());
        let doubt = Doubt { signed_at, sent_at, charged_until, call_timeout, sends, copyable, arrived, absent_at };
        let (submission, suspects) = (open.id, open.suspects);
        let earliest_at = open.earliest_at.unwrap_or(signed_at - CLOCKS_DIFFER);
        let day = open.day;
        let nonce = open.nonce.clone();
        let opened =
            Opened { submission, nonce, sends, day, signed_at, earliest_at, suspects, batch, call, in_flight: None };
        if !copyable && absent_at.is_none() && !arrived {
            info!(
                submission.id = open.id.0,
                "no copy of this call is sent: the key or [api] has changed; its task is searched for"
            );
        }
        self.board.waiting(self.desk.policy.lane, None, None).await?;
        match next_step(&doubt, self.in_doubt_wait(), standing.tasks_readable, &self.clock.reading()) {
            NextStep::Replay => {
                let opened = Opened { sends: sends.saturating_add(1), ..opened };
                self.replay(&opened, standing).await?;
            }
            NextStep::Look => self.look(&opened, &doubt, standing).await?,
            NextStep::GiveUp => {
                let why = if standing.tasks_readable { ReasonKind::NoTaskListed } else { ReasonKind::TasksUnreadable };
                self.give_up(&opened, why, standing).await?;
            }
        }
        Ok(ControlFlow::Break(Step::Tidied))
    }

    /// Whether the spool's marker knows of the charge: it may be that only the database did when the first copy was to
    /// leave. If it cannot be written, the copy waits.
    async fn is_marked(&mut self, opened: &Opened, standing: &Standing) -> store::Result<bool> {
        let marks = ledger::newest_marks(&mut self.store.read().acquire().await?).await?;
        let Some((_, mark)) = marks.into_iter().find(|(lane, _)| *lane == self.desk.policy.lane) else {
            return Ok(true);
        };
        let Err(error) = self.desk.marker.hear(mark) else { return Ok(true) };
        self.marker_is_unwritten(opened, standing, &error).await?;
        Ok(false)
    }

    /// Sends the same bytes again. The copy is stored before it is sent, so that the number of copies is bounded across
    /// crashes too.
    async fn replay(&mut self, opened: &Opened, standing: &Standing) -> store::Result<()> {
        if !self.is_marked(opened, standing).await? {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        if !ledger::send_again_tx(&mut tx, opened.submission, self.now()).await? {
            return tx.roll_back().await;
        }
        tx.commit().await?;
        let turn = self.turn().await;
        let said = self.call(turn, opened).await?;
        let outcome = Outcome::of(said.as_ref());
        let at = self.circumstances(&opened.batch, standing);
        let mut reaction = self.reaction(opened, said.as_ref(), &at);
        reaction.closing.late = self.may_be_late(opened);
        match after_replay(&outcome) {
            AfterReplay::Settled => {
                self.close(opened, &reaction, None, Known::Here).await?;
                tell(opened, &outcome, &reaction);
            }
            AfterReplay::Arrived => {
                info!(
                    submission.id = opened.submission.0,
                    "the service has seen this call before: its task is searched for"
                );
                let mut tx = self.store.write().await?;
                ledger::doubt_tx(&mut tx, opened.submission, true, at.now, at.now).await?;
                tx.commit().await?;
            }
            AfterReplay::Refused => {
                info!(
                    submission.id = opened.submission.0,
                    %outcome,
                    "a copy of this call is refused, which says nothing about the first one: its task is looked for"
                );
                let mut tx = self.store.write().await?;
                ledger::doubt_tx(&mut tx, opened.submission, true, at.now, at.now).await?;
                self.learn_tx(&mut tx, opened, &reaction.lesson, at.now).await?;
                tx.commit().await?;
                if reaction.ask_domains {
                    self.domains.doubt();
                }
            }
            AfterReplay::Open => {
                if let Err(fault) = &said {
                    let again_at = copy_again_at(&self.desk.policy.backoff, opened.sends, rand::random(), self.now());
                    self.postpone(opened, fault, reaction.lesson, again_at).await?;
                }
            }
        }
        Ok(())
    }

    /// The submission stays in doubt, and its next step waits until `again_at` or as long as the service asks. Other
    /// batches do not wait for it: a step of a doubt may fail for ever where all else works.
    async fn postpone(&self, opened: &Opened, fault: &Fault, lesson: Lesson, again_at: Time) -> store::Result<()> {
        let now = self.now();
        let mut tx = self.store.write().await?;
        if let Lesson::Pause { why, probe_at } = lesson {
            ledger::doubt_tx(&mut tx, opened.submission, false, now, now).await?;
            pause_account_tx(&mut tx, self.desk.policy.lane, &why, now, probe_at).await?;
        } else {
            let again_at = again_at.max(asked_to_wait(fault.retry_after, now));
            ledger::doubt_tx(&mut tx, opened.submission, false, now, again_at).await?;
        }
        tx.commit().await
    }

    /// Looks for the tasks of the batch: tasks that fit end the doubt, others are set aside.
    async fn look(&mut self, opened: &Opened, doubt: &Doubt, standing: &Standing) -> store::Result<()> {
        let span = Span::of(opened.earliest_at, doubt.signed_at, doubt.sent_at, doubt.call_timeout);
        let listed = match self.look_for_tasks(opened, span).await? {
            Ok(listed) => listed,
            Err(fault) => return self.could_not_look(opened, doubt, &fault, standing).await,
        };
        let urls: Vec<&str> = opened.batch.urls.iter().map(|url| url.url.as_str()).collect();
        let (foreign, listed) = match fits(&urls, &listed, span) {
            Fit::Ours { tasks, performed_at } => return self.settle(opened, tasks, performed_at, standing).await,
            Fit::Foreign { tasks, listed } => (tasks, listed),
            Fit::NotYet => (Vec::new(), 0),
        };
        let now = self.now();
        let mut tx = self.store.write().await?;
        let is_news = ledger::set_aside_tx(&mut tx, opened.submission, &foreign).await?;
        ledger::absent_tx(&mut tx, opened.submission, now, look_again_at(doubt, self.in_doubt_wait(), now)).await?;
        tx.commit().await?;
        if is_news && !foreign.is_empty() {
            warn!(
                submission.id = opened.submission.0,
                urls = urls.len(),
                listed,
                tasks = %join(&foreign),
                "tasks that do not fit a batch in doubt are set aside: somebody else's, or some are not listed yet"
            );
        }
        Ok(())
    }

    /// The batch's tasks were found: it was accepted.
    async fn settle(
        &mut self,
        opened: &Opened,
        tasks: Vec<TaskId>,
        performed_at: Option<Time>,
        standing: &Standing,
    ) -> store::Result<()> {
        let outcome = Outcome::Accepted { tasks: tasks.clone() };
        let mut reaction = found(tasks, &self.circumstances(&opened.batch, standing));
        // When the call was performed, by the service's word; this may be after the reset.
        reaction.closing.performed_at = performed_at;
        // Or a task of somebody else's, and ours may be performed yet.
        let may_come = may_be_anothers(opened.batch.urls.len(), performed_at, opened.day.ends_at)
            && opened.signed_at + SIGNATURE_VALID > opened.day.ends_at;
        reaction.closing.late = may_come || (performed_at.is_none() && self.may_be_late(opened));
        // Tasks set aside while the batch was partly listed may be its own.
        let mut tx = self.store.write().await?;
        ledger::set_aside_tx(&mut tx, opened.submission, &[]).await?;
        tx.commit().await?;
        self.close(opened, &reaction, None, Known::Anywhere).await?;
        tell(opened, &outcome, &reaction);
        Ok(())
    }

    /// The service did not say which tasks there are: not to this key, or not now.
    async fn could_not_look(
        &mut self,
        opened: &Opened,
        doubt: &Doubt,
        fault: &Fault,
        standing: &Standing,
    ) -> store::Result<()> {
        if fault.of_the_account() == Some(AccountFault::Forbidden) {
            let permission = self.service.product().permission(self.service.product().actions.tasks);
            warn!(permission, "this key may not ask for tasks; [budget] in_doubt decides");
            let mut tx = self.store.write().await?;
            ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::TasksReadable(false), self.now()).await?;
            queue::purges_untold_tx(&mut tx, self.now()).await?;
            return tx.commit().await;
        }
        let lesson = react(Err(fault), &self.circumstances(&opened.batch, standing)).lesson;
        let is_of_the_account = fault.of_the_account().is_some();
        let (within, longest) = (self.in_doubt_wait(), self.desk.policy.backoff.max);
        // Whether the service answers other questions matters only when the time for looking is over.
        let mut next = after_failed_look(doubt, within, fault.http_status.is_some(), longest, self.now());
        if fault.http_status.is_none() && after_failed_look(doubt, within, true, longest, self.now()) != next {
            next = after_failed_look(doubt, within, self.is_answered().await, longest, self.now());
        }
        match next {
            FailedLook::GiveUp if !is_of_the_account => {
                let outcome = fault.class;
                warn!(%outcome, "the service does not say which tasks there are; [budget] in_doubt decides");
                self.give_up(opened, ReasonKind::TasksUnreadable, standing).await
            }
            FailedLook::Again(again_at) => self.postpone(opened, fault, lesson, again_at).await,
            FailedLook::GiveUp => self.postpone(opened, fault, lesson, self.now()).await,
        }
    }

    /// Whether the service answers a question that has nothing to do with what failed.
    pub(super) async fn is_answered(&self) -> bool {
        self.free(self.service.domains(1)).await.err().is_none_or(|fault| fault.http_status.is_some())
    }

    async fn give_up(&mut self, opened: &Opened, why: ReasonKind, standing: &Standing) -> store::Result<()> {
        let at = self.circumstances(&opened.batch, standing);
        let mut reaction = give_up(why, &at);
        if reaction.closing.double_urls > 0 {
            // One that has no attempt left is held, not sent anew.
            let anew = opened.batch.urls.iter().filter(|url| url.attempts + 1 < at.attempts_max).count();
            reaction.closing.double_urls = u32::try_from(anew).unwrap_or(u32::MAX);
        }
        // That nobody will know is not a failure of the network now.
        let reaction = super::Reaction { lesson: Lesson::Nothing, ..reaction };
        self.close(opened, &reaction, None, Known::Anywhere).await?;
        let why = words::reason_kind(why).en;
        warn!(
            submission.id = opened.submission.0,
            urls = opened.batch.urls.len(),
            possible_doubles = reaction.closing.double_urls,
            "a batch in doubt could not be resolved: {why}"
        );
        Ok(())
    }
}

fn join(tasks: &[TaskId]) -> String {
    tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(",")
}
