//! Memory: the daemon's peak while it reads one file, by what stands in the file, through the built binary; and the
//! size of the receipt. Each file has a daemon and a database of its own. Run: `cargo bench --bench memory`;
//! `PREFETCHD_BENCH_SHORT=1` takes a hundredth of the lines; words choose what runs (`cargo bench --bench memory --
//! labels domains`).

#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

mod daemon;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use daemon::{Daemon, done};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// What a file is made of: a word, its ending, its first line, how many lines it has, and each of them.
type Kind = (&'static str, &'static str, &'static str, u64, fn(u64, &mut StdRng) -> String);

const KINDS: [Kind; 12] = [
    ("plain", "txt", "", 1_000_000, |n, chance| url(n % 20, n, chance)),
    ("large", "txt", "", 5_000_000, |n, chance| url(n % 20, n, chance)),
    ("same", "txt", "", 1_000_000, |_, _| "https://vod.example.com/film.mp4".to_owned()),
    ("twice", "txt", "", 1_000_000, |n, _| format!("https://vod.example.com/film/part-{:08}.ts", n / 2)),
    ("domains", "txt", "", 500_000, |n, chance| url(n, n, chance)),
    ("labels", "csv", "url,label", 1_000_000, |n, chance| {
        format!("{},label {n} of {:064x}", url(n % 20, n, chance), chance.random::<u128>())
    }),
    ("values", "csv", "url,priority", 1_000_000, |n, chance| {
        format!("{},{:0200x}", url(n % 20, n, chance), chance.random::<u128>())
    }),
    ("deadlines", "csv", "url,deadline", 1_000_000, |n, chance| {
        let (day, hour) = (n / 24 % 28 + 1, n % 24);
        format!("{},{}-{:02}-{day:02}T{hour:02}:00:00Z", url(n % 20, n, chance), 2030 + n / 8_064, n / 672 % 12 + 1)
    }),
    ("keys", "jsonl", "", 300_000, |n, chance| {
        let (url, value) = (url(n % 20, n, chance), chance.random::<u128>());
        format!("{{\"url\":\"{url}\",\"key-{value:x}\":\"{value:0100x}\"}}")
    }),
    ("refused", "txt", "", 1_000_000, |n, chance| match n {
        0 => url(n, n, chance),
        _ => format!("no url \u{1b}\\{:080x}", chance.random::<u128>()),
    }),
    ("comments", "txt", "", 1_000_000, |n, chance| match n {
        0 => url(n, n, chance),
        _ => format!("# priority = {:080x}", chance.random::<u128>()),
    }),
    ("fields", "csv", "url,label", 10_000, |n, chance| {
        format!("{},\"{}\n{n}\"", url(n % 20, n, chance), "x".repeat(60_000))
    }),
];

/// A URL of about 95 bytes.
fn url(host: u64, n: u64, chance: &mut StdRng) -> String {
    let (a, b, c): (u64, u64, u64) = (chance.random(), chance.random(), chance.random());
    format!("https://h{host:02}.example.com/{a:016x}/{b:016x}/{:015x}/{n:08}.ts", c >> 4)
}

async fn measure((word, ending, first, lines, line): Kind) {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("list.{ending}");
    let list = dir.path().join(&name);
    let mut chance = StdRng::seed_from_u64(lines);
    let mut file = BufWriter::new(fs::File::create(&list).unwrap());
    if !first.is_empty() {
        writeln!(file, "{first}").unwrap();
    }
    for n in 0..lines {
        writeln!(file, "{}", line(n, &mut chance)).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let daemon = Daemon::start(dir.path());
    let (idle, start) = (daemon.peak(), Instant::now());
    fs::rename(&list, dir.path().join("spool/incoming").join(&name)).unwrap();
    done(&dir.path().join("prefetchd.db"), 1).await;
    println!(
        "{word:>9} {lines:>9} lines: peak {:5.1} MB ({idle:4.1} before), receipt {:>6} bytes, {:5.1} s",
        daemon.peak(),
        receipt(dir.path(), &name),
        start.elapsed().as_secs_f64()
    );
    daemon.stop();
}

/// The size of the file's receipt, wherever it lies.
fn receipt(dir: &Path, name: &str) -> u64 {
    let size = |folder: &str| fs::metadata(dir.join("spool").join(folder).join(format!("{name}.receipt.json")));
    size("done").or_else(|_| size("rejected")).unwrap().len()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let share = if std::env::var_os("PREFETCHD_BENCH_SHORT").is_some() { 100 } else { 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (word, ending, first, lines, line) in KINDS {
        if words.is_empty() || words.iter().any(|wanted| wanted == word) {
            runtime.block_on(measure((word, ending, first, lines / share, line)));
        }
    }
}
