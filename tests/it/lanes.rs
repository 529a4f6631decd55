//! Lanes: what another operation spends, learns and waits for is no business of prefetching's.

use prefetchd::config::Config;
use prefetchd::ledger;
use prefetchd::model::{BudgetDay, Lane};
use prefetchd::schedule::Policy;
use prefetchd::store::Store;

/// What a lane with the number 2 might have: a day that is spent, a pause, facts, URLs, a submission in doubt.
const OTHER: &str = "
    insert into budget_days (lane, day, starts_at, ends_at, requests_limit, requests_used, unsure)
        values (2, '2026-11-23', 0, 9999999999999, 500, 500, 1), (2, '2999-01-01', 0, 9999999999999, 500, 500, 1);
    insert or replace into account
        (lane, backoff_until, backoff_failures, backoff_why, paused_why, paused_since, probe_at)
        values (2, 9999999999999, 9, 'the network', 'suspended', 0, 0);
    insert into facts (lane, fact, value, observed_at) values (2, 'unit', 'urls', 0), (2, 'refusals_cost', 'true', 0);
    insert or replace into tally (lane, priority, pending) values (2, 2, 1000);
    insert into submissions (lane, day, nonce, signed_at, sent_at, doubt_since, double_urls, urls, cost, opened_at)
        values (2, '2026-11-23', 'n', 0, 0, 0, 7, 7, 1, 0)";

#[tokio::test]
async fn what_another_lane_spends_and_waits_for_does_not_touch_prefetching() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let policy = Policy::from(&Config::default());
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let day = BudgetDay::of(now, policy.day_starts);
    assert_eq!(ledger::charge_tx(&mut tx, &day, &policy, 7).await.unwrap(), Some(1));
    tx.commit().await.unwrap();
    let mut conn = store.read().acquire().await.unwrap();
    let spent = ledger::spent(&mut conn, Lane::Prefetch, policy.day_starts, now).await.unwrap();
    let standing = ledger::standing(&mut conn, Lane::Prefetch, now).await.unwrap();
    drop(conn);
    let told = "select health, paused_why, pending, in_doubt, possible_doubles, in_flight,
                       (select count(*) || ' ' || sum(requests_used) || ' ' || coalesce(max(unit), '-')
                        from v_budget) as budget
                from v_status";
    let said = async || {
        let row = prefetchd::store::query(told).fetch_one(store.read()).await.unwrap();
        let (health, paused): (String, Option<String>) = (row.get(0), row.get(1));
        let numbers = [2, 3, 4, 5].map(|at| row.get::<i64, _>(at));
        (health, paused, numbers, row.get::<String, _>("budget"))
    };
    let before = said().await;

    let mut tx = store.write().await.unwrap();
    for statement in OTHER.split(";\n") {
        prefetchd::store::query(statement).execute(tx.conn()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut conn = store.read().acquire().await.unwrap();
    assert_eq!(ledger::spent(&mut conn, Lane::Prefetch, policy.day_starts, now).await.unwrap(), spent);
    assert_eq!(ledger::standing(&mut conn, Lane::Prefetch, now).await.unwrap(), standing);
    assert_eq!(ledger::open_submissions(store.read(), Lane::Prefetch, policy.day_starts).await.unwrap(), []);
    drop(conn);
    assert_eq!(said().await, before);
    let mut tx = store.write().await.unwrap();
    assert_eq!(ledger::charge_tx(&mut tx, &day, &policy, 7).await.unwrap(), Some(2));
    assert_eq!(ledger::confirm_tx(&mut tx, Lane::Prefetch, Some(400)).await.unwrap(), None);
}
