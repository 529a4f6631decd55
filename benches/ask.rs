//! Asking: what `status`, the lists, `why`, the first page of every view, and a claim take on a database of ten million
//! URLs in all states, whole process, medians of several runs. Run: `cargo bench --bench ask`; `PREFETCHD_BENCH_URLS`
//! chooses another size, `PREFETCHD_BENCH_KEEP=DIR` keeps the database there, or uses the one that is there,
//! `PREFETCHD_BENCH_SHORT=1` takes a small one.

#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use prefetchd::model::{Lane, ObjectUrl, Priority, UrlRules};
use prefetchd::queue;
use prefetchd::store::Store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

/// Each is timed so often.
fn runs() -> usize {
    if short() { 1 } else { 11 }
}

/// Four fifths of the URLs come in so many large files, the rest in files of a hundred.
const LARGE_FILES: u64 = 80;

/// URLs that one transaction of the filling adds.
const ROWS: u64 = 500_000;

/// One to be asked for.
const KNOWN: &str = "https://h07.example.com/known/film/part-00000007.ts";

/// Of each ten thousand rows, by thousands: four pending, three batched, three ended. Batches belong to a submission
/// each.
const URLS: &str = "
    with recursive n(i) as (select :from + 1 union all select i + 1 from n where i < :to),
         m(i, b, r) as (select i, i / 1000, random() from n)
    insert into urls (url_id, file_id, line, url, host_id, priority, state, attempts, wait_until, suspect,
                      submission_id, reason, ended_at, label)
    select i, iif(i <= :large * :per, (i - 1) / :per + 1, :large + (i - 1 - :large * :per) / 100 + 1), i % 100000 + 1,
           printf('https://h%02d.example.com/%016x/%016x/%015x/%08d.ts', i % 20, r, r * 7, abs(r) / 3, i), i % 20 + 1,
           i % 4,
           case when b % 10 < 4 then 0 when b % 10 < 7 then 1 when i % 10 < 5 then 3 when i % 10 < 7 then 4
                when i % 10 < 9 then 5 else 6 end,
           b % 10 >= 4, iif(b % 10 < 4 and i % 1000 = 1, :start + i + 86400000000, null), 0,
           iif(b % 10 between 4 and 6, min(b, :submissions), null), iif(b % 10 >= 7, 'as the benchmark has it', null),
           iif(b % 10 >= 7 and i % 10 < 9, :start + i, null), iif(i % 100000 = 7, 'own', null)
    from m";

/// Keys by chance, as the program's are: which row is found by one matters only for the URL that is asked for.
const KEYS: &str = "insert or ignore into url_keys (url_key, url_id) select random(), url_id from urls where url_id > \
    :from and url_id <= :to";

/// The rest: hosts, files, submissions (the last one open, of the others a tenth running), tasks, and every counter.
const AROUND: [&str; 5] = [
    "insert into budget_days (lane, day, starts_at, ends_at, requests_limit, requests_used)
     values (1, '2026-11-23', :start, :start + 86400000, 500, 400)",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20)
     insert into hosts (host_id, host, standing, since) select i, printf('h%02d.example.com', i - 1), 'good', :start
     from n",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < :files)
     insert into files (file_id, name, stored_name, phase, label, dropped_at, url_from, url_to, lines, queued)
     select i, printf('file-%06d.txt', i), printf('file-%06d.txt', i), 2, iif(i % 10 = 0, printf('label %d', i), null),
            :start + i * 1000, iif(i <= :large, (i - 1) * :per, :large * :per + (i - :large - 1) * 100) + 1,
            iif(i <= :large, i * :per, :large * :per + (i - :large) * 100), iif(i <= :large, :per, 100),
            iif(i <= :large, :per, 100)
     from n",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < :submissions)
     insert into submissions (submission_id, lane, day, nonce, state, signed_at, sent_at, outcome, urls, cost,
                              opened_at, closed_at,
                              ended_at, http_status, request_id)
     select i, 1, '2026-11-23', printf('nonce-%d', i), i < :submissions, :start + i, :start + i,
            iif(i < :submissions, 'accepted', null), 1000, 1, :start + i, iif(i < :submissions, :start + i + 300, null),
            iif(i < :submissions * 9 / 10, :start + i + 60000, null), 200, printf('REQUEST-%d', i)
     from n",
    "insert into tasks (task_id, submission_id) select 9000000 + submission_id, submission_id from submissions where \
    state = 1",
];

const COUNTERS: [&str; 3] = [
    "create temp table counted as
         select u.file_id, u.host_id, u.priority,
                case u.state when 0 then 'pending' when 3 then 'failed' when 4 then 'expired' when 5 then 'cancelled'
                             when 6 then 'held' else case when s.state = 0 then 'leased' when s.ended_at is null
                             then 'submitted' else 'complete' end end as state, count(*) as n
         from urls as u left join submissions as s using (submission_id) group by 1, 2, 3, 4",
    "create index temp.counted_file on counted (file_id, state)",
    "update hosts set pending = (select coalesce(sum(n), 0) from counted as c where c.host_id = hosts.host_id and \
    c.state = 'pending')",
];

const STATES: [&str; 8] = ["pending", "leased", "submitted", "complete", "failed", "expired", "cancelled", "held"];

/// The figures of a size, by name.
fn with_figures(statement: &str, urls: u64, from: u64) -> String {
    let files = LARGE_FILES + (urls - LARGE_FILES * (urls / 100)) / 100;
    let figures = [
        (":submissions", urls / 1000),
        (":start", 1_795_363_200_000),
        (":large", LARGE_FILES),
        (":files", files),
        (":per", urls / 100),
        (":from", from),
        (":to", (from + ROWS).min(urls)),
    ];
    figures.iter().fold(statement.to_owned(), |text, (name, figure)| text.replace(name, &figure.to_string()))
}

async fn run(conn: &mut SqliteConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await.unwrap();
}

/// Fills a new database by SQL alone, without a journal.
async fn fill(database: &Path, urls: u64) {
    Store::open(database).await.unwrap().close().await;
    let options = SqliteConnectOptions::new().filename(database).pragma("cache_size", "-2000000");
    let options = options.journal_mode(SqliteJournalMode::Off).synchronous(SqliteSynchronous::Off).foreign_keys(false);
    let mut conn = options.connect().await.unwrap();
    for statement in AROUND {
        run(&mut conn, with_figures(statement, urls, 0)).await;
    }
    for from in (0..urls).step_by(usize::try_from(ROWS).unwrap()) {
        run(&mut conn, "begin".to_owned()).await;
        run(&mut conn, with_figures(URLS, urls, from)).await;
        run(&mut conn, with_figures(KEYS, urls, from)).await;
        run(&mut conn, "commit".to_owned()).await;
    }
    let known = ObjectUrl::parse(KNOWN, &UrlRules { url_bytes_max: 1024, domains: vec![] }).unwrap();
    run(&mut conn, format!("update urls set url = '{KNOWN}' where url_id = {}", urls / 2)).await;
    run(&mut conn, format!("insert or replace into url_keys values ({}, {})", known.key(Lane::Prefetch), urls / 2))
        .await;
    for statement in COUNTERS {
        run(&mut conn, statement.to_owned()).await;
    }
    for state in STATES {
        let sum = |column: &str| {
            format!("(select coalesce(sum(n), 0) from counted as c where c.{column} and c.state = '{state}')")
        };
        run(&mut conn, format!("update files set {state} = {}", sum("file_id = files.file_id"))).await;
        run(&mut conn, format!("update tally set {state} = {}", sum("priority = tally.priority"))).await;
    }
    conn.close().await.unwrap();
}

/// The median of several runs in milliseconds; the command has to succeed.
fn time(name: &str, mut command: impl FnMut() -> Output) {
    let mut times = Vec::new();
    let mut lines = 0;
    for _ in 0..runs() {
        let start = Instant::now();
        let output = command();
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1 | 69)), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    }
    times.sort_by(f64::total_cmp);
    println!("{:7.1} ms (slowest {:7.1}), {lines:>4} lines: {name}", times[runs() / 2], times[runs() - 1]);
}

fn shell(database: &Path, query: &str) {
    time(&format!("sqlite3: {query}"), || Command::new("sqlite3").arg(database).arg(query).output().unwrap());
}

fn program(config: &Path, args: &[&str]) {
    time(&format!("prefetchd {}", args.join(" ")), || {
        Command::new(env!("CARGO_BIN_EXE_prefetchd")).args(args).arg("--config").arg(config).output().unwrap()
    });
}

async fn claim(database: &Path) {
    let store = Store::open(database).await.unwrap();
    let mut claims = Vec::new();
    for _ in 0..runs() {
        let mut tx = store.write().await.unwrap();
        let start = Instant::now();
        let room = queue::Room {
            lane: prefetchd::model::Lane::Prefetch,
            weakest: Priority::Low,
            urls_max: 1000,
            domains_max: None,
        };
        let batch =
            queue::pick_tx(&mut tx, room, &prefetchd::schedule::HostRooms::new(), prefetchd::model::Time::MIN_UTC)
                .await
                .unwrap();
        claims.push(start.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(batch.urls.len(), 1000);
        tx.roll_back().await.unwrap();
    }
    claims.sort_by(f64::total_cmp);
    println!(
        "{:7.1} ms (slowest {:7.1}): a claim picks 1,000 URLs, in the daemon",
        claims[runs() / 2],
        claims[runs() - 1]
    );
    store.close().await;
}

/// Whether only a short form is run, which shows that the benchmark works; its figures say nothing.
fn short() -> bool {
    std::env::var_os("PREFETCHD_BENCH_SHORT").is_some()
}

fn main() {
    let size = if short() { 400_000 } else { 10_000_000 };
    let urls: u64 = std::env::var("PREFETCHD_BENCH_URLS").ok().and_then(|n| n.parse().ok()).unwrap_or(size);
    let temporary = tempfile::tempdir().unwrap();
    let dir = std::env::var_os("PREFETCHD_BENCH_KEEP").map_or(temporary.path().to_path_buf(), PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    let (database, config) = (dir.join("prefetchd.db"), dir.join("prefetchd.toml"));
    let text = format!("[spool]\ndir = \"{0}/spool\"\n[database]\nurl = \"sqlite:{0}/prefetchd.db\"\n", dir.display());
    fs::write(&config, text).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if !database.exists() {
        let start = Instant::now();
        runtime.block_on(fill(&database, urls));
        println!("filled with {urls} URLs in {:.0} s", start.elapsed().as_secs_f64());
    }
    runtime.block_on(claim(&database));
    program(&config, &["status"]);
    for view in ["v_status", "v_budget", "v_files", "v_urls", "v_submissions", "v_tasks", "v_hosts", "v_orders"] {
        shell(&database, &format!("select * from {view} limit 100"));
    }
    for state in STATES {
        shell(&database, &format!("select * from v_urls where state = '{state}' limit 100"));
    }
    for query in [
        "select * from v_urls where url_id = 5000",
        "select * from v_urls where submission_id = 5 limit 100",
        "select * from v_urls where file = 'file-000050.txt' limit 100",
        "select state, count(*) from v_urls where file = 'file-000500.txt' group by state",
        "select * from v_urls where host = 'h03.example.com' limit 100",
        "select * from v_files where label = 'label 50'",
        "select * from v_files where dropped_at > '2026-11-22T18' order by file_id desc limit 100",
        "select * from v_submissions order by submission_id desc limit 100",
        "select * from v_submissions where opened_at > '2026-11-22T16' limit 100",
    ] {
        shell(&database, query);
    }
    for args in [
        &["why", KNOWN][..],
        &["urls"],
        &["urls", "--state", "held"],
        &["urls", "--file", "file-000565.txt", "--state", "failed"],
        &["urls", "--label", "label 500"],
        &["urls", "--label", "own"],
        &["urls", "--host", "h03.example.com"],
        &["files", "--state", "held"],
        &["submissions", "--file", "file-000500.txt"],
        &["hosts"],
        &["retry", "--file", "file-000565.txt", "--dry-run"],
    ] {
        program(&config, args);
    }
}
