//! Lists on the command line: a table on a terminal, tab-separated text in a pipe, or JSON.

use std::io::IsTerminal as _;
use std::path::Path;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::{Map, Value};

use super::text::{json, out};
use super::{load, runtime};
use crate::status::List;
use crate::store;
use crate::telemetry::one_line;

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

/// Reads a list and prints it.
pub(super) fn print(config: Option<&Path>, list: &List, args: &ListArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let (columns, rows) = runtime()?.block_on(async {
        let mut conn = store::open_reader(config.database.url.path()).await?;
        list.read(&mut conn).await
    })?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    if args.json {
        out(&json(&rows)?);
    } else if std::io::stdout().is_terminal() {
        out(&table(list.shown, &rows, None));
        if u32::try_from(rows.len()) == Ok(list.limit) {
            out(&format!("({} rows; --limit shows more)", list.limit));
        }
    } else {
        out(&columns.join("\t"));
        for row in &rows {
            out(&cells(&columns, row).join("\t"));
        }
    }
    Ok(0)
}

/// A table as wide as the terminal, or `width` columns wide; longer cells are wrapped, and nothing is lost.
fn table(columns: &[&str], rows: &[Map<String, Value>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(columns);
    if let Some(width) = width {
        table.set_width(width);
    }
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| cells(columns, row).iter().map(|cell| short(cell)).collect()).collect();
    for (at, column) in table.column_iter_mut().enumerate() {
        // Headers, numbers and times are not wrapped; names and URLs share the rest.
        let widest = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let whole = columns[at].len().max(if widest <= WHOLE_CHARS_MAX { widest } else { 0 });
        let whole = u16::try_from(whole).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(whole + PADDING)));
    }
    table.add_rows(rows);
    table.trim_fmt()
}

/// A moment without its milliseconds; other text unchanged.
fn short(cell: &str) -> String {
    match cell.strip_suffix('Z').and_then(|text| text.split_once('.')) {
        Some((seconds, _)) if cell.len() == 24 && seconds.len() == 19 && cell.as_bytes()[10] == b'T' => {
            format!("{seconds}Z")
        }
        _ => cell.to_owned(),
    }
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
        let text = table(&["name", "label", "lines"], &rows, Some(80));
        let lines: Vec<&str> = text.lines().collect();
        // The column where the number begins: what is not ASCII here is two columns wide.
        let cells_before = |line: &str, part: &str| -> usize {
            line[..line.find(part).unwrap()].chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
        };
        let header = cells_before(lines[0], "lines");
        assert_eq!([cells_before(lines[1], "1104"), cells_before(lines[2], "7")], [header, header], "\n{text}");
    }

    #[test]
    fn at_80_columns_long_urls_are_wrapped_and_nothing_is_lost() {
        let url = format!("https://vod.example.com/{}.ts", "视频x".repeat(40));
        let text = table(&["name", "label", "lines"], &[row(&url, "a label", 3)], Some(80));
        let widest =
            text.lines().map(|line| line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>()).max();
        assert!(widest <= Some(80), "{widest:?}\n{text}");
        assert_eq!(text.matches('x').count(), url.matches('x').count());
        assert!(!text.contains('\x1b'));
        assert!(text.lines().next().is_some_and(|header| header.contains("lines")), "{text}");
    }
}
