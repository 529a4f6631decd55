//! `prefetchd urls`, `prefetchd files`, `prefetchd submissions`

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::list::{self, ListArgs};
use super::spool_name;
use crate::clock::Clock;
use crate::model::{Action, Lane, Time, UrlState};
use crate::status::{FileFilter, List, SubmissionFilter, UrlFilter};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a filter the latest are listed; pending ones in the order in which they go, the others as they came.

Examples:
  prefetchd urls --state failed --since 24h
  prefetchd urls --label 'Harbour Lights premiere' --limit 1000 > premiere.tsv")]
pub(super) struct UrlsArgs {
    /// Only URLs in this state
    #[arg(long, value_parser = super::state_words())]
    state: Option<UrlState>,
    /// Only URLs of files with this name
    #[arg(long, value_name = "NAME", value_parser = spool_name())]
    file: Option<String>,
    /// Only files with this label
    #[arg(long)]
    label: Option<String>,
    /// Only URLs of this domain
    #[arg(long)]
    host: Option<String>,
    /// Only files dropped since then: a time such as 2026-11-23T18:00:00+08:00, or a span such as 24h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// Only prefetch, purge or purge-directory
    #[arg(long, value_parser = super::lane_words())]
    action: Option<Lane>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) fn urls(config: Option<&Path>, args: &UrlsArgs) -> anyhow::Result<i32> {
    let filter = UrlFilter {
        state: args.state,
        file: args.file.clone(),
        label: args.label.clone(),
        host: args.host.as_deref().map(str::to_ascii_lowercase),
        since: args.since,
        action: args.action,
    };
    list::print(config, &List::urls(filter, args.list.limit), args.file.as_deref(), &args.list)
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  prefetchd files --state held\n  prefetchd files --since 7d --json")]
pub(super) struct FilesArgs {
    /// Only files with URLs in this state
    #[arg(long, value_parser = super::state_words())]
    state: Option<UrlState>,
    /// Only files with this name
    #[arg(long, value_name = "NAME", value_parser = spool_name())]
    file: Option<String>,
    /// Only files with this label
    #[arg(long)]
    label: Option<String>,
    /// Only dropped since then: a time such as 2026-11-23T18:00:00+08:00, or a span such as 24h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// Only files that ask for prefetch, purge, purge-directory or purge+prefetch
    #[arg(long, value_parser = super::action_words())]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) fn files(config: Option<&Path>, args: &FilesArgs) -> anyhow::Result<i32> {
    let filter = FileFilter {
        state: args.state,
        file: args.file.clone(),
        label: args.label.clone(),
        since: args.since,
        action: args.action,
    };
    list::print(config, &List::files(filter, args.list.limit), args.file.as_deref(), &args.list)
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  prefetchd submissions --outcome in_doubt\n  prefetchd submissions --file premiere.txt \
        --json"
)]
pub(super) struct SubmissionsArgs {
    /// Only calls with this outcome, e.g. accepted, refused, throttled, in_doubt, open
    #[arg(long, visible_alias = "state", value_name = "WORD")]
    outcome: Option<String>,
    /// Only calls charged to this budget day, e.g. 2026-11-23
    #[arg(long, value_name = "DATE")]
    day: Option<String>,
    /// Only calls that carried URLs of files with this name
    #[arg(long, value_name = "NAME", value_parser = spool_name())]
    file: Option<String>,
    /// Only calls that carried URLs of files with this label
    #[arg(long)]
    label: Option<String>,
    /// Only calls that carried URLs of this domain
    #[arg(long)]
    host: Option<String>,
    /// Only calls sent since then: a time such as 2026-11-23T18:00:00+08:00, or a span such as 24h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// Only prefetch, purge or purge-directory
    #[arg(long, value_parser = super::lane_words())]
    action: Option<Lane>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) fn submissions(config: Option<&Path>, args: &SubmissionsArgs) -> anyhow::Result<i32> {
    let filter = SubmissionFilter {
        outcome: args.outcome.clone(),
        day: args.day.clone(),
        file: args.file.clone(),
        label: args.label.clone(),
        host: args.host.as_deref().map(str::to_ascii_lowercase),
        since: args.since,
        action: args.action,
    };
    list::print(config, &List::submissions(filter, args.list.limit), args.file.as_deref(), &args.list)
}

/// A moment, or how long ago it was.
pub(super) fn since(text: &str) -> Result<Time, String> {
    let now = Clock::system().now();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let span = humantime::parse_duration(text).map_err(|_| {
        format!("`{text}` is neither a time such as 2026-11-23T18:00:00+08:00 nor a span such as 90m, 24h or 7d")
    })?;
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| now.checked_sub_signed(span))
        .ok_or_else(|| format!("`{text}` is too long ago"))
}
