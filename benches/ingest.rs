//! Ingest: lines a second, peak memory and bytes a URL, through the built binary, beside `sqlite3`'s own import of the
//! same file into a table with a unique URL; the cost of a claim at each size; many small files beside one large one.
//! Then, where PostgreSQL is installed, the same on a server, by one host and by three at once, and the leader's open.
//! Run: `cargo bench --bench ingest`; `PREFETCHD_BENCH_URLS=10000000` adds a size, `PREFETCHD_BENCH_FILES`
//! chooses how many small files, `PREFETCHD_BENCH_SHORT=1` takes a hundredth of everything; a word chooses what runs
//! (`cargo bench --bench ingest -- file files hosts`).

#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

mod daemon;
mod hosts;

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use daemon::{Daemon, done};

use prefetchd::model::Priority;
use prefetchd::queue;
use prefetchd::store::Store;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A line of about 95 bytes, of one of 20 hosts.
fn line(shape: &str, n: u64, chance: &mut StdRng) -> String {
    let host = n % 20;
    match shape {
        "scattered" => {
            let (a, b, c): (u64, u64, u64) = (chance.random(), chance.random(), chance.random());
            format!("https://h{host:02}.example.com/{a:016x}/{b:016x}/{:015x}/{n:08}.ts\n", c >> 4)
        }
        _ => {
            let film = n / 400;
            let host = film % 20;
            format!(
                "https://h{host:02}.example.com/library/2026/11/film-{film:08}/1080p/segments/part-{:08}-{:08}.ts\n",
                n % 400,
                n
            )
        }
    }
}

/// Seconds that `sqlite3` takes to import the file into a table with a unique URL.
fn sqlite3_import(dir: &Path, list: &Path) -> f64 {
    let script = format!(
        "pragma journal_mode = wal;\npragma synchronous = full;\npragma cache_size = -64000;\n\
         create table t (url text unique);\n.mode ascii\n.separator \"\\001\" \"\\n\"\n.import {} t\n",
        list.display()
    );
    fs::write(dir.join("import.sql"), script).unwrap();
    let start = Instant::now();
    let status = Command::new("sqlite3")
        .arg(dir.join("import.db"))
        .stdin(fs::File::open(dir.join("import.sql")).unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    start.elapsed().as_secs_f64()
}

async fn one_file(shape: &str, urls: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list.txt");
    let mut chance = StdRng::seed_from_u64(urls);
    let mut file = BufWriter::new(fs::File::create(&list).unwrap());
    for n in 0..urls {
        file.write_all(line(shape, n, &mut chance).as_bytes()).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let theirs = sqlite3_import(dir.path(), &list);
    fs::remove_file(dir.path().join("import.db")).unwrap();

    let database = dir.path().join("prefetchd.db");
    let daemon = Daemon::start(dir.path());
    let start = Instant::now();
    fs::rename(&list, dir.path().join("spool/incoming/list.txt")).unwrap();
    done(&database, 1).await;
    let ours = start.elapsed().as_secs_f64();
    let peak = daemon.peak();
    daemon.stop();
    let bytes = fs::metadata(&database).unwrap().len() as f64 / urls as f64;

    let store = Store::open(&database).await.unwrap();
    let mut claims = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let mut tx = store.write().await.unwrap();
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
    store.close().await;
    let rate = urls as f64 / ours;
    println!(
        "{shape:>9} {urls:>9} URLs: {rate:>7.0} lines/s, sqlite3 {:>7.0}: {:4.2} times; peak {peak:5.1} MB; \
        {bytes:5.1} bytes a URL; a claim of 1,000 picks in {:4.1} ms",
        urls as f64 / theirs,
        theirs / ours,
        claims[claims.len() / 2],
    );
    rate
}

async fn many_files(files: u64, rate_of_one: f64) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("prefetchd.db");
    let staged = dir.path().join("spool/staged");
    fs::create_dir_all(&staged).unwrap();
    let mut chance = StdRng::seed_from_u64(files);
    for file in 0..files {
        let text: String = (0..10).map(|n| line("scattered", file * 10 + n, &mut chance)).collect();
        fs::write(staged.join(format!("part-{file:06}.txt")), text).unwrap();
    }
    let daemon = Daemon::start(dir.path());
    let start = Instant::now();
    for file in 0..files {
        let name = format!("part-{file:06}.txt");
        fs::rename(staged.join(&name), dir.path().join("spool/incoming").join(&name)).unwrap();
    }
    done(&database, i64::try_from(files).unwrap()).await;
    let rate = (files * 10) as f64 / start.elapsed().as_secs_f64();
    println!(
        "{files} files of ten lines: {rate:.0} lines/s, {:.3} of one file's rate; peak {:.1} MB",
        rate / rate_of_one,
        daemon.peak()
    );
    daemon.stop();
}

/// Whether only a short form is run, which shows that the benchmark works; its figures say nothing.
fn short() -> bool {
    std::env::var_os("PREFETCHD_BENCH_SHORT").is_some()
}

fn main() {
    let share = if short() { 100 } else { 1 };
    let extra: Option<u64> = std::env::var("PREFETCHD_BENCH_URLS").ok().and_then(|n| n.parse().ok());
    let files = std::env::var("PREFETCHD_BENCH_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000 / share);
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let runs = |word: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == word);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rate = f64::NAN;
        for urls in [100_000 / share, 1_000_000 / share].into_iter().chain(extra).filter(|_| runs("file")) {
            for shape in ["scattered", "real"] {
                let this = one_file(shape, urls).await;
                if shape == "scattered" && urls == 1_000_000 / share {
                    rate = this;
                }
            }
        }
        if runs("files") {
            many_files(files, rate).await;
        }
    });
    if runs("hosts") {
        hosts::measure(1_000_000 / share, 5_000_000 / share, if short() { 5 } else { 200 });
    }
}
