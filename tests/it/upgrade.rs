//! Databases of earlier landings open in this program with everything in them (migrations are append-only).

use std::path::{Path, PathBuf};

use prefetchd::ledger;
use prefetchd::model::{Lane, PauseWhy, Reason, ReasonKind};
use prefetchd::store::Store;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::support::World;
use crate::sweep::{strace_works, traced};

/// A database that the program of 2026-11-25 made: files, URLs in most states, an accepted submission, one in doubt.
const OF_2026_11_25: &[u8] = include_bytes!("../fixtures/2026-11-25.db.zst");

/// A database that the program of 2026-11-29 made, killed in the middle: a refused key, a reload that was refused, an
/// upload that was left alone, URLs that were submitted, that wait, that expired and that were cancelled.
const OF_2026_11_29: &[u8] = include_bytes!("../fixtures/2026-11-29.db.zst");

/// A database that the program of 2026-11-29 made when reasons were codes, killed in the middle: URLs that several
/// files wish for, some complete and some waiting, a file that was cancelled, a day whose requests are spent.
const OF_REASONS: &[u8] = include_bytes!("../fixtures/2026-11-29-reasons.db.zst");

/// A database that the program of 2026-11-29 made when it had lanes, killed in the middle: batches of three lanes, a
/// budget that is spent, a cancelled file, an upload that was left alone.
const OF_LANES: &[u8] = include_bytes!("../fixtures/2026-11-29-lanes.db.zst");

fn unpacked(packed: &[u8], dir: &Path) -> PathBuf {
    let path = dir.join("prefetchd.db");
    std::fs::write(&path, zstd::decode_all(packed).unwrap()).unwrap();
    path
}

#[tokio::test]
async fn a_database_of_the_first_landing_opens_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&unpacked(OF_2026_11_25, dir.path())).await.unwrap();
    let states = "select group_concat(state || ' ' || urls, ', ') as states
                  from (select state, count(*) as urls from v_urls group by state order by state)";
    let row = prefetchd::store::query(states).fetch_one(store.read()).await.unwrap();
    assert_eq!(row.get::<String, _>("states"), "cancelled 3, complete 12, expired 3, failed 2, leased 1, pending 12");
    let row = prefetchd::store::query(
        "select (select count(*) from v_files) as files, (select sum(cost) from submissions) as cost,
                (select count(*) from v_submissions where outcome = 'in_doubt') as in_doubt,
                (select value from facts where fact = 'unit') as unit,
                (select count(*) from pragma_foreign_key_check) as broken,
                (select count(*) from submissions where lane <> 1) + (select count(*) from budget_days where lane <> 1)
                    + (select count(*) from urls where lane <> 1) + (select count(*) from facts where lane <> 1)
                    + (select sum(pending + complete) from tally where lane <> 1) as elsewhere,
                (select requests_used from v_budget) as used",
    )
    .fetch_one(store.read())
    .await
    .unwrap();
    let number = |name: &str| row.get::<i64, _>(name);
    assert_eq!((number("files"), number("cost"), number("used")), (7, 2, 2));
    assert_eq!((number("in_doubt"), number("broken"), number("elsewhere")), (1, 0, 0));
    assert_eq!(row.get::<String, _>("unit"), "requests");
}

#[tokio::test]
async fn reasons_of_the_first_landing_are_prose_with_the_code_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = unpacked(OF_2026_11_25, dir.path());
    let mut old = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let pauses = "update account set stopped_why = null, paused_why = 'the account is suspended', paused_since = 0,
                      probe_at = 0,
                      backoff_until = 0, backoff_failures = 1, backoff_why = 'the network';
                  update daemon set waiting_for = 'better times';
                  update hosts set standing = 'refused', why = 'not yours' where host_id = (select min(host_id)
                  from hosts)";
    sqlx::raw_sql(pauses).execute(&mut old).await.unwrap();
    let told = "select count(*) as n, group_concat(distinct reason) as said from v_urls where reason is not null";
    let before = sqlx::query(told).fetch_one(&mut old).await.unwrap();
    old.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let after = prefetchd::store::query(told).fetch_one(store.read()).await.unwrap();
    assert!(after.get::<i64, _>("n") > 1);
    assert_eq!(before.get::<String, _>("said"), after.get::<String, _>("said"));
    let codes =
        "select group_concat(distinct reason_code) || ' ' || count(reason_code) from v_urls where reason is not null";
    let codes: String = prefetchd::store::query_scalar(codes).fetch_one(store.read()).await.unwrap();
    assert_eq!(codes, format!("text {}", after.get::<i64, _>("n")));
    let others = "select paused_why || ' ' || paused_code || ' ' || waiting_for || ' ' || waiting_code || ' '
                      || (select why || ' ' || why_code from v_hosts where standing = 'refused') from v_status";
    let others: String = prefetchd::store::query_scalar(others).fetch_one(store.read()).await.unwrap();
    assert_eq!(others, "the account is suspended text better times text not yours text");
    let standing =
        ledger::standing(&mut store.read().acquire().await.unwrap(), Lane::Prefetch, chrono::Utc::now()).await.unwrap();
    assert_eq!(standing.pause.unwrap().why, PauseWhy::Text("the account is suspended".to_owned()));
    assert_eq!(standing.backing_off.unwrap().why, Reason::new(ReasonKind::Text, "the network"));
}

#[tokio::test]
async fn a_database_of_wishes_and_evidence_opens_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = unpacked(OF_2026_11_29, dir.path());
    let mut old = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let problem = "update daemon set spool_problem = 'the disk is full'";
    sqlx::query(problem).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let told = |select: &'static str| {
        let store = &store;
        async move { prefetchd::store::query_scalar::<String>(select).fetch_one(store.read()).await.unwrap() }
    };
    let states = "select group_concat(state || ' ' || urls, ', ')
                  from (select state, count(*) as urls from v_urls group by state order by state)";
    assert_eq!(told(states).await, "cancelled 1, expired 2, pending 5, submitted 9");
    let books =
        "select (select count(*) from v_files) || ' files, ' || (select sum(cost) from submissions) || ' calls, '
                     || (select count(*) from v_wishes) || ' wishes, ' || (select pending from v_status) || ' pending, '
                     || (select count(*) from pragma_foreign_key_check) || ' broken'";
    assert_eq!(told(books).await, "4 files, 2 calls, 0 wishes, 5 pending, 0 broken");
    // Prose of before stays as it was, and its code says that it is prose; codes of before stay.
    let left = "select name || ': ' || why || ' ' || why_code from v_left_alone";
    assert_eq!(
        told(left).await,
        "half.part: its name ends like an unfinished upload: rename it when it is finished text"
    );
    let codes = "select spool_problem || ' ' || spool_problem_code || ', ' || substr(config_problem, 1, 27) || ' '
                     || config_problem_code || ', ' || substr(key_refused, 1, 14) || ' ' || key_refused_code || ', '
                     || paused_code from v_status";
    assert_eq!(
        told(codes).await,
        "the disk is full text, the last reload was refused text, the access key text, unknown_key"
    );
}

#[tokio::test]
async fn a_database_of_reasons_opens_with_everything_in_it_and_its_rows_are_prefetches() {
    let dir = tempfile::tempdir().unwrap();
    let path = unpacked(OF_REASONS, dir.path());
    let mut old = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let stop = "update account set stopped_why = 'the film is late', stopped_by = 'ann', stopped_at = 0";
    sqlx::query(stop).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let told = |select: &'static str| {
        let store = &store;
        async move { prefetchd::store::query_scalar::<String>(select).fetch_one(store.read()).await.unwrap() }
    };
    let states = "select group_concat(state || ' ' || action || ' ' || urls, ', ')
                  from (select state, action, count(*) as urls from v_urls group by state, action order by state)";
    assert_eq!(told(states).await, "cancelled prefetch 2, complete prefetch 14, pending prefetch 4");
    let books = "select (select count(*) || ' ' || sum(action = 'prefetch') || ' ' || sum(purge_complete) from v_files)
                     || ' files, '
                     || (select count(*) || ' ' || sum(action = 'prefetch') from v_submissions) || ' calls, '
                     || (select count(*) || ' ' || sum(action = 'prefetch') from v_wishes) || ' wishes, '
                     || (select group_concat(action || ' ' || requests_used) from v_lanes) || ', '
                     || (select requests_used from v_budget) || ', '
                     || (select count(*) from pragma_foreign_key_check) || ' broken'";
    assert_eq!(told(books).await, "4 4 0 files, 3 3 calls, 10 10 wishes, prefetch 3, 3, 0 broken");
    // A pause of the operator holds in lanes that did not exist when it was given.
    for lane in [Lane::Prefetch, Lane::Purge, Lane::PurgeDirectory] {
        let mut conn = store.read().acquire().await.unwrap();
        let standing = ledger::standing(&mut conn, lane, chrono::Utc::now()).await.unwrap();
        assert_eq!(standing.stopped.unwrap().by, "ann");
    }
}

#[tokio::test]
async fn a_database_of_lanes_opens_with_everything_in_it_and_belongs_to_the_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&unpacked(OF_LANES, dir.path())).await.unwrap();
    let told = |select: &'static str| {
        let store = &store;
        async move { prefetchd::store::query_scalar::<String>(select).fetch_one(store.read()).await.unwrap() }
    };
    let states = "select group_concat(state || ' ' || action || ' ' || urls, ', ')
                  from (select state, action, count(*) as urls from v_urls group by state, action
                        order by state, action)";
    assert_eq!(
        told(states).await,
        "cancelled prefetch 3, pending prefetch 4, submitted prefetch 6, submitted purge 4, submitted purge-directory 1"
    );
    let waits = "select (select waiting_code || ' ' || waiting_for from v_status) || ', '
                     || (select group_concat(coalesce(waiting_code, '-')) from v_lanes)";
    assert_eq!(
        told(waits).await,
        "awaits_purge purges: 4 URLs or more are prefetched once their purge is complete, awaits_purge,-,-"
    );
    let daemon = "select host || '|' || health || '|' || leads || '|' || coalesce(version, '-') from v_daemons";
    assert_eq!(told(daemon).await, "|running|0|-");
    let rest = "select (select count(*) from v_files where host = '') || ' files, '
                    || (select count(*) from v_left_alone where host = '') || ' left alone, '
                    || (select hosts || ' ' || coalesce(leader, '-') from v_status) || ', '
                    || (select count(*) from pragma_foreign_key_check) || ' broken'";
    assert_eq!(told(rest).await, "4 files, 1 left alone, 1 -, 0 broken");
}

#[test]
fn a_start_that_is_killed_while_it_migrates_is_made_good_by_the_next_one() {
    if !strace_works() {
        return;
    }
    let mut left = [0; 5];
    // The first writes are the locks' and the log's; at the last ones the daemon may be ready.
    for n in [6, 20, 60, 120, 180, 240, 300] {
        let world = World::new("", "");
        unpacked(OF_2026_11_25, world.dir.path());
        let killed = std::cell::RefCell::new(World::spawn(&mut traced(&world, "pwrite64", "signal=KILL", n)));
        world.wait("the kill, or the end of the start", || {
            killed.borrow_mut().has_ended() || world.count_log("ready version") > 0
        });
        killed.into_inner().kill();
        let version = world.number("select max(version) from _sqlx_migrations");
        left[usize::try_from(version).unwrap() - 1] += 1;
        world.block_on(async { Store::open(&world.database()).await.unwrap().close().await });
        assert_eq!(world.number("select max(version) from _sqlx_migrations"), 5);
        assert_eq!(world.number("select count(*) from v_urls"), 33, "after a kill at write {n}");
        assert_eq!(world.number("select count(*) from pragma_foreign_key_check"), 0);
        assert_eq!(world.rows("pragma integrity_check"), [["ok"]]);
    }
    assert!(left[0] > 0, "none was killed before its end: versions {left:?}");
}
