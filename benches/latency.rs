//! Latency: from the rename of an urgent file of 100 URLs to the service's acceptance, through the built binary against
//! the sandbox: idle, while millions of lines are read, behind many small files, beside a `cancel` of a million URLs,
//! beside a prune. Run: `cargo bench --bench latency`; `PREFETCHD_BENCH_SHORT=1` takes a hundredth of everything; a
//! word chooses what runs (`cargo bench --bench latency -- idle lines files cancel prune`).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers of benches are small"
)]
#![expect(clippy::print_stdout, reason = "a benchmark prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end where it is surprised")]

use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prefetchd::net::http_builder;
use prefetchd::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, AccountView};
use prefetchd::store::open_reader;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// URLs of an urgent file.
const URGENT: usize = 100;

/// Between an acceptance and the next urgent file.
const PAUSE: Duration = Duration::from_millis(400);

/// How often the service is asked what it accepted.
const LOOK: Duration = Duration::from_millis(3);

/// A line of about 95 bytes, of one of 20 hosts.
fn line(n: u64, chance: &mut StdRng) -> String {
    let (a, b, c): (u64, u64, u64) = (chance.random(), chance.random(), chance.random());
    format!("https://h{:02}.example.com/{a:016x}/{b:016x}/{:015x}/{n:08}.ts\n", n % 20, c >> 4)
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sandbox and a directory to work in.
struct World {
    dir: tempfile::TempDir,
    endpoint: String,
    client: reqwest::Client,
    urgent: usize,
    _sandbox: Process,
}

impl World {
    /// Ordinary URLs may cost a few calls; the rest of the day is kept for urgent ones.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let domain = |n| format!("[[domain]]\nname = \"h{n:02}.example.com\"\nstatus = \"online\"\n");
        fs::write(dir.path().join("scenario.toml"), (0..20).map(domain).collect::<String>()).unwrap();
        let mut sandbox = Command::new(env!("CARGO_BIN_EXE_prefetchd"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--scenario"])
            .arg(dir.path().join("scenario.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
        let endpoint = lines.next().unwrap().unwrap().trim_start_matches("listening on ").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let config = format!(
            "[api]\nendpoint = \"{endpoint}\"\n[spool]\ndir = \"{0}/spool\"\n\
             [database]\nurl = \"sqlite:{0}/prefetchd.db\"\n\
             [budget]\nreserve = 490\nreserve_until = \"23:59\"\n[schedule]\nbatch_urls_max = 100\n",
            dir.path().display()
        );
        fs::write(dir.path().join("prefetchd.toml"), config).unwrap();
        fs::create_dir_all(dir.path().join("spool/incoming")).unwrap();
        Self { dir, endpoint, client: http_builder(true).build().unwrap(), urgent: 0, _sandbox: Process(sandbox) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prefetchd"));
        command.args(args).arg("--config").arg(self.path("prefetchd.toml"));
        command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
        command.env("PREFETCHD_LOG", "prefetchd::daemon=info").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A daemon that is ready to take files.
    fn daemon(&self) -> Process {
        let mut child = self.command(&["run", "--allow-root"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")), "it did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Process(child)
    }

    async fn number(&self, query: &str) -> i64 {
        let Ok(mut conn) = open_reader(&self.path("prefetchd.db")).await else { return 0 };
        prefetchd::store::query_scalar(query.to_owned()).fetch_one(&mut conn).await.unwrap_or(0)
    }

    async fn wait(&self, query: &str, least: i64) {
        while self.number(query).await < least {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn list(&self, path: &Path, lines: u64) {
        let mut chance = StdRng::seed_from_u64(lines);
        let mut file = BufWriter::new(fs::File::create(path).unwrap());
        for n in 0..lines {
            file.write_all(line(n, &mut chance).as_bytes()).unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
    }

    fn rename_in(&self, from: &Path, name: &str) {
        fs::rename(from, self.path("spool/incoming").join(name)).unwrap();
    }

    /// Seconds from the rename of an urgent file until the service has accepted it.
    async fn urgent(&mut self) -> f64 {
        self.urgent += 1;
        let n = self.urgent;
        let urls: String =
            (0..URGENT).map(|at| format!("https://h00.example.com/premiere-{n}/part-{at:03}.ts\n")).collect();
        fs::write(self.path("urgent"), format!("#: priority = urgent\n{urls}")).unwrap();
        let started = Instant::now();
        self.rename_in(&self.path("urgent"), &format!("urgent-{n}.txt"));
        let last = format!("https://h00.example.com/premiere-{n}/part-{:03}.ts", URGENT - 1);
        loop {
            let response = self.client.get(format!("{}/_sandbox/account", self.endpoint)).send().await.unwrap();
            let account: AccountView = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            if account.accepted.contains_key(&last) {
                return started.elapsed().as_secs_f64();
            }
            assert!(started.elapsed() < Duration::from_secs(120), "it was never accepted");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Hands urgent files over for as long as this query gives something, sixty at most, and says how they fared.
    async fn urgent_while(&mut self, what: &str, query: &str) {
        let mut seconds = Vec::new();
        while seconds.len() < 60 && self.number(query).await > 0 {
            seconds.push(self.urgent().await);
            tokio::time::sleep(PAUSE).await;
        }
        tell(what, &mut seconds);
    }
}

fn tell(what: &str, seconds: &mut [f64]) {
    seconds.sort_by(f64::total_cmp);
    let at =
        |share: f64| seconds.get(((seconds.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN);
    println!(
        "{what:<42} median {:6.3} s, 9 of 10 within {:6.3} s, longest {:6.3} s, of {}",
        at(0.5),
        at(0.9),
        at(1.0),
        seconds.len()
    );
}

async fn idle() {
    let mut world = World::new();
    let _daemon = world.daemon();
    let mut seconds = Vec::new();
    for _ in 0..20 {
        seconds.push(world.urgent().await);
        tokio::time::sleep(PAUSE).await;
    }
    tell("idle", &mut seconds);
}

async fn behind_lines(lines: u64) {
    let mut world = World::new();
    let _daemon = world.daemon();
    world.list(&world.path("list"), lines);
    world.rename_in(&world.path("list"), "list.txt");
    world.wait("select lines from v_files where name = 'list.txt'", 1).await;
    let reading = "select count(*) from v_files where name = 'list.txt' and progress = 'reading'";
    world.urgent_while(&format!("behind {lines} lines being read"), reading).await;
}

async fn behind_files(files: u64) {
    let mut world = World::new();
    let staged = world.path("staged");
    fs::create_dir_all(&staged).unwrap();
    let mut chance = StdRng::seed_from_u64(files);
    for file in 0..files {
        let text: String = (0..10).map(|n| line(file * 10 + n, &mut chance)).collect();
        fs::write(staged.join(format!("part-{file:06}.txt")), text).unwrap();
    }
    let _daemon = world.daemon();
    for file in 0..files {
        let name = format!("part-{file:06}.txt");
        world.rename_in(&staged.join(&name), &name);
    }
    let all = format!("select {files} - count(*) from v_files where name like 'part-%' and progress = 'done'");
    world.urgent_while(&format!("behind {files} small files"), &all).await;
}

/// A queue of so many URLs, and a daemon.
async fn full_queue(world: &World, urls: u64) -> Process {
    let daemon = world.daemon();
    world.list(&world.path("list"), urls);
    world.rename_in(&world.path("list"), "list.txt");
    world.wait("select count(*) from v_files where name = 'list.txt' and progress = 'done'", 1).await;
    daemon
}

async fn beside_cancel(urls: u64) {
    let mut world = World::new();
    let _daemon = full_queue(&world, urls).await;
    let _cancel = Process(world.command(&["cancel", "--file", "list.txt"]).spawn().unwrap());
    world.wait("select cancelled from v_files where name = 'list.txt'", 1).await;
    let left = "select pending from v_files where name = 'list.txt'";
    world.urgent_while(&format!("beside a cancel of {urls} URLs"), left).await;
}

async fn beside_prune(urls: u64) {
    let mut world = World::new();
    drop(full_queue(&world, urls).await);
    assert!(world.command(&["cancel", "--file", "list.txt"]).status().unwrap().success());
    // As if that had been long ago.
    let store = prefetchd::store::Store::open(&world.path("prefetchd.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    prefetchd::store::query("update urls set ended_at = 1 where state = 5").execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let _daemon = world.daemon();
    let left = "select cancelled from v_files where name = 'list.txt'";
    world.urgent_while(&format!("beside a prune of {urls} URLs"), left).await;
}

fn main() {
    let share = if std::env::var_os("PREFETCHD_BENCH_SHORT").is_some() { 100 } else { 1 };
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let runs = |word: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == word);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if runs("idle") {
            idle().await;
        }
        if runs("lines") {
            behind_lines(3_000_000 / share).await;
            behind_lines(10_000_000 / share).await;
        }
        if runs("files") {
            behind_files(100_000 / share).await;
        }
        if runs("cancel") {
            beside_cancel(1_000_000 / share).await;
        }
        if runs("prune") {
            beside_prune(1_000_000 / share).await;
        }
    });
}
