//! `prefetchd status`

use std::path::Path;

use super::text::{bar, colours, json, number, out};
use super::{load, runtime};
use crate::config::Config;
use crate::daemon::{Held, Lock, lock_paths};
use crate::model::UrlState;
use crate::status::{FileReport, StatusReport, read_report};
use crate::telemetry::one_line;
use crate::{exit, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 well, 1 needs attention, 69 no daemon.\n\nExample: prefetchd status --json")]
pub(super) struct StatusArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Files to show, the latest first
    #[arg(long, default_value_t = 10, value_name = "N")]
    files: u32,
}

pub(super) fn main(config: Option<&Path>, args: &StatusArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let mut report = runtime()?.block_on(async {
        let mut conn = store::open_reader(config.database.url.path()).await?;
        read_report(&mut conn, args.files).await
    })?;
    let running = is_running(&config);
    if running == Some(false) && report.health != "stopped" {
        report.health = "not running".to_owned();
    }
    if args.json {
        out(&json(&report)?);
    } else {
        print(&report);
    }
    Ok(match running {
        Some(false) => exit::UNAVAILABLE,
        _ if needs_attention(&report) => exit::ATTENTION,
        _ => 0,
    })
}

/// Whether a daemon holds the database; none if that cannot be seen from here.
fn is_running(config: &Config) -> Option<bool> {
    match Lock::held(&lock_paths(config)[0]) {
        Held::By(_) => Some(true),
        Held::Free => Some(false),
        Held::Unknown => None,
    }
}

fn needs_attention(report: &StatusReport) -> bool {
    let unsure = report.budget.as_ref().is_some_and(|budget| budget.unsure);
    unsure
        || report.paused_why.is_some()
        || report.spool_problem.is_some()
        || report.parked > 0
        || count(report, UrlState::Held) > 0
}

fn count(report: &StatusReport, state: UrlState) -> i64 {
    report.urls.get(&state.to_string()).copied().unwrap_or(0)
}

fn print(report: &StatusReport) {
    let (bold, plain) = if colours() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let pid = report.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let since = report.started_at.as_ref().map(|at| format!(", since {at}")).unwrap_or_default();
    let detail =
        if report.health == "stopped" || report.health == "not running" { String::new() } else { pid + &since };
    out(&format!("{bold}daemon{plain}    {}{detail}", report.health));
    if let Some(why) = &report.paused_why {
        out(&format!("          PAUSED: {}", one_line(why)));
    }
    if let Some(problem) = &report.spool_problem {
        out(&format!("          SPOOL: {}", one_line(problem)));
    }
    if let Some(budget) = &report.budget {
        let (used, limit) = (budget.requests_used, budget.requests_limit);
        out(&format!(
            "{bold}budget{plain}    {} {} of {} requests, {} URLs, day {} until {}",
            bar(used, limit, 20),
            number(used),
            number(limit),
            number(budget.urls_used),
            budget.day,
            budget.day_ends_at
        ));
        if let (Some(quota), Some(remain), Some(at)) = (budget.quota, budget.remain, &budget.observed_at) {
            let unit = budget.unit.as_deref().unwrap_or("requests or URLs, not known yet");
            let drift = budget.drift.filter(|drift| *drift > 0);
            let drift = drift.map(|drift| format!(", {} spent by others", number(drift))).unwrap_or_default();
            out(&format!(
                "quota     {} of {} left at the service ({unit}){drift}, at {at}",
                number(remain),
                number(quota)
            ));
        }
        if budget.unsure {
            out("          UNSURE: the database is older than what was spent; see `prefetchd budget confirm --help`");
        }
        if let Some(code) = &budget.exhausted_why {
            out(&format!("          the service says that nothing is left today: {}", one_line(code)));
        }
    }
    if let Some(waiting_for) = &report.waiting_for {
        let until = report.waiting_until.as_ref().map(|at| format!(", until {at}")).unwrap_or_default();
        out(&format!("{bold}waiting{plain}   for {}{until}", one_line(waiting_for)));
    }
    let states: Vec<String> = UrlState::ALL
        .into_iter()
        .map(|state| (state, count(report, state)))
        .filter(|(state, n)| *n > 0 || matches!(state, UrlState::Pending | UrlState::Submitted))
        .map(|(state, n)| format!("{} {state}", number(n)))
        .collect();
    out(&format!("{bold}urls{plain}      {}", states.join(", ")));
    if report.in_doubt > 0 {
        out(&format!("doubt     {} submission(s) without an answer, being looked into", number(report.in_doubt)));
    }
    if report.parked > 0 {
        out(&format!(
            "domains   {} pending URLs are of domains that may not be sent; see `prefetchd hosts`",
            number(report.parked)
        ));
    }
    if report.suspected > 0 {
        out(&format!(
            "suspects  {} URLs were in refused batches; the bad ones are being found",
            number(report.suspected)
        ));
    }
    if report.possible_doubles > 0 {
        out(&format!(
            "doubles   {} URLs were sent anew although they may have been accepted",
            number(report.possible_doubles)
        ));
    }
    for file in &report.files {
        print_file(file);
    }
}

fn print_file(file: &FileReport) {
    let name = one_line(&file.name);
    if let Some(why) = &file.rejected_why {
        out(&format!("file      {name}: rejected, {}", one_line(why)));
        return;
    }
    let mut parts = vec![format!("{} lines", number(file.lines)), format!("{} queued", number(file.queued))];
    for (n, word) in [(file.merged, "merged"), (file.refused, "refused")] {
        if n > 0 {
            parts.push(format!("{} {word}", number(n)));
        }
    }
    let states = UrlState::ALL.into_iter().filter_map(|state| {
        let n = file.urls.get(&state.to_string()).copied().unwrap_or(0);
        (n > 0).then(|| format!("{} {state}", number(n)))
    });
    let states: Vec<String> = states.collect();
    let reading = if file.progress == "reading" { ", still reading" } else { "" };
    let label = file.label.as_ref().map(|label| format!(" ({})", one_line(label))).unwrap_or_default();
    out(&format!("file      {name}{label}: {}{reading}; {}", parts.join(", "), states.join(", ")));
}
