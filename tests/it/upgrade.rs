//! Databases of earlier landings open in this program with everything in them (migrations are append-only).

use std::path::{Path, PathBuf};

use prefetchd::store::Store;
use sqlx::Row as _;

/// A database that the program of 2026-11-25 made: files, URLs in most states, an accepted submission, one in doubt.
const OF_2026_11_25: &[u8] = include_bytes!("../fixtures/2026-11-25.db.zst");

fn unpacked(dir: &Path) -> PathBuf {
    let path = dir.join("prefetchd.db");
    std::fs::write(&path, zstd::decode_all(OF_2026_11_25).unwrap()).unwrap();
    path
}

#[tokio::test]
async fn a_database_of_the_first_landing_opens_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&unpacked(dir.path())).await.unwrap();
    let states = "select group_concat(state || ' ' || urls, ', ') as states
                  from (select state, count(*) as urls from v_urls group by state order by state)";
    let row = sqlx::query(states).fetch_one(store.read()).await.unwrap();
    assert_eq!(row.get::<String, _>("states"), "cancelled 3, complete 12, expired 3, failed 2, leased 1, pending 12");
    let row = sqlx::query(
        "select (select count(*) from v_files) as files, (select sum(cost) from submissions) as cost,
                (select count(*) from v_submissions where outcome = 'in_doubt') as in_doubt,
                (select value from facts where fact = 'unit') as unit,
                (select count(*) from pragma_foreign_key_check) as broken, (select requests_used from v_budget) as used",
    )
    .fetch_one(store.read())
    .await
    .unwrap();
    let number = |name: &str| row.get::<i64, _>(name);
    assert_eq!((number("files"), number("cost"), number("used")), (7, 2, 2));
    assert_eq!((number("in_doubt"), number("broken")), (1, 0));
    assert_eq!(row.get::<String, _>("unit"), "requests");
}
