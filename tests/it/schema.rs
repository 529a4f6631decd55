//! The schema: every statement fits it, the hot ones use their index, and its page tells the truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prefetchd::store::Store;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// Every constant of the storage modules that is a statement, by file and name.
fn statements() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["queue", "ledger", "track", "notify", "status"] {
        for file in std::fs::read_dir(src.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            for part in text.split("\nconst ").skip(1) {
                let Some((name, rest)) = part.split_once(": &str =") else { continue };
                let Some(rest) = rest.trim_start().strip_prefix('"') else { continue };
                let (statement, _) = rest.split_once("\";").unwrap();
                // Other texts are constants too.
                if !["select", "insert", "update", "delete"].iter().any(|verb| statement.trim_start().starts_with(verb))
                {
                    continue;
                }
                let key = format!("{folder}/{} {name}", file.file_stem().unwrap().to_str().unwrap());
                found.insert(key, statement.to_owned());
            }
        }
    }
    found
}

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    (dir, store)
}

async fn plan(conn: &mut SqliteConnection, statement: &str) -> String {
    let query = format!("explain query plan {statement}");
    let rows =
        sqlx::query(AssertSqlSafe(query)).fetch_all(conn).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let (_dir, store) = store().await;
    let statements = statements();
    assert!(statements.len() > 70, "only {} statements were found", statements.len());
    let mut tx = store.write().await.unwrap();
    for (name, statement) in statements {
        let prepared = sqlx::query(AssertSqlSafe(format!("explain {statement}"))).fetch_all(tx.conn()).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.unwrap_err());
    }
}

#[tokio::test]
async fn the_hot_statements_walk_their_index() {
    let (_dir, store) = store().await;
    let statements = statements();
    let mut tx = store.write().await.unwrap();
    for (name, index) in [
        ("queue/claim PICK", "USING INDEX urls_ready"),
        ("queue/claim PICK_OTHERS", "USING INDEX urls_ready"),
        ("queue/claim LEASE", "USING INTEGER PRIMARY KEY"),
        ("queue/claim LEASED", "USING INDEX urls_submission"),
        ("queue/settle RELEASE", "USING INDEX urls_submission"),
        ("queue/settle EXHAUSTED", "USING INDEX urls_submission"),
        ("queue/enqueue ROW_OF_KEY", "USING INTEGER PRIMARY KEY"),
        ("queue/enqueue KNOWN", "USING INTEGER PRIMARY KEY"),
        ("queue/prune DROP_KEY", "USING INTEGER PRIMARY KEY"),
        ("queue/ready READY", "USING INDEX urls_ready"),
        ("queue/ready NEXT", "USING COVERING INDEX urls_waiting"),
        ("queue/ready SUSPECTS", "USING INDEX urls_suspect"),
        ("queue/ready PARKED", "USING INDEX hosts_blocked"),
        ("queue/hosts UNKNOWN", "USING INDEX hosts_unknown"),
        ("queue/hosts PARK", "USING INDEX urls_ready"),
        ("queue/hosts UNPARK", "USING COVERING INDEX urls_parked"),
        ("queue/hosts BLOCKED_SUSPECTS", "USING INDEX urls_suspect"),
        ("queue/prune ENDED", "USING COVERING INDEX urls_ended"),
        ("queue/files FINAL_RECEIPTS", "USING INDEX files_final"),
        ("queue/suspects HOLD", "USING INDEX urls_suspect"),
        ("queue/suspects RESUME", "USING INDEX urls_suspect"),
        ("notify/outbox NEXT", "USING INDEX notices_unsent"),
        ("notify/outbox HAS_FINISHED", "USING INDEX files_finishing"),
        ("queue/ready NEXT_DEADLINE", "USING COVERING INDEX urls_deadline"),
        ("queue/ready WAKE", "USING COVERING INDEX urls_waiting"),
        ("queue/ready EXPIRE", "USING COVERING INDEX urls_deadline"),
        ("queue/files UNFINISHED", "USING INDEX files_unfinished"),
        ("track/checks NEXT_ENDED", "USING INDEX submissions_ended"),
        ("track/checks COMPLETED", "USING INDEX urls_submission"),
        ("track/checks NEXT_DUE", "USING INDEX warmth_checks_due"),
        ("status/evidence NEXT", "USING INTEGER PRIMARY KEY"),
        ("status/evidence LAST", "SEARCH urls"),
        ("status/evidence ROWS", "SEARCH u USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("ledger/book OPEN_SUBMISSIONS", "USING INDEX submissions_open"),
    ] {
        let statement = statements.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        let plan = plan(tx.conn(), statement).await;
        assert!(plan.contains(index), "{name}: {plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{name} sorts: {plan}");
    }
    // Nothing that is asked all the time scans the queue.
    for query in ["select * from v_status", "select * from v_budget", "select * from v_hosts", "select * from v_files"]
    {
        let plan = plan(tx.conn(), query).await;
        // Suspects are few: the members of refused batches.
        let plan = plan.replace("SCAN urls USING INDEX urls_suspect", "");
        assert!(!plan.contains(" urls") && !plan.contains("SCAN u"), "{query}: {plan}");
    }
}

#[tokio::test]
async fn the_page_of_the_schema_lists_every_view_and_column() {
    let (_dir, store) = store().await;
    let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations/README.md")).unwrap();
    let mut tx = store.write().await.unwrap();
    let views: Vec<String> = sqlx::query_scalar("select name from sqlite_schema where type = 'view' order by name")
        .fetch_all(tx.conn())
        .await
        .unwrap();
    assert_eq!(views, ["v_budget", "v_checks", "v_files", "v_hosts", "v_status", "v_submissions", "v_tasks", "v_urls"]);
    for view in views {
        let columns: Vec<String> = sqlx::query_scalar("select name from pragma_table_info(?1)")
            .bind(&view)
            .fetch_all(tx.conn())
            .await
            .unwrap();
        let section =
            page.split(&format!("\n## {view}\n")).nth(1).unwrap_or_else(|| panic!("{view} is not on the page"));
        let section = section.split("\n## ").next().unwrap();
        let listed: Vec<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name))
            .collect();
        assert_eq!(listed, columns, "{view}");
    }
}
