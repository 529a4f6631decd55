//! `prefetchd status FILE`: everything about one file.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::layout::Look;
use super::super::text::{self, out, tell};
use super::super::{failure, runtime};
use super::{StatusArgs, file_page};
use crate::config::Config;
use crate::exit;
use crate::spool::{self, Folders, REFUSED, has_second_link, is_left_alone, stored_name};
use crate::status::{FileStory, Found, Goal, Invocation, LineSaid, Rows, Verdict, find, told_clock};
use crate::store::{self, Conn};
use crate::words::{self, Words, commands};

/// Most refused lines to show.
const REFUSED_MAX: usize = 5;

pub(super) fn main(config: &Config, path: Option<&Path>, args: &StatusArgs) -> anyhow::Result<i32> {
    runtime()?.block_on(run(config, path, args))
}

async fn run(config: &Config, path: Option<&Path>, args: &StatusArgs) -> anyhow::Result<i32> {
    let mut conn = store::open_reader_of(config).await?;
    let now = told_clock(&mut conn).await?.now();
    conn.hold_still().await?;
    let file = args.file.as_deref().and_then(Path::file_name).unwrap_or_default();
    let name = stored_name(file);
    let mut rows = match find(&mut conn, config.database.host().as_str(), &name, args.id).await? {
        Found::These(rows) => rows,
        Found::Alike(alike) => return not_found(config, file, &name, &alike),
    };
    let id = rows.first().and_then(|row| row.get("file_id")).and_then(Value::as_i64);
    let story = match id {
        Some(id) => FileStory::read(&mut conn, config, id, now).await?,
        None => None,
    };
    let Some(mut story) = story else {
        return Err(failure(exit::NO_INPUT, words::commands::NO_SUCH_ID));
    };
    story.others = rows.split_off(1);
    look_at_spool(&mut story, config, args.line);
    if let Some(line) = args.line {
        story.line = Some(line_story(&mut conn, &story, line).await?);
    }
    if args.json {
        out(&text::json(&story)?);
    } else {
        let look = Look::of_stdout(now, config.budget.day_starts);
        let waits = waits_in_spool(config, file);
        let by = Invocation::here(config, path, None);
        story.make_pasteable(&by);
        file_page::page(&story, waits, &by, &look).iter().for_each(|line| out(line));
    }
    Ok(code(&story))
}

/// 1 if some of it cannot become warm by itself, or will miss its deadline.
fn code(story: &FileStory) -> i32 {
    let misses = story.forecast.as_ref().is_some_and(|forecast| forecast.missed() > 0);
    match story.progress.verdict(Goal::Warm) {
        Verdict::Stuck => exit::ATTENTION,
        _ if misses || story.blocked.deadline.is_some() => exit::ATTENTION,
        _ => 0,
    }
}

/// Whether a file of this name is in `incoming/` and not taken yet.
fn waits_in_spool(config: &Config, file: &std::ffi::OsStr) -> bool {
    let path = Folders::under(&config.spool.dir).incoming.join(file);
    !file.is_empty() && path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// The file has no row: it may be in `incoming/`, or the name may be a part of one.
fn not_found(config: &Config, file: &std::ffi::OsStr, name: &str, alike: &Rows) -> anyhow::Result<i32> {
    let incoming = Folders::under(&config.spool.dir).incoming;
    if waits_in_spool(config, file) {
        let why = match file {
            name if is_left_alone(name) => commands::UNFINISHED,
            name if has_second_link(&incoming.join(name)) => commands::SECOND_LINK,
            _ => commands::NOT_TAKEN,
        };
        tell(&commands::lies_in(name, &incoming.display().to_string(), &why));
        return Ok(exit::ATTENTION);
    }
    let alike: Vec<Words> = alike.iter().map(|row| listed(row, config)).collect();
    let incoming = incoming.display().to_string();
    let message = match alike.as_slice() {
        [] => commands::no_file(name, &incoming),
        alike => commands::no_file_but(name, &incoming, alike),
    };
    Err(failure(exit::NO_INPUT, message))
}

/// A file in a list of several.
fn listed(row: &Map<String, Value>, config: &Config) -> Words {
    let word = |column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default();
    let number = |column: &str| row.get(column).and_then(Value::as_i64).unwrap_or_default();
    let dropped = chrono::DateTime::parse_from_rfc3339(word("dropped_at")).map(|at| {
        let at = config.budget.day_starts.local(at.to_utc());
        at.format("%Y-%m-%d %H:%M").to_string()
    });
    commands::alike(word("name"), number("file_id"), number("lines"), &dropped.unwrap_or_default())
}

/// Adds the refused lines from the report in this host's spool. A report that is gone or unreadable adds nothing.
fn look_at_spool(story: &mut FileStory, config: &Config, wanted: Option<u64>) {
    story.format = spool::format_words(&story.name);
    if story.host != config.database.host().as_str() {
        return;
    }
    let folders = Folders::under(&config.spool.dir);
    let name = format!("{}{REFUSED}", story.stored_as);
    let places = [folders.done.join(&name), folders.rejected.join(&name)];
    story.refused_report = places.iter().find(|path| path.exists()).map(|path| path.display().to_string());
    let Ok(Some(lines)) = spool::refused_lines(&folders, &story.stored_as, u64::MAX) else { return };
    let wanted = wanted.and_then(|line| i64::try_from(line).ok());
    for line in lines.map_while(Result::ok) {
        if story.refused_lines.len() < REFUSED_MAX || Some(line.line) == wanted {
            story.refused_lines.push(LineSaid { line: line.line, reason: line.reason, text: line.text });
        }
    }
}

/// What became of one line.
async fn line_story(conn: &mut Conn, story: &FileStory, line: u64) -> store::Result<Map<String, Value>> {
    let row = match story.read_line(conn, line).await? {
        Some(row) => Some(row),
        None => {
            let number = i64::try_from(line).unwrap_or(i64::MAX);
            let refused = story.refused_lines.iter().find(|refused| refused.line == number);
            refused.map(|refused| {
                let (en, zh) = refused.reason.split_once(" / ").unwrap_or((&refused.reason, &refused.reason));
                let row = json!({ "state": "refused", "reason": en, "reason_zh": zh, "url": refused.text });
                row.as_object().cloned().unwrap_or_default()
            })
        }
    };
    let mut row = row.unwrap_or_else(|| {
        let why = words::file::NO_URL_QUEUED;
        json!({ "state": "none", "reason": why.en, "reason_zh": why.zh }).as_object().cloned().unwrap_or_default()
    });
    row.insert("line".to_owned(), line.into());
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layout::{fields, listed};
    use crate::model::UrlState;
    use crate::status::{Progress, Rejected, Said};

    #[test]
    fn the_page_of_the_json_lists_every_field() {
        let mut progress = Progress { rejected: vec![Rejected::default()], ..Progress::default() };
        progress.holds = vec![crate::status::Hold::default()];
        progress.urls = UrlState::ALL.iter().map(|state| (state.to_string(), 0)).collect();
        let story = FileStory {
            progress,
            host: "a".to_owned(),
            action: Some("purge+prefetch".to_owned()),
            purges: [("complete".to_owned(), 1)].into(),
            refused_reasons: vec![Said::default()],
            warnings: vec![Said::default()],
            refused_lines: vec![LineSaid::default()],
            ..FileStory::default()
        };
        assert_eq!(fields(&serde_json::to_value(story).unwrap()), listed("file.json.md"));
    }
}
