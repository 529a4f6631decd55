//! Lists: rows of a public view, filtered. A filter is a column and the value that it must have.

use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column as _, Row, SqliteConnection, TypeInfo as _, ValueRef as _};

use crate::store::Result;

/// A list to be read.
#[derive(Debug)]
pub struct List<'a> {
    /// The public view.
    pub view: &'static str,
    /// Columns, in the order in which they are shown.
    pub columns: &'static [&'static str],
    /// The order of the rows, as SQL.
    pub order: &'static str,
    /// Conditions with one parameter each, such as `host = ?`, and their values.
    pub filters: Vec<(&'static str, &'a str)>,
    /// Rows at most.
    pub limit: u32,
}

impl List<'_> {
    /// Reads the rows.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn read(&self, conn: &mut SqliteConnection) -> Result<Vec<Map<String, Value>>> {
        let mut sql = format!("select {} from {}", self.columns.join(", "), self.view);
        for (at, (condition, _)) in self.filters.iter().enumerate() {
            let word = if at == 0 { "where" } else { "and" };
            sql.push_str(&format!(" {word} {}", condition.replace('?', &format!("?{}", at + 1))));
        }
        sql.push_str(&format!(" order by {} limit {}", self.order, self.limit));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (_, value) in &self.filters {
            query = query.bind(*value);
        }
        Ok(query.fetch_all(conn).await?.iter().map(object).collect())
    }
}

fn object(row: &SqliteRow) -> Map<String, Value> {
    let value = |at: usize| -> Value {
        let Ok(raw) = row.try_get_raw(at) else { return Value::Null };
        match raw.type_info().name() {
            "INTEGER" => row.get::<i64, _>(at).into(),
            "REAL" => row.get::<f64, _>(at).into(),
            "TEXT" => row.get::<String, _>(at).into(),
            _ => Value::Null,
        }
    };
    row.columns().iter().enumerate().map(|(at, column)| (column.name().to_owned(), value(at))).collect()
}
