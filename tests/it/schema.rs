//! The schema: every statement fits it, the hot ones use their index, and its page tells the truth.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prefetchd::model::UrlState;
use prefetchd::status::{FileFilter, List, SubmissionFilter, UrlFilter};
use prefetchd::store::{Conn, Store};

use crate::structure::tables;

/// Every constant that is a statement, by file and name.
fn statements() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // What the store itself says to PostgreSQL is not for this engine, and leases are taken only there.
    let is_asked = |of: &tables::Statement| !["store/postgres ", "lead/"].iter().any(|name| of.name.starts_with(name));
    for statement in tables::statements().into_iter().filter(is_asked) {
        let before = found.insert(statement.name.clone(), statement.text);
        assert!(before.is_none(), "there are two of {}", statement.name);
    }
    found
}

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    (dir, store)
}

async fn plan(conn: &mut Conn, statement: &str) -> String {
    let query = format!("explain query plan {statement}");
    let rows =
        prefetchd::store::query(query).fetch_all(conn).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let (_dir, store) = store().await;
    let statements = statements();
    assert!(statements.len() > 70, "only {} statements were found", statements.len());
    let mut tx = store.write().await.unwrap();
    for (name, statement) in statements {
        let prepared = prefetchd::store::query(format!("explain {statement}")).fetch_all(tx.conn()).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.unwrap_err());
    }
}

/// Statements that are asked all the time, or over many rows, and what their plan must have.
const HOT: [(&str, &str); 69] = [
    ("queue/claim PICK", "USING INDEX urls_ready"),
    ("queue/claim PICK_OTHERS", "USING INDEX urls_ready"),
    ("queue/claim PICK_OPEN", "USING INDEX urls_ready"),
    ("queue/claim LEASE", "USING INTEGER PRIMARY KEY"),
    ("queue/claim LEASED", "USING INDEX urls_submission"),
    ("queue/settle RELEASE", "USING INDEX urls_submission"),
    ("queue/settle EXHAUSTED", "USING INDEX urls_submission"),
    ("queue/rows ROW_OF_KEY", "USING INTEGER PRIMARY KEY"),
    ("queue/existing KNOWN", "USING INTEGER PRIMARY KEY"),
    ("queue/prune DROP_KEY", "USING INTEGER PRIMARY KEY"),
    ("queue/ready READY", "USING INDEX urls_ready"),
    ("queue/ready READY_OPEN", "USING INDEX urls_ready"),
    ("ledger/rates RATES", "USING PRIMARY KEY (lane=?"),
    ("queue/ready NEXT", "USING COVERING INDEX urls_waiting"),
    ("queue/ready SUSPECTS", "USING INDEX urls_suspect"),
    ("queue/ready PARKED", "USING INDEX hosts_blocked"),
    ("queue/census FILES_IN_PROGRESS", "USING INDEX files_unfinished"),
    ("queue/census OLDEST_PENDING", "USING INDEX files_waiting"),
    ("queue/hosts UNKNOWN", "USING INDEX hosts_unknown"),
    ("queue/hosts PARK", "USING INDEX urls_ready"),
    ("queue/hosts UNPARK", "USING COVERING INDEX urls_parked"),
    ("queue/hosts BLOCKED_SUSPECTS", "USING INDEX urls_suspect"),
    ("queue/prune ENDED", "USING COVERING INDEX urls_ended"),
    ("queue/accounts FINAL_RECEIPTS", "USING INDEX files_final"),
    ("queue/suspects HOLD", "USING INDEX urls_suspect"),
    ("queue/suspects RESUME", "USING INDEX urls_suspect"),
    ("notify/outbox NEXT", "USING INDEX notices_unsent"),
    ("queue/finished HAS_FINISHED", "USING INDEX files_finishing"),
    ("queue/finished HAS_SENT", "USING INDEX files_sent"),
    ("track/book NEXT", "USING INDEX tracks_due"),
    ("track/book OVERDUE", "USING INDEX tracks_accepted"),
    ("track/book URLS_OF_TASK", "INDEX tasks_id"),
    ("queue/endings SENT", "USING INDEX urls_submission"),
    ("queue/endings GROUPS", "USING INDEX urls_submission"),
    ("queue/ready NEXT_DEADLINE", "USING COVERING INDEX urls_deadline"),
    ("queue/ready WAKE", "USING COVERING INDEX urls_waiting"),
    ("queue/ready EXPIRE", "USING COVERING INDEX urls_deadline"),
    ("queue/files UNFINISHED", "USING INDEX files_unfinished"),
    ("track/checks NEXT_ENDED", "USING INDEX submissions_ended"),
    ("track/checks COMPLETED", "USING INDEX urls_submission"),
    ("track/checks NEXT_DUE", "USING INDEX warmth_checks_due"),
    ("status/evidence NEXT", "USING INTEGER PRIMARY KEY"),
    ("status/evidence LAST", "SEARCH urls"),
    ("ledger/book OPEN_SUBMISSIONS", "USING INDEX submissions_open"),
    ("ledger/book SENT_SINCE", "USING INDEX submissions_sent"),
    ("queue/not_queued KNOWN", "USING INTEGER PRIMARY KEY"),
    ("queue/pending CLASS_SIZE", "INDEX urls_ready"),
    ("queue/pending CLASS", "USING INDEX urls_ready"),
    ("queue/pending WAITING", "USING INDEX urls_waiting"),
    ("queue/pending PARKED", "USING INDEX urls_parked"),
    ("queue/pending SUSPECTS", "USING INDEX urls_suspect"),
    ("queue/pending FILES", "USING INDEX files_pending"),
    ("status/read OLDEST", "USING INDEX files_pending"),
    ("queue/orders RETRYABLE", "USING INTEGER PRIMARY KEY"),
    ("queue/orders WAITING", "USING INTEGER PRIMARY KEY"),
    ("queue/orders RETRY", "USING INTEGER PRIMARY KEY"),
    ("queue/orders CANCEL", "USING INTEGER PRIMARY KEY"),
    ("queue/orders WISHED", "w USING PRIMARY KEY (url_id=?)"),
    ("queue/wishes ADD_FIRST", "USING INTEGER PRIMARY KEY"),
    ("queue/wishes LIVE", "USING PRIMARY KEY (url_id=?)"),
    ("queue/wishes STOP_TIMES", "USING PRIMARY KEY (url_id=?)"),
    ("queue/wishes FOLLOWERS", "w USING PRIMARY KEY (url_id=?)"),
    ("queue/wishes FOLLOWERS_OF_BATCH", "w USING PRIMARY KEY (url_id=?)"),
    ("queue/wishes WISHED", "w USING PRIMARY KEY (url_id=?)"),
    ("queue/wish_orders STARTED", "USING COVERING INDEX wishes_starts"),
    ("queue/wish_orders LAPSED", "wishes_ends (ends_at"),
    ("queue/wish_orders OF_SCOPE", "w USING PRIMARY KEY (url_id=?)"),
    ("status/story URL", "u USING INTEGER PRIMARY KEY"),
    ("status/story CASES", "case_members_url (url_id=?)"),
];

#[tokio::test]
async fn the_hot_statements_walk_their_index() {
    let (_dir, store) = store().await;
    let statements = statements();
    let mut tx = store.write().await.unwrap();
    for (name, index) in HOT {
        let statement = statements.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        let plan = plan(tx.conn(), statement).await;
        assert!(plan.contains(index), "{name}: {plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{name} sorts: {plan}");
    }
    // Ten thousand rows a read are sorted; they are found by their numbers, never by walking a state.
    let rows = plan(tx.conn(), statements.get("status/evidence ROWS").expect("it is there")).await;
    assert!(
        rows.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)") && !rows.contains("INDEX urls_ready"),
        "{rows}"
    );
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
    let views: Vec<String> = prefetchd::store::query_scalar(
        "select name from sqlite_schema where type = 'view' and name like 'v\\_%' escape '\\' order by name",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    let expected = "v_budget v_checks v_daemons v_files v_hosts v_lanes v_left_alone v_orders v_robots v_status \
                    v_submissions v_tasks v_urls v_wishes";
    assert_eq!(views.join(" "), expected);
    for view in views {
        let columns: Vec<String> = prefetchd::store::query_scalar("select name from pragma_table_info(?1)")
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

/// What is planned for the part of `v_urls` that gives one state: the parts stand in the order of the view.
async fn parts(conn: &mut Conn, query: &str) -> Vec<String> {
    let rows = prefetchd::store::query(format!("explain query plan {query}")).fetch_all(conn).await.unwrap();
    let mut parts: Vec<String> = Vec::new();
    for row in rows {
        let detail: String = row.get("detail");
        match detail.as_str() {
            "LEFT-MOST SUBQUERY" | "UNION ALL" => parts.push(String::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(&detail);
                    part.push_str("; ");
                }
            }
        }
    }
    parts
}

/// The states that the parts of `v_urls` give, in its order.
const PARTS: [&str; 15] = [
    "pending",
    "pending",
    "pending",
    "pending",
    "pending",
    "held",
    "held",
    "leased",
    "submitted",
    "complete",
    "complete",
    "failed",
    "expired",
    "cancelled",
    "unconfirmed",
];

#[tokio::test]
async fn a_query_for_urls_of_one_state_walks_an_index_of_that_state() {
    let (_dir, store) = store().await;
    let mut tx = store.write().await.unwrap();
    let definition: String = prefetchd::store::query_scalar("select sql from sqlite_schema where name = 'v_urls'")
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let before: Vec<&str> = definition.split("' as state").collect();
    let states: Vec<&str> = before.iter().take(before.len() - 1).filter_map(|text| text.rsplit('\'').next()).collect();
    assert_eq!(states, PARTS);
    // Of the other parts nothing is read: that their state is another one is known before their first row.
    let parts = parts(tx.conn(), "select * from v_urls where state = 'held' limit 100").await;
    let indexes = [
        "urls_ready",
        "urls_waiting",
        "urls_parked",
        "urls_after",
        "urls_suspect",
        "urls_suspect",
        "urls_held",
        "submissions_open",
        "submissions_running",
        "submissions_ended",
        "urls_warm",
        "urls_failed",
        "urls_expired",
        "urls_cancelled",
        "urls_unconfirmed",
    ];
    assert_eq!(parts.len(), indexes.len(), "{parts:?}");
    for ((part, index), state) in parts.iter().zip(indexes).zip(PARTS) {
        let first = part.split("; ").next().unwrap();
        assert!(first.ends_with(index) || first.contains(&format!("{index} (")), "{state}: {part}");
        assert!(!part.contains("SCAN u;"), "{state}: {part}");
    }
}

#[tokio::test]
async fn urls_of_a_file_are_found_among_those_that_came_with_it() {
    let (_dir, store) = store().await;
    let mut tx = store.write().await.unwrap();
    for query in [
        "select * from v_urls where file = 'a'",
        "select * from v_urls where file_id = 7",
        "select * from v_urls where file_id in (select file_id from v_files where label = 'a')",
        "select state, count(*) from v_urls where file = 'a' group by state",
    ] {
        for (part, state) in parts(tx.conn(), query).await.iter().zip(PARTS) {
            // What waits for a time, for its domain or for its purge is found by that, and looked at.
            let by_what_it_awaits = ["rowid>? AND rowid<?", "urls_waiting", "urls_parked", "urls_after"];
            let narrow = by_what_it_awaits.iter().any(|way| part.contains(way));
            assert!(
                narrow && !part.contains("SCAN u;") && !part.contains("SCAN u USING INDEX urls_ready"),
                "{query}: {state}: {part}"
            );
        }
    }
    for query in ["select * from v_urls where url_id = 7", "select * from v_urls where url_id in (7, 8)"] {
        for (part, state) in parts(tx.conn(), query).await.iter().zip(PARTS) {
            let by_row = ["INTEGER PRIMARY KEY (rowid=?)", "INDEX urls_suspect (state=? AND rowid=?)"];
            assert!(
                by_row.iter().any(|way| part.contains(&format!("SEARCH u USING {way}"))),
                "{query}: {state}: {part}"
            );
        }
    }
    for (query, index) in [
        ("select * from v_files where name = 'a'", "files_name (name=?)"),
        ("select * from v_files where label = 'a'", "files_label (label=?)"),
        ("select * from v_files where dropped_at >= '2026-11-23'", "files_dropped (<expr>>?)"),
        ("select * from v_submissions where opened_at >= '2026-11-23'", "submissions_opened (<expr>>?)"),
        ("select * from v_submissions where submission_id = 7", "INTEGER PRIMARY KEY (rowid=?)"),
        ("select * from v_tasks where submission_id = 7", "PRIMARY KEY (submission_id=?)"),
        ("select * from v_hosts where host = 'a'", "(host=?)"),
        ("select * from v_wishes where file = 'a'", "wishes_file (file_id=?)"),
        ("select * from v_wishes where file_id = 7", "wishes_file (file_id=?)"),
        ("select * from v_wishes where url_id = 7", "w USING PRIMARY KEY (url_id=?)"),
    ] {
        let plan = plan(tx.conn(), query).await;
        assert!(plan.contains(index), "{query}: {plan}");
    }
}

#[tokio::test]
async fn every_list_of_the_command_line_fits_the_views() {
    let (_dir, store) = store().await;
    let mut tx = store.write().await.unwrap();
    let text = |given: bool| given.then(|| "x".to_owned());
    let time = |given: bool| given.then(chrono::Utc::now);
    for which in 0..64_u8 {
        let bit = |n: u8| which & (1 << n) != 0;
        let (state, file, label) = (bit(0).then_some(UrlState::Held), text(bit(1)), text(bit(2)));
        let urls = UrlFilter {
            state,
            file: file.clone(),
            label: label.clone(),
            host: text(bit(3)),
            since: time(bit(4)),
            ..UrlFilter::default()
        };
        let files = FileFilter {
            state,
            file: file.clone(),
            label: label.clone(),
            since: time(bit(4)),
            ..FileFilter::default()
        };
        let outcome = text(bit(0));
        let submissions = SubmissionFilter {
            outcome,
            day: text(bit(5)),
            file,
            label,
            host: text(bit(3)),
            since: time(bit(4)),
            ..SubmissionFilter::default()
        };
        for list in [
            List::urls(urls, 100),
            List::files(files, 100),
            List::submissions(submissions, 100),
            List::hosts(text(bit(0)), text(bit(3)), 100),
        ] {
            let (columns, rows) = list.read(tx.conn()).await.unwrap_or_else(|error| panic!("{list:?}: {error}"));
            assert!(
                rows.is_empty() && list.shown.iter().all(|shown| columns.iter().any(|column| column == shown)),
                "{list:?}"
            );
        }
    }
}

/// The questions on the page are asked as they stand there.
#[tokio::test]
async fn every_query_on_the_page_of_the_schema_runs() {
    let (_dir, store) = store().await;
    let page = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations/README.md")).unwrap();
    let queries: Vec<&str> = page
        .split("\n    $ sqlite3 -header -column prefetchd.db \"")
        .skip(1)
        .map(|rest| rest.split_once("\"\n").unwrap().0)
        .collect();
    assert!(queries.len() >= 12, "only {} queries", queries.len());
    let mut tx = store.write().await.unwrap();
    for query in queries {
        let ran = prefetchd::store::query(query.to_owned()).fetch_all(tx.conn()).await;
        assert!(ran.is_ok(), "{query}: {}", ran.unwrap_err());
    }
}
