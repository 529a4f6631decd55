//! Hosts that share the account: how this one is, who leads, and how the others are. Nothing of it is said where the
//! database is a file.

use schemars::JsonSchema;
use serde::Serialize;

use super::report::{KeyReport, LeftReport, StatusReport};
use crate::model::{ConfigProblem, LeadProblem, SpoolProblem};
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};
use crate::words::{self, Words};

/// Unread files by host: nobody else reads them.
const DAEMONS: Sql = Sql::both(
    "
    select v.host, v.health, v.leads, v.version, v.pid, v.started_at, v.seen_at, v.lead_problem, v.lead_problem_code,
           v.spool_problem, v.spool_problem_code, v.config_problem, v.config_problem_code, v.http_problem,
           v.key_source, v.key_generation, v.key_refused, v.key_refused_code,
           d.spool_problem_with, d.config_problem_with, d.lead_problem_with,
           (select count(*) from files where phase in (0, 1, 3) and phase = 0 and files.host = v.host) as files_unread,
           v.time_proved, v.service_ahead_ms
    from v_daemons as v join daemon as d on d.host = v.host order by v.host limit 100",
);

/// For how long hosts have run without anybody who leads, in milliseconds; none while somebody leads or none runs.
const LEADERLESS: Sql = Sql::two(
    "
    select unixepoch('now') * 1000 - max(until_at, (select min(started_at) from daemon where health = 'running'))
    from leader where until_at <= unixepoch('now') * 1000",
    "
    select clock_ms() - max(until_at, (select min(started_at) from daemon where health = 'running'))
    from leader where until_at <= clock_ms()",
);

const LEFT_ALONE: Sql = Sql::both(
    "
    select name, why, since, why_code from v_left_alone where host = ?1 order by since limit 20",
);

/// A handover takes less than this, in milliseconds; whoever misses a leader for longer is told.
const LEADERLESS_TOLD: i64 = 30_000;

/// The daemon of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DaemonReport {
    /// The host's name.
    pub host: String,
    /// `running`, `stopping`, `stopped`; `silent` if it was not seen for a minute and has not said that it stops.
    pub health: String,
    /// Whether it leads.
    pub leads: bool,
    /// The version of its program.
    pub version: Option<String>,
    /// When it was seen last, by the server's clock, RFC 3339.
    pub seen_at: Option<String>,
    /// Why it does not lead, or would not.
    pub lead_problem: Option<Words>,
    /// The code of that.
    pub lead_problem_code: Option<String>,
    /// What is wrong with its spool.
    pub spool_problem: Option<Words>,
    /// Files in its spool that are not read to their end: they wait for it.
    pub files_unread: i64,
}

impl DaemonReport {
    /// Whether it would not lead although it is meant to.
    pub(super) fn is_mistaken(&self) -> bool {
        self.lead_problem_code.as_deref().is_some_and(|code| code != "lead_off")
    }
}

/// What is true of the hosts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hosts {
    /// Whether this host leads.
    pub leads: bool,
    /// Whether something keeps files of this host's spool from being taken.
    pub spool_problem: bool,
    /// How many run, stop, are stopped, and are silent.
    pub by_health: [(&'static str, u64); 4],
}

impl Hosts {
    /// Of a complete report; none where the database is a file.
    pub fn of(report: &StatusReport) -> Option<Self> {
        let own = report.host.as_deref()?;
        let count = |health: &str| report.daemons.iter().filter(|daemon| daemon.health == health).count() as u64;
        Some(Self {
            leads: report.leader.as_deref() == Some(own),
            spool_problem: report.spool_problem.is_some(),
            by_health: ["running", "stopping", "stopped", "silent"].map(|health| (health, count(health))),
        })
    }
}

impl StatusReport {
    /// Says of the daemon what this host's says, who leads, and how each host is. Says nothing where the database is a
    /// file: there the host has no name.
    pub async fn read_daemons(&mut self, conn: &mut Conn, host: &str) -> Result<()> {
        if host.is_empty() {
            return Ok(());
        }
        let rows = query(DAEMONS).fetch_all(&mut *conn).await?;
        self.daemons = rows.iter().map(daemon).collect();
        self.leader = self.daemons.iter().find(|daemon| daemon.leads).map(|daemon| daemon.host.clone());
        let over: Option<Option<i64>> = query_scalar(LEADERLESS).fetch_optional(&mut *conn).await?;
        self.is_leaderless = over.flatten().is_some_and(|ms| ms >= LEADERLESS_TOLD);
        let left = query(LEFT_ALONE).bind(host).fetch_all(conn).await?;
        self.left_alone = left.iter().map(left_report).collect();
        self.is_of(rows.iter().find(|row| row.get::<&str, _>("host") == host));
        self.host = Some(host.to_owned());
        Ok(())
    }

    /// What this host's daemon said of itself; none if there never was one.
    fn is_of(&mut self, own: Option<&Row>) {
        let text = |name: &str| own.and_then(|row| row.get::<Option<String>, _>(name));
        let health = own.map_or_else(|| "stopped".to_owned(), |row| row.get("health"));
        // Whether it lives is seen by its lock; an account that is paused is so for all.
        let is_live = matches!(health.as_str(), "running" | "silent");
        let is_paused = is_live && self.paused_why.is_some();
        self.health = match health.as_str() {
            _ if is_paused => "paused".to_owned(),
            "silent" => "running".to_owned(),
            _ => health,
        };
        self.started_at = text("started_at");
        self.health_since = if is_paused { self.paused_since.clone() } else { self.started_at.clone() };
        self.pid = own.and_then(|row| row.get("pid"));
        self.spool_problem = own.and_then(spool_problem);
        self.config_problem = own.and_then(|row| {
            let (code, with) = (row.get("config_problem_code"), row.get("config_problem_with"));
            let problem = ConfigProblem::of_stored(code, with);
            said(row, "config_problem", problem.as_ref().map(words::config_problem))
        });
        self.time_proved = own.is_some_and(|row| row.get("time_proved"));
        self.service_ahead_ms = own.and_then(|row| row.get("service_ahead_ms"));
        self.http_problem = text("http_problem").map(|text| words::http_problem_of(&text));
        self.key = own.and_then(|row| {
            let source: &str = row.get::<Option<&str>, _>("key_source")?;
            Some(KeyReport::of(source, row))
        });
    }

    /// Files of this host's spool that are being read.
    pub fn reading_here(&self) -> i64 {
        let Some(host) = &self.host else { return self.files_reading };
        self.daemons.iter().find(|daemon| daemon.host == *host).map_or(0, |own| own.files_unread)
    }

    /// Whether somebody submits: the daemon of a file, or some host.
    pub fn has_leader(&self) -> bool {
        self.host.is_none() || self.leader.is_some()
    }

    /// Whether another host leads.
    pub fn follows(&self) -> bool {
        self.leader.is_some() && self.leader != self.host
    }

    /// The hosts but this one.
    pub fn others(&self) -> impl Iterator<Item = &DaemonReport> {
        self.daemons.iter().filter(|daemon| Some(&daemon.host) != self.host.as_ref())
    }
}

fn daemon(row: &Row) -> DaemonReport {
    DaemonReport {
        host: row.get("host"),
        health: row.get("health"),
        leads: row.get("leads"),
        version: row.get("version"),
        seen_at: row.get("seen_at"),
        lead_problem: {
            let problem = LeadProblem::of_stored(row.get("lead_problem_code"), row.get("lead_problem_with"));
            said(row, "lead_problem", problem.as_ref().map(words::lead_problem))
        },
        lead_problem_code: row.get("lead_problem_code"),
        spool_problem: spool_problem(row),
        files_unread: row.get("files_unread"),
    }
}

fn spool_problem(row: &Row) -> Option<Words> {
    let problem = SpoolProblem::of_stored(row.get("spool_problem_code"), row.get("spool_problem_with"));
    said(row, "spool_problem", problem.as_ref().map(words::spool_problem))
}

/// The words of a problem; the English text where this version does not know its code.
fn said(row: &Row, column: &str, words: Option<Words>) -> Option<Words> {
    let text: &str = row.get::<Option<&str>, _>(column)?;
    Some(words.unwrap_or_else(|| Words::same(text)))
}

fn left_report(row: &Row) -> LeftReport {
    LeftReport { name: row.get(0), why: super::report::left_why(row.get(3), row.get(1)), since: row.get(2) }
}
