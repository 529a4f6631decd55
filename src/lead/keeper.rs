//! Looks at the lease each second, and does what [`Machine`] decides. It has a connection of its own, so that neither a
//! long write nor a long read of this process delays a renewal.

use std::sync::Arc;
use std::time::Duration;

use strum::VariantArray as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::book;
use super::machine::{Act, Lengths, Machine, Own, Seen};
use super::term::Term;
use super::witness::Witness;
use crate::clock::Clock;
use crate::ledger::{self, Mark};
use crate::model::{Lane, LeadProblem, from_millis};
use crate::service::policy;
use crate::stage::{Live, Pulse, Retry, Settings, Wakes};
use crate::status::sign_of_life;
use crate::store::{Conn, Error, Fence, Result, Store, Told};

/// A statement that takes longer is given up, with its connection.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// How often a host says that it lives.
const SIGN_EVERY: Duration = Duration::from_secs(5);

/// How long to wait before listening again after the connection broke.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Longest that one turn takes, for the pulse.
const TURN_MAX: Duration = Duration::from_secs(30);

/// Charges that were heard and are not written yet.
const MARKS_MAX: usize = 64;

/// Keeps this host's part in who leads.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<Store>,
    clock: Clock,
    live: Live,
    pulse: Pulse,
    wakes: Wakes,
    lengths: Lengths,
    machine: Machine,
    witness: Witness,
    conn: Option<Conn>,
    retry: Retry,
    terms: mpsc::Sender<Term>,
    held: Option<Held>,
    /// The commits of all and those of this process, as of the last look.
    commits: Option<(i64, i64)>,
    /// What was last said of this host, and when.
    said: Option<(Option<LeadProblem>, Duration)>,
    problem: Option<LeadProblem>,
    shutdown: CancellationToken,
}

/// The term that this host has begun.
#[derive(Debug)]
struct Held {
    fence: Fence,
    ended: oneshot::Receiver<()>,
    has_ended: bool,
}

impl Keeper {
    /// For this database, which is on a server; and where its terms begin. The last of them is over, and its lease
    /// given back, when `shutdown` is cancelled.
    pub fn new(
        store: Arc<Store>,
        clock: Clock,
        (live, pulse, wakes): (Live, Pulse, Wakes),
        lengths: Lengths,
        shutdown: CancellationToken,
    ) -> (Self, mpsc::Receiver<Term>) {
        let (terms, begun) = mpsc::channel(1);
        let witness = Witness::new(&live.borrow().config);
        let keeper = Self {
            store,
            clock,
            live,
            pulse,
            wakes,
            lengths,
            machine: Machine::new(lengths),
            witness,
            conn: None,
            retry: Retry::default(),
            terms,
            held: None,
            commits: None,
            said: None,
            problem: None,
            shutdown,
        };
        (keeper, begun)
    }

    /// Keeps it until the daemon stops and the lease is given back.
    pub async fn run(mut self) {
        let (sender, mut marks) = mpsc::channel(MARKS_MAX);
        let mut listening = JoinSet::new();
        listening.spawn(listen(Arc::clone(&self.store), self.wakes.clone(), sender));
        loop {
            self.pulse.away(TURN_MAX);
            self.turn().await;
            if self.shutdown.is_cancelled() && self.machine.is_idle() {
                break;
            }
            self.wait(&mut marks).await;
        }
        listening.shutdown().await;
        self.pulse.end();
    }

    /// Waits for the next look, or for what cannot wait for it.
    async fn wait(&mut self, marks: &mut mpsc::Receiver<(Lane, Mark)>) {
        let look = tokio::time::sleep(self.lengths.look);
        tokio::pin!(look);
        let over = self.held.as_ref().map(|held| held.fence.over().clone()).filter(|over| !over.is_cancelled());
        let stops = !self.shutdown.is_cancelled();
        loop {
            let ends = self.held.as_mut().filter(|held| !held.has_ended);
            tokio::select! {
                () = &mut look => return,
                Some((lane, mark)) = marks.recv() => self.witness.hear(lane, mark),
                () = async { over.as_ref().expect("there is one").cancelled().await }, if over.is_some() => return,
                () = self.shutdown.cancelled(), if stops => return,
                held = ended(ends) => {
                    held.has_ended = true;
                    return;
                }
            }
        }
    }

    /// Looks, and does what follows from that.
    async fn turn(&mut self) {
        let seen = match self.look().await {
            Ok(seen) => Some(seen),
            Err(error) => {
                self.retry.failed(&self.pulse, &error);
                None
            }
        };
        if self.witness.fault().is_some() {
            self.witness.try_out();
        }
        if let Some(seen) = &seen {
            self.retry.over(&self.pulse);
            self.problem = self.own_problem(seen);
        }
        // What was seen is true until something is done about it.
        let mut shown = seen.as_ref();
        loop {
            let act = self.machine.decide(shown.take(), self.own(), self.boot());
            if act == Act::Nothing {
                break;
            }
            if let Err(error) = self.carry_out(act).await {
                self.retry.failed(&self.pulse, &error);
                break;
            }
        }
        if seen.is_some()
            && let Err(error) = self.say().await
        {
            self.retry.failed(&self.pulse, &error);
        }
    }

    async fn look(&mut self) -> Result<Seen> {
        let mut conn = self.take_conn().await?;
        let seen = within(book::look(&mut conn, self.store.host())).await?;
        // Read before the number of all: a commit in between counts as another's, and wakes once too often.
        let own = self.store.commits();
        let before = self.commits.replace((seen.changes, own));
        if before.is_none_or(|(all, _)| all != seen.changes) {
            // Read first: what they know by now was committed before the question.
            let known = self.witness.known();
            let newest = within(ledger::newest_marks(&mut conn)).await?;
            for (lane, mark) in &newest {
                self.witness.hear(*lane, *mark);
            }
            if seen.is_writable() {
                let settings = self.settings();
                self.witness.compare(known, &newest, (&self.store, &settings.config, &self.clock)).await?;
            }
        }
        self.conn = Some(conn);
        if before.is_some_and(|(all, mine)| seen.changes - all > own - mine) {
            self.wakes.all();
        }
        self.machine.looked(&seen, self.boot());
        if seen.is_writable() {
            let settings = self.settings();
            let history = (seen.epoch_now.as_str(), seen.epoch.as_deref());
            self.witness.follow(history, (&self.store, &settings.config, &self.clock)).await?;
        }
        Ok(seen)
    }

    /// Why this host does not lead, or would not.
    fn own_problem(&self, seen: &Seen) -> Option<LeadProblem> {
        if !self.settings().config.database.lead {
            return Some(LeadProblem::LeadOff);
        }
        if let Some(said) = self.witness.fault() {
            return Some(LeadProblem::MarkerUnwritten { said: said.to_owned() });
        }
        let own = book::policy_of(&self.settings().config);
        let differs = seen.policy.as_ref().is_some_and(|policy| *policy != own) && seen.policy_lives;
        let leads = self.machine.holds();
        (differs && !leads).then(|| LeadProblem::PolicyDiffers { host: seen.holder.clone().unwrap_or_default() })
    }

    fn own(&self) -> Own {
        let stops = self.shutdown.is_cancelled();
        let (fence, has_ended) = match &self.held {
            Some(held) => (Some(&held.fence), held.has_ended),
            None => (None, true),
        };
        Own {
            may_take: !stops && self.problem.is_none(),
            may_keep: !stops && self.settings().config.database.lead && self.witness.fault().is_none(),
            is_over: fence.is_some_and(|fence| !fence.acts(self.boot())),
            has_ended,
        }
    }

    async fn carry_out(&mut self, act: Act) -> Result<()> {
        let asked_at = self.boot();
        match act {
            Act::Nothing => {}
            Act::Take => {
                self.witness.try_out();
                if let Some(said) = self.witness.fault() {
                    self.problem = Some(LeadProblem::MarkerUnwritten { said: said.to_owned() });
                    return Ok(());
                }
                let own = book::policy_of(&self.settings().config);
                let mut conn = self.take_conn().await?;
                let taken = within(book::take(&mut conn, self.store.host(), &self.lengths, &own)).await?;
                self.conn = Some(conn);
                match taken {
                    Some(taken) => self.machine.took(taken, asked_at, self.boot()),
                    // Another host was faster; the next look shows it.
                    None => return Err(Error::NotLeading),
                }
                self.begin();
            }
            Act::Renew { fence, epoch } => {
                let own = book::policy_of(&self.settings().config);
                let mut conn = self.take_conn().await?;
                let lease = (self.store.host(), fence, epoch.as_str());
                let is_renewed = within(book::renew(&mut conn, lease, &self.lengths, &own)).await?;
                self.conn = Some(conn);
                self.machine.renewed(is_renewed, asked_at);
                match (&self.held, self.machine.acts_until()) {
                    (Some(held), Some(until)) => held.fence.extend(until),
                    (None, Some(_)) => {}
                    (_, None) => self.end(),
                }
            }
            Act::Adopt { fence, epoch } => {
                if !self.witness.has_followed(&epoch) {
                    return Ok(());
                }
                self.adopt(fence, &epoch).await?;
                self.begin();
            }
            Act::End => self.end(),
            Act::Release { fence } => {
                self.held = None;
                self.machine.released();
                let mut conn = self.take_conn().await?;
                within(book::release(&mut conn, self.store.host(), fence)).await?;
                self.conn = Some(conn);
            }
        }
        Ok(())
    }

    /// Doubts what the days of all lanes have cost, and takes the server's present history for the ledger's.
    async fn adopt(&mut self, fence: i64, epoch: &str) -> Result<()> {
        let settings = self.settings();
        let mut tx = self.store.write().await?;
        let Some(server_ms) = book::adopt_tx(&mut tx, fence, epoch).await? else {
            tx.roll_back().await?;
            self.end();
            return Ok(());
        };
        for lane in Lane::VARIANTS {
            // This host's clock may be wrong, and so may the server's.
            for now in [self.clock.now(), from_millis(server_ms)] {
                ledger::doubt_today_tx(&mut tx, &policy(&settings.config, *lane), now).await?;
            }
        }
        tx.commit().await?;
        warn!(
            epoch,
            "the server's history has changed: the day's cost is in doubt until the service says what is left"
        );
        self.machine.adopted();
        Ok(())
    }

    /// Begins the term of the lease that this host holds, if it leads now.
    fn begin(&mut self) {
        let (Some((number, epoch, acts_until)), None) = (self.machine.leads(), &self.held) else { return };
        let fence = Fence::new(number, epoch, acts_until, self.shutdown.child_token());
        let (term, ended) = Term::of(fence.clone());
        info!(fence = number, "this host leads");
        self.held = Some(Held { fence, ended, has_ended: false });
        // If nobody takes it, it is dropped, which ends it.
        let _ = self.terms.try_send(term);
    }

    fn end(&mut self) {
        if let Some(held) = &self.held {
            held.fence.end();
            info!(fence = held.fence.number(), "this host leads no more");
        }
        self.machine.ended();
    }

    /// Says that this host lives, and why it would not lead.
    async fn say(&mut self) -> Result<()> {
        let now = self.boot();
        let is_news =
            self.said.as_ref().is_none_or(|(problem, at)| *problem != self.problem || now >= *at + SIGN_EVERY);
        if !is_news {
            return Ok(());
        }
        let own = book::policy_of(&self.settings().config);
        let mut conn = self.take_conn().await?;
        within(sign_of_life(&mut conn, self.store.host(), &own, self.problem.as_ref())).await?;
        self.conn = Some(conn);
        self.said = Some((self.problem.clone(), now));
        Ok(())
    }

    /// The connection, to be put back once it has answered: one that was given up is in the middle of something.
    async fn take_conn(&mut self) -> Result<Conn> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => within(self.store.line()).await?.ok_or_else(|| Error::Other("the database is a file".into())),
        }
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.live.borrow())
    }

    /// By the boot-time clock.
    fn boot(&self) -> Duration {
        self.clock.moment().boot
    }
}

/// Resolves when the stages of the term have ended.
async fn ended(held: Option<&mut Held>) -> &mut Held {
    match held {
        None => std::future::pending().await,
        Some(held) => {
            // The sender is dropped with the term.
            let _ = (&mut held.ended).await;
            held
        }
    }
}

/// The answer, unless it takes too long.
async fn within<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    let answered = tokio::time::timeout(ANSWERS_WITHIN, asked).await;
    answered.unwrap_or_else(|_| Err(Error::Other("the server did not answer in time".into())))
}

/// Passes on what the hosts tell, for ever.
async fn listen(store: Arc<Store>, wakes: Wakes, marks: mpsc::Sender<(Lane, Mark)>) {
    loop {
        if let Ok(Some(mut listener)) = store.listen().await {
            while let Ok(told) = listener.hear().await {
                match told {
                    Told::Commit | Told::Missed => wakes.all(),
                    Told::Said(said) => {
                        if let Some(mark) = ledger::heard(&said)
                            && marks.send(mark).await.is_err()
                        {
                            return;
                        }
                    }
                }
            }
        }
        // What is missed meanwhile is seen by looking; what ails the server is told by whoever looks.
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}
