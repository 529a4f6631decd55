//! A day of 500 batches of 1,000 URLs, 1 in 100 of which fails at the origin, through the built binary against the
//! sandbox on a clock that runs 30 times faster: calls a batch, how late an end is seen, and the processor time of
//! following 500,000 URLs. Run: `cargo bench --bench track`; `PREFETCHD_BENCH_BATCHES=50` makes it shorter,
//! `PREFETCHD_BENCH_SHORT=1` takes two batches on a clock that runs 600 times faster.

#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prefetchd::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};
use prefetchd::store::open_reader;

/// How much faster than the service's: 5 to 30 minutes become 10 to 60 seconds.
const SPEED: f64 = 30.0;
const SPEED_SHORT: f64 = 600.0;

/// Longer than it can take; then something is wrong.
const DEADLINE: Duration = Duration::from_secs(900);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Processor time so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // Linux counts hundredths for users, whatever the kernel's own tick.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prefetchd"));
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
    command.env("PREFETCHD_LOG", "error");
    command
}

fn sandbox(dir: &Path, speed: f64) -> (Process, String) {
    let scenario = format!(
        "[tasks]\nspeed = {speed:.1}\nfailing_share = 0.01\n[quota]\nper_day = 100000\n[limits]\n\
        calls_per_second = 1000\n"
    );
    fs::write(dir.join("scenario.toml"), scenario).unwrap();
    let mut child = program()
        .args(["sandbox", "--listen", "127.0.0.1:0", "--scenario"])
        .arg(dir.join("scenario.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line.trim().trim_start_matches("listening on ").to_owned())
}

async fn number(database: &Path, query: &str) -> f64 {
    let Ok(mut conn) = open_reader(database).await else { return -1.0 };
    prefetchd::store::query_scalar(format!("select cast(({query}) as real)")).fetch_one(&mut conn).await.unwrap_or(-1.0)
}

async fn wait_for(database: &Path, query: &str, expected: f64) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while (number(database, query).await - expected).abs() > 0.5 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {expected} from {query}"));
}

async fn day(batches: u32, speed: f64) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("prefetchd.db");
    let (_sandbox, endpoint) = sandbox(dir.path(), speed);
    // What are minutes there are two seconds here; so are the calls a second.
    let config = format!(
        "[api]\nendpoint = \"{endpoint}\"\n[spool]\ndir = \"{0}/spool\"\n[database]\n\
        url = \"sqlite:{0}/prefetchd.db\"\n\
         [budget]\nrequests_per_day = 100000\nurls_per_day = \"unlimited\"\n\
         [track]\nfirst_after = \"8s\"\nretry_after = \"60s\"\ncalls_per_second = 90\n",
        dir.path().display()
    );
    fs::write(dir.path().join("prefetchd.toml"), config).unwrap();
    fs::create_dir_all(dir.path().join("spool/incoming")).unwrap();
    let urls = batches * 1000;
    let text: String =
        (0..urls).map(|n| format!("https://vod.example.com/film-{:04}/1080p/seg-{n:07}.ts\n", n / 400)).collect();
    fs::write(dir.path().join("spool/incoming/.day.txt"), text).unwrap();
    let daemon = Process(
        program().args(["run", "--allow-root", "--config"]).arg(dir.path().join("prefetchd.toml")).spawn().unwrap(),
    );
    wait_for(&database, "select count(*) from v_status where health = 'running'", 1.0).await;
    fs::rename(dir.path().join("spool/incoming/.day.txt"), dir.path().join("spool/incoming/day.txt")).unwrap();
    wait_for(&database, "select count(*) from v_submissions where closed_at is not null", f64::from(batches)).await;
    let submitted = daemon.cpu();
    wait_for(&database, "select complete + failed from v_status", f64::from(urls)).await;
    let cpu = daemon.cpu() - submitted;
    let first = format!("from tracks join submissions using (submission_id) where submission_id <= {batches}");
    let ask = async |query: &str| number(&database, &query.replace("FIRST", &first)).await;
    println!(
        "{batches} batches, {} URLs: {} complete, {} failed twice at the origin",
        urls,
        ask("select complete from v_status").await,
        ask("select failed from v_status").await
    );
    println!(
        "calls of DescribeVodRefreshTasks a batch: {:.1} on the average, {} at most; {} in all, with those of what was \
        sent once more",
        ask("select avg(calls) FIRST").await,
        ask("select max(calls) FIRST").await,
        ask("select sum(calls) from tracks").await
    );
    // A batch has a URL that takes all of the 30 minutes, as good as certainly.
    let late = |share: u32| {
        format!(
            "select (s.ended_at - t.accepted_at) / 60000.0 * {speed} - 30 from tracks as t join submissions as s
                 using (submission_id)
                 where submission_id <= {batches} order by 1 limit 1 offset {}",
            batches * share / 100
        )
    };
    println!(
        "an end is seen {:.1} minutes of the service's clock late at the median, {:.1} at the 95th percentile",
        number(&database, &late(50)).await,
        number(&database, &late(95)).await
    );
    println!("processor time of the whole daemon from the last batch to the last end: {cpu:.1} s");
}

fn main() {
    let short = std::env::var_os("PREFETCHD_BENCH_SHORT").is_some();
    let batches = std::env::var("PREFETCHD_BENCH_BATCHES").ok().and_then(|n| n.parse().ok()).unwrap_or(if short {
        2
    } else {
        500
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(day(batches, if short { SPEED_SHORT } else { SPEED }));
}
