//! The processes of the demo: a sandbox on a free port, and a daemon that calls it, both this same program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::credentials::{ID_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE};
use crate::model::Lang;
use crate::net::http_builder;
use crate::sandbox::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, AccountView};
use crate::store;

/// A process that has not answered after this long has failed.
const START_DEADLINE: Duration = Duration::from_secs(15);

/// The account of the demo: a domain that is offline, an answer that is lost, and tasks that take a second.
const SCENARIO: &str = "\
# The demo's account: `prefetchd sandbox --scenario scenario.toml` plays it again.
[[domain]]
name = \"vod.example.com\"
[[domain]]
name = \"media.example.com\"
[[domain]]
name = \"film.example.net\"
[[domain]]
name = \"old.example.com\"
status = \"offline\"

[limits]
calls_per_second = 1000

[tasks]
takes = \"1s\"

[purge]
takes = \"1s\"

# The second batch is accepted, and its answer lost.
[[fault]]
calls = [2]
action = \"drop_after\"
";

/// Both processes and their directory. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Playground {
    dir: PathBuf,
    program: PathBuf,
    endpoint: String,
    sandbox: Child,
    daemon: Child,
}

impl Playground {
    /// Starts both and waits until the daemon is ready.
    pub(super) async fn set(dir: &Path, lang: Lang) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let scenario = dir.join("scenario.toml");
        std::fs::write(&scenario, SCENARIO).with_context(|| format!("writing {}", scenario.display()))?;
        let mut sandbox = Command::new(&program)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--scenario"])
            .arg(&scenario)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting the sandbox")?;
        let endpoint = tokio::time::timeout(START_DEADLINE, announced(&mut sandbox)).await??;
        let config = dir.join("prefetchd.toml");
        let (spool, database) = (dir.join("spool"), dir.join("prefetchd.db"));
        let text = format!(
            "# The demo's configuration.\n[api]\nendpoint = \"{endpoint}\"\n\n\
             [spool]\ndir = {:?}\nactions = [\"prefetch\", \"purge\"]\n\n[database]\nurl = {:?}\n\n\
             # The sandbox's tasks take a second.\n[track]\nfirst_after = \"1s\"\ncalls_per_second = 100\n\n\
             [ui]\nlanguage = \"{lang}\"\n",
            spool.display().to_string(),
            format!("sqlite:{}", database.display()),
        );
        std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
        let log = std::fs::File::create(dir.join("daemon.log"))?;
        let daemon = Command::new(&program)
            .args(["run", "--allow-root", "--config"])
            .arg(&config)
            .env(ID_VARIABLE, ACCESS_KEY_ID)
            .env(SECRET_VARIABLE, ACCESS_KEY_SECRET)
            .env_remove(TOKEN_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting the daemon")?;
        let mut stage = Self { dir: dir.to_path_buf(), program, endpoint, sandbox, daemon };
        tokio::time::timeout(START_DEADLINE, stage.ready()).await.context("the daemon did not start in time")??;
        Ok(stage)
    }

    /// Waits until the daemon says in the database that it runs.
    async fn ready(&mut self) -> anyhow::Result<()> {
        loop {
            self.check_alive()?;
            if let Ok(mut conn) = store::open_reader(&self.database()).await
                && crate::status::read_report(&mut conn, 0).await.is_ok_and(|report| report.health == "running")
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Fails if one of the processes has ended.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.daemon.try_wait()? {
            let log = std::fs::read_to_string(self.dir.join("daemon.log")).unwrap_or_default();
            bail!("the daemon ended ({status}); its log:\n{log}");
        }
        if let Some(status) = self.sandbox.try_wait()? {
            bail!("the sandbox ended ({status})");
        }
        Ok(())
    }

    /// The account as the sandbox counted it.
    pub(super) async fn account(&self) -> anyhow::Result<AccountView> {
        self.asked("account").await.context("reading the sandbox's account")
    }

    /// The URLs that are warm at the sandbox.
    pub(super) async fn warm(&self) -> anyhow::Result<BTreeSet<String>> {
        self.asked("warm").await.context("reading what is warm at the sandbox")
    }

    async fn asked<T: serde::de::DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        let url = format!("{}/_sandbox/{what}", self.endpoint);
        let body = http_builder(true).build()?.get(&url).send().await?.bytes().await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Stops the daemon properly, then the sandbox.
    pub(super) async fn strike(&mut self) -> anyhow::Result<()> {
        let pid = self.daemon.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("stopping the daemon")?;
        }
        let status = self.daemon.wait().await?;
        self.sandbox.kill().await?;
        if !status.success() {
            bail!("the daemon did not stop as it should ({status})");
        }
        Ok(())
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn daemon_pid(&self) -> u32 {
        self.daemon.id().unwrap_or_default()
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("prefetchd.db")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("prefetchd.toml")
    }

    /// This program, in a form that can be typed here.
    pub(super) fn program(&self) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        self.program.strip_prefix(here).unwrap_or(&self.program).display().to_string()
    }
}

/// The address in the sandbox's first line.
async fn announced(sandbox: &mut Child) -> anyhow::Result<String> {
    let stdout = sandbox.stdout.take().context("the sandbox's output is piped")?;
    let line = BufReader::new(stdout).lines().next_line().await?.unwrap_or_default();
    let address = line.strip_prefix("listening on ").context("the sandbox did not say where it listens")?;
    Ok(address.to_owned())
}
