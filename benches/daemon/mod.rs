//! The built binary as the benches of the spool run it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prefetchd::store::open_reader;

/// A daemon without a service.
pub(super) struct Daemon(Child);

impl Daemon {
    /// The built binary on a new directory, with a service that cannot be reached; ready to take files.
    pub(super) fn start(dir: &Path) -> Self {
        let config = format!(
            "[api]\nendpoint = \"http://127.0.0.1:9\"\n[spool]\ndir = \"{0}/spool\"\n[database]\n\
            url = \"sqlite:{0}/prefetchd.db\"\n",
            dir.display()
        );
        fs::write(dir.join("prefetchd.toml"), config).unwrap();
        fs::create_dir_all(dir.join("spool/incoming")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_prefetchd"))
            .args(["run", "--allow-root", "--config"])
            .arg(dir.join("prefetchd.toml"))
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "bench")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "bench")
            .env("PREFETCHD_LOG", "prefetchd::daemon=info")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines();
        assert!(lines.any(|line| line.unwrap().contains("ready")), "it did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }

    /// Peak resident memory in MB.
    pub(super) fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let kb = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
        kb.trim().parse::<f64>().unwrap() / 1024.0
    }

    pub(super) fn stop(mut self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM)
            .unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until so many files are done or rejected.
pub(super) async fn done(database: &Path, files: i64) {
    loop {
        if let Ok(mut conn) = open_reader(database).await {
            let count = prefetchd::store::query_scalar("select count(*) from v_files where progress <> 'reading'")
                .fetch_one(&mut conn)
                .await;
            if count.unwrap_or(0) >= files {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
