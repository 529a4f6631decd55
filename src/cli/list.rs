//! Lists on the command line: a table on a terminal, tab-separated text in a pipe, or JSON.

use std::io::IsTerminal as _;
use std::path::Path;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr as _;

use super::text::{json, lang, out, tell};
use super::{failure, load, runtime};
use crate::model::{DayStart, Lang};
use crate::status::{List, Progress, tell_in_chinese, told_clock};
use crate::telemetry::one_line;
use crate::words::{commands, story, times};
use crate::{exit, store};

/// Columns up to this width are not wrapped: numbers, states, times.
const WHOLE_CHARS_MAX: usize = 20;

/// A column's distance from its neighbours.
const PADDING: u16 = 2;

/// Options of every list.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Most rows to show
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(super) limit: u32,
    /// Print JSON: an array of objects with every column of the view
    #[arg(long)]
    json: bool,
}

/// The column that only files have.
const NAME: &str = "name";

/// Reads a list and prints it; `file` is the name that was asked for, if any.
pub(super) fn print(config: Option<&Path>, list: &List, file: Option<&str>, args: &ListArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let is_page = !args.json && std::io::stdout().is_terminal();
    let (columns, rows, now, is_known) = runtime()?.block_on(async {
        let mut conn = store::open_reader_of(&config).await?;
        let (mut columns, mut rows) = list.read(&mut conn).await?;
        if list.view == "v_files" && config.database.url.file().is_some() {
            columns.retain(|column| column != "host");
            rows.iter_mut().for_each(|row| drop(row.remove("host")));
        }
        if is_page && lang() == Lang::Zh {
            tell_in_chinese(&mut conn, &mut rows).await?;
        }
        let is_known = match file {
            Some(file) if rows.is_empty() => Progress::any_file(&mut conn, file).await?,
            _ => true,
        };
        store::Result::Ok((columns, rows, told_clock(&mut conn).await?.now(), is_known))
    })?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    if args.json {
        out(&json(&rows)?);
    } else if is_page {
        let day_starts = config.budget.day_starts;
        let shown = with_more(list.shown, &rows);
        out(&table(&shown, &rows, None, (lang(), day_starts)));
        if list.shown.iter().any(|column| column.ends_with("_at") || *column == "since") {
            tell(&story::times_are(&times::zone(now, day_starts)));
        }
        if u32::try_from(rows.len()) == Ok(list.limit) {
            tell(&commands::more_rows(list.limit));
        }
    } else {
        out(&columns.join("\t"));
        for row in &rows {
            out(&cells(&columns, row).join("\t"));
        }
    }
    match file {
        Some(file) if !is_known => Err(failure(exit::NO_INPUT, commands::none_named(&one_line(file)))),
        _ => Ok(0),
    }
}

/// The columns to show: with the action where something else than a prefetch is among the rows, and with the host of
/// files if they have one.
fn with_more(shown: &[&'static str], rows: &[Map<String, Value>]) -> Vec<&'static str> {
    let is_purge = |row: &Map<String, Value>| row.get("action").is_some_and(|action| action != "prefetch");
    let mut shown = shown.to_vec();
    if rows.iter().any(is_purge) && !shown.contains(&"action") {
        shown.insert(1, "action");
    }
    if shown.contains(&NAME) && rows.iter().any(|row| row.contains_key("host")) {
        shown.insert(1, "host");
    }
    shown
}

/// A table as wide as the terminal, or `width` columns wide; longer cells are wrapped, and nothing is lost. Headings,
/// words and times are for people.
fn table(
    columns: &[&str],
    rows: &[Map<String, Value>],
    width: Option<u16>,
    (lang, day_starts): (Lang, DayStart),
) -> String {
    let is_files = columns.contains(&NAME);
    let head = |name: &&str| if is_files && *name == "host" { story::THE_HOST } else { story::column(name) };
    let heads: Vec<String> = columns.iter().map(|name| head(name).say(lang).to_owned()).collect();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(&heads);
    if let Some(width) = width {
        table.set_width(width);
    }
    let shown = |(column, cell): (&&str, &String)| {
        if is_time(cell) { times::local(cell, day_starts) } else { story::cell(column, cell).say(lang).to_owned() }
    };
    let cell = |row: &Map<String, Value>, at: (&&str, &String)| match row.get("action").and_then(Value::as_str) {
        Some(action) if *at.0 == "state" => story::state_of(at.1, action).say(lang).to_owned(),
        _ => shown(at),
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().zip(&cells(columns, row)).map(|at| cell(row, at)).collect()).collect();
    for (at, column) in table.column_iter_mut().enumerate() {
        // Headers, numbers and times are not wrapped; names and URLs share the rest.
        let widest = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0);
        let whole = heads[at].width().max(if widest <= WHOLE_CHARS_MAX { widest } else { 0 });
        let whole = u16::try_from(whole).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(whole + PADDING)));
    }
    table.add_rows(rows);
    table.trim_fmt()
}

/// Whether a cell is a moment as the views have it.
fn is_time(cell: &str) -> bool {
    cell.len() == 24 && cell.as_bytes()[10] == b'T' && cell.ends_with('Z')
}

/// The values of a row as text, each on one line.
fn cells(columns: &[&str], row: &Map<String, Value>) -> Vec<String> {
    let text = |column: &&str| match row.get(*column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => one_line(text),
        Some(value) => value.to_string(),
    };
    columns.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, label: &str, lines: i64) -> Map<String, Value> {
        let values = [("name", Value::from(name)), ("label", Value::from(label)), ("lines", Value::from(lines))];
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn wide_characters_take_two_cells_and_columns_stay_below_each_other() {
        let rows = [row("港湾之光-首映.txt", "首映", 1104), row("nightly.txt", "night", 7)];
        let text = table(&["name", "label", "lines"], &rows, Some(80), (Lang::En, DayStart::default()));
        let lines: Vec<&str> = text.lines().collect();
        // The column where the number begins: what is not ASCII here is two columns wide.
        let cells_before = |line: &str, part: &str| -> usize {
            line[..line.find(part).unwrap()].chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
        };
        let header = cells_before(lines[0], "lines");
        assert_eq!([cells_before(lines[1], "1104"), cells_before(lines[2], "7")], [header, header], "\n{text}");
    }

    #[test]
    fn what_was_purged_is_not_called_warm_and_its_action_is_shown() {
        let row = serde_json::json!({ "state": "complete", "url": "https://a/", "action": "purge" });
        let rows = [row.as_object().cloned().unwrap()];
        let columns = with_more(&["state", "url"], &rows);
        assert_eq!(columns, ["state", "action", "url"]);
        let text = table(&columns, &rows, Some(80), (Lang::Zh, DayStart::default()));
        assert!(text.contains("已刷新") && !text.contains("已预热"), "{text}");
        assert_eq!(with_more(&["state"], &[self::row("a", "b", 1)]), ["state"]);
    }

    #[test]
    fn headings_words_and_times_are_for_people() {
        let row =
            serde_json::json!({ "host": "a.example.com", "standing": "offline", "since": "2026-11-24T16:00:00.000Z" });
        let rows = [row.as_object().cloned().unwrap()];
        let table = |lang| table(&["host", "standing", "since"], &rows, Some(80), (lang, DayStart::default()));
        let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let english = ["host", "standing", "since", "a.example.com", "offline", "2026-11-25", "00:00:00"];
        assert_eq!(words(table(Lang::En)), english);
        let chinese = ["域名", "状态", "起始时间", "a.example.com", "未上线", "2026-11-25", "00:00:00"];
        assert_eq!(words(table(Lang::Zh)), chinese);
    }

    #[test]
    fn at_80_columns_long_urls_are_wrapped_and_nothing_is_lost() {
        let url = format!("https://vod.example.com/{}.ts", "视频x".repeat(40));
        let text =
            table(&["name", "label", "lines"], &[row(&url, "a label", 3)], Some(80), (Lang::En, DayStart::default()));
        let widest =
            text.lines().map(|line| line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>()).max();
        assert!(widest <= Some(80), "{widest:?}\n{text}");
        assert_eq!(text.matches('x').count(), url.matches('x').count());
        assert!(!text.contains('\x1b'));
        assert!(text.lines().next().is_some_and(|header| header.contains("lines")), "{text}");
    }
}
