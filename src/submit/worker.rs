//! The worker: one step at a time, each a decision and its effect.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use strum::VariantArray as _;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, turns};
use super::domains::Domains;
use super::outcome::Outcome;
use super::reaction::Circumstances;
use super::send::Opened;
use crate::clock::Clock;
use crate::credentials::OBTAINED_WITHIN;
use crate::ledger;
use crate::model::{Lane, PauseWhy, SubmissionId, Time, WaitWhy};
use crate::queue::{self, Batch};
use crate::schedule::{Cases, Decision, Snapshot, Standing, decide, longest_wait};
use crate::service::{SIGNATURE_VALID, Service, TURN_MAX, Turn, policy};
use crate::stage::{Pulse, Settings, Stage, Then, Tools, Wakes, look_again};
use crate::status::Board;
use crate::store::{self, Loss, Store};
use crate::track::Room;

/// The shortest wait, so that nothing spins whatever was decided.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A batch was sent, with this outcome.
    Sent(Outcome),
    /// Something was put in order; there may be more to do at once.
    Tidied,
    /// Nothing can be done before `until`; if that is none, until something new is queued.
    Waiting {
        /// When to look again.
        until: Option<Time>,
    },
}

/// The submitter.
#[derive(Debug)]
pub struct Submitter {
    pub(super) store: Arc<Store>,
    pub(super) board: Board,
    pub(super) clock: Clock,
    pub(super) service: Service,
    /// The lane whose turn it is ...
    pub(super) desk: Desk,
    /// ... and the others.
    others: Vec<Desk>,
    /// The lane that sent a batch last.
    sent_last: Option<Lane>,
    pub(super) settings: Arc<Settings>,
    pub(super) pulse: Pulse,
    pub(super) room: Arc<Room>,
    pub(super) domains: Domains,
    /// Answers in a row that left the time unproved.
    pub(super) asked_in_vain: u32,
    /// Whether the service was asked for the quota, and so for the time, since the start.
    pub(super) asked_since_start: bool,
    /// How far the proved time was ahead of this machine's when stored waits were last checked against it.
    pub(super) waits_held: Option<TimeDelta>,
    wakes: Wakes,
    /// Cancelled when the daemon stops.
    pub(super) shutdown: CancellationToken,
}

impl Stage for Submitter {
    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn apply(&mut self, settings: Arc<Settings>) {
        for desk in std::iter::once(&mut self.desk).chain(&mut self.others) {
            desk.policy = policy(&settings.config, desk.policy.lane);
        }
        self.service.apply(&settings.config);
        self.settings = settings;
    }

    async fn advance(&mut self) -> store::Result<Then> {
        match self.step().await? {
            Step::Sent(_) | Step::Tidied => {
                self.wakes.tidy();
                Ok(Then::Go)
            }
            Step::Waiting { until } => {
                self.store.rest().await;
                Ok(Then::Wait(self.until(until).min(look_again(&self.store))))
            }
        }
    }

    async fn woken(&mut self) {
        tokio::select! {
            () = self.wakes.submitter() => {}
            () = self.room.made() => {}
        }
    }
}

impl Submitter {
    /// The submitter. There is one per database, and it sends one batch at a time, so nobody else will bring the answer
    /// of any open submission that it finds. A step that has begun when the daemon stops is finished.
    pub fn new(tools: Tools, board: Board, service: Service) -> Self {
        let Tools { store, clock, settings, pulse, wakes, shutdown, .. } = tools;
        let (desk, others) = Desk::all(&settings.config);
        Self {
            store,
            board,
            clock,
            service,
            desk,
            others,
            sent_last: None,
            pulse,
            domains: Domains::default(),
            room: Arc::default(),
            asked_in_vain: 0,
            asked_since_start: false,
            waits_held: None,
            settings,
            wakes,
            shutdown,
        }
    }

    /// Where it waits for room in the service's queue; the tracker signals room there.
    pub fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    /// Takes the next step: of the first lane in turn that has something to do.
    ///
    /// # Errors
    ///
    /// The database failed. A later step finds whatever was begun and puts it in order.
    pub async fn step(&mut self) -> store::Result<Step> {
        let paused_alone = ledger::paused_alone(&mut self.store.read().acquire().await?).await?;
        let turns = turns(&queue::loads(self.store.read()).await?, &paused_alone, self.sent_last);
        for idle in Lane::VARIANTS.iter().filter(|lane| !turns.contains(lane)) {
            self.board.waiting(*idle, None, None).await?;
        }
        let mut next = None;
        for lane in turns {
            self.enter(lane);
            match self.step_in_lane().await? {
                Step::Waiting { until } => next = [next, until].into_iter().flatten().min(),
                done => {
                    if matches!(done, Step::Sent(_)) {
                        self.sent_last = Some(lane);
                    }
                    return Ok(done);
                }
            }
        }
        Ok(Step::Waiting { until: next })
    }

    fn enter(&mut self, lane: Lane) {
        if let Some(other) = self.others.iter_mut().find(|other| other.policy.lane == lane) {
            std::mem::swap(&mut self.desk, other);
        }
    }

    async fn step_in_lane(&mut self) -> store::Result<Step> {
        let now = self.now();
        let clock = self.clock.reading();
        let lane = self.desk.policy.lane;
        let last = ledger::last_opened(&mut self.store.read().acquire().await?, lane).await?;
        self.check_origin(last, now)?;
        let rates = ledger::host_rates(&mut self.store.read().acquire().await?, lane, now).await?;
        self.desk.rooms = rates.rooms(now);
        let most = self.desk.policy.batch_urls_max;
        let mut ready = queue::ready_in(self.store.read(), lane, most, clock.earliest, &self.desk.rooms).await?;
        (ready.minute_at, ready.minute_limit) = (rates.room_at(now), rates.least(now).unwrap_or(0));
        self.board.time(&clock, self.clock.wall()).await?;
        if clock.proved && self.hold_waits(&clock).await? {
            return Ok(Step::Tidied);
        }
        let due = [ready.next_at, ready.expires_at].into_iter().flatten().min();
        // Nothing is due before the time is proved; if something seems to be, that is worth a free call.
        let seems_due = due.is_some_and(|at| at <= now) && clock.wants_word;
        let standing = ledger::standing(&mut self.store.read().acquire().await?, lane, now).await?;
        // Not even by an unproved clock is a wait longer than its bound.
        let longest = longest_wait(&self.desk.policy.backoff);
        if standing.waits_too_long(now, longest) {
            let mut tx = self.store.write().await?;
            ledger::clamp_waits_tx(&mut tx, now, longest).await?;
            tx.commit().await?;
            return Ok(Step::Tidied);
        }
        self.service.put_urls_in_query(standing.query_urls_max.is_some());
        if let Some(step) = self.review_domains(&standing, now).await? {
            return Ok(step);
        }
        // Housekeeping parks and unparks them, and then wakes this stage.
        if ready.blocked > 0 || ready.unparkable {
            self.wakes.tidy();
            return Ok(Step::Waiting { until: None });
        }
        let doubts = match self.resolve_next(&standing, now).await? {
            std::ops::ControlFlow::Break(step) => return Ok(step),
            std::ops::ControlFlow::Continue(next_at) => next_at,
        };
        let today = if clock.proved { clock.earliest } else { now };
        let starts = self.desk.policy.day_starts;
        let spent = ledger::spent(&mut self.store.read().acquire().await?, lane, starts, today).await?;
        self.tell_long_day(&spent.day);
        self.enter_new_limits(&spent).await?;
        if let Some(step) = self.hold_or_resume_suspects(&ready, &spent).await? {
            return Ok(step);
        }
        let cases = if ready.suspects > 0 { queue::cases(self.store.read(), lane).await? } else { Cases::default() };
        let flight = ledger::flight(&mut self.store.read().acquire().await?, lane, &standing, now).await?;
        let snapshot = Snapshot { ready, spent, standing, cases, flight };
        let mut decision = decide(&snapshot, &self.desk.policy, &self.clock.reading());
        // A wait was written in the service's time, which nobody knows before the first answer.
        if !clock.proved
            && !self.asked_since_start
            && matches!(&decision, Decision::Wait { why, .. } if why.is_backoff())
        {
            decision = Decision::Ask;
        }
        if lane == Lane::Prefetch {
            self.room.want(matches!(decision, Decision::Wait { why: WaitWhy::QueueFull { .. }, .. }));
        }
        match decision {
            Decision::Send(plan) => self.send(plan, &snapshot).await,
            Decision::Ask => self.ask(&snapshot).await,
            Decision::Wait { why, .. } if seems_due && why.is_about_the_queue() => self.ask(&snapshot).await,
            Decision::Wait { until, why } => {
                self.wait(why, until, &snapshot, now).await?;
                // It looks again when something will seem due, because the time may be asked for then. Housekeeping
                // handles what is due already, and says when it is done.
                let due = due.filter(|at| *at > now).map(|at| clock.surely_at(at));
                Ok(Step::Waiting { until: [until, due, doubts].into_iter().flatten().min() })
            }
            Decision::Pause { why, probe_at } => self.pause(why, probe_at, &snapshot, now).await,
        }
    }

    /// Waits for the next probe of a paused account, or makes it.
    async fn pause(&mut self, why: PauseWhy, probe_at: Time, snapshot: &Snapshot, now: Time) -> store::Result<Step> {
        if probe_at > now && !self.has_other_key().await {
            self.board.waiting(self.desk.policy.lane, Some(WaitWhy::Account { why }), Some(probe_at)).await?;
            return Ok(Step::Waiting { until: Some(probe_at) });
        }
        self.probe(&why, snapshot).await
    }

    /// Says what is waited for, to whom it matters.
    async fn wait(&mut self, why: WaitWhy, until: Option<Time>, snapshot: &Snapshot, now: Time) -> store::Result<()> {
        if snapshot.ready.urgent > 0 && why.is_spent() {
            self.tell_spent(snapshot, &why).await?;
        }
        // Nothing is left to send that could prove the end of the pause.
        if snapshot.standing.paused_told && matches!(why, WaitWhy::Idle | WaitWhy::NotYet | WaitWhy::Hosts { .. }) {
            let mut tx = self.store.write().await?;
            ledger::account_is_well_tx(&mut tx, self.desk.policy.lane, now).await?;
            tx.commit().await?;
        }
        self.board.waiting(self.desk.policy.lane, Some(why), until).await
    }

    /// Checks that the database still knows the submission that was opened last.
    ///
    /// # Errors
    ///
    /// It knows less: an older copy was restored into it. Nothing more is written, or on a server nothing under this
    /// lease: the next one begins with a look at the markers, as after a restart.
    pub(super) fn check_origin(&mut self, last: Option<(SubmissionId, Time)>, now: Time) -> store::Result<()> {
        if self.desk.last_opened.is_forgotten_by(last, now) {
            if self.store.is_shared() {
                self.store.give_up_lead();
                return Err(store::Error::NotLeading);
            }
            self.store.lose(Loss::Restored);
            return Err(store::Error::Lost(Loss::Restored));
        }
        Ok(())
    }

    /// How long to wait for the tasks of a call in doubt.
    pub(super) fn in_doubt_wait(&self) -> Duration {
        self.settings.config.budget.in_doubt_wait.get()
    }

    /// The best guess of the service's time.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Whether there is another key than the one that the account was paused with.
    async fn has_other_key(&self) -> bool {
        self.pulse.during(OBTAINED_WITHIN, self.service.keys().look_again()).await
    }

    /// Waits for the turn of a prefetch.
    pub(super) async fn turn(&self) -> Turn {
        self.pulse.during(TURN_MAX, self.service.turn()).await
    }

    /// Makes a free call.
    pub(super) async fn free<T>(&self, call: impl Future<Output = T>) -> T {
        self.pulse.during(self.service.free_call_max(), call).await
    }

    /// Whether a call that is only now known to have been performed may have been performed after the reset of its
    /// charged day: the reset may be over, and the signature was valid past it.
    pub(super) fn may_be_late(&self, opened: &Opened) -> bool {
        !self.clock.reading().stays_before(opened.day.ends_at, Duration::ZERO)
            && opened.signed_at + SIGNATURE_VALID > opened.day.ends_at
    }

    pub(super) fn circumstances(&self, batch: &Batch, standing: &Standing) -> Circumstances {
        Circumstances {
            lane: self.desk.policy.lane,
            now: self.now(),
            urls: batch.urls.len(),
            is_test: false,
            by_service: false,
            attempts: batch.urls.iter().map(|url| url.attempts).max().unwrap_or(0),
            failures: standing.failures,
            probes: standing.probes,
            jitter: rand::random(),
            attempts_max: self.settings.config.retry.attempts_max.get(),
            backoff: self.desk.policy.backoff,
            in_doubt: self.settings.config.budget.in_doubt,
            auto: self.desk.policy.auto,
            quota_readable: standing.quota_readable,
        }
    }

    fn until(&self, until: Option<Time>) -> Duration {
        let wait = until.map(|until| (until - self.now()).to_std().unwrap_or(Duration::ZERO));
        wait.unwrap_or_else(|| look_again(&self.store)).max(WAIT_MIN)
    }
}
