//! The schema for PostgreSQL: it fits the same statements, and its views are those of SQLite.

use std::path::PathBuf;

use prefetchd::store::{Sql, Store};
use sqlx::postgres::{PgConnection, PgTypeInfo};
use sqlx::{Column as _, Connection as _, Either, Executor as _, SqlSafeStr as _, Statement as _, TypeInfo as _};

use crate::structure::tables;
use crate::support::postgres;

/// Parameters whose types are tried where a statement alone does not tell them.
const TRIED_MAX: usize = 8;

async fn with_schema(name: &str) -> Option<PgConnection> {
    let url = postgres::server()?.database(name).await;
    Store::open_server(&url, "").await.unwrap().close().await;
    Some(PgConnection::connect(&url).await.unwrap())
}

/// Prepares a statement with the types that the program sends: whole numbers, also for flags, numbers with a fraction,
/// and texts. Returns the types of its columns.
async fn prepare(conn: &mut PgConnection, text: &str) -> Result<Vec<String>, String> {
    let typed = |name: &'static str| PgTypeInfo::with_name(name);
    let text = || sqlx::AssertSqlSafe(text.to_owned()).into_sql_str();
    let columns = |statement: &sqlx::postgres::PgStatement| {
        statement.columns().iter().map(|column| column.type_info().name().to_owned()).collect()
    };
    let said = match (&mut *conn).prepare(text()).await {
        Ok(statement) => {
            let Some(Either::Left(inferred)) = statement.parameters() else { return Ok(columns(&statement)) };
            let sent: Vec<PgTypeInfo> = inferred
                .iter()
                .map(|kind| match kind.name() {
                    "TEXT" | "NAME" => typed("TEXT"),
                    "FLOAT8" => typed("FLOAT8"),
                    // An array says of what.
                    "INT8[]" => typed("INT8[]"),
                    "TEXT[]" => typed("TEXT[]"),
                    _ => typed("INT8"),
                })
                .collect();
            let typed = (&mut *conn).prepare_with(text(), &sent).await;
            return typed.map(|statement| columns(&statement)).map_err(|error| error.to_string());
        }
        Err(error) => error.to_string(),
    };
    for choice in 0..1_u32 << TRIED_MAX {
        let sent: Vec<PgTypeInfo> =
            (0..TRIED_MAX).map(|at| typed(if choice >> at & 1 == 0 { "INT8" } else { "TEXT" })).collect();
        if let Ok(statement) = (&mut *conn).prepare_with(text(), &sent).await {
            return Ok(columns(&statement));
        }
    }
    Err(said)
}

#[tokio::test]
async fn every_statement_fits_the_schema_for_postgresql_and_answers_in_types_that_the_program_reads() {
    let Some(mut conn) = with_schema("statements").await else { return };
    let mut faults = Vec::new();
    let mut tried = 0;
    for statement in tables::statements() {
        let Some(text) = statement.postgres else { continue };
        tried += 1;
        match prepare(&mut conn, &Sql::both(text.leak()).postgres()).await {
            Ok(columns) => {
                let read = ["INT8", "INT4", "BOOL", "TEXT", "FLOAT8"];
                let odd = columns.iter().filter(|kind| !read.contains(&kind.as_str()));
                faults.extend(odd.map(|kind| format!("{}: a column is {kind}", statement.name)));
            }
            Err(error) => faults.push(format!("{}: {error}", statement.name)),
        }
    }
    assert!(tried > 300, "only {tried} statements were found");
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn the_views_of_postgresql_have_the_names_and_columns_of_sqlites() {
    let Some(mut conn) = with_schema("views").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let lite = prefetchd::store::query_scalar(
        "select m.name || '.' || i.name || '.' || i.cid from sqlite_schema as m, pragma_table_info(m.name) as i
         where m.type in ('view', 'table') and m.name not like '\\_%' escape '\\' and m.name not like 'sqlite%'",
    );
    let mut lite: Vec<String> = lite.fetch_all(store.read()).await.unwrap();
    let mut other: Vec<String> = sqlx::query_scalar(
        "select table_name || '.' || column_name || '.' || (ordinal_position - 1) from information_schema.columns
         where table_schema = current_schema() and table_name not like '\\_%'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    lite.sort();
    other.sort();
    assert!(lite.len() > 300, "only {} columns were found", lite.len());
    assert_eq!(lite, other);
}

#[test]
fn the_folder_for_postgresql_ends_with_the_number_of_sqlites() {
    let newest = |folder: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        let names = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".sql")).map(|name| name[..4].to_owned()).max()
    };
    assert_eq!(newest("migrations/postgres"), newest("migrations"));
}
