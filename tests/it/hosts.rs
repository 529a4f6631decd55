//! Hosts that share a database each have a spool of their own, and touch nobody else's files; what they ask for holds
//! for all.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use prefetchd::clock::Clock;
use prefetchd::config::Config;
use prefetchd::model::{FileId, Lane, LeftWhy, OrderFault, SpoolProblem, Time};
use prefetchd::orders::{begin_tx, look};
use prefetchd::queue::{self, Asker, Content, DroppedAs, NewFile, Order, Selection};
use prefetchd::spool::{Folders, Spool};
use prefetchd::stage::{Heartbeat, Name, Settings, Tools, Wakes};
use prefetchd::status::{Board, Health, Hosts, Invocation, Namesake, Progress, StatusReport, read_report};
use prefetchd::store::{Store, query, query_scalar};
use tokio_util::sync::CancellationToken;

use crate::support::{World, postgres, said, urls};

/// A host of the account: its daemon's spool stage, and what it has opened.
struct Host {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    clock: Clock,
}

fn start() -> Time {
    "2026-11-23T01:00:00Z".parse().unwrap()
}

/// Hosts of these names that share a new database of this one.
async fn hosts<const N: usize>(database: &str, names: [&str; N]) -> Option<[Host; N]> {
    let url = postgres::server()?.database(database).await;
    let mut hosts = Vec::new();
    for name in names {
        let dir = tempfile::tempdir().unwrap();
        Folders::under(&dir.path().join("spool")).create().unwrap();
        let store = Arc::new(Store::open_server(&url, name).await.unwrap());
        hosts.push(Host { dir, store, clock: Clock::standing_at(start()) });
    }
    Some(hosts.try_into().unwrap_or_else(|_| panic!("there are as many hosts as names")))
}

impl Host {
    fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join("spool").join(name)
    }

    /// The spool stage, as a start of the daemon makes it.
    fn spool(&self) -> Spool {
        let spool = self.dir.path().join("spool");
        let config = format!("[spool]\ndir = \"{}\"\n[database]\nurl = \"sqlite:/nowhere.db\"\n", spool.display());
        let config = Config::from_toml(&config).unwrap();
        let tools = Tools {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            settings: Arc::new(Settings { config, path: None }),
            pulse: Heartbeat::default().pulse(Name::Spool),
            wakes: Wakes::default(),
            stop: CancellationToken::new(),
            shutdown: CancellationToken::new(),
        };
        Spool::new(tools, Folders::under(&spool), Board::new(Arc::clone(&self.store)))
    }

    fn drop_file(&self, name: &str, text: &str) {
        let hidden = self.folder("incoming").join(".hidden");
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.folder("incoming").join(name)).unwrap();
    }

    /// Lets the stage work until the condition holds.
    async fn work(&self, spool: &mut Spool, until: impl Fn(&Self) -> bool) {
        for _ in 0..100 {
            spool.pass(&CancellationToken::new()).await.unwrap();
            if until(self) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("100 passes were not enough");
    }

    fn receipt(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder("done").join(format!("{name}.receipt.json"))).ok()
    }

    /// Values of the shared database.
    async fn said(&self, text: &'static str) -> Vec<String> {
        query_scalar(text).fetch_all(self.store.read()).await.unwrap()
    }

    /// Operators on this host give an order; returns how many URLs it changed.
    async fn order(&self, order: Order, which: &Selection) -> u64 {
        let now = self.clock.now();
        let (ids, _) = look(&mut self.store.read().acquire().await.unwrap(), order, which).await.unwrap();
        let mut tx = self.store.write().await.unwrap();
        let asker = Asker { who: "ann", host: self.store.host() };
        let (row, _) = begin_tx(&mut tx, order, which, asker, None, now).await.unwrap();
        let urls = order.perform_tx(&mut tx, row, &ids, which, now).await.unwrap();
        queue::finish_order_tx(&mut tx, row, now).await.unwrap();
        tx.commit().await.unwrap();
        urls
    }

    /// What the leader's housekeeping does with files for which all is done.
    async fn finish_files(&self) -> usize {
        let mut tx = self.store.write().await.unwrap();
        let finished = queue::finish_files_tx(&mut tx, true, 100, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        finished.len()
    }
}

fn of_file(name: &str) -> Selection {
    Selection { file: Some(name.to_owned()), ..Selection::default() }
}

const FILE: &str = "list.txt";

fn list(of: &str) -> String {
    (0..3).map(|n| format!("https://vod.example.com/{of}/{n}.ts\n")).chain(["no url\n".to_owned()]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hosts_that_get_files_of_one_name_each_read_move_and_account_for_their_own() {
    let Some([a, b]) = hosts("own_files", ["a", "b"]).await else { return };
    let (mut of_a, mut of_b) = (a.spool(), b.spool());
    a.drop_file(FILE, &list("a"));
    b.drop_file(FILE, &list("b"));
    a.work(&mut of_a, |host| host.receipt(FILE).is_some()).await;
    assert!(b.receipt(FILE).is_none() && b.folder("incoming").join(FILE).exists(), "a's daemon left b's file alone");
    b.work(&mut of_b, |host| host.receipt(FILE).is_some()).await;
    for (host, own) in [(&a, "a"), (&b, "b")] {
        assert_eq!(fs::read_to_string(host.folder("done").join(FILE)).unwrap(), list(own));
        let refused = fs::read_to_string(host.folder("done").join(format!("{FILE}.refused.tsv"))).unwrap();
        assert_eq!(refused.lines().filter(|line| line.ends_with("\tno url\tno_url")).count(), 1, "{refused}");
    }
    let files = "select host || ' ' || name || ' ' || queued || ' ' || progress from v_files order by file_id";
    assert_eq!(a.said(files).await, ["a list.txt 3 done", "b list.txt 3 done"]);
    // They are one queue: an order that is given on one host holds for both files.
    assert_eq!(a.order(Order::Cancel, &of_file(FILE)).await, 6);
    assert_eq!(a.said("select host || ' ' || who || ' ' || rows from v_orders").await, ["a ann 6"]);
    assert_eq!(b.finish_files().await, 2);
    // Each host writes its own last receipts, and leaves those of others to them.
    let is_final = |host: &Host| host.receipt(FILE).is_some_and(|text| text.contains("\"cancelled\": 3"));
    a.work(&mut of_a, is_final).await;
    assert!(!is_final(&b));
    assert_eq!(b.said("select host from files where receipt_final = 0").await, ["b"]);
    b.work(&mut of_b, is_final).await;
    assert_eq!(b.said("select host from files where receipt_final = 0").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_a_retry_from_elsewhere_the_receipt_is_written_again_by_the_host_that_has_it() {
    let Some([a, b]) = hosts("retried", ["a", "b"]).await else { return };
    let (mut of_a, mut of_b) = (a.spool(), b.spool());
    b.drop_file(FILE, &list("b"));
    b.work(&mut of_b, |host| host.receipt(FILE).is_some()).await;
    let name = of_file(FILE);
    assert_eq!(a.order(Order::Cancel, &name).await, 3);
    assert_eq!(a.finish_files().await, 1);
    let ended = |host: &Host| host.receipt(FILE).filter(|text| text.contains("\"cancelled\": 3"));
    b.work(&mut of_b, |host| ended(host).is_some()).await;
    let before = ended(&b).unwrap();
    // Where a's own spool has a receipt of that name, it is not touched.
    fs::write(a.folder("done").join(FILE), "").unwrap();
    fs::write(a.folder("done").join(format!("{FILE}.receipt.json")), "a's").unwrap();
    a.clock.advance(chrono::TimeDelta::hours(1));
    b.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(a.order(Order::Retry, &name).await, 3);
    assert_eq!(a.order(Order::Cancel, &Selection { url: None, ..name.clone() }).await, 3);
    assert_eq!(a.finish_files().await, 1);
    of_a.pass(&CancellationToken::new()).await.unwrap();
    assert_eq!(a.receipt(FILE).unwrap(), "a's");
    assert_eq!(b.said("select host from files where receipt_final = 0").await, ["b"], "it is left to b");
    b.work(&mut of_b, |host| host.receipt(FILE).is_some_and(|text| text != before)).await;
    assert!(b.receipt(FILE).unwrap().contains("2026-11-23T02:00:00"), "the receipt tells of the second end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_queued_urls_of_a_host_that_is_down_are_sent_and_its_unread_files_wait_for_it() {
    let Some([a, b]) = hosts("down", ["a", "b"]).await else { return };
    let mut of_a = a.spool();
    a.drop_file("read.txt", &list("read"));
    a.work(&mut of_a, |host| host.receipt("read.txt").is_some()).await;
    // It dies while it reads another one.
    fs::write(a.folder("work").join(FILE), list("unread")).unwrap();
    let mut tx = a.store.write().await.unwrap();
    let unread = NewFile { name: FILE.to_owned(), stored_name: FILE.to_owned(), owner_uid: None };
    tx.bulk(|conn| {
        let file = queue::register(conn, "a", &[unread], start())?.remove(0);
        queue::begin_reading(conn, file.id, 0)
    })
    .await
    .unwrap();
    tx.commit().await.unwrap();
    drop(of_a);
    // The other host starts, works on a file of the same name, and ends in order.
    fs::write(b.folder("work").join(FILE), list("b")).unwrap();
    let mut of_b = b.spool();
    b.work(&mut of_b, |host| host.receipt(FILE).is_some()).await;
    let mut tx = b.store.write().await.unwrap();
    queue::not_died_tx(&mut tx, b.store.host()).await.unwrap();
    tx.commit().await.unwrap();
    let ready = queue::ready(b.store.read(), Lane::Prefetch, 100, start()).await.unwrap();
    assert_eq!(ready.urls, 6, "those that are queued go out, whoever queued them");
    let unread = "select host || ' ' || phase || ' ' || starts || ' ' || lines from files where phase < 2";
    assert_eq!(b.said(unread).await, ["a 0 1 0"], "nobody else reads it or forgets how often it killed its daemon");
    // It comes back, and goes on with what it had begun.
    let mut of_a = a.spool();
    a.work(&mut of_a, |host| host.receipt(FILE).is_some()).await;
    assert_eq!(fs::read_to_string(a.folder("done").join(FILE)).unwrap(), list("unread"));
    assert_eq!(queue::ready(b.store.read(), Lane::Prefetch, 100, start()).await.unwrap().urls, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_members_ask_through_a_spool_is_told_apart_by_its_host() {
    let Some([a, b]) = hosts("members", ["a", "b"]).await else { return };
    let dropped = DroppedAs { name: "order.json".to_owned(), mark: "1".to_owned() };
    for (host, who) in [(&a, "ann"), (&b, "bob")] {
        assert_eq!(queue::dropped_order(host.store.read(), host.store.host(), &dropped).await.unwrap(), None);
        let mut tx = host.store.write().await.unwrap();
        let asker = Asker { who, host: host.store.host() };
        queue::record_order_tx(&mut tx, asker, "cancel", "", Some(&dropped), start()).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(a.said("select host || ' ' || who from v_orders order by order_id").await, ["a ann", "b bob"]);
}

/// What was found, as text to compare; the rows of others have numbers in between.
fn told<T: Debug>(said: &mut Vec<String>, what: &str, found: T) {
    said.push(format!("{what}: {found:?}"));
}

/// Each verb about a host's own files and orders, in the order of a file's life.
async fn life_of_a_file(store: &Arc<Store>, own: FileId) -> Vec<String> {
    let (host, now) = (store.host(), start());
    let mut said = Vec::new();
    let is_own = |id: FileId| id == own;
    let unfinished = queue::unfinished(store.read(), host).await.unwrap();
    told(&mut said, "unfinished", unfinished.iter().map(|file| (is_own(file.id), &file.name)).collect::<Vec<_>>());
    let deaths = queue::deaths(store.read(), host).await.unwrap();
    told(&mut said, "deaths", deaths.iter().map(|(id, deaths)| (is_own(*id), *deaths)).collect::<Vec<_>>());
    let kept = queue::kept_as(store.read(), host, FILE).await.unwrap();
    told(&mut said, "kept as", kept.map(|(file, is_away)| (is_own(file.id), is_away)));
    let mut tx = store.write().await.unwrap();
    queue::not_died_tx(&mut tx, host).await.unwrap();
    let content = Content { bytes: 9, sha256: "ab".to_owned(), changed: now };
    tx.bulk(|conn| queue::mark_read(conn, own, &content, now)).await.unwrap();
    queue::finish_tx(&mut tx, &[own]).await.unwrap();
    tx.commit().await.unwrap();
    told(&mut said, "deaths", queue::deaths(store.read(), host).await.unwrap().len());
    let kept = queue::kept(store.read(), host, FileId(0), 10).await.unwrap();
    told(&mut said, "kept", kept.iter().map(|file| (is_own(file.id), file.bytes)).collect::<Vec<_>>());
    let moving = queue::moving(store.read(), host, 10).await.unwrap();
    told(&mut said, "moving", moving.iter().map(|file| (is_own(file.file), file.has_moved)).collect::<Vec<_>>());
    told(&mut said, "final", queue::without_final_receipt(store.read(), host).await.unwrap().len());
    let mut tx = store.write().await.unwrap();
    queue::finish_files_tx(&mut tx, true, 10, now).await.unwrap();
    tx.commit().await.unwrap();
    let last = queue::without_final_receipt(store.read(), host).await.unwrap();
    told(&mut said, "final", last.iter().map(|(id, name, later)| (is_own(*id), name, *later)).collect::<Vec<_>>());
    let accounts = queue::accounts(store.read(), &[own]).await.unwrap();
    let mut tx = store.write().await.unwrap();
    queue::receipts_written_tx(&mut tx, &accounts).await.unwrap();
    tx.commit().await.unwrap();
    told(&mut said, "final", queue::without_final_receipt(store.read(), host).await.unwrap().len());
    let mut conn = store.read().acquire().await.unwrap();
    told(&mut said, "latest", Progress::latest_file(&mut conn, host, FILE).await.unwrap().map(|id| id == own.0));
    told(&mut said, "booked", Progress::is_booked(&mut conn, host, FILE).await.unwrap());
    told(&mut said, "any", Progress::any_file(&mut conn, FILE).await.unwrap());
    told(&mut said, "any", Progress::any_file(&mut conn, "other.txt").await.unwrap());
    drop(conn);
    let mut tx = store.write().await.unwrap();
    let reopened = queue::reopen_tx(&mut tx, own).await.unwrap();
    told(&mut said, "reopened", reopened.map(|file| (is_own(file.id), file.is_read_on)));
    tx.commit().await.unwrap();
    said.extend(orders_of_members(store).await);
    said.extend(board(store).await);
    said
}

async fn orders_of_members(store: &Store) -> Vec<String> {
    let (host, now) = (store.host(), start());
    let mut said = Vec::new();
    let dropped = |name: &str| DroppedAs { name: name.to_owned(), mark: "1".to_owned() };
    let (order, refused) = (dropped("order.json"), dropped("refused.json"));
    let asker = Asker { who: "ann", host };
    let fault = OrderFault::NoFile { file: FILE.to_owned() };
    let begun = |order| async move { queue::dropped_order(store.read(), host, order).await.unwrap() };
    told(&mut said, "begun", begun(&order).await.is_some());
    let mut tx = store.write().await.unwrap();
    let row = queue::record_order_tx(&mut tx, asker, "cancel", "", Some(&order), now).await.unwrap();
    queue::count_order_tx(&mut tx, row, 7).await.unwrap();
    queue::refuse_order_tx(&mut tx, asker, &refused, &fault, now).await.unwrap();
    tx.commit().await.unwrap();
    told(&mut said, "begun", begun(&order).await.map(|(id, is_done)| (id == row, is_done)));
    let mut conn = store.read().acquire().await.unwrap();
    for name in ["order.json", "refused.json", "none.json"] {
        told(&mut said, name, queue::order_progress(&mut conn, host, name).await.unwrap());
    }
    said
}

async fn board(store: &Arc<Store>) -> Vec<String> {
    let board = Board::new(Arc::clone(store));
    board.health(Health::Running, Some(start())).await.unwrap();
    board.spool_problem(Name::Spool, Some(SpoolProblem::Unusable { said: "full".to_owned() })).await.unwrap();
    board.left_alone(&[(FILE.to_owned(), LeftWhy::Unfinished, start())]).await.unwrap();
    board.left_alone(&[("x.tmp".to_owned(), LeftWhy::Unfinished, start())]).await.unwrap();
    let mut said = Vec::new();
    for text in [
        "select health || ' ' || spool_problem_code || ' ' || started_at from v_daemons where host = ?1",
        "select name || ' ' || why_code || ' ' || since from v_left_alone where host = ?1",
    ] {
        let rows = query(text).bind(store.host()).fetch_all(store.read()).await.unwrap();
        said.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    said
}

/// A file that is being read for the second time.
async fn begun(store: &Store) -> FileId {
    let new = NewFile { name: FILE.to_owned(), stored_name: FILE.to_owned(), owner_uid: None };
    let mut tx = store.write().await.unwrap();
    let file = tx
        .bulk(|conn| {
            let file = queue::register(conn, store.host(), &[new], start())?.remove(0).id;
            queue::begin_reading(conn, file, 1)?;
            Ok::<_, prefetchd::store::Error>(file)
        })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_life_of_a_file_is_the_same_in_a_file_of_one_host_and_on_a_server_of_two() {
    let Some([a, b]) = hosts("life", ["a", "b"]).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let lite = Arc::new(Store::open(&dir.path().join("a.db")).await.unwrap());
    let own = begun(&lite).await;
    let alone = life_of_a_file(&lite, own).await;
    assert_eq!(alone[0], "unfinished: [(true, \"list.txt\")]");
    // Those of a stand before and behind those of b.
    begun(&a.store).await;
    orders_of_members(&a.store).await;
    board(&a.store).await;
    let own = begun(&b.store).await;
    let elsewhere = "select host || ' ' || name || ' ' || phase || ' ' || starts from files where host = 'a'";
    assert_eq!(a.said(elsewhere).await, ["a list.txt 0 1"]);
    assert_eq!(life_of_a_file(&b.store, own).await, alone);
    assert_eq!(a.said(elsewhere).await, ["a list.txt 0 1"], "nothing of it has changed");
    assert_eq!(a.said("select host || ' ' || name from left_alone order by host").await, ["a x.tmp", "b x.tmp"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_belongs_to_one_spool_until_its_daemon_is_stopped_or_silent_for_a_minute() {
    let Some([a, twin]) = hosts("names", ["a", "a"]).await else { return };
    let take = |host: &'static str, store: Arc<Store>| async move { Namesake::refuse(&store, host).await.unwrap() };
    let (one, other) = (Arc::clone(&a.store), Arc::clone(&twin.store));
    assert_eq!(take("one", Arc::clone(&one)).await, Ok(()));
    let board = Board::new(Arc::clone(&one));
    board.health(Health::Running, Some(start())).await.unwrap();
    assert_eq!(take("one", Arc::clone(&one)).await, Ok(()), "a killed daemon of the same spool starts again at once");
    let refused = take("other", Arc::clone(&other)).await.unwrap_err();
    assert_eq!(refused.host, "a");
    assert_eq!(take("one", Arc::clone(&one)).await, Ok(()), "a refusal changes nothing");
    let mut tx = one.write().await.unwrap();
    query("update daemon set seen_at = seen_at - 60001").execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take("other", Arc::clone(&other)).await, Ok(()), "nobody lives there any more");
    assert!(take("one", Arc::clone(&one)).await.is_err());
    board.health(Health::Stopped, None).await.unwrap();
    assert_eq!(take("one", one).await, Ok(()), "it was stopped in order");
}

#[test]
fn a_second_daemon_under_a_hosts_name_is_told_what_to_do_and_touches_nothing() {
    let on_a = |spool: &str| format!("[database]\nhost = \"a\"\n[spool]\ndir = \"{spool}\"\n");
    let Some(world) = World::on_server("", "[database]\nhost = \"a\"\n") else { return };
    let daemon = world.ready_daemon();
    world.configure(&on_a(&world.path("other-spool").display().to_string()));
    let mut command = world.command(&["run", "--allow-root"]);
    let refused = command.env("PREFETCHD_LANG", "en").output().unwrap();
    let says = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{says}");
    assert!(says.contains("under the name of this host, a,") && says.contains("[database] host"), "{says}");
    let mut command = world.command(&["run", "--allow-root"]);
    let refused = command.env("PREFETCHD_LANG", "zh").output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("以本机的名称 a 使用此数据库"));
    assert_eq!(world.rows("select host, health from v_daemons"), [["a", "running"]]);
    // The same spool starts at once after a kill, and another one under a name of its own.
    world.configure("[database]\nhost = \"a\"\n");
    drop(daemon);
    let daemon = world.daemon();
    world.wait("the daemon to be ready again", || world.count_log("ready version") == 2);
    world.stop(daemon);
}

/// Writes as the keeper of the lease and of the signs of life would.
async fn write(store: &Store, text: &'static str) {
    let mut tx = store.write().await.unwrap();
    query(text).execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

/// What `status` reports on a host.
async fn report(host: &Host) -> StatusReport {
    let text = format!("[database]\nurl = \"postgres://h/d\"\nhost = \"{}\"\n", host.store.host());
    let config = Config::from_toml(&text).unwrap();
    let mut conn = host.store.read().acquire().await.unwrap();
    let mut report = read_report(&mut conn, 10).await.unwrap();
    report.complete(&mut conn, &config, (Some(true), None), start()).await.unwrap();
    report.list_needs(&config, &Invocation::default());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_report_is_of_its_own_host_and_says_who_leads_and_who_is_missed() {
    let Some([a, b]) = hosts("reports", ["a", "b"]).await else { return };
    for host in [&a, &b] {
        assert_eq!(Namesake::refuse(&host.store, host.store.host()).await.unwrap(), Ok(()));
        Board::new(Arc::clone(&host.store)).health(Health::Running, Some(start())).await.unwrap();
    }
    let board = Board::new(Arc::clone(&b.store));
    board.spool_problem(Name::Spool, Some(SpoolProblem::Unusable { said: "full".to_owned() })).await.unwrap();
    board.left_alone(&[(FILE.to_owned(), LeftWhy::Unfinished, start())]).await.unwrap();
    begun(&b.store).await;
    write(&a.store, "update leader set holder = 'b', fence = 1, until_at = clock_ms() + 15000").await;
    let of = |report: &StatusReport| (report.health.clone(), report.leader.clone(), report.follows());
    let (on_a, on_b) = (report(&a).await, report(&b).await);
    assert_eq!(of(&on_a), ("running".to_owned(), Some("b".to_owned()), true));
    assert_eq!(of(&on_b), ("running".to_owned(), Some("b".to_owned()), false));
    assert_eq!((on_a.spool_problem.is_some(), on_a.left_alone.len()), (false, 0), "that is b's");
    assert_eq!((on_b.spool_problem.is_some(), on_b.left_alone.len()), (true, 1));
    assert_eq!(on_a.files[0].host, "b");
    let hosts = Hosts::of(&on_a).unwrap();
    assert_eq!((hosts.leads, hosts.spool_problem), (false, false));
    assert_eq!(hosts.by_health, [("running", 2), ("stopping", 0), ("stopped", 0), ("silent", 0)]);
    let told = |report: &StatusReport| report.needs.iter().map(|need| need.what.en.to_string()).collect::<Vec<_>>();
    assert!(told(&on_a)[0].starts_with("host b: ") && told(&on_a).len() == 1, "{:?}", told(&on_a));
    // b dies: at first that is a handover, then somebody is told.
    write(&a.store, "update daemon set seen_at = clock_ms() - 70000 where host = 'b'").await;
    write(&a.store, "update leader set until_at = clock_ms() - 1000").await;
    let missed = report(&a).await;
    assert_eq!((of(&missed), missed.is_leaderless), (("running".to_owned(), None, false), false));
    assert!(told(&missed)[0].starts_with("host b gives no sign of life"), "{:?}", told(&missed));
    assert!(told(&missed)[0].ends_with("1 file is not read to its end"), "{:?}", told(&missed));
    write(&a.store, "update leader set until_at = clock_ms() - 40000").await;
    let missed = told(&report(&a).await);
    assert!(missed[0].starts_with("no host leads: "), "{missed:?}");
    // Where the database is a file nothing of this is said.
    let dir = tempfile::tempdir().unwrap();
    let lite = Store::open(&dir.path().join("a.db")).await.unwrap();
    let mut conn = lite.read().acquire().await.unwrap();
    let mut alone = read_report(&mut conn, 0).await.unwrap();
    alone.complete(&mut conn, &Config::default(), (Some(true), None), start()).await.unwrap();
    let json = serde_json::to_string(&alone).unwrap();
    assert!(Hosts::of(&alone).is_none() && !json.contains("daemons") && !json.contains("leader"), "{json}");
}

#[test]
fn orders_hold_from_any_host_and_each_file_says_whose_it_is() {
    let Some(world) = World::on_server("", "[database]\nhost = \"a\"\n") else { return };
    let other = world.path("other-spool");
    let on_b = format!("[database]\nhost = \"b\"\n[spool]\ndir = \"{}\"\n", other.display());
    let daemon_a = world.ready_daemon();
    world.configure(&on_b);
    let daemon_b = world.daemon();
    world.wait("both daemons to be ready", || world.count_log("ready version") == 2);
    let run = |args: &[&str], code: i32| {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["pause", "--reason", "from b"], 0);
    fs::write(other.join("incoming/.b"), urls("b", 2)).unwrap();
    fs::rename(other.join("incoming/.b"), other.join("incoming/b.txt")).unwrap();
    world.drop_file("a.txt", format!("{}no url\n", urls("a", 3)));
    world.wait_for("select count(*) from v_files where progress = 'done'", 2);
    run(&["wait", "b.txt", "--timeout", "0"], 75);
    // The rest is typed on a.
    world.configure("[database]\nhost = \"a\"\n");
    let status: serde_json::Value = serde_json::from_str(&run(&["status", "--json"], 1)).unwrap();
    assert_eq!((&status["host"], &status["paused_code"]), (&"a".into(), &"stopped".into()), "{status}");
    assert_eq!(status["daemons"].as_array().unwrap().len(), 2);
    run(&["wait", "b.txt", "--timeout", "0"], 66);
    let file: serde_json::Value = serde_json::from_str(&run(&["status", "b.txt", "--json"], 0)).unwrap();
    assert_eq!(file["host"], "b");
    assert!(run(&["export", "--file", "b.txt"], 0).lines().all(|line| line.ends_with(",host") || line.ends_with(",b")));
    assert!(run(&["why", "https://vod.example.com/b/seg-000001.ts"], 0).contains("on b"));
    assert_eq!(run(&["files"], 0).matches("\tb\n").count(), 1);
    run(&["prioritize", "--file", "b.txt"], 0);
    run(&["cancel", "--file", "b.txt"], 0);
    world.wait_for("select cancelled from v_files where name = 'b.txt'", 2);
    run(&["retry", "--file", "b.txt"], 0);
    // A member's order about a file of a comes through the spool of b.
    fs::write(other.join("orders/.o"), r#"{"order": "cancel", "file": "a.txt"}"#).unwrap();
    fs::rename(other.join("orders/.o"), other.join("orders/o.json")).unwrap();
    world.wait_for("select cancelled from v_files where name = 'a.txt'", 3);
    run(&["resume"], 0);
    world.wait_for("select submitted + complete from v_files where name = 'b.txt'", 2);
    let orders = world.rows("select host, command from v_orders order by order_id");
    let expected =
        [["b", "pause"], ["a", "prioritize"], ["a", "cancel"], ["a", "retry"], ["b", "cancel"], ["a", "resume"]];
    assert_eq!(orders, expected);
    world.stop(daemon_a);
    world.stop(daemon_b);
}
