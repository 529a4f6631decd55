//! What the queue does is the same on SQLite and PostgreSQL: the same events leave the same rows in each table and
//! view.

use prefetchd::model::Time;
use prefetchd::store::{Store, Value, query};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};

use crate::support::postgres;
use crate::wishes_model::{Event, Queue, any_event};

/// Drawn days, of so many events each.
const DAYS: usize = 12;
const EVENTS: usize = 30;

/// What is compared. `v_status` is not: what it says depends on when it is asked.
const SAID: [&str; 14] = [
    "select * from files order by file_id",
    "select * from urls order by url_id",
    "select * from url_keys order by url_key",
    "select * from wishes order by url_id, file_id, line",
    "select * from tally order by lane, priority",
    "select * from hosts order by host_id",
    "select * from orders order by order_id",
    "select * from v_files order by file_id",
    "select * from v_urls order by url_id",
    "select * from v_wishes order by url_id, file_id, line",
    "select * from v_hosts order by host",
    "select * from v_submissions order by submission_id",
    "select * from v_orders order by order_id",
    "select * from v_lanes order by action, day",
];

type Said = Vec<Vec<(String, Value<'static>)>>;

async fn said(store: &Store, text: &str) -> Said {
    let rows = query(text).fetch_all(store.read()).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    let owned = |value: Value<'_>| match value {
        Value::Int(value) => Value::Int(value),
        Value::Real(value) => Value::Real(value),
        Value::Text(Some(text)) => Value::Text(Some(text.into_owned().into())),
        // Nothing is nothing, whatever it is not.
        Value::Text(None) => Value::Int(None),
    };
    let row = |row: &prefetchd::store::Row| {
        row.values().into_iter().map(|(name, value)| (name.to_owned(), owned(value))).collect()
    };
    rows.iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_events_leave_the_same_rows_on_both_engines() {
    let Some(server) = postgres::server() else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for day in 0..DAYS {
        let drawn = proptest::collection::vec(any_event(), EVENTS).new_tree(&mut runner).unwrap();
        let events: Vec<Event> = drawn.current();
        let dir = tempfile::tempdir().unwrap();
        let url = server.database(&format!("day_{day}")).await;
        let lite = Store::open(&dir.path().join("a.db")).await.unwrap();
        let (mut one, mut other) =
            (Queue::over(lite).await, Queue::over(Store::open_server(&url, "").await.unwrap()).await);
        let mut now: Time = "2026-11-23T01:00:00Z".parse().unwrap();
        for (at, event) in events.iter().enumerate() {
            if let Event::Pass { seconds } = event {
                now += chrono::TimeDelta::seconds(*seconds);
            }
            one.apply(event, now).await;
            other.apply(event, now).await;
            for text in SAID {
                let (lite, server) = (said(&one.store, text).await, said(&other.store, text).await);
                assert_eq!(lite, server, "{text}, after event {at} of {events:#?}");
            }
        }
        one.store.close().await;
        other.store.close().await;
    }
}
