//! JSON Schemas of what commands print with `--json`, of receipts and of events.

use anyhow::Context as _;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Map, Value, json};

use crate::notify::Event;
use crate::spool::Receipt;
use crate::status::{FileStory, StatusReport, Story, view_columns};
use crate::store::Store;

/// The commands that list rows of a view.
const LISTS: [(&str, &str, &str); 4] = [
    ("files", "v_files", "Rows of `v_files`: what `prefetchd files --json` prints."),
    ("urls", "v_urls", "Rows of `v_urls`: what `prefetchd urls --json` prints."),
    ("submissions", "v_submissions", "Rows of `v_submissions`: what `prefetchd submissions --json` prints."),
    ("hosts", "v_hosts", "Rows of `v_hosts`: what `prefetchd hosts --json` prints."),
];

/// All schemas, by the name of their file.
///
/// # Errors
///
/// A database cannot be made in the directory for temporary files, from which columns are read.
pub(super) async fn all() -> anyhow::Result<Vec<(&'static str, Schema)>> {
    let mut all = vec![
        ("status", of::<StatusReport>()),
        ("file", of::<FileStory>()),
        ("why", of::<Story>()),
        ("wait", of::<super::super::wait::Answer<'_>>()),
        ("forecast", of::<super::super::forecast::Answer>()),
        ("order", of::<super::super::orders::Done>()),
        ("notify", of::<Vec<super::super::notify::Told>>()),
        ("receipt", of::<Receipt<'_>>()),
        ("event", of::<Event>()),
    ];
    let dir = tempfile::tempdir().context("making a directory for a database")?;
    let store = Store::open(&dir.path().join("columns.db")).await?;
    let mut conn = store.read().acquire().await?;
    for (name, view, what) in LISTS {
        all.push((name, list(what, view, &view_columns(&mut conn, view).await?)));
    }
    drop(conn);
    store.close().await;
    Ok(all)
}

/// The schema of this type as it is written.
fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// An array of objects with these columns. Others may be added. Files have a host only where the database is on a
/// server.
fn list(what: &str, view: &str, columns: &[String]) -> Schema {
    let required: Vec<_> = columns.iter().filter(|column| view != "v_files" || *column != "host").collect();
    let value = json!({ "type": ["string", "number", "null"] });
    let properties: Map<String, Value> = columns.iter().map(|column| (column.clone(), value.clone())).collect();
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": what,
        "type": "array",
        "items": { "type": "object", "properties": properties, "required": required },
    })
}
