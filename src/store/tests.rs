//! Tests of opening, writing and refusing the database.

use sqlx::{Connection as _, SqliteConnection};

use super::lite::MIGRATIONS;
use super::*;

#[tokio::test]
async fn every_migration_of_the_folder_is_built_in_and_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    assert_eq!(files.count(), MIGRATIONS.len());
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let version: String = query_scalar("select sqlite_version()").fetch_one(tx.conn()).await.unwrap();
    assert!(version.starts_with("3."), "{version}");
    let full: i64 = query_scalar("pragma synchronous").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(full, 2);
}

#[tokio::test]
async fn a_dropped_transaction_is_undone_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    query("insert into hosts (host, since) values ('a.example.com', 0)").execute(tx.conn()).await.unwrap();
    drop(tx);
    let mut tx = store.write().await.unwrap();
    let hosts: i64 = query_scalar("select count(*) from hosts").fetch_one(tx.conn()).await.unwrap();
    assert_eq!(hosts, 0);
}

#[tokio::test]
async fn why_nothing_can_be_written_is_known_until_something_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(&path).await.unwrap();
    let mut foreign = SqliteConnection::connect_with(&base_options(&path)).await.unwrap();
    sqlx::query("begin immediate").execute(&mut foreign).await.unwrap();
    assert_eq!(store.trouble(), None);
    assert!(matches!(store.write().await, Err(Error::Busy(_))));
    assert!(store.trouble().is_some_and(|why| why.contains("locked by another process")));
    sqlx::query("rollback").execute(&mut foreign).await.unwrap();
    let tx = store.write().await.unwrap();
    assert!(store.trouble().is_some(), "nothing was made durable yet");
    tx.commit().await.unwrap();
    assert_eq!(store.trouble(), None);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let store = Store::open(&path).await.unwrap();
    let mut tx = store.write().await.unwrap();
    query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (99, \
        'later', 1, x'', 0)",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::open(&path).await, Err(Error::Newer { found: 99, .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
