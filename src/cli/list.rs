//! Lists on the command line: a table on a terminal, tab-separated in a pipe, JSON when asked for.

use std::io::IsTerminal as _;
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use super::text::out;
use super::{load, runtime};
use crate::status::List;
use crate::store;
use crate::telemetry::one_line;

/// Reads a list and prints it.
pub(super) fn print(config: Option<&Path>, list: &List<'_>, json: bool) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let rows = runtime()?.block_on(async {
        let mut conn = store::open_reader(config.database.url.path()).await?;
        list.read(&mut conn).await
    })?;
    if json {
        out(&serde_json::to_string_pretty(&rows)?);
    } else if std::io::stdout().is_terminal() {
        table(list.columns, &rows);
    } else {
        out(&list.columns.join("\t"));
        for row in &rows {
            out(&cells(list.columns, row).join("\t"));
        }
    }
    Ok(0)
}

fn table(columns: &[&str], rows: &[Map<String, Value>]) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(columns);
    for row in rows {
        table.add_row(cells(columns, row));
    }
    out(&table.trim_fmt());
}

/// The values of a row as text, on one line each.
fn cells(columns: &[&str], row: &Map<String, Value>) -> Vec<String> {
    let text = |column: &&str| match row.get(*column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => one_line(text),
        Some(value) => value.to_string(),
    };
    columns.iter().map(text).collect()
}
