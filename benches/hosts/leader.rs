//! The leader's open beside hosts that read: it picks a batch of 1,000, charges the day, enters the submission and
//! leases the URLs, in one transaction, which waits for those of the others.

use std::time::{Duration, Instant};

use chrono::Utc;
use prefetchd::ledger;
use prefetchd::model::{BudgetDay, Lane, Priority, SubmissionId};
use prefetchd::queue;
use prefetchd::schedule::HostRooms;
use prefetchd::service::policy;
use prefetchd::store::{Store, query};

use super::{Engine, Host, runtime, while_several_read};

/// URLs of a batch.
const BATCH: u32 = 1_000;

/// Between two opens: the pace of the service.
const PAUSE: Duration = Duration::from_millis(100);

/// As many pending URLs as asked for, of one file and twenty domains, with their keys and counters.
const PENDING: [&str; 6] = [
    "insert into files (name, stored_name, phase, dropped_at, queued, lines, pending, url_from, url_to)
     values ('many.txt', 'many.txt', 2, 1, ?1, ?1, ?1, 1, ?1)",
    "insert into hosts (host, since, pending, url_from, url_to)
     select 'p' || i || '.example.com', 1, ?1 / 20, 1, ?1 from generate_series(1, 20) as i",
    "insert into urls (url_id, file_id, line, url, host_id, priority)
     select i, 1, i, 'https://p' || (i % 20 + 1) || '.example.com/' || md5(i::text) || '/' || md5((-i)::text) || '.ts',
            i % 20 + 1, 2
     from generate_series(1, ?1) as i",
    "insert into url_keys (url_key, url_id) select hashint8extended(i, 7), i from generate_series(1, ?1) as i
     order by 1",
    "update tally set pending = ?1 where lane = 1 and priority = 2",
    "analyze",
];

/// Seconds of each open, in order.
pub(super) async fn open(store: &Store, host: &Host, opens: usize) -> Vec<f64> {
    let policy = policy(&host.config, Lane::Prefetch);
    let room = queue::Room { lane: Lane::Prefetch, weakest: Priority::Low, urls_max: BATCH, domains_max: None };
    let mut seconds = Vec::new();
    for _ in 0..opens {
        let now = Utc::now();
        let day = BudgetDay::of(now, policy.day_starts);
        let started = Instant::now();
        let mut tx = store.write().await.unwrap();
        let batch = queue::pick_tx(&mut tx, room, &HostRooms::new(), now).await.unwrap();
        assert_eq!(batch.urls.len(), BATCH as usize);
        let charged = ledger::charge_tx(&mut tx, &day, &policy, BATCH).await.unwrap().unwrap();
        let nonce = uuid::Uuid::new_v4().to_string();
        let place = (Lane::Prefetch, SubmissionId(0));
        let (call, times, lease) = ((nonce.as_str(), "-"), (now, now, now), (None, charged));
        let opened = ledger::open_tx(&mut tx, place, &day, call, (BATCH, 0), times, lease).await.unwrap();
        queue::lease_tx(&mut tx, &batch, opened).await.unwrap();
        tx.commit().await.unwrap();
        seconds.push(started.elapsed().as_secs_f64());
        tokio::time::sleep(PAUSE).await;
    }
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// Prints how long opens take at so many pending URLs, alone and while hosts read lists of so many lines.
pub(super) fn measure(url: &str, pending: u64, opens: usize, lines: u64) {
    let runtime = runtime();
    let host = runtime.block_on(Host::new(Engine::Server(url), "leader".to_owned()));
    runtime.block_on(async {
        let mut tx = host.store.write().await.unwrap();
        for text in PENDING {
            let statement = query(text);
            let statement =
                if text.contains("?1") { statement.bind(i64::try_from(pending).unwrap()) } else { statement };
            statement.execute(tx.conn()).await.unwrap();
        }
        tx.commit().await.unwrap();
    });
    let tell = |when: &str, seconds: &[f64]| {
        let at = |hundredths: usize| seconds[(seconds.len() - 1) * hundredths / 100] * 1_000.0;
        println!(
            "the leader opens a batch of {BATCH} of {pending} pending, {when}: median {:.1} ms, \
             95 of 100 within {:.1} ms, longest {:.1} ms, of {}",
            at(50),
            at(95),
            at(100),
            seconds.len()
        );
    };
    tell("alone", &runtime.block_on(open(&host.store, &host, opens)));
    let beside = || runtime.block_on(open(&host.store, &host, opens));
    tell("while three hosts read", &while_several_read(url, lines, beside));
}
