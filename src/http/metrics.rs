//! The page of metrics: numbers from the database as gauges, counts since the start as counters. No label has a value
//! from outside: hosts, files, labels and words of the service stay in the database. Whatever is counted by action has
//! the label `action`, for prefetching too.

mod lanes;

use std::time::Duration;

use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

pub(super) use lanes::LaneSeen;

use crate::meters;
use crate::model::{Lane, Time};
use crate::queue::Census;
use crate::stage::Name;
use crate::status::{Concerns, Hosts};

/// What the database says.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) census: Census,
    /// The actions that are allowed or in use; prefetching always is.
    pub(super) lanes: Vec<LaneSeen>,
    pub(super) concerns: Concerns,
    /// None where the database is a file.
    pub(super) hosts: Option<Hosts>,
}

/// What is known without the database.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now: Time,
    /// Whether the service's time is proved, and how far its clock is ahead of this machine's, in seconds.
    pub(super) time: (bool, f64),
    pub(super) started: Time,
    /// None of a database on a server.
    pub(super) database_bytes: Option<u64>,
    pub(super) wal_bytes: Option<u64>,
    pub(super) writable: bool,
    pub(super) lost: bool,
    pub(super) idle: Vec<(Name, Duration)>,
}

/// The page in Prometheus's text format. If the database could not be read, its numbers are left out, and one metric
/// says so.
pub(super) fn page(facts: &Facts, seen: Option<&Seen>) -> String {
    let sheet = Sheet::default();
    process(&sheet, facts, seen.is_some());
    if let Some(seen) = seen {
        queue(&sheet, seen, facts.now);
        lanes::fill(&sheet, &seen.lanes, facts.now);
    }
    let mut families = sheet.0.gather();
    families.extend(meters::gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&families).expect("every family has a name and a value")
}

fn process(sheet: &Sheet, facts: &Facts, readable: bool) {
    let version = env!("CARGO_PKG_VERSION");
    sheet.family("prefetchd_build_info", "1, with the version of the program.", ["version"], [([version], 1.0)]);
    let started = seconds(facts.started);
    sheet.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", started);
    let (proved, ahead) = facts.time;
    let help = "1 once an answer of the service has confirmed the time; before that nothing is sent or expires.";
    sheet.flag("prefetchd_time_proved", help, proved);
    let help = "What the service's clock is ahead of this machine's; 0 before it is proved.";
    sheet.gauge("prefetchd_service_clock_ahead_seconds", help, ahead);
    let idle = facts.idle.iter().map(|(stage, idle)| ([<&str>::from(*stage)], idle.as_secs_f64()));
    let help = "How long ago each stage last did something, or found nothing to do.";
    sheet.family("prefetchd_stage_idle_seconds", help, ["stage"], idle);
    sheet.flag("prefetchd_database_readable", "1 if the database could be read for this page.", readable);
    sheet.flag("prefetchd_database_writable", "0 while the last write to the database failed.", facts.writable);
    let help = "1 once the database file was deleted, moved or replaced while the daemon ran.";
    sheet.flag("prefetchd_database_lost", help, facts.lost);
    if let Some(bytes) = facts.database_bytes {
        sheet.gauge("prefetchd_database_bytes", "Size of the database file.", bytes as f64);
    }
    if let Some(bytes) = facts.wal_bytes {
        let help = "Size of the write-ahead log; it grows while a reader stays open.";
        sheet.gauge("prefetchd_database_wal_bytes", help, bytes as f64);
    }
}

fn queue(sheet: &Sheet, seen: &Seen, now: Time) {
    let (census, concerns) = (&seen.census, &seen.concerns);
    let help = "Pending URLs of blocked domains, whatever is to be done with them.";
    sheet.gauge("prefetchd_parked_urls", help, concerns.parked as f64);
    let help = "Dropped files that are being read or put away.";
    sheet.gauge("prefetchd_files_in_progress", help, census.files_in_progress as f64);
    let age = census.oldest_pending.map_or(0.0, |at| span(at, now));
    let help = "How long ago the oldest file with pending URLs was taken; 0 if there is none.";
    sheet.gauge("prefetchd_oldest_pending_age_seconds", help, age);
    let spool_problem = seen.hosts.map_or(concerns.spool_problem, |hosts| hosts.spool_problem);
    sheet.flag("prefetchd_spool_problem", "1 while a problem keeps files from being taken.", spool_problem);
    let Some(hosts) = seen.hosts else { return };
    let help = "1 while this host leads: it submits for all that share the database.";
    sheet.flag("prefetchd_leads", help, hosts.leads);
    let rows = hosts.by_health.iter().map(|(health, n)| ([*health], *n as f64));
    let help = "Hosts that share the database, by how they are (v_daemons); silent: not seen for a minute.";
    sheet.family("prefetchd_hosts", help, ["health"], rows);
}

/// Seconds since 1970, to the millisecond.
fn seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

/// Seconds from one moment to another; 0 if that has passed.
fn span(from: Time, to: Time) -> f64 {
    (to - from).num_milliseconds().max(0) as f64 / 1000.0
}

/// A sheet of gauges, filled once.
#[derive(Debug, Default)]
struct Sheet(Registry);

impl Sheet {
    fn family<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) {
        let gauges = GaugeVec::new(Opts::new(name, help), &labels).expect("name and labels are valid");
        for (values, value) in rows {
            gauges.with_label_values(&values).set(value);
        }
        self.0.register(Box::new(gauges)).expect("each name is used once");
    }

    /// A number of each action that has one.
    fn by_lane(&self, name: &str, help: &str, values: impl IntoIterator<Item = (Lane, f64)>) {
        self.family(name, help, ["action"], values.into_iter().map(|(lane, value)| ([lane.word()], value)));
    }

    fn gauge(&self, name: &str, help: &str, value: f64) {
        self.family(name, help, [], [([], value)]);
    }

    fn flag(&self, name: &str, help: &str, is: bool) {
        self.gauge(name, help, f64::from(u8::from(is)));
    }
}

#[cfg(test)]
mod tests;
