//! `prefetchd forecast`

mod add;
mod render;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::layout::Look;
use super::text::{out, tell};
use super::{failure, load, runtime, spool_name};
use crate::config::Config;
use crate::model::{Lane, Time, UrlState};
use crate::queue::Bounds;
use crate::schedule::{FileForecast, Forecast, WarmTime};
use crate::status::{self, List, Prospect};
use crate::store::Conn;
use crate::words::{self, Words};
use crate::{exit, store};

/// How much of the queue is read.
const BOUNDS: Bounds = Bounds { rows: 50_000, files: 1_000_000 };

/// Most steps: one for each batch, and some questions and waits.
const STEPS_MAX: u32 = 2_000_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "It holds if nothing goes wrong and nothing more is dropped.\n\
    Exit code: 0, or 1 if a deadline of what was asked for will be missed.\n\n\
    Example: prefetchd forecast premiere.txt\n         prefetchd forecast --add tomorrow.txt")]
pub(super) struct ForecastArgs {
    /// Only files that were dropped under this name [default: all that wait]
    #[arg(conflicts_with = "label", value_parser = spool_name())]
    file: Option<String>,
    /// Only files with this label
    #[arg(long)]
    label: Option<String>,
    /// Show what this file, which is not dropped yet, would cost, when it would be done, and what it would delay
    #[arg(long, value_name = "PATH")]
    add: Option<PathBuf>,
    /// How many files to show
    #[arg(long, default_value_t = 20, value_name = "N")]
    files: usize,
    /// Print JSON, with every file; the fields are in docs/forecast.json.md
    #[arg(long)]
    json: bool,
}

/// The forecast as it is printed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    #[serde(flatten)]
    whole: Forecast,
    /// Measured on this account.
    warm: Option<WarmTime>,
    /// Pending URLs of blocked domains; they are in no other count.
    blocked: u64,
    /// URLs whose place in the queue is not known for certain.
    guessed: u64,
    /// Files that are still being read; their lines that are not queued yet are not counted.
    reading: u64,
    /// The chosen files.
    files: Vec<NamedFile>,
    add: Option<add::Added>,
}

/// The forecast for a file.
#[derive(Debug, Serialize, JsonSchema)]
struct NamedFile {
    name: Option<String>,
    label: Option<String>,
    /// `purge` or `purge-directory`; missing for prefetching.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(flatten)]
    forecast: FileForecast,
}

pub(super) fn main(config: Option<&Path>, args: &ForecastArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    runtime()?.block_on(async {
        let mut conn = store::open_reader_of(&config).await?;
        let now = status::told_clock(&mut conn).await?.now();
        let now = crate::model::from_millis(crate::model::to_millis(now));
        let look = Look::of_stdout(now, config.budget.day_starts);
        conn.hold_still().await?;
        let mut answer = ask(&mut conn, &config, args, now).await?;
        let wanted = |file: &NamedFile| {
            args.file.as_ref().is_none_or(|name| file.name.as_ref() == Some(name))
                && args.label.as_ref().is_none_or(|label| file.label.as_ref() == Some(label))
        };
        answer.files.retain(wanted);
        if answer.files.is_empty() && (args.file.is_some() || args.label.is_some()) {
            return nothing_waits(&mut conn, args, &answer, &look).await;
        }
        if args.json {
            out(&super::text::json(&answer)?);
        } else {
            render::page(&answer, &look, args.files).iter().for_each(|line| out(line));
        }
        let missed = answer.files.iter().map(|file| file.forecast.missed()).sum::<u64>();
        let added = answer.add.as_ref().map_or(0, |added| added.missed());
        Ok(if missed + added > 0 { exit::ATTENTION } else { 0 })
    })
}

async fn ask(conn: &mut Conn, config: &Config, args: &ForecastArgs, now: Time) -> anyhow::Result<Answer> {
    let mut prospect = status::prospect(conn, config, BOUNDS, STEPS_MAX, now).await?;
    let Prospect { blocked, guessed, reading, .. } = prospect;
    let warm = prospect.outlook(Lane::Prefetch).warm;
    let forecasts = prospect.clone().forecast(now);
    let every = forecasts.each().flat_map(|(_, forecast)| &forecast.files);
    let ids: Vec<i64> = every.filter_map(|file| file.file_id).collect();
    let names = status::names(conn, &ids).await?;
    let add = match &args.add {
        Some(path) => Some(add::add(conn, config, path, prospect, &forecasts, &names, now).await?),
        None => None,
    };
    let mut files: Vec<NamedFile> = Vec::new();
    for (lane, forecast) in forecasts.each() {
        let action = (lane != Lane::Prefetch).then(|| lane.word());
        files.extend(forecast.files.iter().map(|file| NamedFile { action, ..named(file, &names) }));
    }
    Ok(Answer { whole: forecasts.of(Lane::Prefetch).clone(), warm, blocked, guessed, reading, files, add })
}

/// File names and labels.
type Names = HashMap<i64, (String, Option<String>)>;

fn named(file: &FileForecast, names: &Names) -> NamedFile {
    let (name, label) = file.file_id.and_then(|id| names.get(&id)).cloned().unzip();
    NamedFile { name, label: label.flatten(), action: None, forecast: file.clone() }
}

/// Nothing of the choice is pending, or cannot be told apart: prints what became of it, if it is known at all.
async fn nothing_waits(conn: &mut Conn, args: &ForecastArgs, answer: &Answer, look: &Look) -> anyhow::Result<i32> {
    let (filter, value) = match (&args.file, &args.label) {
        (Some(name), _) => ("name = ?", name),
        (_, label) => ("label = ?", label.as_ref().expect("one of them was given")),
    };
    let shown =
        &["name", "progress", "pending", "leased", "submitted", "complete", "failed", "unconfirmed", "expired", "held"];
    let list = List {
        view: "v_files",
        shown,
        order: Some("file_id desc"),
        filters: vec![(filter, value.clone())],
        limit: 1,
        then: None,
    };
    let (_, rows) = list.read(conn).await?;
    let Some(row) = rows.first() else {
        let none =
            if args.file.is_some() { words::commands::none_named(value) } else { words::commands::no_label(value) };
        return Err(failure(exit::NO_INPUT, none));
    };
    if args.json {
        let mut told = serde_json::to_value(answer)?;
        told["last"] = serde_json::Value::Object(row.clone());
        out(&super::text::json(&told)?);
        return Ok(0);
    }
    // Including URLs that its lines were merged into.
    let count = |state: &str| -> i64 {
        let of = |column: &str| row.get(column).and_then(serde_json::Value::as_i64).unwrap_or(0);
        of(state) + of(&format!("merged_{state}"))
    };
    let states = UrlState::ALL.into_iter().map(|state| (state, count(state.into()))).filter(|(_, n)| *n > 0);
    let states = Words::list(states.map(|(state, n)| words::page::of_state(&super::text::number(n), state)));
    let states = if states == Words::default() { words::forecast::NO_URLS } else { states };
    let value = crate::telemetry::one_line(value);
    let blocked = match row.get("file_id").and_then(serde_json::Value::as_i64) {
        Some(file) => status::Blocked::of_file(conn, file).await?,
        None => status::Blocked::default(),
    };
    if blocked.urls > 0 {
        let deadline = blocked.deadline.map(|at| look.until(at));
        tell(&words::forecast::blocked_of(&value, &states, deadline.as_deref()));
        return Ok(if blocked.deadline.is_some() { exit::ATTENTION } else { 0 });
    }
    match answer.whole.last_at.filter(|_| count("pending") > 0) {
        Some(at) => tell(&words::forecast::by_other_files(&value, &states, &look.until(at))),
        None => tell(&words::forecast::nothing_waits_of(&value, &states)),
    }
    Ok(0)
}
