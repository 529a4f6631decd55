//! Rows that statements give.

use std::sync::Arc;

use rusqlite::types::Value as Copied;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::Value;

/// A row that a statement gave.
#[derive(Debug)]
pub struct Row(Inner);

#[derive(Debug)]
enum Inner {
    Lite(SqliteRow),
    Postgres(PgRow),
    /// Copied from SQLite's own handle.
    Copied {
        names: Arc<[String]>,
        values: Vec<Copied>,
    },
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Inner::Lite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

impl Row {
    /// Copies a row from SQLite's own handle.
    pub(super) fn copy(names: &Arc<[String]>, row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let values = (0..names.len()).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        Ok(Self(Inner::Copied { names: Arc::clone(names), values }))
    }
}

/// How a column is named: by its place, from 0, or by its name.
pub trait At: sqlx::ColumnIndex<SqliteRow> + sqlx::ColumnIndex<PgRow> {
    /// Its place among columns of these names.
    fn place(&self, names: &[String]) -> Option<usize>;
}

impl At for usize {
    fn place(&self, names: &[String]) -> Option<usize> {
        (*self < names.len()).then_some(*self)
    }
}

impl At for &str {
    fn place(&self, names: &[String]) -> Option<usize> {
        names.iter().position(|name| name == self)
    }
}

/// What a column can be read as.
pub trait Get<'r>: Sized {
    /// The value of this column.
    ///
    /// # Errors
    ///
    /// There is no such column, or it is not of this kind.
    fn get(row: &'r Row, at: impl At) -> sqlx::Result<Self>;
}

fn copied<'r>(names: &[String], values: &'r [Copied], at: &impl At) -> sqlx::Result<&'r Copied> {
    let place = at.place(names).ok_or_else(|| sqlx::Error::ColumnNotFound(format!("not in {names:?}")))?;
    Ok(&values[place])
}

/// A whole number, or whether a condition holds, as SQLite has it.
fn whole(row: &PgRow, at: &impl At) -> sqlx::Result<Option<i64>> {
    let at = at.index(row)?;
    match row.column(at).type_info().name() {
        "BOOL" => Ok(row.try_get::<Option<bool>, _>(at)?.map(i64::from)),
        "INT4" => Ok(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
        _ => row.try_get(at),
    }
}

fn narrowed<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(value: i64) -> sqlx::Result<T> {
    value.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn no_kind(kind: &str, value: &Copied) -> sqlx::Error {
    sqlx::Error::Decode(format!("{value:?} is not {kind}").into())
}

macro_rules! readable {
    ($($copied:pat => $value:expr, $row:ident $at:ident => $postgres:expr, $($kind:ty)*;)*) => {$($(
        impl<'r> Get<'r> for Option<$kind> {
            fn get(row: &'r Row, at: impl At) -> sqlx::Result<Self> {
                match &row.0 {
                    Inner::Lite(row) => row.try_get(at),
                    Inner::Postgres($row) => {
                        let $at = &at;
                        $postgres
                    }
                    Inner::Copied { names, values } => match copied(names, values, &at)? {
                        Copied::Null => Ok(None),
                        $copied => $value,
                        other => Err(no_kind(stringify!($kind), other)),
                    },
                }
            }
        }

        impl<'r> Get<'r> for $kind {
            fn get(row: &'r Row, at: impl At) -> sqlx::Result<Self> {
                match &row.0 {
                    Inner::Lite(row) => row.try_get(at),
                    Inner::Postgres(_) | Inner::Copied { .. } => {
                        Option::<$kind>::get(row, at)?.ok_or(sqlx::Error::RowNotFound)
                    }
                }
            }
        }
    )*)*};
}

readable! {
    Copied::Integer(value) => Ok(Some(*value)), row at => whole(row, at), i64;
    Copied::Integer(value) => narrowed(*value).map(Some), row at => whole(row, at)?.map(narrowed).transpose(),
        u64 i32 u32 u16 u8;
    Copied::Integer(value) => Ok(Some(*value != 0)), row at => Ok(whole(row, at)?.map(|value| value != 0)), bool;
    Copied::Real(value) => Ok(Some(*value)), row at => row.try_get(at.index(row)?), f64;
    Copied::Text(value) => Ok(Some(value.into())), row at => row.try_get(at.index(row)?), String;
    Copied::Text(value) => Ok(Some(value)), row at => row.try_get(at.index(row)?), &'r str;
}

impl Row {
    /// The value of a column.
    ///
    /// # Panics
    ///
    /// The statement gives no such column, or one of another kind: the program is wrong.
    pub fn get<'r, T: Get<'r>, I: At>(&'r self, at: I) -> T {
        T::get(self, at).unwrap_or_else(|error| panic!("a column of a statement: {error}"))
    }

    /// The names of the columns with their values, for whoever shows rows whose columns he does not know.
    pub fn values(&self) -> Vec<(&str, Value<'_>)> {
        match &self.0 {
            Inner::Lite(row) => {
                let kind = |at: usize| row.try_get_raw(at).map(|raw| raw.type_info().name().to_owned());
                let named = row.columns().iter().map(|column| (column.name(), kind(column.ordinal())));
                named.enumerate().map(|(at, (name, kind))| (name, self.value(at, &kind.unwrap_or_default()))).collect()
            }
            Inner::Postgres(row) => {
                let named = row.columns().iter().map(|column| (column.name(), column.type_info().name()));
                named.enumerate().map(|(at, (name, kind))| (name, self.value(at, kind))).collect()
            }
            Inner::Copied { .. } => Vec::new(),
        }
    }

    fn value(&self, at: usize, kind: &str) -> Value<'_> {
        match kind {
            "INTEGER" | "INT8" | "INT4" | "BOOL" => Value::Int(self.get(at)),
            "REAL" | "FLOAT8" => Value::Real(self.get(at)),
            "TEXT" => Value::Text(self.get::<Option<&str>, _>(at).map(Into::into)),
            _ => Value::Int(None),
        }
    }
}
