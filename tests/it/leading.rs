//! Which host leads, and what the others are refused: several daemons' parts in one process, on one server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prefetchd::clock::Clock;
use prefetchd::config::Config;
use prefetchd::lead::{Keeper, Lengths, Term};
use prefetchd::ledger::{self, Closing, End, Mark, Marker};
use prefetchd::model::{BudgetDay, Lane, SubmissionId, Time};
use prefetchd::service::policy;
use prefetchd::stage::{Heartbeat, Name, Settings, Wakes};
use prefetchd::status::{Board, Health};
use prefetchd::store::{Error, Fence, Store, WriteTx, query, query_scalar};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::postgres;

/// A tenth of what the daemon has.
const SHORT: Lengths = Lengths {
    lease: Duration::from_millis(1_500),
    acts: Duration::from_millis(1_000),
    renew: Duration::from_millis(300),
    look: Duration::from_millis(100),
    witnesses: Duration::from_millis(500),
};

/// Longest wait for what should come within two or three leases.
const SOON: Duration = Duration::from_secs(20);

/// A host, of whose daemon only the keeper of the lease runs.
struct Host {
    store: Arc<Store>,
    dir: tempfile::TempDir,
    settings: watch::Sender<Arc<Settings>>,
    wakes: Wakes,
    terms: mpsc::Receiver<Term>,
    shutdown: CancellationToken,
    keeper: JoinHandle<()>,
}

impl Host {
    async fn start(url: &str, name: &str) -> Self {
        Self::configured(url, name, |_| {}).await
    }

    async fn configured(url: &str, name: &str, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.spool.dir = dir.path().to_path_buf();
        change(&mut config);
        let store = Arc::new(Store::open_server(url, name).await.unwrap());
        Board::new(Arc::clone(&store)).health(Health::Running, Some(Clock::system().now())).await.unwrap();
        let (settings, live) = watch::channel(Arc::new(Settings { config, path: None }));
        let (wakes, shutdown) = (Wakes::default(), CancellationToken::new());
        let tools = (live, Heartbeat::default().pulse(Name::Lease), wakes.clone());
        let (keeper, terms) = Keeper::new(Arc::clone(&store), Clock::system(), tools, SHORT, shutdown.clone());
        let keeper = tokio::spawn(keeper.run());
        Self { store, dir, settings, wakes, terms, shutdown, keeper }
    }

    async fn leads(&mut self) -> Term {
        tokio::time::timeout(SOON, self.terms.recv()).await.expect("it leads soon").unwrap()
    }

    /// It dies, or is stopped by SIGSTOP: nothing is renewed and nothing given back.
    fn hang(&self) {
        self.keeper.abort();
    }

    fn marker(&self) -> Marker {
        Marker::in_spool(self.dir.path(), Lane::Prefetch)
    }

    fn config(&self) -> Config {
        self.settings.borrow().config.clone()
    }

    fn under(&self, term: &Term) -> Store {
        self.store.under(fence(term))
    }

    async fn number(&self, text: &str) -> i64 {
        query_scalar(text).fetch_one(self.store.read()).await.unwrap()
    }

    async fn comes(&self, text: &str, number: i64) {
        let began = Instant::now();
        while self.number(text).await != number {
            assert!(began.elapsed() < SOON, "{text} is {}, not {number}", self.number(text).await);
            tokio::time::sleep(SHORT.look).await;
        }
    }
}

fn fence(term: &Term) -> Fence {
    term.fence().expect("the database is on a server").clone()
}

fn refused(written: Result<WriteTx<'_>, Error>) -> bool {
    matches!(written.map(|_| ()), Err(Error::NotLeading))
}

fn now() -> Time {
    Clock::system().now()
}

fn today(config: &Config) -> BudgetDay {
    BudgetDay::of(now(), policy(config, Lane::Prefetch).day_starts)
}

/// Charges a day and opens a submission, as the submitter does.
async fn open(store: &Store, config: &Config, nonce: &str) -> prefetchd::store::Result<SubmissionId> {
    let (policy, day) = (policy(config, Lane::Prefetch), today(config));
    let mut tx = store.write().await?;
    let charged = ledger::charge_tx(&mut tx, &day, &policy, 1).await?.expect("the day has room");
    let (lane, now) = ((Lane::Prefetch, SubmissionId(0)), now());
    let fence = (store.fence(), charged);
    let opened = ledger::open_tx(&mut tx, lane, &day, (nonce, "sum"), (1, 0), (now, now, now), fence).await?;
    tx.commit().await?;
    Ok(opened)
}

/// Stores the answer to a call of which there were so many copies. True if that closed it.
async fn close(store: &Store, call: (SubmissionId, &str, u32), end: End) -> bool {
    let closing = Closing {
        end,
        outcome: "x".to_owned(),
        charged: end == End::Accepted,
        http_status: None,
        code: None,
        message: None,
        request_id: None,
        tasks: Vec::new(),
        urls_charged: true,
        double_urls: 0,
        late: false,
        performed_at: None,
    };
    let mut tx = store.write_late().await.unwrap();
    let is_closed = ledger::close_tx(&mut tx, call, 1, &closing, now()).await.unwrap();
    tx.commit().await.unwrap();
    is_closed
}

async fn database(name: &str) -> Option<String> {
    Some(postgres::server()?.database(name).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_is_succeeded_and_refused_and_its_late_answer_is_stored() {
    let Some(url) = database("succeeded").await else { return };
    let mut first = Host::start(&url, "a").await;
    let term = first.leads().await;
    let stale = first.under(&term);
    let opened = open(&stale, &first.config(), "n1").await.unwrap();
    let copied = open(&stale, &first.config(), "n2").await.unwrap();
    first.hang();
    let mut second = Host::start(&url, "b").await;
    let next = second.leads().await;
    assert_eq!(fence(&next).number(), fence(&term).number() + 1);
    assert!(refused(stale.write().await) && term.over().is_cancelled(), "its term ends with the first refusal");
    assert!(matches!(open(&stale, &first.config(), "n3").await, Err(Error::NotLeading)));
    assert!(!stale.acts(Clock::system().moment().boot), "no call leaves any more");
    assert_eq!(second.number("select cast(sum(requests_used) as bigint) from budget_days").await, 2);
    // The leader of now has sent a copy: a refusal of the first one says nothing any more.
    let leading = second.under(&next);
    let mut tx = leading.write().await.unwrap();
    assert!(ledger::send_again_tx(&mut tx, copied, now()).await.unwrap());
    tx.commit().await.unwrap();
    assert!(!close(&stale, (copied, "n2", 1), End::Deferred).await);
    assert!(!close(&stale, (opened, "another", 1), End::Accepted).await, "a number is not a call");
    assert!(close(&stale, (opened, "n1", 1), End::Deferred).await);
    assert!(close(&stale, (copied, "n2", 1), End::Accepted).await, "whoever accepts it has it");
    let mut tx = leading.write().await.unwrap();
    assert!(!ledger::send_again_tx(&mut tx, opened, now()).await.unwrap(), "no copy goes of what is answered");
    tx.roll_back().await.unwrap();
    assert_eq!(second.number("select cast(sum(requests_used) as bigint) from budget_days").await, 1);
    assert_eq!(second.number("select count(*) from submissions where fence is not null").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_leader_gives_its_lease_back_once_its_stages_have_ended() {
    let Some(url) = database("given_back").await else { return };
    let mut first = Host::start(&url, "a").await;
    let term = first.leads().await;
    let mut second = Host::start(&url, "b").await;
    first.shutdown.cancel();
    term.over().cancelled().await;
    // A stage finishes what it has begun.
    open(&first.under(&term), &first.config(), "n1").await.unwrap();
    assert!(second.terms.try_recv().is_err());
    let stopped = Instant::now();
    drop(term);
    first.keeper.await.unwrap();
    drop(second.leads().await);
    assert!(stopped.elapsed() < SHORT.lease, "it was given back, and did not end by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_the_leader_commits_before_the_next_lease_and_delays_no_renewal() {
    let Some(url) = database("transaction").await else { return };
    let mut first = Host::start(&url, "a").await;
    let term = first.leads().await;
    let leading = first.under(&term);
    let mut second = Host::start(&url, "b").await;
    let mut tx = leading.write().await.unwrap();
    query("update budget_days set urls_used = urls_used").execute(tx.conn()).await.unwrap();
    let until = "select until_at from leader";
    let before = first.number(until).await;
    while first.number(until).await == before {
        assert!(!term.over().is_cancelled(), "it is renewed beside the transaction");
        tokio::time::sleep(SHORT.look).await;
    }
    first.hang();
    first.comes("select case when until_at < clock_ms() - 500 then 1 else 0 end from leader", 1).await;
    assert!(second.terms.try_recv().is_err(), "the lease is over, and the transaction is not");
    tx.commit().await.unwrap();
    drop(second.leads().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_another_history_of_the_server_witnesses_raise_the_day_and_it_is_doubted() {
    let Some(url) = database("history").await else { return };
    let mut first = Host::start(&url, "a").await;
    let term = first.leads().await;
    let leading = first.under(&term);
    let opened = open(&leading, &first.config(), "n1").await.unwrap();
    let second = Host::configured(&url, "b", |config| config.database.lead = false).await;
    let heard = open(&leading, &first.config(), "n2").await.unwrap();
    let began = Instant::now();
    while second.marker().read().unwrap().is_none_or(|mark| mark.submission < heard) {
        assert!(began.elapsed() < SOON, "a charge is heard or seen by every host");
        tokio::time::sleep(SHORT.look).await;
    }
    assert_eq!(heard, SubmissionId(opened.0 + 1));
    // What the present history lacks.
    let date = today(&second.config()).date;
    second.marker().write(Mark { date, requests: 9, submission: SubmissionId(heard.0 + 7) }).unwrap();
    let mut tx = first.store.write().await.unwrap();
    query("update leader set epoch = 'another'").execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(refused(leading.write().await), "nothing is written in a history that the ledger may not be complete in");
    term.over().cancelled().await;
    drop(term);
    let next = first.leads().await;
    assert_eq!(first.number("select count(*) from leader where epoch = epoch()").await, 1);
    assert_eq!(first.number("select requests_used from budget_days where lane = 1").await, 9);
    assert_eq!(first.number("select count(*) from budget_days where lane = 1 and unsure = 1").await, 1);
    let policy = policy(&first.config(), Lane::Prefetch);
    let leading = first.under(&next);
    let mut tx = leading.write().await.unwrap();
    let charged = ledger::charge_tx(&mut tx, &today(&first.config()), &policy, 1).await.unwrap();
    assert_eq!(charged, None, "nothing is charged until the service says what is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_another_policy_leads_only_when_no_other_of_the_leaders_lives() {
    let Some(url) = database("policies").await else { return };
    let mut first = Host::start(&url, "a").await;
    let term = first.leads().await;
    let mut second = Host::configured(&url, "b", |config| {
        config.budget.requests_per_day = prefetchd::config::Number::new(7).unwrap();
    })
    .await;
    let differs = "select count(*) from daemon where host = 'b' and lead_problem_code = 'policy_differs'";
    second.comes(differs, 1).await;
    drop(term);
    first.hang();
    second.comes("select case when until_at < clock_ms() - 1000 then 1 else 0 end from leader", 1).await;
    assert!(second.terms.try_recv().is_err());
    // Its daemon is stopped, or was not seen for a minute.
    Board::new(Arc::clone(&first.store)).health(Health::Stopped, None).await.unwrap();
    let term = second.leads().await;
    assert!(fence(&term).number() > 1);
    second.comes(differs, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_host_commits_wakes_and_what_this_one_commits_does_not() {
    let Some(url) = database("wakes").await else { return };
    let (first, second) = (Host::start(&url, "a").await, Host::start(&url, "b").await);
    first.comes("select count(*) from daemon where seen_at is not null", 2).await;
    let woken = |within: Duration| tokio::time::timeout(within, first.wakes.submitter());
    while woken(SHORT.look * 5).await.is_ok() {}
    first.store.write().await.unwrap().commit().await.unwrap();
    assert!(woken(SHORT.look * 5).await.is_err());
    second.store.write().await.unwrap().commit().await.unwrap();
    assert!(woken(SOON).await.is_ok());
}

#[tokio::test]
async fn where_the_database_is_a_file_one_host_leads_for_ever_and_nothing_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let over = CancellationToken::new();
    let term = prefetchd::lead::for_ever(over.clone()).recv().await.unwrap();
    assert!(term.fence().is_none() && !term.over().is_cancelled());
    assert!(store.listen().await.unwrap().is_none() && store.line().await.unwrap().is_none());
    let fence = Fence::new(1, "none", Duration::ZERO, CancellationToken::new());
    assert!(store.under(fence).write().await.is_ok());
    over.cancel();
    assert!(term.over().is_cancelled());
}
